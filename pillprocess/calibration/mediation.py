r"""Calibration of mediation: one trial, many trials, a binary outcome; one mediator, a baseline, T x M.

Parameters are drawn from the prior of the model that has every participant's row; data are simulated from them in the units of
the data, by the equations of :mod:`pillprocess.mediation.model`; the fit sees cross-products in SD units (Gaussian families).
Arms, covariates and units are those of a fixed simulated trial.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import log_ndtr

from pillprocess.calibration.ranks import Case, Replicate
from pillprocess.inference.chain import Chain
from pillprocess.mediation.draws import flat
from pillprocess.mediation.effects import compute_effects
from pillprocess.participants.table import Participants, load_participants

EFFECTS = ("te", "pnde", "tnie", "cde", "ab", "cov_ab", "te_new")
PARAMETERS = ("c", "b", "theta", "sigma_m", "sigma_y", "tau")


class Rows(NamedTuple):
    """Values of every participant: mediators (row, mediator) and outcome (row,), in the units of the data."""

    M: np.ndarray
    y: np.ndarray


def one_trial() -> Case:
    """120 people of one trial, one mediator, a baseline."""
    return _case({"n": 120, "trials": 1, "binary": 0})


def many_trials() -> Case:
    """Eight trials of 40 people whose effects vary together, one mediator, a baseline."""
    return _case({"n": 40, "trials": 8, "binary": 0})


def binary_outcome() -> Case:
    """160 people of one trial, one mediator, response or not (probit), a baseline."""
    return _case({"n": 160, "trials": 1, "binary": 1})


def _case(design: dict[str, int]) -> Case:
    def build() -> Callable[[np.random.Generator], Replicate]:
        from pillprocess.inference.refit import constants, prior_sampler, refitter
        from pillprocess.mediation.choices import Family
        from pillprocess.mediation.model import mediation

        people = template(**design)
        family: Family = "probit" if design["binary"] else "gaussian"
        by_row = mediation(people, family_outcome=family, collapsed=False)
        model = mediation(people, family_outcome=family)
        draw, refit, fixed = prior_sampler(by_row), refitter(model, Chain()), constants(model)
        to_data = _data_writer(people, binary=bool(design["binary"]))

        def run(rng: np.random.Generator) -> Replicate:
            truth = draw(rng)
            rows = simulate(truth, people, rng)
            posterior, divergences = refit(to_data(rows), rng)
            return Replicate(
                quantities(truth, fixed, people, rows), quantities(posterior, fixed, people, rows), divergences
            )

        return run

    return Case({**design, **Chain()._asdict()}, build)


def template(*, n: int, trials: int, binary: int) -> Participants:
    """Participants whose arms, covariate and units the calibration keeps; ``n`` per trial."""
    rng = np.random.default_rng(2024)
    people = n * trials
    arm = np.arange(people) % 2
    baseline = 30 + 6 * rng.normal(size=people)
    change = baseline - 36 - 8 * arm + 9 * rng.normal(size=people)
    table = pd.DataFrame(
        {
            "trial": np.repeat(np.arange(trials), n), "arm": np.where(arm, "psilocybin", "placebo"), "baseline": baseline,
            "experience": 20 + 40 * arm + 18 * rng.normal(size=people),
            "outcome": (change < np.median(change)).astype(float) if binary else change,
        }
    )  # fmt: skip
    return load_participants(
        table, treatment="arm", reference="placebo", outcome="outcome", baseline="baseline", trial="trial" if trials > 1 else None,
        mediators="experience", higher_is_worse=not binary,
    )  # fmt: skip


def _data_writer(people: Participants, *, binary: bool) -> Callable[[Rows], dict[str, np.ndarray]]:
    """Return a function from simulated rows to the model's data: in SD units, collapsed where everything is Gaussian."""
    from dataclasses import replace

    from pillprocess.mediation.sufficient import collapse, standardise

    units = standardise(
        people, mediators=list(people.mediators.columns), binary_mediator=False, binary_outcome=binary
    )  # fmt: skip

    def write(rows: Rows) -> dict[str, np.ndarray]:
        M, y = (rows.M - units.m_mean) / units.m_sd, (rows.y - units.y_mean) / units.y_sd
        if binary:
            return {"M_value": M.T.ravel(), "Y_value": y}
        grams = collapse(replace(units, M=M, y=y), interaction=True)
        return {"mediator_gram": grams.mediator, "outcome_gram": grams.outcome}

    return write


def simulate(truth: xr.Dataset, people: Participants, rng: np.random.Generator) -> Rows:
    """Draw everybody's mediators and outcome, in the units of the data, from one draw of the parameters."""
    mean, factor = mediator_equations(truth, people)
    M = mean[0] + rng.standard_normal(mean.shape[1:]) @ factor[0].T
    eta, sd = outcome_equation(truth, people, M)
    noise = rng.standard_normal(len(M))
    return Rows(M, (eta[0] + noise > 0).astype(float) if sd is None else eta[0] + sd[0] * noise)


def mediator_equations(draws: xr.Dataset, people: Participants) -> tuple[np.ndarray, np.ndarray]:
    """Mean mediators (draw, row, mediator) and Cholesky factor of their residual covariance (draw, mediator, mediator)."""
    T, X = people.treatment.to_numpy(float), people.covariates.to_numpy(float)
    mean = _by_row(draws, "alpha_m", people) + np.einsum("snqk,nk->snq", _by_row(draws, "a", people), T)
    mean = mean + np.einsum("sqp,np->snq", flat(draws["gamma_m"]), X)
    sd = flat(draws["sigma_m"])
    correlation = np.broadcast_to(np.eye(sd.shape[1]), (*sd.shape, sd.shape[1])).copy()
    if "correlation_m" in draws:
        first, second = np.triu_indices(sd.shape[1], 1)
        correlation[:, first, second] = correlation[:, second, first] = flat(draws["correlation_m"])
    return mean, sd[:, :, None] * np.linalg.cholesky(correlation)


def outcome_equation(draws: xr.Dataset, people: Participants, M: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Linear predictor of the outcome (draw, row) given the mediators, and its residual SD (draw,), None for a probit."""
    T, X = people.treatment.to_numpy(float), people.covariates.to_numpy(float)
    eta = _by_row(draws, "alpha_y", people) + np.einsum("snk,nk->sn", _by_row(draws, "c", people), T)
    eta = eta + np.einsum("snq,nq->sn", _by_row(draws, "b", people), M) + flat(draws["gamma_y"]) @ X.T
    eta = eta + np.einsum("sqk,nk,nq->sn", flat(draws["theta"]), T, M)
    return eta, flat(draws["sigma_y"]) if "sigma_y" in draws else None


def log_likelihood(draws: xr.Dataset, people: Participants, rows: Rows) -> np.ndarray:
    """Log density of all rows given everything, the trials' own effects included, (draw,)."""
    mean, factor = mediator_equations(draws, people)
    white = np.linalg.solve(factor, (rows.M - mean).transpose(0, 2, 1))
    half = 0.5 * np.log(2 * np.pi)
    density = -0.5 * (white**2).sum((1, 2)) - len(rows.y) * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(1)
    density -= half * rows.M.size
    eta, sd = outcome_equation(draws, people, rows.M)
    if sd is None:
        return density + log_ndtr(np.where(rows.y == 1, eta, -eta)).sum(1)
    return density - 0.5 * (((rows.y - eta) / sd[:, None]) ** 2).sum(1) - len(rows.y) * (np.log(sd) + half)


def quantities(draws: xr.Dataset, fixed: xr.Dataset, people: Participants, rows: Rows) -> xr.Dataset:
    """Test quantities of draws: effects, coefficients, variation between trials, one trial's effects, the log-likelihood."""
    idata = xr.DataTree.from_dict({"/posterior": draws, "/constant_data": fixed})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        effects = compute_effects(idata)
    out = xr.merge([effects[[v for v in EFFECTS if v in effects]], draws[[v for v in PARAMETERS if v in draws]]])
    if "ab" in effects:
        out["ab + cov_ab"] = effects["ab"] + effects["cov_ab"]
        out["a_trial"], out["b_trial"] = (draws[v].isel(trial=0, drop=True) for v in ("a_trial", "b_trial"))
    shape = (draws.sizes["chain"], draws.sizes["draw"])
    return out.assign(log_likelihood=(("chain", "draw"), log_likelihood(draws, people, rows).reshape(shape)))


def _by_row(draws: xr.Dataset, name: str, people: Participants) -> np.ndarray:
    """A coefficient of every row's trial, (draw, row, ...)."""
    if f"{name}_trial" in draws:
        return flat(draws[f"{name}_trial"])[:, pd.factorize(people.trial)[0]]
    return np.repeat(flat(draws[name])[:, None], len(people), axis=1)
