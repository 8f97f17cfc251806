"""The mediation model: its density is the one written in its docstring, whoever is missing and however it is computed."""

import warnings

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from pytensor.compile.mode import Mode
from scipy import special, stats

from pillprocess.mediation.model import mediation
from pillprocess.mediation.random_effects import correlation_cholesky
from pillprocess.mediation.sufficient import standardise
from pillprocess.participants.table import Participants, load_participants

STABLE = Mode(linker="py", optimizer="fast_run").excluding("fusion")
"""Rewritten for numerical stability as in a fit, but not compiled."""


def simulated(
    n: int = 60,
    *,
    arms: int = 2,
    trials: int = 1,
    mediators: int = 1,
    missing: float = 0.0,
    binary: tuple[str, ...] = (),
    seed: int = 7,
) -> Participants:
    """Participants of a made-up trial; ``binary`` columns are cut at their median."""
    rng = np.random.default_rng(seed)
    arm = np.arange(n) % arms
    trial = np.arange(n) // arms % trials
    age, sex = rng.normal(40, 10, n), rng.integers(0, 2, n)
    table = pd.DataFrame({"arm": arm, "trial": [f"t{t}" for t in trial], "age": age, "sex": np.where(sex, "f", "m")})
    names = [f"m{q}" for q in range(mediators)]
    common = rng.normal(size=n)
    for q, name in enumerate(names):
        table[name] = 20 + 5 * q + 3 * arm + 0.1 * age + 2 * common + rng.normal(0, 3, n)
    table["y"] = 50 - 2 * arm - 0.8 * table[names].sum(axis=1) + 0.3 * arm * table["m0"] + sex + rng.normal(0, 4, n)
    for name in binary:
        table[name] = (table[name] > table[name].median()).astype(float)
    for name in [*names, "y"]:
        table.loc[rng.random(n) < missing, name] = np.nan
    return load_participants(
        table, treatment="arm", reference=0, outcome="y", mediators=names, covariates=["age", "sex"],
        trial="trial" if trials > 1 else None,
    )  # fmt: skip


def random_point(model: pm.Model) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {name: value + 0.3 * rng.normal(size=np.shape(value)) for name, value in model.initial_point().items()}


def evaluate(model: pm.Model, *points: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Log likelihood and every variable in the units of the data, at a random point or at those given."""
    names = ["likelihood", *(v.name for v in model.deterministics)]
    likelihood = model.logp(vars=[*model.observed_RVs, *model.potentials], jacobian=False)
    outputs = [likelihood, *model.replace_rvs_by_values(model.deterministics)]
    compiled = model.compile_fn(outputs, inputs=model.value_vars, mode=STABLE, on_unused_input="ignore")
    return [dict(zip(names, compiled(point), strict=True)) for point in points or [random_point(model)]]


def written_out(
    people: Participants, v: dict[str, np.ndarray], mediators: list[str], rows: np.ndarray | None = None
) -> float:
    """The log density of the model's docstring, row by row, marginal over what is missing, in SD units."""
    Q, total = len(mediators), 0.0
    data = standardise(people, mediators=mediators, binary_mediator=False, binary_outcome=False)
    D, corr = np.zeros((Q, Q)), np.eye(Q)
    if "d" in v:
        D[np.triu_indices(Q, 1)[::-1]] = v["d"]
    if "correlation_m" in v:
        first, second = np.triu_indices(Q, 1)
        corr[first, second] = corr[second, first] = v["correlation_m"]
    solve = np.linalg.inv(np.eye(Q) - D)
    sigma = solve @ np.diag(v["sigma_m"]) @ corr @ np.diag(v["sigma_m"]) @ solve.T
    names = list(pd.unique(people.trial))
    for i in np.arange(len(people)) if rows is None else rows:
        T, X = people.treatment.iloc[i].to_numpy(), people.covariates.iloc[i].to_numpy()
        j = names.index(people.trial.iloc[i])
        of = {
            name: v[f"{name}_trial"][j] if f"{name}_trial" in v else v[name]
            for name in ("alpha_m", "a", "alpha_y", "c", "b")
        }
        mean_m = solve @ (of["alpha_m"] + of["a"] @ T + v["gamma_m"] @ X)
        slope = of["b"] + (v["theta"] @ T if "theta" in v else 0)
        mean_y = of["alpha_y"] + of["c"] @ T + slope @ mean_m + v["gamma_y"] @ X
        cross = sigma @ slope
        covariance = np.block([[sigma, cross[:, None]], [cross[None, :], slope @ cross + v["sigma_y"] ** 2]])
        value = np.append(people.mediators[mediators].iloc[i].to_numpy(), people.outcome.iloc[i])
        seen = np.isfinite(value)
        if seen.any():
            mean = np.append(mean_m, mean_y)[seen]
            total += stats.multivariate_normal.logpdf(value[seen], mean, covariance[np.ix_(seen, seen)])
            total += np.log(np.append(data.m_sd, data.y_sd)[seen]).sum()
    return float(total)


DESIGNS = {
    "one trial": ({}, {}),
    "no interaction": ({}, {"interaction": False}),
    "three arms": ({"arms": 3}, {}),
    "two parallel mediators": ({"mediators": 2}, {}),
    "two ordered mediators": ({"mediators": 2}, {"order": ["m1", "m0"]}),
    "three mediators, three arms": ({"mediators": 3, "arms": 3, "n": 90}, {}),
}


@pytest.mark.parametrize("missing", [0.0, 0.3], ids=["complete", "with missing values"])
@pytest.mark.parametrize("name", DESIGNS)
def test_the_density_from_sufficient_statistics_is_that_of_the_docstring_row_by_row(name, missing):
    data, model = DESIGNS[name]
    people = simulated(**data, missing=missing)
    [values] = evaluate(mediation(people, **model))
    order = model.get("order", [str(m) for m in people.mediators])
    assert values["likelihood"] == pytest.approx(written_out(people, values, order), rel=1e-12, abs=1e-10)


@pytest.mark.parametrize("name", DESIGNS)
def test_rows_and_sufficient_statistics_give_the_same_log_density(name):
    data, model = DESIGNS[name]
    people = simulated(**data)
    collapsed, rows = (evaluate(mediation(people, **model, collapsed=c))[0]["likelihood"] for c in (True, False))
    assert abs(collapsed - rows) < 1e-10


EFFECTS = ("alpha_m", "a", "alpha_y", "c", "b")


def flat(v: dict[str, np.ndarray], suffix: str, j: int | None = None) -> np.ndarray:
    """Effects of a trial in the units of the data, as a vector."""
    return np.concatenate([np.ravel(v[name + suffix] if j is None else v[name + suffix][j]) for name in EFFECTS])


def with_effects(v: dict[str, np.ndarray], j: int, vector: np.ndarray) -> dict[str, np.ndarray]:
    """The same variables with other effects in trial j."""
    out, start = dict(v), 0
    for name in EFFECTS:
        values = np.array(v[f"{name}_trial"])
        values[j] = vector[start : start + values[j].size].reshape(values[j].shape)
        out[f"{name}_trial"], start = values, start + values[j].size
    return out


def peak_of_quadratic(f, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where a quadratic function has its maximum, and its Hessian, from its values at 0 and one or two steps away."""
    step = np.eye(size)
    base, ahead, back = f(np.zeros(size)), [f(s) for s in step], [f(-s) for s in step]
    gradient = (np.array(ahead) - np.array(back)) / 2
    hessian = np.diag(np.array(ahead) + np.array(back) - 2 * base)
    for i in range(size):
        for k in range(i):
            hessian[i, k] = hessian[k, i] = f(step[i] + step[k]) - ahead[i] - ahead[k] + base
    return -np.linalg.solve(hessian, gradient), hessian


@pytest.mark.parametrize("missing", [0.0, 0.2], ids=["complete", "with missing values"])
@pytest.mark.parametrize(
    ("data", "arguments"),
    [({}, {}), ({"mediators": 2, "n": 72}, {"order": ["m1", "m0"]})],
    ids=["one mediator", "ordered"],
)
def test_over_trials_the_effects_are_integrated_out_and_drawn_given_the_data(data, arguments, missing):
    """A Gaussian integral is the integrand's peak times its width, and u measures the drawn effects from that peak."""
    people = simulated(trials=6, missing=missing, **data)
    order = arguments.get("order", [str(m) for m in people.mediators])
    model = mediation(people, **arguments)
    point = random_point(model)
    size = len(point["u_new_raw"])
    news = [point | {"u_new_raw": z} for z in (np.zeros(size), *np.eye(size))]
    v, *new = evaluate(model, point, *news)
    mean = flat(new[0], "_new")
    factor = np.column_stack([flat(n, "_new") - mean for n in new[1:]])
    known = people.mediators.notna().all(axis=1).to_numpy()
    expected = written_out(people, v, order, np.flatnonzero(~known))
    for j in range(6):
        rows = np.flatnonzero(known & (people.trial == f"t{j}").to_numpy())

        def log_density(z, j=j, rows=rows):
            return written_out(people, with_effects(v, j, mean + factor @ z), order, rows) + stats.norm.logpdf(z).sum()

        peak, hessian = peak_of_quadratic(log_density, size)
        expected += log_density(peak) + 0.5 * size * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(-hessian)[1]
        drawn = np.linalg.solve(factor, flat(v, "_trial", j) - mean)
        u = point["u_raw"][j]
        assert log_density(peak) - log_density(drawn) == pytest.approx(0.5 * u @ u, rel=1e-6)
    assert v["likelihood"] == pytest.approx(expected, abs=1e-7)


def test_a_missing_mediator_in_a_row_is_a_latent_variable_with_the_same_integral():
    people = simulated(n=24)
    people.mediators.iloc[5, 0] = np.nan
    collapsed, rows = mediation(people), mediation(people, collapsed=False)
    point = {name: value + 0.1 for name, value in collapsed.initial_point().items()}
    joint = rows.logp(vars=[*rows.observed_RVs, rows["M_missing_raw"]], jacobian=False)
    density = rows.compile_fn(joint, inputs=rows.value_vars, mode=STABLE, on_unused_input="ignore")
    grid = np.linspace(-9, 9, 301)
    integral = special.logsumexp([density(point | {"M_missing_raw": [z]}) for z in grid]) + np.log(grid[1] - grid[0])
    marginal = collapsed.logp(vars=collapsed.potentials, jacobian=False)
    expected = collapsed.compile_fn(marginal, inputs=collapsed.value_vars, mode=STABLE, on_unused_input="ignore")(point)
    assert integral == pytest.approx(float(expected), abs=1e-8)


def log_density(family: str, value: float, eta: float, sd: float, nu: float) -> float:
    signed = eta if value else -eta
    if family in ("probit", "logit"):
        return float(stats.norm.logcdf(signed) if family == "probit" else special.log_expit(signed))
    return float(stats.t.logpdf(value, nu, eta, sd) if family == "student_t" else stats.norm.logpdf(value, eta, sd))


@pytest.mark.parametrize("family_outcome", ["gaussian", "student_t", "probit", "logit"])
@pytest.mark.parametrize("family_mediator", ["gaussian", "student_t", "probit", "logit"])
def test_every_pair_of_families_has_the_density_of_its_docstring(family_mediator, family_outcome):
    binary = {"m0": family_mediator in ("probit", "logit"), "y": family_outcome in ("probit", "logit")}
    people = simulated(n=40, binary=tuple(name for name, cut in binary.items() if cut))
    people.outcome.iloc[3] = np.nan
    if binary["m0"]:
        people.mediators.iloc[[3, 8], 0] = np.nan
    [v] = evaluate(mediation(people, family_mediator=family_mediator, family_outcome=family_outcome, collapsed=False))
    total = 0.0
    for T, X, m, y in zip(
        people.treatment["1"], people.covariates.to_numpy(), people.mediators["m0"], people.outcome, strict=True
    ):
        eta = v["alpha_m"][0] + v["a"][0, 0] * T + v["gamma_m"][0] @ X

        def given(value, T=T, X=X, y=y):
            mean = v["alpha_y"] + v["c"][0] * T + (v["b"][0] + v["theta"][0, 0] * T) * value + v["gamma_y"] @ X
            return (
                0.0 if np.isnan(y) else log_density(family_outcome, y, mean, v.get("sigma_y", 1), v.get("nu_y", np.inf))
            )

        sd, nu = v.get("sigma_m", [1])[0], v.get("nu_m", np.inf)
        if np.isnan(m):
            total += np.logaddexp(
                *(log_density(family_mediator, value, eta, sd, nu) + given(value) for value in (0, 1))
            )
        else:
            total += log_density(family_mediator, m, eta, sd, nu) + given(m)
    data = standardise(people, mediators=["m0"], binary_mediator=binary["m0"], binary_outcome=binary["y"])
    total += 0 if binary["m0"] else people.mediators["m0"].notna().sum() * np.log(data.m_sd[0])
    total += 0 if binary["y"] else people.outcome.notna().sum() * np.log(data.y_sd)
    assert v["likelihood"] == pytest.approx(total, abs=1e-9)


def test_row_order_does_not_matter():
    people = simulated(missing=0.2)
    table = pd.concat([people.treatment, people.covariates, people.mediators, people.outcome], axis=1)
    likelihoods = []
    for rows in (table, table.sample(frac=1, random_state=1)):
        again = load_participants(
            rows, treatment="1", reference=0, outcome="y", mediators="m0", covariates=["age", "sex[m]"]
        )
        likelihoods.append(evaluate(mediation(again))[0]["likelihood"])
    assert likelihoods[0] == pytest.approx(likelihoods[1], abs=1e-10)


def test_every_variable_has_named_dims():
    model = mediation(simulated(mediators=2, arms=3, trials=6))
    for variable in [*model.free_RVs, *model.deterministics]:
        assert len(model.named_vars_to_dims.get(variable.name, ())) == variable.ndim, variable.name
    assert list(model.coords["effect"])[:3] == ["alpha_m[m0]", "alpha_m[m1]", "a[m0, 1]"]
    assert model.coords["effect_pair"][0] == "alpha_m[m0] ~ alpha_m[m1]"


def test_correlations_of_four_trials_or_five_warn_and_of_three_are_fixed_at_zero():
    with pytest.warns(UserWarning, match=r"3 trials cannot show how effects vary together: .* so cov\(a, b\) is 0"):
        assert "correlation" not in mediation(simulated(trials=3)).named_vars
    with pytest.warns(UserWarning, match=r"5 trials say little .* rests on its LKJ\(2\) prior"):
        assert "correlation" in mediation(simulated(trials=5)).named_vars
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mediation(simulated(trials=6))


def test_the_correlation_prior_is_lkj():
    """Each correlation of a D x D LKJ(eta) matrix is 2 Beta(k, k) - 1 with k = eta - 1 + D/2: variance 1/(2k + 1)."""
    with pm.Model():
        correlation_cholesky("r", labels=list("abcde"), eta=2.0, dim="pair")
        draws = pm.draw(pm.modelcontext(None)["r"], 4000, random_seed=1)
    np.testing.assert_allclose(draws.var(0), 1 / 8, atol=0.012)
    np.testing.assert_allclose(draws.mean(0), 0, atol=0.025)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"family_mediator": "gamma"},
            "family_mediator = 'gamma'; it must be one of gaussian, probit, logit, student_t",
        ),
        ({"family_outcome": "probit"}, "family_outcome = 'probit' needs 0 or 1 in column 'y'; it holds"),
        ({"order": ["m0"]}, r"order = \['m0'\] must list each of \['m0', 'm1'\] once, causes first"),
        (
            {"family_mediator": "student_t"},
            "several mediators must be 'gaussian'; fit others singly\nno model was built",
        ),
    ],
)
def test_a_model_that_cannot_be_built_says_why(arguments, message):
    with pytest.raises(ValueError, match=message):
        mediation(simulated(mediators=2), **arguments)
