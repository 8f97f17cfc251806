"""The report: one page a clinician can read, filled from an analysis and nothing else."""

import pandas as pd

from pillprocess.evidence.edition import edition_of
from pillprocess.evidence.tables import Evidence
from pillprocess.findings.limitations import limitations
from pillprocess.findings.words import therapy_compared
from pillprocess.output.pages import estimate, render_page, versions
from pillprocess.output.visual_style import in_drawn_order
from pillprocess.review.analysis import Analysis
from pillprocess.review.figures import embedded, main_drug
from pillprocess.review.findings import findings_context
from pillprocess.review.how_long import how_long_words
from pillprocess.review.how_much import SHAPES, how_much_words
from pillprocess.review.record import reporting_record, scale_priors
from pillprocess.synthesis.plots import PATH_NAMES
from pillprocess.synthesis.words import synthesis_answer

SETTING = {0.0: "alone", 1.0: "with therapy"}

SECTIONS = (
    ("answer", "Answer"), ("evidence", "Evidence"), ("trials", "The trials, one by one"), ("bias", "What small and selected trials add"),
    ("models", "Models"), ("results", "Results"), ("responders", "Responders and number needed to treat"),
    ("how_long", "How long it lasts"), ("how_much", "How much of the drug does what"), ("checks", "Checks"),
    ("synthesis", "Do subjective effects mediate the outcome?"), ("claims", "The review, claim by claim"),
    ("sensitivity", "Sensitivity: what would overturn it"), ("multiverse", "Every combination of choices"),
    ("ledger", "What identifies what"), ("next_trial", "Which trial would settle it?"), ("blinding", "Was the blind kept?"),
    ("limitations", "Limitations in the evidence"), ("reproducibility", "Reproducibility"),
)  # fmt: skip
"""Sections of the report in order: the file in ``templates/sections`` and its title. A new section is a file and a line here."""


DRAWN_BY_THE_PAGE = ("multiverse_", "next_trial")
"""How the names of figures begin that the page draws itself, so that they answer to the pointer; as files they are written all the same."""


def render_report(
    analysis: Analysis,
    evidence: Evidence,
    figures: dict[str, str],
    *,
    seed: int,
    narrow: dict[str, str] | None = None,
) -> str:
    """Render the report as one self-contained HTML page.

    Parameters
    ----------
    analysis
        Result of :func:`pillprocess.reproduce.analyse`.
    evidence
        The tables it was made from.
    figures
        Figures by name as SVG, drawn from the same analysis.
    seed
        The seed that was used.
    narrow
        The same figures one column wide, for phones; the wide ones serve where it is not given.

    Returns
    -------
    HTML text.
    """
    rows = analysis.rows
    shown = {name: figure for name, figure in figures.items() if not name.startswith(DRAWN_BY_THE_PAGE)}
    images = {
        name: embedded(figure).replace("%20", " ") for name, figure in shown.items()
    }  # only srcset splits at spaces
    context = {
        "sections": SECTIONS,
        "tables": {name: table.to_dict("records") for name, table in analysis.tables.items()},
        "answer": answer(analysis),
        "example": scale_example(evidence),
        "bias_note": analysis.bias_note,
        "how_long": how_long_words(analysis.tables),
        "how_much": how_much_words(analysis.tables),
        "dose_shapes": SHAPES,
        "comparison_note": analysis.comparison_note,
        "synthesis": synthesis_answer(analysis.tables, analysis.synthesis_note, drug=main_drug(rows))
        if "synthesis" in analysis.fits
        else [],
        "synthesis_why": analysis.synthesis_note,
        "path_names": PATH_NAMES,
        "drugs": in_drawn_order(rows["study_drug"]),
        "main_drug": main_drug(rows),
        "figures": images,
        "narrow": {name: embedded(narrow[name]) for name in shown} if narrow else dict.fromkeys(images, ""),
        "edition": str(edition_of(evidence)),
        "facts": {
            "trials": rows["trial"].nunique(),
            "arms": int((rows["kind"] == "arm").sum()),
            "differences": int((rows["kind"] == "contrast").sum()),
            "contrast_trials": rows.loc[rows["kind"] == "contrast", "trial"].nunique(),
            "arm_trials": rows.loc[rows["kind"] == "arm", "trial"].nunique(),
            "people": int(rows.loc[rows["kind"] == "arm", "n"].sum()),
            "correlation": analysis.correlation.to_dict(),
            "predictive_words": predictive_words(analysis),
            "left_out_words": left_out_words(analysis),
            "multiverse_words": multiverse_words(analysis.tables["multiverse"]),
        },
        "priors": scale_priors(analysis),
        "limitations": limitations(analysis.tables, evidence),
        "record": reporting_record(analysis, evidence, seed=seed).to_dict("records"),
        "doubts": evidence.doubts[evidence.doubts["trial_id"].isin(rows["trial"])].to_dict("records"),
        "provenance": provenance(evidence, seed),
        "setting": SETTING,
    }
    context |= findings_context(analysis, evidence)
    return render_page("report.html", context, wing="review", writes=estimate)


def predictive_words(analysis: Analysis) -> str:
    """How many rows lie inside their predictive intervals."""
    check, prior = analysis.tables["predictive_check"], analysis.tables["prior_predictive_check"]
    return (
        f"Posterior predictive check: {int(check['inside'].sum())} of {len(check)} rows lie inside their 95 % interval; of the prior "
        f"predictive intervals {int(prior['inside'].sum())} hold their row."
    )


def left_out_words(analysis: Analysis) -> str:
    """What predicting each trial from all others showed, and what the check cannot show."""
    check, renewed = analysis.tables["left_out"], analysis.tables["new_trial_check"]
    judged = check[check["kind"] != "baseline of its own"]
    outliers = [f"{r.row} (z = {r.z:+.1f})" for r in judged[judged["outlier"]].sort_values("pit").itertuples()]
    named = f"named outliers: {', '.join(outliers)}" if outliers else "no outlier"
    return (
        "Each trial predicted from all others, its own deviations drawn anew and the heterogeneity refitted: "
        f"{int(judged['inside'].sum())} of {len(judged)} rows lie inside their 95 % interval "
        f"({0.05 * len(judged):.1f} outside are expected); {named}. With all trials "
        f"in, but deviations drawn anew, {int(renewed['inside'].sum())} of {len(renewed)} rows lie inside. A check that passes does not "
        "clear the model: how often each kind of fault is noticed is measured by simulation and printed in tests/README.md."
    )


def multiverse_words(table: pd.DataFrame) -> str:
    """Range of the share over all specifications, without and with belief."""
    parts = []
    for option in ("without", "with"):
        share = table.loc[table["belief"] == option, "share"].dropna()
        if len(share):
            parts.append(f"{option} belief from {share.min():.2f} to {share.max():.2f} ({len(share)} specifications)")
    if not parts:
        return "No specification gives a share."
    return f"Over every combination of the declared choices the share, interaction counted as the drug's, runs {' and '.join(parts)}."


def scale_example(evidence: Evidence) -> str:
    """One reference SD in points of the scales most rows use, for readers who think in points."""
    instruments = evidence.instruments.dropna(subset="reference_sd").nlargest(3, "reference_sd_n")
    return ", ".join(f"{r.reference_sd:.0f} points of {r.instrument}" for r in instruments.itertuples())


def answer(analysis: Analysis) -> list[str]:
    """State the answer in sentences whose every number comes from the tables."""
    effects = analysis.tables["drug_effects"]
    pooled = effects[(effects["kind"] == "pooled") & (effects["trials"] > 0)]
    terms = analysis.tables["terms"].set_index("variable")
    ledger = analysis.tables["ledger"].set_index("term")
    sentences = [share_sentence(analysis.tables["shares"])] if len(analysis.tables["shares"]) else []
    for therapy, opening in (
        (1.0, "Given with psychotherapy or psychological support, against a control condition that got the same"),
        (0.0, "Given alone, against a control condition without therapy either"),
    ):
        here = pooled[pooled["therapy"] == therapy]
        if len(here):
            parts = [
                f"{r.drug} {r.mean:.2f} [{r.ci_low:.2f}, {r.ci_high:.2f}] ({r.trials} trial{'s' if r.trials > 1 else ''})"
                for r in here.itertuples()
            ]
            sentences.append(
                f"{opening}, the change in symptoms was, in reference SDs (negative is better): {'; '.join(parts)}."
            )
    if "kappa" in terms.index:
        k = terms.loc["kappa"]
        p = probability_below(analysis, "kappa")
        sentences.append(
            f"Does therapy change what the drug does? The interaction is {estimate(k.to_dict())}, with probability {p:.2f} that the "
            f"drug does more with therapy than without. {_interaction_words(p)} {_where_therapy_is_randomised(analysis.rows)}"
        )
    if "psi" in terms.index:
        sentences.append(
            f"Therapy by itself: {estimate(terms.loc['psi'].to_dict())}; {ledger.loc['therapy', 'verdict']}."
        )
    choices = analysis.tables["sensitivity"].set_index("choice")
    belief = choices[choices.index.str.startswith("with expectancy (")]
    if len(belief) and "delta" in terms.index:
        b = belief.iloc[0]
        sentences.insert(
            1,
            "Two models of equal rank follow from these trials, which cannot tell them apart: who gets the drug mostly knows it. "
            f"Without belief, the drug term is the drug with its unblinding, {estimate(terms.loc['delta'].to_dict())}; with belief "
            f"held equal it is {b['drug']:.2f} [{b['drug_low']:.2f}, {b['drug_high']:.2f}]. Belief is reported for "
            f"{_reported(analysis)} of {len(analysis.rows)} rows and borrowed for most others. The figures below are the drug "
            "with its unblinding; the table has both.",
        )
    return sentences


def _reported(analysis: Analysis) -> int:
    """Rows whose belief comes from guesses that the trial itself reported."""
    return int((analysis.rows["expectancy_from"] == "reported guesses").sum())


def _interaction_words(p: float) -> str:
    if p > 0.975:
        return "The trials support the pill and the process: more drug effect with therapy."
    if p < 0.025:
        return "The trials speak against it: less drug effect with therapy."
    return "The trials do not settle it."


def _where_therapy_is_randomised(rows: pd.DataFrame) -> str:
    """Say which drugs have a trial that compares therapy with none at one dose of the drug."""
    compared, without = therapy_compared(rows)
    found = f"Therapy was compared with none at one dose of the drug in {', '.join(compared)}" if compared else ""
    lacking = f"no trial in the model does so for {', '.join(without)}" if without else ""
    return ("; ".join(part for part in (found, lacking) if part) + ".").replace(
        "no trial", "No trial" if not found else "no trial", 1
    )


def probability_below(analysis: Analysis, variable: str) -> float:
    """Posterior probability that a term of the headline fit is below 0."""
    return float((analysis.fits["headline"]["posterior"].dataset[variable] < 0).mean())


def share_sentence(shares: pd.DataFrame) -> str:
    """The share that is not the drug's, under every convention, with its interval and its trials."""
    first = shares.iloc[0]
    parts = []
    for convention, own in shares.groupby("convention", sort=False):
        ways = [
            f"{100 * r.mean:.0f} % [{100 * r.ci_low:.0f}, {100 * r.ci_high:.0f}] {'with' if r.belief else 'without'} belief in the model"
            for r in own.itertuples()
        ]
        parts.append(f"{' and '.join(ways)} ({convention})")
    return (
        f"In the {first['arms']} drug arms of {first['trials']} controlled trials, the share of the expected change that is not the drug's "
        f"(natural course, attention, expectation and regression to the mean, as in the trial's own control condition, or therapy) is "
        f"{'; '.join(parts)}."
    )


def provenance(evidence: Evidence, seed: int) -> dict[str, str]:
    """Versions, seed, and the edition and checksum of the data."""
    edition = edition_of(evidence)
    return versions(seed) | {
        "data checksum (SHA-256)": evidence.checksum, "data folder": evidence.folder.name,
        "evidence edition": edition.version or "not stated", "last search for trials": edition.last_search or "not stated",
    }  # fmt: skip
