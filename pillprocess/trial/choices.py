"""What a user says of a trial: its file, codebook, columns and arms; the one list of these options."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pillprocess.belief.coding import Timing
from pillprocess.participants.roles import TreatmentKind


@dataclass(frozen=True, kw_only=True)
class TrialChoices:
    """What is said of a trial; whatever is left out is taken from the codebook.

    Attributes
    ----------
    source
        Path of the table.
    codebook
        Path of a codebook, as `pillprocess inspect` drafts it; what is given here goes before what it says.
    visit, person
        As in `read_trial`.
    treatment, outcome, mediators, reference, active, treatment_kind, baseline, trial, covariates, id, mediator_time, outcome_time,
    higher_is_worse, randomised, single_arm, incomplete, clusters, cluster_labels, treatment_moderators, mediator_moderators, event
        As in `load_participants`; the mediators may be left out where there is a guess.
    outcomes, period
        Outcome's columns at several visits in order of time, ``COLUMN=TIME`` or ``COLUMN``: `repeated_mediation` is fitted; or the column
        of a crossover's period: `crossover_mediation`.
    course
        Mediators that are one measure over sessions: effects through all of them together (`trajectory_effects`).
    guess, guess_timing
        Column of a treatment guess or expectation, and when it was measured. ``"post_dose"`` or ``"endpoint"``: a label of
        an arm, 0/1, or "don't know"; belief is fitted as a mediator in both orders (`unblinding`), together with the
        mediator, the experience, where there is one. ``"pre_dose"``: fitted as a moderator (`expectancy_moderation`).
    """

    source: str | Path
    codebook: str | Path | None = None
    visit: str | None = None
    person: str | None = None
    treatment: str | None = None
    outcome: str | None = None
    outcomes: Sequence[str] = ()
    period: str | None = None
    mediators: Sequence[str] = ()
    course: Sequence[str] = ()
    guess: str | None = None
    guess_timing: Timing | None = None
    reference: str | None = None
    active: str | None = None
    treatment_kind: TreatmentKind | None = None
    baseline: str | None = None
    trial: str | None = None
    covariates: Sequence[str] = ()
    id: str | None = None
    mediator_time: str | float | None = None
    outcome_time: str | float | None = None
    higher_is_worse: bool | None = None
    randomised: bool | None = None
    single_arm: Literal["set_aside", "keep"] | None = None
    incomplete: Literal["error", "set_aside"] | None = None
    clusters: Sequence[str] = ()
    cluster_labels: Literal["unique", "within"] | None = None
    treatment_moderators: Sequence[str] = ()
    mediator_moderators: Sequence[str] = ()
    event: str | None = None
