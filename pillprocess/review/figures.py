"""The figures of an analysis: tables in, files and embedded images out."""

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from pillprocess.bias.funnel import plot_funnels
from pillprocess.decomposition.forest import numbers_beside, observed_contrasts
from pillprocess.decomposition.plot_forest import plot_forest
from pillprocess.decomposition.plot_ledger import plot_identifiability, plot_influence
from pillprocess.decomposition.plot_left_out import plot_loto_pit
from pillprocess.decomposition.plot_multiverse import plot_multiverse
from pillprocess.decomposition.plot_network import plot_network
from pillprocess.decomposition.plots import plot_contributions, plot_predictive_check, plot_prior_posterior
from pillprocess.dose.plots import plot_dose_response
from pillprocess.evidence.plot_coverage import plot_evidence_map
from pillprocess.evidence.tables import Evidence
from pillprocess.findings.trials import people_compared
from pillprocess.output.visual_style import Width, house_style, in_drawn_order, svg
from pillprocess.planning.plots import plot_assurance
from pillprocess.review.analysis import Analysis
from pillprocess.review.plot_cumulative import plot_cumulative
from pillprocess.synthesis.effects import controlled_trials
from pillprocess.synthesis.fits import items_of
from pillprocess.synthesis.plots import plot_path_effects, plot_paths, plot_pooling, plot_share_curve, plot_without
from pillprocess.timecourse.plots import plot_time_course

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_figures(analysis: Analysis, evidence: Evidence, *, width: Width = "two_column") -> dict[str, Figure]:
    """Draw every figure of the analysis, by name, at a print width."""
    tables, rows = analysis.tables, analysis.rows
    outcome = tables["contributions"]
    controlled = outcome[(outcome["kind"] == "arm") & outcome.groupby("trial")["row"].transform("nunique").gt(1)]
    arms = controlled["trial"].nunique()
    base = f"k = {rows['trial'].nunique()} trials, n = {rows.loc[rows['kind'] == 'arm', 'n'].sum():.0f} people in arms"
    with house_style():
        axes = {
            "evidence_map": plot_evidence_map(
                evidence, width=width, title="What trials of patients compared and measured"
            ),
            "network": plot_network(
                rows[rows["kind"] == "arm"],
                rows[rows["kind"] == "contrast"],
                width=width,
                title="What was compared within trials",
            ),
            "drug_effects": plot_forest(
                forest_rows(analysis, evidence),
                width=width,
                title="Drug effect by trial, pooled, and in a new trial",
                heading="  n  mean  95 % interval",
            ),
            "terms": plot_prior_posterior(
                tables["terms"], width=width, title=f"What the data taught about each term ({base})"
            ),
            "ledger": plot_identifiability(tables["ledger"], width=width, title="What identifies each term"),
            "influence": plot_influence(tables["influence"], width=width, title="The drug term without each trial"),
            "posterior_predictive": plot_predictive_check(in_drug_order(tables["predictive_check"]), width=width),
        }
        if len(controlled):
            title = f"What each arm's change is made of (k = {arms} trials)"
            axes["contributions"] = plot_contributions(in_drug_order(controlled), width=width, title=title)
        if "cumulative" in tables and "reason" not in tables["cumulative"]:
            axes["cumulative"] = plot_cumulative(
                tables["cumulative"], width=width, title="What each year's trials changed"
            )
        if "time_curves" in tables:
            axes["time_course"] = plot_time_course(
                tables["time_curves"], tables["time_points"], width=width, title="How long does the effect last?"
            )
        if "dose_response" in analysis.fits:
            axes["dose_response"] = plot_dose_response(
                analysis.fits["dose_response"],
                analysis.fits.get("dose_of_experience"),
                width=width,
                title="How much of the drug does what?",
            )
        if "next_trial_sizes" in tables:
            axes["next_trial"] = plot_assurance(
                tables["next_trial"],
                estimand="mediated",
                width=width,
                title="Which trial would tell whether the experience carries the effect?",
            )
        if "funnel" in tables:
            axes["funnels"] = plot_funnels(
                tables["funnel"], width=width, title="Does the effect fall with the size of the trial?"
            )
        axes["left_out"] = plot_loto_pit(tables["left_out"], width=width, title="Each trial predicted from all others")
        for quantity in ("share", "drug", "interaction", "therapy"):
            if tables["multiverse"][quantity].notna().any():
                axes[f"multiverse_{quantity}"] = plot_multiverse(tables["multiverse"], quantity=quantity, width=width)
        if "synthesis" in analysis.fits:
            axes |= synthesis_axes(analysis, width=width)
        figures = {name: ax.figure for name, ax in axes.items() if isinstance(ax.figure, Figure)}
        for figure in figures.values():
            lay_out(figure)
    return figures


def lay_out(figure: Figure) -> None:
    """Lay a figure out once, not again for every file."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)
    figure.set_layout_engine(None)


def synthesis_axes(analysis: Analysis, *, width: Width) -> "dict[str, Axes]":
    """Draw the figures of the synthesis, for the drug that most trials gave where one is shown."""
    tables = analysis.tables
    drug = main_drug(analysis.rows)
    effects, curve = tables["synthesis_effects"], tables["synthesis_curve"]
    without, paths = tables["synthesis_without"], analysis.fits["synthesis"]
    trials = controlled_trials(items_of(paths))
    trials = trials[trials["drug"] == drug].drop_duplicates("trial")
    base = f"k = {len(trials)} trials, n = {trials['people'].sum():.0f}"
    return {
        "synthesis_pooling": plot_pooling(
            tables["synthesis_pooling"], drug=drug, width=width, title=f"What other drugs' trials say ({base})"
        ),
        "synthesis_effects": plot_path_effects(effects, width=width, title="The effect by path, with therapy"),
        "synthesis_paths": plot_paths(
            paths, drug=drug, width=width, title=f"What the drug's effect may pass through ({base})"
        ),
        "synthesis_curve": plot_share_curve(curve, drug=drug, width=width, title="What if the association is causal?"),
        "synthesis_without": plot_without(
            without, drug=drug, width=width, title=f"Without each kind of evidence ({base})"
        ),
    }


def main_drug(rows: pd.DataFrame) -> str:
    """The drug with most rows of the model: the one that is shown where one is."""
    return str(rows["study_drug"].value_counts().index[0])


def in_drug_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by drug, in the order of every figure, then by trial."""
    return table.sort_values(["study_drug", "trial"], kind="stable", key=_drug_rank)


def _drug_rank(column: pd.Series) -> pd.Series:
    return column.map({d: i for i, d in enumerate(in_drawn_order(column))}) if column.name == "study_drug" else column


def forest_rows(analysis: Analysis, evidence: Evidence) -> pd.DataFrame:
    """Trial rows with their own observed contrast, then each drug's pooled and predictive rows."""
    trials = analysis.tables["trial_effects"].copy()
    trials[["trial", "drug"]] = trials["trial_drug"].str.rsplit(": ", n=1, expand=True).to_numpy()
    observed = observed_contrasts(analysis.rows)
    trials = trials.join(observed, on=["trial", "drug"]).join(people_compared(analysis.rows, evidence), on="trial")
    trials = (
        trials[trials["observed"].notna()]
        .assign(label=lambda t: t["trial"], kind="trial")
        .sort_values("mean", kind="stable")
    )
    pooled = analysis.tables["drug_effects"]
    pooled = pooled[pooled["trials"] > 0]
    setting = pooled["therapy"].map({0.0: "alone", 1.0: "with therapy"})
    pooled = pooled.assign(label=pooled["kind"].map({"pooled": "pooled, ", "predictive": "new trial, "}) + setting)
    table = pd.concat([trials, pooled], ignore_index=True)
    return table.assign(text=numbers_beside(table))


def drawn(analysis: Analysis, evidence: Evidence, folder: Path, width: Width) -> dict[str, str]:
    """Draw every figure at a print width and write it; return the SVG by name."""
    return save_figures(draw_figures(analysis, evidence, width=width), folder)


def save_figures(figures: dict[str, Figure], folder: Path) -> dict[str, str]:
    """Write each figure as PNG and SVG; return the SVG by name."""
    folder.mkdir(parents=True, exist_ok=True)
    written = drawings(figures)
    with house_style():
        for name, figure in figures.items():
            (folder / f"{name}.svg").write_text(written[name], encoding="utf-8")
            figure.savefig(folder / f"{name}.png")
            plt.close(figure)
    return written


def drawings(figures: dict[str, Figure]) -> dict[str, str]:
    """The figures as SVG, by name."""
    with house_style():
        return {name: svg(figure) for name, figure in figures.items()}


def embedded(drawing: str) -> str:
    """An SVG as a data address, for a page that needs no other file; its coordinates to a hundredth of a point."""
    drawing = re.sub(r"\s+", " ", drawing)
    drawing = _COORDINATES.sub(lambda found: _DECIMALS.sub(r"\1", _COMMANDS.sub(r"\1", found[0])), drawing)
    return "data:image/svg+xml," + quote(drawing, safe="=:/;!()[]{}@&+*'-._~|$^`")


_COORDINATES = re.compile(r' (?:d|x|y|x1|y1|x2|y2|transform|points)="[^"]*"')
_COMMANDS = re.compile(r" ?(?<=[\d\" ])([MLCQZ]) ?(?=[\d\"-])")
_DECIMALS = re.compile(r"(\.\d\d)\d+")
