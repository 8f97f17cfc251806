"""What differs between trials whatever the terms: baselines, the drug's effect, and what any trial randomises beside it."""

import numpy as np
import pandas as pd

from pillprocess.decomposition.columns import Columns
from pillprocess.decomposition.described_rows import trials_that_contrast

CONTEXT_DEVIATIONS = {"t": "therapy", "l": "waitlist", "c": "comparator"}
"""Deviations of a trial from the mean effect of therapy, of the waiting list and of active comparators."""


def add_course(
    columns: Columns, rows: pd.DataFrame, baseline: str, single_arm: str, prior_course_sd: float, prior_free_sd: float
) -> None:
    """Add the baseline of every trial that has arm rows."""
    is_arm = (rows["kind"] == "arm").to_numpy()
    trial = rows["trial"].to_numpy()
    count = rows[is_arm].groupby("trial")["trial"].transform("size").reindex(rows.index, fill_value=0)
    alone = is_arm & (count == 1).to_numpy()
    if baseline == "free":
        for name in dict.fromkeys(trial[is_arm]):
            columns.coefficient("mu", "trial", name, "course", (trial == name) & is_arm, prior_free_sd)
        return
    own = alone if single_arm == "own" else np.zeros(len(rows), bool)
    pooled = is_arm & ~own
    for construct in sorted(set(rows.loc[pooled, "construct"])):
        here = pooled & (rows["construct"] == construct)
        columns.coefficient("mu_construct", "construct", construct, "course", here, prior_course_sd)
    for name in dict.fromkeys(trial[pooled]):
        columns.effect("m", "trial", name, "course", (trial == name) & pooled, "tau_mu")
    for name in dict.fromkeys(trial[own]):
        columns.coefficient("mu_own", "uncontrolled_trial", name, "course", trial == name, prior_free_sd)


def add_deviations(columns: Columns, rows: pd.DataFrame, described: pd.DataFrame) -> None:
    """Add what varies between trials whatever the terms: the drug's effect, and what any trial randomises beside it."""
    pairs = list(zip(rows["trial"], described["drug_given"], strict=True))
    dose = described["dose"].to_numpy()
    for (name, drug), here in _members(pairs).items():
        columns.effect("u", "trial_drug", f"{name}: {drug}", "drug", dose * here, "tau")
    members = _members(rows["trial"].tolist())
    for variable, term in CONTEXT_DEVIATIONS.items():
        if trials_that_contrast(described[term], rows):
            amount = described[term].to_numpy()
            for name, here in members.items():
                columns.effect(variable, f"{term}_trial", name, term, amount * here, "tau_context")


def _members[Key](labels: list[Key]) -> dict[Key, np.ndarray]:
    """Which rows have each label, in the order in which the labels appear."""
    found = {label: np.zeros(len(labels), bool) for label in dict.fromkeys(labels)}
    for row, label in enumerate(labels):
        found[label][row] = True
    return found
