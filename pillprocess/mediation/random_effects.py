"""Effects that vary between trials: correlated, non-centred, with an LKJ prior built from partial correlations."""

import warnings
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

CORRELATED_FROM = 4
"""Trials below which the correlations of effects are fixed at 0."""

LEARNED_FROM = 6
"""Trials below which a warning says that these correlations rest on their prior."""


def correlation_prior(trials: int, eta: float) -> float | None:
    """LKJ concentration for so many trials, or None where correlations are fixed at 0; warns when there are few."""
    if trials < CORRELATED_FROM:
        warnings.warn(
            f"{trials} trials cannot show how effects vary together: their correlations are fixed at 0, so cov(a, b) is 0; how "
            "much effects vary rests on the prior of tau, which widens the pooled effects (sites of one trial can be a covariate)",
            stacklevel=3,
        )
        return None
    if trials < LEARNED_FROM:
        warnings.warn(
            f"{trials} trials say little on how effects vary together: cov(a, b) rests on its LKJ({eta:g}) prior",
            stacklevel=3,
        )
    return eta


def effect_labels(mediators: list[str], arms: list[str]) -> list[str]:
    """Name the effects that vary between trials, in the order of the vector that holds them."""
    return [
        *(f"alpha_m[{m}]" for m in mediators), *(f"a[{m}, {arm}]" for m in mediators for arm in arms),
        "alpha_y", *(f"c[{arm}]" for arm in arms), *(f"b[{m}]" for m in mediators),
    ]  # fmt: skip


def split_effects(effects: TensorVariable, mediators: int, arms: int) -> tuple[TensorVariable, ...]:
    """Cut (trial, effect) into alpha_m (trial, mediator), a (trial, mediator, arm), alpha_y (trial,), c, b."""
    ends = np.cumsum([mediators, mediators * arms, 1, arms, mediators])
    alpha_m, a, alpha_y, c, b = (effects[:, start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True))
    return alpha_m, a.reshape((-1, mediators, arms)), alpha_y[:, 0], c, b


def pair_labels(labels: Sequence[str]) -> list[str]:
    """Name every pair of labels, first before second."""
    return [f"{first} ~ {second}" for first, second in combinations(labels, 2)]


def correlation_cholesky(name: str, *, labels: Sequence[str], eta: float, dim: str) -> TensorVariable:
    r"""Cholesky factor of a correlation matrix with an LKJ(eta) prior; its correlations are recorded under ``name``.

    The partial correlation of i < j given those before i is :math:`2\,\mathrm{Beta}(\beta_i, \beta_i) - 1` with
    :math:`\beta_i = \eta + (D - 2 - i)/2`, i from 0 (Lewandowski, Kurowicka & Joe 2009, doi:10.1016/j.jmva.2009.04.008).
    """
    size = len(labels)
    pm.modelcontext(None).add_coord(dim, pair_labels(labels))
    first, second = np.triu_indices(size, 1)
    beta = eta + (size - 2 - first) / 2
    draws = 2 * pm.Beta(f"{name}_raw", beta, beta, dims=dim) - 1
    partial = pt.zeros((size, size))[second, first].set(draws)
    left = pt.exp(0.5 * pt.cumsum(pt.log1p(-(partial**2)), axis=1))
    cholesky = (partial + pt.eye(size)) * pt.concatenate([pt.ones((size, 1)), left[:, :-1]], axis=1)
    pm.Deterministic(name, (cholesky @ cholesky.T)[first, second], dims=dim)
    return cholesky


def effect_covariance(
    *, labels: Sequence[str], scale: np.ndarray, eta: float | None
) -> tuple[TensorVariable, TensorVariable]:
    r"""SDs of effects between trials, and the Cholesky factor of their covariance.

    .. math:: e_j = \mu + F z_j, \quad F = \mathrm{diag}(\tau) L, \quad \tau_e \sim N^+(s_e^2), \quad L L' \sim \mathrm{LKJ}(\eta)

    Parameters
    ----------
    labels
        Names of the effects.
    scale
        Half-normal scale :math:`s_e` of each effect's SD, dims (effect,).
    eta
        Concentration of the LKJ prior; None fixes every correlation at 0.

    Returns
    -------
    tau (effect,) and F (effect, effect).
    """
    pm.modelcontext(None).add_coord("effect", labels)
    tau = pm.HalfNormal("tau_raw", scale, dims="effect")
    if eta is None:
        return tau, pt.diag(tau)
    return tau, tau[:, None] * correlation_cholesky("correlation", labels=labels, eta=eta, dim="effect_pair")
