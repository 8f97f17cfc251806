"""Effects that vary between trials: pools of differences have the standard error of a random-effects meta-analysis."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import pillprocess as pp

TRIALS = 42


def therapy_trials(contrast_row, rng, *, tau, reference):
    """Differences of therapy against a control, their standard errors, and Cochran's Q."""
    se = rng.uniform(0.15, 0.45, TRIALS)
    y = rng.normal(-0.6, np.hypot(se, tau))
    rows = [
        contrast_row(
            f"t{j}", "therapy", "control", y[j], se[j], therapy=1.0, reference=reference, drug_given="", study_drug=""
        )
        for j in range(TRIALS)
    ]
    weight = se**-2.0
    return pd.DataFrame(rows), y, se, float((weight * (y - np.average(y, weights=weight)) ** 2).sum())


def random_effects(y, se):
    """Estimate, SE and between-trial SD by restricted maximum likelihood, as metafor's rma has them."""

    def minus_log_likelihood(tau2):
        weight = 1 / (se**2 + tau2)
        mean = np.average(y, weights=weight)
        return 0.5 * (np.log(1 / weight).sum() + np.log(weight.sum()) + (weight * (y - mean) ** 2).sum())

    tau2 = optimize.minimize_scalar(minus_log_likelihood, bounds=(0, 4), method="bounded", options={"xatol": 1e-10}).x
    weight = 1 / (se**2 + tau2)
    return np.average(y, weights=weight), weight.sum() ** -0.5, np.sqrt(tau2)


@pytest.mark.parametrize("reference", [{"waitlist": 1.0}, {}], ids=["waiting list", "nothing"])
@pytest.mark.parametrize("seed", [1, 2])
def test_differences_that_vary_have_the_standard_error_of_random_effects(contrast_row, reference, seed):
    table, y, se, q = therapy_trials(contrast_row, np.random.default_rng(seed), tau=0.4, reference=reference)
    assert q > 1.8 * (TRIALS - 1)
    mean, error, _ = random_effects(y, se)
    design = pp.decomposition_design(table.iloc[:0], table, terms={"therapy"})
    weights = {"psi": 1.0, "omega": -1.0} if reference else {"psi": 1.0}
    pooled = pp.linear_summary(design, {"pool": weights}).loc["pool"]
    assert pooled["sd"] == pytest.approx(error, rel=0.05)
    assert pooled["mean"] == pytest.approx(mean, abs=0.02)
    # as a fixed effect the SE would be far smaller
    assert (se**-2.0).sum() ** -0.5 < 0.75 * pooled["sd"]


def test_therapy_comes_back_without_a_pull_from_the_course():
    """Expected posterior mean of psi when it is 0 and every arm improves by .95, at known scales: exact, no simulation."""
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    scales = {"tau": 0.3, "tau_mu": 0.35, "tau_drug": 0.12, "tau_context": 0.3}
    bias = {}
    for sd in (0.7, 5.0):
        design = pp.decomposition_design(
            arms, pp.contrasts(evidence, besides=arms), terms={"drug", "therapy"}, prior_course_sd=sd
        )
        spread = [scales[s] for s in design["effect_scale"].to_numpy()]
        H = np.hstack([design["X"].to_numpy(), design["Z"].to_numpy()])
        prior = np.diag(np.concatenate([design["prior_sd"].to_numpy(), spread]) ** -2.0)
        within = np.linalg.inv(design["covariance"].to_numpy())
        course = design["coefficient_term"].to_numpy() == "course"
        expected = design["X"].to_numpy() @ (-0.95 * course)
        mean = np.linalg.solve(prior + H.T @ within @ H, H.T @ within @ expected)
        bias[sd] = float(mean[list(design["coefficient"].to_numpy()).index("psi")])
    assert bias[0.7] < -0.08
    assert abs(bias[5.0]) < 0.006
    assert float(pp.decomposition_design(arms)["prior_sd"].sel(coefficient="mu_construct[depression]")) == 5.0
