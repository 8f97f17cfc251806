"""What a trial's own guesses look like: blinding indices, and two descriptions that adjust outcomes for the guess."""

import numpy as np
import pandas as pd

from pillprocess.belief.blinding import bang_index, correct_guess_rate_curve, james_index
from pillprocess.belief.coding import is_unsure
from pillprocess.output.tables import effect_table
from pillprocess.participants.table import Participants

ADJUSTED = "description: the guess was made after dosing; its coefficient and the arm's are not effects"


def guess_counts(people: Participants, answers: pd.Series, *, guess: str) -> pd.DataFrame:
    """Count right and wrong guesses, and those who did not know, per arm.

    Parameters
    ----------
    people
        From `load_participants`, with the coded guess (see `code_guess`) among the mediators.
    answers
        The guesses as they stand in the table, with at least the index of the participants.
    guess
        Column of the guess.

    Returns
    -------
    DataFrame indexed by arm: ``correct``, ``wrong`` and, where anybody answered that they did not know, ``unsure``. Naming
    any active arm is right in every active arm. Empty cells count nowhere.
    """
    had_active = (people.arm != people.reference).astype(float)
    named = people.mediators[guess]
    said = pd.DataFrame(
        {
            "correct": named == had_active,
            "wrong": named.notna() & (named != had_active),
            "unsure": is_unsure(answers).reindex(named.index),
        }
    )
    counts = said.groupby(people.arm).sum().astype(int).loc[[people.reference, *people.treatment.columns]]
    return counts if counts["unsure"].any() else counts.drop(columns="unsure")


def blinding_indices(counts: pd.DataFrame, *, reference: str, seed: int) -> pd.DataFrame:
    """Tabulate Bang's index of every arm, and James' index of every active arm with its comparator.

    Parameters
    ----------
    counts
        From `guess_counts`; arms in which nobody answered are left out.
    reference
        The comparator.
    seed
        Seed of the posterior draws.

    Returns
    -------
    DataFrame: ``arm``, ``index`` (Bang, James), ``n``, ``correct``, ``wrong``, ``unsure`` (0 where it was no answer) and the
    columns of `effect_table`.
    """
    answered = counts[counts.sum(axis=1) > 0]
    tables = [effect_table(bang_index(answered, seed=seed)).assign(index="Bang")]
    numbers = [answered.assign(arm=answered.index)]
    for arm in answered.index.drop(reference, errors="ignore") if reference in answered.index else []:
        pair = answered.loc[[reference, arm]]
        tables.append(effect_table(james_index(pair, seed=seed)).assign(index="James", arm=f"{arm} + {reference}"))
        numbers.append(pair.sum().to_frame().T.assign(arm=f"{arm} + {reference}"))
    facts = pd.concat(numbers, ignore_index=True).reindex(columns=["arm", "correct", "wrong", "unsure"], fill_value=0)
    facts.insert(1, "n", facts[["correct", "wrong", "unsure"]].sum(axis=1))
    table = facts.merge(pd.concat(tables, ignore_index=True), on="arm")
    return table[["arm", "index", *(c for c in table.columns if c not in ("arm", "index"))]]


def guess_adjusted(people: Participants, *, guess: str) -> pd.DataFrame:
    r"""Describe each arm's difference by least squares, without and with the guess in the regression.

    .. math:: Y = \alpha + c\,T + \gamma X + e, \qquad Y = \alpha + c\,T + g B + \gamma X + e

    Parameters
    ----------
    people
        From `load_participants`; rows without guess or outcome are left out of both regressions.
    guess
        Column of the coded guess.

    Returns
    -------
    DataFrame: ``term`` (an arm, or the guess), ``guess_in_model`` (0, 1), ``estimate``, ``se``, ``n``, and ``kind``, which
    says that it is a description.
    """
    B = people.mediators[guess]
    kept = B.notna() & people.outcome.notna()
    y = people.outcome[kept].to_numpy(float)
    arms = [str(a) for a in people.treatment.columns]
    base = pd.concat([people.treatment, people.covariates], axis=1)[kept]
    rows = []
    for terms, table in ((arms, base), ([*arms, guess], base.assign(**{guess: B[kept]}))):
        X = np.column_stack([np.ones(len(y)), table.to_numpy(float)])
        estimate, *_ = np.linalg.lstsq(X, y, rcond=None)
        residual = y - X @ estimate
        variance = residual @ residual / (len(y) - X.shape[1]) * np.diag(np.linalg.pinv(X.T @ X))
        position = {name: k for k, name in enumerate(["", *map(str, table.columns)])}
        rows += [
            {
                "term": t,
                "guess_in_model": int(len(terms) > len(arms)),
                "estimate": estimate[position[t]],
                "se": np.sqrt(variance[position[t]]),
                "n": len(y),
            }
            for t in terms
        ]
    return pd.DataFrame(rows).assign(kind=ADJUSTED)


def guess_rate_curves(people: Participants, *, guess: str) -> tuple[pd.DataFrame, list[str]]:
    """Describe each active arm's difference from the comparator by how many guessed right (`correct_guess_rate_curve`).

    Returns
    -------
    The curves with a column ``arm``, and why an arm has none.
    """
    rows = pd.DataFrame({"arm": people.arm, "guess": people.mediators[guess], "outcome": people.outcome}).dropna()

    tables, refusals = [], []
    for arm in map(str, people.treatment.columns):
        own = rows[rows["arm"].isin([people.reference, arm])]
        given = np.where(own["arm"] == arm, "active", "control")
        own = own.assign(given=given, guess=np.where(own["guess"] == 1, "active", "control"))
        try:
            curve = correct_guess_rate_curve(own, treatment="given", active="active", guess="guess", outcome="outcome")
        except ValueError as error:
            refusals.append(f"no correct-guess-rate curve for {arm}: {error}")
        else:
            tables.append(curve.assign(arm=arm))
    columns = ["arm", "correct_guess_rate", "difference", "se", "ci_low", "ci_high", "observed", "kind"]
    return (pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)), refusals
