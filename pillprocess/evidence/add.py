"""A trial added from one short file: what follows is filled, everything is checked, and rows are written only if all is well."""

import csv
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pillprocess.evidence.dose_checks import BY_WEIGHT, INJECTED, MG_PER_UNIT
from pillprocess.evidence.schema import EMBEDDED_IF_ABSENT, SCHEMAS
from pillprocess.evidence.tables import EvidenceError, embedded_folder, evidence_problems, evidence_questions

SECTIONS = {
    "trial": "trials", "arm": "arms", "outcome": "outcomes", "contrast": "contrasts", "instrument": "instruments",
    "reference_dose": "reference_doses", "drug": "drugs", "doubt": "doubts",
}  # fmt: skip
"""Sections of the file, and the table that each fills."""

EXAMPLE = """\
[trial]
trial_id = "smith2027"
design = "parallel"            # parallel, crossover, single_arm ...
blinding = "double"
condition = "MDD"
n_randomised = 60
source_url = "https://doi.org/10.1000/example"

[[arm]]
arm_id = "psilocybin_25mg"
role = "active"                # active, inert_placebo, active_placebo, low_dose, comparator, waitlist, single_arm
drug = "psilocybin"
dose = 25
dose_unit = "mg"
route = "oral"
therapy = 1
n = 30

[[arm]]
arm_id = "placebo"
role = "inert_placebo"
drug = "placebo"
study_drug = "psilocybin"
route = "oral"
therapy = 1
n = 30

[[outcome]]
arm_id = "psilocybin_25mg"
instrument = "MADRS"
time_days = 21
n = 29
baseline_mean = 32.1
baseline_sd = 5.2
post_mean = 19.4
post_sd = 9.8

[[outcome]]
arm_id = "placebo"
instrument = "MADRS"
time_days = 21
n = 28
baseline_mean = 31.8
baseline_sd = 5.0
post_mean = 26.0
post_sd = 9.1
"""


def add_trial(file: str | Path, folder: str | Path) -> pd.DataFrame:
    """Add the trial of a short TOML file to a folder of evidence tables, or say everything that is wrong with it.

    What follows is filled: the trial's name in every row, the source of the trial where a row has none of its own, the study
    drug, comparable doses from dose, unit and route, the change from baseline and endpoint, the construct from the instrument, and
    ``include`` and ``primary`` = 1.

    Parameters
    ----------
    file
        TOML with a section ``[trial]`` and lists ``[[arm]]``, ``[[outcome]]``, ``[[contrast]]``, ``[[instrument]]``,
        ``[[reference_dose]]``, ``[[drug]]`` and ``[[doubt]]``, with the columns of ``data/README.md``.
    folder
        Folder of tables to add to; a new one is made.

    Returns
    -------
    The open questions about the trial, as :func:`pillprocess.evidence_questions` lists them.

    Raises
    ------
    ValueError
        The file is no TOML, or has no trial, unknown sections or unknown columns.
    EvidenceError
        All problems of the folder with the trial in it; nothing was written.
    """
    rows = fill(read_trial(Path(file)), Path(folder))
    name = rows["trials"][0]["trial_id"]
    folder = Path(folder)
    with tempfile.TemporaryDirectory() as place:
        trial = Path(place) / "evidence"
        shutil.copytree(folder, trial) if folder.is_dir() else trial.mkdir()
        for table, cells in rows.items():
            _append(trial / f"{table}.csv", table, cells)
        problems = evidence_problems(trial)
        if len(problems):
            raise EvidenceError(problems)
        asked = evidence_questions(trial)
        folder.mkdir(parents=True, exist_ok=True)
        for table in rows:
            shutil.copyfile(trial / f"{table}.csv", folder / f"{table}.csv")
    return asked[(asked["trial"] == name) & (asked["answer"] == "")].reset_index(drop=True)


def read_trial(file: Path) -> dict[str, list[dict[str, Any]]]:
    """Read the sections of the file as rows of tables; unknown sections and columns, all of them, are refused."""
    try:
        sections = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read as TOML: {error}") from None
    wrong = [f"[{name}] is no section; there are {', '.join(SECTIONS)}" for name in sections if name not in SECTIONS]
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, table in SECTIONS.items():
        entries = sections.get(name, [])
        rows[table] = [entries] if isinstance(entries, dict) else list(entries)
        for entry in rows[table]:
            unknown = [column for column in entry if column not in SCHEMAS[table].columns]
            wrong += [f"[{name}] has no column {column!r}" for column in unknown]
    if not rows["trials"] or not rows["trials"][0].get("trial_id"):
        wrong.append("there is no [trial] with a trial_id")
    if wrong:
        raise ValueError(f"{file}: nothing was added: " + "; ".join(wrong))
    return {table: entries for table, entries in rows.items() if entries}


def fill(rows: dict[str, list[dict[str, Any]]], folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Fill what follows from what was given; nothing that was given is changed."""
    trial = rows["trials"][0]
    usual = {"trial_id": trial["trial_id"], "source_url": trial.get("source_url", "")}
    arms = rows.get("arms", [])
    drugs = [
        arm.get("study_drug") or arm.get("drug", "") for arm in arms if arm.get("role") in ("active", "single_arm")
    ]
    study = next(iter(drugs), "")
    trial = {"population": "patients", "include": 1, "study_drugs": ";".join(dict.fromkeys(drugs))} | trial
    constructs = _constructs(folder, rows.get("instruments", []))
    compared = _compared_in(folder, rows.get("reference_doses", []))
    filled = {"trials": [trial]}
    if arms:
        filled["arms"] = [
            usual | {"include_arm": 1, "study_drug": study} | _comparable(arm, compared) | arm for arm in arms
        ]
    for table in ("outcomes", "contrasts"):
        usual_row = (
            usual
            | {"include": 1, "primary": 1}
            | ({"level": "between_arm", "outcome_type": "continuous"} if table == "contrasts" else {})
        )
        if table in rows:
            filled[table] = [
                usual_row | {"construct": constructs.get(row.get("instrument", ""), "")} | _change(row) | row
                for row in rows[table]
            ]
    if "doubts" in rows:
        filled["doubts"] = [
            {"trial_id": usual["trial_id"], "effect": "outcome", "source": usual["source_url"]} | row
            for row in rows["doubts"]
        ]
    return filled | {table: rows[table] for table in ("instruments", "reference_doses", "drugs") if table in rows}


def _comparable(arm: Mapping[str, Any], compared: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """The dose in the column in which the drug's reference dose by this route is; nothing where that is the dose as it stands."""
    if not isinstance(arm.get("dose"), int | float) or arm.get("dose_unit") not in MG_PER_UNIT or not arm.get("drug"):
        return {}
    injected = arm["drug"] in BY_WEIGHT and arm.get("route") in INJECTED
    column = compared.get((arm["drug"], arm.get("route", "")), "dose_mg_per_kg" if injected else "dose_mg_equiv")
    if column == "dose":
        return {}
    if column == "dose_mg_per_kg":
        return {"dose_mg_per_kg": arm["dose"]} if arm["dose_unit"] == "mg/kg" else {}
    return {"dose_mg_equiv": round(arm["dose"] * MG_PER_UNIT[arm["dose_unit"]], 6)}


def _compared_in(folder: Path, own: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """The column in which the doses of each drug by each route are compared."""
    rows = [*_held(folder, "reference_doses"), *own]
    return {
        (str(row["drug"]), str(row["route"])): str(row["dose_column"])
        for row in rows
        if {"drug", "route", "dose_column"} <= set(row)
    }


def _change(row: Mapping[str, Any]) -> dict[str, Any]:
    given = [row.get(column) for column in ("baseline_mean", "post_mean")]
    return {"change_mean": round(given[1] - given[0], 6)} if all(isinstance(x, int | float) for x in given) else {}  # type: ignore[operator]


def _constructs(folder: Path, own: list[dict[str, Any]]) -> dict[str, str]:
    return {row.get("instrument", ""): row.get("construct", "") for row in [*_held(folder, "instruments"), *own]}


def _held(folder: Path, table: str) -> list[dict[str, Any]]:
    """Rows of a folder's table, or of the embedded one where it has none."""
    place = next(p for p in (folder, embedded_folder()) if (p / f"{table}.csv").is_file())
    with (place / f"{table}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _append(path: Path, table: str, rows: list[dict[str, Any]]) -> None:
    """Append rows; columns that the file lacks are added at its end. A table taken from the embedded evidence is copied first."""
    header: list[str] = []
    held: list[dict[str, str]] = []
    start = path if path.is_file() or table not in EMBEDDED_IF_ABSENT else embedded_folder() / path.name
    if start.is_file():
        with start.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header, held = list(reader.fieldnames or []), list(reader)
    needed = [] if header else SCHEMAS[table].required.split()
    header = list(dict.fromkeys([*header, *needed, *(column for row in rows for column in row)]))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows([*held, *rows])
