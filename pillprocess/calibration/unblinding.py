"""Calibration of the model of belief as a mediator: belief, experience and outcome of one trial, belief first.

Data are simulated in SD units by the equations of :mod:`pillprocess.belief.unblinding`. Arms, the covariate, units and the
centre of belief are those of a fixed simulated trial.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import log_ndtr

from pillprocess.belief.estimands import belief_effects
from pillprocess.calibration.ranks import Case, Replicate
from pillprocess.inference.chain import Chain
from pillprocess.mediation.draws import flat
from pillprocess.participants.table import Participants, load_participants

PEOPLE = 160
PARAMETERS = (
    "b",
    "c",
    "theta",
    "sigma",
    "a_belief_raw",
    "d_experience_raw",
    "b_experience_raw",
    "theta_experience_raw",
)


def belief_first() -> Case:
    """160 people with one guess each, an experience and a baseline."""

    def build() -> Callable[[np.random.Generator], Replicate]:
        from pillprocess.belief.unblinding import unblinding
        from pillprocess.inference.refit import constants, prior_sampler, refitter

        people = template()
        model = unblinding(people, belief="guess", belief_timing="endpoint")
        draw, refit, fixed = prior_sampler(model), refitter(model, Chain()), constants(model)
        centre = float(fixed["belief_mean"])

        def run(rng: np.random.Generator) -> Replicate:
            truth = draw(rng)
            data = simulate(truth, people, centre, rng)
            posterior, divergences = refit(data, rng)
            return Replicate(
                quantities(truth, fixed, people, data), quantities(posterior, fixed, people, data), divergences
            )

        return run

    return Case({"n": PEOPLE, **Chain()._asdict()}, build)


def template() -> Participants:
    """Participants whose arms, covariate and units the calibration keeps."""
    rng = np.random.default_rng(2024)
    arm = np.arange(PEOPLE) % 2
    baseline = 30 + 6 * rng.normal(size=PEOPLE)
    table = pd.DataFrame(
        {
            "arm": np.where(arm, "psilocybin", "placebo"), "baseline": baseline,
            "guess": (1.2 * arm - 0.4 + rng.normal(size=PEOPLE) > 0).astype(float),
            "experience": 20 + 40 * arm + 18 * rng.normal(size=PEOPLE),
            "outcome": baseline - 36 - 8 * arm + 9 * rng.normal(size=PEOPLE),
        }
    )  # fmt: skip
    return load_participants(
        table, treatment="arm", reference="placebo", outcome="outcome", baseline="baseline",
        mediators=["guess", "experience"], higher_is_worse=True,
    )  # fmt: skip


def simulate(truth: xr.Dataset, people: Participants, centre: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw everybody's experience, belief and outcome from one draw of the parameters, in SD units."""
    noise = rng.standard_normal((3, PEOPLE))
    S = experience_mean(truth, people)[0] + flat(truth["sigma_experience_raw"])[0] * noise[0]
    B = (belief_predictor(truth, people, S)[0] + noise[1] > 0).astype(float)
    y = outcome_mean(truth, people, S, B, centre)[0] + flat(truth["sigma_raw"])[0] * noise[2]
    return {"S_value": S, "B_value": B, "Y_value": y}


def experience_mean(draws: xr.Dataset, people: Participants) -> np.ndarray:
    """Mean experience, (draw, row)."""
    return _linear(draws, people, "experience", "a_experience_raw")


def belief_predictor(draws: xr.Dataset, people: Participants, S: np.ndarray) -> np.ndarray:
    """Probit predictor of belief given the experience, (draw, row)."""
    return _linear(draws, people, "belief", "a_belief_raw") + flat(draws["d_experience_raw"])[:, None] * S


def outcome_mean(draws: xr.Dataset, people: Participants, S: np.ndarray, B: np.ndarray, centre: float) -> np.ndarray:
    """Mean outcome given experience and belief, (draw, row)."""
    T = people.treatment.to_numpy(float)
    of_belief = flat(draws["b_raw"])[:, None] + flat(draws["theta_raw"]) @ T.T
    of_experience = flat(draws["b_experience_raw"])[:, None] + flat(draws["theta_experience_raw"]) @ T.T
    return _linear(draws, people, "outcome", "c_raw") + of_belief * (B - centre) + of_experience * S


def quantities(draws: xr.Dataset, fixed: xr.Dataset, people: Participants, data: dict[str, np.ndarray]) -> xr.Dataset:
    """Test quantities of draws: effects through and beside belief, coefficients, the log-likelihood."""
    S, B, y = data["S_value"], data["B_value"], data["Y_value"]
    eta = belief_predictor(draws, people, S)
    density = log_ndtr(np.where(B == 1, eta, -eta)).sum(1)
    means = (experience_mean(draws, people), outcome_mean(draws, people, S, B, float(fixed["belief_mean"])))
    for values, mean, sd in zip((S, y), means, ("sigma_experience_raw", "sigma_raw"), strict=True):
        scale = flat(draws[sd])[:, None]
        density = density - (0.5 * ((values - mean) / scale) ** 2 + np.log(scale) + 0.5 * np.log(2 * np.pi)).sum(1)
    effects = belief_effects(xr.DataTree.from_dict({"/posterior": draws, "/constant_data": fixed}))
    shape = (draws.sizes["chain"], draws.sizes["draw"])
    return xr.merge([effects, draws[list(PARAMETERS)]]).assign(
        log_likelihood=(("chain", "draw"), density.reshape(shape))
    )


def _linear(draws: xr.Dataset, people: Participants, name: str, effect: str) -> np.ndarray:
    """Intercept, treatment and covariate of one equation, (draw, row)."""
    T, X = people.treatment.to_numpy(float), people.covariates
    scaled = ((X - X.mean()) / X.std()).to_numpy(float)
    alpha = flat(draws[f"alpha_{name}_raw"])[:, None]
    return alpha + flat(draws[effect]) @ T.T + flat(draws[f"gamma_{name}_raw"]) @ scaled.T
