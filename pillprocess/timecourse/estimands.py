"""What a time course says: the effect at chosen days, its half-life, how long it matters, and its area."""

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.timecourse.shapes import RATED, knot_weights, share_left

DAYS = (1.0, 7.0, 21.0, 42.0, 90.0, 180.0, 365.0)
NEAR = 1.5
"""A day counts as tried where a trial measured within this factor of it."""

OWN = "own trials"
OTHER_DAY = "extrapolated: no trial of this drug near this day"
OTHER_SETTING = "carried over: no trial of this drug in this setting"


def time_effects(
    idata: xr.DataTree, *, days: tuple[float, ...] = DAYS, therapy: tuple[float, ...] = (0.0, 1.0), prior: bool = False
) -> xr.DataArray:
    r"""Effect of each drug at its reference dose on chosen days after the last dose, against no drug.

    .. math:: (\delta_d + \kappa_d\, therapy)\, f(t; h_d e^{\eta\, therapy})

    Parameters
    ----------
    idata
        Result of :func:`pillprocess.fit_time_course`.
    days
        Days after the last dose.
    therapy
        1 with therapy, 0 alone, alike in both arms.
    prior
        From the prior instead of the posterior.

    Returns
    -------
    DataArray (chain, draw, drug, therapy, day) in reference SDs; negative favours the drug. Its coordinates ``trials`` and ``evidence``
    say how many trials measured in this setting within a factor 1.5 of the day, and what carries the figure where none did.

    Raises
    ------
    ValueError
        A day that is negative or not finite.
    """
    if not all(0 <= t < np.inf for t in days):
        raise ValueError(f"days = {days}; each must be a finite number, at least 0")
    drawn, shape = idata["prior" if prior else "posterior"].dataset, str(idata.attrs["shape"])
    day = xr.DataArray(list(days), dims="day", coords={"day": list(days)})
    amount = xr.DataArray(list(therapy), dims="therapy", coords={"therapy": list(therapy)})
    if shape == "piecewise":
        weights = xr.DataArray(knot_weights(day.to_numpy()), dims=("t", "day"))
        effect = (
            xr.dot(drawn["knot_effect"], weights, dim="day").rename(t="day").assign_coords(day=day)
            + drawn["kappa"] * amount
        )
    else:
        size = drawn["delta"] + drawn["kappa"] * amount
        effect = size * _left(drawn, shape, day, amount)
    effect = effect.transpose("chain", "draw", "drug", "therapy", "day").rename("effect")
    return _with_trials(effect, idata["constant_data"].dataset)


def half_life(idata: xr.DataTree, *, therapy: tuple[float, ...] = (0.0, 1.0), prior: bool = False) -> xr.DataArray:
    """Days after which half of a drug's effect is left (for ``"emax"``, after which half of it is there).

    Parameters
    ----------
    idata, therapy, prior
        As in :func:`time_effects`.

    Returns
    -------
    DataArray (chain, draw, drug, therapy) in days.

    Raises
    ------
    ValueError
        The fitted shape has no rate.
    """
    shape = str(idata.attrs["shape"])
    if shape not in RATED:
        raise ValueError(f"shape {shape!r} has no half-life; fit one of {', '.join(RATED)}")
    drawn = idata["prior" if prior else "posterior"].dataset
    amount = xr.DataArray(list(therapy), dims="therapy", coords={"therapy": list(therapy)})
    return (
        (drawn["half_life"] * np.exp(drawn["eta"] * amount))
        .transpose("chain", "draw", "drug", "therapy")
        .rename("half_life")
    )


def half_life_table(idata: xr.DataTree) -> pd.DataFrame:
    """Half-life of each drug in the setting its trials used, with its prior beside it.

    Parameters
    ----------
    idata
        As in :func:`time_effects`.

    Returns
    -------
    DataFrame: ``drug``, ``therapy``, ``median``, ``ci_low``, ``ci_high`` in days, ``prior_median``, ``prior_low``, ``prior_high``,
    ``beyond_a_year``
    (posterior probability of a half-life over 365 days) and ``learned`` (share of the prior variance of its logarithm that is gone).
    """
    data = idata["constant_data"].dataset
    posterior, prior = half_life(idata), half_life(idata, prior=True)
    out = []
    for drug in posterior["drug"].to_numpy():
        own = data["therapy"].to_numpy()[data["drug"].to_numpy() == drug]
        for amount in sorted(set((own > 0).astype(float))):
            after, before = (x.sel(drug=drug, therapy=amount).to_numpy().ravel() for x in (posterior, prior))
            (low, median, high), (p_low, p_median, p_high) = (
                np.quantile(x, [0.025, 0.5, 0.975]) for x in (after, before)
            )
            learned = 1 - np.log(after).var() / np.log(before).var()
            out.append((str(drug), amount, median, low, high, p_median, p_low, p_high, (after > 365).mean(), learned))
    columns = [
        "drug",
        "therapy",
        "median",
        "ci_low",
        "ci_high",
        "prior_median",
        "prior_low",
        "prior_high",
        "beyond_a_year",
        "learned",
    ]
    return pd.DataFrame(out, columns=columns)


def days_above(idata: xr.DataTree, *, threshold: float = 0.24, horizon: int = 365) -> xr.DataArray:
    """Days, of those up to the horizon, on which the effect is at least the smallest that matters.

    Parameters
    ----------
    idata
        As in :func:`time_effects`.
    threshold
        Smallest effect that matters, in reference SDs; .24 is the one that Cuijpers et al. 2014 (doi:10.1002/da.22249) derive for
        depression.
    horizon
        Last day counted.

    Returns
    -------
    DataArray (chain, draw, drug, therapy) in days, 0 to ``horizon``.

    Raises
    ------
    ValueError
        A threshold or horizon that is not positive.
    """
    if not (threshold > 0 and horizon > 0):
        raise ValueError(f"threshold = {threshold:g}, horizon = {horizon:g}; both must be > 0")
    step = max(1, horizon // 180)
    days = np.arange(0, horizon, step) + step / 2
    above = (time_effects(idata, days=tuple(days)) <= -threshold).mean("day") * horizon
    return above.drop_vars(["trials", "evidence"], errors="ignore").rename("days")


def area_under_curve(idata: xr.DataTree, *, until: float = 365.0) -> xr.DataArray:
    """Area between the effect's curve and 0, from the last dose on.

    Parameters
    ----------
    idata
        As in :func:`time_effects`.
    until
        Last day.

    Returns
    -------
    DataArray (chain, draw, drug, therapy) in reference SDs times days; negative favours the drug.
    """
    days = np.concatenate([[0.0], np.geomspace(0.05, until, 80)])
    effect = time_effects(idata, days=tuple(days))
    return effect.integrate("day").drop_vars(["trials", "evidence"], errors="ignore").rename("area")


def _left(drawn: xr.Dataset, shape: str, day: xr.DataArray, amount: xr.DataArray) -> xr.DataArray:
    """Share of the size that is left, broadcast by label."""
    if shape not in RATED:
        return xr.ones_like(day * amount)
    rate = drawn["half_life"] * np.exp(drawn["eta"] * amount)
    rise = drawn.get("rise", xr.DataArray(1.0))
    return xr.apply_ufunc(lambda t, h, r: share_left(shape, t, h, r), day, rate, rise)


def _with_trials(effect: xr.DataArray, data: xr.Dataset) -> xr.DataArray:
    """Say of every drug, setting and day how many trials measured near it, and what carries the figure where none did."""
    drug, therapy, trial, when = (data[c].to_numpy() for c in ("drug", "therapy", "trial", "days_from_last_dose"))
    dims = ("drug", "therapy", "day")
    trials = np.zeros([effect.sizes[d] for d in dims], int)
    words = np.full(trials.shape, OTHER_SETTING, dtype=object)
    for i, one in enumerate(effect["drug"].to_numpy()):
        for j, amount in enumerate(effect["therapy"].to_numpy()):
            here = (drug == one) & (therapy == amount)
            for k, day in enumerate(effect["day"].to_numpy()):
                near = here & (when <= NEAR * day) & (when * NEAR >= day)
                trials[i, j, k] = len(set(trial[near]))
                if here.any():
                    words[i, j, k] = OWN if near.any() else OTHER_DAY
    return effect.assign_coords(trials=(dims, trials), evidence=(dims, words.astype(str)))
