"""What the mediate command does: read a trial, analyse mediator, guess or expectation, write."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pillprocess.mediation.choices import Family, Of, Scale
from pillprocess.output.results import results_folder, write_tables
from pillprocess.participants.followup import FollowUp
from pillprocess.review.run import steps
from pillprocess.trial.choices import TrialChoices
from pillprocess.trial.reading import load_trial, read_choices


def run_mediate(
    choices: TrialChoices,
    *,
    out: Path,
    interaction: bool = True,
    family_mediator: Family = "gaussian",
    family_outcome: Family = "gaussian",
    order: Sequence[str] | None = None,
    vary: Sequence[str] | Mapping[str, Sequence[str]] = (),
    sd_by_arm: bool = False,
    floor_mediator: float | None = None,
    priors: Mapping[str, float] | None = None,
    m: float | Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    scale: Scale = "difference",
    of: Of | None = None,
    seed: int = 1,
    draws: int = 2000,
    progress: bool = True,
) -> Path:
    """Analyse a table of participants and write tables, figures, posterior and report.

    Parameters
    ----------
    choices
        What is said of the trial: its file, codebook, columns and arms.
    out
        Folder for the results; earlier results there are replaced when the new ones are complete.
    interaction, family_mediator, family_outcome, order, vary, sd_by_arm, floor_mediator
        As in `mediation`.
    priors
        Values of the prior_ keywords of `mediation`, or of the model of visits or of a crossover, by keyword.
    m, at, scale, of
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
    source, codebook = Path(choices.source), choices.codebook
    read_choices(choices, family_mediator=family_mediator, family_outcome=family_outcome)
    record: dict[str, object] = {"command": "mediate", "source": source.name, "seed": seed}
    with results_folder(out, record) as work, steps(progress) as step:
        step("participants")
        trial = load_trial(
            choices, family_mediator=family_mediator, family_outcome=family_outcome, order=order, m=m, at=at, vary=vary, scale=scale,
            of=of, sd_by_arm=sd_by_arm, floor_mediator=floor_mediator,
        )  # fmt: skip
        people = trial.people

        step("loading PyMC")
        from pillprocess.belief.analysis import analyse_belief
        from pillprocess.belief.moderation import analyse_expectancy
        from pillprocess.inference.stored import save_fit
        from pillprocess.mediation.analysis import analyse_mediation
        from pillprocess.mediation.repeated_analysis import analyse_crossover, analyse_repeated
        from pillprocess.review.figures import save_figures
        from pillprocess.trial.report import MediationReport, draw_figures, render_mediation

        mediation, belief = None, None
        if trial.believed is not None:
            belief = analyse_belief(
                people, trial.table[trial.believed], guess=trial.believed, timing=trial.timing or "endpoint", seed=seed,
                draws=draws, step=step,
            )  # fmt: skip
        elif trial.guess is not None:
            belief = analyse_expectancy(
                people, trial.table[trial.guess], baseline=trial.roles.baseline, seed=seed, draws=draws, step=step
            )
        if isinstance(trial.design, FollowUp):
            mediation = analyse_repeated(
                trial.design, interaction=interaction, priors=priors, m=m, at=at, seed=seed, draws=draws, step=step
            )
        elif trial.design is not None:
            mediation = analyse_crossover(
                trial.design, people, interaction=interaction, priors=priors, m=m, at=at, seed=seed, draws=draws, step=step
            )  # fmt: skip
        elif trial.roles.mediators:
            mediation = analyse_mediation(
                trial.experienced, interaction=interaction, family_mediator=family_mediator, family_outcome=family_outcome,
                order=order, vary=vary, sd_by_arm=sd_by_arm, floor_mediator=floor_mediator, course=choices.course, priors=priors, m=m,
                at=at, scale=scale, of=of, seed=seed, draws=draws, step=step,
            )  # fmt: skip
        step("figures and report")
        report = MediationReport(people, mediation, belief)
        figures = save_figures(draw_figures(report), work / "figures")
        narrow = save_figures(draw_figures(report, width="one_column"), work / "figures" / "one_column")
        page = render_mediation(report, figures, source=source, seed=seed, codebook=codebook, narrow=narrow)
        (work / "report.html").write_text(page, encoding="utf-8")
        write_tables(report.tables, work / "tables")
        (work / "posterior").mkdir()
        for key, idata in report.fits.items():
            save_fit(idata, work / "posterior" / f"{key}.nc")
        record |= {"participants": len(people), "seconds": round(time.perf_counter() - started, 1)}
    return out / "report.html"
