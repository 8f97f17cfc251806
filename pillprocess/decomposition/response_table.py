r"""Responders per drug: rates and numbers needed to treat from effects in SDs, and the arms that speak by their counts alone.

The effect comes from the closed form with two kinds of rows: means and differences as in the headline, and for arms that have
counts alone the difference of probits where it is accurate (:mod:`pillprocess.rows.response_contrasts`). A person responds whose
latent change, normal with an SD of one reference SD, passes a threshold:

.. math:: p_1 = \Phi(\Phi^{-1}(p_0) - effect), \quad NNT = 1 / (p_1 - p_0)

with :math:`p_0` the share of responders in the drug's own control arms, taken as known. What counts as a response differs between
trials (half of the score, ten points of the CAPS), and with it :math:`p_0`.
"""

import numpy as np
import pandas as pd

from pillprocess.decomposition.counts import response_rates
from pillprocess.decomposition.estimands import relative_effects
from pillprocess.decomposition.model import decomposition_design
from pillprocess.evidence.tables import Evidence
from pillprocess.inference.fit import fit
from pillprocess.output.tables import interval_table
from pillprocess.rows.contrasts import model_rows
from pillprocess.rows.response_contrasts import FEWEST, counted_responses, response_arms, response_contrasts

IN_MODEL = "difference of probits, in the closed form"
SAMPLER_ONLY = f"fewer than {FEWEST} people on a side: the sampler's route alone"


def response_table(evidence: Evidence, *, seed: int = 1) -> pd.DataFrame:
    """Tabulate response rates and number needed to treat per drug, in the settings its own trials had.

    Parameters
    ----------
    evidence
        The checked tables.
    seed
        Seed of the draws.

    Returns
    -------
    DataFrame, a row per drug and setting that its trials tried: ``drug``, ``therapy``, ``trials``; ``effect`` with ``effect_low``,
    ``effect_high`` in reference SDs; ``control_rate``, the share of responders in its control arms, and ``control_n``,
    ``counted_trials`` behind it; ``response`` and ``risk_difference`` with 95 % limits ``_low``, ``_high``; ``nnt`` with
    ``nnt_low``, ``nnt_high``, whose limits are blank where the interval of the difference holds 0; ``observed``, the difference of the
    shares that these trials counted, people pooled; and ``note``, why there is no rate.

    Raises
    ------
    ValueError
        No usable row; counts that cannot be.
    """
    idata = fit(decomposition_design(*rows_with_counts(evidence)), seed=seed)
    if "delta" not in idata["posterior"]:
        raise ValueError("no row gives a drug: there is no response to it")
    effects = interval_table(relative_effects(idata))
    counted = counted_responses(evidence)
    rows = []
    for row in effects[effects["trials"] > 0].to_dict("records"):
        drug, therapy = str(row["drug"]), float(row["therapy"])
        mine = counted[(counted["drug"] == drug) & (counted["therapy"] == therapy)]
        out = {"drug": drug, "therapy": therapy, "trials": int(row["trials"]), "effect": row["mean"], "effect_low": row["ci_low"],
               "effect_high": row["ci_high"], "counted_trials": mine["trial"].nunique(), "note": ""}  # fmt: skip
        control = mine[mine["control"]]
        people, responders = control["n"].sum(), control["responders"].sum()
        if not 0 < responders < people:
            rows.append(out | {"note": "no control arm of its trials counted responders, or all or none did"})
            continue
        rate = responders / people
        found = response_rates(idata, control_rate=rate, therapy=(therapy,)).sel(drug=drug, therapy=therapy)
        treated = mine[~mine["control"]]
        rows.append(out | {"control_rate": rate, "control_n": people} | _limits(found["response"].to_numpy(), "response")
                    | _needed(found["risk_difference"].to_numpy())
                    | {"observed": treated["responders"].sum() / treated["n"].sum() - rate})  # fmt: skip
    names = ["response", "risk_difference", "nnt"]
    columns = [
        "drug",
        "therapy",
        "trials",
        "effect",
        "effect_low",
        "effect_high",
        "counted_trials",
        "control_rate",
        "control_n",
    ]
    columns += [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    return pd.DataFrame(rows).reindex(columns=[*columns, "observed", "note"])


def rows_with_counts(evidence: Evidence) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the headline's arms, and its differences with those of the arms that have counts alone."""
    arms, differences = model_rows(evidence)
    near = response_contrasts(response_arms(evidence, arms, differences))
    parts = [part for part in (differences, near) if len(part)]
    return arms, pd.concat(parts) if parts else differences


def counted_alone(evidence: Evidence) -> pd.DataFrame:
    """List the arms that have no mean and speak by their counts alone.

    Parameters
    ----------
    evidence
        The checked tables.

    Returns
    -------
    DataFrame: ``trial``, ``arm``, ``drug``, ``n``, ``responders``, ``counted`` (response or remission), ``control`` (what the trial
    compares with) and ``enters``: how the arm comes in, or that it does by the sampler's route alone
    (:func:`pillprocess.decomposition_with_counts`).
    """
    counts = response_arms(evidence, *model_rows(evidence))
    near = response_contrasts(counts)
    used = {
        (t, a) for side in ("arm", "reference_arm") if len(near) for t, a in zip(near["trial"], near[side], strict=True)
    }
    enters = [IN_MODEL if key in used else SAMPLER_ONLY for key in zip(counts["trial"], counts["arm"], strict=True)]
    active = counts["comparator"].astype(float).groupby(counts["trial"]).transform("max") if len(counts) else []
    control = np.where(np.asarray(active, float) > 0, "another treatment", "no or low dose")
    named = (
        counts.drop(columns="drug", errors="ignore")
        .rename(columns={"study_drug": "drug"})
        .assign(enters=enters, control=control)
    )
    return named[["trial", "arm", "drug", "n", "responders", "counted", "control", "enters"]].reset_index(drop=True)


def _limits(draws: np.ndarray, name: str) -> dict[str, float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return {name: float(draws.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}


def _needed(gain: np.ndarray) -> dict[str, float]:
    """Risk difference, and its inverse: with limits only where the interval of the difference holds no 0."""
    out = _limits(gain, "risk_difference")
    low, high = out["risk_difference_low"], out["risk_difference_high"]
    apart = low * high > 0
    return out | {
        "nnt": 1 / out["risk_difference"], "nnt_low": 1 / high if apart else np.nan, "nnt_high": 1 / low if apart else np.nan
    }  # fmt: skip
