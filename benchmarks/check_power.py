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

RANKED, NODES, LEVEL = 99, 80, 0.05


def one(
    arms: pd.DataFrame, differences: pd.DataFrame, world: str, seed: int
) -> tuple[dict[str, float], dict[str, float]]:  # fmt: skip
    """p-values of the checks on one simulated data set; where the model is true also one random PIT of every kind of prediction."""
    rng = np.random.default_rng([sorted(WORLDS).index(world), seed])
    design = pp.decomposition_design(*simulate(arms, differences, world, rng))
    pit = pp.loto_pit(design, nodes=NODES)
    checks = pp.check_pit(pit).set_index("check")["p"].to_dict()
    ordered = np.sort(list(checks.values()))
    checks["any of them (Holm)"] = float((ordered * np.arange(len(ordered), 0, -1)).min())
    judged = pit["kind"] != "baseline of its own"
    rows, alone = pit.loc[judged, "row"], {}
    checks |= {"rows outside, leave one trial out": float((~pit.loc[judged, "inside"]).sum()), "rows judged": len(rows)}
    if world == "true":
        idata = pp.fit(design, seed=seed, draws=250)
        for group in ("posterior_predictive", "new_trial"):
            table = pp.predictive_check(idata, group=group, seed=seed).set_index("row")
            checks[f"rows outside, {group}"] = float((~table.loc[rows, "inside"]).sum())
            alone[group] = float(table.loc[rng.choice(rows), "p_below"])
        for kind in ("contrast", "course"):
            alone[f"leave one trial out, {kind}"] = float(rng.choice(pit.loc[pit["kind"] == kind, "pit"]))
    return checks, alone


def power(found: dict[str, list[dict[str, float]]]) -> pd.DataFrame:
    """Share of data sets in which each check gives p < .05, and the mean number of rows outside their interval, by world."""
    rows = []
    for world, checks in found.items():
        table = pd.DataFrame(checks)
        outside = [c for c in table if c.startswith("rows")]
        rates = (table.drop(columns=outside) < LEVEL).mean()
        rows.append({"world": world, "data_sets": len(table), **rates.to_dict(), **table[outside].mean().to_dict()})
    return pd.DataFrame(rows)


def uniformity(alone: list[dict[str, float]]) -> pd.DataFrame:
    """Exact p-value of the departure from uniform of one PIT a data set, for each kind of prediction."""
    table, rows = pd.DataFrame(alone), []
    for name in table:
        rank = np.minimum((table[name] * (RANKED + 1)).astype(int), RANKED).to_numpy()
        rows.append(
            {
                "prediction": name, "data_sets": len(table), "p": p_value(rank, RANKED), "mean": table[name].mean(),
                "sd": table[name].std(),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


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
    found: dict[str, list[dict[str, float]]] = {world: [] for world in WORLDS}
    alone: list[dict[str, float]] = []
    per_round = -(-arguments.true // arguments.others)
    for turn in range(arguments.others):
        for world in WORLDS:
            for seed in range(turn * per_round, (turn + 1) * per_round) if world == "true" else (turn,):
                checks, values = one(arms, differences, world, seed)
                found[world].append(checks)
                alone += [values] if values else []
        power(found).round(4).to_csv(arguments.out / "check_power.csv", index=False)
        uniformity(alone).round(4).to_csv(arguments.out / "check_uniformity.csv", index=False)
        print(f"{turn + 1} of {arguments.others} rounds", flush=True)
    print(power(found).to_string(), uniformity(alone).to_string(), sep="\n")


if __name__ == "__main__":
    main()
