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

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.repeated_data import RepeatedUnits, add_repeated_constants, repeated_units, visit_design
from pillprocess.mediation.stacked import (
    cells_log_likelihood,
    collapse_cells,
    collapse_in_order,
    in_order,
    in_order_log_likelihood,
    lower_inverse,
    small_product,
)
from pillprocess.mediation.visit_clusters import cluster_levels, cluster_problems, indicators, visit_clusters
from pillprocess.mediation.visit_coefficients import (
    Coefficients,
    affine,
    in_sd_units,
    in_units_of_the_data,
    joined,
    residual_rows,
    split,
)
from pillprocess.mediation.visit_correlations import ar1_cholesky, lkj_cholesky, unstructured_cholesky
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
    Q, V = len(mediators), len(visits)
    coords = {
        "visit": visits, "mediator": mediators, "arm": [str(a) for a in followup.people.treatment.columns],
        "covariate": [str(c) for c in followup.people.covariates.columns],
    }  # fmt: skip
    over_visits = np.linalg.cholesky(
        np.full((V, V), prior_visit_correlation) + (1 - prior_visit_correlation) * np.eye(V)
    )

    of_m = {"a": ("mediator", "arm"), "alpha_m": ("mediator",), "gamma_m": ("mediator", "covariate")}
    of_y = {"alpha_y": ("visit",), "c": ("visit", "arm"), "b": ("visit", "mediator")}
    of_y |= ({"theta": ("visit", "mediator", "arm")} if interaction else {}) | {"gamma_y": ("visit", "covariate")}
    sd = {
        "a": prior_a_sd, "alpha_m": prior_intercept_sd, "gamma_m": prior_covariate_sd, "alpha_y": prior_intercept_sd, "c": prior_c_sd,
        "b": prior_b_sd, "theta": prior_interaction_sd, "gamma_y": prior_covariate_sd,
    }  # fmt: skip
    dims = of_m | of_y
    shapes = {name: tuple(len(coords[d]) for d in own) for name, own in dims.items()}

    def scaled(draws: np.ndarray) -> Coefficients:
        return in_sd_units(split(draws, shapes), sd, over_visits)

    with pm.Model(coords=coords) as model:
        raw = [pm.Normal(f"{name}_raw", 0, 1, dims=own) for name, own in of_m.items()]
        sigma_m = pm.HalfNormal("sigma_m_raw", prior_sigma_sd, dims="mediator")
        raw += [pm.Normal(f"{name}_raw", 0, 1, dims=own) for name, own in of_y.items()]
        sigma_y = pm.HalfNormal("sigma_y_raw", prior_sigma_sd, dims="visit")
        L_m = None
        if Q > 1:
            L_m = lkj_cholesky("correlation_m", labels=mediators, eta=prior_correlation_eta, dim="mediator_pair")
        if covariance == "unstructured":
            L_y = unstructured_cholesky(visits, prior_person_correlation)
        else:
            L_y = ar1_cholesky(visits, followup.time.to_numpy())
        clusters = visit_clusters(followup.people)
        levels = [
            cluster_levels(
                kind, mediators, visits, over_visits=over_visits, prior_tau_sd=prior_tau_intercept_sd, eta=prior_correlation_eta,
                m_sd=units.m_sd, y_sd=units.y_sd,
            )
            for kind in clusters
        ]  # fmt: skip
        draws = pt.concatenate([values.ravel() for values in raw])
        size = sum(np.prod(shape, dtype=int) for shape in shapes.values())
        matrix, constant = affine(lambda r: residual_rows(scaled(r)), size)
        rows = pt.dot(matrix, draws) + constant
        indicated = indicators(clusters, len(units.X))
        density = _in_order(units, indicated, rows, levels, sigma_m, L_m, sigma_y, L_y, interaction=interaction)
        ladder = in_order(np.isfinite(np.hstack([units.M, units.Y])))
        if not ladder.all():
            matrix, _ = affine(lambda r: joined(scaled(r)), size)
            own = _pieces(pt.dot(matrix, draws), shapes)
            density += _by_cell(units, indicated, own, levels, sigma_m, L_m, sigma_y, L_y)
        pm.Potential("likelihood", density)
        reported = {name: dims[name] for name in in_units_of_the_data(scaled(np.zeros(size)), units)}
        matrix, constant = affine(lambda r: joined(in_units_of_the_data(scaled(r), units)), size)
        own = _pieces(pt.dot(matrix, draws) + constant, {name: shapes[name] for name in reported})
        for name, value in own.items():
            pm.Deterministic(name, value, dims=dims[name])
        pm.Deterministic("sigma_m", sigma_m * units.m_sd, dims="mediator")
        pm.Deterministic("sigma_y", sigma_y * units.y_sd, dims="visit")
        add_repeated_constants(followup)
    return model


def _pieces(values: TensorVariable, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, TensorVariable]:
    """Cut a vector into arrays of these shapes, as `split` does."""
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes.values()]).tolist()
    return {
        name: values[start:end].reshape(shape)
        for (name, shape), start, end in zip(shapes.items(), [0, *ends[:-1]], ends, strict=True)
    }


def _in_order(
    units: RepeatedUnits, indicated: np.ndarray, rows: TensorVariable, levels: Sequence[TensorVariable], sigma_m: TensorVariable,
    L_m: TensorVariable | None, sigma_y: TensorVariable, L_y: TensorVariable, *, interaction: bool,
) -> TensorVariable:  # fmt: skip
    """Log density of those whose missing values come last, by successive regressions."""
    seen, Q = np.isfinite(np.hstack([units.M, units.Y])), units.M.shape[1]
    ladder = in_order(seen)
    gram = collapse_in_order(np.hstack([visit_design(units, interaction=interaction), indicated])[ladder], seen[ladder])
    columns = range(gram.shape[1])
    pm.modelcontext(None).add_coords(
        {"value": range(seen.shape[1]), "value_column": columns, "value_column_other": columns}
    )
    data = pm.Data("visit_gram", gram, dims=("value", "value_column", "value_column_other"))
    if levels:
        rows = pt.concatenate([rows, *(-u.T for u in levels)], axis=1)
    L = pt.as_tensor(np.eye(seen.shape[1]))[Q:, Q:].set(L_y)
    if L_m is not None:
        L = L[:Q, :Q].set(L_m)
    sigma = pt.concatenate([sigma_m, sigma_y])
    white = small_product(lower_inverse(L, seen.shape[1]), rows / sigma[:, None])
    return in_order_log_likelihood(data, white, sigma * pt.diagonal(L))


def _by_cell(
    units: RepeatedUnits, indicated: np.ndarray, p: Mapping[str, TensorVariable], levels: Sequence[TensorVariable],
    sigma_m: TensorVariable, L_m: TensorVariable | None, sigma_y: TensorVariable, L_y: TensorVariable,
) -> TensorVariable:  # fmt: skip
    """Log density of the others, by cell; a cluster's level is the coefficient of its indicator."""
    values, Q, V = np.hstack([units.M, units.Y]), units.M.shape[1], units.Y.shape[1]
    others = ~in_order(np.isfinite(values))
    cells = collapse_cells(units.T[others], np.hstack([units.X, indicated])[others], values[others])
    if cells is None:
        return pt.zeros(())
    gamma_m = pt.concatenate([p["gamma_m"], *(u[:, :Q].T for u in levels)], axis=1)
    gamma_y = pt.concatenate([p["gamma_y"], *(u[:, Q:].T for u in levels)], axis=1)
    F_m = pt.diag(sigma_m) if L_m is None else sigma_m[:, None] * L_m
    T, each = cells.treatment, (len(cells.treatment), 1, 1)
    mean_m = pt.concatenate([(p["alpha_m"] + pt.dot(T, p["a"].T))[:, :, None], pt.tile(gamma_m[None], each)], axis=2)
    own = pt.concatenate([(p["alpha_y"] + pt.dot(T, p["c"].T))[:, :, None], pt.tile(gamma_y[None], each)], axis=2)
    theta = p.get("theta", pt.zeros((V, Q, T.shape[1])))
    slope = p["b"] + pt.sum(theta[None] * T[:, None, None, :], axis=3)
    mean = pt.concatenate([mean_m, own + _through(slope, mean_m, Q)], axis=1)
    of_m = pt.concatenate([F_m, pt.zeros((Q, V))], axis=1)
    of_y = [_through(slope, pt.tile(F_m[None], each), Q), pt.tile((sigma_y[:, None] * L_y)[None], each)]
    factor = pt.concatenate([pt.tile(of_m[None], each), pt.concatenate(of_y, axis=2)], axis=1)
    return cells_log_likelihood(cells, mean, factor)


def _through(slope: TensorVariable, values: TensorVariable, mediators: int) -> TensorVariable:
    """Slopes (cell, visit, mediator) times values (cell, mediator, column), without a batched matrix product."""
    products = [slope[:, :, q][:, :, None] * values[:, q][:, None, :] for q in range(mediators)]
    return sum(products[1:], start=products[0])
