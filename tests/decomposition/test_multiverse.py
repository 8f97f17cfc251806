"""Shares with their conventions, and every combination of the declared choices."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.decomposition.multiverse import CHOICES
from pillprocess.decomposition.shares import drug_arms


@pytest.fixture(scope="module")
def evidence():
    return pp.load_evidence()


@pytest.fixture(scope="module")
def few(evidence):
    return pp.multiverse(evidence, choices={"belief": ("without", "with"), "dose": ("linear", "emax")})


def test_the_share_is_that_of_the_draws_by_either_convention(evidence):
    arms = pp.arm_changes(evidence)
    design = pp.decomposition_design(arms, pp.contrasts(evidence, besides=arms))
    table = pp.not_drug_share(design).set_index("convention")
    idata = pp.fit(design, seed=1, draws=2000)
    parts = pp.contributions(idata).isel(row=drug_arms(design)).sum("row")
    total = parts.sum("term")
    for convention, terms in (
        ("interaction with the drug", ["drug", "drug:therapy"]),
        ("interaction with the process", ["drug"]),
    ):
        share = (total - parts.sel(term=terms).sum("term")) / total
        row = table.loc[convention]
        assert row["mean"] == pytest.approx(float(share.mean()), abs=0.005)
        assert row[["ci_low", "ci_high"]].tolist() == pytest.approx(
            share.quantile([0.025, 0.975]).to_numpy(), abs=0.012
        )
    assert (table["arms"] >= table["trials"]).all()
    assert not table["belief"].any()
    assert pp.not_drug_share(idata).equals(pp.not_drug_share(design))


def test_a_share_needs_the_drug_term_and_drug_arms(evidence):
    arms = pp.arm_changes(evidence)
    differences = pp.contrasts(evidence, besides=arms)
    with pytest.raises(ValueError, match="the model has no drug term, so no share can be given"):
        pp.not_drug_share(pp.decomposition_design(arms, terms={"therapy"}))
    with pytest.raises(ValueError, match="no controlled trial gives its arms: a share needs the change of a drug arm"):
        pp.not_drug_share(pp.decomposition_design(arms.iloc[:0], differences, baseline="free"))


def test_a_specification_is_the_fit_made_with_its_choices(evidence, few):
    assert len(few) == 4
    assert (few["reason"] == "").all()
    arms = pp.arm_changes(evidence)
    design = pp.decomposition_design(
        arms, pp.contrasts(evidence, besides=arms), terms=pp.HEADLINE | {"expectancy"}, dose_shape="emax"
    )
    row = few[(few["belief"] == "with") & (few["dose"] == "emax")].iloc[0]
    exact = pp.linear_summary(design, {"drug": {"delta": 1.0}, "interaction": {"kappa": 1.0}, "therapy": {"psi": 1.0}})
    for name in ("drug", "interaction", "therapy"):
        assert row[name] == pytest.approx(exact.loc[name, "mean"], abs=0.005)
        assert row[[f"{name}_low", f"{name}_high"]].tolist() == pytest.approx(
            exact.loc[name, ["ci_low", "ci_high"]].tolist(), abs=0.02
        )
    share = pp.not_drug_share(design).iloc[0]
    assert row[["share", "share_low", "share_high"]].tolist() == pytest.approx(
        share[["mean", "ci_low", "ci_high"]].tolist(), abs=0.005
    )


def test_what_cannot_be_fitted_is_a_row_with_its_reason(evidence):
    one_group = pp.multiverse(evidence, choices={"evidence": ("all",)})
    assert one_group["reason"].tolist() == [""]
    without = pd.concat([one_group.assign(reason="x", share=np.nan), one_group])
    ax = pp.plot_multiverse(without, quantity="share")
    assert "1 specifications in rising order, with 95 % intervals; 1 of 2 have none" in ax.get_xlabel()
    unpublished = replace(evidence, trials=evidence.trials.assign(published=0))
    table = pp.multiverse(unpublished, choices={"evidence": ("all", "published only")})
    assert table["reason"].tolist() == ["", "nothing was fitted: there are no rows"]
    assert table["drug"].isna().tolist() == [False, True]


def test_choices_that_are_not_declared_are_refused_all_at_once(evidence):
    message = (
        "no specification was fitted:\nunknown choice 'colour'; declared are belief, .*\n"
        "dose: 'cubic' is not an option; declared are linear, log, emax"
    )
    with pytest.raises(ValueError, match=message):
        pp.multiverse(evidence, choices={"colour": ("red",), "dose": ("cubic",)})


def test_the_curve_rises_and_rings_the_headline(few):
    for quantity in ("share", "drug", "therapy", "interaction"):
        ax = pp.plot_multiverse(few, quantity=quantity)
        curve, open_marks, ring = (line.get_ydata() for line in ax.lines[:3])
        assert (np.diff(curve) >= 0).all()
        assert (np.diff(open_marks) >= 0).all()
        assert ring.tolist() == few.loc[(few["belief"] == "without") & (few["dose"] == "linear"), quantity].tolist()
        assert "dose: emax" in [t.get_text() for t in ax.get_yticklabels()]
    with pytest.raises(ValueError, match="quantity = 'tau'; drawn are drug, interaction, therapy, share"):
        pp.plot_multiverse(few, quantity="tau")
    assert list(few.columns[: len(CHOICES)]) == list(CHOICES)
