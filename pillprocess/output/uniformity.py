r"""Simultaneous bands of the ECDF of values that should be uniform on 0 ... L.

With :math:`z_i = i / (L + 1)` the number of N values below i is :math:`C_i \sim \mathrm{Binomial}(N, z_i)`; the smallest of its
two-sided tail probabilities over i is the test statistic, whose distribution follows exactly from the Markov chain
:math:`C_1, C_2, \dots` (Säilynoja, Bürkner & Vehtari 2022, doi:10.1007/s11222-022-10090-6).
"""

from functools import lru_cache

import numpy as np
from scipy.special import bdtr, bdtrc
from scipy.stats import binom


def counts_below(rank: np.ndarray, draws: int) -> np.ndarray:
    """Number of ranks below 1 ... ``draws``, (point,)."""
    return np.searchsorted(np.sort(rank), np.arange(1, draws + 1), side="left")


def p_value(rank: np.ndarray, draws: int) -> float:
    """Exact probability, for uniform ranks, of a departure as large as that of the given ones."""
    tails = _tails(len(rank), draws)
    seen = tails[np.arange(draws), counts_below(rank, draws)].min()
    return max(0.0, 1.0 - _coverage(len(rank), draws, float(seen)))


@lru_cache(maxsize=32)
def band(replications: int, draws: int, probability: float) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest count of ranks below 1 ... ``draws`` inside the simultaneous band, two of (point,)."""
    tails = _tails(replications, draws)
    values = np.unique(tails[tails < 2 * (1 - probability)])
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if 1 - _coverage(replications, draws, float(values[middle])) > 1 - probability:
            high = middle
        else:
            low = middle + 1
    inside = tails >= (values[low] if low < len(values) else 2 * (1 - probability))
    return inside.argmax(axis=1), inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)


@lru_cache(maxsize=8)
def _tails(replications: int, draws: int) -> np.ndarray:
    """Two-sided tail probability of every count at every point, (point, count)."""
    z, k = np.arange(1, draws + 1)[:, None] / (draws + 1), np.arange(replications + 1)
    upper = np.where(k > 0, bdtrc(np.maximum(k - 1, 0), replications, z), 1.0)
    return 2 * np.minimum(bdtr(k, replications, z), upper)


def _coverage(replications: int, draws: int, tail: float) -> float:
    """Probability that at every point the count's tail probability exceeds ``tail``."""
    inside = _tails(replications, draws) > tail
    if not inside.any(axis=1).all():
        return 0.0
    first, last = inside.argmax(axis=1), inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
    count, mass = np.zeros(1, int), np.ones(1)
    for i, (low, high) in enumerate(zip(first, last, strict=True)):
        new = np.arange(low, high + 1)
        share = 1 / (draws + 1 - i)
        mass = mass @ binom.pmf(new[None] - count[:, None], replications - count[:, None], share)
        count = new
    return float(mass.sum())
