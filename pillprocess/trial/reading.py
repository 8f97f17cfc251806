"""A trial as its report needs it: options completed by the codebook, then the table, read and checked once."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import pandas as pd

from pillprocess.belief.coding import Timing, coded_guesses, guess_problems
from pillprocess.participants.checked import Participants
from pillprocess.participants.codebook import Codebook, Visits, read_codebook
from pillprocess.participants.reading import ParticipantError, read_table
from pillprocess.participants.roles import Roles, TreatmentKind, resolve_roles
from pillprocess.participants.table import load_participants


def chosen_roles(
    source: str | Path,
    *,
    codebook: str | Path | None,
    visit: str | None,
    person: str | None,
    guess: str | None,
    guess_timing: Timing | None,
    families: Sequence[str] = ("gaussian", "gaussian"),
    treatment: str | None,
    outcome: str | None,
    mediators: Sequence[str],
    reference: str | None,
    active: str | None,
    treatment_kind: TreatmentKind | None,
    baseline: str | None,
    trial: str | None,
    covariates: Sequence[str],
    id: str | None,
    mediator_time: str | float | None,
    outcome_time: str | float | None,
    higher_is_worse: bool | None,
    randomised: bool | None,
    single_arm: Literal["set_aside", "keep"] | None,
    incomplete: Literal["error", "set_aside"] | None,
) -> tuple[Roles, Codebook, str | None, Timing | None]:
    """Complete what was asked for by the codebook: roles, codebook, guess and its timing.

    Raises
    ------
    ParticipantError
        Roles that cannot be, before anything is read.
    """
    book = read_codebook(codebook) if codebook is not None else Codebook()
    if visit is not None or person is not None:
        book = replace(book, visits=replace(book.visits, column=visit or "", person=person or ""))
    roles, problems = resolve_roles(
        {
            "treatment": treatment, "outcome": outcome, "mediators": tuple(mediators), "reference": reference, "active": active,
            "treatment_kind": treatment_kind, "baseline": baseline, "trial": trial, "covariates": tuple(covariates), "id": id,
            "mediator_time": mediator_time, "outcome_time": outcome_time, "higher_is_worse": higher_is_worse,
            "randomised": randomised, "single_arm": single_arm, "incomplete": incomplete,
        },
        book,
    )  # fmt: skip
    guess = guess if guess is not None else cast("str | None", book.roles.get("guess"))
    timing = guess_timing if guess_timing is not None else cast("Timing | None", book.roles.get("guess_timing"))
    problems += guess_problems(
        guess,
        timing,
        mediators=roles.mediators,
        before=roles.before,
        families=families,
        treatment_kind=roles.treatment_kind,
    )
    if not roles.mediators and guess is None:
        problems.append(
            "no mediator was named; name its column with --mediator, or that of a treatment guess with --guess"
        )
    if problems:
        raise ParticipantError(problems, Path(source).name)
    return roles, book, guess, timing


def load_trial(
    source: str | Path, roles: Roles, book: Codebook, *, guess: str | None, believed: str | None
) -> tuple[pd.DataFrame, Participants, Participants]:
    """Read and check a trial: its table, the participants with their belief as mediator, and those without it.

    Raises
    ------
    ParticipantError
        Everything that is wrong or asked about.
    """
    table, name, _ = read_table(source, codebook=book)
    settled = replace(book, visits=Visits(), roles={})

    def load(rows: pd.DataFrame, columns: Sequence[str]) -> Participants:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # kept in the participants' notes, which the report prints
            try:
                return load_participants(
                    rows, treatment=roles.treatment, outcome=roles.outcome, mediators=columns, reference=roles.reference,
                    active=roles.active, treatment_kind=roles.treatment_kind, baseline=roles.baseline, trial=roles.trial,
                    covariates=roles.covariates, id=roles.id, mediator_time=roles.mediator_time, outcome_time=roles.outcome_time,
                    higher_is_worse=roles.higher_is_worse, randomised=roles.randomised, single_arm=roles.single_arm,
                    incomplete=roles.incomplete, codebook=settled,
                )  # fmt: skip
            except ParticipantError as error:
                raise ParticipantError(error.problems, name) from None

    if believed is None:
        people = load(table, roles.mediators)
    else:
        coded = coded_guesses(
            table, guess=believed, treatment=roles.treatment, reference=roles.reference, active=roles.active
        )
        people = load(coded, [believed, *roles.mediators])
    if guess is not None and guess not in table.columns:
        listed = ", ".join(map(str, table.columns))
        raise ParticipantError([f"column {guess!r} is not in the table, which has {listed}"], name)
    return table, people, people if believed is None or not roles.mediators else load(table, roles.mediators)
