"""Figures of arms against the field: how large a change, an SD, a baseline, a dose and a delay are elsewhere."""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from pillprocess.evidence.checks import Tables
from pillprocess.evidence.company import SOURCE, included
from pillprocess.evidence.instruments import expected_sd
from pillprocess.evidence.questions import ask

LARGEST_CHANGE = 3.5
"""Mean changes above this many SDs of their instrument are asked about; the embedded tables' largest is below."""

JUMP = 1.0
"""A mean this many SDs off the middle of the arm's times just before and after is asked about."""

WORSE = 0.5
"""An arm that gets worse, or a control that does better than the drug, by this many SDs is asked about."""

SDS_APART = 3.0
"""An SD this many times above or below what its instrument shows is asked about."""


def of_instrument(tables: Tables, name: str) -> pd.DataFrame:
    """Usual SDs and the direction of each row's instrument: ``sd``, ``baseline_sd``, ``change_sd``, ``sign``."""
    table = tables["instruments"].data.drop_duplicates("instrument").set_index("instrument")
    scale = table[table["kind"].ne("event")] if "kind" in table else table
    instrument = tables[name].data["instrument"]
    columns = {"sd": "reference_sd", "baseline_sd": "baseline_sd", "change_sd": "change_sd"}
    usual = {key: instrument.map(expected_sd(scale, column)).astype(float) for key, column in columns.items()}
    usual["sd"] = usual["sd"].fillna(usual["change_sd"])  # a scale that only changes were printed of
    sign = instrument.map(scale["higher_is_worse"]).map({1.0: 1.0, 0.0: -1.0}).astype(float)
    return pd.DataFrame(usual).assign(sign=sign)


def change_of(data: pd.DataFrame) -> pd.Series:
    """Mean change of each outcome row, printed or endpoint less baseline."""
    return data["change_mean"].fillna(data["post_mean"] - data["baseline_mean"])


def question_spread(tables: Tables) -> Iterator[pd.DataFrame]:
    """SDs that may be standard errors, and SDs far from what their instrument shows elsewhere."""
    outcomes = tables["outcomes"]
    usual, n = of_instrument(tables, "outcomes"), outcomes.data["n"]
    settle = "see whether the source says SD or SE (SE x sqrt(n) = SD)"
    for column, about, fold in (("baseline_sd", "baseline_sd", 3), ("post_sd", "sd", 3), ("change_sd", "change_sd", 4)):
        sd, expected = outcomes.data[column], usual[about]
        if_se = sd * np.sqrt(n.clip(lower=0))
        as_se = (sd > 0) & (n >= 5) & (sd < expected / fold) & if_se.between(expected / 2, expected * 2)
        found = zip(n[as_se], if_se[as_se], expected[as_se], strict=True)
        texts = [
            f"a standard error? times the root of n = {a:g} it is {b:.3g}, about the instrument's {c:.3g}"
            for a, b, c in found
        ]
        yield ask(outcomes, column, as_se, texts, settle)
        counted = included(tables, "outcomes") & ~as_se & (n >= 5)
        wrong = counted & (np.log(sd / expected).abs() > np.log(SDS_APART))
        yield ask(outcomes, column, wrong, [f"the instrument's SD is about {x:.3g}" for x in expected[wrong]], settle)
    implied = {
        "change_se": outcomes.data["change_se"] * np.sqrt(n),
        "change_ci_low": (outcomes.data["change_ci_high"] - outcomes.data["change_ci_low"]) / 3.92 * np.sqrt(n),
    }
    for column, sd in implied.items():
        wrong = included(tables, "outcomes") & (n >= 5) & (np.log(sd / usual["change_sd"]).abs() > np.log(SDS_APART))
        rows = zip(sd[wrong], usual["change_sd"][wrong], strict=True)
        yield ask(
            outcomes,
            column,
            wrong,
            [f"with n it makes an SD of the change of {a:.3g}, elsewhere about {b:.3g}" for a, b in rows],
            settle,
        )


def question_changes(tables: Tables) -> Iterator[pd.DataFrame]:
    """Changes of unusual size, changes for the worse, and printed changes that the two means do not give."""
    outcomes = tables["outcomes"]
    usual, data = of_instrument(tables, "outcomes"), outcomes.data
    counted = included(tables, "outcomes")
    change = change_of(data)
    size = usual["sign"] * change / usual["sd"]
    column_of = np.where(data["change_mean"].notna(), "change_mean", "post_mean")
    worse = counted & (size > WORSE)
    every = (size.where(counted & (data["primary"] == 1)) > 0).groupby(data["trial_id"]).transform("sum") == (
        counted & (data["primary"] == 1) & size.notna()
    ).groupby(data["trial_id"]).transform("sum")
    sole = (counted & (data["primary"] == 1) & size.notna()).groupby(data["trial_id"]).transform("sum") == 1
    most = size.where(data["primary"] == 1).groupby(data["trial_id"]).transform("max")
    all_worse = counted & (data["primary"] == 1) & every & ~sole & (size > 0.1)
    wrong = worse | (all_worse & (size == most))
    for column in ("change_mean", "post_mean"):
        here = wrong & (column_of == column)
        texts = [
            (
                f"every arm of this trial gets worse, this one by {x:.2g} SD"
                if everyone
                else f"this arm gets worse by {x:.2g} SD"
            )
            + (
                "; a change is endpoint less baseline, so an improvement is negative"
                if s > 0
                else "; on this scale more is better"
            )
            for x, everyone, s in zip(size[here], all_worse[here], usual["sign"][here], strict=True)
        ]
        yield ask(outcomes, column, here, texts, "see whether the source prints an improvement as a positive number")
        here = counted & (column_of == column) & (size.abs() > LARGEST_CHANGE)
        yield ask(outcomes, column, here, [f"a change of {x:.2g} SD" for x in size[here].abs()], SOURCE)
    follows = data["post_mean"] - data["baseline_mean"]
    wrong = counted & ((follows - data["change_mean"]).abs() > usual["sd"] / 4)
    yield ask(outcomes, "change_mean", wrong, [f"post_mean - baseline_mean is {x:.4g}" for x in follows[wrong]],
              "see whether the printed change is adjusted or of other people")  # fmt: skip


def question_baselines(tables: Tables) -> Iterator[pd.DataFrame]:
    """Baselines that differ between arms by more than chance, or lie far from every other trial's on the instrument."""
    outcomes = tables["outcomes"]
    usual, data = of_instrument(tables, "outcomes"), outcomes.data
    counted = included(tables, "outcomes") & data["baseline_mean"].notna()
    occasion = [data["trial_id"], data["instrument"]]
    middle = data["baseline_mean"].where(counted).groupby(occasion).transform("median")
    spread = data["baseline_sd"].fillna(usual["baseline_sd"])
    apart = (data["baseline_mean"] - middle).abs()
    error = spread / np.sqrt(data["n"].clip(lower=1)).fillna(np.sqrt(10))
    wrong = counted & (apart > 3 * error) & (apart > 0.75 * spread)
    yield ask(
        outcomes, "baseline_mean", wrong, [f"the trial's arms begin at about {x:.3g}" for x in middle[wrong]], SOURCE
    )
    by_trial = data.loc[counted].drop_duplicates(["trial_id", "instrument"])
    field = by_trial.groupby("instrument")["baseline_mean"].agg(["median", "size"])
    enough = data["instrument"].map(field["size"]).fillna(0) >= 5
    usual_start = data["instrument"].map(field["median"]).astype(float)
    wrong = counted & ~wrong & enough & ((data["baseline_mean"] - usual_start).abs() > 3.5 * usual["baseline_sd"])
    yield ask(
        outcomes, "baseline_mean", wrong, [f"other trials begin at about {x:.3g}" for x in usual_start[wrong]], SOURCE
    )
    post = data["post_mean"].where(included(tables, "outcomes"))
    low = (
        usual["sign"]
        * (post - post.groupby([data["trial_id"], data["arm_id"], data["instrument"]]).transform("median"))
        / usual["sd"]
    )
    wrong = low.abs() > LARGEST_CHANGE
    ordered = data.assign(post=post, sd=usual["sd"]).sort_values("time_days", kind="stable")
    course = ordered.groupby(["trial_id", "arm_id", "instrument"])["post"]
    between = (course.shift(1) + course.shift(-1)) / 2
    jump = ((ordered["post"] - between) / ordered["sd"]).reindex(post.index)
    wrong |= jump.abs() > JUMP
    yield ask(outcomes, "post_mean", wrong, "far from the arm's other times", SOURCE)


def question_times(tables: Tables) -> Iterator[pd.DataFrame]:
    """Days that may be weeks: against the label, the trial's other arms and its other tables."""
    outcomes, contrasts = tables["outcomes"], tables["contrasts"]
    settle = "days count from the first dose; write 42 for week 6"
    data = outcomes.data
    primary = included(tables, "outcomes") & (data["primary"] == 1)
    days = data["time_days"].where(primary)
    several = days.groupby(data["trial_id"]).transform("nunique") > 1
    middle = days.groupby(data["trial_id"]).transform("median")
    longest = days.groupby(data["trial_id"]).transform("max")
    shortest = days.groupby(data["trial_id"]).transform("min")
    wrong = primary & several & (longest > 1.5 * shortest + 2) & ((days == shortest) | (days == longest))
    yield ask(
        outcomes,
        "time_days",
        wrong,
        [
            f"the trial's primary rows are of days {a:g} to {b:g}"
            for a, b in zip(shortest[wrong], longest[wrong], strict=True)
        ],
        settle,
    )
    for name in ("outcomes", "contrasts"):
        table = tables[name]
        week = table.cells["timepoint"].str.lower().str.extract(r"(?:week|wk)s?\s*(\d+)|(\d+)[ -]*(?:weeks?|wk)")
        told = week[0].fillna(week[1]).astype(float) * 7
        day = table.cells["timepoint"].str.lower().str.extract(r"\bday\s*(\d+)\b|\b(\d+)[ -]days?\b")
        told = told.fillna(day[0].fillna(day[1]).astype(float))
        later = table.cells["timepoint"].str.contains(r"after|post", case=False).astype(bool)
        wrong = included(tables, name) & ~later & ((table.data["time_days"] - told).abs() > 8)
        yield ask(
            table,
            "time_days",
            wrong,
            [
                f"its label {text!r} is day {x:g}"
                for text, x in zip(table.cells["timepoint"][wrong], told[wrong], strict=True)
            ],
            settle,
        )
        wrong = included(tables, name) & (table.data["time_days"] > 2000)
        yield ask(table, "time_days", wrong, "more than five years", settle)
    first = pd.Series(middle, data.index).groupby(data["trial_id"]).first()
    here = included(tables, "contrasts") & (contrasts.data["primary"] == 1)
    other = contrasts.data["trial_id"].map(first).astype(float)
    day = contrasts.data["time_days"]
    wrong = here & ((day / other > 3) | (other / day > 3)) & (day > 0) & ((day - other).abs() > 6)
    yield ask(
        contrasts, "time_days", wrong, [f"the trial's primary outcome is of day {x:g}" for x in other[wrong]], settle
    )


def question_doses(tables: Tables) -> Iterator[pd.DataFrame]:
    """Doses far from the drug's reference dose; roles that the doses of the trial contradict; arms of another drug."""
    arms = tables["arms"]
    data, cells = arms.data, arms.cells
    counted = included(tables, "arms") & (data["include_arm"] == 1)
    relative = relative_doses(tables)
    settle = "see dose, unit and route at the source"
    active = counted & cells["role"].isin(["active", "single_arm"])
    wrong = active & ((relative > 3) | (relative < 0.1))
    yield ask(arms, "dose", wrong, [f"{x:.3g} times the drug's reference dose" for x in relative[wrong]], settle)
    low = counted & cells["role"].eq("low_dose")
    top = relative.where(active).groupby(cells["trial_id"]).transform("max")
    wrong = low & ((relative >= top) | (relative > 0.8))
    yield ask(
        arms, "role", wrong, [f"called low_dose, at {x:.3g} times the reference dose" for x in relative[wrong]], settle
    )
    given = cells["role"].isin(["active", "low_dose", "single_arm"])
    wrong = counted & given & (cells["drug"] != cells["study_drug"]) & (cells["study_drug"] != "")
    yield ask(
        arms, "drug", wrong, [f"the arm is compared within {word}" for word in cells["study_drug"][wrong]], settle
    )
    told = tables["trials"].cells.drop_duplicates("trial_id").set_index("trial_id")["study_drugs"]
    listed = cells["trial_id"].map(told).fillna("")
    unlisted = [
        bool(names) and word not in re.split(r"\s*[;,]\s*", names)
        for word, names in zip(cells["study_drug"], listed, strict=True)
    ]
    wrong = counted & pd.Series(unlisted, cells.index)
    yield ask(arms, "study_drug", wrong, [f"trials.csv has the trial compare {word}" for word in listed[wrong]], settle)
    known = tables["reference_doses"].cells
    pairs = set(zip(known["drug"], known["route"], strict=True))
    drugs = set(known["drug"])
    absent = [d in drugs and (d, r) not in pairs for d, r in zip(cells["drug"], cells["route"], strict=True)]
    wrong = active & pd.Series(absent, cells.index) & (cells["route"] != "") & data["dose"].notna()
    yield ask(
        arms,
        "route",
        wrong,
        "reference_doses.csv has no dose of the drug by this route, so the reference dose is assumed",
        settle,
    )


def relative_doses(tables: Tables) -> pd.Series:
    """Dose of each arm over its drug's reference dose by its route, where both are known."""
    arms = tables["arms"]
    relative = pd.Series(np.nan, arms.data.index)
    for reference in tables["reference_doses"].data.dropna(subset=["dose", "dose_column"]).itertuples():
        if str(reference.dose_column) in arms.data:
            match = arms.data["drug"].eq(reference.drug) & arms.data["route"].eq(reference.route)
            relative = relative.mask(match, arms.data[str(reference.dose_column)] / reference.dose)
    return relative
