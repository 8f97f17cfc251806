"""Does the share that is not the drug's hold the truth when the dose-response saturates?

``python benchmarks/dose_coverage.py 60`` simulates so many bodies of evidence of the real shape (trials, arms, doses, therapy, people) in
each of three worlds, with NumPy alone: the drug's effect grows linearly with dose, as 2x / (1 + x), or as 1.15x / (.15 + x). Prints how
many 95 % intervals of ``not_drug_share`` (linear) and of ``dose_averaged_share`` hold the share of each simulated world.
"""

import sys

import numpy as np
import pandas as pd

import pillprocess as pp

COURSE, THERAPY, WAITING, COMPARATOR, DRUG, SD = -0.45, -0.15, 0.3, -0.2, -0.75, 1.0
CURVES = {
    "linear": lambda x: x,
    "half-maximal at 1": lambda x: 2 * x / (1 + x),
    "half-maximal at .15": lambda x: 1.15 * x / (0.15 + x),
}


def world(arms, contrasts, curve, rng):
    """New outcomes, and the share of the drug arms' expected change that is not the drug's."""
    rows = pd.concat([arms, contrasts], ignore_index=True)
    others, totals = [], []
    for _, here in rows.groupby("trial", sort=False):
        m, u, w = 0.25 * rng.standard_normal(), 0.3 * rng.standard_normal(), 0.1 * rng.standard_normal()
        seen: dict[str, tuple[float, float]] = {}

        def arm(row, prefix, name, n, m=m, u=u, w=w, seen=seen):
            if name not in seen:
                drug = (DRUG + u) * curve(float(row[f"{prefix}dose"]))
                rest = COURSE + m + (THERAPY + w) * row[f"{prefix}therapy"] + WAITING * row[f"{prefix}waitlist"]
                rest += COMPARATOR * row[f"{prefix}comparator"]
                size = int(n) if n > 3 else 20
                change = drug + rest + SD * rng.standard_normal(size)
                seen[name] = (change.mean(), change.std(ddof=1) / np.sqrt(size), drug, rest)
            return seen[name]

        several = (here["kind"] == "arm").sum() > 1
        for i, row in here.iterrows():
            if row["kind"] == "arm":
                y, se, drug, rest = arm(row, "", row["arm"], row["n"])
                if several and row["role"] == "active":
                    others.append(rest)
                    totals.append(rest + drug)
            else:
                one = arm(row, "", row["arm"], row["n_arm"])
                other = arm(row, "reference_", row["reference_arm"], row["n_reference"])
                y, se = one[0] - other[0], np.hypot(one[1], other[1])
            rows.loc[i, ["y", "se"]] = y, max(se, 0.05)
    kinds = rows["kind"] == "arm"
    return rows[kinds].reset_index(drop=True), rows[~kinds].reset_index(drop=True), np.mean(others) / np.mean(totals)


def main(datasets: int) -> None:
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    contrasts = pp.contrasts(evidence, besides=arms)
    lines = []
    for k, (name, curve) in enumerate(CURVES.items()):
        for i in range(datasets):
            rng = np.random.default_rng(np.random.SeedSequence(11, spawn_key=(k, i)))
            a, c, truth = world(arms, contrasts, curve, rng)
            averaged, _ = pp.dose_averaged_share(a, c)
            linear = pp.not_drug_share(pp.decomposition_design(a, c))
            for method, table in (("linear", linear), ("averaged", averaged)):
                r = table.iloc[0]
                lines.append(
                    (name, method, r["ci_low"] <= truth <= r["ci_high"], r["mean"] - truth, r["ci_high"] - r["ci_low"])
                )
            if i % 10 == 9 or i == datasets - 1:
                table = pd.DataFrame(lines, columns=["world", "method", "covered", "bias", "width"])
                print(
                    table.groupby(["world", "method"], sort=False)
                    .agg(
                        n=("covered", "size"),
                        covered=("covered", "mean"),
                        bias=("bias", "mean"),
                        width=("width", "median"),
                    )
                    .round(3)
                    .to_string(),
                    flush=True,
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
