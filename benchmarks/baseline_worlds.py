"""Missing baselines imputed where the imputation's assumptions hold, and where one is broken (`tests/mediation/baseline_worlds.py`).

Run: python -m benchmarks.baseline_worlds [trials]
"""

import sys

from tests.mediation.baseline_worlds import World, simulate

WORLDS = {
    "missing by the outcome": (World(), False),
    "the same, within arms": (World(), True),
    "treatment and mediator interact": (World(interaction=0.6), False),
    "the same, within arms ": (World(interaction=0.6), True),
    "a baseline that is exponential": (World(skewed=True), False),
    "missing by its own value": (World(depends_on="x"), False),
}

if __name__ == "__main__":
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    for name, (world, by_arm) in WORLDS.items():
        print(name, simulate(world, trials=trials, n=200, m=10, seed=1, by_arm=by_arm).round(3), sep="\n")
