"""Correlated effects of trials, non-centred, with an LKJ prior built from partial correlations."""

from itertools import combinations

import numpy as np
import pymc as pm
import pytensor.tensor as pt


def pair_labels(labels: list[str]) -> list[str]:
    """Name every pair of labels, in the order that `correlation_cholesky` draws them."""
    return [f"{first} ~ {second}" for first, second in combinations(labels, 2)]


def correlation_cholesky(name: str, *, size: int, eta: float, dim: str) -> tuple[pt.TensorVariable, pt.TensorVariable]:
    r"""Cholesky factor of a correlation matrix with an LKJ(eta) prior, and the correlations, dims (``dim``,).

    The partial correlation of i < j given those before i is :math:`2\,\mathrm{Beta}(\beta_i, \beta_i) - 1` with
    :math:`\beta_i = \eta + (D - 2 - i)/2`, i from 0 (Lewandowski, Kurowicka & Joe 2009, doi:10.1016/j.jmva.2009.04.008).
    """
    pairs = list(combinations(range(size), 2))
    beta = np.array([eta + (size - 2 - i) / 2 for i, _ in pairs])
    partial = dict(zip(pairs, 2 * pm.Beta(f"{name}_raw", beta, beta, dims=dim) - 1, strict=True))
    rows = [[pt.ones(())]]
    for j in range(1, size):
        row, left = [], pt.ones(())
        for i in range(j):
            row.append(partial[i, j] * pt.sqrt(left))
            left = left - row[i] ** 2
        rows.append([*row, pt.sqrt(left)])
    cholesky = pt.stack([pt.stack([*row, *[pt.zeros(())] * (size - len(row))]) for row in rows])
    matrix = cholesky @ cholesky.T
    first, second = np.array(pairs).T
    return cholesky, pm.Deterministic(name, matrix[first, second], dims=dim)


def trial_effects(*, scale: np.ndarray, trials: int, eta: float | None) -> tuple[pt.TensorVariable, ...]:
    r"""Deviations of trials, and of a new one, from the mean effects.

    .. math:: u_j = \mathrm{diag}(\tau) L z_j, \quad \tau_e \sim N^+(s_e^2), \quad L L' \sim \mathrm{LKJ}(\eta)

    Parameters
    ----------
    scale
        Half-normal scale :math:`s_e` of each effect's SD, dims (effect,).
    trials
        Number of trials.
    eta
        Concentration of the LKJ prior; None fixes every correlation at 0.

    Returns
    -------
    Deviations (trial, effect), deviations of a new trial (effect,), and the covariance of effects (effect, effect).
    """
    tau = pm.HalfNormal("tau_raw", scale, dims="effect")
    z = pm.Normal("u_raw", 0, 1, dims=("trial", "effect"))
    z_new = pm.Normal("u_new_raw", 0, 1, dims="effect")
    if eta is None:
        return z * tau, z_new * tau, pt.diag(tau**2)
    cholesky, _ = correlation_cholesky("correlation", size=len(scale), eta=eta, dim="effect_pair")
    factor = tau[:, None] * cholesky
    return z @ factor.T, factor @ z_new, factor @ factor.T
