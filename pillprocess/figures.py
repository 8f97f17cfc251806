"""The figures of an analysis: tables in, files and embedded images out."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from pillprocess.plots import plot_contributions, plot_forest, plot_predictive_check, plot_prior_posterior
from pillprocess.plots_ledger import plot_identifiability, plot_influence
from pillprocess.reproduce import Analysis


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib settings of every figure: text kept as text, and never read as a formula, as a label with $ would be."""
    with mpl.rc_context(
        {
            "font.size": 8,
            "svg.fonttype": "none",
            "svg.hashsalt": "pillprocess",
            "savefig.dpi": 200,
            "text.parse_math": False,
        }
    ):
        yield


def draw_figures(analysis: Analysis) -> dict[str, Figure]:
    """Draw every figure of the analysis, by name."""
    tables = analysis.tables
    outcome = tables["contributions"]
    controlled = outcome[(outcome["kind"] == "arm") & outcome.groupby("trial")["row"].transform("nunique").gt(1)]
    with house_style():
        axes = {
            "drug_effects": plot_forest(
                forest_rows(analysis), title="Drug effect by trial, pooled, and in a new trial"
            ),
            "contributions": plot_contributions(
                controlled.sort_values(["study_drug", "trial"], kind="stable"),
                title="What each arm's change is made of",
            ),
            "terms": plot_prior_posterior(tables["terms"], title="What the data taught about each term"),
            "ledger": plot_identifiability(tables["ledger"]),
            "influence": plot_influence(tables["influence"]),
            "posterior_predictive": plot_predictive_check(
                tables["predictive_check"].sort_values(["study_drug", "trial"], kind="stable")
            ),
        }
    return {name: ax.figure for name, ax in axes.items() if isinstance(ax.figure, Figure)}


def forest_rows(analysis: Analysis) -> pd.DataFrame:
    """Trial rows with their own observed contrast, then each drug's pooled and predictive rows."""
    trials = analysis.tables["trial_effects"].copy()
    trials[["trial", "drug"]] = trials["trial_drug"].str.rsplit(": ", n=1, expand=True).to_numpy()
    observed = observed_contrasts(analysis.rows)
    trials = trials.join(observed, on=["trial", "drug"])
    trials = (
        trials[trials["observed"].notna()]
        .assign(label=lambda t: t["trial"], kind="trial")
        .sort_values("mean", kind="stable")
    )
    pooled = analysis.tables["drug_effects"]
    pooled = pooled[pooled["n_trials"] > 0]
    setting = pooled["therapy"].map({0.0: "alone", 1.0: "with therapy"})
    label = pooled["drug"] + " " + setting
    pooled = pooled.assign(label=label.where(pooled["kind"] == "pooled", "new trial, " + setting))
    table = pd.concat([trials, pooled], ignore_index=True)
    return table.assign(
        text=[
            f"{m:5.2f} [{lo:5.2f}, {hi:5.2f}]"
            for m, lo, hi in zip(table["mean"], table["ci_low"], table["ci_high"], strict=True)
        ]
    )


def observed_contrasts(rows: pd.DataFrame) -> pd.DataFrame:
    """Each trial's own contrast of highest against lowest dose of a drug, per unit of reference dose.

    A waiting list or an active comparator is no dose of 0: trials that have no other control are left out.

    Returns
    -------
    DataFrame indexed by trial and drug: ``observed``, ``observed_se``.
    """
    out = {}
    same = (rows[["waitlist", "comparator"]] == 0).all(axis=1)
    for side in ("reference_waitlist", "reference_comparator"):
        same &= rows[side].fillna(0) == 0
    for (trial, drug), group in rows[same].groupby(["trial", "drug_given"], sort=False):
        differences = group[(group["kind"] == "contrast") & (group["dose"] > group["reference_dose"].fillna(0))]
        if len(differences):
            top = differences.loc[differences["dose"].idxmax()]
            gap = top["dose"] - top["reference_dose"]
            out[trial, drug] = {"observed": top["y"] / gap, "observed_se": top["se"] / gap}
            continue
        top, bottom = group.loc[group["dose"].idxmax()], group.loc[group["dose"].idxmin()]
        gap = top["dose"] - bottom["dose"]
        if gap > 0:
            se = (top["se"] ** 2 + bottom["se"] ** 2) ** 0.5
            out[trial, drug] = {"observed": (top["y"] - bottom["y"]) / gap, "observed_se": se / gap}
    return pd.DataFrame.from_dict(out, orient="index").rename_axis(["trial", "drug"])


def save_figures(figures: dict[str, Figure], folder: Path) -> None:
    """Write each figure as PNG and SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    with house_style():
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.png")
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)


def embedded(figure: Figure) -> str:
    """The figure as a data address, for a page that needs no other file."""
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
