r"""The indirect effect at a given residual correlation of mediator and outcome, draw by draw.

For Gaussian or probit equations the errors are jointly normal, so the coefficients at any :math:`\rho` follow from the
fitted ones without fitting again. With :math:`\sigma_m` the mediator's residual SD (given the other mediators, if any):

* both continuous: the outcome's slope falls by :math:`\kappa = \rho \sigma_y / (\sigma_m\sqrt{1-\rho^2})`;
* probit outcome: with :math:`h = \sqrt{1-\rho^2}`, slope :math:`h b - \rho/\sigma_m`, and the rest of the linear predictor
  :math:`h l(t, x) + (\rho/\sigma_m) E[M \mid t, x]`;
* probit mediator, continuous outcome: the slope falls by :math:`\rho \sigma_y^* \Delta_t`, where :math:`\Delta_t` is the
  mean over people of :math:`\phi/\Phi + \phi/(1-\Phi)` at the mediator's linear predictor; exact without covariates.
"""

import numpy as np
from scipy import special, stats

from pillprocess.mediation.choices import BINARY
from pillprocess.mediation.gcomputation import Coefficients

CONTINUOUS = ("gaussian", "student_t")


def check_families(k: Coefficients, pooled: str) -> None:
    """Say where no closed form is known; ``pooled`` is empty, or over what effects are pooled."""
    if k.sigma_m_reference is not None:
        raise ValueError(
            "no sensitivity analysis is known for a mediator whose SD differs between arms; refit without sd_by_arm"
        )
    pair = (k.family_mediator, k.family_outcome)
    known = pair in {("gaussian", "probit"), ("probit", "gaussian"), ("probit", "student_t")}
    if all(family in CONTINUOUS for family in pair):
        return
    if not known or pooled or k.moderated or k.b.shape[1] > 1:
        where = f" pooled over {pooled}" if pooled else " with moderators" if k.moderated else ""
        several = " among several mediators" if k.b.shape[1] > 1 else ""
        raise ValueError(
            f"no sensitivity analysis is known for a {pair[0]} mediator{several} and a {pair[1]} outcome{where}; refit with "
            "Gaussian families, or in one trial with one mediator and one probit family"
        )


def residual_sd(k: Coefficients, sigma_y: np.ndarray, nu_y: np.ndarray, q: int) -> tuple[np.ndarray, np.ndarray]:
    """Residual SDs (draw,) of mediator q given the others, and of the outcome; 1 where probit."""
    if k.family_mediator in BINARY:
        mediator = np.ones(len(k.c))
    else:
        mediator = 1 / np.sqrt(np.linalg.inv(k.sigma_m)[:, q, q]) * _student_factor(k.nu_m)
    return mediator, sigma_y * _student_factor(nu_y)


def indirect_at(
    k: Coefficients, X: np.ndarray, weight: np.ndarray, *, tnie: np.ndarray, rho: np.ndarray, sd_m: np.ndarray,
    sd_y: np.ndarray, q: int,
) -> np.ndarray:  # fmt: skip
    """Indirect effect of every draw at residual correlation ``rho`` (draw,) of mediator q and the outcome."""
    if k.family_outcome == "probit":
        return _probit_outcome(k, X, weight, rho, sd_m)
    if k.family_mediator == "probit":
        chance, _, step, spread = _probit_moments(k, X, weight)
        sd = sd_y / np.sqrt(1 - rho**2 * spread)
        return np.asarray((k.b[:, 0] + k.theta[:, 0] - rho * sd * step) * chance)
    return np.asarray(tnie - k.a[:, q] * rho * sd_y / (sd_m * np.sqrt(1 - rho**2)))


def tipping_correlation(
    k: Coefficients, X: np.ndarray, weight: np.ndarray, *, tnie: np.ndarray, sd_m: np.ndarray, sd_y: np.ndarray, q: int
) -> np.ndarray:
    """Residual correlation (draw,) at which tnie is 0."""
    slope = k.b[:, 0] + k.theta[:, 0]
    if k.family_mediator == "probit":
        _, _, step, spread = _probit_moments(k, X, weight)
        return np.asarray(slope / np.sqrt((sd_y * step) ** 2 + spread * slope**2))
    if k.family_outcome != "probit":
        slope = tnie / k.a[:, q]
    return np.asarray(slope * sd_m / np.hypot(slope * sd_m, sd_y))


def _student_factor(nu: np.ndarray) -> np.ndarray:
    """SD of a Student-t in units of its scale."""
    return np.sqrt(np.where(np.isinf(nu), 1.0, nu / np.where(np.isinf(nu), 1.0, nu - 2)))


def _probit_outcome(
    k: Coefficients, X: np.ndarray, weight: np.ndarray, rho: np.ndarray, sd_m: np.ndarray
) -> np.ndarray:
    kept, shift = np.sqrt(1 - rho**2), rho / sd_m
    slope = kept * (k.b + k.theta)[:, 0] - shift
    spread = np.sqrt(1 + (slope * sd_m) ** 2 + 2 * rho * slope * sd_m)
    of_x = k.gamma_m[:, 0] @ X.T
    without, given = (k.alpha_m[:, 0] + k.a[:, 0] * t for t in (0, 1))
    fitted = (k.alpha_y + k.c)[:, None] + k.gamma_y @ X.T
    rest = kept[:, None] * fitted + shift[:, None] * (given[:, None] + of_x)
    high, low = (
        special.ndtr((rest + slope[:, None] * (location[:, None] + of_x)) / spread[:, None])
        for location in (given, without)
    )
    return np.asarray((high - low) @ weight)


def _probit_moments(k: Coefficients, X: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, ...]:
    """Effect on the chance of the mediator, and in the active arm its chance, Delta and the selected error's variance."""
    of_x = k.gamma_m[:, 0] @ X.T
    base, eta = (k.alpha_m[:, [0]] + k.a[:, [0]] * t + of_x for t in (0, 1))
    chance, density = special.ndtr(eta), stats.norm.pdf(eta)
    above, below = density / chance, density / special.ndtr(-eta)
    variance = chance * above * (above + eta) + (1 - chance) * below * (below - eta)
    moments = (chance - special.ndtr(base), chance, above + below, variance)
    return tuple(np.asarray(moment @ weight) for moment in moments)
