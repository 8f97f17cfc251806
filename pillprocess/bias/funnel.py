"""Funnels: each contrast against its precision, with what the models of bias imply at each size."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.special import ndtr

from pillprocess.bias.averaging import ALL_READINGS, AVERAGED, UNADJUSTED, BiasAdjusted
from pillprocess.bias.contrast_rows import largest_trials, read_contrasts
from pillprocess.output.visual_style import (
    DRUG_COLOURS,
    DRUG_MARKERS,
    FAVOURS_DRUG,
    GREY,
    INK,
    LARGE,
    NARROW,
    NORMAL,
    SMALL,
    Width,
    figure_size,
    finish,
    panel,
    wrapped,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONTOURS = ((1.96, 2.576, "#E4E4E4", ".01 < p < .05"), (2.576, 12.0, "#F3F3F3", "p < .01"))
CURVES = {
    UNADJUSTED: ("-", "as pooled"),
    "PET": ("--", "PET"),
    "PEESE": (":", "PEESE"),
    AVERAGED: ("-.", "allowing for small-study effects"),
}


def funnel_table(adjusted: BiasAdjusted) -> pd.DataFrame:
    """List every contrast with its precision, its p-value and what the models of bias expect at its size.

    Parameters
    ----------
    adjusted
        Result of :func:`pillprocess.bias_adjusted`.

    Returns
    -------
    DataFrame, a row per contrast, the most precise of each drug first: ``drug``, ``trial``, ``label``, ``y`` and ``se`` as tested,
    ``p`` (one-sided, towards benefit), ``n`` (people of both arms, blank where not known), ``largest`` (among the fewest trials that
    hold half of the drug's information), and per drug the effect ``as_pooled`` and ``adjusted``, and ``pet``, ``peese``: the
    expected effect of a trial of this standard error; ``pet_slope`` and ``peese_slope`` draw these curves.
    """
    data = read_contrasts(adjusted.contrasts)
    with np.errstate(invalid="ignore"):
        n = data.n_arm + data.n_reference
    effects = adjusted.effects[adjusted.effects["dose"] == ALL_READINGS].set_index(["drug", "estimate"])["mean"]
    slope = {kind: _slope(adjusted.models, kind) for kind in ("PET", "PEESE")}
    largest = {d: largest_trials(data.take(data.drug == d)) for d in dict.fromkeys(data.drug.tolist())}
    table = pd.DataFrame(
        {
            "drug": data.drug, "trial": data.trial, "label": data.label, "y": data.y, "se": data.se, "p": ndtr(data.y / data.se),
            "n": n,
            "largest": [t in largest[d] for d, t in zip(data.drug.tolist(), data.trial.tolist(), strict=True)],
            "as_pooled": [effects[d, UNADJUSTED] for d in data.drug.tolist()],
            "adjusted": [effects[d, AVERAGED] for d in data.drug.tolist()],
            "pet": [effects[d, "PET"] + slope["PET"] * se for d, se in zip(data.drug.tolist(), data.se, strict=True)],
            "peese": [effects[d, "PEESE"] + slope["PEESE"] * se**2 for d, se in zip(data.drug.tolist(), data.se, strict=True)],
            "pet_slope": slope["PET"], "peese_slope": slope["PEESE"],
        }
    )  # fmt: skip
    return table.sort_values(["drug", "se"], kind="stable").reset_index(drop=True)


def _slope(models: pd.DataFrame, kind: str) -> float:
    """Slope of one kind of small-study effect, averaged over its models that have an effect."""
    own = models[(models["bias"] == kind) & models["effect"]]
    weight = np.exp(own["log_marginal_likelihood"] - own["log_marginal_likelihood"].max())
    return float((weight * own["bias_parameter"]).sum() / weight.sum())


def plot_funnel(
    table: pd.DataFrame,
    *,
    drug: str | None = None,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
    unit: str = "reference SD",
) -> "Axes":
    """Draw a contour-enhanced funnel: shaded where a result differs from 0, with the curves that the models of bias imply.

    Parameters
    ----------
    table
        Rows of :func:`pillprocess.funnel_table`.
    drug
        Draw this drug's contrasts and curves; by default every drug's contrasts, in their colours, without curves.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.
    unit
        Unit of the effects.

    Returns
    -------
    Axes; left favours the drug, the most precise are on top; the largest trials are named.

    Raises
    ------
    ValueError
        No contrast of this drug.
    """
    rows = table if drug is None else table[table["drug"] == drug]
    if rows.empty:
        raise ValueError(
            f"drug = {drug!r}: the table has no contrast of it; it has {', '.join(sorted(set(table['drug'])))}"
        )
    ax = panel(ax, width, 85)
    top = 1.08 * float(rows["se"].max())
    left = min(float(rows["y"].min()), -1.96 * top, 0.0) - 0.1
    right = max(float(rows["y"].max()), 1.0) + 0.15
    se = np.linspace(0, top, 100)
    for low, high, colour, _ in CONTOURS:
        for side in (-1, 1):
            ax.fill_betweenx(se, side * low * se, side * high * se, color=colour, lw=0, zorder=0)
    ax.axvline(0, color="black", lw=0.8)
    for name, points in rows.groupby("drug", sort=False):
        colour = DRUG_COLOURS[str(name)]
        ax.plot(
            points["y"],
            points["se"],
            DRUG_MARKERS[str(name)],
            ms=3.6,
            mfc=colour,
            mec="white",
            mew=0.4,
            lw=0,
            zorder=4,
        )
    if drug is not None:
        first = rows.iloc[0]
        ink = DRUG_COLOURS[drug]
        intercept = {
            k: first[k] - first[f"{k}_slope"] * first["se"] ** power for k, power in (("pet", 1), ("peese", 2))
        }
        lines = {
            UNADJUSTED: 0 * se + first["as_pooled"], "PET": intercept["pet"] + first["pet_slope"] * se,
            "PEESE": intercept["peese"] + first["peese_slope"] * se**2, AVERAGED: 0 * se + first["adjusted"],
        }  # fmt: skip
        for name, x in lines.items():
            ax.plot(x, se, CURVES[name][0], color=INK if name == AVERAGED else ink, lw=1.0, zorder=3)
    _name_largest(ax, rows, right)
    ax.set_xlim(left, right)
    ax.set_ylim(top, 0)
    ax.set_ylabel("standard error", fontsize=NORMAL)
    finish(ax, f"Difference from control, as tested ({unit})", title, FAVOURS_DRUG)
    ax.tick_params(axis="y", labelsize=SMALL, length=2.5)
    ax.spines["left"].set_visible(True)
    return ax


def _name_largest(ax: "Axes", rows: pd.DataFrame, right: float) -> None:
    """Write the names of the largest trials at the right, each joined to its most precise contrast."""
    named = rows[rows["largest"]].sort_values("se", kind="stable").drop_duplicates("trial").head(5)
    height = float(rows["se"].max()) * 1.08
    y = -np.inf
    for row in named.itertuples():
        y = max(float(row.se) - 0.02 * height, y + 0.062 * height, 0.03 * height)
        ax.annotate(
            str(row.trial), (row.y, row.se), xytext=(right, y), textcoords="data", ha="right", va="center", fontsize=SMALL, zorder=5,
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.4, "shrinkA": 1, "shrinkB": 2},
        )  # fmt: skip


def plot_funnels(
    table: pd.DataFrame, *, width: Width = "two_column", title: str = "", unit: str = "reference SD"
) -> "Axes":
    """Draw :func:`plot_funnel` of every drug in one figure, the drug with most contrasts first.

    Parameters
    ----------
    table, width, title, unit
        As in :func:`plot_funnel`.

    Returns
    -------
    Axes of the first drug; ``ax.figure`` is the whole.
    """
    drugs = list(table["drug"].value_counts(sort=True).index)
    columns = 2 if figure_size(width, 1.0)[0] * 25.4 >= NARROW else 1
    down = -(-(len(drugs) + 1) // columns)
    figure = plt.figure(figsize=figure_size(width, 68.0 * down + 6), dpi=150, layout="constrained")
    grid = figure.subplots(down, columns, squeeze=False).ravel()
    for ax, drug in zip(grid, drugs, strict=False):
        own = table[table["drug"] == drug]
        plot_funnel(table, drug=drug, ax=ax, unit=unit)
        ax.set_title(f"{drug} (k = {own['trial'].nunique()} trials)", fontsize=NORMAL, loc="left", fontweight="bold")
    for ax in grid[len(drugs) :]:
        ax.set_axis_off()
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=INK if n == AVERAGED else GREY, ls=style, lw=1.0, label=text)
        for n, (style, text) in CURVES.items()
    ]
    handles += [
        Patch(fc=colour, ec=GREY, lw=0.3, label=f"{label}, two-sided, against no difference")
        for *_, colour, label in CONTOURS
    ]
    grid[len(drugs)].legend(handles=handles, loc="center left", fontsize=SMALL, frameon=False)
    if title:
        figure.suptitle(wrapped(grid[0], title, 1.85), fontsize=LARGE, x=0.01, ha="left", fontweight="bold")
    first: Axes = grid[0]
    return first
