"""The command that plans a trial."""

from pathlib import Path
from typing import Annotated

import typer

from pillprocess.output.printing import print_tables, print_text

SHOWN = ("design", "estimand", "n_80", "n_90", "at_largest", "limit")


def design(
    designs: Annotated[
        Path | None,
        typer.Argument(help="CSV of candidate trials, a line per arm; by default those the review asks for."),
    ] = None,
    estimand: Annotated[
        list[str] | None,
        typer.Option(
            help="What is asked: drug, therapy, drug:therapy, expectancy, experience, therapy_type, waitlist, mediated or accounts; "
            "several times for several."
        ),
    ] = None,
    drug: Annotated[str, typer.Option(help="Drug of the review's designs, where no file is given.")] = "psilocybin",
    people: Annotated[float, typer.Option(help="People in all at which designs are ranked.", min=4)] = 200.0,
    out: Annotated[Path | None, typer.Option(help="Folder for the report, its figures and tables.")] = None,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", help="Folder of evidence tables; the embedded ones by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated results.", min=0)] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress display.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the tables as JSON, for scripts; implies --quiet.")
    ] = False,
) -> None:
    """Say what candidate trials would teach and how large they must be: sizes for 80 and 90 %, a ranking, a page for a committee."""
    from pillprocess.planning.run import run_design
    from pillprocess.review.run import steps

    with steps(not (quiet or json)) as step:
        tables, sentences, report = run_design(
            designs, drug=drug, estimands=estimand, people=people, out=out, evidence=evidence, seed=seed, step=step
        )
    if json:
        print_tables(
            {name: table for name, table in tables.items() if name != "information"} | {"answers": "\n".join(sentences)}
        )
        return
    for sentence in sentences:
        print_text(sentence)
    if len(tables["sizes"]):
        print_text(
            "People per arm for a chance of 80 and 90 %, the chance at the largest size, and with a trial without end"
        )
        print_text(
            tables["sizes"][list(SHOWN)].to_string(
                index=False, float_format=lambda x: f"{x:.2f}".removesuffix(".00"), na_rep="-"
            )
        )
        ranked = tables["ranking"].drop(columns=["assurance_low", "assurance_high"]).dropna(axis="columns", how="all")
        print_text(f"Ranked by what {people:g} people in all would teach")
        print_text(ranked.to_string(index=False, float_format=lambda x: f"{x:.2f}", na_rep="-"))
    if report is not None:
        print_text(f"Report: {report}")
