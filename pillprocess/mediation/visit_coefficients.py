"""Coefficients of the model of visits from their standard normal draws: one matrix for all that happens to them on the way.

All of it is linear: the scale and correlation of the prior, the place among the residuals' coefficients, the units of the data. Each is
written here in NumPy, and the model multiplies by the matrix that it amounts to: a graph of some hundred small operations would
take most of a minute to compile.
"""

from collections.abc import Callable, Mapping

import numpy as np

from pillprocess.mediation.repeated_data import RepeatedUnits

type Coefficients = dict[str, np.ndarray]
"""alpha_m, a, gamma_m, alpha_y, c, b, theta (without interaction: none) and gamma_y, in the shapes of the formula."""


def split(values: np.ndarray, shapes: Mapping[str, tuple[int, ...]]) -> Coefficients:
    """Cut a vector into arrays of these shapes, one after another."""
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes.values()])
    parts = np.split(values, ends[:-1])
    return {name: part.reshape(shape) for part, (name, shape) in zip(parts, shapes.items(), strict=True)}


def joined(coefficients: Coefficients) -> np.ndarray:
    """All coefficients as one vector, the inverse of `split`."""
    return np.concatenate([value.ravel() for value in coefficients.values()])


def affine(function: Callable[[np.ndarray], np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and constant of a function of so many numbers that is a matrix product plus a constant."""
    constant = function(np.zeros(size))
    return np.stack([function(unit) - constant for unit in np.eye(size)], axis=-1), constant


def in_sd_units(draws: Coefficients, sd: Mapping[str, float], over_visits: np.ndarray) -> Coefficients:
    """Scale standard normal draws by their priors; those at visits (visit first) are correlated, with this Cholesky factor."""
    visits = len(over_visits)
    return {
        name: sd[name] * (value if name in ("alpha_m", "a", "gamma_m") else (over_visits @ value.reshape(visits, -1)).reshape(value.shape))
        for name, value in draws.items()
    }  # fmt: skip


def residual_rows(p: Coefficients) -> np.ndarray:
    """Coefficients of mediators' and visits' residuals, (value, column), for the columns of `visit_design`."""
    (V, Q), K = p["b"].shape, p["c"].shape[1]
    products = [-p["theta"].transpose(0, 2, 1).reshape(V, K * Q)] if "theta" in p else []
    nothing = np.zeros((Q, K * Q * len(products) + V))
    of_m = np.hstack([-p["alpha_m"][:, None], -p["a"], -p["gamma_m"], np.eye(Q), nothing])
    of_y = np.hstack([-p["alpha_y"][:, None], -p["c"], -p["gamma_y"], -p["b"], *products, np.eye(V)])
    return np.vstack([of_m, of_y])


def in_units_of_the_data(p: Coefficients, units: RepeatedUnits) -> Coefficients:
    """Coefficients in the units of the data, intercepts at 0 of everything."""
    x_shift, m_shift = units.x_mean / units.x_sd, units.m_mean / units.m_sd
    own = p["alpha_y"] - p["gamma_y"] @ x_shift - p["b"] @ m_shift
    c, found = p["c"], {}
    if "theta" in p:
        c = c - (p["theta"] * m_shift[:, None]).sum(axis=1)
        found["theta"] = p["theta"] * units.y_sd / units.m_sd[:, None]
    return {
        "alpha_m": units.m_mean + units.m_sd * (p["alpha_m"] - p["gamma_m"] @ x_shift),
        "a": units.m_sd[:, None] * p["a"],
        "gamma_m": p["gamma_m"] * units.m_sd[:, None] / units.x_sd,
        "alpha_y": units.y_mean + units.y_sd * own,
        "c": units.y_sd * c,
        "b": units.y_sd / units.m_sd * p["b"],
        "gamma_y": p["gamma_y"] * units.y_sd / units.x_sd,
    } | found
