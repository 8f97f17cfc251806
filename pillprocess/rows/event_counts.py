"""Counts of people in the evidence: who responded, and who guessed the treatment."""

import numpy as np
import pandas as pd

from pillprocess.evidence.drugs import known_drugs
from pillprocess.evidence.tables import Evidence
from pillprocess.rows.arms import describe_arms
from pillprocess.rows.associations import is_symptom


def response_counts(
    evidence: Evidence,
    arms: pd.DataFrame,
    differences: pd.DataFrame,
    *,
    constructs: tuple[str, ...] | None = None,
    drugs: tuple[str, ...] | None = None,
) -> pd.DataFrame:
    """Responders by arm, for controlled trials that published no usable mean change or difference of means.

    Returns
    -------
    DataFrame: ``trial``, ``arm``, ``n``, ``responders``, ``construct``.
    """
    rows = evidence.outcomes.rename(columns={"trial_id": "trial", "arm_id": "arm"})
    rows = rows[(rows["include"] == 1) & (rows["primary"] == 1) & rows["responders"].notna() & (rows["n"] > 0)]
    described = describe_arms(evidence)
    keys = list(zip(rows["trial"], rows["arm"], strict=True))
    rows = rows[np.array([described["reason"].get(k, "no such arm") == "" for k in keys], bool)]
    keys = list(zip(rows["trial"], rows["arm"], strict=True))
    rows = rows.assign(study_drug=[described["study_drug"][k] for k in keys])
    if drugs is not None:
        rows = rows[rows["study_drug"].isin(drugs)]
    rows = rows[is_symptom(rows["construct"]) & rows["instrument"].ne("relapse")]
    if constructs is not None:
        rows = rows[rows["construct"].isin(constructs)]
    by_means = differences[~differences["y_from"].str.contains("ln OR")]
    rows = rows[~rows["trial"].isin([*arms["trial"], *by_means["trial"]])]
    rows = rows[rows.groupby("trial")["trial"].transform("size") > 1]
    rows = rows.assign(n=rows["n_events"].fillna(rows["n"]))
    return rows[["trial", "arm", "n", "responders", "construct", "study_drug"]].reset_index(drop=True)


def treatment_guesses(evidence: Evidence, described: pd.DataFrame) -> pd.DataFrame:
    """Counts of correct treatment guesses after dosing, in trials of patients.

    Several counts of the same people are averaged. ``arm`` is "all" where the arms were pooled.

    Returns
    -------
    DataFrame: ``trial``, ``arm``, ``n``, ``correct``.
    """
    rows = evidence.expectancy
    rows = rows[
        rows["measure"].eq("participant_guess_correct_pct") & rows["value"].notna() & rows["timing"].ne("pre_dose")
    ]
    sizes = described["n"].groupby(level=0).sum(min_count=1)
    out = []
    for (trial, arm), group in rows.groupby(["trial_id", "arm_id"], sort=False):
        usable = described[(described["trial"] == trial) & (described["reason"] == "")]
        named = usable if arm == "all" else usable[usable["arm"] == arm]
        if len(usable) < 2 or named.empty or not usable["drug"].isin(known_drugs(evidence)).any():
            continue
        n = group["n"].max()
        n = float(sizes[trial] if arm == "all" else named["n"].iloc[0]) if np.isnan(n) else float(n)
        if n > 0:
            correct = round(group["value"].mean() / 100 * n)
            out.append({"trial": str(trial), "arm": str(arm), "n": n, "correct": float(correct)})
    return pd.DataFrame(out, columns=["trial", "arm", "n", "correct"])
