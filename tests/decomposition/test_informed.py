"""Process terms that other treatments' trials randomised: let in as far as they travel, and named as such."""

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.review.informed_terms import ALONE, informed_terms
from tests.conftest import make_arm_row


@pytest.fixture(scope="module")
def rows():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    return arms, pp.contrasts(evidence, besides=arms)


TERMS = frozenset({"drug", "therapy", "drug:therapy", "expectancy"})


def design(rows, **how):
    return pp.decomposition_design(*rows, terms=TERMS, **how)


def test_the_prior_is_the_product_of_the_terms_own_and_the_transported_one(rows):
    found = design(rows, informed={"therapy": (-0.5, 0.1), "belief": (-0.8, 0.2)}, prior_transport_sd=0.3)
    for name, own, mean, sd in (("psi", 0.7, -0.5, 0.1), ("epsilon", 0.5, -0.8, 0.2)):
        one = found.sel(coefficient=name)
        outside = 1 / (sd**2 + 0.09)
        assert float(one["prior_sd"]) == pytest.approx((outside + own**-2) ** -0.5)
        assert float(one["prior_mean"]) == pytest.approx(outside * mean / (outside + own**-2))
    same = design(rows)
    assert (same["prior_mean"] == 0).all()
    assert "informed" not in same.attrs


def test_a_term_told_from_elsewhere_is_narrower_and_the_ledger_says_where_it_comes_from(rows):
    near = design(rows, informed={"therapy": (-0.5, 0.05)}, prior_transport_sd=0.05)
    summary, alone = (pp.linear_summary(one, {"psi": {"psi": 1.0}}).loc["psi"] for one in (near, design(rows)))
    assert summary["sd"] < 0.07 < alone["sd"]
    ledger = pp.identifiability(pp.fit(near, seed=1)).set_index("term")
    assert ledger.loc["therapy", "share_prior"] > 0.5
    assert ledger.loc["therapy", "evidence"] == "randomised elsewhere, transported"
    assert "trials of other treatments" in ledger.loc["therapy", "verdict"]
    assert ledger.loc["expectancy", "evidence"] != "randomised elsewhere, transported"


def test_a_transport_that_is_far_says_nothing(rows):
    far = pp.linear_summary(
        design(rows, informed={"belief": (-3.0, 0.1)}, prior_transport_sd=1e4), {"e": {"epsilon": 1.0}}
    )
    none = pp.linear_summary(design(rows), {"e": {"epsilon": 1.0}})
    assert far["mean"].to_numpy() == pytest.approx(none["mean"].to_numpy(), abs=1e-6)


@pytest.mark.parametrize("here", [1.0, 0.5, 0.0])
def test_intervals_cover_where_the_term_here_is_the_same_half_or_absent(rows, here):
    """Therapy elsewhere does -.4 (SE .05); here it does the same, half of it, or nothing; trials simulated with NumPy alone."""
    rng, inside, repeats = np.random.default_rng(7), 0, 30
    for _ in range(repeats):
        arms = []
        for trial in range(12):
            course, drug, own = rng.normal(-0.6, 0.2), rng.normal(-0.5, 0.2), rng.normal(-0.4 * here, 0.1)
            kinds = ((0, 0), (1, 0)) if trial < 9 else ((0, 0), (0, 1))
            for k, (dose, therapy) in enumerate(kinds):
                y = course + dose * drug + therapy * own + rng.normal(0, 0.2)
                given = {"dose": float(dose), "therapy": float(therapy), "drug": "psilocybin" if dose else "placebo"}
                arms.append(make_arm_row(f"t{trial}", f"a{k}", y, 0.2, **given))
        table = pp.linear_summary(
            pp.decomposition_design(
                pd.DataFrame(arms), terms=frozenset({"drug", "therapy"}), informed={"therapy": (-0.4, 0.05)}
            ),
            {"psi": {"psi": 1.0}},
        ).loc["psi"]
        inside += abs(table["mean"] + 0.4 * here) < 1.96 * table["sd"]
    assert inside >= 25  # 27 would be 90 %; 25 is a binomial SD below


def test_wrong_choices_are_named_at_once(rows):
    with pytest.raises(
        ValueError, match="(?s)informed names course; trials elsewhere inform therapy and belief of .*it must be > 0"
    ):
        design(rows, informed={"course": (-0.2, 0.1), "therapy": (0.0, 0.0)})
    with pytest.raises(ValueError, match="terms lack 'expectancy', which it speaks of"):
        pp.decomposition_design(*rows, informed={"belief": (-0.5, 0.1)})
    with pytest.raises(ValueError, match="prior_transport_sd = -1; it must be at least 0"):
        design(rows, informed={"belief": (-0.5, 0.1)}, prior_transport_sd=-1.0)


def test_the_report_sets_both_answers_side_by_side(rows):
    table = informed_terms(*rows, seed=1, scales=(0.05, 1.0))
    assert table["transport_name"].unique().tolist() == [ALONE, "0.05", "1"]
    near = table[table["transport_name"] == "0.05"].set_index("term")
    alone = table[table["transport_name"] == ALONE].set_index("term")
    assert near.loc["expectancy", "evidence"] == "randomised elsewhere, transported"
    assert near.loc["expectancy", "share_prior"] > alone.loc["expectancy", "share_prior"]
