"""Codings of a participant table: arms and doses to numbers, factors to 0/1 columns, text to labels."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pillprocess.participants.text_numbers import text_number_question

LARGEST = 1e12
"""Size of a value up to which sums of squares can be trusted; nothing larger is measured in a person."""
MOST_PLAIN = 6
"""Levels up to which a column of words is taken for a factor without a question."""
LONGEST = 60
"""Characters of a cell or label that an error shows."""
MOST_LEVELS = 100
"""Arms, or levels of a covariate, beyond which a column is taken for something else: an identifier, a date, a number."""


def label(value: object) -> str:
    """Text of one label; 1, 1.0 and "1" are the same label."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def labels(column: pd.Series) -> pd.Series:
    """Labels of a column; missing stays missing."""
    known = column.dropna()
    return known.map({value: label(value) for value in known.unique()}).astype(object).reindex(column.index)


def numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Columns as floats."""
    coded = {name: pd.to_numeric(column, errors="coerce").astype(float) for name, column in table.items()}
    return pd.DataFrame(coded, index=table.index)


def not_numeric(column: pd.Series) -> pd.Index:
    """Rows whose cell is there but is no number, or one too large to be computed with."""
    value = pd.to_numeric(column, errors="coerce").astype(float)
    wrong = column.notna() & ~(value.abs() <= LARGEST)
    if column.dtype == object:
        truths = column.map(lambda cell: isinstance(cell, bool | np.bool_))
        wrong |= truths & bool(truths.sum() < column.notna().sum())
    return column.index[wrong]


def code_arms(
    column: pd.Series, reference: str | float | None, active: str | float | None
) -> tuple[pd.DataFrame, pd.Series, str, list[str]]:
    """Code arms as one 0/1 column per active arm.

    Returns
    -------
    The columns, each participant's arm (missing where the arm is not compared), the reference label, and the problems.
    """
    arm = labels(column)
    levels = sorted(arm.dropna().unique())
    reference_label = "" if reference is None else label(reference)
    if reference is None and set(levels) in ({"0", "1"}, {"False", "True"}):
        reference_label = levels[0]
    wanted = [level for level in levels if level != reference_label] if active is None else [label(active)]
    named = listed(levels)
    problems = []
    if len(levels) < 2:
        problems.append(f"column {column.name!r}: the treatment has one level ({named}); two arms are needed")
    elif len(levels) > MOST_LEVELS:
        problems.append(
            f"column {column.name!r}: the treatment has {len(levels)} levels ({named}); is it another column?"
        )
        wanted = []
    elif not reference_label:
        problems.append(f"column {column.name!r}: {len(levels)} levels ({named}) and no reference; name one")
    elif reference_label not in levels:
        problems.append(f"column {column.name!r}: the reference {reference_label!r} is none of its levels ({named})")
    elif not set(wanted) <= set(levels) - {reference_label}:
        problems.append(f"column {column.name!r}: the active arm {wanted[0]!r} is none of its other levels ({named})")
    arm = arm.where(arm.isin([reference_label, *wanted]))
    treatment = pd.DataFrame({level: (arm == level).astype(float) for level in wanted}, index=column.index)
    return treatment, arm, reference_label, problems


def code_dose(
    column: pd.Series, reference: str | float | None, active: str | float | None
) -> tuple[pd.DataFrame, pd.Series, str, list[str]]:
    """Code a dose as 0 at the reference and 1 at the active dose; returns as `code_arms`."""
    everyone = pd.Series("all", index=column.index, dtype=object)
    try:
        low, high = float(reference or 0), float("nan" if active is None else active)
    except ValueError:
        low = high = np.nan
    if not (np.isfinite(low) and np.isfinite(high) and low != high):
        got = f"reference={reference!r} and active={active!r}"
        problem = f"column {column.name!r}: a dose is compared at two different numbers; got {got}"
        return pd.DataFrame(index=column.index), everyone, "", [problem]
    dose = (pd.to_numeric(column, errors="coerce").astype(float) - low) / (high - low)
    return dose.to_frame(label(high)), everyone, label(low), []


def code_covariates(
    table: pd.DataFrame, columns: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, str], list[str], list[str]]:
    """Numeric design columns of the covariates.

    A column is a factor when it is categorical, or when fewer than half of its cells are numbers; a column of numbers
    with a few words in it is a problem, not a factor.

    Returns
    -------
    Design columns, the source column of each, notes on reference levels, and problems.
    """
    parts: dict[str, pd.Series] = {}
    source: dict[str, str] = {}
    notes: list[str] = []
    problems: list[str] = []
    for name in columns:
        column = table[name]
        categorical = isinstance(column.dtype, pd.CategoricalDtype)
        words = pd.Index([]) if categorical else not_numeric(column)
        numeric = None if categorical else text_number_question(column)
        if numeric:
            problems.append(numeric)
        elif not categorical and (doubt := _no_factor(column, words)):
            problems.append(doubt)
        elif categorical or len(words) > len(column) / 2:
            value = labels(column)
            order = [label(c) for c in column.cat.categories] if categorical else sorted(value.unique())
            present = set(value)
            levels = [level for level in order if level in present]
            if _too_many(levels, column):
                text = f"column {name!r}: {len(levels)} different words on {len(column)} rows ({listed(levels)})"
                problems.append(f"{text} cannot be levels of a factor; leave it out, or write numbers")
                continue
            if len(levels) == 1:
                problems.append(f"covariate {name!r} has one value, {levels[0]}; leave it out")
                continue
            notes.append(f"covariate {name!r} is a factor with reference level {levels[0]!r}")
            for level in levels[1:]:
                parts[f"{name}[{level}]"] = (value == level).astype(float)
                source[f"{name}[{level}]"] = name
        elif len(words):
            problems.append(no_number(column, words))
        else:
            parts[name] = pd.to_numeric(column).astype(float)
            source[name] = name
    return pd.DataFrame(parts, index=table.index), source, notes, problems


def cells(column: pd.Series, rows: pd.Index) -> str:
    """Name cells in an error: ``row 3 ('n/a'), row 7 ('x') are``."""
    named = [f"row {row} ({_shown(column.loc[row])})" for row in rows[:5]]
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return ", ".join(named) + more + (" is" if len(rows) == 1 else " are")


def no_number(column: pd.Series, rows: pd.Index) -> str:
    """Say which cells of a column are no number, or too large a one, and the line of a codebook that would settle it."""
    large = pd.to_numeric(column.loc[rows], errors="coerce").notna().any()
    said = f"column {column.name!r}: {cells(column, rows)} not a number" + (f" of at most {LARGEST:g}" if large else "")
    question = text_number_question(column)
    words = list(dict.fromkeys(w for w in column.loc[rows] if isinstance(w, str)))
    if question:
        return f"{said}. {question.partition('computed with; ')[2]}"
    if not words:
        return said
    listed = ", ".join(
        '"' + w[:LONGEST].replace("\\", "\\\\").replace('"', '\\"') + '"' for w in words[:5] if w.isprintable()
    )
    return f"{said}. If nothing was observed there: codebook, under [columns.{column.name}] missing = [{listed}]"


def _too_many(levels: Sequence[str], column: pd.Series) -> bool:
    """Whether so many labels on so few rows can be no factor whatever they are."""
    return len(levels) > MOST_LEVELS or 2 * len(levels) > max(len(column), 20)


def _no_factor(column: pd.Series, words: pd.Index) -> str:
    """Ask about words that may be numbers or dates in other clothes, or too many to be levels; empty where nothing speaks for it."""
    if len(words) <= len(column) / 2 or pd.api.types.is_bool_dtype(column.dtype):
        return ""
    levels = sorted(labels(column).dropna().unique())
    if _too_many(levels, column):
        return ""
    with_digits = [level for level in levels if any(c.isdigit() for c in level)]
    if len(words) < column.notna().sum():
        why = "hold numbers and words in one column"
    elif len(levels) > MOST_PLAIN and 2 * len(with_digits) > len(levels):
        why = f"are {len(levels)} texts with numbers in them: numbers, dates or ranges rather than kinds of people"
    elif len(levels) > max(MOST_PLAIN, len(column) / 5):
        why = f"are {len(levels)} different words on {len(column)} rows, too many for kinds of people"
    else:
        return ""
    return (
        f"column {column.name!r}: {listed(levels)} {why}. Write numbers alone, or leave the column out; codebook: under "
        f'[columns.{column.name}] type = "factor" if each is a label'
    )


def listed(levels: Sequence[str]) -> str:
    """The first levels of a column, for an error."""
    more = f" and {len(levels) - 10} more" if len(levels) > 10 else ""
    return ", ".join(level if len(level) <= LONGEST else f"{level[:LONGEST]}..." for level in levels[:10]) + more


def _shown(cell: object) -> str:
    """A cell for an error: short, and without characters that would move the cursor."""
    text = repr(cell) if isinstance(cell, str) else str(cell)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def single_arm_trials(treatment: pd.DataFrame, trial: pd.Series) -> list[str]:
    """Trials in which everybody had the same treatment."""
    low, high = treatment.groupby(trial).min(), treatment.groupby(trial).max()
    return list(low.index[(low == high).all(axis=1)])
