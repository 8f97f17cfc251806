"""Sentences on what goes beyond one arm and one mediator: each of several mediators, arms against each other, a mediator's floor."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
import xarray as xr

from pillprocess.mediation.paths import estimate_text
from pillprocess.participants.table import Participants

NOTHING = pd.DataFrame({"arm": []})


def each_mediator(tables: Mapping[str, pd.DataFrame], arm: str) -> Iterator[str]:
    """The interventional effects of each of several mediators."""
    table = tables.get("interventional", NOTHING)
    for mediator, rows in table[table["arm"] == arm].groupby("mediator", sort=False) if len(table) else ():
        own = rows.set_index("estimand").to_dict("index")
        given = rows["given"].iloc[0]
        role = "common causes" if ", " in given else "a common cause"
        others = f", with {given} as {role} that treatment may itself have changed" if given else ""
        yield (
            f"Through {mediator} alone{others}: {estimate_text(own['iie'])}; not through it: {estimate_text(own['ide'])} (interventional)."
        )


def through_course(tables: Mapping[str, pd.DataFrame], arm: str, mediators: Sequence[str]) -> Iterator[str]:
    """The interventional effects through one measure over sessions, and what each session adds."""
    table = tables.get("trajectory", NOTHING)
    rows = table[table["arm"] == arm].to_dict("records")
    if not rows:
        return
    own = {row["estimand"]: row for row in rows if not row["mediator"]}
    sessions = {row["mediator"]: estimate_text(row) for row in rows if row["mediator"]}
    between = " and ".join(m for m in mediators if m not in sessions)
    causes = f", with {between} as common causes that treatment may itself have changed" if between else ""
    told = ", ".join(f"{name} {text}" for name, text in sessions.items())
    yield (
        f"Through the course of {', '.join(sessions)}{causes}: {estimate_text(own['iie'])}, to which each session adds: {told}. Not "
        f"through it: {estimate_text(own['ide'])} (interventional). It is assumed that nothing unmeasured affects a session's experience "
        "and what comes after it."
    )
    curve = tables.get("trajectory_sensitivity", NOTHING)
    of_trait = {
        round(r["strength"], 2): r for r in curve[curve["arm"] == arm].to_dict("records") if r["estimand"] == "iie"
    }
    if of_trait:
        yield (
            "An unmeasured trait that raises every session by .3 of its residual SD and lowers the outcome by .3 of its own would leave "
            f"{estimate_text(of_trait[-0.3])} through the course; one that raises both, {estimate_text(of_trait[0.3])}."
        )


def between_arms(tables: Mapping[str, pd.DataFrame], mediators: str) -> Iterator[str]:
    """The effects of active arms against each other."""
    for (arm, reference), rows in (
        tables["contrasts"].groupby(["arm", "reference"], sort=False) if "contrasts" in tables else ()
    ):
        own = rows.set_index("estimand").to_dict("index")
        yield (
            f"{arm} against {reference}, from the same fit: {estimate_text(own['te'])} in total, of which {estimate_text(own['tnie'])} "
            f"through {mediators} and {estimate_text(own['pnde'])} not through it."
        )


def floor_answer(mediator: str, floor: Mapping[str, float]) -> Iterator[str]:
    """What effects are of where people sit on the mediator's floor."""
    if floor:
        yield (
            f"{floor['people']:g} people sit on the lowest score of {mediator}, {floor['value']:g}: they are taken to have that or less, "
            "and effects are those of what lies behind the score."
        )


def on_floor(people: Participants, data: xr.Dataset) -> dict[str, float]:
    """The mediator's floor and how many people sit on it, where it is modelled."""
    if "floor_mediator" not in data:
        return {}
    floor = float(data["floor_mediator"])
    return {"value": floor, "people": int((people.mediators.iloc[:, 0] == floor).sum())}
