"""Exact posterior summaries of a design: linear combinations of its parameters, and its scales."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr, ndtri

from pillprocess.gaussian.design_checks import parameter_names
from pillprocess.gaussian.fit import Grid, in_chunks, integrate
from pillprocess.gaussian.interpolation import marginal
from pillprocess.gaussian.normal_equations import Array, combination_moments, combined

COMBINATIONS_AT_ONCE = 16
TOLERANCES = {"xatol": 1e-11, "xrtol": 1e-11, "fatol": 1e-12}
BEYOND = 1e-9
"""In posterior SDs: how far a bracket reaches beyond its ends, for ends at the answer bracket nothing."""


def linear_summary(
    design: xr.Dataset, combinations: Mapping[str, Mapping[str, float]] | None = None, *, level: float = 0.95
) -> pd.DataFrame:
    """Summarise linear combinations of parameters; their posteriors are mixtures of normals, known exactly.

    Parameters
    ----------
    design : Dataset
        The labelled description of the model.
    combinations : mapping, optional
        Weights of parameters by name, by the name of the combination: ``{"psilocybin": {"delta": 1,
        "v[psilocybin]": 1}}``. By default, every coefficient and effect.
    level : float
        Probability of the equal-tailed interval.

    Returns
    -------
    DataFrame
        Indexed by combination: ``mean``, ``sd``, ``ci_low``, ``ci_high``, ``p_below`` (probability of being below 0).
        Accurate to four digits; for random effects whose SD may be 0, interval and probability to .002.

    Raises
    ------
    ValueError
        A combination names a parameter that the design does not have.
    """
    names = [*parameter_names(design, "coefficient"), *parameter_names(design, "effect")]
    wanted = {name: {name: 1.0} for name in names} if combinations is None else combinations
    unknown = [f"{of}: {name}" for of, weights in wanted.items() for name in weights if name not in names]
    if unknown:
        raise ValueError(f"no such parameter: {', '.join(unknown)}; the design has {', '.join(names)}")
    weights = np.array([[one.get(name, 0.0) for one in wanted.values()] for name in names]).reshape(len(names), -1)
    grid = integrate(design, spacing=0.5 if weights[design.sizes["coefficient"] :].any() else 1.0)
    parts = [
        summarise_mixture(grid, weights[:, start : start + COMBINATIONS_AT_ONCE], level=level)
        for start in range(0, weights.shape[1], COMBINATIONS_AT_ONCE)
    ]
    columns = ["mean", "sd", "ci_low", "ci_high", "p_below"]
    return pd.DataFrame(
        np.concatenate(parts, axis=1).T, index=pd.Index(list(wanted), name="combination"), columns=columns
    )


def summarise_mixture(grid: Grid, weights: Array, *, level: float) -> Array:
    """Return mean, SD, interval and P(< 0), stacked (5, combination), of combinations (parameter, combination)."""
    kept = grid.weight > 1e-12 * grid.weight.max()
    probability, tau = grid.weight[kept, None] / grid.weight[kept].sum(), grid.tau[kept]
    system = combined(grid.system, weights)
    parts = [combination_moments(system, part) for part in in_chunks(tau, system)]
    mean, sd = (np.concatenate(moments, axis=1).T for moments in zip(*parts, strict=True))

    return mixture_summary(mean, sd, probability, level=level)


def mixture_summary(mean: Array, sd: Array, probability: Array, *, level: float) -> Array:
    """Return mean, SD, interval and P(< 0), stacked (5, combination), of mixtures of normals (node, combination); probability (node, 1)."""
    certain = not (sd > 0).all()

    def cdf(value: Array, of: Array | slice = slice(None)) -> Array:
        distance = value - mean[:, of]
        if certain:
            standard = np.divide(distance, sd[:, of], out=np.copysign(np.inf, distance), where=sd[:, of] > 0)
            distance = np.where(distance == 0, 0, standard)
        else:
            distance /= sd[:, of]
        below: Array = probability[:, 0] @ ndtr(distance, out=distance)
        return below

    centre = (probability * mean).sum(axis=0)
    spread = np.sqrt((probability * (sd**2 + (mean - centre) ** 2)).sum(axis=0))
    unit, number = np.where(spread > 0, spread, 1.0), np.arange(len(spread))

    from scipy.optimize.elementwise import find_root  # here, as few commands need it and it loads slowly

    def quantile(p: float) -> Array:
        ends = (mean + ndtri(p) * sd - centre) / unit
        bracket = ends.min(axis=0) - BEYOND, ends.max(axis=0) + BEYOND
        found = find_root(
            lambda z, of: cdf(centre[of] + unit[of] * z, of) - p, bracket, args=(number,), tolerances=TOLERANCES
        )
        return np.where(spread > 0, centre + unit * found.x, centre)

    tail = (1 - level) / 2
    return np.stack([centre, spread, quantile(tail), quantile(1 - tail), cdf(np.zeros(len(centre)))])


def scale_summary(design: xr.Dataset, *, level: float = 0.95) -> pd.DataFrame:
    """Summarise the posterior of every scale.

    Parameters
    ----------
    design : Dataset
    level : float
        Probability of the equal-tailed interval.

    Returns
    -------
    DataFrame
        Indexed by scale: ``mean``, ``sd``, ``median``, ``ci_low``, ``ci_high``.
    """
    grid = integrate(design, spacing=0.5)
    tail = (1 - level) / 2
    rows = []
    for number, prior in enumerate(grid.priors):
        x, mass = marginal(grid.lattice, number)
        tau, _ = prior.at(x)
        middle = (tau[1:] + tau[:-1]) / 2
        mean = float(mass @ middle)
        cdf = np.concatenate([[0.0], np.cumsum(mass)])
        median, low, high = np.interp([0.5, tail, 1 - tail], cdf, tau)
        rows.append((mean, float(np.sqrt(mass @ middle**2 - mean**2)), median, low, high))
    index = pd.Index(design["scale"].to_numpy(), name="scale")
    return pd.DataFrame(rows, index=index, columns=["mean", "sd", "median", "ci_low", "ci_high"])
