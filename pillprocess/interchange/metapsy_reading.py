"""Files of the Metapsy data standard read as rows of two arms: see :mod:`pillprocess.interchange.metapsy` for the version."""

import csv
import io
import math
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from pillprocess.evidence.dose_checks import MG_PER_UNIT
from pillprocess.evidence.files import problem
from pillprocess.interchange.answers import Answers
from pillprocess.interchange.metafor import gaps, named_arms
from pillprocess.interchange.metapsy import BLINDING, DESIGN, STANDARD, is_numeric
from pillprocess.interchange.pairs import PARTS, Row, cell
from pillprocess.interchange.tables import Numbered

DOSE = re.compile(r"(\d+(?:[.,]\d+)?)\s*(mg/70\s?kg|mg/kg|mg|ug)")

GROUPS = {
    "msd": {"mean": "post_mean", "sd": "post_sd", "n": "n"},
    "change": {"mean_change": "change_mean", "sd_change": "change_sd", "n_change": "n"},
    "response": {"event": "responders", "totaln": "n_events"}, "remission": {"event": "remitters", "totaln": "n_events"},
}  # fmt: skip
"""Columns of each type of outcome, without the arm, and where their figures go."""

READ = {
    "primary_instrument",
    "primary_timepoint",
    "post_crossover",
    "diagnosis",
    "dose_arm1",
    "dose_arm2",
    "drug_arm1",
    "drug_arm2",
}
"""Columns of Metapsy's databases beyond the standard that are read."""


def read_metapsy(file: Path, answers: Answers) -> tuple[list[Numbered], list[pd.DataFrame], list[str]]:
    """Read a file of the standard: rows of two arms, what they lack, and what was left out in words."""
    try:
        reader = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline=""), delimiter=";")
        raw = [
            (
                reader.line_num,
                {k: (v or "").strip() for k, v in row.items() if isinstance(k, str) and isinstance(v, str | None)},
            )
            for row in reader
        ]
    except UnicodeDecodeError as error:
        return [], [problem(file.name, f"is not UTF-8 text ({error.reason}); save it as 'CSV UTF-8'")], []
    lacking = [
        name
        for name in DESIGN
        if name not in (reader.fieldnames or []) and name not in ("time", "time_weeks", "rating")
    ]
    if lacking:
        hint = "; cells are separated by semicolons" if len(lacking) == len(DESIGN) - 3 else ""
        return [], [problem(file.name, f"lacks the columns {', '.join(lacking)}{hint}", row=1)], []
    rows: list[Numbered] = []
    problems = []
    imputed = 0
    for line, values in raw:
        row = {name: "" if text == "NA" else text for name, text in values.items()}
        if row["outcome_type"] == "imsd":
            imputed += 1
            continue
        full, wrong = _canonical(row, answers)
        rows.append((line, full))
        problems += [
            problem(file.name, text, row=line) for text in [*wrong, *gaps(full, answers, reader.fieldnames or [])]
        ]
    left = (
        [f"{imputed} rows of outcome_type imsd (endpoints that Metapsy imputed; their changes are read)"]
        if imputed
        else []
    )
    extra = [
        name
        for name in (reader.fieldnames or [])
        if name not in STANDARD and name.partition("_")[0] not in PARTS and name not in READ
    ]
    left += [f"the columns {', '.join(extra)}"] if extra else []
    return rows, problems, left


def _number(text: str, turned: Callable[[float], float] = lambda x: x) -> str:
    """A number with a decimal point, as short as it is exact; what is no number stays, so that the checks name it."""
    try:
        return cell(turned(float(text.replace(",", "."))))
    except (ValueError, OverflowError):
        return text


def _canonical(row: Row, answers: Answers) -> tuple[Row, list[str]]:
    """A row of the standard as cells of the tables."""
    carried = {
        name: _number(text) if is_numeric(name) else text.replace("|", ";")
        for name, text in row.items()
        if name.partition("_")[0] in PARTS and text
    }
    if any(name.startswith(("contrast_", "outcome1_")) for name in carried):
        return carried, []
    trial = re.sub(r"[^a-z0-9]", "", row["study"].lower())
    arms = [
        re.sub(r"[^a-z0-9.]+", "_", f"{row[f'condition_arm{i}']} {row[f'multi_arm{i}']}".strip().lower())
        for i in (1, 2)
    ]
    full = {
        "trial_year": _number(row.get("year", "")),
        "trial_doi": row.get("doi", "").partition(";")[0].partition("|")[0],
    }
    full |= {"trial_registry": row.get("registration_number", ""), "trial_design": row.get("design", "")}
    full |= {"trial_blinding": {v: k for k, v in BLINDING.items()}.get(row.get("blinding", ""), "")}
    full |= {"trial_condition": answers.translated("condition", row["diagnosis"]) if row.get("diagnosis") else ""}
    full |= named_arms(trial, arms[0], arms[1], answers)
    for i, name in ((1, arms[0]), (2, arms[1])):
        condition = answers.of_arm(row[f"condition_arm{i}"])
        full = (
            {f"arm{i}_{key}": text for key, text in condition.items()}
            | _dose(i, row, condition | answers.of_arm(name))
            | full
        )
    drug = full.get("arm1_study_drug") or full.get("arm1_drug", "")
    full |= {f"arm{i}_study_drug": drug for i in (1, 2) if not full.get(f"arm{i}_study_drug")}
    day = _number(row.get("time_days", "")) or _number(row.get("time_weeks", ""), lambda weeks: weeks * 7)
    after = row.get("post_crossover") == "1"
    primary = (
        row.get("primary_instrument", "1") == "1"
        and row.get("primary_timepoint", "1" if row.get("time", "post") == "post" else "0") == "1"
    )
    own = {
        "instrument": answers.translated("instrument", row["instrument"]), "time_days": day,
        "timepoint": "after crossover" if after else "", "include": "0" if after else "1", "primary": str(int(primary and not after)),
    }  # fmt: skip
    full = {name: text for name, text in full.items() if text}
    if row.get("precalc_g") or row.get("precalc_log_rr"):
        g = bool(row.get("precalc_g"))
        name = "precalc_g" if g else "precalc_log_rr"
        value, se = _number(row[name], (lambda x: x) if g else math.exp), _number(row.get(f"{name}_se", ""))
        own |= {
            "trial_id": trial,
            "arm_id": arms[0],
            "reference_arm_id": arms[1],
            "se": se,
            "effect_type": "hedges_g" if g else "risk_ratio",
            "estimate": value,
        }
        own |= {"outcome_type": "continuous" if row["outcome_type"] in ("msd", "change") else row["outcome_type"]}
        return full | {f"contrast_{name}": text for name, text in own.items() if text}, []
    return _sides(row, trial, arms, own, full)


def _dose(i: int, row: Row, said: Row) -> Row:
    """Dose, unit and comparable dose of an arm that was given one drug at one dose; nothing for a control."""
    found = DOSE.fullmatch(row.get(f"dose_arm{i}", "").strip())
    if not found or said.get("role") not in ("active", "low_dose"):
        return {}
    amount, unit = float(found[1].replace(",", ".")), found[2].replace(" ", "")
    return {
        f"arm{i}_dose": cell(amount),
        f"arm{i}_dose_unit": unit,
        f"arm{i}_dose_mg_equiv": cell(round(amount * MG_PER_UNIT[unit], 6)),
    }


def _sides(row: Row, trial: str, arms: list[str], own: Row, full: Row) -> tuple[Row, list[str]]:
    """The outcomes of the two arms."""
    kind = row["outcome_type"]
    if kind not in GROUPS:
        return full, [
            f"outcome_type = {kind or 'blank'}; it must be one of {', '.join(GROUPS)}, or precalc_g be filled"
        ]
    for i in (1, 2):
        side = {column: _number(row.get(f"{name}_arm{i}", "")) for name, column in GROUPS[kind].items()}
        side |= {
            "baseline_mean": _number(row.get(f"baseline_m_arm{i}", "")),
            "baseline_sd": _number(row.get(f"baseline_sd_arm{i}", "")),
        }
        side |= own | {"trial_id": trial, "arm_id": arms[i - 1]}
        full |= {f"outcome{i}_{name}": text for name, text in side.items() if text}
    return full, []
