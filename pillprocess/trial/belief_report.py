"""What the report of a trial says and draws about guesses and expectations."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pillprocess.belief.analysis import BeliefAnalysis
from pillprocess.belief.estimands import belief_effects
from pillprocess.belief.plots import (
    plot_belief_bounds,
    plot_belief_split,
    plot_blinding,
    plot_guess_rate,
    plot_moderation,
)
from pillprocess.mediation.paths import estimate_text
from pillprocess.output.visual_style import Width
from pillprocess.participants.table import Participants

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WHEN = {"pre_dose": "before dosing", "post_dose": "after dosing", "endpoint": "at the endpoint"}


def belief_axes(
    people: Participants, belief: BeliefAnalysis, *, width: Width = "two_column"
) -> dict[tuple[str, ...], "Axes"]:
    """Draw every figure of a guess or an expectation, by kind and arm."""
    tables, unit, base = belief.tables, str(people.outcome.name), f"n = {belief.n} people"
    if "moderation_effects" in tables:
        return {("moderation",): plot_moderation(tables["moderation_effects"], width=width, title=base)}
    axes: dict[tuple[str, ...], Axes] = {("blinding",): plot_blinding(tables["blinding"], width=width)}
    for arm in map(str, people.treatment.columns):
        bounds, curve = (tables[name][tables[name]["arm"] == arm] for name in ("belief_bounds", "guess_rate"))
        worse, title = people.higher_is_worse, f"{arm} against {people.reference}, {base}"
        axes["belief_bounds", arm] = plot_belief_bounds(
            bounds, width=width, higher_is_worse=worse, unit=unit, title=title
        )
        effects = belief_effects(belief.fits["belief_first"], arm=arm)
        if "through_experience" in effects:
            axes["belief_split", arm] = plot_belief_split(effects, unit=unit, title=title)
        if len(curve):
            title = f"{arm} against {people.reference}"
            axes["guess_rate", arm] = plot_guess_rate(curve, width=width, higher_is_worse=worse, unit=unit, title=title)
    return axes


def belief_answers(people: Participants, belief: BeliefAnalysis, *, with_total: bool) -> Iterator[str]:
    """State what the guesses or expectations say, in sentences whose every number comes from the tables.

    The total effect is left out where the mediator's answer has stated it.
    """
    if "moderation" in belief.tables:
        yield from _moderation_answers(people, belief)
        return
    outcome = str(people.outcome.name)
    whole = "effect" if people.randomised else "difference"
    itself = (
        "the effect of the treatment itself"
        if people.randomised
        else "the treatment's, or of what else differs between the arms"
    )
    blinding = belief.tables["blinding"]
    said = [
        f"{row['correct']} of {row['n']} in {row['arm']} (Bang's index {estimate_text(row)})"
        for row in blinding[blinding["index"] == "Bang"].to_dict("records")
    ]
    yield f"Asked {WHEN[belief.timing]}, {'; '.join(said)} named their treatment rightly. The index is 0 for coin tosses and 1 if all knew."
    for arm in map(str, people.treatment.columns):
        first, last = (_rows(belief, arm, order) for order in ("belief_first", "outcome_first"))
        te = first["te"]
        better = te["p_below"] if people.higher_is_worse else 1 - te["p_below"]
        if with_total:
            yield (
                f"{total_of(people, arm)}: {estimate_text(te)}, with probability {better:.3f} that it is an improvement. "
                f"{rests_on(people)}"
            )
        yield (
            f"If belief acts on {outcome}, {estimate_text(first['through_belief'])} of the {whole} of {arm} passes through belief and "
            f"{estimate_text(first['not_through_belief'])} does not. If the guess follows {outcome}, nothing passes through belief, and "
            f"{estimate_text(last['te'])} is {itself}. The data cannot tell the two orders apart: they are "
            "bounds, each under the assumption that nothing unmeasured affects both belief and outcome."
        )
        if "through_experience" in first:
            r = float(first["through_belief"]["joint_correlation"])
            yield (
                f"Through belief or experience together: {estimate_text(first['through_belief_or_experience'])}. Of that, "
                f"{estimate_text(first['through_belief'])} through belief and {estimate_text(first['through_experience'])} through the "
                f"experience alone. The two parts have a posterior correlation of {r:+.2f}: {_told_apart(r)}."
            )


def total_of(people: Participants, arm: str) -> str:
    """Name the total effect of an arm, or the difference where treatment was not randomised."""
    outcome = str(people.outcome.name)
    if people.randomised:
        return f"Total effect of {arm} against {people.reference} on {outcome}"
    return f"Difference of {arm} from {people.reference} in {outcome}"


def rests_on(people: Participants) -> str:
    """What a total effect rests on."""
    if people.randomised:
        return "It rests on randomisation alone."
    given = " given the covariates" if len(people.covariates.columns) else ", unadjusted"
    return (
        f"Treatment was not randomised: this is a difference between the arms{given}, and an effect only if nothing else that acts on "
        "the outcome differs between them."
    )


def _told_apart(r: float) -> str:
    """What the posterior correlation of two parts says of their split."""
    if r < -0.5:
        return "what the data give to one they take from the other, so trust the sum before the split"
    return "the data do not trade one for the other"


def _moderation_answers(people: Participants, belief: BeliefAnalysis) -> Iterator[str]:
    terms = {str(r["term"]): r for r in belief.tables["moderation"].to_dict("records")}
    levels = {float(r["expectation_sd"]): r for r in belief.tables["moderation_effects"].to_dict("records")}
    arm, h = people.treatment.columns[0], terms["h"]
    what = "Effect" if people.randomised else "Difference"
    yield (
        f"{belief.column} was rated before dosing: it moderates and cannot mediate. {what} of {arm} against {people.reference} on "
        f"{people.outcome.name}, in SDs (negative is improvement): {estimate_text(levels[-1.0])} where it was 1 SD below its mean, "
        f"{estimate_text(levels[0.0])} at its mean, {estimate_text(levels[1.0])} 1 SD above."
    )
    yield (
        f"Drug x expectancy: {estimate_text(h)} per SD of expectation, negative with probability {h['p_below']:.3f}. Where it is 0, "
        "drug and expectancy add. "
        f"{'Treatment was randomised at every level of it.' if people.randomised else rests_on(people)}"
    )


def _rows(belief: BeliefAnalysis, arm: str, order: str) -> dict[str, dict[Any, Any]]:
    table = belief.tables["belief_bounds"]
    rows = table[(table["arm"] == arm) & (table["order"] == order)].to_dict("records")
    return {str(r["estimand"]): r for r in rows}
