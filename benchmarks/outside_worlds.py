"""Does the synthesis cover when process terms are informed from outside, and outside is the same, half, or not there at all?

``python benchmarks/outside_worlds.py 30`` simulates so many bodies of evidence of the real shape in each of three worlds, drawn
with NumPy (:mod:`pillprocess.calibration.worlds`): therapy elsewhere does -.4 (SE .05) and belief -.5 per unit (SE .1), and here
both do the same, half of it, or nothing; in every second data set the whole drug effect runs through the experience, in the
others none. Each is fitted with and without outside evidence, at the default transport scale. Prints, for each world and route,
how many 95 % intervals hold the truth, and their median width.
"""

import sys

import numpy as np
import pandas as pd

from pillprocess.calibration.worlds import WORLDS, simulate_world, world
from pillprocess.evidence.tables import load_evidence
from pillprocess.synthesis.compiled import compile_synthesis
from pillprocess.synthesis.effects import path_effects
from pillprocess.synthesis.items import synthesis_items
from pillprocess.synthesis.model import synthesis

ELSEWHERE = {"therapy": (-0.4, 0.05), "belief": (-0.5, 0.1)}
HERE = {"the same": 1.0, "half": 0.5, "absent": 0.0}


def quantities(draws):
    effects = path_effects(draws, therapy=(1.0,)).isel(therapy=0)
    found = {"therapy": draws["psi"], "belief": draws["epsilon"]}
    for drug in ("psilocybin", "MDMA"):
        found |= {f"{drug}: {path}": effects[path].sel(drug=drug) for path in ("experience", "total")}
    return {name: np.asarray(values).ravel() for name, values in found.items()}


def main(datasets: int) -> None:
    items = synthesis_items(load_evidence())
    refit = compile_synthesis(synthesis(items))
    lines = []
    for w, (here, share) in enumerate(HERE.items()):
        for i in range(datasets):
            rng = np.random.default_rng(np.random.SeedSequence(7, spawn_key=(w, i)))
            truth = world(items, list(WORLDS)[i % 2])
            for name, term in (("psi", "therapy"), ("epsilon", "belief")):
                truth[name] = truth[name] * 0 + share * ELSEWHERE[term][0]
            true, data = quantities(truth), simulate_world(truth, items, rng)
            for route, informed in (("informed", ELSEWHERE), ("alone", {})):
                fit = refit(data, seed=i + 1, draws=400, tune=400, chains=2, target_accept=0.9, informed=informed)
                for name, values in quantities(fit["posterior"].dataset).items():
                    low, high = np.quantile(values, [0.025, 0.975])
                    lines.append((here, route, name, low <= true[name][0] <= high, high - low))
        table = pd.DataFrame(lines, columns=["here", "route", "quantity", "covered", "width"])
        summary = table.groupby(["here", "route", "quantity"], sort=False).agg(
            covered=("covered", "mean"), width=("width", "median")
        )
        print(summary.round(2).to_string(), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
