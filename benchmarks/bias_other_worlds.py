"""`bias_adjusted` where trials go missing for other reasons than those its priors were tuned on.

Run with ``uv run python benchmarks/bias_other_worlds.py 40``. Nothing is shared with ``bias_coverage.py``: two drugs with 14 and 8
trials; half of the trials have 8 to 20 people an arm, most others some 40, one in ten 150 to 400; true effects of trials are t-distributed
with 3 degrees of freedom (SD .25); a trial is printed by the sign and size of its estimate, whatever its p. Four worlds: all are
printed; an estimate above -.35 with a chance of one half, above 0 of one in ten; the same with one in five and never; all are
printed, but trials with fewer than 25 people an arm overstate by .3 (unblinding, say), which is no function of the standard error.
One row per world and estimate: coverage of the drugs' effects, mean width over that of the pooled interval, mean error (above 0: less
benefit than true), and how often an interval shuts 0 out where the drug does nothing (a third drug's worth: the effects are all 0).
"""

import sys
import warnings

import numpy as np
import pandas as pd

import pillprocess as pp

DRUGS = {"one": (14, -0.5), "two": (8, -0.25)}
TAU, DF = 0.25, 3
WORLDS = {
    "all printed": (1.0, 1.0, 0.0),
    "small benefits half, harms a tenth": (0.5, 0.1, 0.0),
    "small benefits a fifth, harms never": (0.2, 0.0, 0.0),
    "small trials overstate by .3": (1.0, 1.0, 0.3),
}
ESTIMATES = ("as pooled", "allowing for small-study effects", "PET", "PEESE", "selection")


def people(rng: np.random.Generator) -> int:
    """People an arm."""
    kind = rng.random()
    if kind < 0.5:
        return int(rng.integers(8, 21))
    return int(rng.integers(150, 401)) if kind > 0.9 else int(np.clip(rng.lognormal(np.log(40), 0.4), 15, 120))


def trial(effect: float, world: tuple[float, float, float], rng: np.random.Generator) -> tuple[float, float]:
    """Draw trials until one is printed; its estimate and standard error."""
    modest, harm, overstated = world
    while True:
        n = people(rng)
        true = effect + TAU * rng.standard_t(DF) * np.sqrt((DF - 2) / DF) - overstated * (n < 25)
        y = true + np.sqrt(2 / n) * rng.standard_normal()
        se = np.sqrt(2 / n * rng.chisquare(2 * n - 2) / (2 * n - 2))
        if rng.random() < (1.0 if y < -0.35 else modest if y < 0 else harm):
            return y, se


def body(world: tuple[float, float, float], rng: np.random.Generator, *, nothing: bool) -> pd.DataFrame:
    rows = []
    for drug, (count, effect) in DRUGS.items():
        for j in range(count):
            y, se = trial(0.0 if nothing else effect, world, rng)
            rows.append({"trial": f"{drug}{j}", "drug": drug, "y": y, "se": se})
    return pd.DataFrame(rows)


def main(replications: int) -> None:
    warnings.filterwarnings("ignore", "no trial lies on the other side")
    for number, (name, world) in enumerate(WORLDS.items()):
        parts = []
        for nothing in (False, True):
            rng = np.random.default_rng([7, number, nothing])
            for _ in range(replications):
                parts.append(pp.bias_adjusted(body(world, rng, nothing=nothing)).effects.assign(nothing=nothing))
        table = pd.concat(parts)
        true = table["drug"].map({drug: effect for drug, (_, effect) in DRUGS.items()}).where(~table["nothing"], 0.0)
        table = table.assign(
            covered=(table["ci_low"] <= true) & (true <= table["ci_high"]),
            width=table["ci_high"] - table["ci_low"],
            error=table["mean"] - true,
        )
        real, null = (table[table["nothing"] == flag].groupby("estimate") for flag in (False, True))
        means = real[["covered", "width", "error"]].mean().loc[list(ESTIMATES)]
        means["width"] /= means.loc["as pooled", "width"]
        means["false alarm"] = 1 - null["covered"].mean().loc[list(ESTIMATES)]
        print(f"\n{name}\n{means.round(3).to_string()}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
