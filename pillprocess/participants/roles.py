"""Which column plays which role: what was asked for, completed by the codebook, and checked for kind before any cell is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from pillprocess.participants.codebook import MANY, Codebook
from pillprocess.participants.coding import label

TreatmentKind = Literal["arms", "dose"]


@dataclass(frozen=True)
class Roles:
    """The arguments of `load_participants`, completed by a codebook."""

    treatment: str
    outcome: str
    mediators: tuple[str, ...]
    reference: str | float | None
    active: str | float | None
    treatment_kind: TreatmentKind
    baseline: str | None
    trial: str | None
    covariates: tuple[str, ...]
    id: str | None
    mediator_time: str | float | None
    outcome_time: str | float | None
    higher_is_worse: bool | None
    randomised: bool
    single_arm: Literal["set_aside", "keep"]
    incomplete: Literal["error", "set_aside"]
    clusters: tuple[str, ...] = ()
    cluster_labels: Literal["unique", "within"] | None = None
    treatment_moderators: tuple[str, ...] = ()
    mediator_moderators: tuple[str, ...] = ()
    event: str | None = None

    @property
    def before(self) -> tuple[str, ...]:
        """Columns measured before treatment: the baseline, then the covariates."""
        return ((self.baseline,) if self.baseline else ()) + self.covariates


CHOICES = {
    "treatment_kind": get_args(TreatmentKind),
    "single_arm": ("set_aside", "keep"),
    "incomplete": ("error", "set_aside"),
    "cluster_labels": (None, "unique", "within"),
}
DEFAULTS = {"treatment_kind": "arms", "single_arm": "set_aside", "incomplete": "error", "randomised": True}
ONE = ("treatment", "outcome", "baseline", "trial", "id", "event")
SHELL = {"id": "--id", "mediators": "--mediator", "covariates": "--covariate"}


def resolve_roles(given: Mapping[str, object], codebook: Codebook) -> tuple[Roles, list[str]]:
    """Complete the arguments given by the codebook's, and say what is no column, choice or number.

    Parameters
    ----------
    given
        Arguments of `load_participants` by name; None and ``()`` are left to the codebook.
    codebook
        Its ``[trial]``.
    """
    plain = {key: list(v) if isinstance(v, pd.Index | pd.Series | np.ndarray) else v for key, v in given.items()}
    chosen = {
        key: value if value is not None and value != () else codebook.roles.get(key, DEFAULTS.get(key))
        for key, value in plain.items()
    }
    problems = []
    for key in ("treatment", "outcome"):
        if chosen[key] is None:
            problems.append(
                f"no {key} was named; name its column with {key}= (--{key}), or under [trial] of a codebook that pillprocess inspect drafts"
            )
    for key in ONE:
        value = chosen[key]
        if value is not None and (not isinstance(value, str | int) or value == ""):
            problems.append(f"{key} = {value!r}; it must be the name of one column")
        chosen[key] = None if value is None else label(value)
    for key in MANY:
        value = chosen.get(key)
        if value is None:
            value = ()
        names = [value] if isinstance(value, str | int) else value
        if not _is_list(names):
            problems.append(f"{key} = {value!r}; it must be the names of columns")
            names = []
        chosen[key] = tuple(label(n) for n in names)  # type: ignore[attr-defined]
    for key, choices in CHOICES.items():
        if chosen.get(key) not in choices:
            problems.append(f"{key} = {chosen[key]!r}; it must be {' or '.join(c for c in choices if c)}")
    for key in ("reference", "active", "mediator_time", "outcome_time"):
        if chosen[key] is not None and not _is_plain(chosen[key]):
            problems.append(f"{key} = {chosen[key]!r}; it must be a text or a number")
    for key in ("higher_is_worse", "randomised"):
        if not isinstance(chosen[key], bool | None):
            problems.append(f"{key} = {chosen[key]!r}; it must be True or False")
    return Roles(**chosen), problems  # type: ignore[arg-type]


def _is_list(value: object) -> bool:
    if not hasattr(value, "__iter__") or isinstance(value, Mapping):
        return False
    return all(isinstance(v, str | int) for v in value)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | bool | int | float) or hasattr(value, "isoformat") or hasattr(value, "item")
