"""Decide whether fits may be compared by prediction: the same outcomes, scale, conditioning set and unit, or an error."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from pillprocess.gaussian.design import data_attrs

NEEDED = ("data_hash", "outcome", "scale", "conditioning")
LOG_LIKELIHOOD = {"trial": "y_trial", "arm": "y"}


BY_TRIAL = "log_likelihood_by_trial"
"""Group of the trials' joint densities: apart from the rows', so that ArviZ finds one array in ``log_likelihood``."""


def unit_density(fit: xr.DataTree, unit: str) -> xr.DataArray:
    """Log-likelihood of a fit by ``"arm"`` or ``"trial"``, in whichever group it stands."""
    name = LOG_LIKELIHOOD[unit]
    group = next(g for g in ("log_likelihood", BY_TRIAL) if g in fit.children and name in fit[g].dataset)
    return fit[group].dataset[name]


class ComparisonError(ValueError):
    """Fits that cannot be compared; the message names every reason and the way out."""


def check_comparable(fits: Mapping[str, xr.DataTree], *, unit: str) -> None:
    """Raise one error with every reason why fits cannot be compared.

    Parameters
    ----------
    fits : mapping
        Fits by name. Attributes ``data_hash``, ``outcome``, ``scale`` and ``conditioning`` say what each was fitted to.
    unit : str
        "trial", "contrast" or "arm".

    Raises
    ------
    ComparisonError
    """
    check_named(fits, of=xr.DataTree)
    problems = [] if len(fits) > 1 else [f"a comparison needs at least two fits; there is {len(fits)}"]
    problems += [f"'{name}': {reason}" for name, fit in fits.items() for reason in _own_problems(fit, unit)]
    if not problems:
        first, *others = fits
        for name in others:
            problems += _pair_problems((first, fits[first]), (name, fits[name]))
    if problems:
        raise ComparisonError("these fits cannot be compared:\n" + "\n".join(problems))


def check_named(fits: object, *, of: type = object) -> None:
    """Raise ComparisonError unless these are fits by name, each of a kind."""
    wrong: list[object] = [fits]
    if isinstance(fits, Mapping) and not isinstance(fits, xr.Dataset | xr.DataTree):
        wrong = [fit for fit in fits.values() if not isinstance(fit, of)]
    if wrong:
        raise ComparisonError(
            f'fits are compared by name: {{"pill": idata, "course": idata}}; got a {type(wrong[0]).__name__}'
        )


def as_fit(fit: xr.DataTree | xr.Dataset) -> xr.DataTree:
    """Put a design where a fit by the exact route carries it, so that one guard and one score serve both."""
    if not isinstance(fit, xr.Dataset):
        return fit
    outcome = xr.Dataset({"y": ("row", fit["y"].to_numpy())}, coords={"row": fit["row"].to_numpy()})
    root = xr.Dataset(attrs={"route": "exact"} | data_attrs(fit))
    return xr.DataTree.from_dict({"/": root, "/observed_data": outcome, "/constant_data": fit})


def has_design(fit: xr.DataTree) -> bool:
    """Whether a fit carries the design it was made from."""
    return "constant_data" in fit.children and "X" in fit["constant_data"].dataset


def _own_problems(fit: xr.DataTree, unit: str) -> list[str]:
    missing = [name for name in NEEDED if name not in fit.attrs]
    problems = (
        [f"lacks the attributes {', '.join(missing)}, which say what was fitted; fit it with fit()"] if missing else []
    )
    groups = [fit[name].dataset for name in ("log_likelihood", BY_TRIAL) if name in fit.children]
    densities = {name for group in groups for name in group.data_vars}
    joint = sorted(str(name) for name in densities - set(LOG_LIKELIHOOD.values()))
    if joint:
        problems.append(
            f"its log-likelihood holds {', '.join(joint)} beside y, a joint density; only the outcome's can be compared: keep y "
            "alone, with the mediators integrated out"
        )
    if has_design(fit):
        return problems
    if unit == "contrast":
        return [*problems, "carries no design, which unit='contrast' needs to find the control arms; use unit='trial'"]
    if LOG_LIKELIHOOD[unit] not in densities:
        held = {"y": "by arm", "y_trial": "by trial"}
        has = " and ".join(held[str(name)] for name in sorted(densities & set(held), key=str)) or "nowhere"
        problems.append(
            f"its log-likelihood is given {has}, the comparison is by {unit}; add {LOG_LIKELIHOOD[unit]} to its log_likelihood, "
            "or compare all fits by the unit they share"
        )
    return problems


def _pair_problems(one: tuple[str, xr.DataTree], other: tuple[str, xr.DataTree]) -> list[str]:
    (name, fit), (other_name, other_fit) = one, other
    pair = f"'{name}' and '{other_name}'"
    problems = []
    if fit.attrs["data_hash"] != other_fit.attrs["data_hash"]:
        problems.append(f"{pair}: {_data_difference(one, other)}")
    for what in ("outcome", "scale"):
        values = fit.attrs[what], other_fit.attrs[what]
        if values[0] != values[1]:
            problems.append(f"{pair}: the {what} is {values[0]!r} in one and {values[1]!r} in the other; use one")
    given, other_given = fit.attrs["conditioning"], other_fit.attrs["conditioning"]
    if given != other_given:
        problems.append(
            f"{pair}: one predicts y given {given}, the other given {other_given}; p(y | T) against p(y | T, M) is no test of "
            "mediation: integrate the mediator out of both, or let both condition on it"
        )
    return problems


def _data_difference(one: tuple[str, xr.DataTree], other: tuple[str, xr.DataTree]) -> str:
    """Say how the data of two fits differ, and what to do."""
    (name, fit), (other_name, other_fit) = one, other
    y, other_y = fit["observed_data"]["y"], other_fit["observed_data"]["y"]
    rows, other_rows = y["row"].to_numpy().tolist(), other_y["row"].to_numpy().tolist()
    if set(rows) != set(other_rows):
        only = [
            f"only '{whose}' has {', '.join(_trials(tree, set(mine) - set(theirs)))}"
            for whose, tree, mine, theirs in ((name, fit, rows, other_rows), (other_name, other_fit, other_rows, rows))
            if set(mine) - set(theirs)
        ]
        return f"fitted to different trials or arms ({'; '.join(only)}); fit both to the same rows"
    if rows != other_rows:
        return "the same rows in another order; fit both to one table"
    values, other_values = y.to_numpy(), other_y.to_numpy()
    changed = values != other_values
    if not changed.any():
        return "the same outcomes with different sampling variances; fit both to one table"
    ratio = other_values[values != 0] / values[values != 0]
    if len(ratio) and np.allclose(ratio, ratio[0], rtol=1e-9):
        return (
            f"the outcomes of '{other_name}' are {ratio[0]:g} times those of '{name}'; densities of different units differ by a "
            "constant per row: fit both in one unit"
        )
    return f"the outcomes of {int(changed.sum())} of {len(rows)} rows differ (first: {rows[int(changed.argmax())]}); fit both to one table"


def _trials(fit: xr.DataTree, rows: set[str]) -> list[str]:
    """Name the trials of some rows where the fit knows them, or else the rows."""
    if not has_design(fit):
        return sorted(rows)
    design = fit["constant_data"].dataset
    here = [row in rows for row in design["row"].to_numpy().tolist()]
    return list(dict.fromkeys(design["trial"].to_numpy()[here].tolist()))
