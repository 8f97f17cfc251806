"""The specification curve: the same quantities under every combination of choices."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from pillprocess.decomposition.multiverse import CHOICES
from pillprocess.output.visual_style import GREY, NARROW, NORMAL, SMALL, TERM_COLOURS, Width, finish, panel, width_mm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWN = {
    "drug": ("drug without therapy", TERM_COLOURS["drug"]),
    "interaction": ("drug x therapy", TERM_COLOURS["drug:therapy"]),
    "therapy": ("therapy", TERM_COLOURS["therapy"]),
    "share": ("share not the drug's", GREY),
}


def plot_multiverse(
    table: pd.DataFrame, *, quantity: str = "share", ax: "Axes | None" = None, width: Width = "two_column", title: str = ""
) -> "Axes":  # fmt: skip
    """Draw the specification curve of one quantity: estimates in rising order, and below each the choices it was made with.

    Parameters
    ----------
    table
        :func:`pillprocess.multiverse`.
    quantity
        ``"drug"``, ``"interaction"``, ``"therapy"`` or ``"share"``.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes: estimates with 95 % intervals above, a tick for the option of each choice below; the headline's specification is ringed.

    Raises
    ------
    ValueError
        A quantity that is not known, or that no specification has.
    """
    if quantity not in DRAWN or table[quantity].notna().sum() == 0:
        raise ValueError(f"quantity = {quantity!r}; drawn are {', '.join(q for q in DRAWN if table[q].notna().any())}")
    name, colour = DRAWN[quantity]
    rows = table[table[quantity].notna()].sort_values(quantity, kind="stable", ignore_index=True)
    options = [(c, o) for c in CHOICES if rows[c].nunique() > 1 for o in dict.fromkeys(table[c])]
    ax = panel(ax, width, 58 + 4 * len(options))
    low, high = rows[f"{quantity}_low"].quantile(0.02), rows[f"{quantity}_high"].quantile(0.98)
    low, high = min(low, 0.0) if quantity != "share" else low, max(high, 0.0) if quantity != "share" else high
    unit = (high - low) / 16  # a row of ticks below the curve
    x = np.arange(len(rows))
    ax.vlines(
        x,
        rows[f"{quantity}_low"].clip(low, high),
        rows[f"{quantity}_high"].clip(low, high),
        color=colour,
        alpha=0.3,
        lw=1.0,
    )
    belief = (rows["belief"] == "with").to_numpy()
    ax.plot(x[~belief], rows[quantity][~belief], "o", ms=2.2, color=colour, label="without belief")
    ax.plot(x[belief], rows[quantity][belief], "o", ms=2.4, mfc="white", mec=colour, mew=0.7, label="with belief")
    first = (rows[list(CHOICES)] == [CHOICES[c][0] for c in CHOICES]).all(axis=1).to_numpy()
    ax.plot(x[first], rows[quantity][first], "o", ms=6, mfc="none", mec="black", mew=0.9, label="headline")
    ticks, labels, bottom = [], [], low - unit
    for number, (choice, option) in enumerate(options):
        y = bottom - unit * (number + 1)
        here = (rows[choice] == option).to_numpy()
        ax.vlines(x[here], y - 0.32 * unit, y + 0.32 * unit, color="black", lw=0.6)
        ticks.append(y)
        labels.append(f"{choice.replace('_', ' ')}: {option}")
    values = [v for v in MaxNLocator(6).tick_values(low, high) if low <= v <= high]
    ax.set_yticks([*values, *ticks], [*(f"{v:.2f}" for v in values), *labels], fontsize=SMALL)
    if low < 0 < high:
        ax.axhline(0, color="black", lw=0.6)
    ax.set_xlim(-1, len(rows))
    ax.set_xticks([])
    ax.legend(fontsize=SMALL, frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    above = 16 if width_mm(ax) < NARROW else None  # in one column the legend needs the line to itself
    ax.set_title(f"{name}{'' if quantity == 'share' else ' (reference SD)'}", fontsize=NORMAL, loc="left", pad=above)
    unfitted = int(table[quantity].isna().sum())
    left = f"; {unfitted} of {len(table)} have none" if unfitted else ""
    finish(ax, f"{len(rows)} specifications in rising order, with 95 % intervals{left}", title)
    return ax
