"""What the commands do: load, analyse, write."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pandas as pd

from pillprocess.decomposition.model import Baseline
from pillprocess.evidence.edition import edition_of
from pillprocess.evidence.tables import Evidence, load_evidence
from pillprocess.inference.interruptions import interruptions
from pillprocess.rows.terms import HEADLINE, HYPOTHESES

if TYPE_CHECKING:
    from pillprocess.review.analysis import Analysis

TYPE_COLUMNS = ["therapy_type", "mean", "ci_low", "ci_high", "p_below", "trials", "carried", "contraction", "verdict"]

type Step = Callable[[str], None]


def run_reproduce(
    out: Path,
    *,
    seed: int,
    evidence: Path | None,
    progress: bool,
    synthesis: bool = True,
    fresh: bool = False,
    papers: tuple[str, ...] = (),
) -> Path:
    """Analyse an evidence folder and write the results folder; without ``synthesis``, in a fifth of the time.

    Draws that an earlier run made of the same model and data are taken from where it kept them, unless ``fresh``. ``papers``
    names files to write methods and results into as well, such as ``paper.docx`` and ``paper.tex``.

    Returns
    -------
    Path of report.html.

    Raises
    ------
    EvidenceError, ConvergenceError, ResultsError
        Nothing is then left behind, and earlier results stay as they were.
    """
    from pillprocess.manuscript.writing import check_papers, write_papers
    from pillprocess.output.results import results_folder, write_tables

    check_papers(papers)
    started = time.perf_counter()
    tables = load_evidence(evidence)
    edition = edition_of(tables)
    record: dict[str, object] = {"command": "reproduce", "seed": seed, "data_checksum": tables.checksum}
    record |= {"evidence_version": edition.version, "last_search": edition.last_search}
    with results_folder(out, record) as work, lines(progress) as line, ExitStack() as stack:
        step = line()
        step("loading PyMC")
        from threadpoolctl import threadpool_limits

        from pillprocess.inference.beside import beside
        from pillprocess.inference.kept import keeping_draws, usual_folder
        from pillprocess.inference.stored import save_fit
        from pillprocess.review.figures import drawn
        from pillprocess.review.findings import add_findings
        from pillprocess.review.record import reporting_record
        from pillprocess.review.report import provenance, render_report
        from pillprocess.review.synthesis import synthesis_or_reason, with_synthesis

        stack.enter_context(threadpool_limits(limits=1))  # the matrices are small: threads would wait for one another
        with keeping_draws(None if fresh else usual_folder()):
            if synthesis:
                step("")
                with beside(analysed, tables, seed, step=line()) as other:

                    def step_here(name: str) -> None:
                        other.check()
                        step(name)

                    found = synthesis_or_reason(tables, seed=seed, step=step_here)
                    step("")
                    analysis = with_synthesis(other.result(), found)
            else:
                analysis = analysed(tables, seed, step=step)
        analysis = add_findings(analysis, tables)
        step("figures and report")
        shown = replace(analysis, fits={name: fit for name, fit in analysis.fits.items() if name != "headline"})
        with beside(drawn, shown, tables, work / "figures" / "one_column", "one_column") as other_width:
            figures = drawn(shown, tables, work / "figures", "two_column")
            narrow = other_width.result()
        page = render_report(analysis, tables, figures, narrow=narrow, seed=seed)
        (work / "report.html").write_text(page, encoding="utf-8")
        record_of_reporting = reporting_record(analysis, tables, seed=seed)
        write_tables(analysis.tables | {"reporting_record": record_of_reporting}, work / "tables")
        (work / "posterior").mkdir()
        for name, idata in analysis.fits.items():
            save_fit(idata, work / "posterior" / f"{name}.nc")
        record |= {"versions": provenance(tables, seed), "seconds": round(time.perf_counter() - started, 1)}
        write_papers(papers, work, work, evidence=tables, run=record)
    return out / "report.html"


def run_decompose(
    terms: str,
    *,
    baseline: str,
    constructs: tuple[str, ...] | None,
    seed: int,
    evidence: Path | None,
    progress: bool,
    types: bool = False,
    day: float | None = None,
) -> dict[str, tuple[str, pd.DataFrame]]:
    """Fit one decomposition in closed form; headed tables of its terms, drug effects and heterogeneity, by name.

    The headline terms come with their pair: the same terms without and with belief. ``types`` adds the types
    of therapy, ``day`` the effect on that day after the last dose.
    """
    from pillprocess.decomposition.estimands import heterogeneity, relative_effects
    from pillprocess.decomposition.identifiability import identifiability
    from pillprocess.decomposition.model import decomposition_design
    from pillprocess.decomposition.therapy_types import therapy_types
    from pillprocess.inference.fit import fit
    from pillprocess.output.tables import interval_table
    from pillprocess.review.belief_pair import belief_pair
    from pillprocess.rows.contrasts import model_rows

    with steps(progress) as step:
        step("model rows")
        tables = load_evidence(evidence)
        arms, differences = model_rows(tables, constructs=constructs)
        design = decomposition_design(arms, differences, terms=named_terms(terms), baseline=cast(Baseline, baseline))
        step("fit in closed form")
        idata = fit(design, seed=seed)
        pair = (
            belief_pair(arms, differences, seed=seed, baseline=cast(Baseline, baseline), without=idata)
            if terms == "headline"
            else None
        )
        by_type = (
            therapy_types(arms, differences, terms=named_terms(terms), baseline=cast(Baseline, baseline))
            if types
            else None
        )
        on_day = None if day is None else _on_day(tables, day, constructs=constructs, seed=seed)
    trials = len(set(design["trial"].to_numpy()))
    heading = f"{trials} trials, {design.sizes['row']} rows; change in reference SDs, negative is improvement"
    out = {"terms": (heading, identifiability_columns(identifiability(idata)))}
    if "delta" in idata["posterior"]:
        effects = "Drug effect at the reference dose, without (0) and with (1) therapy"
        if "expectancy" not in design.attrs["terms"]:
            effects += "; belief is not in the model: the drug with its unblinding"
        out["drug_effects"] = (effects, interval_table(relative_effects(idata)))
    if len(heterogeneity(idata).data_vars):
        out["heterogeneity"] = ("Heterogeneity (SD)", interval_table(heterogeneity(idata)))
    if pair is not None:
        out["belief_pair"] = ("Without and with belief, of equal rank", pair)
    if by_type is not None:
        learned = by_type.iloc[0]
        spread = f"{learned['type_sd']:.2f} [{learned['type_sd_low']:.2f}, {learned['type_sd_high']:.2f}]"
        out["therapy_types"] = (f"Types of therapy; SD between types {spread}", by_type[TYPE_COLUMNS])
    if on_day is not None:
        text = f"Drug effect {day:g} days after the last dose; trials: those that measured near that day, still as randomised"
        out["time_effects"] = (text, on_day)
    return out


def _on_day(tables: Evidence, day: float, *, constructs: tuple[str, ...] | None, seed: int) -> pd.DataFrame:
    """The effect of every drug on one day, by the time course."""
    from pillprocess.output.tables import interval_table
    from pillprocess.timecourse.estimands import time_effects
    from pillprocess.timecourse.fit import fit_time_course
    from pillprocess.timecourse.rows import time_rows

    return interval_table(
        time_effects(fit_time_course(time_rows(tables, constructs=constructs), seed=seed), days=(day,))
    )


def run_compare(
    unit: str, *, constructs: tuple[str, ...] | None, baseline: str, evidence: Path | None, progress: bool
) -> tuple[pd.DataFrame, str]:
    """Compare the hypotheses on an evidence folder; the table and what it decides in words."""
    from pillprocess.decomposition.hypotheses import compare_hypotheses
    from pillprocess.rows.contrasts import model_rows

    with steps(progress) as step:
        step("model rows")
        tables = load_evidence(evidence)
        arms, differences = model_rows(tables, constructs=constructs)
        step(f"hypotheses, each {unit} left out")
        return compare_hypotheses(arms, differences, unit=unit, baseline=cast(Baseline, baseline))


def run_tables(results: Path) -> dict[str, pd.DataFrame | str]:
    """The main tables of a results folder, by name."""
    names = ("drug_effects", "terms", "heterogeneity", "hypotheses", "ledger", "sensitivity", "convergence")
    return {name: pd.read_csv(results / "tables" / f"{name}.csv") for name in names}


def run_published(what: str, *, data: Path | None, seed: int, progress: bool) -> pd.DataFrame:
    """Reproduce published mediation or expectancy analyses; published and reproduced figures side by side.

    Raises
    ------
    ValueError
        ``what`` is neither.
    DatasetError
        The public data can be neither fetched nor found in ``data``.
    """
    if what == "mediation":
        from pillprocess.published.mediation import reproduce_mediation

        return reproduce_mediation(folder=data, seed=seed, progress=progress)
    if what == "expectancy":
        from pillprocess.published.expectancy import reproduce_expectancy

        return reproduce_expectancy(microdose_folder=data, ketamine_folder=data)
    raise ValueError(f"what = {what!r}; it must be decomposition, mediation or expectancy")


def identifiability_columns(ledger: pd.DataFrame) -> pd.DataFrame:
    """The ledger's short columns, for a terminal."""
    shares = ["share_isolated", "share_contrasts", "share_between", "share_prior"]
    return ledger.reindex(columns=["term", "mean", "ci_low", "ci_high", "evidence", *shares, "contraction", "verdict"])


def named_terms(text: str) -> frozenset[str]:
    """Read terms from the command line: ``headline``, a hypothesis's name, or a comma-separated list."""
    if text == "headline":
        return HEADLINE
    if text in HYPOTHESES:
        return HYPOTHESES[text]
    return frozenset(t.strip() for t in text.split(",") if t.strip())


def analysed(evidence: Evidence, seed: int, *, step: Step) -> "Analysis":
    """Everything but the synthesis: the main job calls it in a process beside."""
    from threadpoolctl import threadpool_limits

    from pillprocess.review.analysis import analyse
    from pillprocess.review.bias import add_bias

    with threadpool_limits(limits=1):
        found = add_bias(analyse(evidence, seed=seed, step=step), step=step)
    step("")
    return found


@contextmanager
def steps(progress: bool) -> Iterator[Step]:
    """A display on standard error: the step under way, and the seconds each took; Ctrl-C ends it at the next step at the latest."""
    with lines(progress) as line:
        yield line()


@contextmanager
def lines(progress: bool) -> Iterator[Callable[[], Step]]:
    """The display of :func:`steps` for several lines of steps that go on at a time; each call begins one."""
    with interruptions() as check, ExitStack() as stack:
        if progress:
            from rich.console import Console

            console = Console(stderr=True)
            status = stack.enter_context(console.status("starting"))
        under_way: dict[int, tuple[str, float]] = {}

        def line() -> Step:
            number = len(under_way)
            under_way[number] = "", 0.0

            def step(name: str) -> None:
                if threading.current_thread() is threading.main_thread():
                    check()
                (before, began), now = under_way[number], time.perf_counter()
                under_way[number] = name, now
                if progress and before:
                    console.print(f"  {before} ({now - began:.1f} s)")
                if progress:
                    status.update(", ".join(name for name, _ in under_way.values() if name))

            return step

        yield line
        check()
        if progress:
            now = time.perf_counter()
            for name, began in under_way.values():
                if name:
                    console.print(f"  {name} ({now - began:.1f} s)")
