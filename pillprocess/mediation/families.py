"""Families of mediators and outcomes: their likelihood row by row, and the SD that makes their units comparable; see `choices`."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.dist_math import normal_lcdf
from pytensor.tensor import TensorVariable

from pillprocess.mediation.choices import ORDINAL, TIMES, ZERO_INFLATED
from pillprocess.mediation.times import times

LATENT_SD = {
    "probit": 1.0,
    "logit": np.pi / np.sqrt(3),
    "ordinal_probit": 1.0,
    "ordinal_logit": np.pi / np.sqrt(3),
    "hazard_logit": np.pi / np.sqrt(3),
    "hazard_cloglog": np.pi / np.sqrt(6),
}
"""Residual SD on the scale of a binary, ordinal or hazard family's linear predictor."""
TINY = 1e-12
FAR_OFF = 1e3
"""Where the lowest and the highest category end, on the scale of the linear predictor."""


def rows(
    family: str,
    eta: TensorVariable,
    sd: TensorVariable | None,
    shape: TensorVariable | None,
    event: np.ndarray | TensorVariable | None = None,
    zero: TensorVariable | None = None,
) -> TensorVariable:
    """Unnamed distribution of values with linear predictor ``eta``.

    ``shape`` is what a family has beside it: the degrees of freedom, the size of a negative binomial, the thresholds of ordered
    categories, the shape of a Weibull time, the periods of a hazard. ``event`` says whose event was seen, ``zero`` the log odds of an
    excess zero. The probit goes through the log-odds, which stay exact where the probability rounds to 0 or 1.
    """
    if family == "probit":
        z = eta / np.sqrt(2)
        return pm.Bernoulli.dist(logit_p=pt.log(pt.erfc(-z)) - pt.log(pt.erfc(z)))
    if family == "logit":
        return pm.Bernoulli.dist(logit_p=eta)
    if family == "log_binomial":
        return pm.CustomDist.dist(eta, logp=log_binomial, dist=draw_log_binomial, signature="()->()", class_name=family)
    if family in ZERO_INFLATED and zero is not None:
        counted = pt.sigmoid(-zero)
        if family == "zero_inflated_poisson":
            return pm.ZeroInflatedPoisson.dist(psi=counted, mu=pt.exp(eta))
        return pm.ZeroInflatedNegativeBinomial.dist(psi=counted, mu=pt.exp(eta), alpha=shape)
    if family == "poisson":
        return pm.Poisson.dist(mu=pt.exp(eta))
    if family == "negative_binomial":
        return pm.NegativeBinomial.dist(mu=pt.exp(eta), alpha=shape)
    if family == "student_t":
        return pm.StudentT.dist(nu=shape, mu=eta, sigma=sd)
    if family in ORDINAL:
        ends = pt.concatenate([[-FAR_OFF], shape, [FAR_OFF]])
        logp, dist = (ordinal_probit, cut_normal) if family == "ordinal_probit" else (ordinal_logit, cut_logistic)
        return pm.CustomDist.dist(eta, ends, logp=logp, dist=dist, signature="(),(k)->()", class_name=family)
    if family in TIMES:
        return times(family, eta, shape, event)
    return pm.Normal.dist(eta, sd)


def log_binomial(value: TensorVariable, eta: TensorVariable) -> TensorVariable:
    """Log density of 0 or 1 whose chance of 1 is exp(eta), impossible where that is 1 or more."""
    inside = pt.minimum(eta, -TINY)
    return pt.switch(pt.lt(eta, 0), value * inside + (1 - value) * pt.log1mexp(inside), -np.inf)


def draw_log_binomial(eta: TensorVariable, size: TensorVariable) -> TensorVariable:
    """Draw 0 or 1 with a chance of exp(eta)."""
    return pm.Bernoulli.dist(p=pt.exp(pt.minimum(eta, 0.0)), size=size)


def cut_logistic(eta: TensorVariable, ends: TensorVariable, size: TensorVariable) -> TensorVariable:
    """Draw categories: a linear predictor with logistic noise, cut at the thresholds."""
    return pt.sum(pm.Logistic.dist(eta, 1, size=size)[..., None] > ends.ravel()[1:-1], axis=-1)


def cut_normal(eta: TensorVariable, ends: TensorVariable, size: TensorVariable) -> TensorVariable:
    """Draw categories: a linear predictor with standard normal noise, cut at the thresholds."""
    return pt.sum(pm.Normal.dist(eta, 1, size=size)[..., None] > ends.ravel()[1:-1], axis=-1)


def ordinal_logit(value: TensorVariable, eta: TensorVariable, ends: TensorVariable) -> TensorVariable:
    """Log density of categories 0, 1, ... between their ``ends``, exact in the tails: F(u) - F(v) = F(u) F(-v) (1 - exp(v - u))."""
    u, v = _from_ends(value, eta, ends)
    return -pt.softplus(-u) - pt.softplus(v) + pt.log1mexp(v - u)


def ordinal_probit(value: TensorVariable, eta: TensorVariable, ends: TensorVariable) -> TensorVariable:
    """Log density of categories 0, 1, ... between their ``ends``, taken in the tail where the difference is exact."""
    u, v = _from_ends(value, eta, ends)
    upper, lower = pt.switch(u + v > 0, -v, u), pt.switch(u + v > 0, -u, v)
    most = normal_lcdf(0, 1, upper)
    return most + pt.log1mexp(normal_lcdf(0, 1, lower) - most)


def _from_ends(
    value: TensorVariable, eta: TensorVariable, ends: TensorVariable
) -> tuple[TensorVariable, TensorVariable]:
    """How far the linear predictor lies above the lower and the upper end of a category; PyMC adds a dimension to the ends."""
    cuts = ends.ravel()
    return eta - cuts[value], eta - cuts[value + 1]
