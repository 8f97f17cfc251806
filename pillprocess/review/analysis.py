"""The whole analysis of an evidence base: fits, checks, tables and figures, from which the report is written."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import xarray as xr

from pillprocess.belief.blinding import blinding_table
from pillprocess.decomposition.estimands import (
    contributions,
    heterogeneity,
    predictive_effects,
    relative_effects,
    trial_effects,
)
from pillprocess.decomposition.hypotheses import compare_hypotheses
from pillprocess.decomposition.identifiability import (
    contraction,
    drug_identifiability,
    identifiability,
    posterior_correlations,
)
from pillprocess.decomposition.influence import influence
from pillprocess.decomposition.left_out_check import check_pit, loto_pit
from pillprocess.decomposition.model import decomposition_design
from pillprocess.decomposition.multiverse import multiverse
from pillprocess.decomposition.predictive import predictive_check, prior_predictive
from pillprocess.evidence.tables import Evidence, evidence_counts
from pillprocess.inference.fit import check_fit, fit
from pillprocess.output.tables import effect_table, interval_table
from pillprocess.review.belief_pair import belief_pair
from pillprocess.review.choices import IN_THE_REPORT, sensitivity_table, shares_by_belief, unfitted
from pillprocess.review.how_much import how_much
from pillprocess.review.side_tables import side_tables
from pillprocess.rows.arms import set_aside
from pillprocess.rows.change_scores import learned_correlation
from pillprocess.rows.contrasts import contrasts_set_aside, model_rows

type Step = Callable[[str], None]


@dataclass(frozen=True)
class Analysis:
    """What ``reproduce`` found: tables by name, the headline fit, the rows it was fitted to, and what the comparison decides."""

    tables: dict[str, pd.DataFrame]
    fits: dict[str, xr.DataTree]
    rows: pd.DataFrame
    correlation: pd.Series
    comparison_note: str
    synthesis_note: str = "it was not asked for"
    bias_note: str = "it was not asked for"


STEPS = (
    "model rows", "headline fit by the sampler", "the same fit in closed form", "hypotheses, each trial left out", "sensitivity",
    "every combination of choices", "tables",
)  # fmt: skip


def analyse(evidence: Evidence, *, seed: int, step: Step = lambda _: None) -> Analysis:
    """Fit the headline decomposition and everything the report says about it.

    Parameters
    ----------
    evidence
        The checked tables.
    seed
        Seed of every draw.
    step
        Called with the name of each step as it begins.

    Returns
    -------
    Analysis.

    Raises
    ------
    ConvergenceError
        The headline fit did not converge.
    """
    step(STEPS[0])
    arms, differences = model_rows(evidence)
    rows = pd.concat([arms, differences], ignore_index=True)
    design = decomposition_design(arms, differences)
    step(STEPS[1])
    headline = fit(design, seed=seed, route="sampler", draws=2000, tune=1000, target_accept=0.99)
    convergence = check_fit(headline)
    step(STEPS[2])
    exact = fit(design, seed=seed)
    step(STEPS[3])
    hypotheses, note = compare_hypotheses(arms, differences)
    step(STEPS[4])
    sensitivity, not_possible = sensitivity_table(evidence, seed=seed)
    step(STEPS[5])
    specifications = multiverse(evidence, choices=IN_THE_REPORT)
    step(STEPS[6])
    left_out = loto_pit(headline)
    tables = {
        "counts": evidence_counts(evidence),
        "model_counts": model_counts(rows),
        "rows": rows,
        "set_aside": pd.concat([set_aside(evidence), contrasts_set_aside(evidence)], ignore_index=True),
        "belief_pair": belief_pair(arms, differences, seed=seed),
        "terms": contraction(headline),
        "drug_effects": drug_effects(headline, seed=seed),
        "trial_effects": effect_table(trial_effects(headline)),
        "contributions": with_observed(interval_table(contributions(headline)), rows),
        "heterogeneity": effect_table(heterogeneity(headline)),
        "ledger": identifiability(headline),
        "drug_ledger": drug_identifiability(headline),
        "influence": influence(headline),
        "posterior_correlations": posterior_correlations(headline),
        "predictive_check": predictive_check(headline),
        "new_trial_check": predictive_check(headline, group="new_trial", seed=seed),
        "left_out": left_out,
        "left_out_checks": check_pit(left_out),
        "shares": shares_by_belief(arms, differences, design),
        "multiverse": specifications,
        "multiverse_left_out": unfitted(specifications),
        "prior_predictive_check": predictive_check(prior_predictive(design, seed=seed), group="prior_predictive"),
        "convergence": convergence.reset_index(),
        "routes": compare_routes(headline, exact),
        "hypotheses": hypotheses,
        "sensitivity": sensitivity,
        "blinding": blinding_table(evidence, seed=seed),
        "sensitivity_left_out": not_possible,
        "expectancy_sources": rows["expectancy_from"].value_counts().rename_axis("source").reset_index(name="rows"),
    }
    tables |= side_tables(evidence, arms, differences, seed=seed)
    doses, dose_fits = how_much(evidence, arms, differences, seed=seed)
    tables |= doses
    return Analysis(tables, {"headline": headline} | dose_fits, rows, learned_correlation(evidence), note)


def model_counts(rows: pd.DataFrame) -> pd.DataFrame:
    """Count the model's trials, arms, contrasts and people by study drug and condition."""
    table = rows.assign(
        arms=rows["kind"] == "arm",
        differences=rows["kind"] == "contrast",
        people=rows["people"].where(rows["kind"] == "arm"),
    )
    grouped = table.groupby(["study_drug", "condition"]).agg(
        trials=("trial", "nunique"), arms=("arms", "sum"), differences=("differences", "sum"), people=("people", "sum")
    )
    return grouped.reset_index().astype({"people": int})


def drug_effects(idata: xr.DataTree, *, seed: int) -> pd.DataFrame:
    """Effect of each drug at its reference dose, pooled and in a new trial, without and with therapy.

    ``trials`` counts the controlled trials that gave the drug in that setting; where it is 0 ``evidence`` says what carries
    the row over.
    """
    parts = (("pooled", relative_effects(idata)), ("predictive", predictive_effects(idata, seed=seed)))
    return pd.concat([effect_table(draws).assign(kind=kind) for kind, draws in parts], ignore_index=True)


def with_observed(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Add each row's observed change, kind, drug, role and people to a table of contributions."""
    facts = rows.set_index("label")[["trial", "kind", "study_drug", "role", "n", "y"]].rename(columns={"y": "observed"})
    return table.join(facts, on="row")


def compare_routes(sampled: xr.DataTree, exact: xr.DataTree) -> pd.DataFrame:
    """Put the sampler's and the closed form's answers side by side: the two must agree up to Monte Carlo error."""
    names = [*contraction(sampled)["variable"], *heterogeneity(sampled).data_vars]
    one = effect_table(sampled["posterior"].dataset[names])
    other = effect_table(exact["posterior"].dataset[names])
    return pd.DataFrame(
        {
            "parameter": one["estimand"],
            "sampler_mean": one["mean"],
            "exact_mean": other["mean"],
            "sampler_sd": one["sd"],
            "exact_sd": other["sd"],
            "difference_in_sd": (one["mean"] - other["mean"]) / other["sd"],
        }
    )
