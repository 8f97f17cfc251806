"""Mutants of the embedded evidence: one figure of the model's own trials spoilt at a time.

    python benchmarks/mutants.py 1500 --seed 1

A mutant is refused, or asked about, or silent. A silent one that moves a headline effect by more than half a posterior SD is
what the questions exist to prevent: each is printed, and the exit status is 1 if there is any.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

import pillprocess as pp
from pillprocess.evidence.tables import embedded_folder
from pillprocess.rows.contrasts import model_rows

FIGURES = {
    "outcomes": ["n", "time_days", "baseline_mean", "baseline_sd", "post_mean", "post_sd", "change_mean", "change_sd", "change_se",
                 "change_ci_low", "change_ci_high"],
    "contrasts": ["estimate", "ci_low", "ci_high", "se"],
    "arms": ["n", "dose", "dose_mg_equiv", "dose_mg_per_kg", "therapy"],
}  # fmt: skip
SLIPS = {
    "sign": lambda x: -x, "times 10": lambda x: 10 * x, "over 10": lambda x: x / 10, "times 100": lambda x: 100 * x,
    "over 7": lambda x: x / 7, "0 for 1": lambda x: 1 - x, "SE for SD": lambda x: round(x / 4.5, 2),
    "SD for SE": lambda x: round(4.5 * x, 2),
}  # fmt: skip


def mutate(folder: Path, rng: np.random.Generator, trials: set[str]) -> str:
    """Write one mutant of the embedded tables and say what was spoilt."""
    while True:
        name = rng.choice(list(FIGURES))
        table = pd.read_csv(embedded_folder() / f"{name}.csv", dtype=str, keep_default_na=False)
        rows = table[table["trial_id"].isin(trials)]
        if "primary" in rows:
            rows = rows[rows["primary"] == "1"]
        column, row = rng.choice(FIGURES[name]), rng.choice(rows.index)
        cell = table.loc[row, column]
        if cell == "" or (column == "therapy") == (rng.random() > 0.1):
            continue
        slip = "0 for 1" if column == "therapy" else rng.choice([s for s in SLIPS if s != "0 for 1"])
        spoilt = f"{SLIPS[slip](float(cell)):.6g}"
        if float(spoilt) == float(cell):
            continue
        table.loc[row, column] = spoilt
        for path in embedded_folder().glob("*.csv"):
            (folder / path.name).symlink_to(path)
        (folder / f"{name}.csv").unlink()
        table.to_csv(folder / f"{name}.csv", index=False)
        return f"{name} {table.loc[row, 'trial_id']} {column}: {cell} -> {spoilt} ({slip})"


def waiting(folder: Path | None = None) -> set[tuple[str, str, str]]:
    """The open questions of a folder."""
    asked = pp.evidence_questions(folder)
    return set(asked.loc[asked["answer"] == "", ["file", "trial", "question"]].itertuples(index=False, name=None))


def judge(text: str, folder: Path, usual: set[tuple[str, str, str]], headline: pd.DataFrame) -> tuple[str, float]:
    """Whether a mutant is refused, asked about or silent, and how far the headline moved, in posterior SDs."""
    if len(pp.evidence_problems(folder)):
        return "refused", np.nan
    verdict = "asked" if waiting(folder) - usual else "silent"
    if verdict == "asked":
        return verdict, np.nan
    after = headline.merge(
        pp.headline_effects(pp.load_evidence(folder)), on=["drug", "therapy"], suffixes=("", "_after"), how="left"
    )
    return verdict, float(((after["mean_after"] - after["mean"]) / after["sd"]).abs().fillna(np.inf).max())


def main() -> int:
    """Run the mutants; 1 if a silent one moved the headline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mutants", type=int)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    evidence = pp.load_evidence()
    arms, differences = model_rows(evidence)
    trials = {*arms["trial"], *differences["trial"]}
    usual, headline = waiting(), pp.headline_effects(evidence)
    rng, counts, worst = np.random.default_rng(chosen.seed), Counter[str](), 0.0
    for number in range(1, chosen.mutants + 1):
        with tempfile.TemporaryDirectory() as place:
            text = mutate(Path(place), rng, trials)
            verdict, moved = judge(text, Path(place), usual, headline)
        harmful = verdict == "silent" and moved > 0.5
        counts["silent and harmful" if harmful else verdict] += 1
        worst = max(worst, moved if verdict == "silent" else 0.0)
        if harmful:
            print(f"{text}: moved {moved:.2f} SD", flush=True)
        if number % 50 == 0:
            print(f"{number}: {dict(counts)}, largest silent move {worst:.2f} SD", file=sys.stderr, flush=True)
    print(dict(counts), f"largest silent move {worst:.2f} SD")
    return int(counts["silent and harmful"] > 0)


if __name__ == "__main__":
    sys.exit(main())
