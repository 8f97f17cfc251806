"""The commands for a trial's own people, inspect and mediate: a thin reading of `run_inspect` and `run_mediate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from pillprocess.trial.option_values import Family, mediator_level, named_values, varying_paths

if TYPE_CHECKING:
    from pillprocess.mediation.choices import Of

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
    outcomes: Annotated[
        list[str] | None,
        typer.Option(
            help="Outcome's column at a visit and its time, madrs_6=6; once for each of several visits, in place of --outcome.",
            rich_help_panel=COLUMNS,
        ),
    ] = None,
    period: Annotated[
        str | None,
        typer.Option(help="Column of a crossover's period; its people are named by --id.", rich_help_panel=COLUMNS),
    ] = None,
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
    event: Annotated[
        str | None,
        typer.Option(
            help="Where the outcome is a time: column of 1 where the event happened then, 0 where follow-up ended.",
            rich_help_panel=COLUMNS,
        ),
    ] = None,
    participant: Annotated[
        str | None, typer.Option("--id", help="Column that names the participant.", rich_help_panel=COLUMNS)
    ] = None,
    trial: Annotated[
        str | None, typer.Option(help="Column that names the trial, for several trials.", rich_help_panel=COLUMNS)
    ] = None,
    cluster: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of clusters (site, therapist), larger ones first; may be repeated.", rich_help_panel=COLUMNS
        ),
    ] = None,
    treatment_moderator: Annotated[
        list[str] | None,
        typer.Option(
            help="Baseline or covariate on which the effects of treatment depend; may be repeated.",
            rich_help_panel=COLUMNS,
        ),
    ] = None,
    mediator_moderator: Annotated[
        list[str] | None,
        typer.Option(
            help="Baseline or covariate on which the mediator's slope depends; may be repeated.",
            rich_help_panel=COLUMNS,
        ),
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
    treatment_kind: Annotated[
        Literal["arms", "dose"] | None,
        typer.Option(help="arms (default), or dose: a number that acts linearly.", rich_help_panel=ROWS),
    ] = None,
    cluster_labels: Annotated[
        Literal["unique", "within"] | None,
        typer.Option(
            help="A label that stands in several larger clusters is one everywhere (unique), or another in each (within).",
            rich_help_panel=ROWS,
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
    course: Annotated[
        list[str] | None,
        typer.Option(help="Mediator measured in every session: one of its columns; repeat.", rich_help_panel=MODEL),
    ] = None,
    family_mediator: Annotated[
        Family, typer.Option(help="Distribution of the mediator.", rich_help_panel=MODEL)
    ] = "gaussian",
    family_outcome: Annotated[
        Family, typer.Option(help="Distribution of the outcome.", rich_help_panel=MODEL)
    ] = "gaussian",
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="Path that differs between clusters, a, b or c, or of one kind of them, therapist=a; may be repeated.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    sd_by_arm: Annotated[
        bool, typer.Option("--sd-by-arm", help="Let the mediator's SD differ between arms.", rich_help_panel=MODEL)
    ] = False,
    floor_mediator: Annotated[
        float | None,
        typer.Option(
            "--floor-mediator",
            help="Lowest score of the mediator, where people sit on it: they have it or less.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    m: Annotated[
        list[str] | None,
        typer.Option(
            "--m",
            help="Mediator's value for cde: a number, or MEDIATOR=NUMBER for each; 0 by default.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            help="COVARIATE=NUMBER at which effects are computed; averaged by default; may be repeated.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    scale: Annotated[
        Literal["difference", "log_odds_ratio", "log_risk_ratio", "log_rate_ratio", "log_time_ratio"],
        typer.Option(
            help="Scale of the effects; odds and risk ratios for a binary outcome, rate ratios for a count, time ratios.",
            rich_help_panel=MODEL,
        ),
    ] = "difference",
    of: Annotated[
        list[str] | None,
        typer.Option(
            "--of",
            help="Compared instead of the mean: at_least=NUMBER (ordinal, counts); free_at=TIME or up_to=TIME (time to an event).",
            rich_help_panel=MODEL,
        ),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            help="A prior of the model, such as prior_b_sd=0.3, in SD units; may be repeated.", rich_help_panel=MODEL
        ),
    ] = None,
    draws: Annotated[int, typer.Option(help="Draws per chain, of 4.", min=100, rich_help_panel=RUN)] = 2000,
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
        outcomes=outcomes or (), period=period,
        mediators=mediator or (), guess=guess, guess_timing=guess_timing, reference=reference, active=active, baseline=baseline,
        trial=trial, covariates=covariate or (), id=participant, mediator_time=mediator_time, outcome_time=outcome_time,
        higher_is_worse=None if higher_is_better is None else not higher_is_better, randomised=randomised,
        single_arm=single_arm, incomplete=incomplete, treatment_kind=treatment_kind, clusters=cluster or (),
        cluster_labels=cluster_labels, treatment_moderators=treatment_moderator or (), mediator_moderators=mediator_moderator or (),
        event=event, course=course or (),
    )  # fmt: skip
    levels = mediator_level(m or [])
    paths = varying_paths(vary or [])
    chosen = named_values(at or [], "--at")
    priors = named_values(prior or [], "--prior")
    compared = cast("Of | None", named_values(of or [], "--of") or None)
    if check:
        for sentence in check_trial(
            choices, family_mediator=family_mediator, family_outcome=family_outcome, order=order, vary=paths, m=levels, at=chosen,
            scale=scale, of=compared, sd_by_arm=sd_by_arm, floor_mediator=floor_mediator,
        ):  # fmt: skip
            typer.echo(sentence)
        return
    report = run_mediate(
        choices, interaction=interaction, family_mediator=family_mediator, family_outcome=family_outcome, order=order, vary=paths,
        priors=priors, m=levels, at=chosen, scale=scale, of=compared, sd_by_arm=sd_by_arm,
        floor_mediator=floor_mediator, out=out, seed=seed, draws=draws, progress=not quiet,
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
