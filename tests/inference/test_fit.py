"""Which route a fit takes, what it carries, and the check that stops at a fit that cannot be trusted."""

import sys
import types

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

import pillprocess as pp


@pytest.fixture(scope="module")
def design(arm_row, contrast_row):
    arms = [
        arm_row("t1", "drug", -1.5, 0.20, dose=1.0),
        arm_row("t1", "placebo", -0.5, 0.25),
        arm_row("t2", "drug", -1.4, 0.30, dose=0.8),
        arm_row("t2", "placebo", -0.7, 0.30),
    ]
    differences = [
        contrast_row("c1", "high", "placebo", -0.8, 0.30, n=(20, 30), dose=1.0),
        contrast_row("c1", "low", "placebo", -0.5, 0.28, n=(25, 30), dose=0.5),
    ]
    return pp.decomposition_design(pd.DataFrame(arms), pd.DataFrame(differences), terms={"drug"})


def plain_model():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("x"), 1, observed=[0.0, 1.0])
    return model


@pytest.fixture
def calls(monkeypatch):
    """Both routes replaced by a note of how they were called."""
    noted = []

    def note(route):
        return lambda model, **settings: noted.append((route, model, settings))

    for name, function, route in (("gaussian.fit", "fit_exact", "exact"), ("inference.sampling", "sample", "sampler")):
        module = types.ModuleType(f"pillprocess.{name}")
        setattr(module, function, note(route))
        monkeypatch.setitem(sys.modules, f"pillprocess.{name}", module)
    return noted


def test_a_design_takes_the_exact_route_and_can_be_sampled(calls, design):
    pp.fit(design, seed=3, draws=10, chains=2)
    pp.fit(design, seed=3, draws=10, chains=2, tune=20, route="sampler", target_accept=0.9)
    exact, sampler = calls
    assert exact[0] == "exact"
    assert exact[1] is design
    assert exact[2] == {"seed": 3, "draws": 10, "chains": 2, "by_row": None}
    assert sampler[0] == "sampler"
    assert isinstance(sampler[1], pm.Model)
    assert sampler[1].design is design
    assert sampler[2] == {"seed": 3, "draws": 10, "chains": 2, "tune": 20, "target_accept": 0.9, "progress": False}


def test_a_model_is_sampled_and_takes_the_exact_route_through_its_design(calls, design):
    model = pp.gaussian_model(design)
    pp.fit(model, seed=3)
    pp.fit(model, seed=3, route="exact")
    assert [(route, fitted) for route, fitted, _ in calls] == [("sampler", model), ("exact", design)]


def test_the_exact_route_is_refused_where_there_is_no_design(calls):
    message = "route='exact' needs a design of Gaussian rows; this pm.Model has none, so use route='sampler'"
    with pytest.raises(ValueError, match=message):
        pp.fit(plain_model(), seed=1, route="exact")
    assert calls == []


def test_an_unknown_route_is_refused(calls, design):
    with pytest.raises(ValueError, match="route = 'nuts'; it must be 'exact' or 'sampler'"):
        pp.fit(design, seed=1, route="nuts")
    assert calls == []


def good_draws(seed=0, shape=(4, 500)):
    rng = np.random.default_rng(seed)
    labels = {"drug": ["MDMA", "psilocybin"]}
    return xr.Dataset(
        {
            "delta": (("chain", "draw"), rng.normal(size=shape)),
            "v": (("chain", "draw", "drug"), rng.normal(size=(*shape, 2))),
        },
        coords=labels | {"chain": range(shape[0]), "draw": range(shape[1])},
    )


def fitted(posterior, diverging=None):
    tree = {"/posterior": posterior}
    if diverging is not None:
        tree["/sample_stats"] = xr.Dataset({"diverging": (("chain", "draw"), diverging)})
    return xr.DataTree.from_dict(tree)


def test_a_fit_that_converged_gives_its_table():
    table = pp.check_fit(fitted(good_draws(), np.zeros((4, 500), bool)))
    assert table.index.tolist() == ["delta", "v[MDMA]", "v[psilocybin]"]
    assert list(table.columns) == ["r_hat", "ess_bulk", "ess_tail"]
    assert (table["r_hat"] < 1.01).all()
    assert (table[["ess_bulk", "ess_tail"]] > 400).all(axis=None)
    assert table.attrs["divergences"] == 0


def test_a_fit_without_sampler_statistics_has_no_divergences():
    assert pp.check_fit(fitted(good_draws())).attrs["divergences"] == 0


def failure(*arguments, **settings):
    with pytest.raises(pp.ConvergenceError, match="the fit did not converge and no result was made of it:\n") as caught:
        pp.check_fit(*arguments, **settings)
    return caught.value


@pytest.mark.parametrize("stuck", ["apart", "still"])
def test_a_stuck_chain_is_named_with_its_parameter(stuck):
    posterior = good_draws()
    posterior["v"][1, :, 1] = posterior["v"][1, :, 1] + 5 if stuck == "apart" else 5.0
    error = failure(fitted(posterior))
    (line,) = str(error).splitlines()[1:]
    assert line.startswith("v[psilocybin]: R-hat 1.")
    assert line.endswith("; draw longer chains")
    assert error.report.loc["v[psilocybin]", "r_hat"] > 1.1
    assert len(error.report) == 3


def test_chains_that_never_move_and_disagree_are_caught():
    posterior = good_draws()
    posterior["delta"][:] = np.arange(4.0)[:, None]
    assert failure(fitted(posterior)).report.loc["delta", "r_hat"] > 1e6


def test_a_quantity_that_is_constant_by_definition_passes():
    posterior = good_draws().assign(correlation=(("chain", "draw"), np.ones((4, 500))))
    assert np.isnan(pp.check_fit(fitted(posterior)).loc["correlation", "r_hat"])


def test_divergences_are_counted():
    diverging = np.zeros((4, 500), bool)
    diverging[2, [3, 8, 9]] = True
    error = failure(fitted(good_draws(), diverging))
    assert "3 divergent transitions; raise target_accept or simplify the model" in str(error)
    assert error.report.attrs["divergences"] == 3


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_draws_that_are_not_finite_are_named(value):
    posterior = good_draws()
    posterior["v"][0, 0, 0] = value
    assert "v: draws that are not finite" in str(failure(fitted(posterior)))


def test_too_few_draws_do_not_pass_and_the_bounds_are_arguments():
    short = fitted(good_draws(shape=(4, 60)))
    assert len(str(failure(short)).splitlines()) == 4
    assert len(pp.check_fit(short, min_ess=50, max_r_hat=1.1)) == 3


def test_each_criterion_stops_a_fit_by_itself():
    apart = good_draws()
    apart["delta"][1] = apart["delta"][1] + 1.0
    assert "delta: R-hat 1." in str(failure(fitted(apart), min_ess=1))
    slow = good_draws(shape=(4, 2000))
    slow["delta"][:] = slow["delta"].rolling(draw=40, min_periods=1).mean()
    found = failure(fitted(slow), max_r_hat=2).report.loc["delta"]
    assert found["ess_bulk"] < 400
    sticky = good_draws(shape=(4, 4000))
    sticky["delta"][:, 600:750] = 4.0
    found = failure(fitted(sticky), max_r_hat=2).report.loc["delta"]
    assert found["ess_tail"] < 400 < found["ess_bulk"]


def test_all_problems_are_reported_at_once():
    posterior = good_draws()
    posterior["v"][1] = 5.0
    posterior["delta"][0, 0] = np.nan
    lines = str(failure(fitted(posterior, np.ones((4, 500), bool)))).splitlines()
    assert lines[1:3] == [
        "delta: draws that are not finite",
        "2000 divergent transitions; raise target_accept or simplify the model",
    ]
    assert [line.split(":")[0] for line in lines[3:]] == ["v[MDMA]", "v[psilocybin]"]


def test_raw_draws_of_effects_are_not_judged():
    posterior = good_draws()
    posterior["v_raw"] = xr.full_like(posterior["v"], np.nan)
    assert "v_raw[MDMA]" not in pp.check_fit(fitted(posterior)).index


@pytest.mark.slow
def test_the_sampler_gives_every_group_of_a_fit(design):
    idata = pp.fit(design, seed=11, draws=300, tune=300, chains=2, route="sampler")
    posterior = idata["posterior"].dataset
    assert not [name for name in posterior if str(name).endswith(("_raw", "_squared"))]
    assert {"mu_construct", "m", "delta", "v", "u", "tau", "tau_drug", "tau_mu"} <= set(posterior.data_vars)
    assert set(idata.children) >= {
        "posterior", "sample_stats", "log_likelihood", "posterior_predictive", "observed_data", "constant_data",
    }  # fmt: skip
    assert {k: idata.attrs[k] for k in ("route", "seed", "data_hash", "outcome")} == {
        "route": "sampler", "seed": 11, "data_hash": design.attrs["data_hash"], "outcome": "change in reference SD",
    }  # fmt: skip
    assert idata.attrs["sampler"].startswith("nutpie ")
    xr.testing.assert_equal(idata["constant_data"].to_dataset(), design)
    np.testing.assert_array_equal(idata["observed_data"]["y"], design["y"])

    theta = pp.contributions(idata).sum("term").transpose("chain", "draw", "row")
    y, covariance = design["y"].to_numpy(), design["covariance"].to_numpy()
    pointwise = stats.norm.logpdf(y, theta, np.sqrt(np.diag(covariance)))
    likelihood = idata["log_likelihood"].dataset
    np.testing.assert_allclose(likelihood["y"].transpose("chain", "draw", "row"), pointwise, rtol=1e-9)
    per_trial = {
        trial: [
            stats.multivariate_normal.logpdf(y[rows], mean[rows], covariance[np.ix_(rows, rows)])
            for mean in theta.to_numpy().reshape(-1, 6)[:20]
        ]
        for trial, rows in {"t1": [0, 1], "t2": [2, 3], "c1": [4, 5]}.items()
    }
    by_trial = idata["log_likelihood_by_trial"].dataset
    assert by_trial["trial"].to_numpy().tolist() == ["t1", "t2", "c1"]
    for trial, expected in per_trial.items():
        found = by_trial["y_trial"].sel(trial=trial).transpose("chain", "draw").to_numpy().ravel()[:20]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    noise = (idata["posterior_predictive"]["y"] - theta).transpose("chain", "draw", "row").to_numpy().reshape(-1, 6)
    # 600 draws: the standard error of a variance is 6 %, of a covariance less
    np.testing.assert_allclose(np.cov(noise.T), covariance, atol=0.25 * np.diag(covariance).max())


@pytest.mark.slow
def test_a_plain_model_is_sampled_with_its_likelihood_and_without_the_groups_of_a_design():
    idata = pp.fit(plain_model(), seed=2, draws=500, tune=500, chains=2)
    assert set(idata.children) >= {"log_likelihood", "posterior_predictive"}
    assert not {"prior", "log_prior", "log_likelihood_by_trial"} & set(idata.children)
    assert idata.attrs["route"] == "sampler"
    assert float(idata["posterior"]["x"].mean()) == pytest.approx(1 / 3, abs=0.15)
    again = pp.fit(plain_model(), seed=2, draws=500, tune=500, chains=2)
    np.testing.assert_array_equal(again["posterior"]["x"], idata["posterior"]["x"])
