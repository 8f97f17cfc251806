"""Effects of every trial of a fit of several."""

import numpy as np
import xarray as xr

from pillprocess.mediation.choices import Of
from pillprocess.mediation.draws import coefficients, compared_arm, profiles, stack
from pillprocess.mediation.effects import asked_problems, effects_of


def natural_effects_by_trial(idata: xr.DataTree, *, arm: str | None = None, of: Of | None = None) -> xr.Dataset:
    """Compute te, pnde and tnie of every trial, dims chain, draw and trial.

    Parameters
    ----------
    idata
        Fit of `mediation` to several trials.
    arm
        Active arm to compare with the reference; needed where there are several.
    of
        As in `natural_effects`.

    Returns
    -------
    Dataset of draws, at the mean covariates of all trials where the model is linear, otherwise over each trial's own.

    Raises
    ------
    ValueError
        The fit has one trial, or an ``of`` that its outcome does not have.
    """
    arm = compared_arm(idata, arm)
    posterior = idata["posterior"].dataset
    if "trial" not in posterior.dims:
        raise ValueError("this fit has one trial; its effects are natural_effects(idata)")
    if problems := asked_problems(idata["constant_data"].dataset, "difference", of):
        raise ValueError(problems[0])
    names = [str(t) for t in posterior["trial"].to_numpy()]
    effects = []
    for j in range(len(names)):
        k = coefficients(idata, arm, trial=j, of=of)
        X, weight, trial = profiles(idata, None, linear=k.linear)
        own = np.ones(len(X), bool) if k.linear or not (trial == j).any() else trial == j
        effects.append(effects_of([(k, X[own], weight[own] / weight[own].sum())], np.zeros(k.a.shape[1])))
    draws = {name: np.stack([e[name] for e in effects], axis=1) for name in ("te", "pnde", "tnie")}
    return stack(idata, draws, "posterior", trial=names)
