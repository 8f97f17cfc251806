"""The report of a mediation analysis, with its methods filled from the fit, and its figures."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pillprocess.belief.analysis import BeliefAnalysis
from pillprocess.mediation.analysis import MediationAnalysis
from pillprocess.mediation.choices import FAMILIES
from pillprocess.mediation.clusters import variable_part
from pillprocess.mediation.paths import estimate_text
from pillprocess.mediation.plot_dropout import plot_tipping
from pillprocess.mediation.plot_sensitivity import plot_r2_contours, plot_sensitivity
from pillprocess.mediation.plots import plot_effects, plot_mediation, plot_overlap
from pillprocess.mediation.sensitivity import r2_contours
from pillprocess.output.pages import render_page, versions
from pillprocess.output.visual_style import Width, house_style
from pillprocess.participants.table import Participants
from pillprocess.review.figures import embedded
from pillprocess.trial.answers import answers
from pillprocess.trial.belief_report import WHEN, belief_answers, belief_axes
from pillprocess.trial.further_answers import on_floor

FAMILY_WORDS = {
    "gaussian": "Gaussian", "student_t": "Student-t (robust)", "probit": "binary (probit)", "logit": "binary (logit)",
    "log_binomial": "binary (log link: risk ratios)",
    "poisson": "counts (Poisson, log link)", "exponential": "time to an event (exponential; censored where follow-up ended first)",
    "negative_binomial": "counts (negative binomial, log link)", "ordinal_probit": "ordered categories (cumulative probit)",
    "ordinal_logit": "ordered categories (cumulative logit, proportional odds)",
    "zero_inflated_poisson": "counts with excess zeros (zero-inflated Poisson, log link; zeros on a logit)",
    "zero_inflated_negative_binomial": "counts with excess zeros (zero-inflated negative binomial, log link; zeros on a logit)",
    "weibull": "time to an event (Weibull, accelerated failure time; censored where follow-up ended first)",
    "hazard_logit": "time to an event (hazard of each period, logit link; censored where follow-up ended first)",
    "hazard_cloglog": "time to an event (hazard of each period, complementary log-log link: proportional hazards; censored)",
}  # fmt: skip


@dataclass(frozen=True)
class MediationReport:
    """What the report is about.

    Attributes
    ----------
    people
        The participants.
    mediation
        From `analyse_mediation`, where there is a mediator.
    belief
        From `analyse_belief` or `analyse_expectancy`, where there is a guess or an expectation.
    """

    people: Participants
    mediation: MediationAnalysis | None = None
    belief: BeliefAnalysis | None = None

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by name."""
        aside = [self.people.set_aside] + ([self.belief.set_aside] if self.belief else [])
        return {
            **(self.mediation.tables if self.mediation else {}), **(self.belief.tables if self.belief else {}),
            "missing": self.people.missing, "set_aside": pd.concat(aside, ignore_index=True),
        }  # fmt: skip

    @property
    def fits(self) -> dict[str, xr.DataTree]:
        """Every fit by name."""
        own = {} if self.mediation is None else {"mediation": self.mediation.whole or self.mediation.idata}
        return own | (self.belief.fits if self.belief else {})


def draw_figures(report: MediationReport, *, width: Width = "two_column") -> dict[str, Figure]:
    """Draw every figure of the report, by name, at a print width; squares are one column wide at either."""
    axes: dict[tuple[str, ...], Axes] = {}
    with house_style():
        if report.mediation:
            axes |= mediation_axes(report.mediation, width=width)
        if report.belief:
            axes |= belief_axes(report.people, report.belief, width=width)
    named = zip(file_names(axes), axes.values(), strict=True)
    return {name: ax.figure for name, ax in named if isinstance(ax.figure, Figure)}


def mediation_axes(analysis: MediationAnalysis, *, width: Width = "two_column") -> dict[tuple[str, ...], Axes]:
    """Draw every figure of a mediation analysis, by kind, arm and mediator."""
    people, tables = analysis.people, analysis.tables
    unit, trials = str(people.outcome.name), people.trial.nunique()
    base = f"n = {len(people)} people" + (f" of k = {trials} {people.trial_noun}" if trials > 1 else "")
    axes: dict[tuple[str, ...], Axes] = {}
    for arm in map(str, people.treatment.columns):
        against = f"{arm} against {people.reference}, {base}"
        paths, effects = (tables[name][tables[name]["arm"] == arm] for name in ("paths", "effects"))
        axes["paths", arm] = plot_mediation(paths, effects=effects, width=width, title=against)
        rows = tables["prior_posterior"]
        own = rows[rows["arm"] == arm]
        scale = str(effects["scale"].iloc[0])
        axes["effects", arm] = plot_effects(
            own,
            higher_is_worse=people.higher_is_worse,
            unit=unit if scale.endswith(f"means of {unit}") else scale,
            width=width,
            title=against,
        )
    for (arm, mediator), sensitivity in analysis.sensitivity.items():
        title = f"{arm} against {people.reference} through {mediator}, {base}"
        axes["sensitivity", arm, mediator] = plot_sensitivity(
            sensitivity, higher_is_worse=people.higher_is_worse, width=width, unit=unit, title=title
        )
        axes["r2", arm, mediator] = plot_r2_contours(r2_contours(sensitivity), unit=unit, title=title)
    for arm, curve in analysis.tipping.items():
        axes["tipping", arm] = plot_tipping(
            curve,
            higher_is_worse=people.higher_is_worse,
            unit=f"points of {unit}",
            title=f"{arm} against {people.reference}, {base}",
        )
    for mediator in map(str, people.mediators.columns):
        axes["overlap", mediator] = plot_overlap(people, mediator=mediator, width=width)
    return axes


def render_mediation(
    report: MediationReport,
    figures: dict[str, str],
    *,
    source: Path,
    seed: int,
    codebook: str | Path | None = None,
    narrow: dict[str, str] | None = None,
) -> str:
    """Render the report as one self-contained HTML page.

    Parameters
    ----------
    report
        What it is about.
    figures
        From `draw_figures`, as SVG.
    source
        The table of participants.
    seed
        The seed that was used.
    codebook
        The codebook, where there is one.
    narrow
        The same figures one column wide, for phones.

    Returns
    -------
    HTML text.
    """
    people, mediation, belief = report.people, report.mediation, report.belief
    said = [
        *(answers(mediation) if mediation else ()),
        *(belief_answers(people, belief, with_total=mediation is None) if belief else ()),
    ]
    doubts = [*(mediation.doubts if mediation else ()), *(belief.doubts if belief else ())]
    context = {
        "answers": said, "tables": {name: table.to_dict("records") for name, table in report.tables.items()},
        "figures": {name: embedded(figure).replace("%20", " ") for name, figure in figures.items()},
        "narrow": {name: embedded(figure) for name, figure in (narrow or {}).items()},
        "arms": [str(a) for a in people.treatment.columns], "reference": people.reference, "outcome": str(people.outcome.name),
        "covariates": list(dict.fromkeys(people.covariate_source)), "trials": people.trial.nunique(), "noun": people.trial_noun,
        "clusters": {str(c): int(people.clusters[c].nunique()) for c in people.clusters.columns},
        "participants": len(people),
        "mediators": [str(q) for q in mediation.people.mediators.columns] if mediation else [],
        "model": mediation_model(mediation) if mediation else {}, "belief": belief, "when": WHEN, "notes": people.notes,
        "doubts": list(dict.fromkeys(doubts)), "provenance": provenance(source, seed, codebook), "randomised": people.randomised,
    }  # fmt: skip
    return render_page("mediation.html", context, wing="trial", writes=estimate_text)


def mediation_model(analysis: MediationAnalysis) -> dict[str, object]:
    """What the methods say of the mediation model."""
    people, data, posterior = (
        analysis.people,
        analysis.idata["constant_data"].dataset,
        analysis.idata["posterior"].dataset,
    )
    families = {role: FAMILY_WORDS[FAMILIES[int(data[f"family_{role}"])]] for role in ("mediator", "outcome")}
    return {
        "families": families, "interaction": "theta" in posterior, "ordered": "d" in posterior,
        "sd_by_arm": "sigma_m_level" in posterior, "floor": on_floor(people, data),
        "collapsed": "outcome_gram" in data or bool(analysis.design), "design": analysis.design,
        "clusters": varying_paths(posterior, people),
        "moderators": {"treatment": list(people.treatment_moderators), "mediator": list(people.mediator_moderators)},
        "scale": analysis.tables["effects"].set_index("estimand")["scale"].loc[["te"]].iloc[0],
        "controlled": analysis.tables["effects"].set_index("estimand")["m"].loc[["cde"]].iloc[0],
    }  # fmt: skip


def varying_paths(posterior: xr.Dataset, people: Participants) -> dict[str, list[str]]:
    """Paths that differ between the clusters of each kind."""
    found = {}
    for name in map(str, people.clusters.columns):
        effects = [str(e) for e in posterior[f"effect_{variable_part(name)}"].to_numpy()]
        found[name] = [path for path in ("a", "b", "c") if any(e.startswith(f"{path}[") for e in effects)]
    return found


def provenance(source: Path, seed: int, codebook: str | Path | None = None) -> dict[str, str]:
    """Versions, seed, and checksums of the table and its codebook."""
    files = {"table": source} | ({"codebook": Path(codebook)} if codebook is not None else {})
    told = versions(seed)
    for what, path in files.items():
        told |= {what: path.name, f"checksum of the {what} (SHA-256)": hashlib.sha256(path.read_bytes()).hexdigest()}
    return told


def file_names(keys: Iterable[tuple[str, ...]]) -> list[str]:
    """Name a file by the words of each key; where signs or capitals alone tell two keys apart, the later one is numbered."""
    names: list[str] = []
    for key in keys:
        name = "".join(c if c.isalnum() or c in "-_." else "_" for c in "_".join(key))
        taken = {other.casefold() for other in names}
        numbered = (f"{name}_{k}" for k in count(2))
        names.append(next(n for n in chain([name], numbered) if n.casefold() not in taken))
    return names
