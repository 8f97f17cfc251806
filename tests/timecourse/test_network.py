"""A network like those time-course meta-analyses are shown on (osteoarthritis pain, serum urate) against an independent fit.

Those data sets are published as binary files alone, so a network of their form is simulated: 12 trials of three arms (placebo, half
and full dose), 3 to 6 visits, errors that correlate within an arm. The independent fit is importance sampling from a Student t at the
mode of a posterior written out here with NumPy and SciPy; nothing of it is the package's.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from scipy.special import expit

import pillprocess as pp
from tests.timecourse.test_timecourse import trial_rows

TRUTH = {"decay": (-0.9, 25.0), "emax": (-1.1, 6.0)}


def share(shape, t, half):
    return 0.5 ** (t / half) if shape == "decay" else t / (half + t)


def network(shape):
    """Means of people with an intercept and errors that fade from visit to visit; 60 in an arm."""
    rng = np.random.default_rng([11, len(shape)])
    size, half = TRUTH[shape]
    out = []
    for j in range(12):
        days = np.sort(rng.choice([2.0, 7.0, 14.0, 28.0, 42.0, 56.0, 84.0], size=rng.integers(3, 7), replace=False))
        own = size + 0.25 * rng.standard_normal()
        rows = trial_rows(f"t{j:02d}", dict.fromkeys(days, 0.0), doses=(0.5, 1.0), therapy=0.0)
        for _, at in rows.groupby("arm").groups.items():
            noise = rng.standard_normal((60, len(days)))
            for k in range(1, len(days)):
                noise[:, k] = 0.7 * noise[:, k - 1] + np.sqrt(1 - 0.49) * noise[:, k]
            people = noise - 0.2 * np.log(days) + own * rows.loc[at, "dose"].iloc[0] * share(shape, days, half)
            rows.loc[at, "y"] = people.mean(axis=0)
            rows.loc[at, "se"] = people.std(axis=0, ddof=1) / np.sqrt(60)
        out.append(rows)
    return pd.concat(out, ignore_index=True)


def log_posterior(rows, shape):
    """Log posterior of (delta, log half-life, log tau, logit rho), for many points (n, 4) at once."""
    trials = []
    for _, own in rows.groupby("trial"):
        arms = {a: g.sort_values("time_days") for a, g in own.groupby("arm")}
        control, days = arms["arm0"], arms["arm0"]["time_days"].to_numpy()
        apart = np.abs(np.subtract.outer(np.arange(len(days)), np.arange(len(days))))
        y = np.concatenate([arms[a]["y"].to_numpy() - control["y"].to_numpy() for a in ("arm1", "arm2")])
        se = [arms[a]["se"].to_numpy() for a in ("arm0", "arm1", "arm2")]
        trials.append((np.tile(days, 2), np.repeat([0.5, 1.0], len(days)), y, [np.outer(s, s) for s in se], apart))
    x, w = np.polynomial.legendre.leggauss(40)
    s, w = 2 * (x + 1), w * np.exp(-0.5 * (2 * (x + 1)) ** 2)

    def density(points):
        delta, rate, log_tau, logit_rho = np.asarray(points, float).T
        tau, rho, half = np.exp(log_tau), expit(logit_rho), np.exp(rate)
        total = stats.norm.logpdf(delta) + stats.halfnorm.logpdf(tau, scale=0.5) + log_tau
        total = total + np.log(rho) + np.log1p(-rho)
        total = total + np.log(stats.norm.pdf(rate[:, None], np.log(30), np.hypot(1.5, s)) @ (w / w.sum()))
        for days, dose, y, errors, apart in trials:
            fade = rho[:, None, None] ** apart
            control = errors[0] * fade
            cov = np.block([[errors[1] * fade + control, control], [control, errors[2] * fade + control]])
            z = dose * share(shape, days, half[:, None])
            factor = np.linalg.cholesky(cov + (tau**2)[:, None, None] * z[:, :, None] * z[:, None])
            white = np.linalg.solve(factor, (y - delta[:, None] * z)[..., None])[..., 0]
            total = total - 0.5 * (white**2).sum(1) - np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(1)
        return total

    return density


@pytest.mark.parametrize("shape", ["decay", "emax"])
def test_a_network_of_doses_and_times_is_fitted_like_an_independent_fit_within_monte_carlo_error(shape):
    rows = network(shape)
    density = log_posterior(rows, shape)
    mode = optimize.minimize(lambda p: -density(p[None])[0], [-1, np.log(15), -1.5, 0.5], method="BFGS")
    scale = np.linalg.cholesky(1.3 * (mode.hess_inv + mode.hess_inv.T) / 2)
    rng = np.random.default_rng(1)
    proposal = stats.multivariate_t(mode.x, scale @ scale.T, df=6, seed=rng)
    points = proposal.rvs(4000)
    weight = np.exp((log_weight := density(points) - proposal.logpdf(points)) - log_weight.max())
    weight /= weight.sum()
    effective = 1 / (weight**2).sum()
    assert effective > 800
    values = np.column_stack([points[:, :2], np.exp(points[:, 2]), expit(points[:, 3])])
    mean = weight @ values
    sd = np.sqrt(weight @ (values - mean) ** 2)
    fit = pp.fit_time_course(rows, shape=shape, seed=1, draws=4000)["posterior"].dataset
    ours = np.column_stack(
        [
            fit["delta"].to_numpy().ravel(),
            np.log(fit["half_life"].to_numpy().ravel()),
            fit["tau"].to_numpy().ravel(),
            fit["rho"].to_numpy().ravel(),
        ]
    )
    error = sd * np.sqrt(1 / effective + 1 / 4000)
    np.testing.assert_array_less(np.abs(ours.mean(axis=0) - mean), 4 * error + 0.02 * sd)
    np.testing.assert_allclose(ours.std(axis=0), sd, rtol=0.12)
    size, half = TRUTH[shape]
    assert np.quantile(ours[:, 0], 0.005) < size < np.quantile(ours[:, 0], 0.995)
    assert np.quantile(ours[:, 1], 0.005) < np.log(half) < np.quantile(ours[:, 1], 0.995)
