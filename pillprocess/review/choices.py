"""The choices a reader might have made otherwise: one at a time, all together, and what they do to the share."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.decomposition.model import decomposition_design
from pillprocess.decomposition.multiverse import CHOICES
from pillprocess.decomposition.shares import not_drug_share
from pillprocess.evidence.tables import Evidence
from pillprocess.gaussian.fit import posterior_draws
from pillprocess.output.tables import interval_table
from pillprocess.rows.arms import arm_changes
from pillprocess.rows.change_scores import learned_correlation
from pillprocess.rows.contrasts import contrasts, model_rows
from pillprocess.rows.terms import HEADLINE, HYPOTHESES

IN_THE_REPORT = {name: options for name, options in CHOICES.items() if name != "heterogeneity"}
"""The prior of the heterogeneity moves little: it stands in the table of sensitivity alone."""


def shares_by_belief(arms: pd.DataFrame, differences: pd.DataFrame, design: xr.Dataset) -> pd.DataFrame:
    """The share that is not the drug's without and with belief in the model, both conventions; empty where no arm allows one."""
    try:
        with_belief = decomposition_design(arms, differences, terms=HEADLINE | {"expectancy"})
        return pd.concat([not_drug_share(design), not_drug_share(with_belief)], ignore_index=True)
    except ValueError:
        return pd.DataFrame(columns=["convention", "belief", "mean", "ci_low", "ci_high", "arms", "trials"])


def unfitted(specifications: pd.DataFrame) -> pd.DataFrame:
    """Why specifications of the multiverse could not be fitted, and how many."""
    reasons = specifications.loc[specifications["reason"] != "", "reason"]
    return reasons.value_counts().rename_axis("reason").reset_index(name="specifications")


def sensitivity_table(evidence: Evidence, *, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Refit in closed form under every choice a reader might make otherwise.

    Returns
    -------
    DataFrame, one row per choice: mean and 95 % interval of the drug term, the interaction, the therapy term, and the
    heterogeneity, with the number of trials. And the choices that this evidence does not allow, with the reason.
    """
    both = model_rows(evidence)
    arms = both[0]
    learned = learned_correlation(evidence)
    low, high = float(learned["r_low"]), float(learned["r_high"])
    firm = arms[arms["evidence_quality"].isin(["published", "computed_from_ipd", "back_calculated"])]
    printed = arms[~arms["se_from"].str.startswith("borrowed") & ~arms["dose_from"].str.startswith("assumed")]
    choices: dict[str, Callable[[], xr.Dataset]] = {
        "headline": lambda: decomposition_design(*both),
        "only randomised, within-trial contrasts (free baselines)": lambda: decomposition_design(
            *both, baseline="free"
        ),
        "uncontrolled trials inform the drug terms": lambda: decomposition_design(*both, single_arm="exchangeable"),
        "heterogeneity prior: inverse gamma (Rhodes 2015)": lambda: decomposition_design(*both, prior_tau="invgamma"),
        "heterogeneity prior: half-normal(1)": lambda: decomposition_design(*both, prior_tau_sd=1.0),
        "main terms' prior SD 1.4": lambda: decomposition_design(*both, prior_drug_sd=1.4, prior_therapy_sd=1.4),
        "course's prior SD 0.7, which pulls the course to 0": lambda: decomposition_design(*both, prior_course_sd=0.7),
        "interaction's prior SD 0.7": lambda: decomposition_design(*both, prior_interaction_sd=0.7),
        "dose-response logarithmic": lambda: decomposition_design(*both, dose_shape="log"),
        "dose-response Emax": lambda: decomposition_design(*both, dose_shape="emax"),
        f"pre-post correlation {low:.2f}": lambda: _with_correlation(evidence, low),
        f"pre-post correlation {high:.2f}": lambda: _with_correlation(evidence, high),
        "with expectancy (borrowed for most arms)": lambda: decomposition_design(
            *both, terms=HYPOTHESES["pill_and_process"]
        ),
        "with expectancy and experience (borrowed)": lambda: decomposition_design(*both, terms=HYPOTHESES["mediated"]),
        "drug without the interaction": lambda: decomposition_design(*both, terms=HEADLINE - {"drug:therapy"}),
        "without trials that gave only a difference": lambda: decomposition_design(arms),
        "without borrowed SDs and assumed doses": lambda: decomposition_design(printed, both[1]),
        "without digitised and secondary figures": lambda: decomposition_design(firm),
        "pooled arms in place of their trials' differences": lambda: _with_pooled_arms(evidence),
        "without unpublished results": lambda: decomposition_design(*(rows[rows["published"] == 1] for rows in both)),
        "depression outcomes only": lambda: _of_construct(evidence, "depression"),
    }
    rows, left_out = [], []
    for name, describe in choices.items():
        try:
            design = describe()
        except ValueError as error:
            left_out.append({"choice": name, "reason": str(error)})
        else:
            rows.append({"choice": name, **_key_terms(design, seed)})
    return pd.DataFrame(rows), pd.DataFrame(left_out, columns=["choice", "reason"])


def _of_construct(evidence: Evidence, construct: str) -> xr.Dataset:
    return decomposition_design(*model_rows(evidence, constructs=(construct,)))


def _with_pooled_arms(evidence: Evidence) -> xr.Dataset:
    """Let the arms of pooled analyses speak where the trials they pool gave only differences."""
    named = evidence.trials.loc[evidence.trials["include"] == 1, "counted_in"].dropna()
    parts = set(";".join(named).split(";")) - {""}
    if not evidence.contrasts["trial_id"].isin(parts).any():
        raise ValueError("no included trial pools trials that gave a difference")
    silenced = replace(evidence, contrasts=evidence.contrasts[~evidence.contrasts["trial_id"].isin(parts)])
    arms = arm_changes(silenced)
    return decomposition_design(arms, contrasts(silenced, besides=arms))


def _with_correlation(evidence: Evidence, correlation: float) -> xr.Dataset:
    arms = arm_changes(evidence, correlation=correlation)
    return decomposition_design(arms, contrasts(evidence, besides=arms))


def _key_terms(design: xr.Dataset, seed: int) -> dict[str, float]:
    """Mean and interval of the pooled terms of one design, fitted in closed form."""
    posterior = posterior_draws(design, seed=seed)
    out: dict[str, float] = {"trials": len(np.unique(design["trial"].to_numpy())), "rows": design.sizes["row"]}
    for variable, name in (("delta", "drug"), ("kappa", "interaction"), ("psi", "therapy"), ("tau", "tau")):
        if variable in posterior:
            row = interval_table(posterior[variable]).iloc[0]
            out |= {name: row["mean"], f"{name}_low": row["ci_low"], f"{name}_high": row["ci_high"]}
    return out
