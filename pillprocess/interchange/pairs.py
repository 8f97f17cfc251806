"""Evidence tables as rows of two arms each, the unit of every format for pairwise meta-analysis, and what such rows cannot hold.

A row is a mapping of cells, all text: ``trial_...``, ``arm1_...`` and ``arm2_...`` (the arm and what it is compared with), and either
``contrast_...``, a published difference, or ``outcome1_...`` and ``outcome2_...``, the outcomes of the two arms on one occasion.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pillprocess.evidence.schema import EMBEDDED_IF_ABSENT
from pillprocess.evidence.tables import Evidence

Row = dict[str, str]

PARTS = {
    "trial": "trials", "arm1": "arms", "arm2": "arms", "contrast": "contrasts", "outcome1": "outcomes", "outcome2": "outcomes",
}  # fmt: skip
"""Parts of a row, and the table that each is a row of."""

CONTROLS = ("inert_placebo", "active_placebo", "waitlist", "comparator", "low_dose")
"""Roles of the arm that the others are set against, the first that a trial has."""

OCCASION = ["trial_id", "instrument", "time_days", "timepoint"]

NO_PLACE = {
    "subjective": "acute scores", "associations": "associations of experience and outcome", "expectancy": "guesses and expectations",
    "mediation": "mediation results", "therapy": "statements on hours of therapy", "acute_contrasts": "acute t values",
    "scale_bridge": "correlations of scales", "pooled_effects": "published pooled effects", "risk_of_bias": "risks of bias",
    "doubts": "doubts", "editions": "editions", "vocabulary": "words of the folder's own", "preclinical": "preclinical effects",
    "drugs": "drugs and their experiences", "reference_doses": "reference doses", "instruments": "instruments",
}  # fmt: skip


def cell(value: Any) -> str:
    """A cell as text: a blank for what is missing, a whole number without a point, any other so that it reads back the same."""
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, float):
        return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
    return str(value)


def cells(part: str, row: Mapping[str, Any]) -> Row:
    """The cells of a table's row that are not blank, named by the part."""
    return {f"{part}_{name}": text for name, value in row.items() if (text := cell(value))}


def pairs(evidence: Evidence) -> tuple[list[Row], list[str]]:
    """Set out an evidence base as rows of two arms, and say in words what has no such row."""
    trials = evidence.trials.set_index("trial_id", drop=False).to_dict("index")
    arms = evidence.arms.set_index(["trial_id", "arm_id"], drop=False).to_dict("index")
    rows: list[Row] = []

    def add(trial: Any, one: Any, two: Any, more: Row) -> None:
        sides = cells("arm1", arms[trial, one]) | cells("arm2", arms[trial, two])
        rows.append(cells("trial", trials[trial]) | sides | more)

    unheld = 0
    for contrast in evidence.contrasts.to_dict("records"):
        keys = [(contrast["trial_id"], contrast[side]) for side in ("arm_id", "reference_arm_id")]
        if all(key in arms for key in keys):
            add(keys[0][0], keys[0][1], keys[1][1], cells("contrast", contrast))
        else:
            unheld += 1
    alone = 0
    for _, group in evidence.outcomes.groupby(OCCASION, sort=False, dropna=False):
        outcomes = group.to_dict("records")
        if len(outcomes) < 2:
            alone += 1
            continue
        base = min(outcomes, key=lambda row: _rank(arms[row["trial_id"], row["arm_id"]]))
        for outcome in (row for row in outcomes if row is not base):
            both = cells("outcome1", outcome) | cells("outcome2", base)
            add(outcome["trial_id"], outcome["arm_id"], base["arm_id"], both)
    return rows, _lost(evidence, rows, unheld, alone)


def _rank(arm: Mapping[Any, Any]) -> tuple[int, float]:
    """The control first; without one the lowest dose."""
    role = CONTROLS.index(arm["role"]) if arm["role"] in CONTROLS else len(CONTROLS)
    return role, float(np.nan_to_num(arm["dose"], nan=np.inf))


def _lost(evidence: Evidence, rows: Iterable[Row], contrasts: int, outcomes: int) -> list[str]:
    """What rows of two arms do not hold, in words."""
    held = {(row["trial_trial_id"], row[f"arm{i}_arm_id"]) for row in rows for i in (1, 2)}
    trials = len(evidence.trials) - len({trial for trial, _ in held})
    arms = len(evidence.arms) - len(held)
    words = []
    if trials:
        words.append(f"trials.csv: {trials} trials without a comparison of two arms")
    if arms:
        words.append(f"arms.csv: {arms} arms that no difference and no occasion of two arms names")
    if contrasts:
        words.append(f"contrasts.csv: {contrasts} rows within an arm or of pooled arms")
    if outcomes:
        words.append(f"outcomes.csv: {outcomes} rows of an arm that was measured alone on that occasion")
    for name, what in NO_PLACE.items():
        borrowed = name in EMBEDDED_IF_ABSENT and not (evidence.folder / f"{name}.csv").is_file()
        if (size := len(getattr(evidence, name))) and not borrowed:
            words.append(f"{name}.csv: all {size} rows ({what})")
    return words
