"""What the mediate command does: read a trial, analyse mediator, guess or expectation, write."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pillprocess.belief.coding import Timing
from pillprocess.output.results import results_folder, write_tables
from pillprocess.participants.roles import TreatmentKind
from pillprocess.review.run import steps
from pillprocess.trial.reading import chosen_roles, load_trial

if TYPE_CHECKING:
    from pillprocess.mediation.families import Family


def run_mediate(
    source: str | Path,
    *,
    treatment: str | None = None,
    outcome: str | None = None,
    out: Path,
    mediators: Sequence[str] = (),
    guess: str | None = None,
    guess_timing: Timing | None = None,
    reference: str | None = None,
    active: str | None = None,
    treatment_kind: TreatmentKind | None = None,
    baseline: str | None = None,
    trial: str | None = None,
    covariates: Sequence[str] = (),
    id: str | None = None,
    mediator_time: str | float | None = None,
    outcome_time: str | float | None = None,
    higher_is_worse: bool | None = None,
    randomised: bool | None = None,
    single_arm: Literal["set_aside", "keep"] | None = None,
    incomplete: Literal["error", "set_aside"] | None = None,
    codebook: str | Path | None = None,
    visit: str | None = None,
    person: str | None = None,
    interaction: bool = True,
    family_mediator: "Family" = "gaussian",
    family_outcome: "Family" = "gaussian",
    order: Sequence[str] | None = None,
    m: float | Mapping[str, float] | None = None,
    seed: int = 1,
    draws: int = 2000,
    progress: bool = True,
) -> Path:
    """Analyse a table of participants and write tables, figures, posterior and report.

    Parameters
    ----------
    source
        Path of the table.
    treatment, outcome, reference, active, treatment_kind, baseline, trial, covariates, id, mediator_time, outcome_time,
    higher_is_worse, randomised, single_arm, incomplete
        As in `load_participants`.
    codebook
        Path of a codebook, as `pillprocess inspect` drafts it; what is given here goes before what it says.
    visit, person
        As in `read_trial`.
    out
        Folder for the results; earlier results there are replaced when the new ones are complete.
    mediators
        Columns, as in `load_participants`; may be left out where there is a guess.
    guess, guess_timing
        Column of a treatment guess or expectation, and when it was measured. ``"post_dose"`` or ``"endpoint"``: a label of
        an arm, 0/1, or "don't know"; belief is fitted as a mediator in both orders (`unblinding`), together with the
        mediator, the experience, where there is one. ``"pre_dose"``: fitted as a moderator (`expectancy_moderation`).
    interaction, family_mediator, family_outcome, order
        As in `mediation`.
    m
        As in `natural_effects`.
    seed, draws
        Seed of every draw, and draws per chain.
    progress
        Show what is under way.

    Returns
    -------
    Path of report.html.

    Raises
    ------
    ParticipantError, ValueError, ConvergenceError, ResultsError
        Nothing is then left behind, and earlier results stay as they were.
    """
    started = time.perf_counter()
    roles, book, guess, guess_timing = chosen_roles(
        source, codebook=codebook, visit=visit, person=person, guess=guess, guess_timing=guess_timing,
        families=(family_mediator, family_outcome), treatment=treatment, outcome=outcome, mediators=mediators, reference=reference,
        active=active, treatment_kind=treatment_kind, baseline=baseline, trial=trial, covariates=covariates, id=id,
        mediator_time=mediator_time, outcome_time=outcome_time, higher_is_worse=higher_is_worse, randomised=randomised,
        single_arm=single_arm, incomplete=incomplete,
    )  # fmt: skip
    mediators, baseline = roles.mediators, roles.baseline
    record: dict[str, object] = {"command": "mediate", "source": Path(source).name, "seed": seed}
    with results_folder(out, record) as work, steps(progress) as step:
        step("participants")
        believed = None if guess_timing == "pre_dose" else guess
        table, people, experienced = load_trial(source, roles, book, guess=guess, believed=believed)

        step("loading PyMC")
        from pillprocess.belief.analysis import analyse_belief
        from pillprocess.belief.moderation import analyse_expectancy
        from pillprocess.inference.stored import save_fit
        from pillprocess.mediation.analysis import analyse_mediation
        from pillprocess.review.figures import save_figures
        from pillprocess.trial.report import MediationReport, draw_figures, render_mediation

        mediation, belief = None, None
        if believed is not None:
            belief = analyse_belief(
                people,
                table[believed],
                guess=believed,
                timing=guess_timing or "endpoint",
                seed=seed,
                draws=draws,
                step=step,
            )
        elif guess is not None:
            belief = analyse_expectancy(people, table[guess], baseline=baseline, seed=seed, draws=draws, step=step)
        if mediators:
            mediation = analyse_mediation(
                experienced, interaction=interaction, family_mediator=family_mediator, family_outcome=family_outcome,
                order=order, m=m, seed=seed, draws=draws, step=step,
            )  # fmt: skip
        step("figures and report")
        report = MediationReport(people, mediation, belief)
        figures = draw_figures(report)
        page = render_mediation(report, figures, source=Path(source), seed=seed, codebook=codebook)
        (work / "report.html").write_text(page, encoding="utf-8")
        save_figures(figures, work / "figures")
        write_tables(report.tables, work / "tables")
        (work / "posterior").mkdir()
        for key, idata in report.fits.items():
            save_fit(idata, work / "posterior" / f"{key}.nc")
        record |= {"participants": len(people), "seconds": round(time.perf_counter() - started, 1)}
    return out / "report.html"
