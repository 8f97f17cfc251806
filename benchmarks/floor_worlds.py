"""A mediator with a floor, where what lies behind the score is normal, skewed or heavy-tailed: the floor ignored, and modelled.

3,000 people, about 70 % of placebo on the floor; the outcome follows the experience, so the true indirect effect is -2.5 and the total -3.
Ignored: least squares on the score. Modelled: the posterior mode of `mediation(sd_by_arm=True, floor_mediator=0)`. Chance is about .06.
Run: python benchmarks/floor_worlds.py
"""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from pillprocess.mediation.model import mediation
from pillprocess.participants.table import load_participants
from tests.mediation.modes import posterior_mode

PEOPLE, A, B, C, SDS = 3000, 2.5, -1.0, -0.5, (1.0, 1.6)
NOISE: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "normal": lambda rng: rng.normal(size=PEOPLE),
    "skewed (gamma, shape 2)": lambda rng: (rng.gamma(2, 1, PEOPLE) - 2) / np.sqrt(2),
    "heavy-tailed (t, 4 df)": lambda rng: rng.standard_t(4, PEOPLE) / np.sqrt(2),
}


def ignored(table: pd.DataFrame) -> tuple[float, float]:
    """Indirect and total effect by least squares on the score."""
    X = np.column_stack([np.ones(PEOPLE), table["arm"], table["depth"]])
    b = np.linalg.lstsq(X, table["y"], rcond=None)[0]
    placebo, drug = table.groupby("arm")["depth"].mean()
    return (drug - placebo) * b[2], (drug - placebo) * b[2] + b[1]


def modelled(table: pd.DataFrame) -> tuple[float, float]:
    """The same at the posterior mode of the model."""
    people = load_participants(
        table, treatment="arm", reference=0, outcome="y", mediators="depth", repeated_rows="different people", higher_is_worse=True
    )  # fmt: skip
    model = mediation(people, interaction=False, sd_by_arm=True, floor_mediator=0.0)
    a, b, c = posterior_mode(model, ["a", "b", "c"])
    return a * b, a * b + c


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name, noise in NOISE.items():
        rng = np.random.default_rng(8)
        arm = np.arange(PEOPLE) % 2
        m = -0.5 + A * arm + noise(rng) * np.take(SDS, arm)
        table = pd.DataFrame(
            {"arm": arm, "depth": np.maximum(m, 0), "y": 3 + C * arm + B * m + rng.normal(size=PEOPLE)}
        )
        on_floor = (table.loc[arm == 0, "depth"] == 0).mean()
        found = {
            what: f"{how(table)[0]:.2f} ({how(table)[1]:.2f})"
            for what, how in (("ignored", ignored), ("modelled", modelled))
        }
        print(f"{name:24s} on the floor {on_floor:.0%}  indirect (total), true -2.50 (-3.00): {found}", flush=True)
