"""The coefficients of a fitted mediation model as arrows of its path diagram."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.mediation.choices import CHANCES, FAMILIES, LINKED, RISKS, Of
from pillprocess.mediation.draws import compared_arm
from pillprocess.mediation.effects import compute_effects
from pillprocess.output.tables import effect_table

UNITS = {
    "weibull": "log time",
    "exponential": "log time",
    "hazard_logit": "logit hazard",
    "hazard_cloglog": "log hazard",
    "log_binomial": "log risk",
}
"""Units of the linear predictor where the family's name does not say them."""


def mediation_paths(idata: xr.DataTree, *, arm: str | None = None, of: Of | None = None) -> pd.DataFrame:
    """Tabulate every arrow of the path diagram.

    Parameters
    ----------
    idata
        Fit of `mediation`.
    arm
        Active arm to compare with the reference; needed where there are several.
    of
        As in `natural_effects`, for the direct arrow.

    Returns
    -------
    DataFrame, one row per arrow: ``start``, ``end``, ``kind`` (``a``, ``b``, ``d``, ``direct``, or ``correlation`` of the
    residuals of parallel mediators), ``given`` (the arm in which a slope holds, where it depends on the arm), ``unit``
    (``data``, or the link of the end; ``risk`` or ``chance`` of the direct arrow) and the columns of `effect_table`. The direct arrow
    is pnde.
    Where covariates moderate, a and b are those at the covariates' means.
    """
    arm = compared_arm(idata, arm)
    posterior, data = idata["posterior"].dataset, idata["constant_data"].dataset
    mediators = [str(m) for m in data["mediator"].to_numpy()]
    reference, outcome = str(data["level"].to_numpy()[0]), str(data["outcome"].to_numpy()[0])
    treatment = f"{arm} v {reference}"
    link_m, link_y = (_unit(FAMILIES[int(data[f"family_{role}"])]) for role in ("mediator", "outcome"))
    rows: list[tuple[str, str, str, str, str, xr.DataArray]] = []
    for m in mediators:
        of_arm, slope = posterior["a"].sel(mediator=m, arm=arm), posterior["b"].sel(mediator=m)
        if "a_x" in posterior:
            of_arm = of_arm + (posterior["a_x"].sel(mediator=m, arm=arm) * data["covariate_mean"]).sum("covariate")
        if "b_x" in posterior:
            slope = slope + (posterior["b_x"].sel(mediator=m) * data["covariate_mean"]).sum("covariate")
        rows.append((treatment, m, "a", "", link_m, of_arm))
        if "theta" not in posterior:
            rows.append((m, outcome, "b", "", link_y, slope))
            continue
        rows.append((m, outcome, "b", reference, link_y, slope))
        rows.append((m, outcome, "b", arm, link_y, slope + posterior["theta"].sel(mediator=m, arm=arm)))
    for pair, (first, second) in enumerate(combinations(mediators, 2)):
        kind, name = ("d", "d") if "d" in posterior else ("correlation", "correlation_m")
        rows.append((first, second, kind, "", "data", posterior[name].isel(mediator_pair=pair)))
    pnde = compute_effects(idata, arm=arm, of=of)["pnde"]
    unit = (
        "risk" if FAMILIES[int(data["family_outcome"])] in RISKS else "chance" if of and set(of) <= CHANCES else "data"
    )
    rows.append((treatment, outcome, "direct", "", unit, pnde))
    tables = [effect_table(draws).assign(start=s, end=e, kind=k, given=g, unit=u) for s, e, k, g, u, draws in rows]
    table = pd.concat(tables, ignore_index=True)
    described = ["start", "end", "kind", "given", "unit"]
    return table[described + [c for c in table.columns if c not in described]]


def estimate_text(row: Mapping[Any, Any]) -> str:
    """Mean and interval of a row of `effect_table`, to the second digit of the posterior SD."""
    if not np.isfinite(row["sd"]):
        return "undefined"
    digits = int(np.clip(1 - np.floor(np.log10(max(row["sd"], 1e-9))), 0, 4))
    mean, low, high = (f"{round(row[name], digits) + 0.0:.{digits}f}" for name in ("mean", "ci_low", "ci_high"))
    return f"{mean} [{low}, {high}]"


def _unit(family: str) -> str:
    return UNITS.get(family, family if family in LINKED else "data")
