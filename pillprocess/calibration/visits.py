r"""Calibration of mediation with the outcome at several visits: dropout after bad visits, and gaps.

Parameters are drawn from the model's prior; mediator and outcomes are simulated from them with NumPy, in the units of the data, by the
equations of :mod:`pillprocess.mediation.repeated`. Then people leave: after a visit, the more likely the worse they were at it. Some
lack the mediator, or a visit between two others, whatever happens. Arms, covariate and units are those of a fixed trial.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.calibration.incomplete import correlations, log_density
from pillprocess.calibration.ranks import Case, Replicate
from pillprocess.inference.chain import Chain
from pillprocess.mediation.draws import flat
from pillprocess.mediation.repeated_data import RepeatedUnits, repeated_units, visit_design
from pillprocess.mediation.repeated_effects import repeated_effects
from pillprocess.mediation.stacked import collapse_cells, collapse_in_order, in_order
from pillprocess.participants.followup import FollowUp, load_followup

PEOPLE, VISITS = 80, ("score_1", "score_2", "score_3")
EFFECTS = ("te", "pnde", "tnie", "cde")
PARAMETERS = ("a", "c", "b", "theta", "gamma_y", "sigma_m", "sigma_y", "correlation_y")
CHAIN = Chain(draws=2000, tune=1000, target_accept=0.95)


def three_visits() -> Case:
    """80 people, one mediator, a baseline, three visits; unstructured covariance, T x M at every visit."""

    def build() -> Callable[[np.random.Generator], Replicate]:
        from pillprocess.inference.refit import constants, prior_sampler, refitter
        from pillprocess.mediation.repeated import repeated_mediation

        followup = template()
        units, model = repeated_units(followup), repeated_mediation(followup)
        draw, refit, fixed = prior_sampler(model), refitter(model, CHAIN), constants(model)

        def run(rng: np.random.Generator) -> Replicate:
            truth = draw(rng)
            values = simulate(truth, followup, rng)
            posterior, divergences = refit(model_data(values, units), rng)
            return Replicate(
                quantities(truth, fixed, followup, values), quantities(posterior, fixed, followup, values), divergences
            )

        return run

    return Case({"n": PEOPLE, "visits": len(VISITS), **CHAIN._asdict()}, build)


def template() -> FollowUp:
    """Participants whose arms, covariate, units and gaps the calibration keeps."""
    rng, n = np.random.default_rng(2024), PEOPLE
    arm, baseline, person = np.arange(n) % 2, 30 + 6 * rng.normal(size=n), 5 * rng.normal(size=n)
    table = pd.DataFrame(
        {
            "arm": np.where(arm, "psilocybin", "placebo"), "baseline": baseline,
            "experience": np.where(np.arange(n) % 11 == 4, np.nan, 20 + 40 * arm + 18 * rng.normal(size=n)),
        }
    )  # fmt: skip
    for v, name in enumerate(VISITS):
        table[name] = baseline - 6 - (6 + v) * arm + person + 5 * rng.normal(size=n)
    table.loc[np.arange(n) % 13 == 6, VISITS[1]] = np.nan
    outcomes = {name: float(week) for name, week in zip(VISITS, (1, 3, 6), strict=True)}
    return load_followup(
        table, outcomes=outcomes, treatment="arm", reference="placebo", mediators="experience", baseline="baseline",
        higher_is_worse=True,
    )  # fmt: skip


def means(draws: xr.Dataset, followup: FollowUp) -> tuple[np.ndarray, np.ndarray]:
    """Mean mediator (draw, person), and outcome at every visit if the mediator were 0 (draw, person, visit)."""
    T, X = followup.people.treatment.to_numpy(float), followup.people.covariates.to_numpy(float)
    p = {name: flat(draws[name]) for name in ("alpha_m", "a", "gamma_m", "alpha_y", "c", "gamma_y")}
    mediator = p["alpha_m"] + p["a"][:, 0] @ T.T + p["gamma_m"][:, 0] @ X.T
    outcome = p["alpha_y"][:, None] + np.einsum("svk,nk->snv", p["c"], T) + np.einsum("svp,np->snv", p["gamma_y"], X)
    return mediator, outcome


def simulate(truth: xr.Dataset, followup: FollowUp, rng: np.random.Generator) -> np.ndarray:
    """Draw mediator and outcomes (person, 1 + visit) from one draw of the parameters; missing where not seen."""
    T = followup.people.treatment.to_numpy(float)[:, 0]
    mediator, outcome = (m[0] for m in means(truth, followup))
    M = mediator + flat(truth["sigma_m"])[0, 0] * rng.standard_normal(len(T))
    slope = flat(truth["b"])[0, :, 0] + T[:, None] * flat(truth["theta"])[0, :, 0, 0]
    covariance = correlations(flat(truth["sigma_y"]), flat(truth["correlation_y"]))[0]
    Y = outcome + slope * M[:, None] + rng.multivariate_normal(np.zeros(len(VISITS)), covariance, len(T))
    gaps = np.isnan(np.column_stack([followup.people.mediators, followup.outcomes]))
    leaves, gone = ~gaps.any(axis=1), np.zeros(len(T), bool)
    centre, sd = np.nanmean(followup.outcomes.to_numpy()), np.nanstd(followup.outcomes.to_numpy())
    for v in range(1, len(VISITS)):
        gone |= leaves & (rng.random(len(T)) < 0.4 / (1 + np.exp(-(Y[:, v - 1] - centre) / sd)))
        gaps[gone, 1 + v] = True
    return np.where(gaps, np.nan, np.column_stack([M, Y]))


def model_data(values: np.ndarray, units: RepeatedUnits) -> dict[str, np.ndarray]:
    """Cross-products in SD units, as the model holds them; who has a gap is the same in every data set."""
    M, Y = (values[:, :1] - units.m_mean) / units.m_sd, (values[:, 1:] - units.y_mean) / units.y_sd
    ladder = in_order(np.isfinite(np.hstack([units.M, units.Y])))
    Z, stacked = visit_design(replace(units, M=M, Y=Y), interaction=True), np.hstack([M, Y])
    cells = collapse_cells(units.T[~ladder], units.X[~ladder], stacked[~ladder])
    assert cells is not None  # the template has gaps
    return {"visit_gram": collapse_in_order(Z[ladder], np.isfinite(stacked[ladder])), "cell_gram": cells.gram}


def quantities(draws: xr.Dataset, fixed: xr.Dataset, followup: FollowUp, values: np.ndarray) -> xr.Dataset:
    """Test quantities of draws: effects and coefficients at every visit, variances, the log-likelihood of what was seen."""
    idata = xr.DataTree.from_dict({"/posterior": draws, "/constant_data": fixed})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        effects = repeated_effects(idata)[list(EFFECTS)].rename(visit="at")
    shape = (draws.sizes["chain"], draws.sizes["draw"])
    density = _log_likelihood(draws, followup, values).reshape(shape)
    return xr.merge([effects, draws[list(PARAMETERS)]]).assign(log_likelihood=(("chain", "draw"), density))


def _log_likelihood(draws: xr.Dataset, followup: FollowUp, values: np.ndarray) -> np.ndarray:
    T = followup.people.treatment.to_numpy(float)[:, 0]
    mediator, outcome = means(draws, followup)
    b, theta, sd = flat(draws["b"])[:, :, 0], flat(draws["theta"])[:, :, 0, 0], flat(draws["sigma_m"])[:, 0]
    slope = b[:, None] + T[:, None] * theta[:, None]
    mean = np.concatenate([mediator[:, :, None], outcome + slope * mediator[:, :, None]], axis=2)
    loading = np.stack([np.column_stack([np.ones(len(b)), b + t * theta]) for t in (0, 1)], axis=1) * sd[:, None, None]
    rest = np.zeros((len(b), 1, values.shape[1], values.shape[1]))
    rest[:, 0, 1:, 1:] = correlations(flat(draws["sigma_y"]), flat(draws["correlation_y"]))
    return log_density(mean, loading[..., None] * loading[..., None, :] + rest, T.astype(int), values)
