"""Log likelihood of one drug's contrasts on nodes of its effect, the heterogeneity and one parameter of bias."""

import numpy as np
from numpy.typing import NDArray

from pillprocess.bias.contrast_rows import Contrasts
from pillprocess.bias.significance import probability_all_above, step_bounds, trial_intervals

type Array = NDArray[np.float64]


def gaussian_likelihood(data: Contrasts, effect: Array, tau: Array, slope: Array, predictor: Array) -> Array:
    """Log density at every (effect, tau, slope); the slope takes ``predictor`` (row,) towards benefit."""
    quadratic, constant = np.zeros((len(tau), 3, 3)), np.zeros(len(tau))
    vectors = np.stack([data.y, data.dose, -predictor], axis=1)
    for rows in blocks(data):
        part, dose = vectors[rows], data.dose[rows]
        covariance = data.covariance[np.ix_(rows, rows)] + (tau**2)[:, None, None] * np.outer(dose, dose)
        quadratic += part.T @ np.linalg.solve(covariance, np.broadcast_to(part, (len(tau), *part.shape)))
        constant += np.linalg.slogdet(covariance)[1] + len(rows) * np.log(2 * np.pi)
    q = quadratic[None, :, None, :, :]
    x, b = effect[:, None, None], slope[None, None, :]
    square = (
        q[..., 0, 0] - 2 * x * q[..., 0, 1] - 2 * b * q[..., 0, 2] + x**2 * q[..., 1, 1] + 2 * x * b * q[..., 1, 2]
        + b**2 * q[..., 2, 2]
    )  # fmt: skip
    return -0.5 * (constant[None, :, None] + square)


def selection_likelihood(data: Contrasts, effect: Array, tau: Array, omega: Array, steps: tuple[float, ...]) -> Array:
    """Log density of what was printed at every (effect, tau, bias); ``omega`` (bias, step) weighs trials beyond each step."""
    interval = trial_intervals(data.y / data.se, data.unit, steps)
    weight = np.concatenate([np.ones((len(omega), 1)), omega], axis=1)
    total = gaussian_likelihood(data, effect, tau, np.zeros(1), np.zeros(len(data.y)))
    total = total + np.log(weight)[:, interval].sum(axis=1)
    for rows in blocks(data):
        dose, se = data.dose[rows], data.se[rows]
        covariance, mean, spread = (
            data.covariance[np.ix_(rows, rows)],
            effect[:, None, None] * dose,
            tau[:, None] * dose,
        )
        below = np.stack(
            [probability_all_above(-z * se, mean, covariance, spread) for z in step_bounds(steps)], axis=-1
        )
        total = total - np.log(interval_shares(below) @ weight.T)
    return total


def interval_shares(below: Array) -> Array:
    """Probability that a trial's smallest p-value lies in each interval, from that of passing no step (..., step)."""
    edge = np.ones((*below.shape[:-1], 1))
    return -np.diff(np.concatenate([edge, below, 0 * edge], axis=-1), axis=-1)


def blocks(data: Contrasts) -> list[NDArray[np.int64]]:
    """Rows of each unit of publication."""
    unit = data.unit
    return [np.flatnonzero(unit == name) for name in dict.fromkeys(unit.tolist())]
