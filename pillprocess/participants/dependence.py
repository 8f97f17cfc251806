"""Columns that determine each other: totals and their parts, a change with both its ends, products with the treatment."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

EXACT = 1e-6
"""Share of a column's variance that others leave unexplained below which they determine it, up to rounding."""


def dependence_problems(
    outcome: pd.Series, mediators: pd.DataFrame, treatment: pd.DataFrame, covariates: pd.DataFrame
) -> list[str]:
    """Mediators and outcome that follow exactly from the treatment, the covariates and the mediators before them."""
    known = pd.concat([treatment, covariates], axis=1)
    known.columns = [str(c) for c in known.columns]
    problems = []
    for name, column in mediators.items():
        if is_determined(column, known):
            problems.append(
                f"mediator {str(name)!r} follows exactly from {_named(column, known)}; leave one of them out"
            )
        else:
            known = known.assign(**{str(name): column})
    if is_determined(outcome, known):
        problems.append(
            f"outcome {str(outcome.name)!r} follows exactly from {_named(outcome, known)}: it is computed from them, so nothing is left to "
            "estimate; leave them out"
        )
    return problems


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
    return freedom > 0 and float(left @ left) / freedom < EXACT * total / (len(y) - 1)


def _named(column: pd.Series, known: pd.DataFrame) -> str:
    """The fewest of the other columns that determine this one, found by leaving out one after another."""
    needed = list(known.columns)
    for name in list(known.columns):
        fewer = [c for c in needed if c != name]
        if fewer and is_determined(column, known[fewer]):
            needed = fewer
    return " and ".join(map(repr, needed))


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
