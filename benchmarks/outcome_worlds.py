"""Worlds that the families of outcomes do not assume: what is left of the effects, as the number of people grows.

40,000 people of two arms are simulated with NumPy, the family's coefficients are found by maximum likelihood (SciPy), and the package
turns them into effects; the truth comes from both potential outcomes of 2 million people. Chance is below .01 of a chance, .03 of a score
or week. Run: python benchmarks/outcome_worlds.py
"""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.model import mediation
from pillprocess.participants.table import load_participants
from tests.mediation.trees import tree

PEOPLE, END = 40_000, 12
type Array = np.ndarray
type World = Callable[[np.random.Generator, Array, Array], Array]


def proportional(rng: np.random.Generator, t: Array, m: Array) -> Array:
    eta = 0.5 - 0.4 * t - 0.5 * m
    return 1.0 + ((eta + rng.logistic(size=len(m)))[:, None] > np.array([0, 0.9, 1.8])).sum(1)


def not_proportional(rng: np.random.Generator, t: Array, m: Array) -> Array:
    """Treatment and experience move people out of the worst category more than out of the others."""
    chance = [special.expit(a - c * t - b * m) for a, c, b in ((0.5, 0.1, 0.2), (-0.6, 0.4, 0.5), (-1.5, 1.0, 1.0))]
    u = rng.random(len(m))
    return 1.0 + sum(u < p for p in np.minimum.accumulate(chance, axis=0))


def weibull(rng: np.random.Generator, t: Array, m: Array) -> Array:
    return np.exp(2 + 0.3 * t + 0.4 * m) * rng.weibull(1.4, len(m))


def lognormal(rng: np.random.Generator, t: Array, m: Array) -> Array:
    return np.exp(1.7 + 0.3 * t + 0.4 * m + rng.normal(0, 0.9, len(m)))


def wears_off(rng: np.random.Generator, t: Array, m: Array) -> Array:
    """A constant hazard, which treatment and experience lower in the first four weeks alone."""
    early, late = np.exp(-2 - 0.7 * t - 0.5 * m), np.full(len(m), np.exp(-2))
    passed = rng.exponential(size=len(m))
    return np.where(passed < 4 * early, passed / early, 4 + (passed - 4 * early) / late)


def poisson_normal(rng: np.random.Generator, t: Array, m: Array) -> Array:
    """Many zeros because people differ, not because some have none at all."""
    return rng.poisson(np.exp(0.2 - 0.3 * t - 0.3 * m + rng.normal(0, 1.1, len(m)))).astype(float)


def fit_ordinal(t: Array, m: Array, y: Array, _: Array) -> dict[str, Array]:
    k = y.astype(int) - 1

    def minus(x: Array) -> float:
        ends = np.concatenate([[-np.inf, 0], np.cumsum(np.exp(x[4:])), [np.inf]])
        eta = x[0] + x[1] * t + (x[2] + x[3] * t) * m
        return -np.log(special.expit(ends[k + 1] - eta) - special.expit(ends[k] - eta)).mean()

    x = optimize.minimize(minus, np.zeros(4 + k.max() - 1), method="BFGS").x
    return named(x) | {"threshold_y": np.cumsum([0, *np.exp(x[4:])])}


def fit_weibull(t: Array, m: Array, y: Array, event: Array) -> dict[str, Array]:
    def minus(x: Array) -> float:
        z = np.exp(x[4]) * (np.log(y) - x[0] - x[1] * t - (x[2] + x[3] * t) * m)
        return -(event * (x[4] + z - np.log(y)) - np.exp(z)).mean()

    x = optimize.minimize(minus, np.array([2, 0, 0, 0, 0.0]), method="BFGS").x
    return named(x) | {"shape_y": np.exp(x[4])}


def fit_periods(t: Array, m: Array, y: Array, event: Array) -> dict[str, Array]:
    period, y = np.arange(1, END + 1), y.astype(int)
    at_risk = period <= y[:, None]
    happened = (period == y[:, None]) & (event[:, None] == 1)

    def minus(x: Array) -> float:
        u = (x[0] + x[1] * t + (x[2] + x[3] * t) * m)[:, None] + np.concatenate([[0], x[4:]])
        return (at_risk * np.logaddexp(0, u) - happened * u).sum() / len(t)

    x = optimize.minimize(minus, np.concatenate([[-2, 0, 0, 0], np.zeros(END - 1)]), method="BFGS").x
    return named(x) | {"period_y": np.concatenate([[0], x[4:]])}


def fit_zeros(t: Array, m: Array, y: Array, _: Array) -> dict[str, Array]:
    def minus(x: Array) -> float:
        mean, excess = np.exp(x[0] + x[1] * t + (x[2] + x[3] * t) * m), special.expit(x[4] + x[5] * t + x[6] * m)
        size = np.exp(x[7])
        return -np.log((1 - excess) * stats.nbinom.pmf(y, size, size / (size + mean)) + excess * (y == 0)).mean()

    x = optimize.minimize(minus, np.array([0, 0, 0, 0, -2, 0, 0, 0.0]), method="BFGS").x
    return named(x) | {"alpha_z": x[4], "c_z": x[5], "b_z": x[6], "size_y": np.exp(x[7])}


def named(x: Array) -> dict[str, Array]:
    return {"alpha_y": x[0], "c": x[1], "b": x[2], "theta": x[3]}


AT_LEAST = ({"at_least": 3}, lambda y: (y >= 3).mean())
SCORE = (None, np.mean)
FREE = ({"free_at": 8}, lambda y: (y > 8).mean())
LIVED = ({"up_to": END}, lambda y: np.minimum(y, END).mean())
PERIODS_FREE = ({"free_at": 8}, lambda y: (np.ceil(y) > 8).mean())
ANY = ({"at_least": 1}, lambda y: (y > 0).mean())
CASES = [
    ("ordinal_logit", proportional, fit_ordinal, SCORE), ("ordinal_logit", not_proportional, fit_ordinal, SCORE),
    ("ordinal_logit", proportional, fit_ordinal, AT_LEAST), ("ordinal_logit", not_proportional, fit_ordinal, AT_LEAST),
    ("weibull", weibull, fit_weibull, FREE), ("weibull", lognormal, fit_weibull, FREE), ("weibull", wears_off, fit_weibull, FREE),
    ("weibull", weibull, fit_weibull, LIVED), ("weibull", lognormal, fit_weibull, LIVED), ("weibull", wears_off, fit_weibull, LIVED),
    ("hazard_logit", wears_off, fit_periods, PERIODS_FREE), ("hazard_logit", lognormal, fit_periods, PERIODS_FREE),
    ("zero_inflated_negative_binomial", poisson_normal, fit_zeros, SCORE),
    ("zero_inflated_negative_binomial", poisson_normal, fit_zeros, ANY),
]  # fmt: skip


def run(
    family: str, world: World, fit: Callable[..., dict[str, Array]], of: dict[str, float] | None, mean: Callable
) -> None:
    true = {}
    for way in ((0, 0), (1, 0), (1, 1)):
        rng = np.random.default_rng(17)
        m = 0.2 + way[1] + rng.normal(size=2_000_000)
        true[way] = mean(world(rng, np.full(len(m), way[0]), m))
    rng = np.random.default_rng(3)
    t = np.arange(PEOPLE) % 2
    m = 0.2 + t + rng.normal(size=PEOPLE)
    y = world(rng, t, m)
    timed = family == "weibull" or family.startswith("hazard")
    event = (y <= END).astype(float) if timed else np.ones(PEOPLE)
    y = np.minimum(y, END) if timed else y
    y = np.ceil(y) if family.startswith("hazard") else y
    found = fit(t, m, y, event)
    table = pd.DataFrame({"arm": t, "m": m, "y": y, "event": event}).head(400)
    people = load_participants(
        table, treatment="arm", reference=0, outcome="y", mediators="m", event="event" if timed else None, higher_is_worse=True,
        repeated_rows="different people",
    )  # fmt: skip
    model = mediation(people, family_outcome=family)
    draws = {"alpha_m": m[t == 0].mean(), "a": m[t == 1].mean() - m[t == 0].mean(), "sigma_m": 1.0} | found
    shape = {n: tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(n, ())) for n in draws}
    empty = {
        n: np.zeros((1, *(len(model.coords[d]) for d in model.named_vars_to_dims[n]))) for n in ("gamma_m", "gamma_y")
    }
    empty |= {"gamma_z": np.zeros((1, 0))} if "c_z" in found else {}
    effects = natural_effects(tree(model, {n: np.reshape(x, (1, *shape[n])) for n, x in draws.items()} | empty), of=of)
    said = [
        f"{n} {float(effects[n][0, 0]):6.3f} ({true[way] - true[base]:6.3f})"
        for n, way, base in (("te", (1, 1), (0, 0)), ("pnde", (1, 0), (0, 0)), ("tnie", (1, 1), (1, 0)))
    ]
    print(f"{family:32s} {world.__name__:17s} {of or 'mean'!s:18s} {'  '.join(said)}", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print("found (true)")
    for family, world, fit, (of, mean) in CASES:
        run(family, world, fit, of, mean)
