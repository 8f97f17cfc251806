"""What treatment and covariates leave of mediators and outcome: successive regressions, tails."""

from collections.abc import Sequence

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

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


def degrees_of_freedom(name: str, prior_mean: float) -> TensorVariable:
    """Degrees of freedom above 2, where the variance exists."""
    return pm.Deterministic(name, 2 + pm.Exponential(f"{name}_raw", scale=prior_mean))
