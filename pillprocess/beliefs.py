"""Belief about the treatment: how a guess is coded, and when it was measured."""

from collections.abc import Sequence
from typing import Literal, get_args

import pandas as pd

from pillprocess.participant_coding import labels
from pillprocess.participants import Participants

Timing = Literal["pre_dose", "post_dose", "endpoint"]


def code_guess(guess: pd.Series, *, active: str | Sequence[str], reference: str) -> pd.Series:
    """Code guesses as belief of having had an active treatment: 1, 0, or missing where nothing was said.

    Parameters
    ----------
    guess
        Labels of the arm each participant named, or 0/1 already.
    active, reference
        Labels of the active arms and of the comparator. A column of 0 and 1 is taken as it is.

    Returns
    -------
    Series of 0.0, 1.0 and missing, with the index of ``guess``.

    Raises
    ------
    ValueError
        Labels that are neither.
    """
    named = labels(guess)
    arms = [active] if isinstance(active, str) else list(active)
    codes = {"0": 0.0, "1": 1.0} if set(named.dropna()) <= {"0", "1"} else dict.fromkeys(arms, 1.0) | {reference: 0.0}
    unknown = sorted(set(named.dropna()) - set(codes))
    if unknown:
        raise ValueError(
            f"column {guess.name!r}: {', '.join(map(repr, unknown))} name neither {' or '.join(arms)} nor {reference}; "
            "leave the cell empty where somebody did not know"
        )
    return named.map(codes).astype(float).rename(guess.name)


def check_belief(people: Participants, *, belief: str, timing: Timing) -> None:
    """Refuse a belief whose role does not fit the time it was measured.

    A guess made after dosing follows from the drug, the experience and early improvement: it is a mediator, never a
    covariate. An expectation rated before dosing follows from none of them: it is a covariate or moderator.

    Parameters
    ----------
    people
        From `load_participants`.
    belief
        Column of the belief.
    timing
        When it was measured: ``"pre_dose"``, ``"post_dose"`` or ``"endpoint"``.

    Raises
    ------
    ValueError
        The role does not fit the timing, or there is no such column.
    """
    if timing not in get_args(Timing):
        raise ValueError(f"timing = {timing!r}; it must be one of {', '.join(get_args(Timing))}")
    mediator, covariate = belief in people.mediators.columns, belief in set(people.covariate_source)
    if not mediator and not covariate:
        raise ValueError(
            f"column {belief!r} is neither mediator nor covariate of these participants; nothing was fitted"
        )
    if timing == "pre_dose" and mediator:
        raise ValueError(
            f"column {belief!r} was measured before dosing: it cannot carry an effect of the drug and is no mediator. "
            "Name it among the covariates, or let it moderate the effect with expectancy_moderation"
        )
    if timing != "pre_dose" and covariate:
        raise ValueError(
            f"column {belief!r} was measured after dosing ({timing}): it follows from the drug, the experience and early "
            "improvement, so adjusting for it as a baseline covariate biases the effect. Name it among the mediators"
        )
