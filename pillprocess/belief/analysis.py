"""What a trial's guesses say: belief as a mediator in both orders, blinding indices, descriptions."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import xarray as xr

from pillprocess.belief.coding import Timing
from pillprocess.belief.estimands import belief_bounds, belief_effects
from pillprocess.belief.guesses import blinding_indices, guess_adjusted, guess_counts, guess_rate_curves
from pillprocess.belief.readiness import belief_problems, with_outcome_and_experience
from pillprocess.belief.unblinding import Order, unblinding
from pillprocess.inference.fit import check_fit, fit
from pillprocess.mediation.analysis import default_priors, with_prior
from pillprocess.output.tables import effect_table
from pillprocess.participants.checked import Participants

type Step = Callable[[str], None]

ORDERS: tuple[Order, ...] = ("belief_first", "outcome_first")


@dataclass(frozen=True)
class BeliefAnalysis:
    """What `analyse_belief` or `analyse_expectancy` found.

    Attributes
    ----------
    column
        Column of the guess or expectation.
    timing
        When it was measured.
    fits
        Fits by name: both orders of belief and outcome, or ``expectancy_moderation``.
    tables
        Tables by name.
    set_aside
        ``what``, ``n``, ``reason``: rows that these models leave out.
    doubts
        Sentences for the report.
    n
        Participants that the models were fitted to.
    """

    column: str
    timing: Timing
    fits: dict[str, xr.DataTree]
    tables: dict[str, pd.DataFrame]
    set_aside: pd.DataFrame
    doubts: tuple[str, ...]
    n: int


def analyse_belief(
    people: Participants,
    answers: pd.Series,
    *,
    guess: str,
    timing: Timing,
    seed: int,
    draws: int = 2000,
    step: Step = lambda _: None,
) -> BeliefAnalysis:
    """Fit belief as a mediator in both orders, and describe the guesses.

    Parameters
    ----------
    people
        From `load_participants`, of one trial, with the coded guess among the mediators and at most one other, the experience.
    answers
        The guesses as they stand in the table.
    guess, timing
        Column of the guess, and when it was made: ``"post_dose"`` or ``"endpoint"``.
    seed, draws
        Seed of every draw, and draws per chain.
    step
        Called with the name of each step as it begins.

    Returns
    -------
    BeliefAnalysis with tables ``blinding``, ``belief_bounds``, ``guess_adjusted``, ``guess_rate``, ``belief_convergence`` and
    ``belief_priors``.

    Raises
    ------
    ValueError
        Several trials, or a guess that is no mediator measured after dosing; nothing was fitted.
    ConvergenceError
        A fit did not converge.
    """
    problems = belief_problems(people)
    if problems:
        raise ValueError("\n".join(problems))
    complete, lost = with_outcome_and_experience(people, guess=guess)
    fits: dict[str, xr.DataTree] = {}
    convergence = []
    for order in ORDERS:
        step(f"belief, {order.replace('_', ' ')}")
        model = unblinding(complete, belief=guess, belief_timing=timing, order=order)
        idata = fit(model, seed=seed, draws=draws)
        convergence.append(check_fit(idata).reset_index().assign(order=order))
        fits[order] = with_prior(model, idata, model.free_RVs, seed=seed)
    curves, refusals = guess_rate_curves(people, guess=guess)
    silent = int(complete.mediators[guess].isna().sum())
    doubts = [*refusals]
    if silent:
        doubts.append(
            f"{silent} of {len(complete)} named no treatment: the models average over what they may have believed, as if it were "
            "missing at random given treatment, covariates, experience and outcome"
        )
    tables = {
        "blinding": blinding_indices(guess_counts(people, answers, guess=guess), reference=people.reference, seed=seed),
        "belief_bounds": bounds_of_every_arm(fits),
        "guess_adjusted": guess_adjusted(complete, guess=guess),
        "guess_rate": curves,
        "belief_convergence": pd.concat(convergence, ignore_index=True),
        "belief_priors": default_priors(unblinding),
    }
    return BeliefAnalysis(guess, timing, fits, tables, lost, tuple(doubts), len(complete))


def bounds_of_every_arm(fits: dict[str, xr.DataTree]) -> pd.DataFrame:
    """`belief_bounds` of every active arm, with the prior that each effect had."""
    arms = [str(a) for a in fits[ORDERS[0]]["posterior"].dataset["arm"].to_numpy()]
    tables = []
    for arm in arms:
        table = belief_bounds(fits, arm=arm)
        table.insert(0, "arm", arm)
        priors = [
            effect_table(belief_effects(idata, arm=arm, group="prior")).assign(order=order)
            for order, idata in fits.items()
        ]
        prior = pd.concat(priors)[["order", "estimand", "sd", "ci_low", "ci_high"]]
        prior.columns = ["order", "estimand", "prior_sd", "prior_low", "prior_high"]
        tables.append(table.merge(prior, on=["order", "estimand"]))
    return pd.concat(tables, ignore_index=True)
