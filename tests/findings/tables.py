"""Tables of a main job, written by hand: one drug with therapy, every figure chosen."""

import pandas as pd


def interval(mean: float, low: float, high: float) -> dict[str, float]:
    return {"mean": mean, "ci_low": low, "ci_high": high}


def made(people: float = 300, *, mean: float = -0.8, low: float = -1.0, high: float = -0.6) -> dict[str, pd.DataFrame]:
    """Four trials of psilocybin with therapy, ``people`` in each, and figures that take nothing down."""
    rows = [
        {"trial": f"t{j}", "arm": arm, "kind": "arm", "study_drug": "psilocybin", "drug_given": "psilocybin", "construct": "depression",
         "dose": dose, "reference_dose": float("nan"), "therapy": 1.0, "reference_therapy": float("nan"), "n": people / 2,
         "n_arm": float("nan"), "n_reference": float("nan"), "reference_arm": "", "time_days": 21.0, "expectancy_from": "borrowed"}
        for j in range(4) for arm, dose in (("drug", 1.0), ("placebo", 0.0))
    ]  # fmt: skip
    effect = {"drug": "psilocybin", "therapy": 1.0, "trials": 4, "evidence": "own trials"}
    alone = effect | {"therapy": 0.0, "trials": 0, "evidence": "carried over from other drugs"}
    carried = {"drug": "psilocybin", "quantity": "difference made by therapy"}
    return {
        "rows": pd.DataFrame(rows),
        "drug_effects": pd.DataFrame(
            [
                effect | interval(mean, low, high) | {"kind": "pooled"},
                effect | interval(mean, -1.4, -0.2) | {"kind": "predictive"},
                alone | interval(-0.5, -0.9, -0.1) | {"kind": "pooled"},
                alone | interval(-0.5, -1.2, 0.2) | {"kind": "predictive"},
            ]
        ),
        "drug_ledger": pd.DataFrame([carried | interval(-0.3, -0.6, 0.1) | {"evidence": "carried over from other drugs"}]),
        "belief_pair": pd.DataFrame([effect | interval(-0.7, -0.9, -0.5) | {"model": "with belief", "quantity": "effect"}]),
        "bias_effects": pd.DataFrame(
            [
                {"drug": "psilocybin", "dose": "averaged", "trials": 4, "estimate": name} | interval(value, value - 0.2, value + 0.2)
                for name, value in (("as pooled", -0.8), ("allowing for small-study effects", -0.7), ("largest trials alone", -0.6))
            ]
        ),
        "responders": pd.DataFrame(
            [
                {"drug": "psilocybin", "therapy": 1.0, "control_rate": 0.2, "control_n": 200, "response": 0.45, "risk_difference": 0.25,
                 "risk_difference_low": 0.2, "risk_difference_high": 0.3, "nnt": 4.0, "nnt_low": 3.3, "nnt_high": 5.0, "note": ""}
            ]
        ),
    }  # fmt: skip
