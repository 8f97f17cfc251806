"""What a trial is expected to teach a synthesis: its draws, a simulated result from each, and a regression of what is asked on it."""

from collections.abc import Sequence

import numpy as np

from pillprocess.planning.closed_form import DECIDED, MOST, ODDS
from pillprocess.planning.comparisons import ESTIMANDS, NEEDS, compares, missing_comparison
from pillprocess.planning.regression import posterior_after, probability_below
from pillprocess.planning.simulated_results import Draws, draw_noise, estimand_draws, statistics_of
from pillprocess.planning.table_columns import DECISIONS, INTERVAL, LIMIT
from pillprocess.planning.trials import NO_DRUG, PlannedTrial


def askable_of_draws(trial: PlannedTrial, known: Draws) -> list[str]:
    """The estimands that a trial compares arms for and the synthesis has not fixed."""
    return [e for e in ESTIMANDS if compares(trial, e) and not _fixed(trial, e, known)]


def _fixed(trial: PlannedTrial, estimand: str, known: Draws) -> bool:
    """Whether the synthesis has no such term."""
    return estimand == "therapy_type" or float(np.std(estimand_draws(trial, estimand, known))) == 0


def draws_problems(trials: list[PlannedTrial], asked: list[list[str]] | None, known: Draws) -> list[str]:
    """Everything that keeps trials from being planned with these draws."""
    names = [trial.name for trial in trials]
    problems = [f"trial '{name}' is there twice" for name in sorted({n for n in names if names.count(n) > 1})]
    for trial, own in zip(trials, asked or [[]] * len(trials), strict=True):
        unknown = [
            f"trial '{trial.name}', arm '{arm.name}': unknown drug '{arm.drug}'; the fit knows {', '.join(known.drugs)}"
            for arm in trial.arms
            if arm.drug not in (*NO_DRUG, *known.drugs)
        ]
        problems += unknown
        for estimand in own:
            if not compares(trial, estimand):
                problems.append(missing_comparison(trial, estimand))
            elif not unknown and _fixed(trial, estimand, known):
                problems.append(f"trial '{trial.name}': the synthesis has no term for '{estimand}'")
    return problems


def rows_from_draws(
    trial: PlannedTrial,
    estimands: Sequence[str],
    *,
    known: Draws,
    sizes: Sequence[float],
    outcome_sd: float,
    bias_sd: float,
    seed: int,
) -> list[dict[str, object]]:
    """Rows of one design."""
    if not estimands:
        return []
    targets = np.stack([estimand_draws(trial, e, known) for e in estimands], axis=1)
    noise = draw_noise(trial, known.size, seed)
    now = targets.mean(axis=0), targets.var(axis=0), (targets < 0).mean(axis=0)
    out = []
    for size in sizes:
        per_arm = float(size) if np.isfinite(size) else LIMIT
        statistics = statistics_of(trial, known, noise, per_arm=per_arm, outcome_sd=outcome_sd, bias_sd=bias_sd)
        mean, variance = posterior_after(targets, statistics)
        below = probability_below(mean, variance)
        first = {
            "design": trial.name,
            "drug": trial.drug,
            "n_per_arm": float(size),
            "people": float(size) * len(trial.arms),
        }
        for i, estimand in enumerate(estimands):
            row = first | {"estimand": estimand, "decision": DECISIONS.get(estimand, INTERVAL), "decided_now": False}
            if estimand == "accounts":
                p, wrong = _told_apart(below[:, i], targets[:, i] < 0)
                draws = 2 * min(int((targets[:, i] < 0).sum()), int((targets[:, i] >= 0).sum()))
                row |= {"assurance": p, "misleading": wrong, "assurance_se": (p * (1 - p) / max(draws, 1)) ** 0.5}
            else:
                level = MOST if estimand in NEEDS else DECIDED
                p = float((np.maximum(below[:, i], 1 - below[:, i]) > level).mean())
                left = float(variance[:, i].mean())
                row |= {
                    "mean": float(now[0][i]), "sd_now": float(now[1][i] ** 0.5), "sd_after": min(left, now[1][i]) ** 0.5,
                    "reduction": max(0.0, 1 - left / float(now[1][i])), "below_now": float(now[2][i]),
                    "decided_now": bool(max(now[2][i], 1 - now[2][i]) > level),
                    "assurance": p, "assurance_se": (p * (1 - p) / known.size) ** 0.5,
                }  # fmt: skip
            out.append(row)
    return out


def _told_apart(below: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Chance of odds of 10 for the account that is true, and for the other, both at even odds before."""
    if true.all() or not true.any():
        return float("nan"), float("nan")
    p = np.clip(below, 1e-9, 1 - 1e-9)
    log_odds = np.log(p / (1 - p)) - np.log(true.mean() / (1 - true.mean()))
    right = ((log_odds[true] >= np.log(ODDS)).mean() + (log_odds[~true] <= -np.log(ODDS)).mean()) / 2
    wrong = ((log_odds[true] <= -np.log(ODDS)).mean() + (log_odds[~true] >= np.log(ODDS)).mean()) / 2
    return float(right), float(wrong)
