"""The sampler route: nutpie, named explicitly, with the groups and attributes every fit carries."""

from contextlib import AbstractContextManager
from importlib.metadata import version

import numpy as np
import nutpie
import pymc as pm
import pytensor
import xarray as xr
from pymc.backends.arviz import find_observations

from pillprocess.gaussian.draws import predict
from pillprocess.gaussian.fit import prior_groups
from pillprocess.gaussian.normal_equations import assemble
from pillprocess.gaussian.posterior_columns import columns, last
from pillprocess.inference.interruptions import interruptions
from pillprocess.inference.kept import kept_draws
from pillprocess.inference.nuts import draw_chains


def repeatable() -> AbstractContextManager[None]:
    """Compile inside this to get the same draws from one seed in every run.

    PyTensor's "fastmath" lets the compiler reorder sums, which it does differently for code just compiled and code taken from its
    cache: the first run of a model on a machine and the second then part in the last digit, and soon in every draw.
    """
    flags: AbstractContextManager[None] = pytensor.config.change_flags(numba__fastmath=False)
    return flags


def sample(
    model: pm.Model, *, seed: int, draws: int, tune: int, chains: int, target_accept: float, progress: bool
) -> xr.DataTree:
    """Sample a model with nutpie and attach likelihood, predictive draws and provenance.

    Returns
    -------
    DataTree with ``posterior``, ``sample_stats``, ``observed_data``, ``log_likelihood`` and ``posterior_predictive`` (not of a model
    with a ``pm.Potential``, whose data are not known to it) and, for a model built from a design, its prior's groups and
    ``constant_data``.

    Raises
    ------
    ValueError
        PyTensor is set to numbers of less than double precision.
    """
    if pytensor.config.floatX != "float64":
        raise ValueError(
            f"PyTensor is set to {pytensor.config.floatX} (PYTENSOR_FLAGS or .pytensorrc); nothing was fitted: such numbers are "
            "not precise enough. Set floatX to float64 and build the model again"
        )
    if compiled_by := getattr(model, "compiled_by", None):  # a model may bring its own way to be compiled and finished
        refit = compiled_by(model)
        return refit(seed=seed, draws=draws, tune=tune, chains=chains, target_accept=target_accept, progress=progress)
    design = getattr(model, "design", None)
    how = {"seed": _first_chain_seed(seed, chains), "draws": draws, "tune": tune, "chains": chains}

    def draw() -> xr.DataTree:
        with interruptions() as check:
            with repeatable():
                compiled = nutpie.compile_pymc_model(model)
            check()
        return draw_chains(compiled, target_accept=target_accept, progress=progress, **how)

    idata = draw() if design is None else kept_draws(design, how | {"target_accept": target_accept}, draw)
    idata["observed_data"] = xr.DataTree(_labelled(model, find_observations(model)))
    idata["constant_data"] = xr.DataTree(_labelled(model, {v.name: v.get_value() for v in model.data_vars}))
    attrs = {"route": "sampler", "sampler": f"nutpie {version('nutpie')}", "pymc": version("pymc"), "seed": seed}
    if design is not None:
        attrs |= {k: design.attrs[k] for k in ("data_hash", "outcome", "conditioning", "scale")}
        idata = _with_design(idata, design, seed)
    elif model.observed_RVs and not model.potentials:
        idata = _with_predictions(model, idata, seed)
    idata.attrs.update(attrs)
    return idata


def _first_chain_seed(seed: int, chains: int) -> int:
    """The seed that PyMC would hand to nutpie, so that one seed gives one answer by either way."""
    return int(np.random.default_rng(seed).spawn(chains)[0].integers(2**30))


def _labelled(model: pm.Model, values: "dict[str, np.ndarray]") -> xr.Dataset:
    """Values of a model's variables with the dims and labels the model gives them."""
    data = {}
    for name, value in values.items():
        dims = model.named_vars_to_dims.get(name) or [f"{name}_dim_{i}" for i in range(np.ndim(value))]
        data[name] = (tuple(dims), np.asarray(value))
    used = {d for dims, _ in data.values() for d in dims}
    return xr.Dataset(data, coords={d: list(v) for d, v in model.coords.items() if d in used and v is not None})


def _with_predictions(model: pm.Model, idata: xr.DataTree, seed: int) -> xr.DataTree:
    """Add what a user's own model says of its data: pointwise log-likelihood and predictive draws."""
    with model:
        pm.compute_log_likelihood(idata, progressbar=False)
        drawn = pm.sample_posterior_predictive(idata, random_seed=seed, progressbar=False)
    idata["posterior_predictive"] = drawn["posterior_predictive"]
    return idata


def _with_design(idata: xr.DataTree, design: xr.Dataset, seed: int) -> xr.DataTree:
    """Add the groups that come from the design: pointwise and per-trial log-likelihood, predictive draws, the design."""
    posterior = idata["posterior"].dataset
    names = ("coefficient_variable", "effect_variable", "scale")
    posterior = posterior[list(dict.fromkeys(str(v) for name in names for v in design[name].to_numpy()))]
    system = assemble(design)
    theta = np.concatenate(
        [columns(design, posterior, kind).transpose(kind, "chain", "draw") for kind in ("coefficient", "effect")]
    )
    per_trial, (by_row, replicated) = predict(
        system, theta - system.mean[:, None, None], np.random.default_rng(seed), seed=seed
    )
    index = {name: posterior[name].to_numpy() for name in ("chain", "draw")}
    row, trial = {"row": design["row"].to_numpy()}, {"trial": [one.name for one in system.trials]}
    likelihood = xr.Dataset({"y": last("row", by_row)}, coords=index | row)
    by_trial = xr.Dataset({"y_trial": last("trial", per_trial)}, coords=index | trial)
    predictive = xr.Dataset({"y": last("row", replicated)}, coords=index | row)
    return xr.DataTree.from_dict(
        {f"/{name}": node.dataset for name, node in idata.children.items() if name != "constant_data"}
        | {
            "/posterior": posterior,
            "/log_likelihood": likelihood,
            "/log_likelihood_by_trial": by_trial,
            "/posterior_predictive": predictive,
            "/constant_data": design,
        }
        | prior_groups(design, posterior, seed=seed)
    )
