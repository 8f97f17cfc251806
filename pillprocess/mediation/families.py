"""Families of mediators and outcomes: their likelihood row by row, and the SD that makes their units comparable."""

from typing import Literal, get_args

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

Family = Literal["gaussian", "probit", "logit", "student_t"]

FAMILIES: tuple[str, ...] = get_args(Family)
BINARY = ("probit", "logit")

LATENT_SD = {"probit": 1.0, "logit": np.pi / np.sqrt(3)}
"""Residual SD on the scale of a binary family's linear predictor."""


def check_family(family: str, role: str, values: pd.DataFrame) -> list[str]:
    """Unknown families, and binary families of values that are not 0 or 1."""
    if family not in FAMILIES:
        return [f"family_{role} = {family!r}; it must be one of {', '.join(FAMILIES)}"]
    if family not in BINARY:
        return []
    return [
        f"family_{role} = {family!r} needs 0 or 1 in column {str(name)!r}; it holds {value:g}"
        for name, column in values.items()
        for value in column[column.notna() & ~column.isin([0, 1])].head(1)
    ]


def rows(family: str, eta: TensorVariable, sd: TensorVariable | None, nu: TensorVariable | None) -> TensorVariable:
    """Unnamed distribution of values with linear predictor ``eta``.

    The probit goes through the log-odds, which stay exact where the probability rounds to 0 or 1.
    """
    if family == "probit":
        z = eta / np.sqrt(2)
        return pm.Bernoulli.dist(logit_p=pt.log(pt.erfc(-z)) - pt.log(pt.erfc(z)))
    if family == "logit":
        return pm.Bernoulli.dist(logit_p=eta)
    if family == "student_t":
        return pm.StudentT.dist(nu=nu, mu=eta, sigma=sd)
    return pm.Normal.dist(eta, sd)
