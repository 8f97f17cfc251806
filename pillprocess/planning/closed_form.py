r"""What a trial is expected to teach, in closed form given the heterogeneity SDs, integrated over them.

Given :math:`\tau`, the arms' means of a new trial are :math:`y \sim N(L m, S)`, :math:`S = L P L^T + R`, with R the sampling variance,
the trial's own deviations and, if asked, a bias of each arm that no size removes. An estimand :math:`c^T \theta` then has

.. math:: G = c^T P L^T S^{-1}, \quad E(c^T\theta \mid y) = c^T m + G (y - L m), \quad V = c^T P c - G L P c

The SDs are not known: a result y is drawn from the mixture, the nodes are weighed anew by how well each predicted y, and the posterior
after the trial is the mixture with these weights. Only y is simulated (Sobol points); what follows from it is exact.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from pillprocess.gaussian.normal_equations import Array
from pillprocess.gaussian.quadrature import log_sum
from pillprocess.planning.knowledge import Knowledge

DECIDED, MOST, ODDS = 0.975, 0.95, 10.0


@dataclass(frozen=True)
class Expected:
    """What is expected of estimands (estimand,) after a trial: variances now and after, and the chance of a decision.

    A decision is made where the posterior probability of a side of 0 lies beyond the level; ``below_now`` is P(< 0) before the trial,
    ``decided_now`` says where that is beyond the level already.
    """

    mean: Array
    variance_now: Array
    variance_after: Array
    assurance: Array
    below_now: Array
    decided_now: NDArray[np.bool_]


def results(known: Knowledge, loading: Array, noise: Array, *, draws: int, seed: int) -> tuple[Array, Array, Array]:
    """Draw results (draw, arm) of a trial; also its log density at every node (draw, node) and the whitener (node, arm, arm)."""
    centre = known.mean @ loading.T
    spread = loading @ known.covariance @ loading.T + noise
    factor = np.linalg.cholesky(spread)
    points = qmc.Sobol(loading.shape[0] + 1, seed=seed).random(draws)
    node = np.searchsorted(np.cumsum(known.weight), points[:, 0] * known.weight.sum()).clip(max=len(known.weight) - 1)
    z = ndtri(points[:, 1:].clip(1e-9, 1 - 1e-9))
    y = centre[node] + (factor[node] @ z[:, :, None])[:, :, 0]
    whitener = np.linalg.inv(factor)
    return y, log_density(y, centre, whitener), whitener


def log_density(y: Array, centre: Array, whitener: Array) -> Array:
    """Log density of results (draw, arm) at each node (draw, node)."""
    white = (y - centre[:, None]) @ whitener.transpose(0, 2, 1)
    determinant = np.log(np.diagonal(whitener, axis1=1, axis2=2)).sum(axis=1)
    return determinant - 0.5 * np.einsum("kda,kda->dk", white, white) - 0.5 * y.shape[1] * np.log(2 * np.pi)


def expect(
    known: Knowledge, loading: Array, noise: Array, weights: Array, level: Array, *, draws: int, seed: int
) -> Expected:
    """Return what is expected of estimands with these weights (estimand, parameter) and levels of decision (estimand,).

    Parameters
    ----------
    known
        What is known before.
    loading
        Of the trial's arms (arm, parameter).
    noise
        Their covariance beyond the pooled parameters at each node (node, arm, arm).
    weights
        Of the estimands.
    level
        The posterior probability of a side of 0 from which on each counts as decided.
    draws
        Results that are simulated; a power of 2 is best.
    seed
        Of the results.
    """
    y, density, _ = results(known, loading, noise, draws=draws, seed=seed)
    before = summary(
        known.weight[None] / known.weight.sum(), (known.mean @ weights.T)[None], _prior_variance(known, weights)
    )
    _, variance, below = after(known, loading, noise, weights, y, density=density)
    beyond = np.maximum(below, 1 - below) > level
    decided_now = np.maximum(before[2], 1 - before[2])[0] > level
    return Expected(before[0][0], before[1][0], variance.mean(axis=0), beyond.mean(axis=0), before[2][0], decided_now)


def after(
    known: Knowledge, loading: Array, noise: Array, weights: Array, y: Array, *, density: Array | None = None
) -> tuple[Array, Array, Array]:
    """Posterior mean, variance and P(< 0) of estimands (result, estimand) after each result y (result, arm) of a trial."""
    whitener = np.linalg.inv(np.linalg.cholesky(loading @ known.covariance @ loading.T + noise))
    centre = known.mean @ loading.T
    if density is None:
        density = log_density(y, centre, whitener)
    posterior = np.log(known.weight / known.weight.sum()) + density
    posterior = np.exp(posterior - log_sum(posterior, axis=1)[:, None])
    half = weights @ known.covariance @ loading.T @ whitener.transpose(0, 2, 1)
    left = np.maximum(_prior_variance(known, weights) - (half**2).sum(axis=2), 0.0)
    moved = np.einsum("kea,dka->dke", half @ whitener, y[:, None] - centre, optimize=True)
    return summary(posterior, known.mean @ weights.T + moved, left)


def summary(weight: Array, mean: Array, variance: Array) -> tuple[Array, Array, Array]:
    """Mean, variance and P(< 0) (result, estimand) of mixtures with weights (result, node), means (result, node, estimand)."""
    centre = np.einsum("dk,dke->de", weight, mean)
    total = np.einsum("dk,dke->de", weight, variance + (mean - centre[:, None]) ** 2)
    below = np.einsum("dk,dke->de", weight, ndtr(-mean / np.sqrt(np.maximum(variance, 1e-300))))
    return centre, total, below


def _prior_variance(known: Knowledge, weights: Array) -> Array:
    """Variance of estimands at each node (node, estimand) before the trial."""
    return np.einsum("ep,kpq,eq->ke", weights, known.covariance, weights, optimize=True)


def told_apart(
    accounts: tuple[Knowledge, Knowledge],
    loadings: tuple[Array, Array],
    noises: tuple[Array, Array],
    *,
    draws: int,
    seed: int,
) -> tuple[float, float]:
    """Chance that a trial tells two accounts apart at odds of 10, and that it tells the wrong one.

    Each account predicts the trial's result from the evidence so far; results are drawn under one and the other, and the odds that a
    result gives are the ratio of the densities that the two gave it. Before the trial the odds count as even.
    """
    parts = tuple(zip(accounts, loadings, noises, strict=True))
    spread = [loading @ known.covariance @ loading.T + noise for known, loading, noise in parts]
    whiteners = [np.linalg.inv(np.linalg.cholesky(one)) for one in spread]
    right, wrong = [], []
    for true, (known, loading, noise) in enumerate(parts):
        y, own, _ = results(known, loading, noise, draws=draws, seed=seed + true)
        other, row, _ = parts[1 - true]
        odds = _mixed(known, own) - _mixed(other, log_density(y, other.mean @ row.T, whiteners[1 - true]))
        right.append((odds >= np.log(ODDS)).mean())
        wrong.append((odds <= -np.log(ODDS)).mean())
    return float(np.mean(right)), float(np.mean(wrong))


def _mixed(known: Knowledge, density: Array) -> Array:
    """Log density of results (draw,) by that at every node (draw, node)."""
    return log_sum(np.log(known.weight / known.weight.sum()) + density, axis=1)
