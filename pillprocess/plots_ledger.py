"""Figures of the ledger: what identifies each term, and which trials move it."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EVIDENCE_COLOURS = {
    "randomised within trials": "#0072B2",
    "between-trial comparison of randomised contrasts": "#E69F00",
    "between trials only": "#D55E00",
    "prior only": "#999999",
}


def plot_identifiability(ledger: pd.DataFrame, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the ledger: how much was learned about each term, by which kind of evidence, carried by which trials.

    Parameters
    ----------
    ledger
        :func:`pillprocess.identifiability`.
    ax
        Axes to draw on.

    Returns
    -------
    Axes; bar length is contraction, 0 (the prior answers) to 100 %.
    """
    ax = ax or plt.subplots(figsize=(7.2, 0.62 * len(ledger) + 1.1), layout="constrained")[1]
    shown: set[str] = set()
    for y, row in enumerate(ledger.iloc[::-1].itertuples()):
        kind = next(k for k in EVIDENCE_COLOURS if str(row.evidence).startswith(k))
        label = kind if kind not in shown else None
        shown.add(kind)
        ax.barh(y, 100 * max(row.contraction, 0.0), height=0.42, color=EVIDENCE_COLOURS[kind], label=label)
        note = f"most leverage: {row.carried_by}" + (
            f"; entangled with {row.entangled_with}" if row.entangled_with else ""
        )
        ax.text(0.5, y + 0.25, note, fontsize=6, va="bottom", color="#404040")
    ax.set_yticks(range(len(ledger)), ledger["term"].iloc[::-1], fontsize=8)
    ax.set_xlim(0, 100)
    ax.set_ylim(-0.5, len(ledger) - 0.3)
    ax.set_xlabel("learned from the data (1 - posterior / prior variance, %)", fontsize=8)
    ax.tick_params(axis="x", labelsize=7)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.legend(fontsize=7, frameon=False, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)
    return ax


def plot_influence(table: pd.DataFrame, *, variable: str = "delta", most: int = 12, ax: "Axes | None" = None) -> "Axes":
    """Draw how far leaving each trial out moves a term, the most influential trials first.

    Parameters
    ----------
    table
        :func:`pillprocess.influence`.
    variable
        The term, by its symbol.
    most
        Number of trials to draw.
    ax
        Axes to draw on.

    Raises
    ------
    ValueError
        The table has no such term.
    """
    rows = table[table["variable"] == variable]
    if rows.empty:
        known = ", ".join(dict.fromkeys(table["variable"]))
        raise ValueError(f"variable = {variable!r} is not in the table; it has {known}")
    rows = rows.reindex(rows["shift"].abs().sort_values(ascending=False).index).head(most).iloc[::-1]
    ax = ax or plt.subplots(figsize=(7.2, 0.22 * len(rows) + 1.1), layout="constrained")[1]
    ax.barh(rows["trial"], rows["shift"], height=0.6, color="#0072B2")
    for y, leverage in enumerate(rows["leverage"]):
        ax.text(1.01, y, f"{100 * leverage:.0f} %", transform=ax.get_yaxis_transform(), va="center", fontsize=7)
    ax.text(1.01, len(rows) - 0.3, "leverage", transform=ax.get_yaxis_transform(), fontsize=7, fontweight="bold")
    ax.axvline(0, color="black", lw=0.8)
    ax.set_xlabel(
        "shift of the estimate when the trial is left out (posterior SDs; left: larger improvement)", fontsize=8
    )
    ax.tick_params(labelsize=7)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax
