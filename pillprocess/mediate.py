"""The whole mediation analysis of one table of participants: fit, effects, sensitivity, figures, report."""

import inspect
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from pillprocess.causal import compute_effects, natural_effects, natural_effects_by_trial
from pillprocess.inference import check_fit, fit
from pillprocess.mediation_paths import mediation_paths
from pillprocess.models.families import Family
from pillprocess.models.mediation import mediation
from pillprocess.participants import Participants, TreatmentKind, load_participants
from pillprocess.results import results_folder
from pillprocess.run import steps
from pillprocess.sensitivity import mediation_sensitivity
from pillprocess.tables import effect_table

type Step = Callable[[str], None]

PRIOR_DRAWS = 4000


@dataclass(frozen=True)
class MediationAnalysis:
    """What `analyse_mediation` found.

    Attributes
    ----------
    people
        The participants.
    idata
        The fit, with draws of the prior beside the posterior.
    tables
        Tables by name.
    sensitivity
        Sensitivity analyses by arm and mediator; empty where none is known for the families.
    doubts
        Every warning given on the way, in words.
    """

    people: Participants
    idata: xr.DataTree
    tables: dict[str, pd.DataFrame]
    sensitivity: dict[tuple[str, str], xr.Dataset]
    doubts: tuple[str, ...]


def run_mediate(
    source: str | Path,
    *,
    treatment: str,
    outcome: str,
    mediators: Sequence[str],
    out: Path,
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
    family_mediator: Family = "gaussian",
    family_outcome: Family = "gaussian",
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
    treatment, outcome, mediators, reference, active, treatment_kind, baseline, trial, covariates, id, mediator_time,
    outcome_time, higher_is_worse, single_arm, incomplete
        As in `load_participants`.
    out
        Folder for the results; earlier results there are replaced when the new ones are complete.
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
    from pillprocess.figures import save_figures
    from pillprocess.mediate_report import draw_figures, render_mediation

    started = time.perf_counter()
    record: dict[str, object] = {"command": "mediate", "source": Path(source).name, "seed": seed}
    with results_folder(out, record) as work, steps(progress) as step:
        step("participants")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # kept in the participants' notes, which the report prints
            people = load_participants(
                source, treatment=treatment, outcome=outcome, mediators=mediators, reference=reference, active=active,
                treatment_kind=treatment_kind, baseline=baseline, trial=trial, covariates=covariates, id=id,
                mediator_time=mediator_time, outcome_time=outcome_time, higher_is_worse=higher_is_worse,
                single_arm=single_arm, incomplete=incomplete,
            )  # fmt: skip
        analysis = analyse_mediation(
            people, interaction=interaction, family_mediator=family_mediator, family_outcome=family_outcome, order=order,
            m=m, seed=seed, draws=draws, step=step,
        )  # fmt: skip
        step("figures and report")
        figures = draw_figures(analysis)
        page = render_mediation(analysis, figures, source=Path(source), seed=seed)
        (work / "report.html").write_text(page, encoding="utf-8")
        save_figures(figures, work / "figures")
        (work / "tables").mkdir()
        for name, table in analysis.tables.items():
            table.to_csv(work / "tables" / f"{name}.csv", index=False, lineterminator="\n")
        (work / "posterior").mkdir()
        analysis.idata.to_netcdf(work / "posterior" / "mediation.nc", engine="h5netcdf")
        record |= {"participants": len(people), "seconds": round(time.perf_counter() - started, 1)}
    return out / "report.html"


def analyse_mediation(
    people: Participants,
    *,
    interaction: bool = True,
    family_mediator: Family = "gaussian",
    family_outcome: Family = "gaussian",
    order: Sequence[str] | None = None,
    m: float | Mapping[str, float] | None = None,
    seed: int,
    draws: int = 2000,
    step: Step = lambda _: None,
) -> MediationAnalysis:
    """Fit the mediation model of some participants and tabulate everything the report says.

    Parameters
    ----------
    people
        From `load_participants`.
    interaction, family_mediator, family_outcome, order
        As in `mediation`.
    m
        As in `natural_effects`.
    seed, draws
        Seed of every draw, and draws per chain.
    step
        Called with the name of each step as it begins.

    Returns
    -------
    MediationAnalysis.

    Raises
    ------
    ConvergenceError
        The fit did not converge.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        step("model")
        model = mediation(
            people, interaction=interaction, family_mediator=family_mediator, family_outcome=family_outcome, order=order
        )
        step("fit")
        idata = fit(model, seed=seed, draws=draws)
        convergence = check_fit(idata)
        step("prior")
        idata = _with_prior(model, idata, seed)
        step("effects and sensitivity")
        arms = [str(a) for a in people.treatment.columns]
        effects = {arm: natural_effects(idata, m=m, arm=arm) for arm in arms}
        sensitivity, refusal = _sensitivities(idata, arms, seed)
    tables = {
        "effects": _by_arm({arm: effect_table(e) for arm, e in effects.items()}),
        "paths": _by_arm({arm: mediation_paths(idata, arm=arm) for arm in arms}),
        "extrapolation": extrapolation(effects, list(model.coords["mediator"])),
        "prior_posterior": _by_arm({arm: prior_posterior(idata, effects[arm], m=m, arm=arm) for arm in arms}),
        "sensitivity_curve": _sensitivity_table(sensitivity, ["tnie"]),
        "sensitivity": _sensitivity_table(sensitivity, ["rho_tipping", "tnie_rho_prior", "r2_product_residual", "r2_product_total"]),
        "benchmarks": _sensitivity_table(sensitivity, ["benchmark_rho", "benchmark_tnie"]),
        "reliability": _sensitivity_table(sensitivity, ["tnie_reliability"]),
        "e_values": pd.DataFrame(
            [{"arm": a, "mediator": q, **{k: s.attrs[k] for k in ("e_value", "e_value_limit")}} for (a, q), s in sensitivity.items()],
            columns=["arm", "mediator", "e_value", "e_value_limit"],
        ),
        "priors": default_priors(),
        "missing": people.missing,
        "set_aside": people.set_aside,
        "convergence": convergence.reset_index(),
    }  # fmt: skip
    if people.trial.nunique() > 1:
        tables["effects_by_trial"] = _by_arm(
            {arm: effect_table(natural_effects_by_trial(idata, arm=arm)) for arm in arms}
        )
    said = [str(w.message) for w in caught if w.category is UserWarning] + ([refusal] if refusal else [])
    return MediationAnalysis(people, idata, tables, sensitivity, tuple(dict.fromkeys(said)))


def default_priors() -> pd.DataFrame:
    """Tabulate the priors that `mediation` uses unless told otherwise: ``keyword``, ``value`` (SD units)."""
    parameters = inspect.signature(mediation).parameters
    rows = [(name, float(p.default)) for name, p in parameters.items() if name.startswith("prior_")]
    return pd.DataFrame(rows, columns=["keyword", "value"])


def extrapolation(effects: Mapping[str, xr.Dataset], mediators: Sequence[str]) -> pd.DataFrame:
    """Tabulate how far cde and pnde move each mediator, in SDs of the active arm."""
    rows = [
        {"arm": arm, "effect": name, "mediator": mediator, "distance": distance}
        for arm, draws in effects.items()
        for name in ("cde", "pnde")
        for mediator, distance in zip(mediators, draws.attrs[f"extrapolation_{name}"], strict=True)
    ]
    return pd.DataFrame(rows)


def prior_posterior(
    idata: xr.DataTree, effects: xr.Dataset, *, m: float | Mapping[str, float] | None, arm: str
) -> pd.DataFrame:
    """Compare the implied prior of each effect with its posterior, in the columns of `plot_effects`."""
    names = [n for n in ("te", "pnde", "tnie", "pnie", "cde") if n in effects]
    prior = effect_table(compute_effects(idata, m=m, arm=arm, group="prior")[names])
    table = effect_table(effects[names]).rename(columns={"estimand": "parameter"})
    return table.assign(
        prior_sd=prior["sd"], prior_low=prior["ci_low"], prior_high=prior["ci_high"],
        contraction=np.clip(1 - table["sd"] ** 2 / prior["sd"] ** 2, 0, 1),
    )  # fmt: skip


def _with_prior(model: pm.Model, idata: xr.DataTree, seed: int) -> xr.DataTree:
    """Add draws of the prior.

    The trials' own effects are drawn given the data where participants are collapsed, so they have no place here.
    """
    fitted = [v for v in model.deterministics if not (v.name.endswith("_trial") and "outcome_gram" in model.named_vars)]
    draws = pm.draw(fitted, PRIOR_DRAWS, random_seed=seed)
    dims = {v.name: ("chain", "draw", *model.named_vars_to_dims.get(v.name, ())) for v in fitted}
    used = {d for names in dims.values() for d in names}
    idata["prior"] = xr.Dataset(
        {v.name: (dims[v.name], values[None]) for v, values in zip(fitted, draws, strict=True)},
        coords={"chain": [0], "draw": range(PRIOR_DRAWS)} | {d: list(v) for d, v in model.coords.items() if d in used},
    )
    return idata


def _sensitivities(idata: xr.DataTree, arms: Sequence[str], seed: int) -> tuple[dict[tuple[str, str], xr.Dataset], str]:
    """Sensitivity analyses by arm and mediator, or why there are none."""
    mediators = [str(q) for q in idata["constant_data"]["mediator"].to_numpy()]
    try:
        return {(a, q): mediation_sensitivity(idata, arm=a, mediator=q, seed=seed) for a in arms for q in mediators}, ""
    except ValueError as error:
        return {}, str(error)


def _by_arm(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    parts = []
    for arm, table in tables.items():
        part = table.copy()
        part.insert(0, "arm", arm)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _sensitivity_table(sensitivity: Mapping[tuple[str, str], xr.Dataset], names: Sequence[str]) -> pd.DataFrame:
    parts = []
    for (arm, mediator), draws in sensitivity.items():
        kept = [name for name in names if name in draws]
        part = effect_table(draws[kept])
        part.insert(0, "mediator", mediator)
        part.insert(0, "arm", arm)
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["arm", "mediator", "estimand"])
