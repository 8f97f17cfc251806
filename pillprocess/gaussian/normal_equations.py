r"""The Gaussian linear hierarchical model given its scales: marginal likelihood and conditional moments.

With ``theta = (beta, b)`` the model is ``y ~ Normal(H theta, V)`` and ``theta ~ Normal(m, diag(sd(tau))^2)``, V block
diagonal by trial. A parameter that touches the rows of one trial only (its own baseline, its own deviations) is
eliminated inside that trial's small block; the others are shared by trials and factorised once per value of ``tau``.
All is computed in ``z = (theta - m) / sd``, so that ``tau = 0`` and very wide priors are ordinary values. Arrays end in
the dimension node, one value of ``tau`` each.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, hstack

from pillprocess.gaussian.matrices import diagonal_blocks, nonzeros, rows_by

type Array = NDArray[np.float64]
type Index = NDArray[np.int64]

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Trial:
    """One trial's rows and the numbers of its own parameters.

    ``loadings`` is (row, shared + own), ``outcome`` is ``y - H m`` and ``factor`` is L of ``V = L L'``.
    """

    name: str
    rows: Index
    own: Index
    loadings: Array
    outcome: Array
    factor: Array


@dataclass(frozen=True)
class OwnBlock:
    """The normal equations of the own parameters of every trial that has q of them.

    ``parameter`` (q, trial) numbers them; ``information`` is (q, q, trial), ``cross`` (q, trial, shared + right).
    """

    parameter: Index
    information: Array
    cross: Array


@dataclass(frozen=True)
class System:
    """A design as normal equations; its parameters are the coefficients, then the effects.

    ``loadings`` is H and ``outcome`` is ``y - H m``. ``scale`` numbers the scale of each effect (-1 for coefficients);
    ``shared`` and ``unseen`` number the parameters that touch several trials and none. ``corner`` (shared + right,
    shared + right) holds the equations of the shared parameters and of the right-hand sides: the outcome, then any
    linear ``combinations`` (parameter, combination). ``outer`` holds the products with which the inverses of the own
    blocks enter the upper triangle of ``corner``.
    """

    mean: Array
    fixed_sd: Array
    scale: Index
    loadings: csr_array
    outcome: Array
    shared: Index
    unseen: Index
    trials: tuple[Trial, ...]
    own: tuple[OwnBlock, ...]
    combinations: Array
    corner: Array
    outer: csr_array
    log_det: float

    @property
    def n_row(self) -> int:
        """Number of rows."""
        return len(self.outcome)


@dataclass(frozen=True)
class Reduced:
    """A system whose own parameters are eliminated at each node.

    ``sd`` (parameter, node) holds the prior SDs A, ``inverses`` ``(I + A R A)^-1`` (q, q, trial, node) of each own
    block, ``log_det`` (node,) the sum of the blocks' log determinants and ``products`` (shared + right,
    shared + right, node) what is left of ``corner``.
    """

    sd: Array
    inverses: tuple[Array, ...]
    log_det: Array
    products: Array


def assemble(design: xr.Dataset, *, combinations: Array | None = None) -> System:
    """Build the normal equations of a design.

    Parameters
    ----------
    design : Dataset
    combinations : array (parameter, combination), optional
        Weights of the linear combinations whose moments are wanted.
    """
    loadings = hstack([nonzeros(design["X"]), nonzeros(design["Z"])], format="csr")
    names = design["scale"].to_numpy().tolist()
    effect_scale = [names.index(name) for name in design["effect_scale"].to_numpy().tolist()]
    mean = np.concatenate([design["prior_mean"].to_numpy(), np.zeros(len(effect_scale))])
    outcome = design["y"].to_numpy() - loadings @ mean
    rows = rows_by(design["trial"].to_numpy())
    blocks = diagonal_blocks(nonzeros(design["covariance"]), list(rows.values()))
    touched = touches(loadings, list(rows.values()))
    count = np.bincount(np.concatenate(touched), minlength=len(mean))
    shared = np.flatnonzero(count > 1)

    place, wide = np.empty(len(mean), dtype=np.int64), loadings[:, shared].toarray()
    trials = []
    for name, here, columns, block in zip(rows, rows.values(), touched, blocks, strict=True):
        own = columns[count[columns] == 1]
        place[own] = np.arange(len(own))
        alone = np.zeros((len(here), len(own)))
        for i, row in enumerate(here):
            part = slice(loadings.indptr[row], loadings.indptr[row + 1])
            mine = count[loadings.indices[part]] == 1
            alone[i, place[loadings.indices[part][mine]]] = loadings.data[part][mine]
        factor = np.linalg.cholesky(block)
        trials.append(Trial(name, here, own, np.column_stack([wide[here], alone]), outcome[here], factor))

    weights = np.zeros((len(mean), 0)) if combinations is None else combinations
    p, width = len(shared), len(shared) + 1 + weights.shape[1]
    corner = np.zeros((width, width))
    corner[:p, p + 1 :], corner[p + 1 :, :p] = weights[shared], weights[shared].T
    parts: dict[int, list[tuple[Index, Array, Array]]] = {}
    for one in trials:
        information, cross, rest = trial_equations(one, p)
        corner[: p + 1, : p + 1] += rest
        cross = np.concatenate([cross, weights[one.own]], axis=1)
        parts.setdefault(len(one.own), []).append((one.own, information, cross))
    parts.pop(0, None)
    own_blocks = tuple(
        OwnBlock(
            parameter=np.stack([own for own, _, _ in part], axis=1),
            information=np.stack([information for _, information, _ in part], axis=2),
            cross=np.stack([cross for _, _, cross in part], axis=1),
        )
        for part in parts.values()
    )
    outer = [own_products(block.cross) for block in own_blocks]
    return System(
        mean=mean,
        fixed_sd=np.concatenate([design["prior_sd"].to_numpy(), np.ones(len(effect_scale))]),
        scale=np.array([-1] * design.sizes["coefficient"] + effect_scale, dtype=np.int64),
        loadings=loadings,
        outcome=outcome,
        shared=shared,
        unseen=np.flatnonzero(count == 0),
        trials=tuple(trials),
        own=own_blocks,
        combinations=weights,
        corner=corner,
        outer=csr_array(np.concatenate([np.zeros((width * (width + 1) // 2, 0)), *outer], axis=1)),
        log_det=sum(2 * float(np.log(np.diag(one.factor)).sum()) for one in trials),
    )


def touches(loadings: csr_array, trials: list[Index]) -> list[Index]:
    """Return the parameters that each trial's rows touch, in order."""
    trial = np.empty(loadings.shape[0], dtype=np.int64)
    trial[np.concatenate(trials)] = np.repeat(np.arange(len(trials)), [len(rows) for rows in trials])
    row, column = coo_array(loadings).coords
    of, parameter = np.divmod(np.unique(trial[row] * (loadings.shape[1] + 1) + column), loadings.shape[1] + 1)
    return np.split(parameter, np.searchsorted(of, np.arange(1, len(trials))))


def trial_equations(trial: Trial, n_shared: int) -> tuple[Array, Array, Array]:
    """Return a trial's normal equations: own by own, own by (shared, outcome), (shared, outcome) by itself."""
    whitened = np.linalg.solve(trial.factor, np.column_stack([trial.loadings, trial.outcome]))
    own, rest = whitened[:, n_shared:-1], np.delete(whitened, np.s_[n_shared:-1], axis=1)
    return own.T @ own, own.T @ rest, rest.T @ rest


def reduce(system: System, tau: Array) -> Reduced:
    """Eliminate the own parameters of every trial at each value of ``tau`` (node, scale)."""
    n_node = len(tau)
    sd = np.concatenate([tau.T, np.ones((1, n_node))])[system.scale] * system.fixed_sd[:, None]
    total = np.zeros(n_node)
    inverses, features = [], [np.zeros((0, n_node))]
    for block in system.own:
        inverse, log_det, feature = eliminate_own(block.information, sd[block.parameter])
        total += log_det.sum(axis=0)
        inverses.append(inverse)
        features.append(feature[np.triu_indices(len(feature))].reshape(-1, n_node))
    row, column = np.triu_indices(len(system.corner))
    left = system.corner[row, column, None] - system.outer @ np.concatenate(features)
    products = np.empty((*system.corner.shape, n_node))
    products[row, column] = left
    products[column, row] = left
    return Reduced(sd, tuple(inverses), total, products)


def own_products(cross: Array) -> Array:
    """Return the products (pair of places, pair of own parameters and trial) of ``cross`` (own, trial, place), each pair once."""
    q, _, width = cross.shape
    products = np.einsum("ajp,bjr->prabj", cross, cross)[np.triu_indices(width)]
    products += products.swapaxes(1, 2).copy()
    products[:, np.arange(q), np.arange(q)] /= 2
    return products[(slice(None), *np.triu_indices(q))].reshape(len(products), -1)


def eliminate_own(information: Array, sd: Array) -> tuple[Array, Array, Array]:
    """Return ``(I + A R A)^-1``, its log determinant, and ``A (I + A R A)^-1 A``, for R (q, q, ...), sd (q, ..., node)."""
    scaled = sd[:, None] * information[..., None] * sd[None]
    scaled[np.diag_indices(len(sd))] += 1
    inverse, log_det = invert(scaled)
    return inverse, log_det, sd[:, None] * inverse * sd[None]


def eliminate(matrices: Array, count: int) -> Array:
    """Eliminate the first places of symmetric positive definite matrices (p, p, ...) in place by Gauss-Jordan; return ``log|.|``.

    Of the blocks P, h, h', q it leaves ``P^-1``, ``P^-1 h``, ``-h' P^-1`` and ``q - h' P^-1 h``.
    """
    log_det = np.zeros(matrices.shape[2:])
    for k in range(count):
        pivot = matrices[k, k].copy()
        if not (pivot > 0).all():
            raise np.linalg.LinAlgError("a precision or covariance is not positive definite")
        log_det += np.log(pivot)
        column = matrices[:, k].copy()
        column[k] = 0
        matrices[:, k] = 0
        matrices[k, k] = 1
        matrices[k] /= pivot
        matrices -= column[:, None] * matrices[k]
    return log_det


def invert(matrices: Array) -> tuple[Array, Array]:
    """Invert symmetric positive definite matrices (p, p, ...) in place; also return ``log|.|``."""
    return matrices, eliminate(matrices, len(matrices))


def log_likelihood(system: System, tau: Array) -> Array:
    """Return log p(y | tau) (node,), every parameter integrated out."""
    reduced = reduce(system, tau)
    return bordered_log_likelihood(bordered_precision(system, reduced), reduced.log_det + system.log_det, system.n_row)


def bordered_precision(system: System, reduced: Reduced) -> Array:
    """Return ``I + A R A`` of the shared parameters, bordered by the outcome (shared + 1, shared + 1, node)."""
    n = len(system.shared) + 1
    border = np.concatenate([reduced.sd[system.shared], np.ones((1, reduced.sd.shape[1]))])
    bordered = reduced.products[:n, :n] * border
    bordered *= border[:, None]
    bordered[np.diag_indices(n)] += 1
    return bordered


def bordered_log_likelihood(bordered: Array, log_det: Array, n_row: int) -> Array:
    """Integrate the shared parameters out; ``log_det`` is that of V and of what was eliminated before.

    One Cholesky factor gives the determinant and, in its last entry, the quadratic form.
    """
    diagonal = np.diagonal(np.linalg.cholesky(np.moveaxis(bordered, 2, 0)), axis1=1, axis2=2).T
    return -0.5 * (n_row * LOG_2PI + log_det + 2 * np.log(diagonal[:-1]).sum(axis=0) + diagonal[-1] ** 2 - 1)


def factorise(system: System, reduced: Reduced) -> tuple[Array, Array]:
    """Return the Cholesky factor of the shared ``I + A R A`` (shared, shared, node) and its solution of ``A`` right."""
    p = len(system.shared)
    precision = bordered_precision(system, reduced)[:p, :p]
    lower = np.ascontiguousarray(np.moveaxis(np.linalg.cholesky(np.moveaxis(precision, 2, 0)), 0, 2))
    return lower, solve_lower(lower, reduced.sd[system.shared, None] * reduced.products[:p, p:])


def combination_moments(system: System, tau: Array) -> tuple[Array, Array]:
    """Return the posterior mean and SD (combination, node) of the combinations given to ``assemble``."""
    reduced = reduce(system, tau)
    p = len(system.shared)
    _, half = factorise(system, reduced)
    cross, own = reduced.products[p, p + 1 :], np.einsum("rrn->rn", reduced.products[p + 1 :, p + 1 :])
    mean = (half[:, :1] * half[:, 1:]).sum(axis=0) - cross + (system.mean @ system.combinations)[:, None]
    unseen = system.combinations[system.unseen].T ** 2 @ reduced.sd[system.unseen] ** 2
    return mean, np.sqrt(np.maximum((half[:, 1:] ** 2).sum(axis=0) - own + unseen, 0))


def solve_lower(lower: Array, right: Array) -> Array:
    """Solve ``L x = right`` for stacked lower triangular L (p, p, node) and right (p, r, node)."""
    solution = np.empty_like(right)
    for i in range(len(lower)):
        known = np.einsum("kn,krn->rn", lower[i, :i], solution[:i])
        solution[i] = (right[i] - known) / lower[i, i]
    return solution
