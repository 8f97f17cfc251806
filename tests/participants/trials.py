"""A simulated trial at two sites, written as the files that people hold; the code is the tests' own."""

from pathlib import Path

import numpy as np
import pandas as pd

CODEBOOK = """
[trial]
treatment = "arm"
reference = "placebo"
outcome = "madrs_6"
mediators = ["meq30"]
baseline = "madrs_0"
covariates = ["age", "sex"]
trial = "site"
id = "record_id"
higher_is_worse = true
randomised = true
mediator_time = "day 1"
outcome_time = "week 6"

[visits]
column = "redcap_event_name"
person = "record_id"

[visits.names]
baseline_arm_1 = "0"
dosing_arm_1 = "1"
week_6_arm_1 = "6"

[columns.arm]
codes = { "0" = "placebo", "1" = "psilocybin" }

[columns.sex]
codes = { "1" = "female", "2" = "male" }

[columns.madrs_6]
also = ["MADRS week 6"]
missing = [999]

[columns.madrs_0]
also = ["MADRS baseline"]

[columns.meq30]
also = ["MEQ-30 (%)"]
missing = ["not done", 999]
"""


def two_sites(n: int = 104, seed: int = 17) -> pd.DataFrame:
    """One row per person; scores are whole numbers, one outcome and two mediators were not observed."""
    rng = np.random.default_rng(seed)
    drug = np.tile([0, 1], n // 2)
    site = np.repeat(["Basel", "Zürich"], n // 2)
    before = np.clip(np.round(rng.normal(30, 5, n)), 15, 50)
    meq = np.clip(np.round(18 + 40 * drug + rng.normal(0, 14, n), 1), 0, 100)
    after = np.clip(np.round(before - 5 - 2 * drug - 0.12 * meq + rng.normal(0, 5, n)), 0, 60)
    table = pd.DataFrame(
        {
            "record_id": np.arange(101, 101 + n), "site": site, "arm": np.where(drug, "psilocybin", "placebo"),
            "age": np.round(rng.uniform(21, 64, n)), "sex": np.where(rng.random(n) < 0.5, "female", "male"), "madrs_0": before,
            "meq30": meq, "madrs_6": after,
        }
    )  # fmt: skip
    table.loc[[4, 31], "meq30"] = np.nan
    table.loc[17, "madrs_6"] = np.nan
    return table


def codes(table: pd.DataFrame) -> pd.DataFrame:
    """The same with arms and sex as numbers, and 999 for the outcome that is missing."""
    return table.assign(
        arm=(table["arm"] == "psilocybin").astype(float), sex=np.where(table["sex"] == "female", 1.0, 2.0),
        madrs_6=table["madrs_6"].fillna(999.0),
    )  # fmt: skip


def write_redcap(table: pd.DataFrame, path: Path) -> None:
    """One row per event; the arm on the first alone, as REDCap exports it."""
    rows = []
    for person in codes(table).itertuples():
        common = {"record_id": person.record_id}
        rows.append(common | {"redcap_event_name": "baseline_arm_1", "site": person.site, "arm": person.arm, "age": person.age,
                              "sex": person.sex, "madrs": person.madrs_0})  # fmt: skip
        rows.append(common | {"redcap_event_name": "dosing_arm_1", "meq30": person.meq30})
        rows.append(common | {"redcap_event_name": "week_6_arm_1", "madrs": person.madrs_6})
    pd.DataFrame(rows).to_csv(path, index=False)


def write_spss(table: pd.DataFrame, path: Path) -> None:
    import pyreadstat

    pyreadstat.write_sav(
        codes(table), str(path), variable_value_labels={"arm": {0.0: "placebo", 1.0: "psilocybin"}, "sex": {1.0: "female", 2.0: "male"}},
        missing_ranges={"madrs_6": [999.0]},
    )  # fmt: skip


def write_stata(table: pd.DataFrame, path: Path) -> None:
    import pyreadstat

    labels = {"arm": {0: "placebo", 1: "psilocybin"}, "sex": {1: "female", 2: "male"}}
    whole = codes(table).astype({"arm": int, "sex": int})
    pyreadstat.write_dta(whole.assign(madrs_6=table["madrs_6"]), str(path), variable_value_labels=labels)


def write_excel(table: pd.DataFrame, path: Path) -> None:
    table.to_excel(path, index=False)


def write_excel_with_title(table: pd.DataFrame, path: Path) -> None:
    """A title and a blank row above headers in words; a word where nothing was measured."""
    renamed = table.rename(
        columns={
            "record_id": "Record ID",
            "madrs_0": "MADRS baseline",
            "madrs_6": "MADRS week 6",
            "meq30": "MEQ-30 (%)",
            "arm": "Arm",
        }
    ).astype({"MEQ-30 (%)": object})
    renamed["MEQ-30 (%)"] = renamed["MEQ-30 (%)"].fillna("not done")
    with pd.ExcelWriter(path) as writer:
        renamed.to_excel(writer, index=False, startrow=2)
        writer.sheets["Sheet1"].cell(1, 1, "Two-site trial, locked 2026-03-01")


def write_csv(table: pd.DataFrame, path: Path) -> None:
    codes(table).to_csv(path, index=False)


def write_german_csv(table: pd.DataFrame, path: Path) -> None:
    codes(table).to_csv(path, index=False, sep=";", decimal=",", encoding="utf-16")


def write_sas(table: pd.DataFrame, path: Path) -> None:
    import pyreadstat

    short = codes(table).rename(columns=str.upper)
    pyreadstat.write_xport(short, str(path))


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    table.to_parquet(path)


FILES = {
    "redcap.csv": write_redcap, "spss.sav": write_spss, "stata.dta": write_stata, "plain.xlsx": write_excel,
    "titled.xlsx": write_excel_with_title, "wide.csv": write_csv, "german.csv": write_german_csv, "sas.xpt": write_sas,
    "arrow.parquet": write_parquet,
}  # fmt: skip
