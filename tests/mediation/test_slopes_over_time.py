"""Straight lines over sessions: an F-test by hand, and how often worlds of plain NumPy are doubted."""

import numpy as np
import pandas as pd
import pytest

from pillprocess.mediation.slopes_over_time import order_departures, order_doubts
from pillprocess.participants.table import load_participants
from tests.mediation.sessions import ORDER, World, trial


def people(table: pd.DataFrame):
    return load_participants(
        table, treatment="arm", reference=0, outcome="madrs_6", mediators=list(ORDER), covariates="x", higher_is_worse=True,
        repeated_rows="different people",
    )  # fmt: skip


def test_the_test_is_a_comparison_of_two_regressions():
    table = trial(World(), 90, 2)
    table.loc[[3, 8], "madrs_1"] = np.nan
    found = order_departures(people(table), ORDER).set_index(["later", "how"])
    rows = table.dropna(subset=["insight_1", "madrs_1"])
    one, t, x, m = np.ones(len(rows)), rows["arm"], rows["x"], rows["insight_1"]
    rest = [
        np.linalg.lstsq(np.column_stack(A), rows["madrs_1"], rcond=None)[1][0]
        for A in ((one, t, x, m), (one, t, x, m, t * m), (one, t, x, m, m**2))
    ]
    for how, other in zip(("between arms", "bend"), rest[1:], strict=True):
        assert found.loc[("madrs_1", how), "F"] == pytest.approx((rest[0] - other) / (other / (len(rows) - 5)))
    assert len(found) == 8
    assert (found["p_corrected"] >= found["p"]).all()
    assert found["p_corrected"].min() == pytest.approx(min(1, 8 * found["p"].min()))


def test_too_few_people_and_columns_that_add_nothing_are_not_tested():
    table = trial(World(), 60, 2).assign(madrs_1=lambda d: (d["madrs_1"] > 0).astype(float))
    found = order_departures(people(table), ORDER)
    assert ("insight_2", "bend") not in set(
        zip(found["later"], found["how"], strict=True)
    )  # 0 and 1 have no square of their own


@pytest.mark.parametrize(
    ("world", "least", "most"),
    [(World(), 0.0, 0.125), (World(uneven=0.3), 0.4, 1.0), (World(bent=0.15), 0.4, 1.0), (World(trait=0.7), 0.0, 0.15)],
    ids=["as assumed", "slopes differ between arms", "lines bend", "an unmeasured trait"],
)
def test_worlds_whose_lines_differ_are_doubted_and_others_seldom(world, least, most):
    """40 trials of 300 people; an unmeasured trait cannot be seen here."""
    pool = people(trial(World(), 300, 0))
    doubted = []
    for seed in range(40):
        table = trial(world, 300, seed)
        doubted.append(bool(order_doubts(with_mediators(pool, table), ORDER)))
    assert least <= np.mean(doubted) <= most


def with_mediators(pool, table: pd.DataFrame):
    from dataclasses import replace

    return replace(pool, mediators=table[list(ORDER)].set_index(pool.mediators.index))


def test_a_doubt_says_which_mediator_and_how():
    table = trial(World(uneven=0.6), 600, 1)
    said = order_doubts(people(table), ORDER)
    assert any(
        text.startswith("madrs_1 follows from what came before it differently in the arms (F = ") for text in said
    )
