"""The sampler route: nutpie, named explicitly, with the groups and attributes every fit carries."""

from importlib.metadata import version

import numpy as np
import pymc as pm
import xarray as xr

from pillprocess.draws import linear_predictor


def sample(
    model: pm.Model, *, seed: int, draws: int, tune: int, chains: int, target_accept: float, progress: bool
) -> xr.DataTree:
    """Sample a model with nutpie and attach likelihood, predictive draws and provenance.

    Returns
    -------
    DataTree with ``posterior``, ``sample_stats``, ``observed_data`` and, for a model built from a design,
    ``log_likelihood``, ``posterior_predictive`` and ``constant_data``.
    """
    with model:
        idata = pm.sample(
            draws=draws, tune=tune, chains=chains, random_seed=seed, target_accept=target_accept, nuts_sampler="nutpie",
            progressbar=progress, quiet=not progress,
        )  # fmt: skip
    if hasattr(model, "items"):
        from pillprocess.synthesis_fits import finish_synthesis

        return finish_synthesis(idata, model.items, seed=seed)
    design = getattr(model, "design", None)
    attrs = {"route": "sampler", "sampler": f"nutpie {version('nutpie')}", "pymc": version("pymc"), "seed": seed}
    if design is not None:
        attrs |= {k: design.attrs[k] for k in ("data_hash", "outcome", "conditioning", "scale")}
        idata = _with_design(idata, design, seed)
    idata.attrs.update(attrs)
    return idata


def _with_design(idata: xr.DataTree, design: xr.Dataset, seed: int) -> xr.DataTree:
    """Add the groups that come from the design: pointwise and per-trial log-likelihood, predictive draws, the design."""
    posterior = idata["posterior"].dataset
    posterior = posterior[[v for v in posterior.data_vars if not str(v).endswith(("_raw", "_squared"))]]
    theta = linear_predictor(design, posterior)
    y, covariance = design["y"], design["covariance"].to_numpy()
    residual = (y.drop_vars(set(y.coords) - {"row"}) - theta).transpose("chain", "draw", "row")
    variance = np.diag(covariance)
    pointwise = -0.5 * (residual**2 / variance + np.log(2 * np.pi * variance))
    trials = list(dict.fromkeys(design["trial"].to_numpy()))
    per_trial = np.stack(
        [_block_density(residual.to_numpy(), covariance, design["trial"].to_numpy() == t) for t in trials], axis=-1
    )
    chol = np.linalg.cholesky(covariance)
    noise = np.random.default_rng(seed).standard_normal(theta.shape) @ chol.T
    likelihood = xr.Dataset(
        {"y": pointwise, "y_trial": (("chain", "draw", "trial"), per_trial)},
        coords={"trial": trials},
    )
    return xr.DataTree.from_dict(
        {f"/{name}": node.dataset for name, node in idata.children.items() if name != "constant_data"}
        | {
            "/posterior": posterior,
            "/log_likelihood": likelihood,
            "/posterior_predictive": (theta + noise).to_dataset(name="y"),
            "/constant_data": design,
        }
    )


def _block_density(residual: np.ndarray, covariance: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Joint normal log density of one trial's rows for every draw, shape (chain, draw)."""
    chol = np.linalg.cholesky(covariance[np.ix_(rows, rows)])
    white = np.linalg.solve(chol, residual[..., rows].reshape(-1, rows.sum()).T)
    density = -0.5 * (white**2).sum(0) - np.log(np.diag(chol)).sum() - 0.5 * rows.sum() * np.log(2 * np.pi)
    return density.reshape(residual.shape[:2])
