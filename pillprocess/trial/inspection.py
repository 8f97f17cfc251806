"""What a trial's file holds and how it was understood, before anything is fitted; the codebook is drafted here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from pillprocess.belief.coding import Timing
from pillprocess.participants.coding import labels
from pillprocess.participants.description import describe_columns, draft_codebook
from pillprocess.participants.file import read_participants
from pillprocess.participants.reading import read_trial
from pillprocess.participants.spelling import toml_text
from pillprocess.participants.visits import short_name, visit_columns
from pillprocess.trial.reading import chosen_roles, load_trial


def check_trial(
    source: str | Path,
    *,
    codebook: str | Path | None = None,
    visit: str | None = None,
    person: str | None = None,
    guess: str | None = None,
    guess_timing: Timing | None = None,
    treatment: str | None = None,
    outcome: str | None = None,
    mediators: Sequence[str] = (),
    reference: str | None = None,
    active: str | None = None,
    baseline: str | None = None,
    trial: str | None = None,
    covariates: Sequence[str] = (),
    id: str | None = None,
    mediator_time: str | float | None = None,
    outcome_time: str | float | None = None,
    higher_is_worse: bool | None = None,
    randomised: bool | None = None,
    single_arm: Literal["set_aside", "keep"] | None = None,
    incomplete: Literal["error", "set_aside"] | None = None,
) -> list[str]:
    """Read and check a trial as `run_mediate` does, and say in sentences what was understood; nothing is fitted.

    Raises
    ------
    ParticipantError
        Everything that is wrong or asked about.
    """
    roles, book, guess, guess_timing = chosen_roles(
        source, codebook=codebook, visit=visit, person=person, guess=guess, guess_timing=guess_timing, treatment=treatment,
        outcome=outcome, mediators=mediators, reference=reference, active=active, treatment_kind=None, baseline=baseline,
        trial=trial, covariates=covariates, id=id, mediator_time=mediator_time, outcome_time=outcome_time,
        higher_is_worse=higher_is_worse, randomised=randomised, single_arm=single_arm, incomplete=incomplete,
    )  # fmt: skip
    believed = None if guess_timing == "pre_dose" else guess
    people = load_trial(source, roles, book, guess=guess, believed=believed)[1]
    sizes = ", ".join(f"{n} in {arm}" for arm, n in people.arm.value_counts().items())
    missing = people.missing.groupby("column", sort=False)["missing"].sum()
    return [
        f"{len(people)} participants: {sizes}; compared with {people.reference}",
        "not observed: " + ", ".join(f"{column} {n}" for column, n in missing.items()),
        *people.notes,
        *(f"set aside: {row.what} ({row.n}), {row.reason}" for row in people.set_aside.itertuples()),
        "No problems; nothing was fitted.",
    ]


def run_inspect(
    source: str | Path, *, out: str | Path | None = None, visit: str | None = None, person: str | None = None
) -> tuple[list[str], Path]:
    """Describe a trial's file column by column, and write the draft of its codebook.

    Parameters
    ----------
    source, visit, person
        As in `read_trial`.
    out
        Path of the codebook; by default the file's name with ``.toml`` in the working folder.

    Returns
    -------
    One line per column, after what was said on reading; and the path of the codebook.

    Raises
    ------
    ParticipantError
        The file cannot be read.
    FileExistsError
        There is a codebook already; it is never replaced.
    """
    path = Path(out) if out is not None else Path(f"{Path(source).stem}.toml")
    if path.exists():
        raise FileExistsError(
            f"{path} exists and may hold answers; name another file with --out, or remove it. Nothing was written"
        )
    table = read_trial(source, visit=visit, person=person)
    columns = describe_columns(table)
    width = max((len(c) for c in columns["column"]), default=0)
    lines = [str(said) for said in table.attrs.get("said", ())]
    for row in columns.itertuples():
        known = f"; {row.instrument}" if row.instrument else ""
        odd = f"; ASK: {row.odd}" if row.odd else ""
        lines.append(f"{row.column!s:<{width}}  {row.role}; {row.holds}; {row.missing} missing{known}{odd}")
    draft = draft_codebook(table, columns, name=Path(source).name)
    path.write_text(draft + visits_draft(source, table, visit, person), encoding="utf-8")
    return lines, path


def visits_draft(source: str | Path, table: pd.DataFrame, visit: str | None, person: str | None) -> str:
    """The part of a codebook that says how visits were put together, where they were."""
    if not any("were put together" in said for said in table.attrs.get("said", ())):
        return ""
    rows = read_participants(Path(source))[0]
    column, who, _ = visit_columns(rows, visit or "", person or "")
    names = dict.fromkeys(labels(rows[column]).dropna())
    lines = [f'"{toml_text(v)}" = "{toml_text(short_name(v))}"' for v in names]
    return "\n".join(
        [
            "[visits]",
            f'column = "{toml_text(column)}"',
            f'person = "{toml_text(who)}"',
            "",
            "[visits.names]",
            *lines,
            "",
        ]
    )
