"""Simulated evidence of the same shape as the real: the same trials, doses, people and missingness, known paths."""

import json
from collections.abc import Callable

import numpy as np
import pymc as pm
import xarray as xr
from pymc.pytensorf import compile as compile_function
from pymc.pytensorf import find_rng_nodes, reseed_rngs

from pillprocess.synthesis.compiled import held_variables
from pillprocess.synthesis.data import told_associations
from pillprocess.synthesis.draws import expected_rows, replicate_rows

MEASURED = {
    "score_d": "score_d", "bridge_z": "bridge_z", "guess_correct": "guess_correct", "responders": "count_responders",
}  # fmt: skip
"""Observed variables of the model, and the items they are."""


type Simulate = Callable[[np.random.Generator], tuple[xr.Dataset, xr.Dataset]]


def synthesis_simulator(model: pm.Model) -> Simulate:
    """Make a function that draws parameters from the prior of a synthesis and evidence from the parameters.

    Parameters
    ----------
    model
        From :func:`pillprocess.synthesis`, without participants.

    Returns
    -------
    Function of a generator; it returns the parameters (chain = 1, draw = 1), as a posterior group holds them, and items.

    Raises
    ------
    ValueError
        The items hold participants, which are not simulated.
    """
    items = model.items
    if items.sizes["person_arm"]:
        raise ValueError("items with participants cannot be simulated; gather them without participants")
    settings = json.loads(items.attrs["settings"])
    parameters = held_variables(model)
    variables = [*parameters, *model.observed_RVs]
    draw = compile_function([], variables, mode="FAST_COMPILE", random_seed=0)
    generators = find_rng_nodes(variables)
    coords = {d: list(labels) for d, labels in model.coords.items() if labels is not None}

    def simulate(rng: np.random.Generator) -> tuple[xr.Dataset, xr.Dataset]:
        reseed_rngs(generators, rng.integers(0, 2**63))
        values = {str(v.name): np.asarray(value) for v, value in zip(variables, draw(), strict=True)}
        held = {str(v.name): ["chain", "draw", *map(str, model.named_vars_to_dims.get(v.name, ()))] for v in parameters}
        truth = xr.Dataset({name: (dims, values[name][None, None]) for name, dims in held.items()}, coords=coords)
        for name in ("causal_share", "pooling"):
            if settings[name] is not None:
                truth[name] = truth[name] * 0 + settings[name]
        y = replicate_rows(truth, items, expected_rows(truth, items), seed=int(rng.integers(0, 2**31)))
        return truth, _with_values(items, y.isel(chain=0, draw=0).to_numpy(), values)

    return simulate


def _with_values(items: xr.Dataset, y: np.ndarray, measured: dict[str, np.ndarray]) -> xr.Dataset:
    """Put simulated values in the place of the observed ones."""
    new: dict[str, tuple[str, np.ndarray]] = {"y": ("row", y)}
    new |= {item: (str(items[item].dims[0]), measured[name]) for name, item in MEASURED.items() if name in measured}
    told = told_associations(items)
    for name, item, chosen in (
        ("association_z", "association_z", ~told),
        ("significant", "association_significant", told),
    ):
        if name in measured:
            whole = items[item].to_numpy().astype(float).copy()
            whole[chosen] = measured[name]
            new[item] = ("association", whole)
    return items.assign(new)
