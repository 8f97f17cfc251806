r"""Likelihood of the recursion: mediators given treatment, then outcome given mediators.

The mediators are written as successive regressions: :math:`M_q` on treatment, covariates and :math:`M_1 \dots M_{q-1}`,
with coefficients :math:`D_{q\cdot}` and residual SD :math:`s_q`. Parallel mediators with correlated residuals and ordered
ones with causal coefficients are two parameterisations of the same recursion.
"""

from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.random_effects import split_effects
from pillprocess.mediation.sufficient import Incomplete
from pillprocess.mediation.zero_part import ZeroPart


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
        Degrees of freedom of Student-t residuals; of the outcome also the size of counts and the thresholds of ordered categories.
    a_x, c_x, b_x
        Moderation by covariates, per SD of each: of treatment on mediators (mediator, arm, covariate), of treatment on the
        outcome (arm, covariate), of the mediators' slopes (mediator, covariate); 0 where a covariate does not moderate.
    zero
        Excess zeros of a count.
    sigma_level
        Residual SD of the one mediator in the reference and in every arm, (level,), where it differs.
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
    a_x: TensorVariable | None = None
    c_x: TensorVariable | None = None
    b_x: TensorVariable | None = None
    zero: ZeroPart | None = None
    sigma_level: TensorVariable | None = None


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
    a_x: TensorVariable | None = None
    c_x: TensorVariable | None = None
    b_x: TensorVariable | None = None


def assemble(p: Shared, effects: TensorVariable, *, mediators: int, arms: int) -> Recursion:
    """Coefficients of the successive regressions from the effects of each trial, (trial, effect)."""
    alpha_m, a, alpha_y, c, b = split_effects(effects, mediators, arms)
    gamma_m, a_x = p.gamma_m, p.a_x
    if p.d is None and mediators > 1:
        direct = pt.eye(mediators) - p.D
        alpha_m, a, gamma_m = pt.dot(alpha_m, direct.T), pt.matmul(direct, a), pt.dot(direct, gamma_m)
        a_x = None if a_x is None else pt.tensordot(direct, a_x, 1)
    sigma_y = pt.ones(()) if p.sigma_y is None else p.sigma_y
    return Recursion(alpha_m, a, gamma_m, p.D, p.s, alpha_y, c, b, p.theta, p.gamma_y, sigma_y, a_x, p.c_x, p.b_x)


def unit_lower_inverse(matrix: TensorVariable, size: int) -> TensorVariable:
    """Inverse of a lower triangular matrix with ones on its diagonal."""
    rows: list[TensorVariable] = []
    for i in range(size):
        rows.append(np.eye(size)[i] - sum(matrix[i, j] * rows[j] for j in range(i)))
    return pt.stack(rows)


@dataclass(frozen=True)
class Quadratic:
    r"""Log density of all participants with every mediator as a function of their trial's effects e.

    .. math:: \log p_j(e) = k_j + g_j' e - e' H_j e / 2

    Attributes
    ----------
    H, g, k
        (trial, effect, effect), (trial, effect) and (trial,).
    """

    H: TensorVariable
    g: TensorVariable
    k: TensorVariable

    def at(self, effects: TensorVariable) -> TensorVariable:
        """Log density of all trials at their effects, (trial, effect)."""
        pulled = pt.sum(self.H * effects[:, None, :], axis=2)
        return pt.sum(self.k + pt.sum((self.g - 0.5 * pulled) * effects, axis=1))


def quadratic(
    p: Shared, mediator_gram: TensorVariable, outcome_gram: TensorVariable, *, mediators: int, arms: int
) -> Quadratic:
    """Expand the log density in the effects, from cross-products; normalising constants are kept.

    Every residual is z'(l - P e), with P saying which column of z each effect multiplies.
    """
    Q, K = mediators, arms
    direct = pt.eye(Q) - p.D if p.d is None else pt.eye(Q)
    gamma_m, covariates = pt.dot(direct, p.gamma_m), p.gamma_m.shape[1]
    size = Q + Q * K + 1 + K + Q
    a, rest = np.arange(Q * K).reshape(Q, K) + Q, np.arange(1 + K + Q) + Q + Q * K
    zeros = pt.zeros(1 + K)
    unit = np.eye(Q)
    parts = []
    for q in range(Q):
        loading = pt.concatenate([zeros, -gamma_m[q], unit[q] - p.D[q]])
        columns = pt.zeros((1 + K + covariates + Q, size))[0, :Q].set(direct[q])
        for arm in range(K):
            columns = columns[1 + arm, a[:, arm]].set(direct[q])
        parts.append(_expand(mediator_gram, loading, columns, p.s[q]))
    products = [] if p.theta is None else [-p.theta.T.ravel()]
    loading = pt.concatenate([zeros, -p.gamma_y, pt.zeros(Q), *products, pt.ones(1)])
    own = pt.concatenate([pt.arange(1 + K), 1 + K + covariates + pt.arange(Q)])
    columns = pt.zeros((loading.shape[0], size))[own, rest].set(1.0)
    parts.append(_expand(outcome_gram, loading, columns, p.sigma_y))
    return Quadratic(*(sum(terms) for terms in zip(*parts, strict=True)))


def _expand(
    gram: TensorVariable, loading: TensorVariable, columns: TensorVariable, sd: TensorVariable
) -> tuple[TensorVariable, TensorVariable, TensorVariable]:
    """H, g and k of one regression with residuals z'(loading - columns e) of standard deviation sd."""
    H = pt.dot(pt.dot(gram, columns).mT, columns) / sd**2
    weighed = pt.dot(gram, loading)
    g = pt.dot(weighed, columns) / sd**2
    squares = pt.dot(weighed, loading) / sd**2
    return H, g, -0.5 * squares - gram[:, 0, 0] * (pt.log(sd) + 0.5 * np.log(2 * np.pi))


def integrated(
    density: Quadratic, mean: TensorVariable, factor: TensorVariable, u: TensorVariable, *, effects: int
) -> tuple[TensorVariable, TensorVariable]:
    """Integrate effects e = mean + factor z, z standard normal, out of the density, and draw them given the data.

    Parameters
    ----------
    density
        Of (trial, effect).
    mean, factor
        Mean effects (effect,) and a factor of their covariance (effect, varying).
    u
        Standard normal draws (trial, varying).
    effects
        How many vary.

    Returns
    -------
    Log marginal density, and the effects of each trial, distributed as they are given data and parameters.
    """
    inner = pt.dot(pt.dot(density.H, factor).mT, factor) + pt.eye(effects)
    pull = pt.dot(density.g - pt.dot(density.H, mean), factor)
    columns, sds, white = factorise(inner, pull[:, :, None], effects)
    z = pt.zeros_like(u)
    marginal = density.at(pt.tile(mean[None], (u.shape[0], 1)))
    for i in reversed(range(effects)):
        value = (white[i][:, 0] + u[:, i] - pt.sum(columns[i] * z, axis=1)) / sds[i]
        z = z + value[:, None] * np.eye(effects)[i]
        marginal += pt.sum(0.5 * white[i] ** 2) - pt.sum(pt.log(sds[i]))
    return marginal, mean + pt.dot(z, factor.T)


def factorise(
    matrix: TensorVariable, right: TensorVariable, size: int
) -> tuple[list[TensorVariable], list[TensorVariable], list[TensorVariable]]:
    """Cholesky factor L of each matrix of a batch, and L^-1 right; all matrices advance together, column by column.

    Parameters
    ----------
    matrix, right
        (batch, size, size) and (batch, size, width).

    Returns
    -------
    Columns of L (batch, size), its diagonal (batch,), and rows of L^-1 right (batch, width), each a list over columns.
    """
    columns, diagonal, solved = [], [], []
    for k in range(size):
        sd = pt.sqrt(matrix[:, k, k])
        column, row = matrix[:, :, k] / sd[:, None], right[:, k] / sd[:, None]
        matrix = matrix - column[:, :, None] * column[:, None, :]
        right = right - column[:, :, None] * row[:, None, :]
        columns.append(column)
        diagonal.append(sd)
        solved.append(row)
    return columns, diagonal, solved


def incomplete_log_likelihood(p: Recursion, incomplete: tuple[Incomplete, ...], *, mediators: int) -> TensorVariable:
    """Log density of what is observed of people who lack a mediator, the missing ones integrated out."""
    return sum((_incomplete(p, cells, mediators) for cells in incomplete), start=pt.zeros(()))


def _each(row: TensorVariable, trials: int) -> TensorVariable:
    return pt.tile(row[None, :], (trials, 1))


def _incomplete(p: Recursion, cells: Incomplete, mediators: int) -> TensorVariable:
    """Log density of one set of observed columns."""
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
    of_outcome = np.diag([float(column == mediators) for column in seen])
    covariance = pt.matmul(loading, loading.mT) + of_outcome * p.sigma_y**2
    residual = pt.concatenate([-mean, pt.tile(np.eye(len(seen))[None], (len(j), 1, 1))], axis=2)
    _, sds, white = factorise(covariance, residual, len(seen))
    n, total = cells.gram[:, 0, 0], pt.zeros(())
    for sd, row in zip(sds, white, strict=True):
        squares = pt.sum(pt.sum(cells.gram * row[:, None, :], axis=2) * row)
        total += -0.5 * squares - pt.sum(n * (pt.log(sd) + 0.5 * np.log(2 * np.pi)))
    return total
