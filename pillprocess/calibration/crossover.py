r"""Calibration of mediation in a two-period crossover, with carry-over, and with values that are missing in either period.

Parameters are drawn from the model's prior; mediator and outcome of both periods are simulated from them with NumPy, in the units of
the data, by the equations of :mod:`pillprocess.mediation.crossover`. Order of the arms, covariate, units and gaps are fixed.
"""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.calibration.incomplete import log_density
from pillprocess.calibration.ranks import Case, Replicate
from pillprocess.inference.chain import Chain
from pillprocess.mediation.draws import flat
from pillprocess.mediation.effects import compute_effects
from pillprocess.mediation.stacked import collapse_cells
from pillprocess.mediation.sufficient import standardise
from pillprocess.participants.crossover import Crossover, both_periods, load_crossover, values_of

PEOPLE = 40
EFFECTS = ("te", "pnde", "tnie", "cde")
PARAMETERS = (
    "a", "c", "b", "theta", "gamma_y", "period_m", "period_y", "carry_over_m", "carry_over_y", "sigma_m", "sigma_y", "person_m",
    "person_y", "person_correlation",
)  # fmt: skip
SCALARS = (*(n for n in PARAMETERS if n.startswith(("period", "carry", "person"))), "alpha_y", "sigma_y")
CHAIN = Chain(draws=2000, tune=1000, target_accept=0.95)


def two_periods() -> Case:
    """40 people in both orders, one mediator, a covariate, T x M and carry-over."""

    def build() -> Callable[[np.random.Generator], Replicate]:
        from pillprocess.inference.refit import constants, prior_sampler, refitter
        from pillprocess.mediation.crossover import crossover_mediation

        people = template()
        model = crossover_mediation(people)
        draw, refit, fixed = prior_sampler(model), refitter(model, CHAIN), constants(model)

        def run(rng: np.random.Generator) -> Replicate:
            truth = draw(rng)
            values = simulate(truth, people, rng)
            posterior, divergences = refit(model_data(values, people), rng)
            return Replicate(
                quantities(truth, fixed, people, values), quantities(posterior, fixed, people, values), divergences
            )

        return run

    return Case({"n": PEOPLE, **CHAIN._asdict()}, build)


def template() -> Crossover:
    """People whose order of arms, covariate, units and gaps the calibration keeps."""
    rng, n = np.random.default_rng(2024), PEOPLE
    trait, age, first = rng.normal(size=n), rng.normal(40, 10, n), np.arange(n) % 2
    rows = []
    for period, drug in ((1, first), (2, 1 - first)):
        insight = 40 + 20 * drug + 8 * trait + 9 * rng.normal(size=n)
        score = 20 - 6 * drug + 4 * trait + 0.1 * age + 5 * rng.normal(size=n)
        insight[np.arange(n) % 17 == 3 * period] = np.nan
        score[np.arange(n) % 7 == 3 * period] = np.nan
        columns = {"person": np.arange(n), "period": period, "arm": np.where(drug, "psilocybin", "placebo"), "age": age}
        rows.append(pd.DataFrame(columns | {"insight": insight, "score": score}))
    return load_crossover(
        pd.concat(rows, ignore_index=True), person="person", period="period", treatment="arm", reference="placebo",
        mediator="insight", outcome="score", covariates="age", higher_is_worse=True,
    )  # fmt: skip


def equations(draws: xr.Dataset, people: Crossover) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean mediator, outcome if the mediator were 0, and slope, each (draw, person, period)."""
    X, first = people.first.covariates.to_numpy(float), people.first.treatment.to_numpy(float)[:, 0]
    T, period = np.column_stack([first, 1 - first]), np.array([-0.5, 0.5])
    left = np.column_stack([0 * first, first])
    p = {name: flat(draws[name])[:, None, None] for name in SCALARS}
    q = {name: flat(draws[name]).reshape(-1, 1, 1) for name in ("alpha_m", "a", "c", "b", "theta")}
    of_x_m, of_x_y = flat(draws["gamma_m"])[:, 0] @ X.T, flat(draws["gamma_y"]) @ X.T
    mediator = q["alpha_m"] + q["a"] * T + p["period_m"] * period + p["carry_over_m"] * left + of_x_m[:, :, None]
    outcome = p["alpha_y"] + q["c"] * T + p["period_y"] * period + p["carry_over_y"] * left + of_x_y[:, :, None]
    return mediator, outcome, q["b"] + q["theta"] * T


def simulate(truth: xr.Dataset, people: Crossover, rng: np.random.Generator) -> np.ndarray:
    """Draw mediator in both periods, then outcome in both, (person, 4), from one draw of the parameters; with the fixed gaps."""
    mediator, outcome, slope = (e[0] for e in equations(truth, people))
    n, p = len(people), {name: float(flat(truth[name]).item()) for name in (*SCALARS, "sigma_m")}
    rho, common = p["person_correlation"], rng.standard_normal((2, n, 1))
    u, w = p["person_m"] * common[0], p["person_y"] * (rho * common[0] + np.sqrt(1 - rho**2) * common[1])
    M = mediator + u + p["sigma_m"] * rng.standard_normal((n, 2))
    Y = outcome + slope * M + w + p["sigma_y"] * rng.standard_normal((n, 2))
    return np.where(np.isnan(values_of(people)), np.nan, np.hstack([M, Y]))


def model_data(values: np.ndarray, people: Crossover) -> dict[str, np.ndarray]:
    """Cross-products in SD units, as the model holds them; the pattern of gaps is the same in every data set."""
    both = both_periods(people)
    units = standardise(both, mediators=["insight"], binary_mediator=False, binary_outcome=False)
    centre, sd = np.repeat([units.m_mean[0], units.y_mean], 2), np.repeat([units.m_sd[0], units.y_sd], 2)
    cells = collapse_cells(units.T[: len(people)], units.X[: len(people)], (values - centre) / sd)
    assert cells is not None  # most values are there
    return {"cell_gram": cells.gram}


def quantities(draws: xr.Dataset, fixed: xr.Dataset, people: Crossover, values: np.ndarray) -> xr.Dataset:
    """Test quantities of draws: effects, coefficients, variances within and between persons, the log-likelihood of what was seen."""
    idata = xr.DataTree.from_dict({"/posterior": draws, "/constant_data": fixed})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        effects = compute_effects(idata)[list(EFFECTS)]
    shape = (draws.sizes["chain"], draws.sizes["draw"])
    density = _log_likelihood(draws, people, values).reshape(shape)
    return xr.merge([effects, draws[list(PARAMETERS)]]).assign(log_likelihood=(("chain", "draw"), density))


def _log_likelihood(draws: xr.Dataset, people: Crossover, values: np.ndarray) -> np.ndarray:
    """Log density with the persons' own effects integrated out, (draw,)."""
    mediator, outcome, slope = equations(draws, people)
    mean = np.concatenate([mediator, outcome + slope * mediator], axis=2)
    order = people.first.treatment.to_numpy(int)[:, 0]
    one, eye = np.ones((2, 2)), np.eye(2)
    p = {name: flat(draws[name]).reshape(-1, 1, 1) for name in (*SCALARS, "sigma_m")}
    of_m = p["person_m"] ** 2 * one + p["sigma_m"] ** 2 * eye
    of_w = p["person_y"] ** 2 * one + p["sigma_y"] ** 2 * eye
    shared = p["person_correlation"] * p["person_m"] * p["person_y"] * one
    covariance = []
    for group in (0, 1):
        B = eye * slope[:, np.flatnonzero(order == group)[0]][:, None, :]
        cross = of_m @ B + shared
        of_y = B @ of_m @ B + B @ shared + shared @ B + of_w
        covariance.append(np.block([[of_m, cross], [cross.transpose(0, 2, 1), of_y]]))
    return log_density(mean, np.stack(covariance, axis=1), order, values)
