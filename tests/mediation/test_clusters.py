"""Clusters and moderators: the density is the one written out row by row here, and the effects are averages over people and clusters."""

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import special, stats

from pillprocess.mediation.between_clusters import cluster_variation, natural_effects_by_cluster
from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.model import mediation
from pillprocess.mediation.moderated import moderated_effects
from pillprocess.mediation.sensitivity import mediation_sensitivity
from pillprocess.mediation.sufficient import standardise
from pillprocess.participants.clusters import unmodelled
from pillprocess.participants.table import ParticipantError, Participants, load_participants
from tests.mediation.test_model import evaluate
from tests.mediation.trees import tree

DRAWS = 3


@pytest.fixture(autouse=True)
def _extrapolation_is_not_the_subject():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* it extrapolates beyond", category=UserWarning)
        yield


def table(n: int = 48) -> pd.DataFrame:
    """A trial of 8 therapists at 4 sites, treatment within both, and groups of 6 in the drug arm alone."""
    rng = np.random.default_rng(4)
    i = np.arange(n)
    people = pd.DataFrame(
        {"arm": np.where(i % 2, "drug", "placebo"), "sev": rng.normal(30, 5, n), "age": rng.normal(40, 9, n)}
    )
    people["therapist"] = [f"t{x}" for x in i // 2 % 8]
    people["site"] = [f"s{x}" for x in i // 12 % 4]
    people["group"] = [f"g{x}" if x % 2 else None for x in i]
    people["group"] = people["group"].where(people["group"].isna(), [f"g{x // 8}" for x in i])
    people["m"] = 10 + 2 * (i % 2) + rng.normal(0, 2, n)
    people["y"] = 5 + 0.4 * people["sev"] - people["m"] + rng.normal(0, 3, n)
    return people


def load(people: pd.DataFrame, **more: object) -> Participants:
    return load_participants(
        people, treatment="arm", outcome="y", mediators="m", reference="placebo", baseline="sev", higher_is_worse=True,
        repeated_rows="different people", **more,
    )  # fmt: skip


def coefficient(v: dict[str, np.ndarray], name: str, people: Participants, keys: dict[str, list[str]], i: int) -> float:
    """A coefficient of person i: the mean one, and what is added by each of the person's clusters."""
    short = name.partition("[")[0]
    total = float(np.squeeze(v[short]))
    for column, effects in keys.items():
        label = people.clusters[column].iloc[i]
        if name in effects and isinstance(label, str):
            labels = list(pd.unique(people.clusters[column].dropna()))
            total += v[f"deviation_{column}"][labels.index(label), effects.index(name)]
    return total


def predictors(
    v: dict[str, np.ndarray], people: Participants, keys: dict[str, list[str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Linear predictors of mediator and outcome of every person, written out."""
    eta_m, eta_y = [], []
    for i in range(len(people)):
        T, x = float(people.treatment.iloc[i, 0]), people.covariates.iloc[i].to_numpy()
        m = float(people.mediators.iloc[i, 0])
        of = {n: coefficient(v, n, people, keys, i) for n in ("alpha_m[m]", "a[m, drug]", "alpha_y", "c[drug]", "b[m]")}
        a_x, c_x, b_x = (v[n].ravel() if n in v else np.zeros(len(x)) for n in ("a_x", "c_x", "b_x"))
        theta = float(np.squeeze(v.get("theta", 0.0)))
        eta_m.append(of["alpha_m[m]"] + (of["a[m, drug]"] + a_x @ x) * T + v["gamma_m"].ravel() @ x)
        slope = of["b[m]"] + theta * T + b_x @ x
        eta_y.append(of["alpha_y"] + (of["c[drug]"] + c_x @ x) * T + slope * m + v["gamma_y"].ravel() @ x)
    return np.array(eta_m), np.array(eta_y)


def test_the_density_is_that_of_every_row_with_its_clusters_and_moderators():
    people = load(
        table(),
        covariates="age",
        clusters=["site", "therapist", "group"],
        cluster_labels="unique",
        treatment_moderators="sev",
        mediator_moderators=["age", "sev"],
    )
    model = mediation(people, vary={"therapist": "a", "site": ["b", "c"]})
    v = evaluate(model)[0]
    keys = {c: list(model.coords[f"effect_{c}"]) for c in ("site", "therapist", "group")}
    assert keys == {
        "site": ["alpha_m[m]", "alpha_y", "c[drug]", "b[m]"], "therapist": ["alpha_m[m]", "a[m, drug]", "alpha_y"],
        "group": ["alpha_m[m]", "alpha_y"],
    }  # fmt: skip
    eta_m, eta_y = predictors(v, people, keys)
    data = standardise(people, mediators=["m"], binary_mediator=False, binary_outcome=False)
    expected = stats.norm.logpdf(people.mediators["m"], eta_m, v["sigma_m"]).sum() + len(people) * np.log(data.m_sd[0])
    expected += stats.norm.logpdf(people.outcome, eta_y, v["sigma_y"]).sum() + len(people) * np.log(data.y_sd)
    assert float(v["likelihood"]) == pytest.approx(expected, abs=1e-7)
    assert not np.allclose(v["a_x"], 0)
    assert v["a_x"][0, 0, 1] == 0  # age does not moderate treatment


@pytest.mark.parametrize(("column", "vary"), [("therapist", "ab"), ("group", "")])
def test_clusters_are_integrated_out_as_a_multivariate_normal(column, vary):
    people = load(table(), clusters=column)
    model = mediation(people, vary=list(vary))
    v = evaluate(model)[0]
    own = list(model.coords[f"effect_{column}"])
    pairs = list(model.coords[f"effect_pair_{column}"])
    R = np.eye(len(own))
    for r, pair in zip(v[f"correlation_{column}"], pairs, strict=True):
        i, j = (own.index(name) for name in pair.split(" ~ "))
        R[i, j] = R[j, i] = r
    omega = R * np.outer(v[f"tau_{column}"], v[f"tau_{column}"])
    labels = people.clusters[column]
    names = list(pd.unique(labels.dropna()))
    m, y, T = people.mediators["m"].to_numpy(), people.outcome.to_numpy(), people.treatment.to_numpy()[:, 0]
    data = standardise(people, mediators=["m"], binary_mediator=False, binary_outcome=False)
    design = {
        "alpha_m[m]": (1, 0),
        "a[m, drug]": (T, 0),
        "alpha_y": (0, 1),
        "c[drug]": (0, T),
        "b[m]": (0, m - data.m_mean[0]),
    }
    Z = [np.zeros((len(m), len(own) * len(names))) for _ in range(2)]
    for k, name in enumerate(names):
        for e, effect in enumerate(own):
            for z, values in zip(Z, design[effect], strict=True):
                z[:, k * len(own) + e] = (labels == name) * values
    prior = np.kron(np.eye(len(names)), omega)
    eta_m, eta_y = predictors(v, people, {})
    V_m = Z[0] @ prior @ Z[0].T + v["sigma_m"] ** 2 * np.eye(len(m))
    gain = prior @ Z[0].T @ np.linalg.inv(V_m)
    shift, left = gain @ (m - eta_m), prior - gain @ Z[0] @ prior
    expected = stats.multivariate_normal.logpdf(m, eta_m, V_m) + len(m) * np.log(data.m_sd[0] * data.y_sd)
    expected += stats.multivariate_normal.logpdf(
        y, eta_y + Z[1] @ shift, Z[1] @ left @ Z[1].T + v["sigma_y"] ** 2 * np.eye(len(m))
    )
    assert float(v["likelihood"]) == pytest.approx(expected, abs=1e-6)


def by_school(**more: object) -> Participants:
    """Whole therapists had the drug, and the mediator is the therapist's own."""
    people = table()
    people["arm"] = np.where(people["therapist"].isin(["t0", "t2", "t5", "t6"]), "drug", "placebo")
    people["m"] = people["therapist"].map(
        {f"t{k}": x for k, x in enumerate(np.linspace(1, 6, 8)[[3, 1, 5, 0, 7, 4, 2, 6]])}
    )
    people["y"] = (people["y"] > people["y"].median()).astype(int)
    return load(people, clusters="therapist", **more)


def test_a_mediator_of_clusters_is_observed_once_in_each_and_given_what_clusters_share():
    people = by_school()
    model = mediation(people, family_outcome="logit")
    v = evaluate(model)[0]
    assert list(model.coords["effect_therapist"]) == ["alpha_y"]
    assert v["gamma_m"] == 0  # severity varies within therapists, so it does not enter
    eta_m, eta_y = predictors(v, people, {"therapist": ["alpha_y"]})
    first = ~people.clusters["therapist"].duplicated().to_numpy()
    data = standardise(people, mediators=["m"], binary_mediator=False, binary_outcome=True)
    expected = (stats.norm.logpdf(people.mediators["m"], eta_m, v["sigma_m"]) + np.log(data.m_sd[0]))[first].sum()
    expected += np.log(np.where(people.outcome == 1, special.expit(eta_y), special.expit(-eta_y))).sum()
    assert first.sum() == 8
    assert float(v["likelihood"]) == pytest.approx(expected, abs=1e-7)


def fit(people: Participants, **how: object) -> tuple[xr.DataTree, dict[str, list[str]]]:
    """A fit written by hand with random draws of every parameter."""
    model = mediation(people, **how)
    rng = np.random.default_rng(11)
    values = {}
    for variable in model.deterministics:
        shape = tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(variable.name, ()))
        values[variable.name] = rng.normal(0, 0.3, (DRAWS, *shape))
        if variable.name.startswith(("sigma", "tau")):
            values[variable.name] = 0.5 + np.abs(values[variable.name])
        if variable.name.startswith("correlation"):
            values[variable.name] = np.tanh(values[variable.name])
    return tree(model, values), {c: list(model.coords[f"effect_{c}"]) for c in map(str, people.clusters.columns)}


def draw(idata: xr.DataTree, s: int) -> dict[str, np.ndarray]:
    return {str(n): v.to_numpy()[0, s] for n, v in idata["posterior"].dataset.data_vars.items()}


def test_effects_on_a_binary_outcome_are_averages_over_people_and_their_own_clusters():
    rows = table()
    for name in ("m", "y"):
        rows[name] = (rows[name] > rows[name].median()).astype(int)
    people = load(rows, clusters=["therapist", "group"], cluster_labels="unique")
    idata, keys = fit(people, family_mediator="logit", family_outcome="logit", vary={"therapist": ["a", "b"]})
    effects = natural_effects(idata)
    for s in range(DRAWS):
        v, y = draw(idata, s), np.zeros((2, 2))
        for i in range(len(people)):
            x = people.covariates.iloc[i].to_numpy()
            of = {
                n: coefficient(v, n, people, keys, i)
                for n in ("alpha_m[m]", "a[m, drug]", "alpha_y", "c[drug]", "b[m]")
            }
            for t in (0, 1):
                for t_m in (0, 1):
                    p = special.expit(of["alpha_m[m]"] + of["a[m, drug]"] * t_m + v["gamma_m"].ravel() @ x)
                    base = of["alpha_y"] + of["c[drug]"] * t + v["gamma_y"].ravel() @ x
                    slope = of["b[m]"] + float(np.squeeze(v["theta"])) * t
                    y[t, t_m] += (p * special.expit(base + slope) + (1 - p) * special.expit(base)) / len(people)
        found = {n: float(effects[n].to_numpy()[0, s]) for n in ("te", "pnde", "tnie", "pnie")}
        expected = {
            "te": y[1, 1] - y[0, 0],
            "pnde": y[1, 0] - y[0, 0],
            "tnie": y[1, 1] - y[1, 0],
            "pnie": y[0, 1] - y[0, 0],
        }
        assert found == pytest.approx(expected, abs=1e-10)


def test_the_mean_indirect_effect_holds_the_covariance_of_a_and_b_and_the_spread_is_that_of_their_product():
    people = load(table(), clusters="therapist")
    idata, _ = fit(people, vary=["a", "b"])
    effects, spread = natural_effects(idata), cluster_variation(idata)
    by_cluster = natural_effects_by_cluster(idata)
    rng = np.random.default_rng(2)
    for s in range(DRAWS):
        p = idata["posterior"].dataset.isel(chain=0, draw=s)
        tau = {str(e): float(p["tau_therapist"].sel(effect_therapist=e)) for e in p["effect_therapist"].to_numpy()}
        r = float(p["correlation_therapist"].sel(effect_pair_therapist="a[m, drug] ~ b[m]"))
        a, b, theta = (float(p[n].squeeze()) for n in ("a", "b", "theta"))
        sd = np.array([tau["a[m, drug]"], tau["b[m]"]])
        ab = rng.multivariate_normal([a, b + theta], np.outer(sd, sd) * [[1, r], [r, 1]], 400_000).prod(1)
        assert float(effects["tnie"][0, s]) == pytest.approx(ab.mean(), abs=0.02)
        assert float(effects["cov_ab"][0, s]) == pytest.approx(r * sd.prod())
        assert float(spread["tnie_sd"][0, s, 0]) == pytest.approx(ab.std(), rel=0.02)
        v = draw(idata, s)
        own = [coefficient(v, n, people, {"therapist": list(tau)}, 0) for n in ("a[m, drug]", "b[m]")]
        assert float(by_cluster["tnie"].sel(cluster="t0")[0, s]) == pytest.approx(own[0] * (own[1] + theta))


def test_moderated_effects_are_those_of_the_g_formula_at_any_value_and_on_average():
    people = load(table(), covariates="age", treatment_moderators="sev", mediator_moderators="sev")
    idata, _ = fit(people)
    at = {None: people.covariates["sev"].to_numpy(), 25.0: np.full(len(people), 25.0)}
    for value, severity in at.items():
        effects = natural_effects(idata, at=None if value is None else {"sev": value}, m=3.0)
        for s in range(DRAWS):
            p = {n: np.squeeze(v) for n, v in draw(idata, s).items()}
            x = np.column_stack([severity, people.covariates["age"]])

            def y(t, m, p=p, x=x):
                slope = p["b"] + p["theta"] * t + x @ p["b_x"]
                return (p["alpha_y"] + (p["c"] + x @ p["c_x"]) * t + slope * m + x @ p["gamma_y"]).mean()

            def m(t, p=p, x=x):
                return p["alpha_m"] + (p["a"] + x @ p["a_x"]) * t + x @ p["gamma_m"]

            expected = {
                "te": y(1, m(1)) - y(0, m(0)), "pnde": y(1, m(0)) - y(0, m(0)), "tnie": y(1, m(1)) - y(1, m(0)),
                "tnde": y(1, m(1)) - y(0, m(1)), "pnie": y(0, m(1)) - y(0, m(0)), "cde": y(1, 3.0) - y(0, 3.0),
            }  # fmt: skip
            assert {n: float(effects[n][0, s]) for n in expected} == pytest.approx(expected, abs=1e-9)


def test_the_share_of_variance_between_clusters_is_that_of_their_sds():
    idata, _ = fit(load(table(), clusters="site"))
    share = cluster_variation(idata)["share"].isel(chain=0, draw=0)
    p = idata["posterior"].dataset.isel(chain=0, draw=0)
    between = float(p["tau_site"].sel(effect_site="alpha_y")) ** 2
    assert float(share.sel(of="y")) == pytest.approx(between / (between + float(p["sigma_y"]) ** 2))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"vary": ["d"]}, "'d' is no path; it must be among a, b and c"),
        ({"vary": {"ward": ["a"]}}, "vary names clusters 'ward'; the participants have group"),
        (
            {"vary": ["a", "c"]},
            "a and c cannot differ between clusters of 'group': treatment varies between them alone",
        ),
    ],
)
def test_what_cannot_vary_between_clusters_is_refused(how, said):
    with pytest.raises(ValueError, match=said):
        mediation(load(table(), clusters="group"), **how)


def test_paths_cannot_vary_where_there_are_no_clusters_and_a_fit_without_them_has_none_to_show():
    people = load(table())
    with pytest.raises(ValueError, match="the participants have no clusters; name their column with clusters="):
        mediation(people, vary=["a"])
    with pytest.raises(ValueError, match="name one of this fit's kinds of clusters, none"):
        natural_effects_by_cluster(fit(people)[0])


def test_b_cannot_vary_where_the_mediator_is_the_cluster_s_own():
    with pytest.raises(ValueError, match="the mediator varies within fewer than 2 of them"):
        mediation(by_school(), family_outcome="logit", vary=["b"])


@pytest.mark.parametrize(
    ("change", "more", "said"),
    [
        (
            {"therapist": lambda c: c.where(c != "t3")},
            {"clusters": "therapist"},
            "'therapist': blank on row .* of arm 'drug', where others",
        ),
        ({"therapist": lambda c: "t0"}, {"clusters": "therapist"}, "'therapist' as clusters has 1 label"),
        (
            {"therapist": lambda c: np.arange(len(c))},
            {"clusters": "therapist"},
            "no two rows share a label, so it groups nobody",
        ),
        ({}, {"clusters": ["site", "therapist"]}, "labels stand in several of 'site': are they one cluster in each"),
        (
            {},
            {"treatment_moderators": "age"},
            "treatment_moderators names 'age', which is neither the baseline nor one of the covariates",
        ),
        ({}, {"trial": "therapist_of_arm"}, "name 'therapist_of_arm' with clusters= .* instead of trial="),
        ({}, {"clusters": "site", "cluster_labels": "some"}, "cluster_labels = 'some'; it must be unique or within"),
    ],
)
def test_clusters_that_are_none_or_doubtful_are_asked_about(change, more, said):
    people = table().assign(therapist_of_arm=lambda t: t["therapist"] + t["arm"])
    with pytest.raises(ParticipantError, match=said):
        load(people.assign(**{c: f(people[c]) for c, f in change.items()}), **more)


def test_labels_numbered_within_sites_are_other_clusters_in_each():
    assert load(table(), clusters=["site", "therapist"], cluster_labels="within").clusters["therapist"].nunique() == 24
    assert load(table(), clusters=["site", "therapist"], cluster_labels="unique").clusters["therapist"].nunique() == 8


def test_moderated_mediation_is_the_difference_of_the_indirect_effects_of_two_values():
    people = load(table(), covariates="age", treatment_moderators="sev", mediator_moderators=["sev", "age"])
    idata, _ = fit(people)
    effects = moderated_effects(idata, moderator="sev", values=[20, 40])
    p = {n: np.squeeze(v) for n, v in draw(idata, 0).items()}
    age = people.covariates["age"].to_numpy()

    def tnie(sev):
        x = np.column_stack([np.full(len(age), sev), age])
        return ((p["a"] + x @ p["a_x"]) * (p["b"] + x @ p["b_x"] + p["theta"])).mean()

    assert effects["tnie"][0, 0].to_numpy() == pytest.approx([tnie(20), tnie(40)])
    assert float(effects["tnie_difference"][0, 0]) == pytest.approx(tnie(40) - tnie(20))
    known = people.covariates["sev"]
    usual = moderated_effects(idata, moderator="sev")["value"].to_numpy()
    assert usual == pytest.approx(known.mean() + known.std(ddof=0) * np.array([-1, 0, 1]))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"moderator": "age"}, "moderator = 'age': the moderators of this fit are sev"),
        ({"moderator": "sev", "values": [3]}, "effects are compared at two values or more"),
    ],
)
def test_what_is_no_moderator_is_refused(how, said):
    people = load(table(), covariates="age", treatment_moderators="sev")
    idata = tree(mediation(people), {"a_x": [[[[1.0, 0.0]]]], "c_x": [[[1.0, 0.0]]]})
    with pytest.raises(ValueError, match=said):
        moderated_effects(idata, **how)


def test_a_confounder_takes_from_a_moderated_indirect_effect_what_the_mean_effect_on_the_mediator_carries():
    people = load(table(), treatment_moderators="sev")
    idata, _ = fit(people)
    found = mediation_sensitivity(idata, rho=[0.0, 0.3])
    p = {n: float(np.squeeze(v)) for n, v in draw(idata, 0).items()}
    a = p["a"] + p["a_x"] * people.covariates["sev"].to_numpy()
    kappa = 0.3 * p["sigma_y"] / (p["sigma_m"] * np.sqrt(1 - 0.09))
    assert float(found["tnie"][0, 0, 1]) == pytest.approx((a * (p["b"] + p["theta"] - kappa)).mean())


def test_models_of_belief_take_no_clusters():
    assert unmodelled(load(table()), "the model of a guess") == []
    said = unmodelled(load(table(), clusters="site", treatment_moderators="sev"), "the model of a guess")
    assert said[0].startswith("clusters and treatment_moderators: the model of a guess takes none")
