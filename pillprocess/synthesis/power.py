"""Whether the evidence could have told the accounts apart: the committed table of ``pillprocess calibrate power``."""

from pathlib import Path

import pandas as pd


def power_table() -> pd.DataFrame:
    """Return what fits to evidence simulated under stated truths, of the shape of the embedded tables, found.

    Returns
    -------
    DataFrame, one row per world and drug: ``world``, ``truth``, ``drug``, ``datasets``, ``covered`` (share of 95 % intervals of the
    effect through the experience that hold the true one) with its Monte Carlo error ``covered_se``, ``width``, their median,
    ``total_covered``, and ``above``, ``below``: in how many data sets P(more than half runs through the experience) came out above
    .95 or below .05. It speaks of the embedded evidence when it was computed, not of another folder.
    """
    return pd.read_csv(Path(__file__).with_name("power.csv"))
