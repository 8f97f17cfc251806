"""A trial's own participants: one row per person, with every column's role checked once, at the door."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from pillprocess.participants.checks import (
    binary_notes,
    constant_problems,
    duplicate_problems,
    incomplete_problems,
    mediator_notes,
    number_problems,
    outcome_notes,
    rank_problems,
    role_problems,
    size_notes,
    time_problems,
    unobserved_notes,
)
from pillprocess.participants.coding import code_arms, code_covariates, code_dose, labels, numbers, single_arm_trials
from pillprocess.participants.file import read_participants

TreatmentKind = Literal["arms", "dose"]


class ParticipantError(ValueError):
    """The table of participants is not fit to be fitted; ``problems`` lists every reason."""

    def __init__(self, problems: Sequence[str], name: str) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{count} in {name}; nothing was fitted:", *problems]))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Participants:
    """Checked participants; every table has one row per participant and the same index.

    Attributes
    ----------
    outcome
        Outcome, missing where it was not observed.
    mediators
        One column per mediator, missing where it was not observed.
    treatment
        One column per active arm: 1 in that arm and 0 elsewhere; for a dose, one column that is 0 at the reference and
        1 at the active dose.
    covariates
        Numeric design columns, the baseline first; a factor has one 0/1 column per level other than its reference.
    trial, arm
        Labels.
    covariate_source
        Column of the file that each design column came from, indexed by design column.
    reference
        Label of the comparator arm, or the reference dose.
    higher_is_worse
        Whether high outcomes are bad; nothing is recoded.
    missing
        ``column``, ``arm``, ``n``, ``missing``: how many values are not observed.
    set_aside
        ``what``, ``n``, ``reason``: trials and rows that take no part.
    notes
        Sentences for the report: codings, reference levels, doubts.
    """

    outcome: pd.Series
    mediators: pd.DataFrame
    treatment: pd.DataFrame
    covariates: pd.DataFrame
    trial: pd.Series
    arm: pd.Series
    covariate_source: pd.Series
    reference: str
    higher_is_worse: bool
    missing: pd.DataFrame
    set_aside: pd.DataFrame
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.outcome)


def load_participants(
    source: pd.DataFrame | str | Path,
    *,
    treatment: str,
    outcome: str,
    mediators: str | Sequence[str],
    reference: str | float | None = None,
    active: str | float | None = None,
    treatment_kind: TreatmentKind = "arms",
    baseline: str | None = None,
    trial: str | None = None,
    covariates: Sequence[str] = (),
    id: str | None = None,
    mediator_time: str | float | None = None,
    outcome_time: str | float | None = None,
    higher_is_worse: bool = True,
    single_arm: Literal["set_aside", "keep"] = "set_aside",
    incomplete: Literal["error", "set_aside"] = "error",
) -> Participants:
    """Check a table of participants and give each column its role.

    Missing mediators and outcomes stay missing: the model treats them as missing at random given treatment and
    covariates. Coding the treatment as text, as a categorical, as 0/1 or as booleans gives the same participants.

    Parameters
    ----------
    source
        DataFrame, or path of a comma-separated file in UTF-8, with one row per participant. A blank cell, NA, N/A or NaN is
        a value that was not observed.
    treatment, outcome, mediators
        Columns. The mediators are measured after treatment and before the outcome; there may be none where an expectation
        moderates (`expectancy_moderation`), and `mediation` then refuses.
    reference
        The comparator's value of ``treatment``; may be left out when the treatment is coded 0/1, where it is 0.
    active
        The one arm compared with the reference (others are set aside and listed); by default every other arm. With
        ``treatment_kind="dose"``, the dose compared with the reference dose.
    treatment_kind
        ``"arms"``: each value of the treatment is an arm. ``"dose"``: a number that acts linearly.
    baseline
        Outcome before treatment; the first covariate.
    trial
        Column of trial (or site, or person) labels, for effects that vary between trials.
    covariates
        Columns measured before treatment; text and categoricals become 0/1 columns.
    id
        Column of participant labels, each of which may occur once.
    mediator_time, outcome_time
        When mediators and outcome were measured, as a time since dosing or a column of times.
    higher_is_worse
        Whether high outcomes are bad.
    single_arm
        Trials with a single arm are ``"set_aside"``, or ``"keep"``: kept with a free intercept, so that they inform the
        mediator-outcome slope alone.
    incomplete
        Participants without treatment, trial, a covariate or an id are an ``"error"``, or ``"set_aside"`` and listed.

    Returns
    -------
    Participants

    Raises
    ------
    ParticipantError
        Lists every problem found, with its column and rows.

    Warns
    -----
    UserWarning
        Fewer than 10 participants in an arm, or a mediator that does not vary in one arm.
    """
    mediators = [mediators] if isinstance(mediators, str) else list(mediators)
    before = ([baseline] if baseline else []) + list(covariates)
    table, name = read_table(source)
    roles = {
        "treatment": [treatment], "outcome": [outcome], "mediator": mediators,
        "baseline": [baseline] if baseline else [], "trial": [trial] if trial else [], "covariate": list(covariates),
        "id": [id] if id else [],
    }  # fmt: skip
    mediator_time, outcome_time = (_time(given, table) for given in (mediator_time, outcome_time))
    times = [c for c in (mediator_time, outcome_time) if isinstance(c, str)]
    problems = role_problems(table, roles, times)
    if problems:
        raise ParticipantError(problems, name)

    given = [treatment, *([trial] if trial else []), *before, *([id] if id else [])]
    observed = [outcome, *mediators, *([baseline] if baseline else [])]
    problems = duplicate_problems(table, id) + time_problems(table, mediator_time, outcome_time)
    problems += number_problems(table, observed + ([treatment] if treatment_kind == "dose" else []))
    problems += incomplete_problems(table, given) if incomplete == "error" else []
    aside = [(f"rows without {c}", int(table[c].isna().sum()), "incomplete") for c in given if table[c].isna().any()]
    table = table.dropna(subset=given)
    code = code_dose if treatment_kind == "dose" else code_arms
    T, arm, reference_label, coding_problems = code(table[treatment], reference, active)
    problems += coding_problems
    trials = labels(table[trial]) if trial else pd.Series("trial", index=table.index)
    single = [] if coding_problems else single_arm_trials(T[arm.notna()], trials[arm.notna()])
    if single and set(single) == set(trials[arm.notna()]):
        problems.append("no trial has two arms: nothing here compares the treatment with its reference")
    kept = arm.notna() & ~(trials.isin(single) & (single_arm == "set_aside"))
    X, source_column, notes, covariate_problems = code_covariates(table[kept], before)
    problems += covariate_problems
    if problems:
        raise ParticipantError(list(dict.fromkeys(problems)), name)

    unused = labels(table.loc[arm.isna(), treatment]).value_counts()
    aside += [(f"arm {a}", n, f"only {active!r} is compared with the reference") for a, n in unused.items()]
    in_trial = trials.value_counts()
    table, T, arm, trials = table[kept], T[kept], arm[kept], trials[kept]
    for label in single:
        own = f"{label} (single arm)"
        if single_arm == "set_aside":
            aside.append((f"trial {label}", int(in_trial[label]), "one arm: it compares nothing"))
            continue
        X[own] = (trials == label).astype(float)
        source_column[own] = own
        notes.append(
            f"trial {label!r} has one arm: with its own intercepts it informs the mediator-outcome slope alone"
        )
    M, y = numbers(table[mediators]), numbers(table[[outcome]])[outcome]
    problems = constant_problems(y, M, X, arm, trials) + rank_problems(T, X)
    if problems:
        raise ParticipantError(problems, name)

    doubts = size_notes(arm) + mediator_notes(M, arm, reference_label)
    notes += binary_notes(M, y) + unobserved_notes(M, y)
    for doubt in doubts:
        warnings.warn(doubt, stacklevel=2)
    notes += outcome_notes(y, X[baseline] if baseline else None, higher_is_worse) + doubts
    return Participants(
        outcome=y, mediators=M, treatment=T, covariates=X, trial=trials.rename("trial"), arm=arm.rename("arm"),
        covariate_source=pd.Series(source_column, dtype=object), reference=reference_label,
        higher_is_worse=higher_is_worse, missing=_missing(pd.concat([M, y], axis=1), arm),
        set_aside=pd.DataFrame(aside, columns=["what", "n", "reason"]), notes=tuple(notes),
    )  # fmt: skip


def read_table(source: pd.DataFrame | str | Path) -> tuple[pd.DataFrame, str]:
    """Table indexed by line of the file (or its own index), and the name that errors call it by."""
    if isinstance(source, pd.DataFrame):
        return source.copy(), "the table of participants"
    table, problems = read_participants(Path(source))
    if problems:
        raise ParticipantError(problems, Path(source).name)
    return table, Path(source).name


def _time(given: str | float | None, table: pd.DataFrame) -> str | float | None:
    """Column of times, or one time; the text of a number is a number unless a column is called so."""
    if not isinstance(given, str) or given in table.columns:
        return given
    number = pd.to_numeric(given, errors="coerce")
    return given if pd.isna(number) else float(number)


def _missing(observed: pd.DataFrame, arm: pd.Series) -> pd.DataFrame:
    """How many values of each column are missing in each arm."""
    absent = observed.isna().groupby(arm).sum().rename_axis("arm").reset_index()
    report = absent.melt(id_vars="arm", var_name="column", value_name="missing")
    report["n"] = report["arm"].map(arm.value_counts())
    return report[["column", "arm", "n", "missing"]]
