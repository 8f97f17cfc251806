r"""The classical estimates with flat priors: random effects, PET, PEESE and a step selection model, all drugs as one.

.. math:: y = \mu\, dose + b\, x + u\, dose + e, \quad u \sim N(0, \tau^2), \quad x = 0,\ se,\ se^2

by restricted maximum likelihood (Stanley & Doucouliagos 2014, doi:10.1002/jrsm.1095), and the selection model of
:mod:`pillprocess.bias.selection` by maximum likelihood. They are what other software prints, to compare with.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from pillprocess.bias.contrast_rows import Contrasts, read_contrasts, small_study_predictor
from pillprocess.bias.likelihood import selection_likelihood
from pillprocess.bias.significance import check_sides, check_steps, trial_intervals

type Array = NDArray[np.float64]


def small_study_estimates(
    rows: pd.DataFrame,
    *,
    steps: tuple[float, ...] = (0.025,),
    by: str = "se",
    covariance: Array | None = None,
    favours: str = "negative",
) -> pd.DataFrame:
    """Estimate random effects, PET and PEESE by REML, and the selection model by maximum likelihood.

    Parameters
    ----------
    rows, covariance, favours
        As in :func:`pillprocess.read_contrasts`. Drugs are not told apart.
    steps
        As in :func:`pillprocess.selection_model`.
    by
        ``"se"``: small-study terms grow with the standard error; ``"size"``: with sqrt(1/n + 1/n), which an effect cannot
        contaminate.

    Returns
    -------
    DataFrame: ``model``, ``parameter``, ``estimate``, ``se``, ``tau2``; effects and slopes keep the sign of ``y``.

    Raises
    ------
    ValueError
        As :func:`pillprocess.selection_model`; no n of an arm where ``by="size"``.
    """
    steps = check_steps(steps)
    data = read_contrasts(rows, covariance=covariance, favours=favours)
    check_sides(trial_intervals(data.y / data.se, data.unit, steps), steps)
    sign = 1.0 if favours == "negative" else -1.0
    x = small_study_predictor(data, by)
    designs = {"random effects": [], "PET": [("slope", x)], "PEESE": [("slope", x**2)]}
    out = []
    for model, extra in designs.items():
        columns = np.stack([data.dose, *(values for _, values in extra)], axis=1)
        estimate, se, tau2 = restricted_likelihood(data, columns)
        names = ["effect", *(name for name, _ in extra)]
        out += [(model, n, sign * e, s, tau2) for n, e, s in zip(names, estimate, se, strict=True)]
    estimate, se, tau2 = _selection(data, steps)
    names = ["effect", *(f"omega beyond {s:g}" for s in steps)]
    signs = np.array([sign, *np.ones(len(steps))])
    out += [("selection", n, e, s, tau2) for n, e, s in zip(names, signs * estimate, se, strict=True)]
    return pd.DataFrame(out, columns=["model", "parameter", "estimate", "se", "tau2"])


def restricted_likelihood(data: Contrasts, columns: Array) -> tuple[Array, Array, float]:
    """Coefficients, their standard errors and tau^2 by REML."""
    together = (data.unit[:, None] == data.unit) * np.outer(data.dose, data.dose)

    def fit(tau2: float) -> tuple[float, Array, Array]:
        inverse = np.linalg.inv(data.covariance + tau2 * together)
        information = columns.T @ inverse @ columns
        estimate = np.linalg.solve(information, columns.T @ inverse @ data.y)
        residual = data.y - columns @ estimate
        half = 0.5 * (np.linalg.slogdet(information)[1] - np.linalg.slogdet(inverse)[1] + residual @ inverse @ residual)
        return float(half), estimate, np.linalg.inv(information)

    widest = 4 * float(np.var(data.y / data.dose)) + 1e-12
    tau2 = minimize_scalar(lambda t: fit(t)[0], bounds=(0, widest), method="bounded", options={"xatol": 1e-10}).x
    _, estimate, covariance = fit(float(tau2))
    return estimate, np.sqrt(np.diag(covariance)), float(tau2)


def _selection(data: Contrasts, steps: tuple[float, ...]) -> tuple[Array, Array, float]:
    """Effect and weights by maximum likelihood, and their standard errors from the curvature."""

    def loss(x: Array) -> float:
        value = selection_likelihood(data, x[:1], np.abs(x[1:2]), np.exp(x[None, 2:]), steps)
        return -float(value.item())

    start = np.array(
        [float(np.average(data.y / data.dose, weights=(data.dose / data.se) ** 2)), 0.2, *np.zeros(len(steps))]
    )
    options = {"maxiter": 5000, "maxfev": 5000, "xatol": 1e-8, "fatol": 1e-10}
    best = minimize(loss, start, method="Nelder-Mead", options=options).x
    curvature = _curvature(loss, best, 1e-3)
    variance = np.diag(np.linalg.pinv(curvature))
    se = np.sqrt(np.maximum(np.delete(variance, 1), 0.0))
    weights = np.exp(best[2:])
    return np.array([best[0], *weights]), np.array([se[0], *(weights * se[1:])]), float(best[1] ** 2)


def _curvature(loss: Callable[[Array], float], at: Array, step: float) -> Array:
    """Second derivatives by central differences."""
    moves = step * np.eye(len(at))
    return np.array(
        [
            [(loss(at + a + b) - loss(at + a - b) - loss(at - a + b) + loss(at - a - b)) / (4 * step**2) for b in moves]
            for a in moves
        ]
    )
