"""A trial's own participants: one row per person, with every column's role checked once, at the door."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd

from pillprocess.participants.checked import Participants as Participants
from pillprocess.participants.checked import count_missing
from pillprocess.participants.checks import (
    binary_notes,
    constant_problems,
    duplicate_problems,
    event_problems,
    incomplete_problems,
    mediator_notes,
    named_time_problems,
    number_problems,
    outcome_notes,
    rank_problems,
    role_problems,
    size_notes,
    time_problems,
    unobserved_notes,
)
from pillprocess.participants.clusters import moderator_problems, one_arm_problem, read_clusters, trial_noun
from pillprocess.participants.codebook import Codebook, as_codebook
from pillprocess.participants.coding import code_arms, code_covariates, code_dose, labels, numbers, single_arm_trials
from pillprocess.participants.people import (
    crossover_problem,
    identity_problems,
    person_columns,
    repeated_people,
)
from pillprocess.participants.questions import (
    direction_question,
    label_questions,
    opposite_note,
    role_questions,
    value_questions,
)
from pillprocess.participants.reading import ParticipantError as ParticipantError
from pillprocess.participants.reading import read_table as read_table
from pillprocess.participants.roles import Roles, TreatmentKind, resolve_roles
from pillprocess.participants.times import given_time, is_time
from pillprocess.participants.told_apart import told_apart


def load_participants(
    source: pd.DataFrame | str | Path,
    *,
    treatment: str | None = None,
    outcome: str | None = None,
    mediators: str | Sequence[str] | None = None,
    reference: str | float | None = None,
    active: str | float | None = None,
    treatment_kind: TreatmentKind | None = None,
    baseline: str | None = None,
    trial: str | None = None,
    covariates: str | Sequence[str] = (),
    id: str | None = None,
    mediator_time: str | float | None = None,
    outcome_time: str | float | None = None,
    higher_is_worse: bool | None = None,
    randomised: bool | None = None,
    single_arm: Literal["set_aside", "keep"] | None = None,
    incomplete: Literal["error", "set_aside"] | None = None,
    repeated_rows: Literal["different people", "modelled"] | None = None,
    clusters: str | Sequence[str] = (),
    cluster_labels: Literal["unique", "within"] | None = None,
    treatment_moderators: str | Sequence[str] = (),
    mediator_moderators: str | Sequence[str] = (),
    event: str | None = None,
    codebook: Codebook | str | Path | None = None,
) -> Participants:
    """Check a table of participants and give each column its role.

    Missing mediators and outcomes stay missing: the model treats them as missing at random given treatment and
    covariates. Coding the treatment as text, as a categorical, as 0/1 or as booleans gives the same participants. What
    cannot be decided is asked: values that may be codes for missing or that no instrument gives, labels spelt in two
    ways, rows that repeat a person, a direction that the outcome's name contradicts. Each question names the line of a
    codebook that settles it, and nothing is returned until all are settled.

    Parameters
    ----------
    source
        DataFrame, or path of a file as in `read_trial`, with one row per participant. A blank cell, NA, N/A or NaN is a value
        that was not observed.
    treatment, outcome, mediators
        Columns. The mediators are measured after treatment and before the outcome; there may be none where an expectation
        moderates (`expectancy_moderation`), and `mediation` then refuses. Whatever is not given here is taken from the
        codebook; treatment and outcome must be named in one of them.
    reference
        The comparator's value of ``treatment``; may be left out when the treatment is coded 0/1, where it is 0.
    active
        The one arm compared with the reference (others are set aside and listed); by default every other arm. With
        ``treatment_kind="dose"``, the dose compared with the reference dose.
    treatment_kind
        ``"arms"`` (default): each value of the treatment is an arm. ``"dose"``: a number that acts linearly.
    baseline
        Outcome before treatment; the first covariate.
    trial
        Column of trial (or site) labels, for effects that vary between trials.
    covariates
        Columns measured before treatment; text and categoricals become 0/1 columns.
    id
        Column of participant labels, each of which may occur once.
    mediator_time, outcome_time
        When mediators and outcome were measured, as a time since dosing or a column of times: numbers, "week 6", dates.
    higher_is_worse
        Whether high outcomes are bad; by default they are, and an outcome that looks like an improvement is asked about.
    randomised
        Whether treatment was randomised (default); the words of the report follow.
    single_arm
        Trials with a single arm are ``"set_aside"`` (default), or ``"keep"``: kept with a free intercept, so that they inform the
        mediator-outcome slope alone.
    incomplete
        Participants without treatment, trial, a covariate or an id are an ``"error"`` (default), or ``"set_aside"`` and listed.
    repeated_rows
        Rows that look like one person again are refused, unless they are ``"different people"``, or ``"modelled"``: a model is told
        whose they are (``person`` of `unblinding`; a person as ``trial`` of `mediation`).
    clusters
        Columns of cluster labels, such as therapist or site, larger ones first: their means (and, with ``vary`` of `mediation`,
        effects) differ at random. Treatment may vary within clusters or only between them; an arm may have none.
    cluster_labels
        Labels that stand in several larger clusters are one cluster everywhere (``"unique"``), or another in each (``"within"``).
    treatment_moderators, mediator_moderators
        Which of baseline and covariates moderate the effects of treatment (on mediators and outcome), and the mediators' slope.
    event
        Of an outcome that is a time: column of 1 where the event (a relapse) happened then, 0 where follow-up ended without it;
        ``higher_is_worse`` must then be said.
    codebook
        What columns and cells mean, and answers to questions: from `read_codebook`, or its path.

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

    Examples
    --------
    >>> import pillprocess as pp
    >>> import pandas as pd
    >>> table = pd.DataFrame({"arm": ["placebo", "drug"] * 10, "meq30": range(20), "change": [-(i % 7) - i / 4 for i in range(20)]})
    >>> people = pp.load_participants(table, treatment="arm", reference="placebo", mediators="meq30", outcome="change")
    >>> len(people.outcome)
    20
    >>> people.notes[0]
    "outcome 'change': higher is worse, so negative effects are improvement"
    """
    book = as_codebook(codebook)
    roles, problems = resolve_roles(
        {
            "treatment": treatment, "outcome": outcome, "mediators": mediators, "reference": reference, "active": active,
            "treatment_kind": treatment_kind, "baseline": baseline, "trial": trial, "covariates": covariates, "id": id,
            "mediator_time": mediator_time, "outcome_time": outcome_time, "higher_is_worse": higher_is_worse,
            "randomised": randomised, "single_arm": single_arm, "incomplete": incomplete, "clusters": clusters,
            "cluster_labels": cluster_labels, "treatment_moderators": treatment_moderators, "mediator_moderators": mediator_moderators,
            "event": event,
        },
        book,
    )  # fmt: skip
    if repeated_rows not in (None, "different people", "modelled"):
        problems.append(f"repeated_rows = {repeated_rows!r}; it must be 'different people' or 'modelled'")
    table, name, said = read_table(source, codebook=book)
    if problems:
        raise ParticipantError(problems, name)
    return _checked(table, name, roles, replace(book, repeated_rows=repeated_rows or book.repeated_rows), said)


def _checked(table: pd.DataFrame, name: str, roles: Roles, book: Codebook, said: Sequence[str]) -> Participants:
    """Check the table of people in the order in which one fault would hide another, and lay out what is kept."""
    treatment, outcome, mediators = roles.treatment, roles.outcome, list(roles.mediators)
    trial, id = roles.trial, roles.id
    named = {
        "treatment": [treatment], "outcome": [outcome], "mediator": mediators,
        "baseline": [roles.baseline] if roles.baseline else [], "trial": [trial] if trial else [],
        "covariate": list(roles.covariates), "id": [id] if id else [], "cluster": list(roles.clusters),
        "event": [roles.event] if roles.event else [],
    }  # fmt: skip
    times = [given_time(given, table) for given in (roles.mediator_time, roles.outcome_time)]
    problems = moderator_problems(roles.treatment_moderators, roles.before, "treatment_moderators")
    problems += moderator_problems(roles.mediator_moderators, roles.before, "mediator_moderators")
    problems += role_problems(table, named, [t for t in times if isinstance(t, str) and not is_time(t)])
    if problems:
        raise ParticipantError(problems, name)

    given = [treatment, *([trial] if trial else []), *roles.before, *([id] if id else [])]
    observed = [outcome, *mediators, *([roles.baseline] if roles.baseline else [])]
    dose = roles.treatment_kind == "dose"
    late, time_notes = time_problems(table, times[0], times[1], book)
    problems = duplicate_problems(table, id, treatment) + identity_problems(table, id) + late
    problems += named_time_problems(mediators, outcome) if times == [None, None] else []
    problems += number_problems(table, observed + ([treatment] if dose else []))
    problems += event_problems(table, outcome, roles.event, roles.higher_is_worse) if roles.event else []
    problems += incomplete_problems(table, given, roles.before) if roles.incomplete == "error" else []
    problems += label_questions(
        table,
        [c for c in (None if dose else treatment, trial, *roles.clusters) if c],
        book,
        (roles.reference, roles.active),
    )
    problems += role_questions(roles.before, outcome, mediators, book)
    again = repeated_people(
        table, treatment=treatment, outcome=outcome, mediators=mediators, before=roles.before, id=id,
        settled=book.repeated_rows != "" or bool(trial and trial == id) or bool(person_columns(table[list(roles.clusters)], [])),
    )  # fmt: skip
    aside = [(f"rows without {c}", int(table[c].isna().sum()), "incomplete") for c in given if table[c].isna().any()]
    table = table.dropna(subset=given)
    code = code_dose if dose else code_arms
    T, arm, reference_label, coding_problems = code(table[treatment], roles.reference, roles.active)
    problems += coding_problems
    trials = labels(table[trial]) if trial else pd.Series("trial", index=table.index)
    crossed = crossover_problem(trials[arm.notna()], arm[arm.notna()], trial) if trial and not coding_problems else []
    problems += crossed or again
    single = [] if coding_problems or crossed else single_arm_trials(T[arm.notna()], trials[arm.notna()])
    if single and set(single) == set(trials[arm.notna()]):
        problems.append(one_arm_problem(trial))
    kept = arm.notna() & ~(trials.isin(single) & (roles.single_arm == "set_aside"))
    X, source_column, notes, covariate_problems = code_covariates(table[kept], roles.before)
    problems += covariate_problems
    held = [*observed, *roles.covariates, *([treatment] if dose else [])]
    clusters, cluster_problems, cluster_notes = read_clusters(
        table[kept], roles.clusters, arm[kept], labelled=roles.cluster_labels
    )
    problems += cluster_problems
    asked, value_notes = value_questions(table[kept], held, arm[kept], book)
    problems += asked
    better = direction_question(table[kept], outcome, roles.baseline, book)
    if better and roles.higher_is_worse is None:
        problems.append(
            f"outcome {outcome!r} looks like an improvement: {better}. Say --higher-is-better, or --higher-is-worse if it is not "
            "(higher_is_worse=False or True; codebook: under [trial] higher_is_worse = false)"
        )
    unread = not kept.any() or bool(
        covariate_problems or coding_problems or number_problems(table, observed) or crossed
    )
    if not unread:
        problems += told_apart(table[kept], roles, T[kept], arm[kept], X, trials[kept])
    if problems:
        raise ParticipantError(list(dict.fromkeys(problems)), name)

    unused = labels(table.loc[arm.isna(), treatment]).value_counts()
    aside += [(f"arm {a}", n, f"only {roles.active!r} is compared with the reference") for a, n in unused.items()]
    in_trial = trials.value_counts()
    rows = table[kept]
    T, arm, trials = T[kept], arm[kept], trials[kept]
    for label in single:
        own = f"{label} (single arm)"
        if roles.single_arm == "set_aside":
            aside.append((f"trial {label}", int(in_trial[label]), "one arm: it compares nothing"))
            continue
        X[own] = (trials == label).astype(float)
        source_column[own] = own
        notes.append(
            f"trial {label!r} has one arm: with its own intercepts it informs the mediator-outcome slope alone"
        )
    M, y = numbers(rows[mediators]), numbers(rows[[outcome]])[outcome]
    problems = constant_problems(y, M, X, arm, trials) + rank_problems(T, X)
    if problems:
        raise ParticipantError(list(dict.fromkeys(problems)), name)

    worse = roles.higher_is_worse is not False
    doubts = size_notes(arm) + mediator_notes(M, arm, reference_label)
    notes += cluster_notes + binary_notes(M, y) + unobserved_notes(M, y) + time_notes + value_notes
    for doubt in doubts:
        warnings.warn(doubt, stacklevel=3)
    notes += outcome_notes(y, X[roles.baseline] if roles.baseline else None, worse) + doubts
    notes += opposite_note(table[kept], outcome, roles.baseline, book) if roles.higher_is_worse is False else []
    if better and worse:
        notes.append(f"outcome {outcome!r} looks like an improvement ({better}), and you say that higher is worse")
    if not roles.randomised:
        notes.append(
            "treatment was not randomised: effects are associations given the covariates, unless those are all that matters"
        )
    return Participants(
        outcome=y, mediators=M, treatment=T, covariates=X, trial=trials.rename("trial"), arm=arm.rename("arm"),
        covariate_source=pd.Series(source_column, dtype=object), reference=reference_label, higher_is_worse=worse,
        randomised=roles.randomised, clusters=clusters, treatment_moderators=roles.treatment_moderators,
        mediator_moderators=roles.mediator_moderators, trial_noun=trial_noun(trial), missing=count_missing(pd.concat([M, y], axis=1), arm),
        event=numbers(rows[[roles.event]])[roles.event] if roles.event else None,
        set_aside=pd.DataFrame(aside, columns=["what", "n", "reason"]), notes=tuple([*said, *notes]),
    )  # fmt: skip
