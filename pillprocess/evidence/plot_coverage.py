"""The map of the evidence: which trials there are, what they compared, and what they measured."""

import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from pillprocess.evidence.coverage import MEASURES, evidence_map
from pillprocess.evidence.tables import Evidence
from pillprocess.output.visual_style import (
    DRUG_COLOURS,
    GREY,
    INK,
    NARROW,
    SMALL,
    Width,
    finish,
    in_drawn_order,
    panel,
    width_mm,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EMPTY = "#D4D4D4"
THERAPY_WORDS = {
    "with": "with therapy", "both": "with and without therapy", "without": "no therapy", "not reported": "therapy unknown",
}  # fmt: skip
MOST_NAMED = 6
THERAPY_SIGNS = {"with": "T", "both": "T/-", "without": "-", "not reported": "?"}


def plot_evidence_map(
    evidence: Evidence,
    *,
    by: Literal["group", "trial"] = "group",
    drug: str | None = None,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
) -> "Axes":
    """Draw which trials of patients there are, and what they compared and measured.

    Parameters
    ----------
    evidence
        From :func:`pillprocess.load_evidence`.
    by
        ``"group"``: a row per drug, therapy and comparator, with the number of trials that report each kind of figure;
        ``"trial"``: a row per trial.
    drug
        Draw the trials of one drug only.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes. An empty cell says that the tables hold no such figure, not that it was not measured; the trials of which they hold no
    arm with one of the drugs are named below.

    Raises
    ------
    ValueError
        Unknown ``by``, or no trial of the drug.
    """
    if by not in ("group", "trial"):
        raise ValueError(f"by = {by!r}; it must be 'group' or 'trial'")
    table = evidence_map(evidence)
    absent = [name for name, drugs in table.attrs["no_row"].items() if drug is None or drug in re.split(r"\W+", drugs)]
    if drug is not None:
        known = ", ".join(dict.fromkeys(table["drug"]))
        table = table[table["drug"] == drug]
        if table.empty:
            raise ValueError(f"drug = {drug!r}: no trial; the drugs are {known}")
    ax = panel(ax, width, _height(table, by))
    narrow = width_mm(ax) < NARROW
    rows = _grouped(table, narrow) if by == "group" else _by_trial(table)
    most = float(rows[list(MEASURES)].to_numpy(float).max())
    lines: list[tuple[str, str]] = []
    for name, own in rows.groupby("drug", sort=False):
        here = table[table["drug"] == name]
        lines.append((f"{name}: k = {len(here)}, n = {_people(here['n'])}", "bold"))
        for row in own.to_dict("records"):
            _cells(ax, len(lines), row, DRUG_COLOURS[str(name)], most, by)
            lines.append((str(row["label"]), "normal"))
    ax.set_yticks(range(len(lines)), [label for label, _ in lines], fontsize=SMALL)
    for tick, (_, weight) in zip(ax.get_yticklabels(), lines, strict=True):
        tick.set_fontweight(weight)
    ax.set_xticks(range(len(MEASURES)), list(MEASURES.values()), fontsize=SMALL)
    ax.xaxis.tick_top()
    for tick in ax.get_xticklabels():
        tick.set(rotation=90 if narrow else 38, ha="center" if narrow else "left", rotation_mode="default")
    ax.set_xlim(-0.6, len(MEASURES) - 0.4)
    ax.set_ylim(len(lines) - 0.3, -0.8)
    finish(ax, "", title)
    ax.tick_params(axis="x", length=0)
    ax.spines["bottom"].set_visible(False)
    key = "T: with therapy, -: without, T/-: both, ?: not reported; "
    what = "in brackets: trials, people; disc: trials with such a figure" if by == "group" else "filled: such a figure"
    note = (key if narrow or by == "trial" else "") + what + " in the tables"
    if absent:
        more = f" and {len(absent) - MOST_NAMED} more" if len(absent) > MOST_NAMED else ""
        note += f"; not drawn, no arm of these drugs in the tables: {', '.join(absent[:MOST_NAMED])}{more}"
    ax.annotate(
        wrapped(ax, note, 1.3), (1, 0), xycoords="axes fraction",
        xytext=(0, -3), textcoords="offset points", ha="right", va="top", fontsize=SMALL, color=GREY,
    )  # fmt: skip
    return ax


def _height(table: pd.DataFrame, by: str) -> float:
    """Height of a figure in mm: a line per row and per drug, and the heads of the columns."""
    groups = len(table.drop_duplicates(["drug", "therapy", "comparator"])) if by == "group" else len(table)
    return (3.8 if by == "group" else 2.45) * (groups + table["drug"].nunique()) + 50


def _cells(ax: "Axes", y: float, row: dict[Any, Any], colour: str, most: float, by: str) -> None:
    """One row of cells: a count in a disc that grows with it, or a filled square."""
    for x, measure in enumerate(MEASURES):
        count = int(row[measure])
        if not count:
            ax.plot(x, y, ".", color=EMPTY, ms=2, zorder=1)
        elif by == "trial":
            ax.plot(x, y, "s", color=colour, ms=4, zorder=2)
        else:
            ax.plot(x, y, "o", color=colour, ms=7 + 3.5 * np.sqrt(count / most), zorder=2)
            light = np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) > 0.5
            ax.text(
                x,
                y,
                str(count),
                ha="center",
                va="center_baseline",
                fontsize=SMALL,
                color=INK if light else "white",
                zorder=3,
            )


def _people(n: pd.Series) -> str:
    """Sum of people, with a plus where some trials give no n."""
    return f"{n.sum():.0f}{'+' if n.isna().any() else ''}"


def _grouped(table: pd.DataFrame, narrow: bool) -> pd.DataFrame:
    """Trials counted by drug, therapy and comparator."""
    columns = {name: (name, "sum") for name in MEASURES}
    grouped = table.groupby(["drug", "therapy", "comparator"], sort=False).agg(
        trials=("trial", "size"), people=("n", _people), **columns
    )
    rows = grouped.reset_index()
    signs = THERAPY_SIGNS if narrow else THERAPY_WORDS
    counts = " (" + rows["trials"].astype(str) + ", " + rows["people"] + ")"
    rows["label"] = rows["therapy"].map(signs) + " v " + rows["comparator"] + counts
    rank = {name: i for i, name in enumerate([*in_drawn_order(rows["drug"]), *THERAPY_WORDS])}
    by_rank = rows.assign(drug_rank=rows["drug"].map(rank), therapy_rank=rows["therapy"].map(rank))
    return by_rank.sort_values(["drug_rank", "therapy_rank", "trials"], ascending=[True, True, False], kind="stable")


def _by_trial(table: pd.DataFrame) -> pd.DataFrame:
    people = table["n"].map(lambda n: "?" if pd.isna(n) else f"{n:.0f}")
    sign = table["therapy"].map(THERAPY_SIGNS)
    return table.assign(label=table["trial"] + "  " + table["comparator"] + "  " + sign + "  n = " + people)
