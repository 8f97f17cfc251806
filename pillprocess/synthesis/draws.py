"""What the draws of a synthesis say about arms and outcomes: belief, expected change, density and replicates."""

import numpy as np
import xarray as xr
from scipy.special import ndtr

from pillprocess.synthesis.data import TRIAL_SDS, arm_columns, course_columns, sd_of_effect
from pillprocess.synthesis.outcome_density import LOG_2PI

Array = np.ndarray


def belief_share(
    posterior: xr.Dataset,
    *,
    dose: float | xr.DataArray,
    experience: float | xr.DataArray,
    active_placebo: float | xr.DataArray = 0.0,
) -> xr.DataArray:
    """Share of people in a blinded arm who believe they had the drug.

    Parameters
    ----------
    posterior
        The posterior (or prior) group of a synthesis.
    dose
        Relative dose on the model's curve.
    experience
        Mean experience in its SDs.
    active_placebo
        1 where the control is an active placebo.

    Returns
    -------
    DataArray (chain, draw, ...), between 0 and 1.
    """
    probit = posterior["g_0"] + posterior["g_drug"] * dose + posterior["g_experience"] * experience
    probit = probit + posterior["g_placebo"] * active_placebo
    scaled = probit / np.sqrt(1 + posterior["tau_belief"] ** 2)
    return scaled.copy(data=ndtr(scaled.to_numpy()))


def expected_rows(posterior: xr.Dataset, items: xr.Dataset) -> xr.DataArray:
    """Expected outcome of every row without its trial's own effects, (chain, draw, row)."""
    drugs = posterior["drug"].to_numpy().tolist()
    columns = arm_columns(items, drugs)
    arm = {"arm": items["arm"]}

    def by_drug(name: str) -> xr.DataArray:
        return xr.DataArray(columns[name], dims=("arm", "drug"), coords=arm | {"drug": drugs})

    dose = {
        name: xr.DataArray(items[f"arm_{name}"].to_numpy(), dims="arm", coords=arm)
        for name in ("dose", "known", "active")
    }
    S = xr.dot(by_drug("experience"), posterior["a"], dim="drug")
    effect = sum(
        xr.dot(by_drug(name), values, dim="drug")
        for name, values in (
            ("direct", posterior["direct"]), ("interaction", posterior["interaction"]), ("experience", posterior["a"] * posterior["b"]),
        )
    )  # fmt: skip
    for variable, name in (("psi", "therapy"), ("omega", "waitlist"), ("chi", "comparator")):
        if variable in posterior:
            effect = effect + posterior[variable] * xr.DataArray(columns[name][:, 0], dims="arm", coords=arm)
    if "epsilon" in posterior:
        placebo = xr.DataArray(items["arm_active_placebo"].to_numpy(), dims="arm", coords=arm)
        blind = belief_share(posterior, dose=dose["dose"], experience=S, active_placebo=placebo)
        effect = effect + posterior["epsilon"] * (dose["known"] * dose["active"] + (1 - dose["known"]) * blind)
    course = xr.DataArray(items["course_loading"].to_numpy()[:, course_columns(items)], dims=("row", "course"))
    row_arm = xr.DataArray(
        items["row_arm"].to_numpy(), dims=("row", "arm"), coords={"row": items["row"].to_numpy()} | arm
    )
    theta = xr.dot(row_arm, effect, dim="arm") + xr.dot(course, posterior["mu"].drop_vars("course"), dim="course")
    return theta.transpose("chain", "draw", "row")


def effect_sds(posterior: xr.Dataset, items: xr.Dataset) -> Array:
    """SD of every trial effect in every draw, (chain, draw, effect)."""
    spread = np.stack([posterior[name].to_numpy() for name in TRIAL_SDS.values()], axis=-1)
    return np.asarray(spread[..., sd_of_effect(items)])


def trial_log_likelihood(posterior: xr.Dataset, items: xr.Dataset, theta: xr.DataArray) -> xr.DataArray:
    """Log density of each trial's outcomes, its own effects integrated out, (chain, draw, trial)."""
    trial, Z, V = items["trial"].to_numpy(), items["effect_loading"].to_numpy(), items["covariance"].to_numpy()
    residual, sd = items["y"].to_numpy() - theta.to_numpy(), effect_sds(posterior, items)
    names, out = list(dict.fromkeys(trial)), []
    for name in names:
        rows = trial == name
        own = (Z[rows] != 0).any(axis=0)
        half = Z[rows][:, own] * sd[..., None, own]
        factor = np.linalg.cholesky(V[np.ix_(rows, rows)] + half @ half.swapaxes(-1, -2))
        white = np.linalg.solve(factor, residual[..., rows, None])[..., 0]
        log_det = 2 * np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1)
        out.append(-0.5 * (rows.sum() * LOG_2PI + log_det + (white**2).sum(axis=-1)))
    coords = {"chain": posterior["chain"], "draw": posterior["draw"], "trial": names}
    return xr.DataArray(np.stack(out, axis=-1), dims=("chain", "draw", "trial"), coords=coords)


def replicate_rows(posterior: xr.Dataset, items: xr.Dataset, theta: xr.DataArray, *, seed: int) -> xr.DataArray:
    """Outcomes of new trials like the observed ones, (chain, draw, row): new trial effects, new sampling errors."""
    rng = np.random.default_rng(seed)
    sd = effect_sds(posterior, items)
    deviation = (sd * rng.standard_normal(sd.shape)) @ items["effect_loading"].to_numpy().T
    noise = rng.standard_normal(theta.shape) @ np.linalg.cholesky(items["covariance"].to_numpy()).T
    return theta.copy(data=theta.to_numpy() + deviation + noise)
