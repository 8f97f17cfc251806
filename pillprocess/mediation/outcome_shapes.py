"""Outcomes that are no straight line: in which form they enter the model, and what their family has beside a linear predictor."""

from dataclasses import replace

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.choices import CONTINUOUS_TIMES, COUNTS, HAZARDS, ORDINAL
from pillprocess.mediation.families import LATENT_SD
from pillprocess.mediation.residuals import degrees_of_freedom
from pillprocess.mediation.sufficient import Standardised
from pillprocess.participants.table import Participants


def outcome_data(people: Participants, data: Standardised, family: str) -> Standardised:
    """Ordered categories by number; where the linear predictor is a logarithm, the prior of its intercept lies about that of the data."""
    y = people.outcome
    if family in COUNTS or family == "log_binomial":
        return replace(data, y_mean=float(np.log(y.mean())))
    if family in CONTINUOUS_TIMES and people.event is not None:  # the mean time under a constant rate of events
        return replace(data, y_mean=float(np.log(y.sum() / people.event.sum())))
    if family in ORDINAL:
        return replace(data, y=np.where(y.isna(), np.nan, np.searchsorted(np.unique(y.dropna()), y)))
    return data


def outcome_shape(
    family: str, values: np.ndarray, *, prior_spacing_sd: float, prior_period_sd: float, prior_nu_mean: float
) -> TensorVariable | None:
    """What an outcome's family has beside its linear predictor and SD: thresholds, periods, shape or size, degrees of freedom.

    ``values`` are the outcome's, sorted; of ordered categories the lowest threshold is 0, and ``category_score`` are their values.
    """
    if family == "exponential":
        return pm.Deterministic("shape_y", pt.ones(()))
    if family in COUNTS and family not in ("poisson", "zero_inflated_poisson"):
        return pm.Deterministic("size_y", pm.HalfNormal("inverse_size_y", 1.0) ** -1.0)
    if family == "weibull":
        return pm.Deterministic("shape_y", pm.HalfNormal("inverse_shape_y", 1.0) ** -1.0)
    if family in HAZARDS:
        periods = [str(v) for v in range(1, int(values[-1]) + 1)]
        pm.modelcontext(None).add_coords({"period": periods, "later_period": periods[1:]})
        later = pm.Normal("period_y_raw", 0, prior_period_sd * LATENT_SD[family], dims="later_period")
        return pm.Deterministic("period_y", pt.concatenate([pt.zeros(1), later]), dims="period")
    if family in ORDINAL:
        labels = [f"{v:g}" for v in values]
        pm.modelcontext(None).add_coords({"category": labels, "threshold": labels[1:], "spacing": labels[2:]})
        pm.Data("category_score", values, dims="category")
        cuts = pt.zeros(1)
        if len(values) > 2:
            spacing = pm.HalfNormal("spacing_y_raw", prior_spacing_sd * LATENT_SD[family], dims="spacing")
            cuts = pt.concatenate([cuts, pt.cumsum(spacing)])
        return pm.Deterministic("threshold_y", cuts, dims="threshold")
    return degrees_of_freedom("nu_y", prior_nu_mean) if family == "student_t" else None
