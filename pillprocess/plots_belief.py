"""Figures of belief and expectancy: each takes a table or draws and returns a Matplotlib Axes."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BELIEF_FIRST, OUTCOME_FIRST, GREY, PALE = "#CC79A7", "#0072B2", "#6E6E6E", "#C4C4C4"

ORDER_STYLE = {
    "belief_first": (BELIEF_FIRST, "belief acts on the outcome"),
    "outcome_first": (OUTCOME_FIRST, "the guess follows the outcome"),
}
EFFECT_WORDS = {
    "te": "total effect", "through_belief": "through belief", "not_through_belief": "not through belief",
    "through_experience": "through the experience alone", "direct": "through neither",
    "through_belief_or_experience": "through belief or experience",
}  # fmt: skip


def plot_blinding(table: pd.DataFrame, *, ax: "Axes | None" = None) -> "Axes":
    """Draw Bang's blinding index of each row with its 95 % interval.

    Parameters
    ----------
    table
        Columns ``arm`` (and, with several trials, ``trial``), ``index``, ``n``, ``correct``, ``mean``, ``ci_low``, ``ci_high``,
        as from `blinding_table`; rows of other indices or without counts are left out.
    ax
        Axes to draw on.

    Returns
    -------
    Axes.
    """
    rows = table[(table["index"] == "Bang") & table["mean"].notna()].reset_index(drop=True)
    ax = ax or plt.subplots(figsize=(7.2, 0.34 * len(rows) + 1.1), layout="constrained")[1]
    y = np.arange(len(rows))[::-1]
    ax.axvline(0, color="black", lw=0.8)
    ax.hlines(y, rows["ci_low"], rows["ci_high"], color=GREY, lw=2)
    ax.plot(rows["mean"], y, "o", color="white", mec=GREY, mew=1.5, ms=5)
    names = rows["arm"].astype(str)
    if "trial" in rows:
        names = rows["trial"] + ": " + names.replace("all", "arms pooled")
        names = names + rows["guesser"].map(lambda g: "" if g == "participant" else f" ({g})")
    ax.set_yticks(y, list(names))
    for at, row in zip(y, rows.itertuples(), strict=True):
        ax.text(
            1.02,
            at,
            f"{row.correct:.0f} of {row.n:.0f} right",
            transform=ax.get_yaxis_transform(),
            va="center",
            fontsize=7,
        )
    ax.set_xlim(-1.05, 1.05)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    for x, text, side in (
        (-1.05, "all wrong", "left"),
        (0, "coin tosses", "center"),
        (1.05, "all right", "right"),
    ):
        ax.annotate(
            text,
            (x, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha=side,
            fontsize=7,
        )
    _finish(ax, "Bang's blinding index, 95 % interval", "")
    return ax


def plot_belief_bounds(
    table: pd.DataFrame, *, higher_is_worse: bool = True, unit: str = "units of the outcome", ax: "Axes | None" = None
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
    ax
        Axes to draw on.

    Returns
    -------
    Axes.
    """
    shown = [name for name in EFFECT_WORDS if name in set(table["estimand"])]
    ax = ax or plt.subplots(figsize=(7.2, 0.5 * len(shown) + 1.4), layout="constrained")[1]
    y = pd.Series(np.arange(len(shown))[::-1], index=shown)
    ax.axvline(0, color="black", lw=0.8)
    for shift, (order, (colour, label)) in zip((0.17, -0.17), ORDER_STYLE.items(), strict=True):
        rows = table[(table["order"] == order) & table["estimand"].isin(shown)]
        at = y[rows["estimand"]].to_numpy() + shift
        if "prior_low" in rows:
            ax.hlines(
                at - 0.07,
                rows["prior_low"],
                rows["prior_high"],
                color=PALE,
                lw=2,
                label="prior" if shift > 0 else "_prior",
            )
        ax.hlines(at, rows["ci_low"], rows["ci_high"], color=colour, lw=3, label=label)
        ax.plot(rows["mean"], at, "o", color="white", mec=colour, ms=4)
    reach = 1.3 * np.abs(table.loc[table["estimand"].isin(shown), ["ci_low", "ci_high"]].to_numpy()).max()
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-0.6, len(shown) - 0.4)
    ax.set_yticks(y.to_numpy(), [EFFECT_WORDS[name] for name in shown])
    sides = ("improvement", "worsening") if higher_is_worse else ("worsening", "improvement")
    for text, side, gap in ((f"← {sides[0]}", "right", -4), (f"{sides[1]} →", "left", 4)):
        ax.annotate(
            text, (0, 1), xycoords=("data", "axes fraction"), xytext=(gap, 2), textcoords="offset points", ha=side, fontsize=7
        )  # fmt: skip
    ax.legend(fontsize=7, frameon=False, loc="lower center", ncols=3, bbox_to_anchor=(0.5, 1.06))
    _finish(ax, f"effect ({unit}), 95 % interval", "")
    ax.spines["left"].set_visible(False)
    return ax


def plot_belief_split(effects: xr.Dataset, *, unit: str = "units of the outcome", ax: "Axes | None" = None) -> "Axes":
    """Draw posterior draws of the parts through belief and through the experience; dashed lines join equal sums.

    Parameters
    ----------
    effects
        From `belief_effects` of a fit with an experience.
    unit
        Unit of the effects.
    ax
        Axes to draw on.

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
    ax = ax or plt.subplots(figsize=(4.6, 4.2), layout="constrained")[1]
    x, y = (effects[name].to_numpy().ravel() for name in ("through_belief", "through_experience"))
    step = max(1, len(x) // 2000)
    for value in np.quantile(x + y, [0.025, 0.5, 0.975]):
        ax.axline((value, 0), slope=-1, color="black", lw=0.8, ls="--", zorder=3)
    ax.plot(x[::step], y[::step], ".", color=BELIEF_FIRST, ms=4, alpha=0.4, mew=0)
    ax.axhline(0, color=PALE, lw=0.8, zorder=0)
    ax.axvline(0, color=PALE, lw=0.8, zorder=0)
    for setter, values in ((ax.set_xlim, x), (ax.set_ylim, y)):
        low, high = np.quantile(values, [0.001, 0.999])
        setter(low - 0.05 * (high - low), high + 0.05 * (high - low))
    ax.set_title(
        f"posterior correlation {np.corrcoef(x, y)[0, 1]:+.2f}; dashed: sum, median and 95 %", fontsize=8, loc="left"
    )
    _finish(ax, f"through belief ({unit})", f"through the experience ({unit})")
    return ax


def plot_guess_rate(curve: pd.DataFrame, *, unit: str = "units of the outcome", ax: "Axes | None" = None) -> "Axes":
    """Draw the difference of the arms by the share that guessed right: a description, and so labelled.

    Parameters
    ----------
    curve
        From `correct_guess_rate_curve`.
    unit
        Unit of the outcome.
    ax
        Axes to draw on.

    Returns
    -------
    Axes.
    """
    ax = ax or plt.subplots(figsize=(7.2, 3.2), layout="constrained")[1]
    line, seen = curve[curve["observed"] == 0], curve[curve["observed"] == 1]
    ax.axhline(0, color="black", lw=0.8)
    ax.fill_between(line["correct_guess_rate"], line["ci_low"], line["ci_high"], color=GREY, alpha=0.2, lw=0)
    ax.plot(
        line["correct_guess_rate"], line["difference"], color=GREY, lw=1.6, ls="--", label="reweighted by the guess"
    )
    ax.errorbar(
        seen["correct_guess_rate"], seen["difference"], yerr=1.959964 * seen["se"], fmt="o", color="black", mfc="white", ms=6,
        capsize=3, label="as observed",
    )  # fmt: skip
    ax.set_title("A description, not an effect of the drug: the guess was made after dosing", fontsize=8, loc="left")
    ax.legend(fontsize=7, frameon=False)
    _finish(ax, "share that guessed right, in either arm", f"difference of the arms ({unit})")
    return ax


def plot_moderation(table: pd.DataFrame, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the drug's effect by what was expected before dosing.

    Parameters
    ----------
    table
        ``effect_table(moderation_effects(idata)["drug_effect"])`` of one expectation, with ``expectation_sd`` (or ``at``).
    ax
        Axes to draw on.

    Returns
    -------
    Axes.
    """
    ax = ax or plt.subplots(figsize=(7.2, 2.8), layout="constrained")[1]
    x = table["expectation_sd" if "expectation_sd" in table else "at"]
    ax.axhline(0, color="black", lw=0.8)
    ax.plot(x, table["mean"], color=OUTCOME_FIRST, lw=1)
    ax.vlines(x, table["ci_low"], table["ci_high"], color=OUTCOME_FIRST, lw=3)
    ax.plot(x, table["mean"], "o", color="white", mec=OUTCOME_FIRST, ms=5)
    ax.set_xticks(list(x))
    _finish(
        ax, "expectation before dosing, SDs from its mean", "drug effect (SDs of the outcome; below 0 is improvement)"
    )
    return ax


def _finish(ax: "Axes", x: str, y: str) -> None:
    ax.set_xlabel(x, fontsize=8)
    ax.set_ylabel(y, fontsize=8)
    ax.tick_params(labelsize=7)
    ax.spines[["top", "right"]].set_visible(False)
