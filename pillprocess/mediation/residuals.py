"""What treatment and covariates leave of mediators and outcome: successive regressions, tails."""

from collections.abc import Sequence

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.choices import COUNTS, ORDINAL
from pillprocess.mediation.families import LATENT_SD
from pillprocess.mediation.random_effects import correlation_cholesky, pair_labels
from pillprocess.mediation.recursion import unit_lower_inverse


def successive(
    sigma_m: TensorVariable | None, mediators: list[str], order: Sequence[str] | None, prior_d_sd: float, eta: float
) -> tuple[TensorVariable | None, TensorVariable, TensorVariable]:
    """Coefficients d of an order, and D and s of the successive regressions of the mediators."""
    Q = len(mediators)
    if sigma_m is None:
        return None, pt.zeros((Q, Q)), pt.ones(Q)
    if Q == 1:
        return None, pt.zeros((Q, Q)), sigma_m
    if order is not None:
        pm.modelcontext(None).add_coord("mediator_pair", pair_labels(mediators))
        d = pm.Normal("d_raw", 0, prior_d_sd, dims="mediator_pair")
        earlier, later = np.triu_indices(Q, 1)
        return d, pt.zeros((Q, Q))[later, earlier].set(d), sigma_m
    factor = sigma_m[:, None] * correlation_cholesky("correlation_m", labels=mediators, eta=eta, dim="mediator_pair")
    s = pt.diagonal(factor)
    return None, pt.eye(Q) - unit_lower_inverse(factor / s, Q), s


def outcome_shape(
    family: str, values: np.ndarray, *, prior_spacing_sd: float, prior_nu_mean: float
) -> TensorVariable | None:
    """What an outcome's family has beside its linear predictor and SD: thresholds, size of counts, degrees of freedom.

    ``values`` are the ordered categories; the lowest threshold is 0, and the model's ``category_score`` are the categories' values.
    """
    if family in COUNTS:
        return pm.Deterministic("size_y", pm.HalfNormal("inverse_size_y", 1.0) ** -1.0)
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


def degrees_of_freedom(name: str, prior_mean: float) -> TensorVariable:
    """Degrees of freedom above 2, where the variance exists."""
    return pm.Deterministic(name, 2 + pm.Exponential(f"{name}_raw", scale=prior_mean))
