"""The whole mediation analysis of one table of participants: fit, effects, sensitivity, tables."""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from pytensor.tensor import TensorVariable

from pillprocess.inference.fit import check_fit, fit
from pillprocess.mediation.between_clusters import cluster_variation
from pillprocess.mediation.choices import Family, Of
from pillprocess.mediation.effects import Scale, compute_effects, natural_effects, natural_effects_by_trial
from pillprocess.mediation.model import mediation
from pillprocess.mediation.moderated import moderated_table
from pillprocess.mediation.paths import mediation_paths
from pillprocess.mediation.sensitivity import mediation_sensitivity
from pillprocess.mediation.wording import scale_words
from pillprocess.output.tables import effect_table
from pillprocess.participants.table import Participants

type Step = Callable[[str], None]

PRIOR_DRAWS = 4000


@dataclass(frozen=True)
class MediationAnalysis:
    """What `analyse_mediation` found.

    Attributes
    ----------
    people
        The participants.
    idata
        The fit, with draws of the prior beside the posterior.
    tables
        Tables by name.
    sensitivity
        Sensitivity analyses by arm and mediator; empty where none is known for the families.
    doubts
        Every warning given on the way, in words.
    """

    people: Participants
    idata: xr.DataTree
    tables: dict[str, pd.DataFrame]
    sensitivity: dict[tuple[str, str], xr.Dataset]
    doubts: tuple[str, ...]


def analyse_mediation(
    people: Participants,
    *,
    interaction: bool = True,
    family_mediator: Family = "gaussian",
    family_outcome: Family = "gaussian",
    order: Sequence[str] | None = None,
    vary: Sequence[str] | Mapping[str, Sequence[str]] = (),
    priors: Mapping[str, float] | None = None,
    m: float | Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    scale: Scale = "difference",
    of: Of | None = None,
    seed: int,
    draws: int = 2000,
    step: Step = lambda _: None,
) -> MediationAnalysis:
    """Fit the mediation model of some participants and tabulate everything the report says.

    Parameters
    ----------
    people
        From `load_participants`.
    interaction, family_mediator, family_outcome, order, vary
        As in `mediation`.
    priors
        Values of the prior_ keywords of `mediation`, by keyword.
    m, at, scale, of
        As in `natural_effects`.
    seed, draws
        Seed of every draw, and draws per chain.
    step
        Called with the name of each step as it begins.

    Returns
    -------
    MediationAnalysis.

    Raises
    ------
    ValueError
        A prior that `mediation` does not have, or what `mediation` and `natural_effects` refuse.
    ConvergenceError
        The fit did not converge.
    """
    if problems := prior_problems(priors or {}):
        raise ValueError("\n".join([*problems, "nothing was fitted"]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        step("model")
        build: Callable[..., pm.Model] = mediation
        model = build(
            people, interaction=interaction, family_mediator=family_mediator, family_outcome=family_outcome, order=order,
            vary=vary, **(priors or {}),
        )  # fmt: skip
        step("fit")
        idata = fit(model, seed=seed, draws=draws)
        convergence = check_fit(idata)
        step("prior")
        idata = with_prior(model, idata, prior_variables(model), seed=seed)
        step("effects and sensitivity")
        arms = [str(a) for a in people.treatment.columns]
        effects = {arm: natural_effects(idata, m=m, at=at, arm=arm, scale=scale, of=of) for arm in arms}
        sensitivity, refusal = _sensitivities(idata, arms, seed)
    tables = {
        "effects": _by_arm({arm: described_effects(e, people, family_outcome) for arm, e in effects.items()}),
        "paths": _by_arm({arm: mediation_paths(idata, arm=arm, of=of) for arm in arms}),
        "extrapolation": extrapolation(effects, list(model.coords["mediator"])),
        "prior_posterior": _by_arm({arm: prior_posterior(idata, effects[arm], m=m, at=at, arm=arm, scale=scale, of=of) for arm in arms}),
        "sensitivity_curve": _sensitivity_table(sensitivity, ["tnie"]),
        "sensitivity": _sensitivity_table(sensitivity, ["rho_tipping", "tnie_rho_prior", "r2_product_residual", "r2_product_total"]),
        "benchmarks": _sensitivity_table(sensitivity, ["benchmark_rho", "benchmark_tnie"]),
        "reliability": _sensitivity_table(sensitivity, ["tnie_reliability"]),
        "e_values": pd.DataFrame(
            [{"arm": a, "mediator": q, **{k: s.attrs[k] for k in ("e_value", "e_value_limit")}} for (a, q), s in sensitivity.items()],
            columns=["arm", "mediator", "e_value", "e_value_limit"],
        ),
        "priors": default_priors(chosen=priors or {}),
        "missing": people.missing,
        "set_aside": people.set_aside,
        "convergence": convergence.reset_index(),
    }  # fmt: skip
    if people.trial.nunique() > 1:
        tables["effects_by_trial"] = _by_arm(
            {arm: effect_table(natural_effects_by_trial(idata, arm=arm, of=of)) for arm in arms}
        )
    if moderators := dict.fromkeys((*people.treatment_moderators, *people.mediator_moderators)):
        columns = [str(x) for x in people.covariates.columns if people.covariate_source[x] in moderators]
        tables["moderated_effects"] = pd.concat(
            [
                _by_arm(
                    {arm: moderated_table(idata, moderator=x, m=m, at=at, arm=arm, scale=scale, of=of) for arm in arms}
                )
                for x in columns
            ],
            ignore_index=True,
        )
    if len(people.clusters.columns):
        names = [str(c) for c in people.clusters.columns]
        tables["between_clusters"] = pd.concat(
            [
                _by_arm({a: effect_table(cluster_variation(idata, cluster=c, arm=a)).assign(cluster=c) for a in arms})
                for c in names
            ],
            ignore_index=True,
        )
    said = [str(w.message) for w in caught if w.category is UserWarning] + ([refusal] if refusal else [])
    return MediationAnalysis(people, idata, tables, sensitivity, tuple(dict.fromkeys(said)))


def prior_problems(priors: Mapping[str, float]) -> list[str]:
    """Priors that `mediation` does not have, and values that are no scale."""
    known = list(default_priors()["keyword"])
    return [f"prior {name!r} is unknown; the priors are {', '.join(known)}" for name in priors if name not in known] + [
        f"{name} = {value:g}; it must be above 0" for name, value in priors.items() if name in known and not value > 0
    ]


def described_effects(effects: xr.Dataset, people: Participants, family_outcome: str) -> pd.DataFrame:
    """Tabulate effects with their ``scale``, the mediators' ``m`` of cde, and the ``median`` (that of a proportion is its estimate)."""
    table = effect_table(effects)
    of = {effects.attrs["of"]: effects.attrs["of_value"]} if effects.attrs["of"] else None
    event = None if people.event is None else str(people.event.name)
    scale = scale_words(
        effects.attrs["scale"], of, family_outcome=family_outcome, outcome=str(people.outcome.name), event=event
    )
    values = zip(people.mediators.columns, effects.attrs["m"], strict=True)
    level = ", ".join(f"{name} = {value:g}" for name, value in values)
    medians = [effects[name].median(("chain", "draw")).to_numpy().ravel() for name in effects.data_vars]
    share = table["estimand"] == "proportion_mediated"
    return table.assign(
        scale=np.where(share, "share of te", scale), m=np.where(table["estimand"] == "cde", level, ""),
        median=np.concatenate(medians),
    )  # fmt: skip


def default_priors(
    model: Callable[..., pm.Model] = mediation, *, chosen: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Tabulate the priors that a model uses, those chosen and the others' defaults: ``keyword``, ``value`` (SD units)."""
    parameters = inspect.signature(model).parameters
    rows = [
        (name, float((chosen or {}).get(name, p.default)))
        for name, p in parameters.items()
        if name.startswith("prior_")
    ]
    return pd.DataFrame(rows, columns=["keyword", "value"])


def extrapolation(effects: Mapping[str, xr.Dataset], mediators: Sequence[str]) -> pd.DataFrame:
    """Tabulate how far cde and pnde move each mediator, in SDs of the active arm."""
    rows = [
        {"arm": arm, "effect": name, "mediator": mediator, "distance": distance}
        for arm, draws in effects.items()
        for name in ("cde", "pnde")
        for mediator, distance in zip(mediators, draws.attrs[f"extrapolation_{name}"], strict=True)
    ]
    return pd.DataFrame(rows)


def prior_posterior(
    idata: xr.DataTree, effects: xr.Dataset, *, m: float | Mapping[str, float] | None, arm: str,
    at: Mapping[str, float] | None = None, scale: Scale = "difference", of: Of | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Compare the implied prior of each effect with its posterior, in the columns of `plot_effects`."""
    names = [n for n in ("te", "pnde", "tnie", "pnie", "cde") if n in effects]
    prior = effect_table(compute_effects(idata, m=m, at=at, arm=arm, group="prior", scale=scale, of=of)[names])
    table = effect_table(effects[names]).rename(columns={"estimand": "parameter"})
    return table.assign(
        prior_sd=prior["sd"], prior_low=prior["ci_low"], prior_high=prior["ci_high"],
        contraction=np.clip(1 - table["sd"] ** 2 / prior["sd"] ** 2, 0, 1),
    )  # fmt: skip


def prior_variables(model: pm.Model) -> list[TensorVariable]:
    """Return the quantities that have a prior.

    The trials' and clusters' own effects are drawn given the data where participants are collapsed, so they have no place here.
    """
    given_data = "outcome_gram" in model.named_vars
    own = [v.name for v in model.deterministics if v.name.endswith("_trial") or v.name.startswith("deviation_")]
    return [v for v in model.deterministics if not (given_data and v.name in own)]


def with_prior(model: pm.Model, idata: xr.DataTree, variables: Sequence[TensorVariable], *, seed: int) -> xr.DataTree:
    """Add draws of these variables from the prior; the likelihood plays no part in them, as it should not."""
    draws = pm.draw(list(variables), PRIOR_DRAWS, random_seed=seed)
    dims = {v.name: ("chain", "draw", *model.named_vars_to_dims.get(v.name, ())) for v in variables}
    used = {d for names in dims.values() for d in names}
    idata["prior"] = xr.Dataset(
        {v.name: (dims[v.name], values[None]) for v, values in zip(variables, draws, strict=True)},
        coords={"chain": [0], "draw": range(PRIOR_DRAWS)} | {d: list(v) for d, v in model.coords.items() if d in used},
    )
    return idata


def _sensitivities(idata: xr.DataTree, arms: Sequence[str], seed: int) -> tuple[dict[tuple[str, str], xr.Dataset], str]:
    """Sensitivity analyses by arm and mediator, or why there are none."""
    mediators = [str(q) for q in idata["constant_data"]["mediator"].to_numpy()]
    try:
        return {(a, q): mediation_sensitivity(idata, arm=a, mediator=q, seed=seed) for a in arms for q in mediators}, ""
    except ValueError as error:
        return {}, str(error)


def _by_arm(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    parts = []
    for arm, table in tables.items():
        part = table.copy()
        part.insert(0, "arm", arm)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _sensitivity_table(sensitivity: Mapping[tuple[str, str], xr.Dataset], names: Sequence[str]) -> pd.DataFrame:
    parts = []
    for (arm, mediator), draws in sensitivity.items():
        kept = [name for name in names if name in draws]
        part = effect_table(draws[kept])
        part.insert(0, "mediator", mediator)
        part.insert(0, "arm", arm)
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["arm", "mediator", "estimand"])
