"""What moves a term: each trial, the prior, the likelihood."""

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.gaussian.marginals import linear_summary
from pillprocess.gaussian.posterior_columns import design_of


def influence(idata: xr.DataTree) -> pd.DataFrame:
    r"""Leverage and pull of every trial on every pooled term.

    At the posterior means of the heterogeneity SDs the model is Gaussian with posterior covariance C, and leaving trial j out
    adds :math:`C W_j^T (V_j - W_j C W_j^T)^{-1} W_j C` to it, W = [X, Z].

    Parameters
    ----------
    idata
        A fit of a design, by either route.

    Returns
    -------
    DataFrame, one row per trial and scalar coefficient: ``trial``, ``variable``, ``leverage`` (1 - posterior variance / variance
    without the trial: 1 if the trial alone carries the term) and ``shift`` (how far the posterior mean moves when the trial
    is left out, in posterior SDs; negative: towards a larger improvement).
    """
    design, posterior = design_of(idata), idata["posterior"].dataset
    scale = {str(s): float(posterior[str(s)].mean()) for s in design["scale"].to_numpy()}
    effect_sd = np.array([scale[str(s)] for s in design["effect_scale"].to_numpy()])
    loadings = np.hstack([design["X"].to_numpy(), design["Z"].to_numpy()])
    prior_sd = np.concatenate([design["prior_sd"].to_numpy(), effect_sd])
    prior_mean = np.concatenate([design["prior_mean"].to_numpy(), np.zeros(len(effect_sd))])
    covariance, y, trial = design["covariance"].to_numpy(), design["y"].to_numpy(), design["trial"].to_numpy()
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), np.column_stack([loadings, y]))
    loadings, y = whitened[:, :-1], whitened[:, -1]
    inverse = np.linalg.inv(np.diag(prior_sd**-2) + loadings.T @ loadings)
    mean = inverse @ (prior_mean * prior_sd**-2 + loadings.T @ y)
    sd = np.sqrt(np.diag(inverse))
    scalar = np.flatnonzero(design["coefficient_dim"].to_numpy() == "")
    variables = design["coefficient_variable"].to_numpy()[scalar]
    tables = []
    for name in dict.fromkeys(trial):
        rows = trial == name
        spread = inverse @ loadings[rows].T
        hat = loadings[rows] @ spread
        released = np.linalg.inv(np.eye(rows.sum()) - hat)
        growth = np.einsum("pk,kl,pl->p", spread, released, spread)
        shift = -(spread @ released @ (y[rows] - loadings[rows] @ mean)) / sd
        leverage = growth / (sd**2 + growth)
        tables.append(
            pd.DataFrame({"trial": name, "variable": variables, "leverage": leverage[scalar], "shift": shift[scalar]})
        )
    return pd.concat(tables, ignore_index=True)


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
    names = [str(v) for v in design["coefficient_variable"].to_numpy()[design["coefficient_dim"].to_numpy() == ""]]
    combinations = {v: {v: 1.0} for v in names}
    sd = linear_summary(design, combinations)["sd"]
    out = {}
    for what in ("prior", "likelihood"):
        ends = []
        for power in (factor, 1 / factor):
            if what == "prior":
                scaled = design.assign(prior_sd=design["prior_sd"] / np.sqrt(power))
            else:
                scaled = design.assign(covariance=design["covariance"] / power)
            ends.append(linear_summary(scaled, combinations)["mean"])
        out[what] = (ends[0] - ends[1]).abs() / sd / np.log2(factor**2)
    return pd.DataFrame(out).rename_axis("variable")
