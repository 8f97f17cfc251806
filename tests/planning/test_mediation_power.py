"""A planned trial's own mediation: its power is the formula's where there is one, its intervals cover, and confounding breaks them."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from pillprocess.planning.mediation_power import mediation_power, product_of_coefficients, true_effects
from pillprocess.planning.people import TrialTruth, simulate_trial
from pillprocess.planning.trials import PlanningError, trial_design

DRUG = trial_design(
    "t", {"drug": {"drug": "psilocybin", "n": 40}, "placebo": {"drug": "placebo", "n": 30}}, dropout=0.2
)


def effect(table: pd.DataFrame, name: str) -> pd.Series:
    return table[table["effect"] == name].iloc[0]


def test_a_simulated_table_has_everybody_and_loses_outcomes_at_random():
    table = simulate_trial(DRUG, TrialTruth(visits=3), seed=1)
    assert table["arm"].value_counts().to_dict() == {"drug": 40, "placebo": 30}
    assert list(table) == ["participant", "arm", "baseline", "experience", "guess", "change_1", "change_2", "change_3"]
    lost = table["change_1"].isna()
    assert 0.05 < lost.mean() < 0.4
    assert (lost == table["change_3"].isna()).all()
    big = trial_design(
        "b", {"d": {"drug": "LSD", "n": 20_000}, "p": {"drug": "placebo", "n": 20_000}}, measured=("outcome", "guess")
    )
    people = simulate_trial(big, TrialTruth(belief=-0.3), seed=2)
    assert "experience" not in people
    shares = people.groupby("arm")["guess"].agg(lambda g: (g == "drug").mean())
    assert shares["d"] > 0.6 > 0.4 > shares["p"]
    wanted = true_effects(big, (0, 1), TrialTruth(belief=-0.3))
    means = people.groupby("arm")["change"].mean()
    assert means["d"] - means["p"] == pytest.approx(wanted["te"], abs=0.04)
    assert wanted["te"] == pytest.approx(wanted["tnie"] + wanted["pnde"])


def test_without_belief_the_true_effects_are_the_path_formulas():
    found = true_effects(DRUG, (0, 1), TrialTruth(raises=2.0, experience=-0.3, drug=-0.1))
    assert found == pytest.approx({"tnie": -0.6, "pnde": -0.1, "te": -0.7})


def test_one_data_set_is_fitted_as_ordinary_least_squares_does():
    rng = np.random.default_rng(3)
    T = np.repeat([1.0, 0.0], 30)
    B, M = rng.standard_normal(60), 1.5 * T + rng.standard_normal(60)
    Y = -0.2 * T - 0.3 * M + 0.1 * T * M - 0.5 * B + rng.standard_normal(60)
    (te, tnie, pnde) = product_of_coefficients(T, M[None], Y[None], B[None], level=0.95, rng=rng)[0]
    a = np.linalg.lstsq(np.column_stack([np.ones(60), T, B]), M)[0][1]
    _, c, b, theta, _ = np.linalg.lstsq(np.column_stack([np.ones(60), T, M, T * M, B]), Y)[0]
    assert tnie[0] == pytest.approx(a * (b + theta))
    assert pnde[0] == pytest.approx(c + theta * M[T == 0].mean())
    assert te[1] < te[0] < te[2]
    assert tnie[1] < tnie[0] < tnie[2]


def test_where_the_drug_surely_moves_the_experience_the_power_is_that_of_one_slope():
    """A huge leaves only the slope in the drug arm to doubt: z = b sqrt(n) / sd, as experience has SD 1 there."""
    truth, n = TrialTruth(raises=6.0, experience=-0.25, sd=1.0), 100
    table = mediation_power(DRUG, truth, sizes=(n,), replications=1000)
    kept, b = n * 0.8, 0.25
    exact = norm.cdf(b * np.sqrt(kept) - 1.96)
    assert effect(table, "tnie")["power"] == pytest.approx(exact, abs=0.05)


def test_intervals_cover_and_a_null_is_rejected_at_its_level_unless_a_cause_is_hidden():
    clean = effect(mediation_power(DRUG, TrialTruth(), sizes=(100,), replications=600), "tnie")
    assert clean["coverage"] == pytest.approx(0.95, abs=0.03)
    assert clean["type_1"] == pytest.approx(0.05, abs=0.03)
    hidden = effect(mediation_power(DRUG, TrialTruth(confounding=-0.36), sizes=(100,), replications=300), "tnie")
    assert hidden["coverage"] < 0.5
    assert hidden["type_1"] > 0.5, "the association is there without any effect of the experience"
    noisy = effect(mediation_power(DRUG, TrialTruth(reliability=0.5), sizes=(100,), replications=300), "tnie")
    assert abs(noisy["bias"]) > 0.1


def test_more_visits_give_more_power():
    one, four = (
        effect(
            mediation_power(DRUG, TrialTruth(visits=v, visit_correlation=0.3), sizes=(60,), replications=300), "tnie"
        )
        for v in (1, 4)
    )
    assert four["power"] > one["power"] + 0.1


def test_another_analysis_of_each_table_may_be_given():
    seen = []

    def analyse(table: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
        seen.append(len(table))
        return {"te": (-1.0, -2.0, -0.5), "tnie": (0.0, -1.0, 1.0), "pnde": (0.0, -1.0, 1.0)}

    table = mediation_power(DRUG, sizes=(20,), replications=3, analyse=analyse)
    assert seen == [40] * 6
    assert effect(table, "te")["power"] == 1
    assert effect(table, "tnie")["power"] == 0


def test_what_cannot_be_simulated_is_named_at_once():
    blind = trial_design("t", {"a": {"drug": "LSD"}, "b": {"drug": "placebo"}}, measured=("outcome",))
    wrong = TrialTruth(
        sd=0.0,
        raises=0.0,
        confounding=1.0,
        reliability=0.0,
        visits=0,
        visit_correlation=1.0,
        believed=(0.0, 1.0),
        drug=np.inf,
    )
    with pytest.raises(PlanningError) as caught:
        mediation_power(blind, wrong, arms=("a", "c"), sizes=(5,), level=2.0, replications=1)
    for words in (
        "drug = inf; it must be finite", "sd = 0.0; it must be > 0",
        "raises = 0.0; it must be different", "confounding = 1.0; it must be between",

        "reliability = 0.0", "visits = 0; it must be a whole", "visit_correlation = 1.0", "believed = (0.0, 1.0); it must be two shares",
        "does not measure the experience", "arms names 'c'; trial 't' has a, b", "at least 8 are needed", "level = 2", "replications = 1",
    ):  # fmt: skip
        assert words in str(caught.value)
    with pytest.raises(PlanningError, match="sd = 0.0; it must be > 0"):
        simulate_trial(blind, TrialTruth(sd=0.0), seed=1)
