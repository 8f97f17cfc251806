"""What the prior of the residual correlations does to the total effect, where many have left.

The trials of ``dropout_coverage.py`` (300 people, a total effect of -7 at the last visit, which most lack because of an earlier one), in a
world where visits of a person correlate .6 given the baseline, as scales do, and in two that the prior did not expect: 0 and -.3.
Each is analysed by a sampler of its own: missing visits drawn given those seen, coefficients given the covariance, the covariance by
proposals from its posterior under Jeffreys' prior, accepted by the prior in question. Prints the bias of the posterior mean as its
mean distance from maximum likelihood on the same trial (which has none; ``dropout_priors.py``), and how often 95 % intervals hold the
truth. ``python benchmarks/dropout_covariance.py [TRIALS]``; 200 of each world take ten minutes.

200 trials of each world, bias (SE .01, .02, .02) and coverage: where visits correlate .6, the default .13 and 94 %, LKJ(2) with SD 1.5
.23 and 96 %; 0: .00 and 96 %, .16 and 95 %; -.3: -.11 and 94 %, .07 and 95 %.
"""

import inspect
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import beta, invwishart

import pillprocess as pp
from pillprocess.mediation.sufficient import within_sd

PRIOR_BENCHMARK = runpy.run_path(str(Path(__file__).with_name("dropout_priors.py")))
WORLD = PRIOR_BENCHMARK["WORLD"]
PRIORS = {name: p.default for name, p in inspect.signature(pp.repeated_mediation).parameters.items() if name != "followup"}  # fmt: skip
CASES = {
    "LKJ(2), prior_c_sd = 1.5": (None, 1.5),
    "about 0": (0.0, PRIORS["prior_c_sd"]),
    "the default": (PRIORS["prior_person_correlation"], PRIORS["prior_c_sd"]),
}
"""Correlation of a person's assessments on which the prior is centred (None: LKJ(2)), and SD of treatment's prior."""
CORRELATIONS = (0.6, 0.0, -0.3)
"""True correlation of a person's visits given the baseline, in each world."""
SWEEPS, BURN = 600, 100


def log_weight(covariance: np.ndarray, person: float | None) -> float:
    """Log density of the correlations' prior and half-normal SDs, over that of Jeffreys' prior of the covariance."""
    size, sd = len(covariance), np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(sd, sd)
    determinant = np.linalg.slogdet(correlation)[1]
    of_sd = np.log(sd).sum() - 0.5 * (sd**2).sum() + (size + 1) / 2 * determinant
    if person is None:
        return float(of_sd + determinant)
    total = of_sd
    for u in range(size):  # correlations given the visits before u, by regression on them
        precision = np.linalg.inv(correlation[:u, :u])
        rest = correlation[u:, u:] - correlation[u:, :u] @ precision @ correlation[:u, u:]
        partial = rest[0, 1:] / np.sqrt(rest[0, 0] * np.diag(rest)[1:])
        alpha = 2 * (1 + (u + 2) * person) / (1 + u * person)
        total += (beta.logpdf(partial, alpha, 2, loc=-1, scale=2) - (size - 2 - u) / 2 * np.log1p(-(partial**2))).sum()
    return float(total)


def total_effect(table: pd.DataFrame, rng: np.random.Generator, person: float | None, c_sd: float) -> np.ndarray:
    """Draws of the total effect at the last visit."""
    arm, Y = table["arm"].to_numpy(), table[WORLD["VISITS"]].to_numpy()
    m, x = (table[c].to_numpy() for c in ("experience", "base"))
    y_sd = within_sd(Y.ravel(), (arm[:, None] + 2 * np.arange(Y.shape[1])).ravel())
    y, m = (Y - np.nanmean(Y, axis=0)) / y_sd, (m - m.mean()) / within_sd(m, arm)
    Z = np.column_stack([np.ones(len(y)), arm, (x - x.mean()) / x.std(), m, arm * m])
    of_m, squares = np.linalg.lstsq(Z[:, :3], m, rcond=None)[:2]
    spread = np.linalg.inv(Z[:, :3].T @ Z[:, :3]) * squares / (len(y) - 3)
    (n, K), V, rho = Z.shape, y.shape[1], PRIORS["prior_visit_correlation"]
    scale = [c_sd if s == "c" else PRIORS[f"prior_{s}_sd"] for s in ("intercept", "c", "covariate", "b", "interaction")]
    prior = np.kron(np.linalg.inv(np.full((V, V), rho) + (1 - rho) * np.eye(V)), np.diag(np.array(scale) ** -2.0))
    last, full = np.isfinite(y).sum(axis=1), np.nan_to_num(y)
    groups, ZZ = [(k, np.flatnonzero(last == k)) for k in range(1, V)], Z.T @ Z
    coefficients, S, kept = np.zeros((V, K)), 0.6 * np.eye(V) + 0.3, []
    weight = log_weight(S, person)
    for _ in range(SWEEPS):
        for k, rows in groups:
            mean = Z[rows] @ coefficients.T
            slope = np.linalg.solve(S[:k, :k], S[:k, k:])
            rest = np.linalg.cholesky(S[k:, k:] - S[k:, :k] @ slope)
            drawn = mean[:, k:] + (full[rows, :k] - mean[:, :k]) @ slope
            full[rows, k:] = drawn + rng.standard_normal((len(rows), V - k)) @ rest.T
        inverse = np.linalg.inv(S)
        factor = np.linalg.cholesky(np.kron(inverse, ZZ) + prior)
        pulled = np.linalg.solve(factor, (inverse @ (full.T @ Z)).ravel()) + rng.standard_normal(V * K)
        coefficients = np.linalg.solve(factor.T, pulled).reshape(V, K)
        error = full - Z @ coefficients.T
        new = invwishart.rvs(n, error.T @ error, random_state=rng)
        proposed = log_weight(new, person)
        if np.log(rng.random()) < proposed - weight:
            S, weight = new, proposed
        c, b, theta = coefficients[-1, [1, 3, 4]]
        start, a = rng.multivariate_normal(of_m, spread)[:2]
        kept.append(y_sd * (c + theta * start + a * (b + theta)))
    return np.array(kept[BURN:])


def compare(correlation: float, trials: int) -> pd.DataFrame:
    """Bias, its standard error and coverage of every case in one world."""
    worlds, rng, truth = np.random.default_rng(11), np.random.default_rng(5), WORLD["TRUE"]
    rows = []
    for _ in range(trials):
        table = WORLD["simulate"](300, worlds, correlation=correlation)
        exact = PRIOR_BENCHMARK["total_effects"](table, ())["maximum likelihood"]
        for name, case in CASES.items():
            te = total_effect(table, rng, *case)
            low, high = np.quantile(te, [0.025, 0.975])
            rows.append((name, te.mean() - exact, low <= truth <= high, te.std(), table["score_3"].isna().mean()))
    found = pd.DataFrame(rows, columns=["prior", "bias", "covered", "sd", "missing"]).groupby("prior", sort=False)
    return found.mean().assign(se=found["bias"].std() / trials**0.5)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for correlation in CORRELATIONS:
        print(f"visits correlate {correlation:g}")
        print(compare(correlation, count).to_string(float_format="{:.3f}".format), flush=True)
