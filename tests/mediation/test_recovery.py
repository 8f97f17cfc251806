"""The real sampler on simulated trials with known effects: recovery, and coverage of 95 % intervals."""

import warnings
from dataclasses import replace

import numpy as np
import nutpie
import pandas as pd
import pytest
import xarray as xr
from scipy import special, stats

from pillprocess.inference.fit import fit
from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.model import mediation
from pillprocess.mediation.sensitivity import mediation_sensitivity
from pillprocess.mediation.sufficient import collapse, standardise
from pillprocess.output.tables import effect_table
from pillprocess.participants.table import load_participants

pytestmark = pytest.mark.slow

A, B, C, THETA, RHO = 1.0, -0.5, -0.4, -0.2, 0.3
TRUTH = {"te": C + (B + THETA) * A, "tnie": (B + THETA) * A, "pnie": B * A, "pnde": C, "cde": C}


@pytest.fixture(autouse=True)
def _extrapolation_is_not_the_subject():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* it extrapolates beyond", category=UserWarning)
        yield


def simulate(rng: np.random.Generator, n: int, rho: float = 0.0) -> pd.DataFrame:
    """A trial with mediator mean 0 in the reference arm, so that pnde = cde(0) = c."""
    arm = np.arange(n) % 2
    e, f = rng.normal(size=(2, n))
    m = A * arm + e
    y = C * arm + (B + THETA * arm) * m + rho * e + np.sqrt(1 - rho**2) * f
    return pd.DataFrame({"arm": arm, "m": m, "y": y})


ROLES = {"treatment": "arm", "reference": 0, "outcome": "y", "mediators": "m"}


def test_intervals_cover_the_truth_and_under_confounding_they_do_so_at_the_true_correlation():
    """One compiled model, refitted to the cross-products of every simulated trial."""
    rng = np.random.default_rng(20)
    people = load_participants(simulate(rng, 150), **ROLES)
    model = mediation(people)
    scale = standardise(people, mediators=["m"], binary_mediator=False, binary_outcome=False)
    compiled = nutpie.compile_pymc_model(model)
    constants = {
        name: (model.named_vars_to_dims.get(name, ()), model[name].get_value()) for name in map(str, model.data_vars)
    }
    labels = {d: list(v) for d, v in model.coords.items() if any(d in dims for dims, _ in constants.values())}
    constant_data = xr.Dataset(constants, coords=labels)
    trials = 16
    covered = {name: 0 for name in [*TRUTH, "tnie at rho", "naive tnie"]}
    for trial in range(trials):
        for rho in (0.0, RHO):
            table = simulate(rng, 150, rho)
            data = replace(
                scale, T=table[["arm"]].to_numpy(float), M=(table[["m"]].to_numpy() - scale.m_mean) / scale.m_sd,
                y=(table["y"].to_numpy() - scale.y_mean) / scale.y_sd,
            )  # fmt: skip
            grams = collapse(data, interaction=True)
            draws = nutpie.sample(
                compiled.with_data(mediator_gram=grams.mediator, outcome_gram=grams.outcome),
                draws=500, tune=300, chains=1, seed=trial, progress_bar=False,
            )  # fmt: skip
            idata = xr.DataTree.from_dict({"/posterior": draws["posterior"].dataset, "/constant_data": constant_data})
            if rho == 0:
                effects = effect_table(natural_effects(idata)).set_index("estimand")
                inside = {
                    name: (effects.loc[name, "ci_low"] < truth < effects.loc[name, "ci_high"])
                    for name, truth in TRUTH.items()
                }
            else:
                at = effect_table(mediation_sensitivity(idata, rho=[0.0, rho])["tnie"]).set_index("rho")
                within = (at["ci_low"] < TRUTH["tnie"]) & (TRUTH["tnie"] < at["ci_high"])
                inside = {"tnie at rho": within[rho], "naive tnie": within[0.0]}
            for name, yes in inside.items():
                covered[name] += bool(yes)
    # 95 % of 16 is 15.2, with a binomial SD of .87: 12 is more than three of these below. Without rho about half are covered.
    for name in [*TRUTH, "tnie at rho"]:
        assert covered[name] >= 12, (name, covered)
    assert covered["naive tnie"] < 11, covered


def test_effects_over_trials_with_values_missing_at_random_come_back():
    rng = np.random.default_rng(3)
    frames = []
    for trial in range(12):
        n, shared = 100, rng.normal(size=3)
        a, b, c = 1.0 + 0.4 * shared[0], -0.6 + 0.3 * (0.8 * shared[0] + 0.6 * shared[1]), -0.3 + 0.2 * shared[2]
        arm, age = np.arange(n) % 2, rng.normal(size=n)
        m = a * arm + 0.3 * age + rng.normal(0, 1, n)
        y = 0.2 * trial + c * arm + b * m + 0.5 * age + rng.normal(0, 1, n)
        frames.append(pd.DataFrame({"arm": arm, "age": age, "m": m, "y": y, "trial": f"t{trial}"}))
    table = pd.concat(frames, ignore_index=True)
    table.loc[rng.random(len(table)) < special.expit(-2 + table["arm"] + table["age"]), "m"] = np.nan
    table.loc[rng.random(len(table)) < special.expit(-2.5 + table["age"]), "y"] = np.nan
    people = load_participants(table, **ROLES, covariates=["age"], trial="trial")
    assert people.missing["missing"].sum() > 250
    idata = fit(mediation(people, interaction=False), seed=4, draws=500, tune=500, chains=2)
    effects = effect_table(natural_effects(idata)).set_index("estimand")
    covariance = 0.4 * 0.3 * 0.8
    truth = {"tnie": -0.6 + covariance, "pnde": -0.3, "te": -0.9 + covariance, "ab": -0.6, "cov_ab": covariance}
    within_three_sd(effects, truth)
    assert effects.loc["tnie", "sd"] < 0.25


def within_three_sd(effects: pd.DataFrame, truth: dict[str, float]) -> None:
    for name, value in truth.items():
        row = effects.loc[name]
        assert abs(row["mean"] - value) < 3 * row["sd"], (name, value, row)


@pytest.mark.parametrize(
    ("family_mediator", "family_outcome"), [("logit", "probit"), ("gaussian", "student_t"), ("student_t", "logit")]
)
def test_effects_of_binary_and_heavy_tailed_families_come_back(family_mediator, family_outcome):
    rng = np.random.default_rng(12)
    n = 800
    arm, age = np.arange(n) % 2, rng.normal(size=n).round(1)
    noise = {"gaussian": rng.normal(size=n), "student_t": rng.standard_t(4, n), "logit": rng.logistic(size=n)}
    linear = -0.3 + 1.0 * arm + 0.5 * age
    m = (linear + noise["logit"] > 0).astype(float) if family_mediator == "logit" else linear + noise[family_mediator]
    eta = 0.2 - 0.4 * arm - (0.7 + 0.3 * arm) * m + 0.4 * age
    noise |= {"probit": rng.normal(size=n), "student_t": rng.standard_t(4, n), "logit": rng.logistic(size=n)}
    y = eta + noise[family_outcome]
    table = pd.DataFrame(
        {"arm": arm, "age": age, "m": m, "y": y if family_outcome == "student_t" else (y > 0).astype(float)}
    )
    table.loc[rng.random(n) < 0.05, "m"] = np.nan
    people = load_participants(table, **ROLES, covariates=["age"])
    model = mediation(people, family_mediator=family_mediator, family_outcome=family_outcome)
    idata = fit(model, seed=2, draws=500, chains=2)
    effects = effect_table(natural_effects(idata)).set_index("estimand")
    within_three_sd(effects, true_effects(family_mediator, family_outcome, rng.normal(size=4000)))


def true_effects(family_mediator: str, family_outcome: str, age: np.ndarray) -> dict[str, float]:
    """Average over simulated people of the mean outcome under each treatment of outcome and mediator."""
    rng = np.random.default_rng(1)
    uniform = rng.random(len(age))
    inverse = {"probit": stats.norm.cdf, "logit": special.expit, "student_t": lambda eta: eta}[family_outcome]
    quantile = {
        "gaussian": stats.norm.ppf,
        "student_t": lambda u: stats.t.ppf(u, 4),
        "logit": lambda u: special.logit(u),
    }

    def mean(t, t_m):
        m = -0.3 + t_m + 0.5 * age + quantile[family_mediator](uniform)
        m = (m > 0) * 1.0 if family_mediator == "logit" else m
        return inverse(0.2 - 0.4 * t - (0.7 + 0.3 * t) * m + 0.4 * age).mean()

    return {"te": mean(1, 1) - mean(0, 0), "tnie": mean(1, 1) - mean(1, 0), "pnde": mean(1, 0) - mean(0, 0)}
