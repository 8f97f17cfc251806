"""Families, order and levels of a mediation model: what can be chosen, and what does not suit the columns; known before PyMC is loaded."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import pandas as pd

Family = Literal["gaussian", "probit", "logit", "student_t"]

FAMILIES: tuple[str, ...] = get_args(Family)
BINARY = ("probit", "logit")


def check_family(family: str, role: str, values: pd.DataFrame) -> list[str]:
    """Unknown families, and binary families of values that are not 0 or 1."""
    if family not in FAMILIES:
        return [f"family_{role} = {family!r}; it must be one of {', '.join(FAMILIES)}"]
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
) -> list[str]:
    """Families that do not suit their columns, and an order or levels that do not name every mediator once."""
    names = [str(c) for c in mediators.columns]
    ordered = names if order is None else list(order)
    problems = [] if names else ["no mediator was named"]
    problems += check_family(family_mediator, "mediator", mediators)
    problems += check_family(family_outcome, "outcome", outcome.to_frame())
    if len(ordered) > 1 and family_mediator != "gaussian":
        problems.append(
            f"family_mediator = {family_mediator!r}: several mediators must be 'gaussian'; fit others singly"
        )
    if sorted(ordered) != sorted(names):
        problems.append(f"order = {ordered} must list each of {names} once, causes first")
    if isinstance(m, Mapping) and set(m) != set(names):
        problems.append(f"m = {dict(m)}: give a value to each mediator, {', '.join(names)}")
    return problems
