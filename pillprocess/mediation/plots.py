"""Figures of a mediation analysis: each takes a table or draws and returns a Matplotlib Axes."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch

from pillprocess.mediation.paths import estimate_text
from pillprocess.output.kinds import need, need_columns
from pillprocess.output.visual_style import (
    DRUG_COLOURS,
    GREY,
    INK,
    LARGE,
    NARROW,
    NORMAL,
    PRIOR,
    SMALL,
    TERM_COLOURS,
    Width,
    finish,
    legend_above,
    mark_beyond,
    panel,
    percent_learned,
    width_mm,
)  # fmt: skip
from pillprocess.participants.table import Participants

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INDIRECT, DIRECT = TERM_COLOURS["experience"], TERM_COLOURS["drug"]
EFFECT_COLOURS = {"tnie": INDIRECT, "pnie": INDIRECT, "pnde": DIRECT, "tnde": DIRECT, "cde": DIRECT}
ARM_COLOURS = (GREY, *DRUG_COLOURS.values())
CROWDED = 3
"""Most mediators for which every arrow past a mediator has room for its estimate."""
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

    Of more than three mediators, arrows past a mediator (in one column all but the direct one) have theirs in ``paths`` alone.

    Parameters
    ----------
    paths
        From `mediation_paths`.
    effects
        ``effect_table(natural_effects(idata))``; its te, tnie and pnde are printed below the diagram.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes.
    """
    mediators = list(dict.fromkeys(paths.loc[paths["kind"] == "a", "end"]))
    treatment, outcome = paths.loc[paths["kind"] == "direct", ["start", "end"]].iloc[0]
    ax = panel(ax, width, 42 + 26 * len(mediators))
    narrow, crowded = width_mm(ax) < NARROW, len(mediators) > CROWDED
    place = {treatment: (0.0, 0.0), outcome: (1.0, 0.0)}
    place |= {m: (0.5, 0.62 + 0.8 * i) for i, m in enumerate(mediators)}
    boxes = {}
    for name, (x, y) in place.items():
        style = {"boxstyle": "round,pad=0.5", "fc": "white", "ec": GREY if name in mediators else "black", "lw": 1.1}
        size = NORMAL if narrow else LARGE
        drawn = ax.text(x, y, name, ha="center", va="center", fontsize=size, fontweight="bold", bbox=style, zorder=2)
        boxes[name] = drawn.get_bbox_patch()
    for start, end, kind in dict.fromkeys(paths[["start", "end", "kind"]].itertuples(index=False, name=None)):
        rows = paths[(paths["start"] == start) & (paths["end"] == end)]
        near = {"a": 0.34 if narrow else 0.62, "b": (0.45 if narrow else 0.38) + 0.07 * (start != mediators[0])}
        past = {start, end} <= set(mediators) and abs(mediators.index(end) - mediators.index(start)) > 1
        no_room = crowded and (past or (narrow and kind != "direct"))
        label = "" if no_room else "\n".join(_arrow_label(row) for row in rows.to_dict("records"))
        _arrow(ax, place[start], place[end], kind, label, near.get(kind, 0.5), (boxes[start], boxes[end]))
    if crowded:
        which = "other arrows" if narrow else "arrows past a mediator"
        ax.text(0.5, -0.12, f"{which}: estimates in the table of coefficients", ha="center", va="top", fontsize=SMALL)
    if effects is not None:
        summary = effects.set_index("estimand").loc[["te", "tnie", "pnde"]]
        named = zip(("total", "indirect (tnie)", "direct (pnde)"), summary.to_dict("records"), strict=True)
        unit = "risk" if (paths.loc[paths["kind"] == "direct", "unit"] == "risk").any() else outcome
        text = ("\n" if narrow else " · ").join(f"{name} {estimate_text(row)}" for name, row in named)
        scale = effects["scale"].iloc[0] if "scale" in effects else f"in units of {unit}"
        ax.text(0.5, -0.3, f"{text}\n{scale}", ha="center", va="top", fontsize=NORMAL, linespacing=1.4)
    ax.set_xlim(-0.3 if narrow else -0.22, 1.22)
    ax.set_ylim(-0.72 if narrow else -0.52, max(y for _, y in place.values()) + 0.2)
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
    ax, width, title
        As in :func:`pillprocess.plot_forest`.
    unit
        Unit of the effects.

    Returns
    -------
    Axes.
    """
    columns = ("parameter", "prior_low", "prior_high", "mean", "ci_low", "ci_high", "contraction")
    need_columns(table, columns, "a table of prior and posterior effects, as prior_posterior of analyse_mediation")
    ax = panel(ax, width, 6 * len(table) + 25)
    y = np.arange(len(table))[::-1]
    colours = [EFFECT_COLOURS.get(str(name), INK) for name in table["parameter"]]
    ax.hlines(y + 0.17, table["prior_low"], table["prior_high"], color=PRIOR, lw=1.6)
    ax.hlines(y - 0.13, table["ci_low"], table["ci_high"], color=colours, lw=3.4)
    ax.plot(table["mean"], y - 0.13, "o", color="white", mec="black", ms=3.4, mew=0.7)
    reach = 1.6 * np.abs(table[["ci_low", "ci_high"]].to_numpy()).max()
    ax.set_xlim(-reach, reach)
    for at, prior in zip(y + 0.17, table[["prior_low", "prior_high"]].to_numpy(), strict=True):
        for limit in prior:
            mark_beyond(ax, limit, at, (-reach, reach), PRIOR)
    ax.set_yticks(y, table["parameter"], fontsize=NORMAL)
    ax.set_ylim(-0.6, len(table) - 0.4)
    ax.axvline(0, color="black", lw=0.8)
    for row, value in zip(y, table["contraction"], strict=True):
        ax.text(
            1.03, row, f"{percent_learned(value)} learned", transform=ax.get_yaxis_transform(), va="center", fontsize=NORMAL
        )  # fmt: skip
    handles = [
        Line2D([], [], color=colour, lw=lw, label=label)
        for colour, lw, label in (
            (PRIOR, 1.6, "prior"),
            (INK, 3.4, "total"),
            (DIRECT, 3.4, "direct"),
            (INDIRECT, 3.4, "indirect"),
        )
    ]
    legend_above(ax, handles, margin=24)
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
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes.

    Raises
    ------
    ValueError
        No such mediator.
    """
    need(people, Participants, "participants, from load_participants")
    name = str(people.mediators.columns[0]) if mediator is None else mediator
    if name not in people.mediators:
        raise ValueError(f"mediator = {name!r}: the mediators are {', '.join(map(str, people.mediators.columns))}")
    ax = panel(ax, width, 58)
    values = people.mediators[name].dropna()
    fewest = min(values.nunique(), 15)
    edges = np.histogram_bin_edges(values, bins=max(len(np.histogram_bin_edges(values, bins="fd")) - 1, fewest))
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
    ax: "Axes", start: tuple[float, float], end: tuple[float, float], kind: str, label: str, near: float,
    boxes: tuple[FancyBboxPatch | None, FancyBboxPatch | None],
) -> None:  # fmt: skip
    """Draw an arrow, labelled (if at all) at the share ``near`` of its length, above the boxes: they are placed before it is clipped."""
    skips = start[0] == end[0] and end[1] - start[1] > 1  # past a mediator between them, so around it
    colour = {"direct": DIRECT, "correlation": GREY}.get(kind, INDIRECT)
    style = {
        "arrowstyle": "<|-|>" if kind == "correlation" else "-|>", "linestyle": "--" if kind == "correlation" else "-",
        "color": colour, "lw": 1.4, "shrinkA": 2, "shrinkB": 2, "patchA": boxes[0], "patchB": boxes[1],
        "connectionstyle": f"arc3,rad={0.5 * skips}",
    }  # fmt: skip
    ax.annotate("", xy=end, xytext=start, arrowprops=style, zorder=3)
    if not label:
        return
    at = (start[0] + near * (end[0] - start[0]), start[1] + near * (end[1] - start[1]))
    ax.annotate(
        label, at, xytext=(54.0 * skips, 0), textcoords="offset points", ha="center", va="center", fontsize=SMALL, color=colour,
        bbox={"fc": "white", "ec": "none", "pad": 1.5}, zorder=4, linespacing=1.35,
    )  # fmt: skip


def _arrow_label(row: dict[Hashable, Any]) -> str:
    kinds = {"correlation": "r = ", "direct": "direct "}
    where = f"in {row['given']}: " if row["given"] else kinds.get(str(row["kind"]), "")
    scale = f" ({row['unit']})" if row["unit"] != "data" else ""
    return f"{where}{estimate_text(row)}{scale}"
