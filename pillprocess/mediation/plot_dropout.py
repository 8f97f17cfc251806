"""Figure of how an effect depends on what is assumed of those who left."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pillprocess.mediation.dropout import tipping_table
from pillprocess.output.tables import interval_table
from pillprocess.output.visual_style import INK, NORMAL, SMALL, TERM_COLOURS, Width, finish, legend_above, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"te": INK, "pnde": TERM_COLOURS["drug"], "tnie": TERM_COLOURS["experience"]}
NAMES = {"te": "total effect", "pnde": "direct effect (pnde)", "tnie": "indirect effect (tnie)"}
RULES = {
    "at_random": "the others of their arm", "jump_to_reference": "a jump to the reference",
    "copy_increments": "the reference's increments",
}  # fmt: skip


def plot_tipping(
    curve: xr.Dataset,
    *,
    effect: str = "te",
    higher_is_worse: bool | None = None,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
    unit: str = "units of the outcome",
) -> "Axes":
    """Draw an effect against how much worse those who left did than is assumed.

    The band is the 95 % interval; the upright line marks where it first holds 0, the diamond where the mean is 0.

    Parameters
    ----------
    curve
        From `tipping_point`.
    effect
        ``"te"``, ``"pnde"`` or ``"tnie"``.
    higher_is_worse
        Whether high outcomes are bad; where it is given, the axis says which way is improvement.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.
    unit
        Unit of effect and delta.

    Returns
    -------
    Axes.
    """
    ax = panel(ax, width, 80)
    table, colour = interval_table(curve[[effect]]), COLOURS[effect]
    delta = table["delta"].to_numpy(float)
    ax.fill_between(delta, table["ci_low"], table["ci_high"], color=colour, alpha=0.2, lw=0)
    ax.plot(delta, table["mean"], color=colour, lw=1.8)
    ax.axhline(0, color="black", lw=0.8)
    handles = [
        Line2D([], [], color=colour, lw=1.8, label=f"{NAMES[effect]}, mean"),
        Patch(color=colour, alpha=0.2, lw=0, label="95 % interval"),
    ]
    turns = tipping_table(curve[[effect]]).iloc[0]
    if np.isfinite(turns["delta_interval"]):
        ax.axvline(turns["delta_interval"], color=TERM_COLOURS["experience"], lw=1.4, ls="--")
        label = f"the interval holds 0 from {turns['delta_interval']:.3g}"
        handles.append(Line2D([], [], color=TERM_COLOURS["experience"], lw=1.4, ls="--", label=label))
    if np.isfinite(turns["delta_mean"]):
        ax.plot(turns["delta_mean"], 0, "D", mfc="white", mec="black", ms=5, zorder=4)
        label = f"the mean is 0 at {turns['delta_mean']:.3g}"
        handles.append(Line2D([], [], color="black", lw=0, marker="D", mfc="white", ms=5, label=label))
    legend_above(ax, handles)
    way = {None: "", True: "; down is improvement", False: "; up is improvement"}[higher_is_worse]
    assumed = f"delta added to the outcome of those who left, beyond {RULES[curve.attrs['imputation']]} ({unit})"
    finish(ax, assumed, title)
    ax.set_xlim(delta.min(), delta.max())
    ax.set_ylabel(f"effect at {curve.attrs['visit']}\n({unit}{way})", fontsize=NORMAL)
    ax.tick_params(axis="y", labelsize=SMALL, length=2.5)
    ax.spines["left"].set_visible(True)
    return ax
