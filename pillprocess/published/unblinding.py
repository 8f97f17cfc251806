"""The mediator model's answer for the microdose trial, beside the guess-adjusted regression it corrects."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pillprocess.belief.estimands import belief_bounds
from pillprocess.belief.unblinding import unblinding
from pillprocess.inference.fit import check_fit, fit
from pillprocess.participants.table import load_participants
from pillprocess.published.datasets import fetch_microdose
from pillprocess.published.expectancy import MICRODOSE


def microdose_mediation(
    *,
    seed: int,
    outcomes: Sequence[str] = tuple(MICRODOSE),
    folder: str | Path | None = None,
    draws: int = 600,
    tune: int = 600,
) -> pd.DataFrame:
    r"""Fit belief as a mediator in both orders to outcomes of the microdose trial.

    Where belief acts on the outcome, the part of the microdose's effect that does not pass through belief is close to the
    condition's coefficient in the regression with the guess, and the part that does is not the guess's coefficient b but
    :math:`(b + \theta)(p_1 - p_0)`: b times the few people whom the drug led to another guess. Differences that remain come
    from the interaction and from letting people who tend to guess the drug tend to higher scores. Where the guess follows
    the outcome (as it must for drug intensity: people guess from what they feel) nothing passes through belief, the whole
    effect is the drug's, and the regression with the guess has adjusted its effect away. The data cannot choose; the two
    orders are bounds.

    Parameters
    ----------
    seed
        Seed of the sampler.
    outcomes
        Scales.
    folder
        Folder that holds the data; by default they are fetched.
    draws, tune
        Draws and tuning draws of each of four chains.

    Returns
    -------
    DataFrame with ``outcome``, the columns of `belief_bounds` (points of the scale), ``published_without_guess`` and
    ``published_with_guess``: the condition's coefficient in the published regressions.

    Raises
    ------
    ConvergenceError
        A fit did not converge.
    ValueError
        A scale that is not among the published ones.
    """
    unknown = [scale for scale in outcomes if scale not in MICRODOSE]
    if unknown:
        raise ValueError(f"outcomes {', '.join(unknown)}: published figures are known for {', '.join(MICRODOSE)}")
    trial = fetch_microdose(folder=folder)
    tables = []
    for scale in outcomes:
        rows = trial[trial["scale"] == scale]
        people = load_participants(
            rows, treatment="treatment", reference="placebo", outcome="score", mediators="guessed_microdose",
            higher_is_worse=scale == "STAIT", repeated_rows="modelled",
        )  # fmt: skip
        fits = {}
        for order in ("belief_first", "outcome_first"):
            model = unblinding(
                people, belief="guessed_microdose", belief_timing="post_dose", person=rows["person"], order=order
            )
            fits[order] = fit(model, seed=seed, draws=draws, tune=tune, target_accept=0.8)
            check_fit(fits[order])
        without, adjusted, _ = MICRODOSE[scale]
        published = {"published_without_guess": without, "published_with_guess": adjusted}
        tables.append(belief_bounds(fits).assign(outcome=scale, **published))
    table = pd.concat(tables, ignore_index=True)
    return table[["outcome", *(c for c in table.columns if c != "outcome")]]
