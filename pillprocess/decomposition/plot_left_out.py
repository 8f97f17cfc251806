"""Figure of the leave-one-trial-out prediction: how far from uniform, and which rows."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pillprocess.decomposition.left_out_check import CONTRAST, COURSE, RANKED
from pillprocess.output.uniformity import band, counts_below
from pillprocess.output.visual_style import GREY, INK, PRIOR, SMALL, TERM_COLOURS, Width, finish, legend_above, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = {CONTRAST: "contrasts, given the control arm", COURSE: "control arms (course)"}
COLOURS = {CONTRAST: TERM_COLOURS["drug"], COURSE: GREY}


def plot_loto_pit(
    pit: pd.DataFrame, *, ax: "Axes | None" = None, width: Width = "two_column", title: str = ""
) -> "Axes":
    """Draw how many observed values lie below each point of their prediction, less what is expected, with its 95 % band.

    Parameters
    ----------
    pit
        :func:`pillprocess.loto_pit`.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes. Where the model is true a line stays in its band; a line below it at the left and above it at the right means that trials
    differ less than the model says, the reverse that they differ more. Outliers are named.
    """
    ax = panel(ax, width, 70)
    x = np.arange(RANKED + 2) / (RANKED + 1)
    handles: list[Artist] = []
    for kind in (CONTRAST, COURSE):
        part = pit[pit["kind"] == kind]
        if part.empty:
            continue
        n, rank = len(part), np.minimum((part["pit"] * (RANKED + 1)).astype(int).to_numpy(), RANKED)
        low, high, count = (
            np.concatenate([[0], line / n, [1]]) - x for line in (*band(n, RANKED, 0.95), counts_below(rank, RANKED))
        )
        if kind == CONTRAST:
            ax.fill_between(x, low, high, color=PRIOR, alpha=0.45, lw=0)
            handles.append(
                Patch(color=PRIOR, alpha=0.45, lw=0, label=f"95 % band for {n} contrasts, all points together")
            )
        else:
            ax.plot(x, low, color=COLOURS[kind], lw=0.6, ls=":")
            ax.plot(x, high, color=COLOURS[kind], lw=0.6, ls=":")
        ax.step(x, count, where="post", color=COLOURS[kind], lw=1.4)
        label = f"{NAMES[kind]}: {n} rows" + ("" if kind == CONTRAST else " (band dotted)")
        handles.append(Line2D([], [], color=COLOURS[kind], lw=1.4, label=label))
    ax.axhline(0, color="black", lw=0.8)
    outliers = pit[pit["outlier"]].sort_values("pit")
    words = [f"{row.row} (z = {row.z:+.1f})" for row in outliers.head(4).itertuples()]
    text = "outliers: " + "; ".join(words) if words else "no outlier"
    ax.annotate(
        text + (f"; {len(outliers) - 4} more" if len(outliers) > 4 else ""), (0, 0), xycoords="axes fraction", xytext=(3, 3),
        textcoords="offset points", fontsize=SMALL, color=INK, wrap=True,
    )  # fmt: skip
    ax.set_xlim(0, 1)
    ax.set_ylabel("share below, less what is expected", fontsize=SMALL)
    ax.tick_params(axis="y", labelsize=SMALL)
    legend_above(ax, handles)
    finish(ax, "observed value as a probability in its prediction from the other trials", title)
    return ax
