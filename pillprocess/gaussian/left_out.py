r"""What is left of a posterior without each trial in turn, and what it predicts for that trial: scales, coefficients and rows.

Given the scales, the rows are normal with covariance :math:`K = X P X' + Z T Z' + V`. With :math:`Q = K^{-1}` and
:math:`r = y - X m`, the rows of trial j given all others are normal with covariance :math:`S_j = Q_{jj}^{-1}` and residual
:math:`e_j = S_j (Q r)_j`, and coefficients :math:`\beta` lose :math:`P X' Q_{\cdot j} e_j` of their mean and gain
:math:`(P X' Q_{\cdot j}) S_j (P X' Q_{\cdot j})'` of variance. The scales are weighed anew: a node's weight is divided by the
density that it gave to :math:`y_j`.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from pillprocess.gaussian.fit import Grid, integrate
from pillprocess.gaussian.normal_equations import LOG_2PI, Array, Index

SMALLEST_WEIGHT = 1e-6
MOST_NODES = 1500
AT_ONCE = 4_000_000
"""Numbers in the covariances of all rows that are held at once."""


@dataclass(frozen=True)
class Left:
    """One trial left out, at every node of the scales.

    ``weight`` (node,) is the posterior of the scales without the trial; ``residual`` (node, row) and ``covariance`` (node, row,
    row) describe its rows given all others; ``mean`` and ``variance`` (node, coefficient) the coefficients without it.
    """

    trial: str
    rows: Index
    weight: Array
    residual: Array
    covariance: Array
    mean: Array
    variance: Array


@dataclass(frozen=True)
class LeftOut:
    """The whole posterior at the nodes of the scales, and each trial left out."""

    tau: Array
    weight: Array
    mean: Array
    variance: Array
    trials: tuple[Left, ...]


def leave_each_trial_out(design: xr.Dataset, *, grid: Grid | None = None, nodes: int = MOST_NODES) -> LeftOut:
    """Leave each trial out in turn, its scales refitted.

    Parameters
    ----------
    design : Dataset
        The labelled description of the model.
    grid : Grid, optional
        The design integrated over its scales.
    nodes : int
        Most values of the scales that are kept.

    Returns
    -------
    LeftOut
    """
    grid = integrate(design, tolerance=1e-2) if grid is None else grid
    tau, weight = heaviest(grid, nodes)
    X, Z, V = (design[name].to_numpy() for name in ("X", "Z", "covariance"))
    mean, spread = design["prior_mean"].to_numpy(), design["prior_sd"].to_numpy() ** 2
    scale, names = design["effect_scale"].to_numpy(), design["scale"].to_numpy()
    gains = [Z[:, scale == name] @ Z[:, scale == name].T for name in names]
    fixed, cross = (X * spread) @ X.T + V, spread[:, None] * X.T
    residual = design["y"].to_numpy() - X @ mean
    trial = design["trial"].to_numpy()
    rows = {str(name): np.flatnonzero(trial == name) for name in dict.fromkeys(trial)}
    parts = [
        _at_nodes(part, gains=gains, fixed=fixed, cross=cross, residual=residual, mean=mean, spread=spread, rows=rows)
        for part in np.array_split(tau, range(max(1, AT_ONCE // len(V) ** 2), len(tau), max(1, AT_ONCE // len(V) ** 2)))
    ]
    centre, variance = (np.concatenate([part[0][i] for part in parts]) for i in range(2))
    left = []
    for j, (name, here) in enumerate(rows.items()):
        density, *arrays = (np.concatenate([part[1][j][i] for part in parts]) for i in range(5))
        without = np.log(weight) - density
        without = np.exp(without - without.max())
        left.append(Left(name, here, without / without.sum(), *arrays))
    return LeftOut(tau, weight, centre, variance, tuple(left))


def heaviest(grid: Grid, most: int) -> tuple[Array, Array]:
    """Nodes that matter, with their weights; where they are many, as many as are enough, evenly through the whole."""
    kept = np.flatnonzero(grid.weight > SMALLEST_WEIGHT * grid.weight.max())
    tau, weight = grid.tau[kept], grid.weight[kept] / grid.weight[kept].sum()
    if len(kept) <= most:
        return tau, weight
    order = np.lexsort(tau.T)
    tau, weight = tau[order], weight[order]
    picked = np.searchsorted(np.cumsum(weight), (np.arange(most) + 0.5) / most).clip(max=len(tau) - 1)
    nodes, count = np.unique(picked, return_counts=True)
    return tau[nodes], count / most


def _at_nodes(
    tau: Array, *, gains: list[Array], fixed: Array, cross: Array, residual: Array, mean: Array, spread: Array, rows: dict[str, Index]
) -> tuple[tuple[Array, Array], list[tuple[Array, ...]]]:  # fmt: skip
    """Moments of the coefficients at some nodes, and for each trial its log density, rows and coefficients without it."""
    K = np.broadcast_to(fixed, (len(tau), *fixed.shape)).copy()
    for s, gain in enumerate(gains):
        K += tau[:, s, None, None] ** 2 * gain
    Q = np.linalg.inv(K)
    pulled = Q @ residual
    A = cross @ Q
    centre = mean + A @ residual
    variance = spread - (A * cross).sum(axis=2)
    left: list[tuple[Array, ...]] = []
    for here in rows.values():
        S = np.linalg.inv(Q[:, here[:, None], here])
        e = (S @ pulled[:, here, None])[:, :, 0]
        density = -0.5 * (len(here) * LOG_2PI + np.linalg.slogdet(S)[1] + (e * pulled[:, here]).sum(axis=1))
        own = A[:, :, here]
        shift = (own @ e[:, :, None])[:, :, 0]
        growth = ((own @ S) * own).sum(axis=2)
        left.append((density, e, S, centre - shift, variance + growth))
    return (centre, variance), left
