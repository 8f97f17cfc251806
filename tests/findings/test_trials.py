"""Trials are counted as the model counts them, and each section says which it leaves out and adds."""

import pandas as pd

import pillprocess as pp
from pillprocess.decomposition.settings import tried_settings
from pillprocess.findings.words import therapy_compared
from pillprocess.rows.contrasts import model_rows


def test_the_trials_that_compare_a_drug_are_those_the_model_counts():
    arms, differences = model_rows(pp.load_evidence())
    rows = pd.concat([arms, differences], ignore_index=True)
    counted = pp.compared_trials(rows).groupby(["drug", "therapy"]).size().to_dict()
    assert counted == tried_settings(pp.decomposition_design(arms, differences))
    trials, without = therapy_compared(rows)
    assert trials == ["grabski2022", "wilkinson2021"]
    assert {"psilocybin", "LSD", "MDMA"} <= set(without)


def test_sections_count_the_headlines_trials_less_those_they_leave_out_and_more_those_they_add(arm_row):
    rows = pd.DataFrame(
        [arm_row(t, a, 0.0, 0.1, dose=d) for t in ("one", "two") for a, d in (("drug", 1.0), ("placebo", 0.0))]
    )
    rows["reference_dose"] = float("nan")
    tables = {
        "rows": rows,
        "responders": pd.DataFrame([{"drug": "psilocybin"}]),
        "counted_alone": pd.DataFrame(
            [{"trial": t, "drug": "psilocybin", "enters": e} for t, e in (("three", "in the closed form"), ("four", "sampler's alone"))]
        ),
        "funnel": pd.DataFrame([{"drug": "psilocybin", "trial": "one"}]),
        "synthesis_effects": pd.DataFrame([{"path": "total", "drug": "psilocybin", "n_trials": n} for n in (4, 1)]),
    }  # fmt: skip
    table = pp.trial_counts(tables).set_index("section")
    assert table["trials"].to_dict() == {
        "the headline": 2,
        "responders": 3,
        "small and selected trials": 1,
        "the experience": 5,
    }
    assert table.loc["small and selected trials", "without"] == "two"
    assert table.loc["responders", "besides"] == "three"
    assert (table["counts"].str.len() > 40).all()
