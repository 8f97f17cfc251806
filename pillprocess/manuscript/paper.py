"""The whole paper from a results folder, as blocks: methods, results, the review's claims, limitations, checklists, references."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pillprocess.evidence.tables import Evidence, load_evidence
from pillprocess.findings.limitations import limitations
from pillprocess.findings.summary import read_results
from pillprocess.manuscript.document import Block, Heading, Items, Open, Table, Text, minus, table
from pillprocess.manuscript.methods import methods
from pillprocess.manuscript.results import results

GUIDELINES = {
    "PRISMA-NMA": "PRISMA for network meta-analyses (Hutton et al. 2015, doi:10.7326/M14-2385)",
    "BARG": "BARG, for Bayesian analyses (Kruschke 2021, doi:10.1038/s41562-021-01177-7)",
    "AGReMA": "AGReMA, for mediation analyses (Lee et al. 2021, doi:10.1001/jama.2021.14075)",
}
REVIEW = "Torrado Pacheco A, Moghaddam B. J Clin Invest 2024;134(12):e180217, doi:10.1172/JCI180217, CC BY 4.0"


def paper(folder: Path, evidence: Evidence | None = None, run: Mapping[str, object] | None = None) -> list[Block]:
    """Write the paper of a results folder.

    Parameters
    ----------
    folder
        What ``pillprocess reproduce`` wrote.
    evidence
        The evidence it was made from; the embedded evidence by default.
    run
        What its ``run.json`` holds, or will hold; read by default.

    Returns
    -------
    Blocks in the order of the paper.

    Raises
    ------
    FileNotFoundError
        The folder has no ``tables``.
    ValueError
        The results were made from other evidence, or by a version that did not write the tables a paper needs.
    """
    tables = read_results(folder)
    lacking = sorted({"summary_of_findings", "claims", "reporting_record", "ledger", "shares"} - set(tables))
    if lacking:
        raise ValueError(f"{folder} lacks the tables {', '.join(lacking)}: run pillprocess reproduce anew")
    if run is None:
        file = folder / "run.json"
        run = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    evidence = load_evidence() if evidence is None else evidence
    made_from = run.get("data_checksum", evidence.checksum)
    if made_from != evidence.checksum:
        raise ValueError(
            f"{folder} was made from other evidence (checksum {str(made_from)[:12]}) than {evidence.folder} (checksum "
            f"{evidence.checksum[:12]}); give the evidence it was made from, or run pillprocess reproduce anew"
        )
    return assemble(tables, folder / "figures", evidence, run)


def assemble(
    tables: Mapping[str, pd.DataFrame], figures: Path, evidence: Evidence, run: Mapping[str, object]
) -> list[Block]:
    """Put the sections together; as :func:`paper`, from what it reads."""
    drugs = list(dict.fromkeys(tables["summary_of_findings"]["drug"]))
    versions = run.get("versions", {})
    named = ", ".join(f"{k} {v}" for k, v in versions.items() if " " not in k) if isinstance(versions, Mapping) else ""
    return [
        Heading(0, f"The pill and the process: a Bayesian component network meta-analysis of {', '.join(drugs)}"),
        Open(
            "a draft filled from the fits. Every number is that of a table of the results folder; what stands in brackets like this one is "
            "yours to write. Background, discussion, funding, conflicts of interest and ethics are not here."
        ),
        *methods(tables, evidence, run), *results(tables, figures),
        Heading(1, "The review, claim by claim"),
        Text(f"The claims of the review this analysis answers to ({REVIEW}), in short, and what these trials say of each."),
        _claims(tables["claims"]),
        Heading(1, "Limitations"), Items(tuple(limitations(tables, evidence))),
        Heading(1, "Checklists"),
        Text("Each item in short words, the section of report.html that answers it, and how; else whether it is for the authors."),
        *_checklists(tables["reporting_record"]),
        Heading(1, "Data and code"), Text(f"{f'{named}. ' if named else ''}Evidence checksum (SHA-256) {evidence.checksum}."),
        Heading(1, "Trials in the headline model"), Items(tuple(_references(tables["rows"], evidence))),
    ]  # fmt: skip


def _claims(claims: pd.DataFrame) -> Table:
    said = claims.assign(references=claims["references"].astype(str).replace("nan", "").str.replace(";", ", "))
    columns = {"The review says": "says", "Its references": "references", "Trials": "trials", "These trials say": "estimate",
               "What identifies it": "identified_by", "How sure": "certainty"}  # fmt: skip
    made = table(said, "Claim by claim.", columns)
    return made._replace(rows=tuple(tuple(minus(cell) for cell in row) for row in made.rows))


def _checklists(record: pd.DataFrame) -> list[Block]:
    record = record.reindex(columns=["guideline", "item", "asks", "section", "record", "open"]).fillna("")
    record["record"] = [minus(r.record) or (r.open or "not done, or for the authors") for r in record.itertuples()]
    return [
        table(record[record["guideline"] == name], f"{words}.", {"#Item": "item", "Asks": "asks", "Report": "section", "Record": "record"})
        for name, words in GUIDELINES.items()
        if (record["guideline"] == name).any()
    ]  # fmt: skip


def _references(rows: pd.DataFrame, evidence: Evidence) -> list[str]:
    """Each trial's citation with its DOI, or the first address its figures were read at."""
    trials = evidence.trials.set_index("trial_id")
    out = []
    for trial in sorted(set(rows["trial"])):
        if trial not in trials.index:
            out.append(str(trial))
            continue
        row = trials.loc[trial]
        where = f"doi:{row['doi']}" if pd.notna(row["doi"]) and row["doi"] else str(row["source_url"]).split(" ; ")[0]
        cited = f"{row['citation']}. " if pd.notna(row["citation"]) and row["citation"] else ""
        out.append(f"{trial}: {cited}{where}")
    return out
