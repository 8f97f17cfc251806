"""A trial's table damaged in every way a list names: refused, or read to the same answer; never a traceback.

60 mutants run by default; ``PILLPROCESS_MUTANTS=1000 pytest -n0 tests/participants/test_mutants.py`` runs more, one seed each. The answer
is a least-squares total effect, so that nothing is sampled. A digit mistyped within the range of the scale is not among the
mutants: nothing in the table tells it from a score.
"""

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pillprocess.participants.table import ParticipantError, load_participants
from tests.participants.trials import two_sites

COUNT = int(os.environ.get("PILLPROCESS_MUTANTS", "60"))
ROLES = {
    "treatment": "arm", "reference": "placebo", "mediators": ["meq30"], "outcome": "madrs_6", "baseline": "madrs_0",
    "covariates": ["age", "sex"], "trial": "site",
}  # fmt: skip
NUMBERS = ["madrs_6", "meq30", "madrs_0", "age"]
type Rows = list[list[str]]


def rows() -> Rows:
    text = two_sites().to_csv(index=False)
    return [line.split(",") for line in text.splitlines()]


def cells(table: Rows, column: str, rng: np.random.Generator, most: int = 4) -> list[tuple[int, int]]:
    k = table[0].index(column)
    held = [i for i in range(1, len(table)) if table[i][k]]
    return [(int(i), k) for i in rng.choice(held, rng.integers(1, most), replace=False)]


def fill(columns: list[str], values: list[str], most: int = 4) -> Callable[[Rows, np.random.Generator], None]:
    def change(table: Rows, rng: np.random.Generator) -> None:
        value = str(rng.choice(values))
        for i, k in cells(table, str(rng.choice(columns)), rng, most):
            table[i][k] = value

    return change


def respell(table: Rows, rng: np.random.Generator) -> None:
    ways = [
        str.upper,
        str.title,
        lambda s: s[:4] + " " + s[4:],
        lambda s: s[:3] + "\u200b" + s[3:],
        lambda s: s[:4] + "\u00a0" + s[4:],
    ]
    way = ways[rng.integers(len(ways))]
    for i, k in cells(table, str(rng.choice(["arm", "sex", "site"])), rng, 30):
        table[i][k] = way(table[i][k])


def apart(table: Rows, rng: np.random.Generator) -> None:
    for i, k in cells(table, "site", rng, 30):
        table[i][k] = table[i][k].replace("ü", "u\u0308")
    table[1][1], table[-1][1] = "Basel", "Zu\u0308rich"


def write_as_text(table: Rows, rng: np.random.Generator) -> None:
    column = str(rng.choice(NUMBERS))
    k, way = table[0].index(column), rng.integers(3)
    for row in table[1:]:
        if row[k]:
            row[k] = ['"' + row[k].replace(".", ",") + '"', row[k] + " pts", "'" + row[k]][way]


def paste(table: Rows, rng: np.random.Generator) -> None:
    table += [list(row) for row in table[1:]] if rng.random() < 0.5 else [list(table[rng.integers(1, len(table))])]


def split_visits(table: Rows, rng: np.random.Generator) -> None:
    outcome, mediator = table[0].index("madrs_6"), table[0].index("meq30")
    first = [[c if k != outcome else "" for k, c in enumerate(row)] for row in table[1:]]
    second = [[c if k != mediator else "" for k, c in enumerate(row)] for row in table[1:]]
    table[1:] = first + second
    del rng


def improvement(table: Rows, rng: np.random.Generator) -> None:
    a, b = table[0].index("madrs_0"), table[0].index("madrs_6")
    for row in table[1:]:
        row[b] = str(float(row[a]) - float(row[b])) if row[b] else ""
    del rng


def shuffle(table: Rows, rng: np.random.Generator) -> None:
    table[1:] = [table[1:][i] for i in rng.permutation(len(table) - 1)]
    order = rng.permutation(len(table[0]))
    table[:] = [[row[k] for k in order] for row in table]


def break_row(table: Rows, rng: np.random.Generator) -> None:
    row = table[rng.integers(1, len(table))]
    row.pop() if rng.random() < 0.5 else row.append("7")


def rename(table: Rows, rng: np.random.Generator) -> None:
    k = rng.integers(len(table[0]))
    table[0][k] = [table[0][k].upper(), " " + table[0][k], table[0][k - 1], ""][rng.integers(4)]


DAMAGE = {
    "code for missing": fill(NUMBERS, ["999", "-99", "9999", "-9", "8888", "-999", "99999", "-88", "777"]),
    "date": fill(NUMBERS, ["45352", "2024-03-04", "04/03/2024", "44197.5"]),
    "far outside": fill(NUMBERS, ["1e6", "-500", "4200", "1e9"], 2),
    "outside the scale": fill(["madrs_6", "madrs_0"], ["61", "75", "-3", "-0.5"]),
    "word": fill(NUMBERS, [".", "NULL", "#NULL!", "refused", "-", "missing", "n.d.", "None", "#N/A", "=1+1", "inf", "-inf", "1e999"]),
    "word among labels": fill(["arm", "sex"], [".", "NULL", "refused", "missing", "unknown", "999"]),
    "spelling": respell, "accents": apart, "numbers as text": write_as_text, "pasted": paste, "visits": split_visits,
    "improvement": improvement, "broken row": break_row, "header": rename, "order": shuffle,
}  # fmt: skip
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-8", "utf-8"]


def total_effect(path: Path) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        people = load_participants(path, **ROLES)
    X = pd.concat([people.treatment, people.covariates, (people.trial == "Basel").rename("site")], axis=1).astype(float)
    kept = people.outcome.notna()
    design = np.column_stack([np.ones(int(kept.sum())), X[kept].to_numpy()])
    return float(np.linalg.lstsq(design, people.outcome[kept].to_numpy(), rcond=None)[0][1])


@pytest.fixture(scope="module")
def answer(tmp_path_factory) -> float:
    path = tmp_path_factory.mktemp("sound") / "trial.csv"
    path.write_text("\n".join(",".join(row) for row in rows()), encoding="utf-8")
    return total_effect(path)


@pytest.mark.parametrize("first", range(0, COUNT, 20))
def test_a_damaged_table_is_refused_or_gives_the_same_answer(tmp_path, answer, first):
    wrong = []
    for seed in range(first, min(first + 20, COUNT)):
        rng = np.random.default_rng(seed)
        kind = list(DAMAGE)[seed % len(DAMAGE)]
        table = rows()
        DAMAGE[kind](table, rng)
        separator = ","
        if kind not in ("numbers as text",) and rng.random() < 0.3:
            separator = str(rng.choice([";", "\t", "|"]))
        path = tmp_path / f"{seed}.csv"
        path.write_text("\n".join(separator.join(row) for row in table) + "\n", encoding=str(rng.choice(ENCODINGS)))
        try:
            found = total_effect(path)
        except ParticipantError:
            continue
        if abs(found - answer) > 1e-9:
            wrong.append((seed, kind, found))
    assert wrong == [], f"accepted with an answer other than {answer}"
