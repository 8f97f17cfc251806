"""What a trial's expectations, rated before dosing, say: expectancy as a moderator of the drug's effect."""

import pandas as pd

from pillprocess.belief.analysis import BeliefAnalysis, Step
from pillprocess.belief.expectancy import expectancy_moderation, moderation_effects
from pillprocess.belief.readiness import left_out, moderation_rows
from pillprocess.inference.fit import check_fit, fit
from pillprocess.mediation.analysis import default_priors
from pillprocess.output.tables import effect_table
from pillprocess.participants.checked import Participants


def analyse_expectancy(
    people: Participants,
    expectation: pd.Series,
    *,
    baseline: str | None,
    seed: int,
    draws: int = 2000,
    step: Step = lambda _: None,
) -> BeliefAnalysis:
    """Fit an expectation rated before dosing as a moderator of the drug's effect.

    Parameters
    ----------
    people
        From `load_participants`, of one trial with two arms.
    expectation
        Ratings, or labels of the arm that each participant expected, with at least the index of the participants.
    baseline
        The baseline among the covariates, which the model adjusts for; it adjusts for no other.
    seed, draws
        Seed of every draw, and draws per chain.
    step
        Called with the name of each step as it begins.

    Returns
    -------
    BeliefAnalysis with tables ``moderation`` (c, the drug's effect at the mean expectation; g, the expectation's slope in the
    reference arm; h, drug x expectancy), ``moderation_effects``, ``moderation_convergence`` and ``moderation_priors``.

    Raises
    ------
    ValueError
        Several trials or active arms, or expectations that are no numbers and name no arm; nothing was fitted.
    ConvergenceError
        The fit did not converge.
    """
    name, outcome = str(expectation.name), str(people.outcome.name)
    step("expectancy as a moderator")
    rows = moderation_rows(people, expectation, baseline=baseline)
    lost = left_out(rows, "the moderation model needs it")
    model = expectancy_moderation(
        rows.dropna(), treatment="(arm)", reference=people.reference, outcome=outcome, expectancy=name,
        expectancy_timing="pre_dose", baseline=baseline, higher_is_better=() if people.higher_is_worse else ("outcome",),
    )  # fmt: skip
    idata = fit(model, seed=seed, draws=draws)
    convergence = check_fit(idata)
    posterior = idata["posterior"].dataset
    terms = effect_table(posterior[["c", "g", "h"]].sel(expectancy=name, drop=True)).rename(
        columns={"estimand": "term"}
    )
    effects = effect_table(moderation_effects(idata)["drug_effect"].sel(expectancy=name, drop=True))
    tables = {
        "moderation": terms,
        "moderation_effects": effects.rename(columns={"at": "expectation_sd"}),
        "moderation_convergence": convergence.reset_index(),
        "moderation_priors": default_priors(expectancy_moderation),
    }
    doubts = [
        f"column {name!r} was measured before dosing: it cannot carry an effect of the drug, so it was fitted not as a mediator "
        "but as a moderator of the drug's effect (expectancy_moderation)"
    ]
    others = [c for c in dict.fromkeys(people.covariate_source) if c not in (baseline, name)]
    if others:
        doubts.append(f"the moderation model adjusts for the baseline alone, not for {', '.join(others)}")
    return BeliefAnalysis(
        name, "pre_dose", {"expectancy_moderation": idata}, tables, lost, tuple(doubts), n=len(rows.dropna())
    )
