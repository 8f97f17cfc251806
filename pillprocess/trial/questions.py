"""What is asked of columns without a role that may change the model: therapists and sites, the outcome at other visits, crossovers."""

from collections.abc import Mapping, Sequence

import pandas as pd

from pillprocess.participants.codebook import Codebook
from pillprocess.participants.coding import labels
from pillprocess.participants.description import CLUSTER, CROSSOVER, VISIT
from pillprocess.participants.roles import Roles
from pillprocess.participants.scales import plain_name

ASKED = "ASKED: "
"""How a question begins among the notes of the check and the report."""


def open_questions(
    table: pd.DataFrame, roles: Roles, codebook: Codebook, *, visits: Mapping[str, float], period: str | None
) -> list[str]:
    """Ask about columns that nobody has said anything of; the analysis goes on without them, and its report repeats the question.

    Parameters
    ----------
    table, roles, codebook
        As read.
    visits, period
        Outcome's columns and times, and the column of the period, where the trial is read with them.
    """
    taken = {
        *(roles.treatment, roles.outcome, roles.baseline, roles.trial, roles.id, period), *roles.mediators, *roles.covariates,
        *roles.clusters, *visits,
    }  # fmt: skip
    free = [str(c) for c in table.columns if c not in taken and codebook.of(c).use != "none"]
    several = bool(visits) or period is not None
    questions = [
        *(_cluster(table[c], visits=bool(visits), period=period) for c in free if _is_cluster(table[c])),
        *([] if several else _other_visits(table, roles.outcome, free)),
        *(
            _order(c)
            for c in free
            if not several and CROSSOVER.search(plain_name(c)) and labels(table[c]).nunique() == 2
        ),
    ]
    return [ASKED + question for question in questions]


def _is_cluster(column: pd.Series) -> bool:
    count = labels(column).nunique()
    return bool(CLUSTER.search(plain_name(column.name))) and 2 <= count <= len(column) / 2


def _cluster(column: pd.Series, *, visits: bool, period: str | None) -> str:
    count, none = labels(column).nunique(), _none(str(column.name))
    how = f"name it with --cluster {column.name} (codebook: [trial] clusters), with --trial or --covariate"
    if visits:
        how = f"name it with --cluster {column.name} (codebook: [trial] clusters), or with --covariate"
    elif period is not None:
        how = "the model of periods has no clusters: a covariate is the most it can be"
    return (
        f"column {str(column.name)!r} has {count} labels on {len(column)} rows and no role: people who share a therapist or a site may do "
        f"alike, and intervals that leave this out are too narrow. Is it one? Then {how}; {none} where it is nothing of the kind"
    )


def _other_visits(table: pd.DataFrame, outcome: str, free: Sequence[str]) -> list[str]:
    """Columns named as the outcome but for its last number, where they were seen in people who lack the outcome."""
    own = VISIT.match(outcome)
    if own is None or outcome not in table:
        return []
    names = [(c, VISIT.match(c)) for c in free]
    same = [c for c, at in names if at and (at[1], at[3]) == (own[1], own[3])]
    gone = table[outcome].isna()
    known = int(table.loc[gone, same].notna().any(axis=1).sum()) if same else 0
    if not known:
        return []
    listed = ", ".join(map(repr, same))
    every = ", ".join(f"--outcomes {c}=TIME" for c in [*same, outcome][:3])
    return [
        f"{listed} seem to be {outcome!r} at other visits, and {known} of the {int(gone.sum())} people who lack it were seen then: "
        f"if they left because of it, an analysis of {outcome!r} alone is biased. Name the visits, each with its time ({every}; codebook: "
        f"[trial] outcomes = {{ {outcome} = TIME, ... }}); {_none(same[0])} where it is another thing"
    ]


def _order(column: str) -> str:
    return (
        f"column {column!r} speaks of periods or their order: is this a crossover, whose people had both treatments? Then keep one row per "
        f"person and period, and name the period with --period and the person with --id; {_none(column)} where it is nothing of the kind"
    )


def _none(column: str) -> str:
    return f'say [columns.{column}] use = "none" in the codebook'
