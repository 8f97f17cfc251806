"""Sensitivity to unmeasured confounding: closed forms, and truth recovered from large simulated trials."""

import runpy
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.model import mediation
from pillprocess.mediation.sensitivity import LEAST_RHO_SD, mediation_sensitivity, r2_contours
from pillprocess.participants.table import load_participants
from tests.mediation.trees import least_squares, tree

N = 20_000
"""People of a trial whose noise is spread evenly: as good as ten times as many drawn at random, which take long to be read."""


@pytest.fixture(autouse=True)
def _extrapolation_is_not_the_subject():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* it extrapolates beyond", category=UserWarning)
        yield


def roles(**changes):
    return {"treatment": "arm", "reference": 0, "outcome": "y", "mediators": "m"} | changes


def evenly_spread(dimensions: int, arm: np.ndarray, seed: int) -> np.ndarray:
    """Standard normal values, (dimension, person): in each arm a scrambled Halton sequence, whose moments are nearly exact."""
    values = np.empty((dimensions, len(arm)))
    for t in (0, 1):
        points = stats.qmc.Halton(dimensions, rng=seed + t).random(int((arm == t).sum()))
        values[:, arm == t] = stats.norm.ppf(points).T
    return values


def confounded(rho: float, *, binary_m=False, binary_y=False, interaction=True, n=N) -> tuple[pd.DataFrame, float]:
    """A large trial with residual correlation rho of mediator and outcome, and its true tnie."""
    arm = np.arange(n) % 2
    e, f = evenly_spread(2, arm, 4)
    f = rho * e + np.sqrt(1 - rho**2) * f
    a, b, c, theta, sd_m, sd_y = (
        0.8,
        0.5,
        0.3,
        0.2 * interaction,
        (1.0 if binary_m else 1.5),
        (1.0 if binary_y else 2.0),
    )
    latent = -0.2 + a * arm + sd_m * e
    m = (latent > 0).astype(float) if binary_m else latent
    slope = b + theta
    y = -0.4 + c * arm + (b + theta * arm) * m + sd_y * f
    if binary_m:
        truth = slope * (stats.norm.cdf(-0.2 + a) - stats.norm.cdf(-0.2))
    elif binary_y:
        spread = np.sqrt(1 + (slope * sd_m) ** 2 + 2 * rho * slope * sd_m)
        high, low = (stats.norm.cdf((-0.4 + c + slope * (-0.2 + a * t)) / spread) for t in (1, 0))
        truth = high - low
    else:
        truth = slope * a
    table = pd.DataFrame({"arm": arm, "m": m, "y": (y > 0).astype(float) if binary_y else y})
    return table, float(truth)


def probit(design: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Maximum-likelihood probit coefficients."""
    sign = 2 * y - 1

    def loss(beta):
        eta = sign * (design @ beta)
        ratio = np.exp(stats.norm.logpdf(eta) - special.log_ndtr(eta))
        return -special.log_ndtr(eta).mean(), -(design.T @ (sign * ratio)) / len(y)

    return optimize.minimize(loss, np.zeros(design.shape[1]), jac=True, method="BFGS").x


@pytest.mark.parametrize("rho", [-0.4, 0.3])
def test_at_the_true_correlation_the_true_indirect_effect_comes_back(rho):
    table, truth = confounded(rho)
    people = load_participants(table, **roles())
    idata = least_squares(people, mediation(people), interaction=True)
    naive = natural_effects(idata)["tnie"].item()
    corrected = mediation_sensitivity(idata, rho=[rho])["tnie"].item()
    # Spread evenly, 20,000 people give .0002; the naive estimate is wrong by over 0.3.
    assert corrected == pytest.approx(truth, abs=0.005)
    assert abs(naive - truth) > 0.3


@pytest.mark.parametrize("rho", [-0.4, 0.3])
def test_over_trials_the_true_indirect_effect_comes_back_at_the_true_correlation(rho):
    """Eight large trials with their own a, b and c, each regressed on its own; the pooled fit holds their moments."""
    rng = np.random.default_rng(10)
    frames, found, of_y = [], [], []
    true_a = 0.8 + 0.4 * rng.normal(size=8)
    true_b = 0.5 + 0.8 * (true_a - 0.8) + 0.1 * rng.normal(size=8)
    for j, (a, b) in enumerate(zip(true_a, true_b, strict=True)):
        arm = np.arange(N // 8) % 2
        e, f = evenly_spread(2, arm, 2 * j)
        m = j + a * arm + 1.5 * e
        y = -j + rng.normal() * arm + b * m + 2.0 * (rho * e + np.sqrt(1 - rho**2) * f)
        one = np.ones(len(arm))
        first, (rest_m,), *_ = np.linalg.lstsq(np.column_stack([one, arm]), m, rcond=None)
        second, (rest_y,), *_ = np.linalg.lstsq(np.column_stack([one, arm, m]), y, rcond=None)
        found.append([*first, *second])
        of_y.append([rest_m, rest_y])
        frames.append(pd.DataFrame({"arm": arm, "m": m, "y": y, "trial": f"t{j}"}))
    people = load_participants(pd.concat(frames, ignore_index=True), **roles(), trial="trial")
    model = mediation(people, interaction=False)
    effects, each = list(model.coords["effect"]), np.array(found)
    mean = dict(zip(("alpha_m", "a", "alpha_y", "c", "b"), each.mean(0), strict=True))
    shape = {"alpha_m": (1, 1), "a": (1, 1, 1), "alpha_y": (1,), "c": (1, 1), "b": (1, 1)}
    values = {name + suffix: np.full(shape[name], v) for name, v in mean.items() for suffix in ("", "_new")}
    pairs = np.corrcoef(each.T)[np.triu_indices(len(effects), 1)]
    sd_m, sd_y = np.sqrt(np.sum(of_y, axis=0) / N)
    values |= {
        "sigma_m": [[sd_m]], "sigma_y": [sd_y], "gamma_m": np.zeros((1, 1, 0)), "gamma_y": np.zeros((1, 0)),
        "tau": [each.std(0)], "correlation": [pairs],
    }  # fmt: skip
    assert [e.split("[")[0] for e in effects] == list(mean)
    idata = tree(model, values)
    truth, naive = np.mean(true_a * true_b), natural_effects(idata)["tnie"].item()
    # Eight trials of 2,500 people, spread evenly.
    assert mediation_sensitivity(idata, rho=[rho])["tnie"].item() == pytest.approx(truth, abs=0.01)
    assert abs(naive - truth) > 0.2


@pytest.mark.parametrize("rho", [-0.4, 0.3])
def test_a_probit_outcome_gives_the_true_indirect_effect_at_the_true_correlation(rho):
    table, truth = confounded(rho, binary_y=True)
    people = load_participants(table, **roles())
    arm, m, y = table["arm"].to_numpy(), table["m"].to_numpy(), table["y"].to_numpy()
    of_m = np.linalg.lstsq(np.column_stack([np.ones(N), arm]), m, rcond=None)[0]
    of_y = probit(np.column_stack([np.ones(N), arm, m, arm * m]), y)
    residual = m - of_m[0] - of_m[1] * arm
    idata = tree(
        mediation(people, family_outcome="probit"),
        {
            "alpha_m": [[of_m[0]]], "a": [[[of_m[1]]]], "gamma_m": np.zeros((1, 1, 0)), "sigma_m": [[residual.std()]],
            "alpha_y": [of_y[0]], "c": [[of_y[1]]], "b": [[of_y[2]]], "theta": [[[of_y[3]]]], "gamma_y": np.zeros((1, 0)),
        },
    )  # fmt: skip
    effects = natural_effects(idata)
    sensitivity = mediation_sensitivity(idata, rho=[rho, 0.0])
    assert sensitivity["tnie"].sel(rho=0.0).item() == pytest.approx(effects["tnie"].item(), abs=1e-12)
    assert sensitivity["tnie"].sel(rho=rho).item() == pytest.approx(truth, abs=0.003)
    assert abs(effects["tnie"].item() - truth) > 0.03


@pytest.mark.parametrize("rho", [-0.4, 0.3])
def test_a_probit_mediator_gives_the_true_indirect_effect_at_the_true_correlation(rho):
    table, truth = confounded(rho, binary_m=True)
    people = load_participants(table, **roles())
    arm, m, y = table["arm"].to_numpy(), table["m"].to_numpy(), table["y"].to_numpy()
    of_m = probit(np.column_stack([np.ones(N), arm]), m)
    design = np.column_stack([np.ones(N), arm, m, arm * m])
    of_y = np.linalg.lstsq(design, y, rcond=None)[0]
    idata = tree(
        mediation(people, family_mediator="probit"),
        {
            "alpha_m": [[of_m[0]]], "a": [[[of_m[1]]]], "gamma_m": np.zeros((1, 1, 0)), "gamma_y": np.zeros((1, 0)),
            "alpha_y": [of_y[0]], "c": [[of_y[1]]], "b": [[of_y[2]]], "theta": [[[of_y[3]]]],
            "sigma_y": [(y - design @ of_y).std()],
        },
    )  # fmt: skip
    sensitivity = mediation_sensitivity(idata, rho=[rho, 0.0])
    assert sensitivity["tnie"].sel(rho=0.0).item() == pytest.approx(natural_effects(idata)["tnie"].item(), abs=1e-12)
    # The residual variance is averaged over both arms: under 0.02.
    assert sensitivity["tnie"].sel(rho=rho).item() == pytest.approx(truth, abs=0.02)
    assert abs(sensitivity["tnie"].sel(rho=0.0).item() - truth) > 0.25


def small(mediators=1, trials=1, interaction=True, **families):
    """A fit of 40 made-up people with five random draws."""
    rng = np.random.default_rng(9)
    n = 40
    table = pd.DataFrame({"arm": np.arange(n) % 2, "age": rng.normal(40, 9, n), "sex": np.arange(n) % 4 == 0})
    table["trial"] = [f"t{i}" for i in np.arange(n) // 2 % trials]
    for q in range(mediators):
        table[f"m{q}"] = rng.normal(table["arm"], 1)
    table["y"] = rng.normal(size=n)
    for role, name in (("family_mediator", "m0"), ("family_outcome", "y")):
        if families.get(role) in ("probit", "logit"):
            table[name] = (table[name] > 0.3).astype(int)
    people = load_participants(
        table, **roles(mediators=[f"m{q}" for q in range(mediators)]), covariates=["age", "sex"],
        trial="trial" if trials > 1 else None,
    )  # fmt: skip
    model = mediation(people, interaction=interaction, **families)
    values = {}
    for variable in model.deterministics:
        shape = tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(variable.name, ()))
        values[variable.name] = rng.normal(0, 0.05 if variable.name.startswith("gamma") else 0.7, (5, *shape))
    for name in ("sigma_m", "sigma_y", "tau", "nu_m", "nu_y"):
        if name in values:
            values[name] = 0.6 + np.abs(values[name]) + 3 * name.startswith("nu")
    for name in ("correlation", "correlation_m"):
        if name in values:
            values[name] = np.tanh(values[name])
    return tree(model, values)


def test_without_interaction_the_curve_is_the_formula_of_imai_keele_and_yamamoto():
    idata = small(interaction=False)
    p = {name: v.to_numpy().reshape(5, -1)[:, 0] for name, v in idata["posterior"].dataset.data_vars.items()}
    rho = np.array([-0.6, 0.2, 0.85])
    s_y = np.sqrt((p["b"] * p["sigma_m"]) ** 2 + p["sigma_y"] ** 2)
    r = p["b"] * p["sigma_m"] / s_y
    sensitivity = mediation_sensitivity(idata, rho=rho)
    for i, value in enumerate(rho):
        expected = p["a"] * s_y / p["sigma_m"] * (r - value * np.sqrt((1 - r**2) / (1 - value**2)))
        np.testing.assert_allclose(sensitivity["tnie"].to_numpy()[0, :, i], expected)
    np.testing.assert_allclose(sensitivity["rho_tipping"].to_numpy()[0], r)
    np.testing.assert_allclose(sensitivity["r2_product_residual"].to_numpy()[0], r**2)


PAIRS = [
    {}, {"trials": 6}, {"family_outcome": "probit"}, {"family_mediator": "probit"}, {"family_outcome": "student_t"},
    {"family_mediator": "student_t"},
]  # fmt: skip


@pytest.mark.parametrize("kind", PAIRS, ids=str)
def test_the_indirect_effect_is_zero_at_the_tipping_correlation_and_as_fitted_at_zero(kind):
    idata = small(**kind)
    tipping = mediation_sensitivity(idata)["rho_tipping"].to_numpy()[0]
    fitted = natural_effects(idata)
    for s, rho in enumerate(tipping):
        at = mediation_sensitivity(idata, rho=[rho, 0.0])
        assert at["tnie"].to_numpy()[0, s, 0] == pytest.approx(0, abs=1e-12)
        assert at["tnie"].to_numpy()[0, s, 1] == pytest.approx(fitted["tnie"].to_numpy()[0, s], abs=1e-12)


@pytest.mark.parametrize("kind", PAIRS, ids=str)
def test_the_total_effect_does_not_depend_on_the_correlation(kind):
    idata = small(**kind)
    sensitivity = mediation_sensitivity(idata)
    total = sensitivity["tnie"] + sensitivity["pnde"]
    np.testing.assert_allclose(total, natural_effects(idata)["te"].expand_dims(rho=37, axis=2), atol=1e-12)


def test_confounding_of_one_of_several_mediators_moves_its_slope_alone():
    idata = small(mediators=2)
    p = idata["posterior"].dataset.isel(chain=0)
    sd = p["sigma_m"].to_numpy()[:, 0] * np.sqrt(1 - p["correlation_m"].to_numpy()[:, 0] ** 2)
    sensitivity = mediation_sensitivity(idata, mediator="m0", rho=[0.5])
    shift = p["a"].to_numpy()[:, 0, 0] * 0.5 * p["sigma_y"].to_numpy() / (sd * np.sqrt(0.75))
    np.testing.assert_allclose(
        sensitivity["tnie"].to_numpy()[0, :, 0], natural_effects(idata)["tnie"].to_numpy()[0] - shift
    )
    assert "tnie_reliability" not in sensitivity
    with pytest.raises(ValueError, match="mediator = None: name one of m0, m1"):
        mediation_sensitivity(idata)


def with_covariates(n=N):
    """A large trial in which two covariates, one of them a factor, affect mediator and outcome."""
    arm = np.arange(n) % 2
    age, e, f, u = evenly_spread(4, arm, 6)
    site = (3 * stats.norm.cdf(u)).astype(int)
    step = np.array([0.0, 1.5, -1.0])[site]
    m = 0.7 * arm + 0.6 * age + step + 1.2 * e
    y = 0.4 * m + 0.2 * arm + 0.8 * age - 0.9 * step + 1.5 * f
    return pd.DataFrame({"arm": arm, "site": pd.Series(site).map({0: "x", 1: "y", 2: "z"}), "age": age, "m": m, "y": y})


@pytest.mark.parametrize("omitted", ["age", "site"])
def test_a_benchmark_is_the_correlation_that_leaving_the_covariate_out_would_cause(omitted):
    table = with_covariates()
    kept = [c for c in ("age", "site") if c != omitted]
    both, one = (load_participants(table, **roles(), covariates=c) for c in (["age", "site"], kept))
    full, reduced = (least_squares(p, mediation(p, interaction=False), interaction=False) for p in (both, one))
    rho = mediation_sensitivity(full)["benchmark_rho"].sel(source=omitted).item()
    truth = natural_effects(full)["tnie"].item()
    assert mediation_sensitivity(reduced, rho=[rho])["tnie"].item() == pytest.approx(truth, abs=0.005)
    assert abs(natural_effects(reduced)["tnie"].item() - truth) > 0.08


def test_correcting_for_the_mediators_reliability_gives_the_effect_of_the_true_mediator():
    table, truth = confounded(0.0)
    noise = 0.75 * evenly_spread(5, table["arm"].to_numpy(), 8)[4]
    people = load_participants(table.assign(m=table["m"] + noise), **roles())
    idata = least_squares(people, mediation(people), interaction=True)
    reliability = 1.5**2 / (1.5**2 + 0.75**2)
    corrected = mediation_sensitivity(idata, reliability=[reliability, 1.0])["tnie_reliability"]
    assert corrected.sel(reliability=reliability).item() == pytest.approx(truth, abs=0.02)
    assert corrected.sel(reliability=1.0).item() == pytest.approx(truth * reliability, abs=0.02)
    impossible = mediation_sensitivity(small(), reliability=[0.001])["tnie_reliability"]
    assert np.isnan(impossible).any()


def test_the_e_value_is_that_of_the_risk_ratio():
    """VanderWeele & Ding 2017: a risk ratio of 3.9 has an E-value of 7.26, its limit 1.8 one of 3.0."""
    idata = small(interaction=False)
    sd = idata["constant_data"]["outcome_within_sd"].item()
    effect = np.log([3.9, 3.9, 3.9, 3.9, 3.9]) * sd / 0.91
    ones = np.ones((1, 5, 1, 1))
    idata["posterior"] = idata["posterior"].dataset.assign(
        a=(("chain", "draw", "mediator", "arm"), ones), b=(("chain", "draw", "mediator"), effect.reshape(1, 5, 1))
    )
    attrs = mediation_sensitivity(idata).attrs
    assert attrs["e_value"] == pytest.approx(7.26, abs=0.005)
    assert attrs["e_value_limit"] == pytest.approx(7.26, abs=0.005)
    ones[0, 0] = -1
    idata["posterior"] = idata["posterior"].dataset.assign(a=(("chain", "draw", "mediator", "arm"), ones))
    assert mediation_sensitivity(idata).attrs["e_value_limit"] == 1.0


def test_the_default_prior_of_the_correlation_covers_a_confounder_that_a_narrow_one_does_not():
    simulation = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "confounding_coverage.py"))
    table = simulation["coverage"](-0.36, prior_sd=(0.0, 0.1, LEAST_RHO_SD), n=200, replications=100, seed=3)
    unadjusted, narrow, usual = table["coverage"]
    assert unadjusted < 0.3
    assert narrow < 0.5
    assert usual > 0.9


def test_the_default_prior_of_the_correlation_is_as_wide_as_the_strongest_measured_covariate():
    assert mediation_sensitivity(small()).attrs["prior_rho_sd"] >= LEAST_RHO_SD
    assert mediation_sensitivity(small(), prior_rho_sd=0.1).attrs["prior_rho_sd"] == 0.1


def test_the_e_value_of_a_risk_uses_the_ratio_of_risks():
    idata = small(family_outcome="probit")
    attrs = mediation_sensitivity(idata).attrs
    assert attrs["e_value"] > 1
    assert attrs["e_value_limit"] >= 1


def test_a_prior_on_the_correlation_widens_the_interval_around_the_same_centre():
    table, _ = confounded(0.0, n=400)
    people = load_participants(table, **roles())
    one = least_squares(people, mediation(people), interaction=True)
    idata = one.map_over_datasets(
        lambda d: d.isel(draw=[0] * 4000).assign_coords(draw=range(4000)) if "draw" in d.dims else d
    )
    narrow, wide = (mediation_sensitivity(idata, prior_rho_sd=sd, seed=3) for sd in (1e-9, 0.2))
    fitted = natural_effects(one)["tnie"].item()
    np.testing.assert_allclose(narrow["tnie_rho_prior"], fitted, atol=1e-6)
    assert float(wide["rho_prior"].std()) == pytest.approx(0.2, abs=0.01)
    a, sd_y, sd_m = (one["posterior"][name].item() for name in ("a", "sigma_y", "sigma_m"))
    assert float(wide["tnie_rho_prior"].std()) == pytest.approx(0.2 * a * sd_y / sd_m, rel=0.1)
    shifted = mediation_sensitivity(idata, prior_rho_mean=0.3, prior_rho_sd=1e-9)["tnie_rho_prior"]
    np.testing.assert_allclose(shifted, mediation_sensitivity(one, rho=[0.3])["tnie"].item(), atol=1e-6)


def test_contours_follow_the_curve_at_the_product_of_the_shares():
    sensitivity = mediation_sensitivity(small())
    contours = r2_contours(sensitivity, r2=[0.0, 0.25, 1.0])
    mean = sensitivity["tnie"].mean(("chain", "draw"))
    assert contours.sel(direction="same", r2_mediator=0.25, r2_outcome=0.25).item() == pytest.approx(
        mean.sel(rho=0.25).item()
    )
    assert contours.sel(direction="opposite", r2_mediator=0.25, r2_outcome=1.0).item() == pytest.approx(
        mean.sel(rho=-0.5).item()
    )
    assert contours.sel(direction="same", r2_mediator=0.0, r2_outcome=1.0).item() == pytest.approx(
        mean.sel(rho=0.0).item()
    )
    assert np.isnan(contours.sel(direction="same", r2_mediator=1.0, r2_outcome=1.0).item())


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ({}, {"rho": [0.5, 1.0]}, r"rho = \[1.0\]: residual correlations lie between -1 and 1"),
        ({}, {"reliability": [0.0]}, r"reliability = \[0.0\]: shares of variance lie above 0"),
        (
            {"family_outcome": "logit"},
            {},
            "for a gaussian mediator and a logit outcome; refit with Gaussian",
        ),
        ({"family_outcome": "probit", "trials": 6}, {}, "a probit outcome pooled over trials; refit"),
    ],
)
def test_what_cannot_be_computed_is_refused(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        mediation_sensitivity(small(**kind), **arguments)
