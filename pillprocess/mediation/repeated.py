r"""Mediation with the outcome at several visits: a mixed model for repeated measures with mediators.

For participant i with treatment T, covariates X (the baseline first) and mediators M, measured once before the first visit,

.. math::
    M_i &= \alpha_m + a T_i + \gamma_m X_i + \epsilon_i, \qquad \epsilon \sim N(0, \Sigma_m) \\
    Y_{iv} &= \alpha_v + c_v T_i + b_v' M_i + T_i \theta_v' M_i + \gamma_v X_i + e_{iv}, \qquad e_i \sim N(0, \Sigma_y)

:math:`\Sigma_y` over visits is unstructured, or :math:`\sigma_u \sigma_v \rho^{|t_u - t_v| / g}` with g the mean gap of visits
("ar1"). Whoever has a mediator or any visit contributes: what is missing is integrated out exactly, which is right where it is
missing at random given treatment, covariates, mediators and the visits that were seen (a person may leave because of a bad
earlier visit). The coefficients of one kind have a normal prior at every visit, correlated over visits; the prior of the residual
correlations is in :mod:`pillprocess.mediation.visit_correlations`.
"""

from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.random_effects import correlation_cholesky
from pillprocess.mediation.repeated_data import RepeatedUnits, add_repeated_constants, repeated_units, visit_design
from pillprocess.mediation.stacked import (
    cells_log_likelihood,
    collapse_cells,
    collapse_in_order,
    in_order,
    in_order_log_likelihood,
    lower_inverse,
)
from pillprocess.mediation.visit_clusters import cluster_levels, cluster_problems, indicators, visit_clusters
from pillprocess.mediation.visit_correlations import ar1_cholesky, unstructured_cholesky
from pillprocess.participants.followup import FollowUp

VisitCovariance = Literal["unstructured", "ar1"]


def repeated_mediation(
    followup: FollowUp,
    *,
    interaction: bool = True,
    covariance: VisitCovariance = "unstructured",
    prior_a_sd: float = 2.0,
    prior_b_sd: float = 0.5,
    prior_c_sd: float = 2.5,
    prior_interaction_sd: float = 0.35,
    prior_intercept_sd: float = 2.0,
    prior_covariate_sd: float = 1.0,
    prior_sigma_sd: float = 1.0,
    prior_tau_intercept_sd: float = 1.0,
    prior_visit_correlation: float = 0.75,
    prior_person_correlation: float = 0.5,
    prior_correlation_eta: float = 2.0,
) -> pm.Model:
    """Build the mediation model of a trial whose outcome was measured at several visits (Gaussian, MMRM-like).

    People enter as one cross-product matrix per treatment and pattern of missing values, so the cost of a fit does not depend on
    how many there are. Missing visits and mediators are missing at random given treatment, covariates and what was observed of
    the person, earlier visits included; they are integrated out, not dropped.

    Parameters
    ----------
    followup
        From `load_followup`; its clusters (therapists, sites) differ in the level of mediators and of the outcome at every visit
        (:mod:`pillprocess.mediation.visit_clusters`).
    interaction
        Let the outcome's slope on the mediators differ between arms, at every visit.
    covariance
        Covariance of a person's residuals over visits: ``"unstructured"``, or ``"ar1"``, whose correlation falls with the time
        between visits.
    prior_a_sd, prior_b_sd, prior_c_sd, prior_interaction_sd, prior_intercept_sd, prior_covariate_sd, prior_sigma_sd
        As in `mediation`, in SD units (of the outcome: pooled within visit and arm); those of the outcome hold at each visit.
        ``prior_c_sd`` is wider: where many have left, treatment at equal mediators is known to half an SD or so, and at .7 the prior
        alone would draw a total effect of 1 SD by .04 SD towards 0 in a trial of 300 people, at 2.5 by .01.
    prior_tau_intercept_sd
        Half-normal scale of the SDs of levels between clusters, in SD units.
    prior_visit_correlation
        Correlation of the prior of a coefficient between visits: near 1 the effects at all visits are one effect; with 0 the
        prior of their average would shrink as visits are added. It is the correlation of what a cluster's own levels at the visits have
        beyond the mediator's as well.
    prior_person_correlation
        How far two of a person's assessments correlate a priori, the baseline among them: what that leaves is the mean of the prior of the
        residual correlations of visits (unstructured; :mod:`pillprocess.mediation.visit_correlations`). 0 centres them at 0, where
        a person's good and bad visits are thought to follow one another as easily as not.
    prior_correlation_eta
        LKJ concentration of the residual correlations of several mediators, and of clusters' levels of mediators and outcome.

    Returns
    -------
    ``pm.Model`` with dims visit, mediator, arm and covariate. Variables that end in ``_raw`` are scaled by their priors; the
    others are in the units of the data: ``a``, ``b``, ``c``, ``theta``, ``sigma_y``, ``correlation_y`` and so on. Clusters of column f
    add ``tau_f`` (dim effect_f), ``correlation_f`` and ``deviation_f`` (dims cluster_f, level_f).

    Raises
    ------
    ValueError
        No mediator, one that was measured on clusters, an unknown covariance, or a prior correlation outside 0 to 1.
    """
    if not isinstance(followup, FollowUp):
        raise ValueError(
            f"participants with visits from load_followup are needed; got a {type(followup).__name__}. No model was built"
        )
    mediators, visits = [str(m) for m in followup.people.mediators.columns], [str(v) for v in followup.outcomes.columns]
    problems = [] if mediators else ["no mediator was named"]
    if covariance not in get_args(VisitCovariance):
        problems.append(f"covariance = {covariance!r}; it must be one of {', '.join(get_args(VisitCovariance))}")
    if not 0 <= prior_visit_correlation < 1:
        problems.append(f"prior_visit_correlation = {prior_visit_correlation:g}; it must be at least 0 and below 1")
    if not 0 <= prior_person_correlation < 1:
        problems.append(f"prior_person_correlation = {prior_person_correlation:g}; it must be at least 0 and below 1")
    problems += cluster_problems(followup.people)
    if problems:
        raise ValueError("\n".join([*problems, "no model was built"]))

    units = repeated_units(followup)
    Q, V, K = len(mediators), len(visits), units.T.shape[1]
    coords = {
        "visit": visits, "mediator": mediators, "arm": [str(a) for a in followup.people.treatment.columns],
        "covariate": [str(c) for c in followup.people.covariates.columns],
    }  # fmt: skip
    over_visits = np.linalg.cholesky(
        np.full((V, V), prior_visit_correlation) + (1 - prior_visit_correlation) * np.eye(V)
    )

    def at_visits(name: str, sd: float, *dims: str) -> TensorVariable:
        """Coefficients (visit, ...) whose prior is correlated over visits."""
        size = [len(coords[d]) for d in dims]
        raw = pm.Normal(f"{name}_raw", 0, 1, dims=("visit", *dims))
        return pt.dot(sd * over_visits, raw.reshape((V, -1))).reshape((V, *size))

    with pm.Model(coords=coords) as model:
        a = prior_a_sd * pm.Normal("a_raw", 0, 1, dims=("mediator", "arm"))
        alpha_m = prior_intercept_sd * pm.Normal("alpha_m_raw", 0, 1, dims="mediator")
        gamma_m = prior_covariate_sd * pm.Normal("gamma_m_raw", 0, 1, dims=("mediator", "covariate"))
        sigma_m = pm.HalfNormal("sigma_m_raw", prior_sigma_sd, dims="mediator")
        alpha_y = at_visits("alpha_y", prior_intercept_sd)
        c = at_visits("c", prior_c_sd, "arm")
        b = at_visits("b", prior_b_sd, "mediator")
        theta = at_visits("theta", prior_interaction_sd, "mediator", "arm") if interaction else pt.zeros((V, Q, K))
        gamma_y = at_visits("gamma_y", prior_covariate_sd, "covariate")
        sigma_y = pm.HalfNormal("sigma_y_raw", prior_sigma_sd, dims="visit")
        F_m = pt.diag(sigma_m)
        if Q > 1:
            F_m = sigma_m[:, None] * correlation_cholesky(
                "correlation_m", labels=mediators, eta=prior_correlation_eta, dim="mediator_pair"
            )
        if covariance == "unstructured":
            F_y = sigma_y[:, None] * unstructured_cholesky(visits, prior_person_correlation)
        else:
            F_y = sigma_y[:, None] * ar1_cholesky(visits, followup.time.to_numpy())
        clusters, of_m, of_y = visit_clusters(followup.people), [gamma_m], [gamma_y]
        for kind in clusters:
            levels = cluster_levels(
                kind, mediators, visits, over_visits=over_visits, prior_tau_sd=prior_tau_intercept_sd, eta=prior_correlation_eta,
                m_sd=units.m_sd, y_sd=units.y_sd,
            )  # fmt: skip
            of_m.append(levels[:, :Q].T)
            of_y.append(levels[:, Q:].T)
        indicated = replace(units, X=np.hstack([units.X, indicators(clusters, len(units.X))]))
        wide = pt.concatenate(of_m, axis=1), pt.concatenate(of_y, axis=1)
        path = Paths(alpha_m, a, wide[0], F_m, alpha_y, c, b, theta, wide[1], F_y)
        pm.Potential("likelihood", _log_likelihood(indicated, path, interaction=interaction))
        _report(units, alpha_m, a, gamma_m, sigma_m, alpha_y, c, b, theta if interaction else None, gamma_y, sigma_y)
        add_repeated_constants(followup)
    return model


class Paths(NamedTuple):
    """Coefficients in SD units by their name in the formula, those of clusters' indicators after the covariates' in gamma.

    F_m and F_y are Cholesky factors of the residual covariances.
    """

    alpha_m: TensorVariable
    a: TensorVariable
    gamma_m: TensorVariable
    F_m: TensorVariable
    alpha_y: TensorVariable
    c: TensorVariable
    b: TensorVariable
    theta: TensorVariable
    gamma_y: TensorVariable
    F_y: TensorVariable


def _log_likelihood(units: RepeatedUnits, p: Paths, *, interaction: bool) -> TensorVariable:
    """Log density of everybody: those whose missing values come last by successive regressions, the others by cell."""
    values = np.hstack([units.M, units.Y])
    Q, V, K = units.M.shape[1], units.Y.shape[1], units.T.shape[1]
    seen = np.isfinite(values)
    ladder = in_order(seen)
    gram = collapse_in_order(visit_design(units, interaction=interaction)[ladder], seen[ladder])
    columns = range(gram.shape[1])
    pm.modelcontext(None).add_coords({"value": range(Q + V), "value_column": columns, "value_column_other": columns})
    data = pm.Data("visit_gram", gram, dims=("value", "value_column", "value_column_other"))
    products = [-p.theta.dimshuffle(0, 2, 1).reshape((V, K * Q))] if interaction else []
    nothing = pt.zeros((Q, K * Q * interaction + V))
    of_m = pt.concatenate([-p.alpha_m[:, None], -p.a, -p.gamma_m, pt.eye(Q), nothing], axis=1)
    of_y = pt.concatenate([-p.alpha_y[:, None], -p.c, -p.gamma_y, -p.b, *products, pt.eye(V)], axis=1)
    white = pt.concatenate([pt.dot(lower_inverse(p.F_m, Q), of_m), pt.dot(lower_inverse(p.F_y, V), of_y)])
    total = in_order_log_likelihood(data, white, pt.concatenate([pt.diagonal(p.F_m), pt.diagonal(p.F_y)]))
    cells = collapse_cells(units.T[~ladder], units.X[~ladder], values[~ladder])
    if cells is None:
        return total
    T, each = cells.treatment, (len(cells.treatment), 1, 1)
    mean_m = pt.concatenate([(p.alpha_m + pt.dot(T, p.a.T))[:, :, None], pt.tile(p.gamma_m[None], each)], axis=2)
    own = pt.concatenate([(p.alpha_y + pt.dot(T, p.c.T))[:, :, None], pt.tile(p.gamma_y[None], each)], axis=2)
    slope = p.b + pt.sum(p.theta[None] * T[:, None, None, :], axis=3)
    mean = pt.concatenate([mean_m, own + _through(slope, mean_m, Q)], axis=1)
    of_m = pt.concatenate([p.F_m, pt.zeros((Q, V))], axis=1)
    of_y = pt.concatenate([_through(slope, pt.tile(p.F_m[None], each), Q), pt.tile(p.F_y[None], each)], axis=2)
    return total + cells_log_likelihood(cells, mean, pt.concatenate([pt.tile(of_m[None], each), of_y], axis=1))


def _through(slope: TensorVariable, values: TensorVariable, mediators: int) -> TensorVariable:
    """Slopes (cell, visit, mediator) times values (cell, mediator, column), without a batched matrix product."""
    products = [slope[:, :, q][:, :, None] * values[:, q][:, None, :] for q in range(mediators)]
    return sum(products[1:], start=products[0])


def _report(
    units: RepeatedUnits, alpha_m: TensorVariable, a: TensorVariable, gamma_m: TensorVariable, sigma_m: TensorVariable,
    alpha_y: TensorVariable, c: TensorVariable, b: TensorVariable, theta: TensorVariable | None, gamma_y: TensorVariable,
    sigma_y: TensorVariable,
) -> None:  # fmt: skip
    """Record the coefficients in the units of the data, each under its name in the formula."""
    x_shift, m_shift = units.x_mean / units.x_sd, units.m_mean / units.m_sd
    pm.Deterministic("alpha_m", units.m_mean + units.m_sd * (alpha_m - pt.dot(gamma_m, x_shift)), dims="mediator")
    pm.Deterministic("a", units.m_sd[:, None] * a, dims=("mediator", "arm"))
    pm.Deterministic("gamma_m", gamma_m * units.m_sd[:, None] / units.x_sd, dims=("mediator", "covariate"))
    pm.Deterministic("sigma_m", sigma_m * units.m_sd, dims="mediator")
    own = alpha_y - pt.dot(gamma_y, x_shift) - pt.dot(b, m_shift)
    pm.Deterministic("alpha_y", units.y_mean + units.y_sd * own, dims="visit")
    if theta is not None:
        pm.Deterministic("theta", theta * units.y_sd / units.m_sd[:, None], dims=("visit", "mediator", "arm"))
        c = c - pt.sum(theta * m_shift[:, None], axis=1)
    pm.Deterministic("c", units.y_sd * c, dims=("visit", "arm"))
    pm.Deterministic("b", units.y_sd / units.m_sd * b, dims=("visit", "mediator"))
    pm.Deterministic("gamma_y", gamma_y * units.y_sd / units.x_sd, dims=("visit", "covariate"))
    pm.Deterministic("sigma_y", sigma_y * units.y_sd, dims="visit")
