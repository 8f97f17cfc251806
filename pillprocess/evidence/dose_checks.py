"""Checks of the doses in arms.csv, and of the comparable doses that follow from them."""

from collections.abc import Iterator

import pandas as pd

from pillprocess.evidence.files import CsvTable, report

LARGEST_MG = {"psilocybin": 60, "LSD": 1, "MDMA": 250, "ketamine": 200, "esketamine": 250}
LARGEST_MG_PER_KG = 3
LARGEST_TIMES = 10
"""Guards against a mistaken unit, more than twice any embedded dose (30, 0.2, 125, 50 and 115 mg; 1 mg/kg)."""

BY_WEIGHT = ("ketamine", "esketamine")
INJECTED = ("iv", "im", "sc")
MG_PER_UNIT = {"mg": 1.0, "mg/70kg": 1.0, "ug": 0.001, "mg/kg": 70.0}


def check_doses(arms: CsvTable, references: CsvTable) -> Iterator[pd.DataFrame]:
    """Doses without unit and units without dose; doses of nothing; doses no one is given."""
    data, cells = arms.data, arms.cells
    if {"dose", "dose_unit"} <= arms.given:
        wrong = (cells["dose"] != "") & (cells["dose_unit"] == "")
        yield report(arms, "dose", wrong, "a dose needs its dose_unit")
        wrong = (cells["dose"] == "") & (cells["dose_unit"] != "")
        yield report(arms, "dose_unit", wrong, "a unit needs its dose; leave both empty where the dose is not known")
    nothing = (cells["role"] == "waitlist") | cells["drug"].isin(["placebo", "none"])
    for column in ("dose", "dose_max", "dose_mg_equiv", "dose_mg_per_kg"):
        yield report(arms, column, data[column] < 0, "a dose cannot be negative")
        text = "a waiting list, no drug or placebo has no dose; leave it empty, or 0"
        yield report(arms, column, nothing & (data[column] > 0), text)
    yield report(arms, "dose_max", data["dose_max"] < data["dose"], "less than the dose")
    most = cells["drug"].map(LARGEST_MG).astype(float)
    wrong = data["dose_mg_equiv"] > most
    yield report(arms, "dose_mg_equiv", wrong, [f"more than {mg:g} mg; is the unit right?" for mg in most[wrong]])
    wrong = data["dose_mg_per_kg"] > LARGEST_MG_PER_KG
    yield report(arms, "dose_mg_per_kg", wrong, f"more than {LARGEST_MG_PER_KG} mg/kg; is the unit right?")
    yield from _check_comparable_doses(arms)
    yield from _check_own_drugs(arms, references)


def check_reference_doses(table: CsvTable) -> Iterator[pd.DataFrame]:
    """Reference doses that no dose can be divided by, or that are in another unit than the doses."""
    dose = table.data["dose"]
    yield report(table, "dose", dose <= 0, "a reference dose must be > 0")
    most = table.cells["drug"].map(LARGEST_MG).astype(float)
    most = most.mask(table.cells["dose_column"] == "dose_mg_per_kg", LARGEST_MG_PER_KG)
    wrong = (dose > most) | (dose > 0) & (dose < most / 1000)
    yield report(table, "dose", wrong, [f"not between {m / 1000:g} and {m:g}; is the unit right?" for m in most[wrong]])


def _check_own_drugs(arms: CsvTable, references: CsvTable) -> Iterator[pd.DataFrame]:
    """Doses of a folder's own drugs that lack what their reference dose is compared in, or are many times as large."""
    cells = arms.cells
    for reference in (
        references.data[~references.data["drug"].isin(LARGEST_MG)].dropna(subset=["dose", "dose_column"]).itertuples()
    ):
        column = str(reference.dose_column)
        if column not in arms.data:
            continue
        given = cells["drug"].eq(reference.drug) & cells["route"].eq(reference.route) & arms.data["dose"].notna()
        text = f"reference_doses.csv compares {reference.drug} {reference.route} in {column}"
        yield report(arms, column, given & arms.data[column].isna(), text)
        if column == "dose":
            wrong = given & (cells["dose_unit"] != reference.dose_unit)
            yield report(arms, "dose_unit", wrong, f"the reference dose is in {reference.dose_unit}")
        wrong = given & (arms.data[column] > LARGEST_TIMES * reference.dose)
        yield report(
            arms,
            column,
            wrong,
            f"more than {LARGEST_TIMES} times the reference dose {reference.dose:g}; is the unit right?",
        )


def _check_comparable_doses(arms: CsvTable) -> Iterator[pd.DataFrame]:
    """Comparable doses of drugs with a known range that are blank or do not follow from dose, unit and route.

    Injected ketamine and esketamine compare in mg/kg, everything else in mg (per 70 kg where dosed by weight).
    """
    cells = arms.cells
    dose = arms.data["dose"].where(cells["drug"].isin(LARGEST_MG))
    if "route" in arms.given:
        yield report(arms, "route", dose.notna() & (cells["route"] == ""), "a dose needs its route")
    injected = cells["drug"].isin(BY_WEIGHT) & cells["route"].isin(INJECTED)
    in_mg = dose * cells["dose_unit"].map(MG_PER_UNIT).astype(float)
    comparable = {
        "dose_mg_equiv": in_mg.where(~injected & (cells["route"] != "")),
        "dose_mg_per_kg": dose.where(injected & (cells["dose_unit"] == "mg/kg")),
    }
    for column, expected in comparable.items():
        wrong = expected.notna() & ~((arms.data[column] - expected).abs() <= 0.01 * expected.abs())
        rows = zip(cells["dose"][wrong], cells["dose_unit"][wrong], cells["drug"][wrong], expected[wrong], strict=True)
        yield report(arms, column, wrong, [f"{a} {unit} of {drug} is {value:g} here" for a, unit, drug, value in rows])
