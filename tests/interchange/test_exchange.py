"""Evidence out to other formats and back: nothing that a format holds is lost, and what it cannot hold is said."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.evidence.schema import SCHEMAS
from pillprocess.interchange.units import unit_of
from tests.evidence.folders import neighbours_folder, small_folder
from tests.test_cli import run


def held(evidence: pp.Evidence) -> dict[str, int]:
    """Rows of the tables that a comparison of two arms has a place for."""
    arms = pd.MultiIndex.from_frame(evidence.arms[["trial_id", "arm_id"]])
    sides = [
        pd.MultiIndex.from_frame(evidence.contrasts[["trial_id", side]]).isin(arms)
        for side in ("arm_id", "reference_arm_id")
    ]
    contrasts = evidence.contrasts[sides[0] & sides[1]]
    occasion = ["trial_id", "instrument", "time_days", "timepoint"]
    outcomes = evidence.outcomes[evidence.outcomes.groupby(occasion, dropna=False)["arm_id"].transform("size") > 1]
    named = {
        *zip(outcomes["trial_id"], outcomes["arm_id"], strict=True),
        *zip(contrasts["trial_id"], contrasts["arm_id"], strict=True),
    }
    named |= set(zip(contrasts["trial_id"], contrasts["reference_arm_id"], strict=True))
    return {
        "trials": len({trial for trial, _ in named}), "arms": len(named), "outcomes": len(outcomes), "contrasts": len(contrasts)
    }  # fmt: skip


def by_key(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table.astype(object).where(table.notna(), "").set_index(SCHEMAS[name].key.split(), drop=False)


@pytest.fixture(scope="module")
def evidence() -> pp.Evidence:
    return pp.load_evidence()


@pytest.mark.parametrize("form", ["metafor", "metapsy"])
def test_every_cell_of_the_embedded_evidence_that_a_row_of_two_arms_holds_comes_back(
    form, evidence, tmp_path: Path
) -> None:
    said = pp.export_evidence(evidence, tmp_path / "out.csv", to=form)
    _, left = pp.import_evidence(tmp_path / "out.csv", tmp_path / "back", form=form)
    assert left == []
    back = pp.load_evidence(tmp_path / "back")
    expected = held(evidence)
    assert min(expected.values()) > 50
    for name, rows in expected.items():
        new = by_key(getattr(back, name), name)
        old = by_key(getattr(evidence, name), name).reindex(new.index)
        assert len(new) == rows
        assert old[new.columns].equals(new), name
        assert (old[old.columns.difference(new.columns)] == "").all().all(), "only columns that are blank were left out"
    text = " ".join(said)
    missing = {name: len(getattr(evidence, name)) - rows for name, rows in expected.items()}
    assert f"trials.csv: {missing['trials']} trials without a comparison of two arms" in text
    assert f"arms.csv: {missing['arms']} arms that no difference" in text
    assert f"contrasts.csv: {missing['contrasts']} rows within an arm" in text
    assert f"outcomes.csv: {missing['outcomes']} rows of an arm that was measured alone" in text
    for name in set(SCHEMAS) - set(expected):
        assert (f"{name}.csv: all {len(getattr(evidence, name))} rows" in text) == (len(getattr(evidence, name)) > 0), (
            name
        )


def test_a_data_package_comes_back_byte_by_byte_and_describes_every_column(evidence, tmp_path: Path) -> None:
    assert pp.export_evidence(evidence, tmp_path / "package", to="frictionless") == []
    pp.import_evidence(tmp_path / "package", tmp_path / "back", form="frictionless")
    assert pp.load_evidence(tmp_path / "back").checksum == evidence.checksum
    package = json.loads((tmp_path / "package" / "datapackage.json").read_text(encoding="utf-8"))
    assert package["version"] == pp.edition_of(evidence).version
    for resource in package["resources"]:
        with (tmp_path / "package" / resource["path"]).open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file))
        assert [field["name"] for field in resource["schema"]["fields"]] == header
        for field in resource["schema"]["fields"]:
            assert ("unit" in field) == (field["type"] == "number")
            assert field.get("unit", "x"), (resource["name"], field)
    fields = {f["name"]: f for r in package["resources"] if r["name"] == "arms" for f in r["schema"]["fields"]}
    assert fields["dose_mg_per_kg"]["unit"] == "mg/kg"
    assert fields["therapy_hours_total"]["unit"] == "h"
    assert "psilocybin" in fields["study_drug"]["constraints"]["enum"]
    assert {unit_of("outcomes", c) for c in ("post_sd", "time_days", "n")} == {"points", "d", "people"}


def test_words_of_a_folders_own_stand_in_its_package(tmp_path: Path) -> None:
    folder = neighbours_folder(tmp_path / "finds")
    pp.export_evidence(pp.load_evidence(folder), tmp_path / "package", to="frictionless")
    package = json.loads((tmp_path / "package" / "datapackage.json").read_text(encoding="utf-8"))
    assert "version" not in package
    fields = {f["name"]: f for r in package["resources"] for f in r["schema"]["fields"]}
    assert "ibogaine" in fields["study_drug"]["constraints"]["enum"]
    assert "oneiric" in fields["experience"]["constraints"]["enum"]
    _, left = pp.import_evidence(tmp_path / "package" / "datapackage.json", tmp_path / "back", form="frictionless")
    assert left == []
    assert pp.drugs_of(pp.load_evidence(tmp_path / "back")) == pp.drugs_of(pp.load_evidence(folder))


def test_yi_and_vi_are_what_escalc_computes(tmp_path: Path) -> None:
    folder = small_folder(tmp_path / "e", ("one",))
    outcomes = (
        (folder / "outcomes.csv")
        .read_text(encoding="utf-8")
        .replace("change_sd,", "change_sd,change_mean,change_sd_derived,responders,")
    )
    outcomes = outcomes.replace("18,9,8,simulated", "18,9,8,-12,8,12,simulated").replace(
        "26,9,8,simulated", "26,9,8,-5,7,5,simulated"
    )
    (folder / "outcomes.csv").write_text(outcomes, encoding="utf-8")
    (folder / "contrasts.csv").write_text(
        "trial_id,arm_id,reference_arm_id,level,instrument,construct,outcome_type,effect_type,estimate,ci_low,ci_high,se,direction,"
        "include,source_url\\n".replace("\\n", "\n")
        + "one,drug,placebo,between_arm,MADRS,depression,response,odds_ratio,2,1,4,,above_1_favours_arm,1,simulated\n"
        + "one,drug,placebo,between_arm,MADRS,depression,response,risk_ratio,1.5,,,0.2,above_1_favours_arm,1,simulated\n",
        encoding="utf-8",
    )
    pp.export_evidence(pp.load_evidence(folder), tmp_path / "out.csv", to="metafor")
    table = pd.read_csv(tmp_path / "out.csv").set_index("what", drop=False)
    change = table.loc["change"]
    assert (change["measure"], change["yi"], change["vi"]) == ("MD", -7.0, pytest.approx(8**2 / 20 + 7**2 / 20))
    odds, risk = table[table["what"] == "contrast"].to_dict("records")
    assert (odds["measure"], odds["yi"]) == ("OR", pytest.approx(math.log(2)))
    assert odds["vi"] == pytest.approx((math.log(4) / 2 / 1.959964) ** 2)
    assert (risk["measure"], risk["yi"], risk["vi"]) == ("RR", pytest.approx(math.log(1.5)), pytest.approx(0.04))


MINIMAL = """study,arm1,arm2,measure,yi,vi,n1i,n2i,contrast_instrument,trial_year
smith2027,drug,placebo,SMD,-0.5,0.09,20,20,MADRS,2027
jones2028,drug,placebo,SMD,-0.8,0.08,30,28,MADRS,2028
"""
ANSWERS = """[set]
trial_condition = "MDD"
trial_design = "parallel"
trial_source_url = "simulated"
arm1_source_url = "simulated"
arm2_source_url = "simulated"
contrast_source_url = "simulated"
contrast_direction = "negative_favours_arm"
[arm.drug]
role = "active"
drug = "psilocybin"
dose = 25
dose_unit = "mg"
dose_mg_equiv = 25
route = "oral"
therapy = 0
[arm.placebo]
role = "inert_placebo"
drug = "placebo"
therapy = 0
"""


def files(tmp_path: Path, table: str, answers: str = ANSWERS) -> tuple[Path, Path]:
    (tmp_path / "pairs.csv").write_text(table, encoding="utf-8")
    (tmp_path / "answers.toml").write_text(answers, encoding="utf-8")
    return tmp_path / "pairs.csv", tmp_path / "answers.toml"


def test_a_file_of_yi_and_vi_alone_is_fitted_once_it_is_answered_what_it_does_not_say(tmp_path: Path) -> None:
    table, answers = files(tmp_path, MINIMAL)
    with pytest.raises(pp.EvidenceError) as error:
        pp.import_evidence(table, tmp_path / "e", form="metafor")
    text = str(error.value)
    assert "trial_condition, trial_design: not said; answer [set] trial_condition = ..., trial_design = ..." in text
    assert "[arm.drug] role = ..., drug = ..., therapy = ..." in text
    assert "[arm.placebo] role = ..., drug = ..., therapy = ..." in text
    assert not (tmp_path / "e").exists()
    done = run("import", str(table), str(tmp_path / "e"), "--from", "metafor", "--answers", str(answers))
    assert done.returncode == 0, done.stderr
    evidence = pp.load_evidence(tmp_path / "e")
    assert evidence.arms["n"].tolist() == [20, 20, 30, 28]
    np.testing.assert_allclose(pp.contrasts(evidence)[["y", "se"]].sort_values("y"), [[-0.8, 0.08**0.5], [-0.5, 0.3]])
    with pytest.raises(ValueError, match="has trials.csv, arms.csv, contrasts.csv already; give a folder without"):
        pp.import_evidence(table, tmp_path / "e", form="metafor", answers=answers)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("SMD,-0.5", "ROM,-0.5", "measure = ROM; it must be one of MD, SMD, OR, RR, RD"),
        ("-0.5,0.09", ",0.09", "yi is blank, and so is contrast_estimate: a row needs an effect"),
        ("-0.5,0.09", "-0.5,-0.09", "vi = -0.09; a variance must be > 0"),
        ("-0.5,0.09", "minus,0.09", "yi = minus, vi = 0.09: not numbers"),
        ("jones2028,", "smith2027,", "trial_year = 2028, and row 2 of the same trial has 2027"),
        ("arm1,arm2", "treated,control", "pairs.csv row 1: lacks the columns arm1, arm2"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_such_a_file_is_named(tmp_path: Path, old: str, new: str, text: str) -> None:
    assert old in MINIMAL
    table, answers = files(tmp_path, MINIMAL.replace(old, new))
    with pytest.raises(pp.EvidenceError) as error:
        pp.import_evidence(table, tmp_path / "e", form="metafor", answers=answers)
    assert text in str(error.value)


def test_an_effect_and_the_figure_it_came_from_may_not_differ(tmp_path: Path) -> None:
    table = MINIMAL.replace("trial_year", "trial_year,contrast_effect_type,contrast_estimate,contrast_se")
    table = table.replace(",2027\n", ",2027,hedges_g,-0.55,0.3\n").replace(",2028\n", ",2028,hedges_g,-0.8,\n")
    with pytest.raises(pp.EvidenceError, match="yi = -0.5, but contrast_estimate and its error give -0.55"):
        pp.import_evidence(files(tmp_path, table)[0], tmp_path / "e", form="metafor", answers=tmp_path / "answers.toml")


def test_means_and_counts_of_two_arms_become_outcomes(tmp_path: Path) -> None:
    table = (
        "study,arm1,arm2,what,n1i,n2i,m1i,sd1i,m2i,sd2i,ai,ci,outcome1_instrument,outcome2_instrument,outcome1_time_days,outcome2_time_days\n"
        "smith2027,drug,placebo,change,20,21,-12,8,-5,7,,,MADRS,MADRS,21,21\n"
        "smith2027,drug,placebo,response,20,21,,,,,11,5,MADRS,MADRS,21,21\n"
    )
    answers = ANSWERS.replace("contrast_source_url", 'outcome1_source_url = "simulated"\noutcome2_source_url')
    path, said = files(tmp_path, table, answers)
    pp.import_evidence(path, tmp_path / "e", form="metafor", answers=said)
    rows = pp.load_evidence(tmp_path / "e").outcomes.set_index("arm_id")
    assert rows[["n", "change_mean", "change_sd", "responders"]].to_numpy().tolist() == [
        [20, -12, 8, 11],
        [21, -5, 7, 5],
    ]


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ("[set\n", "answers.toml cannot be read as TOML"),
        ("[trial]\nx = 1\n", r"\[trial\] is no section; there are \[set\], \[arm.NAME\] and \[word.COLUMN\]"),
        ("[set]\ncondition = 'MDD'\n", r"\[set\] condition: must begin with trial_, arm1_"),
        ("[arm]\nrole = 'active'\n", r"\[arm\] role: needs a table of its own, \[arm.role\]"),
    ],
)  # fmt: skip
def test_answers_that_mean_nothing_are_refused(tmp_path: Path, answers: str, text: str) -> None:
    table, said = files(tmp_path, MINIMAL, answers)
    with pytest.raises(ValueError, match=text):
        pp.import_evidence(table, tmp_path / "e", form="metafor", answers=said)


def test_nothing_is_overwritten_and_an_unknown_format_is_refused(tmp_path: Path) -> None:
    evidence = pp.load_evidence(small_folder(tmp_path / "e"))
    with pytest.raises(ValueError, match="'revman' is no format; there are metafor, metapsy, frictionless"):
        pp.export_evidence(evidence, tmp_path / "x", to="revman")  # type: ignore[arg-type]
    (tmp_path / "x.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="is there already; give a new file"):
        pp.export_evidence(evidence, tmp_path / "x.csv", to="metapsy")
    with pytest.raises(ValueError, match="is not empty; give a new folder"):
        pp.export_evidence(evidence, tmp_path / "e", to="frictionless")


@pytest.mark.parametrize(
    ("resources", "text"),
    [
        ([{"name": "trials", "path": "../trials.csv"}], "must be one file inside the package"),
        ([{"name": "trials", "path": ["a.csv", "b.csv"]}], "must be one file inside the package"),
        ([{"name": "trials", "path": "trials.csv"}], "trials: there is no file trials.csv"),
        ([{"name": "people", "path": "people.csv"}], "the resource 'people' is none of the evidence tables"),
        (None, "is no descriptor of a data package"),
    ],
)  # fmt: skip
def test_a_package_that_is_none_is_refused(tmp_path: Path, resources: object, text: str) -> None:
    (tmp_path / "datapackage.json").write_text(
        json.dumps({"resources": resources} if resources else {}), encoding="utf-8"
    )
    with pytest.raises(pp.EvidenceError, match=text):
        pp.import_evidence(tmp_path, tmp_path / "e", form="frictionless")


def test_the_command_says_what_was_left_out(tmp_path: Path) -> None:
    folder = neighbours_folder(tmp_path / "e")
    done = run("export", str(tmp_path / "out.csv"), "--to", "metafor", "--evidence", str(folder))
    assert done.returncode == 0, done.stderr
    assert "Left out: reference_doses.csv: all 4 rows (reference doses)" in done.stdout
    assert "instruments.csv" not in done.stdout, "the folder has none of its own"
