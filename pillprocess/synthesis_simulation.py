"""Simulated evidence of the same shape as the real: the same trials, doses, people and missingness, known paths."""

import json

import numpy as np
import pymc as pm
import xarray as xr

from pillprocess.synthesis_data import told_associations
from pillprocess.synthesis_draws import expected_rows, replicate_rows
from pillprocess.synthesis_fits import held_variables

MEASURED = {
    "score_d": "score_d", "bridge_z": "bridge_z", "guess_correct": "guess_correct", "responders": "count_responders",
}  # fmt: skip
"""Observed variables of the model, and the items they are."""


def simulate_synthesis(model: pm.Model, *, seed: int, draws: int) -> tuple[xr.Dataset, list[xr.Dataset]]:
    """Draw parameters from the prior of a synthesis and evidence from the parameters.

    Parameters
    ----------
    model
        From :func:`pillprocess.synthesis`, without participants.
    seed
        Seed of the draws.
    draws
        How many bodies of evidence.

    Returns
    -------
    The parameters (chain = 1, draw), as a posterior group holds them, and one Dataset of items per draw.

    Raises
    ------
    ValueError
        The items hold participants, which are not simulated.
    """
    items = model.items
    if items.sizes["person_arm"]:
        raise ValueError("items with participants cannot be simulated; gather them without participants")
    settings = json.loads(items.attrs["settings"])
    parameters, observed = held_variables(model, settings["terms"]), model.observed_RVs
    values = pm.draw([*parameters, *observed], draws=draws, random_seed=seed, mode="FAST_COMPILE")
    prior = xr.Dataset(
        {
            v.name: (("chain", "draw", *model.named_vars_to_dims.get(v.name, ())), value[None])
            for v, value in zip(parameters, values, strict=False)
        },
        coords={"draw": np.arange(draws)}
        | {d: list(labels) for d, labels in model.coords.items() if labels is not None},
    )
    if settings["causal_share"] is not None:
        prior["causal_share"] = prior["causal_share"] * 0 + settings["causal_share"]
    y = replicate_rows(prior, items, expected_rows(prior, items), seed=seed).isel(chain=0)
    measured = dict(zip([v.name for v in observed], values[len(parameters) :], strict=True))
    return prior, [
        _with_values(items, y.isel(draw=i).to_numpy(), {k: v[i] for k, v in measured.items()}) for i in range(draws)
    ]


def _with_values(items: xr.Dataset, y: np.ndarray, measured: dict[str, np.ndarray]) -> xr.Dataset:
    """Put simulated values in the place of the observed ones."""
    new = {"y": ("row", y)}
    new |= {item: (items[item].dims[0], measured[name]) for name, item in MEASURED.items() if name in measured}
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
