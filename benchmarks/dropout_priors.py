"""How far do the priors draw the total effect towards 0, where many have left?

The trials of ``dropout_coverage.py`` (300 people, 59 % without the last visit, a total effect of -7 there). Given the residual covariance,
which is taken from successive regressions (maximum likelihood, as dropout is in order), the posterior mean of the coefficients is
closed form, so thousands of trials take a minute. Prints bias, SD and root mean squared error of the total effect at the last visit, for
maximum likelihood and for several priors of treatment at equal mediators. ``python benchmarks/dropout_priors.py [TRIALS]``
"""

import inspect
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import pillprocess as pp
from pillprocess.mediation.sufficient import within_sd

WORLD = runpy.run_path(str(Path(__file__).with_name("dropout_coverage.py")))
PRIORS = {name: p.default for name, p in inspect.signature(pp.repeated_mediation).parameters.items() if name != "followup"}  # fmt: skip
SDS = (0.7, 1.5, 2.5)
"""Candidate SDs of the prior of treatment at equal mediators."""


def total_effects(table: pd.DataFrame, sds: tuple[float, ...]) -> dict[str, float]:
    """Total effect at the last visit in one trial: by maximum likelihood, and its posterior mean for each SD."""
    arm, Y = table["arm"].to_numpy(float), table[WORLD["VISITS"]].to_numpy()
    m, x = (table[c].to_numpy() for c in ("experience", "base"))
    m_sd = within_sd(m, table["arm"].to_numpy())
    cell = (arm[:, None] + 2 * np.arange(Y.shape[1])).astype(int)
    y_sd = within_sd(Y.ravel(), cell.ravel())
    y, m = (Y - np.nanmean(Y, axis=0)) / y_sd, (m - m.mean()) / m_sd
    Z = np.column_stack([np.ones(len(y)), arm, (x - x.mean()) / x.std(), m, arm * m])
    V, K = y.shape[1], Z.shape[1]
    own, earlier, spread = np.zeros((V, K)), np.zeros((V, V)), np.zeros(V)
    for v in range(V):
        seen = np.isfinite(y[:, v])
        columns = np.hstack([Z[seen], y[seen, :v]])
        beta = np.linalg.lstsq(columns, y[seen, v], rcond=None)[0]
        own[v], earlier[v, :v] = beta[:K], beta[K:]
        spread[v] = ((y[seen, v] - columns @ beta) ** 2).sum() / (len(columns) - columns.shape[1])
    through = np.linalg.inv(np.eye(V) - earlier)
    covariance = through @ np.diag(spread) @ through.T
    precision, pull = np.zeros((V * K, V * K)), np.zeros(V * K)
    for last in range(1, V + 1):
        rows, inverse = np.isfinite(y).sum(axis=1) == last, np.zeros((V, V))
        inverse[:last, :last] = np.linalg.inv(covariance[:last, :last])
        precision += np.kron(inverse, Z[rows].T @ Z[rows])
        pull += (inverse @ np.nan_to_num(y[rows]).T @ Z[rows]).ravel()
    start, a = np.linalg.lstsq(Z[:, :3], m, rcond=None)[0][:2]

    def te(coefficients: np.ndarray) -> float:
        c, b, theta = coefficients[-1, [1, 3, 4]]
        return float(y_sd * (c + theta * start + a * (b + theta)))

    rho = PRIORS["prior_visit_correlation"]
    apart = np.linalg.inv(np.full((V, V), rho) + (1 - rho) * np.eye(V))
    names = ("intercept", "c", "covariate", "b", "interaction")
    found = {"maximum likelihood": te(through @ own)}
    for sd in sds:
        scale = [sd if name == "c" else PRIORS[f"prior_{name}_sd"] for name in names]
        prior = np.kron(apart, np.diag(np.array(scale) ** -2.0))
        found[f"prior_c_sd = {sd:g}"] = te(np.linalg.solve(precision + prior, pull).reshape(V, K))
    return found


if __name__ == "__main__":
    rng, trials = np.random.default_rng(1), int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    te = pd.DataFrame([total_effects(WORLD["simulate"](300, rng), SDS) for _ in range(trials)]) - WORLD["TRUE"]
    summary = {"bias": te.mean(), "se": te.std() / trials**0.5, "sd": te.std(), "rmse": (te**2).mean() ** 0.5}
    print(pd.DataFrame(summary).to_string(float_format="{:.3f}".format))
