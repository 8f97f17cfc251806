"""Figures: each takes a table and returns a Matplotlib Axes.

One colour per drug and per term everywhere, from the colour-blind safe palette of Okabe and Ito. Negative change is
improvement, and every axis says which side favours what.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pillprocess.estimands import TERM_ORDER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRUG_COLOURS = {
    "psilocybin": "#0072B2", "LSD": "#56B4E9", "MDMA": "#D55E00", "ketamine": "#009E73", "esketamine": "#7A9A01", "all": "#222222",
}  # fmt: skip
TERM_COLOURS = {
    "course": "#B8B8B8", "waitlist": "#8C6D31", "comparator": "#5A5A5A", "therapy": "#E69F00", "expectancy": "#F0D500",
    "experience": "#CC79A7", "drug": "#0072B2", "drug:therapy": "#009E73",
}  # fmt: skip
TERM_NAMES = {
    "course": "course (control condition)", "waitlist": "waiting list", "comparator": "active comparator", "therapy": "therapy",
    "expectancy": "expectancy", "experience": "experience", "drug": "drug", "drug:therapy": "drug x therapy",
}  # fmt: skip
GREY = "#6E6E6E"
KIND_ALPHA = {"pooled": 1.0, "predictive": 0.25}


def plot_forest(
    table: pd.DataFrame, *, ax: "Axes | None" = None, title: str = "", unit: str = "reference SD"
) -> "Axes":
    """Draw estimates with intervals, one row each, grouped by drug.

    What lies beyond the axis is marked by a triangle at its edge.

    Parameters
    ----------
    table
        Columns ``label``, ``drug``, ``kind`` (``"trial"``, ``"pooled"`` or ``"predictive"``), ``mean``, ``ci_low``,
        ``ci_high``; optional ``observed`` (the trial's own contrast) and ``text`` (printed at the right).
    ax
        Axes to draw on; a new figure of fitting height by default.
    title
        Title above the axes.
    unit
        Unit of the effects.

    Returns
    -------
    Axes; left favours the drug.
    """
    rows = _grouped(table)
    ax = ax or plt.subplots(figsize=(7.2, 0.19 * len(rows) + 1.6), layout="constrained")[1]
    left, right = max(table["ci_low"].min(), -2.6) - 0.08, min(table["ci_high"].max(), 1.6) + 0.08
    for y, row in enumerate(rows[::-1]):
        if row is None:
            continue
        colour = DRUG_COLOURS[str(row["drug"])]
        if row["kind"] == "trial":
            observed = row.get("observed", np.nan)
            if left <= observed <= right:
                ax.plot(observed, y, "o", ms=4, mfc="white", mec=GREY, mew=0.8, zorder=3)
            _mark_beyond(ax, observed, y, (left, right), GREY)
            ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, lw=1.2, solid_capstyle="butt")
            ax.plot(row["mean"], y, "s", color=colour, ms=3.5, zorder=4)
        else:
            x = [row["ci_low"], row["mean"], row["ci_high"], row["mean"]]
            ax.fill(x, [y, y + 0.36, y, y - 0.36], color=colour, alpha=KIND_ALPHA[str(row["kind"])], lw=0, zorder=3)
        for limit in (row["ci_low"], row["ci_high"]):
            _mark_beyond(ax, limit, y, (left, right), colour)
        if "text" in table:
            ax.text(
                1.01, y, str(row["text"]), transform=ax.get_yaxis_transform(), va="center", fontsize=6.5, family="monospace"
            )  # fmt: skip
    ax.axvline(0, color="black", lw=0.8)
    drawn = [(y, row) for y, row in enumerate(rows[::-1]) if row is not None]
    ax.set_yticks([y for y, _ in drawn], [str(row["label"]) for _, row in drawn], fontsize=7)
    for tick, (_, row) in zip(ax.get_yticklabels(), drawn, strict=True):
        tick.set_fontweight("normal" if row["kind"] == "trial" else "bold")
    ax.set_xlim(left, right)
    ax.set_ylim(-0.8, len(rows) - 0.2)
    handles = [
        Line2D([], [], color=GREY, marker="s", ms=3.5, lw=1.2, label="trial, by the model"),
        Line2D(
            [], [], color=GREY, marker="o", ms=4, mfc="white", mew=0.8, lw=0, label="its own contrast with its control"
        ),
        Patch(color=GREY, lw=0, label="pooled"),
        Patch(color=GREY, lw=0, alpha=KIND_ALPHA["predictive"], label="in a new trial"),
    ]
    kinds = set(table["kind"])
    shown = ["trial" in kinds, "observed" in table, "pooled" in kinds, "predictive" in kinds]
    _legend(ax, [h for h, show in zip(handles, shown, strict=True) if show])
    _finish(ax, f"drug effect with 95 % interval ({unit})", title, favours=("favours drug", "favours control"))
    return ax


def plot_contributions(
    table: pd.DataFrame, *, ax: "Axes | None" = None, title: str = "", unit: str = "reference SD"
) -> "Axes":
    """Draw how each row's expected change splits over the terms.

    Terms that all point the same way are stacked from 0. Where a row's terms point both ways, improvement is stacked to the
    left and worsening to the right; the diamond is the expected change, and the ring, where given, the observed one.

    Parameters
    ----------
    table
        ``effect_table(contributions(idata))``, optionally with ``observed``; columns ``row``, ``term``, ``mean``.
    ax
        Axes to draw on.
    title
        Title above the axes.
    unit
        The model's unit.

    Returns
    -------
    Axes; left is improvement.
    """
    labels = list(dict.fromkeys(table["row"]))
    ax = ax or plt.subplots(figsize=(7.2, 0.2 * len(labels) + 1.3), layout="constrained")[1]
    wide = table.pivot_table(index="row", columns="term", values="mean", sort=False).reindex(labels)
    position = np.arange(len(labels))[::-1]
    left, right = np.zeros(len(labels)), np.zeros(len(labels))
    for term in [t for t in TERM_ORDER if t in wide.columns]:
        values = wide[term].fillna(0.0).to_numpy()
        if np.abs(values).max() < 1e-9:
            continue
        start = np.where(values < 0, left, right)
        ax.barh(position, values, left=start, height=0.72, color=TERM_COLOURS[term], label=TERM_NAMES[term], lw=0)
        left, right = left + np.minimum(values, 0), right + np.maximum(values, 0)
    bars = ax.get_legend_handles_labels()[0]
    points = ax.plot(wide.sum(axis=1), position, "D", color="black", ms=3, label="expected change")
    if "observed" in table:
        observed = table.drop_duplicates("row").set_index("row")["observed"].reindex(labels)
        points += ax.plot(observed, position, "o", mfc="none", mec="black", ms=5, mew=0.8, label="observed change")
    ax.axvline(0, color="black", lw=0.8)
    ax.use_sticky_edges = False
    ax.margins(x=0.04)
    ax.set_yticks(position, labels, fontsize=7)
    ax.set_ylim(-0.8, len(labels) - 0.2)
    _legend(ax, [*bars, *points])
    _finish(ax, f"change from baseline ({unit})", title, favours=("improved", "worse"))
    return ax


def plot_predictive_check(
    table: pd.DataFrame, *, ax: "Axes | None" = None, title: str = "", unit: str = "reference SD"
) -> "Axes":
    """Draw each observed row on its predictive interval; rows outside it are filled.

    Parameters
    ----------
    table
        :func:`pillprocess.predictive_check`.
    ax
        Axes to draw on.
    title
        Title above the axes; by default the count of rows inside their interval.
    unit
        The model's unit.

    Returns
    -------
    Axes.
    """
    ax = ax or plt.subplots(figsize=(7.2, 0.15 * len(table) + 1.2), layout="constrained")[1]
    position = np.arange(len(table))[::-1]
    colours = [DRUG_COLOURS.get(str(d), GREY) for d in table["study_drug"]]
    ax.hlines(position, table["ci_low"], table["ci_high"], color=colours, lw=2.2, alpha=0.45)
    inside = table["inside"].to_numpy(bool)
    ax.plot(table["y"][inside], position[inside], "o", mfc="white", mec="black", ms=3.6, mew=0.8)
    ax.plot(table["y"][~inside], position[~inside], "o", color="black", ms=4.4)
    ax.set_yticks(position, table["row"], fontsize=6)
    ax.set_ylim(-0.8, len(table) - 0.2)
    ax.axvline(0, color="black", lw=0.8)
    outside = int((~inside).sum())
    text = f"{len(table) - outside} of {len(table)} rows inside their 95 % predictive interval"
    drugs = [d for d in DRUG_COLOURS if d in set(table["study_drug"])]
    handles = [Line2D([], [], color=DRUG_COLOURS[d], lw=2.2, alpha=0.45, label=d) for d in drugs]
    handles.append(Line2D([], [], marker="o", mfc="white", mec="black", ms=3.6, mew=0.8, lw=0, label="observed"))
    handles.append(Line2D([], [], marker="o", color="black", ms=4.4, lw=0, label="observed, outside"))
    _legend(ax, handles)
    _finish(ax, f"change or difference ({unit})", title or text, favours=("improved", "worse"))
    return ax


def plot_prior_posterior(
    table: pd.DataFrame, *, ax: "Axes | None" = None, title: str = "", unit: str = "reference SD"
) -> "Axes":
    """Draw 95 % prior and posterior intervals of each parameter, and how much of the prior variance the data removed.

    Parameters
    ----------
    table
        :func:`pillprocess.contraction`: ``parameter``, ``prior_low``, ``prior_high``, ``mean``, ``ci_low``, ``ci_high``,
        ``contraction``.
    ax
        Axes to draw on.
    title
        Title above the axes.
    unit
        The model's unit.

    Returns
    -------
    Axes; left is improvement.
    """
    ax = ax or plt.subplots(figsize=(7.2, 0.27 * len(table) + 1.2), layout="constrained")[1]
    position = np.arange(len(table))[::-1]
    ax.hlines(position + 0.13, table["prior_low"], table["prior_high"], color="#C4C4C4", lw=3, label="prior")
    ax.hlines(position - 0.13, table["ci_low"], table["ci_high"], color="#0072B2", lw=3, label="posterior")
    ax.plot(table["mean"], position - 0.13, "o", color="white", mec="#0072B2", ms=4)
    ax.set_yticks(position, table["parameter"], fontsize=7)
    for y, value in zip(position, table["contraction"], strict=True):
        ax.text(1.01, y, f"{100 * value:.0f} %", transform=ax.get_yaxis_transform(), va="center", fontsize=7)
    ax.text(1.01, len(table) - 0.35, "learned", transform=ax.get_yaxis_transform(), fontsize=7, fontweight="bold")
    ax.axvline(0, color="black", lw=0.8)
    ax.set_ylim(-0.8, len(table) - 0.2)
    _legend(ax, ax.get_legend_handles_labels()[0])
    _finish(ax, f"95 % intervals ({unit})", title, favours=("improves", "worsens"))
    return ax


def _grouped(table: pd.DataFrame) -> list[pd.Series | None]:
    """Rows in drug order with a gap between drugs."""
    out: list[pd.Series | None] = []
    for drug in [d for d in DRUG_COLOURS if d in set(table["drug"])]:
        out += [row for _, row in table[table["drug"] == drug].iterrows()] + [None]
    return out[:-1]


def _mark_beyond(ax: "Axes", x: float, y: float, limits: tuple[float, float], colour: str) -> None:
    """Put a triangle at the edge of the axis that x lies beyond."""
    if x < limits[0]:
        ax.plot(limits[0], y, "<", ms=4, color=colour, clip_on=False, zorder=5)
    if x > limits[1]:
        ax.plot(limits[1], y, ">", ms=4, color=colour, clip_on=False, zorder=5)


def _legend(ax: "Axes", handles: Sequence[Artist]) -> None:
    ax.legend(
        handles=handles, fontsize=7, frameon=False, ncols=4, loc="lower right", bbox_to_anchor=(1.0, 1.0), handlelength=1.5,
        columnspacing=1.3, borderaxespad=0.2,
    )  # fmt: skip


def _finish(ax: "Axes", xlabel: str, title: str, favours: tuple[str, str]) -> None:
    """Say below the axis which side of 0 favours what, and put the title above all."""
    for text, side, gap in ((f"← {favours[0]}", "right", -4), (f"{favours[1]} →", "left", 4)):
        ax.annotate(
            text, (0, 0), xycoords=("data", "axes fraction"), xytext=(gap, -15), textcoords="offset points", ha=side, va="top",
            fontsize=7.5,
        )  # fmt: skip
    ax.set_xlabel(xlabel, fontsize=8, labelpad=14)
    ax.tick_params(axis="x", labelsize=7)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    if title:
        ax.figure.suptitle(title, fontsize=9, x=0.01, ha="left", fontweight="bold")
