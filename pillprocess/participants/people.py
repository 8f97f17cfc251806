"""Is a row a person? Rows that repeat people: a file pasted below itself, one row per visit, crossovers."""

import re
from collections.abc import Sequence
from itertools import combinations

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
NO_PERSON = re.compile(r"(^|_)(block|pair|strat|stratum|strata|cohort|batch|rater|therapist|week|day|date|time)")
"""Names of columns whose labels stand on equally many rows for another reason."""
RARE = 0.005
"""Pairs of rows expected to agree by chance below which two that agree are asked about even where an identifier tells them apart."""
MOST_TRIED = 8
"""Columns of which it is tried whether they keep rows of one person apart."""
MOST_SEARCHED = 5_000
"""Rows up to which two and three of them are tried at once."""
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
    far more often than by chance; values that come again in the same order.
    """
    if settled or len(table) < 4:
        return []
    taken = [treatment, outcome, *mediators, *before, *([id] if id else [])]
    every = [str(c) for c in table.columns if c != id]
    codes = _codes(table)
    pasted, chance = _same(codes, every)
    but = f" but {id!r}" if id else ""
    if 4 * len(pasted) >= len(table) and _beyond_chance(len(pasted), len(table), chance, least=2):
        return [f"{_rows(pasted)} repeat an earlier row in every column{but}; {SETTLE}"]
    named = person_columns(table, taken)
    if id is None:
        for name in [*named, *_persons_by_shape(table, [*taken, *named])]:
            problem = _repeats_of(table, name, treatment)
            if problem:
                return [problem]
    counted = [c for c in table.columns if c not in taken and table[c].nunique() == len(table)]
    others = [str(c) for c in table.columns if c != id and c not in named and c not in counted]
    same, chance = _same(codes, others)
    few = id is not None and 4 * len(same) < len(table)
    if len(same) >= 1 + few and (not few or chance < RARE) and _beyond_chance(len(same), len(table), chance, least=1):
        return [f"{_rows(same)} repeat an earlier row in every column{but}; {SETTLE}"]
    known = [c for c in others if c not in (outcome, *mediators)]
    for key in (known, [*known, *mediators], [*known, outcome]):
        found, left_out = _pairs_up(codes, key, before)
        if len(found):
            key = [c for c in key if c not in left_out]
            without = f" (all but {', '.join(map(repr, left_out))})" if left_out else ""
            return [
                f"{_rows(found)} have the {', '.join(map(repr, key[:5]))}{without} of an earlier row: the table seems to hold several "
                f"rows per person; name the person with --id, and the visit with --visit where a row is a visit; {SETTLE}"
            ]
    column = next((c for c in (*mediators, outcome) if not before and _stands_again(table[c])), None)
    if column is None:
        return []
    return [
        f"column {column!r} goes through the same values again and again, in the same order: the table seems to hold several rows per "
        f"person; put them together with --visit and --person, or keep one row of each; {SETTLE}"
    ]


def _persons_by_shape(table: pd.DataFrame, taken: Sequence[str]) -> list[str]:
    """Columns whose labels all stand on the same small number of rows, as people do who were seen twice."""
    found = []
    for name, column in table.items():
        if name in taken or NO_PERSON.search(plain_name(name)):
            continue
        counts = column.value_counts()
        rows = int(counts.median()) if len(counts) else 0
        if len(counts) >= 8 and 2 <= rows <= 6 and (counts == rows).mean() >= 0.9 and column.isna().mean() < 0.05:
            found.append(str(name))
    return found


def _pairs_up(codes: pd.DataFrame, columns: Sequence[str], before: Sequence[str]) -> tuple[pd.Index, tuple[str, ...]]:
    """Rows that agree with an earlier one in all columns but up to three that were not measured before dosing, which tell them apart."""
    free = sorted((c for c in columns if c not in before), key=lambda c: codes[c].nunique())
    sizes = (0, 1, 2, 3) if len(codes) <= MOST_SEARCHED else (0, 1)
    for left_out in (names for size in sizes for names in combinations(free[:MOST_TRIED], size)):
        key = [c for c in columns if c not in left_out]
        same, chance = _same(codes, key) if key else (codes.index[:0], 0.0)
        if 4 * len(same) >= len(codes) and _beyond_chance(len(same), len(codes), chance, least=4):
            return same, left_out
    return codes.index[:0], ()


def _stands_again(column: pd.Series) -> bool:
    """Whether a column repeats itself: below itself, or with each value on several rows in turn."""
    values = pd.factorize(column.map(_plain), use_na_sentinel=True)[0]
    n, seen = len(values), values >= 0
    if pd.Series(values[seen]).nunique() < 10:
        return False
    for k in (2, 3, 4):
        for blocks in (values.reshape(k, -1), values.reshape(-1, k).T) if n % k == 0 else ():
            pairs = (blocks[1:] >= 0) & (blocks[:-1] >= 0)
            if pairs.sum() >= n / 4 and (blocks[1:] == blocks[:-1])[pairs].mean() >= 0.95:
                return True
    return False


def crossover_problem(trial: pd.Series, arm: pd.Series, name: str) -> list[str]:
    """Trials that are people: most have one row in each of two arms."""
    counts = pd.crosstab(trial, arm)
    single = (counts.max(axis=1) <= 2) & ((counts > 0).sum(axis=1) >= 2)
    if len(counts) < 3 or single.mean() < 0.5:
        return []
    rows = "one row" if counts[single].to_numpy().max() == 1 else "one or two rows"
    return [
        f"column {name!r} as trial: {int(single.sum())} of its {len(counts)} labels have {rows} in each arm, so they are people who had "
        "both treatments, not trials; one row per person and arm is too few for effects that vary between people. Read a crossover "
        "with load_crossover (--period and --id) and model it with crossover_mediation, or "
        "keep each person's first period (one row per person) and leave "
        "--trial out; nothing else is safe against carry-over"
    ]


def never_together(outcome: pd.Series, mediators: pd.DataFrame) -> list[str]:
    """Mediators that no row observed together with the outcome."""
    problems = []
    for name, column in mediators.items():
        both = int((column.notna() & outcome.notna()).sum())
        least = min(int(column.notna().sum()), int(outcome.notna().sum()))
        if least >= 3 and both < max(3, least / 5):
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
            "independent people. Read it with load_crossover (--period and --id) and model it with crossover_mediation, or "
            "keep each person's first period "
            "(one row per person), which no carry-over can touch"
        )
    way = "if a row is a visit, put the rows of a person together with --visit and --person (read_trial)"
    rows = _rows(who.index[who.duplicated()])
    return f"column {name!r}: {people} of {who.nunique()} are on several rows ({rows} repeat one); {way}; {SETTLE}"


def _codes(table: pd.DataFrame) -> pd.DataFrame:
    """Every column as whole numbers, one per distinct cell, in order where cells are numbers; -1 where nothing was observed."""
    coded = {
        str(c): pd.factorize(x.map(_plain), use_na_sentinel=True, sort=pd.api.types.is_numeric_dtype(x.dtype))[0]
        for c, x in table.items()
    }
    return pd.DataFrame(coded, index=table.index)


def _same(codes: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.Index, float]:
    """Rows that repeat an earlier one in these columns, and the pairs that would agree if the columns were independent.

    A column that another one of few values determines adds nothing to what agrees by chance.
    """
    if not columns:
        return codes.index[:0], np.inf
    own = codes[list(columns)]
    repeated = own.duplicated() & ~(own == -1).all(axis=1)
    n, agree = len(codes), 1.0
    counted: list[tuple[np.ndarray, int]] = []
    for column in sorted((own[c].to_numpy() for c in own), key=lambda x: -x.max()):
        values, share = np.unique_counts(column)
        if any(_follows(column, other, levels, n) for other, levels in counted):
            continue
        counted.append((column, len(values)))
        agree *= float(((share / n) ** 2).sum())
    return codes.index[repeated.to_numpy()], n * (n - 1) / 2 * agree


def _follows(column: np.ndarray, other: np.ndarray, levels: int, n: int) -> bool:
    """Whether codes are those of another column, forwards or backwards, or one of few values determines them."""
    if (column == other).all() or (column == other.max() - other).all():
        return True
    return 4 * levels < n and len(np.unique(column.astype(np.int64) * (other.max() + 2) + other)) == levels


def _beyond_chance(rows: int, n: int, chance: float, *, least: int) -> bool:
    return rows >= least and rows > 5 * chance + (0 if chance < 0.02 else 4) and chance < n / 4


def _plain(value: object) -> object:
    """A cell by which rows are compared; lists and the like by their text."""
    return value if isinstance(value, str | int | float | bool | None) or pd.api.types.is_scalar(value) else str(value)


def _rows(index: pd.Index) -> str:
    listed = ", ".join(map(str, index[:5]))
    return f"row {listed}" + (f" and {len(index) - 5} more" if len(index) > 5 else "")
