"""Predictive checks of hand-written replicates, and prior draws against the moments of their prior."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import pillprocess as pp


@pytest.fixture
def design(arm_row, contrast_row):
    arms = [
        arm_row("t1", "drug", -1.5, 0.20, dose=1.0, therapy=1.0),
        arm_row("t1", "placebo", -0.5, 0.25, therapy=1.0),
        arm_row("t2", "drug", -1.0, 0.30, dose=0.5, study_drug="MDMA", drug_given="MDMA"),
        arm_row("t2", "placebo", 0.0, 0.30, study_drug="MDMA", drug_given="MDMA"),
    ]
    differences = [
        contrast_row("c1", "high", "placebo", -0.8, 0.30, dose=1.0),
        contrast_row("c1", "low", "placebo", -0.5, 0.28, dose=0.5),
    ]
    return pp.decomposition_design(pd.DataFrame(arms), pd.DataFrame(differences))


def replicated(design, values, group="posterior_predictive"):
    row = {"row": design["row"].to_numpy()}
    return xr.DataTree.from_dict(
        {
            f"/{group}": xr.Dataset({"y": (("chain", "draw", "row"), values)}, coords=row),
            "/observed_data": xr.Dataset({"y": ("row", design["y"].to_numpy())}, coords=row),
            "/constant_data": design,
        }
    )


def test_each_row_is_compared_with_its_replicates(design):
    # 2 chains x 3 draws of 0, -.5, ..., -2.5 in every row
    values = np.broadcast_to(-0.5 * np.arange(6.0).reshape(2, 3, 1), (2, 3, 6))
    table = pp.predictive_check(replicated(design, values))
    assert list(table.columns) == [
        "trial", "row", "study_drug", "y", "mean", "ci_low", "ci_high", "p_below", "inside",
    ]  # fmt: skip
    assert table["trial"].tolist() == ["t1", "t1", "t2", "t2", "c1", "c1"]
    assert table["study_drug"].tolist() == ["psilocybin"] * 2 + ["MDMA"] * 2 + ["psilocybin"] * 2
    assert set(table["mean"]) == {-1.25}
    np.testing.assert_allclose(table["ci_low"], -2.5 + 0.0625, rtol=1e-14)
    np.testing.assert_allclose(table["ci_high"], -0.0625, rtol=1e-14)
    # replicates strictly below the observed value: -1.5 has -2, -2.5; -.5 has four; 0 has five
    np.testing.assert_allclose(table["p_below"], [2 / 6, 4 / 6, 3 / 6, 5 / 6, 4 / 6, 4 / 6], rtol=1e-14)
    assert table["inside"].tolist() == [True, True, True, False, True, True]


def test_the_level_narrows_the_interval(design):
    values = np.broadcast_to(np.linspace(-2, 0, 202).reshape(2, 101, 1), (2, 101, 6))
    table = pp.predictive_check(replicated(design, values), level=0.5)
    np.testing.assert_allclose(table["ci_low"], -1.5, rtol=1e-12)
    np.testing.assert_allclose(table["ci_high"], -0.5, rtol=1e-12)


def test_the_order_of_the_dims_does_not_matter(design):
    values = np.random.default_rng(0).normal(size=(2, 30, 6))
    tree = replicated(design, values)
    turned = replicated(design, values)
    turned["posterior_predictive"] = xr.DataTree(
        tree["posterior_predictive"].to_dataset().transpose("row", "draw", "chain")
    )
    pd.testing.assert_frame_equal(pp.predictive_check(tree), pp.predictive_check(turned))


def test_a_group_that_the_fit_lacks_is_refused(design):
    tree = replicated(design, np.zeros((2, 3, 6)))
    message = "the fit has no group 'prior_predictive'; it has constant_data, observed_data, posterior_predictive"
    with pytest.raises(ValueError, match=message):
        pp.predictive_check(tree, group="prior_predictive")


def test_prior_draws_have_the_mean_and_covariance_of_the_prior(design):
    draws = 40_000
    tree = pp.prior_predictive(design, seed=5, draws=draws)
    y = tree["prior_predictive"]["y"].to_numpy()[0]
    X, Z = design["X"].to_numpy() * design["prior_sd"].to_numpy(), design["Z"].to_numpy() * 0.5
    # the second moment of a half-normal scale is its squared scale
    expected = X @ X.T + Z @ Z.T + design["covariance"].to_numpy()
    spread = np.sqrt(np.diag(expected))
    # 40,000 draws: a mean is known to .005 of the SD; products of heavy-tailed draws to about .02 of the variances
    np.testing.assert_allclose(y.mean(0) / spread, 0, atol=0.02)
    np.testing.assert_allclose(np.cov(y.T) / np.outer(spread, spread), expected / np.outer(spread, spread), atol=0.05)


def test_prior_draws_carry_their_parameters_and_can_be_checked(design):
    tree = pp.prior_predictive(design, seed=5, draws=50)
    prior = tree["prior"].dataset
    assert set(prior.data_vars) == {"tau_mu", "tau_drug", "tau", "coefficients", "theta"}
    assert prior["coefficients"].dims == ("chain", "draw", "coefficient")
    assert prior["theta"].shape == (1, 50, 6)
    np.testing.assert_array_equal(prior["coefficient"], design["coefficient"])
    np.testing.assert_array_equal(tree["observed_data"]["y"], design["y"])
    assert len(pp.predictive_check(tree, group="prior_predictive")) == 6
    again = pp.prior_predictive(design, seed=5, draws=50)
    xr.testing.assert_identical(again["prior_predictive"].to_dataset(), tree["prior_predictive"].to_dataset())


@pytest.mark.parametrize(
    ("family", "a", "b", "of"),
    [
        ("halfnormal", 0.4, 0.0, stats.halfnorm(scale=0.4).cdf),
        ("halfcauchy", 0.4, 0.0, stats.halfcauchy(scale=0.4).cdf),
        ("uniform", 0.2, 1.1, stats.uniform(0.2, 0.9).cdf),
        ("invgamma", 1.62, 0.45, lambda tau: stats.invgamma(1.62, scale=0.45).cdf(tau**2)),
    ],
)
def test_scales_are_drawn_from_their_prior(design, family, a, b, of):
    design["prior_scale_family"] = xr.full_like(design["prior_scale_family"], family, dtype="U10")
    design = design.assign(prior_scale_a=("scale", [a] * 3), prior_scale_b=("scale", [b] * 3))
    tau = pp.prior_predictive(design, seed=1, draws=4000)["prior"]["tau"].to_numpy().ravel()
    assert stats.kstest(tau, of).pvalue > 0.001


def test_a_prior_family_that_is_not_known_is_refused(design):
    design["prior_scale_family"] = xr.full_like(design["prior_scale_family"], "gamma", dtype="U10")
    message = (
        "scale 'tau_mu': prior family 'gamma' is not known; use halfnormal, halfcauchy, uniform, invgamma, invgamma_sd"
    )
    with pytest.raises(ValueError, match=message):
        pp.prior_predictive(design, seed=1)
