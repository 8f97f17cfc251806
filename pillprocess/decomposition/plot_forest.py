"""The forest plot, and its rows from any table of estimates the package returns."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pillprocess.output.visual_style import (
    DRUG_COLOURS,
    FAVOURS_DRUG,
    GREY,
    INK,
    SMALL,
    Width,
    beside,
    finish,
    in_drawn_order,
    legend_above,
    mark_beyond,
    panel,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KIND_ALPHA = {"pooled": 1.0, "predictive": 0.35}
NUMBERS = (
    "mean",
    "sd",
    "ci_low",
    "ci_high",
    "p_below",
    "ess",
    "observed",
    "observed_se",
    "n",
    "n_trials",
    "trials",
    "carried_over",
    "evidence",
)
SETTINGS = {0.0: "alone", 1.0: "with therapy"}


def plot_forest(
    table: pd.DataFrame,
    *,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
    unit: str = "reference SD",
    heading: str = "",
) -> "Axes":
    """Draw estimates with intervals, a row each, by drug with its trials and people; a triangle at the edge lies beyond the axis.

    One call for a drug's forest from a fit: ``plot_forest(forest_table(idata, arms, contrasts, drug="psilocybin", seed=1))``; in points of
    a scale: ``plot_forest(in_points(table, evidence, instrument="MADRS"), unit="MADRS")``.

    Parameters
    ----------
    table
        :func:`pillprocess.forest_table`, ``effect_table(...)`` of :func:`pillprocess.trial_effects`,
        :func:`pillprocess.relative_effects` or any other draws, a :func:`pillprocess.linear_summary`, or columns ``label``, ``drug``,
        ``kind`` (``"trial"``, ``"pooled"`` or ``"predictive"``), ``mean``, ``ci_low``, ``ci_high``; optional ``observed`` (the trial's
        own contrast), ``n`` (people, missing where not reported) and ``text`` (printed at the right).
    ax
        Axes to draw on; a new figure of fitting height by default.
    width
        Print width of a new figure: ``"one_column"`` (89 mm), ``"two_column"`` (183 mm), or width and height in mm.
    title
        Title above the axes.
    unit
        Unit of the effects; the instrument of a table from :func:`pillprocess.in_points` draws its points.
    heading
        Heading of the ``text`` column.

    Returns
    -------
    Axes; left favours the drug.

    Raises
    ------
    ValueError
        A table without estimates and intervals, or in points of several scales.
    """
    table = _in_unit(forest_rows(table), unit)
    rows = _headed(table)
    ax = panel(ax, width, 3.1 * len(rows) + 27)
    lowest, highest = (-2.6, 1.6) if unit == "reference SD" else (-np.inf, np.inf)
    left, right = max(min(table["ci_low"].min(), 0.0), lowest), min(max(table["ci_high"].max(), 0.0), highest)
    margin = 0.08 if unit == "reference SD" else 0.02 * (right - left)
    left, right = left - margin, right + margin
    for y, row in enumerate(rows[::-1]):
        if isinstance(row, str):
            continue
        colour = DRUG_COLOURS[str(row["drug"])]
        if row["kind"] == "trial":
            observed = row.get("observed", np.nan)
            if left <= observed <= right:
                ax.plot(observed, y, "o", ms=3.6, mfc="white", mec=INK, mew=0.6, zorder=3, clip_on=False)
            mark_beyond(ax, observed, y, (left, right), GREY)
            ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, lw=1.1, solid_capstyle="butt")
            ax.plot(row["mean"], y, "s", color=colour, ms=3, zorder=4)
        else:
            x = [row["ci_low"], row["mean"], row["ci_high"], row["mean"]]
            face = (*to_rgb(colour), KIND_ALPHA[str(row["kind"])])
            ax.fill(x, [y, y + 0.38, y, y - 0.38], fc=face, ec=colour, lw=0.6, zorder=3)
        for limit in (row["ci_low"], row["ci_high"]):
            mark_beyond(ax, limit, y, (left, right), colour)
        if "text" in table:
            beside(ax, y, str(row["text"]), "normal")
    if heading:
        beside(ax, len(rows), heading, "bold")
    ax.axvline(0, color="black", lw=0.8)
    ax.set_yticks(range(len(rows)), [r if isinstance(r, str) else str(r["label"]) for r in rows[::-1]], fontsize=SMALL)
    for tick, row in zip(ax.get_yticklabels(), rows[::-1], strict=True):
        tick.set_fontweight("normal" if not isinstance(row, str) and row["kind"] == "trial" else "bold")
    ax.set_xlim(left, right)
    ax.set_ylim(-0.8, len(rows) - 0.2)
    handles = [
        Line2D([], [], color=GREY, marker="s", ms=3, lw=1.1, label="trial, by the model"),
        Line2D([], [], color=INK, marker="o", ms=3.6, mfc="white", mew=0.6, lw=0, label="its own contrast"),
        Patch(color=GREY, lw=0, label="pooled"),
        Patch(fc=(*to_rgb(GREY), KIND_ALPHA["predictive"]), ec=GREY, lw=0.6, label="in a new trial"),
    ]
    kinds = set(table["kind"])
    shown = ["trial" in kinds, "observed" in table, "pooled" in kinds, "predictive" in kinds]
    legend_above(ax, [h for h, show in zip(handles, shown, strict=True) if show], margin=30)
    finish(ax, f"drug effect with 95 % interval ({unit})", title, favours=FAVOURS_DRUG)
    return ax


def forest_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Give a table of estimates the columns ``label``, ``drug`` and ``kind`` that a forest plot is drawn from.

    Parameters
    ----------
    table
        ``effect_table(...)`` of ``trial_effects``, ``relative_effects``, ``predictive_effects`` or of any labelled draws; a
        summary such as ``linear_summary``, whose index is the label; or a table that has the three columns already.

    Returns
    -------
    DataFrame; rows without a drug have an empty one, and what names no kind is ``"pooled"``.

    Raises
    ------
    ValueError
        A table without estimates and intervals.
    """
    absent = [c for c in ("mean", "ci_low", "ci_high") if c not in table]
    if absent:
        raise ValueError(f"a forest needs the columns mean, ci_low and ci_high; the table lacks {', '.join(absent)}")
    rows = table if isinstance(table.index, pd.RangeIndex) or "label" in table else table.reset_index()
    rows = rows.reset_index(drop=True)
    if "trial_drug" in rows and "drug" not in rows:
        rows[["label", "drug"]] = rows["trial_drug"].str.rsplit(": ", n=1, expand=True).to_numpy()
        rows["kind"] = "trial"
    if "kind" not in rows:
        rows["kind"] = "pooled"
    if "label" not in rows:
        names = [str(c) for c in rows.columns if c not in (*NUMBERS, "drug", "kind")]
        parts = [_words(column, rows[column]) for column in names]
        rows["label"] = (
            [", ".join(part for part in here if part) for here in zip(*parts, strict=True)]
            if parts
            else rows.index.astype(str)
        )
        rows["label"] = rows["label"].where(rows["kind"] != "predictive", "new trial, " + rows["label"])
        if "trials" in rows:
            rows["label"] = rows["label"].where(rows["trials"] > 0, rows["label"] + " (carried over)")
    if "drug" not in rows:
        rows["drug"] = ""
    return rows


def _in_unit(table: pd.DataFrame, unit: str) -> pd.DataFrame:
    """The table in points where ``unit`` is its instrument, its own contrasts and printed numbers with it."""
    if "instrument" not in table or unit not in set(table["instrument"]):
        return table
    if len(scales := set(table["instrument"])) > 1:
        raise ValueError(f"the table is in points of {', '.join(sorted(scales))}; a forest has one unit: draw one drug")
    scale = (table["points_high"] - table["points_low"]) / (table["ci_high"] - table["ci_low"])
    table = table.assign(mean=table["points"], ci_low=table["points_low"], ci_high=table["points_high"])
    if "observed" in table:
        table["observed"] = table["observed"] * scale
    if "text" in table:
        people = table["n"] if "n" in table else pd.Series(np.nan, index=table.index)
        table["text"] = [
            f"{'' if pd.isna(n) else f'{n:.0f}':>3} {m:5.1f} [{low:5.1f}, {high:5.1f}]"
            for n, m, low, high in zip(people, table["mean"], table["ci_low"], table["ci_high"], strict=True)
        ]
    return table


def _words(column: str, values: pd.Series) -> list[str]:
    """A column of labels in words: therapy by its setting, anything else as it stands."""
    if column == "therapy":
        return [SETTINGS.get(float(v), f"therapy {v:g}") for v in values]
    return ["" if pd.isna(v) else str(v) for v in values]


def _headed(table: pd.DataFrame) -> list[pd.Series | str]:
    """Rows in drug order, each drug under a heading with its number of trials and, where given, of people."""
    out: list[pd.Series | str] = []
    drugs = in_drawn_order(table["drug"])
    for drug in [*drugs, *(d for d in dict.fromkeys(table["drug"]) if d not in drugs)]:
        own = table[table["drug"] == drug]
        trials = own[own["kind"] == "trial"]
        if drug == "" or trials.empty:
            out += [str(drug)] if drug else []
            out += [row for _, row in own.iterrows()]
            continue
        people = f", n = {trials['n'].sum():.0f}{'+' if trials['n'].isna().any() else ''}" if "n" in table else ""
        out += [f"{drug}: k = {len(trials)}{people}", *(row for _, row in own.iterrows())]
    return out
