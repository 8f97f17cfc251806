r"""How a person's residuals at several visits are correlated: the prior of their correlations.

**Unstructured.** The partial correlation of visits u < v given those before u, of which there are k, is

.. math:: 2\,\mathrm{Beta}(\alpha_k, 2) - 1, \qquad \alpha_k = 2\,\frac{1 + (k + 2) r}{1 + k r}, \qquad \text{mean } \frac{r}{1 + (k + 1) r}

independently, which every correlation matrix has one of (a vine; Lewandowski, Kurowicka & Joe 2009, doi:10.1016/j.jmva.2009.04.008). The
mean is what a person's constant level would leave: where any two of a person's assessments, the baseline among them, correlate r, visits
given the baseline correlate r/(1 + r), given one visit more r/(1 + 2r), and so on. r is .5: in 20 trials with patients' reports baseline
and follow-up correlated .49 on the EPDS, .55 on the CORE and .57 on the BPRS on average (Walters et al. 2019, Table 5,
doi:10.1186/s13063-019-3671-2). So a priori two visits correlate 1/3 given the baseline, between -.43 and .89 with probability .95. At
r = 0 the prior is centred at 0 (Beta(2, 2) each).

Where many have left, this matters: a prior centred at 0 says that the bad visit after which somebody left tells little of the visits
that are missing, and draws a treatment's effect to that in the people who stayed. Where visits of one person
correlate -.3 in truth it errs the other way, by .08 of a posterior SD with 300 people and 68 % gone
(``benchmarks/dropout_covariance.py``).

**AR(1).** :math:`\rho^{|t_u - t_v| / g}` with :math:`\rho \sim \mathrm{Uniform}(0, 1)` and g the mean gap of visits: never below 0.
"""

from collections.abc import Sequence

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.random_effects import pair_labels


def unstructured_cholesky(visits: Sequence[str], person_correlation: float) -> TensorVariable:
    """Cholesky factor of the correlation of visits, whose correlations are recorded as ``correlation_y``.

    Parameters
    ----------
    visits
        Their names in order of time.
    person_correlation
        r above, from 0 to 1.
    """
    before, _ = np.triu_indices(len(visits), 1)
    alpha = 2 * (1 + (before + 2) * person_correlation) / (1 + before * person_correlation)
    return partial_cholesky(
        "correlation_y", labels=visits, alpha=alpha, beta=np.full(len(alpha), 2.0), dim="visit_pair"
    )


def lkj_cholesky(name: str, *, labels: Sequence[str], eta: float, dim: str) -> TensorVariable:
    """Cholesky factor of a correlation matrix with an LKJ(eta) prior, as :func:`random_effects.correlation_cholesky`."""
    before, _ = np.triu_indices(len(labels), 1)
    beta = eta + (len(labels) - 2 - before) / 2
    return partial_cholesky(name, labels=labels, alpha=beta, beta=beta, dim=dim)


def partial_cholesky(
    name: str, *, labels: Sequence[str], alpha: np.ndarray, beta: np.ndarray, dim: str
) -> TensorVariable:
    r"""Cholesky factor of a correlation matrix from independent partial correlations; its correlations are recorded under ``name``.

    That of the pair u < v given those before u, :math:`p_{uv}`, is :math:`2\,\mathrm{Beta}(\alpha, \beta) - 1`, pairs in the order of
    `pair_labels`; :math:`L_{vu} = p_{uv} \sqrt{\prod_{t<u} (1 - p_{tv}^2)}`, with 1 for :math:`p_{vv}`. Both factors are products
    with constant matrices, which compile in a fraction of the time of the same steps one by one.
    """
    size = len(labels)
    pm.modelcontext(None).add_coord(dim, pair_labels(labels))
    first, second = np.triu_indices(size, 1)
    place, earlier = np.zeros((2, size, size, len(first)))
    for pair, (u, v) in enumerate(zip(first, second, strict=True)):
        place[v, u, pair] = 1.0
        earlier[v, u + 1 :, pair] = 0.5
    draws = 2 * pm.Beta(f"{name}_raw", alpha, beta, dims=dim) - 1
    partial = pt.sum(place * draws, axis=2) + np.eye(size)
    cholesky = partial * pt.exp(pt.sum(earlier * pt.log1p(-(draws**2)), axis=2))
    pm.Deterministic(name, (cholesky @ cholesky.T)[first, second], dims=dim)
    return cholesky


def ar1_cholesky(visits: Sequence[str], time: np.ndarray) -> TensorVariable:
    """Cholesky factor of the AR(1) correlation of visits at these times; it is recorded as ``rho`` and ``correlation_y``."""
    pm.modelcontext(None).add_coord("visit_pair", pair_labels(visits))
    rho = pm.Uniform("rho", 0, 1)
    gap = np.diff(time) / np.diff(time).mean()
    kept = rho**gap
    first, second = np.triu_indices(len(visits), 1)
    apart = (time[second] - time[first]) / np.diff(time).mean()
    pm.Deterministic("correlation_y", rho**apart, dims="visit_pair")
    new = pt.concatenate([pt.ones(1), pt.sqrt(1 - kept**2)])
    lower = [
        [pt.prod(kept[j:i]) * new[j] if j <= i else pt.zeros(()) for j in range(len(visits))]
        for i in range(len(visits))
    ]
    return pt.stack([pt.stack(row) for row in lower])
