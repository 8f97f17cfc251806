"""What a trial's file holds and how it was understood, before anything is fitted; the codebook is drafted here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pillprocess.mediation.choices import Family
from pillprocess.participants.coding import labels
from pillprocess.participants.description import describe_columns, draft_codebook
from pillprocess.participants.file import read_participants
from pillprocess.participants.reading import read_trial
from pillprocess.participants.spelling import toml_text
from pillprocess.participants.visits import short_name, visit_columns
from pillprocess.trial.choices import TrialChoices
from pillprocess.trial.questions import ASKED
from pillprocess.trial.reading import load_trial


def check_trial(
    choices: TrialChoices,
    *,
    family_mediator: Family = "gaussian",
    family_outcome: Family = "gaussian",
    order: Sequence[str] | None = None,
    vary: Sequence[str] | Mapping[str, Sequence[str]] = (),
    m: float | Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    scale: str = "difference",
    of: Mapping[str, float] | None = None,
    sd_by_arm: bool = False,
    floor_mediator: float | None = None,
) -> list[str]:
    """Read and check a trial as `run_mediate` does, and say in sentences what was understood; nothing is fitted.

    Parameters
    ----------
    choices, family_mediator, family_outcome, order, vary, m, at, scale, of, sd_by_arm, floor_mediator
        As in `run_mediate`.

    Returns
    -------
    One sentence per line.

    Raises
    ------
    ParticipantError, ValueError
        Everything that is wrong or asked about.
    """
    people = load_trial(
        choices, family_mediator=family_mediator, family_outcome=family_outcome, order=order, vary=vary, m=m, at=at, scale=scale,
        of=of, sd_by_arm=sd_by_arm, floor_mediator=floor_mediator,
    ).people  # fmt: skip
    sizes = ", ".join(f"{n} in {arm}" for arm, n in people.arm.value_counts().items())
    missing = people.missing.groupby("column", sort=False)["missing"].sum()
    count = sum(note.startswith(ASKED) for note in people.notes)
    asked = f", {count} question{'s' * (count > 1)} to answer" if count else ""
    return [
        f"{len(people)} participants: {sizes}; compared with {people.reference}",
        "not observed: " + ", ".join(f"{column} {n}" for column, n in missing.items()),
        *people.notes,
        *(f"set aside: {row.what} ({row.n}), {row.reason}" for row in people.set_aside.itertuples()),
        f"No problems{asked}; nothing was fitted.",
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
