"""A two-period crossover: each person once with and once without the treatment, one row per person and period."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pillprocess.participants.checked import Participants
from pillprocess.participants.codebook import Codebook, as_codebook
from pillprocess.participants.coding import labels
from pillprocess.participants.reading import ParticipantError, read_trial
from pillprocess.participants.table import load_participants


@dataclass(frozen=True)
class Crossover:
    """Checked people of a crossover; whoever has no row in the second period is in it with what was not observed.

    Attributes
    ----------
    first, second
        Participants by period. ``first`` alone is a parallel trial that no carry-over can touch: ``mediation(crossover.first)``.
    periods
        Labels of the two periods.
    """

    first: Participants
    second: Participants
    periods: tuple[str, str]

    def __len__(self) -> int:
        return len(self.first)


def load_crossover(
    source: pd.DataFrame | str | Path,
    *,
    person: str,
    period: str,
    treatment: str,
    outcome: str,
    mediator: str,
    reference: str | float | None = None,
    covariates: str | Sequence[str] = (),
    higher_is_worse: bool | None = None,
    codebook: Codebook | str | Path | None = None,
) -> Crossover:
    """Check the table of a two-period crossover, one row per person and period.

    Parameters
    ----------
    source
        As in `load_participants`.
    person, period
        Columns of the person and the period of a row; the lower label is the first period.
    treatment, outcome, reference, higher_is_worse, codebook
        As in `load_participants`. Everybody has two arms, one in each period.
    mediator
        Column of the mediator, measured in both periods before the outcome of that period.
    covariates
        Columns measured once, before the first period.

    Returns
    -------
    Crossover

    Raises
    ------
    ParticipantError
        Lists every problem: of the design (periods, arms, people), and of each period's rows.

    Warns
    -----
    UserWarning
        As `load_participants`, by period.
    """
    book = as_codebook(codebook)
    name = "the table of participants" if isinstance(source, pd.DataFrame) else Path(source).name
    table = read_trial(source, codebook=book)
    before = [covariates] if isinstance(covariates, str) else list(covariates)
    problems = [f"column {c!r} is not in the table" for c in (person, period, treatment, *before) if c not in table]
    problems = problems or design_problems(table, person, period, treatment, before)
    if problems:
        raise ParticipantError(problems, name)
    when = labels(table[period])
    order = sorted(when.unique(), key=lambda p: (not p.isdigit(), int(p) if p.isdigit() else 0, p))
    loaded: list[Participants] = []
    for label in order:
        try:
            loaded.append(
                load_participants(
                    table[when == label], treatment=treatment, outcome=outcome, mediators=[mediator], reference=reference,
                    covariates=before, id=person, higher_is_worse=higher_is_worse, codebook=book,
                )
            )  # fmt: skip
        except ParticipantError as error:
            problems += [f"period {label}: {problem}" for problem in error.problems]
    if problems:
        raise ParticipantError(problems, name)
    by_person = [_by_person(p, labels(table.loc[p.outcome.index, person])) for p in loaded]
    return Crossover(by_person[0], _aligned(by_person[1], by_person[0]), (order[0], order[1]))


def design_problems(table: pd.DataFrame, person: str, period: str, treatment: str, before: Sequence[str]) -> list[str]:
    """What makes a table other than a crossover of two periods and two arms."""
    who, when, arm = (labels(table[c]) for c in (person, period, treatment))
    problems = [
        f"column {c!r}: missing on {int(table[c].isna().sum())} rows"
        for c in (person, period, treatment)
        if table[c].isna().any()
    ]
    if when.nunique() != 2 or arm.nunique() != 2:
        problems.append(
            f"a two-period crossover has 2 periods and 2 arms; column {period!r} has {when.nunique()}, column {treatment!r} {arm.nunique()}"
        )
    twice = pd.DataFrame({"who": who, "when": when}).duplicated()
    same = arm.groupby(who).nunique()[who.value_counts() > 1] < 2
    late = set(who) - set(who[when == min(when.dropna(), default="")])
    for what, found in (
        ("has a period twice", who[twice]), ("had one arm in both periods", same.index[same.to_numpy()]),
        ("has no row in the first period", sorted(late)),
    ):  # fmt: skip
        problems += [f"person {p!r} {what}" for p in list(dict.fromkeys(found))[:20]]
    for c in before:
        varies = table.groupby(who)[c].nunique() > 1
        problems += [f"covariate {c!r} of person {p!r} differs between periods" for p in varies.index[varies][:5]]
    return problems


def _by_person(people: Participants, who: pd.Series) -> Participants:
    """The same participants, their rows called by person."""
    index = pd.Index(who, name=None)
    tables = {
        n: getattr(people, n).set_axis(index)
        for n in ("outcome", "mediators", "treatment", "covariates", "trial", "arm")
    }
    return replace(people, **tables)


def _aligned(second: Participants, first: Participants) -> Participants:
    """The second period with a row for everybody of the first; who has none would have had the other arm."""
    index = first.outcome.index
    other = {first.reference: str(first.treatment.columns[0]), str(first.treatment.columns[0]): first.reference}
    return replace(
        second, outcome=second.outcome.reindex(index), mediators=second.mediators.reindex(index), treatment=1 - first.treatment,
        covariates=first.covariates, trial=first.trial, arm=first.arm.map(other), covariate_source=first.covariate_source,
    )  # fmt: skip


def both_periods(crossover: Crossover) -> Participants:
    """All rows of both periods as participants, first period first; whose rows they are is not in them."""
    one, two = crossover.first, crossover.second
    parts = {
        n: pd.concat([getattr(one, n), getattr(two, n)])
        for n in ("outcome", "mediators", "treatment", "covariates", "trial", "arm")
    }
    index = pd.RangeIndex(2 * len(one))
    return replace(one, **{n: part.set_axis(index) for n, part in parts.items()})


def values_of(crossover: Crossover) -> np.ndarray:
    """Mediator in both periods, then outcome in both: (person, 4)."""
    one, two = crossover.first, crossover.second
    return np.column_stack([one.mediators, two.mediators, one.outcome, two.outcome]).astype(float)
