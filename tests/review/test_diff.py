"""What changed between two evidence bases, and what it does to the headline."""

from pathlib import Path

import numpy as np
import pytest

import pillprocess as pp
from tests.evidence.folders import small_folder
from tests.test_cli import run


def edit(folder: Path, table: str, old: str, new: str) -> None:
    path = folder / f"{table}.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """A folder, and the same with one cell changed and one trial added."""
    old = small_folder(tmp_path / "old")
    new = small_folder(tmp_path / "new", ("one", "two", "three", "four"))
    edit(
        new, "outcomes", '"one",drug,MADRS,depression,1,21,20,1,30,6,18', '"one",drug,MADRS,depression,1,21,20,1,30,6,8'
    )
    return old, new


def test_rows_added_and_cells_changed_are_listed(two: tuple[Path, Path]) -> None:
    changes = pp.evidence_changes(*map(pp.load_evidence, two))
    assert changes.groupby(["file", "change"]).size().to_dict() == {
        ("arms.csv", "added"): 2, ("outcomes.csv", "added"): 2, ("outcomes.csv", "changed"): 1, ("trials.csv", "added"): 1,
    }  # fmt: skip
    assert changes[changes["change"] == "changed"][["column", "old", "new"]].to_numpy().tolist() == [
        ["post_mean", "18", "8"]
    ]
    back = pp.evidence_changes(*map(pp.load_evidence, two[::-1]))
    assert (back["change"] == "removed").sum() == 5


def test_the_headline_is_the_mean_of_the_draws_and_moves_with_the_change(two: tuple[Path, Path]) -> None:
    old, new = map(pp.load_evidence, two)
    table = pp.headline_effects(old)
    arms = pp.arm_changes(old)
    draws = pp.effect_table(pp.relative_effects(pp.fit(pp.decomposition_design(arms), seed=1)))
    np.testing.assert_allclose(table["mean"], draws["mean"], atol=0.05)
    moved = pp.headline_changes(old, new)
    assert (moved["moved"] < 0).all(), "a larger improvement"
    assert (pp.headline_changes(old, old)["moved"] == 0).all()


def test_the_headline_is_followed_through_the_years(two: tuple[Path, Path]) -> None:
    folder = two[1]
    text = (folder / "trials.csv").read_text(encoding="utf-8").splitlines()
    years = ["year", "2019", "2021", "2021", "2024"]
    (folder / "trials.csv").write_text(
        "\n".join(f"{line},{year}" for line, year in zip(text, years, strict=True)) + "\n"
    )
    evidence = pp.load_evidence(folder)
    table = pp.cumulative_effects(evidence)
    assert table.drop_duplicates("year")[["year", "trials"]].to_numpy().tolist() == [[2019, 1], [2021, 3], [2024, 4]]
    last = table[table["year"] == 2024].drop(columns=["year", "trials"]).reset_index(drop=True)
    np.testing.assert_allclose(last["mean"], pp.headline_effects(evidence)["mean"])
    assert table["sd"].iloc[0] > last["sd"].iloc[0]


def test_the_command_prints_changes_and_headline(two: tuple[Path, Path]) -> None:
    done = run("diff", str(two[0]), str(two[1]))
    assert done.returncode == 0, done.stderr
    assert "trials.csv: 1 added" in done.stdout
    assert "moved: in SDs of the old posterior" in done.stdout
