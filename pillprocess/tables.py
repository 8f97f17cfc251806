"""Tables: labelled draws to a DataFrame of estimates."""

import math

import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats.base import array_stats

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
    DataFrame, one row per quantity: a column per remaining dim (and ``estimand`` for a Dataset), then ``mean``, ``sd``,
    ``ci_low``, ``ci_high``, ``p_below`` (posterior probability that the quantity is below 0: improvement) and ``ess``
    (bulk effective sample size).

    Raises
    ------
    ValueError
        Draws without chain or draw dims, or a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level = {level}; it must lie between 0 and 1")
    if isinstance(draws, xr.Dataset):
        if not draws.data_vars:
            return pd.DataFrame(columns=["estimand", *COLUMNS], dtype=float)
        tables = [effect_table(draws[name], level=level).assign(estimand=str(name)) for name in draws.data_vars]
        table = pd.concat(tables, ignore_index=True)
        labels = [c for c in table.columns if c not in (*COLUMNS, "estimand")]
        return table[["estimand", *labels, *COLUMNS]]
    missing = {"chain", "draw"} - set(map(str, draws.dims))
    if missing:
        raise ValueError(f"draws lack the dim {' and '.join(sorted(missing))}; summarise before averaging over draws")
    draws = draws.drop_vars([c for c in draws.coords if c not in draws.dims])
    dims = [d for d in draws.dims if d not in ("chain", "draw")]
    values = draws.transpose("chain", "draw", *dims).to_numpy()
    chains, n_draws, *shape = values.shape
    flat = values.reshape(chains, n_draws, math.prod(shape))
    tail = (1 - level) / 2
    pooled = flat.reshape(chains * n_draws, math.prod(shape))
    low, high = np.quantile(pooled, [tail, 1 - tail], axis=0)
    ess = array_stats.ess(flat.transpose(2, 0, 1), chain_axis=1, draw_axis=2) if flat.shape[2] else np.empty(0)
    table = pd.DataFrame(
        {
            "mean": pooled.mean(0),
            "sd": pooled.std(0, ddof=1),
            "ci_low": low,
            "ci_high": high,
            "p_below": (pooled < 0).mean(0),
            "ess": ess,
        }
    )
    for position, dim in enumerate(dims):
        index = np.indices(shape)[position].ravel()
        table.insert(position, str(dim), draws[dim].to_numpy()[index])
    return table
