"""Is a hypothesis rejected when it is true? Trials of the real shape are simulated under each in turn, then all are compared.

The simulation uses no design of the package: it reads the dose, therapy, belief and experience of every real arm, adds up
the formula written out here, and draws people. Every effect varies between trials.

python benchmarks/equal_terms.py --replications 60 --means fixed --out equal_terms.csv

``--means fixed`` takes the means of TRUE. At small means a hypothesis with fewer terms can rightly win: it is nearly true too.
``--means drawn`` draws every mean from the prior of its term, so that a Bayes factor of 10 against the truth has at most
probability 1 in 10 for each other hypothesis, if and only if nothing but the means tells hypotheses apart.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import pillprocess as pp
from pillprocess.gaussian.fit import integrate
from pillprocess.rows.terms import with_belief_by_design

TRUE = {
    "course": {},
    "pill": {"dose": -0.6},
    "process": {"therapy": -0.3, "expectancy": -0.6, "experience": -0.12},
    "additive": {"dose": -0.45, "therapy": -0.3, "expectancy": -0.4},
    "pill_and_process": {"dose": -0.4, "therapy": -0.3, "expectancy": -0.4, "dose x therapy": -0.3},
    "mediated": {"dose": -0.3, "therapy": -0.2, "expectancy": -0.3, "dose x therapy": -0.2, "experience": -0.1},
}
"""Mean terms under each hypothesis, in SDs; ``fully_mediated`` has the terms of ``process``."""

PRIOR_SD = {"dose": 0.7, "therapy": 0.7, "expectancy": 0.5, "experience": 0.5, "dose x therapy": 0.35}
COURSE, WAITLIST, COMPARATOR = -0.9, 0.3, -0.3
BETWEEN_TRIALS = {"course": 0.35, "dose": 0.33, "therapy": 0.3, "waitlist": 0.3, "comparator": 0.3}
BETWEEN_DRUGS = 0.12


def simulate(rows: pd.DataFrame, true: dict[str, float], rng: np.random.Generator) -> pd.DataFrame:
    """Give every row a new change and standard error: people of SD ``se * sqrt(n)`` around the formula's mean."""
    mean = {"waitlist": WAITLIST, "comparator": COMPARATOR} | {k: v for k, v in true.items() if k != "dose x therapy"}
    y = np.zeros(len(rows))
    drugs = {d: rng.normal(0, BETWEEN_DRUGS) for d in sorted(set(rows["drug_given"]))}
    for trial in sorted(set(rows["trial"])):
        own = {term: rng.normal(0, sd) for term, sd in BETWEEN_TRIALS.items()}
        for i in np.flatnonzero(rows["trial"].to_numpy() == trial):
            row = rows.iloc[i]
            sides = [("", 1.0)] + ([("reference_", -1.0)] if row["kind"] == "contrast" else [])
            y[i] += (COURSE + own["course"]) * (row["kind"] == "arm")
            for prefix, sign in sides:
                for term in ("dose", "therapy", "waitlist", "comparator", "expectancy", "experience"):
                    effect = mean.get(term, 0.0) + own.get(term, 0.0)
                    if term == "dose" and "dose" in true:
                        effect += drugs[row["drug_given"]]
                    y[i] += sign * effect * row[prefix + term]
                both = row[prefix + "dose"] * row[prefix + "therapy"]
                y[i] += sign * true.get("dose x therapy", 0.0) * both
    n = rows["n"].fillna(40).clip(lower=4).to_numpy()
    se = rows["se"].to_numpy()
    # of people of known SD, the mean and the sample SD are independent: normal and chi
    return rows.assign(y=y + se * rng.standard_normal(len(y)), se=se * np.sqrt(rng.chisquare(n - 1) / (n - 1)))


def log_marginal_likelihoods(rows: pd.DataFrame, names: list[str]) -> pd.Series:
    """Log marginal likelihood of every hypothesis."""
    arms, differences = rows[rows["kind"] == "arm"], rows[rows["kind"] == "contrast"]
    return pd.Series(
        {
            name: integrate(
                pp.decomposition_design(arms, differences if len(differences) else None, terms=pp.HYPOTHESES[name]),
                tolerance=1e-2,
            ).log_marginal_likelihood
            for name in names
        }
    )


def real_rows() -> pd.DataFrame:
    """The model rows of the embedded evidence, belief as the design lets expect it."""
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    rows = pd.concat([arms, pp.contrasts(evidence, besides=arms)], ignore_index=True)
    return with_belief_by_design(rows)


def compare_all(rows: pd.DataFrame, truth: str, *, replications: int, seed: int, drawn: bool = False) -> pd.DataFrame:
    """Log Bayes factor of every hypothesis against the true one, one row per simulated body of evidence."""
    streams = np.random.SeedSequence([seed, list(TRUE).index(truth)]).spawn(replications)
    out = []
    for stream in streams:
        rng = np.random.default_rng(stream)
        means = {term: rng.normal(0, PRIOR_SD[term]) if drawn else value for term, value in TRUE[truth].items()}
        log_ml = log_marginal_likelihoods(simulate(rows, means, rng), list(TRUE))
        out.append(log_ml - log_ml[truth])
    return pd.DataFrame(out).assign(truth=truth)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Share of the simulated bodies of evidence in which the truth, and each other hypothesis, is rejected at BF > 10."""
    out = []
    for truth, part in table.groupby("truth", sort=False):
        log_bf = part[list(TRUE)]
        best = log_bf.max(axis=1)
        rejected = {f"rejects {name}": ((best - log_bf[name]) > np.log(10)).mean() for name in TRUE}
        out.append({"truth": truth, "data sets": len(part), "truth rejected": (best > np.log(10)).mean()} | rejected)
    return pd.DataFrame(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--means", choices=["fixed", "drawn"], default="fixed")
    parser.add_argument("--truth", nargs="*", default=list(TRUE))
    parser.add_argument("--out", type=Path, default=Path("equal_terms.csv"))
    choice = parser.parse_args()
    rows = real_rows()
    tables = []
    for truth in choice.truth:
        drawn = choice.means == "drawn"
        tables.append(compare_all(rows, truth, replications=choice.replications, seed=choice.seed, drawn=drawn))
        pd.concat(tables).to_csv(choice.out, index=False)
        print(summary(tables[-1]).round(2).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
