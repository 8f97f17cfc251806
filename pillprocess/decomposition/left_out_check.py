r"""What the other trials predict for each trial: leave-one-trial-out PIT, and whether it looks as it should.

A posterior predictive check that keeps a trial's own deviations asks the trial about itself and can hardly fail. Here trial j is
predicted from :math:`y_{-j}` alone, its deviations drawn anew and the scales refitted, and its rows one after the other:

.. math:: u_{ji} = P(y < y_{ji} \mid y_{j1}, \dots, y_{j,i-1}, y_{-j}).

The control arm comes first, so that its u is about the course, and every later u is about a contrast given the control arm. Where
the model is true the u are uniform and, within a trial, independent (Rosenblatt 1952, doi:10.1214/aoms/1177729394).
"""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr, ndtri
from scipy.stats import spearmanr

from pillprocess.gaussian.fit import in_canonical_order, integrate
from pillprocess.gaussian.held_out import control_row, is_contrast
from pillprocess.gaussian.left_out import MOST_NODES, leave_each_trial_out
from pillprocess.gaussian.normal_equations import LOG_2PI, Array, System
from pillprocess.gaussian.posterior_columns import design_of
from pillprocess.output.uniformity import p_value

RANKED = 99
UNUSUAL = 0.01
BISECTIONS = 50
FEW_NODES = 500
COURSE, CONTRAST, OWN = "course", "contrast", "baseline of its own"


def loto_pit(idata: xr.DataTree | xr.Dataset, *, level: float = 0.95, nodes: int = MOST_NODES) -> pd.DataFrame:
    """Predict every trial from all the others, row by row, and say where each observed value falls.

    Parameters
    ----------
    idata
        A fit of a design by either route, or the design; the answer is exact and does not depend on the draws.
    level
        Probability of the equal-tailed predictive interval.
    nodes
        Most values of the heterogeneity SDs to integrate over; a few hundred give probabilities to two digits.

    Returns
    -------
    DataFrame, one row per arm or difference: ``trial``, ``row``, ``kind`` (*course*: the trial's first arm; *contrast*: a later arm
    given the earlier ones, or a difference; *baseline of its own*: an arm whose trial has a free baseline, which nothing predicts),
    ``y``, ``mean``, ``ci_low``, ``ci_high`` (prediction), ``inside``, ``pit`` (probability below the observed value), ``z`` (the
    same as a standard normal deviate), ``outlier`` (either tail below .005: 1 row in 100 by chance), ``se`` (sampling error of the
    row, of the contrast with the first arm where it is one) and, where the design has a drug term, ``dose``.
    """
    design = in_canonical_order(idata if isinstance(idata, xr.Dataset) else design_of(idata))
    grid = integrate(design, tolerance=1e-2 if nodes >= FEW_NODES else 0.2)
    left = leave_each_trial_out(design, grid=grid, nodes=nodes)
    contrast = is_contrast(design)
    own = _own_baseline(left.system, contrast)
    labels, y = design["row"].to_numpy(), design["y"].to_numpy()
    dose = design["X"].sel(coefficient="delta").to_numpy() if "delta" in design["coefficient"].to_numpy() else None
    found: dict[int, dict[str, np.ndarray]] = {}
    for some in left.trials:
        for j, number in enumerate(some.trials):
            trial = left.system.trials[number]
            first = control_row(design, trial)
            order = np.arange(len(trial.rows))
            order = order if first is None else np.r_[first, np.delete(order, first)]
            rows, variance = trial.rows[order], (trial.factor[order] ** 2).sum(axis=1)
            later = ~contrast[rows[0]] & (np.arange(len(rows)) > 0)
            kind = np.where(contrast[rows] | later, CONTRAST, np.where(own[rows], OWN, COURSE))
            residual, covariance = some.residual[order, j], some.covariance[order[:, None], order, j]
            one = {"trial": np.repeat(trial.name, len(rows)), "row": labels[rows], "kind": kind, "y": y[rows]}
            one |= _predicted(some.weight[j], residual, covariance, y[rows], level)
            one["se"] = np.sqrt(variance + later * variance[0])
            if dose is not None:
                one["dose"] = dose[rows] - later * dose[rows[0]]
            found[number] = one
    return pd.DataFrame({name: np.concatenate([found[number][name] for number in sorted(found)]) for name in found[0]})


def _predicted(weight: Array, residual: Array, covariance: Array, y: Array, level: float) -> dict[str, Array]:
    """Predictive mean, interval and PIT of a trial's rows, each given those before it, from residuals (row, node)."""
    factor = np.linalg.cholesky(np.moveaxis(covariance, 2, 0))
    z = np.linalg.solve(factor, residual.T[:, :, None])[:, :, 0]
    sd = np.diagonal(factor, axis1=1, axis2=2)
    centre = y - sd * z
    density = -0.5 * (LOG_2PI + z**2) - np.log(sd)
    weight = np.log(np.maximum(weight, 1e-300))[:, None] + np.cumsum(density, axis=1) - density
    weight = np.exp(weight - weight.max(axis=0))
    weight /= weight.sum(axis=0)

    def cdf(value: Array) -> Array:
        return (weight * ndtr((value - centre) / sd)).sum(axis=0)

    def quantile(p: float) -> Array:
        low, high = (centre + ndtri(p) * sd).min(axis=0), (centre + ndtri(p) * sd).max(axis=0)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            below = cdf(middle) < p
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2

    pit = np.clip(cdf(y), 1e-15, 1 - 1e-15)
    low, high = quantile((1 - level) / 2), quantile((1 + level) / 2)
    return {
        "mean": (weight * centre).sum(axis=0), "ci_low": low, "ci_high": high, "inside": (low <= y) & (y <= high), "pit": pit,
        "z": ndtri(pit), "outlier": np.minimum(pit, 1 - pit) < UNUSUAL / 2,
    }  # fmt: skip


def _own_baseline(system: System, contrast: np.ndarray) -> np.ndarray:
    """Rows (row,) of a trial that has a coefficient of its own, alike in all its arms: nothing else predicts its level."""
    own = np.zeros(system.n_row, bool)
    for trial in system.trials:
        mine = trial.loadings[:, len(system.shared) :][:, system.scale[trial.own] < 0]
        own[trial.rows] = ((mine[0] != 0) & (mine == mine[0]).all(axis=0)).any()
    return own & ~contrast


def check_pit(pit: pd.DataFrame) -> pd.DataFrame:
    r"""Judge a leave-one-trial-out prediction: whether it is uniform, and in which way it is not.

    Parameters
    ----------
    pit
        :func:`loto_pit`.

    Returns
    -------
    DataFrame, one row per check: ``check``, ``rows`` (how many were judged), ``statistic``, ``p`` and ``words``. *contrasts uniform*
    and *courses uniform*: the ECDF against its exact simultaneous band, p of a departure as large; *largest outlier*: the largest
    \|z\|, corrected for the number of contrasts; *small trials differ*: rank correlation of z and the standard error over the
    contrasts with a drug; *dose*: of z and the dose. Their power is measured: see ``tests/README.md``.
    """
    contrasts, courses = pit[pit["kind"] == CONTRAST], pit[pit["kind"] == COURSE]
    rows = []
    for name, part in (("contrasts uniform", contrasts), ("courses uniform", courses)):
        if len(part):
            rank = np.minimum((part["pit"] * (RANKED + 1)).astype(int).to_numpy(), RANKED)
            spread = float(part["z"].std(ddof=0)) if len(part) > 1 else np.nan
            rows.append((name, len(part), spread, p_value(rank, RANKED), "SD of z; 1 is expected"))
    if len(contrasts):
        worst = contrasts.loc[contrasts["z"].abs().idxmax()]
        p = 1 - (1 - 2 * ndtr(-abs(worst["z"]))) ** len(contrasts)
        rows.append(("largest outlier", len(contrasts), float(worst["z"]), float(p), str(worst["row"])))
    drug = contrasts[contrasts["dose"] != 0] if "dose" in contrasts else contrasts
    for name, column, words in (
        ("small trials differ", "se", "rank correlation of z and standard error; negative: small trials found more"),
        ("dose", "dose", "rank correlation of z and dose; positive: high doses did less than the model says"),
    ):
        if column in drug and drug[column].nunique() > 2 and len(drug) > 4:
            found = spearmanr(drug[column], drug["z"])
            rows.append((name, len(drug), float(found.statistic), float(found.pvalue), words))
    return pd.DataFrame(rows, columns=["check", "rows", "statistic", "p", "words"])
