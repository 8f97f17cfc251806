r"""Likelihood of the recursion mediators given treatment, then outcome given mediators, collapsed or row by row.

The mediators are written as successive regressions: :math:`M_q` on treatment, covariates and :math:`M_1 \dots M_{q-1}` with
coefficients :math:`D_{q\cdot}` and residual SD :math:`s_q`. Parallel mediators with a residual covariance and ordered ones
with causal coefficients are two parameterisations of the same recursion.
"""

from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.models.sufficient import Incomplete, SufficientStatistics


@dataclass(frozen=True)
class Recursion:
    """Coefficients in SD units; trials first, a single trial has length 1.

    Attributes
    ----------
    alpha_m, a
        Intercepts (trial, mediator) and treatment (trial, mediator, arm) in the successive regressions.
    gamma_m, D, s
        Covariates (mediator, covariate), earlier mediators (mediator, mediator; strictly lower triangular), residual SD.
    alpha_y, c, b
        Outcome: intercept (trial,), treatment (trial, arm), mediators (trial, mediator).
    theta, gamma_y, sigma_y
        Interaction (arm, mediator) or None, covariates (covariate,), residual SD.
    """

    alpha_m: TensorVariable
    a: TensorVariable
    gamma_m: TensorVariable
    D: TensorVariable
    s: TensorVariable
    alpha_y: TensorVariable
    c: TensorVariable
    b: TensorVariable
    theta: TensorVariable | None
    gamma_y: TensorVariable
    sigma_y: TensorVariable


def collapsed_log_likelihood(p: Recursion, data: SufficientStatistics, mediators: int) -> TensorVariable:
    """Log density of all participants from their cross-products, normalising constants kept."""
    trials = data.mediator.shape[0]
    zero = pt.zeros((trials, 1))
    products = pt.zeros((trials, 0)) if p.theta is None else _per_trial(p.theta.ravel(), trials)
    total = pt.zeros(())
    for q in range(mediators):
        minus = [-p.alpha_m[:, [q]], -p.a[:, q], _per_trial(-p.gamma_m[q], trials), _per_trial(np.eye(mediators)[q] - p.D[q], trials)]
        total += _regression(pt.concatenate([*minus, 0 * products, zero], axis=1), data.mediator, p.s[q])
    minus = [-p.alpha_y[:, None], -p.c, _per_trial(-p.gamma_y, trials), -p.b, -products]
    total += _regression(pt.concatenate([*minus, zero + 1], axis=1), data.outcome, p.sigma_y)
    for cells in data.incomplete:
        total += _incomplete(p, cells, mediators)
    return total


def _per_trial(row: TensorVariable, trials: int) -> TensorVariable:
    return pt.tile(row[None, :], (trials, 1))


def _regression(loading: TensorVariable, gram: np.ndarray, sd: TensorVariable) -> TensorVariable:
    """Sum over people of log N(z'l | 0, sd^2)."""
    squares = pt.sum(pt.matmul(gram, loading[:, :, None])[:, :, 0] * loading)
    return -0.5 * squares / sd**2 - gram[:, 0, 0].sum() * (pt.log(sd) + 0.5 * np.log(2 * np.pi))


def _incomplete(p: Recursion, cells: Incomplete, mediators: int) -> TensorVariable:
    """Log density of what is observed of people who lack a mediator, the missing ones integrated out."""
    j, T, seen = cells.trial, cells.treatment, list(cells.observed)
    solve = pt.linalg.inv(pt.eye(mediators) - p.D)
    intercept = p.alpha_m[j] + pt.sum(p.a[j] * T[:, None, :], axis=-1)
    direct = pt.concatenate([intercept[:, :, None], pt.tile(p.gamma_m[None], (len(j), 1, 1))], axis=2)
    mean_m = pt.matmul(solve, direct)
    slope = p.b[j] if p.theta is None else p.b[j] + pt.dot(T, p.theta)
    own = pt.concatenate([(p.alpha_y[j] + pt.sum(p.c[j] * T, axis=1))[:, None], _per_trial(p.gamma_y, len(j))], axis=1)
    mean_y = own + pt.sum(slope[:, :, None] * mean_m, axis=1)
    mean = pt.concatenate([mean_m, mean_y[:, None, :]], axis=1)[:, seen]
    factor = solve * p.s
    loading = pt.concatenate([pt.tile(factor[None], (len(j), 1, 1)), pt.matmul(slope, factor)[:, None, :]], axis=1)
    own_variance = np.diag([0.0] * mediators + [1.0]) * p.sigma_y**2
    covariance = (pt.matmul(loading, loading.mT) + own_variance)[:, seen][:, :, seen]
    residual = pt.concatenate([-mean, pt.tile(pt.eye(len(seen))[None], (len(j), 1, 1))], axis=2)
    scatter = pt.matmul(pt.matmul(residual, cells.gram), residual.mT)
    n = cells.gram[:, 0, 0]
    log_det = 2 * pt.log(pt.diagonal(pt.linalg.cholesky(covariance), axis1=1, axis2=2)).sum(axis=1)
    squares = pt.sum(pt.linalg.inv(covariance) * scatter, axis=(1, 2))
    return pt.sum(-0.5 * squares - 0.5 * n * (log_det + len(seen) * np.log(2 * np.pi)))
