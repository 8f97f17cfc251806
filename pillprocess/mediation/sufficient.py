r"""Participants as sufficient statistics: one cross-product matrix per trial, whatever the number of people.

With :math:`z_i = (1, T_i, X_i, M_i, T_i \otimes M_i, Y_i)` every residual of the linear recursion is :math:`z_i'l`, so

.. math:: \sum_i (z_i'l)^2 = l' G l, \qquad G = \sum_i z_i z_i'

and a trial enters the likelihood through its :math:`G` alone. People who lack a mediator are collapsed by what is observed.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pillprocess.participants.table import Participants


@dataclass(frozen=True)
class Standardised:
    """Participants in SD units: centred at the mean, divided by the pooled SD within trial and arm.

    Attributes
    ----------
    T, X, M, y
        Treatment (participant, arm), covariates, mediators and outcome; missing stays NaN.
    trial
        Index of each participant's trial.
    x_mean, x_sd, m_mean, m_sd, y_mean, y_sd
        What was subtracted and divided by.
    m_loc, m_scale
        Location and scale of the mediators' own equations: ``m_mean`` and ``m_sd``, or 0 and 1 on the link of a binary one.
    """

    T: np.ndarray
    X: np.ndarray
    M: np.ndarray
    y: np.ndarray
    trial: np.ndarray
    x_mean: np.ndarray
    x_sd: np.ndarray
    m_mean: np.ndarray
    m_sd: np.ndarray
    y_mean: float
    y_sd: float
    m_loc: np.ndarray
    m_scale: np.ndarray


@dataclass(frozen=True)
class Incomplete:
    """People who lack a mediator, collapsed by trial and treatment, for one set of observed columns.

    Attributes
    ----------
    observed
        Which of the mediators and, last, the outcome are observed.
    trial, treatment
        Trial index (cell,) and treatment (cell, arm).
    gram
        Cross-products of (1, X, observed columns), (cell, column, column).
    """

    observed: tuple[int, ...]
    trial: np.ndarray
    treatment: np.ndarray
    gram: np.ndarray


@dataclass(frozen=True)
class SufficientStatistics:
    """Cross-products per trial, (trial, column, column).

    Attributes
    ----------
    mediator
        Of (1, T, X, M), over people with every mediator observed.
    outcome
        Of (1, T, X, M, T x M if modelled, Y), over people with every mediator and the outcome observed.
    incomplete
        Everybody else of whom something is observed.
    """

    mediator: np.ndarray
    outcome: np.ndarray
    incomplete: tuple[Incomplete, ...]


def standardise(
    people: Participants, *, mediators: list[str], binary_mediator: bool, binary_outcome: bool
) -> Standardised:
    """Centre and scale covariates, mediators (in the order given) and outcome; a binary outcome stays 0/1."""
    trial, _ = pd.factorize(people.trial)
    cell = pd.factorize(people.trial + "\0" + people.arm)[0]
    X, M = people.covariates.to_numpy(float), people.mediators[mediators].to_numpy(float)
    y = people.outcome.to_numpy(float)
    x_mean, x_sd = X.mean(0), X.std(0)
    m_mean, m_sd = np.nanmean(M, axis=0), np.array([within_sd(m, cell) for m in M.T])
    y_mean, y_sd = (0.0, 1.0) if binary_outcome else (float(np.nanmean(y)), within_sd(y, cell))
    return Standardised(
        T=people.treatment.to_numpy(float), X=(X - x_mean) / x_sd, M=(M - m_mean) / m_sd, y=(y - y_mean) / y_sd,
        trial=trial, x_mean=x_mean, x_sd=x_sd, m_mean=m_mean, m_sd=m_sd, y_mean=y_mean, y_sd=y_sd,
        m_loc=np.zeros(len(m_sd)) if binary_mediator else m_mean, m_scale=np.ones(len(m_sd)) if binary_mediator else m_sd,
    )  # fmt: skip


def within_sd(values: np.ndarray, cell: np.ndarray) -> float:
    """Pooled SD within cells, of the values that are not missing."""
    seen = np.isfinite(values)
    value, cell = values[seen], cell[seen]
    count = np.bincount(cell)
    mean = np.bincount(cell, value) / np.maximum(count, 1)
    return float(np.sqrt(((value - mean[cell]) ** 2).sum() / (len(value) - np.count_nonzero(count))))


def design(T: np.ndarray, X: np.ndarray, M: np.ndarray, y: np.ndarray, *, interaction: bool) -> np.ndarray:
    """Columns (1, T, X, M, T x M arm by arm, Y) of every participant."""
    products = [T[:, [k]] * M for k in range(T.shape[1])] if interaction else []
    return np.hstack([np.ones((len(y), 1)), T, X, M, *products, y[:, None]])


def collapse(data: Standardised, *, interaction: bool) -> SufficientStatistics:
    """Sum the cross-products of all participants, by trial and by what is observed of them."""
    Z = design(data.T, data.X, data.M, data.y, interaction=interaction)
    observed = np.isfinite(np.column_stack([data.M, data.y]))
    trials, first = int(data.trial.max()) + 1, 1 + data.T.shape[1] + data.X.shape[1] + data.M.shape[1]
    measured = observed[:, :-1].all(axis=1)
    complete = measured & observed[:, -1]
    return SufficientStatistics(
        mediator=_grams(Z[measured, :first], data.trial[measured], trials),
        outcome=_grams(Z[complete], data.trial[complete], trials),
        incomplete=_incomplete(data, observed, np.flatnonzero(~measured & observed.any(axis=1))),
    )


def _grams(Z: np.ndarray, trial: np.ndarray, trials: int) -> np.ndarray:
    """Z'Z of each trial, (trial, column, column)."""
    if trials == 1:
        return (Z.T @ Z)[None]
    order = np.argsort(trial, kind="stable")
    blocks = np.split(Z[order], np.searchsorted(trial[order], np.arange(1, trials)))
    return np.stack([block.T @ block for block in blocks])


def _incomplete(data: Standardised, observed: np.ndarray, rows: np.ndarray) -> tuple[Incomplete, ...]:
    """Cells of the participants in ``rows``, one `Incomplete` per set of observed columns."""
    patterns = pd.DataFrame(observed[rows]).groupby(list(range(observed.shape[1])), sort=True).indices
    groups = []
    for pattern, members in patterns.items():
        seen = np.flatnonzero(pattern)
        people = rows[members]
        columns = np.column_stack([data.M, data.y])[people][:, seen]
        Z = np.hstack([np.ones((len(people), 1)), data.X[people], columns])
        keys = np.column_stack([data.trial[people], data.T[people]])
        cells, cell = np.unique(keys, axis=0, return_inverse=True)
        gram = _grams(Z, cell.ravel(), len(cells))
        groups.append(Incomplete(tuple(int(s) for s in seen), cells[:, 0].astype(int), cells[:, 1:], gram))
    return tuple(groups)
