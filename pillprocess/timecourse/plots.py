"""The effect over time: a panel for each drug, its curve with a band, the trials' own points, and how many trials there are."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.output.tables import interval_table
from pillprocess.output.visual_style import (
    DRUG_COLOURS,
    DRUG_MARKERS,
    GREY,
    INK,
    LARGE,
    NARROW,
    NORMAL,
    PRIOR,
    SMALL,
    Width,
    figure_size,
    in_drawn_order,
)
from pillprocess.timecourse.estimands import time_effects
from pillprocess.timecourse.model import dose_gap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TICKS = (1, 7, 21, 42, 90, 180, 365)
CURVE = (0.1, *np.geomspace(0.25, 365, 60).round(3))


def time_curve_table(idata: xr.DataTree) -> pd.DataFrame:
    """Tabulate each drug's curve, in the settings its trials used, for :func:`plot_time_course`.

    Parameters
    ----------
    idata
        Result of :func:`pillprocess.fit_time_course`.

    Returns
    -------
    DataFrame of :func:`pillprocess.interval_table`'s columns by ``drug``, ``therapy`` and ``day``.
    """
    table = interval_table(time_effects(idata, days=CURVE))
    return table[table["evidence"] != "carried over: no trial of this drug in this setting"].reset_index(drop=True)


def time_points(idata: xr.DataTree) -> pd.DataFrame:
    """Tabulate the trials' own differences, put on the scale of the reference dose.

    Parameters
    ----------
    idata
        As in :func:`time_curve_table`.

    Returns
    -------
    DataFrame: ``drug``, ``trial``, ``day`` after the last dose, ``effect`` and ``se`` per reference dose, ``therapy``, ``n`` (of both
    arms).
    """
    data = idata["constant_data"].dataset.to_dataframe().reset_index()
    data = data[data["kind"] != "relapse"].reset_index(drop=True)
    gap = dose_gap(data, str(idata.attrs["dose_shape"]))
    return pd.DataFrame(
        {
            "drug": data["drug"], "trial": data["trial"], "label": data["row"], "day": data["days_from_last_dose"],
            "effect": data["y"] / gap,
            "se": data["se"] / gap, "therapy": data["therapy"], "n": data["n_arm"].astype(float) + data["n_reference"].astype(float),
        }
    )  # fmt: skip


def plot_time_course(
    curves: pd.DataFrame, points: pd.DataFrame, *, width: Width = "two_column", title: str = ""
) -> "Axes":
    """Draw the effect over time: one panel for each drug.

    Lines are posterior means with 95 % bands, dashed before the first and after the last day on which a trial of the drug measured;
    each trial's points are joined by a
    thin line, their size by the square root of people, filled triangles where they
    lie beyond the axis. Above each panel's day stands the number of trials that measured near each day.

    Parameters
    ----------
    curves
        Table of :func:`time_curve_table`.
    points
        Table of :func:`time_points`.
    width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes of the first panel.
    """
    drugs = in_drawn_order(curves["drug"])
    narrow = figure_size(width, 70)[0] * 25.4 < NARROW
    columns = 1 if narrow else min(3, len(drugs))
    lines = -(-len(drugs) // columns)
    figure = plt.figure(figsize=figure_size(width, 48 * lines + 12), dpi=150, layout="constrained")
    axes = np.atleast_1d(figure.subplots(lines, columns, sharey=True, squeeze=False)).ravel()
    lowest = min(-1.6, float(np.quantile(points["effect"], 0.04)) - 0.1)
    for ax, drug in zip(axes, drugs, strict=False):
        _panel(ax, drug, curves[curves["drug"] == drug], points[points["drug"] == drug], lowest)
    for ax in axes[len(drugs) :]:
        ax.set_visible(False)
    for ax in axes[: len(drugs) : columns]:
        ax.set_ylabel("effect against control\n(reference SDs; lower favours drug)", fontsize=SMALL)
    if title:
        figure.suptitle(title, fontsize=LARGE, x=0.01, ha="left", fontweight="bold")
    return axes[0]


def _panel(ax: "Axes", drug: str, curve: pd.DataFrame, own: pd.DataFrame, lowest: float) -> None:
    settings = sorted(set(curve["therapy"]))
    first, last = own["day"].min(), own["day"].max()
    for amount in settings:
        line = curve[curve["therapy"] == amount].sort_values("day")
        colour = DRUG_COLOURS[drug] if amount == settings[-1] else GREY
        ax.fill_between(
            line["day"],
            line["ci_low"],
            line["ci_high"],
            color=colour if len(settings) == 1 else PRIOR,
            alpha=0.18,
            lw=0,
        )
        ax.plot(line["day"], line["mean"], color=colour, lw=1.0, ls=(0, (3, 2)))
        seen = line["day"].between(first, last)
        ax.plot(line["day"][seen], line["mean"][seen], color=colour, lw=1.5)
        if len(settings) > 1:
            # In the corner below the curves: at their ends the names would lie on each other and on the line of no effect.
            ax.text(0.98, 0.12 if amount else 0.03, "with therapy" if amount else "alone", transform=ax.transAxes, fontsize=SMALL,
                    ha="right", color=colour)  # fmt: skip
    for _, one in own.groupby("trial"):
        for _, arm in one.groupby(one["label"].str.replace(r", day .*", "", regex=True)):
            ax.plot(arm["day"], arm["effect"].clip(lowest, 1), color=INK, lw=0.35, alpha=0.5, zorder=2)
    size = 1.4 + 0.16 * np.sqrt(own["n"].fillna(20))
    for x, y, s in zip(own["day"], own["effect"], size, strict=True):
        beyond = y < lowest
        ax.plot(
            x,
            max(y, lowest),
            "v" if beyond else DRUG_MARKERS[drug],
            ms=s,
            mfc=INK if beyond else "white",
            mec=INK,
            mew=0.5,
            zorder=3,
            clip_on=False,
        )
    ax.axhline(0, color=INK, lw=0.6)
    ax.set_xscale("log")
    ax.set_xlim(0.07, 400)
    ax.set_ylim(lowest, 1.0)
    ax.set_xticks(TICKS, [f"{t}" if t < 365 else "1 y" for t in TICKS])
    ax.minorticks_off()
    ax.tick_params(labelsize=SMALL, length=2, pad=2)
    ax.spines[["top", "right"]].set_visible(False)
    for day in TICKS:
        n = own.loc[(own["day"] <= 1.5 * day) & (own["day"] * 1.5 >= day), "trial"].nunique()
        ax.annotate(
            f"{n}",
            (day, 0.99),
            xycoords=ax.get_xaxis_transform(),
            fontsize=SMALL,
            ha="center",
            va="top",
            color=INK if n else GREY,
        )
    ax.annotate(
        "trials", (0.075, 0.99), xycoords=ax.get_xaxis_transform(), fontsize=SMALL, ha="left", va="top", color=GREY
    )
    ax.set_xlabel("days after the last dose", fontsize=SMALL, labelpad=2)
    ax.set_title(f"{drug} (k = {own['trial'].nunique()} trials)", fontsize=NORMAL, loc="left", fontweight="bold")
