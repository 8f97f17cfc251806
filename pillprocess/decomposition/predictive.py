"""Prior and posterior predictive checks, row by row."""

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.gaussian.fit import in_canonical_order
from pillprocess.gaussian.posterior_columns import columns, design_of
from pillprocess.gaussian.prior import scale_draws


def prior_predictive(design: xr.Dataset, *, seed: int, draws: int = 2000) -> xr.DataTree:
    """Draw parameters from the prior and data from the parameters.

    Parameters
    ----------
    design
        As returned by :func:`pillprocess.decomposition_design`.
    seed
        Seed of the draws.
    draws
        Number of prior draws.

    Returns
    -------
    DataTree with ``prior`` (scales and linear parameters in design order), ``prior_predictive`` ("y": chain, draw, row)
    and ``observed_data``.
    """
    rng = np.random.default_rng(seed)
    beta = rng.normal(design["prior_mean"], design["prior_sd"], (draws, design.sizes["coefficient"]))
    tau = {str(s): scale_draws(rng, design.sel(scale=s), draws) for s in design["scale"].to_numpy()}
    b = np.empty((draws, design.sizes["effect"]))
    for i, scale in enumerate(design["effect_scale"].to_numpy()):
        b[:, i] = tau[str(scale)] * rng.standard_normal(draws)
    theta = beta @ design["X"].to_numpy().T + b @ design["Z"].to_numpy().T
    y = theta + rng.standard_normal(theta.shape) @ np.linalg.cholesky(design["covariance"].to_numpy()).T
    row = {"row": design["row"].to_numpy()}
    prior = xr.Dataset(
        {name: (("chain", "draw"), values[None]) for name, values in tau.items()}
        | {
            "coefficients": (("chain", "draw", "coefficient"), beta[None]),
            "theta": (("chain", "draw", "row"), theta[None]),
        },
        coords=row | {"coefficient": design["coefficient"].to_numpy()},
    )
    return xr.DataTree.from_dict(
        {
            "/prior": prior,
            "/prior_predictive": xr.Dataset({"y": (("chain", "draw", "row"), y[None])}, coords=row),
            "/observed_data": xr.Dataset({"y": ("row", design["y"].to_numpy())}, coords=row),
            "/constant_data": design,
        }
    )


def new_trial_predictive(idata: xr.DataTree, *, seed: int) -> xr.DataArray:
    r"""Draw every row as the same trial would come out anew: its own deviations drawn again from their SD, not kept.

    .. math:: \tilde y_{jk} = (X \beta + Z_{shared} b + Z_{own} \tilde b)_{jk} + e_{jk}, \quad \tilde b \sim N(0, \tau^2)

    Parameters
    ----------
    idata
        A fit of a design, by either route.
    seed
        Seed of deviations and errors.

    Returns
    -------
    DataArray (chain, draw, row) in the model's unit. A free baseline of a trial is a parameter, not a deviation, and stays.
    """
    design = in_canonical_order(design_of(idata))
    posterior, rng = idata["posterior"].dataset, np.random.default_rng(seed)
    beta, b = (columns(design, posterior, kind) for kind in ("coefficient", "effect"))
    trial, Z = design["trial"].to_numpy(), design["Z"].to_numpy()
    trials_of = np.array([len(set(trial[column != 0])) for column in Z.T], int)
    variable = design["effect_variable"].to_numpy()
    own = np.array([trials_of[variable == v].max() == 1 for v in variable], bool)
    sd = np.stack(
        [posterior[str(s)].transpose("chain", "draw").to_numpy() for s in design["effect_scale"].to_numpy()], axis=-1
    )
    drawn = np.where(own, sd * rng.standard_normal(sd.shape), b.to_numpy()) if len(variable) else b.to_numpy()
    error = rng.standard_normal((*beta.shape[:2], len(Z))) @ np.linalg.cholesky(design["covariance"].to_numpy()).T
    y = beta.to_numpy() @ design["X"].to_numpy().T + drawn @ Z.T + error
    coords = {"chain": posterior["chain"], "draw": posterior["draw"], "row": design["row"].to_numpy()}
    return xr.DataArray(y, dims=("chain", "draw", "row"), coords=coords, name="y").sel(
        row=design_of(idata)["row"].to_numpy()
    )


def predictive_check(
    idata: xr.DataTree, *, group: str = "posterior_predictive", seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Compare each observed row with what the model predicts for it.

    Parameters
    ----------
    idata
        A fit, or the result of :func:`prior_predictive`.
    group
        ``"posterior_predictive"``, which keeps each trial's own deviations and so asks the trial about itself;
        ``"new_trial"``, which draws them anew (:func:`new_trial_predictive`); or ``"prior_predictive"``. The check that
        leaves the trial out besides is :func:`pillprocess.loto_pit`.
    seed
        Seed of the new deviations.
    level
        Probability of the equal-tailed predictive interval.

    Returns
    -------
    DataFrame, one row per arm or contrast: ``trial``, ``row``, ``y`` (observed), ``mean``, ``ci_low``, ``ci_high``,
    ``p_below`` (share of replicates below the observed value) and ``inside`` (whether the interval holds it).

    Raises
    ------
    ValueError
        The fit has no such group.
    """
    if group == "new_trial":
        drawn = new_trial_predictive(idata, seed=seed)
    elif group in idata.children:
        drawn = idata[group].dataset["y"]
    else:
        raise ValueError(f"the fit has no group {group!r}; it has {', '.join(sorted(idata.children))}, and new_trial")
    replicated = drawn.transpose("chain", "draw", "row").to_numpy()
    replicated = replicated.reshape(-1, replicated.shape[2])
    observed = idata["observed_data"].dataset["y"]
    design = idata["constant_data"].dataset
    tail = (1 - level) / 2
    low, high = np.quantile(replicated, [tail, 1 - tail], axis=0)
    y = observed.to_numpy()
    return pd.DataFrame(
        {
            "trial": design["trial"].to_numpy(), "row": observed["row"].to_numpy(),
            **({"study_drug": design["study_drug"].to_numpy()} if "study_drug" in design.coords else {}),
            "y": y, "mean": replicated.mean(0), "ci_low": low, "ci_high": high, "p_below": (replicated < y).mean(0),
            "inside": (low <= y) & (y <= high),
        }
    )  # fmt: skip
