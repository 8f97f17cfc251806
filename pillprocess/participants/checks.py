"""What makes a table of participants unfit for a mediation analysis, or doubtful: each check returns sentences."""

import difflib
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pillprocess.participants.codebook import Codebook
from pillprocess.participants.coding import labels, no_number, not_numeric
from pillprocess.participants.scales import plain_name
from pillprocess.participants.times import DAYS, read_times

SMALLEST = 1e-12
"""Size of the largest value of a column below which it is rounding error, or in an absurd unit."""
MOST_NAMED = 20
"""Participants with several rows that are named before they are only counted."""
FEW = 10
"""Participants in an arm below which a warning is given."""


def role_problems(table: pd.DataFrame, roles: Mapping[str, Sequence[str]], times: Sequence[str]) -> list[str]:
    """Columns that are absent, repeated in the file, or given two roles."""
    problems = []
    given: dict[str, list[str]] = {}
    for role, columns in roles.items():
        for column in columns:
            given.setdefault(column, []).append(role)
    absent = [c for c in [*given, *times] if c not in table.columns]
    if absent:
        listed = ", ".join(map(str, table.columns))
        problems += [
            f"column {c!r} is not in the table, which has {listed}{_near(c, table)}" for c in dict.fromkeys(absent)
        ]
    double = {c: " and ".join(r) for c, r in given.items() if len(r) > 1}
    problems += [f"column {c!r} has two roles, {r}; it can have one" for c, r in double.items()]
    problems += [f"column {c!r} occurs twice in the table" for c in given if (table.columns == c).sum() > 1]
    if table.empty:
        problems.append("the table has no rows")
    return problems


def _near(name: str, table: pd.DataFrame) -> str:
    """A column that may have been meant."""
    plain = {plain_name(c): str(c) for c in table.columns}
    near = difflib.get_close_matches(plain_name(name), list(plain), 1)
    return f"; did you mean {plain[near[0]]!r}?" if near else ""


def duplicate_problems(table: pd.DataFrame, id: str | None, treatment: str) -> list[str]:
    """Participants with more than one row."""
    if id is None:
        return []
    repeated = table.loc[table[id].duplicated(keep=False) & table[id].notna(), id]
    groups = list(repeated.index.groupby(repeated.to_numpy()).items())
    problems = [
        f"column {id!r}: {value!r} is on {_rows(rows)}; a participant has one row"
        for value, rows in groups[:MOST_NAMED]
    ]
    if len(groups) > MOST_NAMED:
        problems.append(f"column {id!r}: {len(groups) - MOST_NAMED} more participants have several rows")
    arms = (
        labels(table[treatment]).loc[repeated.index].groupby(labels(repeated)).nunique() if len(groups) else pd.Series()
    )
    if len(groups) and (arms > 1).mean() > 0.5:
        problems.append(
            f"column {id!r}: {int((arms > 1).sum())} people had several arms: a crossover; read it with load_crossover and model it with "
            "crossover_mediation, or keep each person's first period (one row per person), which no carry-over can touch"
        )
    elif groups:
        problems.append(
            "if a row is a visit, the rows of a person are put together with --visit and --person (read_trial)"
        )
    return problems


def number_problems(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Cells that are no finite number."""
    found = {c: not_numeric(table[c]) for c in columns}
    return [no_number(table[c], rows) for c, rows in found.items() if len(rows)]


def event_problems(table: pd.DataFrame, outcome: str, event: str, higher_is_worse: bool | None) -> list[str]:
    """Events that are not told apart from the end of follow-up, and a direction that nobody said."""
    if found := number_problems(table, [event]):
        return found
    happened = pd.to_numeric(table[event])
    odd = table.index[happened.notna() & ~happened.isin([0, 1])]
    unknown = table.index[happened.isna() & table[outcome].notna()]
    problems = [] if higher_is_worse is not None else [
        f"outcome {outcome!r} is a time to an event: say whether later is better, --higher-is-better (a relapse), or worse, "
        "--higher-is-worse (a remission) (higher_is_worse=False or True; codebook: under [trial] higher_is_worse = false)"
    ]  # fmt: skip
    if len(odd):
        problems.append(
            f"column {event!r}: {table[event][odd[0]]} on {_rows(odd)}; 1 is where it happened, 0 where follow-up ended without it"
        )
    elif not (happened == 1).any():
        problems.append(f"column {event!r}: nobody had the event, so nothing about its time can be learned")
    if len(unknown):
        problems.append(
            f"column {event!r}: missing on {_rows(unknown)}, where {outcome!r} is not: did the event happen then, or follow-up end?"
        )
    return problems


def incomplete_problems(table: pd.DataFrame, columns: Sequence[str], before: Sequence[str]) -> list[str]:
    """Treatment, trial and covariates that are missing; some of those measured before treatment can be drawn."""
    problems = []
    for column in columns:
        rows = table.index[table[column].isna()]
        if len(rows):
            way_out = "fill it in, or set such rows aside with incomplete='set_aside' (--incomplete set_aside)"
            if column in before and table[column].nunique() > 2 and not len(not_numeric(table[column])):
                way_out += ", or draw it several times with impute_baselines and pool the fits (pool_imputed_fits)"
            problems.append(f"column {column!r}: missing on {_rows(rows)}; {way_out}")
    return problems


def time_problems(
    table: pd.DataFrame, mediator_time: str | float | None, outcome_time: str | float | None, codebook: Codebook
) -> tuple[list[str], list[str]]:
    """Mediators measured before dosing, or not before the outcome, and times that cannot be compared; and notes."""
    (mediator, kind, problems), (outcome, other, unread) = (
        read_times(given, table, unit=codebook.of(given).unit, role=role)
        for given, role in ((mediator_time, "mediator's time"), (outcome_time, "outcome's time"))
    )
    problems += unread
    problems += [
        f"{given!r} as time: no cell of it is a time; fill it in, or leave it out"
        for given, found in ((mediator_time, kind), (outcome_time, other))
        if given is not None and not found and not problems
    ]
    units = [_unit_named(given) for given in (mediator_time, outcome_time)]
    if kind == other == "number" and all(units) and units[0] != units[1] and not problems:
        problems.append(
            f"times: {mediator_time!r} is named in {units[0]}s and {outcome_time!r} in {units[1]}s, and both hold numbers without a unit; "
            f'say the units in the codebook: under [columns.{mediator_time}] unit = "{units[0]}s", under [columns.{outcome_time}] '
            f'unit = "{units[1]}s"'
        )
    if kind and other and kind != other and not problems:
        words = {"date": "a date", "days": "a time with a unit", "number": "a number without a unit"}
        problems.append(
            f"times: {mediator_time!r} holds {words[kind]} and {outcome_time!r} {words[other]}; they cannot be compared. Write both in one "
            "way, or say the unit of a column of numbers in the codebook"
        )
    if problems:
        return problems, []
    early, late = mediator.index[mediator < 0], mediator.index[mediator >= outcome]
    if len(early) and kind != "date":
        problems.append(f"the mediator was measured before dosing on {_rows(early)}: it is a covariate, not a mediator")
    if len(late):
        problems.append(f"the mediator was not measured before the outcome on {_rows(late)}: it cannot carry an effect")
    unknown = mediator.index[(mediator.isna() & (kind != "")) | (outcome.isna() & (other != ""))]
    notes = (
        [f"times are missing on {_rows(unknown)}: that the mediator came first was not checked there"]
        if len(unknown)
        else []
    )
    return problems, notes


def named_time_problems(mediators: Sequence[str], outcome: str) -> list[str]:
    """Ask about mediators whose names say that they were measured after the outcome."""
    after = _times_named(outcome)
    late = [m for m in mediators if any(a == b and x > y for a, x in _times_named(m) for b, y in after)]
    return [
        f"columns {m!r} and {outcome!r}: by their names the mediator was measured after the outcome, and then it cannot carry an effect. "
        "If the names mislead, say when both were measured: --mediator-time and --outcome-time (codebook: under [trial] mediator_time, "
        "outcome_time)"
        for m in late
    ]


def _times_named(name: str) -> list[tuple[str, float]]:
    """Times in the name of a column: days (``madrs_w6``, ``meq_day1``), or the number of a visit (``bdi_t2``)."""
    apart = re.sub(r"(?<=[a-z])_?(?=week|day)", "_", plain_name(name))
    found = re.findall(r"(?:^|_)(day|d|week|wk|w|month|visit|v|t)_?(\d+)(?=_|$)", apart)
    return [("days", float(n) * DAYS[u]) if u in DAYS else (u[0], float(n)) for u, n in found]


def _unit_named(given: object) -> str:
    """The unit of time that the name of a column names."""
    found = re.findall(r"hour|day|week|month|year", plain_name(given)) if isinstance(given, str) else []
    return found[0] if len(set(found)) == 1 else ""


def constant_problems(
    outcome: pd.Series, mediators: pd.DataFrame, covariates: pd.DataFrame, arm: pd.Series, trial: pd.Series
) -> list[str]:
    """Variables that do not vary, and arms in which a variable was never observed."""
    problems = []
    for name, column in [(str(outcome.name), outcome), *((str(m), mediators[m]) for m in mediators)]:
        seen = column.groupby(arm).count()
        problems += [f"column {name!r} was never observed in arm {a!r}" for a in seen.index[seen == 0]]
        cells = column.dropna().groupby([trial, arm])
        if (cells.min() == cells.max()).all():
            problems.append(f"column {name!r} does not vary within any arm, so no association with it is identified")
        elif column.abs().max() < SMALLEST:
            problems.append(f"column {name!r}: every value is below {SMALLEST:g} in size; write it in a larger unit")
    for name, x in covariates.items():
        if x.abs().max() < SMALLEST:
            problems.append(f"covariate {str(name)!r}: every value is below {SMALLEST:g} in size; leave it out")
        elif x.min() == x.max():
            problems.append(f"covariate {str(name)!r} has one value, {x.iloc[0]:g}; leave it out")
    return problems


def rank_problems(treatment: pd.DataFrame, covariates: pd.DataFrame) -> list[str]:
    """Covariates that the treatment and the covariates before them determine exactly."""
    names = [*treatment.columns, *covariates.columns]
    design = np.hstack([treatment.to_numpy(), covariates.to_numpy()])
    spread = design - design.mean(0)
    scale = np.sqrt((spread**2).sum(0))
    gram = (spread.T @ spread) / np.outer(scale, scale).clip(np.finfo(float).tiny)
    kept: list[int] = []
    problems = []
    for k in np.flatnonzero(scale > 0):
        if np.linalg.eigvalsh(gram[np.ix_([*kept, k], [*kept, k])])[0] > 1e-6:
            kept.append(int(k))
        else:
            problems.append(
                f"covariate {names[k]!r} follows exactly from the treatment and other covariates; leave it out"
            )
    return problems


def size_notes(arm: pd.Series) -> list[str]:
    """Arms with few participants."""
    return [
        f"arm {a!r} has {n} participants; with fewer than {FEW} the answer leans on the priors"
        for a, n in arm.value_counts().items()
        if n < FEW
    ]


def mediator_notes(mediators: pd.DataFrame, arm: pd.Series, reference: str) -> list[str]:
    """Mediators that do not vary in one arm, and what is then not identified."""
    notes = []
    for name, column in mediators.items():
        for a, values in column.dropna().groupby(arm):
            if values.min() < values.max():
                continue
            lost, kept = ("pnie and tnde", "tnie and pnde") if a == reference else ("tnie and pnde", "pnie and tnde")
            notes.append(
                f"mediator {str(name)!r} is constant ({values.iloc[0]:g}) in arm {str(a)!r}: the outcome's slope on it "
                f"is not identified there, so the interaction, {lost} rest on the priors; {kept} use the slope in the "
                "other arm"
            )
    return notes


def binary_notes(mediators: pd.DataFrame, outcome: pd.Series) -> list[str]:
    """Columns of 0 and 1, for which a binary family may be meant."""
    columns = {"mediator": mediators, "outcome": outcome.to_frame()}
    return [
        f"{role} {str(name)!r} holds 0 and 1 alone: family_{role} 'probit' or 'logit' models its risk, the Gaussian default a "
        "straight line through it"
        for role, table in columns.items()
        for name, column in table.items()
        if column.dropna().isin([0, 1]).all()
    ]


def unobserved_notes(mediators: pd.DataFrame, outcome: pd.Series) -> list[str]:
    """Participants of whom neither mediators nor outcome are known."""
    unseen = outcome.index[outcome.isna() & mediators.isna().all(axis=1)]
    if unseen.empty:
        return []
    return [f"neither mediator nor outcome was observed on {_rows(unseen)}: they add nothing but their covariates"]


def outcome_notes(outcome: pd.Series, baseline: pd.Series | None, higher_is_worse: bool) -> list[str]:
    """How to read the outcome: its direction, and whether it is a change already."""
    name = str(outcome.name)
    better = "negative effects are improvement" if higher_is_worse else "positive effects are improvement"
    notes = [f"outcome {name!r}: {'higher is worse' if higher_is_worse else 'higher is better'}, so {better}"]
    if baseline is None:
        return notes
    signed = bool(outcome.min() < 0 <= baseline.min())
    if signed or any(word in name.lower() for word in ("change", "delta", "diff")):
        notes.append(
            f"outcome {name!r} looks like a change score; adjusted for baseline {str(baseline.name)!r}, its effects "
            "are those on the endpoint"
        )
    return notes


def _rows(index: pd.Index) -> str:
    listed = ", ".join(map(str, index[:5]))
    return f"row {listed}" + (f" and {len(index) - 5} more" if len(index) > 5 else "")
