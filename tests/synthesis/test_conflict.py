"""Setting kinds of evidence against one another, with a stand-in for the sampler whose answers are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pillprocess.synthesis.conflict import compare_draws, comparisons, conflict, judged
from pillprocess.synthesis.items import synthesis_items
from tests.synthesis.cases import small_evidence, small_items
from tests.synthesis.stand_in import fit_with


@pytest.fixture(scope="module")
def items(build_evidence):
    return small_items(build_evidence)


def kept(items):
    whole = items["whitener"].to_numpy().any(axis=1)
    return sorted(set(items["row_kind"].to_numpy()[whole])), int(items["count_n"].sum())


def test_comparisons_follow_from_what_was_measured_and_not_from_how_it_came_out(build_evidence, items):
    assert comparisons(items) == [("slope", "psilocybin"), ("slope", "ketamine"), ("blocked", "ketamine")]
    other = items.assign(y=items["y"] * -3, association_z=items["association_z"] * -1)
    assert comparisons(other) == comparisons(items)
    evidence = small_evidence(build_evidence)
    arms, outcomes = evidence.arms, evidence.outcomes[evidence.outcomes["trial_id"] != "asleep"]
    no_association = build_evidence(
        trials=evidence.trials.to_dict("records"), arms=arms[arms["awake"] != 0].to_dict("records"), outcomes=outcomes.to_dict("records")
    )  # fmt: skip
    assert comparisons(synthesis_items(no_association)) == []


def test_the_whole_effect_is_set_against_what_the_association_would_carry_and_blocked_against_unblocked(items):
    seen = []

    def refit(given, *, terms, checked, **_):
        assert "experience" not in terms
        assert checked
        seen.append(kept(given))
        return fit_with(items, (-0.1, -0.2) if "blocked experience" in kept(given)[0] else (-1.8, -1.1))

    table = conflict(fit_with(items, (-0.3, -0.3)), seed=1, refit=refit).set_index(["question", "drug"])
    assert seen == [(["dose comparisons", "placebo-controlled outcomes"], 0), (["blocked experience"], 0)]
    carried = 2 * np.tanh(-0.5) * float(items["outcome_sd"])
    slope = table.loc[("slope", "psilocybin")]
    assert (slope["one_mean"], slope["other_mean"]) == pytest.approx((carried, -1.1), abs=2e-3)
    assert slope["difference_mean"] == pytest.approx(carried + 1.1, abs=2e-3)
    blocked = table.loc[("blocked", "ketamine")]
    assert blocked["difference_mean"] == pytest.approx(1.7)
    assert (blocked["p"], blocked["verdict"]) == (0, "they disagree")


def test_power_is_the_chance_to_call_a_difference_as_large_as_the_whole_effect_a_disagreement():
    rows = pd.DataFrame({"p": [0.3, 0.9], "whole": [-0.6, -0.6], "difference_sd": [0.3, 0.6]})
    critical = stats.norm.isf(0.0125)  # Holm's first step of two
    assert judged(rows)["power"].tolist() == pytest.approx(
        [
            stats.norm.sf(critical - 2) + stats.norm.cdf(-critical - 2),
            stats.norm.sf(critical - 1) + stats.norm.cdf(-critical - 1),
        ]
    )


def test_a_fit_that_was_drawn_twice_as_long_is_compared_all_the_same():
    rng = np.random.default_rng(1)
    short, long = rng.normal(0, 1, 4_000), rng.normal(1, 1, 8_000)
    for one, other, sign in ((short, long, -1), (long, short, 1)):
        row = compare_draws("which?", "psilocybin", ("one", "other"), one, other, whole=-0.5)
        assert row["difference_mean"] == pytest.approx(sign, abs=0.1)
        assert row["difference_sd"] == pytest.approx(2**0.5, abs=0.06)
        assert row["other_mean"] == pytest.approx(other.mean())


def test_a_small_p_among_many_comparisons_is_a_hint_and_no_disagreement():
    def table(p):
        return judged(pd.DataFrame({"p": p, "whole": -0.6, "difference_sd": 0.3}))

    assert table([0.04, 0.3, 0.9, 0.02])["p_corrected"].tolist() == pytest.approx(
        [0.12, 0.6, 0.9, 0.08]
    )  # Holm 1979: .02 x 4, .04 x 3, .3 x 2, .9
    words = ["a hint of disagreement", *["no disagreement seen"] * 2, "a hint of disagreement"]
    assert table([0.04, 0.3, 0.9, 0.02])["verdict"].tolist() == words
    assert table([0.04, 0.3, 0.9, 0.01])["verdict"].tolist()[3] == "they disagree"
