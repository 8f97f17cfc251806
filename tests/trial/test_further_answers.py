"""Sentences on each of several mediators, on arms against each other and on a floor."""

from types import SimpleNamespace

import pandas as pd
import xarray as xr

from pillprocess.trial.further_answers import between_arms, each_mediator, floor_answer, on_floor, through_course


def rows(**labels: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(labels)
    return table.assign(mean=[-3.0, -2.0, -1.0] * (len(table) // 3), sd=0.5, ci_low=-4.0, ci_high=0.1)


def test_each_mediator_and_every_pair_of_arms_has_its_sentence():
    tables = {
        "interventional": rows(
            arm=["high"] * 6, mediator=["depth"] * 3 + ["early"] * 3, given=[""] * 3 + ["depth"] * 3, estimand=["oe", "ide", "iie"] * 2
        ),
        "contrasts": rows(arm=["high"] * 3, reference=["low"] * 3, estimand=["te", "pnde", "tnie"]),
    }  # fmt: skip
    assert list(each_mediator(tables, "high")) == [
        "Through depth alone: -1.00 [-4.00, 0.10]; not through it: -2.00 [-4.00, 0.10] (interventional).",
        "Through early alone, with depth as a common cause that treatment may itself have changed: -1.00 [-4.00, 0.10]; not through it: "
        "-2.00 [-4.00, 0.10] (interventional).",
    ]
    assert list(each_mediator({}, "high")) == list(each_mediator(tables, "low")) == []
    assert list(between_arms(tables, "depth and early")) == [
        "high against low, from the same fit: -3.00 [-4.00, 0.10] in total, of which -1.00 [-4.00, 0.10] through depth and early and "
        "-2.00 [-4.00, 0.10] not through it."
    ]
    assert list(between_arms({}, "depth")) == []


def test_several_mediators_before_one_are_common_causes():
    table = rows(arm=["high"] * 3, mediator=["early"] * 3, given=["depth, insight"] * 3, estimand=["oe", "ide", "iie"])
    (sentence,) = each_mediator({"interventional": table}, "high")
    assert "with depth, insight as common causes that treatment may itself have changed" in sentence


def test_a_course_over_sessions_has_its_sentence():
    table = rows(
        arm=["high"] * 6,
        estimand=["oe", "ide", "iie", *["session"] * 3],
        mediator=["", "", "", "depth_1", "depth_2", "depth_3"],
    )
    [said] = through_course({"trajectory": table}, "high", ["depth_1", "change", "depth_2", "depth_3"])
    assert said.startswith(
        "Through the course of depth_1, depth_2, depth_3, with change as common causes that treatment may itself have changed: "
        "-1.00 [-4.00, 0.10], to which each session adds: depth_1 -3.00 [-4.00, 0.10], depth_2 -2.00 [-4.00, 0.10], depth_3 -1.00"
    )
    assert (
        list(through_course({}, "high", ["depth_1"]))
        == list(through_course({"trajectory": table}, "low", ["depth_1"]))
        == []
    )


def test_a_floor_is_told_with_the_people_on_it():
    people = SimpleNamespace(mediators=pd.DataFrame({"depth": [0.0, 0.0, 2.5]}))
    [said] = floor_answer("depth", on_floor(people, xr.Dataset({"floor_mediator": 0.0})))
    assert said.startswith("2 people sit on the lowest score of depth, 0: they are taken to have that or less")
    assert list(floor_answer("depth", on_floor(people, xr.Dataset()))) == []
