"""Rows over time: which days are still compared as randomised, and what several days of one arm say besides."""

import warnings
from typing import Literal

import numpy as np
import pandas as pd

Times = Literal["primary", "all"]

UNCONTROLLED = ("single_arm", "case_series")

TIME_COLUMNS = ["primary", "n_doses", "days_from_last_dose", "redosing"]
"""What rows at every time say besides."""


def still_randomised(rows: pd.DataFrame) -> pd.Series:
    """Whether a row's trial compared its arms as randomised on that day (1), or no longer, or never (0).

    Where no last day is known, the primary time is the last; where neither is, no day counts as randomised.
    """
    last = rows["trial_randomised_until"].fillna(rows["primary_time"])
    late = rows["time_days"].notna() & ~(rows["time_days"] <= last)
    return (~late & ~rows["trial_design"].isin(UNCONTROLLED)).astype(int)


def with_times(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows at several times of one arm: labels that tell the times apart, days from the last dose, and whether dosing went on."""
    once = rows["n_doses"].isin([0, 1]) | (rows["dose"] == 0)
    own = rows["days_from_last_dose"] if "days_from_last_dose" in rows else pd.Series(np.nan, index=rows.index)
    dosed = rows["time_days"] - own
    last = dosed.where(rows["primary"] == 1).groupby([rows["trial"], rows["arm"]]).transform("max")
    first = once | (rows["time_days"] <= 1)
    done = (rows["time_days"] >= rows["primary_time"]) | (dosed >= last)
    return rows.assign(
        label=[f"{label}, day {day:g}" for label, day in zip(rows["label"], rows["time_days"], strict=True)],
        days_from_last_dose=own.fillna(rows["time_days"].where(first)),
        redosing=(~first & ~done).astype(int),
    )


def warn_of_late_rows(rows: pd.DataFrame) -> None:
    """Name the controlled trials whose row lies after their randomised comparison."""
    late = rows[(rows["randomised"] == 0) & ~rows["design"].isin(UNCONTROLLED)]
    if len(late):
        days = late.groupby("trial")[["time_days", "trial_randomised_until"]].max()
        names = ", ".join(
            f"{trial} (day {day:g}, "
            + ("how long it stayed randomised is not known)" if np.isnan(last) else f"randomised until {last:g})")
            for trial, day, last in days.itertuples()
        )
        text = f"no randomised comparison any more, as after a crossover: {names}; these rows have randomised = 0"
        warnings.warn(text, UserWarning, stacklevel=3)


def check_times(times: str) -> None:
    """Raise unless times is one of the two choices."""
    if times not in ("primary", "all"):
        raise ValueError(f"times = {times!r}; it must be 'primary' or 'all'")
