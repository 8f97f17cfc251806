r"""The posterior of drug effects under one model of bias, by quadrature alone.

For contrast i of drug d in trial j:

.. math::

    y_i &= \delta_d\, dose_i + u_j\, dose_i - b\, x_i + e_i, \quad u_j \sim N(0, \tau^2), \quad e \sim N(0, V) \\
    \delta_d &\sim N(\delta, \tau_{drug}^2), \quad \delta \sim N(0, s^2), \quad \tau, \tau_{drug} \sim N^+(0, t^2)

with x the standard error (PET), its square (PEESE) or nothing; or, in place of b, the weight with which trials are printed
(:mod:`pillprocess.bias.significance`). Given tau, one bias parameter and :math:`\delta_d` the trials of the drugs are independent:
the likelihood of each drug is tabulated on a grid of its effect, the drugs meet in :math:`(\delta, \tau_{drug})`, and all else
is sums over nodes, so that the marginal likelihood comes with the posterior. A trial that gives two drugs counts as two; the
error that the two share through its control is not used.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, logsumexp, ndtri

type Array = NDArray[np.float64]

DRUG_TAUS = 12
REACH = 18.0
"""How far below the highest log density a node still counts."""


@dataclass(frozen=True)
class Nodes:
    """Values of a parameter, and the log of (prior density x width) at each."""

    value: Array
    log_weight: Array


@dataclass(frozen=True)
class Posterior:
    """One model's posterior.

    Attributes
    ----------
    log_marginal_likelihood : float
    effect : array (effect,)
        Grid of drug effects.
    probability : array (drug, effect)
        Posterior probability of each grid value.
    tau, bias : float
        Posterior means.
    """

    log_marginal_likelihood: float
    effect: Array
    probability: Array
    tau: float
    bias: float


type Tabulate = Callable[[Array, Array], list[Array]]
"""From values of tau and of the bias parameter to the log likelihood (effect, tau, bias) of every drug."""


def fixed(value: float) -> Callable[[float, float, int], Nodes]:
    """A parameter that is known."""
    return lambda low, high, count: Nodes(np.array([value]), np.zeros(1))


def prior_nodes(quantile: Callable[[Array], Array]) -> Callable[[float, float, int], Nodes]:
    """Gauss-Legendre nodes of a parameter between two of its prior probabilities."""

    def nodes(low: float, high: float, count: int) -> Nodes:
        node, weight = np.polynomial.legendre.leggauss(count)
        return Nodes(quantile(low + 0.5 * (high - low) * (node + 1)), np.log(0.5 * (high - low) * weight))

    return nodes


def half_normal(sd: float) -> Callable[[float, float, int], Nodes]:
    """Nodes of a half-normal parameter."""
    return prior_nodes(lambda u: sd * ndtri(0.5 + 0.5 * u))


def half_cauchy(scale: float) -> Callable[[float, float, int], Nodes]:
    """Nodes of a half-Cauchy parameter."""
    return prior_nodes(lambda u: scale * np.tan(0.5 * np.pi * u))


def symmetric_beta(concentration: float) -> Callable[[float, float, int], Nodes]:
    """Nodes of a parameter between 0 and 1 with the prior Beta(concentration, concentration)."""
    return prior_nodes(lambda u: betaincinv(concentration, concentration, u))


def posterior(
    tabulate: Tabulate,
    effect: Array,
    *,
    tau: Callable[[float, float, int], Nodes],
    bias: Callable[[float, float, int], Nodes],
    prior_effect_sd: float,
    prior_tau_sd: float,
) -> Posterior:
    """Integrate one model: first over all of its prior, coarsely, then where the posterior is.

    Parameters
    ----------
    tabulate
        Likelihood of every drug.
    effect : array (effect,)
        Grid of drug effects; the one value 0 where the model has no effect.
    tau, bias
        Nodes of the two parameters.
    prior_effect_sd, prior_tau_sd
        SD of the common effect, and of the half-normal prior of the SD between drugs.
    """
    span = {"tau": (0.0, 1.0), "bias": (0.0, 1.0)}
    for count, drug_taus in ((14, 4), (16, DRUG_TAUS)):
        taus, biases = tau(*span["tau"], count), bias(*span["bias"], count)
        tables = [table.reshape(len(effect), -1) for table in tabulate(taus.value, biases.value)]
        log_node = (taus.log_weight[:, None] + biases.log_weight).ravel()
        log_total, probability, log_joint = _join_drugs(
            tables, log_node, effect, prior_effect_sd, prior_tau_sd, drug_taus
        )
        joint = log_joint.reshape(len(taus.value), len(biases.value))
        span = {"tau": _support(joint.max(axis=1), span["tau"]), "bias": _support(joint.max(axis=0), span["bias"])}
    weight = np.exp(joint - log_total)
    return Posterior(
        log_total, effect, probability,
        tau=float((weight.sum(axis=1) * taus.value).sum()), bias=float((weight.sum(axis=0) * biases.value).sum()),
    )  # fmt: skip


def _support(log_density: Array, span: tuple[float, float]) -> tuple[float, float]:
    """The part of a span of prior probability that holds the posterior, one node wider than what the nodes show."""
    if len(log_density) == 1:
        return span
    edges = np.concatenate([[0.0], 0.5 * (np.polynomial.legendre.leggauss(len(log_density))[0] + 1), [1.0]])
    seen = np.flatnonzero(log_density > log_density.max() - REACH) + 1
    low, high = edges[seen[0] - 1], edges[seen[-1] + 1]
    return span[0] + low * (span[1] - span[0]), span[0] + high * (span[1] - span[0])


def _join_drugs(
    tables: list[Array], log_node: Array, effect: Array, prior_effect_sd: float, prior_tau_sd: float, drug_taus: int
) -> tuple[float, Array, Array]:
    """Log marginal likelihood, posterior (drug, effect) and log joint density (node,) of the drugs together."""
    if len(effect) == 1:
        log_joint = sum((table[0] for table in tables), log_node)
        return float(logsumexp(log_joint)), np.ones((len(tables), 1)), log_joint
    bound = log_node + sum(table.max(axis=0) for table in tables)
    kept = bound > bound.max() - 2 * REACH
    tops = [table[:, kept].max(axis=0) for table in tables]
    likelihood = [np.exp(table[:, kept] - top) for table, top in zip(tables, tops, strict=True)]
    log_rest = log_node[kept] + sum(tops)
    log_prior = -0.5 * (effect / prior_effect_sd) ** 2
    log_prior -= np.log(prior_effect_sd * np.sqrt(2 * np.pi)) - np.log(effect[1] - effect[0])
    if len(tables) == 1:
        dense = likelihood[0] * np.exp(log_prior)[:, None]
        log_kept = log_rest + np.log(dense.sum(axis=0))
        total = float(logsumexp(log_kept))
        probability = (dense * np.exp(log_rest - total)).sum(axis=1)[None, :]
    else:
        kernel = _between_drugs(effect, prior_tau_sd, drug_taus)
        common = np.tile(log_prior, drug_taus) - np.log(drug_taus)
        smoothed = [np.log(kernel @ one + 1e-300) for one in likelihood]
        log_cell = sum(smoothed) + common[:, None] + log_rest
        log_kept = logsumexp(log_cell, axis=0)
        total = float(logsumexp(log_kept))
        probability = np.stack(
            [
                (one * (kernel.T @ np.exp(log_cell - total - smooth))).sum(axis=1)
                for one, smooth in zip(likelihood, smoothed, strict=True)
            ]
        )
    log_joint = np.full(len(log_node), -np.inf)
    log_joint[kept] = log_kept
    return total, probability / probability.sum(axis=1, keepdims=True), log_joint


def _between_drugs(effect: Array, prior_tau_sd: float, count: int) -> Array:
    """Distribution (tau_drug x common effect, drug effect) of a drug's effect, at quantiles of the prior of tau_drug."""
    tau = prior_tau_sd * ndtri(0.5 + 0.5 * (np.arange(count) + 0.5) / count)
    z = (effect[:, None] - effect) / tau[:, None, None]
    density = np.exp(-0.5 * z**2)
    return (density / density.sum(axis=2, keepdims=True)).reshape(-1, len(effect))
