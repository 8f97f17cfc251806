"""The sixteen models that the averaged estimate weighs: {none, PET, PEESE, selection} x {effect} x {heterogeneity}."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pillprocess.bias.contrast_rows import Contrasts
from pillprocess.bias.likelihood import gaussian_likelihood, selection_likelihood
from pillprocess.bias.posterior import Posterior, fixed, half_cauchy, half_normal, posterior, symmetric_beta

type Array = NDArray[np.float64]

KINDS = ("none", "PET", "PEESE", "selection")


@dataclass(frozen=True)
class Priors:
    """Priors of every model, in the unit of the contrasts.

    ``effect_sd``: normal SD of the effect common to the drugs; ``tau_sd``: half-normal scale of the SDs between trials and
    between drugs; ``pet_scale``, ``peese_scale``: half-Cauchy scales of the slopes, towards benefit; ``omega``: the weight of
    trials beyond the step is Beta(omega, omega), which at 1.5 leaves its ends, "all printed" and "none printed", to the other
    models and to nobody.
    """

    effect_sd: float = 0.7
    tau_sd: float = 0.3
    pet_scale: float = 1.0
    peese_scale: float = 5.0
    omega: float = 1.5


@dataclass(frozen=True)
class Model:
    """One of the sixteen."""

    bias: str
    effect: bool
    heterogeneity: bool


MODELS = tuple(Model(kind, e, h) for kind in KINDS for e in (True, False) for h in (True, False))


def effect_grid(data: Contrasts, priors: Priors) -> Array:
    """A grid of drug effects that holds every drug's posterior, fine enough for the most precise."""
    own = [data.take(data.drug == drug) for drug in dict.fromkeys(data.drug.tolist())]
    with_tau = [one.se**2 + (priors.tau_sd * one.dose) ** 2 for one in own]
    mean = [(o.y * o.dose / v).sum() / (o.dose**2 / v).sum() for o, v in zip(own, with_tau, strict=True)]
    sd = [(o.dose**2 / v).sum() ** -0.5 for o, v in zip(own, with_tau, strict=True)]
    finest = min((o.dose**2 / o.se**2).sum() ** -0.5 for o in own)
    widest = 4.5 * np.hypot(priors.effect_sd, priors.tau_sd)
    low = max(-widest, min(0.0, *(m - 7 * s for m, s in zip(mean, sd, strict=True))))
    high = min(widest, max(0.0, *(max(m, 0.0) + 7 * s for m, s in zip(mean, sd, strict=True))))
    return np.linspace(low, high, int(np.clip((high - low) / (0.8 * finest), 81, 301)))


def fit_model(
    model: Model, data: Contrasts, effect: Array, *, priors: Priors, steps: tuple[float, ...], predictor: Array
) -> Posterior:
    """Integrate one model; ``predictor`` is what the small-study terms grow with, before it is squared."""
    own = [data.take(data.drug == drug) for drug in dict.fromkeys(data.drug.tolist())]
    of_row = [predictor[data.drug == drug] for drug in dict.fromkeys(data.drug.tolist())]
    power = {"PET": 1, "PEESE": 2}.get(model.bias, 0)
    grid = effect if model.effect else np.zeros(1)

    def tabulate(tau: Array, bias: Array) -> list[Array]:
        if model.bias == "selection":
            return [selection_likelihood(one, grid, tau, bias[:, None], steps) for one in own]
        return [gaussian_likelihood(one, grid, tau, bias, x**power) for one, x in zip(own, of_row, strict=True)]

    slopes = {"PET": half_cauchy(priors.pet_scale), "PEESE": half_cauchy(priors.peese_scale)}
    bias = {"none": fixed(0.0), "selection": symmetric_beta(priors.omega)} | slopes
    return posterior(
        tabulate, grid, tau=half_normal(priors.tau_sd) if model.heterogeneity else fixed(0.0), bias=bias[model.bias],
        prior_effect_sd=priors.effect_sd, prior_tau_sd=priors.tau_sd,
    )  # fmt: skip
