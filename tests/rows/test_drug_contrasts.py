"""Differences of a drug and its control from rows of any form: what is paired, what is set aside, how dose is read."""

import numpy as np
import pandas as pd
import pytest

from pillprocess import drug_contrasts, drug_contrasts_set_aside
from pillprocess.bias.contrast_rows import read_contrasts
from pillprocess.rows.drug_contrasts import dose_readings


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
