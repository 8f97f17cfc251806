"""Outcomes that are counts: SciPy's density, and effects by plain summation over people and counts."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.model import mediation
from pillprocess.mediation.paths import mediation_paths
from pillprocess.mediation.sufficient import standardise
from pillprocess.participants.table import load_participants
from tests.mediation.test_model import evaluate
from tests.mediation.trees import tree


def people(*, binary: bool = False, spoil: float | None = None):
    rng = np.random.default_rng(6)
    n = 40
    table = pd.DataFrame({"arm": np.arange(n) % 2, "age": rng.normal(40, 9, n)})
    table["m"] = rng.normal(5 + table["arm"], 2)
    table["m"] = (table["m"] > 5.5).astype(int) if binary else table["m"]
    table["days"] = rng.negative_binomial(3, 0.3, n).astype(float)
    table.loc[7, "days"] = table.loc[7, "days"] if spoil is None else spoil
    return load_participants(
        table, treatment="arm", outcome="days", mediators="m", covariates="age", repeated_rows="different people", higher_is_worse=True
    )  # fmt: skip


def test_the_density_of_counts_is_scipy_s():
    data = people()
    v = evaluate(mediation(data, family_outcome="negative_binomial"))[0]
    T, x, m = data.treatment.to_numpy()[:, 0], data.covariates["age"].to_numpy(), data.mediators["m"].to_numpy()
    a, b, c, theta = (float(np.squeeze(v[n])) for n in ("a", "b", "c", "theta"))
    mean = np.exp(v["alpha_y"] + c * T + (b + theta * T) * m + v["gamma_y"][0] * x)
    expected = stats.nbinom.logpmf(data.outcome, v["size_y"], v["size_y"] / (v["size_y"] + mean)).sum()
    sd = standardise(data, mediators=["m"], binary_mediator=False, binary_outcome=True).m_sd[0]
    expected += (
        stats.norm.logpdf(m, v["alpha_m"][0] + a * T + v["gamma_m"][0, 0] * x, v["sigma_m"][0]) + np.log(sd)
    ).sum()
    assert float(v["likelihood"]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("binary", [False, True])
def test_effects_on_counts_are_differences_or_ratios_of_their_means(binary):
    data = people(binary=binary)
    model = mediation(data, family_mediator="logit" if binary else "gaussian", family_outcome="negative_binomial")
    p = {
        "alpha_m": 0.4, "a": 0.7, "gamma_m": 0.01, "alpha_y": 1.0, "c": -0.3, "b": -0.2, "theta": 0.1, "gamma_y": 0.02, "size_y": 3.0,
        **({} if binary else {"sigma_m": 1.3}),
    }  # fmt: skip
    shape = {n: tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(n, ())) for n in p}
    idata = tree(model, {n: np.full((2, *shape[n]), value) for n, value in p.items()})
    x = data.covariates["age"].to_numpy()
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)

    def mean(t, t_m):
        at = p["alpha_m"] + p["a"] * t_m + p["gamma_m"] * x
        if binary:
            values, chance = np.array([0.0, 1.0])[:, None], np.stack([special.expit(-at), special.expit(at)])
        else:
            values, chance = at + p["sigma_m"] * nodes[:, None], (weights / weights.sum())[:, None]
        eta = p["alpha_y"] + p["c"] * t + (p["b"] + p["theta"] * t) * values + p["gamma_y"] * x
        return (chance * np.exp(eta)).sum(0).mean()

    expected = {"te": (1, 1, 0, 0), "pnde": (1, 0, 0, 0), "tnie": (1, 1, 1, 0)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain, ratio = natural_effects(idata), natural_effects(idata, scale="log_rate_ratio")
    for name, (t, s, t0, s0) in expected.items():
        assert float(plain[name][0, 0]) == pytest.approx(mean(t, s) - mean(t0, s0))
        assert float(ratio[name][0, 0]) == pytest.approx(np.log(mean(t, s) / mean(t0, s0)))
    assert mediation_paths(idata)["unit"].iloc[-1] == "data"


def test_what_is_no_count_is_refused():
    with pytest.raises(ValueError, match=r"needs counts, 0, 1, 2 and so on, in column 'days'; it holds 1.5"):
        mediation(people(spoil=1.5), family_outcome="negative_binomial")
    with pytest.raises(ValueError, match="'negative_binomial' is for outcomes"):
        mediation(people(), family_mediator="negative_binomial")
    with pytest.raises(ValueError, match="the mean count is infinite; use a gaussian mediator"):
        mediation(people(), family_mediator="student_t", family_outcome="negative_binomial")
