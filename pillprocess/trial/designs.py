"""A trial whose outcome was measured at several visits, or that crossed over: asked for, read and checked as its model needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import pandas as pd

from pillprocess.participants.checked import Participants
from pillprocess.participants.codebook import Codebook
from pillprocess.participants.crossover import Crossover, load_crossover
from pillprocess.participants.followup import FollowUp, load_followup
from pillprocess.participants.roles import Roles
from pillprocess.trial.choices import TrialChoices


def visits_asked(choices: TrialChoices, book: Codebook) -> tuple[dict[str, float], list[str]]:
    """Outcome's columns and the times of their visits, evenly spaced where none are given; and what is wrong with them."""
    if not choices.outcomes:
        said = book.roles.get("outcomes", {})
        return (
            dict(cast("Mapping[str, float]", said)) if isinstance(said, Mapping) else _even(cast("Sequence[str]", said))
        ), []
    if not any("=" in text for text in choices.outcomes):
        return _even(choices.outcomes), []
    times, problems = {}, []
    for text in choices.outcomes:
        column, _, time = text.rpartition("=")
        try:
            times[column] = float(time)
        except ValueError:
            column = ""
        if not column:
            problems.append(
                f"--outcomes {text}: a column and the time of its visit are needed, such as madrs_6=6, for every visit or for none"
            )
    return times, problems


def _even(columns: Sequence[str]) -> dict[str, float]:
    return {column: float(number) for number, column in enumerate(columns, start=1)}


def period_asked(choices: TrialChoices, book: Codebook) -> str | None:
    """Column of a crossover's period."""
    return choices.period or cast("str | None", book.roles.get("period"))


def design_problems(
    roles: Roles,
    visits: Mapping[str, float],
    period: str | None,
    beside: Mapping[str, object],
    *,
    one_outcome: str | None,
) -> list[str]:
    """What was asked for that the model of visits, or of a crossover, does not have.

    Parameters
    ----------
    roles, visits, period
        Columns by role, times by the outcome's columns, and the column of the period.
    beside
        What else was asked for, by option of the command.
    one_outcome
        Column given as the one outcome.
    """
    if not visits and period is None:
        return []
    if visits and period is not None:
        return [
            "--outcomes and --period: a trial is read with its visits, or as a crossover of two periods; leave one out"
        ]
    model = "several visits" if visits else "a crossover"
    asked = dict(beside) | {
        "--trial": roles.trial, "--cluster": () if visits else roles.clusters, "--treatment-moderator": roles.treatment_moderators,
        "--mediator-moderator": roles.mediator_moderators, "--mediator-time": roles.mediator_time, "--outcome-time": roles.outcome_time,
        "--event": roles.event,
    }  # fmt: skip
    problems = [
        f"{option} is not part of the model of {model}; leave it out" for option, value in asked.items() if value
    ]
    if visits and one_outcome not in (None, *list(visits)[-1:]):
        problems.append(
            f"--outcome {one_outcome} beside --outcomes: the outcome's columns are those of the visits; leave it out"
        )
    if period is not None:
        if roles.id is None:
            problems.append("--period: a crossover needs to know whose row each is; name the person's column with --id")
        if roles.baseline is not None:
            problems.append(
                "--baseline: what was measured once before a crossover is a covariate; name it with --covariate"
            )
        if len(roles.mediators) != 1:
            problems.append(f"a crossover is fitted with one mediator; {len(roles.mediators)} are named")
    return problems


def read_design(
    table: pd.DataFrame, roles: Roles, visits: Mapping[str, float], period: str | None, book: Codebook
) -> FollowUp | Crossover:
    """Read the visits, or the two periods.

    Raises
    ------
    ParticipantError
        Lists every problem.
    """
    if period is not None:
        return load_crossover(
            table, person=roles.id or "", period=period, treatment=roles.treatment, outcome=roles.outcome,
            mediator=roles.mediators[0], reference=roles.reference, covariates=roles.covariates,
            higher_is_worse=roles.higher_is_worse, codebook=book,
        )  # fmt: skip
    return load_followup(
        table, outcomes=visits, treatment=roles.treatment, mediators=roles.mediators, reference=roles.reference, active=roles.active,
        treatment_kind=roles.treatment_kind, baseline=roles.baseline, covariates=roles.covariates, id=roles.id,
        higher_is_worse=roles.higher_is_worse, randomised=roles.randomised, incomplete=roles.incomplete, clusters=roles.clusters,
        cluster_labels=roles.cluster_labels, codebook=book,
    )  # fmt: skip


def people_of(design: FollowUp | Crossover) -> Participants:
    """The people of a design, each once, with what both periods or all visits lack; a crossover's values are the first period's."""
    if isinstance(design, FollowUp):
        return design.people
    parts = {
        period: people.missing for period, people in zip(design.periods, (design.first, design.second), strict=True)
    }
    missing = pd.concat(
        [t.assign(column=t["column"].astype(str) + f", period {period}") for period, t in parts.items()],
        ignore_index=True,
    )
    notes = (
        f"a crossover: {len(design)} people, period {design.periods[0]} first; each person is compared with themselves",
        *dict.fromkeys((*design.first.notes, *design.second.notes)),
    )
    return replace(design.first, missing=missing, notes=notes)
