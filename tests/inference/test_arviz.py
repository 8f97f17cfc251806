"""The trees of both routes, and of a user's own model, in ArviZ's own functions, as its users call them."""

import warnings

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pillprocess as pp
from pillprocess.gaussian.design import gaussian_design


def design(*, effect=True, family=("halfnormal", 0.5, np.nan)):
    """Twelve trials with little of their own, so that importance sampling holds; the last row no parameter touches."""
    index = pd.Index([f"t{j}" for j in range(13)])
    y = pd.Series(0.4 + 0.3 * np.random.default_rng(1).standard_normal(13), index=index)
    fixed = pd.DataFrame({"mu": np.ones(13), ("b", "kind", "x"): np.arange(13) % 2.0}, index=index)
    fixed.iloc[-1] = 0.0
    random = pd.DataFrame({("u", "trial", t): (index == t).astype(float) for t in index[:-1]}, index=index)
    return gaussian_design(
        y, np.eye(13) * 0.09, trial=list(index), fixed=fixed if effect else fixed[["mu"]], prior_sd={"mu": 1.0, "b": 0.5},
        random=random * 0.1, effect_scale={"u": "tau"}, prior_scale={"tau": family}, role=["contrast"] * 13,
    )  # fmt: skip


def check(fits):
    idata = fits["with"]
    assert az.loo(idata).n_data_points == 13
    table = az.compare(fits)
    assert set(table.index) == {"with", "without"}
    assert {"mu", "tau"} <= set(az.summary(idata, var_names=["mu", "tau"]).index)
    sensitivity = az.psense_summary(idata, var_names=["mu", "b", "tau"])
    assert {"prior", "likelihood"} <= set(sensitivity.columns)
    assert np.isfinite(sensitivity[["prior", "likelihood"]].to_numpy(float)).all()
    az.plot_ppc_dist(idata, num_samples=5, backend="none")
    az.plot_prior_posterior(idata, var_names=["mu", "tau"], backend="none")
    assert set(idata["prior"].dataset.data_vars) == set(idata["posterior"].dataset.data_vars)


def test_the_closed_form_speaks_arviz():
    check({name: pp.fit(design(effect=name == "with"), seed=1) for name in ("with", "without")})


@pytest.mark.slow
def test_the_sampler_speaks_arviz():
    sampled = pp.fit(design(), seed=1, route="sampler")
    check({"with": sampled, "without": pp.fit(design(effect=False), seed=1)})


def test_the_log_prior_is_that_of_scipy_and_the_prior_draws_follow_it():
    families = {
        ("halfnormal", 0.5, np.nan): stats.halfnorm(scale=0.5), ("halfcauchy", 0.3, np.nan): stats.halfcauchy(scale=0.3),
        ("uniform", 0.1, 0.9): stats.uniform(0.1, 0.8), ("invgamma_sd", 3.0, 0.5): stats.invgamma(3.0, scale=0.5),
    }  # fmt: skip
    for family, expected in families.items():
        idata = pp.fit(design(family=family), seed=3, draws=200)
        tau = idata["posterior"].dataset["tau"]
        np.testing.assert_allclose(idata["log_prior"].dataset["tau"], expected.logpdf(tau), rtol=1e-10)
        assert stats.kstest(idata["prior"].dataset["tau"].to_numpy().ravel(), expected.cdf).pvalue > 0.001
    idata = pp.fit(design(family=("invgamma", 2.0, 0.2)), seed=3, draws=200)
    tau = idata["posterior"].dataset["tau"].to_numpy()
    density = stats.invgamma(2.0, scale=0.2).logpdf(tau**2) + np.log(2 * tau)
    np.testing.assert_allclose(idata["log_prior"].dataset["tau"], density, rtol=1e-10)
    b = idata["posterior"].dataset["b"]
    np.testing.assert_allclose(idata["log_prior"].dataset["b"], stats.norm(0, 0.5).logpdf(b), rtol=1e-10)
    assert "u" not in idata["log_prior"].dataset


@pytest.mark.slow
def test_a_users_own_model_gets_log_likelihood_and_predictive_draws():
    import pymc as pm

    y = np.random.default_rng(0).normal(1.0, 1.0, 20)
    with pm.Model(coords={"person": np.arange(20)}) as model:
        mu = pm.Normal("mu", 0, 2)
        pm.Normal("score", mu, 1, observed=y, dims="person")
    idata = pp.fit(model, seed=1)
    mu = idata["posterior"].dataset["mu"].to_numpy()
    found = idata["log_likelihood"].dataset["score"].transpose("chain", "draw", "person")
    np.testing.assert_allclose(found, stats.norm(mu[..., None], 1).logpdf(y))
    assert float(idata["posterior_predictive"].dataset["score"].mean()) == pytest.approx(
        y.mean() * 20 / 20.25, abs=0.05
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert az.loo(idata).n_data_points == 20


def test_the_guarded_comparison_says_when_arviz_would_mislead():
    table = pp.compare({name: pp.fit(design(effect=name == "with"), seed=1) for name in ("with", "without")})
    assert "leaves out each trial as a whole" in table.attrs["arviz"]
    assert "given the deviations of the row's own trial" in table.attrs["arviz"]
