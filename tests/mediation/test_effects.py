"""Causal effects: the g-computation against closed forms and plain integration, on fits written by hand."""

import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, special, stats

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.model import mediation
from pillprocess.mediation.trial_effects import natural_effects_by_trial
from pillprocess.participants.table import load_participants
from tests.mediation.trees import tree

FAMILIES = ("gaussian", "student_t", "probit", "logit")
BINARY = ("probit", "logit")
DRAWS = 3


@pytest.fixture(autouse=True)
def _extrapolation_is_not_the_subject():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* it extrapolates beyond", category=UserWarning)
        yield


def people(*, mediators=1, trials=1, arms=2, binary_m=False, binary_y=False):
    rng = np.random.default_rng(5)
    n = 36
    table = pd.DataFrame({"arm": np.arange(n) % arms, "age": rng.normal(0, 1, n).round(), "sex": np.arange(n) % 4 == 0})
    table["trial"] = [f"t{i}" for i in np.arange(n) // arms % trials]
    for q in range(mediators):
        table[f"m{q}"] = rng.normal(table["arm"], 1)
    table["y"] = rng.normal(size=n)
    for name, cut in (("m0", binary_m), ("y", binary_y)):
        if cut:
            table[name] = (table[name] > 0.3).astype(int)
    return load_participants(
        table, treatment="arm", reference=0, outcome="y", mediators=[f"m{q}" for q in range(mediators)],
        covariates=["age", "sex"], trial="trial" if trials > 1 else None,
    )  # fmt: skip


def fit(*, family_mediator="gaussian", family_outcome="gaussian", mediators=1, order=None, arms=2, c=None, theta=None):
    """A fit of one trial with random draws of every parameter."""
    data = people(mediators=mediators, arms=arms, binary_m=family_mediator in BINARY, binary_y=family_outcome in BINARY)
    model = mediation(data, family_mediator=family_mediator, family_outcome=family_outcome, order=order)
    rng = np.random.default_rng(11)
    values = {}
    for variable in model.deterministics:
        shape = tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(variable.name, ()))
        values[variable.name] = rng.normal(0, 0.6, (DRAWS, *shape))
    for name in ("sigma_m", "sigma_y"):
        if name in values:
            values[name] = 0.5 + np.abs(values[name])
    for name in ("nu_m", "nu_y"):
        if name in values:
            values[name] = 3 + np.abs(values[name])
    if "correlation_m" in values:
        values["correlation_m"] = np.tanh(values["correlation_m"])
    values |= {} if c is None else {"c": np.full((DRAWS, 1), c)}
    values |= {} if theta is None else {"theta": np.full((DRAWS, 1, 1), theta)}
    return tree(model, values)


def draws(dataset: xr.Dataset, name: str) -> np.ndarray:
    return dataset[name].to_numpy()[0]


def parameters(idata: xr.DataTree, s: int) -> dict[str, np.ndarray]:
    return {str(name): np.squeeze(v.to_numpy()[0, s]) for name, v in idata["posterior"].dataset.data_vars.items()}


def plain_effects(idata: xr.DataTree, s: int, family_mediator: str, family_outcome: str, m: float) -> dict[str, float]:
    """Effects of draw s for a single mediator, by summing over participants and integrating over the mediator."""
    p = parameters(idata, s)
    X, weight = people_profiles(idata)
    inverse = {"probit": stats.norm.cdf, "logit": special.expit}

    def outcome(t, value, x):
        eta = p["alpha_y"] + p["c"] * t + (p["b"] + p["theta"] * t) * value + p["gamma_y"] @ x
        return inverse[family_outcome](eta) if family_outcome in BINARY else eta

    def mean(t, t_m, x):
        eta = p["alpha_m"] + p["a"] * t_m + p["gamma_m"] @ x
        if family_mediator in BINARY:
            chance = inverse[family_mediator](eta)
            return (1 - chance) * outcome(t, 0, x) + chance * outcome(t, 1, x)
        density = (
            stats.norm(eta, p["sigma_m"]) if family_mediator == "gaussian" else stats.t(p["nu_m"], eta, p["sigma_m"])
        )
        if family_outcome not in BINARY:
            return outcome(t, density.mean(), x)
        return integrate.quad(lambda v: density.pdf(v) * outcome(t, v, x), -np.inf, np.inf, epsabs=1e-11)[0]

    y = {(t, t_m): weight @ [mean(t, t_m, x) for x in X] for t, t_m in product((0, 1), (0, 1))}
    controlled = [weight @ [outcome(t, m, x) for x in X] for t in (0, 1)]
    return {
        "te": y[1, 1] - y[0, 0], "pnde": y[1, 0] - y[0, 0], "tnie": y[1, 1] - y[1, 0], "tnde": y[1, 1] - y[0, 1],
        "pnie": y[0, 1] - y[0, 0], "cde": controlled[1] - controlled[0],
    }  # fmt: skip


def people_profiles(idata: xr.DataTree) -> tuple[np.ndarray, np.ndarray]:
    """Every participant's covariates, from the constant data or, where they are not kept, their mean."""
    data = idata["constant_data"].dataset
    if "profile_covariates" in data:
        return data["profile_covariates"].to_numpy(), data["profile_weight"].to_numpy()
    return data["covariate_mean"].to_numpy()[None], np.ones(1)


@pytest.mark.parametrize(("family_mediator", "family_outcome"), list(product(FAMILIES, FAMILIES)))
def test_effects_of_every_pair_of_families_equal_integration_over_mediator_and_participants(
    family_mediator, family_outcome
):
    idata = fit(family_mediator=family_mediator, family_outcome=family_outcome)
    effects = natural_effects(idata, m=0.7)
    # A 64-point rule over quantiles carries a Student-t mediator into a binary outcome; the rest is exact to rounding
    # or, for the logit, to a 40-point Gauss-Hermite rule.
    tolerance = 2e-5 if family_mediator == "student_t" and family_outcome in BINARY else 1e-8
    for s in range(DRAWS):
        for name, value in plain_effects(idata, s, family_mediator, family_outcome, 0.7).items():
            assert draws(effects, name)[s] == pytest.approx(value, abs=tolerance), name


@pytest.mark.parametrize(("family_mediator", "family_outcome"), list(product(FAMILIES, FAMILIES)))
def test_the_total_effect_is_the_sum_of_its_parts(family_mediator, family_outcome):
    effects = natural_effects(fit(family_mediator=family_mediator, family_outcome=family_outcome))
    assert float(np.abs(effects["te"] - effects["pnde"] - effects["tnie"]).max()) < 1e-12
    assert float(np.abs(effects["te"] - effects["tnde"] - effects["pnie"]).max()) < 1e-12


def test_gaussian_effects_have_the_closed_form_with_interaction():
    """VanderWeele 2015, section 2.2: pnde = c + theta E[M | 0], tnie = (b + theta) a, at the mean covariates."""
    idata = fit()
    effects, x = natural_effects(idata, m=2.0), idata["constant_data"]["covariate_mean"].to_numpy()
    for s in range(DRAWS):
        p = parameters(idata, s)
        mean = p["alpha_m"] + p["gamma_m"] @ x
        assert draws(effects, "pnde")[s] == pytest.approx(p["c"] + p["theta"] * mean, abs=1e-12)
        assert draws(effects, "tnie")[s] == pytest.approx((p["b"] + p["theta"]) * p["a"], abs=1e-12)
        assert draws(effects, "pnie")[s] == pytest.approx(p["b"] * p["a"], abs=1e-12)
        assert draws(effects, "cde")[s] == pytest.approx(p["c"] + 2 * p["theta"], abs=1e-12)


def test_a_gaussian_mediator_and_probit_outcome_have_the_closed_form():
    """Imai, Keele & Tingley 2010, appendix: P(Y(t, M(t')) = 1) = Phi((l + b mu(t')) / sqrt(1 + b^2 sigma^2))."""
    idata = fit(family_outcome="probit")
    at = {"age": 0.5, "sex": 1.0}
    effects = natural_effects(idata, at=at)
    for s in range(DRAWS):
        p = parameters(idata, s)
        x = np.array(list(at.values()))

        def chance(t, t_m, p=p, x=x):
            slope = p["b"] + p["theta"] * t
            centre = (
                p["alpha_y"] + p["c"] * t + p["gamma_y"] @ x + slope * (p["alpha_m"] + p["a"] * t_m + p["gamma_m"] @ x)
            )
            return stats.norm.cdf(centre / np.sqrt(1 + slope**2 * p["sigma_m"] ** 2))

        assert draws(effects, "tnie")[s] == pytest.approx(chance(1, 1) - chance(1, 0), abs=1e-12)
        assert draws(effects, "pnde")[s] == pytest.approx(chance(1, 0) - chance(0, 0), abs=1e-12)


def rare(idata: xr.DataTree) -> xr.DataTree:
    """The same fit with an outcome in a few of 100,000 people."""
    idata["posterior"] = idata["posterior"].dataset.assign(alpha_y=idata["posterior"]["alpha_y"] * 0 - 11.0)
    return idata


@pytest.mark.parametrize("family_mediator", ["gaussian", "logit"])
def test_a_rare_outcome_agrees_with_the_closed_forms_of_valeri_and_vanderweele(family_mediator):
    """Valeri & VanderWeele 2013, doi:10.1037/a0031034: log odds ratios of a logistic outcome that is rare."""
    idata = rare(fit(family_mediator=family_mediator, family_outcome="logit"))
    at = {"age": 0.5, "sex": 1.0}
    effects = natural_effects(idata, at=at)
    for s in range(DRAWS):
        p = parameters(idata, s)
        x = np.array(list(at.values()))
        location = p["alpha_m"] + p["gamma_m"] @ x
        if family_mediator == "gaussian":
            variance = p["sigma_m"] ** 2
            nde = p["c"] + p["theta"] * (location + p["b"] * variance) + 0.5 * p["theta"] ** 2 * variance
            nie = (p["b"] + p["theta"]) * p["a"]
        else:
            high, low = p["b"] + p["theta"], p["b"]
            nde = p["c"] + np.log1p(np.exp(high + location)) - np.log1p(np.exp(low + location))
            nie = np.log((1 + np.exp(location)) / (1 + np.exp(location + p["a"])))
            nie += np.log1p(np.exp(high + location + p["a"])) - np.log1p(np.exp(high + location))
        base = plain_risk(idata, s, family_mediator, x)
        ratio_nde = np.log((base + draws(effects, "pnde")[s]) / base)
        ratio_nie = np.log((base + draws(effects, "te")[s]) / (base + draws(effects, "pnde")[s]))
        # The closed forms take risk for odds, so they are as wrong as the outcome is frequent: about 1e-4 here.
        assert (ratio_nde, ratio_nie) == pytest.approx((nde, nie), abs=2e-3)
        odds = natural_effects(idata, at=at, scale="log_odds_ratio")
        assert (draws(odds, "pnde")[s], draws(odds, "tnie")[s]) == pytest.approx((nde, nie), abs=2e-3)


def plain_risk(idata: xr.DataTree, s: int, family_mediator: str, x: np.ndarray) -> float:
    """Risk under the reference at covariates x."""
    p = parameters(idata, s)
    eta, base = p["alpha_m"] + p["gamma_m"] @ x, p["alpha_y"] + p["gamma_y"] @ x
    if family_mediator == "logit":
        chance = special.expit(eta)
        return float((1 - chance) * special.expit(base) + chance * special.expit(base + p["b"]))
    normal = stats.norm(eta, p["sigma_m"])
    return float(
        integrate.quad(lambda v: normal.pdf(v) * special.expit(base + p["b"] * v), -np.inf, np.inf, epsabs=1e-14)[0]
    )


@pytest.mark.parametrize(("scale", "on"), [("log_odds_ratio", special.logit), ("log_risk_ratio", np.log)])
def test_ratios_of_risks_are_those_of_the_mean_risks(scale, on):
    """Two binary variables, summed over participants and both values of the mediator."""
    idata = fit(family_mediator="probit", family_outcome="logit")
    X, weight = people_profiles(idata)
    ratios = natural_effects(idata, scale=scale)
    for s in range(DRAWS):
        p = parameters(idata, s)

        def risk(t, t_m, p=p):
            chance = stats.norm.cdf(p["alpha_m"] + p["a"] * t_m + X @ p["gamma_m"])
            eta = p["alpha_y"] + p["c"] * t + X @ p["gamma_y"]
            high = special.expit(eta + p["b"] + p["theta"] * t)
            return on(weight @ ((1 - chance) * special.expit(eta) + chance * high))

        assert draws(ratios, "tnie")[s] == pytest.approx(risk(1, 1) - risk(1, 0), abs=1e-12)
        assert draws(ratios, "pnde")[s] == pytest.approx(risk(1, 0) - risk(0, 0), abs=1e-12)
        assert draws(ratios, "te")[s] == pytest.approx(risk(1, 1) - risk(0, 0), abs=1e-12)
    assert ratios.attrs["proportion_withheld"].startswith("a proportion mediated is a share of a difference")


def test_ratios_of_an_outcome_that_is_no_risk_are_refused():
    with pytest.raises(
        ValueError, match="for a probit or logit outcome; or log_rate_ratio for a count; this outcome is gaussian"
    ):
        natural_effects(fit(), scale="log_odds_ratio")


@pytest.mark.parametrize("order", [None, ["m1", "m0", "m2"]], ids=["parallel", "ordered"])
def test_interventional_effects_of_a_linear_model_add_up_with_no_dependence(order):
    idata = fit(mediators=3, order=order)
    effects = natural_effects(idata)
    np.testing.assert_allclose(effects["iie"].sum("mediator") + effects["ide"], effects["te"], atol=1e-12)
    assert float(np.abs(effects["iie_dependence"]).max()) == 0
    if order is None:
        p = idata["posterior"].dataset
        through = (p["a"] * (p["b"] + p["theta"])).isel(arm=0)
        np.testing.assert_allclose(effects["iie"].to_numpy(), through.transpose("chain", "draw", "mediator").to_numpy())


def test_interventional_effects_on_a_risk_leave_a_part_to_the_dependence_of_the_mediators():
    idata = fit(mediators=2, family_outcome="probit")
    effects = natural_effects(idata)
    whole = effects["ide"] + effects["iie"].sum("mediator") + effects["iie_dependence"]
    np.testing.assert_allclose(whole, effects["te"], atol=1e-12)
    X, weight = people_profiles(idata)
    for s in range(DRAWS):
        p = parameters(idata, s)
        slope = p["b"] + p["theta"]

        def chance(levels, p=p, slope=slope):
            mean = p["alpha_m"] + p["a"] * levels + X @ p["gamma_m"].T
            eta = p["alpha_y"] + p["c"] + X @ p["gamma_y"] + mean @ slope
            return weight @ stats.norm.cdf(eta / np.sqrt(1 + slope**2 @ p["sigma_m"] ** 2))

        levels = [np.array(level) for level in ([0, 0], [1, 0], [1, 1])]
        expected = np.diff([chance(level) for level in levels])
        np.testing.assert_allclose(effects["iie"].to_numpy()[0, s], expected, atol=1e-12)
    assert float(np.abs(effects["iie_dependence"]).max()) > 1e-4


def test_paths_of_ordered_mediators_add_up_to_the_indirect_effect():
    idata = fit(mediators=3, order=["m1", "m0", "m2"])
    effects = natural_effects(idata)
    np.testing.assert_allclose(effects["path_effect"].sum("path"), effects["tnie"], atol=1e-12)
    p = parameters(idata, 0)
    d = dict(zip(["10", "12", "02"], p["d"], strict=True))
    slope = p["b"] + p["theta"]
    expected = {
        "treatment → m1 → outcome": p["a"][0] * slope[0],
        "treatment → m1 → m0 → outcome": p["a"][0] * d["10"] * slope[1],
        "treatment → m1 → m0 → m2 → outcome": p["a"][0] * d["10"] * d["02"] * slope[2],
    }
    for path, value in expected.items():
        assert effects["path_effect"].sel(path=path, chain=0, draw=0).item() == pytest.approx(value)
    assert effects.sizes["path"] == 7


def pooled_fit(family_outcome="gaussian", trials=6):
    data = people(trials=trials, binary_y=family_outcome in BINARY)
    model = mediation(data, family_outcome=family_outcome)
    rng = np.random.default_rng(2)
    values = {}
    for variable in model.deterministics:
        shape = tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(variable.name, ()))
        values[variable.name] = rng.normal(0, 0.6, (DRAWS, *shape))
    for name in ("sigma_m", "sigma_y", "tau"):
        values[name] = np.abs(values.get(name, np.ones(DRAWS)))
    values["correlation"] = np.tanh(values["correlation"])
    return tree(model, {k: v for k, v in values.items() if not (k == "sigma_y" and family_outcome in BINARY)})


def test_over_trials_the_indirect_effect_is_ab_plus_their_covariance():
    idata = pooled_fit()
    effects, p = natural_effects(idata), idata["posterior"].dataset
    tau = p["tau"].sel(effect="a[m0, 1]", drop=True) * p["tau"].sel(effect="b[m0]", drop=True)
    covariance = tau * p["correlation"].sel(effect_pair="a[m0, 1] ~ b[m0]", drop=True)
    ab = (p["a"] * p["b"]).squeeze(["mediator", "arm"], drop=True)
    np.testing.assert_allclose(effects["cov_ab"], covariance)
    np.testing.assert_allclose(effects["ab"], ab)
    np.testing.assert_allclose(effects["pnie"], ab + covariance)
    theta_a = (p["theta"] * p["a"]).squeeze(["mediator", "arm"], drop=True)
    np.testing.assert_allclose(effects["tnie"], ab + covariance + theta_a)
    np.testing.assert_allclose(effects["te"], effects["pnde"] + effects["tnie"], atol=1e-12)
    new = ((p["b_new"] + p["theta"].isel(arm=0)) * p["a_new"].isel(arm=0)).squeeze("mediator", drop=True)
    np.testing.assert_allclose(effects["tnie_new"], new)
    np.testing.assert_allclose(effects["te_new"], effects["pnde_new"] + effects["tnie_new"], atol=1e-12)


def test_effects_by_trial_use_each_trials_own_coefficients():
    idata = pooled_fit()
    effects, p = natural_effects_by_trial(idata), idata["posterior"].dataset
    expected = ((p["b_trial"] + p["theta"].isel(arm=0)) * p["a_trial"].isel(arm=0)).squeeze("mediator", drop=True)
    np.testing.assert_allclose(effects["tnie"], expected.transpose("chain", "draw", "trial"))
    with pytest.raises(ValueError, match=r"this fit has one trial; its effects are natural_effects\(idata\)"):
        natural_effects_by_trial(fit())


def test_risks_over_trials_average_each_trials_participants_with_its_own_coefficients():
    idata = pooled_fit("probit")
    effects, by_trial = natural_effects(idata), natural_effects_by_trial(idata)
    share = np.bincount(
        idata["constant_data"]["profile_trial"].to_numpy().astype(int), idata["constant_data"]["profile_weight"]
    )
    np.testing.assert_allclose(effects["te"], (by_trial["te"] * share).sum("trial"), atol=1e-12)
    assert {"te_new", "tnie_new"} <= set(effects)
    assert "cov_ab" not in effects


def test_the_proportion_mediated_is_withheld_unless_the_sign_of_te_is_settled():
    idata = fit(theta=0.0)
    settled = natural_effects(fit(c=50.0, theta=0.0))
    assert "sign of te is not settled: P(te < 0) =" in natural_effects(idata).attrs["proportion_withheld"]
    tnie = float(settled["tnie"].mean())
    assert ("proportion_mediated" in settled) == (tnie > 0)
    flipped = natural_effects(fit(c=-50.0, theta=0.0))
    opposite, same = (settled, flipped) if tnie < 0 else (flipped, settled)
    assert opposite.attrs["proportion_withheld"] == "pnde and tnie have opposite signs, so neither is a share of te"
    np.testing.assert_allclose(same["proportion_mediated"], same["tnie"] / same["te"])


def test_effects_that_move_the_mediator_far_from_the_treated_warn_of_extrapolation():
    idata = fit()
    idata["constant_data"] = idata["constant_data"].dataset.assign(
        mediator_mean=(("level", "mediator"), [[10.0], [40.0]]), mediator_sd=(("level", "mediator"), [[5.0], [8.0]])
    )
    with pytest.warns(UserWarning, match="extrapolates beyond") as caught:
        effects = natural_effects(idata)
    messages = [str(w.message) for w in caught if "extrapolates beyond" in str(w.message)]
    assert messages[0].startswith("cde moves mediator 'm0' 5.0 SDs from its mean in arm '1'")
    assert messages[1].startswith("pnde moves mediator 'm0' 3.8 SDs")
    assert effects.attrs["extrapolation_cde"] == [5.0]
    assert natural_effects(idata, m=32.0).attrs["extrapolation_cde"] == [1.0]


def test_arms_are_compared_one_at_a_time():
    idata = fit(arms=3)
    a, b, theta = (idata["posterior"][name].squeeze("mediator") for name in ("a", "b", "theta"))
    for arm in ("1", "2"):
        expected = a.sel(arm=arm) * (b + theta.sel(arm=arm))
        np.testing.assert_allclose(natural_effects(idata, arm=arm)["tnie"], expected)
    with pytest.raises(ValueError, match="arm = None: name one of the active arms, 1, 2"):
        natural_effects(idata)


def test_draws_of_the_prior_give_the_implied_prior_of_the_effects():
    idata = fit()
    idata["prior"] = idata["posterior"].dataset * 2
    prior = natural_effects(idata, group="prior")
    p = idata["prior"].dataset
    expected = ((p["b"] + p["theta"].isel(arm=0)) * p["a"].isel(arm=0)).squeeze("mediator", drop=True)
    np.testing.assert_allclose(prior["tnie"], expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"m": {"meq": 1.0}}, r"m = \{'meq': 1.0\}: give a value to each mediator, m0"),
        ({"at": {"weight": 1.0}}, r"at: no covariate weight; the design columns are age, sex"),
        ({"arm": "2"}, "arm = '2': name one of the active arms, 1"),
    ],
)
def test_a_name_the_fit_does_not_have_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        natural_effects(fit(), **arguments)


def test_a_fit_of_another_model_is_refused():
    other = xr.DataTree.from_dict({"/posterior": xr.Dataset({"d": 1.0})})
    with pytest.raises(ValueError, match=r"this fit is not of mediation\(...\)"):
        natural_effects(other)
