"""Two periods: the density is SciPy's, the slope is the one within persons, and what is no crossover is named."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from pillprocess.mediation.crossover import crossover_mediation
from pillprocess.mediation.effects import compute_effects
from pillprocess.mediation.repeated_analysis import first_period
from pillprocess.mediation.sufficient import standardise
from pillprocess.participants.crossover import Crossover, both_periods, load_crossover, values_of
from pillprocess.participants.table import ParticipantError
from tests.mediation.test_model import STABLE, evaluate, random_point
from tests.mediation.trees import tree

ROLES = {
    "person": "id", "period": "period", "treatment": "arm", "reference": "placebo", "mediator": "insight", "outcome": "score",
    "covariates": "age",
}  # fmt: skip


def table(n: int = 64, *, carried: float = 0.0, seed: int = 3) -> pd.DataFrame:
    """A trait raises mediator and outcome together; within a person the mediator lowers the outcome: b = -0.3, c = -2, a = 20."""
    rng = np.random.default_rng(seed)
    trait, age, first = rng.normal(size=n), rng.normal(40, 10, n), np.arange(n) % 2
    rows = []
    for period, drug in ((1, first), (2, 1 - first)):
        left = carried * first * (period == 2)
        insight = 40 + 20 * drug + left + 8 * trait + 3 * (period == 2) + rng.normal(0, 6, n)
        score = 20 - 2 * drug - 0.3 * (insight - 40) + 6 * trait + 0.1 * age - (period == 2) + rng.normal(0, 3, n)
        arm = np.where(drug == 1, "drug", "placebo")
        rows.append(
            pd.DataFrame({"arm": arm, "period": period, "age": age, "insight": insight, "score": score}).assign(
                id=[f"S{i:04d}" for i in range(n)]
            )
        )  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def with_gaps(n: int = 64) -> Crossover:
    """Every pattern of missing values, in both sequences."""
    data = table(n)
    for i, seen in zip(range(n), itertools.cycle(itertools.product([True, False], repeat=4)), strict=False):
        shown = np.roll(seen, i // 16)
        for column, row, there in zip(
            ("insight", "insight", "score", "score"), (i, n + i, i, n + i), shown, strict=True
        ):
            if not there:
                data.loc[row, column] = np.nan
    return load_crossover(data, **ROLES)


def test_the_density_is_scipys_for_every_pattern_of_missing_values():
    crossover = with_gaps()
    model = crossover_mediation(crossover)
    [v] = evaluate(model)
    units = standardise(both_periods(crossover), mediators=["insight"], binary_mediator=False, binary_outcome=False)
    scale, values, total = np.repeat([units.m_sd[0], units.y_sd], 2), values_of(crossover), 0.0
    assert len(np.unique(np.isfinite(values), axis=0)) == 16
    rho = 2 / (1 + np.exp(-random_point(model)["person_correlation_interval__"])) - 1
    S_u = np.array(
        [
            [v["person_m"] ** 2, rho * v["person_m"] * v["person_y"]],
            [rho * v["person_m"] * v["person_y"], v["person_y"] ** 2],
        ]
    )
    for i, row in enumerate(values):
        first, x = crossover.first.treatment.iloc[i, 0], crossover.first.covariates.iloc[i].to_numpy()
        T, late, z = np.array([first, 1 - first]), np.array([0.0, first]), np.array([-0.5, 0.5])
        m = v["alpha_m"][0] + v["period_m"] * z + v["a"][0, 0] * T + v["carry_over_m"] * late + v["gamma_m"][0] @ x
        B = np.diag(v["b"][0] + v["theta"][0, 0] * T)
        y = v["alpha_y"] + v["period_y"] * z + v["c"][0] * T + v["carry_over_y"] * late + v["gamma_y"] @ x + B @ m
        # M = u + noise; Y = B M + w + noise
        S_m = S_u[0, 0] * np.ones((2, 2)) + v["sigma_m"][0] ** 2 * np.eye(2)
        S_mw = S_u[0, 1] * np.ones((2, 2))
        S_w = S_u[1, 1] * np.ones((2, 2)) + v["sigma_y"] ** 2 * np.eye(2)
        cross = S_m @ B.T + S_mw
        covariance = np.block([[S_m, cross], [cross.T, B @ S_m @ B.T + B @ S_mw + S_mw.T @ B.T + S_w]])
        seen = np.isfinite(row)
        if seen.any():
            total += stats.multivariate_normal.logpdf(row[seen], np.append(m, y)[seen], covariance[np.ix_(seen, seen)])
            total += np.log(scale[seen]).sum()
    assert v["likelihood"] == pytest.approx(total, rel=1e-11, abs=1e-9)


def test_the_slope_is_the_one_within_persons_and_carry_over_is_told_apart():
    crossover = load_crossover(table(1500, carried=5.0), **ROLES)
    model = crossover_mediation(crossover)
    names, point = [v.name for v in model.value_vars], model.initial_point()
    compiled = model.compile_fn(
        [model.logp(jacobian=False), model.dlogp(jacobian=False)], inputs=model.value_vars, mode=STABLE
    )
    ends = np.cumsum([np.size(point[name]) for name in names])[:-1]

    def parts(flat: np.ndarray) -> dict[str, np.ndarray]:
        return {n: p.reshape(np.shape(point[n])) for n, p in zip(names, np.split(flat, ends), strict=True)}

    def negative(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = compiled(parts(flat))
        return -float(value), -gradient

    start = np.concatenate([np.ravel(point[n]) for n in names])
    [v] = evaluate(model, parts(optimize.minimize(negative, start, jac=True, method="L-BFGS-B").x))
    kept = [n for n in v if n != "likelihood"]
    effects = compute_effects(tree(model, {n: v[n][None] for n in kept}))
    assert float(v["b"][0]) == pytest.approx(-0.3, abs=0.04)
    assert float(v["carry_over_m"]) == pytest.approx(5, abs=1.5)
    assert float(v["carry_over_y"]) == pytest.approx(0, abs=1.2)
    assert effects["te"].item() == pytest.approx(-8, abs=0.8)
    assert effects["tnie"].item() == pytest.approx(-6, abs=0.9)
    rows = table(1500, carried=5.0)
    X = np.column_stack([np.ones(len(rows)), rows["arm"] == "drug", rows["insight"]])
    between = np.linalg.lstsq(X, rows["score"], rcond=None)[0][2]
    assert between > 0  # rows taken for people get the sign wrong


def test_the_first_period_alone_is_a_parallel_trial_of_everybody():
    data = table(24)
    crossover = load_crossover(data[~((data["id"] == "S0003") & (data["period"] == 2))], **ROLES)
    assert len(crossover) == len(crossover.first) == len(crossover.second) == 24
    assert crossover.second.outcome.isna().sum() == 1
    assert crossover.second.arm["S0003"] != crossover.first.arm["S0003"]
    assert crossover.first.outcome.to_numpy() == pytest.approx(data.loc[data["period"] == 1, "score"].to_numpy())


def test_the_first_period_alone_has_the_priors_that_were_asked_for():
    crossover = load_crossover(table(24), **ROLES)
    asked = {"prior_b_sd": 0.2, "prior_sigma_sd": 3.0, "prior_person_sd": 2.0, "prior_carry_over_sd": 0.1}
    model = first_period(crossover, interaction=True, priors=asked)
    spread = {name: model[name].owner.inputs[-1].eval().max() for name in ("a_raw", "b_raw", "sigma_y_raw")}
    assert spread == {"a_raw": 2.0, "b_raw": 0.2, "sigma_y_raw": 3.0}
    assert "theta_raw" not in first_period(crossover, interaction=False, priors={}).named_vars


def test_what_is_no_crossover_of_two_periods_is_named():
    data = table(20)
    with pytest.raises(
        ParticipantError, match="a two-period crossover has 2 periods and 2 arms; column 'period' has 3"
    ):
        load_crossover(data.assign(period=np.arange(40) % 3), **ROLES)
    with pytest.raises(ParticipantError, match="(?s)person 'S0000' has a period twice"):
        load_crossover(pd.concat([data, data.head(1)], ignore_index=True), **ROLES)
    with pytest.raises(ParticipantError, match="person 'S0001' had one arm in both periods"):
        load_crossover(data.assign(arm=data["arm"].where(data["id"] != "S0001", "drug")), **ROLES)
    with pytest.raises(ParticipantError, match="person 'S0002' has no row in the first period"):
        load_crossover(data[~((data["id"] == "S0002") & (data["period"] == 1))], **ROLES)
    with pytest.raises(ParticipantError, match="covariate 'age' of person 'S0000' differs between periods"):
        load_crossover(data.assign(age=np.arange(40.0)), **ROLES)
    with pytest.raises(ParticipantError, match="(?s)period 2: column 'score': row .* not a number"):
        load_crossover(data.assign(score=data["score"].astype(object).where(data.index != 25, "?")), **ROLES)
    with pytest.raises(ParticipantError, match="column 'visit' is not in the table"):
        load_crossover(data, **(ROLES | {"period": "visit"}))
    with pytest.raises(
        ValueError, match="a crossover from load_crossover is needed; got a DataFrame. No model was built"
    ):
        crossover_mediation(data)
