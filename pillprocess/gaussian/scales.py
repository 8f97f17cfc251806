r"""Priors of scales, each with the coordinate in which it is integrated.

A scale ``tau >= 0`` is written as a function of a coordinate x in which the integrand is smooth and falls off at both
ends.

=============== ======================================= ======================
prior           tau                                     x
=============== ======================================= ======================
halfnormal      unit sinh(x)                            x >= 0, mirrored at 0
halfcauchy      unit sinh(x)                            x >= 0, mirrored at 0
uniform(0, b)   b tanh(unit / b sinh(x))                x >= 0, mirrored at 0
uniform(a, b)   (a + b) / 2 + w tanh(unit / w sinh(x))  the whole line
invgamma        sqrt(b / a) exp(x), prior on tau^2      the whole line
invgamma_sd     b / a exp(x), prior on tau              the whole line
=============== ======================================= ======================

with w = (b - a) / 2. A likelihood depends on tau^2 only, so a mirrored integrand is even and smooth through 0: a
posterior piled up at tau = 0 costs no accuracy.
"""

from dataclasses import dataclass
from math import lgamma, log, pi

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]

FAMILIES = ("halfnormal", "halfcauchy", "uniform", "invgamma", "invgamma_sd")


@dataclass(frozen=True)
class ScalePrior:
    """The prior of one scale: its family, its numbers, and the unit of its coordinate x."""

    family: str
    a: float
    b: float
    unit: float

    @property
    def mirrored(self) -> bool:
        """Whether x starts at 0 and is mirrored there."""
        return self.family in ("halfnormal", "halfcauchy") or (self.family == "uniform" and self.a == 0)

    def at(self, x: Array) -> tuple[Array, Array]:
        """Return tau at x and the log prior density of x."""
        a, b = self.a, self.b
        match self.family:
            case "halfnormal":
                tau = self.unit * np.sinh(x)
                return tau, 0.5 * log(2 / pi) - log(a) - 0.5 * (tau / a) ** 2 + np.log(self.unit * np.cosh(x))
            case "halfcauchy":
                tau = self.unit * np.sinh(x)
                return tau, log(2 / (pi * a)) - np.log1p((tau / a) ** 2) + np.log(self.unit * np.cosh(x))
            case "uniform":
                width = b if self.mirrored else (b - a) / 2
                inner = self.unit / width * np.sinh(x)
                log_slope = np.log(self.unit * np.cosh(x)) - 2 * (np.logaddexp(inner, -inner) - log(2))
                return b + width * (np.tanh(inner) - 1), log_slope - log(b - a)
            case _:
                power = 2 if self.family == "invgamma" else 1
                value = b / a * np.exp(power * x)
                log_prior = a * log(b) - lgamma(a) - (a + 1) * np.log(value) - b / value
                return value ** (1 / power), log_prior + np.log(power * value)
