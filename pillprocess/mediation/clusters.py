r"""Clusters of participants (therapists, sites): which coefficients differ between them, and by how much.

.. math::
    \theta_i = \theta + \sum_f u_{f, cluster_f(i)}, \qquad u_{f} \sim N(0, \Omega_f), \qquad \theta = (\alpha_m, a, \alpha_y, c, b)

The intercepts of mediator and outcome always differ; paths a, b and c where ``vary`` says so. Where a and b differ, the mean
indirect effect is :math:`E[a]E[b] + cov(a, b)` (Bauer, Preacher & Gil 2006, doi:10.1037/1082-989X.11.2.142).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.random_effects import correlation_cholesky
from pillprocess.participants.table import Participants

Correlations = Literal["all", "equation", "none"]

CORRELATED_FROM = 4
"""Clusters below which the correlations of their effects are fixed at 0."""


@dataclass(frozen=True)
class Clusters:
    """One kind of cluster.

    Attributes
    ----------
    name, labels
        Column, and its labels.
    index
        Cluster of every participant; ``len(labels)`` where there is none.
    varying
        Places, in the vector of all effects, of those that differ between clusters.
    """

    name: str
    labels: list[str]
    index: np.ndarray
    varying: np.ndarray

    @property
    def key(self) -> str:
        """The name as part of a variable's."""
        return variable_part(self.name)


def variable_part(name: str) -> str:
    """The name of a kind of cluster as part of a variable's."""
    return re.sub(r"\W", "_", name)


def mediator_level(people: Participants, mediators: Sequence[str]) -> str | None:
    """The kind of cluster at which a single mediator was measured: the largest in which it never varies; None for people."""
    constant = [
        name for name, label in people.clusters.items()
        if len(mediators) == 1 and label.notna().all() and label.duplicated().any()
        and (people.mediators[mediators[0]].groupby(label).nunique() <= 1).all()
    ]  # fmt: skip
    return min(map(str, constant), key=lambda name: people.clusters[name].nunique(), default=None)


def read_clusters_of(
    people: Participants, mediators: Sequence[str], vary: Mapping[str, Sequence[str]]
) -> list[Clusters]:
    """Index every participant's cluster of each kind, and list the effects that differ."""
    Q, K = len(mediators), people.treatment.shape[1]
    kinds = np.repeat(["alpha_m", "a", "alpha_y", "c", "b"], [Q, Q * K, 1, K, Q])
    level = mediator_level(people, mediators)
    found = []
    for name, label in people.clusters.items():
        code, labels = pd.factorize(label)
        measured_above = level is not None and (people.mediators[mediators[0]].groupby(label).nunique() <= 1).all()
        own = {"alpha_y", *vary[str(name)]} | (set() if measured_above else {"alpha_m"})
        index = np.where(code < 0, len(labels), code)
        found.append(Clusters(str(name), [str(v) for v in labels], index, np.flatnonzero(np.isin(kinds, list(own)))))
    return found


def cluster_factor(
    c: Clusters, *, labels: Sequence[str], scale: np.ndarray, eta: float, correlations: Correlations
) -> tuple[TensorVariable, TensorVariable, TensorVariable]:
    """SDs (varying,), loadings (effect, varying) and standard normal draws (cluster, varying) of one kind of cluster.

    Records ``correlation_KEY`` where correlations are estimated.
    """
    model = pm.modelcontext(None)
    own = [labels[i] for i in c.varying]
    model.add_coords({f"cluster_{c.key}": c.labels, f"effect_{c.key}": own})
    tau = pm.HalfNormal(f"tau_{c.key}_raw", scale[c.varying], dims=f"effect_{c.key}")
    size = len(own)
    corr: TensorVariable = pt.eye(size)
    parts = [list(range(size))]
    if correlations == "equation":
        of_mediator = [i for i, name in enumerate(own) if name.startswith(("alpha_m", "a["))]
        parts = [of_mediator, [i for i in range(size) if i not in of_mediator]]
    if correlations != "none" and len(c.labels) >= CORRELATED_FROM:
        for number, part in enumerate(p for p in parts if len(p) > 1):
            suffix = f"_{number}" if correlations == "equation" else ""
            cholesky = correlation_cholesky(
                f"correlation_{c.key}{suffix}",
                labels=[own[i] for i in part],
                eta=eta,
                dim=f"effect_pair_{c.key}{suffix}",
            )
            corr = corr[np.ix_(part, part)].set(cholesky)
    factor = pt.zeros((len(labels), size))[c.varying].set(tau[:, None] * corr)
    return tau, factor, pm.Normal(f"u_{c.key}_raw", 0, 1, dims=(f"cluster_{c.key}", f"effect_{c.key}"))


def combine(index: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Distinct combinations of trial and clusters (group, grouping), and the group of every participant."""
    groups, which = np.unique(np.column_stack(index), axis=0, return_inverse=True)
    return groups, which.ravel()
