r"""The Gaussian linear hierarchical model given its scales: marginal likelihood and conditional moments.

With ``theta = (beta, b)`` the model is ``y ~ Normal(H theta, V)`` and ``theta ~ Normal(m, diag(sd(tau))^2)``, V block
diagonal by trial. A parameter that touches the rows of one trial only (its own baseline, its own deviations) is
eliminated inside that trial's small block; the others are shared by trials and factorised once per value of ``tau``.
All is computed in ``z = (theta - m) / sd``, so that ``tau = 0`` and very wide priors are ordinary values. Arrays end in
the dimension node, one value of ``tau`` each.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, hstack

from pillprocess.gaussian.elimination import eliminate_own, solve_lower
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
    ``shared`` and ``unseen`` number the parameters that touch several trials and none. ``corner`` (shared + outcome,
    shared + right) holds the equations of the shared parameters and of the right-hand sides: the outcome, then any
    linear ``combinations`` (parameter, combination). ``outer`` holds the products with which the inverses of the own
    blocks enter the pairs of places of :func:`wanted_pairs`.
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
    block, ``log_det`` (node,) the sum of the blocks' log determinants, ``products`` (shared + outcome, shared + right,
    node) what is left of ``corner``, and ``squares`` (combination, node) what is left of each combination by itself.
    """

    sd: Array
    inverses: tuple[Array, ...]
    log_det: Array
    products: Array
    squares: Array


def assemble(design: xr.Dataset, *, combinations: Array | None = None, shared: Index | None = None) -> System:
    """Build the normal equations of a design.

    Parameters
    ----------
    design : Dataset
    combinations : array (parameter, combination), optional
        Weights of the linear combinations whose moments are wanted.
    shared : array of int, optional
        Parameters that are kept among the shared ones, though they touch one trial or none.
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
    count[[] if shared is None else shared] = 2
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

    p = len(shared)
    corner = np.zeros((p + 1, p + 1))
    parts: dict[int, list[tuple[Index, Array, Array]]] = {}
    for one in trials:
        information, cross, rest = trial_equations(one, p)
        corner += rest
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
    system = System(
        mean=mean,
        fixed_sd=np.concatenate([design["prior_sd"].to_numpy(), np.ones(len(effect_scale))]),
        scale=np.array([-1] * design.sizes["coefficient"] + effect_scale, dtype=np.int64),
        loadings=loadings,
        outcome=outcome,
        shared=shared,
        unseen=np.flatnonzero(count == 0),
        trials=tuple(trials),
        own=own_blocks,
        combinations=np.zeros((len(mean), 0)),
        corner=corner,
        outer=own_products(own_blocks, wanted_pairs(p + 1, 0)),
        log_det=sum(2 * float(np.log(np.diag(one.factor)).sum()) for one in trials),
    )
    return system if combinations is None else combined(system, combinations)


def combined(system: System, combinations: Array) -> System:
    """The equations with linear combinations (parameter, combination) as right-hand sides beside the outcome."""
    n, m = len(system.corner), combinations.shape[1]
    own = tuple(
        replace(one, cross=np.concatenate([one.cross[:, :, :n], combinations[one.parameter]], axis=2))
        for one in system.own
    )
    border = np.concatenate([combinations[system.shared], np.zeros((1, m))])
    return replace(
        system,
        own=own,
        combinations=combinations,
        corner=np.concatenate([system.corner[:, :n], border], axis=1),
        outer=own_products(own, wanted_pairs(n, m)),
    )


def wanted_pairs(n: int, m: int) -> tuple[Index, Index]:
    """Pairs of places whose products are wanted, each once: of n with themselves, of n with m others, of each of the m with itself."""
    row, column = upper(n)
    others = np.arange(n, n + m)
    first = np.concatenate([row, np.repeat(np.arange(n), m), others])
    return first, np.concatenate([column, np.tile(others, n), others])


@cache
def upper(n: int) -> tuple[Index, Index]:
    """Row and column numbers of the upper triangle of a square of n."""
    row, column = np.triu_indices(n)
    return row, column


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
    n_node, n = len(tau), len(system.corner)
    m = system.corner.shape[1] - n
    sd = np.concatenate([tau.T, np.ones((1, n_node))])[system.scale] * system.fixed_sd[:, None]
    total = np.zeros(n_node)
    inverses, features = [], [np.zeros((0, n_node))]
    for block in system.own:
        inverse, log_det, feature = eliminate_own(block.information, sd[block.parameter])
        total += log_det.sum(axis=0)
        inverses.append(inverse)
        features.append(feature[upper(len(feature))].reshape(-1, n_node))
    row, column = upper(n)
    whole = np.concatenate([system.corner[row, column], system.corner[:, n:].ravel(), np.zeros(m)])
    left = whole[:, None] - system.outer @ np.concatenate(features)
    triangle, across, squares = np.split(left, [len(row), len(row) + n * m])
    products = np.empty((n, n + m, n_node))
    products[row, column] = triangle
    products[column, row] = triangle
    products[:, n:] = across.reshape(n, m, n_node)
    return Reduced(sd, tuple(inverses), total, products, squares)


def own_products(own: tuple[OwnBlock, ...], pairs: tuple[Index, Index]) -> csr_array:
    """Return the products (pair of places, pair of own parameters and trial) of every block's ``cross``, each pair once."""
    row, column = pairs
    parts = [np.zeros((len(row), 0))]
    for cross in (block.cross for block in own):
        products = np.einsum("ajr,bjr->rabj", cross[..., row], cross[..., column])
        products += products.swapaxes(1, 2).copy()
        products[:, np.arange(len(cross)), np.arange(len(cross))] /= 2
        parts.append(products[(slice(None), *upper(len(cross)))].reshape(len(row), -1))
    return csr_array(np.concatenate(parts, axis=1))


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
    """Return the posterior mean and SD (combination, node) of the combinations given to ``assemble`` or ``combined``."""
    reduced = reduce(system, tau)
    p = len(system.shared)
    _, half = factorise(system, reduced)
    mean = (half[:, :1] * half[:, 1:]).sum(axis=0) - reduced.products[p, p + 1 :]
    mean += (system.mean @ system.combinations)[:, None]
    unseen = system.combinations[system.unseen].T ** 2 @ reduced.sd[system.unseen] ** 2
    return mean, np.sqrt(np.maximum((half[:, 1:] ** 2).sum(axis=0) - reduced.squares + unseen, 0))
