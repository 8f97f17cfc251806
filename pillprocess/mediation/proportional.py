r"""Are the odds proportional? A check of ordinal outcomes before their effects are read (Brant 1990, doi:10.2307/2532457).

The cumulative model has one effect on the odds of every category or more. Here each threshold has its own logistic regression on treatment,
mediators, their products and covariates, and a Wald test asks whether their slopes differ by more than chance.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from pillprocess.participants.table import Participants

LEAST = 8
"""People per slope on either side of a threshold below which its regression is left out."""
DOUBTFUL = 0.01
STEPS = 50


@dataclass(frozen=True)
class ProportionalOdds:
    """Slopes by threshold (threshold, slope), the names of both, which slope differs most, Wald's chi-squared, its df and p."""

    slopes: np.ndarray
    thresholds: np.ndarray
    names: list[str]
    widest: int
    chi2: float
    df: int
    p: float


def proportional_odds(people: Participants, *, interaction: bool) -> ProportionalOdds | None:
    """Test whether slopes differ between thresholds, among those with every value; None where fewer than two thresholds have the people."""
    T, M, X = people.treatment.to_numpy(float), people.mediators.to_numpy(float), people.covariates.to_numpy(float)
    products = [T[:, [k]] * M for k in range(T.shape[1])] if interaction else []
    names = [*people.treatment.columns, *people.mediators.columns]
    names += [f"{a} x {m}" for a in people.treatment.columns for m in people.mediators.columns] if interaction else []
    names += list(people.covariates.columns)
    Z = np.hstack([T, M, *products, X])
    seen = np.isfinite(Z).all(axis=1) & people.outcome.notna().to_numpy()
    y = people.outcome.to_numpy(float)[seen]
    scale = Z[seen].std(axis=0)
    if not (scale > 0).all():
        return None
    A = np.hstack([np.ones((len(y), 1)), (Z[seen] - Z[seen].mean(0)) / scale])
    enough = LEAST * A.shape[1]
    cuts = [c for c in np.unique(y)[1:] if min((y >= c).sum(), (y < c).sum()) >= enough]
    fits = [_logistic(A, (y >= c).astype(float)) for c in cuts]
    if len(cuts) < 2 or any(f is None for f in fits):
        return None
    beta, chance, inverse = (np.array(part) for part in zip(*(f for f in fits if f is not None), strict=True))
    P, K = A.shape[1] - 1, len(cuts)
    covariance = np.zeros((K, P, K, P))
    for k in range(K):
        for j in range(k, K):
            cross = inverse[k] @ ((A.T * (chance[j] * (1 - chance[k]))) @ A) @ inverse[j]
            covariance[k, :, j], covariance[j, :, k] = cross[1:, 1:], cross[1:, 1:].T
    slopes = beta[:, 1:]
    D = np.hstack([np.ones((K - 1, 1)), -np.eye(K - 1)])
    difference = (D @ slopes).ravel()
    spread = np.einsum("ak,kpjq,bj->apbq", D, covariance, D).reshape(len(difference), -1)
    chi2 = float(difference @ np.linalg.lstsq(spread, difference, rcond=None)[0])
    df = len(difference)
    return ProportionalOdds(
        slopes / scale, np.array(cuts), [str(n) for n in names], int(np.ptp(slopes, axis=0).argmax()), chi2, df,
        float(stats.chi2.sf(chi2, df)),
    )  # fmt: skip


def proportional_doubt(people: Participants, *, interaction: bool) -> str:
    """What to say where the odds do not look proportional; empty where they may be, or nobody can tell."""
    found = proportional_odds(people, interaction=interaction)
    if found is None or found.p > DOUBTFUL:
        return ""
    own, low, high = found.slopes[:, found.widest], found.thresholds[0], found.thresholds[-1]
    return (
        f"the odds of {people.outcome.name} do not look proportional (Brant's test: chi-squared {found.chi2:.1f}, {found.df} degrees of "
        f"freedom, p = {found.p:.2g}): the slope on {found.names[found.widest]} is {own[0]:.2f} for at least {low:g} and {own[-1]:.2f} for "
        f"at least {high:g}. Effects on one threshold are safer from a column of 0 and 1, at least that score or not, and a logit outcome"
    )


def _logistic(A: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Coefficients, chances and inverse information of a logistic regression, by Newton's steps; None where they do not settle."""
    beta = np.zeros(A.shape[1])
    for _ in range(STEPS):
        chance = special.expit(A @ beta)
        information = (A.T * (chance * (1 - chance))) @ A
        if np.linalg.cond(information) > 1e10:
            return None
        step = np.linalg.solve(information, A.T @ (y - chance))
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            return beta, chance, np.linalg.inv(information)
    return None
