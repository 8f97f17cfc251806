"""The chemotherapy model of the voi package (Heath, Kunst & Jackson, Value of Information for Healthcare Decision-Making, 2024), in NumPy.

Side effects of two treatments, weeks at home, in hospital, recovered or dead; net benefit at 20,000 a unit of effect.
"""

import numpy as np

Array = np.ndarray


def beta(rng: np.random.Generator, mean: float, sd: float, n: int) -> Array:
    k = mean * (1 - mean) / sd**2 - 1
    return rng.beta(mean * k, (1 - mean) * k, n)


def lognormal(rng: np.random.Generator, mean: float, sd: float, n: int) -> Array:
    variance = np.log1p(sd**2 / mean**2)
    return rng.lognormal(np.log(mean) - variance / 2, np.sqrt(variance), n)


def chemotherapy(n: int, *, seed: int, weeks: int = 50, per_effect: float = 20_000.0) -> tuple[Array, Array, Array]:
    """Chances of side effects under both treatments (draw,), and net benefits (draw, treatment)."""
    rng = np.random.default_rng(seed)
    p1 = rng.beta(1 + 52, 1 + 111 - 52, n)
    odds = p1 / (1 - p1) * np.exp(rng.normal(np.log(0.54), 0.3, n))
    p2 = odds / (1 + odds)
    hospitalised, died = rng.beta(1 + 43, 1 + 52 - 43, n), rng.beta(1 + 8, 1 + 43 - 8, n)
    recovers_home, recovers_hospital = beta(rng, 0.21, 0.03, n), beta(rng, 0.03, 0.0065, n)
    to_hospital, to_death = (1 - (1 - p) ** (1 / weeks) for p in (hospitalised, died))
    costs = [lognormal(rng, m, v**0.5, n) for m, v in ((830, 150), (2400, 1880), (1710, 760))]
    well, at_home, in_hospital = (beta(rng, m, v**0.5, n) for m, v in ((0.98, 0.001), (0.7, 0.02), (0.3, 0.03)))
    home, hospital, recovered, dead = np.ones(n), np.zeros(n), np.zeros(n), np.zeros(n)
    time = [home.copy(), hospital.copy(), recovered.copy()]
    for _ in range(weeks):
        dead = dead + hospital * to_death
        recovered = recovered + home * recovers_home * (1 - to_hospital) + hospital * recovers_hospital * (1 - to_death)
        staying = hospital * (1 - recovers_hospital) * (1 - to_death)
        home, hospital = home * (1 - recovers_home) * (1 - to_hospital), home * to_hospital + staying
        time = [total + now for total, now in zip(time, (home, hospital, recovered), strict=True)]
    cost = costs[0] * time[0] + costs[1] * time[1] + costs[2] * dead
    effect = at_home * time[0] + in_hospital * time[1] + well * time[2]
    benefits = [
        per_effect * (p * effect + (1 - p) * well * (weeks + 1)) - p * cost - price for p, price in ((p1, 120.0), (p2, 10_300.0))
    ]  # fmt: skip
    return p1, p2, np.column_stack(benefits)
