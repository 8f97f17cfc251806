"""The rows of trials when the shared parameters are known: their covariance, and what they say about the shared parameters."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from pillprocess.gaussian.elimination import eliminate
from pillprocess.gaussian.normal_equations import Array, Index, System


@dataclass(frozen=True)
class Rows:
    """The trials that have n rows, these whitened by V and turned so that own parameters with wide priors enter the first.

    ``turn`` (n, n, trial) makes them of the trial's rows. ``loadings`` (n, trial, shared + 1) has the outcome last. ``spread``
    (n, n, trial, scale + 1) is what each squared scale, and last the priors of coefficients, adds to the identity in D.
    """

    trials: Index
    turn: Array
    loadings: Array
    spread: Array


@dataclass(frozen=True)
class Conditional:
    """D of trials with as many rows, and its inverse (n, n, trial, node) and log determinant (trial, node)."""

    covariance: Array
    inverse: Array
    log_det: Array


def rows_alike(system: System) -> list[Rows]:
    """Return the rows of all trials, together for trials that have as many."""
    p, n_scale = len(system.shared), int(system.scale.max(initial=-1)) + 1
    alike = []
    for n in sorted({len(trial.rows) for trial in system.trials}):
        trials = [number for number, trial in enumerate(system.trials) if len(trial.rows) == n]
        turn, loadings = np.empty((n, n, len(trials))), np.empty((n, len(trials), p + 1))
        spread = np.zeros((n, n, len(trials), n_scale + 1))
        for j, trial in enumerate(system.trials[number] for number in trials):
            whitened = np.linalg.solve(trial.factor, np.column_stack([trial.loadings, trial.outcome]))
            widest = np.argsort(-system.fixed_sd[trial.own], kind="stable")
            basis, own = np.linalg.qr(whitened[:, p:-1][:, widest], mode="complete")
            turn[:, :, j] = np.linalg.solve(trial.factor.T, basis).T
            loadings[:, j] = basis.T @ np.delete(whitened, np.s_[p:-1], axis=1)
            for parameter, column in zip(trial.own[widest], own.T, strict=True):
                column = column * system.fixed_sd[parameter]
                spread[:, :, j, system.scale[parameter]] += np.outer(column, column)
        alike.append(Rows(np.array(trials), turn, loadings, spread))
    return alike


def loading_products(alike: list[Rows]) -> csr_array:
    """Return the products (pair of places, pair of rows) of the loadings of each trial's rows, each pair of places once."""
    width = alike[0].loadings.shape[2]
    number = np.zeros((width, width), dtype=np.int64)
    number[np.triu_indices(width)] = np.arange(width * (width + 1) // 2)
    values, places, pairs, n_pair = [], [], [], 0
    for rows in alike:
        numbers = n_pair + np.arange(rows.spread[..., 0].size).reshape(rows.spread.shape[:3])
        n_pair += numbers.size
        for j in range(len(rows.trials)):
            touched = np.flatnonzero(rows.loadings[:, j].any(axis=0))
            a, b = np.triu_indices(len(touched))
            left, right = rows.loadings[:, j, touched[a]], rows.loadings[:, j, touched[b]]
            products = left[:, None] * right + right[:, None] * left
            values.append(products.ravel() / 2)
            places.append(np.tile(number[touched[a], touched[b]], numbers[:, :, j].size))
            pairs.append(np.repeat(numbers[:, :, j], len(a)))
    entries = np.concatenate(values), (np.concatenate(places), np.concatenate(pairs))
    return csr_array(coo_array(entries, shape=(width * (width + 1) // 2, n_pair)))


def conditional(rows: Rows, squares: Array) -> Conditional:
    """Return the covariance of trials' rows at squared scales (scale + 1, node)."""
    covariance = rows.spread @ squares
    covariance[np.diag_indices(len(covariance))] += 1
    inverse = covariance.copy()
    return Conditional(covariance, inverse, eliminate(inverse, len(inverse)))
