"""Files of the Metapsy data standard, as Metapsy writes them."""

import csv
from pathlib import Path
from typing import Any

import pytest

import pillprocess as pp
from tests.evidence.folders import small_folder

ANSWERS = """[set]
arm1_route = "oral"
arm2_route = "oral"
arm1_therapy = 1
arm2_therapy = 1
trial_source_url = "10.5281/zenodo.15714852"
arm1_source_url = "10.5281/zenodo.15714852"
arm2_source_url = "10.5281/zenodo.15714852"
outcome1_source_url = "10.5281/zenodo.15714852"
outcome2_source_url = "10.5281/zenodo.15714852"
[arm.psil]
role = "active"
drug = "psilocybin"
[arm.psil_1_mg]
role = "low_dose"
[arm.ncn]
role = "active_placebo"
drug = "niacin"
[arm.wl]
role = "waitlist"
drug = "none"
[word.condition]
dep = "MDD"
mdd = "MDD"
trd = "TRD"
[word.instrument]
madrs = "MADRS"
"""
TRIALS = ("Back 2024", "Raison 2023", "Goodwin 2022")


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    (tmp_path / "answers.toml").write_text(ANSWERS, encoding="utf-8")
    return tmp_path / "answers.toml"


def imported(rows: list[dict[str, str]], header: Any, tmp_path: Path, answers: Path) -> list[str]:
    with (tmp_path / "some.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return pp.import_evidence(tmp_path / "some.csv", tmp_path / "e", form="metapsy", answers=answers)[1]


def test_trials_of_metapsys_own_file_come_in_with_the_figures_that_the_tables_hold(
    shared, answers: Path, tmp_path: Path
) -> None:
    source = shared("evidence/public/metapsy_data-depression-psiloctr/data.csv")
    with source.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=";")
        rows = [
            r
            for r in reader
            if r["study"] in TRIALS and r["instrument"] == "madrs" and r["outcome_type"] in ("msd", "change", "imsd")
        ]
    rows = [row for row in rows if float(row["time_days"].replace(",", ".")) > 0 and row["post_crossover"] != "1"]
    with pytest.raises(pp.EvidenceError, match="outcome1_n = 50, and row .* of the same outcome has 51"):
        imported(rows, reader.fieldnames, tmp_path, answers)
    rows = [row for row in rows if (row["study"], row["outcome_type"]) != ("Raison 2023", "msd")]
    left = imported(rows, reader.fieldnames, tmp_path, answers)
    assert any("outcome_type imsd" in text for text in left)
    assert any("d1, d2" in text for text in left)
    found, known = pp.load_evidence(tmp_path / "e"), pp.load_evidence()
    assert set(found.trials["trial_id"]) == {name.lower().replace(" ", "") for name in TRIALS}
    own = known.outcomes[
        known.outcomes["trial_id"].isin(found.trials["trial_id"]) & (known.outcomes["instrument"] == "MADRS")
    ]
    for column in ("post_mean", "change_mean", "baseline_mean"):
        given = found.outcomes.dropna(subset=[column])
        pairs = {(t, round(v, 1)) for t, v in own[["trial_id", column]].dropna().itertuples(index=False)}
        agree = [(t, round(v, 1)) in pairs for t, v in given[["trial_id", column]].itertuples(index=False)]
        assert len(agree) > 1
        assert all(agree), column
    doses = found.arms.set_index(["trial_id", "arm_id"])
    assert doses.loc[("goodwin2022", "psil_25_mg"), "dose_mg_equiv"] == 25
    assert doses.loc[("goodwin2022", "psil_1_mg"), "role"] == "low_dose"


def test_an_export_is_as_the_standard_asks(tmp_path: Path) -> None:
    folder = small_folder(tmp_path / "e")
    pp.export_evidence(pp.load_evidence(folder), tmp_path / "out.csv", to="metapsy")
    text = (tmp_path / "out.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines(), delimiter=";"))
    first = rows[0]
    assert (first["condition_arm1"], first["condition_arm2"], first["outcome_type"]) == ("psilocybin", "pcb", "msd")
    assert (first["time_weeks"], first["mean_arm1"], first["precalc_g"]) == ("3", "18", "NA")
    assert first["rating"] == "clinician"
    assert "" not in {cell for row in rows for cell in row.values()}


WIDE = (
    "study;condition_arm1;condition_arm2;multi_arm1;multi_arm2;outcome_type;instrument;time_weeks;design;diagnosis;precalc_g;"
    "precalc_g_se\n"
)


def test_a_precalculated_g_becomes_a_difference_and_what_cannot_be_read_is_named(answers: Path, tmp_path: Path) -> None:
    file = tmp_path / "g.csv"
    file.write_text(WIDE + "Smith, 2027;psil;ncn;NA;NA;msd;madrs;3,5;parallel;mdd;-0,61;0,25\n", encoding="utf-8")
    with pytest.raises(
        pp.EvidenceError,
        match=r"contrast_direction: not said; answer \[set\] contrast_direction = ..., or add the column",
    ):
        pp.import_evidence(file, tmp_path / "e", form="metapsy", answers=answers)
    text = answers.read_text(encoding="utf-8").replace(
        "[arm.psil]", 'contrast_source_url = "simulated"\ncontrast_direction = "negative_favours_arm"\n[arm.psil]'
    )
    answers.write_text(text, encoding="utf-8")
    pp.import_evidence(file, tmp_path / "e", form="metapsy", answers=answers)
    row = pp.load_evidence(tmp_path / "e").contrasts.iloc[0]
    assert (row["trial_id"], row["estimate"], row["se"], row["time_days"]) == ("smith2027", -0.61, 0.25, 24.5)
    file.write_text(WIDE + "Smith, 2027;psil;ncn;NA;NA;auc;madrs;3,5;parallel;mdd;NA;NA\n", encoding="utf-8")
    with pytest.raises(
        pp.EvidenceError, match="outcome_type = auc; it must be one of msd, change, response, remission"
    ):
        pp.import_evidence(file, tmp_path / "e2", form="metapsy", answers=answers)
    file.write_text(WIDE.replace(";", ","), encoding="utf-8")
    with pytest.raises(pp.EvidenceError, match="lacks the columns study, .*; cells are separated by semicolons"):
        pp.import_evidence(file, tmp_path / "e2", form="metapsy", answers=answers)
    file.write_bytes(WIDE.encode() + b"M\xfcller, 2027\n")
    with pytest.raises(pp.EvidenceError, match="is not UTF-8 text"):
        pp.import_evidence(file, tmp_path / "e2", form="metapsy", answers=answers)
