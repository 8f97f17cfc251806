"""The controlled trials one by one: a table whose rows carry their interval, and a funnel whose points lead to their sources."""

import numpy as np
import pandas as pd
from scipy.stats import norm

from pillprocess.evidence.tables import Evidence
from pillprocess.output.text import web_address
from pillprocess.output.visual_style import DRUG_COLOURS, DRUG_MARKERS, in_drawn_order
from pillprocess.review.analysis import Analysis
from pillprocess.review.figures import forest_rows

LEFT, RIGHT, TOP, BOTTOM = 40.0, 620.0, 14.0, 270.0
"""Edges of the funnel's axes in its own units."""

SHAPES = {
    "o": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0", "^": "M0 -6L6 5L-6 5Z", "v": "M0 6L6 -5L-6 -5Z", "s": "M-4.6 -4.6H4.6V4.6H-4.6Z",
    "D": "M0 -6.3L6.3 0L0 6.3L-6.3 0Z",
}  # fmt: skip
"""Markers as paths about 0, so that drugs differ in shape as well as in colour; any other marker is a disc."""


def trials_one_by_one(analysis: Analysis, evidence: Evidence) -> pd.DataFrame:
    """List every controlled trial with its own contrast, what the model makes of it, and where it was read.

    Returns
    -------
    DataFrame, a row per trial and drug: ``trial``, ``year``, ``drug``, ``condition``, ``control`` (role of its control arm), ``therapy``
    (with or without), ``people``, ``observed`` with ``observed_low``, ``observed_high`` (95 %, the trial's own highest against lowest
    dose, per reference dose) and ``observed_se``, ``mean``, ``ci_low``, ``ci_high`` (as the model sees it), ``citation`` and ``source``.
    """
    rows = analysis.rows
    table = forest_rows(analysis, evidence)
    table = table[table["kind"] == "trial"].rename(columns={"n": "people"})
    facts = evidence.trials.set_index("trial_id").reindex(table["trial"])
    controls = evidence.arms[~evidence.arms["role"].isin(["active", "single_arm"])].drop_duplicates("trial_id")
    control = (
        controls.set_index("trial_id")["role"].reindex(table["trial"]).fillna("another dose").str.replace("_", " ")
    )
    therapy = rows[rows["dose"] > 0].groupby("trial")["therapy"].agg(["min", "max"]).reindex(table["trial"])
    words = np.where(therapy["min"] > 0, "with therapy", np.where(therapy["max"] > 0, "with and without", "alone"))
    half = norm.ppf(0.975) * table["observed_se"].to_numpy(float)
    first = [next((a for a in map(web_address, str(s).split(" ; ")) if a), "") for s in facts["source_url"]]
    return table.assign(
        year=facts["year"].to_numpy(),
        condition=facts["condition"].astype(str).str.replace("_", " ").to_numpy(), control=control.to_numpy(),
        therapy=words, observed_low=table["observed"] - half, observed_high=table["observed"] + half,
        citation=facts["citation"].fillna("").to_numpy(), source=first,
    )[["trial", "year", "drug", "condition", "control", "therapy", "people", "observed", "observed_low", "observed_high", "observed_se",
       "mean", "ci_low", "ci_high", "citation", "source"]].reset_index(drop=True)  # fmt: skip


def explorer_context(table: pd.DataFrame) -> dict[str, object]:
    """Places of the table's bars and of the funnel's points, ticks and legend, in the units of their drawings."""
    if table.empty:
        return {"explorer": [], "funnel": {}}
    ends = table[["observed_low", "observed_high"]].to_numpy(float)
    low, high = np.clip([ends.min(), ends.max()], -2.5, 1.5)
    low, high = min(np.floor(2 * low) / 2, -0.5), max(np.ceil(2 * high) / 2, 0.5)
    widest = float(table["observed_se"].max()) * 1.05

    def x(value: float, left: float = LEFT, right: float = RIGHT) -> float:
        return round(float(left + (right - left) * (min(max(value, low), high) - low) / (high - low)), 1)

    rows = []
    for r in table.to_dict("records"):
        bar = {name: x(r[f"observed{end}"], 0, 160) for name, end in (("at", ""), ("from_", "_low"), ("to", "_high"))}
        y = round(TOP + (BOTTOM - TOP) * r["observed_se"] / widest, 1)
        shape = SHAPES.get(DRUG_MARKERS[r["drug"]], SHAPES["o"])
        rows.append(r | {"bar": bar, "x": x(r["observed"]), "y": y, "shape": shape, "colour": DRUG_COLOURS[r["drug"]]})
    ticks = [{"x": x(v), "text": f"{v:g}".replace("-", "−")} for v in np.arange(low, high + 0.01, 0.5)]
    heights = [
        {"y": round(TOP + (BOTTOM - TOP) * se / widest, 1), "text": f"{se:.1f}"}
        for se in np.arange(0, widest, 0.2 if widest < 1 else 0.5)
    ]
    legend = [
        {"drug": d, "colour": DRUG_COLOURS[d], "shape": SHAPES.get(DRUG_MARKERS[d], SHAPES["o"])}
        for d in in_drawn_order(table["drug"])
    ]
    return {
        "explorer": rows,
        "funnel": {"ticks": ticks, "heights": heights, "legend": legend, "zero": x(0.0), "bar_zero": x(0.0, 0, 160)},
    }
