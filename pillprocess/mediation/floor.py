r"""A mediator whose residual SD differs between arms, and one whose scale has a floor on which people sit.

A score at the floor f stands for an experience :math:`M^*` at f or anywhere below it, and the outcome follows :math:`M^*`. Of such a
person, with :math:`\mu` the mean of :math:`M^*`, s its residual SD, :math:`\beta` the outcome's slope and :math:`y^0` its mean at 0,

.. math::
    p(y, M^* \le f) = N(y;\, y^0 + \beta\mu,\ \sigma_y^2 + \beta^2 s^2)\; \Phi\!\left(\frac{f - E[M^* \mid y]}{SD[M^* \mid y]}\right)

so that effects are those of the experience, not of the score. Where the score itself is what acts, no floor is to be named.
"""

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.dist_math import normal_lcdf
from pytensor.tensor import TensorVariable

HALF_LOG = 0.5 * np.log(2 * np.pi)


def on_the_floor(
    floor: float, mu: TensorVariable, s: TensorVariable, y: np.ndarray, at_zero: TensorVariable, slope: TensorVariable,
    sigma: TensorVariable,
) -> TensorVariable:  # fmt: skip
    """Log density of the outcomes, and of mediators at or below the floor, of people who sit on it.

    Parameters
    ----------
    floor
        In SD units.
    mu, s
        Mean and residual SD of each person's mediator.
    y
        Outcomes; NaN where none was observed.
    at_zero, slope, sigma
        Mean outcome of each person at a mediator of 0, its slope on the mediator, and its residual SD.
    """
    seen = np.isfinite(y)
    alone = normal_lcdf(mu, s, floor)
    spread = pt.sqrt(sigma**2 + (slope * s) ** 2)
    z = (np.where(seen, y, 0.0) - at_zero - slope * mu) / spread
    given = mu + slope * s**2 / spread * z
    together = -0.5 * z**2 - pt.log(spread) - HALF_LOG + normal_lcdf(given, s * sigma / spread, floor)
    return pt.sum(pt.switch(seen, together, alone))
