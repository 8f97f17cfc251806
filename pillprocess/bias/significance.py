r"""How probable it is that a trial shows nothing significant: the normaliser of a selection model.

A trial is printed according to its most significant contrast. For a one-sided level alpha and estimates that favour the
treatment when negative, no contrast of a trial passes when :math:`y_i > -z_\alpha se_i` for all its rows i; with
:math:`y \sim N(m, C)` that has the probability :math:`P(y > -z_\alpha se)`, an orthant probability.

One row: the normal distribution function. Two rows: Plackett's integral over the correlation, by Gauss-Legendre. Three and
more: ``C = l I + L L'``; given the factors rows are independent, and the mean over the factors is taken at ``POINTS`` fixed
points of a Sobol sequence (error about 1e-3).
"""

from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

type Array = NDArray[np.float64]

POINTS = 512
NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)


def step_bounds(steps: tuple[float, ...]) -> Array:
    """The z-values above which a result counts as passing each level, from the strictest on."""
    return -ndtri(np.asarray(steps, float))


def check_steps(steps: tuple[float, ...]) -> tuple[float, ...]:
    """Return the steps, or say what is wrong with them."""
    if not steps or any(not 0 < s < 1 for s in steps) or any(a >= b for a, b in pairwise(steps)):
        raise ValueError(f"steps = {steps!r}; give one-sided p-values between 0 and 1, each above the one before")
    return tuple(steps)


def trial_intervals(z: Array, trial: NDArray[np.str_], steps: tuple[float, ...]) -> NDArray[np.int64]:
    """In which interval between the steps each trial's smallest p-value lies (trial,): 0 is the most significant."""
    best = np.array([z[trial == name].min() for name in dict.fromkeys(trial.tolist())])
    return (-best[:, None] <= step_bounds(steps)).sum(axis=1)


def check_sides(interval: NDArray[np.int64], steps: tuple[float, ...]) -> None:
    """Raise unless every interval between the steps holds a trial.

    Raises
    ------
    ValueError
        Fewer than one contrast on a side of a step: its weight would be the prior's.
    """
    edges = (0.0, *steps, 1.0)
    empty = [k for k in range(len(steps) + 1) if not (interval == k).any()]
    if empty:
        raise ValueError(
            "no selection model was fitted: fewer than one contrast on a side of a step; no trial's smallest one-sided p-value lies in "
            + ", ".join(f"({edges[k]:g}, {edges[k + 1]:g}]" for k in empty)
            + "; choose other steps"
        )


def probability_all_above(bound: Array, mean: Array, covariance: Array, spread: Array) -> Array:
    """P(y > bound in every row), y ~ N(mean, covariance + spread spread').

    Parameters
    ----------
    bound : array (row,)
    mean : array (..., row)
    covariance : array (row, row)
    spread : array (..., row)
        What one SD of the trial's own effect does to each row.
    """
    distance = mean - bound
    if len(bound) == 1:
        return ndtr(distance[..., 0] / np.sqrt(covariance[0, 0] + spread[..., 0] ** 2))
    if len(bound) == 2:
        sd = np.sqrt(np.diag(covariance) + spread**2)
        correlation = (covariance[0, 1] + spread[..., 0] * spread[..., 1]) / (sd[..., 0] * sd[..., 1])
        return _two(distance[..., 0] / sd[..., 0], distance[..., 1] / sd[..., 1], correlation)
    least, moved, points = factors(covariance)
    shifted = distance[..., None, :] + moved + points[:, None] * spread[..., None, :]
    return ndtr(shifted / np.sqrt(least)).prod(axis=-1).mean(axis=-1)


def _two(h: Array, k: Array, correlation: Array) -> Array:
    """Bivariate normal distribution function."""
    half = 0.5 * np.arcsin(correlation)[..., None]
    angle = half * (NODES + 1)
    square = h[..., None] ** 2 + k[..., None] ** 2 - 2 * (h * k)[..., None] * np.sin(angle)
    return ndtr(h) * ndtr(k) + (half * np.exp(-0.5 * square / np.cos(angle) ** 2) * WEIGHTS).sum(axis=-1) / (2 * np.pi)


def factors(covariance: Array) -> tuple[float, Array, Array]:
    """Write a covariance as ``l I + L L'``: l, what fixed standard normal points make of L (point, row), and one more point each."""
    m = len(covariance)
    least = 0.999 * float(np.linalg.eigvalsh(covariance)[0])
    loadings = np.linalg.cholesky(covariance - least * np.eye(m))
    points = _points(m + 1)
    return least, points[:, :m] @ loadings.T, points[:, m]


@cache
def _points(dims: int) -> Array:
    """Fixed standard normal points (point, dim)."""
    return ndtri(qmc.Sobol(dims, scramble=True, rng=np.random.default_rng(1)).random(POINTS))
