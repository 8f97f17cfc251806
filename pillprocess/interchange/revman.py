"""Cochrane's data rows, as RevMan exports them: one outcome of two arms a row, read as the comparison it is.

RevMan calls the arms experimental and control and does not say what a mean is of (change or endpoint), what was counted, or on which
scale a generic inverse variance row is: ``[word.what]`` with ``mean = "change"`` and ``cases = "response"``, and ``[word.measure]`` with
``GIV = "SMD"``, answer it once. ``[arm.experimental]`` and ``[arm.control]`` say what the arms are.

References
----------
training.cochrane.org/online-learning/core-software/revman (headings as in the data rows of published reviews).
"""

import csv
import io
import re
from pathlib import Path

import pandas as pd

from pillprocess.evidence.csv_text import decode
from pillprocess.evidence.files import problem
from pillprocess.interchange.answers import Answers
from pillprocess.interchange.metafor import TYPES, canonical, gaps
from pillprocess.interchange.pairs import Row, cell
from pillprocess.interchange.tables import Numbered

ARMS = {"1": "experimental", "2": "control"}
MEANS, COUNTS = ("change", "endpoint"), ("response", "remission")
COLUMNS = {"n": "n", "mean": "m", "sd": "sd"}


def read_revman(file: Path, answers: Answers) -> tuple[list[Numbered], list[pd.DataFrame]]:
    """Read data rows of one analysis, and list what the rows lack."""
    text, unreadable = decode(file.read_bytes())
    if unreadable:
        return [], [problem(file.name, unreadable.text, row=unreadable.line)]
    reader = csv.DictReader(io.StringIO(text, newline=""))
    header = {name: re.sub(r"[^a-z0-9]+", " ", name.lower()).strip() for name in reader.fieldnames or []}
    if "study" not in header.values():
        return [], [problem(file.name, "lacks the column Study: these are no data rows of RevMan", row=1)]
    rows: list[tuple[int, Row]] = []
    for raw in reader:
        named = {header[name]: (words or "").strip() for name, words in raw.items() if name in header}
        rows.append((reader.line_num, named))
    analyses = sorted(
        {f"{row.get('analysis group', '')}.{row.get('analysis number', '')}".strip(".") for _, row in rows}
    )
    if len(analyses) > 1:
        wanted = "leave the rows of one of them in the file and import each by itself"
        return [], [problem(file.name, f"holds {len(analyses)} analyses ({', '.join(analyses)}); {wanted}")]
    full, problems = [], []
    for line, row in rows:
        as_escalc, wrong = _as_escalc(row, answers)
        cells, contradicts = canonical(as_escalc, answers, as_escalc) if not wrong else ({}, [])
        full.append((line, cells))
        lacking = gaps(cells, answers, ()) if not wrong else []
        problems += [problem(file.name, text, row=line) for text in (*wrong, *contradicts, *lacking)]
    return full, problems


def _as_escalc(row: Row, answers: Answers) -> tuple[Row, list[str]]:
    """The row under escalc's names, or what must be said of it first."""
    found: Row = {
        "study": row.get("study", ""),
        "year": row.get("study year", ""),
        "arm1": ARMS["1"],
        "arm2": ARMS["2"],
    }
    for i, arm in ARMS.items():
        found |= {f"{short}{i}i": row.get(f"{arm} {name}", "") for name, short in COLUMNS.items()}
    found |= {"ai": row.get("experimental cases", ""), "ci": row.get("control cases", "")}
    giv = row.get("giv mean", ""), row.get("giv se", "")
    if not found["study"]:
        return found, ["Study is blank; every row names its study"]
    if found["m1i"] and found["m2i"]:
        return _said(found, "mean", MEANS, answers)
    if found["ai"] and found["ci"]:
        return _said(found, "cases", COUNTS, answers)
    if all(giv):
        measure = answers.translated("measure", "GIV")
        if measure not in TYPES:
            return found, [f"a generic inverse variance row: answer [word.measure] GIV = one of {', '.join(TYPES)}"]
        try:
            variance = cell(float(giv[1]) ** 2)
        except ValueError:
            return found, [f"GIV SE = {giv[1]}: not a number"]
        return found | {"what": "contrast", "measure": measure, "yi": giv[0], "vi": variance}, []
    return found, ["neither means, cases nor a GIV mean and SE of both arms: nothing can be read from this row"]


def _said(found: Row, kind: str, words: tuple[str, ...], answers: Answers) -> tuple[Row, list[str]]:
    """The row with what its figures are of, which RevMan does not hold."""
    what = answers.translated("what", kind)
    return found | {"what": what}, [] if what in words else [f"answer [word.what] {kind} = one of {', '.join(words)}"]
