"""Figures of the sensitivity of an indirect effect to an unmeasured common cause."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from pillprocess.output.visual_style import NORMAL, SMALL, TERM_COLOURS, Width, finish, legend_above, panel, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INDIRECT, DIRECT, ASSUMED = TERM_COLOURS["experience"], TERM_COLOURS["drug"], "#F1E9D2"


def plot_sensitivity(
    sensitivity: xr.Dataset,
    *,
    higher_is_worse: bool | None = None,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
    unit: str = "units of the outcome",
) -> "Axes":
    """Draw the indirect effect against the residual correlation of mediator and outcome.

    The band is the 95 % interval at each correlation; the bar on the zero line is the 95 % interval of the tipping
    correlation; the shaded strip is the prior of the correlation; ticks mark confounders as strong as measured covariates.

    Parameters
    ----------
    sensitivity
        From `mediation_sensitivity`.
    higher_is_worse
        Whether high outcomes are bad; where it is given, the axis says which way is improvement.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.
    unit
        Unit of the effect.

    Returns
    -------
    Axes.
    """
    ax = panel(ax, width, 80)
    rho = sensitivity["rho"].to_numpy()
    low, high = _interval(sensitivity["tnie"])
    tipping, assumed = (_interval(sensitivity[name]) for name in ("rho_tipping", "rho_prior"))
    ax.axvspan(float(assumed[0]), float(assumed[1]), color=ASSUMED, lw=0, zorder=0)
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
        Patch(color=ASSUMED, lw=0, label="prior of the correlation, 95 %"),
    ]
    if "benchmark_rho" in sensitivity:
        strength = sensitivity["benchmark_rho"].mean(("chain", "draw"))
        strongest = strength.isel(source=np.argsort(-np.abs(strength.to_numpy()))[:3])
        for names, value in _apart(strongest, 0.03 * float(np.ptp(ax.get_xlim()))):
            ax.annotate(
                names, (value, 0.05), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points",
                rotation=90, ha="center", va="bottom", fontsize=SMALL, color=DIRECT, annotation_clip=True,
            )  # fmt: skip
        for value in strongest.to_numpy():
            ax.axvline(value, ymax=0.05, color=DIRECT, lw=1.5)
        handles.append(Line2D([], [], color=DIRECT, lw=1.5, label="a confounder as strong as"))
    legend_above(ax, handles)
    way = {None: "", True: "; down is improvement", False: "; up is improvement"}[higher_is_worse]
    _label(ax, "residual correlation of mediator and outcome", f"indirect effect\n({unit}{way})", title)
    return ax


def plot_r2_contours(
    contours: xr.DataArray,
    *,
    direction: str | None = None,
    ax: "Axes | None" = None,
    width: Width = "one_column",
    title: str = "",
    unit: str = "units of the outcome",
) -> "Axes":
    """Draw the mean indirect effect against what a confounder explains of mediator and outcome; it is 0 on the bold line.

    Parameters
    ----------
    contours
        From `r2_contours`.
    direction
        ``"same"`` where the confounder moves mediator and outcome the same way, or ``"opposite"``; by default the one in
        which it brings the effect to 0.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.
    unit
        Unit of the effect.

    Returns
    -------
    Axes.
    """
    ax = panel(ax, width, 84)
    direction = direction or next((d for d in ("same", "opposite") if _crosses(contours.sel(direction=d))), "same")
    surface = contours.sel(direction=direction)
    x, y, z = surface["r2_mediator"].to_numpy(), surface["r2_outcome"].to_numpy(), surface.to_numpy().T
    levels = np.asarray(MaxNLocator(8).tick_values(np.nanmin(z), np.nanmax(z)))
    ax.clabel(ax.contour(x, y, z, levels=levels[levels != 0], colors=INDIRECT, linewidths=0.9), fontsize=SMALL)
    if _crosses(surface):
        ax.contour(x, y, z, levels=[0.0], colors="black", linewidths=2)
    _label(
        ax,
        "explained share of the mediator's residual variance",
        "explained share of the outcome's residual variance",
        title,
    )
    ax.set_aspect("equal")  # both axes are shares
    way = "the same way" if direction == "same" else "opposite ways"
    bold = "; bold: 0" if _crosses(surface) else ""
    note = f"mean indirect effect ({unit}){bold}; the confounder moves mediator and outcome {way}"
    ax.set_title(wrapped(ax, note, 1.45), fontsize=NORMAL, loc="left")
    return ax


def _crosses(surface: xr.DataArray) -> bool:
    return bool(surface.min() < 0 < surface.max())


def _interval(draws: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """2.5 % and 97.5 % quantiles over chain and draw."""
    low, high = draws.quantile([0.025, 0.975], dim=("chain", "draw")).to_numpy()
    return low, high


def _label(ax: "Axes", x: str, y: str, title: str) -> None:
    finish(ax, x, title)
    ax.set_ylabel(y, fontsize=NORMAL)
    ax.tick_params(axis="y", labelsize=SMALL, length=2.5)
    ax.spines["left"].set_visible(True)


def _apart(values: xr.DataArray, gap: float) -> list[tuple[str, float]]:
    """Labels of values (source,), those closer than ``gap`` to the first of a group in one, at their mean."""
    groups: list[list[tuple[float, str]]] = []
    for value, name in sorted(zip(values.to_numpy().tolist(), map(str, values["source"].to_numpy()), strict=True)):
        if not groups or value - groups[-1][0][0] >= gap:
            groups.append([])
        groups[-1].append((value, name))
    return [(", ".join(name for _, name in group), float(np.mean([v for v, _ in group]))) for group in groups]
