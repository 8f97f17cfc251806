"""The network of what was compared with what within trials."""

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.patches import FancyArrowPatch

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


def comparison_network(
    arms: pd.DataFrame, contrasts: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Count what was compared with what within trials.

    Parameters
    ----------
    arms
        From :func:`pillprocess.arm_changes`.
    contrasts
        From :func:`pillprocess.contrasts`.

    Returns
    -------
    Nodes: ``node``, ``drug`` (blank for a control without it), ``control``, ``k`` trials, ``n`` people, ``lacking`` (some
    trials give no n). Edges: ``start``, ``end``, ``drug`` and likewise ``k``, ``n``, ``lacking``. And the number of trials
    that compare no two nodes: uncontrolled ones. Arms that differ in dose only are one node, apart from doses meant as a
    control.
    """
    members = _members(arms, contrasts)
    links = [*_pairs_of_arms(arms)]
    if contrasts is not None:
        links += contrasts[["trial", "arm", "reference_arm"]].itertuples(index=False, name=None)
    place = members.set_index(["trial", "arm"])
    pairs: dict[tuple[str, str, str], set[str]] = {}
    for trial, one, other in links:
        a, b = sorted([place.loc[(trial, one), "node"], place.loc[(trial, other), "node"]])
        if a != b:
            pairs.setdefault((trial, a, b), set()).update((one, other))
    rows = [
        (t, a, b, place.loc[[(t, arm) for arm in names], "n"].sum(skipna=False)) for (t, a, b), names in pairs.items()
    ]
    edges = _counted(pd.DataFrame(rows, columns=["trial", "start", "end", "n"]), ["start", "end"])
    compared = members["trial"].isin({trial for trial, _, _ in pairs})
    nodes = _counted(members[compared], ["node", "drug", "control"])
    drug = members[members["drug"] != ""].drop_duplicates("node").set_index("node")["drug"]
    ends = edges["start"].map(drug).astype(object), edges["end"].map(drug).astype(object)
    same = ends[0].fillna(ends[1]) == ends[1].fillna(ends[0])
    edges["drug"] = ends[0].fillna(ends[1]).where(same, "all")
    return nodes, edges, members.loc[~compared, "trial"].nunique()


def plot_network(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame | None = None,
    *,
    ax: "Axes | None" = None,
    width: Width = "two_column",
    title: str = "",
) -> "Axes":
    """Draw which treatments were compared within trials: controls at the left, drugs at the right.

    Parameters
    ----------
    arms
        From :func:`pillprocess.arm_changes`.
    contrasts
        From :func:`pillprocess.contrasts`.
    ax, width, title
        As in :func:`pillprocess.plot_forest`.

    Returns
    -------
    Axes. The area of a node grows with its people, the width of an edge with its trials; both are written beside it.

    Raises
    ------
    ValueError
        No trial compares two treatments.
    """
    nodes, edges, uncontrolled = comparison_network(arms, contrasts)
    if edges.empty:
        raise ValueError("no trial in the table compares two treatments; there is no network to draw")
    nodes = nodes[nodes["node"].isin([*edges["start"], *edges["end"]])]
    place = _places(nodes, edges)
    taller = max(sum(x == side for x, _ in place.values()) for side in (0, 1))
    ax = panel(ax, width, 12.5 * taller + 14)
    narrow = width_mm(ax) < NARROW
    margin = 0.62 if narrow else 0.42
    room = width_mm(ax) / (1 + 2 * margin), 12.5 * taller / 1.18
    taken: list[tuple[float, float]] = []
    for edge in edges.sort_values("k", ascending=False).to_dict("records"):
        _edge(ax, place, edge, narrow, room, taken)
    for node in nodes.to_dict("records"):
        x, y = place[str(node["node"])]
        face = "white" if node["control"] else DRUG_COLOURS[str(node["drug"])]
        size = 3.5 + 11 * np.sqrt(node["n"] / nodes["n"].max())
        ax.plot(x, y, "o", ms=size, mfc=face, mec=_colour(node["drug"]), mew=1.2, zorder=4)
        side, gap = ("right", -9) if x == 0 else ("left", 9)
        name = str(node["node"]).replace(" + ", "\n+ ") if narrow else node["node"]
        text = f"{name}\nk = {node['k']}, n = {_number(node)}"
        ax.annotate(text, (x, y), xytext=(gap, 0), textcoords="offset points", ha=side, va="center", fontsize=SMALL)
    ax.set_xlim(-margin, 1 + margin)
    ax.set_ylim(-0.09, 1.09)
    finish(ax, "", title)
    ax.set_axis_off()
    key = "on a line: trials (people)" if narrow else "on a line: k trials, n people"
    note = (
        f"{key}; +: some trials give no n; people are counted in every arm, in crossovers twice; {uncontrolled} trials without a "
        "comparison are not drawn"
    )
    ax.annotate(
        wrapped(ax, note, 1.3), (0.5, 0), xycoords="axes fraction", ha="center", va="top", fontsize=SMALL, color=GREY, annotation_clip=False
    )  # fmt: skip
    return ax


def _members(arms: pd.DataFrame, contrasts: pd.DataFrame | None) -> pd.DataFrame:
    """One row per trial and arm: its node, drug, whether it is a control, and its people."""
    rows = [_member(r, r["arm"], r["n"], r, low=r["role"] == "low_dose") for r in arms.to_dict("records")]
    for r in [] if contrasts is None else contrasts.to_dict("records"):
        reference = {c: r[f"reference_{c}"] for c in ("dose", "therapy", "waitlist", "comparator")}
        rows.append(_member(r, r["arm"], r["n_arm"], r, low=r["role"] == "low_dose"))
        rows.append(_member(r, r["reference_arm"], r["n_reference"], reference, low=reference["dose"] < r["dose"]))
    return pd.DataFrame(rows).drop_duplicates(["trial", "arm"], ignore_index=True)


def _member(row: dict[Any, Any], arm: str, n: float, terms: dict[Any, Any], *, low: bool) -> dict[str, object]:
    if terms["waitlist"]:
        name, drug = "waiting list", ""
    elif terms["comparator"]:
        name, drug = "another drug", ""
    elif terms["dose"] == 0:
        name, drug = "control", ""
    else:
        drug = str(row["drug_given"])
        name = f"low-dose {drug}" if low else drug
    name += " + therapy" if terms["therapy"] else ""
    return {"trial": row["trial"], "arm": arm, "node": name, "drug": drug, "control": low or not drug, "n": n}


def _pairs_of_arms(arms: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    for trial, own in arms.groupby("trial", sort=False):
        for one, other in combinations(own["arm"], 2):
            yield str(trial), one, other


def _counted(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return rows.groupby(by, as_index=False, sort=False).agg(
        k=("trial", "nunique"), n=("n", "sum"), lacking=("n", lambda n: bool(n.isna().any()))
    )


def _places(nodes: pd.DataFrame, edges: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Drugs at the right in their order, controls at the left beside what they were compared with."""
    order = {drug: i for i, drug in enumerate(in_drawn_order(nodes["drug"].astype(str)))}
    drug = nodes.set_index("node")["drug"].astype(str)
    right = sorted(nodes.loc[~nodes["control"], "node"], key=lambda n: (order[drug[n]], not n.endswith(" + therapy")))
    height = {name: 1 - i / max(len(right) - 1, 1) for i, name in enumerate(right)}
    centre = {}
    for name in nodes.loc[nodes["control"], "node"]:
        own = edges[(edges["start"] == name) | (edges["end"] == name)]
        others = [
            (height.get(b if a == name else a, 0.5), k)
            for a, b, k in zip(own["start"], own["end"], own["k"], strict=True)
        ]
        centre[name] = sum(h * k for h, k in others) / sum(k for _, k in others)
    left = sorted(centre, key=lambda name: -centre[name])
    place = {name: (1.0, height[name]) for name in right}
    return place | {name: (0.0, 1 - i / max(len(left) - 1, 1)) for i, name in enumerate(left)}


def _edge(
    ax: "Axes", place: dict[str, tuple[float, float]], edge: dict[Any, Any], narrow: bool, room: tuple[float, float],
    taken: list[tuple[float, float]],
) -> None:  # fmt: skip
    """Draw a line, bent inwards between two nodes of one side, with its numbers where no others stand.

    ``room`` is the size in mm of one unit along x and y; ``taken`` gathers the places of the numbers.
    """
    (x0, y0), (x1, y1) = sorted([place[str(edge["start"])], place[str(edge["end"])]])
    colour, bend = _colour(edge["drug"]), 0.0
    if x0 == x1:
        bend = -0.5 if x0 == 1 else 0.5
        inward = x0 + (1 - 2 * x0) * 0.25 * abs(y1 - y0) * room[1] / room[0]
        places = [(inward + (1 - 2 * x0) * shift, (y0 + y1) / 2) for shift in (0.0, 0.06, 0.12, 0.2)]
    else:
        places = [(x0 + t * (x1 - x0), y0 + t * (y1 - y0)) for t in (0.66, 0.74, 0.58, 0.5, 0.42, 0.34, 0.82, 0.26)]
    text = f"{edge['k']} ({_number(edge)})" if narrow else f"k = {edge['k']}, n = {_number(edge)}"
    wide, high = 1.3 * len(text), 3.2

    def free(spot: tuple[float, float]) -> bool:
        return all(abs(spot[0] - u) * room[0] > wide or abs(spot[1] - v) * room[1] > high for u, v in taken)

    spot = next(filter(free, places), places[0])
    taken.append(spot)
    line = FancyArrowPatch(
        (x0, y0), (x1, y1), arrowstyle="-", connectionstyle=f"arc3,rad={bend}", lw=0.7 + 0.4 * edge["k"], color=colour, zorder=1,
        shrinkA=0, shrinkB=0, alpha=0.85,
    )  # fmt: skip
    ax.add_patch(line)
    ax.text(
        *spot, text, fontsize=SMALL, ha="center", va="center", zorder=3, bbox={"fc": "white", "ec": "none", "pad": 0.4}
    )


def _colour(drug: object) -> str:
    """The drug's colour; that of the text where there is none."""
    return DRUG_COLOURS[drug] if isinstance(drug, str) and drug else INK


def _number(row: dict[Any, Any]) -> str:
    """People, with a plus where some trials give no n."""
    known = f"{row['n']:.0f}" if row["n"] else "?"
    return known + ("+" if row["lacking"] and row["n"] else "")
