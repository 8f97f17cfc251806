r"""The drug effect by dose: an effect at the reference dose and a half-maximal dose for each drug, pooled over drugs.

A difference i of trial j, drug d, of relative doses x and x_0 (no dose, or a low one), in reference SDs:

.. math::

    y_i &\sim N\big((\delta_d + \kappa_d\, therapy_j + u_j)\,(g(x_i; h_d) - g(x_{0i}; h_d)),\; V\big) \\
    \log h_d &\sim N(m, s^2), \quad u_j \sim N(0, \tau^2)

g is one of :mod:`pillprocess.dose.curves`, 1 at the reference dose, so :math:`\delta_d` is the effect there. Arms of one trial that got
different doses speak within the trial; differences between trials speak through :math:`\tau` alone. In V, the differences of one
trial share their control (the recipe of MBNMAdose: Mawdsley et al. 2016, doi:10.1002/psp4.12091). Fitted by quadrature over h,
everything else in closed form.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

import pillprocess
from pillprocess.decomposition.columns import share_of_variance
from pillprocess.dose.curves import DoseShape, check_dose_shape, curve_at
from pillprocess.gaussian.pooled_rates import (
    Nodes,
    Piece,
    RatePriors,
    draw_rates,
    group_sums,
    prior_rates,
    rate_nodes,
    shared_log_weight,
)
from pillprocess.gaussian.quadrature import log_sum
from pillprocess.rows.drug_contrasts import drug_contrasts

if TYPE_CHECKING:
    import pymc as pm

DOSES = (0.1, 0.25, 0.5, 1.0, 1.5)
NEAR = 1.3


def dose_response(
    rows: pd.DataFrame, *, shape: DoseShape = "emax", prior_half_maximal: float = 0.5, prior_log_half_maximal_sd: float = 1.0,
    prior_spread_sd: float = 0.7, prior_size_sd: float = 1.0, prior_interaction_sd: float = 0.35, prior_tau_sd: float = 0.5,
) -> "pm.Model":  # fmt: skip
    r"""Build the dose-response as a PyMC model, the formulas of this module's docstring.

    :func:`pillprocess.fit_dose_response` fits the same model by quadrature, in a second.

    Parameters
    ----------
    rows
        Rows of :func:`pillprocess.arm_changes`, of :func:`pillprocess.contrasts`, or both one below the other.
    shape
        ``"emax"``, ``"log_linear"`` or ``"linear"``; a step has no gradient and is fitted by quadrature only.
    prior_half_maximal
        Median half-maximal dose over the reference dose, exp(m).
    prior_log_half_maximal_sd
        SD of m, on the log scale.
    prior_spread_sd
        Half-normal scale of s, the SD between drugs of log half-maximal doses.
    prior_size_sd, prior_interaction_sd
        SDs of a drug's effect at the reference dose, and of its change with therapy.
    prior_tau_sd
        Half-normal scale of the between-trial SD of effects.

    Returns
    -------
    ``pm.Model`` with ``delta``, ``kappa``, ``half_maximal`` (drug), ``tau`` and observed ``y`` (row).

    Raises
    ------
    ValueError
        An unknown shape, or a step.
    """
    import pymc as pm
    import pytensor.tensor as pt

    check_dose_shape(shape)
    if shape == "step":
        raise ValueError("a step has no gradient to sample by; use fit_dose_response")
    table, base = dose_differences(rows)
    drugs = sorted(set(table["drug"]))
    trial_drug = table["trial"] + ": " + table["drug"]
    labels = list(dict.fromkeys(trial_drug))
    d = table["drug"].map({x: i for i, x in enumerate(drugs)}).to_numpy()
    j = trial_drug.map({x: i for i, x in enumerate(labels)}).to_numpy()
    with pm.Model(coords={"drug": drugs, "trial_drug": labels, "row": table["label"].to_numpy()}) as model:
        tau = pm.HalfNormal("tau", prior_tau_sd)
        delta = pm.Normal("delta", 0, prior_size_sd, dims="drug")
        kappa = pm.Normal("kappa", 0, prior_interaction_sd, dims="drug")
        u = pm.Deterministic("u", tau * pm.Normal("u_raw", 0, 1, dims="trial_drug"), dims="trial_drug")
        x, x0 = table["dose_arm"].to_numpy(float), table["dose_reference"].to_numpy(float)
        gap: object = x - x0
        if shape != "linear":
            typical = pm.Normal("log_typical", np.log(prior_half_maximal), prior_log_half_maximal_sd)
            rate = typical + pm.HalfNormal("spread", prior_spread_sd) * pm.Normal("rate_raw", 0, 1, dims="drug")
            half = pm.Deterministic("half_maximal", pt.exp(rate), dims="drug")[d]
            emax = (1 + half) * (x / (half + x) - x0 / (half + x0))
            gap = emax if shape == "emax" else (pt.log1p(x / half) - pt.log1p(x0 / half)) / pt.log1p(1 / half)
        theta = (delta[d] + kappa[d] * table["therapy"].to_numpy(float) + u[j]) * gap
        pm.MvNormal("y", theta, cov=base, observed=table["y"].to_numpy(float), dims="row")
    return model


def fit_dose_response(
    rows: pd.DataFrame, *, shape: DoseShape = "emax", seed: int, draws: int = 2000, prior_half_maximal: float = 0.5,
    prior_log_half_maximal_sd: float = 1.0, prior_spread_sd: float = 0.7, prior_size_sd: float = 1.0, prior_interaction_sd: float = 0.35,
    prior_tau_sd: float = 0.5,
) -> xr.DataTree:  # fmt: skip
    """Fit the model of :func:`pillprocess.dose_response` without sampling.

    Parameters
    ----------
    rows
        As there.
    shape
        ``"emax"``, ``"log_linear"``, ``"linear"`` or ``"step"``.
    seed
        Seed of the draws.
    draws
        Independent draws of the posterior, and of the prior.
    prior_half_maximal, prior_log_half_maximal_sd, prior_spread_sd, prior_size_sd, prior_interaction_sd, prior_tau_sd
        As there.

    Returns
    -------
    DataTree with ``posterior`` and ``prior`` (``delta``, ``kappa``, ``half_maximal`` by drug, ``tau``), ``constant_data`` (the differences)
    and attribute ``log_marginal_likelihood``.

    Raises
    ------
    ValueError
        An unknown shape.
    """
    check_dose_shape(shape)
    table, base = dose_differences(rows)
    priors = RatePriors(
        float(np.log(prior_half_maximal)), prior_log_half_maximal_sd, prior_spread_sd, 0.0, prior_size_sd, prior_interaction_sd,
        prior_tau_sd, correlated=False,
    )  # fmt: skip
    return fit_curves(table, base, priors, shape=shape, seed=seed, draws=draws)


def default_priors() -> RatePriors:
    """The priors of :func:`fit_dose_response` unless others are given."""
    return RatePriors(float(np.log(0.5)), 1.0, 0.7, 0.0, 1.0, 0.35, 0.5, correlated=False)


def fit_curves(
    table: pd.DataFrame, base: np.ndarray, priors: RatePriors, *, shape: str, seed: int, draws: int
) -> xr.DataTree:
    """Fit a dose curve per drug to differences ``y`` of two doses with covariance ``base``."""
    rng = np.random.default_rng(seed)
    nodes = rate_nodes(priors) if shape != "linear" else rate_nodes(priors, spacing=1.0)
    drugs = sorted(set(table["drug"]))
    pieces = dose_pieces(table, base, shape, nodes)
    groups = [group_sums([p for p in pieces if p.group == drug], nodes, priors) for drug in drugs]
    weight = shared_log_weight(groups, nodes, priors)
    drawn = {
        "posterior": draw_rates(groups, nodes, weight, draws=draws, rng=rng),
        "prior": prior_rates(priors, groups=len(drugs), draws=draws, rng=rng),
    }
    each, scalar = ("chain", "draw", "drug"), ("chain", "draw")
    groups_of = {
        f"/{name}": xr.Dataset(
            {
                "delta": (each, one["size"][None]), "kappa": (each, one["change"][None]), "half_maximal": (each, np.exp(one["rate"])[None]),
                "tau": (scalar, one["tau"][None]),
            },
            coords={"chain": [0], "draw": np.arange(draws), "drug": drugs},
        )
        for name, one in drawn.items()
    }  # fmt: skip
    kept = {c: ("row", table[c].to_numpy(str)) for c in ("trial", "drug")}
    kept |= {c: ("row", table[c].to_numpy(float)) for c in ("y", "se", "dose_arm", "dose_reference", "therapy", "n")}
    attrs = {
        "route": "quadrature", "inference_library": "pillprocess", "inference_library_version": pillprocess.__version__, "seed": seed,
        "shape": shape, "log_marginal_likelihood": float(log_sum(weight.ravel())),
    }  # fmt: skip
    data = xr.Dataset(kept, coords={"row": table["label"].to_numpy(str)})
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), "/constant_data": data} | groups_of)


def dose_pieces(table: pd.DataFrame, base: np.ndarray, shape: str, nodes: Nodes) -> list[Piece]:
    """Cut differences into trials, each with its curve at every half-maximal dose."""
    pieces = []
    for (trial, drug), at in table.groupby(["trial", "drug"], sort=False).indices.items():
        x, x0 = (table[c].to_numpy(float)[at] for c in ("dose_arm", "dose_reference"))
        half = np.exp(nodes.wide)[None, :, None]
        curves = curve_at(shape, x, half) - curve_at(shape, x0, half)
        therapy = float(table["therapy"].to_numpy(float)[at].max())
        pieces.append(
            Piece(
                str(trial),
                str(drug),
                therapy,
                table["y"].to_numpy(float)[at],
                base[np.ix_(at, at)],
                np.zeros(len(at)),
                curves,
            )
        )
    return pieces


def dose_effects(
    idata: xr.DataTree,
    *,
    doses: tuple[float, ...] = DOSES,
    therapy: tuple[float, ...] = (0.0, 1.0),
    prior: bool = False,
) -> xr.DataArray:
    r"""Effect of each drug at chosen doses against none, :math:`(\delta_d + \kappa_d\, therapy)\, g(x; h_d)`.

    Parameters
    ----------
    idata
        Result of :func:`pillprocess.fit_dose_response`.
    doses
        Doses over the drug's reference dose.
    therapy
        1 with therapy, 0 alone, alike in both arms.
    prior
        From the prior instead of the posterior.

    Returns
    -------
    DataArray (chain, draw, drug, therapy, dose); ``trials`` says how many trials gave the drug in this setting
    within a factor 1.3 of the dose.

    Raises
    ------
    ValueError
        A dose that is negative or not finite.
    """
    if not all(0 <= x < np.inf for x in doses):
        raise ValueError(f"doses = {doses}; each must be a finite number over the reference dose, at least 0")
    drawn, data = idata["prior" if prior else "posterior"].dataset, idata["constant_data"].dataset
    dose = xr.DataArray(list(doses), dims="dose", coords={"dose": list(doses)})
    amount = xr.DataArray(list(therapy), dims="therapy", coords={"therapy": list(therapy)})
    shape = str(idata.attrs["shape"])
    left = xr.apply_ufunc(lambda x, h: curve_at(shape, x, h), dose, drawn["half_maximal"])
    effect = ((drawn["delta"] + drawn["kappa"] * amount) * left).transpose("chain", "draw", "drug", "therapy", "dose")
    drug, given, trial, setting = (data[c].to_numpy() for c in ("drug", "dose_arm", "trial", "therapy"))
    trials = [
        [
            [len(set(trial[(drug == d) & (setting == a) & (given <= NEAR * x) & (given * NEAR >= x)])) for x in doses]
            for a in therapy
        ]
        for d in effect["drug"].to_numpy()
    ]
    return effect.assign_coords(trials=(("drug", "therapy", "dose"), np.array(trials))).rename("effect")


def dose_differences(rows: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Differences of dosed arms and their control, and their covariance: those of one trial share the control's error."""
    table = drug_contrasts(rows)
    share = np.array([1 - share_of_variance(a, r) for a, r in zip(table["n_arm"], table["n_reference"], strict=True)])
    variance = table["reference_variance"].astype(float).fillna(pd.Series(share * table["se"].to_numpy(float) ** 2))
    side = (table["trial"] + "\n" + table["reference_arm"]).to_numpy()
    root = np.sqrt(variance.to_numpy(float))
    base = np.where(side[:, None] == side[None], root[:, None] * root[None], 0.0)
    base[np.diag_indices(len(table))] = table["se"].to_numpy(float) ** 2
    return table.assign(n=table["n_arm"].astype(float) + table["n_reference"].astype(float)), base
