r"""Effects at each visit and on average over the visits, from a fit of `repeated_mediation`.

At visit v, with :math:`Y_v(t, M(t'))` the outcome under treatment t and the mediators that treatment t' would bring,
:math:`te_v = E[Y_v(1, M(1)) - Y_v(0, M(0))]`, and pnde, tnie, tnde, pnie and cde(m) as in :mod:`pillprocess.mediation.effects`. On
average over the visits :math:`\bar Y = \int Y\,dt / (t_V - t_1)`, by the trapezium rule (the area under the curve is
:math:`t_V - t_1` times as large). All are differences of means in units of the outcome.

te rests on randomisation and on outcomes missing at random given treatment, covariates, mediators and the visits seen. The others
assume as well that nothing unmeasured affects both a mediator and the outcome at a visit, and that no such common cause is itself
changed by the treatment (sequential ignorability). How early outcomes change later mediators is outside this model.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from pillprocess.mediation.draws import compared_arm, flat
from pillprocess.mediation.effects import compute_effects
from pillprocess.participants.followup import AVERAGE

BY_VISIT = ("alpha_y", "c", "b", "theta", "gamma_y")
REPORTED = ("te", "pnde", "tnie", "tnde", "pnie", "cde", "iie", "proportion_mediated")


def at_visit(idata: xr.DataTree, visit: str) -> xr.DataTree:
    """Take one visit out of a fit of repeated outcomes, as if it were a fit of `mediation` to that visit's outcome.

    Whatever takes a fit of `mediation` takes the result: `natural_effects`, `mediation_sensitivity`, `mediation_paths`.
    The other visits stay in its numbers: they informed what is missing at this one.

    Parameters
    ----------
    idata
        Fit of `repeated_mediation`.
    visit
        Name of a visit's outcome, or ``"average"``: the outcome averaged over time from the first visit to the last.

    Returns
    -------
    DataTree with ``posterior``, ``constant_data`` and, where the fit has it, ``prior``. Of the average, observed variances are those of
    people seen at every visit.

    Raises
    ------
    ValueError
        The fit has no visits, or not this one.
    """
    data = _data(idata)
    visits = [str(v) for v in data["visit"].to_numpy()]
    if visit not in (*visits, AVERAGE):
        raise ValueError(f"visit = {visit!r}: name one of {', '.join((*visits, AVERAGE))}")
    weight = (
        data["visit_weight"]
        if visit == AVERAGE
        else xr.zeros_like(data["visit_weight"]).where(data["visit"] != visit, 1.0)
    )
    groups = {g: _of_visit(idata[g].dataset, weight) for g in ("posterior", "prior") if g in idata.children}
    spread = {n: float((data[f"visit_{n}"] * weight).sum()) for n in ("outcome_variance", "outcome_within_sd")}
    if visit == AVERAGE:
        spread = {n: float(data[f"average_{n}"]) for n in spread}
    constant = data[[v for v in data.data_vars if not str(v).startswith(("visit_", "average_", "cell_"))]]
    constant = constant.drop_vars(["outcome", *spread, "outcome_mean"]).assign(
        {n: ("outcome", [value]) for n, value in spread.items()}
        | {
            "outcome_mean": (data["visit_outcome_mean"] * weight).sum("visit"),
            "family_mediator": 0, "family_outcome": 0,
        }
    )  # fmt: skip
    constant = constant.assign_coords(outcome=[visit])
    return xr.DataTree.from_dict({f"/{g}": single for g, single in groups.items()} | {"/constant_data": constant})


def _of_visit(draws: xr.Dataset, weight: xr.DataArray) -> xr.Dataset:
    """Coefficients of the weighted visits."""
    own = [str(v) for v in draws.data_vars if not str(v).endswith("_raw") and "visit" not in draws[v].dims]
    single = draws[[v for v in own if v not in ("correlation_y", "rho") and not v.startswith("deviation_")]]
    single = single.assign({v: (draws[v] * weight).sum("visit") for v in BY_VISIT if v in draws})
    return single.assign(sigma_y=_weighted_sd(draws, weight.to_numpy()))


def repeated_effects(
    idata: xr.DataTree,
    *,
    m: float | Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    arm: str | None = None,
) -> xr.Dataset:
    """Compute total, direct and indirect effects at every visit and on average over them.

    Scale: difference of mean outcomes, in units of the outcome. Identification: te by randomisation and data missing at random
    given treatment, covariates, mediators and the visits seen; the others by sequential ignorability as well (no unmeasured
    common cause of a mediator and the outcome at any visit, and none changed by the treatment).

    Parameters
    ----------
    idata
        Fit of `repeated_mediation`.
    m, at, arm
        As in `natural_effects`.

    Returns
    -------
    Dataset with dims chain, draw and visit, the last of which is ``average`` (over time, by the trapezium rule): ``te``, ``pnde``,
    ``tnie``, ``tnde``, ``pnie``, ``cde`` and, of several mediators, ``iie`` (dim mediator); ``a`` (dim mediator), ``b`` and
    ``b_active`` (dims visit and mediator): treatment on mediator, and the slope of the outcome in the reference and the active
    arm, given treatment and covariates. ``proportion_mediated`` (dim reported) stands where it can be
    reported; the attribute ``proportion_withheld`` says for every other visit why not. ``weights`` are those of the visits in
    the average, ``span`` the time from first to last, by which the area under the curve is larger.

    Raises
    ------
    ValueError
        The fit has no visits, or lacks the arm, mediator or covariate.

    Examples
    --------
    >>> table = pp.read_trial("long.csv", visit="week", person="id")  # doctest: +SKIP
    >>> followup = pp.load_followup(
    ...     table, outcomes={"madrs_1": 1, "madrs_3": 3, "madrs_6": 6}, treatment="arm", reference="placebo", mediators="meq30",
    ...     baseline="madrs_0",
    ... )  # doctest: +SKIP
    >>> idata = pp.fit(pp.repeated_mediation(followup), seed=1)  # doctest: +SKIP
    >>> pp.check_fit(idata)  # doctest: +SKIP
    >>> pp.effect_table(pp.repeated_effects(idata))  # doctest: +SKIP
    >>> pp.mediation_sensitivity(pp.at_visit(idata, "madrs_6"), seed=2)  # doctest: +SKIP
    >>> curve = pp.tipping_point(idata, followup, seed=3)  # doctest: +SKIP
    >>> pp.tipping_table(curve)  # doctest: +SKIP
    """
    data = _data(idata)
    visits = [*(str(v) for v in data["visit"].to_numpy()), AVERAGE]
    singles = {v: at_visit(idata, v) for v in visits}
    arm = compared_arm(singles[AVERAGE], arm)
    each = {v: compute_effects(single, m=m, at=at, arm=arm) for v, single in singles.items()}
    names = [n for n in REPORTED[:-1] if n in each[AVERAGE]]
    index = xr.DataArray(visits, dims="visit", name="visit")
    effects = xr.concat([e[names] for e in each.values()], dim=index, combine_attrs="drop")
    told = [v for v in visits if "proportion_mediated" in each[v]]
    if told:
        share = xr.concat(
            [each[v]["proportion_mediated"] for v in told], dim=xr.DataArray(told, dims="reported", name="reported")
        )
        effects = effects.assign(proportion_mediated=share)
    slopes = [s["posterior"].dataset for s in singles.values()]
    b = xr.concat([s["b"] for s in slopes], dim=index)
    active = (
        b
        if "theta" not in slopes[0]
        else b + xr.concat([s["theta"].sel(arm=arm, drop=True) for s in slopes], dim=index)
    )
    effects = effects.assign(a=slopes[0]["a"].sel(arm=arm, drop=True), b=b, b_active=active)
    effects = effects.transpose("chain", "draw", ...)
    first = each[AVERAGE].attrs
    time = data["visit_time"].to_numpy()
    return effects.assign_attrs(
        arm=first["arm"], reference=first["reference"], m=first["m"], span=float(time[-1] - time[0]),
        weights=data["visit_weight"].to_numpy().tolist(), extrapolation_cde=first["extrapolation_cde"],
        extrapolation_pnde=first["extrapolation_pnde"],
        proportion_withheld={v: each[v].attrs["proportion_withheld"] for v in visits if v not in told},
    )  # fmt: skip


def _data(idata: xr.DataTree) -> xr.Dataset:
    """Constant data of a fit that has visits."""
    if "constant_data" not in idata.children or "visit_weight" not in idata["constant_data"].dataset:
        raise ValueError("this fit is not of repeated_mediation(...): it has no visits")
    return idata["constant_data"].dataset


def _weighted_sd(posterior: xr.Dataset, weight: np.ndarray) -> xr.DataArray:
    """SD of the weighted residuals of the visits, dims chain and draw."""
    sd = flat(posterior["sigma_y"]) * weight
    first, second = np.triu_indices(sd.shape[1], 1)
    variance = (sd**2).sum(1) + 2 * (sd[:, first] * sd[:, second] * flat(posterior["correlation_y"])).sum(1)
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    return xr.DataArray(np.sqrt(variance).reshape(shape), dims=("chain", "draw"))
