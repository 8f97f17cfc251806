"""Tables of contrasts: what is read and what is refused."""

import numpy as np
import pandas as pd
import pytest

from pillprocess.bias.contrast_rows import read_contrasts, small_study_predictor


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
