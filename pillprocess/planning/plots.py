"""The figure of a plan: the chance to decide against the size of the trial, a line per design."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from pillprocess.output.visual_style import GREY, NARROW, NORMAL, SMALL, Width, finish, panel, width_mm
from pillprocess.planning.trials import PlanningError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = (
    ("#1F4E9C", "-"), ("#C8501A", "--"), ("#12694A", "-."), ("#B0468F", ":"), ("#B8860B", "-"), ("#4FA3D9", "--"), ("#4A4A4A", "-."),
    ("#903F2D", ":"), ("#3B2C85", "-"), ("#35B08F", "--"),
)  # fmt: skip
"""Colour and dashes of each design in turn: a grey print tells them apart too."""
TICKS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


def plot_assurance(
    table: pd.DataFrame,
    *,
    estimand: str,
    levels: Sequence[float] = (0.8, 0.9),
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
) -> "Axes":
    """Draw the chance to decide against people per arm, one line a design, named at its end.

    Parameters
    ----------
    table
        Rows of :func:`pillprocess.expected_information`.
    estimand
        Which decision to draw.
    levels
        Chances to mark across the figure.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes. A dot at the right end of a line stands for a trial without end, where the table has one.

    Raises
    ------
    PlanningError
        The table has no finite size of this estimand.
    """
    own = table[table["estimand"] == estimand]
    finite = own[np.isfinite(own["n_per_arm"])].sort_values("n_per_arm", kind="stable")
    if finite.empty:
        held = ", ".join(dict.fromkeys(table["estimand"])) or "nothing"
        raise PlanningError(f"estimand = {estimand!r}: the table has no size of it; it has {held}")
    ax = panel(ax, width, 85)
    narrow = width_mm(ax) < NARROW
    low, high = float(finite["n_per_arm"].min()), float(finite["n_per_arm"].max())
    ax.set_xscale("log")
    for level in levels:
        ax.axhline(level, color=GREY, lw=0.5, ls=(0, (1, 2)), zorder=0)
    designs = list(dict.fromkeys(own["design"]))
    last = finite.groupby("design")["assurance"].last()
    order = sorted(designs, key=lambda d: (-last[d], designs.index(d)))
    places = _spread([float(last[d]) for d in order], gap=0.045 if not narrow else 0.07)
    for i, (design, place) in enumerate(zip(order, places, strict=True)):
        colour, dashes = LINES[designs.index(design) % len(LINES)]
        line = finite[finite["design"] == design]
        ax.plot(
            line["n_per_arm"], line["assurance"], dashes, color=colour, lw=1.3, zorder=len(order) - i + 2, clip_on=False
        )
        end = own[(own["design"] == design) & np.isinf(own["n_per_arm"])]
        if len(end):
            ax.plot(
                1.045,
                end["assurance"].iloc[0],
                "o",
                ms=3,
                color=colour,
                transform=ax.get_yaxis_transform(),
                clip_on=False,
            )
        ax.annotate(
            "\n".join(textwrap.wrap(design, 22)) if narrow else design, (1.0, last[design]), xycoords=ax.get_yaxis_transform(),
            xytext=(1.1, place), textcoords=ax.get_yaxis_transform(), fontsize=SMALL, va="center", color=colour, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "lw": 0.4, "color": colour, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)},
        )  # fmt: skip
    ax.set_xlim(low, high)
    ax.set_ylim(0, 1)
    ax.xaxis.set_major_locator(FixedLocator([t for t in (TICKS[::3] if narrow else TICKS) if low <= t <= high]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:.0f}")
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.yaxis.set_major_locator(FixedLocator([0, 0.2, 0.4, 0.6, *levels, 1]))
    ax.set_ylabel(f"chance: {finite['decision'].iloc[0]}", fontsize=NORMAL)
    without_end = "; dot: a trial without end" if np.isinf(own["n_per_arm"]).any() and not narrow else ""
    finish(ax, f"People per arm{without_end}", title)
    ax.tick_params(axis="y", labelsize=SMALL, length=2.5)
    ax.spines["left"].set_visible(True)
    return ax


def _spread(values: list[float], *, gap: float) -> list[float]:
    """Heights of labels near falling values that do not touch."""
    places: list[float] = []
    for value in values:
        places.append(min(value, places[-1] - gap) if places else min(value, 1.0))
    if places and places[-1] < 0:
        lift = 0.0
        for i in reversed(range(len(places))):
            places[i] = max(places[i], lift)
            lift = places[i] + gap
    return places
