"""The command line: a thin reading of the Python functions.

Exit status: 0 done; 1 the evidence has problems, the fit did not converge, or a choice is not possible; 2 wrong usage.
"""

import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Annotated, Literal

import typer

from pillprocess.output.help_topics import ByTopic
from pillprocess.output.printing import print_tables, print_text
from pillprocess.output.requirements import unmet_requirements
from pillprocess.output.text import printable
from pillprocess.review.command import add, cumulative, diff, evidence, export, import_tables
from pillprocess.review.plan_command import design
from pillprocess.trial.command import inspect, mediate

app = typer.Typer(
    no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    epilog="Exit status: 0 done; 1 the data, the fit or a choice does not allow it (one message says why); 2 wrong usage.",
    help="Bayesian hierarchical models of the pill and the process in trials of psilocybin, LSD, MDMA, ketamine and esketamine.",
)  # fmt: skip

USERS_TO_MEND = (ValueError, RuntimeError, OSError, ArithmeticError, MemoryError, ImportError)
Calibrated = Literal[  # as in calibration.ranks.MODELS, which imports NumPy
    "decomposition", "decomposition-sampler", "mediation", "mediation-trials", "mediation-binary", "mediation-visits",
    "mediation-clusters", "mediation-crossover", "mediation-outcomes", "unblinding", "synthesis", "time-course", "power",
]  # fmt: skip
EvidenceOption = Annotated[
    Path | None, typer.Option("--evidence", help="Folder of evidence tables; the embedded ones by default.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="No progress display.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the tables as JSON, for scripts; implies --quiet.")]


def main() -> None:
    """Run the command line; problems the user can mend end in one message and exit status 1.

    Linear algebra has one thread unless the environment says otherwise: on small matrices several wait for each other, for up to
    hundreds of times one's processor time where the machine is busy, and the last digits depend on their number.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # so that a terminated run tidies up like an interrupted one
    warnings.showwarning = lambda message, *_, **__: _say(str(message))
    try:
        try:
            app()
        finally:
            _flush()
    except KeyboardInterrupt:  # after the command has let go of it, where nothing else turns it into an exit status
        raise SystemExit(130) from None
    except USERS_TO_MEND as error:
        _say(_in_words(error))
        raise SystemExit(1) from None
    except Exception:
        if not (wanted := unmet_requirements()):
            raise
        _say("; ".join(wanted))
        raise SystemExit(1) from None


def _in_words(error: Exception) -> str:
    """One message for an error; for a package that cannot be loaded, the version that is wanted."""
    if isinstance(error, ImportError):
        broken = (
            f"{error}; a package is installed but cannot be loaded, so install it again: pip install --force-reinstall"
        )
        return "; ".join(unmet_requirements()) or f"{broken} {(error.name or 'pillprocess').partition('.')[0]}"
    return str(error) or type(error).__name__


def _flush() -> None:
    """Write out what was printed while an error can still be told: a full disk, a closed pipe."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _say(message: str) -> None:
    typer.echo(f"pillprocess: {printable(message)}", err=True)


def _version(value: bool) -> None:
    if value:
        from pillprocess import __version__

        typer.echo(f"pillprocess {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for command in (evidence, add, diff, cumulative, export, design):
    app.command()(command)
app.command("import")(import_tables)


@app.command()
def reproduce(
    what: Annotated[
        str,
        typer.Argument(
            help="decomposition: the whole analysis; mediation, expectancy: published analyses, reproduced."
        ),
    ] = "decomposition",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("results"),
    seed: Annotated[int, typer.Option(help="Seed of every draw.", min=0)] = 1,
    evidence: EvidenceOption = None,
    data: Annotated[
        Path | None,
        typer.Option(help="mediation, expectancy: folder that holds the public data files; fetched by default."),
    ] = None,
    synthesis: Annotated[
        bool, typer.Option(help="Join every kind of evidence too; without it the run takes a fifth of the time.")
    ] = True,
    fresh: Annotated[bool, typer.Option("--fresh", help="Draw everything again, also what earlier runs kept.")] = False,
    docx: Annotated[bool, typer.Option("--docx", help="Also write methods and results as OUT/paper.docx.")] = False,
    tex: Annotated[bool, typer.Option("--tex", help="Also write them as OUT/paper.tex, for LaTeX.")] = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Run the whole analysis and write tables, figures, posterior and report.html; or reproduce published analyses."""
    from pillprocess.review.run import run_published, run_reproduce, run_tables

    if what == "decomposition":
        report = run_reproduce(
            out,
            seed=seed,
            evidence=evidence,
            progress=not (quiet or json),
            synthesis=synthesis,
            fresh=fresh,
            papers=("paper.docx",) * docx + ("paper.tex",) * tex,
        )
        if json:
            print_tables(run_tables(report.parent) | {"report": str(report)})
        else:
            print_text(f"Report: {report}")
        return
    table = run_published(what, data=data, seed=seed, progress=not (quiet or json))
    if json:
        print_tables({"published": table})
        return
    print_text(table.to_string(index=False, float_format=lambda x: f"{x:.4f}", na_rep=""))


@app.command()
def paper(
    results: Annotated[Path, typer.Argument(help="Folder that pillprocess reproduce wrote; nothing is fitted again.")],
    files: Annotated[list[Path], typer.Argument(help="What to write, by its ending: .docx, .tex, or both.")],
    evidence: EvidenceOption = None,
) -> None:
    """Write methods, results and checklists for a word processor or LaTeX, filled from a results folder."""
    from pillprocess.evidence.tables import load_evidence
    from pillprocess.manuscript.writing import check_papers, write_papers

    check_papers(files)
    for file in write_papers(files, results, evidence=load_evidence(evidence)):
        print_text(f"Paper: {file}")


app.command(cls=ByTopic)(mediate)
app.command()(inspect)


@app.command()
def decompose(
    terms: Annotated[
        str, typer.Option(help="Terms, comma separated, or the name of a hypothesis such as pill or pill_and_process.")
    ] = "headline",
    baseline: Annotated[
        str, typer.Option(help="exchangeable, or free: only within-trial contrasts speak.")
    ] = "exchangeable",
    construct: Annotated[list[str] | None, typer.Option(help="Outcome construct; may be given several times.")] = None,
    therapy_types: Annotated[
        bool, typer.Option("--therapy-types", help="Also print the effect of every type of therapy.")
    ] = False,
    day: Annotated[
        float | None, typer.Option(help="Also print the drug effects this many days after the last dose.", min=0)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draws.", min=0)] = 1,
    evidence: EvidenceOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Fit one decomposition in closed form and print its terms and drug effects."""
    from pillprocess.review.run import run_decompose

    chosen = tuple(construct) if construct else None
    progress = not (quiet or json)
    tables = run_decompose(
        terms,
        baseline=baseline,
        constructs=chosen,
        seed=seed,
        evidence=evidence,
        progress=progress,
        types=therapy_types,
        day=day,
    )
    if json:
        print_tables({name: table for name, (_, table) in tables.items()})
        return
    for heading, table in tables.values():
        print_text(heading)
        print_text(table.to_string(index=False, float_format=lambda x: f"{x:.3f}"))
        typer.echo("")


@app.command()
def compare(
    unit: Annotated[
        str, typer.Option(help="What is left out: trial, contrast (given the control arm) or arm.")
    ] = "trial",
    construct: Annotated[list[str] | None, typer.Option(help="Outcome construct; may be given several times.")] = None,
    baseline: Annotated[
        str, typer.Option(help="exchangeable, or free: only within-trial contrasts speak.")
    ] = "exchangeable",
    evidence: EvidenceOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Compare the review's hypotheses by exact leave-one-trial-out prediction and print what it decides."""
    from pillprocess.review.run import run_compare

    chosen = tuple(construct) if construct else None
    progress = not (quiet or json)
    table, note = run_compare(unit, constructs=chosen, baseline=baseline, evidence=evidence, progress=progress)
    if json:
        print_tables({"hypotheses": table, "note": note})
        return
    print_text(table.to_string(index=False, float_format=lambda x: f"{x:.3f}"))
    print_text(note)


@app.command()
def calibrate(
    model: Annotated[
        Calibrated, typer.Argument(help="The model to calibrate; power: could the evidence tell the accounts apart?")
    ],
    replications: Annotated[int, typer.Option(help="Data sets to simulate and fit.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Seed; replication i has the i-th seed that follows from it.", min=0)] = 1,
    out: Annotated[Path, typer.Option(help="Folder for the results; the model's are in OUT/MODEL.")] = Path(
        "calibration"
    ),
    executor: Annotated[
        Literal["serial", "process", "dask"],
        typer.Option(help="One after another, a process per core, or a Dask cluster."),
    ] = "serial",
    quiet: QuietOption = False,
) -> None:
    """Fit simulated data whose parameters are known, and say whether the posteriors cover them as they claim.

    A run that was stopped goes on where it was; more replications may be asked for later. Exit status 1 if a quantity is
    not calibrated.
    """
    from pillprocess.calibration.run import run_calibrate, run_power

    if model == "power":
        table = run_power(datasets=replications, seed=seed, out=out)
        typer.echo(table.to_string(index=False, float_format=lambda x: f"{x:.2f}"))
        typer.echo(f"Fits and table: {out / model}")
        return
    verdicts, note = run_calibrate(
        model, replications=replications, seed=seed, out=out, executor=executor, progress=not quiet
    )
    print_text(verdicts.to_string(index=False, float_format=lambda x: f"{x:.3f}"))
    print_text(note)
    print_text(f"Ranks, verdicts and figure: {out / model}")
    if "NOT calibrated" in note:
        raise typer.Exit(1)
