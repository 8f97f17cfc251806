"""Draws under the names the design gives them, and back in the design's own order."""

import numpy as np
import xarray as xr

from pillprocess.gaussian.normal_equations import Array


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


def labels_by_dim(design: xr.Dataset) -> dict[str, list[str]]:
    """Every label of every dim of the parameters, in the order of the design's columns."""
    labels: dict[str, dict[str, None]] = {}
    for kind in ("coefficient", "effect"):
        for dim, label in zip(design[f"{kind}_dim"].to_numpy(), design[f"{kind}_label"].to_numpy(), strict=True):
            if dim:
                labels.setdefault(str(dim), {})[str(label)] = None
    return {dim: list(found) for dim, found in labels.items()}


def posterior_dataset(
    design: xr.Dataset, theta: Array, tau: Array, rng: np.random.Generator, order: dict[str, list[str]] | None = None
) -> xr.Dataset:
    """Name the draws of parameters (parameter, chain, draw) and scales (draw, scale) as the design does.

    A variable covers all labels of its dim, in the ``order`` given; effects the design has no column for are draws from their prior.
    """
    chains, draws = theta.shape[1:]
    variables: dict[str, tuple[tuple[str, ...], Array]] = {}
    kinds = ("coefficient", "effect")
    variable, dim, label = (
        np.concatenate([design[f"{kind}_{what}"].to_numpy() for kind in kinds]) for what in ("variable", "dim", "label")
    )
    scale = np.concatenate([np.full(design.sizes["coefficient"], ""), design["effect_scale"].to_numpy()])
    labels = {d: list(dict.fromkeys(label[dim == d])) for d in dict.fromkeys(dim) if d}
    names = design["scale"].to_numpy().tolist()
    for name in dict.fromkeys(variable):
        columns = np.flatnonzero(variable == name)
        along = str(dim[columns[0]])
        if not along:
            variables[str(name)] = (("chain", "draw"), theta[columns[0]])
            continue
        place = {label[c]: c for c in columns}
        shown = labels[along] if order is None else order[along]
        position = {one: i for i, one in enumerate(shown)}
        absent = [position[one] for one in labels[along] if one not in place]
        values = theta[[place.get(one, columns[0]) for one in shown]]
        if absent:
            values[absent] = tau[:, names.index(scale[columns[0]])] * rng.standard_normal((len(absent), chains, draws))
        variables[str(name)] = last(along, values)
    for number, name in enumerate(names):
        variables[str(name)] = (("chain", "draw"), np.tile(tau[:, number], (chains, 1)))
    return xr.Dataset(variables, coords=labels if order is None else order)
