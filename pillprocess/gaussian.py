r"""The Gaussian linear hierarchical model given its scales: marginal likelihood, conditional moments, draws.

With ``theta = (beta, b)`` the model is ``y ~ Normal(H theta, V)`` and ``theta ~ Normal(m, diag(sd(tau))^2)``. A
parameter that touches the rows of one trial only (its baseline, its own deviations) is eliminated inside that trial's
small block; the rest is shared by trials and factorised once per value of ``tau``. Everything is computed in
``z = (theta - m) / sd``, so that ``tau = 0`` and very wide priors are ordinary values.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class OwnBlock:
    """The parameters that touch one trial only, for all trials that have q of them.

    ``parameter`` (trial, q) numbers them and ``trial`` (trial,) their trials; ``information`` (q, q, trial) and
    ``cross`` (q, trial, shared + right) are their parts of the normal equations.
    """

    trial: Index
    parameter: Index
    information: Array
    cross: Array


@dataclass(frozen=True)
class System:
    """A design as normal equations; parameters are its coefficients, then its effects.

    ``factor`` is L of ``V = L L'`` and ``whitened`` (row, parameter + 1) is ``L^-1 [H, y - H m]``. ``right``
    (parameter, 1 + combination) is ``H' V^-1 (y - H m)``, then the weights of any linear combinations asked for.
    ``corner`` (shared + right, shared + right) holds the normal equations of the shared parameters and the right-hand
    sides, ``outer`` the products by which the inverse of every own block enters them.
    """

    mean: Array
    fixed_sd: Array
    scale: Index
    trial: Index
    factor: Array
    whitened: Array
    right: Array
    shared: Index
    own: tuple[OwnBlock, ...]
    corner: Array
    outer: Array


@dataclass(frozen=True)
class Conditional:
    """The model at each value (node) of ``tau``: ``lower`` factorises the precision of the shared ``z``.

    ``half`` (node, shared, right) is ``lower^-1`` times the right-hand sides, ``schur`` (node, right, right) what
    they leave over, ``own`` the inverse ``(I + A R A)^-1`` (q, q, trial, node) of every own block, ``products`` and
    ``own_log_det`` (node, trial) what leaving a trial out subtracts from.
    """

    sd: Array
    products: Array
    own_log_det: Array
    own: tuple[Array, ...]
    lower: Array
    half: Array
    schur: Array
    log_likelihood: Array


def assemble(design: xr.Dataset, *, rows: NDArray[np.bool_] | None = None, combinations: Array | None = None) -> System:
    """Build the normal equations of a design, of all its rows or of some.

    Parameters
    ----------
    design : Dataset
    rows : array of bool (row,), optional
        Rows to use; the whole design decides which parameters are shared, either way.
    combinations : array (parameter, combination), optional
        Weights of linear combinations whose conditional means and variances are wanted.
    """
    loadings = np.concatenate([design["X"].values, design["Z"].values], axis=1)
    names = list(design["scale"].values)
    effect_scale = [names.index(name) for name in design["effect_scale"].values]
    mean = np.concatenate([design["prior_mean"].values, np.zeros(len(effect_scale))])
    trial = np.unique(design["trial"].values, return_inverse=True)[1]
    touched = np.stack([(loadings[trial == j] != 0).any(axis=0) for j in range(trial.max() + 1)])
    alone = touched.sum(axis=0) <= 1
    shared = np.flatnonzero(~alone)
    members = [np.flatnonzero(alone & (touched.argmax(axis=0) == j)) for j in range(len(touched))]

    keep = np.ones(len(trial), dtype=bool) if rows is None else rows
    factor = np.linalg.cholesky(design["covariance"].values[np.ix_(keep, keep)])
    whitened = np.linalg.solve(factor, np.column_stack([loadings, design["y"].values - loadings @ mean])[keep])
    products = whitened.T @ whitened
    weights = np.zeros((len(mean), 0)) if combinations is None else combinations
    right = np.concatenate([products[:-1, -1:], weights], axis=1)
    equations = np.concatenate([products[:-1, shared], right], axis=1)
    last = np.zeros((right.shape[1], right.shape[1]))
    last[0, 0] = products[-1, -1]

    own = []
    for q in sorted({len(m) for m in members} - {0}):
        of = np.array([j for j, m in enumerate(members) if len(m) == q])
        number = np.stack([members[j] for j in of])
        information = products[number[:, :, None], number[:, None, :]].transpose(1, 2, 0)
        own.append(OwnBlock(of, number, information, equations[number].transpose(1, 0, 2)))
    width = equations.shape[1]
    outer = [np.einsum("ajp,bjr->abjpr", block.cross, block.cross).reshape(-1, width**2) for block in own]
    return System(
        mean=mean,
        fixed_sd=np.concatenate([design["prior_sd"].values, np.ones(len(effect_scale))]),
        scale=np.array([-1] * design.sizes["coefficient"] + effect_scale, dtype=int),
        trial=trial[keep],
        factor=factor,
        whitened=whitened,
        right=right,
        shared=shared,
        own=tuple(own),
        corner=np.block([[equations[shared]], [right[shared].T, last]]),
        outer=np.concatenate([np.zeros((0, width**2)), *outer]),
    )


def condition(system: System, tau: Array) -> Conditional:
    """Eliminate every parameter at each value of ``tau`` (node, scale)."""
    n_node, n_trial, p = len(tau), system.trial.max() + 1, len(system.shared)
    sd = np.concatenate([tau, np.ones((n_node, 1))], axis=1)[:, system.scale] * system.fixed_sd
    own_log_det = np.zeros((n_node, n_trial))
    inverses, features = [], [np.zeros((0, n_node))]
    for block in system.own:
        a = sd.T[block.parameter.T]
        scaled = a[:, None] * block.information[..., None] * a[None]
        inverse, log_det = invert(scaled + np.eye(len(a))[:, :, None, None])
        own_log_det[:, block.trial] = log_det.T
        inverses.append(inverse)
        features.append((a[:, None] * inverse * a[None]).reshape(-1, n_node))
    products = system.corner.ravel() - np.concatenate(features).T @ system.outer
    products = products.reshape(n_node, *system.corner.shape)
    log_det, lower, half, schur = factorise(products, sd[:, system.shared])
    log_det = log_det + own_log_det.sum(axis=1) + 2 * np.log(np.diag(system.factor)).sum()
    log_likelihood = -0.5 * (len(system.trial) * LOG_2PI + log_det + schur[:, 0, 0])
    return Conditional(sd, products, own_log_det, tuple(inverses), lower, half, schur, log_likelihood)


def factorise(products: Array, sd: Array) -> tuple[Array, Array, Array, Array]:
    """Factorise the shared part: ``log|I + A R A|``, its Cholesky factor, the reduced right-hand sides, the rest."""
    p = sd.shape[1]
    precision = sd[:, :, None] * products[:, :p, :p] * sd[:, None, :] + np.eye(p)
    lower = np.linalg.cholesky(precision)
    half = solve_lower(lower, sd[:, :, None] * products[:, :p, p:])
    schur = products[:, p:, p:] - np.einsum("npr,nps->nrs", half, half)
    return 2 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1), lower, half, schur


def combination_moments(system: System, conditional: Conditional) -> tuple[Array, Array]:
    """Return the mean and SD (node, combination) of the combinations given to ``assemble``."""
    offset = system.mean @ system.right[:, 1:]
    variance = -np.diagonal(conditional.schur, axis1=1, axis2=2)[:, 1:]
    return offset - conditional.schur[:, 0, 1:], np.sqrt(variance)


def draw(system: System, conditional: Conditional, *, chains: int, rng: np.random.Generator) -> Array:
    """Draw every parameter (parameter, chain, node) from its posterior given the ``tau`` of each node."""
    n_node, p = len(conditional.sd), len(system.shared)
    noise = rng.standard_normal((n_node, p, chains))
    z = solve_upper(conditional.lower, conditional.half[:, :, :1] + noise)
    deviation = np.empty((len(system.mean), chains, n_node))
    deviation[system.shared] = (conditional.sd[:, system.shared, None] * z).transpose(1, 2, 0)
    shared = deviation[system.shared].reshape(p, -1)
    for block, inverse in zip(system.own, conditional.own, strict=True):
        number, a = block.parameter.T, conditional.sd.T[block.parameter.T]
        explained = np.einsum("ajp,pn->ajn", block.cross[:, :, :p], shared).reshape(*number.shape, chains, n_node)
        score = a[:, :, None] * (block.cross[:, :, p, None, None] - explained)
        root = np.moveaxis(np.linalg.cholesky(np.moveaxis(inverse, (0, 1), (2, 3))), (2, 3), (0, 1))
        noise = rng.standard_normal(score.shape)
        own = np.einsum("abjn,bjcn->ajcn", inverse, score) + np.einsum("abjn,bjcn->ajcn", root, noise)
        deviation[number] = a[:, :, None] * own
    return deviation + system.mean[:, None, None]


def invert(matrices: Array) -> tuple[Array, Array]:
    """Invert symmetric positive definite matrices (q, q, ...) in place by Gauss-Jordan; also return ``log|.|``."""
    log_det = np.zeros(matrices.shape[2:])
    for k in range(len(matrices)):
        pivot = matrices[k, k].copy()
        log_det += np.log(pivot)
        column = matrices[:, k].copy()
        column[k] = 0
        matrices[:, k] = 0
        matrices[k, k] = 1
        matrices[k] /= pivot
        matrices -= column[:, None] * matrices[k]
    return matrices, log_det


def solve_lower(lower: Array, right: Array) -> Array:
    """Solve ``L x = right`` for stacked lower triangular L (node, p, p) and right (node, p, r)."""
    solution = np.empty_like(right)
    for i in range(lower.shape[1]):
        known = np.einsum("nk,nkr->nr", lower[:, i, :i], solution[:, :i])
        solution[:, i] = (right[:, i] - known) / lower[:, i, i, None]
    return solution


def solve_upper(lower: Array, right: Array) -> Array:
    """Solve ``L' x = right`` for stacked lower triangular L (node, p, p) and right (node, p, r)."""
    solution = np.empty_like(right)
    for i in reversed(range(lower.shape[1])):
        known = np.einsum("nk,nkr->nr", lower[:, i + 1 :, i], solution[:, i + 1 :])
        solution[:, i] = (right[:, i] - known) / lower[:, i, i, None]
    return solution
