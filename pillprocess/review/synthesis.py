"""The synthesis as the main job runs it: one compiled model, its fits, and the tables the report shows."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
import xarray as xr

from pillprocess.evidence.tables import Evidence, embedded_folder
from pillprocess.inference.fit import ConvergenceError, check_fit
from pillprocess.review.analysis import Analysis
from pillprocess.rows.acute_scores import scores_set_aside
from pillprocess.rows.associations import associations_set_aside
from pillprocess.synthesis.causal_share import causal_shares, share_curve
from pillprocess.synthesis.compiled import Refit, compile_synthesis, prior_of
from pillprocess.synthesis.conflict import conflict
from pillprocess.synthesis.effects import mediated_share, path_table, usual_therapy
from pillprocess.synthesis.fits import items_of
from pillprocess.synthesis.hypotheses import compare_synthesis
from pillprocess.synthesis.items import synthesis_items
from pillprocess.synthesis.kinds import KINDS, has_kind
from pillprocess.synthesis.model import synthesis
from pillprocess.synthesis.outside import informed_effects, transport_ledger
from pillprocess.synthesis.power import power_table
from pillprocess.synthesis.removal import HEADLINE, NO_POOLING, by_pooling, pooling_fits, without_each_kind
from pillprocess.synthesis.words import ALL_CAUSAL

type Step = Callable[[str], None]

STEPS = (
    "synthesis: compiling", "synthesis: fit", "synthesis: pooling between drugs", "synthesis: each kind of evidence removed",
    "synthesis: hypotheses", "synthesis: what if",
)  # fmt: skip
FIT_TUNE, FIT_DRAWS, REFIT_DRAWS = 1000, 2000, 1000
FIXED = {ALL_CAUSAL: 1.0, "half of it is": 0.5, "none of it is: an epiphenomenon": 0.0}
BIAS_SCALES = (0.1, 0.6)
"""Beside the default of .3: SDs of the bias, in correlations, under which the answer is shown."""


@dataclass(frozen=True)
class Synthesis:
    """Tables by name, the fit, and what the comparison decides."""

    tables: dict[str, pd.DataFrame]
    fit: xr.DataTree
    note: str


def synthesis_or_reason(evidence: Evidence, *, seed: int, step: Step = lambda _: None) -> Synthesis | str:
    """Return the synthesis, or the reason why the evidence allows none."""
    try:
        items = synthesis_items(evidence)
    except ValueError as error:
        return str(error)
    return analyse_synthesis(evidence, items=items, seed=seed, step=step)


def with_synthesis(analysis: Analysis, found: Synthesis | str) -> Analysis:
    """Return the analysis with the synthesis's tables and fit, or with the reason why there is none."""
    if isinstance(found, str):
        return replace(analysis, synthesis_note=found)
    tables, fits = analysis.tables | found.tables, analysis.fits | {"synthesis": found.fit}
    return replace(analysis, tables=tables, fits=fits, synthesis_note=found.note)


def analyse_synthesis(
    evidence: Evidence, *, seed: int, items: xr.Dataset | None = None, step: Step = lambda _: None
) -> Synthesis:
    """Fit the synthesis and everything the report says about it.

    Parameters
    ----------
    evidence
        The checked tables.
    seed
        Seed of every draw.
    items
        What :func:`pillprocess.synthesis_items` made of the evidence; made here by default.
    step
        Called with the name of each step as it begins.

    Returns
    -------
    Synthesis.

    Raises
    ------
    ConvergenceError
        The fit did not converge, nor did one of twice the length.
    """
    step(STEPS[0])
    model = synthesis(synthesis_items(evidence) if items is None else items)
    refit = compile_synthesis(model)
    step(STEPS[1])
    whole = refit(seed=seed, draws=FIT_DRAWS, tune=FIT_TUNE)
    try:
        convergence = check_fit(whole)
    except (
        ConvergenceError
    ):  # among a hundred parameters one misses R-hat 1.01 by chance; twice as long settles it, or it is no chance
        whole = refit(seed=seed + 1, draws=2 * FIT_DRAWS, tune=2 * FIT_TUNE)
        convergence = check_fit(whole)
    prior = prior_of(model, seed=seed)
    step(STEPS[2])
    pooled = pooling_fits(whole, seed=seed, refit=refit, draws=REFIT_DRAWS)
    step(STEPS[3])
    removed = without_each_kind(whole, seed=seed, refit=refit, unpooled=pooled[NO_POOLING], draws=REFIT_DRAWS)
    split = conflict(whole, seed=seed, refit=refit, draws=REFIT_DRAWS)
    step(STEPS[4])
    hypotheses, note = compare_synthesis(whole, seed=seed, refit=refit, draws=REFIT_DRAWS)
    step(STEPS[5])
    curve = share_curve(whole, seed=seed, refit=refit, draws=REFIT_DRAWS)
    informed = informed_effects(whole, seed=seed, refit=refit, draws=REFIT_DRAWS)
    effects, shares = by_pooling(pooled), by_pooling(pooled, lambda fit: mediated_share(fit, prior=prior))
    tables = {
        "synthesis_effects": effects[effects["pooling"] == HEADLINE].drop(columns="pooling").reset_index(drop=True),
        "synthesis_pooling": effects,
        "synthesis_share": shares[shares["pooling"] == HEADLINE].drop(columns="pooling").reset_index(drop=True),
        "synthesis_share_pooling": shares,
        "synthesis_curve": curve,
        "synthesis_causal_share": causal_shares(whole, prior=prior),
        "synthesis_without": removed,
        "synthesis_conflict": split,
        "synthesis_hypotheses": hypotheses,
        "synthesis_choices": choices(whole, curve, refit, seed=seed),
        "synthesis_informed": informed,
        "synthesis_outside": transport_ledger(whole),
        "synthesis_power": power_table() if evidence.folder == embedded_folder() else power_table().iloc[:0],
        "synthesis_evidence": evidence_kinds(model.items),
        "synthesis_convergence": convergence.reset_index(),
        "scores_set_aside": scores_set_aside(evidence),
        "associations_set_aside": associations_set_aside(evidence),
    }
    return Synthesis(tables, whole, note)


def choices(whole: xr.DataTree, curve: pd.DataFrame, refit: Refit, *, seed: int) -> pd.DataFrame:
    """Show the answer under fixed causal shares, other scales of the bias, and one causal share for all drugs.

    Each drug stands in the setting most of its trials had.
    """
    items = items_of(whole)
    setting = usual_therapy(items)
    tables = [curve[curve["causal_share"] == share].assign(choice=name) for name, share in FIXED.items()]
    asked: dict[str, dict[str, object]] = {
        f"bias of SD {sd:g} in correlations": {"prior_bias_sd": sd} for sd in BIAS_SCALES
    }
    asked["one causal share for all drugs, any from 0 to 1"] = {"confounding": "proportional"}
    for name, choice in asked.items():
        fit = refit(items, seed=seed, draws=REFIT_DRAWS, checked=True, outcomes=False, **choice)
        table = path_table(fit, therapy=tuple(sorted(set(setting.values()))))
        tables.append(table[table["drug"].map(setting) == table["therapy"]].assign(choice=name))
    table = pd.concat(tables, ignore_index=True)
    return table[table["path"].isin(["total", "direct", "interaction", "experience", "belief"])].reset_index(drop=True)


def evidence_kinds(items: xr.Dataset) -> pd.DataFrame:
    """Count what each kind of evidence holds."""
    sizes = {
        "response counts": ("count", "arms"), "acute scores": ("score", "scores"), "experience-outcome associations":
        ("association", "trials"), "treatment guesses": ("guess", "counts"), "participants": ("person_arm", "arms"),
    }  # fmt: skip
    rows = []
    for kind in KINDS:
        dim, unit = sizes.get(kind, ("row", "rows"))
        n = items.sizes[dim] if kind in sizes else int((items["row_kind"] == kind).sum())
        trials = (
            len(set(items["trial"].to_numpy()[items["row_kind"].to_numpy() == kind])) if kind not in sizes else None
        )
        if has_kind(items, kind):
            rows.append({"kind": kind, "n": n, "unit": unit, "trials": trials})
    return pd.DataFrame(rows)
