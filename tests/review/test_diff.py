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


def test_the_command_prints_changes_and_headline(two: tuple[Path, Path]) -> None:
    (two[1] / "editions.csv").write_text("version,last_search\n1,2025\n2,2026-05\n", encoding="utf-8")
    done = run("diff", str(two[0]), str(two[1]))
    assert done.returncode == 0, done.stderr
    assert (
        "Old: no edition stated (editions.csv: version, last_search). New: edition 2, last search 2026-05."
        in done.stdout
    )
    assert "trials.csv: 1 added" in done.stdout
    assert "moved: in SDs of the old posterior" in done.stdout
