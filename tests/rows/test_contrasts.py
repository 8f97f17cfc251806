"""Published between-arm differences to model rows, checked by hand."""

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.decomposition.columns import differences_covariance

HARMONIC = np.sqrt(1 / 20 + 1 / 30)
Z975 = 1.959964
LOGISTIC = np.sqrt(3) / np.pi


@pytest.fixture
def trial(build_evidence):
    """Evidence of one trial of 20 v 30 people, with the given rows of contrasts."""

    def build(*rows, **tables):
        arms = [
            {"trial_id": "rct1", "arm_id": "drug", "role": "active", "drug": "psilocybin", "dose_mg_equiv": 25, "n": 20, "therapy": 1},
            {"trial_id": "rct1", "arm_id": "low", "role": "low_dose", "drug": "psilocybin", "dose_mg_equiv": 5, "n": 20, "therapy": 1},
            {"trial_id": "rct1", "arm_id": "placebo", "role": "inert_placebo", "drug": "placebo", "n": 30, "therapy": 0},
            {"trial_id": "rct1", "arm_id": "rival", "role": "active", "drug": "LSD", "n": 20},
            {"trial_id": "rct1", "arm_id": "other", "role": "active", "drug": "ayahuasca", "n": 20, "therapy": 0},
            {"trial_id": "rct1", "arm_id": "margin", "role": "active", "drug": "psilocybin", "include_arm": 0,
             "exclude_arm_reason": "factorial margin"},
        ]  # fmt: skip
        pair = {"trial_id": "rct1", "arm_id": "drug", "reference_arm_id": "placebo"}
        return build_evidence(
            **{"trials": [{"trial_id": "rct1"}], "arms": arms, "contrasts": [pair | row for row in rows]} | tables
        )

    return build


def only_row(evidence):
    table = pp.contrasts(evidence)
    assert len(table) == 1
    return table.iloc[0]


def only_reason(evidence):
    assert pp.contrasts(evidence).empty
    (reason,) = pp.contrasts_set_aside(evidence)["reason"]
    return reason


def test_a_difference_in_points_is_divided_by_the_reference_sd(trial):
    row = only_row(trial({"estimate": -5, "ci_low": -9, "ci_high": -1}))
    assert row["y"] == -0.5
    assert row["se"] == pytest.approx(8 / (2 * Z975) / 10, rel=1e-12)
    assert (row["y_from"], row["se_from"], row["scale_from"]) == ("mean difference", "95 % CI", "pooled endpoint SD")
    assert (row["label"], row["kind"], row["unit"]) == ("rct1: drug v placebo", "contrast", "sd")


@pytest.mark.parametrize(
    ("direction", "estimate"), [("negative_favours_arm", -5), ("positive_favours_arm", 5), ("positive_favours_arm", -5)]
)
def test_the_sign_is_turned_so_that_negative_favours_the_first_arm(trial, direction, estimate):
    row = only_row(trial({"estimate": estimate, "se": 2, "direction": direction}))
    assert row["y"] == (-0.5 if (estimate > 0) == (direction == "positive_favours_arm") else 0.5)
    assert row["se"] == 0.2


@pytest.mark.parametrize("kind", ["hedges_g", "cohen_d"])
def test_a_standardised_difference_keeps_the_sd_of_its_trial(trial, kind):
    row = only_row(trial({"effect_type": kind, "estimate": -0.8, "se": 0.3}))
    assert (row["y"], row["se"], row["se_from"]) == (-0.8, 0.3, "printed SE")
    assert row["scale_from"] == "the trial's own SD"


def test_a_standardised_difference_without_error_takes_it_from_the_arm_sizes(trial):
    row = only_row(trial({"effect_type": "cohen_d", "estimate": -0.8}))
    assert row["se"] == pytest.approx(HARMONIC * np.sqrt(1 + 0.64 / 8), rel=1e-12)
    assert row["se_from"] == "arm sizes"


@pytest.mark.parametrize(
    ("odds_ratio", "low", "high", "direction"),
    [(3.0, 1.2, 7.5, "above_1_favours_arm"), (1 / 3, 1 / 7.5, 1 / 1.2, "below_1_favours_arm")],
)
@pytest.mark.parametrize("outcome", ["response", "remission", "abstinence"])
def test_an_odds_ratio_becomes_a_difference_on_the_latent_logistic_scale(
    trial, odds_ratio, low, high, direction, outcome
):
    cells = {"outcome_type": outcome, "effect_type": "odds_ratio", "estimate": odds_ratio, "direction": direction}
    row = only_row(trial(cells | {"ci_low": low, "ci_high": high}))
    assert row["y"] == pytest.approx(-np.log(3) * LOGISTIC, rel=1e-12)
    assert row["se"] == pytest.approx(np.log(7.5 / 1.2) / (2 * Z975) * LOGISTIC, rel=1e-12)
    assert (row["y_from"], row["scale_from"]) == ("odds ratio, ln OR x sqrt(3) / pi", "latent logistic SD")


@pytest.mark.parametrize("sign", ["=", "<"])
def test_a_p_value_gives_the_standard_error(trial, sign):
    row = only_row(trial({"estimate": -5, "p": 0.02, "p_op": sign}))
    assert row["se"] == pytest.approx(5 / 2.3263478740408408 / 10, rel=1e-12)
    assert row["se_from"] == "p value (an upper bound where p < was printed)"


@pytest.mark.parametrize("cells", [{"p": 0.02, "p_op": ">"}, {"p": 0.9, "p_op": "="}, {"p": 0.02}, {}])
def test_a_p_value_that_bounds_nothing_or_says_too_little_gives_no_standard_error(trial, cells):
    assert only_reason(trial({"estimate": -5} | cells)) == "no standard error can be formed"


def test_the_standard_error_prefers_the_printed_one_then_the_interval_then_arm_sizes_then_p(trial):
    cells = {"effect_type": "cohen_d", "estimate": -0.8, "p": 0.02, "p_op": "="}
    interval = {"ci_low": -1.4, "ci_high": -0.2}
    assert only_row(trial(cells | interval | {"se": 0.31}))["se_from"] == "printed SE"
    assert only_row(trial(cells | interval))["se_from"] == "95 % CI"
    assert only_row(trial(cells))["se_from"] == "arm sizes"
    assert only_row(trial({"estimate": -5, "p": 0.02, "p_op": "="}))["se_from"].startswith("p value")


def test_an_instrument_without_reference_sd_takes_the_sd_its_own_interval_implies(trial):
    row = only_row(trial({"instrument": "IDS-C", "estimate": -6, "ci_low": -12, "ci_high": 0}))
    sd = 12 / (2 * Z975) / HARMONIC
    assert row["y"] == pytest.approx(-6 / sd, rel=1e-12)
    assert row["se"] == pytest.approx(HARMONIC, rel=1e-12)
    assert row["scale_from"] == "SD implied by the interval and arm sizes"


POINTS = {"estimate": -5, "se": 2}
STANDARDISED = {"effect_type": "hedges_g", "estimate": -0.8, "se": 0.3}
IMPLIED = {"instrument": "IDS-C", "estimate": -6, "se": 3}
ODDS = {
    "outcome_type": "response", "effect_type": "odds_ratio", "estimate": 3.0, "ci_low": 1.2, "ci_high": 7.5,
    "direction": "above_1_favours_arm",
}  # fmt: skip
RISK = {"outcome_type": "response", "effect_type": "risk_ratio", "estimate": 2.0, "direction": "above_1_favours_arm"}


@pytest.mark.parametrize("better", range(4))
def test_points_over_a_reference_sd_come_before_d_before_an_implied_sd_before_counts(trial, better):
    order = [POINTS, STANDARDISED, IMPLIED, ODDS, RISK]
    chosen = only_row(trial(*order[:better:-1], order[better]))
    assert chosen["y"] == only_row(trial(order[better]))["y"]


def test_only_primary_included_between_arm_rows_are_read(trial):
    evidence = trial(POINTS | {"primary": 0}, POINTS | {"include": 0}, POINTS | {"level": "within_arm"})
    assert pp.contrasts(evidence).empty
    assert pp.contrasts_set_aside(evidence).empty


@pytest.mark.parametrize("change", [{"include": 0}, {"population": "healthy"}])
def test_contrasts_of_trials_outside_the_included_patient_trials_are_left_out(trial, change):
    evidence = trial(POINTS, trials=[{"trial_id": "rct1"} | change])
    assert pp.contrasts(evidence).empty
    assert pp.contrasts_set_aside(evidence).empty


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (RISK, "effect type cannot be put in SD units: risk_ratio"),
        (POINTS | {"outcome_type": "response"}, "effect type cannot be put in SD units: mean_difference"),
        (ODDS | {"outcome_type": "relapse"}, "relapse after randomised withdrawal is another question than symptom change"),
        (POINTS | {"direction": "not_stated"}, "which sign favours the arm is not stated"),
        ({"estimate": -5}, "no standard error can be formed"),
        (POINTS | {"arm_id": "margin"}, "the arm is excluded: factorial margin"),
        (POINTS | {"reference_arm_id": "margin"}, "the arm is excluded: factorial margin"),
        (POINTS | {"reference_arm_id": "rival"}, "the two arms got different study drugs; give their arm rows instead"),
        (POINTS | {"arm_id": "other"}, "the drug has no reference dose: ayahuasca"),
    ],
)  # fmt: skip
def test_a_difference_that_gives_no_row_is_set_aside_with_the_reason(trial, cells, reason):
    assert only_reason(trial(cells)) == reason


def test_terms_describe_both_arms(trial):
    row = only_row(trial(POINTS))
    assert (row["dose"], row["therapy"], row["n_arm"]) == (1.0, 1.0, 20)
    assert (row["reference_dose"], row["reference_therapy"], row["n_reference"]) == (0.0, 0.0, 30)
    row = only_row(trial(POINTS | {"reference_arm_id": "low"}))
    assert (row["reference_dose"], row["reference_therapy"]) == (0.2, 1.0)


def test_trials_that_already_gave_arm_rows_are_left_out(trial):
    evidence = trial(POINTS)
    assert pp.contrasts(evidence, besides=pd.DataFrame({"trial": ["rct1"]})).empty
    assert len(pp.contrasts(evidence, besides=pd.DataFrame({"trial": ["rct2"]}))) == 1


def test_constructs_and_drugs_select_and_a_misspelt_one_is_refused(trial):
    evidence = trial(POINTS)
    assert len(pp.contrasts(evidence, constructs=("depression",), drugs=("psilocybin",))) == 1
    assert pp.contrasts(evidence, constructs=("ptsd",)).empty
    assert pp.contrasts(evidence, drugs=("LSD",)).empty
    with pytest.raises(ValueError, match="constructs: unknown despair; known are alcohol, depression, ptsd"):
        pp.contrasts(evidence, constructs=("despair",))
    with pytest.raises(ValueError, match="drugs: unknown lsd; known are LSD, MDMA"):
        pp.contrasts(evidence, drugs=("lsd",))


def test_evidence_without_contrasts_gives_no_rows(trial):
    assert pp.contrasts(trial()).empty
    assert pp.contrasts_set_aside(trial()).empty


def differences(*rows):
    """Contrast rows of (trial, arm, reference arm, se, n of arm, n of reference)."""
    table = pd.DataFrame(rows, columns=["trial", "arm", "reference_arm", "se", "n_arm", "n_reference"])
    return table.assign(kind="contrast", label=table["trial"] + ": " + table["arm"] + " v " + table["reference_arm"])


def test_two_differences_of_one_control_share_its_part_of_their_variance():
    table = differences(("a", "high", "placebo", 0.3, 10, 30), ("a", "low", "placebo", 0.2, 20, 30))
    # the control's share is (people outside it) / (people of both arms): 10/40 of .09 and 20/50 of .04
    shared = np.sqrt(10 / 40 * 0.09 * 20 / 50 * 0.04)
    np.testing.assert_allclose(differences_covariance(table), [[0.09, shared], [shared, 0.04]], rtol=1e-14)


def test_one_sd_over_all_arms_gives_back_the_variance_of_the_shared_mean():
    n_high, n_low, n_placebo, sd = 10, 20, 30, 1.4
    se = [sd * np.sqrt(1 / n + 1 / n_placebo) for n in (n_high, n_low)]
    table = differences(
        ("a", "high", "placebo", se[0], n_high, n_placebo), ("a", "low", "placebo", se[1], n_low, n_placebo)
    )
    assert differences_covariance(table)[0, 1] == pytest.approx(sd**2 / n_placebo, rel=1e-12)


def test_an_arm_on_opposite_sides_makes_the_covariance_negative():
    table = differences(("a", "high", "low", 0.3, 10, 10), ("a", "low", "placebo", 0.2, 10, 10))
    assert differences_covariance(table)[0, 1] == pytest.approx(-0.5 * 0.3 * 0.2, rel=1e-12)


def test_unknown_arm_sizes_share_half():
    table = differences(("a", "high", "placebo", 0.3, np.nan, np.nan), ("a", "low", "placebo", 0.2, 20, np.nan))
    assert differences_covariance(table)[0, 1] == pytest.approx(0.5 * 0.3 * 0.2, rel=1e-12)


def test_differences_without_a_common_arm_and_of_other_trials_are_independent():
    table = differences(
        ("a", "high", "placebo", 0.3, 10, 10), ("b", "high", "placebo", 0.2, 10, 10), ("a", "x", "y", 0.1, 10, 10)
    )
    np.testing.assert_array_equal(differences_covariance(table), np.diag(np.square([0.3, 0.2, 0.1])))


def test_the_covariance_stays_positive_definite_however_unequal_the_errors():
    table = differences(*[("a", f"dose{k}", "placebo", 0.05 * 3**k, 5 * 2**k, 40) for k in range(5)])
    assert np.linalg.eigvalsh(differences_covariance(table))[0] > 0


def test_the_covariance_follows_the_rows_whatever_their_index():
    table = differences(
        ("b", "high", "placebo", 0.5, 10, 10),
        ("a", "high", "placebo", 0.3, 10, 30),
        ("a", "low", "placebo", 0.2, 20, 30),
    )
    expected = differences_covariance(table)
    np.testing.assert_array_equal(differences_covariance(table.set_axis([7, 3, 5])), expected)
    order = [2, 0, 1]
    np.testing.assert_array_equal(differences_covariance(table.iloc[order]), expected[np.ix_(order, order)])


def test_differences_that_follow_from_one_another_are_refused():
    table = differences(("a", "x", "y", 0.3, 10, 10), ("a", "y", "z", 0.3, 10, 10), ("a", "x", "z", 0.3, 10, 10))
    message = r"trial 'a': its differences follow from one another \(a: x v y; a: y v z; a: x v z\); leave one out"
    with pytest.raises(ValueError, match=message):
        differences_covariance(table)


def test_the_embedded_contrasts_are_complete_and_their_covariance_is_positive_definite():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    table = pp.contrasts(evidence, besides=arms)
    assert np.isfinite(
        table[["y", "se", "dose", "therapy", "reference_dose", "reference_therapy"]].to_numpy(float)
    ).all()
    assert (table["se"] > 0).all()
    assert table.duplicated(["trial", "arm", "reference_arm"].copy()).sum() == 0
    design = pp.decomposition_design(arms, table)
    assert np.linalg.eigvalsh(design["covariance"].to_numpy())[0] > 0
    row = design["covariance"].sel(row="fedgchin2019: esketamine_56mg_ad v placebo_ad").drop_vars("row")
    shared = row.sel(row_="fedgchin2019: esketamine_84mg_ad v placebo_ad").item()
    one, other = (table.loc[table["label"].str.contains(f"esketamine_{mg}mg_ad"), "se"].item() for mg in (56, 84))
    assert shared == pytest.approx(np.sqrt(115 / 228 * 114 / 227) * one * other, rel=1e-12)


@pytest.mark.parametrize(
    ("of_trial", "basis", "mark"), [(1, "published", 1), (np.nan, "published", 1), (0, "published", 0), (1, "press", 0)]
)
def test_an_unpublished_difference_is_a_row_like_any_other_and_marked(trial, of_trial, basis, mark):
    row = only_row(
        trial(
            {"effect_type": "mean_difference", "estimate": -6, "se": 2, "basis": basis},
            trials=[{"trial_id": "rct1", "published": of_trial}],
        )
    )
    assert row["published"] == mark
    assert row["se"] > 0


def test_people_randomised_are_missing_where_the_arm_size_counts_something_else(trial):
    difference = {"effect_type": "mean_difference", "estimate": -6, "se": 2}
    arms = [
        {
            "trial_id": "rct1",
            "arm_id": "drug",
            "role": "active",
            "drug": "psilocybin",
            "dose_mg_equiv": 25,
            "n": 20,
            "therapy": 1,
        },
        {"trial_id": "rct1", "arm_id": "placebo", "role": "inert_placebo", "drug": "placebo", "n": 30, "therapy": 0},
    ]
    assert only_row(trial(difference, arms=arms))["n_randomised"] == 50
    arms[1]["n_basis"] = "analysed"
    row = only_row(trial(difference, arms=arms))
    assert (row["n"], row["n_arm"], row["n_reference"]) == (50, 20, 30)
    assert np.isnan(row["n_randomised"])


def test_the_two_largest_psilocybin_trials_are_differences_of_the_headline():
    evidence = pp.load_evidence()
    rows = pp.contrasts(evidence, besides=pp.arm_changes(evidence)).set_index("trial")
    sd = evidence.instruments.set_index("instrument").loc["MADRS", "reference_sd"]
    for trial, points, half, n in (("comp005", -3.6, 2.1, 258), ("comp006", -3.8, 2.0, 439)):
        row = rows.loc[trial]
        assert row["y"] == pytest.approx(points / sd)
        assert row["se"] == pytest.approx(half / Z975 / sd)
        assert (row["n"], row["published"]) == (n, 0)
    assert set(rows.index[rows["published"] == 0]) == {"comp005", "comp006", "emerge2026"}


def test_one_difference_in_both_directions_is_refused_whatever_its_errors_and_arm_sizes():
    for n in ((40, 10), (np.nan, np.nan)):
        table = differences(("a", "drug", "placebo", 0.3, *n), ("a", "placebo", "drug", 0.31, *n[::-1]))
        with pytest.raises(ValueError, match=r"follow from one another \(a: drug v placebo; a: placebo v drug\)"):
            differences_covariance(table)


def test_a_ring_of_differences_is_refused_where_one_arm_size_is_missing():
    table = differences(
        ("a", "x", "y", 0.3, 10, 20), ("a", "y", "z", 0.3, 20, np.nan), ("a", "x", "z", 0.2, 10, np.nan)
    )
    with pytest.raises(ValueError, match="its differences follow from one another"):
        differences_covariance(table)


def test_differences_that_share_both_arms_of_a_third_have_the_covariance_of_the_arms():
    n, sd = {"high": 12, "low": 20, "placebo": 31, "wait": 8}, 1.3
    pairs = [("high", "placebo"), ("placebo", "low"), ("wait", "low")]
    rows = [("a", one, other, sd * np.sqrt(1 / n[one] + 1 / n[other]), n[one], n[other]) for one, other in pairs]
    arms = list(n)
    signs = np.array([[(arm == one) - (arm == other) for arm in arms] for one, other in pairs], float)
    expected = signs @ np.diag([sd**2 / n[arm] for arm in arms]) @ signs.T
    np.testing.assert_allclose(differences_covariance(differences(*rows)), expected, rtol=1e-12, atol=1e-16)
