"""Families of mediators and outcomes: their likelihood row by row, and the SD that makes their units comparable; see `choices`."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

LATENT_SD = {"probit": 1.0, "logit": np.pi / np.sqrt(3)}
"""Residual SD on the scale of a binary family's linear predictor."""


def rows(family: str, eta: TensorVariable, sd: TensorVariable | None, nu: TensorVariable | None) -> TensorVariable:
    """Unnamed distribution of values with linear predictor ``eta``; ``nu`` is the degrees of freedom, or the size of a negative binomial.

    The probit goes through the log-odds, which stay exact where the probability rounds to 0 or 1.
    """
    if family == "probit":
        z = eta / np.sqrt(2)
        return pm.Bernoulli.dist(logit_p=pt.log(pt.erfc(-z)) - pt.log(pt.erfc(z)))
    if family == "logit":
        return pm.Bernoulli.dist(logit_p=eta)
    if family == "negative_binomial":
        return pm.NegativeBinomial.dist(mu=pt.exp(eta), alpha=nu)
    if family == "student_t":
        return pm.StudentT.dist(nu=nu, mu=eta, sigma=sd)
    return pm.Normal.dist(eta, sd)
