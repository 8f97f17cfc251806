r"""Density of outcomes whose trial effects are integrated out, one trial at a time.

.. math:: y = \theta + Z b + e, \quad b_k \sim N(0, s_k^2), \quad e \sim N(0, V)

With L the Cholesky factor of V, :math:`e^* = L^{-1}(y - \theta)` and :math:`G = L^{-1} Z`, a trial's log density follows from
:math:`e^{*\prime}e^*`, :math:`G'e^*` and :math:`G'G` by taking its effects in one after another.
"""

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

LOG_2PI = float(np.log(2 * np.pi))


def trial_rows(trial: np.ndarray) -> np.ndarray:
    """Return the positions of each trial's rows (trial, place), the number of rows where it has fewer than the others."""
    own = [np.flatnonzero(trial == name) for name in dict.fromkeys(trial)]
    rows = np.full((len(own), max((len(o) for o in own), default=0)), len(trial))
    for j, o in enumerate(own):
        rows[j, : len(o)] = o
    return rows


def trial_effects(trial: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Return the positions of each trial's effects (slot, trial), -1 where it has fewer than the others."""
    own = [np.flatnonzero((Z[trial == name] != 0).any(axis=0)) for name in dict.fromkeys(trial)]
    effect = np.full((max((len(o) for o in own), default=0), len(own)), -1)
    for j, columns in enumerate(own):
        effect[: len(columns), j] = columns
    return effect


def whitened_loadings(
    whitener: np.ndarray, Z: np.ndarray, effect: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return G split by slot and trial, and its products.

    Parameters
    ----------
    whitener
        The inverse of L, (row, row); a trial whose rows are 0 here is left out.
    Z
        Loadings of the effects, (row, effect).
    effect
        From `trial_effects`.
    rows
        From `trial_rows`.

    Returns
    -------
    G (slot, trial, place), 0 where there is no row or no effect, and G'G (slot, slot, trial).
    """
    G = np.pad(whitener @ Z, [(0, 1), (0, 1)])
    loadings = G[rows[None], effect[:, :, None]]
    return loadings, np.einsum("ktr,mtr->kmt", loadings, loadings)


def trial_densities(
    white: TensorVariable,
    loadings: TensorVariable,
    gram: TensorVariable,
    sd: Sequence[TensorVariable],
    rows: np.ndarray,
) -> TensorVariable:
    """Log density of each trial's rows, up to the constant log |L| of their sampling covariance.

    Parameters
    ----------
    white
        L^-1 (y - theta), (row,).
    loadings, gram
        From `whitened_loadings`.
    sd
        SD of each trial's effect in each slot, (trial,) per slot.
    rows
        From `trial_rows`.

    Returns
    -------
    Tensor (trial,).
    """
    slots = range(len(sd))
    own = pt.concatenate([white, np.zeros(1)])[rows]
    product = {(k, m): gram[k, m] for k in slots for m in range(k, len(sd))}
    projection = [pt.sum(loadings[k] * own, axis=1) for k in slots]
    quadratic, log_det = pt.sum(own**2, axis=1), pt.zeros(len(rows))
    for k in slots:
        scale = 1 + sd[k] ** 2 * product[k, k]
        weight = sd[k] ** 2 / scale
        log_det += pt.log(scale)
        quadratic -= weight * projection[k] ** 2
        for m in range(k + 1, len(sd)):
            projection[m] -= weight * product[k, m] * projection[k]
            for n in range(m, len(sd)):
                product[m, n] -= weight * product[k, m] * product[k, n]
    return -0.5 * ((rows < white.shape[0]).sum(axis=1) * LOG_2PI + log_det + quadratic)
