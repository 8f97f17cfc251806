r"""Rows of one person: what they share is integrated out.

A person's n rows have Gaussian residuals :math:`r_{iq} = u_q + e_{iq}` in equations q, and a belief
:math:`\Pr(B_i = 1) = \Phi(\eta_i + u_B)`, with :math:`(u_B, u) \sim N(0, G)`. With :math:`\bar r` the person's mean residuals,

.. math::
    \bar r \sim N(0, A), \quad A = G_{uu} + \mathrm{diag}(\sigma^2) / n, \qquad
    u_B \mid \bar r \sim N(G_{Bu} A^{-1} \bar r,\; G_{BB} - G_{Bu} A^{-1} G_{uB})

and the beliefs are averaged over that last normal by Gauss-Hermite quadrature.
"""

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

NODES = 15
"""For 847 rows of 239 people the log density errs by 0.001 where people's beliefs vary with SD 1, by 0.1 with SD 1.8."""


def shared_person_density(
    residuals: Sequence[TensorVariable],
    sds: Sequence[TensorVariable],
    eta: TensorVariable,
    belief: TensorVariable,
    *,
    G: TensorVariable,
    person: np.ndarray,
) -> TensorVariable:
    """Log density of everybody's rows.

    Parameters
    ----------
    residuals, sds
        Per Gaussian equation: residuals (row,) without the person effect, and their SD.
    eta
        Probit predictor of belief (row,) without the person effect.
    belief
        0 or 1, (row,).
    G
        Covariance of person effects, belief first.
    person
        Index of each row's person.
    """
    n = np.bincount(person)
    people, equations = len(n), len(residuals)
    means = [pt.zeros(people)[person].inc(r) / n for r in residuals]
    within = sum(
        -0.5 * pt.sum((r - mean[person]) ** 2) / sd**2 - (len(person) - people) * (pt.log(sd) + 0.5 * np.log(2 * np.pi))
        for r, mean, sd in zip(residuals, means, sds, strict=True)
    )
    mean = pt.stack(means, axis=1)
    A = G[1:, 1:] + pt.diag(pt.stack(list(sds)) ** 2) / n[:, None, None]
    inverse = pt.linalg.inv(A)
    pulled = pt.matmul(inverse, mean[:, :, None])[:, :, 0]
    log_det = 2 * pt.sum(pt.log(pt.diagonal(pt.linalg.cholesky(A), axis1=1, axis2=2)), axis=1)
    between = -0.5 * pt.sum(pt.sum(mean * pulled, axis=1) + log_det + equations * np.log(2 * np.pi * n))
    centre = pt.dot(pulled, G[1:, 0])
    spread = pt.sqrt(G[0, 0] - pt.sum(pt.dot(inverse, G[1:, 0]) * G[1:, 0], axis=1))
    x, weight = np.polynomial.hermite_e.hermegauss(NODES)
    u = centre[:, None] + spread[:, None] * x
    sign = 1 - 2 * belief
    rows = pt.log(0.5 * pt.erfc((sign * eta)[:, None] / np.sqrt(2) + (sign / np.sqrt(2))[:, None] * u[person]))
    by_person = pt.zeros((people, NODES))[person].inc(rows)
    beliefs = pt.sum(pt.logsumexp(by_person + np.log(weight / weight.sum()), axis=1))
    return within + between + beliefs
