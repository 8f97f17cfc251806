r"""Expectation before dosing as a moderator of the drug's effect, partially pooled over outcome scales.

For person i on scale s, in SD units of the scale (pooled within arms) with negative as improvement, treatment T, expectations
E (one per treatment that was rated, in SDs from their mean) and baseline :math:`y_0`:

.. math::
    y_{is} = \alpha_s + c_s T_i + \sum_e (g_{se} + h_{se} T_i) E_{ie} + \beta_s y_{0,is} + u_i + \epsilon_{is}

    c_s \sim N(c, \tau_c^2), \quad g_{se} \sim N(g_e, \tau_g^2), \quad h_{se} \sim N(h_e, \tau_h^2), \quad
    u_i \sim N(0, \tau_u^2), \quad \epsilon_{is} \sim N(0, \sigma_s^2)

:math:`h` is drug x expectancy: where it is 0, drug and expectancy add. The expectation was there before the treatment was
given, so treatment was randomised at every level of it.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from pytensor.tensor import TensorVariable

from pillprocess.belief.coding import Timing
from pillprocess.belief.expectation_checks import expectation_doubts, expectation_problems
from pillprocess.participants.coding import label, labels


def expectancy_moderation(
    people: pd.DataFrame,
    *,
    treatment: str,
    reference: str,
    outcome: str,
    expectancy: str | Sequence[str],
    expectancy_timing: Timing,
    scale: str | None = None,
    person: str | None = None,
    baseline: str | None = None,
    higher_is_better: Sequence[str] = (),
    prior_drug_sd: float = 0.7,
    prior_expectancy_sd: float = 0.5,
    prior_interaction_sd: float = 0.35,
    prior_intercept_sd: float = 2.0,
    prior_baseline_sd: float = 1.0,
    prior_sigma_sd: float = 1.0,
    prior_tau_sd: float = 0.3,
    prior_tau_person_sd: float = 1.0,
) -> pm.Model:
    """Build the model of expectancy as a moderator; `moderation_effects` reads it.

    Parameters
    ----------
    people
        One row per person and scale.
    treatment, reference
        Column of arms, with two labels, and the comparator's.
    outcome, baseline
        Columns of the outcome and, where there is one, its value before dosing.
    expectancy
        Columns of expectations: of the drug, and perhaps of the comparator.
    expectancy_timing
        ``"pre_dose"``; anything else is refused.
    scale, person
        Columns naming scale and person; scale may be left out where there is one, person where everybody has one row.
    higher_is_better
        Scales whose sign is turned, so that negative is improvement on all of them.
    prior_drug_sd, prior_expectancy_sd, prior_interaction_sd, prior_intercept_sd, prior_baseline_sd
        SDs of the normal priors, in SD units (per SD of expectation or baseline).
    prior_sigma_sd, prior_tau_sd, prior_tau_person_sd
        Half-normal scales of the residual SDs, of the SDs between scales, and of the SD between people.

    Returns
    -------
    ``pm.Model`` with dims row, scale, expectancy. c, g and h are means over scales, ``c_scale``, ``g_scale`` and
    ``h_scale`` each scale's own; with one scale they coincide. Person effects are integrated out.

    Raises
    ------
    ValueError
        The expectation was not rated before dosing, or the table is unfit: every reason at once.
    """
    expectations = [expectancy] if isinstance(expectancy, str) else list(expectancy)
    reference = label(reference)
    if not isinstance(people, pd.DataFrame):
        raise ValueError(
            f"a table with one row per person and scale is needed; got a {type(people).__name__}. No model was built"
        )
    people = people if people.index.is_unique else people.reset_index(drop=True)
    table = people.assign(**{"(scale)": labels(people[scale]) if scale in people else "outcome"})
    problems = expectation_problems(
        table, treatment=treatment, reference=reference, outcome=outcome, expectations=expectations,
        timing=expectancy_timing, scale=scale, person=person, baseline=baseline, turned=list(higher_is_better),
    )  # fmt: skip
    if problems:
        raise ValueError("\n".join([*problems, "no model was built"]))
    for doubt in expectation_doubts(table, [outcome, *expectations, *([baseline] if baseline else [])], treatment):
        warnings.warn(doubt, stacklevel=2)
    s, scales = pd.factorize(table["(scale)"])
    arm = labels(table[treatment])
    T = (arm != reference).to_numpy(float)
    sign = np.where(table["(scale)"].isin(list(higher_is_better)), -1.0, 1.0)
    unit = _within_sd(table[outcome].astype(float), table["(scale)"], arm)
    y = _centred(table[outcome], s) * sign / unit
    who = table.drop_duplicates(person) if person else table
    E = ((table[expectations] - who[expectations].mean()) / who[expectations].std()).to_numpy(float)
    coords = {"scale": list(scales), "expectancy": expectations, "row": np.arange(len(y))}
    several = len(scales) > 1
    with pm.Model(coords=coords) as model:

        def pooled(name: str, sd: float, dims: tuple[str, ...]) -> TensorVariable:
            mean = pm.Normal(name, 0, sd, dims=dims or None)
            own = mean + pt.zeros((len(scales), *[len(expectations) for _ in dims]))
            if several:
                tau = pm.HalfNormal(f"tau_{name}", prior_tau_sd)
                own = mean + tau * pm.Normal(f"{name}_scale_raw", 0, 1, dims=("scale", *dims))
            return pm.Deterministic(f"{name}_scale", own, dims=("scale", *dims))

        alpha = pm.Normal("alpha_raw", 0, prior_intercept_sd, dims="scale")
        c = pooled("c", prior_drug_sd, ())
        g = pooled("g", prior_expectancy_sd, ("expectancy",))
        h = pooled("h", prior_interaction_sd, ("expectancy",))
        mean = alpha[s] + c[s] * T + pt.sum((g[s] + h[s] * T[:, None]) * E, axis=1)
        if baseline:
            own = _centred(table[baseline], s) * sign / unit
            mean = mean + pm.Normal("beta", 0, prior_baseline_sd, dims="scale")[s] * own
        sigma = pm.HalfNormal("sigma", prior_sigma_sd, dims="scale")
        if person and table[person].duplicated().any():
            tau_person = pm.HalfNormal("tau_person", prior_tau_person_sd)
            pm.Potential("Y", _shared_person(y - mean, sigma[s], tau_person, pd.factorize(table[person])[0]))
        else:
            pm.Normal("Y", mean, sigma[s], observed=y, dims="row")
        pm.Data("expectancy_mean", who[expectations].mean().to_numpy(float), dims="expectancy")
        pm.Data("expectancy_sd", who[expectations].std().to_numpy(float), dims="expectancy")
        pm.Data("outcome_sd", pd.Series(unit).groupby(s).first().to_numpy(), dims="scale")
    return model


def moderation_effects(idata: xr.DataTree, *, at: Sequence[float] = (-1.0, 0.0, 1.0)) -> xr.Dataset:
    """Draw the drug's effect where expectations were low, average and high.

    Parameters
    ----------
    idata
        A fit of `expectancy_moderation`.
    at
        Expectation, in SDs from its mean, the others at their mean.

    Returns
    -------
    Dataset (chain, draw, expectancy, at), in SD units, negative is improvement: ``drug_effect``, the mean over scales; and
    ``drug_effect_by_scale`` with dim scale.

    Raises
    ------
    ValueError
        The fit is not one of `expectancy_moderation`.
    """
    posterior = idata["posterior"].dataset
    if "h_scale" not in posterior:
        raise ValueError("this fit is not of expectancy_moderation(...): it carries no drug x expectancy term")
    level = xr.DataArray(list(at), dims="at", coords={"at": list(at)})
    return xr.Dataset(
        {
            "drug_effect": posterior["c"] + posterior["h"] * level,
            "drug_effect_by_scale": posterior["c_scale"] + posterior["h_scale"] * level,
        }
    )


def _shared_person(
    residual: TensorVariable, sigma: TensorVariable, tau: TensorVariable, person: np.ndarray
) -> TensorVariable:
    """Log density of residuals whose rows share a person, that person's effect integrated out."""
    weight, zero = sigma**-2, pt.zeros(person.max() + 1)
    total = zero[person].inc(weight)
    pulled = zero[person].inc(weight * residual)
    alone = -0.5 * pt.sum(weight * residual**2 - pt.log(weight) + np.log(2 * np.pi))
    shrunk = 1 + tau**2 * total
    return alone + 0.5 * pt.sum(tau**2 * pulled**2 / shrunk - pt.log(shrunk))


def _centred(column: pd.Series, scale: np.ndarray) -> np.ndarray:
    """Values less the mean of their scale."""
    values = column.astype(float)
    return np.asarray(values - values.groupby(scale).transform("mean"))


def _within_sd(values: pd.Series, scale: pd.Series, arm: pd.Series) -> np.ndarray:
    """Pooled SD within arms of each row's scale."""
    residual = values - values.groupby([scale, arm]).transform("mean")
    squares = (residual**2).groupby(scale).transform("sum")
    freedom = values.groupby(scale).transform("count") - arm.groupby(scale).transform("nunique")
    return np.asarray(np.sqrt(squares / freedom))
