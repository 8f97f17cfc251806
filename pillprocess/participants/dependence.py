"""Columns that determine each other: totals and their parts, a change with both its ends, products with the treatment."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

EXACT = 1e-3
"""Share of a column's variance that others leave unexplained below which they determine it, up to rounding."""
KEPT = 0.85
"""Share of rows on which an identity must hold to the last digit where it fails on the others, which are then slips."""

FEWEST_CUT = 5
"""People on each side of a cut, and values of the column that is cut, from which a clean cut is no chance."""


def dependence_problems(
    outcome: pd.Series, mediators: pd.DataFrame, treatment: pd.DataFrame, covariates: pd.DataFrame
) -> list[str]:
    """Mediators and outcome that follow exactly from the treatment, the covariates and the mediators before them."""
    known = pd.concat([treatment, covariates], axis=1)
    known.columns = [str(c) for c in known.columns]
    problems = []
    for name, column in mediators.items():
        how = _sum_of(column, known)
        if how:
            problems.append(f"mediator {str(name)!r} follows exactly from {how}; leave one of them out")
        else:
            known = known.assign(**{str(name): column})
    problems += cut_problems(outcome, mediators)
    how = _sum_of(outcome, known) or _ratio_of(outcome, known)
    if how:
        problems.append(
            f"outcome {str(outcome.name)!r} follows exactly from {how}: it is computed from them, so nothing is left to estimate; leave "
            "them out"
        )
    return problems


def cut_problems(outcome: pd.Series, mediators: pd.DataFrame) -> list[str]:
    """A column of two values that is another one cut in two: a responder by the mediator's own scale, say."""
    problems = []
    for _, column in mediators.items():
        for cut, whole, roles in (
            (outcome, column, ("outcome", "mediator")),
            (column, outcome, ("mediator", "outcome")),
        ):
            rows = pd.concat([cut.rename("cut"), whole.rename("whole")], axis=1).dropna()
            parts = [part for _, part in rows.groupby("cut")["whole"]]
            if len(parts) != 2 or min(map(len, parts)) < FEWEST_CUT or rows["whole"].nunique() < FEWEST_CUT:
                continue
            low, high = sorted(parts, key=lambda part: part.mean())
            if low.max() < high.min():
                problems.append(
                    f"{roles[0]} {str(cut.name)!r} is {roles[1]} {str(whole.name)!r} cut between {low.max():g} and {high.min():g}: the one "
                    "is computed from the other, so neither can carry an effect on it; name another column, measured by itself"
                )
    return problems


def _sum_of(column: pd.Series, known: pd.DataFrame) -> str:
    """Which others, weighted and added up, are a column; empty if none are."""
    if not is_determined(column, known):
        return ""
    needed = _needed(column, known)
    slips = _slips(column, known[needed])
    but = f" (but for row {', '.join(map(str, slips[:5]))}, a slip?)" if len(slips) else ""
    return " and ".join(map(repr, needed)) + but


def _ratio_of(column: pd.Series, known: pd.DataFrame) -> str:
    """Of which others a column is a ratio or a percentage of change, or a sum after logarithms; empty if of none."""
    wide = [c for c in known if known[c].nunique() >= 5]
    if not wide or column.nunique() < 5:
        return ""
    for name in wide:
        times = column * known[name]
        if column.notna().sum() > 8 and not is_determined(times, known[[name]]) and is_determined(times, known[wide]):
            needed = list(dict.fromkeys([name, *_needed(times, known[wide])]))
            return f"{' and '.join(map(repr, needed))}, as a ratio or a percentage of {name!r} does"
    logs = np.log(known[wide].where(known[wide] > 0))
    logs = logs[[c for c in logs if logs[c].notna().sum() >= 0.9 * known[c].notna().sum()]]
    for values in (column, np.log(column.where(column > 0))) if len(logs.columns) else ():
        if values.notna().sum() >= 0.9 * column.notna().sum() and is_determined(values, logs):
            return f"the logarithms of {' and '.join(map(repr, _needed(values, logs)))}"
    return ""


def product_problems(table: pd.DataFrame, columns: Mapping[str, str], arm: pd.Series) -> list[str]:
    """Columns with a role that are a product of the treatment and another column.

    Within each arm such a column is an exact straight line in the other column, with a slope of its own.
    """
    numeric = {str(c): pd.to_numeric(x, errors="coerce").astype(float) for c, x in table.items() if _is_numeric(x)}
    problems = []
    for name, role in columns.items():
        if name not in numeric:
            continue
        for other, z in numeric.items():
            if other == name or z.nunique() < 3 or numeric[name].nunique() < 3:
                continue
            slopes = list(_slopes(numeric[name], z, arm))
            if len(slopes) == arm.nunique() >= 2 and max(slopes) - min(slopes) > 1e-6 * max(map(abs, slopes)):
                problems.append(
                    f"{role} {name!r} is a product of the treatment and {other!r}. Leave it out: treatment and mediator interact by "
                    f"default, and whether {other!r} measured before dosing moderates the effect is a question for "
                    "--guess with --guess-timing pre_dose (expectancy_moderation)"
                )
                break
    return problems


def is_determined(column: pd.Series, known: pd.DataFrame) -> bool:
    """Whether the other columns leave nothing of this one."""
    rows = pd.concat([column.rename("(y)"), known], axis=1).dropna().to_numpy(float)
    if len(rows) <= rows.shape[1] + 2:
        return False
    y, X = rows[:, 0], rows[:, 1:]
    total = float(((y - y.mean()) ** 2).sum())
    if total <= 0:
        return False
    left = _residual(y, X)
    freedom = len(y) - 1 - np.linalg.matrix_rank(X - X.mean(0)) if X.size else len(y) - 1
    unexplained = float(left @ left)
    if freedom > 0 and unexplained / freedom < EXACT * total / (len(y) - 1):
        return True
    return unexplained < total / 2 and len(_slip_places(y, X)) > 0


def _slip_places(y: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Places of the few rows that alone break an identity that holds to the last digit on all others; empty if there is none.

    Least trimmed squares: the rows that fit best are fitted again until they stay the same.
    """
    most = int(np.ceil(KEPT * len(y)))
    if most - X.shape[1] < 8 or not X.size:
        return np.array([], dtype=int)
    size, kept = np.abs(_residual(y, X)), np.arange(len(y))
    for _ in range(20):
        best = np.sort(np.argsort(size, kind="stable")[:most])
        if np.array_equal(best, kept):
            break
        kept = best
        slope = np.linalg.lstsq(X[kept] - X[kept].mean(0), y[kept] - y[kept].mean(), rcond=1e-10)[0]
        size = np.abs(y - y[kept].mean() - (X - X[kept].mean(0)) @ slope)
    exact = size <= 1e-6 * y[kept].std()
    holds = exact.sum() >= most and len(np.unique(y[exact])) >= 5 and not exact.all()
    return np.flatnonzero(~exact) if holds else np.array([], dtype=int)


def _slips(column: pd.Series, known: pd.DataFrame) -> pd.Index:
    """Rows that alone break an identity."""
    rows = pd.concat([column.rename("(y)"), known], axis=1).dropna()
    values = rows.to_numpy(float)
    return rows.index[_slip_places(values[:, 0], values[:, 1:])]


def _needed(column: pd.Series, known: pd.DataFrame) -> list[str]:
    """The fewest of the other columns that determine this one, found by leaving out one after another."""
    needed = list(known.columns)
    for name in list(known.columns):
        fewer = [c for c in needed if c != name]
        if fewer and is_determined(column, known[fewer]):
            needed = fewer
    return needed


def _residual(y: np.ndarray, X: np.ndarray) -> np.ndarray:
    """What a straight line in X leaves of y."""
    y = y - y.mean()
    if not X.size:
        return y
    X = X - X.mean(0)
    scale = np.sqrt((X**2).sum(0))
    X = X[:, scale > 0] / scale[scale > 0]
    return y - X @ np.linalg.lstsq(X, y, rcond=1e-10)[0] if X.size else y


def _slopes(y: pd.Series, z: pd.Series, arm: pd.Series) -> Iterator[float]:
    """Slope of y on z in each arm in which y is an exact straight line in z."""
    for _, index in arm.groupby(arm).groups.items():
        rows = pd.concat([y, z], axis=1).loc[index].dropna().to_numpy(float)
        if len(rows) < 4 or rows[:, 1].std() == 0:
            return
        left = _residual(rows[:, 0], rows[:, 1:])
        spread = rows[:, 0].std()
        if spread > 0 and left.std() > 1e-6 * spread:
            return
        yield 0.0 if spread == 0 else float(np.polyfit(rows[:, 1], rows[:, 0], 1)[0])


def _is_numeric(column: pd.Series) -> bool:
    """Whether a column is one of numbers, true and false aside."""
    if pd.api.types.is_bool_dtype(column.dtype) or isinstance(column.dtype, pd.CategoricalDtype):
        return False
    if pd.api.types.is_numeric_dtype(column.dtype):
        return True
    return column.dtype == object and bool(pd.to_numeric(column, errors="coerce").notna().mean() > 0.5)
