"""Candidate trials from a CSV file: a line per arm, the trial's own columns alike on each of its lines."""

import csv
import io
from pathlib import Path

from pillprocess.evidence.csv_text import decode, separator
from pillprocess.planning.trials import MEASURES, PlannedTrial, PlanningError, trial_design

OF_TRIAL = ("dropout", "measured", "construct", "cluster_size", "cluster_icc", "cost", "source")
OF_ARM = (
    "n", "drug", "dose", "therapy", "therapy_hours", "experience", "experience_shift", "belief", "active_placebo", "waiting_list",
)  # fmt: skip
NUMBERS = ("dropout", "cluster_size", "cluster_icc", "cost", "dose", "therapy_hours", "experience", "experience_shift")
YES_NO = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False, "": False}


def read_designs(path: str | Path) -> list[PlannedTrial]:
    """Read candidate trials from a CSV file.

    Parameters
    ----------
    path
        UTF-8, commas. Columns ``design``, ``arm`` and ``n`` must be there; the other attributes of an arm and of a trial
        (:func:`pillprocess.trial_design`) may be, a blank cell means what it means there. ``measured`` separates by spaces.

    Returns
    -------
    The trials in the order of the file.

    Raises
    ------
    PlanningError
        Everything in the file that cannot be read or is not possible, with its line.
    """
    path = Path(path)
    text, problem = decode(path.read_bytes())
    if problem is None:
        problem = separator(text)[1]
    if problem is not None:
        line = f", line {problem.line}" if problem.line else ""
        raise PlanningError(f"nothing was computed:\n{path.name}{line}: {problem.text}")
    reader = csv.DictReader(io.StringIO(text))
    columns = [c.strip() for c in reader.fieldnames or ()]
    reader.fieldnames = columns
    problems = [f"{path.name}: no column '{c}'" for c in ("design", "arm", "n") if c not in columns]
    known = {"design", "arm", *OF_TRIAL, *OF_ARM}
    problems += [
        f"{path.name}: unknown column '{c}'; known are {', '.join(sorted(known))}" for c in columns if c not in known
    ]
    problems += [
        f"{path.name}: column '{c}' is there twice" for c in sorted({c for c in columns if columns.count(c) > 1})
    ]
    if problems:
        raise PlanningError("nothing was computed:\n" + "\n".join(problems))
    arms: dict[str, dict[str, dict[str, object]]] = {}
    own: dict[str, dict[str, object]] = {}
    for number, row in enumerate(reader, start=2):
        where = f"{path.name} line {number}"
        cells = {c: (row[c] or "").strip() for c in columns}
        if None in row:
            problems.append(f"{where}: more cells than columns")
        name, label = cells["design"], cells["arm"]
        if not name or not label:
            problems.append(f"{where}: design and arm must both have a name")
            continue
        read = {c: _value(c, cells[c], where, problems) for c in (*OF_TRIAL, *OF_ARM) if cells.get(c)}
        if "n" not in read:
            problems.append(f"{where}: n is blank")
        if label in arms.setdefault(name, {}):
            problems.append(f"{where}: trial '{name}' has the arm '{label}' twice")
        arms[name][label] = {c: v for c, v in read.items() if c in OF_ARM and v is not None}
        of_trial = {c: v for c, v in read.items() if c in OF_TRIAL}
        first = own.setdefault(name, of_trial)
        problems += [
            f"{where}: {c} differs from the first line of trial '{name}'; it is the trial's, alike on each line"
            for c in sorted(set(first) | set(of_trial))
            if first.get(c) != of_trial.get(c)
        ]
    trials = []
    for name, of_arms in arms.items():
        try:
            trials.append(trial_design(name, of_arms, **own[name]))  # type: ignore[arg-type]
        except PlanningError as error:
            problems += [f"{path.name}: {text}" for text in str(error).splitlines()[1:]]
    if not arms:
        problems.append(f"{path.name}: no line describes a trial")
    if problems:
        raise PlanningError("nothing was computed:\n" + "\n".join(problems))
    return trials


def _value(column: str, cell: str, where: str, problems: list[str]) -> object:
    """A cell as its column wants it; a problem where it cannot be read."""
    if column in ("active_placebo", "waiting_list"):
        if cell.lower() not in YES_NO:
            problems.append(f"{where}: {column} = '{cell}'; write yes or no")
        return YES_NO.get(cell.lower(), False)
    if column == "measured":
        return tuple(cell.split()) or MEASURES
    if column not in (*NUMBERS, "n", "belief"):
        return cell
    try:
        number = float(cell)
    except ValueError:
        if column == "belief":
            return cell
        problems.append(f"{where}: {column} = '{cell}' is no number")
        return 2 if column == "n" else None
    return int(number) if column == "n" and number.is_integer() else number
