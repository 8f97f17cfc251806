"""Figures of a mediation analysis: each takes a table or draws and returns a Matplotlib Axes."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pillprocess.mediation_paths import estimate_text
from pillprocess.participants import Participants
from pillprocess.visual_style import (
    DRUG_COLOURS,
    GREY,
    LARGE,
    NARROW,
    NORMAL,
    PRIOR,
    SMALL,
    TERM_COLOURS,
    Width,
    finish,
    legend_above,
    new_axes,
    width_mm,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INDIRECT, DIRECT = TERM_COLOURS["experience"], TERM_COLOURS["drug"]
ARM_COLOURS = (GREY, *DRUG_COLOURS.values())
ARM_LINES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)), "-")


def plot_mediation(
    paths: pd.DataFrame,
    *,
    effects: pd.DataFrame | None = None,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
) -> "Axes":
    """Draw the path diagram with its estimates.

    Parameters
    ----------
    paths
        From `mediation_paths`.
    effects
        ``effect_table(natural_effects(idata))``; its te, tnie and pnde are printed below the diagram.
    ax
        Axes to draw on; a new figure of fitting height by default.
    width
        Print width of a new figure: ``"one_column"`` (89 mm), ``"two_column"`` (183 mm), or width and height in mm.
    title
        Title above the axes.

    Returns
    -------
    Axes.
    """
    mediators = list(dict.fromkeys(paths.loc[paths["kind"] == "a", "end"]))
    treatment, outcome = paths.loc[paths["kind"] == "direct", ["start", "end"]].iloc[0]
    ax = ax or new_axes(width, 42 + 26 * len(mediators))
    narrow = width_mm(ax) < NARROW
    place = {treatment: (0.0, 0.0), outcome: (1.0, 0.0)}
    place |= {m: (0.5, 0.62 + 0.8 * i) for i, m in enumerate(mediators)}
    for start, end, kind in dict.fromkeys(paths[["start", "end", "kind"]].itertuples(index=False, name=None)):
        rows = paths[(paths["start"] == start) & (paths["end"] == end)]
        near = {"a": 0.34 if narrow else 0.62, "b": (0.45 if narrow else 0.38) + 0.07 * (start != mediators[0])}.get(
            kind, 0.5
        )
        _arrow(
            ax, place[start], place[end], kind, "\n".join(_arrow_label(row) for row in rows.to_dict("records")), near
        )
    for name, (x, y) in place.items():
        box = {"boxstyle": "round,pad=0.5", "fc": "white", "ec": GREY if name in mediators else "black", "lw": 1.1}
        ax.text(
            x,
            y,
            name,
            ha="center",
            va="center",
            fontsize=NORMAL if narrow else LARGE,
            fontweight="bold",
            bbox=box,
            zorder=5,
        )
    if effects is not None:
        summary = effects.set_index("estimand").loc[["te", "tnie", "pnde"]]
        named = zip(("total", "indirect (tnie)", "direct (pnde)"), summary.to_dict("records"), strict=True)
        ax.text(
            0.5, -0.3, ("\n" if narrow else "     ").join(f"{name} {estimate_text(row)}" for name, row in named), ha="center",
            va="top", fontsize=NORMAL,
        )  # fmt: skip
    ax.set_xlim(-0.3 if narrow else -0.22, 1.22)
    ax.set_ylim(-0.62 if narrow else -0.42, max(y for _, y in place.values()) + 0.2)
    finish(ax, "", title)
    ax.set_axis_off()
    return ax


def plot_effects(
    table: pd.DataFrame,
    *,
    higher_is_worse: bool = True,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
    unit: str = "units of the outcome",
) -> "Axes":
    """Draw 95 % prior and posterior intervals of the effects.

    Parameters
    ----------
    table
        ``parameter``, ``prior_low``, ``prior_high``, ``mean``, ``ci_low``, ``ci_high`` and ``contraction``, 1 - posterior
        variance / prior variance.
    higher_is_worse
        Whether high outcomes are bad, so that negative effects are improvement.
    ax
        Axes to draw on; a new figure of fitting height by default.
    width
        Print width of a new figure: ``"one_column"`` (89 mm), ``"two_column"`` (183 mm), or width and height in mm.
    title
        Title above the axes.
    unit
        Unit of the effects.

    Returns
    -------
    Axes.
    """
    ax = ax or new_axes(width, 6 * len(table) + 25)
    y = np.arange(len(table))[::-1]
    ax.hlines(y + 0.17, table["prior_low"], table["prior_high"], color=PRIOR, lw=1.6, label="prior")
    ax.hlines(y - 0.13, table["ci_low"], table["ci_high"], color=DIRECT, lw=3.4, label="posterior")
    ax.plot(table["mean"], y - 0.13, "o", color="white", mec="black", ms=3.4, mew=0.7)
    reach = 1.6 * np.abs(table[["ci_low", "ci_high"]].to_numpy()).max()
    ax.set_xlim(-reach, reach)
    ax.set_yticks(y, table["parameter"], fontsize=NORMAL)
    ax.set_ylim(-0.6, len(table) - 0.4)
    ax.axvline(0, color="black", lw=0.8)
    for row, value in zip(y, table["contraction"], strict=True):
        ax.text(
            1.01, row, f"{100 * value:.0f} % learned", transform=ax.get_yaxis_transform(), va="center", fontsize=NORMAL
        )  # fmt: skip
    legend_above(ax, ax.get_legend_handles_labels()[0], margin=24)
    sides = ("improvement", "worsening") if higher_is_worse else ("worsening", "improvement")
    finish(ax, f"effect with 95 % interval ({unit})", title, favours=sides)
    return ax


def plot_overlap(
    people: Participants,
    *,
    mediator: str | None = None,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
) -> "Axes":
    """Draw the mediator's distribution in each arm: where the arms do not overlap, direct effects extrapolate.

    Parameters
    ----------
    people
        From `load_participants`.
    mediator
        Mediator to draw; the first by default.
    ax
        Axes to draw on; a new figure of fitting height by default.
    width
        Print width of a new figure: ``"one_column"`` (89 mm), ``"two_column"`` (183 mm), or width and height in mm.
    title
        Title above the axes.

    Returns
    -------
    Axes.

    Raises
    ------
    ValueError
        No such mediator.
    """
    name = str(people.mediators.columns[0]) if mediator is None else mediator
    if name not in people.mediators:
        raise ValueError(f"mediator = {name!r}: the mediators are {', '.join(map(str, people.mediators.columns))}")
    ax = ax or new_axes(width, 58)
    values = people.mediators[name].dropna()
    edges = np.histogram_bin_edges(values, bins="fd" if values.nunique() > 20 else min(values.nunique(), 20))
    arms = [people.reference, *people.treatment.columns]
    present = [arm for arm in arms if (people.arm == arm).any()] or ["all"]
    for step, (arm, colour, line) in enumerate(zip(present, ARM_COLOURS, ARM_LINES, strict=False)):
        own = values[people.arm[values.index] == arm]
        ax.hist(own, bins=edges.tolist(), density=True, color=colour, alpha=0.2, lw=0)
        ax.hist(
            own, bins=edges.tolist(), density=True, color=colour, histtype="step", lw=1, ls=line, label=f"{arm} (n = {len(own)})"
        )  # fmt: skip
        ax.axvline(own.mean(), color=colour, lw=1.4, ls=line)
        if arm != people.reference and arm != "all":
            reference = values[people.arm[values.index] == people.reference].mean()
            away = abs(own.mean() - reference) / own.std() if own.std() > 0 else np.inf
            ax.text(
                own.mean(), 1.01 + 0.06 * (step - 1), f"{arm}: {away:.1f} SDs from {people.reference}",
                transform=ax.get_xaxis_transform(), ha="center", fontsize=SMALL,
            )  # fmt: skip
    ax.legend(fontsize=SMALL, frameon=False)
    ax.set_ylim(top=(1 + 0.12 * (len(present) + 1)) * ax.get_ylim()[1])
    ax.set_yticks([])
    ax.set_ylabel("density in the arm; line: mean", fontsize=NORMAL)
    finish(ax, name, title)
    return ax


def _arrow(
    ax: "Axes", start: tuple[float, float], end: tuple[float, float], kind: str, label: str, near: float
) -> None:
    """Draw one arrow with its label at the share ``near`` of its length."""
    across = start[0] == end[0]
    colour = {"direct": DIRECT, "correlation": GREY}.get(kind, INDIRECT)
    style = {
        "arrowstyle": "<|-|>" if kind == "correlation" else "-|>", "color": colour, "lw": 1.4, "shrinkA": 26, "shrinkB": 26,
        "linestyle": "--" if kind == "correlation" else "-", "connectionstyle": "arc3,rad=0.0",
    }  # fmt: skip
    if not across:
        style |= {"shrinkA": 38, "shrinkB": 38}
    ax.annotate("", xy=end, xytext=start, arrowprops=style, zorder=1)
    x, y = (start[i] + near * (end[i] - start[i]) for i in (0, 1))
    background = {"fc": "white", "ec": "none", "pad": 1.5}
    ax.text(
        x, y, label, ha="center", va="center", fontsize=SMALL, color=colour, bbox=background, zorder=3, linespacing=1.35
    )


def _arrow_label(row: dict[Hashable, Any]) -> str:
    where = (
        f"in {row['given']}: "
        if row["given"]
        else {"correlation": "r = ", "direct": "direct "}.get(str(row["kind"]), "")
    )
    scale = f" ({row['unit']})" if row["unit"] != "data" else ""
    return f"{where}{estimate_text(row)}{scale}"
