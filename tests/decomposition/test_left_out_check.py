"""Leave-one-trial-out prediction: against refits, uniform where the model is true, and blind to nothing it is said to see."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pillprocess as pp
from pillprocess.decomposition.left_out_check import CONTRAST, COURSE, OWN


@pytest.fixture
def design(arm_row):
    rows = [
        arm_row(f"t{j}", arm, y, 0.2 + 0.05 * j, dose=dose, role=role)
        for j, shift in enumerate((-0.5, 0.3, -0.2, 0.1, -0.4))
        for arm, y, dose, role in (("high", shift - 0.9, 1.0, "active"), ("pill", shift, 0.0, "inert_placebo"))
    ]
    rows.append(arm_row("alone", "open", -2.0, 0.3, dose=1.0))
    return pp.decomposition_design(pd.DataFrame(rows), terms={"drug"})


def test_the_density_and_the_prediction_of_a_trial_are_those_of_a_refit_without_it(design):
    pit = pp.loto_pit(design).set_index("row")
    rest = design.isel(row=np.arange(2, design.sizes["row"]), row_=np.arange(2, design.sizes["row"]))
    idata = pp.fit(rest, seed=1, draws=4000)
    posterior, rng = idata["posterior"].dataset, np.random.default_rng(1)
    flat = {name: posterior[name].to_numpy().ravel() for name in ("delta", "tau", "tau_mu")}
    n, se, y = len(flat["delta"]), 0.2, design["y"].sel(row=["t0: pill", "t0: high"]).to_numpy()
    course = posterior["mu_construct"].isel(construct=0).to_numpy().ravel() + flat["tau_mu"] * rng.standard_normal(n)
    drug = flat["delta"] + posterior["v"].isel(drug=0).to_numpy().ravel() + flat["tau"] * rng.standard_normal(n)
    below = stats.norm.cdf(y[0], course, se)
    given = stats.norm.pdf(y[0], course, se)
    assert pit.loc["t0: pill", "pit"] == pytest.approx(below.mean(), abs=0.015)
    contrast = (given * stats.norm.cdf(y[1], course + drug, se)).sum() / given.sum()
    assert pit.loc["t0: high", "pit"] == pytest.approx(contrast, abs=0.02)
    assert pit.loc["t0: high", "mean"] == pytest.approx((given * (course + drug)).sum() / given.sum(), abs=0.02)
    assert pit.loc[["t0: pill", "t0: high", "alone: open"], "kind"].tolist() == [COURSE, CONTRAST, OWN]
    assert pit.loc["t0: high", ["se", "dose"]].tolist() == pytest.approx([se * np.sqrt(2), 1.0])


def test_the_answer_does_not_depend_on_the_order_of_rows_nor_on_the_draws(design):
    order = np.random.default_rng(3).permutation(design.sizes["row"])
    one, other = pp.loto_pit(design), pp.loto_pit(pp.fit(design.isel(row=order, row_=order), seed=5))
    pd.testing.assert_frame_equal(one, other)


def test_a_trial_that_no_other_trial_foresees_is_named(arm_row):
    rows = [
        arm_row(f"t{j}", arm, y, 0.15, dose=dose, role=role)
        for j, effect in enumerate([-0.5, -0.6, -0.4, -0.5, -0.45, -0.55, -0.5, -0.6, -3.0])
        for arm, y, dose, role in (("drug", effect, 1.0, "active"), ("pill", 0.0, 0.0, "inert_placebo"))
    ]
    idata = pp.fit(pp.decomposition_design(pd.DataFrame(rows), terms={"drug"}), seed=1)
    pit = pp.loto_pit(idata)
    assert pit.loc[pit["outlier"], "row"].tolist() == ["t8: drug"]
    checks = pp.check_pit(pit).set_index("check")
    assert checks.loc["largest outlier", "words"] == "t8: drug"
    assert checks.loc["largest outlier", "p"] < 0.01
    # the same trial, asked about itself, is what it says it is
    conditional = pp.predictive_check(idata).set_index("row")
    renewed = pp.predictive_check(idata, group="new_trial", seed=1).set_index("row")
    assert conditional.loc["t8: drug", "inside"]
    assert renewed["ci_low"].to_numpy().sum() < conditional["ci_low"].to_numpy().sum()
    ax = pp.plot_loto_pit(pit)
    assert any("outliers: t8: drug (z = -" in t.get_text() for t in ax.texts)


def test_new_deviations_are_drawn_and_nothing_else_changes(design):
    idata = pp.fit(design, seed=2)
    renewed = pp.new_trial_predictive(idata, seed=1)
    assert renewed["row"].to_numpy().tolist() == design["row"].to_numpy().tolist()
    posterior = idata["posterior"].dataset
    expected = posterior["mu_construct"].isel(construct=0).mean() + posterior["delta"].mean() + posterior["v"].mean()
    assert float(renewed.sel(row="t0: high").mean()) == pytest.approx(float(expected), abs=0.06)
    variance = (posterior["tau"] ** 2 + posterior["tau_mu"] ** 2).mean() + 0.2**2
    centre = posterior["mu_construct"].isel(construct=0) + posterior["delta"] + posterior["v"].isel(drug=0)
    assert float(renewed.sel(row="t0: high").var()) == pytest.approx(float(variance + centre.var()), rel=0.15)


def test_checks_say_what_they_cannot_judge():
    pit = pd.DataFrame({"row": ["a"], "kind": [CONTRAST], "pit": [0.5], "z": [0.0], "se": [0.1], "outlier": [False]})
    assert pp.check_pit(pit)["check"].tolist() == ["contrasts uniform", "largest outlier"]
