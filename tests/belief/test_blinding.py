"""Blinding indices against hand computation and a published table; the correct-guess-rate curve against its formula."""

import numpy as np
import pandas as pd
import pytest

from pillprocess.belief.blinding import DESCRIPTION, bang_index, blinding_table, correct_guess_rate_curve, james_index
from pillprocess.evidence.tables import load_evidence

MANY = {"seed": 1, "draws": 4000}


def counts(*rows: tuple[float, ...], columns: tuple[str, ...] = ("correct", "wrong", "unsure")) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns)[: len(rows[0])], index=["drug", "placebo"][: len(rows)])


def test_bang_index_has_the_dirichlet_mean_and_sd_of_correct_minus_wrong() -> None:
    draws = bang_index(counts((82, 25, 170)), **MANY).sel(arm="drug").to_numpy()
    a = np.array([82.5, 25.5, 170.5])
    p = a / a.sum()
    variance = (p[0] * (1 - p[0]) + p[1] * (1 - p[1]) + 2 * p[0] * p[1]) / (a.sum() + 1)
    assert draws.mean() == pytest.approx(p[0] - p[1], abs=4 * np.sqrt(variance / 16000))
    assert draws.std() == pytest.approx(np.sqrt(variance), rel=0.03)


def test_forced_guesses_are_a_beta_with_twice_the_share_minus_one() -> None:
    draws = bang_index(counts((28, 2)), prior_count=1.0, **MANY)
    assert draws.dims == ("chain", "draw", "arm")
    assert float(draws.mean()) == pytest.approx(2 * 29 / 32 - 1, abs=0.005)


def test_indices_of_large_counts_are_those_of_the_published_software_example() -> None:
    """Table of the BlindingIndex.jl and R BI documentation: James 0.896, Bang 0.115 and 0.022; here with all counts x 1000."""
    table = counts((48_000, 4_000, 330_000), (30_000, 22_000, 319_000))
    bang = bang_index(table, **MANY).mean(["chain", "draw"])
    assert float(james_index(table, **MANY).mean()) == pytest.approx(0.896, abs=5e-4)
    np.testing.assert_allclose(bang, [44 / 382, 8 / 371], atol=2e-4)


def test_james_index_is_0_when_all_are_right_half_at_random_and_1_when_nobody_knows() -> None:
    big = 1_000_000
    for row, value in (((big, 0, 0), 0.0), ((big, big, 0), 0.5), ((0, 0, big), 1.0)):
        prior = 1e-3 if value != 1.0 else 0.5
        draws = james_index(counts(row, row), prior_count=prior, **MANY)
        assert float(draws.mean()) == pytest.approx(value, abs=2e-3)


def test_james_index_by_hand_with_unequal_arms() -> None:
    """82, 25, 170 and 29, 27, 83: w = 52 / 163, w0 = (107 x 54 + 56 x 109) / 163^2, p_u = 253 / 416."""
    w, w0, unsure = 52 / 163, (107 * 54 + 56 * 109) / 163**2, 253 / 416
    expected = 0.5 * (1 + unsure + (1 - unsure) * (w - w0) / w0)
    table = counts((82, 25, 170), (29, 27, 83)) * 10_000
    assert float(james_index(table, **MANY).mean()) == pytest.approx(expected, abs=5e-4)


def test_the_same_seed_gives_the_same_draws() -> None:
    table = counts((10, 5), (8, 9))
    np.testing.assert_array_equal(james_index(table, seed=3), james_index(table, seed=3))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (counts((3, -1)), r"whole and not all 0: arm 'drug'"),
        (counts((2.5, 1)), r"whole and not all 0"),
        (counts((0, 0)), r"whole and not all 0"),
        (
            counts((1, 2), columns=("right", "wrong")),
            r"counts need columns correct, .*; absent: \['correct'\], unknown: \['right'\]",
        ),
    ],
)
def test_counts_that_cannot_be_counts_are_reported(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bang_index(table, seed=1)


def test_james_index_of_three_arms_is_refused() -> None:
    table = pd.DataFrame({"correct": [1, 2, 3], "wrong": [1, 1, 1]}, index=["a", "b", "c"])
    with pytest.raises(ValueError, match="compares two arms; the counts have 3: a, b, c"):
        james_index(table, seed=1)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return blinding_table(load_evidence())


def test_every_reported_guess_is_in_the_table(table: pd.DataFrame) -> None:
    guesses = (
        load_evidence()
        .expectancy["measure"]
        .isin(["participant_guess_correct_pct", "therapist_guess_correct_pct", "rater_guess_correct_pct"])
    )
    assert (table["index"] != "James").sum() == guesses.sum() == 28


def test_pooled_arms_are_marked(table: pd.DataFrame) -> None:
    bogenschutz = table[table["trial"] == "bogenschutz2022"].iloc[0]
    assert (bogenschutz["arms"], bogenschutz["correct"], bogenschutz["wrong"]) == ("arms pooled", 89, 6)
    assert bogenschutz["mean"] == pytest.approx((89 - 6) / 96, abs=0.01)
    assert set(table.loc[table["arm"] == "all", "arms"]) == {"arms pooled"}


def test_a_percentage_of_n_becomes_a_whole_count_and_says_so(table: pd.DataFrame) -> None:
    sumner = table[table["trial"] == "sumner2021"].iloc[0]
    assert (sumner["correct"], sumner["counts_from"]) == (26, "percent of n, rounded")


def test_a_percentage_without_n_has_no_index(table: pd.DataFrame) -> None:
    press = table[table["trial"] == "mapp_phase3"]
    assert set(press["counts_from"]) == {"none: n is not reported"}
    assert set(press["index"]) == {""}
    assert press["mean"].isna().all()


def test_both_arms_of_a_trial_give_james_index(table: pd.DataFrame) -> None:
    james = table[table["index"] == "James"].set_index("trial")
    assert set(james.index) == {"kpass2024", "szigeti2021_microdose"}
    assert james.loc["szigeti2021_microdose", "arm"] == "microdose + placebo"
    assert james.loc["kpass2024", "n"] == 32
    # Wrong 18 of 32, arms and guesses half and half: K = (18 / 32 - 1 / 2) / (1 / 2), drawn towards 0 by the prior.
    assert james.loc["kpass2024", "mean"] == pytest.approx(0.5 * (1 + (18 / 32 - 0.5) / 0.5), abs=0.01)


def test_evidence_without_guesses_gives_an_empty_table(build_evidence) -> None:
    empty = blinding_table(build_evidence(trials=[], arms=[], outcomes=[]))
    assert len(empty) == 0
    assert {"trial", "index", "mean", "ci_low"} <= set(empty.columns)


def people() -> pd.DataFrame:
    cells = {("MD", "MD"): (4.0, 6.0), ("MD", "PL"): (1.0, 3.0), ("PL", "MD"): (3.0, 5.0), ("PL", "PL"): (0.0, 2.0)}
    rows = [{"arm": t, "guess": g, "y": y, "id": f"{t}{k}"} for (t, g), ys in cells.items() for k, y in enumerate(ys)]
    return pd.DataFrame(rows)


def test_the_curve_reweights_the_four_means() -> None:
    curve = correct_guess_rate_curve(
        people(), treatment="arm", active="MD", guess="guess", outcome="y", rates=[0.5, 0.75]
    )
    half, more, observed = curve.to_dict("records")
    assert half["difference"] == pytest.approx((5 + 2) / 2 - (1 + 4) / 2)
    assert more["difference"] == pytest.approx(0.75 * 5 + 0.25 * 2 - 0.75 * 1 - 0.25 * 4)
    assert (observed["correct_guess_rate"], observed["observed"]) == (0.5, 1)
    assert observed["difference"] == pytest.approx(3.5 - 2.5)
    # Each of the eight rows has residual +-1 and weight 0.5 / 2.
    assert half["se"] == pytest.approx(np.sqrt(8 * 0.25**2))
    assert set(curve["kind"]) == {DESCRIPTION}


def test_the_curve_allows_for_several_rows_of_one_person() -> None:
    curve = correct_guess_rate_curve(
        people(), treatment="arm", active="MD", guess="guess", outcome="y", person="id", rates=[0.5]
    )
    # In each arm, person 0 has two residuals of -1 and person 1 two of +1: four sums of 2 x 0.25.
    assert curve.loc[0, "se"] == pytest.approx(np.sqrt(4 * 0.5**2))


def test_an_empty_cell_of_treatment_and_guess_is_refused() -> None:
    table = people()[lambda d: ~((d["arm"] == "MD") & (d["guess"] == "PL"))]
    with pytest.raises(ValueError, match="nobody has treatment active, guess control: the curve needs all four"):
        correct_guess_rate_curve(table, treatment="arm", active="MD", guess="guess", outcome="y")


def test_missing_guesses_are_refused() -> None:
    table = people()
    table.loc[0, "guess"] = None
    with pytest.raises(ValueError, match=r"missing cells: \{'guess': 1\}; leave these rows out before describing"):
        correct_guess_rate_curve(table, treatment="arm", active="MD", guess="guess", outcome="y")
