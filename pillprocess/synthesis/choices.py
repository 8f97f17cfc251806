"""What a compiled synthesis can be asked again under, without compiling it: terms, bias, pooling, outside evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from pillprocess.rows.terms import TERMS

Confounding = Literal["additive", "proportional"]

OUTSIDE = ("therapy", "belief", "course")
"""Process terms that trials of other treatments randomised."""


@dataclass(frozen=True)
class Choices:
    """See :func:`pillprocess.synthesis` for each.

    Raises
    ------
    ValueError
        A term is unknown, or a number is out of bounds; all problems at once.
    """

    terms: frozenset[str] = frozenset(TERMS)
    causal_share: float | None = None
    confounding: Confounding = "additive"
    prior_bias_sd: float = 0.3
    pooling: float | None = None
    prior_therapy: tuple[float, float] = (0.0, 0.7)
    informed: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    prior_transport_sd: float = 0.3

    def __post_init__(self) -> None:
        problems = []
        if unknown := sorted(set(self.terms) - set(TERMS)):
            problems.append(f"unknown terms: {', '.join(unknown)}; known are {', '.join(TERMS)}")
        if self.confounding not in get_args(Confounding):
            problems.append(f"confounding = {self.confounding!r}; it must be 'additive' or 'proportional'")
        for name in ("causal_share", "pooling"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                problems.append(f"{name} = {value:g}; it must lie between 0 and 1, or be None to be estimated")
        for name in ("prior_bias_sd", "prior_transport_sd"):
            if not getattr(self, name) > 0:
                problems.append(f"{name} = {getattr(self, name):g}; a prior's scale must be > 0")
        if unknown := sorted(set(self.informed) - set(OUTSIDE)):
            problems.append(f"informed names {', '.join(unknown)}; trials elsewhere inform {', '.join(OUTSIDE)}")
        problems += [
            f"informed[{name!r}] has standard deviation {sd:g}; it must be > 0"
            for name, (_, sd) in self.informed.items()
            if not sd > 0
        ]
        if problems:
            raise ValueError("; ".join(problems))

    def data(self) -> dict[str, np.ndarray]:
        """Return the choices as data of the model, by name."""
        outside = [self.informed.get(name, (0.0, 1.0)) for name in OUTSIDE]
        return {
            "term_in": np.array([float(term in self.terms) for term in TERMS]),
            "share_fixed": np.array([0.0, 0.0] if self.causal_share is None else [1.0, self.causal_share]),
            "bias_form": np.array([float(self.confounding == "additive"), self.prior_bias_sd]),
            "pooling_fixed": np.array([0.0, 0.0] if self.pooling is None else [1.0, self.pooling]),
            "therapy_prior": np.array(self.prior_therapy, float),
            "outside_mean": np.array([mean for mean, _ in outside], float),
            "outside_sd": np.array([sd for _, sd in outside], float),
            "outside_kept": np.array([float(name in self.informed) for name in OUTSIDE]),
            "transport_scale": np.array([self.prior_transport_sd], float),
        }


def choices_of(settings: Mapping[str, Any]) -> Choices:
    """Read the choices among the settings of a model."""
    chosen = {f.name: settings[f.name] for f in fields(Choices)}
    pair = (float(settings["prior_therapy"][0]), float(settings["prior_therapy"][1]))
    informed = {name: (float(mean), float(sd)) for name, (mean, sd) in settings["informed"].items()}
    return Choices(**chosen | {"terms": frozenset(settings["terms"]), "prior_therapy": pair, "informed": informed})


def settings_with(settings: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a model with some choices changed.

    Raises
    ------
    TypeError
        A name is no choice.
    """
    known = [f.name for f in fields(Choices)]
    if unknown := sorted(set(chosen) - set(known)):
        raise TypeError(f"a refit has no choice {', '.join(unknown)}; it has {', '.join(known)}")
    return {**settings, **chosen}


def check_course(items: xr.Dataset, choices: Choices) -> None:
    """Raise if a course is informed from outside that these items do not have."""
    if "course" in choices.informed and depression_course(items) is None:
        raise ValueError(
            "informed['course'] is the course of depression on a waiting list; these items have no such course that trials share "
            "(no depression outcome, or baseline='free')"
        )


def depression_course(items: xr.Dataset) -> int | None:
    """Return the position among the courses of the one depression trials share, or None."""
    variable = items["coefficient_variable"].to_numpy()
    courses = items["coefficient_label"].to_numpy()[np.isin(variable, ["mu_construct", "mu"])].tolist()
    return courses.index("depression") if "depression" in courses and (variable == "mu_construct").any() else None
