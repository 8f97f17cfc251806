"""A small body of evidence with every kind in it, written by hand."""

import pandas as pd

from pillprocess.evidence.tables import Evidence
from pillprocess.synthesis.items import synthesis_items

DOSE = {"psilocybin": {"dose_mg_equiv": 25.0}, "ketamine": {"dose_mg_per_kg": 0.5, "route": "iv"}}


def arm(trial, name, drug="psilocybin", dose=1.0, **cells):
    """An arm that got so many reference doses; 0 is placebo."""
    given = {k: v * dose if isinstance(v, float) else v for k, v in DOSE[drug].items()}
    role = cells.pop("role", "active" if dose > 0 else "inert_placebo")
    return {
        "trial_id": trial, "arm_id": name, "study_drug": drug, "drug": drug if dose > 0 else "placebo", "role": role, **given, **cells,
    }  # fmt: skip


def outcome(trial, name, change, sd=8.0, **cells):
    return {"trial_id": trial, "arm_id": name, "change_mean": change, "change_sd": sd, **cells}


def small_evidence(build_evidence) -> Evidence:
    arms = [
        arm("alone", "high", therapy=1), arm("alone", "placebo", dose=0, therapy=1), arm("doses", "high", therapy=1),
        arm("doses", "low", dose=0.2, therapy=1, role="low_dose"), arm("open", "drug", therapy=1),
        arm("open", "waitlist", dose=0, role="waitlist", drug="psilocybin") | {"drug": "none"},
        arm("infusion", "ketamine", "ketamine"), arm("infusion", "midazolam", "ketamine", 0, role="active_placebo") | {"drug": "midazolam"},
        arm("asleep", "ketamine", "ketamine", awake=0), arm("asleep", "saline", "ketamine", 0, awake=0),
        arm("events", "ketamine", "ketamine"), arm("events", "placebo", "ketamine", 0),
    ]  # fmt: skip
    changes = {
        ("alone", "high"): -15, ("alone", "placebo"): -6, ("doses", "high"): -13, ("doses", "low"): -7, ("open", "drug"): -17,
        ("open", "waitlist"): -1, ("infusion", "ketamine"): -12, ("infusion", "midazolam"): -7, ("asleep", "ketamine"): -10,
        ("asleep", "saline"): -9,
    }  # fmt: skip
    counts = [
        {"trial_id": "events", "arm_id": a, "responders": r, "n": 30} for a, r in (("ketamine", 16), ("placebo", 7))
    ]
    score = {
        "dimension": "mystical",
        "drug": "psilocybin",
        "dose_mg_equiv": 25.0,
        "n": 30,
        "scale_min": 0.0,
        "scale_max": 100.0,
    }
    cadss = {"dimension": "dissociative", "instrument": "CADSS", "n": 25, "sd": 10.0}
    return build_evidence(
        trials=[{"trial_id": t, "blinding": "open" if t == "open" else "double"} for t in dict.fromkeys(a["trial_id"] for a in arms)]
        + [{"trial_id": "volunteers", "population": "healthy"}],
        arms=arms, outcomes=[outcome(*key, change) for key, change in changes.items()] + counts,
        subjective=[
            score | {"trial_id": "volunteers", "arm_id": "25mg", "instrument": "MEQ30", "mean": 60.0, "sd": 22.0},
            score | {"trial_id": "volunteers", "arm_id": "25mg", "instrument": "5D-ASC_OBN", "mean": 50.0, "sd": 24.0},
            cadss | {"trial_id": "infusion", "arm_id": "ketamine", "drug": "ketamine", "dose_mg_per_kg": 0.5, "mean": 22.0},
            cadss | {"trial_id": "infusion", "arm_id": "midazolam", "drug": "placebo", "dose_mg_per_kg": 0.0, "mean": 2.0},
        ],
        scale_bridge=[{"source": "volunteers", "scale_a": "MEQ30_total", "scale_b": "5D-ASC_OBN", "r": 0.85, "n": 40}],
        associations=[
            {"trial_id": "alone", "arm_id": "high", "predictor_instrument": "MEQ30", "predictor_dimension": "mystical", "n": 39,
             "outcome_instrument": "MADRS", "statistic": "r", "estimate": -0.4, "positive_means": "worse_symptoms", "include": 1,
             "origin": "published"},
            {"trial_id": "infusion", "arm_id": "ketamine", "predictor_instrument": "CADSS", "predictor_dimension": "dissociative",
             "n": 28, "outcome_instrument": "MADRS", "statistic": "direction_only", "significant": 0.0, "positive_means": "no_estimate",
             "include": 1, "origin": "published"},
        ],
        expectancy=[
            {"trial_id": "alone", "arm_id": "all", "value": 85.0, "n": 40},
            {"trial_id": "asleep", "arm_id": "ketamine", "value": 40.0, "n": 20},
        ],
    )  # fmt: skip


def small_items(build_evidence, *, participants: tuple[pd.DataFrame, ...] = ()):
    return synthesis_items(small_evidence(build_evidence), participants=participants)
