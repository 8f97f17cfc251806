"""The evidence base: one table per CSV file, checked once, at the door."""

import difflib
import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pillprocess.evidence.checks import check_tables
from pillprocess.evidence.figure_checks import check_figures
from pillprocess.evidence.files import CsvTable, collect, empty_table, problem, read_table
from pillprocess.evidence.people_checks import check_who_is_counted
from pillprocess.evidence.plausibility import list_questions
from pillprocess.evidence.questions import NO_QUESTIONS
from pillprocess.evidence.schema import EMBEDDED_IF_ABSENT, REQUIRED_TABLES, SCHEMAS


@dataclass(frozen=True, eq=False, repr=False)
class Evidence:
    """Checked evidence tables, one DataFrame per file; ``data/README.md`` describes their columns.

    Attributes
    ----------
    trials, arms, outcomes, instruments, reference_doses, drugs, contrasts, subjective, associations, expectancy, mediation,
    therapy, acute_contrasts, scale_bridge, pooled_effects, risk_of_bias, doubts, editions, vocabulary, preclinical
        The tables. Numbers are float, 0/1 marks that are never blank are int, blank text is missing.
    folder
        Where the files were read from.
    checksum
        SHA-256 over names and bytes of the files read, sorted by name.
    """

    trials: pd.DataFrame
    arms: pd.DataFrame
    outcomes: pd.DataFrame
    instruments: pd.DataFrame
    reference_doses: pd.DataFrame
    drugs: pd.DataFrame
    contrasts: pd.DataFrame
    subjective: pd.DataFrame
    associations: pd.DataFrame
    expectancy: pd.DataFrame
    mediation: pd.DataFrame
    therapy: pd.DataFrame
    acute_contrasts: pd.DataFrame
    scale_bridge: pd.DataFrame
    pooled_effects: pd.DataFrame
    risk_of_bias: pd.DataFrame
    doubts: pd.DataFrame
    editions: pd.DataFrame
    vocabulary: pd.DataFrame
    preclinical: pd.DataFrame
    folder: Path
    checksum: str

    def __repr__(self) -> str:
        """Rows per table, folder and checksum."""
        rows = ", ".join(f"{name}: {len(getattr(self, name))}" for name in SCHEMAS)
        return f"Evidence({rows} rows; folder {str(self.folder)!r}, checksum {self.checksum[:12]})"


class EvidenceError(ValueError):
    """The tables are not fit to be fitted.

    Attributes
    ----------
    problems
        DataFrame with columns ``file``, ``row``, ``column``, ``trial``, ``arm``, ``problem``.
    """

    def __init__(self, problems: pd.DataFrame):
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        """Every problem on a line of its own."""
        lines = [describe_problem(row) for row in self.problems.to_dict("records")]
        count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        return "\n".join([f"{count} in the evidence tables; nothing was fitted:", *lines])


def describe_problem(row: Mapping[Hashable, Any]) -> str:
    """Say a problem in one line: ``arms.csv row 14, trial 'davis2021', arm 'waitlist': n = 0; ...``."""
    place = str(row["file"])
    place += f" row {row['row']}" if not pd.isna(row["row"]) else ""
    place += f", trial {row['trial']!r}" if row["trial"] else ""
    place += f", arm {row['arm']!r}" if row["arm"] else ""
    return f"{place}: {row['problem']}"


def embedded_folder() -> Path:
    """Folder of the embedded tables: in the wheel inside the package, in a clone at its root."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "data"
    return inside if inside.is_dir() else package.parent / "data"


def load_evidence(folder: str | Path | None = None) -> Evidence:
    """Read and check the evidence tables.

    Parameters
    ----------
    folder
        Folder of CSV files with the columns of ``data/README.md``; by default the embedded evidence. ``trials.csv``,
        ``arms.csv`` and ``outcomes.csv`` are needed; ``instruments.csv``, ``reference_doses.csv`` and ``drugs.csv`` are
        taken from the embedded evidence where the folder has none; any other table or optional column that is absent is empty. Columns
        that are not known are kept as text.

    Returns
    -------
    Evidence

    Raises
    ------
    EvidenceError
        Anything is wrong with the tables: all problems at once, each with file, row, column, trial and arm.

    Examples
    --------
    >>> import pillprocess as pp
    >>> evidence = pp.load_evidence()
    >>> evidence.trials.set_index("trial_id").loc["goodwin2022", "condition"]
    'TRD'
    """
    place = embedded_folder() if folder is None else Path(folder)
    return _checked(place, *_read(place))


def evidence_and_questions(folder: str | Path | None = None) -> tuple[Evidence | EvidenceError, pd.DataFrame]:
    """Read the tables once for both :func:`load_evidence`, or the error that it would raise, and :func:`evidence_questions`."""
    place = embedded_folder() if folder is None else Path(folder)
    tables, problems = _read(place)
    try:
        return _checked(place, tables, problems), _questions(tables)
    except EvidenceError as error:
        return error, _questions(tables)


def evidence_problems(folder: str | Path | None = None) -> pd.DataFrame:
    """List what is wrong with a folder of evidence tables, as :func:`load_evidence` would raise it.

    Parameters
    ----------
    folder
        As for :func:`load_evidence`.

    Returns
    -------
    DataFrame with columns ``file``, ``row`` (line in the file, header = 1), ``column``, ``trial``, ``arm``, ``problem``;
    no rows when all is well.
    """
    return _read(embedded_folder() if folder is None else Path(folder))[1]


def evidence_questions(folder: str | Path | None = None) -> pd.DataFrame:
    """List what is possible and unusual in a folder of evidence tables, and what answers it.

    A question stops nothing. It is answered by a row of ``doubts.csv`` of the same trial whose text names the figure: the
    number itself, and with a whole number below 100 also the column's name or a word of it.

    Parameters
    ----------
    folder
        As for :func:`load_evidence`.

    Returns
    -------
    DataFrame with columns ``file``, ``row``, ``column``, ``trial``, ``arm``, ``figure`` (the cell), ``question`` (the reason it
    is asked), ``settle`` (what would settle it), ``answer`` (the doubt that answers it; blank: open).
    """
    return _questions(_read(embedded_folder() if folder is None else Path(folder))[0])


def evidence_counts(evidence: Evidence) -> pd.DataFrame:
    """Count the included evidence per drug and condition.

    Parameters
    ----------
    evidence
        The checked tables.

    Returns
    -------
    DataFrame with columns ``population``, ``drug`` (study drug; a trial of two drugs counts under both), ``condition``,
    ``trials`` (with an included arm), ``arms``, ``people`` (randomised; where that is blank, the arms' n, in a crossover
    the largest arm's; a pooled analysis of trials that are there adds nobody), ``outcome_rows``.
    """
    trials = evidence.trials.loc[
        evidence.trials["include"] == 1,
        ["trial_id", "condition", "population", "design", "n_randomised", "counted_in"],
    ]
    arms = evidence.arms[evidence.arms["include_arm"] == 1].drop(columns="drug").rename(columns={"study_drug": "drug"})
    outcomes = evidence.outcomes[evidence.outcomes["include"] == 1]
    rows = outcomes.groupby(["trial_id", "arm_id"]).size().rename("outcome_rows")
    by_trial = (
        arms.join(rows, on=["trial_id", "arm_id"])
        .groupby(["trial_id", "drug"], as_index=False)
        .agg(arms=("arm_id", "size"), total=("n", "sum"), largest=("n", "max"), outcome_rows=("outcome_rows", "sum"))
        .merge(trials, on="trial_id")
    )
    in_arms = by_trial["largest"].where(by_trial["design"] == "crossover", by_trial["total"])
    by_trial["people"] = by_trial["n_randomised"].fillna(in_arms).where(by_trial["counted_in"].isna(), 0)
    counts = by_trial.groupby(["population", "drug", "condition"], as_index=False).agg(
        trials=("trial_id", "size"),
        arms=("arms", "sum"),
        people=("people", "sum"),
        outcome_rows=("outcome_rows", "sum"),
    )
    return counts.astype({"people": int, "outcome_rows": int}).sort_values(
        ["population", "drug", "condition"], ascending=[False, True, True], ignore_index=True
    )


def _checked(folder: Path, tables: dict[str, CsvTable], problems: pd.DataFrame) -> Evidence:
    if len(problems):
        raise EvidenceError(problems)
    frames = {name: _whole_flags(table.data, name) for name, table in tables.items()}
    return Evidence(**frames, folder=folder, checksum=_checksum(folder))


def _questions(tables: dict[str, CsvTable]) -> pd.DataFrame:
    return list_questions(tables) if tables else NO_QUESTIONS.copy()


def _files(folder: Path) -> dict[str, Path]:
    """Path of every table that is there, the embedded ones standing in where that is allowed."""
    paths = {}
    for name in SCHEMAS:
        own, embedded = folder / f"{name}.csv", embedded_folder() / f"{name}.csv"
        if own.is_file():
            paths[name] = own
        elif name in EMBEDDED_IF_ABSENT and embedded.is_file():
            paths[name] = embedded
    return paths


def _read(folder: Path) -> tuple[dict[str, CsvTable], pd.DataFrame]:
    if not folder.is_dir():
        text = "is a file; give the folder that holds the tables" if folder.exists() else "the folder does not exist"
        return {}, collect([problem(str(folder), text)])
    paths = _files(folder)
    missing = [name for name in REQUIRED_TABLES if name not in paths]
    problems = [problem(f"{name}.csv", f"the folder {folder} has no such file") for name in missing]
    if not {"outcomes", "contrasts"} & set(paths):
        problems.append(problem("outcomes.csv", f"the folder {folder} has no such file, and no contrasts.csv"))
    problems += _check_file_names(folder, paths)
    tables = {}
    for name, schema in SCHEMAS.items():
        if name in paths:
            tables[name], found = read_table(paths[name], schema)
            problems += found
        else:
            tables[name] = empty_table(f"{name}.csv", schema)
    return tables, collect(problems + check_tables(tables) + check_figures(tables) + check_who_is_counted(tables))


def _check_file_names(folder: Path, paths: dict[str, Path]) -> list[pd.DataFrame]:
    """Files that look like a table which the folder does not have."""
    absent = [name for name in SCHEMAS if name not in paths or paths[name].parent != folder]
    problems = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() == ".csv" and path.stem not in SCHEMAS:
            for match in difflib.get_close_matches(path.stem.lower(), absent, n=1, cutoff=0.8):
                problems.append(problem(path.name, f"is not read; is it {match}.csv?"))
    return problems


def _whole_flags(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Marks that are never blank, as integers."""
    flags = [flag for flag in SCHEMAS[name].flags.split() if flag in SCHEMAS[name].filled.split()]
    return frame.assign(**{flag: frame[flag].astype(np.int64) for flag in flags})


def _checksum(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(_files(folder).values(), key=lambda path: path.name):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
