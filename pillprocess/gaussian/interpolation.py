"""Read a density between the nodes of a lattice: draws from it, and its marginals."""

import numpy as np

from pillprocess.gaussian.quadrature import Array, Index, Lattice, log_sum

REFINEMENT = 8
FINEST = 64


def draw_nodes(lattice: Lattice, n: int, rng: np.random.Generator) -> Array:
    """Draw n points x (n, scale) from the density, by a Latin hypercube through its successive conditionals."""
    d = len(lattice.spacing)
    if d == 0:
        return np.empty((n, 0))
    strata = rng.permuted(np.tile(np.arange(n), (d, 1)), axis=1).T
    uniform = (strata + rng.random((n, d))) / n
    low, table = tabulate(lattice)
    x = np.empty((n, d))
    weights: list[Array] = []
    for i, h in enumerate(lattice.spacing):
        rows = log_sum(table, axis=tuple(range(i + 1, d)))[None]
        for weight in weights:
            flat = rows.reshape(len(rows), weight.shape[1], -1)
            rows = (weight @ flat[0] if len(rows) == 1 else (weight[:, None] @ flat)[:, 0]).reshape(n, *rows.shape[2:])
        place = invert_cdf(rows, uniform[:, i])
        weights.append(cubic_weights(rows.shape[1], place))
        x[:, i] = h * (low[i] + place)
    return np.where(lattice.mirrored, np.abs(x), x)


def tabulate(lattice: Lattice) -> tuple[Index, Array]:
    """Return the log density over the lattice's box, and the box's lowest index.

    A mirrored coordinate whose nodes reach 0 gets its other side.
    """
    low = lattice.index.min(axis=0)
    log_density = lattice.log_density[:, 0] - lattice.log_density.max()
    table = np.full(tuple(lattice.index.max(axis=0) - low + 1), 2 * log_density.min() - 1)
    table[tuple((lattice.index - low).T)] = log_density
    for axis in np.flatnonzero(lattice.mirrored & (low == 0)).tolist():
        table = np.concatenate([np.flip(table, axis), np.delete(table, 0, axis)], axis)
        low[axis] = -lattice.index[:, axis].max()
    return low, table


def marginal(lattice: Lattice, number: int) -> tuple[Array, Array]:
    """Return a fine grid over one coordinate, not below 0 if mirrored, and the marginal probability of each cell.

    Probabilities belong to the midpoints between successive grid points.
    """
    low, table = tabulate(lattice)
    others = tuple(axis for axis in range(table.ndim) if axis != number)
    coarse = log_sum(table, axis=others)
    fine = np.linspace(0, len(coarse) - 1, FINEST * (len(coarse) - 1) + 1)
    x = lattice.spacing[number] * (low[number] + fine)
    density = np.exp(cubic_weights(len(coarse), fine) @ coarse)
    keep = x > -0.5 * lattice.spacing[number] / FINEST if lattice.mirrored[number] else np.ones(len(x), dtype=bool)
    x, density = np.maximum(x[keep], 0) if lattice.mirrored[number] else x, density[keep]
    mass = density[1:] + density[:-1]
    return x, mass / mass.sum()


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
    row = np.arange(len(cell)) if len(area) > 1 else np.zeros(len(cell), dtype=np.int64)
    start, end = density[row, cell], density[row, cell + 1]
    rest = target - np.where(cell > 0, area[row, cell - 1], 0)
    return place[cell] + rest / (start + np.sqrt(start**2 + (end - start) * rest)) / REFINEMENT
