"""The commands for the evidence tables: what they hold, a trial added, what changed, the years, and the formats of others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pillprocess.output.printing import print_tables, print_text

if TYPE_CHECKING:
    import pandas as pd

Form = Literal["metafor", "metapsy", "frictionless"]  # as in interchange.exchange, which imports pandas
Source = Literal["metafor", "metapsy", "frictionless", "revman"]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the tables as JSON, for scripts; implies --quiet.")]


def evidence(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of evidence tables; the embedded ones by default.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Print what the evidence tables hold, every problem (exit status 1 if there is any) and every open question."""
    from pillprocess.evidence.edition import edition_of
    from pillprocess.evidence.questions import describe_question
    from pillprocess.evidence.tables import EvidenceError, evidence_and_questions, evidence_counts

    tables, asked = evidence_and_questions(folder)
    waiting = asked[asked["answer"] == ""]
    if isinstance(tables, EvidenceError):
        for row in waiting.to_dict("records"):
            typer.echo(describe_question(row))
        raise tables
    if json:
        edition = edition_of(tables)._asdict()
        print_tables({"counts": evidence_counts(tables), "questions": asked, "checksum": tables.checksum, **edition})
        return
    print_text(evidence_counts(tables).to_string(index=False))
    for row in waiting.to_dict("records"):
        typer.echo(describe_question(row))
    if len(waiting):
        typer.echo(
            f"{len(waiting)} open question{'s' if len(waiting) > 1 else ''}: mend the figure, or name it in a row of doubts.csv"
            " (trial_id, doubt, effect, source) once the source was seen."
        )
    answered = f" {len(asked) - len(waiting)} questions answered in doubts.csv." if len(asked) > len(waiting) else ""
    print_text(f"Evidence: {edition_of(tables)}.")
    typer.echo(f"No problems.{answered} Checksum {tables.checksum}")


def add(
    file: Annotated[Path | None, typer.Argument(help="TOML with the trial; left out, an example is printed.")] = None,
    folder: Annotated[Path, typer.Argument(help="Folder of evidence tables to add it to; a new one is made.")] = Path(
        "evidence"
    ),
) -> None:
    """Add a trial to a folder of evidence tables, or print every problem of it; what follows from the figures is filled."""
    from pillprocess.evidence.add import EXAMPLE, add_trial
    from pillprocess.evidence.questions import describe_question

    if file is None:
        print_text(EXAMPLE)
        return
    asked = add_trial(file, folder)
    for row in asked.to_dict("records"):
        typer.echo(describe_question(row))
    typer.echo(f"Added to {folder}; open questions: {len(asked)}.")


def diff(
    old: Annotated[Path, typer.Argument(help="Folder of evidence tables.")],
    new: Annotated[Path | None, typer.Argument(help="Another; the embedded evidence by default.")] = None,
    cumulative: Annotated[bool, typer.Option(help="Also follow the headline through the years, in NEW.")] = False,
    json: JsonOption = False,
) -> None:
    """Print the rows and cells in which two evidence bases differ, and what that does to each headline, in closed form."""
    from pillprocess.evidence.edition import edition_of
    from pillprocess.evidence.tables import load_evidence
    from pillprocess.review.diff import evidence_changes, headline_changes

    before, after = load_evidence(old), load_evidence(new)
    tables = {"changes": evidence_changes(before, after), "headline": headline_changes(before, after)}
    if cumulative:
        from pillprocess.review.cumulative import cumulative as follow

        tables["cumulative"] = follow(after)
    editions = {"old": str(edition_of(before)), "new": str(edition_of(after))}
    if json:
        print_tables({**tables, **{f"{name}_edition": text for name, text in editions.items()}})
        return
    print_text(f"Old: {editions['old']}. New: {editions['new']}.")
    counts = tables["changes"].groupby(["file", "change"]).size()
    print_text("\n".join(f"{file}: {n} {word}" for (file, word), n in counts.items()) or "The tables are the same.")
    if len(tables["changes"]):
        print_text(tables["changes"].head(40).to_string(index=False, max_colwidth=60))
    print_text(
        "Drug effect at the reference dose, without (0) and with (1) therapy; moved: in SDs of the old posterior"
    )
    print_text(tables["headline"].to_string(index=False, float_format=lambda x: f"{x:.3f}", na_rep="-"))
    if cumulative:
        _print_cumulative(tables["cumulative"])


def cumulative(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of evidence tables; the embedded ones by default.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw it, to this file as SVG and as PNG.")] = None,
    json: JsonOption = False,
) -> None:
    """Print each drug's effect as its trials came in: the prior, and the posterior after the trials of each year, in closed form."""
    from pillprocess.evidence.tables import load_evidence
    from pillprocess.review.cumulative import cumulative as follow

    table = follow(load_evidence(folder))
    if figure is not None:
        from pillprocess.output.visual_style import save_figure
        from pillprocess.review.plot_cumulative import plot_cumulative

        save_figure(plot_cumulative(table, title="Each drug's effect as its trials came in"), figure)
    if json:
        print_tables({"cumulative": table})
        return
    _print_cumulative(table)


def export(
    out: Annotated[Path, typer.Argument(help="File to write; for frictionless a new folder.")],
    to: Annotated[Form, typer.Option(help="metafor: escalc's columns; metapsy; frictionless: a data package.")],
    evidence: Annotated[
        Path | None, typer.Option(help="Folder of evidence tables; the embedded ones by default.")
    ] = None,
) -> None:
    """Write the evidence in another format, and say what that format cannot hold."""
    from pillprocess.evidence.tables import load_evidence
    from pillprocess.interchange.exchange import export_evidence

    for sentence in export_evidence(load_evidence(evidence), out, to=to):
        print_text(f"Left out: {sentence}")
    print_text(f"Written: {out}")


def import_tables(
    source: Annotated[Path, typer.Argument(help="The file; for frictionless its datapackage.json or folder.")],
    folder: Annotated[Path, typer.Argument(help="Folder for the tables, new or without these tables.")],
    form: Annotated[Source, typer.Option("--from", help="Its format; revman: a Cochrane review's data rows.")],
    answers: Annotated[
        Path | None, typer.Option(help="TOML with what the file does not say: [set], [arm.NAME], [word.COLUMN].")
    ] = None,
) -> None:
    """Read another format into a folder of evidence tables, or print every problem of it and what it does not say."""
    from pillprocess.evidence.questions import describe_question
    from pillprocess.interchange.exchange import import_evidence

    asked, left = import_evidence(source, folder, form=form, answers=answers)
    for sentence in left:
        print_text(f"Not read: {sentence}")
    for row in asked.to_dict("records"):
        print_text(describe_question(row))
    print_text(f"Written to {folder}; open questions: {len(asked)}.")


def _print_cumulative(table: "pd.DataFrame") -> None:
    """The table of sequential updating without the names of trials, and what entered out of its order."""
    print_text("The headline after the trials of each year; no year: the prior, before the first trial")
    print_text(table.drop(columns="added").to_string(index=False, float_format=lambda x: f"{x:.3f}", na_rep=""))
    if lacking := table.attrs["without_year"]:
        print_text(f"Without a year in trials.csv, so taken with the newest: {', '.join(lacking)}")
