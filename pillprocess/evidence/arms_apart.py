"""Means of an arm against their own SD, and changes of an arm against those of its trial's other arms."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pillprocess.evidence.checks import Tables
from pillprocess.evidence.company import SOURCE, included
from pillprocess.evidence.field import change_of, of_instrument
from pillprocess.evidence.questions import ask

WIDEST = 0.8
"""An SD above this part of the largest that its mean allows is asked about; in the embedded tables no part is above .6."""

APART = 0.9
"""Changes of two arms that differ by this many SDs more than chance are asked about; those of the embedded tables are below."""


def question_bounds(tables: Tables) -> Iterator[pd.DataFrame]:
    """SDs that a mean so near an end of the scale hardly leaves room for: variance <= (max - mean)(mean - min) n / (n - 1)."""
    outcomes = tables["outcomes"]
    data = outcomes.data
    scale = tables["instruments"].data.drop_duplicates("instrument").set_index("instrument")
    low, high = (data["instrument"].map(scale[limit]).astype(float) for limit in ("range_min", "range_max"))
    for column, sd in (("baseline_mean", "baseline_sd"), ("post_mean", "post_sd")):
        room = ((high - data[column]) * (data[column] - low)).clip(lower=0)
        most = np.sqrt(room * (data["n"] / (data["n"] - 1)).where(data["n"] > 1, 2.0))
        wrong = included(tables, "outcomes") & (data[sd] > WIDEST * most)
        texts = [
            f"on a scale of {a:g} to {b:g} this mean allows an SD of at most {x:.3g}, and its SD is {y:g}"
            for a, b, x, y in zip(low[wrong], high[wrong], most[wrong], data.loc[wrong, sd], strict=True)
        ]
        yield ask(outcomes, column, wrong, texts, SOURCE)


def question_arms(tables: Tables) -> Iterator[pd.DataFrame]:
    """Primary changes that lie further from another arm's of the trial, waiting lists aside, than trials of these drugs show."""
    outcomes, arms = tables["outcomes"], tables["arms"].cells.drop_duplicates(["trial_id", "arm_id"])
    data = outcomes.data
    role = arms.set_index(["trial_id", "arm_id"])["role"]
    waiting = pd.MultiIndex.from_frame(data[["trial_id", "arm_id"]]).map(role.to_dict()) == "waitlist"
    size = change_of(data) / of_instrument(tables, "outcomes")["sd"]
    counted = included(tables, "outcomes") & (data["primary"] == 1) & ~waiting & size.notna()
    wrong, texts = pd.Series(False, data.index), {}
    for _, group in data[counted].groupby(["trial_id", "instrument"], sort=False):
        for i in group.index:
            others = group.index.drop(i)
            gap = (size[others] - size[i]).abs()
            chance = np.sqrt(1 / data.loc[others, "n"].clip(lower=1) + 1 / max(data.loc[i, "n"], 1))
            if len(others) and (beyond := gap - 2 * chance).max() > APART:
                other = beyond.idxmax()
                wrong[i] = True
                texts[i] = (
                    f"a change {gap[other]:.2g} SD from that of {data.loc[other, 'arm_id']}, more than between any two arms here"
                )
    for column in ("change_mean", "post_mean"):
        here = wrong & (data["change_mean"].notna() == (column == "change_mean"))
        yield ask(outcomes, column, here, [texts[i] for i in here[here].index], SOURCE)
