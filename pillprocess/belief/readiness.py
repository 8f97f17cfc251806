"""Whether a trial's guesses or expectations can be fitted: which rows, and everything that speaks against it, before PyMC is loaded."""

import dataclasses

import pandas as pd

from pillprocess.belief.coding import code_guess
from pillprocess.belief.expectation_checks import expectation_problems
from pillprocess.participants.checked import Participants
from pillprocess.participants.checks import constant_problems, rank_problems
from pillprocess.participants.clusters import unmodelled
from pillprocess.participants.codebook import Codebook
from pillprocess.participants.coding import not_numeric
from pillprocess.participants.odd_values import number_questions
from pillprocess.participants.reading import ParticipantError


def belief_problems(people: Participants) -> list[str]:
    """Why belief cannot be fitted as a mediator in these participants, where it cannot."""
    problems = unmodelled(people, "the model of a guess (--guess)")
    if people.trial.nunique() < 2:
        return problems
    return [
        *problems,
        f"--guess: {people.trial.nunique()} trials ({', '.join(people.trial.unique()[:5])} ...); belief is modelled within one "
        "trial. Give the rows of one trial, or name the site as a covariate; nothing was fitted",
    ]


def with_outcome_and_experience(people: Participants, *, guess: str) -> tuple[Participants, pd.DataFrame]:
    """Keep the participants whose outcome and experience were observed, and list how many are left out.

    Raises
    ------
    ParticipantError
        What is left is unfit.
    """
    needed = pd.concat([people.mediators.drop(columns=guess), people.outcome], axis=1)
    lost = left_out(needed, "the belief models need it")
    kept = needed.notna().all(axis=1)
    if kept.all():
        return people, lost
    names = ["outcome", "mediators", "treatment", "covariates", "trial", "arm", "clusters"]
    left = dataclasses.replace(people, **{name: getattr(people, name)[kept] for name in names})
    problems = constant_problems(left.outcome, left.mediators, left.covariates, left.arm, left.trial)
    problems += rank_problems(left.treatment, left.covariates)
    if problems:
        raise ParticipantError(problems, "the rows with outcome and experience")
    return left, lost


def left_out(needed: pd.DataFrame, reason: str) -> pd.DataFrame:
    """List how many rows lack each column: ``what``, ``n``, ``reason``."""
    absent = needed.isna().sum()
    rows = [(f"rows without {column}", int(n), reason) for column, n in absent.items() if n]
    return pd.DataFrame(rows, columns=["what", "n", "reason"])


def moderation_rows(people: Participants, expectation: pd.Series, *, baseline: str | None) -> pd.DataFrame:
    """Arm, coded expectation, outcome and baseline of each participant, as the moderation model takes them.

    Raises
    ------
    ValueError
        Several trials or active arms, or expectations that are no numbers and name no arm.
    """
    name, outcome, arms = str(expectation.name), str(people.outcome.name), list(people.treatment.columns)
    if people.trial.nunique() > 1 or len(arms) > 1:
        raise ValueError(
            f"column {name!r}: an expectation is fitted as a moderator in one trial with two arms; here are "
            f"{people.trial.nunique()} trials and the active arms {', '.join(arms)}. Give the rows of one comparison; nothing was "
            "fitted"
        )
    rated = expectation.reindex(people.outcome.index)
    if rated.notna().any() and (len(not_numeric(rated)) == rated.notna().sum() or _named_like_arms(rated, people)):
        rated = code_guess(rated, active=arms, reference=people.reference)
    columns = {"(arm)": people.arm, name: rated, outcome: people.outcome}
    return pd.DataFrame(columns | ({baseline: people.covariates[baseline]} if baseline else {}))


def moderation_problems(
    people: Participants, expectation: pd.Series, *, baseline: str | None, codebook: Codebook
) -> list[str]:
    """Why an expectation cannot be fitted as a moderator, and values of it that are asked about."""
    name, outcome = str(expectation.name), str(people.outcome.name)
    rows = moderation_rows(people, expectation, baseline=baseline)
    asked = [] if len(not_numeric(rows[name])) else number_questions(rows[name], people.arm, codebook.of(name))
    asked += unmodelled(people, "the model of an expectation as a moderator")
    return asked + expectation_problems(
        rows.dropna().assign(**{"(scale)": "outcome"}), treatment="(arm)", reference=people.reference, outcome=outcome,
        expectations=[name], timing="pre_dose", scale=None, person=None, baseline=baseline, turned=[],
    )  # fmt: skip


def _named_like_arms(rated: pd.Series, people: Participants) -> bool:
    """Whether two expectations are written like the codes of the arms, which are 0 and 1."""
    codes = {"0", "1"}
    held = {f"{float(v):g}" for v in pd.to_numeric(rated.dropna(), errors="coerce").unique()}
    return held == codes and {people.reference, *map(str, people.treatment.columns)} == codes
