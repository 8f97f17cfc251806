"""What a trial, the prior and the likelihood move, against refits and by hand."""

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.gaussian.design import gaussian_design


def pair(arm_row, trial, y, se):
    return [arm_row(trial, "drug", y, se, dose=1.0), arm_row(trial, "pill", 0.0, se)]


@pytest.fixture
def design(arm_row):
    rows = [row for j, y in enumerate((-1.2, -0.4, -0.7, -2.0)) for row in pair(arm_row, f"t{j}", y, 0.2 + 0.1 * j)]
    return pp.decomposition_design(pd.DataFrame(rows), terms={"drug"})


def test_leverage_and_shift_equal_a_refit_without_the_trial_its_heterogeneity_included(design):
    table = pp.influence(pp.fit(design, seed=1)).set_index(["trial", "variable"])
    drug = {"delta": {"delta": 1.0}}
    whole, tau = pp.linear_summary(design, drug).loc["delta"], pp.scale_summary(design)
    for trial in ("t0", "t3"):
        kept = np.flatnonzero(design["trial"].to_numpy() != trial)
        rest = design.isel(row=kept, row_=kept)
        without = pp.linear_summary(rest, drug).loc["delta"]
        row = table.loc[(trial, "delta")]
        assert row["leverage"] == pytest.approx(1 - whole["sd"] ** 2 / without["sd"] ** 2, abs=2e-3)
        assert row["shift"] == pytest.approx((without["mean"] - whole["mean"]) / whole["sd"], abs=2e-3)
        for name in design["scale"].to_numpy().tolist():
            assert table.loc[(trial, name), "mean_without"] == pytest.approx(
                pp.scale_summary(rest).loc[name, "mean"], abs=3e-3
            )
            assert tau.loc[name, "mean"] > 0


def test_an_outlying_trial_makes_the_heterogeneity_and_the_estimate_is_surer_without_it(arm_row):
    rows = [row for j, y in enumerate((-0.5, -0.52, -0.48, -0.5, -2.5)) for row in pair(arm_row, f"t{j}", y, 0.1)]
    table = pp.influence(pp.fit(pp.decomposition_design(pd.DataFrame(rows), terms={"drug"}), seed=1))
    delta, tau = (table[table["variable"] == name].set_index("trial") for name in ("delta", "tau"))
    assert delta.loc["t4", "leverage"] < 0 < delta.loc["t0", "leverage"]
    assert tau.loc["t4", "shift"] < -1.5
    assert delta.loc["t4", "shift"] > 0.3


def test_the_only_trial_of_a_term_has_most_of_its_leverage(arm_row):
    rows = [*pair(arm_row, "sharp", -1.0, 0.05), *pair(arm_row, "vague", -1.0, 2.0)]
    table = pp.influence(pp.fit(pp.decomposition_design(pd.DataFrame(rows), terms={"drug"}), seed=1))
    drug = table[table["variable"] == "delta"].set_index("trial")["leverage"]
    assert (
        drug["sharp"] > 0.45
    )  # not more: what one trial says of the pooled effect is limited by the heterogeneity, refitted too
    assert drug["vague"] < 0.05


def test_a_coefficient_of_one_trial_is_left_with_its_prior_without_it_and_with_a_refit_without_another():
    names, trial = list("abcdef"), ["t0", "t0", "t1", "t1", "t2", "t2"]
    fixed = pd.DataFrame({"mu": 1.0, "drug": [0, 1, 0, 1, 0, 1.0], "extra": [0, 0, 0, 0, 0, 1.0]}, index=names)
    design = gaussian_design(
        pd.Series([0.1, -0.9, 0.0, -0.3, 0.2, -1.5], index=names), 0.05 * np.eye(6), trial=trial, fixed=fixed,
        prior_sd={"mu": 1.0, "drug": 1.0, "extra": 0.5}, prior_mean={"extra": 0.2},
        random=pd.DataFrame({("u", "trial", f"t{j}"): fixed["drug"] * [float(t == f"t{j}") for t in trial] for j in range(3)}),
        effect_scale={"u": "tau"}, prior_scale={"tau": ("halfnormal", 0.5, np.nan)},
    )  # fmt: skip
    table = pp.influence(pp.fit(design, seed=1, draws=10)).set_index(["trial", "variable"])
    assert table.loc[("t2", "extra"), ["mean_without", "sd_without"]].tolist() == pytest.approx([0.2, 0.5])
    kept = np.flatnonzero(design["trial"].to_numpy() != "t0")
    refit = pp.linear_summary(design.isel(row=kept, row_=kept), {name: {name: 1.0} for name in ("mu", "drug", "extra")})
    for name in refit.index:
        found = table.loc[("t0", name), ["mean_without", "sd_without"]]
        assert found.tolist() == pytest.approx(refit.loc[name, ["mean", "sd"]].tolist(), abs=2e-3)


def test_power_scaling_of_a_conjugate_model_is_its_closed_form():
    design = gaussian_design(
        pd.Series([1.0], index=["only"]), np.array([[0.25]]), trial=["t"], fixed=pd.DataFrame({"beta": [1.0]}, index=["only"]),
        prior_sd={"beta": 1.0},
    )  # fmt: skip
    table = pp.power_scaling(design, factor=2.0)
    # y = 1 with variance .25, prior N(0, 1): mean = (1 / .25) / (1 / .25 + power) and SD = 1 / sqrt(5)
    prior = abs(4 / (4 + 2.0) - 4 / (4 + 0.5)) * np.sqrt(5) / 2
    likelihood = abs(8 / (8 + 1) - 2 / (2 + 1)) * np.sqrt(5) / 2
    assert table.loc["beta", ["prior", "likelihood"]].tolist() == pytest.approx([prior, likelihood], rel=1e-6)
