r"""What is left of a posterior without each trial in turn, and what it predicts for that trial: scales, coefficients and rows.

In the words of :mod:`pillprocess.gaussian.trial_rows`, with :math:`G = (D - T)^{-1}`: at each value of the scales the rows of
trial j given all others are normal with covariance :math:`D G D` and residual :math:`D G \rho`, and the shared parameters lose
:math:`C W' G \rho` of their mean and gain :math:`C W' G W C` of variance. The scales are weighed anew: a node's weight is
divided by the density that it gave to :math:`y_j`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pillprocess.gaussian.elimination import eliminate
from pillprocess.gaussian.fit import Grid, in_chunks, integrate
from pillprocess.gaussian.normal_equations import LOG_2PI, Array, Index, System, assemble
from pillprocess.gaussian.trial_rows import Rows, given_shared, rows_alike, seen_from_shared, shared_posterior

SMALLEST_WEIGHT = 1e-6
MOST_NODES = 1500
AT_ONCE = 2**20
"""Numbers (pair of rows, trial, node) that are held at once."""


@dataclass(frozen=True)
class Left:
    """Some trials that have n rows, each left out, at every node of the scales.

    ``trials`` numbers them. ``weight`` (trial, node) is the posterior of the scales without each; ``residual`` (n, trial, node)
    and ``covariance`` (n, n, trial, node) describe its rows given all other trials; ``mean`` and ``variance`` (coefficient,
    trial, node) the coefficients without it.
    """

    trials: Index
    weight: Array
    residual: Array
    covariance: Array
    mean: Array
    variance: Array


@dataclass(frozen=True)
class LeftOut:
    """The whole posterior at the nodes of the scales, ``mean`` and ``variance`` (coefficient, node); trials left out, some at a time."""

    system: System
    tau: Array
    weight: Array
    mean: Array
    variance: Array
    trials: Iterator[Left]


def leave_each_trial_out(
    design: xr.Dataset, *, coefficients: Index | None = None, grid: Grid | None = None, nodes: int = MOST_NODES
) -> LeftOut:
    """Leave each trial out in turn, its scales refitted.

    Parameters
    ----------
    design : Dataset
        The labelled description of the model.
    coefficients : array of int, optional
        The coefficients that are wanted, in order; by default none.
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
    wanted = np.zeros(0, dtype=np.int64) if coefficients is None else coefficients
    all_shared = np.isin(wanted, grid.system.shared).all()
    system = grid.system if all_shared else assemble(design, shared=wanted)
    alike = rows_alike(system, numbers=max(1, AT_ONCE // len(tau)))
    parts = []
    for part in in_chunks(tau, system, numbers=sum(rows.products.shape[1] for rows in alike)):
        parts.append(shared_posterior(system, alike, [given_shared(rows, part) for rows in alike], part)[1:])
    mean, covariance = (np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True))
    places = np.searchsorted(system.shared, wanted)
    trials = (_without_each(system, rows, tau, weight, mean, covariance, places) for rows in alike)
    whole = mean[places] + system.mean[wanted, None], covariance[places, places]
    return LeftOut(system, tau, weight, *whole, trials)


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


def _without_each(
    system: System, rows: Rows, tau: Array, weight: Array, mean: Array, covariance: Array, places: Index
) -> Left:
    """Leave out each of some trials; ``places`` are those of the wanted coefficients among the shared parameters."""
    given, (rho, uncertainty) = given_shared(rows, tau), seen_from_shared(rows, mean, covariance)
    n, n_trial, n_node = rho.shape
    gain = given.covariance - uncertainty
    factors = [system.trials[number].factor for number in rows.trials]
    log_unit = np.array([np.log(np.diag(factor)).sum() for factor in factors])
    log_det = 2 * (given.log_det + log_unit[:, None]) - eliminate(gain, n)
    pulled = np.einsum("abtn,btn->atn", gain, rho)
    density = -0.5 * (n * LOG_2PI + log_det + (rho * pulled).sum(axis=0))
    without = np.log(weight) - density
    without = np.exp(without - without.max(axis=1, keepdims=True))

    back = np.stack([np.linalg.inv(rows.turn[:, :, j]) for j in range(n_trial)], axis=2)
    reach = np.einsum("aet,ebtn->abtn", back, given.covariance)
    centres, variances = [], []
    for place in places:
        toward = rows.loadings[:, :, :-1] @ covariance[:, place]
        centres.append(mean[place] + system.mean[system.shared[place]] - (toward * pulled).sum(axis=0))
        variances.append(covariance[place, place] + (toward * np.einsum("abtn,btn->atn", gain, toward)).sum(axis=0))
    return Left(
        rows.trials,
        without / without.sum(axis=1, keepdims=True),
        np.einsum("abtn,btn->atn", reach, pulled),
        np.einsum("abtn,cbtn->actn", np.einsum("abtn,bctn->actn", reach, gain), reach),
        np.array(centres).reshape(-1, n_trial, n_node),
        np.array(variances).reshape(-1, n_trial, n_node),
    )
