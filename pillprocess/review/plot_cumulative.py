"""The figure of sequential updating: each drug's effect from the prior on, year by year."""

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.lines import Line2D

from pillprocess.output.visual_style import (
    DRUG_COLOURS,
    DRUG_MARKERS,
    FAVOURS_DRUG,
    GREY,
    NARROW,
    PRIOR,
    SMALL,
    Width,
    beside,
    finish,
    in_drawn_order,
    legend_above,
    mark_beyond,
    panel,
    width_mm,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SETTINGS = {0.0: "alone", 1.0: "with therapy"}


def plot_cumulative(
    table: pd.DataFrame,
    *,
    drug: str | None = None,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
    unit: str = "reference SD",
) -> "Axes":
    """Draw each drug's effect before the first trial and after those of each year, in the setting most of its trials had.

    Parameters
    ----------
    table
        From :func:`pillprocess.cumulative`.
    drug
        Draw this drug alone, with every year; by default every drug, with the years in which it was tried and the last one.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.
    unit
        Unit of the effects.

    Returns
    -------
    Axes; left favours the drug. An open marker: no trial of the drug in this setting yet, so the prior or other drugs' trials speak.

    Raises
    ------
    ValueError
        The table has no such drug.
    """
    drugs = in_drawn_order(table["drug"])
    if drug is not None and drug not in drugs:
        raise ValueError(f"drug = {drug!r}; the table has {', '.join(drugs)}")
    blocks = [(name, _steps(table, name, every=drug is not None)) for name in ([drug] if drug else drugs)]
    ax = panel(ax, width, 3.1 * sum(len(rows) + 1 for _, rows in blocks) + 27)
    narrow = width_mm(ax) < NARROW
    shown = pd.concat([rows for _, rows in blocks])
    limits = max(float(shown["ci_low"].min()), -2.6) - 0.08, min(float(shown["ci_high"].max()), 2.6) + 0.08
    labels: list[tuple[str, str]] = []
    for name, rows in blocks:
        setting = SETTINGS.get(float(rows["therapy"].iloc[0]), f"therapy {rows['therapy'].iloc[0]:g}")
        labels.append((f"{name} {setting}: k = {rows['own_trials'].iloc[-1]}", "bold"))
        for row in rows.to_dict("records"):
            y, before = len(labels), pd.isna(row["year"])
            colour = GREY if before else DRUG_COLOURS[name]
            ax.plot(
                [row["ci_low"], row["ci_high"]],
                [y, y],
                color=PRIOR if before else colour,
                lw=1.3,
                solid_capstyle="butt",
            )
            face = colour if row["own_trials"] else "white"
            ax.plot(row["mean"], y, DRUG_MARKERS[name], ms=3.4, color=colour, mfc=face, mew=0.9, zorder=4)
            for limit in (row["ci_low"], row["ci_high"]):
                mark_beyond(ax, limit, y, limits, colour)
            numbers = "" if narrow else f" {row['mean']:5.2f} [{row['ci_low']:5.2f}, {row['ci_high']:5.2f}]"
            beside(ax, y, f"{row['own_trials']:>3}{numbers}", "normal")
            labels.append(("prior" if before else f"to {row['year']}", "normal"))
    beside(ax, -1, "  k" if narrow else "  k  mean  95 % interval", "bold")
    ax.axvline(0, color="black", lw=0.8)
    ax.set_yticks(range(len(labels)), [text for text, _ in labels], fontsize=SMALL)
    for tick, (_, weight) in zip(ax.get_yticklabels(), labels, strict=True):
        tick.set_fontweight(weight)
    ax.set_xlim(limits)
    ax.set_ylim(len(labels) - 0.2, -0.8)
    handles = [
        Line2D([], [], color=GREY, marker="o", ms=3.4, lw=1.3, mfc=face, label=text)
        for face, text in ((GREY, "own trials"), ("white", "no own trial yet"))
    ]
    legend_above(ax, handles, margin=30)
    finish(ax, f"drug effect with 95 % interval ({unit})", title, favours=FAVOURS_DRUG)
    return ax


def _steps(table: pd.DataFrame, drug: str, *, every: bool) -> pd.DataFrame:
    """The rows of a drug in its usual setting: the prior, the years that added a trial of it, and the last."""
    rows = table[table["drug"] == drug]
    final = rows[rows["trials"] == rows["trials"].max()].set_index("therapy")["own_trials"]
    own = rows[rows["therapy"] == final.idxmax()].reset_index(drop=True)
    tried = own["own_trials"].diff().fillna(0) > 0
    keep = own.index.isin([0, len(own) - 1]) | tried
    return own if every else own[keep]
