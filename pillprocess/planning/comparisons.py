r"""What a design compares: the ledger of identification before the trial is run.

Within a trial only differences between its arms are randomised. With one line of amounts per arm (dose, therapy, their product,
belief, experience, waiting list), less their mean, a term is *isolated* if it lies in the row space: some weights of the arms give
the term and nothing else. If its column differs between arms but the term is not isolated, what else differs with it is named,
and the fewest arms are searched that would isolate it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from pillprocess.decomposition.within_trials import spans
from pillprocess.planning.trials import PlannedArm, PlannedTrial, PlanningError

ESTIMANDS = {
    "drug": "effect of the drug at its reference dose, experience and belief held equal",
    "therapy": "effect of therapy without the drug",
    "drug:therapy": "what therapy adds to the drug's effect",
    "expectancy": "effect of believing that one had the drug",
    "experience": "part of the drug's effect that runs through the experience it brings",
    "therapy_type": "difference between the effects of the first two types of therapy",
    "waitlist": "effect of being left untreated",
    "mediated": "whether more than half of the drug's effect runs through the experience (known at .95)",
    "accounts": "whether all of the drug's effect runs through the experience or none of it (odds of 10)",
}
"""What a trial may be asked, by name."""

TERMS = ("drug", "therapy", "drug:therapy", "expectancy", "experience", "waitlist", "therapy_type")
WORDS = {
    "drug": "dose", "therapy": "therapy", "drug:therapy": "dose and therapy together", "expectancy": "belief",
    "experience": "experience", "waitlist": "waiting", "therapy_type": "the type of therapy",
}  # fmt: skip
NEEDS = {"mediated": "experience", "accounts": "experience"}
"""The term that an estimand which is no term hangs on."""

MORE = "more arms than two"

BELIEVED = (0.24, 0.76)
"""Shares of blinded arms without and with the drug that believe they had it, where no fit says: those of the embedded evidence."""


SHIFT = 0.35
"""One SD of experience, in what a reference dose brings: 1 / 2.9, psilocybin's."""


def therapy_types_of(arms: Sequence[PlannedArm]) -> list[str]:
    """The types of therapy of some arms, in their order."""
    return list(dict.fromkeys(arm.therapy for arm in arms if arm.therapy))


def amounts(arms: Sequence[PlannedArm], *, believed: tuple[float, float] = BELIEVED) -> np.ndarray:
    """Return the amounts of ``TERMS`` in each arm (arm, term); experience in that of a reference dose.

    The type of therapy is 1 in arms with the first of several types, so that it is what the first does beyond the others.
    """
    types = therapy_types_of(arms)
    return np.array(
        [
            [
                arm.given, float(bool(arm.therapy)), arm.given * bool(arm.therapy), arm.believed(*believed),
                arm.given * arm.experience + SHIFT * arm.experience_shift, float(arm.waiting_list),
                float(len(types) > 1 and arm.therapy == types[0]),
            ]
            for arm in arms
        ]
    )  # fmt: skip


def design_ledger(
    designs: Iterable[PlannedTrial], *, estimands: Iterable[str] | None = None, believed: tuple[float, float] = BELIEVED
) -> pd.DataFrame:
    """Say what each design can and cannot identify by its own randomised comparisons, before it is run.

    Parameters
    ----------
    designs
        From :func:`pillprocess.trial_design` or :func:`pillprocess.named_designs`.
    estimands
        Names from ``ESTIMANDS``: ``"drug"``, ``"therapy"``, ``"drug:therapy"``, ``"expectancy"``, ``"experience"``, ``"therapy_type"``,
        ``"waitlist"``, ``"mediated"``, ``"accounts"``; all by default.
    believed
        Shares of blinded arms without and with the drug that believe they had it.

    Returns
    -------
    DataFrame, one row per design and estimand: ``design``, ``estimand``, ``compared`` (its amount differs between arms),
    ``isolated`` (some weights of the arms give it and nothing else), ``with`` (what differs along with it otherwise), ``missing``
    (the fewest arms that would isolate it) and ``verdict``.

    Raises
    ------
    PlanningError
        An unknown estimand.

    Examples
    --------
    >>> import pillprocess as pp
    >>> designs = pp.named_designs()
    >>> pp.design_ledger([designs["2x2 drug x therapy"]], estimands=["drug:therapy"])["compared"].tolist()
    [True]
    """
    asked = tuple(ESTIMANDS if estimands is None else estimands)
    check_estimands(asked)
    rows = []
    for trial in designs:
        table = amounts(trial.arms, believed=believed)
        for estimand in asked:
            rows.append({"design": trial.name, "estimand": estimand} | _row(trial, table, estimand, believed))
    return pd.DataFrame(rows, columns=["design", "estimand", "compared", "isolated", "with", "missing", "verdict"])


def check_estimands(asked: Iterable[str]) -> None:
    """Raise if an estimand is unknown."""
    if unknown := sorted(set(asked) - set(ESTIMANDS)):
        raise PlanningError(
            f"nothing was computed:\nunknown estimand {', '.join(unknown)}; known are {', '.join(ESTIMANDS)}"
        )


def compares(trial: PlannedTrial, estimand: str, *, believed: tuple[float, float] = BELIEVED) -> bool:
    """Whether any two arms differ in what the estimand hangs on."""
    column = amounts(trial.arms, believed=believed)[:, TERMS.index(NEEDS.get(estimand, estimand))]
    return bool(np.ptp(column) > 0)


def missing_comparison(trial: PlannedTrial, estimand: str, *, believed: tuple[float, float] = BELIEVED) -> str:
    """Say that a trial has no comparison for an estimand, and which arm it lacks."""
    word = WORDS[NEEDS.get(estimand, estimand)]
    wanted = _missing(trial, NEEDS.get(estimand, estimand), believed, most=3)
    lacks = f"; it lacks {wanted}" if wanted != MORE else ""
    return f"trial '{trial.name}': no two arms differ in {word}, so it has no comparison for '{estimand}'{lacks}"


def _row(trial: PlannedTrial, table: np.ndarray, estimand: str, believed: tuple[float, float]) -> dict[str, object]:
    term = NEEDS.get(estimand, estimand)
    column = TERMS.index(term)
    compared = bool(np.ptp(table[:, column]) > 0)
    if not compared:
        missing = _missing(trial, term, believed)
        verdict = f"cannot say: no two arms differ in {WORDS[term]}"
        return {"compared": False, "isolated": False, "with": "", "missing": missing, "verdict": verdict}
    if isolates(table, column):
        return {
            "compared": True, "isolated": True, "with": "", "missing": "", "verdict": "identified by its own randomised comparison"
        }  # fmt: skip
    others = ", ".join(WORDS[TERMS[i]] for i in _entangled(table, column))
    return {
        "compared": True, "isolated": False, "with": others, "missing": _missing(trial, term, believed),
        "verdict": f"only as far as other trials or the prior know {others}, which differ with it" if others else "not identified",
    }  # fmt: skip


def isolates(table: np.ndarray, column: int) -> bool:
    """Whether some weights of the arms (arm, term) give one term and nothing else."""
    return spans(table - table.mean(axis=0), np.eye(table.shape[1])[column])


def _entangled(table: np.ndarray, column: int) -> list[int]:
    """The other terms in the contrast that comes nearest to the term alone."""
    centred = table - table.mean(axis=0)
    nearest = centred.T @ np.linalg.lstsq(centred.T, np.eye(table.shape[1])[column], rcond=1e-9)[0]
    return [i for i in range(table.shape[1]) if i != column and abs(nearest[i]) > 1e-6]


def _missing(trial: PlannedTrial, term: str, believed: tuple[float, float], *, most: int = 2) -> str:
    """The fewest arms, up to ``most``, that would isolate a term beside those there are.

    A term is isolated where its column adds to the rank of the others and the mean.
    """
    column = TERMS.index(term) + 1
    candidates = _variants(trial, believed)
    own, new = (
        np.column_stack([np.ones(len(arms)), amounts(arms, believed=believed)]) for arms in (trial.arms, candidates)
    )
    for count in range(1, most + 1):
        added = list(combinations(range(len(candidates)), count))
        tables = np.concatenate([np.broadcast_to(own, (len(added), *own.shape)), new[np.array(added)]], axis=1)
        grows = np.linalg.matrix_rank(tables, tol=1e-9) > np.linalg.matrix_rank(
            np.delete(tables, column, axis=2), tol=1e-9
        )
        if grows.any():
            return " and ".join(f"an arm with {described(candidates[i])}" for i in added[int(grows.argmax())])
    return MORE


def _variants(trial: PlannedTrial, believed: tuple[float, float]) -> list[PlannedArm]:
    """Arms like the trial's own with one thing or two changed, those with one first, each set of amounts once."""
    drug, therapy = trial.drug, next((arm.therapy for arm in trial.arms if arm.therapy), "therapy")
    changes: list[dict[str, Any]] = [
        {"drug": "placebo", "waiting_list": False}, {"therapy": ""}, {"therapy": therapy, "waiting_list": False},
        {"experience": 0.0, "experience_shift": 0.0}, {"experience": 1.0}, {"belief": "equal"}, {"belief": "open"},
        {"drug": "none", "therapy": "", "waiting_list": True, "belief": "open", "active_placebo": False},
    ]  # fmt: skip
    if drug:
        changes.append({"drug": drug, "waiting_list": False, "active_placebo": False})
    single = [replace(arm, **change) for change in changes for arm in trial.arms]
    agreeing = [a | b for a, b in combinations(changes, 2) if all(a[k] == b[k] for k in set(a) & set(b))]
    double = [replace(arm, **both) for both in agreeing for arm in trial.arms]
    every = [*single, *double]
    _, first = np.unique(amounts(every, believed=believed).round(9), axis=0, return_index=True)
    return [every[i] for i in sorted(first)]


def described(arm: PlannedArm) -> str:
    """An arm in words."""
    parts = [arm.drug if arm.drug != "none" else "no pill"]
    if arm.given and arm.dose != 1:
        parts[0] = f"{arm.dose:g} reference doses of {arm.drug}"
    parts.append(arm.therapy or "no therapy")
    if arm.given and arm.experience != 1:
        parts.append("the experience blocked" if arm.experience == 0 else f"{arm.experience:g} of the experience")
    if arm.experience_shift:
        parts.append(f"the experience moved by {arm.experience_shift:g} SD")
    if arm.belief != "blind":
        known = {"equal": "belief equalised", "open": "open label"}
        parts.append(
            known.get(
                str(arm.belief),
                f"{arm.belief:g} believing they had the drug" if not isinstance(arm.belief, str) else "",
            )
        )
    if arm.waiting_list:
        return "a waiting list"
    return ", ".join(parts)
