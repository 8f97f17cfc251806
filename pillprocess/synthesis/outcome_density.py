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


def trial_members(trial: np.ndarray) -> np.ndarray:
    """Return (trial, row), 1 where the row is the trial's; trials in order of appearance."""
    names = list(dict.fromkeys(trial))
    return np.array([[t == name for t in trial] for name in names], float)


def trial_effects(trial: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Return the positions of each trial's effects (slot, trial), -1 where it has fewer than the others."""
    own = [np.flatnonzero((Z[trial == name] != 0).any(axis=0)) for name in dict.fromkeys(trial)]
    effect = np.full((max((len(o) for o in own), default=0), len(own)), -1)
    for j, columns in enumerate(own):
        effect[: len(columns), j] = columns
    return effect


def whitened_loadings(
    whitener: np.ndarray, Z: np.ndarray, effect: np.ndarray, member: np.ndarray
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
    member
        From `trial_members`.

    Returns
    -------
    G (slot, trial, row), 0 outside the trial's rows and where there is no effect, and G'G (slot, slot, trial).
    """
    G = np.concatenate([whitener @ Z, np.zeros((len(Z), 1))], axis=1)
    loadings = member * np.stack([G.T[slot] for slot in effect]) if len(effect) else np.zeros((0, *member.shape))
    return loadings, np.einsum("ktr,mtr->kmt", loadings, loadings)


def trial_densities(
    white: TensorVariable,
    projected: TensorVariable,
    gram: TensorVariable,
    sd: Sequence[TensorVariable],
    member: np.ndarray,
) -> TensorVariable:
    """Log density of each trial's rows, up to the constant log |L| of their sampling covariance.

    Parameters
    ----------
    white
        L^-1 (y - theta), (row,).
    projected
        G' L^-1 (y - theta), (slot, trial).
    gram
        G'G, (slot, slot, trial).
    sd
        SD of each trial's effect in each slot, (trial,) per slot.
    member
        From `trial_members`.

    Returns
    -------
    Tensor (trial,).
    """
    slots = range(len(sd))
    product = {(k, m): gram[k, m] for k in slots for m in range(k, len(sd))}
    projection = [projected[k] for k in slots]
    quadratic, log_det = pt.dot(member, white**2), pt.zeros(len(member))
    for k in slots:
        scale = 1 + sd[k] ** 2 * product[k, k]
        weight = sd[k] ** 2 / scale
        log_det += pt.log(scale)
        quadratic -= weight * projection[k] ** 2
        for m in range(k + 1, len(sd)):
            projection[m] -= weight * product[k, m] * projection[k]
            for n in range(m, len(sd)):
                product[m, n] -= weight * product[k, m] * product[k, n]
    return -0.5 * (member.sum(axis=1) * LOG_2PI + log_det + quadratic)
