"""A small body of evidence with every term, and the rows a planned trial would add to it."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from pillprocess.planning.trials import PlannedTrial

RAISED = 2.0


def small_evidence(arm_row: Callable[..., dict[str, object]]) -> pd.DataFrame:
    """Eight trials: drug against placebo with and without therapy, therapy randomised, the experience blocked, a waiting list."""
    rng = np.random.default_rng(7)
    rows = []
    for j in range(8):
        drug = "psilocybin" if j % 2 == 0 else "MDMA"
        own, context, course = rng.normal(0, 0.2, 3)
        arms = {"drug": (1.0, 1.0, 1.0), "control": (0.0, 1.0, 1.0)}
        if j in (1, 4):
            arms["drug alone"] = (1.0, 0.0, 1.0)
        if j == 5:
            arms["asleep"] = (1.0, 1.0, 0.0)
        if j == 6:
            arms["waiting"] = (0.0, 0.0, 0.0)
        for name, (dose, therapy, awake) in arms.items():
            belief = 0.25 + 0.5 * dose * awake
            waiting = float(name == "waiting")
            mean = (
                -0.6
                + course
                - (0.3 + own) * dose
                + (-0.1 + context) * therapy
                - 0.15 * dose * awake * RAISED
                - 0.3 * belief
                + 0.3 * waiting
            )
            rows.append(
                arm_row(
                    f"t{j}", name, mean + rng.normal(0, 0.15), 0.15, dose=dose, therapy=therapy, expectancy=belief,
                    experience=RAISED * dose * awake, study_drug=drug, drug_given=drug if dose else "none", waitlist=waiting,
                )
            )  # fmt: skip
    return pd.DataFrame(rows)


def planned_rows(
    trial: PlannedTrial,
    y: np.ndarray,
    arm_row: Callable[..., dict[str, object]],
    *,
    se: list[float],
    believed: tuple[float, float],
) -> pd.DataFrame:
    """The rows that a planned trial with these results would be in the tables."""
    rows = [
        arm_row(
            trial.name, arm.name, float(value), error, dose=arm.given, therapy=float(bool(arm.therapy)), expectancy=arm.believed(*believed),
            experience=RAISED * arm.given * arm.experience, study_drug=trial.drug, drug_given=arm.drug if arm.given else "none",
            waitlist=float(arm.waiting_list),
        )
        for arm, value, error in zip(trial.arms, y, se, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)
