"""The trials one by one: points and bars stand where the numbers say, and what lies beyond the axis at its edge."""

import pandas as pd
import pytest

from pillprocess.review.explorer import BOTTOM, LEFT, RIGHT, TOP, explorer_context


def test_points_and_bars_stand_where_their_numbers_say():
    rows = [
        {
            "trial": "one",
            "drug": "psilocybin",
            "observed": -0.5,
            "observed_low": -1.0,
            "observed_high": 0.0,
            "observed_se": 0.25,
        },
        {
            "trial": "two",
            "drug": "MDMA",
            "observed": 0.5,
            "observed_low": 0.5,
            "observed_high": 0.5,
            "observed_se": 0.5,
        },
        {
            "trial": "far",
            "drug": "LSD",
            "observed": -9.0,
            "observed_low": -10.0,
            "observed_high": -8.0,
            "observed_se": 0.1,
        },
    ]
    found = explorer_context(pd.DataFrame(rows))
    points = {row["trial"]: row for row in found["explorer"]}
    assert points["far"]["x"] == LEFT
    assert points["two"]["x"] == RIGHT
    assert points["one"]["x"] == pytest.approx(LEFT + (RIGHT - LEFT) * 2.0 / 3.0, abs=0.1)
    assert points["two"]["y"] == pytest.approx(TOP + (BOTTOM - TOP) / 1.05, abs=0.1)
    assert points["one"]["bar"] == pytest.approx({"at": 106.7, "from_": 80.0, "to": 133.3}, abs=0.1)
    assert found["funnel"]["zero"] == pytest.approx(LEFT + (RIGHT - LEFT) * 2.5 / 3.0, abs=0.1)
    assert [tick["text"] for tick in found["funnel"]["ticks"]] == ["−2.5", "−2", "−1.5", "−1", "−0.5", "0", "0.5"]
    assert len({row["shape"] for row in found["explorer"]}) == 3
    assert [entry["drug"] for entry in found["funnel"]["legend"]] == ["psilocybin", "LSD", "MDMA"]


def test_without_a_controlled_trial_there_is_nothing_to_place():
    assert explorer_context(pd.DataFrame())["explorer"] == []
