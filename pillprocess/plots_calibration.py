"""Figures of a calibration: how far the ECDF of the ranks departs from uniform, and how far it may."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pillprocess.calibration_bands import band, check_calibration, counts_below

INSIDE, OUTSIDE, GREY = "#0072B2", "#D55E00", "#BDBDBD"
COLUMNS = 4


def plot_calibration(ranks: pd.DataFrame, *, probability: float = 0.95) -> Figure:
    """Draw for every quantity the ECDF of its ranks minus the uniform, within its simultaneous band.

    A curve above 0 on the left: too many low ranks, so posteriors lie too high. An S that rises first: posteriors too narrow; one
    that falls first: too wide. A calibrated quantity stays within the band with the given probability.

    Parameters
    ----------
    ranks
        From `calibrate`.
    probability
        Of each quantity's simultaneous band.

    Returns
    -------
    Figure with one panel per quantity; those outside their band are orange.
    """
    verdicts = check_calibration(ranks, probability=probability).set_index("quantity")
    lines = -(-len(verdicts) // COLUMNS)
    size = (2.3 * COLUMNS, 1.55 * lines + 0.6)
    figure, axes = plt.subplots(
        lines, COLUMNS, figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for ax, (quantity, row) in zip(axes.flat, verdicts.iterrows(), strict=False):
        rank, draws, n = (
            ranks.loc[ranks["quantity"] == quantity, "rank"].to_numpy(int),
            int(row["draws"]),
            row["replications"],
        )
        z = np.arange(draws + 2) / (draws + 1)
        low, high = band(int(n), draws, probability)
        ends = [np.concatenate([[0], count / n, [1]]) - z for count in (low, high, counts_below(rank, draws))]
        ax.fill_between(z, ends[0], ends[1], color=GREY, alpha=0.5, linewidth=0)
        ax.plot(z, ends[2], color=INSIDE if row["inside"] else OUTSIDE, linewidth=1.2)
        ax.axhline(0, color="black", linewidth=0.5)
        ax.set_title(f"{quantity}   p = {row['p']:.2g}", fontsize=7, loc="left")
        ax.tick_params(labelsize=6)
    for ax in axes.flat[len(verdicts) :]:
        ax.set_axis_off()
    figure.supxlabel("rank of the prior draw among posterior draws (share)", fontsize=8)
    figure.supylabel("ECDF of ranks - uniform", fontsize=8)
    return figure
