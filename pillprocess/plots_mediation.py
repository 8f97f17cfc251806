"""Figures of a mediation analysis: each takes a table or draws and returns a Matplotlib Axes."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch
from matplotlib.ticker import MaxNLocator

from pillprocess.mediation_paths import estimate_text
from pillprocess.participants import Participants

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INDIRECT, DIRECT, GREY = "#CC79A7", "#0072B2", "#6E6E6E"
ARM_COLOURS = ("#6E6E6E", "#0072B2", "#D55E00", "#009E73", "#E69F00")


def plot_mediation(paths: pd.DataFrame, *, effects: pd.DataFrame | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw the path diagram with its estimates.

    Parameters
    ----------
    paths
        From `mediation_paths`.
    effects
        ``effect_table(natural_effects(idata))``; its te, tnie and pnde are printed below the diagram.
    ax
        Axes to draw on.

    Returns
    -------
    Axes.
    """
    mediators = list(dict.fromkeys(paths.loc[paths["kind"] == "a", "end"]))
    treatment, outcome = paths.loc[paths["kind"] == "direct", ["start", "end"]].iloc[0]
    ax = ax or plt.subplots(figsize=(7.2, 2.0 + 1.1 * len(mediators)), layout="constrained")[1]
    place = {treatment: (0.0, 0.0), outcome: (1.0, 0.0)}
    place |= {m: (0.5, 0.62 + 0.8 * i) for i, m in enumerate(mediators)}
    boxes = {}
    for name, (x, y) in place.items():
        style = {"boxstyle": "round,pad=0.5", "fc": "white", "ec": GREY if name in mediators else "black", "lw": 1.1}
        drawn = ax.text(x, y, name, ha="center", va="center", fontsize=9, fontweight="bold", bbox=style, zorder=2)
        boxes[name] = drawn.get_bbox_patch()
    for start, end, kind in dict.fromkeys(paths[["start", "end", "kind"]].itertuples(index=False, name=None)):
        rows = paths[(paths["start"] == start) & (paths["end"] == end)]
        near = {"a": 0.62, "b": 0.38 + 0.07 * (start != mediators[0])}.get(kind, 0.5)
        label = "\n".join(_arrow_label(row) for row in rows.to_dict("records"))
        _arrow(ax, place[start], place[end], kind, label, near, (boxes[start], boxes[end]))
    if effects is not None:
        summary = effects.set_index("estimand").loc[["te", "tnie", "pnde"]]
        named = zip(("total", "indirect (tnie)", "direct (pnde)"), summary.to_dict("records"), strict=True)
        unit = "risk" if (paths.loc[paths["kind"] == "direct", "unit"] == "risk").any() else outcome
        text = " · ".join(f"{name} {estimate_text(row)}" for name, row in named)
        ax.text(0.5, -0.3, f"{text}\nin units of {unit}", ha="center", va="top", fontsize=8, linespacing=1.4)
    ax.set_xlim(-0.22, 1.22)
    ax.set_ylim(-0.52, max(y for _, y in place.values()) + 0.2)
    ax.set_axis_off()
    return ax


def plot_effects(
    table: pd.DataFrame, *, higher_is_worse: bool = True, ax: "Axes | None" = None, unit: str = "units of the outcome"
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
        Axes to draw on.
    unit
        Unit of the effects.

    Returns
    -------
    Axes.
    """
    ax = ax or plt.subplots(figsize=(7.2, 0.32 * len(table) + 1.2), layout="constrained")[1]
    y = np.arange(len(table))[::-1]
    ax.hlines(y + 0.14, table["prior_low"], table["prior_high"], color="#C4C4C4", lw=3, label="prior")
    ax.hlines(y - 0.14, table["ci_low"], table["ci_high"], color=DIRECT, lw=3, label="posterior")
    ax.plot(table["mean"], y - 0.14, "o", color="white", mec=DIRECT, ms=4)
    reach = 1.6 * np.abs(table[["ci_low", "ci_high"]].to_numpy()).max()
    ax.set_xlim(-reach, reach)
    ax.set_yticks(y, table["parameter"])
    ax.set_ylim(-0.6, len(table) - 0.4)
    ax.axvline(0, color="black", lw=0.8)
    sides = ("improvement", "worsening") if higher_is_worse else ("worsening", "improvement")
    for text, side, gap in ((f"← {sides[0]}", "right", -4), (f"{sides[1]} →", "left", 4)):
        ax.annotate(
            text, (0, 1), xycoords=("data", "axes fraction"), xytext=(gap, 2), textcoords="offset points", ha=side, fontsize=7
        )  # fmt: skip
    for row, value in zip(y, table["contraction"], strict=True):
        ax.text(1.01, row, f"{100 * value:.0f} % learned", transform=ax.get_yaxis_transform(), va="center", fontsize=7)
    ax.legend(fontsize=7, frameon=False, loc="lower left", ncols=2, bbox_to_anchor=(0, 1))
    _label(ax, f"effect ({unit})", "")
    ax.spines["left"].set_visible(False)
    return ax


def plot_sensitivity(
    sensitivity: xr.Dataset, *, ax: "Axes | None" = None, unit: str = "units of the outcome"
) -> "Axes":
    """Draw the indirect effect against the residual correlation of mediator and outcome.

    The band and the bar on the zero line are 95 % intervals, of the effect and of the tipping correlation; the shaded strip is
    the prior of the correlation; ticks mark confounders as strong as measured covariates.

    Parameters
    ----------
    sensitivity
        From `mediation_sensitivity`.
    ax
        Axes to draw on.
    unit
        Unit of the effect.

    Returns
    -------
    Axes.
    """
    ax = ax or plt.subplots(figsize=(7.2, 4.0), layout="constrained")[1]
    rho = sensitivity["rho"].to_numpy()
    low, high = _interval(sensitivity["tnie"])
    tipping, assumed = (_interval(sensitivity[name]) for name in ("rho_tipping", "rho_prior"))
    ax.axvspan(float(assumed[0]), float(assumed[1]), color="#F1E9D2", lw=0, zorder=0)
    ax.fill_between(rho, low, high, color=INDIRECT, alpha=0.25, lw=0)
    ax.plot(rho, sensitivity["tnie"].mean(("chain", "draw")), color=INDIRECT, lw=1.8)
    ax.axhline(0, color="black", lw=0.8)
    ax.plot(tipping, [0, 0], color="black", lw=3.5, solid_capstyle="butt")
    ax.plot(float(sensitivity["rho_tipping"].mean()), 0, "D", mfc="white", mec="black", ms=5, zorder=4)
    reach = max(np.abs(np.concatenate([tipping, assumed])).max() * 1.5, 0.3)
    shown = np.abs(rho) <= reach + 1e-9
    ax.set_xlim(max(-reach, rho.min()), min(reach, rho.max()))
    inside = np.concatenate([low[shown], high[shown], [0.0]])
    ax.set_ylim(inside.min() - 0.12 * np.ptp(inside), inside.max() + 0.04 * np.ptp(inside))
    handles = [
        Line2D([], [], color=INDIRECT, lw=1.8, label="indirect effect, mean"),
        Patch(color=INDIRECT, alpha=0.25, lw=0, label="95 % interval"),
        Line2D([], [], color="black", lw=3.5, marker="D", mfc="white", ms=5, label="tipping correlation, 95 %"),
        Patch(color="#F1E9D2", lw=0, label="prior of the correlation, 95 %"),
    ]
    if "benchmark_rho" in sensitivity:
        strength = sensitivity["benchmark_rho"].mean(("chain", "draw"))
        strongest = strength.isel(source=np.argsort(-np.abs(strength.to_numpy()))[:3])
        for names, value in _apart(strongest, 0.03 * float(np.ptp(ax.get_xlim()))):
            ax.annotate(
                names, (value, 0.05), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points",
                rotation=90, ha="center", va="bottom", fontsize=6.5, color=DIRECT, annotation_clip=True,
            )  # fmt: skip
        for value in strongest.to_numpy():
            ax.axvline(value, ymax=0.05, color=DIRECT, lw=1.5)
        handles.append(Line2D([], [], color=DIRECT, lw=1.5, label="a confounder as strong as"))
    ax.legend(handles=handles, fontsize=7, frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    _label(ax, "residual correlation of mediator and outcome", f"indirect effect ({unit})")
    return ax


def plot_r2_contours(contours: xr.DataArray, *, direction: str | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw the mean indirect effect against what a confounder explains of mediator and outcome; it is 0 on the bold line.

    Parameters
    ----------
    contours
        From `r2_contours`.
    direction
        ``"same"`` where the confounder moves mediator and outcome the same way, or ``"opposite"``; by default the one in
        which it brings the effect to 0.
    ax
        Axes to draw on.

    Returns
    -------
    Axes.
    """
    ax = ax or plt.subplots(figsize=(4.4, 4.0), layout="constrained")[1]
    direction = direction or next((d for d in ("same", "opposite") if _crosses(contours.sel(direction=d))), "same")
    surface = contours.sel(direction=direction)
    x, y, z = surface["r2_mediator"].to_numpy(), surface["r2_outcome"].to_numpy(), surface.to_numpy().T
    levels = np.asarray(MaxNLocator(8).tick_values(np.nanmin(z), np.nanmax(z)))
    ax.clabel(ax.contour(x, y, z, levels=levels[levels != 0], colors=INDIRECT, linewidths=0.9), fontsize=7)
    if _crosses(surface):
        ax.contour(x, y, z, levels=[0.0], colors="black", linewidths=2)
    _label(ax, "share of the mediator's residual variance", "share of the outcome's residual variance")
    way = "the same way" if direction == "same" else "opposite ways"
    ax.set_title(f"mean indirect effect; the confounder moves\nmediator and outcome {way}", fontsize=8, loc="left")
    return ax


def plot_overlap(people: Participants, *, mediator: str | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw the mediator's distribution in each arm: where the arms do not overlap, direct effects extrapolate.

    Parameters
    ----------
    people
        From `load_participants`.
    mediator
        Mediator to draw; the first by default.
    ax
        Axes to draw on.

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
    ax = ax or plt.subplots(figsize=(7.2, 2.8), layout="constrained")[1]
    values = people.mediators[name].dropna()
    fewest = min(values.nunique(), 15)
    edges = np.histogram_bin_edges(values, bins=max(len(np.histogram_bin_edges(values, bins="fd")) - 1, fewest))
    arms = [people.reference, *people.treatment.columns]
    present = [arm for arm in arms if (people.arm == arm).any()] or ["all"]
    for arm, colour in zip(present, ARM_COLOURS, strict=False):
        own = values[people.arm[values.index] == arm]
        ax.hist(own, bins=edges.tolist(), density=True, color=colour, alpha=0.35, lw=0, label=f"{arm} (n = {len(own)})")
        ax.axvline(own.mean(), color=colour, lw=1.6)
        if arm != people.reference and arm != "all":
            reference = values[people.arm[values.index] == people.reference].mean()
            away = abs(own.mean() - reference) / own.std() if own.std() > 0 else np.inf
            ax.text(
                own.mean(), 1.01, f"{away:.1f} SDs from {people.reference}", transform=ax.get_xaxis_transform(), ha="center",
                fontsize=7, color=colour,
            )  # fmt: skip
    ax.legend(fontsize=7, frameon=False)
    ax.set_yticks([])
    _label(ax, name, "density in the arm")
    ax.spines["left"].set_visible(False)
    return ax


def _arrow(
    ax: "Axes", start: tuple[float, float], end: tuple[float, float], kind: str, label: str, near: float,
    boxes: tuple[FancyBboxPatch | None, FancyBboxPatch | None],
) -> None:  # fmt: skip
    """Draw an arrow, labelled at the share ``near`` of its length, above the boxes: they are placed before it is clipped."""
    skips = start[0] == end[0] and end[1] - start[1] > 1  # past a mediator between them, so around it
    colour = {"direct": DIRECT, "correlation": GREY}.get(kind, INDIRECT)
    style = {
        "arrowstyle": "<|-|>" if kind == "correlation" else "-|>", "linestyle": "--" if kind == "correlation" else "-",
        "color": colour, "lw": 1.4, "shrinkA": 2, "shrinkB": 2, "patchA": boxes[0], "patchB": boxes[1],
        "connectionstyle": f"arc3,rad={0.5 * skips}",
    }  # fmt: skip
    ax.annotate("", xy=end, xytext=start, arrowprops=style, zorder=3)
    at = (start[0] + near * (end[0] - start[0]), start[1] + near * (end[1] - start[1]))
    ax.annotate(
        label, at, xytext=(54.0 * skips, 0), textcoords="offset points", ha="center", va="center", fontsize=7.5, color=colour,
        bbox={"fc": "white", "ec": "none", "pad": 1.5}, zorder=4, linespacing=1.35,
    )  # fmt: skip


def _arrow_label(row: dict[Hashable, Any]) -> str:
    kinds = {"correlation": "r = ", "direct": "direct "}
    where = f"in {row['given']}: " if row["given"] else kinds.get(str(row["kind"]), "")
    scale = f" ({row['unit']})" if row["unit"] != "data" else ""
    return f"{where}{estimate_text(row)}{scale}"


def _apart(values: xr.DataArray, gap: float) -> list[tuple[str, float]]:
    """Labels of values (source,), those closer than ``gap`` to the first of a group in one, at their mean."""
    groups: list[list[tuple[float, str]]] = []
    for value, name in sorted(zip(values.to_numpy().tolist(), map(str, values["source"].to_numpy()), strict=True)):
        if not groups or value - groups[-1][0][0] >= gap:
            groups.append([])
        groups[-1].append((value, name))
    return [(", ".join(name for _, name in group), float(np.mean([v for v, _ in group]))) for group in groups]


def _crosses(surface: xr.DataArray) -> bool:
    return bool(surface.min() < 0 < surface.max())


def _interval(draws: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """2.5 % and 97.5 % quantiles over chain and draw."""
    low, high = draws.quantile([0.025, 0.975], dim=("chain", "draw")).to_numpy()
    return low, high


def _label(ax: "Axes", x: str, y: str) -> None:
    ax.set_xlabel(x, fontsize=8)
    ax.set_ylabel(y, fontsize=8)
    ax.tick_params(labelsize=7)
    ax.spines[["top", "right"]].set_visible(False)
