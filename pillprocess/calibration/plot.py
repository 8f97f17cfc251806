"""Figures of a calibration: how far the ECDF of the ranks departs from uniform, and how far it may."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pillprocess.calibration.bands import check_calibration
from pillprocess.output.uniformity import band, counts_below
from pillprocess.output.visual_style import (
    DRUG_COLOURS,
    INK,
    LARGE,
    MM_PER_INCH,
    NARROW,
    NORMAL,
    PRIOR,
    SMALL,
    TERM_COLOURS,
    Width,
    figure_size,
)  # fmt: skip

INSIDE, OUTSIDE = (TERM_COLOURS["drug"], "-"), (DRUG_COLOURS["MDMA"], "--")
LONG_NAME = 20
"""Letters a name may have beside its p in a panel title."""


def plot_calibration(
    ranks: pd.DataFrame, *, probability: float = 0.95, width: Width = "two_column", title: str = ""
) -> Figure:
    """Draw for every quantity the ECDF of its ranks minus the uniform, within its simultaneous band.

    A curve above 0 on the left: too many low ranks, so posteriors lie too high. An S that rises first: posteriors too narrow; one
    that falls first: too wide. A calibrated quantity stays within the band with the given probability.

    Parameters
    ----------
    ranks
        From `calibrate`.
    probability
        Of each quantity's simultaneous band.
    width
        Print width: ``"one_column"`` (89 mm), ``"two_column"`` (183 mm), or width and height in mm.
    title
        Title above the panels.

    Returns
    -------
    Figure with one panel per quantity; those outside their band are orange and dashed.
    """
    verdicts = check_calibration(ranks, probability=probability).set_index("quantity")
    columns = 2 if figure_size(width, 1)[0] < NARROW / MM_PER_INCH else 4
    lines = -(-len(verdicts) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=figure_size(width, 34 * lines + 14), dpi=150, sharex=True, sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax, (quantity, row) in zip(axes.flat, verdicts.iterrows(), strict=False):
        rank, draws, n = (
            ranks.loc[ranks["quantity"] == quantity, "rank"].to_numpy(int),
            int(row["draws"]),
            row["replications"],
        )
        z = np.arange(draws + 2) / (draws + 1)
        low, high = band(int(n), draws, probability)
        ends = [np.concatenate([[0], count / n, [1]]) - z for count in (low, high, counts_below(rank, draws))]
        ax.fill_between(z, ends[0], ends[1], color=PRIOR, alpha=0.5, linewidth=0)
        colour, style = INSIDE if row["inside"] else OUTSIDE
        ax.plot(z, ends[2], color=colour, ls=style, linewidth=1.2)
        ax.axhline(0, color=INK, linewidth=0.5)
        between = "\n" if len(str(quantity)) > LONG_NAME else "   "
        ax.set_title(f"{quantity}{between}p = {row['p']:.2g}", fontsize=SMALL, loc="left")
        ax.tick_params(labelsize=SMALL, length=2.5, pad=2)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes.flat[len(verdicts) :]:
        ax.set_axis_off()
    for ax in axes.flat[max(len(verdicts) - columns, 0) : len(verdicts)]:
        ax.tick_params(labelbottom=True)
    figure.supxlabel("rank of the prior draw among posterior draws (share)", fontsize=NORMAL)
    figure.supylabel("ECDF of ranks - uniform", fontsize=NORMAL)
    if title:
        figure.suptitle(title, fontsize=LARGE, x=0.01, ha="left", fontweight="bold")
    return figure
