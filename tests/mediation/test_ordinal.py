"""Ordered categories: SciPy's density, the binary family where there are two, effects by plain summation, own maximum likelihood."""

import warnings

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import optimize, special, stats

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.families import rows
from pillprocess.mediation.four_way import four_way
from pillprocess.mediation.model import mediation
from pillprocess.mediation.paths import mediation_paths
from pillprocess.mediation.sufficient import standardise
from pillprocess.mediation.tabulated import described_effects
from pillprocess.mediation.trial_effects import natural_effects_by_trial
from pillprocess.participants.table import load_participants
from tests.mediation.test_model import STABLE, evaluate
from tests.mediation.trees import tree

CDF = {"ordinal_probit": special.ndtr, "ordinal_logit": special.expit}
NOISE = {"ordinal_probit": stats.norm, "ordinal_logit": stats.logistic}
TRUE = {"alpha_m": 0.2, "a": 1.0, "sigma_m": 1.0, "alpha_y": 0.5, "c": -0.4, "b": -0.8, "theta": 0.3}
CUTS = np.array([0.0, 0.9, 1.5])
SCORES = np.array([1.0, 2.0, 4.0, 5.0])


def simulated(n: int, family: str, seed: int = 1) -> pd.DataFrame:
    """People with a latent severity that is cut; scores skip values, as a global impression with few categories does."""
    rng = np.random.default_rng(seed)
    p, arm = TRUE, np.arange(n) % 2
    m = p["alpha_m"] + p["a"] * arm + rng.normal(0, p["sigma_m"], n)
    latent = (
        p["alpha_y"]
        + p["c"] * arm
        + (p["b"] + p["theta"] * arm) * m
        + NOISE[family].rvs(size=n, random_state=np.random.default_rng(seed + 100))
    )
    return pd.DataFrame({"arm": arm, "m": m, "cgi": SCORES[(latent[:, None] > CUTS).sum(1)]})


def people(table: pd.DataFrame, **more):
    return load_participants(
        table, treatment="arm", outcome="cgi", mediators="m", repeated_rows="different people", **more
    )


@pytest.mark.parametrize("family", CDF)
def test_the_density_of_ordered_categories_is_scipy_s_far_in_the_tails_too(family):
    table = simulated(50, family)
    table.loc[3, "cgi"] = np.nan
    data = people(table)
    data.mediators.iloc[[8, 9], 0] = [60.0, -60.0]
    v = evaluate(mediation(data, family_outcome=family))[0]
    T, m = data.treatment.to_numpy()[:, 0], data.mediators["m"].to_numpy()
    a, b, c, theta = (float(np.squeeze(v[n])) for n in ("a", "b", "c", "theta"))
    eta = v["alpha_y"] + c * T + (b + theta * T) * m
    ends = np.array([-np.inf, *v["threshold_y"], np.inf])
    assert v["threshold_y"][0] == 0
    expected = 0.0
    for i in np.flatnonzero(data.outcome.notna()):
        k = int(np.searchsorted(SCORES, data.outcome.iloc[i]))
        low, high = ends[k] - eta[i], ends[k + 1] - eta[i]
        of = NOISE[family]
        below, above = (of.logcdf, (low, high)), (of.logsf, (high, low))
        log, (less, more) = above if low + high > 0 else below
        expected += special.logsumexp([log(more), log(less)], b=[1, -1])
    sd = standardise(data, mediators=["m"], binary_mediator=False, binary_outcome=True).m_sd[0]
    expected += (stats.norm.logpdf(m, v["alpha_m"][0] + a * T, v["sigma_m"][0]) + np.log(sd)).sum()
    assert float(v["likelihood"]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("link", ["probit", "logit"])
def test_two_categories_are_the_binary_family(link):
    eta, y = np.linspace(-6, 6, 25), np.arange(25) % 2
    binary, ordinal = (
        pm.logp(rows(family, pt.as_tensor(eta), None, pt.zeros(1)), y).eval(mode=STABLE)
        for family in (link, f"ordinal_{link}")
    )
    assert ordinal == pytest.approx(binary, rel=1e-6)
    model = mediation(
        people(simulated(40, "ordinal_logit").assign(cgi=lambda t: (t["cgi"] > 2) * 1.0)),
        family_outcome=f"ordinal_{link}",
    )
    assert model["threshold_y"].eval(mode=STABLE).tolist() == [0]
    assert "spacing_y_raw" not in model.named_vars


def fitted(family: str, *, mediator: str = "gaussian", scores: np.ndarray = SCORES):
    """A hand-written fit at the true coefficients."""
    table = simulated(40, family)
    table["cgi"] = scores[np.searchsorted(SCORES, table["cgi"])]
    if mediator != "gaussian":
        table["m"] = (table["m"] > 0.5).astype(float)
    model = mediation(people(table), family_mediator=mediator, family_outcome=family)
    values = TRUE if mediator == "gaussian" else {k: x for k, x in TRUE.items() if k != "sigma_m"}
    shape = {n: tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(n, ())) for n in values}
    draws = {n: np.full((2, *shape[n]), x) for n, x in values.items()} | {"threshold_y": np.tile(CUTS, (2, 1))}
    return people(table), tree(model, {**draws, "gamma_m": np.zeros((2, 1, 0)), "gamma_y": np.zeros((2, 0))})


def chances(family: str, t: int, t_m: int, mediator: str) -> np.ndarray:
    """Chance of each category by summation over a fine grid of the mediator."""
    p, F = TRUE, CDF[family]
    if mediator == "gaussian":
        grid = np.linspace(-9, 9, 4001)
        weight, m = stats.norm.pdf(grid) / stats.norm.pdf(grid).sum(), p["alpha_m"] + p["a"] * t_m + grid * p["sigma_m"]
    else:
        chance = special.expit(p["alpha_m"] + p["a"] * t_m)
        weight, m = np.array([1 - chance, chance]), np.array([0.0, 1.0])
    eta = p["alpha_y"] + p["c"] * t + (p["b"] + p["theta"] * t) * m
    at_least = np.array([1.0, *(weight @ F(eta - cut) for cut in CUTS), 0.0])
    return at_least[:-1] - at_least[1:]


@pytest.mark.filterwarnings("ignore:.*it extrapolates:UserWarning")
@pytest.mark.parametrize(
    ("family", "mediator"), [("ordinal_probit", "gaussian"), ("ordinal_logit", "gaussian"), ("ordinal_logit", "logit")]
)
def test_effects_are_differences_of_mean_scores_and_of_chances_of_at_least_a_score(family, mediator):
    data, idata = fitted(family, mediator=mediator)
    settings = {"te": (1, 1, 0, 0), "pnde": (1, 0, 0, 0), "tnie": (1, 1, 1, 0), "pnie": (0, 1, 0, 0)}
    score, chance = natural_effects(idata), natural_effects(idata, of={"at_least": 3})
    odds = natural_effects(idata, of={"at_least": 4}, scale="log_odds_ratio")
    for name, (t, s, t0, s0) in settings.items():
        p, p0 = chances(family, t, s, mediator), chances(family, t0, s0, mediator)
        assert float(score[name][0, 0]) == pytest.approx(SCORES @ (p - p0), abs=1e-6)
        assert float(chance[name][0, 0]) == pytest.approx((p - p0)[2:].sum(), abs=1e-6)
        logits = special.logit([p[2:].sum(), p0[2:].sum()])
        assert float(odds[name][0, 0]) == pytest.approx(logits[0] - logits[1], abs=1e-6)
    parts = four_way(idata, of={"at_least": 3})
    assert np.allclose(sum(parts[n] for n in ("cde", "int_ref", "int_med", "pie")), chance["te"])
    words = described_effects(score, data, family)["scale"], described_effects(chance, data, family)["scale"]
    assert words[0].iloc[0] == "difference of mean scores of cgi"
    assert words[1].iloc[0] == "difference of the chance of at least 3 on cgi"
    assert described_effects(odds, data, family)["scale"].iloc[0] == "log odds ratio of the chance of at least 4 on cgi"
    assert mediation_paths(idata)["unit"].iloc[1] == family


@pytest.mark.filterwarnings("ignore:.*it extrapolates:UserWarning")
def test_maximum_likelihood_of_simulated_people_gives_the_effects_of_the_people_themselves():
    """Coefficients by another route (SciPy), effects by the package, truth by simulating both potential outcomes of 400,000 people."""
    family, n = "ordinal_logit", 4000
    table = simulated(n, family, seed=5)
    T, m, y = (table[c].to_numpy() for c in ("arm", "m", "cgi"))
    k = np.searchsorted(SCORES, y)

    def minus(x: np.ndarray) -> float:
        ends = np.array([-np.inf, 0, np.exp(x[4]), np.exp(x[4]) + np.exp(x[5]), np.inf])
        eta = x[0] + x[1] * T + (x[2] + x[3] * T) * m
        return -np.log(special.expit(ends[k + 1] - eta) - special.expit(ends[k] - eta)).sum()

    x = optimize.minimize(minus, np.zeros(6)).x
    found = {"alpha_y": x[0], "c": x[1], "b": x[2], "theta": x[3]}
    assert [found[n] for n in found] == pytest.approx([TRUE[n] for n in found], abs=0.25)
    _, idata = fitted(family)
    posterior = idata["posterior"].to_dataset()
    for name, value in found.items():
        posterior[name] = posterior[name] * 0 + value
    posterior["threshold_y"] = posterior["threshold_y"] * 0 + np.cumsum([0, *np.exp(x[4:])])
    idata["posterior"].dataset = posterior
    rng, p = np.random.default_rng(9), TRUE
    e, u = rng.normal(size=400_000), rng.logistic(size=400_000)

    def score(t, s):
        eta = p["alpha_y"] + p["c"] * t + (p["b"] + p["theta"] * t) * (p["alpha_m"] + p["a"] * s + e)
        return SCORES[((eta + u)[:, None] > CUTS).sum(1)].mean()

    effects = natural_effects(idata)
    assert float(effects["te"][0, 0]) == pytest.approx(score(1, 1) - score(0, 0), abs=0.15)
    assert float(effects["tnie"][0, 0]) == pytest.approx(score(1, 1) - score(1, 0), abs=0.1)


def test_what_is_not_ordinal_or_not_asked_well_is_refused():
    table = simulated(60, "ordinal_logit")
    with pytest.raises(ValueError, match=r"needs 2 to 25 ordered categories in column 'cgi'; it holds 60 different"):
        mediation(people(table.assign(cgi=np.random.default_rng(8).permutation(60))), family_outcome="ordinal_logit")
    with pytest.raises(
        ValueError, match="'ordinal_probit' is for outcomes; an ordered score that mediates may be gaussian"
    ):
        mediation(people(table), family_mediator="ordinal_probit")
    _, idata = fitted("ordinal_logit")
    for of, words in (
        ({"at_least": 1}, "it must be above 1 and at most 5, where the outcome goes"),
        ({"at_most": 3}, r"of = \{'at_most': 3\}: it must be at_least=VALUE"),
    ):
        with pytest.raises(ValueError, match=words):
            natural_effects(idata, of=of)
    with pytest.raises(ValueError, match="this fit has one trial"), warnings.catch_warnings():
        natural_effects_by_trial(idata)
    with pytest.raises(ValueError, match="or log_rate_ratio for a count; this outcome is ordinal_logit"):
        natural_effects(idata, scale="log_odds_ratio")
