"""Responders per drug: rates, numbers needed to treat and arms that only have counts, from the evidence and from tables by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import pillprocess as pp
from pillprocess.decomposition.response_table import IN_MODEL, SAMPLER_ONLY
from pillprocess.rows.response_contrasts import counted_responses


@pytest.fixture(scope="module")
def evidence():
    return pp.load_evidence()


@pytest.fixture(scope="module")
def table(evidence) -> pd.DataFrame:
    return pp.response_table(evidence).set_index(["drug", "therapy"])


def test_the_rate_without_the_drug_is_what_its_own_control_arms_counted(table):
    mdma = table.loc[("MDMA", 1.0)]
    assert mdma["control_n"] == 37 + 42 + 7 + 4 + 6
    assert mdma["control_rate"] == pytest.approx((23 + 29 + 2 + 0 + 1) / 96)
    assert mdma["counted_trials"] == 5
    treated = (37 + 45 + 8 + 4 + 6) / (42 + 52 + 12 + 8 + 12)
    assert mdma["observed"] == pytest.approx(treated - 55 / 96)


def test_response_and_number_needed_to_treat_follow_from_the_effect(table):
    rated = table[table["note"] == ""]
    assert {("MDMA", 1.0), ("psilocybin", 1.0), ("ketamine", 0.0), ("esketamine", 0.0)} <= set(rated.index)
    threshold = norm.ppf(rated["control_rate"].astype(float))
    for end, effect in (("low", "effect_high"), ("high", "effect_low")):
        expected = norm.cdf(threshold - rated[effect].astype(float))
        np.testing.assert_allclose(rated[f"response_{end}"], expected, atol=2e-4)  # quantiles between draws
        np.testing.assert_allclose(rated[f"risk_difference_{end}"], expected - rated["control_rate"], atol=2e-4)
    np.testing.assert_allclose(rated["nnt"], 1 / rated["risk_difference"])
    np.testing.assert_allclose(rated["nnt_low"], 1 / rated["risk_difference_high"])
    np.testing.assert_allclose(rated["nnt_high"], 1 / rated["risk_difference_low"])


def test_a_drug_whose_trials_counted_no_responders_says_so(table):
    lsd = table.loc[("LSD", 1.0)]
    assert lsd["note"] == "no control arm of its trials counted responders, or all or none did"
    assert np.isnan(lsd["nnt"])
    assert lsd["effect"] < 0


def test_arms_that_only_have_counts_are_listed_with_how_they_enter(evidence):
    found = pp.counted_alone(evidence).set_index(["trial", "arm"])
    assert found.loc[("anand2023", "ect"), ["enters", "control"]].tolist() == [IN_MODEL, "another treatment"]
    assert found.loc[("taylor2018", "saline"), ["enters", "control"]].tolist() == [SAMPLER_ONLY, "no or low dose"]
    arms = pp.arm_changes(evidence)
    assert not set(found.index.get_level_values("trial")) & {
        *arms["trial"],
        *pp.contrasts(evidence, besides=arms)["trial"],
    }
    large = (found["responders"] >= 10) & (found["n"] - found["responders"] >= 10)
    assert ((found["enters"] == IN_MODEL) <= large).all()


def by_hand(build_evidence, drug=20, control=8, **cells):
    """One trial with three doses and another treatment, all of whose arms counted responders among 40 people, and a mean in two."""
    arms = {
        "high": ("active", "psilocybin", 25, drug), "middle": ("active", "psilocybin", 10, 30),
        "placebo": ("inert_placebo", "placebo", 0, control), "pill": ("comparator", "escitalopram", 0, 25),
    }  # fmt: skip
    means = {"high": -12, "placebo": -6}
    return build_evidence(
        trials=[{"trial_id": "one"}],
        arms=[{"trial_id": "one", "arm_id": a, "role": r, "drug": d, "dose_mg_equiv": x} for a, (r, d, x, _) in arms.items()],
        outcomes=[
            {"trial_id": "one", "arm_id": a, "n": 40, "responders": c, "change_mean": means.get(a), "change_sd": 8} | cells
            for a, (*_, c) in arms.items()
        ],
    )  # fmt: skip


def test_controls_are_arms_of_the_lowest_dose_and_other_treatments_are_none(build_evidence):
    found = counted_responses(by_hand(build_evidence)).set_index("arm")
    assert found["control"].to_dict() == {"high": False, "placebo": True}
    assert found["responders"].to_dict() == {"high": 20, "placebo": 8}


def test_an_interval_that_holds_no_difference_gives_no_limits_of_the_number(build_evidence):
    row = pp.response_table(by_hand(build_evidence, n=4, responders=2)).iloc[0]
    assert row["risk_difference_low"] < 0 < row["risk_difference_high"]
    assert np.isnan([row["nnt_low"], row["nnt_high"]]).all()
    assert np.isfinite(row["nnt"])


def test_rows_without_a_drug_give_no_table(build_evidence):
    arms = [{"trial_id": "one", "arm_id": a, "role": "inert_placebo", "drug": "placebo"} for a in "ab"]
    outcomes = [{"trial_id": "one", "arm_id": a, "change_mean": -5, "change_sd": 8} for a in "ab"]
    with pytest.raises(ValueError, match="no row gives a drug: there is no response to it"):
        pp.response_table(build_evidence(trials=[{"trial_id": "one"}], arms=arms, outcomes=outcomes))
