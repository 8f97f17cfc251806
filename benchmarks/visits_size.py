"""Does the cost of a fit of repeated outcomes depend on the number of people?

Times one log density with its gradient of `repeated_mediation` with 1,000 and with 100,000 people at five visits with dropout, and
the processor time of a whole fit of 250 people from model to draws, compilation included.
``python benchmarks/visits_size.py``; some minutes.
"""

import time

import numpy as np
import pandas as pd

import pillprocess as pp

VISITS = [f"score_{v + 1}" for v in range(5)]
CALLS = 5_000


def simulate(n: int) -> pp.FollowUp:
    rng = np.random.default_rng(0)
    arm, base = np.arange(n) % 2, rng.normal(size=n)
    experience, person = 2 * arm + rng.normal(size=n), rng.normal(size=n)
    table = pd.DataFrame({"arm": arm, "base": base, "experience": experience})
    left = rng.integers(1, 12, n)
    for v, name in enumerate(VISITS):
        score = base - 0.3 * arm - 0.3 * experience + person + rng.normal(size=n)
        table[name] = np.where(left > v, score, np.nan)
    return pp.load_followup(
        table, outcomes=VISITS, treatment="arm", reference=0, mediators="experience", baseline="base"
    )


def main() -> None:
    """Print microseconds of a gradient at both sizes and seconds of a fit."""
    small, large = (pp.repeated_mediation(simulate(n)) for n in (1_000, 100_000))
    call = small.compile_fn([small.logp(), small.dlogp()], inputs=small.value_vars, mode="NUMBA", point_fn=False)
    point = [small.initial_point()[v.name] for v in small.value_vars]
    spent = {}
    for n, model in (("1,000", small), ("100,000", large)):
        small.set_data("visit_gram", model["visit_gram"].get_value())
        call(*point)
        start = time.process_time()
        for _ in range(CALLS):
            call(*point)
        spent[n] = (time.process_time() - start) / CALLS * 1e6
    print(f"a gradient: {spent['1,000']:.1f} and {spent['100,000']:.1f} microseconds with 1,000 and 100,000 people")
    start = time.process_time()
    idata = pp.fit(pp.repeated_mediation(simulate(250)), seed=1)
    print(f"a fit of 250 people at 5 visits: {time.process_time() - start:.0f} s of processor time")
    pp.check_fit(idata)


if __name__ == "__main__":
    main()
