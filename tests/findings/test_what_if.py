"""What if: the ends are what other tables print, the middle the refits, responders follow, and sentences hold the table's numbers."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import pillprocess as pp
from pillprocess.findings.what_if import what_if_words
from tests.findings.tables import interval, made


def tables(*, curve: float = -1.0) -> dict[str, pd.DataFrame]:
    shares = [
        {"rows": rows, "share": share, "drug": "psilocybin", "therapy": 1.0, "sd": 0.1} | interval(mean, mean - 0.2, mean + 0.2)
        for rows in ("headline", "responders") for share, mean in ((0.0, -0.77), (0.5, -0.6), (1.0, -0.1))
    ]  # fmt: skip
    path = {"path": "experience", "drug": "psilocybin", "therapy": 1.0}
    fits = [path | {"causal_share": s} | interval(s * curve, 1.5 * s * curve, 0.5 * s * curve) for s in (0.0, 1.0)]
    return made() | {"belief_shares": pd.DataFrame(shares), "synthesis_curve": pd.DataFrame(fits)}


def test_the_ends_are_the_rows_other_tables_print_and_the_middle_is_the_curves(build_evidence):
    table = pp.what_if(tables(), build_evidence()).set_index(["assumption", "share", "quantity"])
    total = table.xs("total", level="quantity")
    assert total["mean"].tolist() == [-0.8, -0.6, -0.7]  # the headline's, the curve's, the belief pair's
    assert total["points_low"].tolist() == [-10.0, -8.0, -9.0]
    assert table.loc[("belief", 0.0, "needed"), ["mean", "ci_low", "ci_high"]].tolist() == [4.0, 3.3, 5.0]
    experience = table.loc["experience"].xs("experience", level="quantity")
    assert experience["points"].tolist() == [0.0, -10.0]


def test_responders_at_a_share_are_those_of_people_who_pass_a_threshold(build_evidence):
    table = pp.what_if(tables(), build_evidence()).set_index(["assumption", "share", "quantity"])
    rng = np.random.default_rng(0)
    effect = rng.normal(-0.6, 0.1, 200_000)
    gain = 100 * (norm.cdf(norm.ppf(0.2) - effect) - 0.2)
    half = table.loc[("belief", 0.5, "response")]
    assert half["mean"] == pytest.approx(gain.mean(), abs=0.05)
    assert half["ci_low"] == pytest.approx(100 * (norm.cdf(norm.ppf(0.2) + 0.4) - 0.2))
    needed = table.loc[("belief", 0.5, "needed")]
    assert needed[["mean", "ci_low", "ci_high"]].tolist() == pytest.approx(
        [100 / half["mean"], 100 / half["ci_high"], 100 / half["ci_low"]]
    )
    # at all of it the interval of the difference holds 0: the number needed has no limits
    assert table.loc[("belief", 1.0, "response"), "ci_low"] < 0
    assert table.loc[("belief", 1.0, "needed"), ["ci_low", "ci_high"]].isna().all()


def test_sentences_hold_the_tables_numbers_and_say_when_the_part_is_more_than_the_whole(build_evidence):
    evidence = build_evidence()
    said = what_if_words(pp.what_if(tables(), evidence), pp.summary_of_findings(tables(), evidence))
    assert said["belief", 0.5].startswith(
        "If half of what goes with belief is belief's own effect, people on psilocybin, given with therapy, improve by 6.0 points of the "
        "MADRS [4.0, 8.0] more than their controls; "
    )
    assert said["belief", 1.0].endswith(" (no limits) must be treated for one more responder.")
    assert said["experience", 0.0] == (
        "If none of the experience's association with improvement is causal, it is a bystander: nothing runs through it."
    )
    assert said["experience", 1.0] == (
        "If all of the experience's association with improvement is causal, 10.0 points of the MADRS [5.0, 15.0] of psilocybin's effect "
        "run through the experience: more than its whole effect, so that the rest would work against it."
    )
    less = tables(curve=-0.5)
    said = what_if_words(pp.what_if(less, evidence), pp.summary_of_findings(less, evidence))
    assert said["experience", 1.0].endswith("run through the experience.")


def test_what_was_not_fitted_is_no_assumption(build_evidence):
    found = tables() | {"responders": pd.DataFrame([{"reason": "nobody counted"}])}
    table = pp.what_if(found, build_evidence()).set_index("quantity")
    assert table.loc["needed", "mean"].isna().all()
    assert table.loc["needed", "evidence"].eq("nobody counted").all()
    del found["synthesis_curve"]
    found["belief_shares"] = pd.DataFrame([{"reason": "belief is not known"}])
    empty = pp.what_if(found, build_evidence())
    assert empty.empty
    assert what_if_words(empty, pp.summary_of_findings(made(), build_evidence())) == {}
