r"""What of the outcome effects compare, as a function of its linear predictor :math:`\eta`, and its average over a normal one.

With F the distribution function of the link, thresholds :math:`\kappa` (the first is 0) and scores s of ordered categories,

.. math::
    E[Y \mid \eta] = s_0 + \sum_k (s_k - s_{k-1}) F(\eta - \kappa_k), \qquad P(Y \ge s_k \mid \eta) = F(\eta - \kappa_k)

Of a time to an event with survival function S, the chance of being free of it at t is S(t), and the mean time free of it up to h is
:math:`\int_0^h S(t)\,dt`: :math:`S(t) = \exp(-(t/e^\eta)^k)` of a Weibull time of shape k, :math:`\prod_{v \le t} (1 - h_v)` of periods
with hazards :math:`F(f_v + \eta)`, which are of length 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from pillprocess.mediation.choices import BINARY, COUNTS, HAZARDS, ORDINAL, TIMES, ZERO_INFLATED

HERMITE = np.polynomial.hermite.hermgauss(40)
LARGE = 700.0
"""Exponents beyond which double precision overflows."""
NEVER = -30.0
"""Logarithm of a cumulative hazard below which everybody is free of the event."""

type Array = np.ndarray


@dataclass(frozen=True)
class Response:
    """What effects compare.

    Attributes
    ----------
    at
        Its mean at a linear predictor (draw, ...), and at the log odds of an excess zero of a count that has them.
    averaged
        Its mean over a normal linear predictor of this mean and variance, (draw, ...).
    linear
        Whether it is the linear predictor itself.
    """

    at: Callable[..., Array]
    averaged: Callable[[Array, Array], Array]
    linear: bool = False


LINEAR = Response(np.asarray, lambda centre, variance: np.asarray(centre), linear=True)


def response_of(family: str, shape: Mapping[str, Array], of: Mapping[str, float] | None = None) -> Response:
    """What effects on an outcome of this family compare: its mean, or what ``of`` names.

    Parameters
    ----------
    family
        Of the outcome.
    shape
        Draws of what the family has beside its linear predictor: ``size_y`` (draw,) of counts; ``threshold_y`` (draw, threshold) and
        ``category_score`` (category,) of ordered categories; ``shape_y`` (draw,) of a Weibull time; ``period_y`` (draw, period), how
        much the linear predictor of the hazard differs from the first period; ``time_end`` the longest time seen.
    of
        As in `natural_effects`.
    """
    link = family.removeprefix("ordinal_")
    if family in BINARY:
        return _chance(link)
    if family == "log_binomial":
        return CAPPED
    if family in ORDINAL:
        thresholds, scores = shape["threshold_y"], shape["category_score"]
        if of:
            return _chance(link, thresholds[:, int(np.searchsorted(scores, of["at_least"])) - 1])
        return _weighed([_chance(link, cut) for cut in thresholds.T], np.diff(scores), scores[0])
    if family in COUNTS:
        at_least = _tail(shape.get("size_y"), np.ceil(of["at_least"])) if of else np.exp
        if family in ZERO_INFLATED:
            return by_quadrature(lambda eta, zero: special.expit(-zero) * at_least(eta))
        return by_quadrature(at_least) if of else EXPONENTIAL
    if family in TIMES:
        what, time = next(iter((of or {"up_to": float(shape["time_end"])}).items()))
        survival = _periods(family, shape["period_y"]) if family in HAZARDS else _weibull(shape["shape_y"])
        return survival[what](float(time))
    return LINEAR


def by_quadrature(at: Callable[..., Array]) -> Response:
    """The average over a normal linear predictor by Gauss-Hermite quadrature."""

    def averaged(centre: Array, variance: Array) -> Array:
        spread = np.sqrt(2 * variance)
        return np.asarray(sum(w * at(centre + spread * x) for x, w in zip(*HERMITE, strict=True)) / np.sqrt(np.pi))

    return Response(at, averaged)


def _capped_average(centre: Array, variance: Array) -> Array:
    """Mean of min(exp(eta), 1) over a normal eta, in closed form."""
    sd = np.sqrt(np.maximum(variance, 1e-300))
    below = centre + variance / 2 + special.log_ndtr(-(centre + variance) / sd)
    return np.asarray(np.exp(below) + special.ndtr(centre / sd))


CAPPED = Response(lambda eta: np.exp(np.minimum(eta, 0.0)), _capped_average)
"""A risk whose logarithm is the linear predictor, 1 where that is above 0."""
EXPONENTIAL = Response(np.exp, lambda centre, variance: np.exp(centre + variance / 2))


def probability(family: str, eta: Array) -> Array:
    """Probability of 1 under a binary family."""
    return np.asarray(special.ndtr(eta) if family == "probit" else special.expit(eta))


def _chance(link: str, cut: Array | None = None) -> Response:
    """Chance of lying above a threshold (draw,), 0 by default."""

    def above(eta: Array) -> Array:
        return eta if cut is None else eta - _as_draws(cut, eta)

    if link == "probit":
        return Response(
            lambda eta: special.ndtr(above(eta)), lambda eta, variance: special.ndtr(above(eta) / np.sqrt(1 + variance))
        )
    return by_quadrature(lambda eta: special.expit(above(eta)))


def _weighed(parts: list[Response], weights: Array, start: float) -> Response:
    """A weighed sum of responses."""
    return Response(
        lambda eta: np.asarray(start + sum(w * p.at(eta) for w, p in zip(weights, parts, strict=True))),
        lambda eta, variance: np.asarray(
            start + sum(w * p.averaged(eta, variance) for w, p in zip(weights, parts, strict=True))
        ),
    )


def _tail(size: Array | None, count: float) -> Callable[[Array], Array]:
    """Chance of a count of at least ``count``, negative binomial or, without a size, Poisson."""

    def at(eta: Array) -> Array:
        if size is None:
            return np.asarray(stats.poisson.sf(count - 1, np.exp(eta)))
        n = _as_draws(size, eta)
        return np.asarray(stats.nbinom.sf(count - 1, n, n / (n + np.exp(eta))))

    return at


def _weibull(k: Array) -> dict[str, Callable[[float], Response]]:
    """Chance of being free at a time, and mean time up to one; without a limit it has a closed form."""

    def risk(eta: Array, time: float) -> Array:
        """Logarithm of the cumulative hazard, kept where its exponential is finite."""
        return np.asarray(np.clip(_as_draws(k, eta) * (np.log(time) - eta), -LARGE, LARGE))

    def free(eta: Array, time: float) -> Array:
        return np.asarray(np.exp(-np.exp(risk(eta, time))))

    def mean(eta: Array, time: float) -> Array:
        shape = _as_draws(k, eta)
        whole = np.exp(np.clip(eta, -LARGE, LARGE)) * special.gamma(1 + 1 / shape)
        if not np.isfinite(time):
            return np.asarray(whole)
        log_risk = risk(eta, time)
        return np.where(log_risk < NEVER, time, whole * special.gammainc(1 / shape, np.exp(log_risk)))

    def mean_up_to(time: float) -> Response:
        if np.isfinite(time):
            return by_quadrature(lambda eta: mean(eta, time))
        return Response(lambda eta: mean(eta, time), lambda eta, variance: mean(eta + variance / 2, time))

    return {"free_at": lambda time: by_quadrature(lambda eta: free(eta, time)), "up_to": mean_up_to}


def _periods(family: str, period: Array) -> dict[str, Callable[[float], Response]]:
    """The same of periods, from the hazards of all periods."""

    def survived(eta: Array, v: int) -> Array:
        u = eta + _as_draws(period[:, v], eta)
        return np.exp(-np.exp(np.clip(u, -LARGE, LARGE))) if family == "hazard_cloglog" else special.expit(-u)

    def free(eta: Array, time: float) -> Array:
        chance = np.ones_like(eta)
        for v in range(int(time)):
            chance = chance * survived(eta, v)
        return chance

    def mean(eta: Array, time: float) -> Array:
        chance, total = np.ones_like(eta), np.zeros_like(eta)
        for v in range(int(np.ceil(time))):
            total += chance * min(1.0, time - v)
            chance = chance * survived(eta, v) if v < period.shape[1] else chance
        return total

    return {
        "free_at": lambda time: by_quadrature(lambda eta: free(eta, time)),
        "up_to": lambda time: by_quadrature(lambda eta: mean(eta, time)),
    }


def _as_draws(values: Array, eta: Array) -> Array:
    return values.reshape(-1, *[1] * (eta.ndim - 1))
