"""What the checks of a decomposition notice: their rates of alarm where the model is true, and in twelve worlds where it is not.

    python benchmarks/check_power.py                # 200 data sets where the model is true, 30 of every other world
    python benchmarks/check_power.py --true 20 --others 5

Trials of the real shape, people first (tests/decomposition/worlds.py, which does not call the package). Writes
tests/decomposition/reference/check_power.csv and check_uniformity.csv, and prints both.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import pillprocess as pp
from pillprocess.output.uniformity import p_value

HERE = Path(__file__).resolve().parents[1] / "tests" / "decomposition"
sys.path.insert(0, str(HERE))
from worlds import WORLDS, simulate  # noqa: E402

RANKED, NODES, LEVEL = 99, 100, 0.05


def one(
    arms: pd.DataFrame, differences: pd.DataFrame, world: str, seed: int
) -> tuple[dict[str, float], dict[str, float]]:
    """p-values of the checks on one simulated data set, and one random PIT of every kind of prediction."""
    rng = np.random.default_rng([sorted(WORLDS).index(world), seed])
    design = pp.decomposition_design(*simulate(arms, differences, world, rng))
    pit = pp.loto_pit(design, nodes=NODES)
    checks = pp.check_pit(pit).set_index("check")["p"].to_dict()
    ordered = np.sort(list(checks.values()))
    checks["any of them (Holm)"] = float((ordered * np.arange(len(ordered), 0, -1)).min())
    idata = pp.fit(design, seed=seed, draws=250)
    alone = {}
    judged = pit["kind"] != "baseline of its own"
    rows = pit.loc[judged, "row"]
    for group in ("posterior_predictive", "new_trial"):
        table = pp.predictive_check(idata, group=group, seed=seed).set_index("row")
        checks[f"rows outside, {group}"] = int((~table.loc[rows, "inside"]).sum())
        alone[group] = float(table.loc[rng.choice(rows), "p_below"])
    checks["rows outside, leave one trial out"] = int((~pit.loc[judged, "inside"]).sum())
    checks["rows judged"] = len(rows)
    for kind in ("contrast", "course"):
        alone[f"leave one trial out, {kind}"] = float(rng.choice(pit.loc[pit["kind"] == kind, "pit"]))
    return checks, alone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--true", type=int, default=200)
    parser.add_argument("--others", type=int, default=30)
    parser.add_argument("--out", type=Path, default=HERE / "reference")
    arguments = parser.parse_args()
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    differences = pp.contrasts(evidence, besides=arms)
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows, uniform = [], []
    for world in WORLDS:
        count = arguments.true if world == "true" else arguments.others
        found = [one(arms, differences, world, seed) for seed in range(count)]
        table = pd.DataFrame([checks for checks, _ in found])
        outside = [c for c in table if c.startswith("rows")]
        rates = (table.drop(columns=outside) < LEVEL).mean()
        rows.append({"world": world, "data_sets": count, **rates.to_dict(), **table[outside].mean().to_dict()})
        print({k: round(v, 2) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
        if world == "true":
            alone = pd.DataFrame([values for _, values in found])
            for name in alone:
                rank = np.minimum((alone[name] * (RANKED + 1)).astype(int), RANKED).to_numpy()
                uniform.append(
                    {
                        "prediction": name, "data_sets": count, "p": p_value(rank, RANKED), "mean": alone[name].mean(),
                        "sd": alone[name].std(),
                    }
                )  # fmt: skip
        pd.DataFrame(rows).round(4).to_csv(arguments.out / "check_power.csv", index=False)
        pd.DataFrame(uniform).round(4).to_csv(arguments.out / "check_uniformity.csv", index=False)
    print(pd.DataFrame(uniform).to_string())


if __name__ == "__main__":
    main()
