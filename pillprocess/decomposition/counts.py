r"""Counts of responders by the exact binomial: beside arm and difference rows, or on their own.

.. math:: r_{jk} \sim Binomial(n_{jk}, \Phi(c_j - \theta_{jk})), \quad c_j \sim N(0, 1.5^2)

with :math:`\theta_{jk}` the decomposition's expected change without its course, which the trial's threshold holds
(:mod:`pillprocess.rows.response_contrasts`). :func:`response_model` is the network meta-analysis of any table of counts
(Lu & Ades 2004, doi:10.1002/sim.1875).
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr, ndtri

from pillprocess.decomposition.estimands import relative_effects
from pillprocess.decomposition.model import decomposition_design
from pillprocess.rows.response_contrasts import check_counts
from pillprocess.rows.terms import HEADLINE

if TYPE_CHECKING:
    import pymc as pm


def decomposition_with_counts(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame | None,
    counts: pd.DataFrame,
    *,
    terms: frozenset[str] | set[str] = HEADLINE,
    dose_shape: str = "linear",
    prior_threshold_sd: float = 1.5,
) -> "pm.Model":
    """Build the decomposition of arms and differences with binomial rows for arms that only have counts.

    Parameters
    ----------
    arms, contrasts, terms, dose_shape
        As in :func:`pillprocess.decomposition_design`.
    counts
        Rows of :func:`pillprocess.response_arms`, from other trials.
    prior_threshold_sd
        SD of the normal prior of each trial's threshold, in latent SDs.

    Returns
    -------
    ``pm.Model``: that of :func:`pillprocess.decomposition` and ``threshold`` (count_trial), ``responders`` (count).

    Raises
    ------
    ValueError
        Counts above n; a trial that is among the other rows too; what :func:`pillprocess.decomposition_design` refuses.
    """
    import pymc as pm
    import pytensor.tensor as pt

    from pillprocess.gaussian.model import gaussian_model

    check_counts(counts)
    twice = sorted(set(counts["trial"]) & {*arms["trial"], *([] if contrasts is None else contrasts["trial"])})
    if twice:
        raise ValueError(
            f"nothing was fitted: the counts of {', '.join(twice)} are of trials that other rows hold already"
        )
    stand_in = counts.assign(kind="arm", y=0.0, se=1.0)
    design = decomposition_design(
        pd.concat([arms, stand_in], ignore_index=True), contrasts, terms=terms, dose_shape=dose_shape
    )
    label = design["row"].to_numpy()
    counted = np.isin(label, counts["label"].to_numpy(str))
    rest, mine = _without_course(design, counts), design.isel(row=counted)
    model = gaussian_model(rest)
    order = pd.Index(mine["row"].to_numpy()).get_indexer(counts["label"].to_numpy(str))
    trials = list(dict.fromkeys(counts["trial"].tolist()))
    with model:
        theta = pt.zeros(len(counts))
        for kind, matrix in (("coefficient", "X"), ("effect", "Z")):
            for column in np.flatnonzero(rest[f"{kind}_term"].to_numpy() != "course"):
                values = mine[matrix].to_numpy()[order][:, np.flatnonzero(design[kind] == rest[kind][column])[0]]
                variable, dim, which = (
                    str(rest[f"{kind}_{w}"].to_numpy()[column]) for w in ("variable", "dim", "label")
                )
                if values.any():
                    parameter = model[variable][list(model.coords[dim]).index(which)] if dim else model[variable]
                    theta = theta + values * parameter
        model.add_coords({"count": counts["label"].to_numpy(str), "count_trial": trials})
        threshold = pm.Normal("threshold", 0, prior_threshold_sd, dims="count_trial")
        z = threshold[[trials.index(t) for t in counts["trial"]]] - theta
        n, found = counts["n"].to_numpy(int), counts["responders"].to_numpy(int)
        pm.Binomial("responders", n, 0.5 * pt.erfc(-z / np.sqrt(2)), observed=found, dims="count")
    return model


def _without_course(design: xr.Dataset, counts: pd.DataFrame) -> xr.Dataset:
    """The design of the Gaussian rows alone: without the counted rows, and without baselines that only these have."""
    counted = np.isin(design["row"].to_numpy(), counts["label"].to_numpy(str))
    keep = {"row": ~counted}
    for kind, matrix in (("coefficient", "X"), ("effect", "Z")):
        course = design[f"{kind}_term"].to_numpy() == "course"
        keep[kind] = ~course | (design[matrix].to_numpy()[~counted] != 0).any(axis=0)
    chosen = design.isel({dim: np.flatnonzero(mask) for dim, mask in keep.items()} | {"row_": np.flatnonzero(~counted)})
    return chosen


def response_model(
    counts: pd.DataFrame,
    *,
    reference: str,
    link: str = "logit",
    prior_effect_sd: float = 10.0,
    prior_baseline_sd: float = 10.0,
    prior_tau_sd: float = 2.5,
) -> "pm.Model":
    r"""Build a random-effects network meta-analysis of counts by the exact binomial.

    .. math:: g(p_{jk}) = \mu_j + d_{t(k)} + \epsilon_{jk}, \quad \epsilon_{jk} \sim N(0, \tau^2 / 2)

    so that the contrasts of a trial vary with SD tau and, in trials of several arms, correlate by a half.

    Parameters
    ----------
    counts
        ``trial``, ``treatment``, ``n``, ``responders``, a row per arm.
    reference
        The treatment with effect 0.
    link
        ``"logit"`` or ``"probit"``.
    prior_effect_sd, prior_baseline_sd, prior_tau_sd
        SDs of the normal priors of effects and baselines, and scale of the half-normal of tau, on the link's scale.

    Returns
    -------
    ``pm.Model``: ``mu`` (trial), ``d`` (treatment), ``tau``, ``responders`` (arm).

    Raises
    ------
    ValueError
        Counts above n; a treatment twice in a trial; a trial of one arm; an unknown link; a reference that no arm got.
    """
    import pymc as pm
    import pytensor.tensor as pt

    check_counts(counts)
    if link not in ("logit", "probit"):
        raise ValueError(f"link = {link!r}; it must be 'logit' or 'probit'")
    problems = [f"trial '{t}': one arm compares nothing" for t, g in counts.groupby("trial", sort=False) if len(g) < 2]
    doubled = counts[counts.duplicated(["trial", "treatment"])]
    problems += [f"trial '{r.trial}': treatment '{r.treatment}' is there twice" for r in doubled.itertuples()]
    if reference not in set(counts["treatment"]):
        problems.append(f"reference = {reference!r}: no arm got it")
    if problems:
        raise ValueError("nothing was fitted:\n" + "\n".join(problems))
    trials, every = list(dict.fromkeys(counts["trial"].astype(str))), sorted(set(counts["treatment"].astype(str)))
    others = [t for t in every if t != reference]
    of_trial = np.array([trials.index(str(t)) for t in counts["trial"]])
    of_treatment = np.array([[str(t) == o for o in others] for t in counts["treatment"]], float)
    arm = [f"{t}: {k}" for t, k in zip(counts["trial"], counts["treatment"], strict=True)]
    with pm.Model(coords={"trial": trials, "treatment": others, "arm": arm}) as model:
        mu = pm.Normal("mu", 0, prior_baseline_sd, dims="trial")
        d = pm.Normal("d", 0, prior_effect_sd, dims="treatment")
        tau = pm.HalfNormal("tau", prior_tau_sd)
        epsilon = tau / np.sqrt(2) * pm.Normal("epsilon_raw", 0, 1, dims="arm")
        z = mu[of_trial] + pt.dot(of_treatment, d) + epsilon
        p = pm.math.invlogit(z) if link == "logit" else 0.5 * pt.erfc(-z / np.sqrt(2))
        pm.Binomial("responders", counts["n"].to_numpy(int), p, observed=counts["responders"].to_numpy(int), dims="arm")
    return model


def response_rates(idata: xr.DataTree, *, control_rate: float, therapy: tuple[float, ...] = (0.0, 1.0)) -> xr.Dataset:
    r"""Share of responders with each drug, and how many people one must treat for one more, from effects in SDs.

    .. math:: p_1 = \Phi(\Phi^{-1}(p_0) - effect), \quad NNT = 1 / (p_1 - p_0)

    Parameters
    ----------
    idata
        A fit with the drug term, in SD units.
    control_rate
        Share of responders p_0 in the control condition that is asked about.
    therapy
        As in :func:`pillprocess.relative_effects`.

    Returns
    -------
    Dataset (chain, draw, drug, therapy): ``response`` (share), ``risk_difference`` and ``nnt``, negative where the drug does harm.
    Summarise ``risk_difference``: an interval of NNT that passes through no difference passes through infinity.

    Raises
    ------
    ValueError
        A rate that is not between 0 and 1.
    """
    if not 0 < control_rate < 1:
        raise ValueError(f"control_rate = {control_rate}; it must lie between 0 and 1")
    effect = relative_effects(idata, therapy=therapy)
    response = xr.apply_ufunc(ndtr, float(ndtri(control_rate)) - effect)
    gain = response - control_rate
    return xr.Dataset({"response": response, "risk_difference": gain, "nnt": 1 / gain})
