"""What moves a term: each trial, the prior, the likelihood."""

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.gaussian.design_checks import parameter_names
from pillprocess.gaussian.fit import in_canonical_order, in_chunks, integrate
from pillprocess.gaussian.left_out import leave_each_trial_out
from pillprocess.gaussian.normal_equations import combination_moments, combined
from pillprocess.gaussian.posterior_columns import design_of


def influence(idata: xr.DataTree) -> pd.DataFrame:
    r"""Leverage and pull of every trial on every pooled term and every heterogeneity SD, the SDs refitted without it.

    Leaving trial j out changes the terms given the SDs, in closed form (:mod:`pillprocess.gaussian.left_out`), and the SDs
    themselves, whose posterior is weighed anew: an outlying trial widens the estimate that it belongs to.

    Parameters
    ----------
    idata
        A fit of a design, by either route.

    Returns
    -------
    DataFrame, one row per trial and scalar coefficient or scale: ``trial``, ``variable``, ``leverage`` (1 - posterior variance /
    variance without the trial: 1 if the trial alone carries the term, negative if the estimate is surer without it), ``shift``
    (how far the posterior mean moves when the trial is left out, in posterior SDs; negative: towards a larger improvement),
    ``mean_without`` and ``sd_without``.
    """
    design = in_canonical_order(design_of(idata))
    scalar = np.flatnonzero(design["coefficient_dim"].to_numpy() == "")
    left = leave_each_trial_out(design, coefficients=scalar)
    variables = [*design["coefficient_variable"].to_numpy()[scalar].tolist(), *design["scale"].to_numpy().tolist()]

    def moments(weight: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Mean and SD (2, ..., variable) of coefficients and scales, from weights (..., node) and moments (coefficient, ..., node)."""
        scales = np.broadcast_to(
            np.expand_dims(left.tau.T, tuple(range(1, weight.ndim))), (len(left.tau.T), *weight.shape)
        )
        nodes = np.concatenate([mean, scales])
        centre = (weight * nodes).sum(axis=-1)
        spread = (weight * (nodes - centre[..., None]) ** 2).sum(axis=-1)
        spread[: len(mean)] += (weight * variance).sum(axis=-1)
        return np.moveaxis(np.stack([centre, np.sqrt(spread)]), 1, -1)

    mean, sd = moments(left.weight, left.mean, left.variance)
    without = np.empty((2, len(left.system.trials), len(variables)))
    for some in left.trials:
        without[:, some.trials] = moments(some.weight, some.mean, some.variance)
    return pd.DataFrame(
        {
            "trial": np.repeat([trial.name for trial in left.system.trials], len(variables)),
            "variable": variables * len(left.system.trials),
            "leverage": (1 - sd**2 / without[1] ** 2).ravel(), "shift": ((without[0] - mean) / sd).ravel(),
            "mean_without": without[0].ravel(), "sd_without": without[1].ravel(),
        }
    )  # fmt: skip


def power_scaling(design: xr.Dataset, *, factor: float = 1.25) -> pd.DataFrame:
    """Sensitivity of every pooled term to raising the prior of the linear terms, or the likelihood, to a power.

    A normal prior to the power a is a normal prior with variance / a, and the likelihood to the power a has covariance / a, so
    the closed form gives both without reweighting (the idea of Kallioinen et al. 2024, doi:10.1007/s11222-023-10366-5).

    Parameters
    ----------
    design
        The labelled description of the model.
    factor
        The posterior is compared at the powers ``factor`` and ``1 / factor``.

    Returns
    -------
    DataFrame indexed by variable: ``prior`` and ``likelihood``, the change of the posterior mean in posterior SDs per doubling of
    the power. A likelihood sensitivity near 0 means the data say nothing; a prior sensitivity above .1, that the prior speaks.
    """
    names = design["coefficient_variable"].to_numpy()[design["coefficient_dim"].to_numpy() == ""].astype(str).tolist()
    _, sd = _moments(design, names)
    out = {}
    for what in ("prior", "likelihood"):
        ends = []
        for power in (factor, 1 / factor):
            if what == "prior":
                scaled = design.assign(prior_sd=design["prior_sd"] / np.sqrt(power))
            else:
                scaled = design.assign(covariance=design["covariance"] / power)
            ends.append(_moments(scaled, names)[0])
        out[what] = np.abs(ends[0] - ends[1]) / sd / np.log2(factor**2)
    return pd.DataFrame(out, index=pd.Index(names, name="variable"))


def _moments(design: xr.Dataset, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and SD of some coefficients; the mean of a difference of two designs is right to .002 SD."""
    parameters = [*parameter_names(design, "coefficient"), *parameter_names(design, "effect")]
    weights = np.array([[float(p == name) for name in names] for p in parameters]).reshape(len(parameters), -1)
    grid = integrate(design, tolerance=1e-2)
    system = combined(grid.system, weights)
    parts = [combination_moments(system, tau) for tau in in_chunks(grid.tau, system)]
    mean, sd = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    centre = mean @ grid.weight
    return centre, np.sqrt((sd**2 + (mean - centre[:, None]) ** 2) @ grid.weight)
