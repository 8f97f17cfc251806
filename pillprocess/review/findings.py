"""The findings as the main job shows them: summary, certainty, what is not known, who was counted where."""

from dataclasses import replace

import pandas as pd

from pillprocess.evidence.coverage import evidence_map
from pillprocess.evidence.tables import Evidence
from pillprocess.findings.certainty import RULE, certainty
from pillprocess.findings.claims import review_claims
from pillprocess.findings.questions import questions
from pillprocess.findings.scales import clinical_scales
from pillprocess.findings.summary import QUANTITIES, summary_of_findings
from pillprocess.findings.trials import trial_counts
from pillprocess.findings.what_if import ASSUMPTIONS, what_if, what_if_words
from pillprocess.findings.words import EXPLAINED, not_known, opening_sentence
from pillprocess.review.analysis import Analysis
from pillprocess.review.drawn_curves import assurance_lines, specification_curves
from pillprocess.review.explorer import explorer_context, trials_one_by_one
from pillprocess.review.trial_cards import map_context, trial_cards


def add_findings(analysis: Analysis, evidence: Evidence) -> Analysis:
    """Return the analysis with its tables for readers, made from its other tables."""
    summary = summary_of_findings(analysis.tables, evidence)
    tables = {
        "summary_of_findings": summary,
        "certainty": certainty(analysis.tables, evidence),
        "questions": questions(analysis.tables, summary),
        "not_known": not_known(analysis.tables, summary),
        "trial_counts": trial_counts(analysis.tables),
        "trials_one_by_one": trials_one_by_one(analysis, evidence),
        "claims": review_claims(analysis.tables, evidence),
        "what_if": what_if(analysis.tables, evidence),
        "evidence_map": evidence_map(evidence),
    }
    return replace(analysis, tables=analysis.tables | tables)


def findings_context(analysis: Analysis, evidence: Evidence) -> dict[str, object]:
    """What the first section of the report needs besides the tables."""
    summary = analysis.tables["summary_of_findings"].fillna({"certainty": "", "evidence": "", "instrument": ""})
    by_drug, mapped = [], analysis.tables["evidence_map"]
    for drug, own in summary.groupby("drug", sort=False):
        first = own.iloc[0]
        quantities = {row["quantity"]: row for row in own.to_dict("records")}
        scale = next((str(i) for i in own["instrument"] if i), "")
        by_drug.append(
            {"drug": drug, "instrument": scale, "quantities": quantities}
            | first[["therapy", "trials", "people"]].to_dict()
        )
    return {
        "assumptions": assumptions(analysis.tables["what_if"], analysis.tables["summary_of_findings"]),
        "opening": opening_sentence(summary), "summary": by_drug, "quantities": QUANTITIES, "explained": EXPLAINED,
        "certainty_rule": RULE, "not_known": analysis.tables["not_known"].to_dict("records"),
        "asked": analysis.tables["questions"].to_dict("records"),
        "scale_notes": scale_notes(analysis.tables["rows"], evidence), "counts": counts_by_section(analysis.tables["trial_counts"]),
        "trial_map": map_context(mapped), "cards": trial_cards(mapped, evidence, analysis.rows, analysis.tables["trials_one_by_one"]),
        "specifications": specification_curves(analysis.tables["multiverse"]),
        "chances": assurance_lines(analysis.tables["next_trial"], analysis.tables["next_trial_sizes"])
        if "next_trial_sizes" in analysis.tables else [],
    } | explorer_context(analysis.tables["trials_one_by_one"])  # fmt: skip


STOPS = {
    "belief": {0.0: "none, as in the headline", 0.25: "a quarter", 0.5: "half", 0.75: "three quarters", 1.0: "all: belief held equal"},
    "experience": {0.0: "none: a bystander", 0.5: "half", 1.0: "all"},
}  # fmt: skip
AS_ESTIMATED = "as estimated"
NOTES = {
    "belief": "None: the drug with its unblinding. Few trials asked what people believed; for the others it is borrowed.",
    "experience": "Fits of all kinds of evidence together (below), with the share held fixed.",
}


def assumptions(table: pd.DataFrame, summary: pd.DataFrame) -> list[dict[str, object]]:
    """The stops of each slider with their sentence and their cells; the first stop is what the first table shows."""
    table = table.fillna({"evidence": "", "instrument": ""})
    said = what_if_words(table, summary)
    out = []
    for assumption, own in table.groupby("assumption", sort=False):
        stops = []
        if assumption == "experience":
            as_is = summary[summary["quantity"] == "experience"].fillna({"evidence": "", "instrument": ""})
            stops.append({"name": AS_ESTIMATED, "says": "", "quantities": _cells(as_is)})
        for share, here in own.groupby("share"):
            name = STOPS[str(assumption)].get(float(share), f"{100 * float(share):.0f} %")
            stops.append(
                {"name": name, "says": said.get((str(assumption), float(share)), ""), "quantities": _cells(here)}
            )
        named = {"name": assumption, "question": ASSUMPTIONS[str(assumption)], "note": NOTES[str(assumption)]}
        out.append(named | {"stops": stops})
    return out


def _cells(rows: pd.DataFrame) -> list[dict[str, object]]:
    """A record per quantity with its row by drug."""
    by_quantity = rows.groupby("quantity", sort=False)
    return [{"key": q, "drugs": {r["drug"]: r for r in own.to_dict("records")}} for q, own in by_quantity]


def scale_notes(rows: pd.DataFrame, evidence: Evidence) -> list[str]:
    """What one reference SD is in points of each scale shown, and what it was pooled over."""
    scales = clinical_scales(rows, evidence)
    scales = scales[scales["instrument"] != ""].drop_duplicates("instrument")
    return [
        f"{r.sd:.1f} points of the {r.instrument}"
        + (f" (end-point SD of {r.sd_arms:.0f} arms, {r.sd_people:.0f} people)" if r.sd_people > 0 else "")
        for r in scales.sort_values("instrument", ascending=False).itertuples()
    ]


def counts_by_section(table: pd.DataFrame) -> list[dict[str, object]]:
    """Trials by section and drug, a record per section."""
    out = []
    for section, own in table.fillna("").groupby("section", sort=False):
        named = [
            f"{sign} {names} ({drug})"
            for drug, without, besides in zip(own["drug"], own["without"], own["besides"], strict=True)
            for sign, names in (("without", without), ("with", besides))
            if names
        ]
        counted = dict(zip(own["drug"], own["trials"], strict=True))
        out.append({"section": section, "trials": counted, "counts": own["counts"].iloc[0], "named": "; ".join(named)})
    return out
