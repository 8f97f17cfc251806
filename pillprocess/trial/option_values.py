"""What the mediate command's options of names and numbers say."""

from typing import Literal

import typer

Family = Literal[  # as in mediation.choices, which imports NumPy
    "gaussian", "probit", "logit", "student_t", "negative_binomial", "ordinal_probit", "ordinal_logit", "weibull", "hazard_logit",
    "hazard_cloglog", "zero_inflated_poisson", "zero_inflated_negative_binomial",
    "poisson", "exponential", "log_binomial",
]  # fmt: skip


def named_values(given: list[str], option: str) -> dict[str, float]:
    """Read NAME=NUMBER from an option that may be repeated."""
    read: dict[str, float] = {}
    for text in given:
        name, _, number = text.rpartition("=")
        try:
            read[name] = float(number)
        except ValueError:
            raise typer.BadParameter(
                f"{option} {text}: a name and a number are needed, such as {option} severity=20"
            ) from None
        if not name:
            raise typer.BadParameter(f"{option} {text}: a name and a number are needed, such as {option} severity=20")
    return read


def mediator_level(given: list[str]) -> float | dict[str, float] | None:
    """The mediators' value for cde: one number, or one by mediator."""
    if len(given) == 1 and "=" not in given[0]:
        try:
            return float(given[0])
        except ValueError:
            raise typer.BadParameter(
                f"--m {given[0]}: a number is needed, or MEDIATOR=NUMBER for each mediator"
            ) from None
    return named_values(given, "--m") or None


def varying_paths(given: list[str]) -> list[str] | dict[str, list[str]]:
    """Paths that differ between clusters: of all kinds, or by kind."""
    if not any("=" in text for text in given):
        return given
    kinds: dict[str, list[str]] = {}
    for text in given:
        name, _, path = text.rpartition("=")
        kinds.setdefault(name, []).append(path)
    return kinds
