"""Outcomes at several visits: the density is SciPy's for every pattern of missing values, the effects are those of the g-formula."""

import itertools
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import optimize, stats

import pillprocess as pp
from pillprocess.mediation.repeated import repeated_mediation
from pillprocess.mediation.repeated_data import repeated_units, trapezoid_weights
from pillprocess.mediation.repeated_effects import at_visit, repeated_effects
from pillprocess.mediation.visit_correlations import unstructured_cholesky
from pillprocess.participants.followup import FollowUp, load_followup
from pillprocess.participants.table import ParticipantError
from tests.mediation.test_model import STABLE, evaluate, random_point
from tests.mediation.trees import tree

VISITS = {"score_1": 1.0, "score_2": 2.0, "score_3": 6.0}


def table(n: int = 64, *, arms: int = 2, mediators: int = 1, seed: int = 4) -> pd.DataFrame:
    """A made-up trial in which every pattern of missing mediators and visits occurs."""
    rng = np.random.default_rng(seed)
    arm, age = rng.permutation(np.arange(n) % arms), rng.normal(40, 10, n)
    names = [f"m{q}" for q in range(mediators)]
    person = rng.normal(0, 3, n)
    columns = {"arm": [f"t{a}" for a in arm], "age": age}
    for q, name in enumerate(names):
        columns[name] = 20 + 5 * q + 3 * arm + 0.1 * age + rng.normal(0, 3, n)
    for v, name in enumerate(VISITS):
        columns[name] = 30 - 2 * v * arm - 0.5 * columns["m0"] + person + rng.normal(0, 3, n)
    data = pd.DataFrame(columns)
    patterns = list(itertools.product([True, False], repeat=mediators + 3))
    for row in range(n):
        for name, seen in zip([*names, *VISITS], patterns[row % len(patterns)], strict=True):
            if not seen:
                data.loc[row, name] = np.nan
    return data


def followup(
    n: int = 64, *, arms: int = 2, mediators: int = 1, clusters: tuple[str, ...] = (), **columns: object
) -> FollowUp:
    """The made-up trial; five sites are crossed with therapists, of whom arm t0 has none."""
    data = table(n, arms=arms, mediators=mediators).assign(**columns)
    if clusters:
        therapist = np.array(["abcdefg"[i % 7] for i in range(n)], dtype=object)
        data = data.assign(
            site=[f"s{i % 5}" for i in range(n)], therapist=np.where(data["arm"] == "t0", None, therapist)
        )
    return load_followup(
        data, outcomes=VISITS, treatment="arm", reference="t0", mediators=[f"m{q}" for q in range(mediators)], covariates=["age"],
        clusters=clusters, cluster_labels="unique" if clusters else None,
    )  # fmt: skip


def written_out(people: FollowUp, v: dict[str, np.ndarray], *, ar1: bool) -> float:
    """The log density of the module's docstring, person by person, of what was observed; per SD unit."""
    units, Q, V = repeated_units(people), people.people.mediators.shape[1], 3
    corr_m, corr_y = np.eye(Q), np.eye(V)
    if Q > 1:
        corr_m[0, 1] = corr_m[1, 0] = v["correlation_m"][0]
    first, second = np.triu_indices(V, 1)
    corr_y[first, second] = corr_y[second, first] = v["correlation_y"]
    if ar1:
        time = np.array(list(VISITS.values()))
        assert corr_y == pytest.approx(corr_y[0, 1] ** np.abs(time[:, None] - time))  # the first two are 1 apart
    S_m, S_y = np.outer(v["sigma_m"], v["sigma_m"]) * corr_m, np.outer(v["sigma_y"], v["sigma_y"]) * corr_y
    total = 0.0
    for i in range(len(people)):
        T, X = people.people.treatment.iloc[i].to_numpy(), people.people.covariates.iloc[i].to_numpy()
        B = v["b"] + (v["theta"] @ T if "theta" in v else 0)
        mean_m = v["alpha_m"] + v["a"] @ T + v["gamma_m"] @ X
        level = np.zeros(V)
        for name in people.people.clusters:
            label = people.people.clusters[name].iloc[i]
            if isinstance(label, str):
                deviation = v[f"deviation_{name}"][list(people.people.clusters[name].dropna().unique()).index(label)]
                mean_m, level = mean_m + deviation[:Q], level + deviation[Q:]
        mean = np.append(mean_m, v["alpha_y"] + v["c"] @ T + B @ mean_m + v["gamma_y"] @ X + level)
        covariance = np.block([[S_m, S_m @ B.T], [B @ S_m, B @ S_m @ B.T + S_y]])
        value = np.append(people.people.mediators.iloc[i], people.outcomes.iloc[i])
        seen = np.isfinite(value)
        if seen.any():
            total += stats.multivariate_normal.logpdf(value[seen], mean[seen], covariance[np.ix_(seen, seen)])
            total += np.log(np.append(units.m_sd, np.full(V, units.y_sd))[seen]).sum()
    return float(total)


@pytest.mark.parametrize(
    ("data", "model"),
    [({}, {}), ({"arms": 3, "mediators": 2, "clusters": ("site", "therapist")}, {"covariance": "ar1"})],
    ids=["unstructured", "two mediators, three arms, ar1, sites crossed with therapists of two arms"],
)
def test_the_density_from_cross_products_is_scipys_for_every_pattern_of_missing_values(data, model):
    people = followup(**data)
    seen = pd.concat([people.people.mediators, people.outcomes], axis=1).notna()
    assert len(seen.drop_duplicates()) == 2 ** seen.shape[1]
    built = repeated_mediation(people, **model)
    [values] = evaluate(built)
    expected = written_out(people, values, ar1="covariance" in model)
    assert values["likelihood"] == pytest.approx(expected, rel=1e-11, abs=1e-9)
    for name in people.people.clusters:
        check_levels(values, random_point(built), str(name), mediators=people.people.mediators.shape[1])


def check_levels(values: dict[str, np.ndarray], point: dict[str, np.ndarray], name: str, *, mediators: int) -> None:
    """Levels of clusters have the covariance of the docstring: they are its square root times the standard normal draws."""
    Q, u = mediators, point[f"u_{name}_raw"]
    tau, pairs = values[f"tau_{name}"], values[f"correlation_{name}"]
    corr = np.eye(Q + 1)
    corr[np.triu_indices(Q + 1, 1)] = pairs
    corr = np.triu(corr, 1).T + corr
    over_visits = np.full((3, 3), 0.75) + 0.25 * np.eye(3)
    k = np.linalg.solve(np.linalg.cholesky(corr[:Q, :Q]), corr[:Q, Q])  # of the outcome's level with independent ones
    full = np.zeros((Q + 3, Q + 3))
    full[:Q, :Q] = corr[:Q, :Q]
    full[:Q, Q:] = corr[:Q, [Q]]
    full[Q:, :Q] = full[:Q, Q:].T
    full[Q:, Q:] = k @ k + (1 - k @ k) * over_visits
    sd = np.append(tau[:Q], np.full(3, tau[Q]))
    assert values[f"deviation_{name}"] == pytest.approx(u @ np.linalg.cholesky(np.outer(sd, sd) * full).T)


def partial_correlations(corr: np.ndarray) -> np.ndarray:
    """Correlation of every two visits given those before the first of them, from the inverses of the blocks concerned."""
    found = []
    for u, v in itertools.combinations(range(len(corr)), 2):
        own = [*range(u), u, v]
        precision = np.linalg.inv(corr[np.ix_(own, own)])
        found.append(-precision[-2, -1] / np.sqrt(precision[-2, -2] * precision[-1, -1]))
    return np.array(found)


@pytest.mark.parametrize("person", [0.5, 0.0])
def test_the_prior_of_four_visits_correlations_is_scipys_about_what_a_persons_level_leaves(person):
    with pm.Model() as model:
        unstructured_cholesky(["a", "b", "c", "d"], person)
    [value] = model.value_vars
    outputs = [*model.replace_rvs_by_values(model.deterministics), model.logp(jacobian=False)]
    at = model.compile_fn(outputs, inputs=model.value_vars, mode=STABLE)
    first, second = np.triu_indices(4, 1)
    before = np.array([0, 0, 0, 1, 1, 2])

    def matrix(pairs: np.ndarray) -> np.ndarray:
        corr = np.eye(4)
        corr[first, second] = corr[second, first] = pairs
        return corr

    point = np.array([0.4, -0.3, 0.8, 1.1, -0.6, 0.5])
    pairs, logp = at({value.name: point})
    partial = partial_correlations(matrix(pairs))
    centre = person / (1 + (before + 1) * person)
    prior = stats.beta(2 * (1 + centre) / (1 - centre), 2, loc=-1, scale=2)
    assert logp == pytest.approx(prior.logpdf(partial).sum() + len(pairs) * np.log(2))  # the density of the Beta itself
    assert prior.mean() == pytest.approx(centre)
    level = matrix(np.full(6, person / (1 + person)))  # a constant level of the person, given the baseline
    assert partial_correlations(level) == pytest.approx(prior.mean())

    step = 1e-6 * np.eye(6)  # from correlations to partial correlations: the Jacobian, against its closed form
    slopes = np.stack([partial_correlations(matrix(pairs + s)) - partial_correlations(matrix(pairs - s)) for s in step])
    jacobian = np.linalg.slogdet(slopes / 2e-6)[1]
    assert jacobian == pytest.approx(-((2 - before) / 2 * np.log1p(-(partial**2))).sum(), rel=1e-6)


def fitted(*, draws: int = 3) -> tuple[FollowUp, xr.DataTree]:
    """A few draws written by hand on the constant data of a real model; two mediators."""
    people = followup(mediators=2)
    model, rng = repeated_mediation(people), np.random.default_rng(8)
    sizes = {
        "alpha_m": (2,), "a": (2, 1), "gamma_m": (2, 1), "alpha_y": (3,), "c": (3, 1), "b": (3, 2), "theta": (3, 2, 1),
        "gamma_y": (3, 1),
    }  # fmt: skip
    posterior = {name: rng.normal(size=(draws, *size)) for name, size in sizes.items()}
    posterior |= {"sigma_m": rng.uniform(1, 2, (draws, 2)), "sigma_y": rng.uniform(1, 2, (draws, 3))}
    posterior |= {
        "correlation_m": rng.uniform(0.2, 0.5, (draws, 1)),
        "correlation_y": rng.uniform(0.2, 0.5, (draws, 3)),
    }
    return people, tree(model, posterior)


def test_effects_at_every_visit_and_on_average_are_those_of_people_simulated_under_both_treatments():
    people, idata = fitted()
    effects = repeated_effects(idata, m=1.5)
    k = idata["posterior"].dataset.isel(chain=0, draw=1)
    rng, n = np.random.default_rng(1), 400_000
    x = people.people.covariates.to_numpy()[:, 0].mean()
    S = (
        np.diag(k["sigma_m"])
        @ np.array([[1, k["correlation_m"][0]], [k["correlation_m"][0], 1]])
        @ np.diag(k["sigma_m"])
    )
    noise = rng.multivariate_normal([0, 0], S, n)

    def mediators(t: int) -> np.ndarray:
        return (k["alpha_m"] + t * k["a"][:, 0] + k["gamma_m"][:, 0] * x).to_numpy() + noise

    def outcome(t: int, M: np.ndarray) -> np.ndarray:
        slope = (k["b"] + t * k["theta"][:, :, 0]).to_numpy()
        y = (k["alpha_y"] + t * k["c"][:, 0] + k["gamma_y"][:, 0] * x).to_numpy() + M @ slope.T
        weights = np.array([0.1, 0.5, 0.4])  # trapezium rule for times 1, 2, 6
        return np.append(y.mean(0), y.mean(0) @ weights)

    fixed = np.full((1, 2), 1.5)
    expected = {
        "te": outcome(1, mediators(1)) - outcome(0, mediators(0)), "pnde": outcome(1, mediators(0)) - outcome(0, mediators(0)),
        "tnie": outcome(1, mediators(1)) - outcome(1, mediators(0)), "cde": outcome(1, fixed) - outcome(0, fixed),
    }  # fmt: skip
    for name, value in expected.items():
        assert effects[name].isel(chain=0, draw=1).to_numpy() == pytest.approx(value, abs=0.02), name
    assert effects["visit"].to_numpy().tolist() == [*VISITS, "average"]
    assert effects["iie"].sum("mediator").to_numpy() == pytest.approx(effects["tnie"].to_numpy())
    assert effects["b_active"].isel(visit=2).to_numpy() == pytest.approx(
        (idata["posterior"]["b"] + idata["posterior"]["theta"].isel(arm=0)).isel(visit=2).to_numpy()
    )
    assert set(effects.attrs["proportion_withheld"]) | set(effects.get("reported", xr.DataArray([])).to_numpy()) == {
        *VISITS, "average",
    }  # fmt: skip
    assert effects.attrs["span"] == 5


def test_one_visit_of_a_fit_is_a_fit_of_mediation_for_everything_that_takes_one():
    people, idata = fitted()
    single = at_visit(idata, "score_2")
    with pytest.warns(UserWarning, match="cde moves mediator"):
        effects = pp.natural_effects(single)
    assert effects["te"].to_numpy() == pytest.approx(repeated_effects(idata)["te"].sel(visit="score_2").to_numpy())
    sensitivity = pp.mediation_sensitivity(single, mediator="m0", seed=1)
    assert np.isfinite(sensitivity["rho_tipping"]).all()
    assert set(pp.mediation_paths(single)["end"]) == {"m0", "m1", "score_2"}
    seen = people.outcomes["score_2"]
    arm = people.people.arm
    assert single["constant_data"]["outcome_mean"].to_numpy() == pytest.approx(
        [seen[arm == a].mean() for a in ("t0", "t1")]
    )
    assert float(single["constant_data"]["outcome_variance"][0]) == pytest.approx(seen.var(ddof=0))
    k, w = idata["posterior"].dataset.isel(chain=0, draw=0), np.array([0.1, 0.5, 0.4])
    corr = np.eye(3)
    corr[np.triu_indices(3, 1)] = k["correlation_y"]
    corr = np.triu(corr, 1) + np.triu(corr, 1).T + np.eye(3)
    sd = np.sqrt(w @ (np.outer(k["sigma_y"], k["sigma_y"]) * corr) @ w)
    assert float(at_visit(idata, "average")["posterior"]["sigma_y"][0, 0]) == pytest.approx(sd)


def dropout(n: int, seed: int) -> pd.DataFrame:
    """Total effect -7 at the last of three visits; those who were worse at a visit leave after it, more so without the drug."""
    rng = np.random.default_rng(seed)
    arm, base = np.arange(n) % 2, rng.normal(30, 5, n)
    experience = 20 + 30 * arm + rng.normal(0, 10, n)
    person = rng.normal(0, 5, n)
    Y = np.empty((n, 3))
    for v, direct in enumerate((-1.0, -2.0, -4.0)):
        Y[:, v] = 28 + 0.5 * (base - 30) + direct * arm - 0.1 * (experience - 20) + person + rng.normal(0, 4, n)
    for v in (1, 2):
        leaves = rng.random(n) < 1 / (1 + np.exp(-0.35 * (Y[:, v - 1] - 25 + 3 * arm)))
        Y[leaves | np.isnan(Y[:, v - 1]), v:] = np.nan
    columns = {"arm": arm, "base": base, "experience": experience}
    return pd.DataFrame(columns | {f"score_{v + 1}": Y[:, v] for v in range(3)})


def test_dropout_after_a_bad_visit_does_not_move_the_total_effect():
    data = dropout(3000, seed=2)
    assert data["score_3"].isna().mean() > 0.5
    people = load_followup(
        data,
        outcomes=["score_1", "score_2", "score_3"],
        treatment="arm",
        reference=0,
        mediators="experience",
        baseline="base",
    )
    model = repeated_mediation(people, interaction=False)
    names = [v.name for v in model.value_vars]
    point = model.initial_point()
    logp = model.logp(jacobian=False)
    compiled = model.compile_fn([logp, model.dlogp(jacobian=False)], inputs=model.value_vars, mode=STABLE)
    ends = np.cumsum([np.size(point[name]) for name in names])[:-1]

    def negative(flat: np.ndarray) -> tuple[float, np.ndarray]:
        parts = np.split(flat, ends)
        values, gradient = compiled({n: p.reshape(np.shape(point[n])) for n, p in zip(names, parts, strict=True)})
        return -float(values), -gradient

    best = optimize.minimize(
        negative, np.concatenate([np.ravel(point[n]) for n in names]), jac=True, method="L-BFGS-B"
    ).x
    at = {n: p.reshape(np.shape(point[n])) for n, p in zip(names, np.split(best, ends), strict=True)}
    [values] = evaluate(model, at)
    kept = ("alpha_m", "a", "gamma_m", "sigma_m", "alpha_y", "c", "b", "gamma_y", "sigma_y", "correlation_y")
    te = float(repeated_effects(tree(model, {n: values[n][None] for n in kept}))["te"].sel(visit="score_3").item())
    seen = data.dropna()
    X = np.column_stack([np.ones(len(seen)), seen["arm"], seen["base"]])
    complete_case = float(np.linalg.lstsq(X, seen["score_3"], rcond=None)[0][1])
    assert abs(te + 7) < 0.6  # three standard errors
    assert complete_case > -6.4


def test_the_priors_draw_a_total_effect_after_dropout_by_less_than_a_seventh_of_a_point_towards_0():
    """300 people, 59 % without the last visit, a total effect of -7 there; .7, the prior of a single visit's model, would by .28."""
    simulation = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "dropout_priors.py"))
    rng, own = np.random.default_rng(3), simulation["PRIORS"]["prior_c_sd"]
    tables = [simulation["WORLD"]["simulate"](300, rng) for _ in range(60)]
    te = pd.DataFrame([simulation["total_effects"](table, (0.7, own)) for table in tables])
    drawn = te.sub(te["maximum likelihood"], axis=0).mean()
    assert 0 < drawn[f"prior_c_sd = {own:g}"] < 0.14
    assert drawn["prior_c_sd = 0.7"] > 0.2


def test_weights_over_time_are_the_trapezium_rule():
    time = np.array([0.0, 1.0, 4.0, 5.0])
    values = np.array([3.0, -1.0, 2.0, 8.0])
    assert trapezoid_weights(time) @ values == pytest.approx(np.trapezoid(values, time) / 5)


def test_a_long_file_a_visit_a_row_and_its_wide_form_are_one_followup(tmp_path):
    wide = table().assign(id=[f"p{i:02d}" for i in range(64)])
    long = wide.melt(id_vars=["id", "arm", "age", "m0"], value_vars=list(VISITS), var_name="visit", value_name="score")
    long["visit"] = long["visit"].str.removeprefix("score_")
    long.to_csv(tmp_path / "long.csv", index=False)
    roles = {"outcomes": VISITS, "treatment": "arm", "reference": "t0", "mediators": "m0", "covariates": "age"}
    of_long = load_followup(pp.read_trial(tmp_path / "long.csv", visit="visit", person="id"), id="id", **roles)
    of_wide = load_followup(wide, id="id", **roles)
    assert of_long.outcomes.to_numpy() == pytest.approx(of_wide.outcomes.to_numpy(), nan_ok=True)
    assert of_long.time.tolist() == [1, 2, 6]
    missing = of_long.people.missing
    assert missing["column"].unique().tolist() == [*VISITS, "m0"]
    assert missing.loc[missing["column"] == "score_2", "missing"].sum() == wide["score_2"].isna().sum()


def test_problems_of_all_visits_are_named_at_once_and_warnings_given_once():
    with pytest.raises(ParticipantError, match="(?s)score_1.*not a number.*score_3.*not a number"):
        followup(score_1="many", score_3="few")
    roles = {"treatment": "arm", "reference": "t0", "mediators": "m0"}
    with pytest.raises(ParticipantError, match="name the outcome's column at two visits or more, each once"):
        load_followup(table(), outcomes=["score_1", "score_1"], **roles)
    with pytest.raises(
        ParticipantError, match="times of the visits must be numbers that increase.*score_1 at 3, score_2 at 2"
    ):
        load_followup(table(), outcomes={"score_1": 3, "score_2": 2}, **roles)
    with pytest.raises(ParticipantError, match="'average' would be taken for the average over the visits"):
        load_followup(table(), outcomes=["score_1", "average"], **roles)
    few = pd.concat([table().query("arm == 't0'"), table().query("arm == 't1'").head(8)])
    with pytest.warns(UserWarning, match="arm 't1'") as caught:
        load_followup(few, outcomes=VISITS, **roles)
    assert len([w for w in caught if "arm 't1'" in str(w.message)]) == 1


def test_wrong_choices_are_named_before_a_model_is_built():
    people = followup()
    with pytest.raises(
        ValueError, match=r"(?s)covariance = 'toeplitz'; it must be one of unstructured, ar1.*no model was built"
    ):
        repeated_mediation(people, covariance="toeplitz")
    with pytest.raises(ValueError, match="prior_visit_correlation = 1; it must be at least 0 and below 1"):
        repeated_mediation(people, prior_visit_correlation=1.0)
    with pytest.raises(ValueError, match="prior_person_correlation = -0.2; it must be at least 0 and below 1"):
        repeated_mediation(people, prior_person_correlation=-0.2)
    with pytest.raises(ValueError, match="participants with visits from load_followup are needed; got a Participants"):
        repeated_mediation(people.people)
    without = load_followup(table(), outcomes=VISITS, treatment="arm", reference="t0")
    with pytest.raises(ValueError, match="no mediator was named"):
        repeated_mediation(without)
    shared = followup(m0=[20.0 + i % 4 for i in range(64)])
    shared = replace(
        shared, people=replace(shared.people, clusters=pd.DataFrame({"ward": [f"w{i % 4}" for i in range(64)]}))
    )
    with pytest.raises(ValueError, match="mediator 'm0' is the same for everybody of one 'ward'"):
        repeated_mediation(shared)


def test_fits_of_another_kind_and_unknown_visits_are_refused():
    _, idata = fitted()
    with pytest.raises(ValueError, match="visit = 'score_9': name one of score_1, score_2, score_3, average"):
        at_visit(idata, "score_9")
    with pytest.raises(ValueError, match=r"this fit is not of repeated_mediation\(...\): it has no visits"):
        repeated_effects(at_visit(idata, "score_1"))
    with pytest.raises(ValueError, match=r"not of mediation\(...\): it carries no mediator"):
        pp.natural_effects(idata)
