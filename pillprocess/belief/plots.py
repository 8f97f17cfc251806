"""Figures of belief and expectancy: each takes a table or draws and returns a Matplotlib Axes."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from pillprocess.output.visual_style import (
    GREY,
    INK,
    NORMAL,
    PRIOR,
    SMALL,
    TERM_COLOURS,
    Width,
    finish,
    legend_above,
    mark_beyond,
    panel,
    row_labels,
    wrapped,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORDER_STYLE = {
    "belief_first": (TERM_COLOURS["expectancy"], "o", "belief acts on the outcome"),
    "outcome_first": (TERM_COLOURS["drug"], "s", "the guess follows the outcome"),
}
"""Colour, marker and words of each order: expectancy's yellow, which alone would be lost on white, so that every interval has a dark
edge; and the drug's blue, as all is then the drug's. On a grey print one is pale and the other dark."""

EDGE = withStroke(linewidth=4.0, foreground=INK)
EFFECT_WORDS = {
    "te": "total effect", "through_belief": "through belief", "not_through_belief": "not through belief",
    "through_experience": "through the experience alone", "direct": "through neither",
    "through_belief_or_experience": "through belief or experience",
}  # fmt: skip


def plot_blinding(
    table: pd.DataFrame, *, ax: "Axes | None" = None, width: Width = "two_column", title: str = ""
) -> "Axes":
    """Draw Bang's blinding index of each row with its 95 % interval.

    Parameters
    ----------
    table
        Columns ``arm`` (and, with several trials, ``trial``), ``index``, ``n``, ``correct``, ``mean``, ``ci_low``, ``ci_high``,
        as from `blinding_table`; rows of other indices or without counts are left out.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes.
    """
    rows = table[(table["index"] == "Bang") & table["mean"].notna()].reset_index(drop=True)
    ax = panel(ax, width, (6 if width == "one_column" else 4.2) * len(rows) + 24)
    y = np.arange(len(rows))[::-1]
    ax.axvline(0, color="black", lw=0.8)
    ax.hlines(y, rows["ci_low"], rows["ci_high"], color=GREY, lw=1.6)
    ax.plot(rows["mean"], y, "o", color="white", mec=INK, mew=0.9, ms=3.6)
    names = rows["arm"].astype(str)
    if "trial" in rows:
        names = rows["trial"] + ": " + names.replace("all", "arms pooled")
        names = names + rows["guesser"].map(lambda g: "" if g == "participant" else f" ({g})")
    if "label" in rows:
        told = rows["label"].notna() & (rows["label"] != "") & names.duplicated(keep=False)
        names = names.where(~told, names + ", " + rows["label"].astype(str))
    ax.set_yticks(y, row_labels(ax, list(names), lines=2), fontsize=SMALL)
    for at, row in zip(y, rows.itertuples(), strict=True):
        counts = f"{row.correct:.0f} of {row.n:.0f}"
        ax.text(1.02, at, counts, transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL)
    ax.text(
        1.02, len(rows) - 0.4, "guessed right", transform=ax.get_yaxis_transform(), fontsize=SMALL, fontweight="bold"
    )  # fmt: skip
    ax.set_xlim(-1.05, 1.05)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xticks(
        [-1, -0.5, 0, 0.5, 1],
        ["\N{MINUS SIGN}1\nall wrong", "\N{MINUS SIGN}0.5", "0\ncoin tosses", "0.5", "1\nall right"],
    )
    finish(ax, "Bang's blinding index with 95 % interval", title)
    return ax


def plot_belief_bounds(
    table: pd.DataFrame,
    *,
    higher_is_worse: bool = True,
    unit: str = "units of the outcome",
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
) -> "Axes":
    """Draw the parts of the drug's effect under both orders of belief and outcome; they bound what belief carries.

    Parameters
    ----------
    table
        From `belief_bounds`, for one arm; with ``prior_low`` and ``prior_high``, the priors are drawn too.
    higher_is_worse
        Whether high outcomes are bad, so that negative effects are improvement.
    unit
        Unit of the effects.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes.
    """
    shown = [name for name in EFFECT_WORDS if name in set(table["estimand"])]
    ax = panel(ax, width, 9 * len(shown) + 28)
    y = pd.Series(np.arange(len(shown))[::-1], index=shown)
    reach = 1.3 * np.abs(table.loc[table["estimand"].isin(shown), ["ci_low", "ci_high"]].to_numpy()).max()
    ax.axvline(0, color="black", lw=0.8)
    for shift, (order, (colour, marker, _)) in zip((0.19, -0.19), ORDER_STYLE.items(), strict=True):
        rows = table[(table["order"] == order) & table["estimand"].isin(shown)]
        at = y[rows["estimand"]].to_numpy() + shift
        if "prior_low" in rows:
            ax.hlines(at + 0.12, rows["prior_low"], rows["prior_high"], color=PRIOR, lw=1.2)
            for row, place in zip(rows.itertuples(), at + 0.12, strict=True):
                mark_beyond(ax, row.prior_low, place, (-reach, reach), PRIOR)
                mark_beyond(ax, row.prior_high, place, (-reach, reach), PRIOR)
        ax.hlines(at - 0.03, rows["ci_low"], rows["ci_high"], color=colour, lw=2.8, path_effects=[EDGE])
        ax.plot(rows["mean"], at - 0.03, marker, color="white", mec=INK, mew=0.7, ms=3.6)
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-0.6, len(shown) - 0.4)
    ax.set_yticks(y.to_numpy(), row_labels(ax, [EFFECT_WORDS[name] for name in shown]), fontsize=NORMAL)
    handles: list[Artist] = [Patch(fc=colour, ec=INK, lw=0.6, label=label) for colour, _, label in ORDER_STYLE.values()]
    if "prior_low" in table:
        handles.append(Line2D([], [], color=PRIOR, lw=1.2, label="prior"))
    legend_above(ax, handles)
    sides = ("improvement", "worsening") if higher_is_worse else ("worsening", "improvement")
    finish(ax, f"effect with 95 % interval ({unit})", title, favours=sides)
    return ax


def plot_belief_split(
    effects: xr.Dataset,
    *,
    unit: str = "units of the outcome",
    ax: "Axes | None" = None,
    width: Width = "one_column",
    title: str = "",
) -> "Axes":
    """Draw posterior draws of the parts through belief and through the experience; dashed lines join equal sums.

    Parameters
    ----------
    effects
        From `belief_effects` of a fit with an experience.
    unit
        Unit of the effects.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes.

    Raises
    ------
    ValueError
        The fit has no experience.
    """
    if "through_experience" not in effects:
        raise ValueError("these effects have no part through an experience; fit unblinding with one beside the belief")
    ax = panel(ax, width, 82)
    x, y = (effects[name].to_numpy().ravel() for name in ("through_belief", "through_experience"))
    step = max(1, len(x) // 2000)
    for value in np.quantile(x + y, [0.025, 0.5, 0.975]):
        ax.axline((value, 0), slope=-1, color=INK, lw=0.8, ls="--", zorder=3)
    ax.plot(x[::step], y[::step], ".", color=GREY, ms=3, alpha=0.4, mew=0)
    ax.axhline(0, color=PRIOR, lw=0.8, zorder=0)
    ax.axvline(0, color=PRIOR, lw=0.8, zorder=0)
    for setter, values in ((ax.set_xlim, x), (ax.set_ylim, y)):
        low, high = np.quantile(values, [0.001, 0.999])
        setter(low - 0.05 * (high - low), high + 0.05 * (high - low))
    note = f"posterior correlation {np.corrcoef(x, y)[0, 1]:+.2f}; dashed: sum, median and 95 %"
    ax.set_title(wrapped(ax, note, 1.35), fontsize=NORMAL, loc="left")
    _finish(ax, f"through belief ({unit})", f"through the experience ({unit})", title)
    return ax


def plot_guess_rate(
    curve: pd.DataFrame,
    *,
    higher_is_worse: bool | None = None,
    unit: str = "units of the outcome",
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
) -> "Axes":
    """Draw the difference of the arms by the share that guessed right: a description, and so labelled.

    Parameters
    ----------
    curve
        From `correct_guess_rate_curve`.
    higher_is_worse
        Whether high outcomes are bad; where it is given, the axis says which way is improvement.
    unit
        Unit of the outcome.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes.
    """
    ax = panel(ax, width, 72)
    line, seen = curve[curve["observed"] == 0], curve[curve["observed"] == 1]
    ax.axhline(0, color="black", lw=0.8)
    ax.fill_between(line["correct_guess_rate"], line["ci_low"], line["ci_high"], color=GREY, alpha=0.2, lw=0)
    ax.plot(
        line["correct_guess_rate"], line["difference"], color=GREY, lw=1.4, ls="--", label="reweighted by the guess, 95 %"
    )  # fmt: skip
    ax.errorbar(
        seen["correct_guess_rate"], seen["difference"], yerr=1.959964 * seen["se"], fmt="o", color=INK, mfc="white", ms=4.4,
        lw=1, capsize=2, label="as observed, 95 %",
    )  # fmt: skip
    note = "A description, not an effect of the drug: the guess was made after dosing"
    ax.set_title(wrapped(ax, note, 1.35), fontsize=NORMAL, loc="left")
    ax.set_xlim(0, 1)
    way = {None: "", True: "; down is improvement", False: "; up is improvement"}[higher_is_worse]
    ax.legend(fontsize=SMALL, frameon=True, framealpha=0.9, edgecolor="none")
    _finish(ax, "share that guessed right, in either arm", f"difference of the arms\n({unit}{way})", title)
    return ax


def plot_moderation(
    table: pd.DataFrame, *, ax: "Axes | None" = None, width: Width = "two_column", title: str = ""
) -> "Axes":
    """Draw the drug's effect by what was expected before dosing.

    Parameters
    ----------
    table
        ``effect_table(moderation_effects(idata)["drug_effect"])`` of one expectation, with ``expectation_sd`` (or ``at``).
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes; down is improvement.
    """
    ax = panel(ax, width, 62)
    x, colour = table["expectation_sd" if "expectation_sd" in table else "at"], TERM_COLOURS["drug"]
    ax.axhline(0, color="black", lw=0.8)
    ax.plot(x, table["mean"], color=colour, lw=1)
    ax.vlines(x, table["ci_low"], table["ci_high"], color=colour, lw=3.4)
    ax.plot(x, table["mean"], "o", color="white", mec="black", mew=0.7, ms=3.6)
    ax.set_xticks(list(x))
    _finish(
        ax, "expectation before dosing (SDs from its mean)", "drug effect with 95 % interval\n(SDs of the outcome; down is improvement)",
        title,
    )  # fmt: skip
    return ax


def _finish(ax: "Axes", xlabel: str, ylabel: str, title: str) -> None:
    finish(ax, xlabel, title)
    ax.set_ylabel(ylabel, fontsize=NORMAL)
    ax.tick_params(axis="y", labelsize=SMALL, length=2.5)
    ax.spines["left"].set_visible(True)
