"""Designs the tests of the exact route share: small published cases, and a synthetic one of the headline's size."""

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.gaussian.design import gaussian_design

NAN = float("nan")


def schools(y, se, *, prior_mu_sd, tau):
    """Random-effects synthesis y_j ~ N(mu + b_j, se_j^2)."""
    names = list("ABCDEFGH"[: len(y)])
    return gaussian_design(
        pd.Series(y, index=[f"school {name}" for name in names]),
        np.diag(np.square(se)),
        trial=names,
        fixed=pd.DataFrame({"mu": np.ones(len(y))}),
        prior_sd={"mu": prior_mu_sd},
        random=pd.DataFrame({("b", "school", name): np.eye(len(y))[i] for i, name in enumerate(names)}),
        effect_scale={"b": "tau"},
        prior_scale={"tau": tau},
    )


def eight_schools():
    """Rubin 1981 as Gelman et al. print it; posteriordb's priors."""
    y, se = [28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18]
    return schools(y, se, prior_mu_sd=5.0, tau=("halfcauchy", 5.0, NAN))


# Off-time reduction in Parkinson's disease, hours/day: NICE DSU TSD 2 (Dias et al. 2011), table 6: trial, treatment, mean, SE.
PARKINSON = [
    (1, 1, -1.22, 0.504), (1, 3, -1.53, 0.439), (2, 1, -0.7, 0.282), (2, 2, -2.4, 0.258), (3, 1, -0.3, 0.505),
    (3, 2, -2.6, 0.510), (3, 4, -1.2, 0.478), (4, 3, -0.24, 0.265), (4, 4, -0.59, 0.354), (5, 3, -0.73, 0.335),
    (5, 4, -0.18, 0.442), (6, 4, -2.2, 0.197), (6, 5, -2.5, 0.190), (7, 4, -1.8, 0.200), (7, 5, -2.1, 0.250),
]  # fmt: skip


def parkinson(*, contrasts=False, tau=("halfnormal", 5.0, NAN)):
    """The network as arms (free trial baselines) or as contrasts; heterogeneity correlated 1/2 in the 3-arm trial."""
    trial, treatment, mean, se = (np.array(column) for column in zip(*PARKINSON, strict=True))
    n = len(mean)
    effects = (treatment[:, None] == np.arange(2, 6)).astype(float)
    deviations, y, covariance = np.eye(n) / np.sqrt(2), mean, np.diag(se**2)
    baselines = {("mu", "trial", str(j)): (trial == j).astype(float) for j in range(1, 8)}
    role = np.where(np.r_[True, trial[1:] != trial[:-1]], "control", "active")
    if contrasts:
        first = np.array([np.flatnonzero(trial == j)[0] for j in trial])
        subtract = (np.eye(n) - np.eye(n)[first])[role == "active"]
        y, covariance = subtract @ mean, subtract @ covariance @ subtract.T
        effects, deviations, baselines = subtract @ effects, subtract @ deviations, {}
        trial, role = trial[role == "active"], np.full(len(y), "contrast")
    return gaussian_design(
        pd.Series(y, index=[f"{j}: {k}" for j, k in enumerate(trial)]),
        covariance,
        trial=[str(j) for j in trial],
        fixed=pd.DataFrame(baselines | {("d", "treatment", str(k + 2)): effects[:, k] for k in range(4)}),
        prior_sd={"mu": 100.0, "d": 100.0},
        random=pd.DataFrame({("u", "arm", str(i)): deviations[:, i] for i in range(n)}),
        effect_scale={"u": "tau"},
        prior_scale={"tau": tau},
        role=role,
    )


def headline_like(*, seed=0, n_trial=45, n_row=95):
    """Simulate a decomposition of the headline's size: 3 scales, 12 shared coefficients, 10 drugs, 40 trial deviations."""
    rng = np.random.default_rng(seed)
    arms = np.full(n_trial, 2)
    arms[: n_row - 2 * n_trial] += 1
    trial = np.repeat(np.arange(n_trial), arms)
    first = np.r_[True, trial[1:] != trial[:-1]]
    drug = np.repeat(rng.integers(0, 10, n_trial), arms)
    dose = np.where(first, 0.0, rng.choice([0.5, 1.0, 1.0], n_row))
    therapy = np.repeat(rng.integers(0, 2, n_trial), arms)
    columns = {
        "course": np.ones(n_row),
        "psi": therapy,
        "omega": rng.random(n_row) < 0.1,
        "beta": dose * rng.normal(size=n_row),
    }
    for group in range(4):
        columns[("delta", "class", str(group))] = dose * (drug % 4 == group)
        columns[("kappa", "class", str(group))] = dose * therapy * (drug % 4 == group)
    fixed = pd.DataFrame(columns, dtype=float)
    own = np.eye(n_trial)[trial]
    random = pd.DataFrame(
        {("v", "drug", str(d)): dose * (drug == d) for d in range(10)}
        | {("u", "trial_drug", str(j)): dose * own[:, j] for j in range(min(40, n_trial))}
        | {("m", "trial", str(j)): own[:, j] for j in range(n_trial)}
    )
    se = rng.uniform(0.1, 0.35, n_row)
    b = np.concatenate(
        [0.15 * rng.normal(size=10), 0.3 * rng.normal(size=min(40, n_trial)), 0.4 * rng.normal(size=n_trial)]
    )
    y = fixed.to_numpy() @ rng.normal(0, 0.5, 12) + random.to_numpy() @ b + se * rng.normal(size=n_row)
    return gaussian_design(
        pd.Series(y, index=[f"trial {j}: {i}" for i, j in enumerate(trial)]),
        np.diag(se**2),
        trial=[f"trial {j}" for j in trial],
        fixed=fixed,
        prior_sd=dict.fromkeys(["course", "psi", "omega", "beta", "delta", "kappa"], 0.7),
        random=random,
        effect_scale={"v": "tau_drug", "u": "tau", "m": "tau_mu"},
        prior_scale={name: ("halfnormal", 0.5, NAN) for name in ("tau", "tau_drug", "tau_mu")},
        role=np.where(first, "control", "active"),
    )


def without_rows(design: xr.Dataset, drop) -> xr.Dataset:
    """The same design of fewer rows."""
    keep = ~np.asarray(drop)
    return design.isel(row=keep, row_=keep)
