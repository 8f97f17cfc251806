"""How often `bias_adjusted` covers the drug effects when trials without significance were printed less often.

Run with ``uv run python benchmarks/bias_coverage.py 50``. Trials are simulated person by person with the sizes, drugs and
number of the trials in data/, and drawn until one is printed: always when its difference is significant (one-sided .025), else with
the chance shown. Doses are alike. One row per chance and estimate: coverage of the five drugs' effects, mean width over that of the
pooled interval, mean error (above 0: less benefit than true).
"""

import sys
import warnings

import numpy as np
import pandas as pd

import pillprocess as pp

EFFECTS = {"psilocybin": -0.55, "LSD": -0.5, "MDMA": -0.65, "ketamine": -0.45, "esketamine": -0.3}
TAU = 0.25
ESTIMATES = ("as pooled", "allowing for small-study effects", "PET", "PEESE", "selection")


def body(shape: pd.DataFrame, printed: float, rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for number, row in enumerate(shape.itertuples()):
        while True:
            true = EFFECTS[row.drug] + TAU * rng.standard_normal()
            drug, control = true + rng.standard_normal(int(row.n_arm)), rng.standard_normal(int(row.n_reference))
            y, se = (
                drug.mean() - control.mean(),
                np.sqrt(drug.var(ddof=1) / len(drug) + control.var(ddof=1) / len(control)),
            )
            if y / se < -1.96 or rng.random() < printed:
                break
        rows.append({"trial": f"t{number}", "drug": row.drug, "y": y, "se": se})
    return pd.DataFrame(rows)


def main(replications: int) -> None:
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    shape = pp.drug_contrasts(pd.concat([arms, pp.contrasts(evidence, besides=arms)]))
    shape[["n_arm", "n_reference"]] = shape[["n_arm", "n_reference"]].fillna(30)
    print(f"{len(shape)} contrasts of {shape['trial'].nunique()} trials, {replications} replications a row")
    for printed in (1.0, 0.2, 0.0):
        rng = np.random.default_rng([1, int(100 * printed)])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "no trial lies on the other side")
            table = pd.concat(pp.bias_adjusted(body(shape, printed, rng)).effects for _ in range(replications))
        true = table["drug"].map(EFFECTS)
        table = table.assign(
            covered=(table["ci_low"] <= true) & (true <= table["ci_high"]),
            width=table["ci_high"] - table["ci_low"],
            error=table["mean"] - true,
        )
        means = table.groupby("estimate")[["covered", "width", "error"]].mean().loc[list(ESTIMATES)]
        means["width"] /= means.loc["as pooled", "width"]
        print(f"\n{printed:.0%} of the results without significance printed\n{means.round(3).to_string()}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
