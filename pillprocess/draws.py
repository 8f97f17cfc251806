"""Posterior draws in the design's own order, and what they predict."""

import numpy as np
import xarray as xr


def design_of(idata: xr.DataTree) -> xr.Dataset:
    """Return the design a fit was made from.

    Raises
    ------
    ValueError
        The fit carries none.
    """
    if "constant_data" not in idata.children or "X" not in idata["constant_data"].dataset:
        raise ValueError("this fit carries no design; contributions and effects need a fit of decomposition(...)")
    return idata["constant_data"].dataset


def columns(design: xr.Dataset, posterior: xr.Dataset, kind: str) -> xr.DataArray:
    """Draws of every coefficient or effect in the design's column order.

    Parameters
    ----------
    design
        The labelled description of the model.
    posterior
        The posterior group.
    kind
        ``"coefficient"`` or ``"effect"``.

    Returns
    -------
    DataArray (chain, draw, kind).
    """
    parts = []
    for variable, dim, label in zip(
        *(design[f"{kind}_{what}"].to_numpy() for what in ("variable", "dim", "label")), strict=True
    ):
        values = posterior[str(variable)]
        parts.append((values.sel({str(dim): label}) if dim else values).to_numpy())
    shape = (posterior.sizes["chain"], posterior.sizes["draw"], 0)
    stacked = np.stack(parts, axis=-1) if parts else np.zeros(shape)
    coords = {"chain": posterior["chain"], "draw": posterior["draw"], kind: design[kind].to_numpy()}
    return xr.DataArray(stacked, dims=("chain", "draw", kind), coords=coords)


def linear_predictor(design: xr.Dataset, posterior: xr.Dataset) -> xr.DataArray:
    """Expected value of every row, theta = X beta + Z b, dims (chain, draw, row)."""
    theta = (design["X"] * columns(design, posterior, "coefficient")).sum("coefficient")
    theta = theta + (design["Z"] * columns(design, posterior, "effect")).sum("effect")
    return theta.drop_vars(set(theta.coords) - set(theta.dims)).transpose("chain", "draw", "row")
