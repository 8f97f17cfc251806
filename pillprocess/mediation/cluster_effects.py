"""The effects of clusters in the model: integrated out of the closed form, or added row by row."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.clusters import Clusters, combine
from pillprocess.mediation.recursion import Quadratic, integrated
from pillprocess.mediation.sufficient import Standardised
from pillprocess.mediation.units import add_deviations

type Random = tuple[TensorVariable, TensorVariable, TensorVariable]
"""SDs, loadings and standard normal draws of one kind of cluster, from `cluster_factor`."""


def add_clusters(
    clusters: Sequence[Clusters], random: Sequence[Random], data: Standardised, density: Quadratic | None, effects: TensorVariable,
    mean: TensorVariable, *, given_trial: bool,
) -> tuple[TensorVariable, np.ndarray, Standardised]:  # fmt: skip
    """Add what differs between clusters to the effects.

    Parameters
    ----------
    clusters, random
        Kinds of clusters, and their draws.
    data
        Participants in SD units, by trial.
    density
        Closed form of a single kind of cluster; None row by row.
    effects, mean
        Effects of every trial (trial, effect), and of the mean one.
    given_trial
        Whether effects differ between trials as well.

    Returns
    -------
    Effects (group, effect), the trial and clusters of each group, and the participants by group. In the closed form a group is a
    cluster, and the last one nobody's.
    """
    groups, member = combine([data.trial, *(c.index for c in clusters)])
    if density is not None:
        return _integrated(data, clusters[0], density, mean, *random[0]), groups, replace(data, trial=member)
    effects = effects[groups[:, 0] if given_trial else np.zeros(len(groups), int)]
    for at, (c, (tau, factor, u)) in enumerate(zip(clusters, random, strict=True), start=1):
        deviation = pt.dot(u, factor.T)
        add_deviations(data, c, deviation, tau)
        effects = effects + pt.concatenate([deviation, pt.zeros((1, factor.shape[0]))])[groups[:, at]]
    return effects, groups, replace(data, trial=member)


def _integrated(
    data: Standardised, c: Clusters, density: Quadratic, mean: TensorVariable, tau: TensorVariable, factor: TensorVariable,
    u: TensorVariable,
) -> TensorVariable:  # fmt: skip
    """Integrate the effects of clusters out of the density, and return them, (cluster, effect); the last row is of people in none."""
    count = len(c.labels)
    own = Quadratic(density.H[:count], density.g[:count], density.k[:count])
    marginal, effects = integrated(own, mean, factor, u, effects=len(c.varying))
    pm.Potential("recursion", marginal)
    if (c.index == count).any():
        rest = Quadratic(density.H[count:], density.g[count:], density.k[count:])
        pm.Potential("recursion_alone", rest.at(mean[None]))
    add_deviations(data, c, effects - mean, tau)
    return pt.concatenate([effects, mean[None]])
