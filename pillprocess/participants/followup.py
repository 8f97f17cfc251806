"""A trial's own people with their outcome at several visits: one row per person, one outcome column per visit."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from pillprocess.participants.checked import Participants
from pillprocess.participants.codebook import Codebook, as_codebook
from pillprocess.participants.reading import ParticipantError, read_trial
from pillprocess.participants.roles import TreatmentKind
from pillprocess.participants.table import load_participants

AVERAGE = "average"
"""Label of the average over the visits, beside those of the visits."""


@dataclass(frozen=True)
class FollowUp:
    """Checked participants with their outcome at several visits.

    Attributes
    ----------
    people
        The participants; their ``outcome`` is that of the last visit, ``missing`` and ``notes`` are those of all visits.
    outcomes
        Outcome of every participant (row) at every visit (column, in order of time), missing where it was not observed.
    time
        Time of each visit, indexed by visit.
    """

    people: Participants
    outcomes: pd.DataFrame
    time: pd.Series

    def __len__(self) -> int:
        return len(self.people)


def load_followup(
    source: pd.DataFrame | str | Path,
    *,
    outcomes: Sequence[str] | Mapping[str, float],
    treatment: str | None = None,
    mediators: str | Sequence[str] | None = None,
    reference: str | float | None = None,
    active: str | float | None = None,
    treatment_kind: TreatmentKind | None = None,
    baseline: str | None = None,
    covariates: str | Sequence[str] = (),
    id: str | None = None,
    higher_is_worse: bool | None = None,
    randomised: bool | None = None,
    incomplete: Literal["error", "set_aside"] | None = None,
    clusters: str | Sequence[str] = (),
    cluster_labels: Literal["unique", "within"] | None = None,
    codebook: Codebook | str | Path | None = None,
) -> FollowUp:
    """Check a table of participants whose outcome was measured at several visits.

    Every visit's outcome passes the checks and questions of `load_participants`. A file with one row per visit is put together by
    `read_trial` first, or by the ``[visits]`` of the codebook.

    Parameters
    ----------
    source
        As in `load_participants`: one row per participant, or with a codebook that says so one row per visit.
    outcomes
        The outcome's columns in order of time; or column to time of the visit, in a unit of your own, which sets the distances
        between visits. Without times the visits are evenly spaced. All are on one scale.
    treatment, mediators, reference, active, treatment_kind, baseline, covariates, id, higher_is_worse, randomised, incomplete
        As in `load_participants`. The mediators are measured before the first visit.
    clusters, cluster_labels, codebook
        As in `load_participants`. Clusters differ in their levels, not in their effects.

    Returns
    -------
    FollowUp

    Raises
    ------
    ParticipantError
        Lists every problem of every visit, with its column and rows.

    Warns
    -----
    UserWarning
        As `load_participants`.

    Examples
    --------
    >>> table = read_trial("long.csv", visit="week", person="id")  # doctest: +SKIP
    >>> followup = load_followup(
    ...     table, outcomes={"madrs_1": 1, "madrs_3": 3, "madrs_6": 6}, treatment="arm", reference="placebo", mediators="meq30",
    ...     baseline="madrs_0",
    ... )  # doctest: +SKIP
    """
    time = pd.Series(
        outcomes if isinstance(outcomes, Mapping) else {n: i + 1 for i, n in enumerate(outcomes)}, dtype=float
    )
    problems = time_problems(time, len(outcomes))
    name = "the table of participants" if isinstance(source, pd.DataFrame) else Path(source).name
    if problems:
        raise ParticipantError(problems, name)
    book = as_codebook(codebook)
    table = read_trial(source, codebook=book)
    loaded: list[Participants] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for visit in time.index:
            try:
                loaded.append(
                    load_participants(
                        table, treatment=treatment, outcome=visit, mediators=mediators, reference=reference, active=active,
                        treatment_kind=treatment_kind, baseline=baseline, covariates=covariates, id=id,
                        higher_is_worse=higher_is_worse, randomised=randomised, incomplete=incomplete,
                        clusters=clusters, cluster_labels=cluster_labels, codebook=book,
                    )
                )  # fmt: skip
            except ParticipantError as error:
                problems += error.problems
    if problems:
        raise ParticipantError(list(dict.fromkeys(problems)), name)
    for category, text in dict.fromkeys((w.category, str(w.message)) for w in caught):
        warnings.warn(text, category, stacklevel=2)
    last = loaded[-1]
    outcome = pd.concat([p.outcome for p in loaded], axis=1)
    missing = pd.concat([*(p.missing[p.missing["column"] == p.outcome.name] for p in loaded), last.missing])
    notes = tuple(dict.fromkeys(note for p in loaded for note in p.notes))
    people = replace(last, missing=missing.drop_duplicates(ignore_index=True), notes=notes)
    return FollowUp(people, outcome, time.rename("time"))


def time_problems(time: pd.Series, named: int) -> list[str]:
    """Visits that are too few, named twice, out of order or without a time."""
    visits = list(map(str, time.index))
    problems = []
    if len(set(visits)) < 2 or named != len(set(visits)):
        problems.append(
            f"outcomes = {visits}: name the outcome's column at two visits or more, each once, in order of time; one visit is "
            "load_participants(outcome=...)"
        )
    if not (np.isfinite(time.to_numpy()).all() and (np.diff(time.to_numpy()) > 0).all()):
        told = ", ".join(f"{v} at {t:g}" for v, t in zip(visits, time, strict=True))
        problems.append(f"the times of the visits must be numbers that increase from visit to visit; got {told}")
    if AVERAGE in visits:
        problems.append(
            f"an outcome called {AVERAGE!r} would be taken for the average over the visits; rename the column"
        )
    return problems
