r"""Differences in the columns of metafor's ``escalc``: one row a comparison, with ``yi``, its variance ``vi``, and what both came from.

``measure`` is the name that ``escalc`` has for the effect: MD, SMD, OR, RR, RD; GEN for any other (hazard ratios on the log scale,
standardised slopes). Ratios are logarithms. ``n1i``, ``m1i``, ``sd1i``, ``ai`` belong to the arm named in ``arm1``, ``n2i``, ``m2i``,
``sd2i``, ``ci`` to the one it is compared with. In R: ``rma(yi, vi, data = read.csv("pairs.csv"))``. Every other column keeps the
name it has in the evidence tables, with ``trial_``, ``arm1_``, ``arm2_``, ``contrast_``, ``outcome1_`` or ``outcome2_`` before it.

References
----------
Viechtbauer 2010, doi:10.18637/jss.v036.i03; the columns are those of ``escalc`` at wviechtb.github.io/metafor/reference/escalc.html.
"""

import csv
import io
import math
from collections.abc import Collection, Iterable
from pathlib import Path

import pandas as pd

from pillprocess.evidence.csv_text import decode
from pillprocess.evidence.files import problem
from pillprocess.interchange.answers import Answers
from pillprocess.interchange.pairs import Row, cell
from pillprocess.interchange.tables import Numbered, part_of

MEASURES = {
    "mean_difference": "MD", "cohen_d": "SMD", "hedges_g": "SMD", "odds_ratio": "OR", "risk_ratio": "RR", "risk_difference": "RD",
}  # fmt: skip
TYPES = {"MD": "mean_difference", "SMD": "hedges_g", "OR": "odds_ratio", "RR": "risk_ratio", "RD": "risk_difference"}
RATIOS = ("odds_ratio", "risk_ratio", "hazard_ratio")
Z = 1.959964
FIRST = [
    "study",
    "year",
    "arm1",
    "arm2",
    "what",
    "measure",
    "yi",
    "vi",
    "n1i",
    "n2i",
    "m1i",
    "sd1i",
    "m2i",
    "sd2i",
    "ai",
    "ci",
]
NEEDED = {
    "trial": ("condition", "design"), "arm1": ("role", "drug", "study_drug", "therapy"), "arm2": ("role", "drug", "study_drug", "therapy"),
    "contrast": ("instrument", "direction"), "outcome1": ("instrument",), "outcome2": ("instrument",),
}  # fmt: skip
"""What a row must say beside its figures; ``[set]``, ``[arm.NAME]`` and ``[word.COLUMN]`` of the answers may say it instead."""


def write_metafor(rows: Iterable[Row], file: Path) -> None:
    """Write rows of two arms as CSV."""
    table = [_view(row) | row for row in rows]
    rest = sorted({name for row in table for name in row} - set(FIRST))
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, [*FIRST, *rest], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


def _view(row: Row) -> Row:
    """What ``escalc`` and ``rma`` read, from the cells of a row."""
    view = {
        "study": row["trial_trial_id"],
        "year": row.get("trial_year", ""),
        "arm1": row["arm1_arm_id"],
        "arm2": row["arm2_arm_id"],
    }
    if own := part_of(row, "contrast"):
        yi, vi = effect(own)
        view |= {"what": "contrast", "measure": MEASURES.get(own["effect_type"], "GEN"), "yi": cell(yi), "vi": cell(vi)}
        return view | {f"n{i}i": row.get(f"arm{i}_n", "") for i in (1, 2)}
    one, two = part_of(row, "outcome1"), part_of(row, "outcome2")
    for what, mean, sd in (("change", "change_mean", "change_sd_derived"), ("endpoint", "post_mean", "post_sd")):
        if all(side.get(name) for side in (one, two) for name in (mean, sd, "n")):
            (m1, s1, n1), (m2, s2, n2) = ([float(side[name]) for name in (mean, sd, "n")] for side in (one, two))
            view |= {"what": what, "measure": "MD", "yi": cell(m1 - m2), "vi": cell(s1**2 / n1 + s2**2 / n2)}
            return view | {
                "m1i": one[mean],
                "sd1i": one[sd],
                "n1i": one["n"],
                "m2i": two[mean],
                "sd2i": two[sd],
                "n2i": two["n"],
            }
    for what, count in (("response", "responders"), ("remission", "remitters")):
        if all(side.get(name) for side in (one, two) for name in (count, "n")):
            (a, n1), (c, n2) = ([float(side[name]) for name in (count, "n")] for side in (one, two))
            cells = (a, n1 - a, c, n2 - c)
            if min(cells) > 0:
                view |= {"yi": cell(math.log(a * (n2 - c) / (c * (n1 - a)))), "vi": cell(sum(1 / x for x in cells))}
            return view | {
                "what": what,
                "measure": "OR",
                "ai": one[count],
                "n1i": one["n"],
                "ci": two[count],
                "n2i": two["n"],
            }
    return view | {"what": "outcome", "measure": ""}


def effect(contrast: Row) -> tuple[float, float]:
    """Effect and variance of a published difference, ratios as logarithms; missing where they cannot be had."""
    ratio = contrast["effect_type"] in RATIOS
    estimate, low, high, se = (
        float(contrast[name]) if contrast.get(name) else math.nan for name in ("estimate", "ci_low", "ci_high", "se")
    )
    if ratio:
        estimate, low, high = (math.log(x) if x > 0 else math.nan for x in (estimate, low, high))
    if math.isnan(se) or contrast["effect_type"] in RATIOS[::2]:  # the scale of a printed error of these is not known
        se = (high - low) / (2 * Z)
    return estimate, se**2


def read_metafor(file: Path, answers: Answers) -> tuple[list[Numbered], list[pd.DataFrame]]:
    """Read such a file, or one with ``study``, ``arm1``, ``arm2`` and ``escalc``'s columns alone, and list what its rows lack."""
    text, unreadable = decode(file.read_bytes())
    if unreadable:
        return [], [problem(file.name, unreadable.text, row=unreadable.line)]
    reader = csv.DictReader(io.StringIO(text, newline=""))
    header = reader.fieldnames or []
    lacking = [name for name in ("study", "arm1", "arm2") if name not in header]
    if lacking:
        return [], [
            problem(file.name, f"lacks the column{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}", row=1)
        ]
    rows, problems = [], []
    for raw in reader:
        row = {name: (text or "").strip() for name, text in raw.items() if name and isinstance(text, str | None)}
        full, wrong = canonical(row, answers, header)
        rows.append((reader.line_num, full))
        problems += [problem(file.name, text, row=reader.line_num) for text in [*wrong, *gaps(full, answers, header)]]
    return rows, problems


def gaps(row: Row, answers: Answers, header: Collection[str]) -> list[str]:
    """What a row must say and neither the file nor the answers do; a blank in a column that is there says: not reported."""
    said, texts = {**answers.every, **row}, []
    for part, names in NEEDED.items():
        lacking = [n for n in names if not said.get(f"{part}_{n}") and f"{part}_{n}" not in header]
        if "drug" in lacking or (part == "arm2" and not said.get("arm1_drug")):
            lacking = [name for name in lacking if name != "study_drug"]  # follows from the drug of the first arm
        if lacking and part_of(row, part):
            own = (
                f"[arm.{row.get(f'{part}_arm_id', 'NAME')}] {' = ..., '.join(lacking)} = ..., or "
                if part.startswith("arm")
                else ""
            )
            columns = ", ".join(f"{part}_{name}" for name in lacking)
            texts.append(
                f"{columns}: not said; answer {own}[set] {columns.replace(', ', ' = ..., ')} = ..., or add the column"
            )
    return texts


def named_arms(trial: str, one: str, two: str, answers: Answers) -> Row:
    """The cells that say which trial and arms a row is of, with what the answers say of the arms."""
    named = {
        "trial_trial_id": trial,
        "arm1_trial_id": trial,
        "arm2_trial_id": trial,
        "arm1_arm_id": one,
        "arm2_arm_id": two,
    }
    return named | {
        f"arm{i}_{key}": text for i, name in ((1, one), (2, two)) for key, text in answers.of_arm(name).items()
    }


def canonical(row: Row, answers: Answers, header: Collection[str]) -> tuple[Row, list[str]]:
    """A row of the file as cells of the tables, and what contradicts itself in it."""
    own = {
        name: answers.translated(name.partition("_")[2], text)
        for name, text in row.items()
        if name not in FIRST and text
    }
    named = named_arms(row["study"], row["arm1"], row["arm2"], answers)
    full = named | {
        name: text
        for name, text in own.items()
        if name.partition("_")[0] in ("trial", "arm1", "arm2", "contrast", "outcome1", "outcome2")
    }
    full |= {"trial_year": row["year"]} if row.get("year") and not full.get("trial_year") else {}
    for i in (1, 2):
        if row.get(f"n{i}i") and f"arm{i}_n" not in header:
            full[f"arm{i}_n"] = row[f"n{i}i"]
    drug = (answers.every | full).get("arm1_study_drug") or (answers.every | full).get("arm1_drug", "")
    for i in (1, 2):
        if drug and not (answers.every | full).get(f"arm{i}_study_drug"):
            full[f"arm{i}_study_drug"] = drug
    what = row.get("what", "")
    if what in ("change", "endpoint", "response", "remission", "outcome"):
        return full | _outcomes(row, full, what), []
    full |= {
        "contrast_trial_id": row["study"],
        "contrast_arm_id": row["arm1"],
        "contrast_reference_arm_id": row["arm2"],
    }
    return _contrast(row, full, header)


def _outcomes(row: Row, full: Row, what: str) -> Row:
    """Outcomes of the two arms, from escalc's columns where the row has no cells of their own."""
    columns = {"change": ("change_mean", "change_sd"), "endpoint": ("post_mean", "post_sd")}.get(what, ())
    counts = {"response": "responders", "remission": "remitters"}.get(what)
    more: Row = {}
    for i, count in ((1, "ai"), (2, "ci")):
        more |= {f"outcome{i}_trial_id": row["study"], f"outcome{i}_arm_id": row[f"arm{i}"]}
        if full.get(f"outcome{i}_n"):
            continue  # the row holds the outcome's own cells
        given = dict(zip(columns, (row.get(f"m{i}i", ""), row.get(f"sd{i}i", "")), strict=False)) | {
            "n": row.get(f"n{i}i", "")
        }
        given |= {counts: row.get(count, "")} if counts else {}
        more |= {f"outcome{i}_{name}": text for name, text in given.items() if text}
    return more


def _contrast(row: Row, full: Row, header: Collection[str]) -> tuple[Row, list[str]]:
    """A published difference from yi and vi, or from the cells it was printed as; the two may not differ."""
    measure = row.get("measure", "")
    kind = full.get("contrast_effect_type") or TYPES.get(measure, "")
    if not kind:
        known = ", ".join(TYPES)
        return full, [
            f"measure = {measure or 'blank'}; it must be one of {known}, or contrast_effect_type must name the effect"
        ]
    full["contrast_effect_type"] = kind
    try:
        yi, vi = (float(row[name]) if row.get(name) else math.nan for name in ("yi", "vi"))
        vi = float(row["sei"]) ** 2 if row.get("sei") and math.isnan(vi) else vi
    except ValueError:
        return full, [
            f"yi = {row.get('yi')}, vi = {row.get('vi')}: not numbers; leave the cell empty where there is none"
        ]
    if full.get("contrast_estimate"):
        before = effect(part_of(full, "contrast"))
        wrong = [
            f"{name} = {given:.6g}, but contrast_estimate and its error give {was:.6g}; which is right? leave the other empty"
            for name, given, was in (("yi", yi, before[0]), ("vi", vi, before[1]))
            if not (math.isnan(given) or math.isnan(was)) and abs(given - was) > 1e-6 * max(1.0, abs(was))
        ]
        return full, wrong
    if math.isnan(yi) and "contrast_estimate" in header:
        return full, []  # printed without an estimate
    if math.isnan(yi):
        return full, ["yi is blank, and so is contrast_estimate: a row needs an effect"]
    full["contrast_estimate"] = cell(math.exp(yi) if kind in RATIOS else yi)
    if vi > 0 and kind in RATIOS[::2]:
        full["contrast_ci_low"], full["contrast_ci_high"] = (
            cell(math.exp(yi + sign * Z * math.sqrt(vi))) for sign in (-1, 1)
        )
    elif vi > 0:
        full["contrast_se"] = cell(math.sqrt(vi))
    return full, [f"vi = {vi:g}; a variance must be > 0"] if vi <= 0 else []
