"""Tables: labelled draws to a DataFrame of estimates."""

import math

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.output.kinds import need

FACTS = ("trials", "evidence")
"""Coordinates of draws that their tables carry: how many trials tried a setting, and what carries it over where none did."""

COLUMNS = ["mean", "sd", "ci_low", "ci_high", "p_below", "ess"]


def effect_table(draws: xr.DataArray | xr.Dataset, *, level: float = 0.95) -> pd.DataFrame:
    """Summarise draws.

    Parameters
    ----------
    draws
        DataArray or Dataset with dims chain and draw and any others.
    level
        Probability of the equal-tailed interval.

    Returns
    -------
    DataFrame, one row per quantity: a column per remaining dim (and ``estimand`` for a Dataset), ``trials`` and ``evidence``
    where the draws carry them as coordinates, then ``mean``, ``sd``,
    ``ci_low``, ``ci_high``, ``p_below`` (posterior probability that the quantity is below 0: improvement) and ``ess``
    (bulk effective sample size).

    Raises
    ------
    ValueError
        Draws without chain or draw dims, or a level outside (0, 1).

    Examples
    --------
    >>> import pillprocess as pp
    >>> import xarray as xr
    >>> values = [[[-1.0, 0.5], [-0.8, 0.3], [-0.6, -0.2], [-0.4, 0.2]]]
    >>> draws = xr.DataArray(values, dims=("chain", "draw", "drug"), coords={"drug": ["a", "b"]})
    >>> pp.effect_table(draws)[["drug", "mean", "sd", "p_below"]].round(2)
      drug  mean    sd  p_below
    0    a  -0.7  0.26     1.00
    1    b   0.2  0.29     0.25
    """
    table = interval_table(draws, level=level)
    arrays = [draws[name] for name in draws.data_vars] if isinstance(draws, xr.Dataset) else [draws]
    return table.assign(ess=np.concatenate([np.empty(0), *(_effective_sizes(array) for array in arrays)]))


def interval_table(draws: xr.DataArray | xr.Dataset, *, level: float = 0.95) -> pd.DataFrame:
    """Summarise draws as :func:`effect_table` does, without effective sample sizes: nothing heavy is imported."""
    need(
        draws,
        (xr.DataArray, xr.Dataset),
        "draws (DataArray or Dataset with dims chain and draw), as from natural_effects(idata)",
    )
    if not 0 < level < 1:
        raise ValueError(f"level = {level}; it must lie between 0 and 1")
    if isinstance(draws, xr.Dataset):
        if not draws.data_vars:
            return pd.DataFrame(columns=["estimand", *COLUMNS[:-1]], dtype=float)
        tables = [interval_table(draws[name], level=level).assign(estimand=str(name)) for name in draws.data_vars]
        table = pd.concat(tables, ignore_index=True)
        labels = [c for c in table.columns if c not in (*COLUMNS, "estimand")]
        return table[["estimand", *labels, *COLUMNS[:-1]]]
    missing = {"chain", "draw"} - set(map(str, draws.dims))
    if missing:
        raise ValueError(f"draws lack the dim {' and '.join(sorted(missing))}; summarise before averaging over draws")
    flat = _flat(draws)
    tail = (1 - level) / 2
    pooled = flat.reshape(flat.shape[0] * flat.shape[1], flat.shape[2])
    low, high = np.quantile(pooled, [tail, 1 - tail], axis=0)
    table = pd.DataFrame(
        {
            "mean": pooled.mean(0),
            "sd": pooled.std(0, ddof=1),
            "ci_low": low,
            "ci_high": high,
            "p_below": (pooled < 0).mean(0),
        }
    )
    dims = [d for d in draws.dims if d not in ("chain", "draw")]
    for position, dim in enumerate(dims):
        index = np.indices([draws.sizes[d] for d in dims])[position].ravel()
        table.insert(position, str(dim), draws[dim].to_numpy()[index])
    for position, fact in enumerate(FACTS, start=len(dims)):
        if fact in draws.coords and fact not in dims:
            values = draws[fact].broadcast_like(draws.isel(chain=0, draw=0, drop=True)).transpose(*dims)
            table.insert(min(position, len(table.columns)), fact, values.to_numpy().ravel())
    return table


def _flat(draws: xr.DataArray) -> np.ndarray:
    """Values as (chain, draw, quantity), the remaining dims in their order."""
    dims = [d for d in draws.dims if d not in ("chain", "draw")]
    values = draws.transpose("chain", "draw", *dims).to_numpy()
    return values.reshape(*values.shape[:2], math.prod(values.shape[2:]))


def _effective_sizes(draws: xr.DataArray) -> np.ndarray:
    from arviz_stats.base import array_stats

    flat = _flat(draws)
    if flat.shape[2] == 0:
        return np.empty(0)
    return np.asarray(array_stats.ess(flat.transpose(2, 0, 1), chain_axis=1, draw_axis=2))
