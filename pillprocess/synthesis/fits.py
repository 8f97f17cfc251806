"""From a fit of the synthesis back to its items, its model and its compiled refits."""

import json
from typing import Any

import pymc as pm
import xarray as xr

from pillprocess.synthesis.compiled import Refit, compile_synthesis
from pillprocess.synthesis.model import synthesis


def refit_of(idata: xr.DataTree) -> Refit:
    """Compile the model of a fit anew, from the items the fit carries.

    Raises
    ------
    ValueError
        The fit is none of a synthesis.
    """
    return compile_synthesis(model_of(idata))


def model_of(idata: xr.DataTree) -> pm.Model:
    """Build the model of a fit from the items and settings the fit carries."""
    items = items_of(idata)
    stored = json.loads(items.attrs["settings"])
    settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
    settings["terms"] = frozenset(stored["terms"])
    settings["informed"] = {name: tuple(pair) for name, pair in stored["informed"].items()}
    return synthesis(items, **settings)


def items_of(idata: xr.DataTree) -> xr.Dataset:
    """Return the items a synthesis was fitted to.

    Raises
    ------
    ValueError
        The fit is none of a synthesis.
    """
    if "constant_data" not in idata.children or "settings" not in idata["constant_data"].dataset.attrs:
        raise ValueError("this is no fit of a synthesis; fit synthesis(evidence) first")
    return idata["constant_data"].dataset
