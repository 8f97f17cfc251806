r"""Mediators that follow one another: whether a later one follows from earlier ones along one straight line in every arm.

With ``order`` the model says :math:`M_q = \dots + \sum_{r<q} d_{qr} M_r` with the same d in all arms. For every later mediator an F-test
by least squares adds :math:`T M_r` for all earlier ones, and another :math:`M_r^2`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from pillprocess.output.multiplicity import holm
from pillprocess.participants.checked import Participants

LEVEL = 0.05
"""Chance of any doubt where none is due, all tests together."""


class Departure(NamedTuple):
    """One F-test: of the mediator ``later``, whether slopes differ ``"between arms"`` or lines ``"bend"``, with what strength."""

    later: str
    how: str
    F: float
    p: float


def order_departures(people: Participants, order: Sequence[str]) -> pd.DataFrame:
    """Test every later mediator of one trial's people; those who lack one of the values that a test needs do not enter it.

    Returns
    -------
    DataFrame with a row per test: ``later``, ``how``, ``F``, ``p``, and ``p_corrected`` for all of them (Holm).
    """
    T, X = people.treatment.to_numpy(float), people.covariates.to_numpy(float)
    M = people.mediators[list(order)].to_numpy(float)
    found = []
    for q in range(1, len(order)):
        seen = np.isfinite(M[:, : q + 1]).all(axis=1)
        t, m, y = T[seen], M[seen, :q], M[seen, q]
        m = (m - m.mean(0)) / m.std(0)
        base = np.column_stack([np.ones(len(y)), t, X[seen], m])
        more = {"between arms": np.hstack([t[:, [k]] * m for k in range(t.shape[1])]), "bend": m**2}
        for how, columns in more.items():
            if (tested := _f_test(base, columns, y)) is not None:
                found.append(Departure(order[q], how, *tested))
    table = pd.DataFrame(found, columns=list(Departure._fields))
    return table.assign(p_corrected=holm(table["p"].to_numpy(float)))


def order_doubts(people: Participants, order: Sequence[str]) -> list[str]:
    """What to say of an order whose slopes differ between arms or bend; nothing of one mediator."""
    words = {
        "between arms": "follows from what came before it differently in the arms",
        "bend": "does not follow from what came before it along straight lines",
    }
    return [
        f"{row['later']} {words[row['how']]} (F = {row['F']:.1f}, p = {row['p_corrected']:.2g} after correction): the order's effects "
        "assume one straight line for all arms, and may lie off by a part of what goes through it"
        for row in order_departures(people, order).to_dict("records") if row["p_corrected"] < LEVEL
    ]  # fmt: skip


def _f_test(base: np.ndarray, more: np.ndarray, y: np.ndarray) -> tuple[float, float] | None:
    """F and p of further columns; None where there are too few people, or columns that add nothing."""
    whole = np.hstack([base, more])
    rank = int(np.linalg.matrix_rank(whole))
    added, left = rank - int(np.linalg.matrix_rank(base)), len(y) - rank
    if added < more.shape[1] or left < 1:
        return None
    rest = [float(((y - A @ np.linalg.lstsq(A, y, rcond=None)[0]) ** 2).sum()) for A in (base, whole)]
    F = (rest[0] - rest[1]) / added / (rest[1] / left)
    return F, float(stats.f.sf(F, added, left))
