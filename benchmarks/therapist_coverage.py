"""Coverage where therapists differ: their variance ignored, and modelled.

250 people of 12 therapists, 6 of them per arm (treatment varies between therapists alone), who account for a tenth of the variance
of mediator and outcome each; and 4 therapists in both arms, whose drug effects differ too. Data are simulated person by person. The
model is compiled once and given the cross-products of each data set. Run: python benchmarks/therapist_coverage.py [DATA SETS]
"""

import sys
import warnings
from dataclasses import replace

import numpy as np
import nutpie
import pandas as pd

from pillprocess.mediation.model import mediation
from pillprocess.mediation.sufficient import collapse, standardise
from pillprocess.participants.table import load_participants

PEOPLE, THERAPISTS, A, B, C = 250, 12, 3.0, -0.8, -1.0


def simulate(rng: np.random.Generator, *, within: bool, slopes: float) -> pd.DataFrame:
    """Data whose effects are te = C + A B and tnie = A B, the covariance of a and b being 0."""
    therapist = np.arange(PEOPLE) % THERAPISTS
    arm = rng.integers(0, 2, PEOPLE) if within else therapist % 2
    u = rng.normal(size=(5, THERAPISTS))[:, therapist]
    m = 10 + (A + slopes * u[0]) * arm + u[1] * 2 / 3 + rng.normal(0, 2, PEOPLE)
    y = 20 + (C + slopes * u[2]) * arm + B * m + u[3] + rng.normal(0, 3, PEOPLE)
    return pd.DataFrame({"arm": arm, "m": m, "y": y, "therapist": [f"t{t}" for t in therapist]})


def compiled(
    table: pd.DataFrame, *, modelled: bool, vary: tuple[str, ...]
) -> tuple[nutpie.compiled_pyfunc.PyFuncModel, object, np.ndarray]:
    """The compiled model, its units, and the effects' places."""
    people = load_participants(
        table, treatment="arm", outcome="y", mediators="m", clusters="therapist" if modelled else (), higher_is_worse=True,
        repeated_rows="different people",
    )  # fmt: skip
    model = mediation(people, interaction=False, vary=vary if modelled else ())
    units = standardise(people, mediators=["m"], binary_mediator=False, binary_outcome=False)
    return nutpie.compile_pymc_model(model), units, people


def effects(idata: object) -> dict[str, np.ndarray]:
    posterior = idata["posterior"].dataset
    ab = (posterior["a"] * posterior["b"]).to_numpy().ravel()
    return {"te": ab + posterior["c"].to_numpy().ravel(), "tnie": ab}


def run(sets: int, *, within: bool, slopes: float, modelled: bool, vary: tuple[str, ...]) -> dict[str, float]:
    rng = np.random.default_rng(7)
    model, units, _ = compiled(simulate(rng, within=within, slopes=slopes), modelled=modelled, vary=vary)
    covered, bias, width = {"te": [], "tnie": []}, {"te": [], "tnie": []}, {"te": [], "tnie": []}
    for number in range(sets):
        table = simulate(rng, within=within, slopes=slopes)
        m, y = (
            (table[["m"]].to_numpy() - units.m_mean) / units.m_sd,
            (table["y"].to_numpy() - units.y_mean) / units.y_sd,
        )
        trial = pd.factorize(table["therapist"])[0] if modelled else np.zeros(len(table), int)
        own = collapse(replace(units, T=table[["arm"]].to_numpy(float), M=m, y=y, trial=trial), interaction=False)
        data = model.with_data(mediator_gram=own.mediator, outcome_gram=own.outcome)
        idata = nutpie.sample(
            data, draws=400, tune=400, chains=2, seed=number, progress_bar=False, target_accept=0.9, cores=1
        )
        for name, draws in effects(idata).items():
            low, high = np.quantile(draws, [0.025, 0.975])
            truth = {"te": C + A * B, "tnie": A * B}[name]
            covered[name].append(low <= truth <= high)
            bias[name].append(draws.mean() - truth)
            width[name].append(high - low)
    return {
        f"{what} {name}": float(np.mean(v))
        for what, by in (("coverage", covered), ("bias", bias), ("width", width))
        for name, v in by.items()
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for design, within, slopes, vary in (
        ("between therapists", False, 0.0, ()),
        ("within therapists, slopes differ", True, 1.2, ("a", "c")),
    ):
        for modelled in (False, True):
            found = run(sets, within=within, slopes=slopes, modelled=modelled, vary=vary)
            print(design, "modelled" if modelled else "ignored", {k: round(v, 3) for k, v in found.items()}, flush=True)
