"""A trial as its report needs it: choices completed by the codebook, then the table, read and checked once, before PyMC is loaded."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import cast

import pandas as pd

from pillprocess.belief.coding import Timing, coded_guesses, guess_problems
from pillprocess.belief.readiness import belief_problems, moderation_problems, with_outcome_and_experience
from pillprocess.mediation.choices import FAMILIES, Family, choice_problems, spread_problems, vary_problems
from pillprocess.mediation.course import course_problems
from pillprocess.participants.checked import Participants
from pillprocess.participants.codebook import MANY, Codebook, Visits, read_codebook
from pillprocess.participants.crossover import Crossover
from pillprocess.participants.followup import FollowUp
from pillprocess.participants.reading import ParticipantError, read_table
from pillprocess.participants.roles import Roles, resolve_roles
from pillprocess.participants.table import load_participants
from pillprocess.trial.choices import TrialChoices
from pillprocess.trial.designs import design_problems, people_of, period_asked, read_design, visits_asked
from pillprocess.trial.questions import open_questions

OF_ROLES = tuple(f.name for f in fields(Roles))


@dataclass(frozen=True)
class ReadTrial:
    """A trial that may be fitted.

    Attributes
    ----------
    table
        As read.
    people
        Participants, with their belief as a mediator where there is a guess made after dosing.
    experienced
        Participants without their belief.
    roles
        Columns by role.
    guess, timing
        Column of a guess or expectation, and when it was measured.
    design
        Its visits, or its two periods, where it has them.
    """

    table: pd.DataFrame
    people: Participants
    experienced: Participants
    roles: Roles
    guess: str | None
    timing: Timing | None
    design: FollowUp | Crossover | None = None

    @property
    def believed(self) -> str | None:
        """The guess, where it was made after dosing."""
        return None if self.timing == "pre_dose" else self.guess


def read_choices(
    choices: TrialChoices, *, family_mediator: str = "gaussian", family_outcome: str = "gaussian"
) -> tuple[Roles, Codebook, str | None, Timing | None]:
    """Complete what was asked for by the codebook: roles, codebook, guess and its timing; no table is read.

    Raises
    ------
    ParticipantError
        Roles that cannot be.
    """
    book = read_codebook(choices.codebook) if choices.codebook is not None else Codebook()
    if choices.visit is not None or choices.person is not None:
        book = replace(book, visits=replace(book.visits, column=choices.visit or "", person=choices.person or ""))
    visits, unread = visits_asked(choices, book)
    given = {
        key: tuple(value) if key in MANY and not isinstance(value, str) else value
        for key, value in ((key, getattr(choices, key)) for key in OF_ROLES)
    }
    if visits and given["outcome"] is None:
        given["outcome"] = list(visits)[-1]
    roles, problems = resolve_roles(given, book)
    problems += unread
    guess = choices.guess if choices.guess is not None else cast("str | None", book.roles.get("guess"))
    timing = (
        choices.guess_timing
        if choices.guess_timing is not None
        else cast("Timing | None", book.roles.get("guess_timing"))
    )
    problems += [
        f"family_{role} = {family!r}; it must be one of {', '.join(FAMILIES)}"
        for role, family in (("mediator", family_mediator), ("outcome", family_outcome))
        if family not in FAMILIES
    ]
    problems += guess_problems(
        guess, timing, mediators=roles.mediators, before=roles.before, families=(family_mediator, family_outcome),
        treatment_kind=roles.treatment_kind,
    )  # fmt: skip
    if not roles.mediators and guess is None:
        problems.append(
            "no mediator was named; name its column with --mediator, or that of a treatment guess with --guess"
        )
    if problems:
        raise ParticipantError(problems, Path(choices.source).name)
    return roles, book, guess, timing


def load_trial(
    choices: TrialChoices,
    *,
    family_mediator: Family = "gaussian",
    family_outcome: Family = "gaussian",
    order: Sequence[str] | None = None,
    m: float | Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    vary: Sequence[str] | Mapping[str, Sequence[str]] = (),
    scale: str = "difference",
    of: Mapping[str, float] | None = None,
    sd_by_arm: bool = False,
    floor_mediator: float | None = None,
) -> ReadTrial:
    """Read and check a trial, and everything about its analysis that can be known before a model is built.

    Parameters
    ----------
    choices
        What is said of the trial.
    family_mediator, family_outcome, order, vary, sd_by_arm, floor_mediator
        As in `mediation`.
    m, at, scale, of
        As in `natural_effects`.

    Raises
    ------
    ParticipantError, ValueError
        Everything that is wrong or asked about.
    """
    roles, book, guess, timing = read_choices(choices, family_mediator=family_mediator, family_outcome=family_outcome)
    visits, period = visits_asked(choices, book)[0], period_asked(choices, book)
    beside = {
        "--guess": guess, "--order": order, "--vary": vary, "--scale": scale != "difference", "--of": of,
        "--family-mediator": family_mediator != "gaussian", "--family-outcome": family_outcome != "gaussian",
        "--course": choices.course,
    }  # fmt: skip
    if problems := design_problems(roles, visits, period, beside, one_outcome=choices.outcome):
        raise ParticipantError(problems, Path(choices.source).name)
    table, name, _ = read_table(choices.source, codebook=book)
    settled = replace(book, visits=Visits(), roles={})
    believed = None if timing == "pre_dose" else guess

    def load(rows: pd.DataFrame, columns: Sequence[str]) -> Participants:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # kept in the participants' notes, which the report prints
            try:
                return load_participants(
                    rows, treatment=roles.treatment, outcome=roles.outcome, mediators=columns, reference=roles.reference,
                    active=roles.active, treatment_kind=roles.treatment_kind, baseline=roles.baseline, trial=roles.trial,
                    covariates=roles.covariates, id=roles.id, mediator_time=roles.mediator_time, outcome_time=roles.outcome_time,
                    higher_is_worse=roles.higher_is_worse, randomised=roles.randomised, single_arm=roles.single_arm,
                    incomplete=roles.incomplete, clusters=roles.clusters, cluster_labels=roles.cluster_labels,
                    treatment_moderators=roles.treatment_moderators, mediator_moderators=roles.mediator_moderators, event=roles.event,
                    codebook=settled,
                )  # fmt: skip
            except ParticipantError as error:
                raise ParticipantError(error.problems, name) from None

    design: FollowUp | Crossover | None = None
    if visits or period is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                design = read_design(table, roles, visits, period, settled)
            except ParticipantError as error:
                raise ParticipantError(error.problems, name) from None
        people = people_of(design)
    elif believed is None:
        people = load(table, roles.mediators)
    else:
        coded = coded_guesses(
            table, guess=believed, treatment=roles.treatment, reference=roles.reference, active=roles.active
        )
        people = load(coded, [believed, *roles.mediators])
    if guess is not None and guess not in table.columns:
        listed = ", ".join(map(str, table.columns))
        raise ParticipantError([f"column {guess!r} is not in the table, which has {listed}"], name)
    experienced = people if believed is None or not roles.mediators else load(table, roles.mediators)
    if roles.mediators:
        problems += choice_problems(
            experienced.mediators, experienced.outcome, family_mediator=family_mediator, family_outcome=family_outcome,
            order=order, m=m, at=at, scale=scale, of=of, event=experienced.event, covariates=list(map(str, experienced.covariates.columns)),
        )  # fmt: skip
        problems += vary_problems(experienced, vary)
        if choices.course:
            problems += course_problems(
                choices.course, list(map(str, experienced.mediators.columns)), ordered=order is not None
            )
            if roles.trial is not None or roles.clusters:
                problems.append(
                    "--course: effects through a course over sessions are computed for one trial without clusters"
                )
        problems += spread_problems(
            experienced, sd_by_arm=sd_by_arm, floor_mediator=floor_mediator, family_mediator=family_mediator,
            family_outcome=family_outcome,
        )  # fmt: skip
    if believed is not None:
        problems += belief_problems(people)
        with_outcome_and_experience(people, guess=believed)
    elif guess is not None:
        problems += moderation_problems(people, table[guess], baseline=roles.baseline, codebook=settled)
    if problems:
        raise ParticipantError(problems, name)
    asked = open_questions(table, roles, book, visits=visits, period=period)
    people = replace(people, notes=(*people.notes, *asked))
    return ReadTrial(table, people, experienced, roles, guess, timing, design)
