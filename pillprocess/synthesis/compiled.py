"""The synthesis compiled once: a function that fits it to other evidence, terms or causal shares as data, and its prior."""

import json
from collections.abc import Callable, Sequence
from importlib.metadata import version

import numpy as np
import pymc as pm
import xarray as xr
from pytensor.tensor import TensorVariable

from pillprocess.inference.nuts import draw_chains
from pillprocess.inference.sampling import repeatable
from pillprocess.rows.terms import TERMS
from pillprocess.synthesis.data import synthesis_data
from pillprocess.synthesis.draws import expected_rows, replicate_rows, trial_log_likelihood

VARIABLE_OF = {"drug": "delta", "therapy": "psi", "drug:therapy": "kappa", "expectancy": "epsilon"}

type Refit = Callable[..., xr.DataTree]


def check_synthesis_terms(terms: frozenset[str] | set[str], causal_share: float | None) -> None:
    """Raise if a term is unknown or the causal share is none."""
    unknown = sorted(set(terms) - set(TERMS))
    if unknown:
        raise ValueError(f"unknown terms: {', '.join(unknown)}; known are {', '.join(TERMS)}")
    if causal_share is not None and not 0 <= causal_share <= 1:
        raise ValueError(f"causal_share = {causal_share:g}; it must lie between 0 and 1, or be None to be estimated")


def compile_synthesis(model: pm.Model) -> Refit:
    """Compile a synthesis once and return a function that fits it.

    Parameters
    ----------
    model
        From :func:`pillprocess.synthesis`.

    Returns
    -------
    ``refit(items=None, *, seed, terms, causal_share, therapy_prior, draws=1000, tune=1000, chains=4, target_accept=0.95)``: a fit
    to other items of the same shape (see ``without``), other terms, a fixed causal share or another prior of the therapy term
    (mean, SD); by default the model's own.
    """
    import nutpie

    with repeatable():
        compiled = nutpie.compile_pymc_model(model, freeze_model=False)
    names = {variable.name for variable in compiled.shared_var_keys}
    settings = json.loads(model.items.attrs["settings"])

    def refit(
        items: xr.Dataset | None = None,
        *,
        seed: int,
        terms: frozenset[str] | set[str] | None = None,
        causal_share: float | None = settings["causal_share"],
        therapy_prior: tuple[float, float] = tuple(settings["prior_therapy"]),
        draws: int = 1000,
        tune: int = 1000,
        chains: int = 4,
        target_accept: float = 0.95,
        progress: bool = False,
    ) -> xr.DataTree:
        chosen = frozenset(settings["terms"] if terms is None else terms)
        check_synthesis_terms(chosen, causal_share)
        given = model.items if items is None else items
        data = synthesis_data(given, terms=chosen, causal_share=causal_share, therapy_prior=therapy_prior)
        used = {name: np.asarray(values) for name, values in data.items() if name in names}
        trace = draw_chains(
            compiled.with_data(**used), draws=draws, tune=tune, chains=chains, seed=seed, target_accept=target_accept,
            progress=progress,
        )  # fmt: skip
        changed = settings | {"terms": sorted(chosen), "causal_share": causal_share, "prior_therapy": therapy_prior}
        return finish_synthesis(trace, given.assign_attrs(settings=json.dumps(changed)), seed=seed)

    return refit


def finish_synthesis(trace: xr.DataTree, items: xr.Dataset, *, seed: int) -> xr.DataTree:
    """Give a sampled synthesis its groups: what the model does not have is left out, what it fixes is fixed."""
    settings = json.loads(items.attrs["settings"])
    posterior = trace["posterior"].dataset
    posterior = posterior[[v for v in posterior.data_vars if is_held(str(v), settings["terms"])]]
    if settings["causal_share"] is not None:
        posterior = posterior.assign(causal_share=posterior["causal_share"] * 0 + settings["causal_share"])
    theta = expected_rows(posterior, items)
    groups = {"/posterior": posterior, "/constant_data": items}
    groups["/log_likelihood"] = trial_log_likelihood(posterior, items, theta).to_dataset(name="y_trial")
    groups["/posterior_predictive"] = replicate_rows(posterior, items, theta, seed=seed).to_dataset(name="y")
    groups["/observed_data"] = xr.Dataset(
        {"y": ("row", items["y"].to_numpy())}, coords={"row": items["row"].to_numpy()}
    )
    if "sample_stats" in trace.children:
        groups["/sample_stats"] = trace["sample_stats"].dataset
    idata = xr.DataTree.from_dict(groups)
    idata.attrs.update({k: items.attrs[k] for k in ("data_hash", "outcome", "conditioning", "scale")})
    idata.attrs.update(route="sampler", sampler=f"nutpie {version('nutpie')}", pymc=version("pymc"), seed=seed)
    return idata


def is_held(variable: str, terms: Sequence[str]) -> bool:
    """Whether a fit holds this variable: no standardised deviation, and no term that the model lacks."""
    absent = {of for term, of in VARIABLE_OF.items() if term not in terms}
    return not variable.endswith("_raw") and variable not in absent


def held_variables(model: pm.Model, terms: Sequence[str]) -> list[TensorVariable]:
    """Return the variables of the model that a fit holds."""
    return [v for v in (*model.free_RVs, *model.deterministics) if is_held(v.name, terms)]


def prior_of(model: pm.Model, *, seed: int, draws: int = 2000) -> xr.Dataset:
    """Draw a synthesis's parameters from their prior, as a posterior group holds them.

    Parameters
    ----------
    model
        From :func:`pillprocess.synthesis`.
    seed, draws
        Of the draws.

    Returns
    -------
    Dataset (chain = 1, draw, ...).
    """
    inputs = held_variables(model, json.loads(model.items.attrs["settings"])["terms"])
    values = pm.draw(inputs, draws=draws, random_seed=seed, mode="FAST_COMPILE")
    return xr.Dataset(
        {
            v.name: (("chain", "draw", *model.named_vars_to_dims.get(v.name, ())), value[None])
            for v, value in zip(inputs, values, strict=True)
        },
        coords={dim: list(labels) for dim, labels in model.coords.items() if labels is not None},
    )
