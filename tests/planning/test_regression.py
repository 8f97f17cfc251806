"""Regression on simulated results: published formulas, the closed form, and nested Monte Carlo, each by other code."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from pillprocess.decomposition.model import decomposition_design
from pillprocess.planning.closed_form import expect
from pillprocess.planning.information import expected_information
from pillprocess.planning.knowledge import knowledge_of
from pillprocess.planning.new_rows import arm_noise, estimand_weights, new_rows
from pillprocess.planning.regression import posterior_after, probability_below, sample_information_value
from pillprocess.planning.simulated_results import (
    Draws,
    draw_noise,
    draws_of,
    estimand_draws,
    expected_arms,
    statistics_of,
)
from pillprocess.planning.trials import PlanningError, trial_design
from pillprocess.rows.terms import HYPOTHESES
from pillprocess.synthesis.effects import path_effects
from tests.planning.cases import small_evidence
from tests.planning.chemotherapy import chemotherapy
from tests.synthesis.cases import small_items
from tests.synthesis.stand_in import fit_with

DIRECT = {
    "awake": {"drug": "psilocybin", "belief": "equal", "n": 30},
    "asleep": {"drug": "psilocybin", "experience": 0.0, "belief": "equal", "n": 30},
}


def test_the_value_of_a_study_of_one_normal_quantity_is_the_formula_s():
    """Two options, one of them worth theta ~ N(m, s^2): EVSI = r phi(m / r) - |m| Phi(-|m| / r), r the SD of the posterior mean.

    The normal-normal case of Jackson et al. 2019, doi:10.1080/01621459.2018.1562932: the unit normal loss of Raiffa and Schlaifer.
    """
    rng = np.random.default_rng(1)
    m, s, v, n = -0.2, 0.5, 4.0, 40
    theta = rng.normal(m, s, 20_000)
    found = rng.normal(theta, np.sqrt(v / n))
    value, error = sample_information_value(np.column_stack([np.zeros_like(theta), theta]), found[:, None])
    r = np.sqrt(s**2 - 1 / (1 / s**2 + n / v))
    exact = r * norm.pdf(m / r) - abs(m) * norm.cdf(-abs(m) / r)
    assert value == pytest.approx(exact, abs=3 * error)
    assert error < 0.05 * exact


def test_the_chemotherapy_model_of_health_economics_has_its_published_values():
    """Published for a sample of 10,000 (voi's own tests): 906 for knowing the second treatment's side effects, 777 (regression by GAM)
    and 789 (importance sampling) for a trial of 100 per arm. Such a sample's Monte Carlo error is 20 and 18."""
    p1, p2, benefit = chemotherapy(40_000, seed=1)
    rng = np.random.default_rng(1)
    known, error = sample_information_value(benefit, p2[:, None])
    trial, _ = sample_information_value(benefit, np.column_stack([rng.binomial(100, p1), rng.binomial(100, p2)]))
    assert known == pytest.approx(906.0, abs=3 * np.hypot(20, error))
    assert trial == pytest.approx(777.2, abs=3 * np.hypot(18, error))
    assert trial / known == pytest.approx(777.2 / 906.0, abs=0.02), "the sample's own error is common to both"


def test_a_study_that_says_nothing_is_worth_nothing_and_a_perfect_one_what_is_at_stake():
    rng = np.random.default_rng(2)
    benefit = np.column_stack([np.zeros(5000), rng.normal(-0.2, 0.5, 5000)])
    nothing, _ = sample_information_value(benefit, rng.standard_normal((5000, 2)))
    everything, _ = sample_information_value(benefit, benefit[:, 1:])
    assert nothing < 0.002
    assert everything == pytest.approx(np.maximum(benefit[:, 1], 0).mean(), rel=1e-9)


def test_what_cannot_be_valued_is_refused():
    with pytest.raises(PlanningError) as caught:
        sample_information_value(np.ones((5, 1)), np.full((4, 1), np.nan))
    for words in (
        "it must be draws by at least two options",
        "it must have a row for each of 5 draws",
        "numbers that are not finite",
    ):
        assert words in str(caught.value)


def test_regression_agrees_with_the_closed_form_of_a_decomposition(arm_row):
    known = knowledge_of(decomposition_design(small_evidence(arm_row), terms=HYPOTHESES["mediated"]))
    trial = trial_design("direct", DIRECT | {"placebo": {"drug": "placebo", "n": 30}})
    rows = new_rows(trial, known)
    noise = arm_noise(trial, rows, known, per_arm=60.0, outcome_sd=1.0, bias_sd=0.0)
    weights = np.array([estimand_weights(trial, e, known) for e in ("experience", "drug")])
    exact = expect(known, rows.loading, noise, weights, np.array([0.975, 0.975]), draws=1024, seed=1)
    rng = np.random.default_rng(3)
    node = rng.choice(len(known.weight), 6000, p=known.weight / known.weight.sum())
    theta = known.mean[node] + np.einsum(
        "kpq,kq->kp",
        np.linalg.cholesky(known.covariance + 1e-12 * np.eye(len(known.parameter)))[node],
        rng.standard_normal((6000, len(known.parameter))),
    )
    y = theta @ rows.loading.T + np.einsum(
        "kpq,kq->kp", np.linalg.cholesky(noise)[node], rng.standard_normal((6000, 3))
    )
    mean, variance = posterior_after(theta @ weights.T, y)
    below = probability_below(mean, variance)
    np.testing.assert_allclose(np.sqrt(variance.mean(axis=0)), np.sqrt(exact.variance_after), rtol=0.05)
    np.testing.assert_allclose((np.maximum(below, 1 - below) > 0.975).mean(axis=0), exact.assurance, atol=0.04)


def draws(size: int = 3000) -> Draws:
    """Parameters by hand, as wide as a posterior is, the experience's effect a product and so not normal."""
    rng = np.random.default_rng(5)
    a, b = rng.normal(2.5, 0.4, size), rng.normal(-0.2, 0.15, size)
    by_drug = {"a": a, "b": b, "direct": rng.normal(-0.3, 0.3, size), "interaction": rng.normal(-0.1, 0.2, size)}
    scalar = {
        "psi": rng.normal(0, 0.2, size),
        "epsilon": rng.normal(-0.4, 0.3, size),
        "tau": np.abs(rng.normal(0.3, 0.05, size)),
    }
    zeta = {"psilocybin": rng.normal(-0.4, 0.1, size)}
    return Draws(scalar, {k: {"psilocybin": v} for k, v in by_drug.items()}, zeta, np.full(size, 0.8), 1.0, "linear")


def test_regression_agrees_with_nested_monte_carlo_on_a_small_synthesis():
    """The oracle weighs all draws by the density of each simulated result, written out: the same drug and belief in both arms, so y
    differs by a b + N(0, 2 / n)."""
    known, n = draws(), 50.0
    trial = trial_design("direct", DIRECT, measured=("outcome",))
    effect = known.by_drug["a"]["psilocybin"] * known.by_drug["b"]["psilocybin"]
    statistics = statistics_of(trial, known, draw_noise(trial, known.size, 1), per_arm=n, outcome_sd=1.0, bias_sd=0.0)
    target = estimand_draws(trial, "experience", known)
    np.testing.assert_array_equal(target, effect)
    mean, variance = posterior_after(target[:, None], statistics)
    below = probability_below(mean, variance)[:, 0]

    outer = statistics[:600, 0]
    weight = norm.pdf(outer[:, None], -effect, np.sqrt(2 / n))
    weight /= weight.sum(axis=1, keepdims=True)
    nested_mean = weight @ effect
    nested_variance = weight @ effect**2 - nested_mean**2
    nested_below = weight @ (effect < 0)
    assert np.sqrt(variance.mean()) == pytest.approx(np.sqrt(nested_variance.mean()), rel=0.05)
    nested = (np.maximum(nested_below, 1 - nested_below) > 0.975).mean()
    assert (np.maximum(below, 1 - below) > 0.975).mean() == pytest.approx(nested, abs=0.06)
    assert np.corrcoef(mean[:600, 0], nested_mean)[0, 1] > 0.995


@pytest.fixture(scope="module")
def idata(build_evidence) -> xr.DataTree:
    fit = fit_with(small_items(build_evidence), (-0.3, -0.4))
    rng = np.random.default_rng(4)
    wide = {
        name: fit["posterior"][name] + rng.normal(0, 0.15, fit["posterior"][name].shape)
        for name in ("b", "direct", "interaction")
    }
    posterior = fit["posterior"].dataset.assign(wide).assign(
        epsilon=fit["posterior"]["epsilon"] + rng.normal(-0.3, 0.2, (1, 400)), g_experience=fit["posterior"]["g_experience"] + 0.8,
        tau=fit["posterior"]["tau"] * 0 + 0.2, psi=fit["posterior"]["tau"] * 0 + rng.normal(0, 0.2, (1, 400)),
        omega=fit["posterior"]["tau"] * 0 + rng.normal(0, 0.2, (1, 400)),
    )  # fmt: skip
    return xr.DataTree.from_dict({"/posterior": posterior, "/constant_data": fit["constant_data"].dataset})


def test_a_blinded_drug_against_placebo_is_expected_to_differ_by_the_synthesis_s_total_effect(idata):
    trial = trial_design("t", {"drug": {"drug": "ketamine"}, "placebo": {"drug": "placebo"}})
    change, _, _ = expected_arms(trial, draws_of(idata))
    wanted = path_effects(idata)["total"].sel(drug="ketamine", therapy=0.0).to_numpy().ravel()
    np.testing.assert_allclose(change[:, 0] - change[:, 1], wanted, atol=1e-12)


def test_a_synthesis_is_planned_with_as_a_decomposition_is(idata):
    trial = trial_design("direct", DIRECT)
    table = expected_information(idata, [trial], sizes=(20, 200, np.inf))
    assert set(table["estimand"]) == {"experience", "mediated", "accounts"}
    own = table[table["estimand"] == "experience"]
    assert (np.diff(own["sd_after"]) < 0).all()
    assert own["reduction"].iloc[-1] > 0.9
    with pytest.raises(PlanningError) as caught:
        expected_information(
            idata, [trial, trial, trial_design("o", {"a": {"drug": "DMT"}, "b": {"drug": "placebo"}})],
            estimands=["therapy_type", "waitlist"], prior_scale=2.0,
        )  # fmt: skip
    for words in (
        "trial 'direct' is there twice",
        "unknown drug 'DMT'",
        "no two arms differ in waiting",
        "fit it with others and plan from that fit",
    ):
        assert words in str(caught.value)
    typed = trial_design(
        "types", {"a": {"drug": "ketamine", "therapy": "CBT"}, "b": {"drug": "ketamine", "therapy": "support"}}
    )
    with pytest.raises(PlanningError, match="the synthesis has no term for 'therapy_type'"):
        expected_information(idata, [typed], estimands=["therapy_type"])
    assert expected_information(idata, [typed]).empty
