"""The whole mediation analysis of one table of participants: fit, effects, sensitivity, tables."""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pymc as pm
import xarray as xr
from pytensor.tensor import TensorVariable

from pillprocess.inference.fit import check_fit, fit
from pillprocess.mediation.between_clusters import cluster_variation
from pillprocess.mediation.choices import ORDINAL, Family, Of
from pillprocess.mediation.effects import Scale, natural_effects
from pillprocess.mediation.interventional import interventional_table
from pillprocess.mediation.model import mediation
from pillprocess.mediation.moderated import moderated_table
from pillprocess.mediation.proportional import proportional_doubt
from pillprocess.mediation.sensitivity import mediation_sensitivity
from pillprocess.mediation.slopes_over_time import order_doubts
from pillprocess.mediation.tabulated import by_arm, contrast_table, tabulated
from pillprocess.mediation.trajectory import trajectory_effects
from pillprocess.mediation.trajectory_sensitivity import trajectory_sensitivity
from pillprocess.mediation.trial_effects import natural_effects_by_trial
from pillprocess.output.tables import effect_table, interval_table
from pillprocess.participants.table import Participants

type Step = Callable[[str], None]

PRIOR_DRAWS = 4000
TABULATED = (-0.6, -0.45, -0.3, -0.15, 0.0, 0.15, 0.3, 0.45, 0.6)
"""Strengths of an unmeasured trait at which effects through a course are tabulated."""


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
    whole
        The fit of all visits, where ``idata`` is the last one's.
    tipping
        Curves over how much worse those who left did, by arm.
    design
        The design in words, where it is visits or a crossover.
    """

    people: Participants
    idata: xr.DataTree
    tables: dict[str, pd.DataFrame]
    sensitivity: dict[tuple[str, str], xr.Dataset]
    doubts: tuple[str, ...]
    whole: xr.DataTree | None = None
    tipping: dict[str, xr.Dataset] = field(default_factory=dict)
    design: str = ""


def analyse_mediation(
    people: Participants,
    *,
    interaction: bool = True,
    family_mediator: Family = "gaussian",
    family_outcome: Family = "gaussian",
    order: Sequence[str] | None = None,
    vary: Sequence[str] | Mapping[str, Sequence[str]] = (),
    sd_by_arm: bool = False,
    floor_mediator: float | None = None,
    course: Sequence[str] = (),
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
    interaction, family_mediator, family_outcome, order, vary, sd_by_arm, floor_mediator
        As in `mediation`.
    course
        Mediators that are one measure over sessions, for `trajectory_effects`; needs ``order``.
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
            vary=vary, sd_by_arm=sd_by_arm, floor_mediator=floor_mediator, **(priors or {}),
        )  # fmt: skip
        step("fit")
        idata = fit(model, seed=seed, draws=draws)
        convergence = check_fit(idata)
        step("prior")
        idata = with_prior(model, idata, prior_variables(model), seed=seed)
        step("effects and sensitivity")
        arms = [str(a) for a in people.treatment.columns]
        effects = {arm: natural_effects(idata, m=m, at=at, arm=arm, scale=scale, of=of) for arm in arms}
        sensitivity, refusal = sensitivities(idata, arms, seed)
    tables = tabulated(
        idata, people, effects, sensitivity, convergence, family_outcome=family_outcome, priors=default_priors(chosen=priors), m=m,
        at=at, scale=scale, of=of,
    )  # fmt: skip
    if len(arms) > 1:
        tables["contrasts"] = contrast_table(idata, people, family_outcome, m=m, at=at, scale=scale, of=of)
    if len(people.mediators.columns) > 1 and people.trial.nunique() == 1 and not len(people.clusters.columns):
        asked: dict[str, Any] = {"at": at, "scale": scale, "of": of}
        tables["interventional"] = by_arm({arm: interventional_table(idata, arm=arm, **asked) for arm in arms})
    if course:
        asked = {"mediators": course, "at": at, "scale": scale, "of": of}
        through = {
            arm: effect_table(trajectory_effects(idata, arm=arm, **asked).squeeze("visit", drop=True)) for arm in arms
        }
        if family_outcome == "gaussian" and not (people.treatment_moderators or people.mediator_moderators):
            tables["trajectory_sensitivity"] = by_arm(
                {
                    arm: interval_table(
                        trajectory_sensitivity(idata, mediators=course, at=at, arm=arm, strengths=TABULATED)[
                            ["iie", "ide"]
                        ]
                    )
                    for arm in arms
                }
            )
        tables["trajectory"] = by_arm({arm: table.fillna({"mediator": ""}) for arm, table in through.items()})
    if people.trial.nunique() > 1:
        tables["effects_by_trial"] = by_arm(
            {arm: effect_table(natural_effects_by_trial(idata, arm=arm, of=of)) for arm in arms}
        )
    if moderators := dict.fromkeys((*people.treatment_moderators, *people.mediator_moderators)):
        columns = [str(x) for x in people.covariates.columns if people.covariate_source[x] in moderators]
        tables["moderated_effects"] = pd.concat(
            [
                by_arm(
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
                by_arm({a: effect_table(cluster_variation(idata, cluster=c, arm=a)).assign(cluster=c) for a in arms})
                for c in names
            ],
            ignore_index=True,
        )
    ordered = order if order and people.trial.nunique() == 1 and not len(people.clusters.columns) else ()
    doubted = proportional_doubt(people, interaction=interaction) if family_outcome in ORDINAL else ""
    said = [str(w.message) for w in caught if w.category is UserWarning]
    said += [s for s in (refusal, doubted, *order_doubts(people, ordered)) if s]
    return MediationAnalysis(people, idata, tables, sensitivity, tuple(dict.fromkeys(said)))


def prior_problems(priors: Mapping[str, float], model: Callable[..., pm.Model] = mediation) -> list[str]:
    """Priors that a model does not have, and values that are no scale."""
    known = list(default_priors(model)["keyword"])
    return [f"prior {name!r} is unknown; the priors are {', '.join(known)}" for name in priors if name not in known] + [
        f"{name} = {value:g}; it must be above 0" for name, value in priors.items() if name in known and not value > 0
    ]


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


def sensitivities(idata: xr.DataTree, arms: Sequence[str], seed: int) -> tuple[dict[tuple[str, str], xr.Dataset], str]:
    """Sensitivity analyses by arm and mediator, or why there are none."""
    mediators = [str(q) for q in idata["constant_data"]["mediator"].to_numpy()]
    try:
        return {(a, q): mediation_sensitivity(idata, arm=a, mediator=q, seed=seed) for a in arms for q in mediators}, ""
    except ValueError as error:
        return {}, str(error)
