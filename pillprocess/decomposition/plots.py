"""Figures of a decomposition: each takes a table and returns a Matplotlib Axes; negative change is improvement."""

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from pillprocess.decomposition.estimands import TERM_ORDER
from pillprocess.output.visual_style import (
    DRUG_COLOURS,
    DRUG_MARKERS,
    GREY,
    IMPROVED,
    IMPROVES,
    NORMAL,
    PRIOR,
    SMALL,
    TERM_COLOURS,
    TERM_HATCHES,
    TERM_NAMES,
    TERM_OF_VARIABLE,
    Width,
    finish,
    in_drawn_order,
    legend_above,
    panel,
    percent_learned,
    row_labels,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_contributions(
    table: pd.DataFrame,
    *,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
    unit: str = "reference SD",
) -> "Axes":
    """Draw how each row's expected change splits over the terms.

    Terms that all point the same way are stacked from 0. Where a row's terms point both ways, improvement is stacked to the
    left and worsening to the right; the diamond is the expected change, and the ring, where given, the observed one.

    Parameters
    ----------
    table
        ``effect_table(contributions(idata))``, optionally with ``observed`` and ``n`` (people); columns ``row``, ``term``, ``mean``.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.
    unit
        The model's unit.

    Returns
    -------
    Axes; left is improvement.
    """
    labels = list(dict.fromkeys(table["row"]))
    ax = panel(ax, width, 3.1 * len(labels) + 26 + (8 if width == "one_column" else 0))
    wide = table.pivot_table(index="row", columns="term", values="mean", sort=False).reindex(labels)
    position = np.arange(len(labels))[::-1]
    left, right = np.zeros(len(labels)), np.zeros(len(labels))
    own = [t for t in wide.columns if t not in TERM_ORDER]
    colours = TERM_COLOURS | dict(zip(own, itertools.cycle(TERM_COLOURS.values())))
    for term in [*(t for t in TERM_ORDER if t in wide.columns), *own]:
        values = wide[term].fillna(0.0).to_numpy()
        if np.abs(values).max() < 1e-9:
            continue
        start = np.where(values < 0, left, right)
        ax.barh(
            position, values, left=start, height=0.74, color=colours[term], label=TERM_NAMES.get(term, term), hatch=TERM_HATCHES.get(term),
            ec="white", lw=0.3,
        )  # fmt: skip
        left, right = left + np.minimum(values, 0), right + np.maximum(values, 0)
    bars = ax.get_legend_handles_labels()[0]
    points = ax.plot(wide.sum(axis=1), position, "D", color="black", ms=2.6, label="expected change")
    if "observed" in table:
        observed = table.drop_duplicates("row").set_index("row")["observed"].reindex(labels)
        points += ax.plot(observed, position, "o", mfc="none", mec="black", ms=4.4, mew=0.7, label="observed change")
    if "n" in table:
        people = table.drop_duplicates("row").set_index("row")["n"].reindex(labels)
        for y, n in zip(position, people, strict=True):
            text = "n = ?" if pd.isna(n) else f"n = {n:.0f}"
            ax.text(1.01, y, text, transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL)
    ax.axvline(0, color="black", lw=0.8)
    ax.use_sticky_edges = False
    ax.margins(x=0.04)
    ax.set_yticks(position, row_labels(ax, labels), fontsize=SMALL)
    ax.set_ylim(-0.8, len(labels) - 0.2)
    legend_above(ax, [*bars, *points])
    finish(ax, f"change from baseline ({unit})", title, favours=IMPROVED)
    return ax


def plot_predictive_check(
    table: pd.DataFrame,
    *,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
    unit: str = "reference SD",
) -> "Axes":
    """Draw each observed row on its predictive interval; rows outside it are filled.

    Parameters
    ----------
    table
        :func:`pillprocess.predictive_check`.
    ax
        Axes to draw on; a new figure of fitting height by default.
    width
        Print width of a new figure: ``"one_column"`` (89 mm), ``"two_column"`` (183 mm), or width and height in mm.
    title
        Title above the axes; by default the count of rows inside their interval.
    unit
        The model's unit.

    Returns
    -------
    Axes.
    """
    ax = panel(ax, width, 2.5 * len(table) + 27)
    position = np.arange(len(table))[::-1]
    drug_of = table["study_drug"] if "study_drug" in table else pd.Series("", index=table.index)
    colours = [DRUG_COLOURS[str(d)] for d in drug_of]
    ax.hlines(position, table["ci_low"], table["ci_high"], color=colours, lw=1.6)
    inside = table["inside"].to_numpy(bool)
    for drug in dict.fromkeys(drug_of):
        own = (drug_of == drug).to_numpy()
        marker = DRUG_MARKERS[str(drug)]
        ax.plot(table["y"][own & inside], position[own & inside], marker, mfc="white", mec="black", ms=3.2, mew=0.6)
        ax.plot(table["y"][own & ~inside], position[own & ~inside], marker, color="black", ms=4)
    ax.set_yticks(position, row_labels(ax, [str(r) for r in table["row"]]), fontsize=SMALL)
    ax.set_ylim(-0.8, len(table) - 0.2)
    ax.axvline(0, color="black", lw=0.8)
    outside = int((~inside).sum())
    trials = f" of {table['trial'].nunique()} trials" if "trial" in table else ""
    text = f"{len(table) - outside} of {len(table)} rows{trials} inside their 95 % predictive interval"
    handles = [
        Line2D(
            [], [], color=DRUG_COLOURS[d], marker=DRUG_MARKERS[d], mfc="white", mec="black", ms=3.2, mew=0.6, lw=1.6, label=d
        )
        for d in in_drawn_order(map(str, drug_of))
    ]  # fmt: skip
    handles.append(Line2D([], [], marker="o", color="black", ms=4, lw=0, label="outside"))
    legend_above(ax, handles)
    finish(ax, f"change or difference ({unit})", title or text, favours=IMPROVED)
    return ax


def plot_prior_posterior(
    table: pd.DataFrame,
    *,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
    unit: str = "reference SD",
) -> "Axes":
    """Draw 95 % prior and posterior intervals of each parameter, and how much of the prior variance the data removed.

    Parameters
    ----------
    table
        :func:`pillprocess.contraction`: ``parameter``, ``prior_low``, ``prior_high``, ``mean``, ``ci_low``, ``ci_high``,
        ``contraction``.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.
    unit
        The model's unit.

    Returns
    -------
    Axes; left is improvement.
    """
    ax = panel(ax, width, 6 * len(table) + 25)
    position = np.arange(len(table))[::-1]
    variables = table["variable"] if "variable" in table else pd.Series("delta", index=table.index)
    colours = [TERM_COLOURS[TERM_OF_VARIABLE.get(str(v), "drug")] for v in variables]
    ax.hlines(position + 0.17, table["prior_low"], table["prior_high"], color=PRIOR, lw=1.6)
    ax.hlines(position - 0.13, table["ci_low"], table["ci_high"], color=colours, lw=3.4)
    ax.plot(table["mean"], position - 0.13, "o", color="white", mec="black", ms=3.4, mew=0.7)
    ax.set_yticks(position, table["parameter"], fontsize=NORMAL)
    for y, value in zip(position, table["contraction"], strict=True):
        ax.text(1.01, y, percent_learned(value), transform=ax.get_yaxis_transform(), va="center", fontsize=NORMAL)
    ax.text(1.01, len(table) - 0.4, "learned", transform=ax.get_yaxis_transform(), fontsize=NORMAL, fontweight="bold")
    ax.axvline(0, color="black", lw=0.8)
    ax.set_ylim(-0.8, len(table) - 0.2)
    handles = [
        Line2D([], [], color=PRIOR, lw=1.6, label="prior"),
        Line2D([], [], color=GREY, lw=3.4, marker="o", mfc="white", mec="black", ms=3.4, label="posterior, in the term's colour"),
    ]  # fmt: skip
    legend_above(ax, handles, margin=18)
    finish(ax, f"95 % intervals ({unit})", title, favours=IMPROVES)
    return ax
