"""When something was measured: numbers, words such as "week 6", dates."""

import datetime
import re

import numpy as np
import pandas as pd

DAYS = {
    "s": 1 / 86400, "sec": 1 / 86400, "second": 1 / 86400, "min": 1 / 1440, "minute": 1 / 1440, "h": 1 / 24, "hr": 1 / 24, "hour": 1 / 24,
    "d": 1.0, "day": 1.0, "w": 7.0, "wk": 7.0, "week": 7.0, "mo": 30.4375, "mth": 30.4375, "month": 30.4375, "m": 30.4375, "y": 365.25,
    "yr": 365.25, "year": 365.25,
}  # fmt: skip
"""Days in a unit of time."""
NUMBER = r"[-+\u2212]?\d+(?:[.,]\d+)?"
UNIT = "|".join(sorted(DAYS, key=len, reverse=True))
AFTER = re.compile(rf"(?:t\s*\+?|\+)?\s*({NUMBER})\s*({UNIT})s?(?:\s*(?:after|post|since|later).*)?\.?")
BEFORE = re.compile(rf"({UNIT})s?\.?[\s_]*({NUMBER})")
ISO = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?(?:Z|[-+]\d\d:?\d\d)?"
)
OTHER = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2}))?)?")
ZERO = ("baseline", "dosing", "dose", "bl", "pre")
"""Words that are no time: what they mean depends on the trial."""


def given_time(given: str | float | None, table: pd.DataFrame) -> str | float | None:
    """Column of times, or one time; the text of a number is a number unless a column is called so."""
    if not isinstance(given, str) or given in table.columns:
        return given
    number = pd.to_numeric(given, errors="coerce")
    return given if pd.isna(number) else float(number)


def read_times(
    given: str | float | None, table: pd.DataFrame, *, unit: str = "", role: str
) -> tuple[pd.Series, str, list[str]]:
    """Times of a column or one time for everybody.

    Returns
    -------
    The times; their kind (``"date"``: days since 1970; ``"days"``: with a unit, as days; ``"number"``: without a unit; ``""``: none);
    and what cannot be read as a time.
    """
    nothing = pd.Series(np.nan, index=table.index, dtype=float)
    if given is None:
        return nothing, "", []
    column = (
        table[given]
        if isinstance(given, str) and given in table.columns
        else pd.Series([given] * len(table), table.index)
    )
    where = f"column {given!r}" if isinstance(given, str) and given in table.columns else f"the {role}"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        naive = column.dt.tz_localize(None) if column.dt.tz is not None else column
        return (naive - pd.Timestamp(0)) / pd.Timedelta(days=1), "date" if naive.notna().any() else "", []
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        return column / pd.Timedelta(days=1), "days", []
    read = {cell: _read(cell, unit) for cell in column.dropna().unique()}
    read |= _slashed([cell for cell, found in read.items() if found is None and isinstance(cell, str)])
    wrong = [cell for cell, found in read.items() if found is None]
    if wrong:
        shown = ", ".join(repr(cell) if isinstance(cell, str) else str(cell) for cell in wrong[:5]) + (
            f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        )
        how = 'write a number (days since dosing), "week 6" or a date as 2024-03-30'
        return nothing, "", [f"{where}: {shown} not a time; {how}"]
    kinds = {found[1] for found in read.values() if found}
    if len(kinds) > 1:
        words = {"date": "dates", "days": "times with a unit", "number": "numbers without one"}
        listed = " and ".join(words[k] for k in sorted(kinds))
        way_out = f"write all in one way, or say the unit of numbers in the codebook ([columns.{given}] unit)"
        return nothing, "", [f"{where} holds {listed}; {way_out}"]
    values = column.map(lambda cell: read[cell][0] if pd.notna(cell) and read[cell] else np.nan).astype(float)  # type: ignore[index]
    return values, next(iter(kinds), ""), []


def is_time(text: str) -> bool:
    """Whether a text is a time in words, such as "week 6" or 2024-03-30."""
    return _read(text, "") is not None


def _read(cell: object, unit: str) -> tuple[float, str] | None:
    """Value and kind of one cell."""
    if isinstance(cell, bool | np.bool_):
        return None
    if isinstance(cell, pd.Timestamp | datetime.date | datetime.datetime):
        return (pd.Timestamp(cell).tz_localize(None) - pd.Timestamp(0)) / pd.Timedelta(days=1), "date"
    if isinstance(cell, int | float | np.number):
        if not np.isfinite(cell):
            return None
        per = DAYS.get(unit.casefold().rstrip("s").strip())
        return (float(cell) * per, "days") if per else (float(cell), "number")
    text = str(cell).strip().casefold()
    if re.fullmatch(NUMBER, text):
        return _read(float(text.replace(",", ".").replace("\u2212", "-")), unit)
    for pattern, order in ((AFTER, (0, 1)), (BEFORE, (1, 0))):
        found = pattern.fullmatch(text)
        if found:
            number, name = (found.groups()[i] for i in order)
            return float(number.replace(",", ".").replace("\u2212", "-")) * DAYS[name], "days"
    found = ISO.fullmatch(str(cell).strip())
    return _date(*(found.group(i) for i in range(1, 7))) if found else None


def _slashed(cells: list[str]) -> dict[str, tuple[float, str] | None]:
    """Dates that begin with day or month, where the cells themselves tell which: 30/03/2024, or 30.03.2024."""
    found = {cell: OTHER.fullmatch(cell.strip()) for cell in cells}
    if not cells or not all(found.values()):
        return {}
    parts = {cell: match.groups() for cell, match in found.items() if match}
    day_first = all(p[1] == "." for p in parts.values()) or any(int(p[0]) > 12 for p in parts.values())
    month_first = any(int(p[2]) > 12 for p in parts.values())
    if day_first == month_first:
        return {}
    order = (3, 2, 0) if day_first else (3, 0, 2)
    return {cell: _date(*(p[i] for i in order), *p[4:7]) for cell, p in parts.items()}


def _date(year: str, month: str, day: str, *clock: str | None) -> tuple[float, str] | None:
    seconds = sum(int(c or 0) * per for c, per in zip(clock, (3600, 60, 1), strict=False))
    try:
        moment = datetime.datetime(int(year), int(month), int(day)) + datetime.timedelta(seconds=seconds)
    except ValueError:
        return None
    return (moment - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1), "date"
