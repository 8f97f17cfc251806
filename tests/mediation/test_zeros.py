"""Counts with excess zeros: SciPy's density, effects by summation, and potential outcomes of simulated people."""

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.model import mediation
from pillprocess.mediation.sufficient import standardise
from pillprocess.participants.table import load_participants
from tests.mediation.test_model import evaluate
from tests.mediation.trees import tree

pytestmark = pytest.mark.filterwarnings("ignore:.*it extrapolates:UserWarning")
FAMILIES = ("zero_inflated_poisson", "zero_inflated_negative_binomial")
TRUE = {
    "alpha_m": 0.4, "a": 0.9, "gamma_m": 0.02, "alpha_y": 1.2, "c": -0.3, "b": -0.2, "theta": 0.1, "gamma_y": 0.01,
    "alpha_z": -1.5, "c_z": 0.8, "b_z": 0.4, "gamma_z": 0.01, "sigma_m": 1.1, "size_y": 3.0,
}  # fmt: skip


def people(*, binary: bool = False, missing: bool = False, zeros: bool = True):
    rng = np.random.default_rng(6)
    n = 40
    table = pd.DataFrame({"arm": np.arange(n) % 2, "age": rng.normal(40, 9, n).round(1)})
    table["m"] = rng.normal(5 + table["arm"], 2)
    table["m"] = (table["m"] > 5.5).astype(float) if binary else table["m"]
    table["days"] = rng.negative_binomial(3, 0.3, n) * (rng.random(n) < 0.6) + (not zeros)
    if missing:
        table.loc[[3, 8], "m"] = np.nan
    return load_participants(
        table, treatment="arm", outcome="days", mediators="m", covariates="age", repeated_rows="different people", higher_is_worse=True
    )  # fmt: skip


def density(family: str, y: np.ndarray, eta: np.ndarray, zeta: np.ndarray, size: float) -> np.ndarray:
    of = stats.poisson(np.exp(eta)) if family == FAMILIES[0] else stats.nbinom(size, size / (size + np.exp(eta)))
    excess = special.expit(zeta)
    return (1 - excess) * of.pmf(y) + excess * (y == 0)


@pytest.mark.parametrize(("family", "binary"), [(FAMILIES[0], True), (FAMILIES[1], False)])
def test_the_density_of_counts_with_excess_zeros_is_scipy_s(family, binary):
    data = people(binary=binary, missing=binary)
    v = evaluate(mediation(data, family_mediator="logit" if binary else "gaussian", family_outcome=family))[0]
    T, x, m = data.treatment.to_numpy()[:, 0], data.covariates["age"].to_numpy(), data.mediators["m"].to_numpy()
    a, b, c, theta, b_z, c_z = (float(np.squeeze(v[n])) for n in ("a", "b", "c", "theta", "b_z", "c_z"))
    centre = v["alpha_m"][0] + a * T + v["gamma_m"][0, 0] * x

    def of_y(m):
        eta = v["alpha_y"] + c * T + (b + theta * T) * m + v["gamma_y"][0] * x
        return density(
            family, data.outcome, eta, v["alpha_z"] + c_z * T + b_z * m + v["gamma_z"][0] * x, v.get("size_y")
        )

    if binary:
        chance = special.expit(centre)
        known = np.where(m == 1, chance, 1 - chance) * of_y(m)
        expected = np.log(np.where(np.isnan(m), chance * of_y(1.0) + (1 - chance) * of_y(0.0), known)).sum()
    else:
        sd = standardise(data, mediators=["m"], binary_mediator=False, binary_outcome=True).m_sd[0]
        expected = (np.log(of_y(m)) + stats.norm.logpdf(m, centre, v["sigma_m"][0]) + np.log(sd)).sum()
    assert float(v["likelihood"]) == pytest.approx(expected, abs=1e-6)


def fitted(family: str, *, binary: bool = False):
    data = people(binary=binary)
    model = mediation(data, family_mediator="logit" if binary else "gaussian", family_outcome=family)
    names = [n for n in TRUE if n in model.named_vars]
    shape = {n: tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(n, ())) for n in names}
    return data, tree(model, {n: np.full((2, *shape[n]), TRUE[n]) for n in names})


@pytest.mark.parametrize(("family", "binary"), [(FAMILIES[0], True), (FAMILIES[1], False)])
def test_effects_on_the_expected_count_and_on_the_chance_of_any_are_sums_over_mediators_and_counts(family, binary):
    data, idata = fitted(family, binary=binary)
    p, x = TRUE, data.covariates["age"].to_numpy()
    counts = np.arange(150)[:, None, None]
    nodes = np.linspace(-7, 7, 57)

    def chances(t, s):
        """Chance of every count, averaged over people."""
        at = p["alpha_m"] + p["a"] * s + p["gamma_m"] * x
        if binary:
            m, w = np.array([[0.0], [1.0]]), np.stack([special.expit(-at), special.expit(at)])
        else:
            m, w = at + p["sigma_m"] * nodes[:, None], (stats.norm.pdf(nodes) / stats.norm.pdf(nodes).sum())[:, None]
        eta = p["alpha_y"] + p["c"] * t + (p["b"] + p["theta"] * t) * m + p["gamma_y"] * x
        zeta = p["alpha_z"] + p["c_z"] * t + p["b_z"] * m + p["gamma_z"] * x
        return (density(family, counts, eta[None], zeta[None], p["size_y"]) * w).sum(1).mean(1)

    count, some = natural_effects(idata), natural_effects(idata, of={"at_least": 1})
    several = natural_effects(idata, of={"at_least": 4}, scale="log_odds_ratio")
    ratio = natural_effects(idata, scale="log_rate_ratio")
    y = {(t, s): chances(t, s) for t in (0, 1) for s in (0, 1)}
    for name, (way, base) in {"te": ((1, 1), (0, 0)), "pnde": ((1, 0), (0, 0)), "tnie": ((1, 1), (1, 0))}.items():
        mean = [(np.arange(150) * y[k]).sum() for k in (way, base)]
        assert float(count[name][0, 0]) == pytest.approx(mean[0] - mean[1], abs=1e-5)
        assert float(ratio[name][0, 0]) == pytest.approx(np.log(mean[0] / mean[1]), abs=1e-5)
        assert float(some[name][0, 0]) == pytest.approx(y[base][0] - y[way][0], abs=1e-6)
        least = special.logit([y[k][4:].sum() for k in (way, base)])
        assert float(several[name][0, 0]) == pytest.approx(least[0] - least[1], abs=1e-5)
    assert float(count["cde"][0, 0]) == pytest.approx(
        np.mean([
            sign * special.expit(-(p["alpha_z"] + p["c_z"] * t + p["gamma_z"] * x)) * np.exp(p["alpha_y"] + p["c"] * t + p["gamma_y"] * x)
            for t, sign in ((1, 2), (0, -2))
        ])
    )  # fmt: skip


def test_counts_without_zeros_and_several_mediators_are_refused():
    with pytest.raises(
        ValueError, match="needs zeros in column 'days'; it holds none, so 'negative_binomial' is enough"
    ):
        mediation(people(zeros=False), family_outcome=FAMILIES[0])
    data = people()
    data.mediators["n"] = np.random.default_rng(2).normal(size=len(data))
    with pytest.raises(ValueError, match="it takes one mediator; fit the others singly"):
        mediation(data, family_outcome=FAMILIES[1])
