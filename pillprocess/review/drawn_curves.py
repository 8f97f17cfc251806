"""The specification curves and the chances of the next trial as drawings of the page itself: places of marks, and words for each."""

import numpy as np
import pandas as pd

from pillprocess.decomposition.multiverse import CHOICES
from pillprocess.decomposition.plot_multiverse import DRAWN
from pillprocess.planning.plots import LINES

LEFT, RIGHT, TOP, HEIGHT, ROW = 200.0, 712.0, 16.0, 200.0, 17.0
"""The specification curve: edges of its upper part, its height, and that of a row of choices, in its own units."""

SPECIFIED = {
    "share": "share that is not the drug's (interaction counted as the drug's)", "drug": "drug without therapy, reference SD",
    "interaction": "drug x therapy, reference SD", "therapy": "therapy, reference SD",
}  # fmt: skip
ASKED = {
    "mediated": "whether more than half of the effect runs through the experience, or less",
    "accounts": "whether all of it runs through the experience, or none (odds of 10)",
    "drug:therapy": "what therapy adds to the drug",
}
OPTIONS = {
    ("belief", "without"): "without belief", ("belief", "with"): "with belief", ("drug_x_therapy", "with"): "drug x therapy",
    ("drug_x_therapy", "without"): "no drug x therapy", ("baseline", "exchangeable"): "all comparisons",
    ("baseline", "free"): "within trials only", ("dose", "linear"): "dose linear",
    ("dose", "log"): "dose log", ("dose", "emax"): "dose Emax",
    ("evidence", "all"): "all evidence",
}  # fmt: skip
"""Short names of options, for a phone; any other is its own."""
PEOPLE_TICKS = (10, 20, 50, 100, 200, 500, 1000)


def specification_curves(table: pd.DataFrame) -> list[dict[str, object]]:
    """Where the specifications of each quantity stand, in rising order, and which choices each was made with."""
    return [_curve(table, quantity) for quantity in SPECIFIED if table[quantity].notna().any()]


def _curve(table: pd.DataFrame, quantity: str) -> dict[str, object]:
    rows = table[table[quantity].notna()].sort_values(quantity, kind="stable", ignore_index=True)
    low, high = float(rows[f"{quantity}_low"].quantile(0.02)), float(rows[f"{quantity}_high"].quantile(0.98))
    if quantity != "share":
        low, high = min(low, 0.0), max(high, 0.0)
    options = [(c, o) for c in CHOICES if rows[c].nunique() > 1 for o in dict.fromkeys(table[c])]

    def y(value: float) -> float:
        return round(TOP + HEIGHT * (1 - (min(max(value, low), high) - low) / (high - low)), 1)

    step = (RIGHT - LEFT) / len(rows)
    points = []
    for i, row in enumerate(rows.to_dict("records")):
        chosen = {c: str(row[c]) for c in CHOICES if rows[c].nunique() > 1}
        headline = all(row[c] == CHOICES[c][0] for c in CHOICES)
        middle, ends = row[quantity], (row[f"{quantity}_low"], row[f"{quantity}_high"])
        words = "; ".join(f"{c.replace('_', ' ')}: {o}" for c, o in chosen.items()) + (
            " (the headline)" if headline else ""
        )
        points.append(
            {
                "x": round(LEFT + step * (i + 0.5), 1), "y": y(middle), "from_": y(ends[0]), "to": y(ends[1]), "value": middle,
                "belief": row["belief"] == "with", "headline": headline, "chosen": " ".join(
                    str(k) for k, (c, o) in enumerate(options) if row[c] == o),
                "says": f"{middle:.2f} [{ends[0]:.2f}, {ends[1]:.2f}], {row['trials']:.0f} trials: {words}",
            }
        )  # fmt: skip
    bottom = TOP + HEIGHT + 8
    choices = [
        {
            "name": OPTIONS.get((c, o), o), "y": bottom + ROW * (k + 0.5),
            "ticks": "".join(f"M{p['x']} {bottom + ROW * k + 3}v{ROW - 6}" for p, v in zip(points, rows[c], strict=True) if v == o),
        }
        for k, (c, o) in enumerate(options)
    ]  # fmt: skip
    return {
        "quantity": quantity, "title": SPECIFIED[quantity], "colour": DRAWN[quantity][1], "points": points, "choices": choices,
        "step": round(step, 2), "height": bottom + ROW * len(options) + 4,
        "ticks": [{"y": y(v), "text": _tick(v)} for v in _round(low, high)],
        "zero": y(0.0) if low < 0 < high else None, "unfitted": int(table[quantity].isna().sum()), "all": len(table),
        "headline": next((i for i, p in enumerate(points) if p["headline"]), 0),
    }  # fmt: skip


def assurance_lines(table: pd.DataFrame, ledger: pd.DataFrame) -> list[dict[str, object]]:
    """Each question's designs as lines of the chance to decide over people per arm, with words for each point and the chance without end.

    Parameters
    ----------
    table
        From :func:`pillprocess.expected_information`.
    ledger
        The same designs by people needed, from :func:`pillprocess.sizes_needed`; its order is the order of the designs.
    """
    left, right, top, height = 76.0, 670.0, 12.0, 230.0
    finite = table[np.isfinite(table["n_per_arm"])]
    ends = np.log10([finite["n_per_arm"].min(), finite["n_per_arm"].max()])
    designs = list(dict.fromkeys(table["design"]))

    def x(people: float) -> float:
        return round(float(left + (right - left) * (np.log10(people) - ends[0]) / (ends[1] - ends[0])), 1)

    def y(chance: float) -> float:
        return round(top + height * (1 - chance), 1)

    drawn: list[dict[str, object]] = []
    for asked, words in ASKED.items():
        own, lines = finite[finite["estimand"] == asked].sort_values("n_per_arm", kind="stable"), []
        for design in dict.fromkeys(ledger.loc[ledger["estimand"] == asked, "design"]):
            line = own[own["design"] == design]
            limit = table[(table["design"] == design) & (table["estimand"] == asked) & np.isinf(table["n_per_arm"])][
                "assurance"
            ]
            colour, dashes = LINES[designs.index(design) % len(LINES)]
            at = ", ".join(
                f"{n:.0f}: {100 * a:.0f} %" for n, a in zip(line["n_per_arm"], line["assurance"], strict=True)
            )
            points = [
                {
                    "x": x(n),
                    "y": y(a),
                    "n": f"{n:.0f}",
                    "chance": a,
                    "says": f"{design}: {n:.0f} per arm, chance {100 * a:.0f} %",
                }
                for n, a in zip(line["n_per_arm"], line["assurance"], strict=True)
            ]
            lines.append(
                {
                    "design": design, "colour": colour, "dashes": DASHES[dashes], "points": points,
                    "limit": y(limit.iloc[0]) if len(limit) else None,
                    "says": f"{design}: {at}{f'; without end {100 * limit.iloc[0]:.0f} %' if len(limit) else ''}",
                }
            )  # fmt: skip
        if lines:
            drawn.append({"asked": asked, "title": words, "lines": lines})
    ticks = [{"x": x(n), "text": f"{n}"} for n in PEOPLE_TICKS if ends[0] - 1e-9 <= np.log10(n) <= ends[1] + 1e-9]
    levels = [{"y": y(v), "text": f"{100 * v:.0f} %", "mark": v in (0.8, 0.9)} for v in (0, 0.2, 0.4, 0.6, 0.8, 0.9, 1)]
    frame: dict[str, object] = {
        "ticks": ticks,
        "levels": levels,
        "left": left,
        "right": right,
        "bottom": top + height,
    }
    return [figure | frame for figure in drawn]


DASHES = {"-": "", "--": "7 4", "-.": "7 3 1.5 3", ":": "1.5 3"}
"""Dashes of the lines of a plan, as SVG writes them."""


def _round(low: float, high: float) -> list[float]:
    """Round values between two, about five."""
    step = next(s for s in (0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0, 1e9) if (high - low) / s <= 7)
    return [float(v) for v in np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step]


def _tick(value: float) -> str:
    return f"{round(value, 2) + 0.0:g}".replace("-", "−")
