"""A trial added from one short file."""

from pathlib import Path

import pytest

import pillprocess as pp
from pillprocess.evidence.add import EXAMPLE
from pillprocess.evidence.tables import EvidenceError
from tests.evidence.folders import small_folder
from tests.test_cli import run


def written(tmp_path: Path, old: str = "", new: str = "") -> Path:
    assert old in EXAMPLE
    file = tmp_path / "trial.toml"
    file.write_text(EXAMPLE.replace(old, new) if old else EXAMPLE, encoding="utf-8")
    return file


def test_the_example_is_added_and_what_follows_is_filled(tmp_path: Path) -> None:
    folder = small_folder(tmp_path / "tables")
    assert pp.add_trial(written(tmp_path), folder).empty
    evidence = pp.load_evidence(folder)
    arm = evidence.arms.set_index(["trial_id", "arm_id"]).loc[("smith2027", "psilocybin_25mg")]
    assert arm["dose_mg_equiv"] == 25
    outcome = evidence.outcomes.set_index(["trial_id", "arm_id"]).loc[("smith2027", "placebo")]
    assert outcome["change_mean"] == pytest.approx(-5.8)
    assert outcome["construct"] == "depression"
    assert {"one", "smith2027"} <= set(pp.arm_changes(evidence)["trial"])


def test_a_new_folder_is_made(tmp_path: Path) -> None:
    pp.add_trial(written(tmp_path), tmp_path / "new")
    assert pp.load_evidence(tmp_path / "new").trials["trial_id"].tolist() == ["smith2027"]


def test_all_problems_are_named_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    folder = small_folder(tmp_path / "tables")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    file = written(tmp_path, 'condition = "MDD"', 'condition = "mdd"')
    file.write_text(
        file.read_text()
        .replace("post_sd = 9.8", "post_sd = -9.8")
        .replace('arm_id = "placebo"\nins', 'arm_id = "plazebo"\nins')
    )
    with pytest.raises(EvidenceError) as caught:
        pp.add_trial(file, folder)
    texts = " ".join(caught.value.problems["problem"])
    assert "condition = mdd; must be one of" in texts
    assert "post_sd = -9.8; a standard deviation must be > 0" in texts
    assert "arm_id = plazebo; the trial has no such arm in arms.csv" in texts
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_drug_of_ones_own_is_compared_in_the_column_of_its_reference_dose(tmp_path: Path) -> None:
    file = written(tmp_path)
    text = (
        EXAMPLE.replace('"psilocybin"', '"arketamine"')
        .replace("dose = 25", "dose = 0.5")
        .replace('dose_unit = "mg"', 'dose_unit = "mg/kg"')
    )
    reference = 'drug = "arketamine"\nroute = "iv"\ndose = 0.5\ndose_unit = "mg/kg"\ndose_column = "dose_mg_per_kg"\n'
    reference += 'source_url = "simulated"\n'
    file.write_text(text.replace('"oral"', '"iv"') + f"\n[[reference_dose]]\n{reference}", encoding="utf-8")
    pp.add_trial(file, tmp_path / "new")
    evidence = pp.load_evidence(tmp_path / "new")
    assert evidence.arms["dose_mg_per_kg"].tolist()[0] == 0.5
    assert evidence.arms["dose_mg_equiv"].isna().all()
    assert pp.arm_changes(evidence, drugs=("arketamine",))["dose"].tolist() == [1, 0]


def test_a_scale_without_its_construct_is_a_problem_and_no_traceback(tmp_path: Path) -> None:
    file = written(tmp_path, '"MADRS"', '"XYZ"')
    file.write_text(file.read_text() + '\n[[instrument]]\ninstrument = "XYZ"\nhigher_is_worse = 1\n', encoding="utf-8")
    with pytest.raises(EvidenceError, match="construct = blank; every row needs one"):
        pp.add_trial(file, tmp_path / "new")


def test_the_questions_of_the_trial_are_returned(tmp_path: Path) -> None:
    asked = pp.add_trial(written(tmp_path, "post_sd = 9.8", "post_sd = 1.8"), small_folder(tmp_path / "tables"))
    assert asked["question"].str.startswith("a standard error?").all()
    assert asked["figure"].tolist() == ["1.8"]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("dose = 25", "dosis = 25", r"nothing was added: \[arm\] has no column 'dosis'"),
        (
            "[trial]",
            "[study]",
            r"\[study\] is no section; there are trial, arm, outcome.*there is no \[trial\] with a trial_id",
        ),
        ("dose = 25", "dose = ", "cannot be read as TOML"),
    ],
)
def test_a_file_that_is_no_trial_is_refused(tmp_path: Path, old: str, new: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        pp.add_trial(written(tmp_path, old, new), tmp_path / "tables")


def test_the_command_prints_an_example_that_it_accepts(tmp_path: Path) -> None:
    example = run("add")
    (tmp_path / "trial.toml").write_text(example.stdout, encoding="utf-8")
    done = run("add", str(tmp_path / "trial.toml"), str(tmp_path / "tables"))
    assert done.returncode == 0, done.stderr
    assert "open questions: 0." in done.stdout
