"""How large an evidence base, or a trial, can be: seconds and peak memory, each case in a process of its own.

2,275 trials of 4 arms (9,100 rows) by the closed form, with each left out, and by the sampler, and a file of 1,000,000
participants through ``load_participants``. Run with ``python benchmarks/scale.py [CASE ...]``.
"""

import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import pillprocess as pp

TRIALS, PEOPLE = 2_275, 1_000_000
DRUGS = ("psilocybin", "LSD", "MDMA", "ketamine", "esketamine")


def arms(n_trial: int) -> pd.DataFrame:
    """Simulated trials of four doses of one drug each, half of them with therapy."""
    rng = np.random.default_rng(0)
    trial, k = np.repeat(np.arange(n_trial), 4), np.tile(np.arange(4), n_trial)
    baseline, deviation = rng.normal(-0.6, 0.3, n_trial)[trial], rng.normal(0, 0.2, n_trial)[trial]
    therapy, drug = rng.integers(0, 2, n_trial)[trial].astype(float), np.array(DRUGS)[trial % len(DRUGS)]
    dose, se = k / 2.0, rng.uniform(0.1, 0.4, len(trial))
    y = baseline + dose * (-0.6 + deviation - 0.2 * therapy) + rng.normal(0, se)
    labels = [f"trial {j}: arm {i}" for j, i in zip(trial, k, strict=True)]
    constant = {
        "kind": "arm",
        "reference_arm": "",
        "unit": "sd",
        "role": "active",
        "condition": "MDD",
        "construct": "depression",
    }
    zero = dict.fromkeys(("waitlist", "comparator", "expectancy", "experience"), 0.0)
    return pd.DataFrame(
        {
            "trial": [f"trial {j}" for j in trial], "arm": [f"arm {i}" for i in k], "label": labels, "study_drug": drug,
            "drug_given": drug, "instrument": "MADRS", "y": y, "se": se, "dose": dose, "therapy": therapy,
            "expectancy_from": "", **constant, **zero,
        }
    )  # fmt: skip


def exact() -> None:
    """The closed form: the design, its posterior and 4,000 draws."""
    table, start = arms(TRIALS), time.process_time()
    design = pp.decomposition_design(table)
    built = time.process_time()
    with warnings.catch_warnings():  # that the groups by row are not drawn
        warnings.simplefilter("ignore", UserWarning)
        idata = pp.fit(design, seed=1)
    print(
        f"closed form, {TRIALS:,} trials x 4 arms: {built - start:.1f} s CPU for the design, {time.process_time() - built:.1f} s for the "
        f"fit, delta {idata['posterior']['delta'].mean():.3f}"
    )


def left_out() -> None:
    """Each trial left out: what moves the terms, and what the others predict for it."""
    design = pp.decomposition_design(arms(TRIALS))
    idata, start = pp.fit(design, seed=1, draws=10, by_row=False), time.process_time()
    pull = pp.influence(idata)
    moved = time.process_time()
    inside = pp.loto_pit(design)["inside"]
    print(
        f"left out one by one, {TRIALS:,} trials x 4 arms: {moved - start:.1f} s CPU for influence (delta: largest shift "
        f"{pull.loc[pull['variable'] == 'delta', 'shift'].abs().max():.2f} SD), {time.process_time() - moved:.1f} s for loto_pit "
        f"({inside.mean():.1%} inside 95 %)"
    )


def sampler() -> None:
    """PyMC and nutpie, four chains of 500 draws after 500 of tuning."""
    design = pp.decomposition_design(arms(TRIALS))
    start = time.perf_counter()
    idata = pp.fit(design, seed=1, route="sampler", draws=500, tune=500)
    delta = idata["posterior"]["delta"]
    print(
        f"sampler, {TRIALS:,} trials x 4 arms: {time.perf_counter() - start:.1f} s, delta {delta.mean():.3f}, "
        f"{int(idata['sample_stats']['diverging'].sum())} divergent transitions"
    )


def participants() -> None:
    """A CSV file of a million people, checked and coded."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(PEOPLE, 4)).round(4), columns=["m", "y", "y0", "age"])
    table["arm"], table["site"] = np.tile(["placebo", "drug"], PEOPLE // 2), np.arange(PEOPLE) // 10_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.csv"
        table.to_csv(path, index=False)
        size = path.stat().st_size / 1e6
        del table
        start = time.perf_counter()
        people = pp.load_participants(
            path,
            treatment="arm",
            reference="placebo",
            mediators="m",
            outcome="y",
            baseline="y0",
            covariates=["age"],
            trial="site",
        )
    print(f"{len(people):,} participants, a file of {size:.0f} MB: {time.perf_counter() - start:.1f} s")


CASES = {"exact": exact, "left_out": left_out, "sampler": sampler, "participants": participants}


def main() -> None:
    """Run each case in a new process and print its peak memory, or run the one that is named."""
    if len(sys.argv) == 3 and sys.argv[1] == "--here":
        CASES[sys.argv[2]]()
        import resource

        print(f"    peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
        return
    for case in sys.argv[1:] or CASES:
        subprocess.run([sys.executable, __file__, "--here", case], check=True)


if __name__ == "__main__":
    main()
