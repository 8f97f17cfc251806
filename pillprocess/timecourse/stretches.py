r"""What two arms of a difference have left of the drug: on one day, or on average over a stretch of days.

.. math:: g(dose)\, \bar f(\text{stretch}) - g(dose_0)\, \bar f(\text{stretch}_0)

Differences on a day have one day on both sides; of relapse, the mean of f over the days on which people could relapse, in an arm whose
dosing went on the days between two doses (:mod:`pillprocess.timecourse.relapse`). The mean is taken by Gauss-Legendre quadrature in
the root of the days, where a steep start has room.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from pillprocess.rows.terms import dose_curve

Doses = Literal["last", "superposed"]

STRETCH = ("from_arm", "until_arm", "from_reference", "until_reference")
"""Columns of rows of relapse: first and last day after the last dose, in each arm."""

_X, _W = np.polynomial.legendre.leggauss(20)
_PLACE, _WEIGHT = ((_X + 1) / 2) ** 2, _W * (_X + 1) / 2


def drug_left(
    table: pd.DataFrame,
    dose_shape: str,
    f: Callable[[np.ndarray, np.ndarray], Any],
    join: Callable[..., Any] = np.concatenate,
    *,
    doses: Doses = "last",
) -> Any:
    """Regressor of a drug's size in each difference.

    Parameters
    ----------
    table
        Differences on a day, and below them those over a stretch.
    dose_shape
        As in :func:`pillprocess.decomposition_design`.
    f
        Share left at days (k,) of rows (k,); may have axes before the last one.
    join
        Joins arrays along an axis; PyTensor's for its own.
    doses
        The last dose alone counts, or all doses of an arm add up, evenly spaced from the first to the last. In an arm that goes
        on, over a stretch, each dose counts as the last.
    """
    amounts = [dose_curve(table[c].to_numpy(float), dose_shape) for c in ("dose_arm", "dose_reference")]
    over = stretched(table)
    at_day = np.flatnonzero(~over)
    days = table["days_from_last_dose"].to_numpy(float)[at_day]
    left = f(days, at_day)
    if doses == "superposed":
        number, apart = _earlier(table.iloc[at_day])
        for k in range(1, int(number.max(initial=1))):
            left = left + (number > k) * f(days + k * apart, at_day)
    parts = [(amounts[0] - amounts[1])[at_day] * left]
    if over.any():
        rows = np.flatnonzero(over)
        ends = [table[c].to_numpy(float)[rows] for c in STRETCH]
        arm, reference = (d[rows] * _mean(f, rows, ends[2 * k : 2 * k + 2]) for k, d in enumerate(amounts))
        parts.append(arm - reference)
    return join(parts, axis=-1) if len(parts) > 1 else parts[0]


def check_doses(doses: str) -> None:
    """Raise unless doses is one of the two choices."""
    if doses not in ("last", "superposed"):
        raise ValueError(f"doses = {doses!r}; it must be 'last' or 'superposed'")


def _earlier(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Number of doses that an arm had by the day of each row, and the days between two of them."""
    span = (table["day"] - table["days_from_last_dose"]).to_numpy(float)
    given = table["n_doses"].fillna(1).to_numpy(float) if "n_doses" in table else np.ones(len(table))
    number = np.where(span > 0, np.maximum(given, 1), 1)
    return number, span / np.maximum(number - 1, 1)


def stretched(table: pd.DataFrame) -> np.ndarray:
    """Which rows are differences over a stretch; they stand below the others."""
    over = table[STRETCH[0]].notna().to_numpy() if STRETCH[0] in table else np.zeros(len(table), bool)
    if (np.diff(over.astype(int)) < 0).any():
        raise ValueError("differences over a stretch of days must stand below those on a day")
    return over


def _mean(f: Callable[[np.ndarray, np.ndarray], Any], rows: np.ndarray, ends: Sequence[np.ndarray]) -> Any:
    days = ends[0][:, None] + (ends[1] - ends[0])[:, None] * _PLACE
    left = f(days.ravel(), np.repeat(rows, len(_PLACE)))
    lead = tuple(left.shape[i] for i in range(left.ndim - 1))
    return (left.reshape((*lead, len(rows), len(_PLACE))) * _WEIGHT).sum(axis=-1)
