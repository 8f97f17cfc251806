"""The columns of the design, each checked by hand."""

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.rows.arms import describe_arms
from pillprocess.rows.terms import (
    BORROWED,
    KNOWN_ALLOCATION,
    check_terms,
    dose_curve,
    experience_per_dose,
    therapy_curve,
    with_belief_by_design,
)


def described(build_evidence, arms, *, trial=None, **tables):
    """Arms of one trial as the models see them, indexed by arm."""
    rows = [{"trial_id": "rct1", "role": "active"} | arm for arm in arms]
    evidence = build_evidence(trials=[{"trial_id": "rct1"} | (trial or {})], arms=rows, **tables)
    return describe_arms(evidence).droplevel(0)


def test_the_hypotheses_are_those_of_the_review():
    assert {name: set(terms) for name, terms in pp.HYPOTHESES.items()} == {
        "course": set(),
        "pill": {"drug"},
        "process": {"therapy", "expectancy", "experience"},
        "additive": {"drug", "therapy", "expectancy"},
        "pill_and_process": {"drug", "therapy", "expectancy", "drug:therapy"},
        "mediated": {"drug", "therapy", "expectancy", "drug:therapy", "experience"},
        "fully_mediated": {"therapy", "expectancy", "experience"},
    }
    assert set(pp.HEADLINE) == {"drug", "therapy", "drug:therapy"}
    for terms in (*pp.HYPOTHESES.values(), pp.HEADLINE):
        assert check_terms(terms) == terms


def test_unknown_terms_are_refused():
    with pytest.raises(ValueError, match="unknown terms: placebo, thearpy; known are drug, therapy, drug:therapy"):
        check_terms({"drug", "thearpy", "placebo"})


@pytest.mark.parametrize("terms", [{"drug:therapy"}, {"drug", "drug:therapy"}, {"therapy", "drug:therapy"}])
def test_the_interaction_needs_both_its_main_effects(terms):
    with pytest.raises(ValueError, match="drug:therapy needs both drug and therapy among the terms"):
        check_terms(terms)


ASSUMED = "assumed: reference dose (dose or its reference not reported)"


@pytest.mark.parametrize(
    ("arm", "dose", "source"),
    [
        ({"drug": "psilocybin", "dose_mg_equiv": 10}, 0.4, "reported / 25 mg oral"),
        ({"drug": "MDMA", "dose_mg_equiv": 100}, 0.8, "reported / 125 mg oral"),
        ({"drug": "LSD", "dose_mg_equiv": 0.1}, 0.5, "reported / 0.2 mg oral"),
        ({"drug": "esketamine", "route": "intranasal", "dose_mg_equiv": 56}, 56 / 84, "reported / 84 mg intranasal"),
        ({"drug": "ketamine", "route": "iv", "dose_mg_per_kg": 0.4}, 0.8, "reported / 0.5 mg/kg iv"),
        ({"drug": "ketamine", "route": "iv", "dose_mg_equiv": 50}, 1.0, ASSUMED),
        ({"drug": "ketamine", "route": "im", "dose_mg_per_kg": 0.4}, 1.0, ASSUMED),
        ({"drug": "psilocybin"}, 1.0, ASSUMED),
        ({"drug": "placebo", "role": "inert_placebo", "dose_mg_equiv": 0}, 0.0, "no study drug"),
        ({"drug": "none", "role": "waitlist"}, 0.0, "no study drug"),
        ({"drug": "niacin", "role": "active_placebo"}, 0.0, "no study drug"),
        ({"drug": "escitalopram", "role": "comparator"}, 0.0, "no study drug"),
        ({"drug": "ayahuasca"}, np.nan, "other drug"),
    ],
)
def test_the_dose_is_relative_to_the_reference_dose_of_its_drug_and_route(build_evidence, arm, dose, source):
    row = described(build_evidence, [{"arm_id": "a"} | arm]).loc["a"]
    assert row["dose"] == pytest.approx(dose, rel=1e-12, nan_ok=True)
    assert row["dose_from"] == source


@pytest.mark.parametrize(
    ("shape", "expected"),
    [("linear", [0, 0.5, 1, 2]), ("log", [0, np.log2(1.5), 1, np.log2(3)]), ("emax", [0, 1 / 1.5, 1, 4 / 3])],
)
def test_dose_curves_are_0_at_no_dose_and_1_at_the_reference_dose(shape, expected):
    np.testing.assert_allclose(dose_curve(np.array([0, 0.5, 1, 2]), shape), expected, rtol=1e-15)


def test_an_unknown_dose_curve_is_refused():
    with pytest.raises(ValueError, match="dose_shape = 'sigmoid'; it must be 'linear', 'log' or 'emax'"):
        dose_curve(np.zeros(1), "sigmoid")


def test_therapy_is_presence_or_saturating_hours():
    arms = pd.DataFrame({"label": list("abc"), "therapy": [1, 0, 1], "therapy_hours": [10.0, np.nan, 30.0]})
    np.testing.assert_array_equal(therapy_curve(arms, "presence"), [1, 0, 1])
    np.testing.assert_allclose(therapy_curve(arms, "hours"), [1 - np.exp(-1), 0, 1 - np.exp(-3)], rtol=1e-15)


def test_the_amount_of_therapy_without_hours_is_blank():
    arms = pd.DataFrame({"label": list("abc"), "therapy": [1, 0, 1], "therapy_hours": [10.0, np.nan, np.nan]})
    np.testing.assert_allclose(therapy_curve(arms, "hours"), [1 - np.exp(-1), 0, np.nan], rtol=1e-15)


def test_an_unknown_measure_of_therapy_is_refused():
    with pytest.raises(ValueError, match="therapy_measure = 'sessions'; it must be 'presence' or 'hours'"):
        therapy_curve(pd.DataFrame({"therapy": [1]}), "sessions")


DRUG, LOW, PLACEBO, WAITLIST = (
    {"arm_id": "drug", "drug": "psilocybin"},
    {"arm_id": "low", "drug": "psilocybin", "role": "low_dose"},
    {"arm_id": "placebo", "drug": "placebo", "role": "inert_placebo"},
    {"arm_id": "waitlist", "drug": "none", "role": "waitlist"},
)


def test_participants_of_open_trials_and_without_a_pill_know_what_they_had(build_evidence):
    table = described(build_evidence, [DRUG, LOW, PLACEBO, WAITLIST], trial={"blinding": "open"})
    assert table["expectancy"].tolist() == [1, 0, 0, 0]
    assert set(table["expectancy_from"]) == {KNOWN_ALLOCATION}
    blinded = described(build_evidence, [DRUG, WAITLIST])
    assert blinded.loc["waitlist", ["expectancy", "expectancy_from"]].tolist() == [0, KNOWN_ALLOCATION]


def test_a_blinded_arm_takes_the_guesses_reported_for_it(build_evidence):
    guesses = [("drug", 90), ("drug", 70), ("low", 80), ("placebo", 60)]
    table = described(
        build_evidence, [DRUG, LOW, PLACEBO],
        expectancy=[{"trial_id": "rct1", "arm_id": a, "value": v, "label": str(i)} for i, (a, v) in enumerate(guesses)],
    )  # fmt: skip
    # a correct guess is belief in the drug in the drug arm, disbelief in the others; two counts of one arm are averaged
    np.testing.assert_allclose(table["expectancy"], [0.8, 0.2, 0.4], rtol=1e-14)
    assert set(table["expectancy_from"]) == {"reported guesses"}


def test_a_rate_reported_for_all_arms_stands_for_each(build_evidence):
    table = described(build_evidence, [DRUG, PLACEBO], expectancy=[{"trial_id": "rct1", "arm_id": "all", "value": 75}])
    assert table["expectancy"].tolist() == [0.75, 0.25]


def test_arms_without_guesses_borrow_the_mean_of_the_trials_that_report_them_weighted_by_people(build_evidence):
    evidence = build_evidence(
        trials=[{"trial_id": t} for t in ("big", "small", "silent")] + [{"trial_id": "healthy", "population": "healthy"}],
        arms=[
            {"trial_id": "big", "n": 90, "role": "active"} | DRUG,
            {"trial_id": "small", "n": 10, "role": "active"} | DRUG,
            {"trial_id": "healthy", "n": 500, "role": "active"} | DRUG,
            {"trial_id": "silent", "role": "active"} | DRUG,
            {"trial_id": "silent"} | PLACEBO,
        ],
        expectancy=[{"trial_id": t, "arm_id": "drug", "value": v} for t, v in (("big", 80), ("small", 100), ("healthy", 0))],
    )  # fmt: skip
    silent = describe_arms(evidence).loc["silent"]
    np.testing.assert_allclose(silent["expectancy"], [0.82, 0.18], rtol=1e-14)
    assert set(silent["expectancy_from"]) == {BORROWED}


def test_where_no_trial_reports_guesses_belief_is_even(build_evidence):
    assert described(build_evidence, [DRUG, PLACEBO])["expectancy"].tolist() == [0.5, 0.5]


SUBJECTIVE = [
    # trial s1: two instruments at one dose, (8/4 + 6/2) / 2 = 2.5 SD at dose 1 in 10 people
    {"trial_id": "s1", "instrument": "MEQ30", "mean": 8, "sd": 4, "sd_fraction": 0.1, "dose_mg_equiv": 25, "n": 10},
    {"trial_id": "s1", "instrument": "11D-ASC", "mean": 6, "sd": 2, "sd_fraction": 0.3, "dose_mg_equiv": 25, "n": 10},
    # trial s2: SD not printed, .3 of the scale over the dimension's mean SD fraction .2 = 1.5 SD at dose 2 in 5 people
    {"trial_id": "s2", "instrument": "MEQ30", "mean": 30, "mean_fraction": 0.3, "dose_mg_equiv": 50, "n": 5},
    {"trial_id": "s3", "instrument": "CEQ", "dimension": "challenging", "mean": 90, "sd": 1, "dose_mg_equiv": 25},
    {"trial_id": "s4", "instrument": "MEQ30", "mean": 90, "sd": 1, "dose_mg_equiv": 25, "include": 0},
    {"trial_id": "s5", "instrument": "hours", "mean": 90, "sd": 1, "dose_mg_equiv": 25, "value_type": "hours"},
]
SUBJECTIVE = [
    {"arm_id": "drug", "drug": "psilocybin", "dimension": "mystical", "time_note": "end"} | r for r in SUBJECTIVE
]
SLOPE = (10 * 1 * 2.5 + 5 * 2 * 1.5) / (10 * 1**2 + 5 * 2**2)


def test_experience_per_dose_is_a_weighted_regression_through_the_origin(build_evidence):
    evidence = build_evidence(subjective=SUBJECTIVE)
    slopes = experience_per_dose(evidence)
    assert slopes.loc["psilocybin", "slope"] == pytest.approx(SLOPE, rel=1e-12)
    assert slopes.loc["psilocybin", ["n_trials", "people"]].tolist() == [2, 15]
    assert slopes.drop(index="psilocybin")["slope"].isna().all()


def test_an_arm_borrows_the_experience_of_its_dose_unless_it_slept_or_had_no_drug(build_evidence):
    arms = [DRUG | {"dose_mg_equiv": 12.5}, DRUG | {"arm_id": "asleep", "awake": 0}, PLACEBO]
    table = described(build_evidence, arms, subjective=SUBJECTIVE)
    np.testing.assert_allclose(table["experience"], [SLOPE / 2, 0, 0], rtol=1e-12)
    assert table["experience_from"].tolist() == [
        "borrowed: 2 trials of dose against acute score",
        "blocked: given under general anaesthesia",
        "no study drug",
    ]


def test_a_drug_without_scores_or_without_a_reference_dose_has_no_experience(build_evidence):
    reference = [{"drug": "LSD", "route": "oral", "dose": 0.2, "dose_unit": "mg", "dose_column": "dose_mg_equiv"}]
    for tables in ({}, {"reference_doses": reference, "subjective": SUBJECTIVE}):
        row = described(build_evidence, [DRUG], **tables).loc["drug"]
        assert np.isnan(row["experience"])
        assert row["experience_from"] == "borrowed: 0 trials of dose against acute score"
        assert row["dose"] == 1.0


def test_every_drug_of_the_evidence_has_an_experience_per_dose():
    evidence = pp.load_evidence()
    slopes = experience_per_dose(evidence)
    assert set(slopes.index) == set(pp.drugs_of(evidence))
    assert (slopes["slope"] > 0.3).all()
    assert (slopes["n_trials"] >= 1).all()


def test_belief_by_design_follows_from_treatment_alone_and_can_stand_in_for_reports():
    found = pp.load_evidence()
    arms = pp.arm_changes(found)
    contrasts = pp.contrasts(found, besides=arms)
    reported = arms["expectancy_from"] == "reported guesses"
    assert reported.sum() >= 4
    assert (arms.loc[~reported, "expectancy"] == arms.loc[~reported, "expectancy_by_design"]).all()
    changed = with_belief_by_design(arms)
    assert "reported guesses" not in set(changed["expectancy_from"])
    blinded = changed["expectancy_from"].str.startswith("borrowed")
    assert changed.loc[blinded, "expectancy"].round(12).nunique() == 2
    assert with_belief_by_design(contrasts)["reference_expectancy"].notna().all()


def test_models_given_reported_guesses_are_not_compared_with_models_given_the_treatment_alone():
    found = pp.load_evidence()
    arms = pp.arm_changes(found, constructs=("depression",))
    fits = {
        name: pp.fit(pp.decomposition_design(arms, terms=pp.HYPOTHESES[name]), seed=1) for name in ("pill", "additive")
    }
    with pytest.raises(pp.ComparisonError, match="treatment and reported guesses"):
        pp.compare(fits)
    alike = with_belief_by_design(arms)
    fits = {
        name: pp.fit(pp.decomposition_design(alike, terms=pp.HYPOTHESES[name]), seed=1) for name in ("pill", "additive")
    }
    assert set(pp.compare(fits).index) == {"pill", "additive"}
