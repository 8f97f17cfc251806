"""A trial's own guesses: counts, indices, and descriptions that say that they are descriptions."""

import warnings

import numpy as np
import pandas as pd
import pytest

from pillprocess.belief.coding import code_guess
from pillprocess.belief.guesses import blinding_indices, guess_adjusted, guess_counts, guess_rate_curves
from pillprocess.participants.table import Participants, load_participants


def loaded(table: pd.DataFrame, active: list[str]) -> tuple[Participants, pd.Series]:
    coded = table.assign(guess=code_guess(table["guess"], active=active, reference="placebo"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)
        people = load_participants(
            coded, treatment="arm", reference="placebo", outcome="y", mediators=["guess"], covariates=["age"]
        )
    return people, table["guess"]


@pytest.fixture
def table() -> pd.DataFrame:
    """12 people a group: of the drug 8 knew, 3 were wrong, 1 unsure; of the placebo 6 right, 5 wrong, 1 silent."""
    rng = np.random.default_rng(2)
    guess = ["drug"] * 8 + ["placebo"] * 3 + ["don't know"] + ["placebo"] * 6 + ["drug"] * 5 + [None]
    return pd.DataFrame(
        {
            "arm": ["drug"] * 12 + ["placebo"] * 12,
            "guess": guess,
            "y": rng.normal(20, 5, 24),
            "age": rng.normal(40, 9, 24),
        }
    )


def test_counts_tell_wrong_from_unsure_and_leave_out_who_was_not_asked(table):
    counts = guess_counts(*loaded(table, ["drug"]), guess="guess")
    assert counts.to_dict("index") == {
        "placebo": {"correct": 6, "wrong": 5, "unsure": 0}, "drug": {"correct": 8, "wrong": 3, "unsure": 1},
    }  # fmt: skip


def test_without_unsure_answers_there_is_no_such_column(table):
    counts = guess_counts(*loaded(table[table["guess"] != "don't know"], ["drug"]), guess="guess")
    assert list(counts.columns) == ["correct", "wrong"]


def test_naming_another_active_arm_is_knowing_to_have_had_one(table):
    rows = table.assign(arm=["low", *["drug"] * 5, *["low"] * 6, *["placebo"] * 12])
    counts = guess_counts(*loaded(rows, ["drug", "low"]), guess="guess")
    assert counts.loc["low"].to_dict() == {"correct": 3, "wrong": 3, "unsure": 1}
    indices = blinding_indices(counts, reference="placebo", seed=1)
    assert indices["arm"].tolist() == ["placebo", "drug", "low", "drug + placebo", "low + placebo"]
    assert indices.set_index("arm").loc["low + placebo", ["n", "correct", "wrong", "unsure"]].tolist() == [18, 9, 8, 1]


def test_the_indices_are_those_of_the_counts(table):
    counts = guess_counts(*loaded(table, ["drug"]), guess="guess")
    indices = blinding_indices(counts, reference="placebo", seed=1).set_index("arm")
    # Dirichlet means: (8.5 - 3.5) / 13.5 and (6.5 - 5.5) / 12.5; 4000 draws err by about .004.
    assert indices.loc["drug", "mean"] == pytest.approx(5 / 13.5, abs=0.015)
    assert indices.loc["placebo", "mean"] == pytest.approx(1 / 12.5, abs=0.02)
    assert indices.loc["drug + placebo", "index"] == "James"


def test_an_arm_in_which_nobody_answered_has_no_index():
    counts = pd.DataFrame({"correct": [5, 0], "wrong": [3, 0]}, index=pd.Index(["placebo", "drug"], name="arm"))
    assert blinding_indices(counts, reference="placebo", seed=1)["arm"].tolist() == ["placebo"]


def test_regressions_without_and_with_the_guess_are_least_squares_on_the_same_people(table):
    people, _ = loaded(table, ["drug"])
    result = guess_adjusted(people, guess="guess")
    assert result["term"].tolist() == ["drug", "drug", "guess"]
    assert result["n"].tolist() == [22, 22, 22]
    assert result["kind"].str.startswith("description").all()
    kept = people.mediators["guess"].notna()
    X = np.column_stack([np.ones(22), people.treatment[kept], people.covariates[kept], people.mediators[kept]])
    y = people.outcome[kept].to_numpy()
    information = np.linalg.inv(X.T @ X)
    estimate = information @ X.T @ y
    sigma2 = ((y - X @ estimate) ** 2).sum() / (22 - 4)
    np.testing.assert_allclose(result["estimate"].iloc[1:], estimate[[1, 3]])
    np.testing.assert_allclose(result["se"].iloc[1:], np.sqrt(sigma2 * np.diag(information))[[1, 3]])


def test_the_curve_says_that_it_is_a_description_and_of_which_arm(table):
    curves, refusals = guess_rate_curves(loaded(table, ["drug"])[0], guess="guess")
    assert refusals == []
    assert set(curves["arm"]) == {"drug"}
    assert curves["kind"].str.contains("not an effect of the drug").all()
    seen = curves[curves["observed"] == 1].iloc[0]
    assert seen["correct_guess_rate"] == pytest.approx(14 / 22)
    answered = table[table["guess"].isin(["drug", "placebo"])].groupby("arm")["y"].mean()
    assert seen["difference"] == pytest.approx(answered["drug"] - answered["placebo"])


def test_a_curve_that_cannot_be_drawn_is_explained(table):
    everyone_knew = table.assign(guess=["drug"] * 12 + ["placebo"] * 6 + ["drug"] * 6)
    curves, refusals = guess_rate_curves(loaded(everyone_knew, ["drug"])[0], guess="guess")
    assert curves.empty
    assert refusals == [
        "no correct-guess-rate curve for drug: nobody has treatment active, guess control: the curve needs all four combinations"
    ]
