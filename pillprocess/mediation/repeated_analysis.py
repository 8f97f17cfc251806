"""The whole mediation analysis of a trial with several visits, or of a two-period crossover."""

import warnings
from collections.abc import Callable, Mapping

import pandas as pd
import pymc as pm
import xarray as xr

from pillprocess.inference.fit import check_fit, fit
from pillprocess.mediation.analysis import (
    MediationAnalysis,
    Step,
    default_priors,
    prior_problems,
    sensitivities,
    with_prior,
)
from pillprocess.mediation.between_clusters import visit_cluster_variation
from pillprocess.mediation.crossover import crossover_mediation
from pillprocess.mediation.dropout import tipping_point, tipping_table
from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.model import mediation
from pillprocess.mediation.repeated import repeated_mediation
from pillprocess.mediation.repeated_effects import at_visit, repeated_effects
from pillprocess.mediation.tabulated import by_arm, tabulated
from pillprocess.output.tables import effect_table, interval_table
from pillprocess.participants.checked import Participants
from pillprocess.participants.crossover import Crossover
from pillprocess.participants.followup import FollowUp

EFFECTS = ["te", "pnde", "tnie"]
OF_A_CROSSOVER = ("period_m", "period_y", "carry_over_m", "carry_over_y", "person_m", "person_y", "person_correlation")
NO_SENSITIVITY = (
    "a common cause of mediator and outcome that is a person's own does not touch a crossover's effects; how strong one that changes "
    "between the periods must be is not computed"
)


def analyse_repeated(
    followup: FollowUp,
    *,
    interaction: bool = True,
    priors: Mapping[str, float] | None = None,
    m: float | Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    seed: int,
    draws: int = 2000,
    step: Step = lambda _: None,
) -> MediationAnalysis:
    """Fit the model of several visits and tabulate the last visit as any outcome, every visit's effects, and the tipping points.

    Parameters
    ----------
    followup
        From `load_followup`.
    interaction, priors, m, at, seed, draws, step
        As in `analyse_mediation`; the priors are those of `repeated_mediation`.

    Returns
    -------
    MediationAnalysis of the last visit; its tables ``effects_by_visit`` and, where the last visit of somebody is missing,
    ``tipping`` and ``tipping_curve`` are those of the visits.

    Raises
    ------
    ValueError, ConvergenceError
        As `analyse_mediation`.
    """
    people, visits = followup.people, [str(v) for v in followup.outcomes.columns]
    whole, convergence, said = _fitted(
        repeated_mediation, followup, interaction=interaction, priors=priors, seed=seed, draws=draws, step=step
    )
    step("effects and sensitivity")
    last, arms = at_visit(whole, visits[-1]), [str(a) for a in people.treatment.columns]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        effects = {arm: natural_effects(last, m=m, at=at, arm=arm) for arm in arms}
        sensitivity, refusal = sensitivities(last, arms, seed)
    tables = tabulated(
        last, people, effects, sensitivity, convergence, family_outcome="gaussian",
        priors=default_priors(repeated_mediation, chosen=priors), m=m, at=at, scale="difference",
    )  # fmt: skip
    if len(people.clusters.columns):
        tables["between_clusters"] = pd.concat(
            [
                effect_table(visit_cluster_variation(whole, cluster=c)).assign(cluster=c)
                for c in people.clusters.columns
            ],
            ignore_index=True,
        )
    each = {arm: repeated_effects(whole, m=m, at=at, arm=arm)[EFFECTS] for arm in arms}
    tables["effects_by_visit"] = by_arm({arm: effect_table(draws) for arm, draws in each.items()})
    curves = {}
    if followup.outcomes[followup.outcomes.columns[-1]].isna().any():
        curves = {arm: tipping_point(whole, followup, arm=arm, seed=seed) for arm in arms}
        tables["tipping"] = by_arm({arm: tipping_table(curve) for arm, curve in curves.items()})
        tables["tipping_curve"] = by_arm({arm: interval_table(curve) for arm, curve in curves.items()})
    alike = tables["priors"].set_index("keyword")["value"]["prior_person_correlation"]
    design = (
        f"{len(visits)} visits ({', '.join(visits)}); what a person's visits have in common is unstructured, with a prior about what is "
        f"left where assessments of one person correlate {alike:g}; the effects of one outcome are those at {visits[-1]}"
    )
    return MediationAnalysis(
        people, last, tables, sensitivity, _doubts(said, caught, refusal), whole=whole, tipping=curves, design=design
    )


def analyse_crossover(
    crossover: Crossover,
    people: Participants,
    *,
    interaction: bool = True,
    priors: Mapping[str, float] | None = None,
    m: float | Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    seed: int,
    draws: int = 2000,
    step: Step = lambda _: None,
) -> MediationAnalysis:
    """Fit the within-person model of a crossover, and the first period alone beside it, and tabulate both.

    Parameters
    ----------
    crossover, people
        From `load_crossover`, and its people each once, for the report.
    interaction, priors, m, at, seed, draws, step
        As in `analyse_mediation`; the priors are those of `crossover_mediation`. The first period alone has the same ones, but for those of
        period, carry-over and persons, which it does not know.

    Returns
    -------
    MediationAnalysis; its tables ``periods`` (period, carry-over, people) and ``first_period`` (effects in the first period alone, which no
    carry-over can touch) are the crossover's own.

    Raises
    ------
    ValueError, ConvergenceError
        As `analyse_mediation`.
    """
    idata, convergence, said = _fitted(
        crossover_mediation, crossover, interaction=interaction, priors=priors, seed=seed, draws=draws, step=step
    )
    step("the first period alone")
    [arm] = [str(a) for a in people.treatment.columns]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        effects = {arm: natural_effects(idata, m=m, at=at, arm=arm)}
        first = fit(first_period(crossover, interaction=interaction, priors=priors or {}), seed=seed, draws=draws)
        check_fit(first)
        alone = natural_effects(first, m=m, at=at, arm=arm)
    tables = tabulated(
        idata, people, effects, {}, convergence, family_outcome="gaussian",
        priors=default_priors(crossover_mediation, chosen=priors), m=m, at=at, scale="difference",
    )  # fmt: skip
    tables["periods"] = effect_table(idata["posterior"].dataset[list(OF_A_CROSSOVER)])
    tables["first_period"] = by_arm({arm: effect_table(alone[EFFECTS])})
    design = (
        f"a crossover of periods {crossover.periods[0]} and {crossover.periods[1]}: effects within persons, with terms of period and "
        "carry-over and persons' own levels of mediator and outcome, which may be correlated"
    )
    return MediationAnalysis(people, idata, tables, {}, _doubts(said, caught, NO_SENSITIVITY), design=design)


def first_period(crossover: Crossover, *, interaction: bool, priors: Mapping[str, float]) -> pm.Model:
    """Build the model of the first period alone, a parallel trial, with those of a crossover's priors that it has."""
    build: Callable[..., pm.Model] = mediation
    known = set(default_priors(mediation)["keyword"])
    return build(
        crossover.first, interaction=interaction, **{name: value for name, value in priors.items() if name in known}
    )


def _fitted(
    build: Callable[..., pm.Model], data: FollowUp | Crossover, *, interaction: bool, priors: Mapping[str, float] | None, seed: int,
    draws: int, step: Step,
) -> tuple[xr.DataTree, pd.DataFrame, list[str]]:  # fmt: skip
    """Fit with draws of the prior, convergence, and the warnings given."""
    if problems := prior_problems(priors or {}, build):
        raise ValueError("\n".join([*problems, "nothing was fitted"]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        step("model")
        model = build(data, interaction=interaction, **(priors or {}))
        step("fit")
        idata = fit(model, seed=seed, draws=draws)
        convergence = check_fit(idata)
        step("prior")
        idata = with_prior(model, idata, model.deterministics, seed=seed)
    return idata, convergence, [str(w.message) for w in caught if w.category is UserWarning]


def _doubts(said: list[str], caught: list[warnings.WarningMessage], more: str) -> tuple[str, ...]:
    later = [str(w.message) for w in caught if w.category is UserWarning]
    return tuple(dict.fromkeys([*said, *later, *([more] if more else [])]))
