"""Families, order and levels of a mediation model: what can be chosen, and what does not suit the columns; known before PyMC is loaded."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd

from pillprocess.participants.checked import Participants

Scale = Literal["difference", "log_odds_ratio", "log_risk_ratio", "log_rate_ratio"]
Family = Literal["gaussian", "probit", "logit", "student_t", "negative_binomial", "ordinal_probit", "ordinal_logit"]
Quantity = Literal["at_least"]
type Of = Mapping[Quantity, float]

FAMILIES: tuple[str, ...] = get_args(Family)
SCALES: tuple[str, ...] = get_args(Scale)
BINARY = ("probit", "logit")
COUNTS = ("negative_binomial",)
ORDINAL = ("ordinal_probit", "ordinal_logit")
LINKED = (*BINARY, *COUNTS, *ORDINAL)
"""Families whose mean is no straight line of the linear predictor."""
MOST_CATEGORIES = 25
PATHS = ("a", "b", "c")


def check_family(family: str, role: str, values: pd.DataFrame) -> list[str]:
    """Unknown families, and binary families of values that are not 0 or 1."""
    if family not in FAMILIES:
        return [f"family_{role} = {family!r}; it must be one of {', '.join(FAMILIES)}"]
    if family in COUNTS and role == "mediator":
        return [
            f"family_{role} = {family!r} is for outcomes; a count that mediates may be gaussian, after a root or logarithm"
        ]
    if family in ORDINAL and role == "mediator":
        return [f"family_{role} = {family!r} is for outcomes; an ordered score that mediates may be gaussian"]
    if family in ORDINAL:
        counts = [(name, column.nunique()) for name, column in values.items()]
        return [
            f"family_{role} = {family!r} needs 2 to {MOST_CATEGORIES} ordered categories in column {str(name)!r}; it holds {n} different "
            "values; a score of many values may be gaussian or student_t"
            for name, n in counts
            if not 2 <= n <= MOST_CATEGORIES
        ]
    if family in COUNTS:
        return [
            f"family_{role} = {family!r} needs counts, 0, 1, 2 and so on, in column {str(name)!r}; it holds {value:g}"
            for name, column in values.items()
            for value in column[column.notna() & ((column < 0) | (column % 1 != 0))].head(1)
        ]
    if family not in BINARY:
        return []
    return [
        f"family_{role} = {family!r} needs 0 or 1 in column {str(name)!r}; it holds {value:g}"
        for name, column in values.items()
        for value in column[column.notna() & ~column.isin([0, 1])].head(1)
    ]


def choice_problems(
    mediators: pd.DataFrame,
    outcome: pd.Series,
    *,
    family_mediator: str,
    family_outcome: str,
    order: Sequence[str] | None,
    m: float | Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    scale: str = "difference",
    of: Mapping[str, float] | None = None,
    covariates: Sequence[str] = (),
) -> list[str]:
    """Families that do not suit their columns, an order or levels that do not name every mediator once, a scale or covariate unknown."""
    names = [str(c) for c in mediators.columns]
    ordered = names if order is None else list(order)
    problems = [] if names else ["no mediator was named"]
    problems += check_family(family_mediator, "mediator", mediators)
    problems += check_family(family_outcome, "outcome", outcome.to_frame())
    if family_outcome in COUNTS and family_mediator == "student_t":
        problems.append(
            f"family_outcome = {family_outcome!r} with a student_t mediator: the mean count is infinite; use a gaussian mediator"
        )
    if len(ordered) > 1 and family_mediator != "gaussian":
        problems.append(
            f"family_mediator = {family_mediator!r}: several mediators must be 'gaussian'; fit others singly"
        )
    if sorted(ordered) != sorted(names):
        problems.append(f"order = {ordered} must list each of {names} once, causes first")
    if isinstance(m, Mapping) and set(m) != set(names):
        problems.append(f"m = {dict(m)}: give a value to each mediator, {', '.join(names)}")
    problems += unknown_covariates(at, covariates)
    return problems + (
        of_problems(of, family_outcome, np.unique(outcome.dropna())) or scale_problems(scale, family_outcome, of)
    )


def unknown_covariates(at: Mapping[str, float] | None, covariates: Sequence[str]) -> list[str]:
    """Values of what is no design column."""
    unknown = sorted(set(at or {}) - set(covariates))
    if not unknown:
        return []
    return [f"at: no covariate {', '.join(unknown)}; the design columns are {', '.join(covariates) or 'none'}"]


def scale_problems(scale: str, family_outcome: str, of: Mapping[str, float] | None = None) -> list[str]:
    """A scale that does not exist, or not for this outcome or what is compared of it."""
    chance = family_outcome in BINARY or "at_least" in (of or {})
    suits = {
        "log_odds_ratio": chance,
        "log_risk_ratio": chance,
        "log_rate_ratio": family_outcome in COUNTS and not chance,
    }
    if scale == "difference" or suits.get(scale, False):
        return []
    what = f"this outcome is {family_outcome}" + (f", compared by {', '.join(of)}" if of else "")
    return [
        f"scale = {scale!r}: it must be difference; log_odds_ratio or log_risk_ratio for a probit or logit outcome or the chance of at "
        f"least a value; or log_rate_ratio for a count; {what}"
    ]


def of_problems(of: Mapping[str, float] | None, family_outcome: str, values: np.ndarray) -> list[str]:
    """Something to compare that does not exist, or not for an outcome of this family and these sorted values."""
    if not of:
        return []
    if set(of) == {"at_least"} and family_outcome in (*ORDINAL, *COUNTS):
        least = 0.0 if family_outcome in COUNTS else values[0]
        most = np.inf if family_outcome in COUNTS else values[-1]
        return (
            [] if least < of["at_least"] <= most else
            [f"of = {dict(of)}: the outcome goes from {least:g} to {most:g}, so it must be above {least:g} and at most {most:g}"]
        )  # fmt: skip
    return [
        f"of = {dict(of)}: it must be at_least=VALUE, the chance of that value or more, for an ordinal outcome or a count; this outcome is "
        f"{family_outcome}"
    ]


def read_vary(
    people: Participants, vary: Sequence[str] | Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[str]], list[str]]:
    """Which paths differ between the clusters of each column, and what is wrong with what was asked."""
    columns = [str(c) for c in people.clusters.columns]
    given = dict(vary) if isinstance(vary, Mapping) else dict.fromkeys(columns, vary)
    asked = {c: list(given.get(c, ())) for c in columns}
    problems = [
        f"vary names clusters {name!r}; the participants have {', '.join(columns) or 'none'} (clusters= of load_participants)"
        for name in given if name not in columns
    ]  # fmt: skip
    if not columns and vary and not isinstance(vary, Mapping):
        problems.append(
            f"vary = {vary!r}: the participants have no clusters; name their column with clusters= of load_participants"
        )
    for name, paths in asked.items():
        wrong = [p for p in paths if p not in PATHS]
        if wrong:
            problems.append(f"vary: {', '.join(map(repr, wrong))} is no path; it must be among a, b and c")
            continue
        label = people.clusters[name]
        both = (people.treatment.groupby(label).nunique() > 1).any(axis=1)
        if both.sum() < 2 and (treatment := [p for p in paths if p in ("a", "c")]):
            problems.append(
                f"vary: {' and '.join(treatment)} cannot differ between clusters of {name!r}: treatment varies between them alone (both "
                f"arms stand in {int(both.sum())} of {len(both)})"
            )
        within = people.mediators.groupby(label).nunique() > 1
        if "b" in paths and (within.sum() < 2).any():
            problems.append(
                f"vary: b cannot differ between clusters of {name!r}: the mediator varies within fewer than 2 of them"
            )
    return asked, problems


def vary_problems(people: Participants, vary: Sequence[str] | Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with the paths that were asked to differ between clusters."""
    return read_vary(people, vary)[1]
