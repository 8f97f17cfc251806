"""The headline as the trials came in. All trials are simulated."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from tests.evidence.folders import small_folder
from tests.test_cli import run

NAMES = ("one", "two", "three", "four")


def with_years(folder: Path, years: list[str]) -> Path:
    lines = (folder / "trials.csv").read_text(encoding="utf-8").splitlines()
    rows = [f"{line},{year}" for line, year in zip(lines, ["year", *years], strict=True)]
    (folder / "trials.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_years(small_folder(tmp_path_factory.mktemp("years") / "e", NAMES), ["2019", "2021", "2021", "2024"])


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    return pp.cumulative(pp.load_evidence(folder))


def test_it_begins_with_the_prior_and_ends_with_the_headline(table: pd.DataFrame, folder: Path) -> None:
    steps = table.drop_duplicates("year")
    assert steps["trials"].tolist() == [0, 1, 3, 4]
    assert steps["added"].tolist() == ["", "one", "three, two", "four"]
    rng = np.random.default_rng(1)
    n = 400_000
    drug = rng.normal(0, 0.7, n) + np.abs(rng.normal(0, 0.5, n)) * rng.normal(size=n)
    before = table[table["year"].isna() & (table["therapy"] == 0)].iloc[0]
    assert (before["mean"], before["p_below"]) == pytest.approx((0, 0.5), abs=1e-9)
    assert before["sd"] == pytest.approx(drug.std(), rel=0.01)
    assert before["ci_low"] == pytest.approx(np.quantile(drug, 0.025), rel=0.01)
    last = table[table["year"] == 2024].reset_index(drop=True)
    np.testing.assert_allclose(last["mean"], pp.headline_effects(pp.load_evidence(folder))["mean"])


def test_a_year_in_between_is_what_a_review_of_that_year_would_have_found(table: pd.DataFrame, tmp_path: Path) -> None:
    then = pp.headline_effects(pp.load_evidence(small_folder(tmp_path / "then", NAMES[:3])))
    now = table[table["year"] == 2021].reset_index(drop=True)
    columns = ["mean", "sd", "ci_low", "ci_high"]
    np.testing.assert_allclose(now[columns], then[columns], rtol=1e-3)
    assert now["own_trials"].tolist() == [2, 1]


def test_trials_without_a_year_enter_last_and_are_named_and_without_any_year_there_is_no_order(tmp_path: Path) -> None:
    some = with_years(small_folder(tmp_path / "some", NAMES), ["2019", "", "2021", ""])
    found = pp.cumulative(pp.load_evidence(some))
    assert found.attrs["without_year"] == ["four", "two"]
    assert found.drop_duplicates("year")["trials"].tolist() == [0, 1, 4]
    with pytest.raises(ValueError, match="trials.csv gives no trial of the model a year, so they have no order"):
        pp.cumulative(pp.load_evidence(small_folder(tmp_path / "none")))


@pytest.mark.parametrize("width", ["one_column", "two_column"])
def test_every_step_of_a_drug_is_drawn(table: pd.DataFrame, width: str, save_figure) -> None:
    ax = pp.plot_cumulative(table, width=width, title="As the trials came in")  # type: ignore[arg-type]
    save_figure(ax)
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    assert labels == ["psilocybin alone: k = 2", "prior", "to 2019", "to 2021", "to 2024"]
    with pytest.raises(ValueError, match="drug = 'LSD'; the table has psilocybin"):
        pp.plot_cumulative(table, drug="LSD")


def test_the_command_prints_and_draws(folder: Path, tmp_path: Path) -> None:
    done = run("cumulative", str(folder), "--figure", str(tmp_path / "steps.png"), "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["cumulative"]
    assert [row["year"] for row in rows] == [None, None, 2019, 2019, 2021, 2021, 2024, 2024]
    assert {path.suffix for path in tmp_path.glob("steps.*")} == {".png", ".svg"}
