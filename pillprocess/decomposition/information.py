r"""Where the information about each term comes from: randomised contrasts, differences between trials, the prior.

At the posterior means of the heterogeneity SDs the rows are :math:`y \sim N(X\beta, S)`, :math:`S = V + Z\,\mathrm{diag}(\tau^2) Z^T`.
The precision of a term, all nuisances left free without a prior, grows as nuisances are taken away:

1. every trial has a baseline and its own value of every other term: what single trials isolate;
2. every trial has a free baseline, the other terms are common: randomised contrasts, compared between trials where need be;
3. baselines are exchangeable as in the model: differences between trials speak too;
4. the terms have their priors: the posterior.

The increments over the posterior precision are shares that add up to 1. They are continuous in the data: a tiny trial has a
tiny share.
"""

import numpy as np
import pandas as pd
import xarray as xr
from scipy.linalg import null_space

from pillprocess.gaussian.fit import in_canonical_order
from pillprocess.gaussian.held_out import is_contrast
from pillprocess.gaussian.posterior_columns import design_of

SHARES = ("share_isolated", "share_contrasts", "share_between", "share_prior")
NEGLIGIBLE = 1e-9


def information_shares(idata: xr.DataTree) -> pd.DataFrame:
    """Split the posterior precision of every pooled term by where it comes from.

    Parameters
    ----------
    idata
        A fit of a design, by either route.

    Returns
    -------
    DataFrame indexed by variable, each row adding up to 1: ``share_isolated`` (randomised contrasts that isolate the term
    within a trial), ``share_contrasts`` (randomised contrasts that do so only when trials are compared), ``share_between``
    (differences between trials that nobody randomised) and ``share_prior`` (the priors of this and the other terms).
    """
    design, posterior = in_canonical_order(design_of(idata)), idata["posterior"].dataset
    spread = [float((posterior[str(s)] ** 2).mean()) for s in design["effect_scale"].to_numpy()]
    return shares_at(design, np.array(spread))


def shares_at(design: xr.Dataset, variance: np.ndarray, *, combinations: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return :func:`information_shares` at given variances of the effects (effect,).

    ``combinations`` (combination, coefficient) asks for combinations of coefficients in place of the pooled terms; what is
    known of one when all else is free is what the space of the coefficients that leaves it unchanged cannot imitate.
    """
    X, Z, trial = design["X"].to_numpy(), design["Z"].to_numpy(), design["trial"].to_numpy()
    factor = np.linalg.cholesky(design["covariance"].to_numpy() + (Z * variance) @ Z.T)
    member = np.array([trial == name for name in dict.fromkeys(trial)], float).T
    baseline = member * ~is_contrast(design)[:, None]
    whitened = np.linalg.solve(factor, X)
    posterior = np.linalg.inv(whitened.T @ whitened + np.diag(design["prior_sd"].to_numpy() ** -2.0))
    if combinations is None:
        scalar = np.flatnonzero(design["coefficient_dim"].to_numpy() == "")
        names = [str(v) for v in design["coefficient_variable"].to_numpy()[scalar]]
        combinations = pd.DataFrame(np.eye(X.shape[1])[scalar], index=names)
    rows = []
    for c in combinations.to_numpy():
        others = X @ null_space(c[None])
        own = (others[:, :, None] * member[:, None, :]).reshape(len(X), -1)
        nuisances = np.hstack([baseline, own]), np.hstack([baseline, others]), others
        column = whitened @ c / (c @ c)
        known = np.maximum.accumulate([_precision(column, np.linalg.solve(factor, n)) for n in nuisances])
        total = 1 / (c @ posterior @ c)
        rows.append(np.diff([0.0, *np.minimum(known, total), total]) / total)
    index = combinations.index.rename("variable")
    return pd.DataFrame(np.array(rows).reshape(-1, len(SHARES)), index=index, columns=list(SHARES))


def _precision(column: np.ndarray, nuisance: np.ndarray) -> float:
    """Precision of a coefficient whose nuisances have no prior: what of its column they leave; 0 where they leave nothing."""
    nuisance = nuisance[:, nuisance.any(axis=0)]
    left = column - nuisance @ np.linalg.lstsq(nuisance, column, rcond=NEGLIGIBLE)[0] if nuisance.size else column
    return float(left @ left) if left @ left > NEGLIGIBLE * (column @ column) else 0.0
