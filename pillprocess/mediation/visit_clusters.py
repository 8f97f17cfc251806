r"""Clusters of people seen at several visits: therapists and sites that differ in the level of the mediators and of the outcome.

For participant i in cluster j of each kind, the intercepts of :mod:`pillprocess.mediation.repeated` are

.. math::
    \alpha_m + \tau_m l_{j}, \qquad \alpha_v + \tau_y (k' l_j + \sqrt{1 - k'k}\, e_{jv}), \qquad \mathrm{corr}(e_{ju}, e_{jv}) = r

with :math:`l_j` standard normal (several mediators: correlated), k the correlations of the mediators' levels with the outcome's, and r
``prior_visit_correlation``: a cluster good at one visit tends to be good at all, yet may grow better. Whatever a cluster shares
by mediator and outcome stays in k and does not enter b. Below 4 clusters k is 0.

A cluster's level is the coefficient of its indicator. So kinds may be nested, crossed or lacking in some arms, and people still enter as
cross-products, whose size grows with the clusters and not with the people.
"""

from collections.abc import Sequence

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.clusters import CORRELATED_FROM, Clusters, mediator_level, read_clusters_of
from pillprocess.mediation.stacked import small_product
from pillprocess.mediation.visit_correlations import lkj_cholesky
from pillprocess.participants.checked import Participants


def visit_clusters(people: Participants) -> list[Clusters]:
    """Every kind of cluster, with each participant's; none varies in its effects."""
    mediators = [str(m) for m in people.mediators.columns]
    return read_clusters_of(people, mediators, {str(name): () for name in people.clusters.columns})


def cluster_problems(people: Participants) -> list[str]:
    """A mediator that was measured on clusters, which has no room here."""
    level = mediator_level(people, [str(m) for m in people.mediators.columns])
    if level is None:
        return []
    return [
        f"mediator {people.mediators.columns[0]!r} is the same for everybody of one {level!r}: a mediator of clusters is not part of the "
        f"model of several visits; fit one visit with mediation(...), or leave {level!r} out of clusters="
    ]


def indicators(clusters: Sequence[Clusters], people: int) -> np.ndarray:
    """Whether each participant is in each cluster of every kind, (participant, cluster)."""
    each = [c.index[:, None] == np.arange(len(c.labels)) for c in clusters]
    return np.hstack([np.zeros((people, 0)), *each]).astype(float)


def cluster_levels(
    c: Clusters, mediators: Sequence[str], visits: Sequence[str], *, over_visits: np.ndarray, prior_tau_sd: float, eta: float,
    m_sd: np.ndarray, y_sd: float,
) -> TensorVariable:  # fmt: skip
    """Levels of the clusters of one kind in SD units, (cluster, mediators and visits); recorded in the units of the data.

    Parameters
    ----------
    c
        From `visit_clusters`.
    mediators, visits
        Their names.
    over_visits
        Cholesky factor of the correlation of a cluster's own deviations at the visits.
    prior_tau_sd, eta
        Half-normal scale of the SDs between clusters, and LKJ concentration of their correlations.
    m_sd, y_sd
        Units of the data per SD unit.
    """
    model, Q = pm.modelcontext(None), len(mediators)
    effects = [*(f"alpha_m[{m}]" for m in mediators), "alpha_y"]
    values = [*effects[:Q], *(f"alpha_y[{v}]" for v in visits)]
    model.add_coords({f"cluster_{c.key}": c.labels, f"effect_{c.key}": effects, f"level_{c.key}": values})
    tau = pm.HalfNormal(f"tau_{c.key}_raw", prior_tau_sd, dims=f"effect_{c.key}")
    factor: TensorVariable = pt.eye(Q + 1)
    if len(c.labels) >= CORRELATED_FROM:
        factor = lkj_cholesky(f"correlation_{c.key}", labels=effects, eta=eta, dim=f"effect_pair_{c.key}")
    u = pm.Normal(f"u_{c.key}_raw", 0, 1, dims=(f"cluster_{c.key}", f"level_{c.key}"))
    of_outcome = np.repeat(
        np.arange(Q + 1), [*np.ones(Q, int), len(visits)]
    )  # row of the factor for mediators and visits
    loading = factor[of_outcome]
    own = np.zeros((Q + len(visits), Q + len(visits)))
    own[Q:, Q:] = over_visits
    levels = small_product(u[:, :Q], loading[:, :Q].T) + small_product(u, (loading[:, Q:] * own).T)
    levels = levels * tau[of_outcome]
    pm.Deterministic(f"tau_{c.key}", tau * np.append(m_sd, y_sd), dims=f"effect_{c.key}")
    unit = np.append(m_sd, np.full(len(visits), y_sd))
    pm.Deterministic(f"deviation_{c.key}", levels * unit, dims=(f"cluster_{c.key}", f"level_{c.key}"))
    return levels
