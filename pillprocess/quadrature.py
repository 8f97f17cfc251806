r"""Integrate a density over a few scale parameters on an adaptive lattice, and draw from it.

Each scale ``tau >= 0`` is written as a function of a coordinate x in which the integrand is smooth and falls off at
both ends. There the plain lattice sum ``prod(h) * sum f(h k)``, the trapezoidal rule, converges geometrically in the
spacing h (Trefethen & Weideman 2014, doi:10.1137/130932132).

=============== ======================================= ======================
prior           tau                                     x
=============== ======================================= ======================
halfnormal      unit sinh(x)                            x >= 0, mirrored at 0
halfcauchy      unit sinh(x)                            x >= 0, mirrored at 0
uniform(0, b)   b tanh(x)                               x >= 0, mirrored at 0
uniform(a, b)   (a + b) / 2 + (b - a) / 2 tanh(x)       the whole line
invgamma        sqrt(b / a) exp(x), prior on tau^2      the whole line
invgamma_sd     b / a exp(x), prior on tau              the whole line
=============== ======================================= ======================

A likelihood depends on tau^2 only, so a mirrored integrand is even and smooth through 0: a posterior piled up at
tau = 0 costs no accuracy.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from math import lgamma, log, pi

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Index = NDArray[np.int64]

FAMILIES = ("halfnormal", "halfcauchy", "uniform", "invgamma", "invgamma_sd")
COARSE_SPACING = 0.8
SPACING_PER_SD = {1: 0.2, 2: 0.6, 3: 1.0, 4: 1.1}
WIDEST_SPACING = {1: 0.2, 2: 0.5, 3: 0.8, 4: 0.8}
START_RADIUS = {1: 15, 2: 4, 3: 2, 4: 1}
REFINEMENT = 8
OFFSET, BITS = 1 << 14, 15


class QuadratureError(ArithmeticError):
    """The integral over the scales did not settle."""


@dataclass(frozen=True)
class ScalePrior:
    """The prior of one scale: its family, its numbers, and the unit of its coordinate x."""

    family: str
    a: float
    b: float
    unit: float

    @property
    def mirrored(self) -> bool:
        """Whether x starts at 0 and is mirrored there."""
        return self.family in ("halfnormal", "halfcauchy") or (self.family == "uniform" and self.a == 0)

    def at(self, x: Array) -> tuple[Array, Array]:
        """Return tau at x and the log prior density of x."""
        a, b = self.a, self.b
        match self.family:
            case "halfnormal":
                tau = self.unit * np.sinh(x)
                return tau, 0.5 * log(2 / pi) - log(a) - 0.5 * (tau / a) ** 2 + np.log(self.unit * np.cosh(x))
            case "halfcauchy":
                tau = self.unit * np.sinh(x)
                return tau, log(2 / (pi * a)) - np.log1p((tau / a) ** 2) + np.log(self.unit * np.cosh(x))
            case "uniform":
                width = b if self.mirrored else (b - a) / 2
                return b + width * (np.tanh(x) - 1), log(width / (b - a)) - 2 * np.log(np.cosh(x))
            case _:
                power = 2 if self.family == "invgamma" else 1
                value = b / a * np.exp(power * x)
                log_prior = a * log(b) - lgamma(a) - (a + 1) * np.log(value) - b / value
                return value ** (1 / power), log_prior + np.log(power * value)


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
    log_density: Callable[[Array], Array], mirrored: NDArray[np.bool_], *, tolerance: float
) -> Lattice:
    """Find a lattice on which the integrals of one or several densities are exact to ``tolerance``.

    Parameters
    ----------
    log_density : callable
        From x (node, scale) to log densities (node, density).
    mirrored : array of bool (scale,)
    tolerance : float
        Largest accepted disagreement between the log integrals from the two halves of the lattice (its checkerboard
        colours); each half is coarser, so the error of the whole is smaller.

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
    mode = seeds[log_density(seeds * spacing).argmax(axis=0)]
    for _ in range(60):
        mode, sd = climb(log_density, spacing=spacing, mirrored=mirrored, mode=mode)
        finer = np.minimum(SPACING_PER_SD[d] * sd, WIDEST_SPACING[d]) / spacing
        mode, spacing = np.rint(mode / finer).astype(np.int64), spacing * finer
        if (np.abs(np.log(finer)) < log(1.5)).all():
            break
    start = surround(mode, mirrored, START_RADIUS[d])
    for _ in range(60):
        lattice = explore(log_density, spacing=spacing, mirrored=mirrored, start=start, depth=3 - log(tolerance))
        if disagreement(lattice, np.ones(d, dtype=np.int64)) < tolerance:
            return lattice
        worst = np.argmax([disagreement(lattice, axis) for axis in np.eye(d, dtype=np.int64)])
        finer = np.where(np.arange(d) == worst, 0.7, 1.0)
        start, spacing = np.rint(start / finer).astype(np.int64), spacing * finer
    raise QuadratureError("the integral over the scales did not settle: the density is not smooth in its scales")


def climb(
    log_density: Callable[[Array], Array], *, spacing: Array, mirrored: NDArray[np.bool_], mode: Index
) -> tuple[Index, Array]:
    """Walk over the lattice to the mode of each density; also return the smallest SD (scale,) along each axis."""
    column = np.arange(len(mode))
    while True:
        around = surround(mode, mirrored, 1)
        value = log_density(around * spacing)
        best = around[value.argmax(axis=0)]
        if (best == mode).all():
            break
        mode = best
    top = value.max(axis=0)
    sd = np.empty(len(spacing))
    for i, h in enumerate(spacing):
        beside = [fold(mode + step * (np.arange(len(spacing)) == i), mirrored) for step in (-1, 1)]
        rows = [(around == b[:, None]).all(axis=2).argmax(axis=1) for b in beside]
        curvature = sum(top - value[row, column] for row in rows)
        sd[i] = h / np.sqrt(np.maximum(curvature, 1e-12).max())
    return mode, sd


def surround(centre: Index, mirrored: NDArray[np.bool_], radius: int) -> Index:
    """Return the distinct lattice indices in the cubes of the given radius around each centre (density, scale)."""
    steps = np.array(list(itertools.product(range(-radius, radius + 1), repeat=centre.shape[1])))
    around = fold((centre[:, None] + steps).reshape(-1, centre.shape[1]), mirrored)
    return decode(np.unique(encode(around)), centre.shape[1])


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
    steps = np.concatenate([np.eye(d, dtype=np.int64), -np.eye(d, dtype=np.int64)])
    keys = np.unique(encode(start))
    index = frontier = decode(keys, d)
    value = log_density(index * spacing)
    found = value
    while len(frontier):
        active = frontier[(found > value.max(axis=0) - depth).any(axis=1)]
        around = fold((active[:, None] + steps).reshape(2 * d * len(active), d), mirrored)
        fresh = np.setdiff1d(encode(around), keys)
        if not len(fresh):
            break
        frontier = decode(fresh, d)
        found = log_density(frontier * spacing)
        keys, index = np.concatenate([keys, fresh]), np.concatenate([index, frontier])
        value = np.concatenate([value, found])
    return Lattice(index, spacing, mirrored, value)


def encode(index: Index) -> Index:
    """Pack lattice indices (node, scale) into single integers."""
    return ((index + OFFSET) << (BITS * np.arange(index.shape[1]))).sum(axis=1)


def decode(keys: Index, d: int) -> Index:
    """Unpack what ``encode`` packed."""
    return ((keys[:, None] >> (BITS * np.arange(d))) & (2 * OFFSET - 1)) - OFFSET


def disagreement(lattice: Lattice, axis: Index) -> float:
    """Return the largest |log ratio| of the integrals from the nodes with even and with odd ``index @ axis``."""
    odd = (lattice.index @ axis) % 2 == 1
    weight = np.exp(lattice.log_weight - lattice.log_weight.max(axis=0))
    even_sum, odd_sum = weight[~odd].sum(axis=0), weight[odd].sum(axis=0)
    tiny = np.finfo(float).tiny
    return float(np.abs(np.log(even_sum + tiny) - np.log(odd_sum + tiny)).max())


def log_sum(values: Array, axis: int | tuple[int, ...] = 0) -> Array:
    """Return the log of the sum of exponentials."""
    top = values.max(axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.exp(values - top).sum(axis=axis))


def draw_nodes(lattice: Lattice, n: int, rng: np.random.Generator) -> Array:
    """Draw n points x (n, scale) from the density, by a Latin hypercube through its successive conditionals."""
    d = len(lattice.spacing)
    strata = rng.permuted(np.tile(np.arange(n), (d, 1)), axis=1).T
    uniform = (strata + rng.random((n, d))) / n
    low, table = tabulate(lattice)
    x = np.empty((n, d))
    weights: list[Array] = []
    for i, h in enumerate(lattice.spacing):
        marginal = np.broadcast_to(log_sum(table, axis=tuple(range(i + 1, d))), (n, *table.shape[: i + 1]))
        for weight in weights:
            marginal = np.einsum("sn,sn...->s...", weight, marginal)
        place = invert_cdf(marginal, uniform[:, i])
        weights.append(cubic_weights(marginal.shape[1], place))
        x[:, i] = h * (low[i] + place)
    return np.where(lattice.mirrored, np.abs(x), x)


def tabulate(lattice: Lattice) -> tuple[Index, Array]:
    """Return the log density as a full table over its box, mirrored sides included, and the index of its corner."""
    low = np.where(lattice.mirrored, 0, lattice.index.min(axis=0))
    log_density = lattice.log_density[:, 0] - lattice.log_density.max()
    table = np.full(tuple(lattice.index.max(axis=0) - low + 1), 2 * log_density.min())
    table[tuple((lattice.index - low).T)] = log_density
    for axis in np.flatnonzero(lattice.mirrored):
        table = np.concatenate([np.flip(table, axis), np.delete(table, 0, axis)], axis)
        low[axis] = -lattice.index[:, axis].max()
    return low, table


def cubic_weights(n: int, place: Array) -> Array:
    """Return weights (place, n) that interpolate values at 0, 1, ..., n - 1 by cubic convolution.

    Exact for quadratics, and local (Keys 1981, doi:10.1109/TASSP.1981.1163711).
    """
    left = np.clip(place.astype(np.int64), 0, max(n - 2, 0))
    t = place - left
    kernel = (
        t * (t * (2 - t) - 1) / 2,
        (t * t * (3 * t - 5) + 2) / 2,
        t * (t * (4 - 3 * t) + 1) / 2,
        t * t * (t - 1) / 2,
    )
    weights = np.zeros((len(place), n))
    row = np.arange(len(place))
    for step, weight in zip((-1, 0, 1, 2), kernel, strict=True):
        weights[row, np.clip(left + step, 0, n - 1)] += weight
    return weights


def invert_cdf(log_density: Array, probability: Array) -> Array:
    """Return where the CDF of each row of log densities at 0, 1, ..., n - 1 passes each probability.

    The log density is refined by cubic convolution; between its finer points the density is linear.
    """
    n = log_density.shape[1]
    place = np.linspace(0, n - 1, REFINEMENT * (n - 1) + 1)
    fine = log_density @ cubic_weights(n, place).T
    density = np.exp(fine - fine.max(axis=1, keepdims=True))
    area = np.cumsum(density[:, 1:] + density[:, :-1], axis=1)
    target = probability * area[:, -1]
    cell = (area < target[:, None]).sum(axis=1)
    row = np.arange(len(cell))
    start, end = density[row, cell], density[row, cell + 1]
    rest = target - np.where(cell > 0, area[row, cell - 1], 0)
    return place[cell] + rest / (start + np.sqrt(start**2 + (end - start) * rest)) / REFINEMENT
