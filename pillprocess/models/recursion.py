r"""Likelihood of the recursion: mediators given treatment, then outcome given mediators.

The mediators are written as successive regressions: :math:`M_q` on treatment, covariates and :math:`M_1 \dots M_{q-1}`,
with coefficients :math:`D_{q\cdot}` and residual SD :math:`s_q`. Parallel mediators with correlated residuals and ordered
ones with causal coefficients are two parameterisations of the same recursion.
"""

from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.models.random_effects import split_effects
from pillprocess.models.sufficient import Incomplete


@dataclass(frozen=True)
class Shared:
    """What does not vary between trials, in SD units; None where the model has no such part.

    Attributes
    ----------
    gamma_m, gamma_y
        Covariates, (mediator, covariate) and (covariate,).
    theta
        Interaction, (mediator, arm).
    sigma_m, sigma_y
        Residual SDs, (mediator,) and scalar; of an ordered mediator, given those before it.
    d
        Earlier on later mediator, (pair,).
    D, s
        Coefficients (mediator, mediator) and residual SDs (mediator,) of the successive regressions.
    nu_m, nu_y
        Degrees of freedom of Student-t residuals.
    """

    gamma_m: TensorVariable
    gamma_y: TensorVariable
    theta: TensorVariable | None
    sigma_m: TensorVariable | None
    sigma_y: TensorVariable | None
    d: TensorVariable | None
    D: TensorVariable
    s: TensorVariable
    nu_m: TensorVariable | None
    nu_y: TensorVariable | None


@dataclass(frozen=True)
class Recursion:
    """Coefficients of the successive regressions in SD units, trials first; a single trial has length 1.

    Residual SDs are 1 where a family has none.
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


def assemble(p: Shared, effects: TensorVariable, *, mediators: int, arms: int) -> Recursion:
    """Coefficients of the successive regressions from the effects of each trial, (trial, effect)."""
    alpha_m, a, alpha_y, c, b = split_effects(effects, mediators, arms)
    gamma_m = p.gamma_m
    if p.d is None and mediators > 1:
        direct = pt.eye(mediators) - p.D
        alpha_m, a, gamma_m = pt.dot(alpha_m, direct.T), pt.matmul(direct, a), pt.dot(direct, gamma_m)
    sigma_y = pt.ones(()) if p.sigma_y is None else p.sigma_y
    return Recursion(alpha_m, a, gamma_m, p.D, p.s, alpha_y, c, b, p.theta, p.gamma_y, sigma_y)


def unit_lower_inverse(matrix: TensorVariable, size: int) -> TensorVariable:
    """Inverse of a lower triangular matrix with ones on its diagonal."""
    rows: list[TensorVariable] = []
    for i in range(size):
        rows.append(np.eye(size)[i] - sum(matrix[i, j] * rows[j] for j in range(i)))
    return pt.stack(rows)


def collapsed_log_likelihood(
    p: Recursion, mediator_gram: TensorVariable, outcome_gram: TensorVariable, incomplete: tuple[Incomplete, ...], *,
    trials: int, mediators: int,
) -> TensorVariable:  # fmt: skip
    """Log density of all participants from their cross-products, normalising constants kept."""
    unit = np.eye(mediators)
    total = pt.zeros(())
    for q in range(mediators):
        loading = pt.concatenate(
            [p.alpha_m[:, [q]], p.a[:, q], _each(p.gamma_m[q], trials), _each(p.D[q] - unit[q], trials)], axis=1
        )
        total += _regression(loading, mediator_gram, p.s[q])
    products = [] if p.theta is None else [_each(p.theta.T.ravel(), trials)]
    parts = [p.alpha_y[:, None], p.c, _each(p.gamma_y, trials), p.b, *products, -pt.ones((trials, 1))]
    total += _regression(pt.concatenate(parts, axis=1), outcome_gram, p.sigma_y)
    for cells in incomplete:
        total += _incomplete(p, cells, mediators)
    return total


def _each(row: TensorVariable, trials: int) -> TensorVariable:
    return pt.tile(row[None, :], (trials, 1))


def _regression(loading: TensorVariable, gram: TensorVariable, sd: TensorVariable) -> TensorVariable:
    """Sum over participants of log N(z'l | 0, sd^2)."""
    squares = pt.sum(pt.matmul(gram, loading[:, :, None])[:, :, 0] * loading)
    return -0.5 * squares / sd**2 - pt.sum(gram[:, 0, 0]) * (pt.log(sd) + 0.5 * np.log(2 * np.pi))


def _incomplete(p: Recursion, cells: Incomplete, mediators: int) -> TensorVariable:
    """Log density of what is observed of people who lack a mediator, the missing ones integrated out."""
    j, T, seen = cells.trial, cells.treatment, list(cells.observed)
    solve = unit_lower_inverse(pt.eye(mediators) - p.D, mediators)
    intercept = p.alpha_m[j] + pt.sum(p.a[j] * T[:, None, :], axis=2)
    covariates = pt.tile(p.gamma_m[None], (len(j), 1, 1))
    mean_m = pt.matmul(solve, pt.concatenate([intercept[:, :, None], covariates], axis=2))
    slope = p.b[j] if p.theta is None else p.b[j] + pt.dot(T, p.theta.T)
    own = pt.concatenate([(p.alpha_y[j] + pt.sum(p.c[j] * T, axis=1))[:, None], _each(p.gamma_y, len(j))], axis=1)
    mean_y = own + pt.sum(slope[:, :, None] * mean_m, axis=1)
    mean = pt.concatenate([mean_m, mean_y[:, None, :]], axis=1)[:, seen]
    factor = solve * p.s
    loading = pt.concatenate([pt.tile(factor[None], (len(j), 1, 1)), pt.dot(slope, factor)[:, None, :]], axis=1)[
        :, seen
    ]
    own_variance = [p.sigma_y**2 if column == mediators else 0.0 for column in seen]
    n = cells.gram[:, 0, 0]
    total = pt.zeros(())
    cholesky: list[list[TensorVariable]] = []
    white: list[TensorVariable] = []
    for k, own in enumerate(own_variance):
        row: list[TensorVariable] = []
        residual = pt.concatenate([-mean[:, k], _each(pt.as_tensor(np.eye(len(seen))[k]), len(j))], axis=1)
        for i in range(k):
            shared = pt.sum(loading[:, k] * loading[:, i], axis=1)
            row.append((shared - sum(row[h] * cholesky[i][h] for h in range(i))) / cholesky[i][i])
            residual = residual - row[i][:, None] * white[i]
        sd = pt.sqrt(own + pt.sum(loading[:, k] ** 2, axis=1) - sum(x**2 for x in row))
        cholesky.append([*row, sd])
        white.append(residual / sd[:, None])
        squares = pt.sum(pt.sum(cells.gram * white[k][:, None, :], axis=2) * white[k])
        total += -0.5 * squares - pt.sum(n * (pt.log(sd) + 0.5 * np.log(2 * np.pi)))
    return total
