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
    drawn: dict[str, tuple[np.ndarray, dict[str, int]]] = {}
    parts = []
    for variable, dim, label in zip(
        *(design[f"{kind}_{what}"].to_numpy().tolist() for what in ("variable", "dim", "label")), strict=True
    ):
        if variable not in drawn:
            values = posterior[variable].transpose("chain", "draw", ...)
            place = {one: i for i, one in enumerate(values[dim].to_numpy().tolist())} if dim else {}
            drawn[variable] = values.to_numpy(), place
        values, place = drawn[variable]
        parts.append(values[..., place[label]] if dim else values)
    shape = (posterior.sizes["chain"], posterior.sizes["draw"], 0)
    stacked = np.stack(parts, axis=-1) if parts else np.zeros(shape)
    coords = {"chain": posterior["chain"], "draw": posterior["draw"], kind: design[kind].to_numpy()}
    return xr.DataArray(stacked, dims=("chain", "draw", kind), coords=coords)


def last(dim: str, values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Move the leading dim of draws (dim, chain, draw) behind chain and draw, for a Dataset."""
    return ("chain", "draw", dim), np.moveaxis(values, 0, -1)
