"""The check of proportional odds: its size where they are proportional, its power where they are not, and where nobody can tell."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special

from pillprocess.mediation.proportional import proportional_doubt, proportional_odds
from pillprocess.participants.table import load_participants


def simulated(rng: np.random.Generator, n: int, spread: float) -> pd.DataFrame:
    """Four categories; slopes on the mediator go from -.6 + spread to -.6 - spread over the thresholds."""
    t = np.arange(n) % 2
    m = t + rng.normal(size=n)
    chance = [special.expit(a - 0.3 * t + (-0.6 + s) * m) for a, s in ((0.9, spread), (0.0, 0), (-0.9, -spread))]
    u = rng.random(n)
    y = 1.0 + sum(u < p for p in np.minimum.accumulate(chance, axis=0))
    return pd.DataFrame({"arm": t, "m": m, "cgi": y})


def people(rng: np.random.Generator, n: int, spread: float):
    table = simulated(rng, n, spread)
    return load_participants(
        table, treatment="arm", outcome="cgi", mediators="m", repeated_rows="different people", higher_is_worse=True
    )


def test_proportional_odds_are_doubted_no_more_often_than_chance_has_it():
    rng = np.random.default_rng(1)
    of = people(rng, 300, 0.0)
    tables = [simulated(rng, 300, 0.0) for _ in range(60)]
    own = [replace(of, mediators=t[["m"]], outcome=t["cgi"]) for t in tables]
    p = np.array([proportional_odds(who, interaction=True).p for who in own])
    assert 0 <= (p < 0.05).mean() <= 0.17
    assert 0.3 < np.median(p) < 0.7


def test_odds_that_are_not_proportional_are_doubted_in_words():
    said = proportional_doubt(people(np.random.default_rng(2), 1500, 0.4), interaction=False)
    assert "the odds of cgi do not look proportional (Brant's test: chi-squared" in said
    assert "the slope on m is" in said
    assert "Effects on one threshold are safer from a column of 0 and 1" in said
    assert proportional_doubt(people(np.random.default_rng(3), 1500, 0.0), interaction=False) == ""


def test_slopes_by_threshold_are_those_of_separate_logistic_regressions():
    found = proportional_odds(people(np.random.default_rng(4), 8000, 0.3), interaction=False)
    assert found.names == ["1", "m"]
    assert found.thresholds.tolist() == [2, 3, 4]
    assert found.slopes[:, 1] == pytest.approx([-0.3, -0.6, -0.9], abs=0.09)
    assert (found.df, found.p < 1e-6) == (4, True)


def test_too_few_people_on_one_side_of_a_threshold_tell_nothing():
    assert proportional_odds(people(np.random.default_rng(5), 60, 0.0), interaction=True) is None
    assert proportional_doubt(people(np.random.default_rng(5), 60, 0.0), interaction=True) == ""
