r"""The rows of trials given the scales, their own parameters integrated out: what they say about the shared parameters.

Let D be the covariance of the rows of a trial given the shared parameters and W their loadings. Over all trials the sums of
:math:`W' D^{-1} W` and :math:`W' D^{-1} y` give the posterior of the shared parameters, with mean m and covariance C; each
trial's rows then have :math:`\rho = y - W m` and :math:`T = W C W'`, from which :mod:`pillprocess.gaussian.held_out_density`
and :mod:`pillprocess.gaussian.left_out` take a trial out of the rest.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from pillprocess.gaussian.elimination import eliminate
from pillprocess.gaussian.normal_equations import LOG_2PI, Array, Index, System, upper


@dataclass(frozen=True)
class Rows:
    """Trials that have n rows each, these whitened by V and turned so that own parameters with wide priors enter the first.

    ``turn`` (n, n, trial) makes them of the trial's rows. ``loadings`` (n, trial, shared + 1) has the outcome last. ``spread``
    (n, n, trial, scale + 1) is what each squared scale, and last the priors of coefficients, adds to the identity in D.
    ``products`` (pair of shared, pair of rows) makes the sums of all trials, and ``back`` T from C.
    """

    trials: Index
    turn: Array
    loadings: Array
    spread: Array
    products: csr_array
    back: csr_array


@dataclass(frozen=True)
class Given:
    """D of some trials' rows, and its inverse (n, n, trial, node) and log determinant (trial, node)."""

    covariance: Array
    inverse: Array
    log_det: Array


def rows_alike(system: System, *, numbers: int | None = None) -> list[Rows]:
    """Return the rows of all trials, together for trials that have as many, in parts of at most ``numbers`` pairs of rows."""
    p, n_scale = len(system.shared), int(system.scale.max(initial=-1)) + 1
    alike = []
    for n in sorted({len(trial.rows) for trial in system.trials}):
        trials = np.array([number for number, trial in enumerate(system.trials) if len(trial.rows) == n])
        size = len(trials) if numbers is None else max(1, numbers // n**2)
        for part in np.array_split(trials, range(size, len(trials), size)):
            turn, loadings = np.empty((n, n, len(part))), np.empty((n, len(part), p + 1))
            spread = np.zeros((n, n, len(part), n_scale + 1))
            for j, trial in enumerate(system.trials[number] for number in part):
                whitened = np.linalg.solve(trial.factor, np.column_stack([trial.loadings, trial.outcome]))
                widest = np.argsort(-system.fixed_sd[trial.own], kind="stable")
                basis, own = np.linalg.qr(whitened[:, p:-1][:, widest], mode="complete")
                turn[:, :, j] = np.linalg.solve(trial.factor.T, basis).T
                loadings[:, j] = basis.T @ np.delete(whitened, np.s_[p:-1], axis=1)
                for parameter, column in zip(trial.own[widest], own.T, strict=True):
                    column = column * system.fixed_sd[parameter]
                    spread[:, :, j, system.scale[parameter]] += np.outer(column, column)
            products = loading_products(loadings)
            row, column = upper(p + 1)
            back = csr_array((products.T * np.where(row == column, 1.0, 2.0))[:, column < p])
            alike.append(Rows(part, turn, loadings, spread, products, back))
    return alike


def loading_products(loadings: Array) -> csr_array:
    """Return the products (pair of places, pair of rows) of loadings (row, trial, place), each pair of places once."""
    n, n_trial, width = loadings.shape
    place, pair = np.zeros((width, width), dtype=np.int64), np.arange(n * n * n_trial).reshape(n * n, n_trial)
    place[upper(width)] = np.arange(width * (width + 1) // 2)
    values, places, pairs = [], [], []
    for j in range(n_trial):
        touched = np.flatnonzero(loadings[:, j].any(axis=0))
        a, b = np.triu_indices(len(touched))
        left, right = loadings[:, j, touched[a]], loadings[:, j, touched[b]]
        values.append((left[:, None] * right + right[:, None] * left).ravel() / 2)
        places.append(np.tile(place[touched[a], touched[b]], n * n))
        pairs.append(np.repeat(pair[:, j], len(a)))
    entries = np.concatenate(values), (np.concatenate(places), np.concatenate(pairs))
    return csr_array(coo_array(entries, shape=(width * (width + 1) // 2, pair.size)))


def given_shared(rows: Rows, tau: Array) -> Given:
    """Return D of some trials at values of the scales (node, scale)."""
    covariance = rows.spread @ np.concatenate([tau.T**2, np.ones((1, len(tau)))])
    covariance[np.diag_indices(len(covariance))] += 1
    inverse = covariance.copy()
    return Given(covariance, inverse, eliminate(inverse, len(inverse)))


def shared_posterior(system: System, alike: list[Rows], given: list[Given], tau: Array) -> tuple[Array, Array, Array]:
    """Return log p(y | tau) (node,), m (shared, node) and C (shared, shared, node)."""
    p, ones = len(system.shared), np.ones((1, len(tau)))
    sd = np.concatenate([tau.T, ones])[system.scale[system.shared]] * system.fixed_sd[system.shared, None]
    pairs, border = upper(p + 1), np.concatenate([sd, ones])
    whole = np.empty((p + 1, p + 1, len(tau)))
    whole[pairs] = sum(
        rows.products @ one.inverse.reshape(-1, len(tau)) for rows, one in zip(alike, given, strict=True)
    )
    whole[pairs[::-1]] = whole[pairs]
    whole *= border * border[:, None]
    whole[np.diag_indices(p)] += 1
    log_det = system.log_det + sum(one.log_det.sum(axis=0) for one in given) + eliminate(whole, p)
    log_density = -0.5 * (system.n_row * LOG_2PI + log_det + whole[p, p])
    return log_density, sd * whole[:p, p], whole[:p, :p] * (sd * sd[:, None])


def seen_from_shared(rows: Rows, mean: Array, covariance: Array) -> tuple[Array, Array]:
    """Return the residuals (n, trial, node) of some trials' rows, and T (n, n, trial, node)."""
    n, n_trial, _ = rows.loadings.shape
    residual = rows.loadings[:, :, -1:] - rows.loadings[:, :, :-1] @ mean
    uncertainty = rows.back @ covariance[upper(len(mean))]
    return residual, uncertainty.reshape(n, n, n_trial, -1)
