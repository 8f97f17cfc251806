r"""Selection by significance: what a body of trials says when those without a significant result were printed less often.

.. math::

    p(y_j \mid printed) = \frac{w(y_j)\, N(y_j; \delta_{d} dose_j, V_j + \tau^2 dose_j dose_j')}{E\, w(y_j)},
    \quad w = \omega_k \text{ where the smallest one-sided p-value of trial } j \text{ lies in interval } k

with :math:`1 = \omega_0 \ge \omega_1 \ge \dots`, a step function of the p-value (Vevea & Hedges 1995,
doi:10.1007/BF02294384). Trials are printed, not contrasts: a trial of several arms has the weight of its most significant
contrast, and its expected weight is taken over the joint distribution of its contrasts
(:mod:`pillprocess.bias.significance`).
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pillprocess.bias.contrast_rows import Contrasts, read_contrasts
from pillprocess.bias.likelihood import blocks
from pillprocess.bias.significance import (
    NODES,
    WEIGHTS,
    check_sides,
    check_steps,
    factors,
    step_bounds,
    trial_intervals,
)  # fmt: skip

if TYPE_CHECKING:
    import pymc as pm
    import pytensor.tensor as pt

type Array = NDArray[np.float64]


def selection_model(
    rows: pd.DataFrame,
    steps: tuple[float, ...] = (0.025,),
    *,
    covariance: Array | None = None,
    favours: str = "negative",
    prior_effect_sd: float = 0.7,
    prior_tau_sd: float = 0.3,
    prior_omega: float = 1.5,
) -> "pm.Model":
    """Build a step-function selection model of a table of contrasts, with random effects of trials and drugs.

    Parameters
    ----------
    rows, covariance, favours
        As in :func:`pillprocess.read_contrasts`: a contrast table of any kind, one row per contrast.
    steps
        One-sided p-values at which the chance of being printed may change.
    prior_effect_sd
        SD of the normal prior of the effect common to the drugs, in the unit of ``y``; ``inf`` for a flat one.
    prior_tau_sd
        Half-normal scale of the SD between trials and between drugs; ``inf`` for flat ones.
    prior_omega
        Concentration of the symmetric Dirichlet prior of ``1 - omega_1``, ``omega_1 - omega_2`` ... and the last weight: 1 is
        flat under ``1 >= omega_1 >= omega_2 ...``; with one step the weight is Beta(prior_omega, prior_omega).

    Returns
    -------
    ``pm.Model``: ``delta``, with several drugs ``v`` (drug) and ``tau_drug``, ``effect`` (drug), ``tau``, ``omega`` (step); negative
    effects favour the treatment, whatever ``favours`` says. ``y`` (row) follows the law before selection and the potential
    ``printed`` (trial) adds the selection.

    Raises
    ------
    ValueError
        Steps out of order; fewer than one trial on a side of a step; what :func:`pillprocess.read_contrasts` refuses.

    References
    ----------
    Vevea & Hedges 1995, Psychometrika 60:419-435, doi:10.1007/BF02294384.
    """
    import pymc as pm
    import pytensor.tensor as pt

    steps = check_steps(steps)
    data = read_contrasts(rows, covariance=covariance, favours=favours)
    interval = trial_intervals(data.y / data.se, data.unit, steps)
    check_sides(interval, steps)
    drugs = list(dict.fromkeys(data.drug.tolist()))
    which = np.array([drugs.index(d) for d in data.drug.tolist()])
    coords = {
        "row": data.label, "trial": list(dict.fromkeys(data.unit.tolist())), "drug": drugs, "step": [str(s) for s in steps]
    }  # fmt: skip
    with pm.Model(coords=coords) as model:
        flat, half = np.isinf(prior_effect_sd), np.isinf(prior_tau_sd)
        delta = pm.Flat("delta") if flat else pm.Normal("delta", 0, prior_effect_sd)
        effect = pt.zeros(len(drugs)) + delta
        if len(drugs) > 1:
            tau_drug = pm.HalfFlat("tau_drug") if half else pm.HalfNormal("tau_drug", prior_tau_sd)
            v = pm.Deterministic("v", tau_drug * pm.Normal("v_raw", 0, 1, dims="drug"), dims="drug")
            effect = effect + v
        effect = pm.Deterministic("effect", effect, dims="drug")
        tau = pm.HalfFlat("tau") if half else pm.HalfNormal("tau", prior_tau_sd)
        omega = _weights(len(steps), prior_omega)
        mean = effect[which] * data.dose
        together = (data.unit[:, None] == data.unit) * np.outer(data.dose, data.dose)
        pm.MvNormal("y", mean, cov=data.covariance + tau**2 * together, observed=data.y, dims="row")
        weight = pt.concatenate([pt.ones(1), omega])
        shares = _interval_shares(data, mean, tau, step_bounds(steps))
        pm.Potential("printed", pt.log(weight)[interval] - pt.log(shares @ weight), dims="trial")
    return model


def _weights(count: int, concentration: float) -> "pt.TensorVariable":
    """Weights with 1 >= omega_1 >= omega_2 ...: the upper tails of a point of the simplex."""
    import pymc as pm
    import pytensor.tensor as pt

    if count == 1:
        return pm.Beta("omega", concentration, concentration, dims="step")
    parts = pm.Dirichlet("omega_parts", np.full(count + 1, concentration))
    return pm.Deterministic("omega", 1 - pt.cumsum(parts)[:count], dims="step")


def _interval_shares(
    data: Contrasts, mean: "pt.TensorVariable", tau: "pt.TensorVariable", bounds: Array
) -> "pt.TensorVariable":
    """Probability (trial, interval) that the smallest p-value of each trial lies in each interval between the steps."""
    import pytensor.tensor as pt

    sizes = np.array([len(rows) for rows in blocks(data)])
    place = np.empty(len(sizes), int)
    found, done = [], 0
    for m in sorted(set(sizes)):
        trials = [rows for rows, size in zip(blocks(data), sizes, strict=True) if size == m]
        which = np.flatnonzero(sizes == m)
        place[which] = np.arange(done, done + len(which))
        done += len(which)
        found.append(pt.stack([_all_above(data, np.stack(trials), mean, tau, z) for z in bounds], axis=1))
    below = pt.concatenate(found, axis=0)[place]
    edge = pt.ones((len(sizes), 1))
    return pt.concatenate([edge, below], axis=1) - pt.concatenate([below, 0 * edge], axis=1)


def _all_above(
    data: Contrasts, rows: NDArray[np.int64], mean: "pt.TensorVariable", tau: "pt.TensorVariable", z: float
) -> "pt.TensorVariable":
    """:func:`pillprocess.bias.significance.probability_all_above` of trials of one size, ``rows`` (trial, row)."""
    import pytensor.tensor as pt

    dose, se = data.dose[rows], data.se[rows]
    distance, spread = mean[rows] + z * se, tau * dose
    covariance = np.stack([data.covariance[np.ix_(r, r)] for r in rows])
    if rows.shape[1] == 1:
        return _cdf(distance[:, 0] / pt.sqrt(se[:, 0] ** 2 + spread[:, 0] ** 2))
    if rows.shape[1] == 2:
        sd = pt.sqrt(se**2 + spread**2)
        h, k = (distance / sd)[:, 0], (distance / sd)[:, 1]
        correlation = (covariance[:, 0, 1] + spread[:, 0] * spread[:, 1]) / (sd[:, 0] * sd[:, 1])
        half = 0.5 * pt.arcsin(correlation)[:, None]
        angle = half * (NODES + 1)
        square = h[:, None] ** 2 + k[:, None] ** 2 - 2 * (h * k)[:, None] * pt.sin(angle)
        curve = half * pt.exp(-0.5 * square / pt.cos(angle) ** 2) * WEIGHTS
        return _cdf(h) * _cdf(k) + pt.sum(curve, axis=1) / (2 * np.pi)
    least, moved, points = (np.stack(part) for part in zip(*(factors(c) for c in covariance), strict=True))
    shifted = distance[:, None, :] + moved + points[:, :, None] * spread[:, None, :]
    return pt.mean(pt.prod(_cdf(shifted / np.sqrt(least)[:, None, None]), axis=2), axis=1)


def _cdf(x: "pt.TensorVariable") -> "pt.TensorVariable":
    import pytensor.tensor as pt

    return 0.5 * pt.erfc(-x / np.sqrt(2))
