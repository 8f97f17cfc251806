"""Belief about the treatment: how a guess is coded, and when it was measured."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import pandas as pd

from pillprocess.participants.coding import code_arms, label, labels
from pillprocess.participants.scales import plain_name
from pillprocess.participants.table import Participants

Timing = Literal["pre_dose", "post_dose", "endpoint"]


GuessCoding = Literal["labels", "belief"]
TRUTH = {"true": "1", "false": "0"}
RIGHT = re.compile(r"correct|accura|(^|_)right(ly)?(_|$)|(^|_)hit(_|$)")
"""Names of columns that say whether a guess was right, and not what was guessed."""
WORDED = {"an active treatment": 1.0, "the reference": 0.0}
"""What a codebook calls the two beliefs where a code list of 0 and 1 could mean either."""
UNSURE = ("don't know", "do not know", "dont know", "not sure", "unsure")
"""Answers of people who were asked and named no treatment, in any case of letters."""


def is_unsure(guess: pd.Series) -> pd.Series:
    """Say who answered that they did not know (see ``UNSURE``); an empty cell is no answer."""
    said = labels(guess).astype("string").str.casefold().str.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return said.isin(UNSURE)


def code_guess(
    guess: pd.Series, *, active: str | Sequence[str], reference: str, coding: GuessCoding | None = None
) -> pd.Series:
    """Code guesses as belief of having had an active treatment: 1, 0, or missing where no treatment was named.

    Parameters
    ----------
    guess
        Labels of the arm each participant named, or 0/1 (or booleans) already; answers such as "don't know" (see
        `is_unsure`) and empty cells become missing.
    active, reference
        Labels of the active arms and of the comparator.
    coding
        How a column of 0 and 1 (or true and false) is read: as ``"belief"``, 1 for an active treatment; or as ``"labels"`` of arms
        that are called so. It must be said where the two differ: with arms 0 = drug and 1 = placebo they are opposites.

    Returns
    -------
    Series of 0.0, 1.0 and missing, with the index of ``guess``.

    Raises
    ------
    ValueError
        Answers that are none of these, or that could mean either of two things.
    """
    if coding not in (None, *get_args(GuessCoding)):
        raise ValueError(f"coding = {coding!r}; it must be one of {', '.join(get_args(GuessCoding))}")
    if not isinstance(guess, pd.Series):
        raise ValueError(
            f"guesses are a column of a table, such as table['guess']; got a {type(guess).__name__}. Nothing was fitted"
        )
    arms = [label(a) for a in ([active] if isinstance(active, str) else active)]
    reference = label(reference)
    named = labels(guess).mask(is_unsure(guess))
    named = named.map(lambda answer: TRUTH.get(answer.casefold(), answer), na_action="ignore")
    said = set(named.dropna())
    by_label = {TRUTH.get(a.casefold(), a): 1.0 for a in arms} | {TRUTH.get(reference.casefold(), reference): 0.0}
    as_belief = {"0": 0.0, "1": 1.0} if said <= {"0", "1"} else None
    if as_belief and coding is None and RIGHT.search(plain_name(guess.name)):
        raise ValueError(
            f"column {guess.name!r}: its name says that 1 is a right guess, not which treatment was guessed, and the two are opposites in "
            f"the reference arm. Write the arm that each person named; or, if 1 is belief in an active treatment, codebook: under "
            f"[columns.{guess.name}] codes = {{ {_lines(as_belief)} }} (coding='belief'). Nothing was fitted"
        )
    differ = sorted(answer for answer in said & set(by_label) if as_belief and as_belief[answer] != by_label[answer])
    if differ and coding is None:
        raise ValueError(
            f"column {guess.name!r}: {' and '.join(map(repr, sorted(said)))} may be labels of the arms ({', '.join(arms)} active, "
            f"{reference} the reference) or belief (1 an active treatment, 0 the reference), and the two are opposites here. Codebook: "
            f"under [columns.{guess.name}] write codes = {{ {_lines(by_label)} }} if they are labels of arms, or "
            f"codes = {{ {_lines(as_belief or {})} }} if 1 is belief in an active treatment (coding='labels' or 'belief'). Nothing was "
            "fitted"
        )
    codes = as_belief if as_belief and coding != "labels" else by_label
    if as_belief is None and coding != "belief" and said - set(by_label) <= set(WORDED):
        codes = by_label | {k: v for k, v in WORDED.items() if k not in by_label}
    unknown = sorted(said - set(codes))
    if unknown:
        raise ValueError(
            f"column {guess.name!r}: {', '.join(map(repr, unknown))} name neither {' or '.join(arms)} nor {reference}; a guess "
            'is the label of an arm, or 1 for an active arm and 0 for the reference; write "don\'t know" where somebody did '
            "not know. Nothing was fitted"
        )
    return named.map(codes).astype(float).rename(guess.name)


def _lines(codes: Mapping[str, float]) -> str:
    """Codebook entries that call each code by the belief it stands for."""
    said = {1.0: "an active treatment", 0.0: "the reference"}
    return ", ".join(f'"{code}" = "{said[value]}"' for code, value in sorted(codes.items()))


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


def coded_guesses(
    table: pd.DataFrame, *, guess: str, treatment: str, reference: str | float | None, active: str | float | None
) -> pd.DataFrame:
    """Replace the guesses of a table by 1, 0 and missing; a table whose arms are unfit is left for `load_participants`.

    Raises
    ------
    ValueError
        Guesses that name no arm.
    """
    if not {guess, treatment} <= set(table.columns):
        return table
    T, _, reference_label, problems = code_arms(table[treatment], reference, active)
    if problems:
        return table
    return table.assign(**{guess: code_guess(table[guess], active=list(T.columns), reference=reference_label)})


def guess_problems(
    guess: str | None,
    timing: str | None,
    *,
    mediators: Sequence[str],
    before: Sequence[str],
    families: Sequence[str],
    treatment_kind: str,
) -> list[str]:
    """Say what is wrong with the role given to a guess, before anything is read.

    Parameters
    ----------
    guess, timing
        Column of the guess or expectation, and when it was measured.
    mediators, before
        Columns of the mediators, and of baseline and covariates.
    families
        Families of mediator and outcome.
    treatment_kind
        As in `load_participants`.
    """
    if guess is None:
        return [] if timing is None else ["a guess timing was given and no guess; name its column with --guess"]
    if timing is None:
        return [
            f"column {guess!r}: say when it was measured with --guess-timing {' or '.join(get_args(Timing))}; what was believed "
            "after dosing is a mediator, what was expected before it a moderator"
        ]
    if timing not in get_args(Timing):
        return [f"guess timing = {timing!r}; it must be one of {', '.join(get_args(Timing))}"]
    problems = []
    if timing == "pre_dose":
        if guess in mediators:
            problems.append(
                f"column {guess!r} was measured before dosing: it cannot carry an effect of the drug and is no mediator. Leave it "
                "out of --mediator; as --guess with timing pre_dose it is fitted as a moderator of the drug's effect"
            )
        return problems
    if guess in before:
        problems.append(
            f"column {guess!r} was measured after dosing ({timing}): it follows from the drug, the experience and early "
            "improvement, so adjusting for it as a baseline covariate biases the effect. Leave it out of --covariate and "
            "--baseline; as --guess it is fitted as a mediator. An expectation rated before dosing takes --guess-timing pre_dose"
        )
    if guess in mediators:
        problems.append(f"column {guess!r} is named by --guess and by --mediator; name it by --guess alone")
    others = [m for m in mediators if m != guess]
    if len(others) > 1:
        problems.append(f"beside --guess there can be one --mediator, the experience; got {', '.join(others)}")
    if set(families) != {"gaussian"}:
        problems.append(f"--guess is fitted with Gaussian experience and outcome; got {' and '.join(families)}")
    if treatment_kind != "arms":
        problems.append("--guess needs arms, not a dose: a guess names an arm")
    return problems
