"""The commands for a trial's own people, inspect and mediate: a thin reading of `run_inspect` and `run_mediate`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Family = Literal["gaussian", "probit", "logit", "student_t"]  # as in mediation.choices, which imports NumPy
COLUMNS, FILE, ROWS, MODEL, RUN = "Columns", "The file", "Rows and arms", "Model", "The run"
"""Topics of the help."""

Visit = Annotated[str | None, typer.Option(help="Column of the visit, where a row is a visit.", rich_help_panel=FILE)]
Person = Annotated[str | None, typer.Option(help="Column of the person, where a row is a visit.", rich_help_panel=FILE)]


def mediate(
    source: Annotated[
        Path,
        typer.Argument(help="The trial's file: CSV, Excel, SPSS, Stata, SAS or Parquet; a row per person or visit."),
    ],
    codebook: Annotated[
        Path | None,
        typer.Option(
            help="Codebook that inspect drafts: roles, codes, answers. Options go before it.", rich_help_panel=FILE
        ),
    ] = None,
    visit: Visit = None,
    person: Person = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Read and check, say what was understood, and fit nothing.", rich_help_panel=FILE),
    ] = False,
    treatment: Annotated[str | None, typer.Option(help="Column of the arms.", rich_help_panel=COLUMNS)] = None,
    outcome: Annotated[str | None, typer.Option(help="Column of the outcome.", rich_help_panel=COLUMNS)] = None,
    mediator: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of a mediator; may be given several times, or left out with --guess.", rich_help_panel=COLUMNS
        ),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Column of the outcome before treatment.", rich_help_panel=COLUMNS)
    ] = None,
    covariate: Annotated[
        list[str] | None,
        typer.Option(help="Column measured before treatment; may be repeated.", rich_help_panel=COLUMNS),
    ] = None,
    guess: Annotated[
        str | None,
        typer.Option(
            help="Column of a treatment guess: labels of arms, 0/1, don't know; or of an expectation.",
            rich_help_panel=COLUMNS,
        ),
    ] = None,
    guess_timing: Annotated[
        Literal["pre_dose", "post_dose", "endpoint"] | None,
        typer.Option(
            help="When it was measured; a guess after dosing is a mediator, an expectation before it a moderator.",
            rich_help_panel=COLUMNS,
        ),
    ] = None,
    participant: Annotated[
        str | None, typer.Option("--id", help="Column that names the participant.", rich_help_panel=COLUMNS)
    ] = None,
    trial: Annotated[
        str | None, typer.Option(help="Column that names the trial, for several trials.", rich_help_panel=COLUMNS)
    ] = None,
    mediator_time: Annotated[
        str | None,
        typer.Option(
            help="When the mediator was measured, since dosing: a number, 'week 6', or a column of them or of dates.",
            rich_help_panel=COLUMNS,
        ),
    ] = None,
    outcome_time: Annotated[
        str | None, typer.Option(help="When the outcome was measured, likewise.", rich_help_panel=COLUMNS)
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="The arm the others are compared with.", rich_help_panel=ROWS)
    ] = None,
    active: Annotated[
        str | None, typer.Option(help="The one arm to compare; every other arm by default.", rich_help_panel=ROWS)
    ] = None,
    single_arm: Annotated[
        Literal["set_aside", "keep"] | None,
        typer.Option(
            help="Trials with one arm: set_aside (default), or keep them for the mediator's path.", rich_help_panel=ROWS
        ),
    ] = None,
    incomplete: Annotated[
        Literal["error", "set_aside"] | None,
        typer.Option(
            help="Rows with a blank covariate: error (default), or set_aside and list them.", rich_help_panel=ROWS
        ),
    ] = None,
    randomised: Annotated[
        bool | None,
        typer.Option(
            "--randomised/--observational",
            help="Whether treatment was randomised; the words follow.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    higher_is_better: Annotated[
        bool | None,
        typer.Option(
            "--higher-is-better/--higher-is-worse",
            help="Direction of the outcome; asked about where its name says better.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    interaction: Annotated[
        bool, typer.Option(help="Let the mediator act differently under treatment.", rich_help_panel=MODEL)
    ] = True,
    order: Annotated[
        list[str] | None,
        typer.Option(
            help="The mediators, causes first; parallel by default. Repeat per mediator.", rich_help_panel=MODEL
        ),
    ] = None,
    family_mediator: Annotated[
        Family, typer.Option(help="Distribution of the mediator.", rich_help_panel=MODEL)
    ] = "gaussian",
    family_outcome: Annotated[
        Family, typer.Option(help="Distribution of the outcome.", rich_help_panel=MODEL)
    ] = "gaussian",
    out: Annotated[Path, typer.Option(help="Folder for the results.", rich_help_panel=RUN)] = Path("mediation"),
    seed: Annotated[int, typer.Option(help="Seed of every draw.", min=0, rich_help_panel=RUN)] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress display.", rich_help_panel=RUN)] = False,
) -> None:
    """Analyse mediation and belief in your own participants and write tables, figures, posterior and an AGReMA report."""
    from pillprocess.trial.choices import TrialChoices
    from pillprocess.trial.inspection import check_trial
    from pillprocess.trial.run import run_mediate

    choices = TrialChoices(
        source=source, codebook=codebook, visit=visit, person=person, treatment=treatment, outcome=outcome,
        mediators=mediator or (), guess=guess, guess_timing=guess_timing, reference=reference, active=active, baseline=baseline,
        trial=trial, covariates=covariate or (), id=participant, mediator_time=mediator_time, outcome_time=outcome_time,
        higher_is_worse=None if higher_is_better is None else not higher_is_better, randomised=randomised,
        single_arm=single_arm, incomplete=incomplete,
    )  # fmt: skip
    if check:
        for sentence in check_trial(
            choices, family_mediator=family_mediator, family_outcome=family_outcome, order=order
        ):
            typer.echo(sentence)
        return
    report = run_mediate(
        choices, interaction=interaction, family_mediator=family_mediator, family_outcome=family_outcome, order=order, out=out,
        seed=seed, progress=not quiet,
    )  # fmt: skip
    typer.echo(f"Report: {report}")


def inspect(
    source: Annotated[Path, typer.Argument(help="The trial's file: CSV, Excel, SPSS, Stata, SAS or Parquet.")],
    out: Annotated[
        Path | None, typer.Option(help="Codebook to write; by default in the working folder, under the trial's name.")
    ] = None,
    visit: Visit = None,
    person: Person = None,
) -> None:
    """Print one line per column of a trial's file and draft the codebook that mediate --codebook uses."""
    from pillprocess.trial.inspection import run_inspect

    lines, written = run_inspect(source, out=out, visit=visit, person=person)
    for line in lines:
        typer.echo(line)
    typer.echo(f"Codebook: {written}; complete it, then: pillprocess mediate {source} --codebook {written} --check")
