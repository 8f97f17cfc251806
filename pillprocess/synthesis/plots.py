"""Figures of the synthesis: the paths, what runs through them, and what would change the answer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.output.tables import effect_table
from pillprocess.output.visual_style import (
    DRUG_COLOURS,
    DRUG_MARKERS,
    GREY,
    IMPROVES,
    INK,
    NORMAL,
    SMALL,
    TERM_COLOURS,
    Width,
    finish,
    in_drawn_order,
    legend_above,
    panel,
    row_labels,
    wrapped,
)  # fmt: skip
from pillprocess.synthesis.data import experiences_of_items

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PATH_NAMES = {
    "total": "total effect", "direct": "direct (drug)", "interaction": "drug x therapy", "experience": "through the experience",
    "belief": "through belief", "without_experience": "drug without its experience", "experience_alone": "experience without the drug",
}  # fmt: skip

NEAR = {
    ("drug", "experience"): 0.42, ("experience", "symptoms"): 0.58, ("drug", "symptoms"): 0.27, ("experience", "belief"): 0.68,
    ("drug", "belief"): 0.48, ("belief", "symptoms"): 0.52,
}  # fmt: skip
"""Where along its arrow each label stands, so that none meets another."""


def plot_paths(
    draws: xr.DataTree, *, drug: str, ax: "Axes | None" = None, width: Width = "two_column", title: str = ""
) -> "Axes":
    """Draw the paths from a drug to symptoms, each arrow with its estimate and 95 % interval.

    Parameters
    ----------
    draws
        A fit of :func:`pillprocess.synthesis`.
    drug
        Which drug, at its reference dose.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes; a negative effect on symptoms is improvement.

    Raises
    ------
    ValueError
        The fit does not know the drug.
    """
    posterior = draws["posterior"].dataset
    known = posterior["drug"].to_numpy().tolist()
    if drug not in known:
        raise ValueError(f"drug = {drug!r}; the fit knows {', '.join(known)}")
    one = posterior.sel(drug=drug)
    experience = experiences_of_items(posterior)[drug]
    arrows = {
        ("drug", "experience"): ("a", one["a"], "SD"), ("experience", "symptoms"): ("b", one["b"], "per SD"),
        ("drug", "symptoms"): ("direct", one["direct"], ""), ("experience", "belief"): ("probit", one["g_experience"], "per SD"),
        ("drug", "belief"): ("probit", one["g_drug"], ""),
    }  # fmt: skip
    if "epsilon" in posterior:
        arrows["belief", "symptoms"] = ("belief", one["epsilon"], "")
    place = {"drug": (0.0, 0.5), "experience": (0.5, 1.0), "belief": (0.5, 0.0), "symptoms": (1.0, 0.5)}
    words = {
        "drug": drug,
        "experience": f"{experience} experience",
        "belief": "belief of having\nhad the drug",
        "symptoms": "symptoms",
    }
    ax = panel(ax, width, 82.0)
    boxes = {}
    for name, (x, y) in place.items():
        box = {
            "boxstyle": "round,pad=0.5",
            "fc": "white",
            "ec": DRUG_COLOURS[drug] if name == "drug" else INK,
            "lw": 1.2,
        }
        drawn = ax.text(
            x, y, words[name], ha="center", va="center", fontsize=NORMAL, fontweight="bold", bbox=box, zorder=2
        )  # fmt: skip
        boxes[name] = drawn.get_bbox_patch()
    for (start, end), (name, values, unit) in arrows.items():
        style = {
            "arrowstyle": "-|>", "color": GREY, "lw": 1.0, "shrinkA": 2, "shrinkB": 2, "patchA": boxes[start], "patchB": boxes[end],
        }  # fmt: skip
        ax.annotate("", place[end], place[start], arrowprops=style, zorder=3)
        row = effect_table(values).iloc[0]
        mean, low, high = (f"{round(row[column], 2) + 0.0:.2f}" for column in ("mean", "ci_low", "ci_high"))
        near = NEAR[start, end]
        x, y = (place[start][i] + near * (place[end][i] - place[start][i]) for i in (0, 1))
        text = f"{name} {mean} {unit}".rstrip() + f"\n[{low}, {high}]"
        box = {"fc": "white", "ec": "none", "pad": 1.0}
        ax.text(x, y, text, ha="center", va="center", fontsize=SMALL, color=INK, bbox=box, zorder=4)
    ax.set_xlim(-0.16, 1.16)
    ax.set_ylim(-0.2, 1.16)
    finish(ax, "", title)
    ax.set_axis_off()
    note = "95 % intervals; on symptoms: reference SD, negative is improvement; on belief: probits; experience in SD of its score"
    ax.annotate(
        wrapped(ax, note, 1.3), (0.5, 0), xycoords="axes fraction", ha="center", va="top", fontsize=SMALL, color=GREY, annotation_clip=False
    )  # fmt: skip
    return ax


def plot_path_effects(
    table: pd.DataFrame,
    *,
    therapy: float = 1.0,
    paths: Sequence[str] = tuple(PATH_NAMES),
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
) -> "Axes":
    """Draw each drug's effect by path, with 95 % intervals; an open marker is carried over from other drugs or settings.

    Parameters
    ----------
    table
        From :func:`pillprocess.path_table`.
    therapy
        Which amount of therapy.
    paths
        Which paths, from the top.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes; left is improvement.
    """
    table = table[table["therapy"] == therapy]
    drugs = in_drawn_order(table["drug"])
    step = len(drugs) + 1
    ax = panel(ax, width, 3.1 * step * len(paths) + 26)
    for i, path in enumerate(paths):
        rows = table[table["path"] == path].set_index("drug")
        for k, drug in enumerate(drugs):
            row, y, colour = rows.loc[drug], -(i * step + k), DRUG_COLOURS[drug]
            ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, lw=1.3, solid_capstyle="butt")
            fill = colour if row["n_trials"] > 0 else "white"
            ax.plot(row["mean"], y, DRUG_MARKERS[drug], ms=3.6, color=colour, mfc=fill, mew=0.9, zorder=3)
        if i:
            ax.axhline(-(i * step - 1), color="#E4E4E4", lw=0.6)
    middle = [-(i * step + (len(drugs) - 1) / 2) for i in range(len(paths))]
    ax.set_yticks(middle, [PATH_NAMES[p] for p in paths], fontsize=NORMAL)
    ax.set_ylim(-(step * len(paths)) + 0.6, 0.9)
    ax.axvline(0, color=INK, lw=0.7)
    size = table.groupby("drug")[["n_trials", "n_people"]].first()
    handles = [
        ax.plot([], [], DRUG_MARKERS[d], ms=3.6, color=DRUG_COLOURS[d], label=f"{d}, k = {k}, n = {n}")[0]
        for d, k, n in size.loc[drugs].itertuples()
    ]
    if (table["n_trials"] == 0).any():
        handles += ax.plot([], [], "o", ms=3.6, color=GREY, mfc="white", label="no such trial: carried over")
    legend_above(ax, handles)
    finish(ax, "effect of the reference dose with 95 % interval (reference SD)", title, favours=IMPROVES)
    return ax


def plot_share_curve(
    curve: pd.DataFrame, *, drug: str, ax: "Axes | None" = None, width: Width = "one_column", title: str = ""
) -> "Axes":
    """Draw a drug's direct effect and its effect through the experience over the causal share.

    Parameters
    ----------
    curve
        From :func:`pillprocess.share_curve`.
    drug
        Which drug.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes; down is improvement.
    """
    ax = panel(ax, width, 70.0)
    here = curve[curve["drug"] == drug]
    setting = f"{'with' if here['therapy'].iloc[0] > 0 else 'without'} therapy, k = {here['n_trials'].iloc[0]}"
    colours = {"experience": TERM_COLOURS["experience"], "direct": TERM_COLOURS["drug"]}
    for path, colour in colours.items():
        rows = curve[(curve["drug"] == drug) & (curve["path"] == path)]
        ax.fill_between(rows["causal_share"], rows["ci_low"], rows["ci_high"], color=colour, alpha=0.22, lw=0)
        style = "-" if path == "direct" else "--"
        ax.plot(rows["causal_share"], rows["mean"], color=colour, lw=1.5, ls=style, label=PATH_NAMES[path])
    ax.axhline(0, color=INK, lw=0.7)
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["0\nall epiphenomenon", "0.5", "1\nall causal"])
    for label, side in zip(ax.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set(ha=side)
    ax.set_ylabel(f"effect of {drug} (reference SD)\n95 % interval; down improves", fontsize=NORMAL)
    ax.tick_params(axis="y", labelsize=SMALL)
    legend_above(ax, ax.get_legend_handles_labels()[0])
    finish(ax, f"causal share of the association ({setting})", title)
    ax.spines["left"].set_visible(True)
    return ax


def plot_pooling(
    table: pd.DataFrame, *, drug: str, ax: "Axes | None" = None, width: Width = "two_column", title: str = ""
) -> "Axes":
    """Draw a drug's effect by path from its own trials, without pooling, and pooled, in the setting most of its trials had.

    Parameters
    ----------
    table
        :func:`pillprocess.path_table` by :func:`pillprocess.by_pooling`.
    drug
        Which drug.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes; left is improvement.
    """
    rows = table[table["drug"] == drug].reset_index(drop=True)
    rows = rows[rows["therapy"] == rows.loc[rows["n_trials"].idxmax(), "therapy"]]
    names = list(dict.fromkeys(rows["pooling"]))
    answers = {
        path: rows[rows["path"] == path].set_index("pooling").loc[names] for path in ("total", "direct", "experience")
    }
    return _answers(panel(ax, width, 9.0 * len(names) + 26), names, answers, drug=drug, title=title)


def plot_without(
    table: pd.DataFrame, *, drug: str, ax: "Axes | None" = None, width: Width = "two_column", title: str = ""
) -> "Axes":
    """Draw a drug's effect through the experience and its direct effect, without each kind of evidence in turn.

    Parameters
    ----------
    table
        From :func:`pillprocess.without_each_kind`.
    drug
        Which drug.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes; left is improvement.
    """
    rows = table[table["drug"] == drug].reset_index(drop=True)
    names = [
        "all the evidence" if kind == "nothing" else f"without {kind}{' (no answer)' if silent else ''}"
        for kind, silent in zip(rows["without"], rows["total"].isna(), strict=True)
    ]
    ends = {"mean": "", "ci_low": "_low", "ci_high": "_high"}
    answers = {
        path: pd.DataFrame({end: rows[f"{path}{suffix}"] for end, suffix in ends.items()})
        for path in ("experience", "direct")
    }
    return _answers(panel(ax, width, 7.0 * len(rows) + 24), names, answers, drug=drug, title=title)


ANSWERS = {"total": (INK, "D"), "direct": (TERM_COLOURS["drug"], "s"), "experience": (TERM_COLOURS["experience"], "o")}
"""Colour and marker of what a drug does in all, directly, and through the experience."""


def _answers(ax: "Axes", names: list[str], answers: dict[str, pd.DataFrame], *, drug: str, title: str) -> "Axes":
    """Draw one line of intervals per name from the top, for each path the rows of its table in turn."""
    y, handles = np.arange(len(names))[::-1], []
    offsets = 0.24 * (np.arange(len(answers))[::-1] - (len(answers) - 1) / 2)
    for (path, rows), offset in zip(answers.items(), offsets, strict=True):
        colour, marker = ANSWERS[path]
        ax.hlines(y + offset, rows["ci_low"], rows["ci_high"], color=colour, lw=1.4)
        handles += ax.plot(rows["mean"], y + offset, marker, ms=3.6, color=colour, label=PATH_NAMES[path])
    ax.set_yticks(y, row_labels(ax, names, lines=2), fontsize=NORMAL)
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.axvline(0, color=INK, lw=0.7)
    legend_above(ax, handles)
    finish(ax, f"effect of {drug} with 95 % interval (reference SD)", title, favours=IMPROVES)
    return ax
