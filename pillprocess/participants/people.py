"""Is a row a person? Rows that repeat people: a file pasted below itself, one row per visit, crossovers."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pillprocess.participants.coding import labels
from pillprocess.participants.scales import plain_name
from pillprocess.participants.spelling import spelling_key

PERSON = re.compile(
    r"(^|_)(id|ids|pid|ppid|sid|uid|subject|subj|subjid|usubjid|participant|patient|person|record|record_id|case|code|pseudonym|initials)"
    r"(_?(id|no|nr|num|number|code))?$"
)
"""Names of columns that say whose row it is."""
SETTLE = 'if these are different people, say repeated_rows="different people" (codebook: under [trial] repeated_rows = "different people")'


def person_columns(table: pd.DataFrame, taken: Sequence[str]) -> list[str]:
    """Columns that by name and content say whose row it is, other than those with a role."""
    found = []
    for name, column in table.items():
        plain = plain_name(name)
        if name not in taken and (PERSON.search(plain) or plain in ("redcap_record_id", "recordid", "studyid")):
            known = column.dropna()
            if len(known) >= 0.9 * len(column) and known.nunique() > max(2, len(column) / 20):
                found.append(str(name))
    return found


def identity_problems(table: pd.DataFrame, id: str | None) -> list[str]:
    """Identifiers that are one identifier spelt in two ways, such as P07 and p07."""
    if id is None:
        return []
    text = labels(table[id]).dropna()
    groups = text.groupby(text.map(spelling_key)).unique()
    several = [list(g) for g in groups if len(g) > 1]
    return [
        f"column {id!r}: {' and '.join(map(repr, g[:3]))} differ in capitals, spaces or zeros alone; are they one person?"
        for g in several[:5]
    ]


def repeated_people(
    table: pd.DataFrame,
    *,
    treatment: str,
    outcome: str,
    mediators: Sequence[str],
    before: Sequence[str],
    id: str | None,
    settled: bool,
) -> list[str]:
    """Rows that seem to be the same person again, and why.

    An identifier that nobody named; rows that agree in every column; rows that agree in all that was known before dosing,
    far more often than by chance. With an identifier that never repeats, only whole files pasted below themselves are found.
    """
    if settled or len(table) < 4:
        return []
    taken = [treatment, outcome, *mediators, *before, *([id] if id else [])]
    every = [str(c) for c in table.columns if c != id]
    pasted, chance = _same(table, every)
    if 4 * len(pasted) >= len(table) and _beyond_chance(len(pasted), len(table), chance, least=2):
        return [f"{_rows(pasted)} repeat an earlier row in every column{' but ' + repr(id) if id else ''}; {SETTLE}"]
    if id is None:
        for name in person_columns(table, taken):
            problem = _repeats_of(table, name, treatment)
            if problem:
                return [problem]
    others = [c for c in table.columns if c != id and c not in person_columns(table, taken)]
    same, chance = _same(table, others)
    many = len(same) >= len(table) / 4
    if len(same) and (many or id is None) and _beyond_chance(len(same), len(table), chance, least=1):
        return [f"{_rows(same)} repeat an earlier row in every column{' but ' + repr(id) if id else ''}; {SETTLE}"]
    if id is not None:
        return []
    known = [c for c in others if c not in (outcome, *mediators)]
    for left_out in [(), *[(c,) for c in known if c not in before]]:
        key = [c for c in known if c not in left_out]
        same, chance = _same(table, key)
        if key and 4 * len(same) >= len(table) and _beyond_chance(len(same), len(table), chance, least=4):
            without = f" (all but {left_out[0]!r})" if left_out else ""
            return [
                f"{_rows(same)} have the {', '.join(map(repr, key[:5]))}{without} of an earlier row: the table seems to hold several "
                f"rows per person; name the person with --id, and the visit with --visit where a row is a visit; {SETTLE}"
            ]
    return []


def crossover_problem(trial: pd.Series, arm: pd.Series, name: str) -> list[str]:
    """Trials that are people: most have one row in each of two arms."""
    counts = pd.crosstab(trial, arm)
    single = (counts.max(axis=1) <= 1) & ((counts > 0).sum(axis=1) >= 2)
    if len(counts) < 3 or single.mean() < 0.5:
        return []
    return [
        f"column {name!r} as trial: {int(single.sum())} of its {len(counts)} labels have one row in each arm, so they are people who had "
        "both treatments, not trials; one row per person and arm is too few for effects that vary between people. A crossover is not "
        "modelled: keep each person's first period (one row per person) and leave --trial out; nothing else is safe against carry-over"
    ]


def never_together(outcome: pd.Series, mediators: pd.DataFrame) -> list[str]:
    """Mediators that no row observed together with the outcome."""
    problems = []
    for name, column in mediators.items():
        both = int((column.notna() & outcome.notna()).sum())
        if both < 3 and column.notna().sum() >= 3 and outcome.notna().sum() >= 3:
            problems.append(
                f"no row has both {str(name)!r} and {str(outcome.name)!r}" if both == 0 else
                f"only {both} of {len(outcome)} rows have both {str(name)!r} and {str(outcome.name)!r}"
            )  # fmt: skip
            problems[-1] += (
                ": how the outcome follows the mediator is not in these data. If a row is a visit, put each person's rows together "
                "with --visit and --person (read_trial)"
            )
    return problems


def _repeats_of(table: pd.DataFrame, name: str, treatment: str) -> str | None:
    """What it means that an identifier nobody named repeats."""
    who = labels(table[name])
    again = who.duplicated(keep=False) & who.notna()
    people = who[again].nunique()
    if not people:
        return None
    arms = labels(table[treatment])[again].groupby(who[again]).nunique()
    if treatment in table and (arms > 1).mean() > 0.5:
        return (
            f"column {name!r}: {people} of {who.nunique()} are on several rows with different arms: a crossover, and its rows are not "
            "independent people. It is not modelled: keep each person's first period (one row per person), which no carry-over can touch"
        )
    way = "if a row is a visit, put the rows of a person together with --visit and --person (read_trial)"
    rows = _rows(who.index[who.duplicated()])
    return f"column {name!r}: {people} of {who.nunique()} are on several rows ({rows} repeat one); {way}; {SETTLE}"


def _same(table: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.Index, float]:
    """Rows that repeat an earlier one in these columns, and the pairs that would agree if the columns were independent."""
    if not columns:
        return table.index[:0], np.inf
    codes = pd.DataFrame(
        {str(i): pd.factorize(table[c].map(_plain), use_na_sentinel=True)[0] for i, c in enumerate(columns)}
    )
    empty = (codes == -1).all(axis=1)
    repeated = codes.duplicated() & ~empty
    agree = 1.0
    for column in codes:
        share = codes[column].value_counts(normalize=True)
        agree *= float((share**2).sum())
    n = len(table)
    return table.index[repeated.to_numpy()], n * (n - 1) / 2 * agree


def _beyond_chance(rows: int, n: int, chance: float, *, least: int) -> bool:
    return rows >= least and rows > 5 * chance + (0 if chance < 0.02 else 4) and chance < n / 4


def _plain(value: object) -> object:
    """A cell by which rows are compared; lists and the like by their text."""
    return value if isinstance(value, str | int | float | bool | None) or pd.api.types.is_scalar(value) else str(value)


def _rows(index: pd.Index) -> str:
    listed = ", ".join(map(str, index[:5]))
    return f"row {listed}" + (f" and {len(index) - 5} more" if len(index) > 5 else "")
