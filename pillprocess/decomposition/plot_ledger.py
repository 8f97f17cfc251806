"""Figures of the ledger: what identifies each term, and which trials move it."""

import textwrap
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.patches import Patch

from pillprocess.decomposition.identifiability import NAMES
from pillprocess.output.visual_style import (
    EVIDENCE_COLOURS,
    EVIDENCE_HATCHES,
    NORMAL,
    SMALL,
    TERM_COLOURS,
    TERM_HATCHES,
    TERM_OF_VARIABLE,
    Width,
    finish,
    legend_above,
    panel,
    width_mm,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_identifiability(
    ledger: pd.DataFrame, *, ax: "Axes | None" = None, width: Width = "two_column", title: str = ""
) -> "Axes":
    """Draw the ledger: how much was learned about each term, by which kind of evidence, carried by which trials.

    Parameters
    ----------
    ledger
        :func:`pillprocess.identifiability`.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes; bar length is contraction, 0 (the prior answers) to 100 %.
    """
    kinds = [next(k for k in EVIDENCE_COLOURS if str(evidence).startswith(k)) for evidence in ledger["evidence"]]
    ax = panel(ax, width, (19 if width == "one_column" else 12) * len(ledger) + 27)
    letters = int((width_mm(ax) - 24) / 1.24)
    for y, (kind, row) in enumerate(zip(kinds[::-1], ledger.iloc[::-1].itertuples(), strict=True)):
        ax.barh(
            y, 100 * max(row.contraction, 0.0), height=0.36, color=EVIDENCE_COLOURS[kind], hatch=EVIDENCE_HATCHES.get(kind),
            ec="white", lw=0.3,
        )  # fmt: skip
        note = f"k = {row.n_trials}; " if "n_trials" in ledger else ""
        note += f"most leverage: {row.carried_by}" if row.carried_by else "no trial moves it"
        note += f"; entangled with {row.entangled_with}" if row.entangled_with else ""
        unbroken = note.replace(" %", "\u00a0%").replace(" = ", "\u00a0=\u00a0")
        ax.text(0.5, y + 0.21, textwrap.fill(unbroken, letters), fontsize=SMALL, va="bottom", linespacing=1.05)
    ax.set_yticks(range(len(ledger)), ledger["term"].iloc[::-1], fontsize=NORMAL)
    ax.set_xlim(0, 100)
    ax.set_ylim(-0.35, len(ledger) - 0.1)
    handles = [
        Patch(fc=EVIDENCE_COLOURS[k], hatch=EVIDENCE_HATCHES.get(k), ec="white", lw=0.3, label=k)
        for k in EVIDENCE_COLOURS if k in kinds
    ]  # fmt: skip
    legend_above(ax, handles)
    finish(ax, "learned from the data (1 - posterior / prior variance, %)", title)
    return ax


def plot_influence(
    table: pd.DataFrame,
    *,
    variable: str = "delta",
    most: int = 12,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
) -> "Axes":
    """Draw how far leaving each trial out moves a term, the most influential trials first.

    Parameters
    ----------
    table
        :func:`pillprocess.influence`.
    variable
        The term, by its symbol.
    most
        Number of trials to draw.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes; left is a larger improvement without the trial.

    Raises
    ------
    ValueError
        The table has no such term.
    """
    rows = table[table["variable"] == variable]
    if rows.empty:
        known = ", ".join(dict.fromkeys(table["variable"]))
        raise ValueError(f"variable = {variable!r} is not in the table; it has {known}")
    trials = len(rows)
    rows = rows.reindex(rows["shift"].abs().sort_values(ascending=False).index).head(most).iloc[::-1]
    ax = panel(ax, width, 3.4 * len(rows) + 24)
    term = TERM_OF_VARIABLE.get(variable, "drug")
    ax.barh(
        rows["trial"], rows["shift"], height=0.62, color=TERM_COLOURS[term], hatch=TERM_HATCHES.get(term), ec="white", lw=0.3
    )  # fmt: skip
    for y, leverage in enumerate(rows["leverage"]):
        ax.text(1.01, y, f"{100 * leverage:.0f} %", transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL)
    ax.text(1.01, len(rows) - 0.3, "leverage", transform=ax.get_yaxis_transform(), fontsize=SMALL, fontweight="bold")
    ax.axvline(0, color="black", lw=0.8)
    ax.tick_params(axis="y", labelsize=SMALL)
    ax.set_ylim(-0.8, len(rows) - 0.2)
    xlabel = (
        f"shift of {NAMES.get(variable, variable)} without the trial, posterior SDs; {len(rows)} of k = {trials} trials"
    )
    finish(ax, xlabel, title, favours=("more improvement", "less improvement"))
    return ax
