r"""Mean potential outcomes of a fitted mediation model, averaged over the covariates (the g-formula).

.. math:: E[Y(t, M(t'))] = \int\int E[Y \mid t, m, x]\, dF(m \mid t', x)\, dF(x)

Gaussian mediators make the outcome's linear predictor Gaussian, so a probit outcome and a count have a closed form and others a
single quadrature (`responses`); a binary mediator is a sum of two terms.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from pillprocess.mediation.choices import BINARY
from pillprocess.mediation.responses import HERMITE, Response
from pillprocess.mediation.responses import probability as probability

LEGENDRE = np.polynomial.legendre.leggauss(64)
CELLS = 10_000_000
"""Array cells worked on at once."""


@dataclass(frozen=True)
class Zeros:
    """Draws of the log odds of an excess zero: alpha and c (draw,), b (draw, mediator), gamma (draw, covariate)."""

    alpha: np.ndarray
    c: np.ndarray
    b: np.ndarray
    gamma: np.ndarray

    def at(self, X: np.ndarray, t: float) -> np.ndarray:
        """At mediators of 0, (draw, profile)."""
        return np.asarray((self.alpha + self.c * t)[:, None] + self.gamma @ X.T)


@dataclass(frozen=True)
class Coefficients:
    """Draws of one active arm against the reference, in the units of the data, draws first.

    Attributes
    ----------
    alpha_m, a, gamma_m
        Mediators' intercepts (draw, mediator), treatment effects (draw, mediator), covariates (draw, mediator, covariate);
        effects through earlier mediators included.
    sigma_m
        Residual covariance of the mediators (draw, mediator, mediator); 0 where they are binary.
    nu_m
        Degrees of freedom (draw,) of a Student-t mediator, otherwise infinite.
    alpha_y, c, b, theta, gamma_y
        Outcome: intercept (draw,), treatment (draw,), mediators (draw, mediator), interaction (draw, mediator),
        covariates (draw, covariate).
    cov_ab
        Covariance over trials of each mediator's a and b (draw, mediator).
    family_mediator, family_outcome
        Names of the families.
    response
        What of the outcome effects compare.
    a_x, c_x, b_x
        Change of a (draw, mediator, covariate), c (draw, covariate) and b (draw, mediator, covariate) with the covariates;
        None where nothing moderates.
    sigma_m_reference
        Residual covariance of the mediators in the reference, where it differs between arms.
    zeros
        Excess zeros of a count, whose ``response`` then takes their log odds as well.
    """

    alpha_m: np.ndarray
    a: np.ndarray
    gamma_m: np.ndarray
    sigma_m: np.ndarray
    nu_m: np.ndarray
    alpha_y: np.ndarray
    c: np.ndarray
    b: np.ndarray
    theta: np.ndarray
    gamma_y: np.ndarray
    cov_ab: np.ndarray
    family_mediator: str
    family_outcome: str
    response: Response
    a_x: np.ndarray | None = None
    c_x: np.ndarray | None = None
    b_x: np.ndarray | None = None
    zeros: Zeros | None = None
    sigma_m_reference: np.ndarray | None = None

    @property
    def moderated(self) -> bool:
        """Whether effects depend on covariates, so that mean covariates are not enough."""
        return self.a_x is not None or self.b_x is not None

    @property
    def linear(self) -> bool:
        """Whether mean outcomes are linear in the mediators' means, so that mean covariates are enough."""
        return self.family_mediator not in BINARY and self.response.linear


def potential_outcome(
    k: Coefficients, X: np.ndarray, weight: np.ndarray, *, t: float, t_m: float | np.ndarray, independent: bool = False
) -> np.ndarray:
    """E[Y(t, M(t_m))] of every draw.

    Parameters
    ----------
    k
        Coefficients.
    X, weight
        Covariate profiles (profile, covariate) and the share of people who have each.
    t, t_m
        Treatment of the outcome, and of the mediators: a number, or one for each mediator.
    independent
        Draw each mediator from its own distribution, independently of the others (interventional effects).
    """
    level = np.broadcast_to(np.asarray(t_m, float), k.a.shape[1:])
    gamma_m = k.gamma_m if k.a_x is None else k.gamma_m + k.a_x * level[:, None]
    gamma_y = k.gamma_y if k.c_x is None else k.gamma_y + k.c_x * t
    slope = (k.b + k.theta * t)[:, None]
    sigma_m = k.sigma_m if k.sigma_m_reference is None or level[0] == 1 else k.sigma_m_reference
    total = np.zeros(len(k.c))
    for rows in _chunks(len(X), len(k.c) * (1 if k.linear else len(LEGENDRE[0]))):
        location = (k.alpha_m + k.a * level)[:, None] + np.einsum("np,sqp->snq", X[rows], gamma_m)
        base = (k.alpha_y + k.c * t)[:, None] + gamma_y @ X[rows].T
        b = slope if k.b_x is None else slope + np.einsum("np,sqp->snq", X[rows], k.b_x)
        if k.zeros is not None:
            mean = _with_zeros(
                k, k.zeros, (base, b[:, :, 0]), (location[:, :, 0], sigma_m[:, 0, 0]), k.zeros.at(X[rows], t)
            )
        elif k.family_mediator in BINARY:
            chance = probability(k.family_mediator, location[:, :, 0])
            step = base + b[:, :, 0]
            mean = (1 - chance) * k.response.at(base) + chance * k.response.at(step)
        elif not k.linear:
            spread = sigma_m * np.eye(k.a.shape[1]) if independent else sigma_m
            variance = np.einsum("snq,sqr,snr->sn", b, spread, b)
            centre = base + (location * b).sum(2)
            mean = _averaged(k, centre, variance)
        else:
            mean = base + (location * b).sum(2) + (k.cov_ab * level).sum(1)[:, None]
        total += mean @ weight[rows]
    return total


def controlled_outcome(k: Coefficients, X: np.ndarray, weight: np.ndarray, *, t: float, m: np.ndarray) -> np.ndarray:
    """E[Y(t, m)] of every draw, the mediators set to ``m``."""
    fixed = k.alpha_y + k.c * t + (k.b + k.theta * t) @ m
    gamma_y = k.gamma_y if k.c_x is None else k.gamma_y + k.c_x * t
    gamma_y = gamma_y if k.b_x is None else gamma_y + np.einsum("q,sqp->sp", m, k.b_x)
    total = np.zeros(len(k.c))
    for rows in _chunks(len(X), len(k.c)):
        zero = () if k.zeros is None else (k.zeros.at(X[rows], t) + (k.zeros.b @ m)[:, None],)
        total += k.response.at(fixed[:, None] + gamma_y @ X[rows].T, *zero) @ weight[rows]
    return total


def _with_zeros(
    k: Coefficients, zeros: Zeros, eta: tuple[np.ndarray, np.ndarray], of_m: tuple[np.ndarray, np.ndarray], zero: np.ndarray
) -> np.ndarray:  # fmt: skip
    """Mean response over one mediator, on which both the count and its excess zeros depend."""
    (base, slope), (location, variance) = eta, of_m
    if k.family_mediator in BINARY:
        chance = probability(k.family_mediator, location)
        points = [(0.0 * location, 1 - chance), (0.0 * location + 1, chance)]
    else:
        spread = np.sqrt(2 * variance)[:, None]
        points = [(location + spread * x, w / np.sqrt(np.pi)) for x, w in zip(*HERMITE, strict=True)]
    return np.asarray(sum(w * k.response.at(base + slope * m, zero + zeros.b[:, [0]] * m) for m, w in points))


def _averaged(k: Coefficients, centre: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Mean response over Gaussian mediators, or over a single Student-t one."""
    if k.family_mediator != "student_t":
        return k.response.averaged(centre, variance)
    quantile = 0.5 * (LEGENDRE[0] + 1)
    step = stats.t.ppf(quantile, k.nu_m[:, None]) * np.sqrt(variance)
    return np.asarray(sum(w * k.response.at(centre + step[:, [i]]) for i, w in enumerate(0.5 * LEGENDRE[1])))


def _chunks(rows: int, width: int) -> list[slice]:
    size = max(1, CELLS // max(width, 1))
    return [slice(start, start + size) for start in range(0, rows, size)]
