"""Expected information: the textbook's formula where there is one, and the package's own refit where there is none."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from pillprocess.decomposition.model import decomposition_design
from pillprocess.gaussian.marginals import linear_summary
from pillprocess.planning.closed_form import after, expect, told_apart
from pillprocess.planning.knowledge import Knowledge, knowledge_of
from pillprocess.planning.new_rows import arm_noise, estimand_weights, new_rows
from pillprocess.planning.trials import trial_design
from pillprocess.rows.terms import HYPOTHESES
from tests.planning.cases import planned_rows, small_evidence

BOTH = {
    "drug": {"drug": "psilocybin", "therapy": "support", "n": 30}, "asleep": {"drug": "psilocybin", "experience": 0.0, "n": 30},
    "low": {"drug": "psilocybin", "dose": 0.4, "n": 30}, "placebo": {"drug": "placebo", "n": 15},
    "therapy": {"drug": "placebo", "therapy": "support", "n": 25},
}  # fmt: skip


def one_normal(mean: float, sd: float) -> Knowledge:
    """A single quantity known as N(mean, sd^2), no heterogeneity."""
    return Knowledge(
        ("delta",), np.ones(1), np.full((1, 1), mean), np.full((1, 1, 1), sd**2), {}, float("nan"), "linear", "presence", {"x": 1.0},
        (0.25, 0.75),
    )  # fmt: skip


@pytest.mark.parametrize("n", [20, 200])
def test_the_conjugate_normal_case_is_the_textbook_s(n):
    """Posterior variance 1 / (1 / s^2 + n / v); the posterior mean is N(m, s^2 - that) beforehand; P(|mean| > 1.96 sd) follows."""
    m, s, v = -0.3, 0.4, 2.0
    found = expect(
        one_normal(m, s),
        np.ones((1, 1)),
        np.full((1, 1, 1), v / n),
        np.ones((1, 1)),
        np.array([0.975]),
        draws=4096,
        seed=1,
    )
    left = 1 / (1 / s**2 + n / v)
    spread, bar = np.sqrt(s**2 - left), 1.959964 * np.sqrt(left)
    chance = norm.cdf((-bar - m) / spread) + norm.sf((bar - m) / spread)
    assert found.variance_after[0] == pytest.approx(left, rel=1e-9)
    assert found.assurance[0] == pytest.approx(chance, abs=0.003)
    assert not found.decided_now[0]


def test_two_point_accounts_are_told_apart_as_often_as_their_likelihood_ratio_says():
    """One number y ~ N(0, e^2) against N(1, e^2): log odds +-(y - 1/2) / e^2, so P(odds >= 10) = Phi((1/2 - e^2 log 10) / e)."""
    e = 0.3
    accounts = (one_normal(0.0, 1e-6), one_normal(1.0, 1e-6))
    noise = np.full((1, 1, 1), e**2)
    right, wrong = told_apart(accounts, (np.ones((1, 1)),) * 2, (noise, noise), draws=4096, seed=1)
    assert right == pytest.approx(norm.cdf((0.5 - e**2 * np.log(10)) / e), abs=0.003)
    assert wrong == pytest.approx(norm.cdf((-0.5 - e**2 * np.log(10)) / e), abs=0.003)


@pytest.fixture(scope="module")
def rows(arm_row) -> pd.DataFrame:
    return small_evidence(arm_row)


@pytest.mark.parametrize(("baseline", "shape"), [("exchangeable", "linear"), ("free", "emax"), ("free", "log")])
def test_after_a_result_it_is_what_the_package_finds_with_the_trial_in_the_tables(rows, arm_row, baseline, shape):
    terms = HYPOTHESES["mediated"]
    known = knowledge_of(decomposition_design(rows, terms=terms, baseline=baseline, dose_shape=shape), nodes=400)
    trial = trial_design("new", BOTH, dropout=0.2)
    planned = new_rows(trial, known)
    noise = arm_noise(trial, planned, known, per_arm=40.0, outcome_sd=0.9, bias_sd=0.0)
    asked = ["drug", "therapy", "drug:therapy", "expectancy", "experience", "mediated"]
    weights = np.array([estimand_weights(trial, e, known) for e in asked])
    y = np.array([-1.6, -1.0, -0.8, -0.3, -0.5])
    mean, variance, below = after(known, planned.loading, noise, weights, y[None])

    se = [0.9 / n**0.5 for n in trial.completers(40.0)]
    extended = pd.concat([rows, planned_rows(trial, y, arm_row, se=se, believed=known.believed)], ignore_index=True)
    design = decomposition_design(extended, terms=terms, baseline=baseline, dose_shape=shape)
    combinations = {e: dict(zip(known.parameter, w, strict=True)) for e, w in zip(asked, weights, strict=True)}
    wanted = linear_summary(design, {e: {k: v for k, v in one.items() if v} for e, one in combinations.items()})
    np.testing.assert_allclose(mean[0], wanted["mean"], atol=0.01)
    np.testing.assert_allclose(np.sqrt(variance[0]), wanted["sd"], rtol=0.03)
    np.testing.assert_allclose(below[0], wanted["p_below"], atol=0.01)


def test_what_is_known_is_the_fit_s_posterior(rows):
    design = decomposition_design(rows, terms=HYPOTHESES["mediated"])
    known = knowledge_of(design, nodes=400)
    place = known.parameter.index("beta")
    wanted = linear_summary(design, {"b": {"beta": 1.0}}).loc["b"]
    mean = known.weight @ known.mean[:, place]
    sd = np.sqrt(known.weight @ (known.covariance[:, place, place] + (known.mean[:, place] - mean) ** 2))
    assert mean == pytest.approx(wanted["mean"], abs=0.005)
    assert sd == pytest.approx(wanted["sd"], rel=0.02)
    assert known.raised == {"MDMA": 2.0, "psilocybin": 2.0}
    assert known.believed == (0.25, 0.75)
