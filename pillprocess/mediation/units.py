"""From SD units to the units of the data: the variables that a fit reports."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.random_effects import split_effects
from pillprocess.mediation.recursion import Shared
from pillprocess.mediation.sufficient import Standardised


def add_shared(data: Standardised, p: Shared) -> None:
    """Record what does not vary between trials: theta, gamma_m, gamma_y, sigma_m, sigma_y, nu and d, where modelled."""
    pm.Deterministic("gamma_m", p.gamma_m * data.m_scale[:, None] / data.x_sd, dims=("mediator", "covariate"))
    pm.Deterministic("gamma_y", p.gamma_y * data.y_sd / data.x_sd, dims="covariate")
    if p.theta is not None:
        pm.Deterministic("theta", p.theta * data.y_sd / data.m_sd[:, None], dims=("mediator", "arm"))
    if p.sigma_m is not None:
        pm.Deterministic("sigma_m", p.sigma_m * data.m_scale, dims="mediator")
    if p.sigma_y is not None:
        pm.Deterministic("sigma_y", p.sigma_y * data.y_sd)
    if p.d is not None:
        earlier, later = np.triu_indices(len(data.m_sd), 1)
        pm.Deterministic("d", p.d * data.m_sd[later] / data.m_sd[earlier], dims="mediator_pair")


def add_effects(data: Standardised, p: Shared, effects: TensorVariable, *, suffix: str, dim: str | None) -> None:
    """Record alpha_m, a, alpha_y, c and b of the mean trial, of every trial (``_trial``) or of a new one (``_new``).

    Parameters
    ----------
    effects
        In SD units, (trial, effect); one row unless ``dim`` is given.
    """
    alpha_m, a, alpha_y, c, b = split_effects(effects, len(data.m_sd), data.T.shape[1])
    x_shift, m_shift = data.x_mean / data.x_sd, data.m_mean / data.m_sd
    alpha_m = alpha_m - pt.dot(p.gamma_m, x_shift)
    if p.d is not None:
        alpha_m = alpha_m - pt.dot(p.D, m_shift)
    if p.theta is not None:
        c = c - pt.dot(m_shift, p.theta)
    alpha_y = alpha_y - pt.dot(p.gamma_y, x_shift) - pt.dot(b, m_shift)
    reported = {
        "alpha_m": (data.m_loc + data.m_scale * alpha_m, ("mediator",)),
        "a": (data.m_scale[:, None] * a, ("mediator", "arm")),
        "alpha_y": (data.y_mean + data.y_sd * alpha_y, ()),
        "c": (data.y_sd * c, ("arm",)),
        "b": (data.y_sd / data.m_sd * b, ("mediator",)),
    }
    for name, (value, dims) in reported.items():
        pm.Deterministic(name + suffix, value if dim else value[0], dims=(dim, *dims) if dim else dims or None)


def add_variation(data: Standardised, tau: TensorVariable) -> None:
    """Record tau, the SD of each effect between trials; the intercepts' at the mean mediator and covariates."""
    y, arms = data.y_sd, data.T.shape[1]
    scale = [data.m_scale, np.repeat(data.m_scale, arms), np.full(1 + arms, y), y / data.m_sd]
    pm.Deterministic("tau", tau * np.concatenate(scale), dims="effect")
