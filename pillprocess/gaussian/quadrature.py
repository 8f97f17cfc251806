r"""Integrate densities over a few coordinates on an adaptive lattice.

The plain lattice sum ``prod(h) * sum f(h k)``, the trapezoidal rule, converges geometrically in the spacing h for a
smooth f that falls off on all sides (Trefethen & Weideman 2014, doi:10.1137/130932132), so nearly all the work is to
find where f is not small.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Index = NDArray[np.int64]

# by the number of coordinates: how fine the lattice starts, and how far below the top, beyond the tolerance, it reaches
SPACING_PER_SD = {1: 0.08, 2: 0.6, 3: 0.8, 4: 0.9}
WIDEST_SPACING = {1: 0.08, 2: 0.5, 3: 0.4, 4: 0.6}
START_RADIUS = {1: 30, 2: 4, 3: 2, 4: 1}
DEPTH = {1: 10.0, 2: 6.0, 3: 4.0, 4: 3.0}
REACH = {1: 10, 2: 2, 3: 1, 4: 1}

COARSE_SPACING = 0.8
NARROWINGS = 60
REFINEMENTS = 6
LONGEST_CLIMB = 2000
OFFSET, BITS = 1 << 14, 15


class QuadratureError(ArithmeticError):
    """The integral over the scales did not settle."""


@dataclass(frozen=True)
class Lattice:
    """Nodes ``x = spacing * index`` with the log densities there and the log volume each node stands for."""

    index: Index
    spacing: Array
    mirrored: NDArray[np.bool_]
    log_density: Array

    @property
    def log_weight(self) -> Array:
        """Log of density times volume (node, density)."""
        halved = (self.mirrored & (self.index == 0)).sum(axis=1)
        return self.log_density + (np.log(self.spacing).sum() - log(2) * halved)[:, None]


def integrate_lattice(
    log_density: Callable[[Array], Array],
    mirrored: NDArray[np.bool_],
    *,
    tolerance: float,
    spacing_factor: float = 1.0,
    first: Callable[[Array], Array] | None = None,
) -> Lattice:
    """Find a lattice on which the integrals of one or several similar densities are accurate.

    Parameters
    ----------
    log_density : callable
        From x (node, scale) to log densities (node, density). The first sets the starting point and spacing.
    mirrored : array of bool (scale,)
    tolerance : float
        Accepted error of the log integrals. A sum over every second node of an axis errs by about the square root of
        the error of the whole (more, if the density is nearly normal), and is seen from the other half.
    spacing_factor : float
        Factor on the spacing to start from.
    first : callable, optional
        From x to the first density alone (node, 1), where that costs less than all of them: the start needs no other.

    Raises
    ------
    QuadratureError
        If it is not reached, which a density that is smooth in x does not do.
    """
    d = len(mirrored)
    if d == 0:
        return explore(log_density, spacing=np.zeros(0), mirrored=mirrored, start=np.zeros((1, 0), int), depth=0.0)
    spacing = np.full(d, COARSE_SPACING)
    seeds = np.array(list(itertools.product(*[(0, 2, 4) if m else (-2, 0, 2) for m in mirrored])))
    first = first or log_density
    mode = seeds[first(seeds * spacing)[:, 0].argmax()]
    for _ in range(NARROWINGS):
        mode, sd = climb(first, spacing=spacing, mirrored=mirrored, mode=mode)
        finer = np.minimum(SPACING_PER_SD[d] * sd, WIDEST_SPACING[d]) / spacing
        mode, spacing = np.rint(mode / finer).astype(np.int64), spacing * finer
        if (np.abs(np.log(finer)) < log(1.5)).all():
            break
    mode, spacing = np.rint(mode / spacing_factor).astype(np.int64), spacing * spacing_factor
    start = surround(mode, mirrored, START_RADIUS[d])
    for _ in range(REFINEMENTS):
        lattice = explore(log_density, spacing=spacing, mirrored=mirrored, start=start, depth=DEPTH[d] - log(tolerance))
        coarser_error = disagreement(lattice)
        if coarser_error.max() ** 2 < tolerance:
            return lattice
        finer = np.clip(np.log(coarser_error) / log(0.7 * tolerance**0.5), 0.5, 1.0)
        start, spacing = np.rint(start / finer).astype(np.int64), spacing * finer
    raise QuadratureError("the integral over the scales did not settle: the density is not smooth in its scales")


def climb(
    log_density: Callable[[Array], Array], *, spacing: Array, mirrored: NDArray[np.bool_], mode: Index
) -> tuple[Index, Array]:
    """Walk over the lattice to the mode of the first density; also return its SD (scale,) along each axis there."""
    for _ in range(LONGEST_CLIMB):
        around = surround(mode, mirrored, 1)
        value = log_density(around * spacing)[:, 0]
        best = around[value.argmax()]
        if (best == mode).all():
            break
        mode = best
    curvature = np.zeros(len(mode))
    for step in np.concatenate([np.eye(len(mode), dtype=np.int64), -np.eye(len(mode), dtype=np.int64)]):
        beside = (around == fold(mode + step, mirrored)).all(axis=1)
        curvature += (value.max() - value[beside]) * np.abs(step)
    return mode, spacing / np.sqrt(np.maximum(curvature, 1e-12))


def surround(centre: Index, mirrored: NDArray[np.bool_], radius: int) -> Index:
    """Return the distinct lattice indices in the cube of the given radius around a centre (scale,)."""
    steps = np.array(list(itertools.product(range(-radius, radius + 1), repeat=len(centre))))
    return decode(distinct(encode(fold(centre + steps, mirrored))), len(centre))


def fold(index: Index, mirrored: NDArray[np.bool_]) -> Index:
    """Reflect mirrored coordinates to the side that is evaluated."""
    return np.where(mirrored, np.abs(index), index)


def explore(
    log_density: Callable[[Array], Array],
    *,
    spacing: Array,
    mirrored: NDArray[np.bool_],
    start: Index,
    depth: float,
) -> Lattice:
    """Evaluate nodes outward from ``start`` until all neighbours of nodes within ``depth`` of the top are in."""
    d = len(spacing)
    axes = np.eye(d, dtype=np.int64)
    reach = REACH.get(d, 0)
    steps = np.concatenate([k * axes for k in range(-reach, reach + 1)])
    known = distinct(encode(start))
    index = frontier = decode(known, d)
    value = log_density(index * spacing)
    found = value
    while len(frontier):
        active = frontier[(found > value.max(axis=0) - depth).any(axis=1)]
        around = fold((active[:, None] + steps).reshape(len(steps) * len(active), d), mirrored)
        around_keys = distinct(encode(around))
        fresh = around_keys[known.take(np.searchsorted(known, around_keys), mode="clip") != around_keys]
        if not len(fresh):
            break
        frontier = decode(fresh, d)
        found = log_density(frontier * spacing)
        known, index = np.sort(np.concatenate([known, fresh])), np.concatenate([index, frontier])
        value = np.concatenate([value, found])
    return Lattice(index, spacing, mirrored, value)


def encode(index: Index) -> Index:
    """Pack lattice indices (node, scale) into single integers."""
    return ((index + OFFSET) << (BITS * np.arange(index.shape[1]))).sum(axis=1)


def decode(keys: Index, d: int) -> Index:
    """Unpack what ``encode`` packed."""
    return ((keys[:, None] >> (BITS * np.arange(d))) & (2 * OFFSET - 1)) - OFFSET


def distinct(keys: Index) -> Index:
    """Return each packed index once, sorted; for integers forty times as fast as NumPy's ``unique``, which hashes them."""
    ordered = np.sort(keys)
    return ordered[np.diff(ordered, prepend=-1) != 0]


def disagreement(lattice: Lattice) -> Array:
    """Return, for each scale, the largest |log ratio| of the integrals from the nodes with even and with odd index."""
    weight = np.exp(lattice.log_weight - lattice.log_weight.max(axis=0))
    tiny = np.finfo(float).tiny
    sums = [[weight[column % 2 == parity].sum(axis=0) + tiny for parity in (0, 1)] for column in lattice.index.T]
    return np.array([max(np.abs(np.log(even) - np.log(odd)).max(), tiny) for even, odd in sums])


def log_sum(values: Array, axis: int | tuple[int, ...] = 0) -> Array:
    """Return the log of the sum of exponentials."""
    top = values.max(axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.exp(values - top).sum(axis=axis))
