"""Families, order and levels of a mediation model: what can be chosen, and what does not suit the columns; known before PyMC is loaded."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd

from pillprocess.participants.checked import Participants

Scale = Literal["difference", "log_odds_ratio", "log_risk_ratio", "log_rate_ratio", "log_time_ratio"]
Family = Literal[
    "gaussian", "probit", "logit", "student_t", "negative_binomial", "ordinal_probit", "ordinal_logit", "weibull", "hazard_logit",
    "hazard_cloglog", "zero_inflated_poisson", "zero_inflated_negative_binomial", "poisson", "exponential", "log_binomial",
]  # fmt: skip
QUANTITIES = ("at_least", "free_at", "up_to")
type Of = Mapping[str, float]
"""One of ``QUANTITIES`` and its value."""

FAMILIES: tuple[str, ...] = get_args(Family)
SCALES: tuple[str, ...] = get_args(Scale)
BINARY = ("probit", "logit")
RISKS = (*BINARY, "log_binomial")
"""Families of an outcome of 0 and 1."""
ZERO_INFLATED = ("zero_inflated_poisson", "zero_inflated_negative_binomial")
COUNTS = ("negative_binomial", "poisson", *ZERO_INFLATED)
ORDINAL = ("ordinal_probit", "ordinal_logit")
HAZARDS = ("hazard_logit", "hazard_cloglog")
CONTINUOUS_TIMES = ("weibull", "exponential")
TIMES = (*CONTINUOUS_TIMES, *HAZARDS)
"""Families of the time to an event, which may not have been seen when follow-up ended."""
LINKED = (*RISKS, *COUNTS, *ORDINAL, *TIMES)
"""Families whose mean is no straight line of the linear predictor."""
CHANCES = {"at_least", "free_at"}
"""What is compared of an outcome that is a chance."""
MOST_CATEGORIES = 25
MOST_PERIODS = 104
FEW_ABOVE = 5
"""People of an arm above a floor below which its mean and SD are not known."""
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
    if family == "log_binomial" and role == "mediator":
        return [f"family_{role} = {family!r} is for outcomes; a mediator of 0 and 1 may be probit or logit"]
    if family in TIMES:
        return _time_problems(family, role, values)
    if family in ORDINAL:
        counts = [(name, column.nunique()) for name, column in values.items()]
        return [
            f"family_{role} = {family!r} needs 2 to {MOST_CATEGORIES} ordered categories in column {str(name)!r}; it holds {n} different "
            "values; a score of many values may be gaussian or student_t"
            for name, n in counts
            if not 2 <= n <= MOST_CATEGORIES
        ]
    if family in ZERO_INFLATED and (bare := [str(name) for name, column in values.items() if not (column == 0).any()]):
        return [
            f"family_{role} = {family!r} needs zeros in column {bare[0]!r}; it holds none, so 'negative_binomial' is enough"
        ]
    if family in COUNTS:
        return [
            f"family_{role} = {family!r} needs counts, 0, 1, 2 and so on, in column {str(name)!r}; it holds {value:g}"
            for name, column in values.items()
            for value in column[column.notna() & ((column < 0) | (column % 1 != 0))].head(1)
        ]
    if family not in RISKS:
        return []
    return [
        f"family_{role} = {family!r} needs 0 or 1 in column {str(name)!r}; it holds {value:g}"
        for name, column in values.items()
        for value in column[column.notna() & ~column.isin([0, 1])].head(1)
    ]


def _time_problems(family: str, role: str, values: pd.DataFrame) -> list[str]:
    """A family of times for what is no outcome, or values that are no times."""
    if role == "mediator":
        return [f"family_{role} = {family!r} is for outcomes; a time that mediates may be gaussian, after a logarithm"]
    problems = []
    for name, column in values.items():
        seen = column.dropna()
        odd = (
            seen[seen <= 0]
            if family in CONTINUOUS_TIMES
            else seen[(seen < 1) | (seen % 1 != 0) | (seen > MOST_PERIODS)]
        )
        wanted = (
            "times above 0"
            if family in CONTINUOUS_TIMES
            else f"the number of a period, 1, 2 and so on to {MOST_PERIODS}"
        )
        problems += [
            f"family_{role} = {family!r} needs {wanted}, in column {str(name)!r}; it holds {v:g}" for v in odd.head(1)
        ]
    return problems


def event_mismatch(family: str, event: pd.Series | None) -> list[str]:
    """A time without its event, or an event without a family of times."""
    if (family in TIMES) == (event is not None):
        return []
    if event is None:
        return [
            f"family_outcome = {family!r} needs to know whose follow-up ended before the event: name a column of 0 and 1 with event= of "
            "load_participants (--event)"
        ]
    return [
        f"the outcome is a time to an event ({event.name}), and family_outcome = {family!r} is not for times; it must be one of "
        f"{', '.join(TIMES)}"
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
    event: pd.Series | None = None,
    covariates: Sequence[str] = (),
) -> list[str]:
    """Families that do not suit their columns, an order or levels that do not name every mediator once, a scale or covariate unknown."""
    names = [str(c) for c in mediators.columns]
    ordered = names if order is None else list(order)
    problems = [] if names else ["no mediator was named"]
    problems += check_family(family_mediator, "mediator", mediators)
    problems += check_family(family_outcome, "outcome", outcome.to_frame()) or event_mismatch(family_outcome, event)
    if family_outcome in (*COUNTS, *CONTINUOUS_TIMES) and family_mediator == "student_t":
        problems.append(
            f"family_outcome = {family_outcome!r} with a student_t mediator: the mean {'time' if family_outcome in TIMES else 'count'} "
            "is infinite; use a gaussian mediator"
        )
    if len(ordered) > 1 and family_outcome in ZERO_INFLATED:
        problems.append(f"family_outcome = {family_outcome!r}: it takes one mediator; fit the others singly")
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
    chance = family_outcome in RISKS or bool(CHANCES & set(of or {}))
    suits = {
        "log_odds_ratio": chance and family_outcome != "log_binomial", "log_risk_ratio": chance,
        "log_rate_ratio": family_outcome in COUNTS and not chance,
        "log_time_ratio": family_outcome in TIMES and not chance,
    }  # fmt: skip
    if scale == "difference" or suits.get(scale, False):
        return []
    what = f"this outcome is {family_outcome}" + (f", compared by {', '.join(of)}" if of else "")
    return [
        f"scale = {scale!r}: must be difference; log_time_ratio for a mean time; log_odds_ratio or log_risk_ratio for a chance (of=), or "
        f"for a probit or logit outcome; or log_rate_ratio for a count; {what}"
    ]


def of_problems(of: Mapping[str, float] | None, family_outcome: str, values: np.ndarray) -> list[str]:
    """Something to compare that does not exist, or not for an outcome of this family and these sorted values."""
    if not of:
        return []
    known = {"at_least": (*ORDINAL, *COUNTS), "free_at": TIMES, "up_to": TIMES}
    what, value = next(iter(of.items()))
    if len(of) > 1 or family_outcome not in known.get(what, ()):
        return [
            f"of = {dict(of)}: it must be at_least=VALUE, the chance of that value or more, for an ordinal outcome or a count; or for a "
            "time to an event free_at=TIME, the chance of being free of it then, or up_to=TIME, the mean time free of it until then; this "
            f"outcome is {family_outcome}"
        ]
    least = values[0] if family_outcome in ORDINAL else 0.0
    most = values[-1] if family_outcome in (*ORDINAL, *HAZARDS) else np.inf
    if least < value <= most:
        return []
    return [f"of = {dict(of)}: it must be above {least:g} and at most {most:g}, where the outcome goes"]


def spread_problems(
    people: Participants, *, sd_by_arm: bool, floor_mediator: float | None, family_mediator: str, family_outcome: str
) -> list[str]:  # fmt: skip
    """Models without a closed form for an SD by arm or a floor, and mediators that do not suit them."""
    mediators, arm = people.mediators, people.arm
    dose, clusters = not people.treatment.isin([0, 1]).all(axis=None), bool(len(people.clusters.columns))
    problems = []
    asked = [*(["sd_by_arm"] if sd_by_arm else []), *(["floor_mediator"] if floor_mediator is not None else [])]
    if asked and (mediators.shape[1] != 1 or family_mediator not in ("gaussian", "student_t") or clusters):
        problems.append(f"{' and '.join(asked)}: one gaussian or student_t mediator is needed, and no clusters")
    if sd_by_arm and dose:
        problems.append("sd_by_arm: treatment is a dose, which has no arms whose SDs could differ")
    if floor_mediator is None or problems:
        return problems
    if (family_mediator, family_outcome) != ("gaussian", "gaussian"):
        problems.append(
            f"floor_mediator with a {family_mediator} mediator and a {family_outcome} outcome: both must be gaussian"
        )
    column = mediators.iloc[:, 0].dropna()
    if (column < floor_mediator).any():
        problems.append(f"floor_mediator = {floor_mediator:g}: {mediators.columns[0]!r} goes down to {column.min():g}")
    if not (column == floor_mediator).any():
        problems.append(f"floor_mediator = {floor_mediator:g}: nobody's {mediators.columns[0]!r} lies on it")
    above = (column > floor_mediator).groupby(arm[column.index]).sum()
    problems += [
        f"floor_mediator = {floor_mediator:g}: {n} of arm {str(a)!r} lie above it; with fewer than {FEW_ABOVE} neither mean nor SD of "
        "the mediator is known there"
        for a, n in above.items()
        if n < FEW_ABOVE
    ]  # fmt: skip
    return problems


def case_control_problems(people: Participants, *, family_outcome: str) -> list[str]:
    """Samples by outcome whose model is not known."""
    if family_outcome not in ("logit", "log_binomial"):
        return [
            f"case_control with a {family_outcome} outcome: who is sampled by an outcome of 0 or 1 needs family_outcome = 'logit' or "
            "'log_binomial'"
        ]
    problems = []
    if len(people.clusters.columns) or people.trial.nunique() > 1:
        problems.append("case_control: one sample is needed, without clusters and of one trial")
    if missing := int(people.mediators.isna().any(axis=1).sum()) + int(people.outcome.isna().sum()):
        problems.append(f"case_control: {missing} mediators or outcomes are missing; both must be known of everybody")
    return problems


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
