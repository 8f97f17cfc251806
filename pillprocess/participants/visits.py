"""One row per visit becomes one row per person: what was measured at which visit, what is carried along, what conflicts."""

import re
from collections.abc import Mapping

import pandas as pd

from pillprocess.participants.coding import label, labels
from pillprocess.participants.people import identity_problems
from pillprocess.participants.scales import plain_name

EVENT, INSTRUMENT, INSTANCE = "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"
"""Columns of a REDCap export, whose first column is the record."""
CONFLICT = 0.2
"""Share of people in whom a column varies below which it is one that should not vary, and did."""


def visit_columns(table: pd.DataFrame, visit: str, person: str) -> tuple[str, str, list[str]]:
    """The columns that say visit and person: those named, else REDCap's; empty where the table has none. And problems."""
    names = list(map(str, table.columns))
    if not visit and not person and EVENT in names:
        visit = EVENT
    if visit and not person and EVENT in names:
        person = names[0]
    if bool(visit) != bool(person):
        return "", "", ["a visit column and a person column go together: name both, --visit and --person"]
    problems = [
        f"column {c!r} is not in the table, which has {', '.join(names)}"
        for c in dict.fromkeys((visit, person))
        if c and c not in names
    ]
    return ("", "", problems) if problems else (visit, person, [])


def one_row_per_person(
    table: pd.DataFrame, *, visit: str, person: str, names: Mapping[str, str]
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Put the rows of each person together.

    A column observed at one visit, or the same at all visits of every person, keeps its name; any other becomes one column
    per visit, ``COLUMN_VISIT``. People stand in the order of their first row, and are called by it.

    Returns
    -------
    The table; how it was put together, in sentences; and what conflicts.
    """
    problems = [
        f"column {c!r}: missing on {_rows(table.index[table[c].isna()])}; every row needs its {what}"
        for c, what in ((person, "person"), (visit, "visit")) if table[c].isna().any()
    ]  # fmt: skip
    if problems:
        return table, [], problems
    who = labels(table[person])
    problems = identity_problems(table, person)
    when = labels(table[visit])
    for extra in (INSTRUMENT, INSTANCE):
        if extra in table and extra != visit:
            more = labels(table[extra])
            when = when.where(more.isna(), when + " " + more.fillna(""))
    short = {v: names.get(v) or short_name(v) for v in dict.fromkeys(when)}
    clash = [v for v, name in short.items() if list(short.values()).count(name) > 1]
    if clash:
        shown = ", ".join(map(repr, clash))
        problems.append(
            f"column {visit!r}: the visits {shown} would have one name; give each its own under [visits.names] of the codebook"
        )
    twice = pd.DataFrame({"who": who, "when": when}).duplicated(keep=False)
    for (p, v), rows in list(
        table.index[twice].groupby([tuple(k) for k in zip(who[twice], when[twice], strict=True)]).items()
    )[:20]:
        problems.append(f"person {p!r} has visit {v!r} on {_rows(pd.Index(rows))}; a person has one row per visit")
    if problems:
        return table, [], problems
    order = list(dict.fromkeys(who))
    first = {p: row for row, p in zip(table.index[::-1], who[::-1], strict=True)}
    columns: dict[str, pd.Series] = {person: pd.Series(order, index=order, dtype=object)}
    once: dict[str, list[str]] = {}
    spread: list[str] = []
    for name in table.columns:
        if name in (person, visit, INSTRUMENT, INSTANCE):
            continue
        column = table[name]
        seen = column.notna()
        at = list(dict.fromkeys(when[seen]))
        values = column[seen].map(label)
        each = values.groupby(who[seen])
        several = each.size() > 1
        varies = each.nunique() > 1
        share = varies.sum() / max(int(several.sum()), 1)
        if len(at) <= 1 or not varies.any():
            columns[str(name)] = column[seen].groupby(who[seen]).first().reindex(order)
            if len(at) == 1:
                once.setdefault(short[at[0]], []).append(str(name))
        elif share < CONFLICT:
            for p in varies.index[varies][:20]:
                own = values[who[seen] == p]
                told = ", ".join(f"{cell!r} on row {row}" for row, cell in own.drop_duplicates().items())
                problems.append(
                    f"column {name!r}: person {p!r} has {told}; nearly everybody has one value at all visits, so one of them is a slip: "
                    "correct it in the table"
                )
        else:
            spread.append(str(name))
            for v in at:
                own = column[seen & (when == v)]
                columns[f"{name}_{short[v]}"] = own.set_axis(who[own.index]).reindex(order)
    double = [c for c in columns if f"{c}" in spread]
    if problems or double:
        return table, [], problems
    people = pd.DataFrame(columns, index=order).infer_objects().set_axis(pd.Index([first[p] for p in order]), axis=0)
    said = [
        f"{len(table)} rows of {len(short)} visits ({', '.join(f'{v} is {s}' for v, s in short.items())}) were put together to "
        f"{len(order)} people by {person!r}; a person is called by the first of these rows"
    ]
    said += [f"measured at {v} alone: {', '.join(c)}" for v, c in once.items()]
    if spread:
        said.append(
            f"measured at several visits, one column for each (as {spread[0]}_{next(iter(short.values()))}): {', '.join(spread)}"
        )
    return people, said, []


def short_name(visit: str) -> str:
    """Name of a visit as the end of a column's name: REDCap's arm number goes."""
    return re.sub(r"_arm_\d+$", "", plain_name(visit)) or visit


def _rows(index: pd.Index) -> str:
    listed = ", ".join(map(str, index[:5]))
    return f"row {listed}" + (f" and {len(index) - 5} more" if len(index) > 5 else "")
