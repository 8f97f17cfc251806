import numpy as np
import pytest

from pillprocess.rows.associations import associations_set_aside, experience_correlations

ARM = {"trial_id": "x", "arm_id": "drug", "drug": "psilocybin", "n": 40}


def association(**cells):
    usual = {
        "trial_id": "x", "arm_id": "drug", "predictor_instrument": "MEQ30", "predictor_dimension": "mystical",
        "outcome_instrument": "MADRS", "statistic": "r", "estimate": -0.4, "n": 28, "positive_means": "worse_symptoms",
        "origin": "published", "include": 1, "time_days": 7.0,
    }  # fmt: skip
    return usual | cells


def evidence_with(build_evidence, *rows, trial=()):
    return build_evidence(
        associations=list(rows), trials=[{"trial_id": "x"} | dict(trial), {"trial_id": "y"}],
        arms=[ARM, ARM | {"trial_id": "y"}], instruments=[{"instrument": "MADRS"}, {"instrument": "WHO", "construct": "other"}],
    )  # fmt: skip


@pytest.mark.parametrize(("estimate", "means"), [(-0.4, "worse_symptoms"), (0.4, "improvement")])
def test_a_correlation_becomes_fishers_z_and_negative_is_improvement(build_evidence, estimate, means):
    evidence = evidence_with(build_evidence, association(estimate=estimate, positive_means=means))
    (row,) = experience_correlations(evidence).to_dict("records")
    assert row["z"] == pytest.approx(np.arctanh(-0.4))
    assert row["se"] == pytest.approx(1 / 5)
    assert (row["dimension"], row["n_from"]) == ("mystical", "printed")


def test_a_printed_p_that_says_less_than_n_widens_the_error(build_evidence):
    (row,) = experience_correlations(evidence_with(build_evidence, association(p=0.3, p_op="="))).to_dict("records")
    assert row["se"] == pytest.approx(np.arctanh(0.4) / 1.0364334, rel=1e-6)


def test_a_missing_n_is_the_arms(build_evidence):
    (row,) = experience_correlations(evidence_with(build_evidence, association(n=np.nan))).to_dict("records")
    assert (row["n"], row["n_from"]) == (40, "people of the arm")


def test_significance_alone_is_kept_without_an_estimate(build_evidence):
    told = association(statistic="direction_only", estimate=np.nan, significant=0.0, positive_means="no_estimate")
    (row,) = experience_correlations(evidence_with(build_evidence, told)).to_dict("records")
    assert np.isnan(row["z"])
    assert row["significant"] == 0


def test_one_association_per_trial_an_estimate_before_a_significance_and_a_total_before_a_part(build_evidence):
    told = association(statistic="direction_only", estimate=np.nan, significant=1.0, positive_means="no_estimate")
    part = association(predictor_instrument="11D-ASC_BS", estimate=-0.6)
    evidence = evidence_with(build_evidence, told, part, association(), association(time_days=90.0, estimate=-0.1))
    assert experience_correlations(evidence)["z"].tolist() == pytest.approx([np.arctanh(-0.4)])
    assert associations_set_aside(evidence)["reason"].tolist() == ["another association of the same people is used"] * 3


@pytest.mark.parametrize(
    ("cells", "trial", "reason"),
    [
        ({"include": 0}, {}, "the trial or association is not included (pooled, overlapping or a survey)"),
        ({}, {"population": "healthy"}, "healthy volunteers"),
        ({"predictor_dimension": "visual"}, {}, "not the dimension through which this drug's effect may run"),
        ({"outcome_instrument": "WHO"}, {}, "the outcome is no symptom"),
        ({"estimate": np.nan}, {}, "neither a correlation nor its significance"),
        ({"n": 3}, {}, "n not known"),
    ],
)  # fmt: skip
def test_every_association_that_is_not_used_has_its_reason(build_evidence, cells, trial, reason):
    evidence = evidence_with(build_evidence, association(**cells), trial=trial)
    assert experience_correlations(evidence).empty
    assert associations_set_aside(evidence)["reason"].tolist() == [reason]


def test_healthy_volunteers_count_where_asked(build_evidence):
    evidence = evidence_with(build_evidence, association(), trial={"population": "healthy"})
    assert len(experience_correlations(evidence, healthy=True)) == 1
