"""From SD units to the units of the data: the variables that a fit reports."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.clusters import Clusters
from pillprocess.mediation.random_effects import split_effects
from pillprocess.mediation.recursion import Shared
from pillprocess.mediation.sufficient import Standardised


def add_shared(data: Standardised, p: Shared) -> None:
    """Record what does not vary between trials: theta, gamma_m, gamma_y, sigma_m, sigma_y, nu d, and moderation, where modelled."""
    gamma_y = p.gamma_y if p.b_x is None else p.gamma_y - pt.dot(data.m_mean / data.m_sd, p.b_x)
    pm.Deterministic("gamma_m", p.gamma_m * data.m_scale[:, None] / data.x_sd, dims=("mediator", "covariate"))
    pm.Deterministic("gamma_y", gamma_y * data.y_sd / data.x_sd, dims="covariate")
    if p.theta is not None:
        pm.Deterministic("theta", p.theta * data.y_sd / data.m_sd[:, None], dims=("mediator", "arm"))
    if p.sigma_level is not None:
        pm.Deterministic("sigma_m_level", p.sigma_level * data.m_scale[0], dims="level")
    elif p.sigma_m is not None:
        pm.Deterministic("sigma_m", p.sigma_m * data.m_scale, dims="mediator")
    if p.sigma_y is not None:
        pm.Deterministic("sigma_y", p.sigma_y * data.y_sd)
    if p.a_x is not None and p.c_x is not None:
        pm.Deterministic("a_x", p.a_x * data.m_scale[:, None, None] / data.x_sd, dims=("mediator", "arm", "covariate"))
        pm.Deterministic("c_x", p.c_x * data.y_sd / data.x_sd, dims=("arm", "covariate"))
    if p.b_x is not None:
        pm.Deterministic("b_x", p.b_x * data.y_sd / data.m_sd[:, None] / data.x_sd, dims=("mediator", "covariate"))
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
    if p.a_x is not None:
        a, c = a - pt.dot(p.a_x, x_shift), c - pt.dot(p.c_x, x_shift)
    if p.b_x is not None:
        alpha_y, b = alpha_y + pt.dot(pt.dot(p.b_x, x_shift), m_shift), b - pt.dot(p.b_x, x_shift)
    reported = {
        "alpha_m": (data.m_loc + data.m_scale * alpha_m, ("mediator",)),
        "a": (data.m_scale[:, None] * a, ("mediator", "arm")),
        "alpha_y": (data.y_mean + data.y_sd * alpha_y, ()),
        "c": (data.y_sd * c, ("arm",)),
        "b": (data.y_sd / data.m_sd * b, ("mediator",)),
    }
    for name, (value, dims) in reported.items():
        pm.Deterministic(name + suffix, value if dim else value[0], dims=(dim, *dims) if dim else dims or None)


def add_deviations(data: Standardised, c: Clusters, effects: TensorVariable, tau: TensorVariable) -> None:
    """Record how far each cluster lies from the mean one (``deviation_KEY``) and the SD of each effect between clusters (``tau_KEY``).

    Parameters
    ----------
    effects
        Deviations in SD units, (cluster, effect), 0 where an effect does not vary.
    """
    alpha_m, a, alpha_y, c_, b = split_effects(effects, len(data.m_sd), data.T.shape[1])
    alpha_y = alpha_y - pt.dot(b, data.m_mean / data.m_sd)
    flat = [alpha_m, a.reshape((alpha_m.shape[0], -1)), alpha_y[:, None], c_, b]
    scaled = pt.concatenate(flat, axis=1) * _unit(data)
    pm.Deterministic(f"deviation_{c.key}", scaled[:, c.varying], dims=(f"cluster_{c.key}", f"effect_{c.key}"))
    pm.Deterministic(f"tau_{c.key}", tau * _unit(data)[c.varying], dims=f"effect_{c.key}")


def _unit(data: Standardised) -> np.ndarray:
    """Units of the data per SD unit of each effect."""
    y, arms = data.y_sd, data.T.shape[1]
    scale = [data.m_scale, np.repeat(data.m_scale, arms), np.full(1 + arms, y), y / data.m_sd]
    return np.concatenate(scale)


def add_variation(data: Standardised, tau: TensorVariable) -> None:
    """Record tau, the SD of each effect between trials; the intercepts' at the mean mediator and covariates."""
    pm.Deterministic("tau", tau * _unit(data), dims="effect")
