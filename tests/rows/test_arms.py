"""Published numbers to model rows: every route to a change and its standard error, checked by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import pillprocess as pp
from pillprocess.rows.arms import COLUMNS
from pillprocess.rows.change_scores import learned_correlation


@pytest.fixture(scope="module")
def evidence():
    return pp.load_evidence()


@pytest.fixture
def one_arm(build_evidence):
    """Evidence of one uncontrolled arm with the given outcome cells."""

    def build(**cells):
        return build_evidence(
            trials=[{"trial_id": "open1", "design": "single_arm"}],
            arms=[
                {"trial_id": "open1", "arm_id": "drug", "role": "single_arm", "drug": "psilocybin", "dose_mg_equiv": 25}
            ],
            outcomes=[{"trial_id": "open1", "arm_id": "drug"} | cells],
        )

    return build


def two_arms(build_evidence, *, trial=None, drug=None, placebo=None, drug_outcome=None, placebo_outcome=None):
    """Evidence of one controlled trial whose arms and outcomes can be altered cell by cell."""
    outcome = {"change_mean": -10, "change_sd": 8}
    return build_evidence(
        trials=[{"trial_id": "rct1"} | (trial or {})],
        arms=[
            {"trial_id": "rct1", "arm_id": "drug", "role": "active", "drug": "psilocybin", "dose_mg_equiv": 25} | (drug or {}),
            {"trial_id": "rct1", "arm_id": "placebo", "role": "inert_placebo", "drug": "placebo"} | (placebo or {}),
        ],
        outcomes=[
            {"trial_id": "rct1", "arm_id": "drug"} | outcome | (drug_outcome or {}),
            {"trial_id": "rct1", "arm_id": "placebo"} | outcome | (placebo_outcome or {}),
        ],
    )  # fmt: skip


def reasons(evidence, **choices):
    table = pp.set_aside(evidence, **choices)
    return dict(zip(table["trial"] + ": " + table["arm"], table["reason"], strict=True))


def test_a_printed_change_is_taken_before_the_difference_of_means(one_arm):
    row = pp.arm_changes(one_arm(change_mean=-12, baseline_mean=30, post_mean=21, change_sd=8)).iloc[0]
    assert (row["y"], row["y_from"]) == (-1.2, "printed change")


def test_a_change_that_was_not_printed_is_endpoint_minus_baseline(one_arm):
    row = pp.arm_changes(one_arm(baseline_mean=30, post_mean=21, change_sd=8)).iloc[0]
    assert (row["y"], row["y_from"]) == (-0.9, "post - baseline")


@pytest.mark.parametrize(("unit", "y", "se"), [("sd", -0.8, 0.5), ("points", -4.0, 2.5)])
def test_a_rise_on_a_scale_where_higher_is_better_counts_as_improvement(one_arm, unit, y, se):
    evidence = one_arm(instrument="days_abstinent", construct="alcohol", change_mean=4, change_sd=10)
    row = pp.arm_changes(evidence, unit=unit).iloc[0]
    assert (row["y"], row["se"], row["unit"]) == (y, se, unit)


T15 = 2.131449545559323
"""Student's t, 15 degrees of freedom, 97.5 %."""

ROUTES = {
    "printed SD": ({"change_sd": 8, "change_se": 9, "baseline_sd": 9, "post_sd": 9}, 8.0),
    "printed SE": (
        {"change_se": 2.5, "change_ci_low": -19, "change_ci_high": -5, "baseline_sd": 9, "post_sd": 9},
        10.0,
    ),
    "95 % CI": ({"change_ci_low": -14, "change_ci_high": -10, "baseline_sd": 9, "post_sd": 9}, 2 / T15 * 4),
    "lower 95 % limit": ({"change_ci_low": -15, "baseline_sd": 9, "post_sd": 9}, 3 / T15 * 4),
    "baseline and endpoint SD, r = 0.50": ({"baseline_sd": 6, "post_sd": 8}, np.sqrt(36 + 64 - 48)),
    "endpoint SD taken for both, r = 0.50": ({"post_sd": 7}, 7.0),
    "borrowed: the instrument's pooled change SD": ({"baseline_sd": 6}, 8.0),
}


@pytest.mark.parametrize("source", ROUTES)
@pytest.mark.parametrize(("unit", "divisor"), [("sd", 10.0), ("points", 1.0)])
def test_the_standard_error_takes_the_first_source_there_is_and_names_it(one_arm, source, unit, divisor):
    cells, sd = ROUTES[source]
    row = pp.arm_changes(one_arm(change_mean=-12, **cells), unit=unit, correlation=0.5).iloc[0]
    assert row["se_from"] == source
    assert row["se"] == pytest.approx(sd / np.sqrt(16) / divisor, rel=1e-12)


def test_the_learned_correlation_enters_where_the_sd_of_the_change_was_not_printed(one_arm):
    evidence = one_arm(change_mean=-12, baseline_sd=6, post_sd=8)
    r = learned_correlation(evidence)["r"]
    row = pp.arm_changes(evidence).iloc[0]
    assert row["se_from"] == f"baseline and endpoint SD, r = {r:.2f}"
    assert row["se"] == pytest.approx(np.sqrt(36 + 64 - 2 * r * 48) / 4 / 10, rel=1e-12)


def test_an_instrument_without_endpoint_sd_is_scaled_by_its_pooled_change_sd(one_arm):
    row = pp.arm_changes(one_arm(instrument="BDI", change_mean=-6, change_sd=4)).iloc[0]
    assert (row["y"], row["se"], row["scale_from"]) == (-1.5, 0.25, "pooled change SD")


def test_the_rows_carry_label_kind_and_the_documented_columns(build_evidence):
    table = pp.arm_changes(two_arms(build_evidence))
    assert list(table.columns) == COLUMNS
    assert table["label"].tolist() == ["rct1: drug", "rct1: placebo"]
    assert set(table["kind"]) == {"arm"}
    assert table["dose"].tolist() == [1.0, 0.0]
    assert table["scale_from"].tolist() == ["pooled endpoint SD"] * 2


def test_an_active_comparator_is_marked_and_a_waiting_list_is_marked(build_evidence):
    active = pp.arm_changes(two_arms(build_evidence, placebo={"role": "comparator", "drug": "escitalopram"}))
    assert active["comparator"].tolist() == [0.0, 1.0]
    waiting = pp.arm_changes(two_arms(build_evidence, placebo={"role": "waitlist", "drug": "none"}))
    assert waiting["waitlist"].tolist() == [0.0, 1.0]
    assert waiting["comparator"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("window", "day"), [(None, 21), ((1, 10), 7), ((5, 45), 21), ((30, 60), 42), ((42, 42), 42)])
def test_a_window_takes_the_row_of_the_primary_instrument_nearest_the_primary_time(build_evidence, window, day):
    changes = {7: -5, 21: -10, 42: -8, 56: -7}
    evidence = build_evidence(
        trials=[{"trial_id": "open1", "design": "single_arm"}],
        arms=[{"trial_id": "open1", "arm_id": "drug", "role": "single_arm", "drug": "psilocybin"}],
        outcomes=[
            {"trial_id": "open1", "arm_id": "drug", "time_days": t, "primary": int(t == 21), "change_mean": y, "change_sd": 8}
            for t, y in changes.items()
        ]
        + [
            {"trial_id": "open1", "arm_id": "drug", "instrument": "BDI", "time_days": 7, "primary": 0, "change_mean": -1}
        ],
    )  # fmt: skip
    row = pp.arm_changes(evidence, window=window).iloc[0]
    assert (row["time_days"], row["y"], row["instrument"]) == (day, changes[day] / 10, "MADRS")


def test_an_arm_without_a_row_in_the_window_is_set_aside(one_arm):
    evidence = one_arm(change_mean=-12, change_sd=8)
    assert reasons(evidence, window=(100, 200)) == {"open1: drug": "no primary outcome row in days 100 to 200"}
    assert reasons(evidence) == {}


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"primary": 0}, "no primary outcome row"),
        ({"change_mean": None}, "the primary outcome has no mean change (counts or percentages only, or no baseline)"),
        ({"n": None}, "n of the arm's primary outcome not reported"),
        ({"instrument": "IDS-C"}, "the instrument has no reference SD"),
        ({"instrument": "CAPS-5", "change_sd": None}, "no SD of the change can be formed"),
    ],
)
def test_an_outcome_that_gives_no_row_is_set_aside_with_the_reason(one_arm, cells, reason):
    evidence = one_arm(**{"change_mean": -12, "change_sd": 8} | cells)
    assert reasons(evidence) == {"open1: drug": reason}


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"include_arm": 0, "exclude_arm_reason": "factorial margin"}, "the arm is excluded: factorial margin"),
        ({"drug": "deuterated_psilocin"}, "the drug has no reference dose: deuterated_psilocin"),
        ({"therapy": None}, "therapy not reported"),
    ],
)
def test_an_arm_that_cannot_be_described_is_set_aside_and_leaves_the_other_alone(build_evidence, cells, reason):
    evidence = two_arms(build_evidence, drug=cells)
    alone = "no other arm of this comparative trial is usable"
    assert reasons(evidence) == {"rct1: drug": reason, "rct1: placebo": alone}


@pytest.mark.parametrize(
    "trial", [{"include": 0, "exclude_reason": "RETRACTED"}, {"population": "healthy", "condition": "other"}]
)
def test_excluded_trials_and_healthy_volunteers_are_neither_used_nor_listed(build_evidence, trial):
    evidence = two_arms(build_evidence, trial=trial)
    assert reasons(evidence) == {}
    with pytest.raises(
        ValueError, match=r"no arm has a usable outcome under these choices; set_aside\(evidence\) lists why"
    ):
        pp.arm_changes(evidence)


def test_a_lone_arm_counts_only_where_the_trial_had_no_control(one_arm, build_evidence):
    assert len(pp.arm_changes(one_arm(change_mean=-12, change_sd=8))) == 1
    evidence = two_arms(build_evidence, placebo_outcome={"change_mean": None})
    assert reasons(evidence)["rct1: drug"] == "no other arm of this comparative trial is usable"


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"constructs": "depression"}, r"constructs = 'depression'; give a tuple of names, such as \('depression',\)"),
        ({"constructs": ("despair",)}, "constructs: unknown despair; known are alcohol, depression, ptsd"),
        ({"drugs": ("ketamin",)}, "drugs: unknown ketamin; known are LSD, MDMA, esketamine, ketamine, psilocybin"),
        ({"unit": "SD"}, "unit = 'SD'; it must be 'sd' or 'points'"),
        ({"correlation": 1.0}, "correlation = 1.0; it must lie between -1 and 1"),
        ({"drugs": ("LSD",)}, "no arm has a usable outcome under these choices"),
        ({"constructs": ("alcohol",)}, "no arm has a usable outcome under these choices"),
    ],
)
def test_a_choice_that_cannot_be_met_is_refused(build_evidence, choice, message):
    with pytest.raises(ValueError, match=message):
        pp.arm_changes(two_arms(build_evidence), **choice)


def test_points_of_several_instruments_are_refused(evidence):
    with pytest.raises(
        ValueError, match=r"points of different instruments cannot be pooled \(.*MADRS.*\); use unit='sd'"
    ):
        pp.arm_changes(evidence, constructs=("depression",), unit="points")


def test_a_trial_of_two_study_drugs_is_kept_whole_under_either(evidence):
    for drug in ("ketamine", "esketamine"):
        rows = pp.arm_changes(evidence, drugs=(drug,))
        assert set(rows.loc[rows["trial"] == "correiamelo2020", "arm"]) == {"ketamine_0.5", "esketamine_0.25"}
    assert "correiamelo2020" not in set(pp.arm_changes(evidence, drugs=("psilocybin",))["trial"])


def test_constructs_keep_the_trials_of_these_constructs(evidence):
    rows = pp.arm_changes(evidence, constructs=("ptsd",))
    assert set(rows["construct"]) == {"ptsd"}
    assert {"mitchell2021", "duek2023_kpe"} <= set(rows["trial"])


def three_sds(z, n):
    """Outcome rows whose three SDs imply the given Fisher z."""
    r = np.tanh(np.asarray(z, float))
    return pd.DataFrame(
        {"n": n, "baseline_sd": 6.0, "post_sd": 8.0, "change_sd": np.sqrt(36 + 64 - 2 * r * 48)}, columns=list(SDS)
    )


SDS = ("n", "baseline_sd", "post_sd", "change_sd")


def quadrature(z, n, *, prior_mean=0.55, prior_sd=0.25, prior_tau_sd=0.3):
    """Mean, 2.5 % and 97.5 % of r in a new arm by direct quadrature over (zeta, tau) and the new arm's z."""
    zeta = np.linspace(prior_mean - 1.6, prior_mean + 1.6, 401)
    tau = np.linspace(0, 1.5, 601)
    log_density = stats.norm.logpdf(zeta, prior_mean, prior_sd)[:, None] + stats.norm.logpdf(tau, 0, prior_tau_sd)
    for one, size in zip(z, n, strict=True):
        log_density = log_density + stats.norm.logpdf(one, zeta[:, None], np.sqrt(tau**2 + 1 / (size - 3)))
    density = np.exp(log_density - log_density.max())
    node, weight = np.polynomial.hermite_e.hermegauss(41)
    inner = (np.tanh(zeta[:, None, None] + tau[:, None] * node) * weight).sum(-1) / weight.sum()

    def over_both(values):
        return integrate.simpson(integrate.simpson(values, x=tau), x=zeta)

    def below(z_new):
        distance = z_new - zeta[:, None]
        step = np.where(distance > 0, 1.0, np.where(distance == 0, 0.5, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(tau > 0, stats.norm.cdf(distance / tau), step)
        return over_both(density * share) / over_both(density)

    return over_both(density * inner) / over_both(density), below


@pytest.mark.parametrize(
    ("z", "n"),
    [((), ()), ((0.3,), (12,)), ((0.9, 0.1, 0.6), (20, 8, 55)), ((0.2, 0.25, 0.22, 0.2), (150, 90, 60, 200))],
)
def test_the_pre_post_correlation_equals_direct_quadrature(z, n):
    learned = pp.pre_post_correlation(three_sds(z, n))
    mean, below = quadrature(z, n)
    assert learned["n_arms"] == len(z)
    # the package sums tau on a grid of .005, the reference integrates by Simpson's rule
    assert learned["r"] == pytest.approx(mean, abs=1e-3)
    assert below(np.arctanh(learned["r_low"])) == pytest.approx(0.025, abs=1e-3)
    assert below(np.arctanh(learned["r_high"])) == pytest.approx(0.975, abs=1e-3)


def test_many_large_arms_that_agree_outweigh_the_prior_of_the_correlation():
    learned = pp.pre_post_correlation(three_sds([np.arctanh(0.8)] * 60, 2000))
    assert learned["r"] == pytest.approx(0.8, abs=0.01)
    assert learned["r_low"] > 0.7
    assert learned["r_high"] < 0.87


def test_arms_that_lack_an_sd_or_have_fewer_than_five_people_do_not_teach_the_correlation():
    rows = three_sds([0.9, 0.9, 0.9], [20, 4, 30])
    rows.loc[2, "post_sd"] = np.nan
    assert pp.pre_post_correlation(rows)["n_arms"] == 1


def test_sds_that_no_correlation_explains_are_taken_at_the_nearest_possible():
    rows = three_sds([0.5], [50]).assign(change_sd=40.0)
    assert pp.pre_post_correlation(rows)["r"] < pp.pre_post_correlation(three_sds([-0.5], [50]))["r"]


def test_the_evidence_teaches_the_correlation_from_its_included_primary_outcomes(evidence):
    outcomes = evidence.outcomes
    used = outcomes[(outcomes["include"] == 1) & (outcomes["primary"] == 1)]
    pd.testing.assert_series_equal(learned_correlation(evidence), pp.pre_post_correlation(used))
    assert learned_correlation(evidence)["n_arms"] >= 10


def test_the_headline_has_the_trials_it_was_asked_to_have(evidence):
    arms = pp.arm_changes(evidence)
    differences = pp.contrasts(evidence, besides=arms)
    assert arms["trial"].nunique() >= 34
    assert len(arms) >= 68
    assert "mertens2026" in set(differences["trial"])
    assert not set(arms["trial"]) & set(differences["trial"])
    assert arms.groupby("study_drug")["trial"].nunique().to_dict() == {
        "psilocybin": 19, "MDMA": 9, "ketamine": 6, "esketamine": 5,
    }  # fmt: skip
    assert differences.groupby("study_drug")["trial"].nunique().to_dict() == {
        "psilocybin": 6, "LSD": 5, "MDMA": 1, "ketamine": 7, "esketamine": 5,
    }  # fmt: skip


def test_every_included_arm_of_patients_is_either_a_row_or_set_aside(evidence):
    trials = evidence.trials
    included = set(trials.loc[(trials["include"] == 1) & (trials["population"] == "patients"), "trial_id"])
    arms = evidence.arms[evidence.arms["trial_id"].isin(included)]
    wanted = sorted(zip(arms["trial_id"], arms["arm_id"], strict=True))
    found = pd.concat([pp.arm_changes(evidence), pp.set_aside(evidence)])
    assert sorted(zip(found["trial"], found["arm"], strict=True)) == wanted
    assert pp.set_aside(evidence)["reason"].str.len().min() > 0


def test_every_row_of_the_headline_is_complete(evidence):
    arms = pp.arm_changes(evidence)
    columns = ["n", "y", "se", "dose", "therapy", "waitlist", "comparator", "expectancy", "experience"]
    assert np.isfinite(arms[columns].to_numpy(float)).all()
    assert (arms["se"] > 0).all()
    assert (arms[["y_from", "se_from", "scale_from", "dose_from", "source_url"]] != "").all(axis=None)
