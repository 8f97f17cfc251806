"""What the prior of the residual correlations does to the total effect, where many have left.

The trials of ``dropout_coverage.py`` (300 people, 59 % without the last visit, a total effect of -7 there), each analysed by a sampler
of its own: missing visits drawn given those seen, coefficients given the covariance, the covariance by proposals from its posterior under
Jeffreys' prior, accepted by the prior in question. Prints the bias of the posterior mean for several priors; maximum likelihood on the
same trials is in ``dropout_priors.py``. ``python benchmarks/dropout_covariance.py [TRIALS]``; 100 take a minute.
"""

import inspect
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import invwishart

import pillprocess as pp
from pillprocess.mediation.sufficient import within_sd

WORLD = runpy.run_path(str(Path(__file__).with_name("dropout_coverage.py")))
PRIORS = {name: p.default for name, p in inspect.signature(pp.repeated_mediation).parameters.items() if name != "followup"}  # fmt: skip
CASES = {"Jeffreys": (None, 1.5), "LKJ(1)": (1, 1.5), "LKJ(2)": (2, 1.5), "LKJ(2), prior_c_sd = .7": (2, 0.7)}
"""LKJ concentration of the residual correlations (None: Jeffreys' prior of the covariance), and SD of treatment's prior."""
SWEEPS, BURN = 500, 100


def log_weight(covariance: np.ndarray, eta: float | None) -> float:
    """Log density of LKJ(eta) and half-normal SDs, over that of Jeffreys' prior of the covariance."""
    if eta is None:
        return 0.0
    sd = np.sqrt(np.diag(covariance))
    correlation = np.linalg.slogdet(covariance / np.outer(sd, sd))[1]
    power = eta - 1 + (len(sd) + 1) / 2
    return float(power * correlation + np.log(sd).sum() - 0.5 * (sd**2).sum())


def total_effect(table: pd.DataFrame, rng: np.random.Generator, eta: float | None, c_sd: float) -> float:
    """Posterior mean of the total effect at the last visit."""
    arm, Y = table["arm"].to_numpy(), table[WORLD["VISITS"]].to_numpy()
    m, x = (table[c].to_numpy() for c in ("experience", "base"))
    y_sd = within_sd(Y.ravel(), (arm[:, None] + 2 * np.arange(Y.shape[1])).ravel())
    y, m = (Y - np.nanmean(Y, axis=0)) / y_sd, (m - m.mean()) / within_sd(m, arm)
    Z = np.column_stack([np.ones(len(y)), arm, (x - x.mean()) / x.std(), m, arm * m])
    start, a = np.linalg.lstsq(Z[:, :3], m, rcond=None)[0][:2]
    (n, K), V, rho = Z.shape, y.shape[1], PRIORS["prior_visit_correlation"]
    scale = [c_sd if s == "c" else PRIORS[f"prior_{s}_sd"] for s in ("intercept", "c", "covariate", "b", "interaction")]
    prior = np.kron(np.linalg.inv(np.full((V, V), rho) + (1 - rho) * np.eye(V)), np.diag(np.array(scale) ** -2.0))
    last, full = np.isfinite(y).sum(axis=1), np.nan_to_num(y)
    coefficients, S, kept = np.zeros((V, K)), 0.6 * np.eye(V) + 0.3, []
    for _ in range(SWEEPS):
        mean = Z @ coefficients.T
        for k in range(1, V):
            rows = np.flatnonzero(last == k)
            slope = np.linalg.solve(S[:k, :k], S[:k, k:])
            rest = np.linalg.cholesky(S[k:, k:] - S[k:, :k] @ slope)
            drawn = mean[rows, k:] + (full[rows, :k] - mean[rows, :k]) @ slope
            full[rows, k:] = drawn + rng.standard_normal((len(rows), V - k)) @ rest.T
        inverse = np.linalg.inv(S)
        factor = np.linalg.cholesky(np.kron(inverse, Z.T @ Z) + prior)
        pulled = np.linalg.solve(factor, (inverse @ full.T @ Z).ravel()) + rng.standard_normal(V * K)
        coefficients = np.linalg.solve(factor.T, pulled).reshape(V, K)
        error = full - Z @ coefficients.T
        new = invwishart.rvs(n, error.T @ error, random_state=rng)
        if np.log(rng.random()) < log_weight(new, eta) - log_weight(S, eta):
            S = new
        c, b, theta = coefficients[-1, [1, 3, 4]]
        kept.append(y_sd * (c + theta * start + a * (b + theta)))
    return float(np.mean(kept[BURN:]))


if __name__ == "__main__":
    worlds, rng = np.random.default_rng(11), np.random.default_rng(5)
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    tables = [WORLD["simulate"](300, worlds) for _ in range(trials)]
    found = (
        pd.DataFrame([{name: total_effect(t, rng, *case) for name, case in CASES.items()} for t in tables])
        - WORLD["TRUE"]
    )
    print(pd.DataFrame({"bias": found.mean(), "se": found.std() / trials**0.5}).to_string(float_format="{:.3f}".format))
