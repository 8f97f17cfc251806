"""Rows of two arms back to evidence tables: one owner for every cell, all contradictions and gaps named at once."""

import csv
import io
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from pillprocess.evidence.files import collect, problem
from pillprocess.evidence.schema import SCHEMAS
from pillprocess.evidence.tables import EvidenceError, embedded_folder, evidence_problems, evidence_questions
from pillprocess.interchange.answers import Answers
from pillprocess.interchange.pairs import PARTS, Row

Numbered = tuple[int, Row]
"""A row and its line in the file it was read from."""

OCCASION = ("trial_id", "arm_id", "instrument", "time_days", "timepoint")
KEYS = {
    "trial": ("trial_id",), "arm1": ("trial_id", "arm_id"), "arm2": ("trial_id", "arm_id"), "outcome1": OCCASION, "outcome2": OCCASION,
}  # fmt: skip
ALWAYS = {
    "trial": {"population": "patients", "include": "1"}, "arm1": {"include_arm": "1"}, "arm2": {"include_arm": "1"},
    "contrast": {"level": "between_arm", "outcome_type": "continuous", "include": "1", "primary": "1"},
    "outcome1": {"include": "1", "primary": "1"}, "outcome2": {"include": "1", "primary": "1"},
}  # fmt: skip
"""Cells that a format for pairwise meta-analysis takes for granted, where a row does not say otherwise."""


def part_of(row: Row, part: str) -> Row:
    """The cells of a part, by the column's own name."""
    return {name.removeprefix(f"{part}_"): text for name, text in row.items() if name.startswith(f"{part}_")}


def tables_of(rows: Iterable[Numbered], file: str, answers: Answers) -> tuple[dict[str, list[Row]], list[pd.DataFrame]]:
    """Gather the tables that the rows speak of, and the places where two rows contradict each other."""
    found: dict[str, dict[tuple[str, ...], tuple[int, Row]]] = {table: {} for table in dict.fromkeys(PARTS.values())}
    problems = []
    for line, row in rows:
        full = answers.every | row
        for part, table in PARTS.items():
            own = part_of(full, part)
            if not part_of(row, part) or not any(own.values()):
                continue
            own = ALWAYS[part] | own
            key = tuple(own.get(name, "") for name in KEYS[part]) if part in KEYS else (str(line),)
            before, held = found[table].setdefault(key, (line, {}))
            for name, text in own.items():
                if name == "primary":  # of a mean and of a count on one occasion, one may be primary
                    held[name] = max(held.get(name, "0"), text)
                elif held.setdefault(name, text) != text:
                    other = f"row {before} of the same {part.rstrip('12')} has {held[name] or 'blank'}"
                    text = f"{part}_{name} = {text or 'blank'}, and {other}"
                    problems.append(problem(file, text, row=line, column=f"{part}_{name}"))
    return {table: [own for _, own in entries.values()] for table, entries in found.items()}, problems


def write_tables(tables: Mapping[str, Sequence[Row]], folder: Path, problems: list[pd.DataFrame]) -> pd.DataFrame:
    """Write the tables into a folder that has none of them, unless anything is wrong with the whole.

    Returns
    -------
    The open questions of :func:`pillprocess.evidence_questions`.

    Raises
    ------
    ValueError
        The folder has these tables already.
    EvidenceError
        All problems; nothing was written.
    """
    constructs = _constructs(folder)
    for name in ("contrasts", "outcomes"):
        for row in tables.get(name, ()):
            row.setdefault("construct", constructs.get(row.get("instrument", ""), ""))
    return write_contents({name: _csv(name, rows) for name, rows in tables.items() if rows}, folder, problems)


def write_contents(contents: Mapping[str, bytes], folder: Path, problems: Sequence[pd.DataFrame] = ()) -> pd.DataFrame:
    """Write files of tables as `write_tables` does, checked together with what the folder has."""
    there = [f"{name}.csv" for name in contents if (folder / f"{name}.csv").is_file()]
    if there:
        raise ValueError(
            f"{folder} has {', '.join(there)} already; give a folder without, so that nothing is overwritten"
        )
    with tempfile.TemporaryDirectory() as place:
        trial = Path(place) / "evidence"
        shutil.copytree(folder, trial) if folder.is_dir() else trial.mkdir()
        for name, content in contents.items():
            (trial / f"{name}.csv").write_bytes(content)
        wrong = collect([*problems, evidence_problems(trial)])
        if len(wrong):
            raise EvidenceError(wrong)
        asked = evidence_questions(trial)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.csv").write_bytes(content)
    return asked[asked["answer"] == ""].reset_index(drop=True)


def _csv(table: str, rows: Sequence[Row]) -> bytes:
    """A table as CSV in the schema's order of columns; required columns are there even where no row fills them."""
    given = {name for row in rows for name in row} | set(SCHEMAS[table].required.split())
    header = [*(c for c in SCHEMAS[table].columns if c in given), *sorted(given - set(SCHEMAS[table].columns))]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _constructs(folder: Path) -> dict[str, str]:
    place = folder if (folder / "instruments.csv").is_file() else embedded_folder()
    with (place / "instruments.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["instrument"]: row["construct"] for row in csv.DictReader(file)}
