"""The synthesis compiled once: a function that fits it to other evidence, terms or causal shares as data, and its prior."""

import json
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import pymc as pm
import xarray as xr
from nutpie.sample import CompiledModel
from pytensor.tensor import TensorVariable

from pillprocess.inference.fit import ConvergenceError, check_fit
from pillprocess.inference.interruptions import interruptions
from pillprocess.inference.kept import kept_draws
from pillprocess.inference.nuts import draw_chains
from pillprocess.inference.sampling import repeatable
from pillprocess.synthesis.choices import Choices, check_course, choices_of, settings_with
from pillprocess.synthesis.data import synthesis_data
from pillprocess.synthesis.draws import expected_rows, replicate_rows, trial_log_likelihood

VARIABLE_OF = {"therapy": "psi", "expectancy": "epsilon"}

ATTEMPTS = 3
"""How often a fit that must pass its check is drawn, each time longer or in smaller steps."""

REFIT_R_HAT, SEVERAL_MODES = 1.02, 1.1
"""Largest R-hat of a refit, and the R-hat above which chains sit in different modes and longer ones would not help."""

type Refit = Callable[..., xr.DataTree]


def compile_synthesis(model: pm.Model) -> Refit:
    """Compile a synthesis once, when the first fit needs it, and return a function that fits it.

    Parameters
    ----------
    model
        From :func:`pillprocess.synthesis`.

    Returns
    -------
    ``refit(items=None, *, seed, draws=1000, tune=500, chains=4, target_accept=0.95, checked=False, outcomes=True, **choices)``: a fit to
    other items of the same shape (see ``without``), or under other terms, causal_share, confounding, pooling, informed, prior_bias_sd,
    prior_transport_sd or prior_therapy; by default the model's own. ``checked``: the fit passes :func:`pillprocess.check_fit` with R-hat of
    at most 1.02 (among a hundred parameters the largest of as many draws is often above 1.01 by chance); one that does not is
    drawn again, in smaller steps where it diverged and twice as long where it did not, at most twice, and then raises
    ConvergenceError; one whose chains sit in different modes is drawn once more, with twice the chains: all of them in one mode say
    that the other is rare. ``"outcomes"``: so do the log
    densities of the trials' outcomes, where nothing else is used, as when predictions are compared; parameters that predict alike may
    then lie in several modes.
    """
    import nutpie

    settings = json.loads(model.items.attrs["settings"])

    @cache
    def compiled() -> CompiledModel:
        with interruptions() as check:
            with repeatable():
                made = nutpie.compile_pymc_model(model, freeze_model=False)
            check()
        return made

    def draw(data: dict[str, np.ndarray], **how: Any) -> xr.DataTree:
        names = {variable.name for variable in compiled().shared_var_keys}
        return draw_chains(compiled().with_data(**{k: np.asarray(v) for k, v in data.items() if k in names}), **how)

    def refit(
        items: xr.Dataset | None = None,
        *,
        seed: int,
        draws: int = 1000,
        tune: int = 500,
        chains: int = 4,
        target_accept: float = 0.95,
        progress: bool = False,
        checked: bool | Literal["outcomes"] = False,
        outcomes: bool = True,
        **chosen: Any,
    ) -> xr.DataTree:
        changed = settings_with(settings, chosen)
        given = model.items if items is None else items
        choices = choices_of(changed)
        check_course(given, choices)
        data = synthesis_data(given, choices)
        changed["terms"] = sorted(choices.terms)
        held = given.assign_attrs(settings=json.dumps(changed))
        for attempt in range(ATTEMPTS):
            how = {
                "draws": draws,
                "tune": tune,
                "chains": chains,
                "seed": seed + attempt,
                "target_accept": target_accept,
            }
            trace = kept_draws({"model": model.items, **data}, how, partial(draw, data, progress=progress, **how))
            idata = finish_synthesis(trace, held, seed=seed, outcomes=outcomes)
            if not checked:
                break
            try:
                check_fit(outcomes_of(idata) if checked == "outcomes" else idata, max_r_hat=REFIT_R_HAT)
                break
            except ConvergenceError as error:
                several = error.report["r_hat"].max() > SEVERAL_MODES
                if attempt == ATTEMPTS - 1 or (several and attempt > 0):
                    raise
                if several:  # one chain of few that met a rare mode, or no chance: more chains tell
                    chains *= 2
                elif error.report.attrs["divergences"]:
                    target_accept = 1 - (1 - target_accept) / 2
                else:
                    draws *= 2
        return idata

    return refit


def outcomes_of(idata: xr.DataTree) -> xr.DataTree:
    """Return the log density of every trial's outcomes in place of the parameters, to be checked."""
    groups = {"/posterior": idata["log_likelihood"].dataset, "/sample_stats": idata["sample_stats"].dataset}
    return xr.DataTree.from_dict(groups)


def finish_synthesis(trace: xr.DataTree, items: xr.Dataset, *, seed: int, outcomes: bool = True) -> xr.DataTree:
    """Give a sampled synthesis its groups: what the model does not have is left out, what it fixes is fixed.

    Without ``outcomes`` it has no log_likelihood and no posterior_predictive, which cost a tenth of the draws themselves.
    """
    settings = json.loads(items.attrs["settings"])
    posterior = trace["posterior"].dataset
    choices = choices_of(settings)
    posterior = posterior[[v for v in posterior.data_vars if is_held(str(v), choices)]]
    for name in ("causal_share", "pooling"):
        if settings[name] is not None:
            posterior = posterior.assign({name: posterior[name] * 0 + settings[name]})
    posterior = posterior.assign_attrs(outcome_sd=float(items["outcome_sd"]), experiences=items.attrs["experiences"])
    groups = {"/posterior": posterior, "/constant_data": items}
    if outcomes:
        theta = expected_rows(posterior, items)
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


def is_held(variable: str, choices: Choices) -> bool:
    """Whether a fit holds this variable: no standardised deviation, and nothing that the model lacks."""
    absent = {of for term, of in VARIABLE_OF.items() if term not in choices.terms}
    if choices.confounding == "additive" and choices.causal_share is None:
        absent.add("causal_share")  # derived, a number for each drug
    return not variable.endswith("_raw") and variable not in absent


def held_variables(model: pm.Model) -> list[TensorVariable]:
    """Return the variables of the model that a fit holds."""
    choices = choices_of(json.loads(model.items.attrs["settings"]))
    return [v for v in (*model.free_RVs, *model.deterministics) if is_held(v.name, choices)]


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
    inputs = held_variables(model)
    values = pm.draw(inputs, draws=draws, random_seed=seed, mode="FAST_COMPILE")
    return xr.Dataset(
        {
            v.name: (("chain", "draw", *model.named_vars_to_dims.get(v.name, ())), value[None])
            for v, value in zip(inputs, values, strict=True)
        },
        coords={dim: list(labels) for dim, labels in model.coords.items() if labels is not None},
        attrs={"outcome_sd": float(model.items["outcome_sd"]), "experiences": model.items.attrs["experiences"]},
    )
