r"""The excess zeros of a zero-inflated count: people who would have none whatever the rate of the others.

.. math::
    P(Y = 0) = \pi + (1 - \pi) f(0), \quad P(Y = y) = (1 - \pi) f(y), \qquad
    \mathrm{logit}\,\pi = \alpha_z + c_z T + b_z M + \gamma_z X

so treatment and mediator act on whether there are any (abstinence) as well as on how many.
"""

from typing import NamedTuple

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.families import LATENT_SD
from pillprocess.mediation.sufficient import Standardised


class ZeroPart(NamedTuple):
    """Coefficients in SD units of the log odds of an excess zero: intercept, (arm,), (mediator,) and (covariate,)."""

    alpha: TensorVariable
    c: TensorVariable
    b: TensorVariable
    gamma: TensorVariable


def zero_part(*, prior_zero_sd: float, prior_c_sd: float, prior_b_sd: float, prior_covariate_sd: float) -> ZeroPart:
    """Give the excess zeros their priors, in the model in context."""
    unit = LATENT_SD["logit"]
    return ZeroPart(
        pm.Normal("alpha_z_raw", 0, prior_zero_sd * unit),
        pm.Normal("c_z_raw", 0, prior_c_sd * unit, dims="arm"),
        pm.Normal("b_z_raw", 0, prior_b_sd * unit, dims="mediator"),
        pm.Normal("gamma_z_raw", 0, prior_covariate_sd * unit, dims="covariate"),
    )


def zero_predictor(z: ZeroPart, T: np.ndarray, X: np.ndarray, M: list[TensorVariable]) -> TensorVariable:
    """Log odds of an excess zero of each person."""
    return z.alpha + pt.dot(T, z.c) + pt.dot(X, z.gamma) + sum(z.b[q] * m for q, m in enumerate(M))


def report_zeros(data: Standardised, z: ZeroPart) -> None:
    """Record alpha_z, c_z, b_z and gamma_z, in the units of the data."""
    shift = pt.dot(z.gamma, data.x_mean / data.x_sd) + pt.dot(z.b, data.m_mean / data.m_sd)
    pm.Deterministic("alpha_z", z.alpha - shift)
    pm.Deterministic("c_z", z.c, dims="arm")
    pm.Deterministic("b_z", z.b / data.m_sd, dims="mediator")
    pm.Deterministic("gamma_z", z.gamma / data.x_sd, dims="covariate")
