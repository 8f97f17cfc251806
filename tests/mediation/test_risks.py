"""Risk ratios and samples by outcome: SciPy's density, a population that a sample of cases and controls comes from, and refusals."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.four_way import rare_outcome_effects
from pillprocess.mediation.model import mediation
from pillprocess.mediation.paths import mediation_paths
from pillprocess.mediation.responses import response_of
from pillprocess.mediation.sufficient import standardise
from pillprocess.participants.table import Participants, load_participants
from tests.mediation.test_model import evaluate, simulated
from tests.mediation.trees import tree


def people(table: pd.DataFrame | None = None) -> Participants:
    if table is None:
        rng = np.random.default_rng(4)
        n = 40
        table = pd.DataFrame({"arm": np.arange(n) % 2, "age": rng.normal(40, 9, n)})
        table = table.assign(m=rng.normal(5 + table["arm"], 2), y=np.arange(n) % 3 == 0).astype({"y": float})
    return load_participants(
        table, treatment="arm", outcome="y", mediators="m", covariates="age", repeated_rows="different people", higher_is_worse=True
    )  # fmt: skip


@pytest.mark.parametrize("case_control", [False, True])
def test_the_density_of_a_risk_is_scipys_and_a_sample_by_outcome_knows_the_mediator_of_controls(case_control):
    data = people()
    model = mediation(data, family_outcome="log_binomial", case_control=case_control)
    rng = np.random.default_rng(3)
    point = {name: value + 0.05 * rng.normal(size=np.shape(value)) for name, value in model.initial_point().items()}
    v, beyond = evaluate(model, point, point | {"alpha_y_raw": np.array(2.0)})
    T, x, m = data.treatment.to_numpy()[:, 0], data.covariates["age"].to_numpy(), data.mediators["m"].to_numpy()
    a, b, c, theta = (float(np.squeeze(v[n])) for n in ("a", "b", "c", "theta"))
    risk = np.exp(v["alpha_y"] + c * T + (b + theta * T) * m + v["gamma_y"][0] * x)
    expected = stats.bernoulli.logpmf(data.outcome, risk).sum()
    sd = standardise(data, mediators=["m"], binary_mediator=False, binary_outcome=True).m_sd[0]
    own = stats.norm.logpdf(m, v["alpha_m"][0] + a * T + v["gamma_m"][0, 0] * x, v["sigma_m"][0]) + np.log(sd)
    expected += own[data.outcome == 0].sum() if case_control else own.sum()
    assert float(v["likelihood"]) == pytest.approx(expected, abs=1e-9)
    assert beyond["likelihood"] == -np.inf  # chances above 1 are impossible, not truncated


def test_cases_and_controls_give_the_odds_ratios_of_the_population_they_come_from():
    """1.2 million people, of whom 2 % have the event; the mediator of everybody sampled is not that of the population."""
    rng = np.random.default_rng(8)
    n, a, b, c, theta = 1_200_000, 0.5, 1.1, 1.2, -0.1
    T, noise = np.arange(n) % 2, rng.normal(size=n)
    y = rng.random(n) < special.expit(-6.0 + c * T + (b + theta * T) * (a * T + noise))
    odds = {
        (t, s): special.logit(special.expit(-6.0 + c * t + (b + theta * t) * (a * s + noise)).mean())
        for t, s in ((0, 0), (1, 0), (1, 1))
    }  # fmt: skip
    cases = np.flatnonzero(y)
    chosen = np.concatenate([cases, rng.choice(np.flatnonzero(~y), len(cases), replace=False)])
    t, m, case = T[chosen], (a * T + noise)[chosen], y[chosen]
    X = np.column_stack([np.ones(len(t)), t, m, t * m])
    of_y = optimize.minimize(
        lambda w: np.logaddexp(0, X @ w).sum() - (X @ w)[case].sum(),
        np.zeros(4), jac=lambda w: X.T @ (special.expit(X @ w) - case), method="BFGS",
    ).x  # fmt: skip

    def found(rows: np.ndarray) -> dict[str, float]:
        low, high = (m[rows & (t == level)].mean() for level in (0, 1))
        residual = m[rows] - np.where(t[rows] == 1, high, low)
        draws = {
            "alpha_m": [[low]], "a": [[[high - low]]], "gamma_m": [[[0.0]]], "sigma_m": [[residual.std()]], "alpha_y": [of_y[0]],
            "c": [[of_y[1]]], "b": [[of_y[2]]], "theta": [[[of_y[3]]]], "gamma_y": [[0.0]],
        }  # fmt: skip
        effects = rare_outcome_effects(tree(model, draws))
        return {name: float(effects[name][0, 0]) for name in ("te", "pnde", "tnie")}

    model = mediation(people(), family_outcome="logit", case_control=True)
    of_controls, of_all = found(~case), found(np.ones_like(case))
    truth = {
        "te": odds[1, 1] - odds[0, 0],
        "pnde": odds[1, 0] - odds[0, 0],
        "tnie": odds[1, 1] - odds[1, 0],
    }
    for name, value in truth.items():
        assert of_controls[name] == pytest.approx(value, abs=0.06)
    assert abs(of_all["tnie"] - truth["tnie"]) > 0.1


def test_covariates_of_controls_are_those_at_which_a_sample_by_outcome_is_compared():
    data = people()
    model = mediation(data, family_outcome="logit", case_control=True)
    draws = {
        "alpha_m": [[0.2]], "a": [[[0.5]]], "gamma_m": [[[0.05]]], "sigma_m": [[1.0]], "alpha_y": [-4.0], "c": [[0.3]], "b": [[0.4]],
        "theta": [[[0.2]]], "gamma_y": [[0.01]],
    }  # fmt: skip
    idata, age = tree(model, draws), data.covariates["age"]
    found = rare_outcome_effects(idata)["pnde"].item()
    assert found == rare_outcome_effects(idata, at={"age": age[data.outcome == 0].mean()})["pnde"].item()
    assert abs(found - rare_outcome_effects(idata, at={"age": age.mean()})["pnde"].item()) > 1e-4


def test_effects_on_a_risk_are_ratios_and_differences_of_risks():
    model = mediation(people(), family_outcome="log_binomial", interaction=False)
    draws = {
        "alpha_m": [[5.0]], "a": [[[2.0]]], "gamma_m": [[[0.0]]], "sigma_m": [[1.0]], "alpha_y": [-3.0], "c": [[0.1]], "b": [[0.2]],
        "gamma_y": [[0.0]],
    }  # fmt: skip
    idata = tree(model, {name: np.repeat(value, 2, axis=0) for name, value in draws.items()})
    plain, ratio = natural_effects(idata, m=5), natural_effects(idata, m=5, scale="log_risk_ratio")
    low = np.exp(-3 + 0.2 * 5 + 0.02)
    assert ratio["tnie"][0, 0].item() == pytest.approx(0.4)
    assert ratio["te"][0, 0].item() == pytest.approx(0.5)
    assert plain["te"][0, 0].item() == pytest.approx(low * np.expm1(0.5))
    assert mediation_paths(idata)["unit"].to_list()[-1] == "risk"


@pytest.mark.parametrize(("centre", "variance"), [(-1.5, 0.04), (-0.2, 0.5), (0.3, 1.0), (-0.7, 0.0), (0.4, 0.0)])
def test_a_risk_is_never_above_1(centre, variance):
    response = response_of("log_binomial", {})
    rng = np.random.default_rng(1)
    drawn = np.minimum(np.exp(centre + np.sqrt(variance) * rng.normal(size=400_000)), 1).mean()
    found = response.averaged(np.array([[centre]]), np.array([[variance]])).item()
    assert found == pytest.approx(drawn, abs=1.5e-3)
    assert response.at(np.array([0.5])).item() == 1.0


def test_what_has_no_risk_ratio_is_refused():
    data = people()
    with pytest.raises(
        ValueError, match="'log_binomial' is for outcomes; a mediator of 0 and 1 may be probit or logit"
    ):
        mediation(data, family_mediator="log_binomial", family_outcome="logit")
    with pytest.raises(ValueError, match="needs 0 or 1 in column 'y'"):
        mediation(simulated(), family_outcome="log_binomial")
    with pytest.raises(
        ValueError, match="case_control with a gaussian outcome: who is sampled by an outcome of 0 or 1"
    ):
        mediation(data, case_control=True)
    with pytest.raises(ValueError, match="case_control: one sample is needed, without clusters and of one trial"):
        mediation(simulated(trials=2, binary=("y",)), family_outcome="logit", case_control=True)
    with pytest.raises(ValueError, match="case_control: .* mediators or outcomes are missing"):
        mediation(simulated(missing=0.1, binary=()), family_outcome="logit", case_control=True)
    model = mediation(data, family_outcome="log_binomial", interaction=False)
    idata = tree(model, {name: np.zeros((1, *size)) for name, size in {
        "alpha_m": (1,), "a": (1, 1), "gamma_m": (1, 1), "alpha_y": (), "c": (1,), "b": (1,), "gamma_y": (1,)
    }.items()} | {"sigma_m": [[1.0]]})  # fmt: skip
    with pytest.raises(ValueError, match="scale = 'log_odds_ratio'"):
        natural_effects(idata, scale="log_odds_ratio")
