"""Effects in points: SDs times the scale's own SD, on the scale of the construct that a drug's trials measured."""

import pandas as pd
import pytest

import pillprocess as pp


def test_points_are_sds_times_the_reference_sd_of_the_scale(build_evidence):
    table = pd.DataFrame({"mean": [-0.5], "ci_low": [-0.8], "ci_high": [-0.2]})
    found = pp.in_points(table, build_evidence(), instrument="CAPS-5").iloc[0]
    assert found[["points", "points_low", "points_high"]].tolist() == pytest.approx([-6.0, -9.6, -2.4])
    assert found[["unit", "instrument"]].tolist() == ["reference SD", "CAPS-5"]


def test_each_drug_may_have_a_scale_of_its_own(build_evidence):
    table = pd.DataFrame(
        {"drug": ["MDMA", "LSD"], "mean": [-0.5, -1.0], "ci_low": [-0.8, -2.0], "ci_high": [-0.2, 0.0]}
    )
    found = pp.in_points(table, build_evidence(), instrument={"LSD": "MADRS", "MDMA": "CAPS-5"})
    assert found["instrument"].tolist() == ["CAPS-5", "MADRS"]
    assert found["points"].tolist() == pytest.approx([-6.0, -10.0])
    with pytest.raises(ValueError, match="instrument names no scale for LSD; name one for each drug"):
        pp.in_points(table, build_evidence(), instrument={"MDMA": "CAPS-5"})
    with pytest.raises(ValueError, match="a scale for each drug needs a table with a column drug"):
        pp.in_points(table[["mean", "ci_low", "ci_high"]], build_evidence(), instrument={"MDMA": "CAPS-5"})
    with pytest.raises(
        ValueError, match="the table is in points of CAPS-5, MADRS; a forest has one unit: draw one drug"
    ):
        pp.plot_forest(found, unit="MADRS")


def test_a_scale_without_an_sd_and_a_table_without_limits_are_refused(build_evidence):
    table = pd.DataFrame({"mean": [-0.5], "ci_low": [-0.8], "ci_high": [-0.2]})
    with pytest.raises(
        ValueError, match=r"instrument = 'HAMD6'; instruments.csv has a reference SD for CAPS-5, MADRS, days_abstinent"
    ):
        pp.in_points(table, build_evidence(), instrument="HAMD6")
    with pytest.raises(ValueError, match="the table lacks ci_low, ci_high; give what effect_table makes"):
        pp.in_points(table[["mean"]], build_evidence())


def test_each_drug_is_shown_on_the_scale_of_what_most_of_its_trials_measured(build_evidence):
    pairs = [("MDMA", "ptsd"), ("MDMA", "ptsd"), ("MDMA", "depression"), ("LSD", "anxiety"), ("ketamine", "alcohol")]
    rows = pd.DataFrame([{"study_drug": d, "construct": c, "trial": f"t{j}"} for j, (d, c) in enumerate(pairs)])
    scales = [
        ("MADRS", "depression", 10, 40),
        ("BDI", "depression", 9, 90),
        ("CAPS-5", "ptsd", 12, 30),
        ("TLFB", "alcohol", 5, 9),
    ]
    known = [
        {"instrument": i, "construct": c, "reference_sd": sd, "reference_sd_n_arms": 2, "reference_sd_n": n}
        for i, c, sd, n in scales
    ]  # fmt: skip
    scales = pp.clinical_scales(rows, build_evidence(instruments=known))
    assert scales["instrument"].to_dict() == {"LSD": "MADRS", "MDMA": "CAPS-5", "ketamine": "MADRS"}
    assert scales["own_share"].round(2).to_dict() == {"LSD": 0.0, "MDMA": 0.67, "ketamine": 0.0}
    other = pp.clinical_scales(rows, build_evidence(instruments=known[1:2] + known[3:]))
    assert other["instrument"].to_dict() == {"LSD": "", "MDMA": "BDI", "ketamine": "TLFB"}
