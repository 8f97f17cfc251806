"""What the mediate command does: read a trial, analyse mediator, guess or expectation, write."""

import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from pillprocess.belief.coding import Timing, coded_guesses, guess_problems
from pillprocess.output.results import results_folder, write_tables
from pillprocess.participants.table import ParticipantError, Participants, TreatmentKind, load_participants, read_table
from pillprocess.review.run import steps

if TYPE_CHECKING:
    from pillprocess.mediation.families import Family


def run_mediate(
    source: str | Path,
    *,
    treatment: str,
    outcome: str,
    out: Path,
    mediators: Sequence[str] = (),
    guess: str | None = None,
    guess_timing: Timing | None = None,
    reference: str | None = None,
    active: str | None = None,
    treatment_kind: TreatmentKind = "arms",
    baseline: str | None = None,
    trial: str | None = None,
    covariates: Sequence[str] = (),
    id: str | None = None,
    mediator_time: str | float | None = None,
    outcome_time: str | float | None = None,
    higher_is_worse: bool = True,
    single_arm: Literal["set_aside", "keep"] = "set_aside",
    incomplete: Literal["error", "set_aside"] = "error",
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
    higher_is_worse, single_arm, incomplete
        As in `load_participants`.
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
    started, name = time.perf_counter(), Path(source).name
    problems = guess_problems(
        guess, guess_timing, mediators=mediators, before=[*([baseline] if baseline else []), *covariates],
        families=(family_mediator, family_outcome), treatment_kind=treatment_kind,
    )  # fmt: skip
    if not mediators and guess is None:
        problems.append(
            "no mediator was named; name its column with --mediator, or that of a treatment guess with --guess"
        )
    if problems:
        raise ParticipantError(problems, name)

    def load(table: pd.DataFrame, columns: Sequence[str]) -> Participants:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # kept in the participants' notes, which the report prints
            try:
                return load_participants(
                    table, treatment=treatment, outcome=outcome, mediators=columns, reference=reference, active=active,
                    treatment_kind=treatment_kind, baseline=baseline, trial=trial, covariates=covariates, id=id,
                    mediator_time=mediator_time, outcome_time=outcome_time, higher_is_worse=higher_is_worse,
                    single_arm=single_arm, incomplete=incomplete,
                )  # fmt: skip
            except ParticipantError as error:
                raise ParticipantError(error.problems, name) from None

    record: dict[str, object] = {"command": "mediate", "source": name, "seed": seed}
    with results_folder(out, record) as work, steps(progress) as step:
        step("participants")
        table = read_table(source)[0]
        believed = None if guess_timing == "pre_dose" else guess
        if believed is None:
            people = load(table, mediators)
        else:
            coded = coded_guesses(table, guess=believed, treatment=treatment, reference=reference, active=active)
            people = load(coded, [believed, *mediators])
        if guess is not None and guess not in table.columns:
            listed = ", ".join(map(str, table.columns))
            raise ParticipantError([f"column {guess!r} is not in the table, which has {listed}"], name)
        experienced = people if believed is None or not mediators else load(table, mediators)

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
        page = render_mediation(report, figures, source=Path(source), seed=seed)
        (work / "report.html").write_text(page, encoding="utf-8")
        save_figures(figures, work / "figures")
        write_tables(report.tables, work / "tables")
        (work / "posterior").mkdir()
        for key, idata in report.fits.items():
            save_fit(idata, work / "posterior" / f"{key}.nc")
        record |= {"participants": len(people), "seconds": round(time.perf_counter() - started, 1)}
    return out / "report.html"
