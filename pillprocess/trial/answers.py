"""What a mediation analysis found, in sentences whose every number comes from its tables."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pillprocess.mediation.analysis import MediationAnalysis
from pillprocess.mediation.paths import estimate_text
from pillprocess.participants.followup import AVERAGE
from pillprocess.trial.belief_report import rests_on, total_of
from pillprocess.trial.further_answers import between_arms, each_mediator, floor_answer, on_floor, through_course


def answers(analysis: MediationAnalysis) -> Iterator[str]:
    """State the result of each arm in sentences whose every number comes from the tables."""
    people = analysis.people
    mediators = " and ".join(map(str, people.mediators.columns))
    for arm in map(str, people.treatment.columns):
        effects = analysis.tables["effects"]
        rows = {str(r["estimand"]): r for r in effects[effects["arm"] == arm].to_dict("records")}
        te = rows["te"]
        better = te["p_below"] if people.higher_is_worse else 1 - te["p_below"]
        yield (
            f"{total_of(people, arm)}, as a {te['scale']}: {estimate_text(te)}, with probability {better:.3f} that it is an improvement. "
            f"{_basis(analysis)}"
        )
        yield (
            f"Through {mediators}: {estimate_text(rows['tnie'])} (tnie). Not through it: {estimate_text(rows['pnde'])} (pnde). The split "
            "also assumes that nothing unmeasured affects both the mediator and the outcome."
        )
        if "proportion_mediated" in rows:
            share = rows["proportion_mediated"]
            yield (
                f"Proportion mediated: median {estimate_text(share | {'mean': share['median']})}, given because the sign of the total "
                "effect is settled (probability above .975) and its two parts do not have opposite signs."
            )
        else:
            yield f"No proportion mediated is reported: {proportion_withheld(rows)}."
        yield from each_mediator(analysis.tables, arm)
        yield from through_course(analysis.tables, arm, list(map(str, people.mediators.columns)))
        yield from _over_visits(analysis, arm)
        yield from _moderation(analysis, arm)
        yield from _far(analysis.tables["extrapolation"], arm)
        yield from _robustness(analysis, arm)
    yield from between_arms(analysis.tables, mediators)
    yield from floor_answer(mediators, on_floor(people, analysis.idata["constant_data"].dataset))


def _basis(analysis: MediationAnalysis) -> str:
    """What a total effect rests on."""
    if not (analysis.people.randomised and analysis.design):
        return rests_on(analysis.people)
    if "periods" in analysis.tables:
        return "It rests on the random order of the arms, and on carry-over as modelled."
    return "It rests on randomisation, and on those who left being like those who stayed with the same visits, mediator and covariates."


def _over_visits(analysis: MediationAnalysis, arm: str) -> Iterator[str]:
    """The effects at the other visits, and how much worse those who left must have done; or the first period of a crossover."""
    tables = analysis.tables
    if "effects_by_visit" in tables:
        own = tables["effects_by_visit"]
        rows = own[(own["arm"] == arm) & own["estimand"].isin(["te", "tnie"])].to_dict("records")
        told = "; ".join(f"{row['estimand']} at {row['visit']}: {estimate_text(row)}" for row in rows)
        yield f"Over the visits ({AVERAGE}: over time from the first to the last): {told}."
    if "tipping" in tables:
        row = tables["tipping"][(tables["tipping"]["arm"] == arm) & (tables["tipping"]["estimand"] == "te")].iloc[0]
        yield (
            f"If those of {arm} who left did worse than those who stayed with the same visits, mediator and covariates, by delta points at "
            f"the last visit: of the total effect, {row['verdict']}."
        )
    if "first_period" in tables:
        row = tables["first_period"].set_index("estimand").loc["te"].to_dict()
        yield f"The first period alone, which no carry-over can touch, gives a total effect of {estimate_text(row)}."


def _moderation(analysis: MediationAnalysis, arm: str) -> Iterator[str]:
    """The indirect effect at the lowest and highest value of each moderator, and their difference."""
    table = analysis.tables.get("moderated_effects", pd.DataFrame({"arm": []}))
    for moderator, rows in table[table["arm"] == arm].groupby("moderator", sort=False) if len(table) else ():
        at = rows[rows["estimand"] == "tnie"].to_dict("records")
        total, indirect = (rows[rows["estimand"] == f"{n}_difference"].iloc[0].to_dict() for n in ("te", "tnie"))
        yield (
            f"Moderation by {moderator}: the indirect effect is {estimate_text(at[0])} at {at[0]['value']:.3g} and {estimate_text(at[-1])} "
            f"at {at[-1]['value']:.3g}; moderated mediation, their difference, is {estimate_text(indirect)}. The total effect differs "
            f"by {estimate_text(total)}."
        )


def proportion_withheld(rows: dict[str, dict[str, Any]]) -> str:
    """Why there is no proportion mediated."""
    below = rows["te"]["p_below"]
    if not rows["te"]["scale"].startswith("difference"):
        return "it is a share of a difference, not of a ratio"
    if max(below, 1 - below) <= 0.975:
        return f"the sign of the total effect is not settled (probability {below:.3f} that it is negative)"
    return "direct and indirect effect have opposite signs, so neither is a share of the total"


def _far(table: pd.DataFrame, arm: str) -> Iterator[str]:
    for row in table[(table["arm"] == arm) & (table["distance"] > 2)].to_dict("records"):
        yield (
            f"Caution: {row['effect']} moves {row['mediator']} {row['distance']:.1f} SDs from where it lies under {arm}; it "
            "extrapolates beyond the people who had the treatment."
        )


def _robustness(analysis: MediationAnalysis, arm: str) -> Iterator[str]:
    summary, marks = analysis.tables["sensitivity"], analysis.tables["benchmarks"]
    for (of, mediator), _ in analysis.sensitivity.items():
        if of != arm:
            continue
        own = summary[(summary["arm"] == arm) & (summary["mediator"] == mediator)].set_index("estimand")
        text = (
            f"An unmeasured common cause of {mediator} and the outcome would bring the indirect effect to 0 at a residual "
            f"correlation of {estimate_text(own.loc['rho_tipping'].to_dict())}; letting that correlation be uncertain (SD "
            f"{analysis.sensitivity[of, mediator].attrs['prior_rho_sd']:.2f}), the indirect "
            f"effect is {estimate_text(own.loc['tnie_rho_prior'].to_dict())}."
        )
        here = marks[(marks["arm"] == arm) & (marks["mediator"] == mediator)]
        strength = here[here["estimand"] == "benchmark_rho"]
        if len(strength):
            top = strength.loc[strength["mean"].abs().idxmax()]
            left = here[(here["estimand"] == "benchmark_tnie") & (here["source"] == top["source"])].iloc[0]
            text += (
                f" A confounder as strong as {top['source']}, the strongest measured one, would leave {top['mean']:.2f}, and an "
                f"indirect effect of {estimate_text(left.to_dict())}."
            )
        yield text
