"""Published analyses of belief, and of a ketamine crossover, from their public data."""

import numpy as np
import pandas as pd
import pytest

from pillprocess.published.datasets import fetch_microdose
from pillprocess.published.expectancy import reproduce_expectancy
from pillprocess.published.random_intercept import random_intercept_reml
from pillprocess.published.unblinding import microdose_mediation

MICRODOSE_FOLDER = "evidence/public/szb37_mcrds_public"
KETAMINE_FOLDER = "evidence/public/openneuro_ds005917"


def test_reml_of_balanced_groups_is_the_analysis_of_variance() -> None:
    """Three groups of two: means 1, 4, 7; MSB = 18, MSW = 2, so tau^2 = (18 - 2) / 2 = 8, sigma^2 = 2, se = sqrt(18 / 6)."""
    y = pd.Series([0.0, 2.0, 3.0, 5.0, 6.0, 8.0])
    result = random_intercept_reml(y, pd.DataFrame(index=y.index), person=pd.Series(list("aabbcc")))
    assert result.loc["intercept", "estimate"] == pytest.approx(4)
    assert result.attrs["sigma"] ** 2 == pytest.approx(2, rel=1e-5)
    assert result.attrs["tau"] ** 2 == pytest.approx(8, rel=1e-5)
    assert result.loc["intercept", "se"] == pytest.approx(np.sqrt(3), rel=1e-5)
    assert (result.attrs["n"], result.attrs["people"]) == (6, 3)


def test_reml_of_unbalanced_rows_is_generalised_least_squares() -> None:
    rng = np.random.default_rng(1)
    person = pd.Series(np.repeat(np.arange(12), rng.integers(1, 6, 12)))
    X = pd.DataFrame({"x": rng.normal(size=len(person)), "z": rng.normal(size=len(person))})
    y = pd.Series(1 + 2 * X["x"] - X["z"] + rng.normal(size=12)[person] + rng.normal(size=len(person)))
    result = random_intercept_reml(y, X, person=person)
    sigma, tau = result.attrs["sigma"], result.attrs["tau"]
    V = sigma**2 * np.eye(len(y)) + tau**2 * np.equal.outer(person.to_numpy(), person.to_numpy())
    design = np.column_stack([np.ones(len(y)), X])

    def deviance(V: np.ndarray) -> float:
        W = np.linalg.inv(V)
        information = design.T @ W @ design
        residual = y - design @ np.linalg.solve(information, design.T @ W @ y)
        return float(np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1] + residual @ W @ residual)

    information = design.T @ np.linalg.inv(V) @ design
    np.testing.assert_allclose(
        result["estimate"], np.linalg.solve(information, design.T @ np.linalg.inv(V) @ y), rtol=1e-6
    )
    np.testing.assert_allclose(result["se"], np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-6)
    between = np.equal.outer(person.to_numpy(), person.to_numpy())
    for ds, dt in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01)):
        assert deviance((sigma + ds) ** 2 * np.eye(len(y)) + (tau + dt) ** 2 * between) > deviance(V)


def test_reml_refuses_missing_cells_and_redundant_columns() -> None:
    y, person = pd.Series([1.0, 2.0, 3.0, 5.0]), pd.Series([1, 1, 2, 2])
    with pytest.raises(ValueError, match=r"missing cells: \{'x': 1\}; leave these rows out before fitting"):
        random_intercept_reml(y, pd.DataFrame({"x": [1.0, None, 0.0, 1.0]}), person=person)
    with pytest.raises(ValueError, match="the columns x, twice and the intercept determine one another"):
        random_intercept_reml(y, pd.DataFrame({"x": [1.0, 0, 0, 1], "twice": [2.0, 0, 0, 2]}), person=person)


@pytest.fixture(scope="module")
def published(shared) -> pd.DataFrame:
    return reproduce_expectancy(microdose_folder=shared(MICRODOSE_FOLDER), ketamine_folder=shared(KETAMINE_FOLDER))


def test_every_published_figure_is_reproduced_within_a_tenth_of_its_standard_error(published: pd.DataFrame) -> None:
    known = published[published["published"].notna()]
    assert len(known) == 6 * 2 + 2 + 1
    assert (known["difference_in_se"].abs() < 0.1).all()


@pytest.mark.parametrize(
    ("scale", "without", "adjusted", "guess"),
    [("PANAS", 2.39, 1.10, 5.51), ("intensity", 12.7, 3.5, 36.7), ("mood", 4.92, 1.88, None),
     ("energy", 5.45, 2.60, None), ("creativity", 4.81, 1.95, None), ("STAIT", -1.54, -0.78, None)],
)  # fmt: skip
def test_the_condition_effect_falls_when_the_guess_is_in_the_model(
    published: pd.DataFrame, scale: str, without: float, adjusted: float, guess: float | None
) -> None:
    rows = published[(published["outcome"] == scale) & ~published["model"].str.contains("expectancy|psychiatric")]
    values = rows.set_index("quantity")[["reproduced", "se"]]
    expected = {
        "condition effect without guess in the model": without,
        "condition effect with guess in the model": adjusted,
    }
    expected |= {"guess effect with guess in the model": guess} if guess else {}
    for quantity, value in expected.items():
        assert abs(values.loc[quantity, "reproduced"] - value) < values.loc[quantity, "se"] / 10


def test_the_paired_ketamine_effect_is_published_and_the_first_period_stands_beside_it(published: pd.DataFrame) -> None:
    ketamine = published[published["study"] == "evans2018"].set_index("quantity")
    paired = ketamine.loc["ketamine - placebo, day 2, paired"]
    assert (paired["reproduced"], paired["n"], paired["people"]) == (-6.75, 24, 33)
    first = ketamine.loc["ketamine - placebo, day 2, first period"]
    # By hand: 15 ketamine people change by -11.2667 on average, 13 placebo people by -1.7436 before the other infusion.
    assert (first["n"], round(first["reproduced"], 3)) == (28, -9.523)
    assert first["reproduced"] < paired["reproduced"]


def test_the_ketamine_effect_fades_from_day_2_to_day_10(published: pd.DataFrame) -> None:
    ketamine = published[published["study"] == "evans2018"].set_index("quantity")
    fading = ketamine.loc["day 10 - day 2 after ketamine"]
    assert (fading["reproduced"], fading["n"]) == (5.75, 24)
    assert fading["reproduced"] > 3 * fading["se"]
    assert abs(ketamine.loc["ketamine - placebo, day 10, paired", "reproduced"]) < 6.75


def test_models_of_the_authors_script_have_no_published_figure_here(published: pd.DataFrame) -> None:
    adjusted = published[published["model"].str.contains("expectancy|psychiatric")]
    assert len(adjusted) == 18
    assert adjusted["published"].isna().all()
    assert "score ~ condition + guess + expectancy + psychiatric_past + sex + (1 | person)" in set(adjusted["model"])


def test_guesses_of_both_sessions_are_those_the_index_counts(shared) -> None:
    trial = fetch_microdose(folder=shared(MICRODOSE_FOLDER))
    sessions = trial[trial["scale"].isin(["PANAS", "STAIT"])].pivot_table(
        index=["person", "week"], columns="scale", values="treatment", aggfunc="first"
    )
    both = sessions.dropna()
    assert (both["PANAS"] == both["STAIT"]).mean() == pytest.approx(0.87, abs=0.005)


def test_a_scale_without_published_figures_is_refused() -> None:
    with pytest.raises(ValueError, match="outcomes focus: published figures are known for PANAS, intensity"):
        microdose_mediation(seed=1, outcomes=["focus"])
