"""Tables of contrasts: what is read, what is refused, and how drug and control are paired."""

import numpy as np
import pandas as pd
import pytest

from pillprocess import drug_contrasts, drug_contrasts_set_aside
from pillprocess.bias.contrast_rows import read_contrasts, small_study_predictor
from pillprocess.bias.drug_contrasts import dose_readings


def test_the_standard_error_is_printed_or_follows_from_the_interval_or_the_sizes():
    rows = pd.DataFrame(
        {
            "y": [-0.5, -0.5, -0.5], "se": [0.2, np.nan, np.nan], "ci_low": [np.nan, -0.9, np.nan], "ci_high": [np.nan, -0.1, np.nan],
            "n_arm": [10, 10, 20], "n_reference": [10, 10, 30],
        }
    )  # fmt: skip
    expected = [0.2, 0.8 / (2 * 1.959964), np.sqrt(1 / 20 + 1 / 30 + 0.25 / 100)]
    np.testing.assert_allclose(read_contrasts(rows).se, expected)


def test_every_bad_row_is_named_at_once_and_nothing_is_fitted():
    rows = pd.DataFrame(
        {
            "label": ["a", "b", "c", "d", "e", "f", "g"], "y": [-0.5, np.nan, -0.5, -0.5, -0.5, -0.5, -0.5],
            "se": [np.nan, 0.2, np.nan, -0.1, 0.2, 0.2, 0.2], "ci_low": [np.nan, np.nan, -0.4, np.nan, np.nan, np.nan, np.nan],
            "ci_high": [np.nan, np.nan, 0.1, np.nan, np.nan, np.nan, np.nan], "n_arm": [np.nan, 10, 10, 10, 0, 10, 10],
            "n_reference": [10.0] * 7, "dose": [1.0, 1, 1, 1, 1, 0, np.nan],
        }
    )  # fmt: skip
    with pytest.raises(ValueError, match="nothing was fitted") as error:
        read_contrasts(rows)
    for words in (
        "a: an effect with no interval, no standard error and no n of both arms",
        "b: y is blank or not finite",
        "c: the interval [-0.4, 0.1] does not hold its estimate -0.5",
        "d: se = -0.1; a standard error must be finite and > 0",
        "e: n_arm = 0; an arm needs more than 0 people",
        "f: dose = 0; the arm must get more of the drug than its control",
        "g: dose = nan; the arm must get more",
    ):
        assert words in str(error.value)


def test_rows_of_one_trial_need_to_say_what_they_share():
    rows = pd.DataFrame({"trial": ["t", "t"], "y": [-0.5, -0.4], "se": [0.2, 0.2]})
    with pytest.raises(ValueError, match="give reference_arm, the control that they share, or their covariance"):
        read_contrasts(rows)
    named = rows.assign(reference_arm="placebo", n_arm=20, n_reference=[20, 20], label=["a", "b"])
    assert read_contrasts(named).covariance[0, 1] == pytest.approx(0.02)
    assert read_contrasts(named.assign(reference_variance=0.01)).covariance[0, 1] == pytest.approx(0.01)


def test_a_covariance_is_checked():
    rows = pd.DataFrame({"trial": ["t", "u"], "y": [-0.5, -0.4], "se": [0.2, 0.2]})
    with pytest.raises(ValueError, match="covariance must be symmetric, 2 x 2 as the rows"):
        read_contrasts(rows, covariance=np.eye(3))
    with pytest.raises(ValueError, match="rows of different trials are correlated"):
        read_contrasts(rows, covariance=np.array([[1.0, 0.1], [0.1, 1.0]]))
    with pytest.raises(ValueError, match="its contrasts follow from one another; leave one out"):
        read_contrasts(rows.assign(trial="t"), covariance=np.ones((2, 2)))


def test_a_table_without_effects_and_an_unknown_side_are_refused():
    with pytest.raises(ValueError, match="the table of contrasts has no column y, or no row"):
        read_contrasts(pd.DataFrame({"estimate": [1.0]}))
    with pytest.raises(ValueError, match="favours = 'up'; it must be 'negative' or 'positive'"):
        read_contrasts(pd.DataFrame({"y": [1.0], "se": [0.1]}), favours="up")


def test_small_study_terms_grow_with_the_error_or_with_size_alone():
    rows = pd.DataFrame({"y": [-0.5, -0.4], "se": [0.3, 0.2], "n_arm": [10, 40], "n_reference": [10, np.nan]})
    data = read_contrasts(rows)
    np.testing.assert_allclose(small_study_predictor(data, "se"), [0.3, 0.2])
    with pytest.raises(ValueError, match="by='size' needs n of both arms, not known for row 2"):
        small_study_predictor(data, "size")
    with pytest.raises(ValueError, match="by = 'n'; it must be 'se' or 'size'"):
        small_study_predictor(data, "n")


def test_a_trial_that_gives_two_drugs_counts_as_two_units_of_publication():
    rows = pd.DataFrame(
        {
            "trial": ["t", "t", "u"],
            "drug": ["LSD", "MDMA", "LSD"],
            "y": -0.5,
            "se": 0.2,
            "reference_arm": "placebo",
            "label": list("abc"),
        }
    )
    data = read_contrasts(rows)
    assert data.unit.tolist() == ["t: LSD", "t: MDMA", "u"]
    assert data.covariance[0, 1] > 0


def rows_of(arm_row, contrast_row) -> pd.DataFrame:
    return pd.DataFrame(
        [
            arm_row("arms", "high", -1.2, 0.2, dose=1.0, therapy=1.0, n=20),
            arm_row("arms", "low", -0.9, 0.25, dose=0.5, therapy=1.0, n=15),
            arm_row("arms", "placebo", -0.4, 0.15, therapy=1.0, n=25), arm_row("alone", "open", -2.0, 0.2, dose=1.0),
            arm_row("waits", "drug", -1.0, 0.2, dose=1.0, therapy=1.0), arm_row("waits", "list", 0.0, 0.2, waitlist=1.0),
            contrast_row("pair", "drug", "placebo", -0.6, 0.3, n=(30, 31), dose=1.0),
            contrast_row("same", "x", "y", -0.1, 0.3, dose=1.0, reference={"dose": 1.0}),
            contrast_row("both", "x", "y", -0.1, 0.3, dose=1.0, therapy=1.0),
            contrast_row("versus", "x", "y", -0.1, 0.3, dose=1.0, reference={"comparator": 1.0}),
            arm_row("talk", "with", -0.5, 0.2, therapy=1.0), arm_row("talk", "without", -0.4, 0.2),
        ]
    )  # fmt: skip


def test_arms_are_compared_with_the_lowest_dose_under_the_same_therapy(arm_row, contrast_row):
    table = drug_contrasts(rows_of(arm_row, contrast_row)).set_index("label")
    assert list(table.index) == ["arms: high v placebo", "arms: low v placebo", "pair: drug v placebo"]
    np.testing.assert_allclose(table["y"], [-0.8, -0.5, -0.6])
    np.testing.assert_allclose(table["se"], [np.hypot(0.2, 0.15), np.hypot(0.25, 0.15), 0.3])
    np.testing.assert_allclose(table["dose"], [1.0, 0.5, 1.0])
    assert read_contrasts(table.reset_index()).covariance[0, 1] == pytest.approx(0.15**2)


def test_what_compares_no_doses_is_listed_with_the_reason(arm_row, contrast_row):
    reasons = drug_contrasts_set_aside(rows_of(arm_row, contrast_row)).set_index("row")["reason"]
    assert reasons["alone: open"] == "the only arm of its trial"
    assert reasons["waits: drug v list"] == "the control is: waiting list"
    assert reasons["same: x v y"] == "both sides got the same dose"
    assert reasons["both: x v y"] == "the two sides differ in therapy as well"
    assert reasons["versus: x v y"] == "the control is: active comparator"
    assert reasons["talk: with"] == "no arm of its trial differs in dose alone"


def test_other_controls_can_be_asked_for_by_name(arm_row, contrast_row):
    table = drug_contrasts(rows_of(arm_row, contrast_row), controls=("waiting list", "active comparator"))
    assert set(table["control"]) == {"waiting list", "active comparator"}
    with pytest.raises(ValueError, match="give a tuple of no or low dose, waiting list, active comparator"):
        drug_contrasts(rows_of(arm_row, contrast_row), controls=("sham",))
    with pytest.raises(ValueError, match="no row compares a drug with a control of this kind"):
        drug_contrasts(pd.DataFrame([arm_row("alone", "open", -2.0, 0.2, dose=1.0)]))


def test_dose_is_read_in_three_ways_where_both_doses_are_known(arm_row, contrast_row):
    readings = dose_readings(drug_contrasts(rows_of(arm_row, contrast_row)))
    assert readings["linear"]["dose"].tolist() == [1.0, 0.5, 1.0]
    np.testing.assert_allclose(readings["emax"]["dose"], [1.0, 2 / 3, 1.0])
    assert readings["as tested"]["dose"].tolist() == [1.0, 1.0, 1.0]
    assert list(dose_readings(pd.DataFrame({"y": [1.0]}))) == ["as given"]
