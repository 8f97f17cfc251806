"""Differences between arms against the field: their size, whom they favour, and the SD that their error implies."""

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import pandas as pd

from pillprocess.evidence.checks import Tables
from pillprocess.evidence.company import RATIOS, SOURCE, included
from pillprocess.evidence.field import WORSE, of_instrument
from pillprocess.evidence.questions import ask

LARGEST_DIFFERENCE = 2.5
"""Differences between arms above this many SDs are asked about."""

CONTROL_ROLES = ("inert_placebo", "active_placebo", "waitlist", "low_dose")


def question_contrasts(tables: Tables) -> Iterator[pd.DataFrame]:
    """Differences no trial shows, differences that favour the control, and standard errors that fit no arm sizes."""
    contrasts = tables["contrasts"]
    usual, data, cells = of_instrument(tables, "contrasts"), contrasts.data, contrasts.cells
    counted = included(tables, "contrasts")
    kind = cells["effect_type"]
    points, standardised, ratio = kind.eq("mean_difference"), kind.isin(["cohen_d", "hedges_g"]), kind.isin(RATIOS)
    divisor = usual["sd"].where(points, np.where(standardised, 1.0, np.nan))
    log_d = np.log(data["estimate"].where(ratio & (data["estimate"] > 0))) * np.sqrt(3) / np.pi
    size = (data["estimate"] / divisor).fillna(log_d)
    wrong = counted & (size.abs() > LARGEST_DIFFERENCE)
    texts = [
        f"a {word.replace('_', ' ')} of {x:.2g} SD; points, or SEs taken for SDs"
        for word, x in zip(kind[wrong], size[wrong].abs(), strict=True)
    ]
    yield ask(contrasts, "estimate", wrong, texts, SOURCE)
    favours = cells["direction"].map(
        {
            "negative_favours_arm": -1.0,
            "below_1_favours_arm": -1.0,
            "positive_favours_arm": 1.0,
            "above_1_favours_arm": 1.0,
        }
    )
    drug, reference = roles(tables, "arm_id"), roles(tables, "reference_arm_id")
    fits = cells["direction"].isin(["above_1_favours_arm", "below_1_favours_arm"]) == ratio
    against = favours.astype(float).where(fits) * size.fillna(0)
    turned = np.where(
        drug.isin(["active"]) & reference.isin(CONTROL_ROLES),
        -1,
        np.where(drug.isin(CONTROL_ROLES) & reference.eq("active"), 1, 0),
    )
    wrong = counted & (against * turned > WORSE)
    yield ask(contrasts, "estimate", wrong, [f"the control did better than the drug, by {x:.2g} SD" for x in against[wrong].abs()],
              "see which sign favours which arm at the source")  # fmt: skip
    harmonic = np.sqrt(1 / sizes(tables, "arm_id") + 1 / sizes(tables, "reference_arm_id"))
    by_interval = data["se"].fillna((data["ci_high"] - data["ci_low"]) / 3.92)
    z = _deviate(data["p"].where(cells["p_op"].isin(["=", ""])))
    by_p = (data["estimate"].abs() / z).where(z > 0.5)
    se = by_interval.fillna(by_p)
    below = _deviate(data["p"].where(cells["p_op"].isin(["<", "<="])))
    largest = (data["estimate"].abs() / below).where((below > 0.5) & se.isna())  # the error is at most this
    implied = se / harmonic / usual["sd"].where(points, np.where(standardised, np.sqrt(1 + size**2 / 8), np.nan))
    crossed = cells["trial_id"].isin(
        tables["trials"].cells.loc[tables["trials"].cells["design"].eq("crossover"), "trial_id"]
    )
    at_most = largest / harmonic / usual["sd"].where(points, np.where(standardised, np.sqrt(1 + size**2 / 8), np.nan))
    low = np.where(crossed, 0.15, 0.3)
    small = counted & (at_most < low)
    texts = [f"with this p the SD is at most {x:.2g} times the usual one" for x in at_most[small]]
    yield ask(contrasts, "estimate", small, texts, "see the estimate and its p at the source")
    wrong = counted & ((implied > 2.5) | (implied < low))
    column = pd.Series(np.where(data["se"].notna(), "se", np.where(by_interval.notna(), "ci_low", "p")), data.index)
    for name in ("se", "ci_low", "p"):
        here = wrong & (column == name)
        yield ask(contrasts, name, here, [f"with the arms' sizes it makes the SD {x:.2g} times the usual one" for x in implied[here]],
                  "see whether it is a standard error, an SD or a 95 % interval")  # fmt: skip


def _deviate(p: pd.Series) -> pd.Series:
    """The standard normal deviate with a two-sided p; missing where p is no probability."""
    return -(p.where((p > 0) & (p <= 1)) / 2).map(NormalDist().inv_cdf, na_action="ignore")


def roles(tables: Tables, column: str) -> pd.Series:
    """Role of the arm that a contrast names."""
    return _of_arm(tables, column, "role")


def sizes(tables: Tables, column: str) -> pd.Series:
    """People of the arm that a contrast names."""
    return _of_arm(tables, column, "n").astype(float)


def _of_arm(tables: Tables, column: str, fact: str) -> pd.Series:
    arms = tables["arms"].data.drop_duplicates(["trial_id", "arm_id"]).set_index(["trial_id", "arm_id"])[fact]
    contrasts = tables["contrasts"].data
    keys = pd.MultiIndex.from_arrays([contrasts["trial_id"], contrasts[column]])
    return pd.Series(arms.reindex(keys).to_numpy(), contrasts.index)
