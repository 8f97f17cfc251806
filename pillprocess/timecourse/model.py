r"""The drug effect over time: a size and a rate for each drug, rates partially pooled over drugs.

A randomised difference i of trial j, drug d, t days after the last dose, in reference SDs:

.. math::

    y_i &\sim N(\theta_i, V), \quad
    \theta_i = (\delta_d + \kappa_d\, therapy_j + u_j)\,(dose_i - dose_{0i})\, f(t_i; h_{dj}) \\
    \log h_{dj} &= \lambda_d + \eta\, therapy_j, \quad \lambda_d \sim N(m, s^2), \quad u_j \sim N(0, \tau^2)

f is one of :mod:`pillprocess.timecourse.shapes`. Only differences of arms that still compare as randomised enter, so what both arms
share (the course of
the condition) drops out at every day, and nothing is assumed of it. In V, two differences of one trial share the error of the arms they
have
in common, and the errors of one arm at two visits correlate by :math:`\rho` to the number of visits between them (the recipe of
MBNMAtime: Pedder et al. 2019, doi:10.1002/jrsm.1351). Dose is relative to the reference dose, and enters linearly by default.

``piecewise`` has no rate: each drug has an effect at each knot, the first N(0, prior_size_sd^2), each next one N(the last,
prior_step_sd^2).
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.gaussian.design import gaussian_design
from pillprocess.rows.terms import dose_curve
from pillprocess.timecourse.rows import error_covariance, time_contrasts, with_relapse
from pillprocess.timecourse.shapes import KNOTS, RATED, Shape, check_shape, knot_weights, share_left
from pillprocess.timecourse.stretches import Doses, check_doses, drug_left

if TYPE_CHECKING:
    import pymc as pm

PRIORS = {
    "half_life": 30.0, "log_half_life_sd": 1.5, "spread_sd": 1.0, "therapy_rate_sd": 0.35, "size_sd": 1.0, "interaction_sd": 0.35,
    "tau_sd": 0.5, "step_sd": 0.35,
}  # fmt: skip


def dose_gap(table: pd.DataFrame, dose_shape: str) -> np.ndarray:
    """Difference of the two doses on the scale of the dose curve, 1 between none and the reference dose."""
    return dose_curve(table["dose_arm"].to_numpy(), dose_shape) - dose_curve(
        table["dose_reference"].to_numpy(), dose_shape
    )


def time_course_design(
    rows: pd.DataFrame,
    *,
    relapse: pd.DataFrame | None = None,
    shape: Shape = "decay",
    half_life: Mapping[str, float] | None = None,
    rise: float = 1.0,
    correlation: float = 0.5,
    dose_shape: str = "linear",
    doses: Doses = "last",
    prior_size_sd: float = PRIORS["size_sd"],
    prior_interaction_sd: float = PRIORS["interaction_sd"],
    prior_step_sd: float = PRIORS["step_sd"],
    prior_tau_sd: float = PRIORS["tau_sd"],
) -> xr.Dataset:
    """Describe the time course with its rates given, which makes it linear, for the closed form.

    Parameters
    ----------
    rows
        Rows of :func:`pillprocess.time_rows`.
    relapse
        Rows of :func:`pillprocess.relapse_rows`, which join through the same curve; by default none.
    shape
        Name of the curve over time.
    half_life
        Half-life of each drug in days (for ``"emax"`` the day of half the effect); needed unless the shape has no rate.
    rise
        Half-time of the rise in days, for ``"rise_decay"``.
    correlation
        Correlation rho of an arm's sampling errors at successive visits, from 0 to below 1.
    dose_shape
        As in :func:`pillprocess.decomposition_design`.
    doses
        With ``"last"`` each dose starts the curve anew; with ``"superposed"`` the curves of all doses add up, evenly spaced from the first
        to the last, and a size is that of one dose.
    prior_size_sd, prior_interaction_sd, prior_step_sd
        SDs of a drug's size, of its change with therapy, and of the step between knots of ``"piecewise"``.
    prior_tau_sd
        Half-normal scale of the between-trial SD of sizes.

    Returns
    -------
    Dataset, as :func:`pillprocess.gaussian_design` makes it; ``fit`` takes it.

    Raises
    ------
    ValueError
        An unknown shape; a drug without half-life; a correlation out of range.
    """
    check_shape(shape)
    check_doses(doses)
    if not 0 <= correlation < 1:
        raise ValueError(f"correlation = {correlation:g}; it must be at least 0 and below 1")
    table = with_relapse(time_contrasts(rows), relapse)
    drugs = sorted(set(table["drug"]))
    lacking = [d for d in drugs if shape in RATED and d not in (half_life or {})]
    if lacking:
        raise ValueError(
            f"shape {shape!r} needs a half-life in days of each drug; none is given of {', '.join(lacking)}"
        )
    each = table["drug"].map(dict(half_life or {})).to_numpy(float) if shape in RATED else np.ones(len(table))
    plain = "constant" if shape == "piecewise" else shape
    z = drug_left(table, dose_shape, lambda days, row: share_left(plain, days, each[row], rise), doses=doses)
    later = drug_left(
        table, dose_shape, lambda days, _: np.cumsum(knot_weights(days)[:, ::-1], axis=1)[:, ::-1].T, doses=doses
    )
    fixed: dict[tuple[str, str, str], np.ndarray] = {}
    for drug in drugs:
        own = (table["drug"] == drug).to_numpy()
        fixed[("delta", "drug", drug)] = own * z
        if shape == "piecewise":
            fixed |= {("step", "drug_day", f"{drug}: {day:g}"): own * later[k] for k, day in enumerate(KNOTS) if k}
    therapy = table["therapy"].to_numpy()
    fixed |= {("kappa", "drug", d): z * therapy * (table["drug"] == d).to_numpy() for d in drugs}
    random = {("u", "trial_drug", f"{t}: {d}"): z * ((table["trial"] == t) & (table["drug"] == d)).to_numpy()
              for t, d in dict.fromkeys(zip(table["trial"], table["drug"], strict=True))}  # fmt: skip
    base, apart = error_covariance(table)
    return gaussian_design(
        pd.Series(table["y"].to_numpy(), index=table["label"].to_numpy()), base * correlation**apart, trial=table["trial"].to_numpy(),
        fixed=_frame(fixed, table), random=_frame(random, table), effect_scale={"u": "tau"},
        prior_sd={"delta": prior_size_sd, "kappa": prior_interaction_sd, "step": prior_step_sd},
        prior_scale={"tau": ("halfnormal", prior_tau_sd, np.nan)}, role=np.full(len(table), "contrast"), outcome="change in reference SD",
    ).assign_attrs(shape=shape, correlation=correlation, dose_shape=dose_shape, doses=doses)  # fmt: skip


def _frame(columns: dict[tuple[str, str, str], np.ndarray], table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        np.column_stack(list(columns.values())),
        index=table["label"].to_numpy(),
        columns=pd.Index(list(columns), tupleize_cols=False),
    )


def time_course(
    rows: pd.DataFrame,
    *,
    relapse: pd.DataFrame | None = None,
    shape: Shape = "decay",
    dose_shape: str = "linear",
    doses: Doses = "last",
    prior_half_life: float = PRIORS["half_life"],
    prior_log_half_life_sd: float = PRIORS["log_half_life_sd"],
    prior_spread_sd: float = PRIORS["spread_sd"],
    prior_therapy_rate_sd: float = PRIORS["therapy_rate_sd"],
    prior_size_sd: float = PRIORS["size_sd"],
    prior_interaction_sd: float = PRIORS["interaction_sd"],
    prior_step_sd: float = PRIORS["step_sd"],
    prior_tau_sd: float = PRIORS["tau_sd"],
) -> "pm.Model":
    r"""Build the time course as a PyMC model, the formulas of this module's docstring.

    :func:`pillprocess.fit_time_course` fits the same model by quadrature, in a second or two.

    Parameters
    ----------
    rows, relapse, shape, dose_shape, doses
        As in :func:`time_course_design`.
    prior_half_life
        Median half-life in days, exp(m); the default spans 95 % from 1 to 1000 days for one drug.
    prior_log_half_life_sd
        SD of m, on the log scale.
    prior_spread_sd
        Half-normal scale of s, the SD between drugs of log half-lives.
    prior_therapy_rate_sd
        SD of eta, by which therapy changes the log half-life.
    prior_size_sd, prior_interaction_sd, prior_step_sd, prior_tau_sd
        As in :func:`time_course_design`.

    Returns
    -------
    ``pm.Model`` with ``rho`` ~ Uniform(0, 1), ``tau``, ``delta`` (drug), ``kappa`` (drug), ``half_life`` (drug; without therapy),
    ``eta``, and
    observed ``y`` (row).

    Raises
    ------
    ValueError
        An unknown shape.
    """
    import pymc as pm
    import pytensor.tensor as pt

    check_shape(shape)
    check_doses(doses)
    table = with_relapse(time_contrasts(rows), relapse)
    drugs = sorted(set(table["drug"]))
    trial_drug = table["trial"] + ": " + table["drug"]
    labels = list(dict.fromkeys(trial_drug))
    d, j = (
        table["drug"].map({x: i for i, x in enumerate(drugs)}).to_numpy(),
        trial_drug.map({x: i for i, x in enumerate(labels)}).to_numpy(),
    )
    therapy = table["therapy"].to_numpy()
    base, apart = error_covariance(table)
    coords = {"drug": drugs, "trial_drug": labels, "row": table["label"].to_numpy(), "day": [f"{k:g}" for k in KNOTS]}
    with pm.Model(coords=coords) as model:
        rho, tau = pm.Uniform("rho", 0, 1), pm.HalfNormal("tau", prior_tau_sd)
        kappa = pm.Normal("kappa", 0, prior_interaction_sd, dims="drug")
        u = pm.Deterministic("u", tau * pm.Normal("u_raw", 0, 1, dims="trial_drug"), dims="trial_drug")
        if shape == "piecewise":
            step = pt.concatenate(
                [pt.full((len(drugs), 1), prior_size_sd), pt.full((len(drugs), len(KNOTS) - 1), prior_step_sd)], axis=1
            )
            raw = pm.Normal("knot_raw", 0, 1, dims=("drug", "day"))
            knots = pm.Deterministic("knot_effect", pt.cumsum(step * raw, axis=1), dims=("drug", "day"))
            size_left = drug_left(
                table,
                dose_shape,
                lambda t, row: (knots[d[row]] * knot_weights(t)).sum(axis=1),
                pt.concatenate,
                doses=doses,
            )
        else:
            delta = pm.Normal("delta", 0, prior_size_sd, dims="drug")
        left: Callable[[np.ndarray, np.ndarray], Any] = lambda t, row: np.ones(len(t))  # noqa: E731
        if shape in RATED:
            typical = pm.Normal("log_typical", np.log(prior_half_life), prior_log_half_life_sd)
            spread, eta = pm.HalfNormal("spread", prior_spread_sd), pm.Normal("eta", 0, prior_therapy_rate_sd)
            rate = typical + spread * pm.Normal("rate_raw", 0, 1, dims="drug")
            pm.Deterministic("half_life", pt.exp(rate), dims="drug")
            half_life = pt.exp(rate[d] + eta * therapy)
            rise = pt.exp(pm.Normal("log_rise", 0, 1)) if shape == "rise_decay" else None

            def left(t: np.ndarray, row: np.ndarray) -> Any:
                if shape == "emax":
                    return t / (half_life[row] + t)
                decay = pt.exp2(-t / half_life[row])
                return decay if rise is None else decay * (1 - pt.exp2(-t / rise))

        z = drug_left(table, dose_shape, left, pt.concatenate if shape in RATED else np.concatenate, doses=doses)
        theta = (size_left if shape == "piecewise" else z * delta[d]) + z * (kappa[d] * therapy + u[j])
        pm.MvNormal("y", theta, cov=base * rho**apart, observed=table["y"].to_numpy(), dims="row")
    return model
