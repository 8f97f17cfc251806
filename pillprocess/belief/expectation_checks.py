"""What makes a table unfit for expectancy as a moderator, or doubtful; known before a model is built."""

from collections.abc import Sequence

import pandas as pd

from pillprocess.participants.codebook import ColumnCodes
from pillprocess.participants.coding import labels, not_numeric
from pillprocess.participants.dependence import is_determined
from pillprocess.participants.odd_values import number_questions


def expectation_problems(
    table: pd.DataFrame, *, treatment: str, reference: str, outcome: str, expectations: list[str], timing: str,
    scale: str | None, person: str | None, baseline: str | None, turned: list[str],
) -> list[str]:  # fmt: skip
    """Everything that makes the table unfit."""
    if table.empty or not expectations:
        what = "the table has no rows" if table.empty else "no expectation was named; name its column with expectancy="
        return [what]
    problems = []
    if timing != "pre_dose":
        problems.append(
            f"{', '.join(map(repr, expectations))} measured after dosing ({timing}) follow from the drug and cannot moderate "
            "its effect; belief after dosing is a mediator: use unblinding"
        )
    given = [treatment, outcome, *expectations, *([baseline] if baseline else [])]
    named = given + [c for c in (scale, person) if c]
    problems += [
        f"column {c!r} has {named.count(c)} roles; it can have one" for c in dict.fromkeys(named) if named.count(c) > 1
    ]
    absent = [c for c in named if c not in table.columns]
    if absent:
        own = ", ".join(str(c) for c in table.columns if c != "(scale)")
        return [*problems, *(f"column {c!r} is not in the table, which has {own}" for c in absent)]
    for column in given[1:]:
        wrong = not_numeric(table[column])
        if len(wrong):
            problems.append(f"column {column!r}: {table.loc[wrong[0], column]!r} is not a number")
    for column in named:
        if table[column].isna().any():
            problems.append(
                f"column {column!r}: {int(table[column].isna().sum())} rows are missing; leave them out of the table"
            )
    if not problems:
        problems += constant_columns(table, treatment, outcome, expectations, baseline)
    arms = sorted(labels(table[treatment]).dropna().unique())
    if len(arms) != 2 or reference not in arms:
        problems.append(
            f"column {treatment!r} holds {', '.join(arms)}; two arms are compared, one of them the reference {reference!r}"
        )
    strange = sorted(set(turned) - set(table["(scale)"]))
    if strange:
        problems.append(
            f"higher_is_better names {', '.join(strange)}; the scales are {', '.join(sorted(set(table['(scale)'].dropna())))}"
        )
    if not person and table["(scale)"].nunique() > 1:
        problems.append("several scales and no person: name the column that says whose row it is")
    if person:
        twice = table.duplicated([person, "(scale)"]) & table[person].notna()
        if twice.any():
            who = table.loc[twice, person].iloc[0]
            problems.append(
                f"{int(twice.sum())} rows repeat a person on a scale, the first is {who}; keep one time per person"
            )
        for column in expectations:
            moved = table.groupby(person)[column].nunique() > 1
            if moved.any():
                problems.append(
                    f"column {column!r} changes within {int(moved.sum())} people, the first is {moved.index[moved][0]}; an "
                    "expectation rated before dosing has one value per person"
                )
    return problems


def constant_columns(
    table: pd.DataFrame, treatment: str, outcome: str, expectations: list[str], baseline: str | None
) -> list[str]:
    """Columns that do not vary, or that others determine, so that the model has nothing to learn from them."""
    problems = []
    for column in [*expectations, *([baseline] if baseline else [])]:
        values = table[column].astype(float)
        if is_constant(values):
            problems.append(
                f"column {column!r} does not vary: it is {values.iloc[0]:g} for everybody, so nothing can depend on it; leave it out"
            )
    arm = labels(table[treatment])
    for column in expectations if not problems else []:
        still = table[column].astype(float).groupby(arm).agg(is_constant)
        problems += [
            f"column {column!r} does not vary in arm {a!r}, so whether the effect depends on it cannot be told from these people"
            for a in still.index[still]
        ]
    if baseline and table["(scale)"].nunique() > 1 and not problems:
        flat = table[baseline].astype(float).groupby(table["(scale)"]).agg(is_constant)
        problems += [
            f"column {baseline!r} does not vary on scale {s!r}; leave the baseline or that scale out"
            for s in flat.index[flat]
        ]
    spread = table[outcome].astype(float).groupby([table["(scale)"], arm]).agg(is_constant)
    for scale, everywhere in spread.groupby(level=0).all().items():
        if everywhere:
            where = f" on scale {scale!r}" if table["(scale)"].nunique() > 1 else ""
            problems.append(
                f"column {outcome!r} does not vary within any arm{where}, so no effect on it can be estimated"
            )
    if not problems:
        known = pd.concat(
            [(arm == arm.iloc[0]).astype(float).rename("(arm)"), table[[baseline]] if baseline else table[[]]], axis=1
        )
        for column in expectations:
            if not is_determined(table[column].astype(float), known.astype(float)):
                known = known.assign(**{column: table[column]})
                continue
            problems.append(
                f"column {column!r} follows exactly from the arm, the baseline or another expectation; leave one of them out"
            )
    for scale, rows in table.groupby("(scale)") if not problems else ():
        if is_determined(rows[outcome].astype(float), known.loc[rows.index].astype(float)):
            where = f" on scale {scale!r}" if table["(scale)"].nunique() > 1 else ""
            problems.append(
                f"column {outcome!r} follows exactly from the arm, the baseline and the expectations{where}; leave one of them out"
            )
    return problems


def is_constant(values: pd.Series) -> bool:
    """Whether values differ by no more than rounding."""
    return bool(len(values) == 0 or values.max() - values.min() <= 1e-6 * max(1.0, float(values.abs().max())))


def expectation_doubts(table: pd.DataFrame, columns: Sequence[str], treatment: str) -> list[str]:
    """Values of columns of numbers that may be codes for missing or slips; see `number_questions`."""
    return [q for c in columns for q in number_questions(table[c], labels(table[treatment]), ColumnCodes())]
