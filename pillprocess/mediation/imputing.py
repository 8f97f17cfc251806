"""Drawing the missing values of people with several visits, given one draw of the model's coefficients."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr


class OneDraw(NamedTuple):
    """Coefficients of one draw, in the units of the data."""

    alpha_m: np.ndarray
    a: np.ndarray
    gamma_m: np.ndarray
    S_m: np.ndarray
    alpha_y: np.ndarray
    c: np.ndarray
    b: np.ndarray
    theta: np.ndarray | None
    gamma_y: np.ndarray
    S_y: np.ndarray

    def path(self, t: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means (person, value) and covariance of mediators and visits under treatment t, an arm's row."""
        B = self.b if self.theta is None else self.b + self.theta @ t
        m = self.alpha_m + self.a @ t + X @ self.gamma_m.T
        y = self.alpha_y + self.c @ t + X @ self.gamma_y.T + m @ B.T
        cross = self.S_m @ B.T
        return np.hstack([m, y]), np.block([[self.S_m, cross], [cross.T, B @ cross + self.S_y]])


def thinned(idata: xr.DataTree, imputations: int) -> xr.Dataset:
    """Take so many draws of the posterior, evenly from every chain."""
    posterior = idata["posterior"].dataset
    per_chain = max(1, min(posterior.sizes["draw"], imputations // posterior.sizes["chain"]))
    return posterior.isel(draw=np.linspace(0, posterior.sizes["draw"] - 1, per_chain).round().astype(int))


def coefficients_of(posterior: xr.Dataset, i: int, clusters: Sequence[str] = ()) -> OneDraw:
    """Take draw i, counted over the chains; levels of these kinds of clusters are coefficients after those of the covariates."""
    chain, draw = divmod(i, posterior.sizes["draw"])
    one = {str(n): v.to_numpy()[chain, draw] for n, v in posterior.items() if not str(n).endswith("_raw")}

    def covariance(sd: np.ndarray, correlation: np.ndarray | None) -> np.ndarray:
        matrix = np.eye(len(sd))
        if correlation is not None and len(sd) > 1:
            first, second = np.triu_indices(len(sd), 1)
            matrix[first, second] = matrix[second, first] = correlation
        return sd[:, None] * matrix * sd

    Q = len(one["alpha_m"])
    gamma_m = np.hstack([one["gamma_m"], *(one[f"deviation_{key}"][:, :Q].T for key in clusters)])
    gamma_y = np.hstack([one["gamma_y"], *(one[f"deviation_{key}"][:, Q:].T for key in clusters)])
    return OneDraw(
        one["alpha_m"], one["a"], gamma_m, covariance(one["sigma_m"], one.get("correlation_m")), one["alpha_y"], one["c"],
        one["b"], one.get("theta"), gamma_y, covariance(one["sigma_y"], one["correlation_y"]),
    )  # fmt: skip


def draw_given(
    mean: np.ndarray, covariance: np.ndarray, values: np.ndarray, known: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw the values that are not known of people (person, value) given those that are."""
    unknown = ~known
    out = values.copy()
    K, U = covariance[np.ix_(known, known)], covariance[np.ix_(unknown, unknown)]
    slope = np.linalg.solve(K, covariance[np.ix_(known, unknown)]) if known.any() else np.zeros((0, unknown.sum()))
    rest = U - covariance[np.ix_(unknown, known)] @ slope
    noise = rng.standard_normal((len(values), unknown.sum())) @ np.linalg.cholesky(rest).T
    out[:, unknown] = mean[:, unknown] + (values[:, known] - mean[:, known]) @ slope + noise
    return out


def alike(*keys: np.ndarray) -> list[np.ndarray]:
    """Rows that agree in all keys."""
    _, member = np.unique(np.column_stack(keys), axis=0, return_inverse=True)
    return [np.flatnonzero(member.ravel() == g) for g in range(member.max() + 1)] if len(member) else []


def complete(k: OneDraw, T: np.ndarray, X: np.ndarray, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw everything missing, at random given what was seen."""
    out, seen = values.copy(), np.isfinite(values)
    for rows in alike(T, seen):
        known = seen[rows[0]]
        if not known.all():
            mean, covariance = k.path(T[rows[0]], X[rows])
            out[rows] = draw_given(mean, covariance, values[rows], known, rng)
    return out


def from_reference(
    k: OneDraw, T: np.ndarray, X: np.ndarray, completed: np.ndarray, reached: np.ndarray, left: np.ndarray, Q: int,
    rng: np.random.Generator, *, jump: bool,
) -> np.ndarray:  # fmt: skip
    """Draw the visits after the last one seen again, along the reference's path."""
    out, who = completed.copy(), np.flatnonzero(left)
    for group in alike(T[who], reached[who]):
        rows = who[group]
        d = int(reached[rows[0]])
        own, _ = k.path(T[rows[0]], X[rows])
        reference, covariance = k.path(np.zeros(T.shape[1]), X[rows])
        shift = 0.0 if jump or d == 0 else (own - reference)[:, [Q + d - 1]]
        known = np.arange(completed.shape[1]) < Q + d
        out[rows] = draw_given(np.where(known, own, reference + shift), covariance, completed[rows], known, rng)
    return out
