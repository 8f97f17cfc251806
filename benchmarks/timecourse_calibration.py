"""Are the half-lives calibrated? Evidence of the real shape drawn from the prior, by NumPy alone, and fitted.

``python benchmarks/timecourse_calibration.py 60``: for each replication the parameters are drawn from their priors, every arm gets a
course of its own
and sampling errors that are autoregressive over its visits, and the fit's ranks of the true values are kept. Prints
for each quantity the share of 50 and 95 % intervals that hold the truth, and the p-value of uniform ranks (Kolmogorov-Smirnov).
"""

import sys

import numpy as np
import pandas as pd
from scipy import stats

import pillprocess as pp


def world(rows, rng):
    """New changes for arm rows, and the truth by drug."""
    table = rows.copy()
    typical, spread, rho = np.log(30) + 1.5 * rng.standard_normal(), abs(rng.standard_normal()), rng.random()
    tau, eta = 0.5 * abs(rng.standard_normal()), 0.35 * rng.standard_normal()
    drugs = sorted(set(table.loc[table["dose"] > 0, "drug_given"]))
    half = {d: np.exp(typical + spread * rng.standard_normal()) for d in drugs}
    size = {d: rng.standard_normal() for d in drugs}
    change = {d: 0.35 * rng.standard_normal() for d in drugs}
    for _, trial in table.groupby("trial"):
        u = tau * rng.standard_normal()
        course = dict(
            zip(
                sorted(set(trial["time_days"])),
                np.cumsum(0.3 * rng.standard_normal(trial["time_days"].nunique())),
                strict=True,
            )
        )
        for _, arm in trial.groupby("arm"):
            visit = np.array([sorted(course).index(t) for t in arm["time_days"]])
            factor = np.linalg.cholesky(rho ** np.abs(visit[:, None] - visit[None]) + 1e-9 * np.eye(len(arm)))
            y = arm["time_days"].map(course).to_numpy() + arm["se"].to_numpy() * (
                factor @ rng.standard_normal(len(arm))
            )
            if (arm["dose"] > 0).any():
                d, therapy = arm["drug_given"].iloc[0], arm["therapy"].to_numpy(float)
                left = 2.0 ** (-arm["days_from_last_dose"].to_numpy(float) / (half[d] * np.exp(eta * therapy)))
                y = y + (size[d] + change[d] * therapy + u) * arm["dose"].to_numpy(float) * left
            table.loc[arm.index, "y"] = y
    return table, {("half-life", d): half[d] for d in drugs} | {("size", d): size[d] for d in drugs} | {
        ("tau", ""): tau,
        ("rho", ""): rho,
    }


def main(replications: int) -> None:
    rows = pp.time_rows(pp.load_evidence())
    used = pp.time_contrasts(rows)
    aside = set(pp.time_set_aside(rows)["row"])
    rows = rows[(rows["kind"] == "arm") & ~rows["label"].isin(aside) & rows["trial"].isin(used["trial"])].reset_index(
        drop=True
    )
    ranks: dict[tuple[str, str], list[float]] = {}
    for i in range(replications):
        data, truth = world(rows, np.random.default_rng([17, i]))
        posterior = pp.fit_time_course(data, seed=i, draws=1000)["posterior"].dataset
        for (what, drug), value in truth.items():
            drawn = posterior[{"half-life": "half_life", "size": "delta"}.get(what, what)]
            drawn = drawn.sel(drug=drug) if drug else drawn
            ranks.setdefault((what, drug), []).append(float((drawn < value).mean()))
        if i % 20 == 19 or i == replications - 1:
            lines = [
                (
                    *key,
                    np.mean(np.abs(np.array(r) - 0.5) < 0.25),
                    np.mean(np.abs(np.array(r) - 0.5) < 0.475),
                    stats.kstest(r, "uniform").pvalue,
                )
                for key, r in ranks.items()
            ]
            print(i + 1, "replications")
            print(
                pd.DataFrame(lines, columns=["quantity", "drug", "in 50 %", "in 95 %", "p uniform"])
                .round(2)
                .to_string(index=False),
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
