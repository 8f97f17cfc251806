"""Does the cost of a mediation fit depend on the number of participants?

Fits the same simulated trial with 1,000 and with 1,000,000 participants and prints how long each step took and the ratio
of the two fits (model, compilation and draws) once the table is read. Run with ``python benchmarks/mediation_size.py``;
it takes about a minute.
"""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

import pillprocess as pp

SIZES = (1_000, 1_000_000)


def simulate(n: int) -> pd.DataFrame:
    """A trial of n people with a covariate, a mediator and an outcome."""
    rng = np.random.default_rng(0)
    arm, age = np.arange(n) % 2, rng.normal(size=n)
    m = 0.8 * arm + 0.3 * age + rng.normal(size=n)
    y = -0.3 * arm - (0.5 + 0.2 * arm) * m + 0.4 * age + rng.normal(size=n)
    return pd.DataFrame({"arm": arm, "age": age, "m": m, "y": y})


def seconds(table: pd.DataFrame) -> dict[str, float]:
    """Seconds of each step from a table of participants to a table of effects."""
    spent: dict[str, float] = {}

    def timed[T](step: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = work()
        spent[step] = time.perf_counter() - start
        return result

    roles = {"treatment": "arm", "reference": 0, "outcome": "y", "mediators": "m", "covariates": ["age"]}
    people = timed("read the table", lambda: pp.load_participants(table, **roles))
    model = timed("model", lambda: pp.mediation(people))
    idata = timed("compilation and draws", lambda: pp.fit(model, seed=1))
    pp.check_fit(idata)
    spent["draws alone"] = float(idata["posterior"].attrs["sampling_time"])
    effects = timed("effects", lambda: pp.effect_table(pp.natural_effects(idata)))
    print(effects.round(4).to_string(index=False))
    return spent


def main() -> None:
    """Time both sizes, after one fit that is not counted (it loads the libraries), and print the ratio of the fits."""
    seconds(simulate(SIZES[0]))
    times = pd.DataFrame({f"{n:,}": seconds(simulate(n)) for n in SIZES})
    times.loc["fit: model, compilation and draws"] = times.loc[["model", "compilation and draws"]].sum()
    small, large = times.columns
    print(times.assign(ratio=times[large] / times[small]).rename_axis("seconds").round(2).to_string())


if __name__ == "__main__":
    main()
