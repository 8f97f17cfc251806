"""What ``pillprocess design`` does: read the designs, plan, write the folder."""

import base64
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from pillprocess.evidence.tables import load_evidence
from pillprocess.planning.trials import PlanningError

type Step = Callable[[str], None]


def run_design(
    designs: Path | None,
    *,
    drug: str,
    estimands: Sequence[str] | None,
    people: float,
    out: Path | None,
    evidence: Path | None,
    seed: int,
    step: Step = lambda _: None,
) -> tuple[dict[str, pd.DataFrame], list[str], Path | None]:
    """Plan with a file of designs, or with the library's for one drug; write tables, figures and ``report.html`` to ``out``.

    Returns
    -------
    The plan's tables by name, its answers in sentences, and the path of the report, if any was written.

    Raises
    ------
    PlanningError
        The file or a design cannot be used, or the drug is not in the evidence; nothing is then written.
    """
    from pillprocess.evidence.drugs import drugs_of
    from pillprocess.planning.library import named_designs
    from pillprocess.planning.plan import answers, make_plan
    from pillprocess.planning.trial_files import read_designs

    started = time.perf_counter()
    given = None if designs is None else read_designs(designs)
    tables = load_evidence(evidence)
    if given is None and drug not in drugs_of(tables):
        raise PlanningError(
            f"nothing was computed:\nunknown drug '{drug}'; the evidence has {', '.join(drugs_of(tables))}"
        )
    trials = list(named_designs(drug).values()) if given is None else given
    plan = make_plan(
        tables, trials, estimands=estimands or None, strict=given is not None, people=people, seed=seed, step=step
    )  # fmt: skip
    if out is None:
        return plan.tables, answers(plan), None
    from pillprocess.output.results import results_folder, write_tables
    from pillprocess.output.visual_style import house_style, svg
    from pillprocess.planning.report import draw_plan, render_plan

    step("figures and report")
    record: dict[str, object] = {"command": "design", "seed": seed, "data_checksum": tables.checksum}
    with results_folder(out, record) as work:
        figures = draw_plan(plan)
        (work / "figures").mkdir()
        images = {}
        with house_style():
            for name, figure in figures.items():
                text = svg(figure)
                (work / "figures" / f"{name}.svg").write_text(text, encoding="utf-8")
                figure.savefig(work / "figures" / f"{name}.png")
                images[name] = "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()
        (work / "report.html").write_text(render_plan(plan, tables, images, seed=seed), encoding="utf-8")
        write_tables(plan.tables, work / "tables")
        record["seconds"] = round(time.perf_counter() - started, 1)
    return plan.tables, answers(plan), out / "report.html"
