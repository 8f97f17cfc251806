import numpy as np
import pytest

from pillprocess.rows.acute_scores import acute_scores, scale_correlations, scores_set_aside


def score(trial, arm, instrument, mean, **cells):
    usual = {
        "trial_id": trial, "arm_id": arm, "instrument": instrument, "mean": mean, "sd": 20.0, "n": 41, "drug": "psilocybin",
        "dose_mg_equiv": 25.0, "dimension": "mystical", "scale_min": 0.0, "scale_max": 100.0, "value_type": "score",
    }  # fmt: skip
    return usual | cells


PLACEBO = {"drug": "placebo", "dose_mg_equiv": 0.0}


def test_a_score_is_its_distance_from_placebo_in_sds_under_the_drug(build_evidence):
    evidence = build_evidence(
        subjective=[score("x", "drug", "MEQ30", 60.0), score("x", "none", "MEQ30", 10.0, sd=5.0, **PLACEBO)]
    )
    (row,) = acute_scores(evidence).to_dict("records")
    assert row["d"] == pytest.approx((60 - 10) / 20)
    assert row["se"] == pytest.approx(2.5 / np.sqrt(2 * 40))
    assert (row["dose"], row["d_from"]) == (1.0, "above placebo or no drug")


def test_without_a_control_a_score_counts_from_the_lowest_value_of_its_scale(build_evidence):
    (row,) = acute_scores(build_evidence(subjective=[score("x", "drug", "MEQ30", 60.0, scale_min=20.0)])).to_dict(
        "records"
    )
    assert row["d"] == pytest.approx((60 - 20) / 20)
    assert row["d_from"] == "above the scale's lowest value"


def test_a_missing_sd_is_borrowed_from_the_dimension_and_said(build_evidence):
    rows = [score("x", "a", "MEQ30", 60.0, sd=np.nan), score("y", "a", "5D-ASC_OBN", 50.0, sd=25.0, sd_fraction=0.25)]
    table = acute_scores(build_evidence(subjective=rows)).set_index("study")
    assert table.loc["x", "d"] == pytest.approx(60 / 25)
    assert table.loc["x", "d_from"].endswith("SD borrowed: mean of the dimension's scales")


def test_paired_t_values_are_scores_too_unless_the_means_are_there(build_evidence):
    contrast = {
        "trial_id": "x",
        "arm_id": "drug",
        "reference_arm_id": "placebo",
        "dimension": "mystical",
        "n": 25,
        "t": 10.0,
        "dz": 2.0,
    }
    evidence = build_evidence(
        subjective=[score("x", "drug", "MEQ30", 60.0), score("x", "drug", "other", 1.0, dimension="visual")],
        acute_contrasts=[contrast | {"instrument": "5D-ASC_OBN"}, contrast | {"instrument": "MEQ30"}],
    )
    table = acute_scores(evidence).set_index("instrument")
    assert table.loc["5D-ASC_OBN", "d"] == 2.0
    assert table.loc["MEQ30", "d"] == pytest.approx(3.0)
    aside = scores_set_aside(evidence)
    assert "another row of this arm and instrument is used" in set(aside["reason"])


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"dimension": "visual"}, "not the dimension through which this drug's effect may run"),
        ({"instrument": "MEQ30_mystical"}, "a part of a scale whose total is there"),
        ({"mean": np.nan}, "mean not reported"),
        ({"n": np.nan}, "n not reported"),
        ({"dose_mg_equiv": np.nan}, "dose not reported"),
        ({"sd": np.nan}, "no SD to standardise by"),
    ],
)
def test_every_score_that_is_not_used_has_its_reason(build_evidence, cells, reason):
    evidence = build_evidence(subjective=[score("x", "drug", "MEQ30", 60.0) | cells])
    assert acute_scores(evidence).empty
    assert scores_set_aside(evidence)["reason"].tolist() == [reason]


def test_the_peak_of_several_times_is_the_acute_effect(build_evidence):
    rows = [
        score("x", "drug", "MEQ30", mean, time_note=when)
        for mean, when in ((20.0, "1 h"), (60.0, "2 h"), (30.0, "4 h"))
    ]
    evidence = build_evidence(subjective=rows)
    assert acute_scores(evidence)["d"].tolist() == [3.0]
    assert len(scores_set_aside(evidence)) == 2


def test_correlations_of_scales_are_kept_where_both_are_used(build_evidence):
    bridge = [
        {"source": "s", "scale_a": "MEQ30_total", "scale_b": "5D-ASC_OBN", "r": 0.9, "n": 40},
        {"source": "s", "scale_a": "MEQ30_total", "scale_b": "5D-ASC_AED", "r": 0.2, "n": 40},
    ]
    table = scale_correlations(build_evidence(scale_bridge=bridge), ["MEQ30", "5D-ASC_OBN"])
    assert table[["instrument", "other", "r"]].values.tolist() == [["MEQ30", "5D-ASC_OBN", 0.9]]
