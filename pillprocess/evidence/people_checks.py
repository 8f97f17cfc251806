"""Checks that people are counted once, and that a trial's primary rows lie within its randomised comparison."""

from collections.abc import Iterator

import pandas as pd

from pillprocess.evidence.checks import Tables
from pillprocess.evidence.files import report


def check_who_is_counted(tables: Tables) -> list[pd.DataFrame]:
    """List trials and arms that name others wrongly, and primary rows after the randomised comparison."""
    return [*check_counted_in(tables), *check_same_people(tables), *check_randomised_until(tables)]


def check_counted_in(tables: Tables) -> Iterator[pd.DataFrame]:
    """Trials said to hold the people of a trial that is not there, or of themselves."""
    trials = tables["trials"]
    if "counted_in" not in trials.given:
        return
    known = set(trials.cells["trial_id"]) - {""}
    texts = [
        _wrong_names([name for name in cell.split(";") if name], known, own, "trials.csv")
        for cell, own in zip(trials.cells["counted_in"], trials.cells["trial_id"], strict=True)
    ]
    wrong = pd.Series([text != "" for text in texts], trials.cells.index)
    yield report(trials, "counted_in", wrong, [text for text in texts if text])


def check_same_people(tables: Tables) -> Iterator[pd.DataFrame]:
    """Arms said to be the people of an arm that the trial does not have, or of themselves."""
    arms = tables["arms"]
    if not {"same_people_as", "trial_id", "arm_id"} <= arms.given:
        return
    cells = arms.cells
    by_trial = cells.groupby("trial_id")["arm_id"].agg(set)
    texts = [
        _wrong_names([name] if name else [], by_trial[trial], own, "this trial's arms")
        for name, trial, own in zip(cells["same_people_as"], cells["trial_id"], cells["arm_id"], strict=True)
    ]
    wrong = pd.Series([text != "" for text in texts], cells.index)
    yield report(arms, "same_people_as", wrong, [text for text in texts if text])


def check_randomised_until(tables: Tables) -> Iterator[pd.DataFrame]:
    """Days before the start; primary rows of included trials on a day when groups were no longer as randomised."""
    trials = tables["trials"]
    until = trials.data.drop_duplicates("trial_id").set_index("trial_id")["randomised_until"]
    yield report(trials, "randomised_until", trials.data["randomised_until"] < 0, "a day is not negative")
    for name in ("outcomes", "contrasts"):
        table = tables[name]
        last = table.data["trial_id"].map(until[until >= 0]).astype(float)
        late = (
            (table.data["time_days"] > last)
            & (table.data["include"] == 1)
            & (table.data["primary"] == 1)
            & (name == "outcomes" or table.cells["level"] == "between_arm")
        )
        texts = [f"a primary row, but the trial is randomised_until = {day:g}" for day in last[late]]
        yield report(table, "time_days", late, texts)


def _wrong_names(names: list[str], known: set[str], own: str, where: str) -> str:
    """What is wrong with the names, or ''."""
    if own in names:
        return "names itself"
    missing = [name for name in names if name not in known]
    return f"not among {where}: {', '.join(missing)}" if missing else ""
