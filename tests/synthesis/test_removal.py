"""Removing evidence, and what other drugs say, with a stand-in for the sampler whose answers are known."""

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.synthesis.causal_share import causal_shares, share_curve
from pillprocess.synthesis.kinds import KINDS, has_kind, only_drug, without, without_rows
from pillprocess.synthesis.removal import by_pooling, pooling_fits, without_each_kind
from tests.synthesis.cases import small_items
from tests.synthesis.stand_in import fit_with

HELD = [kind for kind in KINDS if kind not in ("therapy comparisons", "participants")]


@pytest.fixture(scope="module")
def items(build_evidence):
    return small_items(build_evidence)


def test_a_fit_that_what_is_left_does_not_determine_is_a_row_with_its_reason(items):
    def refit(given, **_):
        if not given["count_n"].any():
            raise pp.ConvergenceError("the fit did not converge", pd.DataFrame({"r_hat": [1.0, 1.21]}))
        return fit_with(items, (-0.3, -0.3), b=(-0.2, -0.2))

    table = without_each_kind(fit_with(items, (-0.3, -0.3)), seed=1, refit=refit)
    silent = table[table["total"].isna()]
    assert silent["without"].unique().tolist() == ["response counts"]
    assert set(silent["reason"]) == {
        "no answer: what is left allows several answers, and the chains found different ones (R-hat 1.21)"
    }
    assert (table.loc[table["total"].notna(), "reason"] == "").all()
    labels = [t.get_text() for t in pp.plot_without(table, drug="ketamine").get_yticklabels()]
    assert "without response counts (no answer)" in labels


def test_each_kind_that_is_there_is_removed_once_and_the_shift_is_in_posterior_sds(items):
    seen = []

    def refit(given, *, checked, pooling=None, **_):
        assert checked
        assert given.sizes == items.sizes
        seen.append((given, pooling))
        return fit_with(items, (-0.3, -0.3), b=(-0.2, -0.2))

    whole = fit_with(items, (-0.3, -0.3))
    table = without_each_kind(whole, seed=1, refit=refit)
    assert table["without"].drop_duplicates().tolist() == ["nothing", *HELD]
    assert [pooling for _, pooling in seen] == [None] * (len(HELD) - 1) + [0.0]
    for (given, _), kind in zip(seen[:3], HELD[:3], strict=True):
        left = given["whitener"].to_numpy().any(axis=1)
        assert (left == (items["row_kind"].to_numpy() != kind)).all()
    assert [int(given["count_n"].sum()) for given, _ in seen].count(0) == 1
    sd = float((2 * whole["posterior"]["b"].sel(drug="ketamine")).std(ddof=1))
    one = table[table["drug"] == "ketamine"]
    assert one["shift"].tolist() == pytest.approx([0.0] + [-0.2 / sd] * len(HELD), rel=1e-6)


def test_own_trials_are_all_that_a_drugs_trials_brought_and_nothing_else(items):
    own = only_drug(items, "ketamine")
    assert own.sizes == items.sizes
    left = own["whitener"].to_numpy().any(axis=1)
    assert sorted(set(items["trial"].to_numpy()[left])) == ["asleep", "infusion"]
    assert own["count_n"].to_numpy().tolist() == [30, 30]
    assert own["guess_n"].to_numpy().tolist() == [0, 20]
    assert own["association_kept"].to_numpy().tolist() == [0, 1]
    assert (own["score_extra"].to_numpy() == 0).tolist() == (items["score_path"].to_numpy() == "ketamine").tolist()


def test_every_table_stands_beside_itself_without_other_drugs(items):
    seen = []

    def refit(given, *, pooling=None, **_):
        seen.append(pooling)
        own = (given["guess_n"].to_numpy() > 0).tolist()
        return fit_with(given, (-0.1 if own == [False, True] else -0.5, -0.7 if own == [True, False] else -0.5))

    fits = pooling_fits(fit_with(items, (-0.3, -0.3)), seed=1, refit=refit)
    assert seen == [0.0, None, None]
    table = by_pooling(fits).query("path == 'direct' and therapy == 0").set_index(["pooling", "drug"])["mean"]
    assert table["pooled as far as the data say"].tolist() == pytest.approx([-0.3, -0.3])
    assert table["no pooling between drugs"].tolist() == pytest.approx([-0.5, -0.5])
    assert table["own trials only"].to_dict() == pytest.approx({"ketamine": -0.1, "psilocybin": -0.7})


def test_the_curve_over_the_causal_share_comes_from_fits_at_fixed_shares(items):
    def refit(_, *, causal_share, checked, **__):
        assert checked
        return fit_with(items, (-0.3, -0.3), b=np.array([-0.1, -0.1]) * causal_share)

    curve = share_curve(fit_with(items, (-0.3, -0.3)), seed=1, refit=refit, shares=(0.0, 0.5, 1.0))
    assert curve.drop_duplicates("drug").set_index("drug")["therapy"].to_dict() == {"ketamine": 0.0, "psilocybin": 1.0}
    assert curve.drop_duplicates("drug").set_index("drug")["n_trials"].to_dict() == {"ketamine": 3, "psilocybin": 3}
    one = curve[(curve["drug"] == "psilocybin") & (curve["path"] == "experience")].set_index("causal_share")
    assert one["mean"].to_numpy() == pytest.approx([0, -0.1, -0.2], abs=1e-12)


def test_the_causal_share_of_the_association_is_derived_and_may_leave_0_to_1(items):
    scale = float(items["outcome_sd"])
    slope = np.array([1.5, -0.5]) * np.tanh(-0.5) * scale
    draws = fit_with(items, (-0.3, -0.3), b=slope)
    prior = fit_with(items, (0, 0), b=0.6 * np.tanh(-0.5) * scale * np.ones(2))["posterior"].dataset
    table = causal_shares(draws, prior=prior).set_index("drug")
    assert table["association"].to_numpy() == pytest.approx(np.tanh(-0.5), abs=1e-3)
    assert table["share"].to_numpy() == pytest.approx([1.5, -0.5], abs=0.02)
    assert table["bias"].to_numpy() == pytest.approx(np.array([-0.5, 1.5]) * np.tanh(-0.5), abs=0.01)
    assert table.loc["ketamine", ["p_half", "p_larger", "p_none"]].tolist() == [1, 1, 0]
    assert table.loc["psilocybin", ["p_half", "p_larger", "p_none"]].tolist() == [0, 0, 1]
    assert table["prior_p_half"].tolist() == [1, 1]


def test_removing_evidence_keeps_the_shapes(items):
    for kind in HELD[:-1]:
        assert without(items, kind).sizes == items.sizes
    gone = np.arange(items.sizes["row"]) == 1
    assert not without_rows(items, gone)["whitener"].to_numpy()[1].any()
    assert [kind for kind in KINDS if has_kind(items, kind)] == HELD
    for kind in ("hearsay", "comparison between drugs"):
        with pytest.raises(
            ValueError,
            match=f"kind = '{kind}'; it must be one of placebo-controlled outcomes, .*; pooling=0 removes the comparison",
        ):
            without(items, kind)
