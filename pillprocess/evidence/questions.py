"""Questions: figures that are possible and unusual, each with what would settle it, and the doubts that answer them.

A problem is a contradiction and stops the reading; a question stops nothing and stays open until somebody who looked at
the source says so in ``doubts.csv``: a row of the trial whose text names the figure.
"""

import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pillprocess.evidence.files import CsvTable, report

QUESTION_COLUMNS = ["file", "row", "column", "trial", "arm", "figure", "question", "settle", "answer"]
NO_QUESTIONS = pd.DataFrame(columns=QUESTION_COLUMNS)

NUMBER_IN_TEXT = re.compile(r"(?<![\w.])[-+−–]?\d+(?:,\d{3})*(?:\.\d+)?")
WORDS = {
    "n": ("n", "people", "participants", "patients"),
    "estimate": ("estimate", "difference", "differences", "effect", "effects", "d", "g", "ratio"),
    "time_days": ("day", "days", "week", "weeks", "time_days"),
}
"""What a doubt may call a column; any other column by one of the words in its name."""


def ask(table: CsvTable, column: str, wrong: pd.Series, reasons: str | Iterable[str], settle: str) -> pd.DataFrame:
    """Questions of the rows where ``wrong``: the figure, the reason it is asked about, and what would settle it."""
    found = report(table, "", wrong, reasons).assign(column=column)
    figures = table.cells.loc[wrong.to_numpy(bool), column].to_numpy() if len(found) else []
    return found.rename(columns={"problem": "question"}).assign(figure=figures, settle=settle, answer="")[
        QUESTION_COLUMNS
    ]


def gather(asked: Iterable[pd.DataFrame], doubts: pd.DataFrame) -> pd.DataFrame:
    """All questions in one table, a figure asked about once, each with the doubt that answers it or a blank."""
    found = [part.astype({"row": "Int64"}) for part in asked if len(part)] or [NO_QUESTIONS.astype({"row": "Int64"})]
    table = pd.concat(found, ignore_index=True)
    first = table.groupby(["file", "row", "column"], sort=False, dropna=False)
    table = table.assign(question=first["question"].transform(lambda texts: "; and ".join(dict.fromkeys(texts))))
    table = table.drop_duplicates(["file", "row", "column"])
    texts = doubts.dropna(subset=["trial_id", "doubt"]).groupby("trial_id")["doubt"].agg(list).to_dict()
    answers = [
        next((text for text in texts.get(trial, []) if names(text, figure, column)), "")
        for trial, figure, column in zip(table["trial"], table["figure"], table["column"], strict=True)
    ]
    table = table.assign(answer=answers)
    return table.sort_values(["file", "row", "column"], kind="stable", ignore_index=True)


def names(text: str, figure: str, column: str) -> bool:
    """Say whether a doubt names a figure: the number itself, sign aside; a whole one below 100 with its column's word."""
    try:
        value = abs(float(figure))
    except ValueError:
        return bool(figure) and figure.lower() in text.lower()
    numbers = [abs(float(re.sub("[,+−–-]", "", found))) for found in NUMBER_IN_TEXT.findall(text)]
    if not np.isfinite(value) or not any(abs(number - value) <= 1e-9 * max(value, 1) for number in numbers):
        return False
    spoken = set(re.findall(r"\w+", text.lower()))
    return value >= 100 or value % 1 > 0 or bool(spoken & {*WORDS.get(column, column.split("_")), column})


def describe_question(row: Mapping[Hashable, Any]) -> str:
    """Say a question in one line: place, figure, reason, what would settle it."""
    place = f"{row['file']} row {row['row']}" + (f", trial {row['trial']!r}" if row["trial"] else "")
    place += f", arm {row['arm']!r}" if row["arm"] else ""
    return f"{place}: {row['column']} = {row['figure']}; {row['question'].rstrip('?')}? To settle: {row['settle']}."
