"""A PyMC model compiled once: draws from its prior, and fits to other data."""

from collections.abc import Callable

import numpy as np
import nutpie
import pymc as pm
import xarray as xr
from pymc.pytensorf import compile as compile_function
from pymc.pytensorf import find_rng_nodes, reseed_rngs

from pillprocess.inference.chain import Chain
from pillprocess.inference.nuts import draw_chains
from pillprocess.inference.sampling import repeatable


def prior_sampler(model: pm.Model) -> Callable[[np.random.Generator], xr.Dataset]:
    """Return a function that draws everything unobserved from the prior: a Dataset with chain and draw of length 1."""
    variables = [*model.free_RVs, *model.deterministics]
    draw = compile_function([], variables, mode="FAST_COMPILE", random_seed=0)
    generators = find_rng_nodes(variables)
    labels = {d: list(v) for d, v in model.coords.items() if v is not None}

    def sample(rng: np.random.Generator) -> xr.Dataset:
        reseed_rngs(generators, rng.integers(0, 2**63))
        values = {
            v.name: (("chain", "draw", *model.named_vars_to_dims.get(v.name, ())), np.asarray(value)[None, None])
            for v, value in zip(variables, draw(), strict=True)
        }
        used = {d for dims, _ in values.values() for d in dims}
        return xr.Dataset(values, coords={d: v for d, v in labels.items() if d in used})

    return sample


def refitter(
    model: pm.Model, chain: Chain
) -> Callable[[dict[str, np.ndarray], np.random.Generator], tuple[xr.Dataset, int]]:
    """Compile a model; return a function from new values of its ``pm.Data`` to posterior and number of divergences."""
    with repeatable():
        compiled = nutpie.compile_pymc_model(model)

    def refit(data: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[xr.Dataset, int]:
        idata = draw_chains(
            compiled.with_data(**data), chains=1, cores=1, seed=int(rng.integers(0, 2**31)), **chain._asdict()
        )
        return idata["posterior"].dataset, int(idata["sample_stats"]["diverging"].sum())

    return refit


def constants(model: pm.Model) -> xr.Dataset:
    """The constant data of a model, as a fit would carry it."""
    data = {v.name: (model.named_vars_to_dims.get(v.name, ()), v.get_value()) for v in model.data_vars}
    used = {d for dims, _ in data.values() for d in dims}
    return xr.Dataset(data, coords={d: list(v) for d, v in model.coords.items() if d in used})
