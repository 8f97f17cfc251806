"""What a scale measures: its direction, its range, and the SD in whose units its changes are pooled."""

import numpy as np
import pandas as pd

RANGE_IN_SDS = 6
"""Endpoint SDs are about a sixth of a symptom scale's range (MADRS 60 / 10.3, QIDS-SR16 27 / 5.2, CAPS-5 80 / 12.9)."""


def expected_sd(instruments: pd.DataFrame, column: str = "reference_sd") -> pd.Series:
    """Say roughly how large an instrument's SD is: its own, else its endpoint SD, else a sixth of its range.

    Parameters
    ----------
    instruments
        The instruments table, indexed by instrument.
    column
        ``reference_sd`` (endpoint), ``baseline_sd`` or ``change_sd``.

    Returns
    -------
    Series indexed by instrument, in points; missing where neither an SD nor a range is known.
    """
    by_range = (instruments["range_max"] - instruments["range_min"]) / RANGE_IN_SDS
    return instruments[column].fillna(instruments["reference_sd"]).fillna(by_range)


def compute_reference_sd(outcomes: pd.DataFrame, instruments: pd.DataFrame) -> pd.DataFrame:
    r"""Recompute each instrument's pooled SDs from the outcome rows.

    .. math:: s = \sqrt{\frac{\sum_k (n_k - 1) s_k^2}{\sum_k (n_k - 1)}}

    over the included arms k that report n and the SD, one row per arm: its primary row, else the row nearest in time to
    the trial's primary row, else its first. The SD of a change is the one printed or derived from its standard error or
    interval.

    Parameters
    ----------
    outcomes, instruments
        The two tables of the evidence.

    Returns
    -------
    DataFrame indexed by instrument, in points: ``reference_sd`` (endpoint), ``baseline_sd`` and ``change_sd``, each with
    its number of arms (``_n_arms``) and people (``_n``).
    """
    instruments = instruments.set_index("instrument")
    event = outcomes["instrument"].map(instruments["kind"]) == "event"
    outcomes = outcomes[(outcomes["include"] == 1) & ~event]
    primary_time = outcomes[outcomes["primary"] == 1].groupby("trial_id")["time_days"].first()
    distance = (outcomes["time_days"] - outcomes["trial_id"].map(primary_time)).abs()
    order = outcomes.assign(distance=distance).sort_values(
        ["primary", "distance"], ascending=[False, True], kind="stable"
    )
    pooled = [
        _pooled_sd(order, "post_sd").add_prefix("reference_"),
        _pooled_sd(order, "baseline_sd").add_prefix("baseline_"),
        _pooled_sd(order, "change_sd_derived").add_prefix("change_"),
    ]
    return pd.concat(pooled, axis=1).reindex(instruments.index)


def _pooled_sd(outcomes: pd.DataFrame, column: str) -> pd.DataFrame:
    """Pool one SD over arms, taking each arm's first row that has it."""
    rows = outcomes.dropna(subset=["n", column]).drop_duplicates(["trial_id", "arm_id", "instrument"])
    weight = rows["n"] - 1
    sums = (
        rows.assign(weight=weight, squares=weight * rows[column] ** 2)
        .groupby("instrument")
        .agg(squares=("squares", "sum"), weight=("weight", "sum"), n_arms=("n", "size"), n=("n", "sum"))
    )
    return pd.DataFrame(
        {"sd": np.sqrt(sums["squares"] / sums["weight"]), "sd_n_arms": sums["n_arms"], "sd_n": sums["n"]}
    )
