r"""Times to an event that may not have been seen when follow-up ended.

With d = 1 where the event was seen at time t, and 0 where the person was last seen then without it,

.. math::
    \log p = d \log h(t) + \log S(t)

of a Weibull time of shape k and scale :math:`e^\eta` (accelerated failure time: effects multiply time; exponential where k is 1),
and of periods :math:`v = 1 \dots t` with hazards :math:`h_v = F(f_v + \eta)`, F the logistic or the complementary log-log,

.. math::
    \log p = \sum_{v < t} \log(1 - h_v) + d \log h_t + (1 - d) \log(1 - h_t)
"""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.choices import CONTINUOUS_TIMES


def times(
    family: str, eta: TensorVariable, shape: TensorVariable, event: np.ndarray | TensorVariable | None
) -> TensorVariable:
    """Unnamed distribution of times with linear predictor ``eta``, of the log time (Weibull) or of the hazard.

    ``shape`` is the Weibull shape, or the periods' own terms (period,).
    """
    logp, dist = {
        "weibull": (weibull, draw_weibull), "exponential": (weibull, draw_weibull), "hazard_logit": (hazard_logit, draw_logit),
        "hazard_cloglog": (hazard_cloglog, draw_cloglog),
    }[family]  # fmt: skip
    signature = "(),(),()->()" if family in CONTINUOUS_TIMES else "(),(v),()->()"
    return pm.CustomDist.dist(eta, shape, event, logp=logp, dist=dist, signature=signature, class_name=family)


def weibull(value: TensorVariable, eta: TensorVariable, k: TensorVariable, event: TensorVariable) -> TensorVariable:
    """Log density of times that were seen, log survival of others."""
    z = k * (pt.log(value) - eta)
    return event * (pt.log(k) + z - pt.log(value)) - pt.exp(z)


def hazard_logit(
    value: TensorVariable, eta: TensorVariable, f: TensorVariable, event: TensorVariable
) -> TensorVariable:
    """Log density of the period of an event, or of having passed it, with logistic hazards."""
    u = eta[:, None] + f.ravel()
    return _over_periods(value, -pt.softplus(-u), -pt.softplus(u), event)


def hazard_cloglog(
    value: TensorVariable, eta: TensorVariable, f: TensorVariable, event: TensorVariable
) -> TensorVariable:
    """The same with complementary log-log hazards: proportional hazards in continuous time, seen by period."""
    rate = pt.exp(eta[:, None] + f.ravel())
    return _over_periods(value, pt.log1mexp(-rate), -rate, event)


def _over_periods(
    value: TensorVariable, happened: TensorVariable, passed: TensorVariable, event: TensorVariable
) -> TensorVariable:
    """Sum the log chances of each period up to ``value``."""
    period = 1 + pt.arange(happened.shape[1])
    before, last = period < value[:, None], pt.eq(period, value[:, None])
    own = pt.switch(pt.eq(event, 1)[:, None], happened, passed)
    return pt.sum(pt.switch(before, passed, 0.0) + pt.switch(last, own, 0.0), axis=1)


def draw_weibull(eta: TensorVariable, k: TensorVariable, event: TensorVariable, size: TensorVariable) -> TensorVariable:
    """Draw times that nothing ends early."""
    return pm.Weibull.dist(alpha=k, beta=pt.exp(eta), size=size)


def draw_logit(eta: TensorVariable, f: TensorVariable, event: TensorVariable, size: TensorVariable) -> TensorVariable:
    """Draw the period of an event, the last one where none comes."""
    return _first(pt.sigmoid(eta[:, None] + f.ravel()))


def draw_cloglog(eta: TensorVariable, f: TensorVariable, event: TensorVariable, size: TensorVariable) -> TensorVariable:
    """Draw the period of an event, the last one where none comes."""
    return _first(1 - pt.exp(-pt.exp(eta[:, None] + f.ravel())))


def _first(hazard: TensorVariable) -> TensorVariable:
    hit = pm.Uniform.dist(0, 1, size=hazard.shape) < hazard
    return pt.switch(pt.any(hit, axis=-1), pt.argmax(hit, axis=-1) + 1, hazard.shape[-1])
