r"""Calibration of mediation whose outcome is no straight line: ordered categories, and the period of an event that may not be seen.

Each replication draws parameters, data and a fit for every family: 100 people, one mediator, a baseline, T x M. Mediators and outcomes are
simulated with NumPy, in the units of the data, by the equations of :mod:`pillprocess.mediation.model`; the log-likelihood that is ranked is
SciPy's. Arms, covariate, units, the number of categories and the end of everybody's follow-up are those of a fixed trial.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special, stats

from pillprocess.calibration.ranks import Case, Replicate
from pillprocess.inference.chain import Chain
from pillprocess.mediation.choices import Family
from pillprocess.mediation.draws import flat
from pillprocess.mediation.effects import compute_effects
from pillprocess.participants.table import Participants, load_participants

PEOPLE = 100
FAMILIES: tuple[Family, ...] = ("ordinal_logit", "hazard_cloglog")
EFFECTS = ("te", "pnde", "tnie", "cde")
PARAMETERS = ("c", "b", "theta", "sigma_m", "threshold_y", "period_y")
CHAIN = Chain(draws=800, tune=500, target_accept=0.9)


class Rows(NamedTuple):
    """Values of every person, in the units of the data: mediator, outcome, and whether the event was seen (1 where there is none)."""

    m: np.ndarray
    y: np.ndarray
    event: np.ndarray


def categories_and_periods() -> Case:
    """100 people of one trial for each of two families of the outcome, one mediator, a baseline."""

    def build() -> Callable[[np.random.Generator], Replicate]:
        ready = {family: _ready(family) for family in FAMILIES}

        def run(rng: np.random.Generator) -> Replicate:
            found = {family: each(rng) for family, each in ready.items()}
            truth, draws = (
                xr.merge(
                    [
                        getattr(r, which).rename({v: f"{v} of {family}" for v in r.truth.data_vars})
                        for family, r in found.items()
                    ]
                )
                for which in ("truth", "draws")
            )
            return Replicate(truth, draws, sum(r.divergences for r in found.values()))

        return run

    return Case({"n": PEOPLE, "families": len(FAMILIES), **CHAIN._asdict()}, build)


def _ready(family: Family) -> Callable[[np.random.Generator], Replicate]:
    """Compile the model of one family; return a function that draws parameters and data, and fits."""
    from pillprocess.inference.refit import constants, prior_sampler, refitter
    from pillprocess.mediation.model import mediation
    from pillprocess.mediation.sufficient import standardise

    people = template(family)
    model = mediation(people, family_outcome=family)
    draw, refit, fixed = prior_sampler(model), refitter(model, CHAIN), constants(model)
    units = standardise(people, mediators=["experience"], binary_mediator=False, binary_outcome=True)

    def run(rng: np.random.Generator) -> Replicate:
        truth = draw(rng)
        rows = simulate(truth, family, people, rng)
        data = {"M_value": (rows.m - units.m_mean[0]) / units.m_sd[0], "Y_value": rows.y}
        if people.event is not None:
            data["Y_event"] = rows.event
        posterior, divergences = refit(data, rng)
        return Replicate(
            quantities(truth, fixed, family, people, rows),
            quantities(posterior, fixed, family, people, rows),
            divergences,
        )

    return run


def template(family: str) -> Participants:
    """Participants whose arms, covariate, units, categories and end of follow-up the calibration keeps."""
    rng, n = np.random.default_rng(2024), PEOPLE
    arm, baseline = np.arange(n) % 2, 30 + 6 * rng.normal(size=n)
    table = pd.DataFrame({"arm": np.where(arm, "psilocybin", "placebo"), "baseline": baseline})
    table["experience"] = 20 + 40 * arm + 18 * rng.normal(size=n)
    timed = family == "hazard_cloglog"
    table["outcome"] = (np.arange(n) // 2 % 4 if not timed else 1 + np.arange(n) // 2 % 5).astype(float)
    table["relapse"] = (np.arange(n) // 2 % 3 > 0).astype(int)
    return load_participants(
        table, treatment="arm", reference="placebo", outcome="outcome", baseline="baseline", mediators="experience",
        event="relapse" if timed else None, higher_is_worse=True,
    )  # fmt: skip


def predictors(draws: xr.Dataset, people: Participants) -> tuple[np.ndarray, ...]:
    """Mean of the mediator, the outcome's linear predictor where it is 0, and its slope on it, each (draw, person)."""
    T, x = people.treatment.to_numpy(float)[:, 0], people.covariates.to_numpy(float)[:, 0]
    names = ("alpha_m", "a", "gamma_m", "alpha_y", "c", "b", "theta", "gamma_y")
    p = {name: flat(draws[name]).reshape(-1, 1) for name in names}
    own = p["alpha_y"] + p["c"] * T + p["gamma_y"] * x
    return p["alpha_m"] + p["a"] * T + p["gamma_m"] * x, own, p["b"] + p["theta"] * T


def simulate(truth: xr.Dataset, family: str, people: Participants, rng: np.random.Generator) -> Rows:
    """Draw everybody's mediator and outcome from one draw of the parameters."""
    n, event = len(people), np.ones(len(people))
    mediator, own, slope = (values[0] for values in predictors(truth, people))
    m = mediator + flat(truth["sigma_m"])[0, 0] * rng.standard_normal(n)
    eta = own + slope * m
    if family == "ordinal_logit":
        y = (rng.logistic(eta)[:, None] > flat(truth["threshold_y"])[0]).sum(1)
    else:
        hazard = -np.expm1(-np.exp(eta[:, None] + flat(truth["period_y"])[0]))
        hit = rng.random(hazard.shape) < hazard
        end = people.outcome.to_numpy(int)
        first = np.where(hit.any(1), hit.argmax(1) + 1, hazard.shape[1] + 1)
        y, event = np.minimum(first, end), (first <= end).astype(float)
    return Rows(m, y, event)


def log_likelihood(draws: xr.Dataset, family: str, people: Participants, rows: Rows) -> np.ndarray:
    """Log density of everybody's mediator and outcome (draw,), by SciPy."""
    mediator, base, slope = predictors(draws, people)
    y, eta = rows.y, base + slope * rows.m
    own = stats.norm.logpdf(rows.m, mediator, flat(draws["sigma_m"])[:, [0]]).sum(1)
    if family == "ordinal_logit":
        cuts = flat(draws["threshold_y"])
        far = np.full((len(cuts), 1), np.inf)
        ends = np.hstack([-far, cuts, far])
        low, high = eta - ends[:, y], eta - ends[:, y + 1]
        chance = np.where(
            low + high > 0, special.expit(-high) - special.expit(-low), special.expit(low) - special.expit(high)
        )
        return np.asarray(own + np.log(np.maximum(chance, 1e-300)).sum(1))
    periods = np.arange(1, draws.sizes["period"] + 1)
    rate = np.exp(eta[:, :, None] + flat(draws["period_y"])[:, None])
    passed = (periods < y[:, None]) | ((periods == y[:, None]) & (rows.event == 0)[:, None])
    happened = (periods == y[:, None]) & (rows.event == 1)[:, None]
    return np.asarray(own + np.where(happened, np.log(-np.expm1(-rate)), np.where(passed, -rate, 0.0)).sum((1, 2)))


def quantities(draws: xr.Dataset, fixed: xr.Dataset, family: str, people: Participants, rows: Rows) -> xr.Dataset:
    """Test quantities of draws: effects on the mean outcome, coefficients, what the family has beside them, the log-likelihood."""
    idata = xr.DataTree.from_dict({"/posterior": draws, "/constant_data": fixed})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        effects = compute_effects(idata)[list(EFFECTS)]
    own = draws[[v for v in PARAMETERS if v in draws]].squeeze(
        [d for d in ("arm", "mediator") if d in draws.dims], drop=True
    )
    own = own.isel({d: slice(1, None) for d in ("threshold", "period") if d in own.dims})  # the first is 0
    shape = (draws.sizes["chain"], draws.sizes["draw"])
    density = log_likelihood(draws, family, people, rows).reshape(shape)
    return xr.merge([effects, own]).assign(log_likelihood=(("chain", "draw"), density))
