"""Moderated mediation: every effect at chosen values of a covariate, and its difference between them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.mediation.choices import Of
from pillprocess.mediation.draws import compared_pair
from pillprocess.mediation.effects import Scale, compute_effects
from pillprocess.output.tables import effect_table

OF_INTEREST = ("te", "pnde", "tnie", "cde")


def moderated_effects(
    idata: xr.DataTree,
    *,
    moderator: str,
    values: Sequence[float] | None = None,
    at: Mapping[str, float] | None = None,
    m: float | Mapping[str, float] | None = None,
    arm: str | None = None,
    scale: Scale = "difference",
    of: Of | None = None,
    reference: str | None = None,
) -> xr.Dataset:
    r"""Compute the effects at several values of a moderator, and how they differ.

    .. math:: tnie(x) = (a + a_x x)(b + b_x x + \theta), \qquad tnie(x_2) - tnie(x_1)

    of a linear model; averaged over the other covariates of the participants. The difference of the indirect effects is the moderated
    mediation (Muller, Judd & Yzerbyt 2005, doi:10.1037/0022-3514.89.6.852).

    Parameters
    ----------
    idata
        Fit of `mediation` to participants with ``treatment_moderators`` or ``mediator_moderators``.
    moderator
        A design column of the covariates.
    values
        Values of it, in its units; by default 0 and 1 of a 0/1 column, and otherwise its mean and 1 SD below and above.
    at
        Values at which other covariates are held.
    m, arm, scale, of, reference
        As in `natural_effects`.

    Returns
    -------
    Dataset of draws: ``te``, ``pnde``, ``tnie`` and ``cde`` (dim value), and ``te_difference`` and so on, the effect at the last value
    less that at the first. The attribute ``moderator`` names it.

    Raises
    ------
    ValueError
        The fit has no moderators, or this is none of its covariates; or fewer than two values.
    """
    arm, reference = compared_pair(idata, arm, reference)
    posterior, data = idata["posterior"].dataset, idata["constant_data"].dataset
    known = [str(x) for x in data["covariate"].to_numpy()]
    moderating = [
        x for x in known
        if any(n in posterior and bool((posterior[n].sel(covariate=x) != 0).any()) for n in ("a_x", "c_x", "b_x"))
    ]  # fmt: skip
    if moderator not in moderating:
        listed = (
            ", ".join(moderating)
            or "none: name them with treatment_moderators= and mediator_moderators= of load_participants"
        )
        raise ValueError(f"moderator = {moderator!r}: the moderators of this fit are {listed}")
    levels = default_values(data, moderator) if values is None else [float(v) for v in values]
    if len(levels) < 2:
        raise ValueError(f"values = {levels}: effects are compared at two values or more")
    by_level = [
        compute_effects(idata, m=m, at={**(at or {}), moderator: v}, arm=arm, scale=scale, of=of, reference=reference)
        for v in levels
    ]
    together = xr.concat(
        [e[list(OF_INTEREST)] for e in by_level],
        dim=xr.DataArray(levels, dims="value", name="value"),
        combine_attrs="drop",
    )
    together = together.transpose("chain", "draw", "value")
    differences = {f"{name}_difference": by_level[-1][name] - by_level[0][name] for name in OF_INTEREST}
    return together.assign(differences).assign_attrs(
        moderator=moderator, arm=arm, scale=scale, m=by_level[0].attrs["m"]
    )


def default_values(data: xr.Dataset, moderator: str) -> list[float]:
    """0 and 1 of a 0/1 column; otherwise the mean and 1 SD below and above, among the participants."""
    x, weight = data["profile_covariates"].sel(covariate=moderator).to_numpy(), data["profile_weight"].to_numpy()
    if np.isin(x, [0, 1]).all():
        return [0.0, 1.0]
    mean = float(x @ weight)
    sd = float(np.sqrt(((x - mean) ** 2) @ weight))
    return [mean - sd, mean, mean + sd]


def moderated_table(
    idata: xr.DataTree,
    *,
    moderator: str,
    m: float | Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    arm: str | None = None,
    scale: Scale = "difference",
    of: Of | None = None,
) -> pd.DataFrame:
    """Tabulate `moderated_effects`, with the columns ``moderator`` and ``value``; the rows of differences have no value."""
    others = {x: value for x, value in (at or {}).items() if x != moderator}
    table = effect_table(moderated_effects(idata, moderator=moderator, at=others, m=m, arm=arm, scale=scale, of=of))
    return table.assign(moderator=moderator)
