"""Does the cost of a mediation fit depend on the number of participants?

Fits the same simulated trial with 1,000 and with 1,000,000 participants, from the table in memory to the table of effects,
and prints both times and their ratio. Run with ``python benchmarks/mediation_size.py``.
"""

import time

import numpy as np
import pandas as pd

import pillprocess as pp


def simulate(n: int) -> pd.DataFrame:
    """A trial of n people with a covariate, a mediator and an outcome."""
    rng = np.random.default_rng(0)
    arm, age = np.arange(n) % 2, rng.normal(size=n)
    m = 0.8 * arm + 0.3 * age + rng.normal(size=n)
    y = -0.3 * arm - (0.5 + 0.2 * arm) * m + 0.4 * age + rng.normal(size=n)
    return pd.DataFrame({"arm": arm, "age": age, "m": m, "y": y})


def seconds(table: pd.DataFrame) -> float:
    """Time from a table of participants to a table of effects."""
    start = time.perf_counter()
    people = pp.load_participants(table, treatment="arm", reference=0, outcome="y", mediators="m", covariates=["age"])
    idata = pp.fit(pp.mediation(people), seed=1)
    pp.check_fit(idata)
    print(pp.effect_table(pp.natural_effects(idata)).round(4).to_string(index=False))
    return time.perf_counter() - start


def main() -> None:
    """Time both sizes, after one fit that is not counted, and print the ratio."""
    seconds(simulate(1_000))
    times = {n: seconds(simulate(n)) for n in (1_000, 1_000_000)}
    for n, spent in times.items():
        print(f"{n:>9,} participants: {spent:6.2f} s")
    print(f"ratio {times[1_000_000] / times[1_000]:.2f}")


if __name__ == "__main__":
    main()
