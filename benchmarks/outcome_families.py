"""Coverage of the effects on outcomes that are no straight line: ordered categories, times to an event, counts with excess zeros.

Trials of 200 people in two arms are simulated person by person with NumPy; the truth comes from 4 million potential outcomes of the
same code. Each model is compiled once and given the values of each data set. Run: python benchmarks/outcome_families.py [DATA SETS]
"""

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import nutpie
import pandas as pd
import xarray as xr
from scipy import special

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.model import mediation
from pillprocess.participants.table import load_participants

PEOPLE, END = 200, 12
type Array = np.ndarray


@dataclass(frozen=True)
class World:
    """How an outcome follows treatment and mediator, what of it is compared, and its mean over people."""

    draw: Callable[[np.random.Generator, Array, Array], Array]
    of: dict[str, float] | None
    mean: Callable[[Array], float]
    time: bool = False


def ordinal(rng: np.random.Generator, t: Array, m: Array) -> Array:
    latent = 0.5 - 0.4 * t + (-0.8 + 0.3 * t) * m + rng.logistic(size=len(m))
    return (latent[:, None] > np.array([0, 0.9, 1.5, 2.6])).sum(1) + 1.0


def weibull(rng: np.random.Generator, t: Array, m: Array) -> Array:
    return np.exp(2 + 0.3 * t + (0.3 + 0.1 * t) * m) * rng.weibull(1.4, len(m))


def periods(rng: np.random.Generator, t: Array, m: Array) -> Array:
    hazard = special.expit(-2 - 0.4 * t - (0.4 + 0.1 * t) * m)[:, None] * np.linspace(1, 0.6, END)
    hit = rng.random((len(m), END)) < hazard
    return np.where(hit.any(1), hit.argmax(1) + 1.0, END + 1.0)


def drinks(rng: np.random.Generator, t: Array, m: Array) -> Array:
    rate = np.exp(1.6 - 0.2 * t + (-0.2 + 0.05 * t) * m)
    return rng.negative_binomial(3, 3 / (3 + rate)) * (rng.random(len(m)) > special.expit(-1.5 + 0.6 * t + 0.4 * m))


WORLDS = {
    "ordinal_logit": World(ordinal, None, np.mean),
    "ordinal_logit, at least 3": World(ordinal, {"at_least": 3}, lambda y: (y >= 3).mean()),
    "weibull, free at 8": World(weibull, {"free_at": 8}, lambda y: (y > 8).mean(), time=True),
    "weibull, mean up to 12": World(weibull, {"up_to": END}, lambda y: np.minimum(y, END).mean(), time=True),
    "hazard_logit, free at 8": World(periods, {"free_at": 8}, lambda y: (y > 8).mean(), time=True),
    "zero_inflated_negative_binomial": World(drinks, None, np.mean),
    "zero_inflated_negative_binomial, any": World(drinks, {"at_least": 1}, lambda y: (y > 0).mean()),
}


def truth(world: World) -> dict[str, float]:
    n = 4_000_000
    y = {}
    for t, s in ((0, 0), (1, 0), (1, 1)):
        rng = np.random.default_rng(17)
        m = 0.2 + s + rng.normal(size=n)
        y[t, s] = world.mean(world.draw(rng, np.full(n, t), m))
    return {"te": y[1, 1] - y[0, 0], "pnde": y[1, 0] - y[0, 0], "tnie": y[1, 1] - y[1, 0]}


def simulate(rng: np.random.Generator, world: World) -> pd.DataFrame:
    t = np.arange(PEOPLE) % 2
    m = 0.2 + t + rng.normal(size=PEOPLE)
    y = world.draw(rng, t, m)
    table = pd.DataFrame({"arm": t, "m": m, "y": y})
    return table.assign(y=np.minimum(y, END), event=(y <= END).astype(int)) if world.time else table


def run(name: str, sets: int) -> None:
    world, family = WORLDS[name], name.partition(",")[0]
    true, rng = truth(world), np.random.default_rng(5)
    table = simulate(rng, world)
    people = load_participants(
        table, treatment="arm", reference=0, outcome="y", mediators="m", event="event" if world.time else None, higher_is_worse=True,
        repeated_rows="different people",
    )  # fmt: skip
    model = mediation(people, family_outcome=family)
    compiled = nutpie.compile_pymc_model(model)
    constants = {v: (model.named_vars_to_dims.get(v, ()), model[v].get_value()) for v in map(str, model.data_vars)}
    used = {d for dims, _ in constants.values() for d in dims}
    data = xr.Dataset(constants, coords={d: list(v) for d, v in model.coords.items() if d in used})
    codes = np.unique(table["y"])
    covered, error = {e: [] for e in true}, {e: [] for e in true}
    for number in range(sets):
        own = simulate(rng, world)
        values = np.searchsorted(codes, own["y"]) if family.startswith("ordinal") else own["y"].to_numpy()
        given = {"Y_value": values.astype(model["Y_value"].dtype), "M_value": (own["m"] - table["m"].mean()).to_numpy()}
        given["M_value"] = given["M_value"] / float(model["mediator_within_sd"].get_value()[0])
        if world.time:
            given["Y_event"] = own["event"].to_numpy(float)
        trace = nutpie.sample(
            compiled.with_data(**given), draws=400, tune=400, chains=2, seed=number, progress_bar=False, cores=1
        )
        idata = xr.DataTree.from_dict({"/posterior": trace["posterior"].to_dataset(), "/constant_data": data})
        effects = natural_effects(idata, of=world.of)
        for effect, value in true.items():
            low, high = np.quantile(effects[effect], [0.025, 0.975])
            covered[effect].append(low <= value <= high)
            error[effect].append(float(effects[effect].mean()) - value)
    for effect, value in true.items():
        e = np.array(error[effect])
        print(
            f"{name:40s} {effect:5s} true {value:7.3f}  bias {e.mean():7.3f} (SE {e.std() / np.sqrt(sets):.3f})  "
            f"covered {np.mean(covered[effect]):.2f}", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    chosen = sys.argv[2:] or list(WORLDS)
    for name in chosen:
        run(name, int(sys.argv[1]) if len(sys.argv) > 1 else 30)
