"""The prior of a design, as draws and as log densities: what ArviZ compares a posterior with."""

from math import lgamma, log, pi

import numpy as np
import xarray as xr
from scipy.sparse import hstack

from pillprocess.gaussian.matrices import diagonal_blocks, nonzeros, rows_by
from pillprocess.gaussian.normal_equations import Array
from pillprocess.gaussian.scales import FAMILIES


def scale_draws(rng: np.random.Generator, prior: xr.Dataset, draws: int) -> np.ndarray:
    """Draw one scale from its prior.

    Raises
    ------
    ValueError
        A prior family that is not known.
    """
    family, a, b = str(prior["prior_scale_family"].item()), float(prior["prior_scale_a"]), float(prior["prior_scale_b"])
    if family == "halfnormal":
        return np.abs(rng.normal(0, a, draws))
    if family == "invgamma":
        return np.sqrt(b / rng.gamma(a, 1.0, draws))
    if family == "invgamma_sd":
        return b / rng.gamma(a, 1.0, draws)
    if family == "halfcauchy":
        return np.abs(a * rng.standard_cauchy(draws))
    if family == "uniform":
        return rng.uniform(a, b, draws)
    raise ValueError(
        f"scale '{prior['scale'].item()}': prior family {family!r} is not known; use {', '.join(FAMILIES)}"
    )


def prior_draws(design: xr.Dataset, *, seed: int, draws: int, by_row: bool = True) -> tuple[Array, Array, Array | None]:
    """Draw parameters (parameter, draw), scales (draw, scale) and, unless they are not wanted, rows (row, draw) from the prior."""
    rng = np.random.default_rng([seed, 1])
    tau = np.stack(
        [scale_draws(rng, design.sel(scale=s), draws) for s in design["scale"].to_numpy()] or [np.zeros(draws)], axis=1
    )
    names = design["scale"].to_numpy().tolist()
    beta = rng.normal(
        design["prior_mean"].to_numpy()[:, None],
        design["prior_sd"].to_numpy()[:, None],
        (design.sizes["coefficient"], draws),
    )
    sd = np.array([tau[:, names.index(s)] for s in design["effect_scale"].to_numpy().tolist()]).reshape(-1, draws)
    theta = np.concatenate([beta, sd * rng.standard_normal(sd.shape)])
    if not by_row:
        return theta, tau[:, : len(names)], None
    y = hstack([nonzeros(design["X"]), nonzeros(design["Z"])], format="csr") @ theta
    noise, rows = rng.standard_normal(y.shape), list(rows_by(design["trial"].to_numpy()).values())
    for here, block in zip(rows, diagonal_blocks(nonzeros(design["covariance"]), rows), strict=True):
        y[here] += np.linalg.cholesky(block) @ noise[here]
    return theta, tau[:, : len(names)], y


def log_prior(design: xr.Dataset, posterior: xr.Dataset) -> xr.Dataset:
    """Log prior density of every coefficient and scale at their posterior draws.

    Effects are left out: given their scale they are part of the model, and raising their density to a power would not be a
    weaker prior but another model.
    """
    out = {}
    for variable in dict.fromkeys(design["coefficient_variable"].to_numpy().tolist()):
        here = np.flatnonzero(design["coefficient_variable"].to_numpy() == variable)
        dim = str(design["coefficient_dim"].to_numpy()[here[0]])
        coords = {dim: design["coefficient_label"].to_numpy()[here]} if dim else {}
        mean, sd = (
            xr.DataArray(design[name].to_numpy()[here], dims=dim, coords=coords)
            if dim
            else xr.DataArray(design[name].to_numpy()[here[0]])
            for name in ("prior_mean", "prior_sd")
        )
        out[variable] = -0.5 * ((posterior[variable] - mean) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi))
    for scale in design["scale"].to_numpy().tolist():
        prior = design.sel(scale=scale)
        family, a, b = (
            str(prior["prior_scale_family"].item()),
            float(prior["prior_scale_a"]),
            float(prior["prior_scale_b"]),
        )
        out[scale] = posterior[scale].copy(data=_log_density(family, a, b, posterior[scale].to_numpy()))
    return xr.Dataset(
        {name: values.drop_vars([c for c in values.coords if c not in values.dims]) for name, values in out.items()}
    )


def _log_density(family: str, a: float, b: float, tau: Array) -> Array:
    """Log prior density of a scale; written out, as loading ``scipy.stats`` takes longer than a fit."""
    if family == "halfnormal":
        return 0.5 * log(2 / pi) - log(a) - 0.5 * (tau / a) ** 2
    if family == "halfcauchy":
        return log(2 / (pi * a)) - np.log1p((tau / a) ** 2)
    if family == "uniform":
        return np.where((a <= tau) & (tau <= b), -log(b - a), -np.inf)
    value, slope = (tau**2, np.log(2 * tau)) if family == "invgamma" else (tau, 0.0)
    return a * log(b) - lgamma(a) - (a + 1) * np.log(value) - b / value + slope
