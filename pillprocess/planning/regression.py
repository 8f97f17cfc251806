r"""Expected information by regression on simulated results: for posteriors that are draws, whatever their shape.

Draw parameters from what is known now, a trial's summary statistics T from each, and regress what is asked on T over the draws. The
fitted values are draws of the posterior mean that the trial would lead to, the residual variance is the expected posterior variance:

.. math:: E\{Var(\theta \mid T)\} = E\{\theta - E(\theta \mid T)\}^2, \qquad EVSI = E \max_d E(NB_d \mid T) - \max_d E(NB_d)

The regression is a polynomial in the standardised statistics, of the degree up to three with the smallest leave-one-out error.

References
----------
Strong, Oakley, Brennan & Breeze 2015, doi:10.1177/0272989X15575286; Heath et al. 2020, doi:10.1177/0272989X20912402.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from scipy.special import ndtr

from pillprocess.gaussian.normal_equations import Array
from pillprocess.planning.trials import PlanningError

HIGHEST_DEGREE, DRAWS_PER_TERM = 3, 20
FLOOR = 1e-3
"""Least part of the mean residual variance that a posterior variance is taken to be."""


@dataclass(frozen=True)
class Regressed:
    """What draws are regressed to: fitted values and leave-one-out errors (draw, target), the degree, the basis (draw, term)."""

    fitted: Array
    error: Array
    degree: int
    basis: Array


def regress(targets: Array, statistics: Array) -> Regressed:
    """Regress targets (draw, target) on a trial's statistics (draw, statistic); one degree for all, the best on average."""
    best: tuple[float, Regressed] | None = None
    spread = np.maximum(targets.var(axis=0), 1e-300)
    for degree in range(1, HIGHEST_DEGREE + 1):
        basis = polynomial(statistics, degree)
        if degree > 1 and basis.shape[1] * DRAWS_PER_TERM > len(basis):
            break
        vectors, values, _ = np.linalg.svd(basis, full_matrices=False)
        kept = vectors[:, values > 1e-10 * values[0]]
        fitted = kept @ (kept.T @ targets)
        error = (targets - fitted) / (1 - np.minimum((kept**2).sum(axis=1), 0.999))[:, None]
        score = float(((error**2).mean(axis=0) / spread).mean())
        if best is None or score < best[0]:
            best = (score, Regressed(fitted, error, degree, kept))
    assert best is not None  # degree 1 is always tried
    return best[1]


def polynomial(statistics: Array, degree: int) -> Array:
    """All monomials of the standardised statistics up to a degree, the constant first (draw, term)."""
    spread = statistics.std(axis=0)
    z = (statistics[:, spread > 0] - statistics[:, spread > 0].mean(axis=0)) / spread[spread > 0]
    terms = [np.ones(len(z))]
    for d in range(1, degree + 1):
        terms += [z[:, list(which)].prod(axis=1) for which in combinations_with_replacement(range(z.shape[1]), d)]
    return np.stack(terms, axis=1)


def posterior_after(targets: Array, statistics: Array) -> tuple[Array, Array]:
    """Mean and variance (draw, target) of each target after each simulated result.

    The variance is regressed too (the squared errors on the same basis), so that it may depend on the result.
    """
    found = regress(targets, statistics)
    squared = found.error**2
    variance = found.basis @ (found.basis.T @ squared)
    return found.fitted, np.maximum(variance, FLOOR * squared.mean(axis=0))


def probability_below(mean: Array, variance: Array) -> Array:
    """P(< 0) of each target after each result, taken as normal."""
    return ndtr(-mean / np.sqrt(variance))


def sample_information_value(net_benefit: Array, statistics: Array) -> tuple[float, float]:
    """Return the expected value of sample information of a study, per person the decision is for.

    Parameters
    ----------
    net_benefit
        Net benefit of each option under each draw of the parameters (draw, option).
    statistics
        What the study would report under the same draws (draw, statistic).

    Returns
    -------
    The value, and its Monte Carlo standard error from the spread of the best option's gain over draws; in the unit of the net benefit.

    Raises
    ------
    PlanningError
        Fewer than two options, draws that do not match, or numbers that are not finite.
    """
    net_benefit, statistics = np.asarray(net_benefit, float), np.asarray(statistics, float)
    problems = []
    if net_benefit.ndim != 2 or net_benefit.shape[1] < 2:
        problems.append(f"net_benefit has shape {net_benefit.shape}; it must be draws by at least two options")
    if statistics.ndim != 2 or len(statistics) != len(net_benefit):
        problems.append(
            f"statistics has shape {statistics.shape}; it must have a row for each of {len(net_benefit)} draws"
        )
    if not (np.isfinite(net_benefit).all() and np.isfinite(statistics).all()):
        problems.append("net_benefit or statistics hold numbers that are not finite")
    if problems:
        raise PlanningError("nothing was computed:\n" + "\n".join(problems))
    now = int(net_benefit.mean(axis=0).argmax())
    gains = net_benefit - net_benefit[:, [now]]
    fitted = regress(gains, statistics).fitted
    best = fitted.max(axis=1)
    return float(best.mean()), float(best.std(ddof=1) / np.sqrt(len(best)))
