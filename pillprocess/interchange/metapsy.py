r"""Rows of two arms in the columns of the Metapsy data standard, wide format.

The version read is that of docs.metapsy.org/data-preparation/format (repository metapsy-project/metapsyDocs at 928b2b8), with the
further columns of metapsy-project/data-depression-psiloctr (71a102a): semicolons between cells, decimal commas, ``NA`` for what is
missing. The standard holds means and SDs, changes, counts, a Hedges' g or a log risk ratio of two arms; every other cell goes along under
the name it has in the evidence tables (``trial_...``, ``arm1_...``), which the standard allows as additional variables. A semicolon
within a cell, which it forbids, is written as ``|``.
"""

import csv
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from pillprocess.evidence.schema import SCHEMAS
from pillprocess.interchange.metafor import effect
from pillprocess.interchange.pairs import PARTS, Row, cell
from pillprocess.interchange.tables import part_of

DESIGN = [
    "study",
    "condition_arm1",
    "condition_arm2",
    "multi_arm1",
    "multi_arm2",
    "outcome_type",
    "instrument",
    "time",
    "time_weeks",
    "rating",
]
EFFECT = [
    *(f"{name}_arm{i}" for i in (1, 2) for name in ("mean", "sd", "n")),
    *(f"{name}_change_arm{i}" for i in (1, 2) for name in ("mean", "sd", "n")),
    *(f"{name}_arm{i}" for i in (1, 2) for name in ("event", "totaln")),
    "precalc_g", "precalc_g_se", "precalc_log_rr", "precalc_log_rr_se",
]  # fmt: skip
FURTHER = [
    "year",
    "time_days",
    "doi",
    "registration_number",
    "design",
    "blinding",
    *(f"baseline_{c}_arm{i}" for i in (1, 2) for c in ("m", "sd")),
]
STANDARD = [*DESIGN, *EFFECT, *FURTHER]
NUMBERS = {*EFFECT, "time_weeks", "time_days", "year", *FURTHER[-4:]}
RATERS = {"clinician": "clinician", "self": "self-report"}
BLINDING = {"double": "double-blind", "single": "single-blind", "open": "open-label"}
FAVOURS = {"negative_favours_arm": 1.0, "positive_favours_arm": -1.0}
SHORT = {"waitlist": "wl", "inert_placebo": "pcb"}
"""Metapsy's names of controls; any other condition is called by its drug."""


def write_metapsy(rows: Iterable[Row], file: Path, instruments: pd.DataFrame) -> list[str]:
    """Write rows of two arms in Metapsy's columns; what has no column of the standard is said."""
    rows = list(rows)
    rater = instruments.set_index("instrument")["rater"].to_dict()
    arms: dict[str, set[str]] = {}
    for row in rows:
        arms.setdefault(row["trial_trial_id"], set()).update((row["arm1_arm_id"], row["arm2_arm_id"]))
    table = [_view(row, len(arms[row["trial_trial_id"]]) > 2, rater) for row in rows]
    rest = sorted({name for row in rows for name in row})
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, [*STANDARD, *rest], restval="NA", delimiter=";", lineterminator="\n")
        writer.writeheader()
        for row, view in zip(rows, table, strict=True):
            writer.writerow({name: _written(name, text) for name, text in (row | view).items() if text})
    without: dict[str, int] = {}
    for row, view in zip(rows, table, strict=True):
        if not any(view.get(name) for name in EFFECT):
            kind = row.get("contrast_effect_type", "outcomes without means, SDs and counts in both arms")
            without[kind] = without.get(kind, 0) + 1
    return [
        f"{n} rows ({kind}) stand in no effect column of the standard; their cells go along"
        for kind, n in sorted(without.items())
    ]


def _written(name: str, text: str) -> str:
    """A cell as the standard has it: decimal commas, no semicolon."""
    if name in NUMBERS or is_numeric(name):
        return text.replace(".", ",")
    return text.replace(";", "|")


def is_numeric(name: str) -> bool:
    """Whether a column that goes along under its own name holds numbers."""
    part, _, column = name.partition("_")
    return part in PARTS and column in SCHEMAS[PARTS[part]].numeric


def _view(row: Row, several: bool, rater: Mapping[str, str]) -> Row:
    """The standard's own columns of a row."""
    own = part_of(row, "contrast") or part_of(row, "outcome1")
    day = own.get("time_days", "")
    name = re.match(r"[\w-]+", row.get("trial_citation", "")) or re.match(r"[a-z_]+", row["trial_trial_id"])
    view = {
        "study": f"{name[0].capitalize() if name else row['trial_trial_id']}, {row.get('trial_year', 'n.d.')}",
        "instrument": own["instrument"], "time": "post" if own.get("primary") == "1" else "follow-up",
        "time_weeks": cell(float(day) / 7) if day else "", "time_days": day,
        "rating": RATERS.get(str(rater.get(own["instrument"], "")), ""), "year": row.get("trial_year", ""),
        "doi": row.get("trial_doi", ""), "registration_number": row.get("trial_registry", ""), "design": row.get("trial_design", ""),
        "blinding": BLINDING.get(row.get("trial_blinding", ""), ""),
    }  # fmt: skip
    for i in (1, 2):
        role, drug = row.get(f"arm{i}_role", ""), row.get(f"arm{i}_drug", "")
        view |= {f"condition_arm{i}": SHORT.get(role, drug), f"multi_arm{i}": row[f"arm{i}_arm_id"] if several else ""}
    return view | (
        _contrast(own) if part_of(row, "contrast") else _outcomes(part_of(row, "outcome1"), part_of(row, "outcome2"))
    )


def _contrast(own: Row) -> Row:
    view = {"outcome_type": {"continuous": "msd"}.get(own["outcome_type"], own["outcome_type"])}
    estimate, variance = effect(own)
    names = {"hedges_g": ("precalc_g", "precalc_g_se"), "risk_ratio": ("precalc_log_rr", "precalc_log_rr_se")}
    if own["effect_type"] not in names or math.isnan(estimate) or not variance > 0:
        return view
    sign = 1.0 if own["effect_type"] == "risk_ratio" else FAVOURS.get(own["direction"])
    if sign is None:
        return view
    return view | dict(zip(names[own["effect_type"]], (cell(sign * estimate), cell(math.sqrt(variance))), strict=True))


def _outcomes(one: Row, two: Row) -> Row:
    """The first group of columns that both arms fill: endpoint, change, counts."""
    groups = {
        "msd": {"mean": "post_mean", "sd": "post_sd", "n": "n"},
        "change": {"mean_change": "change_mean", "sd_change": "change_sd_derived", "n_change": "n"},
        "response": {"event": "responders", "totaln": "n"}, "remission": {"event": "remitters", "totaln": "n"},
    }  # fmt: skip
    sides = ((1, one), (2, two))
    base = {
        f"baseline_{a}_arm{i}": side.get(b, "")
        for i, side in sides
        for a, b in (("m", "baseline_mean"), ("sd", "baseline_sd"))
    }
    for kind, columns in groups.items():
        if all(side.get(column) for _, side in sides for column in columns.values()):
            return (
                base
                | {"outcome_type": kind}
                | {f"{name}_arm{i}": side[c] for i, side in sides for name, c in columns.items()}
            )
    return base | {"outcome_type": "msd"}
