r"""Mediation in participants: treatment, mediators, outcome.

For participant i of trial j, with treatment T, covariates X (the baseline first) and mediators M,

.. math::
    M_i &= \alpha_{m,j} + a_j T_i + \gamma_m X_i + \epsilon_i, \qquad \epsilon \sim N(0, \Sigma) \\
    Y_i &= \alpha_{y,j} + c_j T_i + b_j' M_i + T_i \theta' M_i + \gamma_y X_i + e_i, \qquad e \sim N(0, \sigma_y^2)

With several trials :math:`(\alpha_{m,j}, a_j, \alpha_{y,j}, c_j, b_j) \sim N(\cdot, \Omega)`. Ordered mediators have
:math:`M_{iq} = \dots + \sum_{r<q} d_{qr} M_{ir}` in place of a residual correlation. A probit or logit family puts the
linear predictor on that link, of the chance of each category or more where an outcome is ordinal, of
the hazard or of the log time where it is a time to an event (:mod:`pillprocess.mediation.times`); a Student-t family has heavier
tails. Priors are in SD units (pooled SD within trial and arm; the latent residual SD where a family is binary); results in the data's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

from pillprocess.mediation.choices import (
    BINARY,
    LINKED,
    ZERO_INFLATED,
    Family,
    case_control_problems,
    choice_problems,
    read_vary,
    spread_problems,
)
from pillprocess.mediation.closed_form import add_quadratic
from pillprocess.mediation.cluster_effects import add_clusters
from pillprocess.mediation.clusters import (
    Correlations,
    cluster_factor,
    mediator_level,
    read_clusters_of,
)
from pillprocess.mediation.data import add_constants
from pillprocess.mediation.families import LATENT_SD
from pillprocess.mediation.moderation import moderation
from pillprocess.mediation.outcome_shapes import outcome_data, outcome_shape
from pillprocess.mediation.participant_rows import add_rows
from pillprocess.mediation.random_effects import correlation_prior, effect_covariance, effect_labels
from pillprocess.mediation.recursion import (
    Shared,
    assemble,
    incomplete_log_likelihood,
    integrated,
)
from pillprocess.mediation.residuals import degrees_of_freedom, successive
from pillprocess.mediation.sufficient import collapse, standardise
from pillprocess.mediation.units import add_effects, add_shared, add_variation
from pillprocess.mediation.zero_part import report_zeros, zero_part
from pillprocess.participants.table import Participants


def mediation(
    people: Participants,
    *,
    interaction: bool = True,
    family_mediator: Family = "gaussian",
    family_outcome: Family = "gaussian",
    order: Sequence[str] | None = None,
    vary: Sequence[str] | Mapping[str, Sequence[str]] = (),
    cluster_correlations: Correlations = "all",
    sd_by_arm: bool = False,
    floor_mediator: float | None = None,
    case_control: bool = False,
    collapsed: bool = True,
    prior_a_sd: float = 2.0,
    prior_b_sd: float = 0.5,
    prior_c_sd: float = 0.7,
    prior_interaction_sd: float = 0.35,
    prior_d_sd: float = 0.5,
    prior_intercept_sd: float = 2.0,
    prior_covariate_sd: float = 1.0,
    prior_moderation_sd: float = 0.5,
    prior_sigma_sd: float = 1.0,
    prior_tau_sd: float = 0.5,
    prior_tau_intercept_sd: float = 1.0,
    prior_correlation_eta: float = 2.0,
    prior_nu_mean: float = 20.0,
    prior_spacing_sd: float = 1.0,
    prior_period_sd: float = 1.0,
    prior_zero_sd: float = 1.0,
) -> pm.Model:
    r"""Build the mediation model of a trial's participants, or of several trials'.

    Gaussian participants enter as one cross-product matrix per trial, so the cost of a fit does not depend on how many
    people there are; the trials' effects are integrated out in closed form and drawn given the data. Missing mediators and
    outcomes are missing at random given treatment and covariates: they are integrated out, not dropped.

    Parameters
    ----------
    people
        From `load_participants`.
    interaction
        Let the outcome's slope on the mediator differ between arms.
    family_mediator, family_outcome
        ``"gaussian"``, ``"student_t"`` (robust to outliers and skew), or for 0/1 columns ``"probit"`` or ``"logit"``, and for an
        outcome ``"log_binomial"`` (:math:`P(Y = 1) = e^\eta`, whose coefficients are log risk ratios; it does not converge where chances
        come near 1, and then the log_risk_ratio of a logit outcome is the answer); for an
        outcome of counts ``"poisson"`` or ``"negative_binomial"`` (log link; variance mu + mu^2/size, 1/size half-normal(1)), or
        with more zeros than that ``"zero_inflated_poisson"`` or ``"zero_inflated_negative_binomial"``
        (:mod:`pillprocess.mediation.zero_part`); for one of 2 to 25 ordered categories ``"ordinal_probit"`` or ``"ordinal_logit"``
        (cumulative: :math:`P(Y \ge k) = F(\eta - \kappa_k)`, the lowest threshold 0), which with two categories is the binary
        family; for a time to an event (``event`` of `load_participants`)
        ``"weibull"`` (accelerated failure time, 1/shape half-normal(1)) or ``"exponential"``, or, where it is known by period 1, 2, ...,
        ``"hazard_logit"`` or ``"hazard_cloglog"`` (proportional hazards).
        Several mediators are Gaussian.
    order
        All mediators, causes first. By default several mediators are parallel, with correlated residuals.
    vary
        Which of the paths ``"a"``, ``"b"`` and ``"c"`` differ between clusters, for all of them or by column of
        ``people.clusters``; their intercepts always do.
    cluster_correlations
        ``"all"`` effects of a cluster may be correlated, so that cov(a, b) is estimated and nothing that a cluster shares by mediator and
        outcome enters b; those of each ``"equation"``, as in two separate mixed models; or ``"none"``.
    sd_by_arm
        Let the residual SD of the one mediator differ between arms (``sigma_m_level``), as where a drug's experiences scatter widely and
        placebo's hardly do.
    floor_mediator
        The lowest score of the mediator, in its units, where people sit on it: they have it or less, on the scale of the model
        (:mod:`pillprocess.mediation.floor`). For a Gaussian mediator and outcome.
    case_control
        People were sampled by their outcome of 0 or 1, rare in the population: the mediator's equation is that of those with 0, and
        `rare_outcome_effects` are what is known.
    collapsed
        Use sufficient statistics where both families are Gaussian. False writes every participant's row into the model:
        the same posterior, for predictive checks and log-likelihoods person by person.
    prior_a_sd, prior_b_sd, prior_c_sd, prior_interaction_sd, prior_d_sd, prior_intercept_sd, prior_covariate_sd
        SDs of the normal priors, in SD units: treatment on mediator, mediator on outcome (per SD), treatment on outcome
        at the mean mediator, interaction, earlier on later mediator, intercepts, covariates (per SD).
    prior_moderation_sd
        SD of the normal prior of the change of an effect per SD of a moderator, in SD units.
    prior_sigma_sd
        Half-normal scale of the residual SDs, in SD units.
    prior_tau_sd, prior_tau_intercept_sd
        Half-normal scales of the SDs of effects and of intercepts between trials or clusters, in SD units.
    prior_correlation_eta
        LKJ concentration of the correlations of effects between trials and of residuals of parallel mediators.
    prior_nu_mean
        Mean of the exponential prior of a Student-t family's degrees of freedom beyond 2.
    prior_spacing_sd
        Half-normal scale of the distances between the thresholds of ordered categories, in SD units.
    prior_period_sd
        SD of the normal prior of how much the hazard of a later period differs from that of the first, on its link, in SD units.
    prior_zero_sd
        SD of the normal prior of the log odds of an excess zero at the mean of mediators and covariates, in SD units (of a logit).

    Returns
    -------
    ``pm.Model`` with dims mediator, arm, covariate, and trial and effect where there are several trials. Clusters of column f
    add ``tau_f``, ``correlation_f`` and ``deviation_f`` (dims cluster_f, effect_f; that of alpha_y is at a mediator of 0). Variables
    in SD units end in ``_raw``; the others are in the units of the data.

    Raises
    ------
    ValueError
        No mediator, a family does not suit its column, or the order does not list the mediators.

    Warns
    -----
    UserWarning
        Fewer than 6 trials: the correlations of effects between trials rest on their prior, or, below 4 trials, are
        fixed at 0.
    """
    if not isinstance(people, Participants):
        raise ValueError(
            f"participants from load_participants are needed; got a {type(people).__name__}. No model was built"
        )
    mediators = [str(m) for m in people.mediators.columns] if order is None else list(order)
    problems = choice_problems(
        people.mediators, people.outcome, family_mediator=family_mediator, family_outcome=family_outcome, order=order,
        event=people.event,
    )  # fmt: skip
    problems += spread_problems(
        people, sd_by_arm=sd_by_arm, floor_mediator=floor_mediator, family_mediator=family_mediator, family_outcome=family_outcome
    )  # fmt: skip
    problems += case_control_problems(people, family_outcome=family_outcome) if case_control else []
    varying, unfit = read_vary(people, vary)
    problems += unfit
    if problems:
        raise ValueError("\n".join([*problems, "no model was built"]))

    clusters = read_clusters_of(people, mediators, varying)
    level = mediator_level(people, mediators)
    binary_m = family_mediator in BINARY
    linked = family_outcome in LINKED
    data = standardise(people, mediators=mediators, binary_mediator=binary_m, binary_outcome=linked)
    data = outcome_data(people, data, family_outcome)
    arms, trials = [str(a) for a in people.treatment.columns], [str(t) for t in pd.unique(people.trial)]
    Q, K, J = len(mediators), len(arms), len(trials)
    link_m, link_y = LATENT_SD.get(family_mediator, 1.0), LATENT_SD.get(family_outcome, 1.0)
    coords: dict[str, Sequence[str]] = {
        "mediator": mediators,
        "arm": arms,
        "covariate": list(people.covariates.columns),
    }
    with pm.Model(coords=coords) as model:
        a = pm.Normal("a_raw", 0, prior_a_sd * link_m, dims=("mediator", "arm"))
        b = pm.Normal("b_raw", 0, prior_b_sd * link_y, dims="mediator")
        c = pm.Normal("c_raw", 0, prior_c_sd * link_y, dims="arm")
        theta = None
        if interaction:
            theta = pm.Normal("theta_raw", 0, prior_interaction_sd * link_y, dims=("mediator", "arm"))
        alpha_m = pm.Normal("alpha_m_raw", 0, prior_intercept_sd * link_m, dims="mediator")
        alpha_y = pm.Normal("alpha_y_raw", 0, prior_intercept_sd * link_y)
        gamma_m = pm.Normal("gamma_m_raw", 0, prior_covariate_sd * link_m, dims=("mediator", "covariate"))
        a_x, c_x, b_x = moderation(people, prior_moderation_sd, link_m, link_y)
        measured = np.flatnonzero((people.outcome == 0).to_numpy()) if case_control else None
        if level is not None:  # one row per cluster, and what varies within clusters does not enter
            label = people.clusters[level]
            measured = np.flatnonzero(~label.duplicated().to_numpy())
            shared_by_all = (people.covariates.groupby(label).nunique() <= 1).all().to_numpy(float)
            gamma_m, a_x = gamma_m * shared_by_all, None if a_x is None else a_x * shared_by_all
        gamma_y = pm.Normal("gamma_y_raw", 0, prior_covariate_sd * link_y, dims="covariate")
        sigma_m, sigma_level = None, None
        if sd_by_arm:
            model.add_coord("level", [people.reference, *arms])
            sigma_level = pm.HalfNormal("sigma_m_level_raw", prior_sigma_sd, dims="level")
            sigma_m = pt.sqrt(pt.mean(sigma_level**2))[None]
        elif not binary_m:
            sigma_m = pm.HalfNormal("sigma_m_raw", prior_sigma_sd, dims="mediator")
        sigma_y = None if linked else pm.HalfNormal("sigma_y_raw", prior_sigma_sd)
        d, D, s = successive(sigma_m, mediators, order, prior_d_sd, prior_correlation_eta)
        nu_m = degrees_of_freedom("nu_m", prior_nu_mean) if family_mediator == "student_t" else None
        nu_y = outcome_shape(
            family_outcome, np.unique(people.outcome.dropna()), prior_spacing_sd=prior_spacing_sd, prior_period_sd=prior_period_sd,
            prior_nu_mean=prior_nu_mean,
        )  # fmt: skip
        zero = None
        if family_outcome in ZERO_INFLATED:
            zero = zero_part(
                prior_zero_sd=prior_zero_sd, prior_c_sd=prior_c_sd, prior_b_sd=prior_b_sd, prior_covariate_sd=prior_covariate_sd
            )  # fmt: skip
            report_zeros(data, zero)
        shared = Shared(
            gamma_m, gamma_y, theta, sigma_m, sigma_y, d, D, s, nu_m, nu_y, a_x, c_x, b_x, zero, sigma_level
        )
        mean = pt.concatenate([alpha_m, a.ravel(), alpha_y[None], c, b])
        add_shared(data, shared)
        add_effects(data, shared, mean[None], suffix="", dim=None)

        collapsed = collapsed and family_mediator == family_outcome == "gaussian" and a_x is None and b_x is None
        collapsed = collapsed and not sd_by_arm and floor_mediator is None
        collapsed = collapsed and (not clusters or (len(clusters) == 1 and J == 1 and level is None))
        rows = replace(data, trial=clusters[0].index) if collapsed and clusters else data
        statistics = collapse(rows, interaction=interaction) if collapsed else None
        density = None if statistics is None else add_quadratic(shared, statistics, mediators=Q, arms=K)
        effects, groups = mean[None], None
        kinds = np.array([prior_tau_intercept_sd, prior_tau_sd])
        scale = np.repeat([*(kinds * link_m), *(kinds * link_y)], [Q, Q * K, 1, K + Q])
        labels = effect_labels(mediators, arms)
        if J > 1:
            model.add_coord("trial", trials)
            eta = correlation_prior(J, prior_correlation_eta)
            tau, factor = effect_covariance(labels=labels, scale=scale, eta=eta)
            u = pm.Normal("u_raw", 0, 1, dims=("trial", "effect"))
            new = mean + pt.dot(factor, pm.Normal("u_new_raw", 0, 1, dims="effect"))
            if density is None:
                effects = mean + pt.dot(u, factor.T)
            else:
                marginal, effects = integrated(density, mean, factor, u, effects=len(scale))
                pm.Potential("recursion", marginal)
            add_effects(data, shared, effects, suffix="_trial", dim="trial")
            add_effects(data, shared, new[None], suffix="_new", dim=None)
            add_variation(data, tau)
        if clusters:
            random = [
                cluster_factor(
                    c, labels=labels, scale=scale, eta=prior_correlation_eta, correlations=cluster_correlations
                )
                for c in clusters
            ]
            effects, groups, rows = add_clusters(clusters, random, data, density, effects, mean, given_trial=J > 1)
        elif J == 1 and density is not None:
            pm.Potential("recursion", density.at(effects))

        recursion = assemble(shared, effects, mediators=Q, arms=K)
        if statistics is not None and statistics.incomplete:
            pm.Potential("incomplete", incomplete_log_likelihood(recursion, statistics.incomplete, mediators=Q))
        if statistics is None:
            add_rows(
                recursion, shared, rows, family_mediator=family_mediator, family_outcome=family_outcome,
                people=people.outcome.index, mediators=mediators, measured=measured,
                event=None if people.event is None else people.event.to_numpy(float), floor=floor_mediator,
            )  # fmt: skip
        data = data if groups is None else replace(data, trial=rows.trial)
        add_constants(
            people, data, family_mediator=family_mediator, family_outcome=family_outcome, groups=groups,
            controls=measured if case_control else None,
        )  # fmt: skip
        if floor_mediator is not None:
            pm.Data("floor_mediator", float(floor_mediator))
    return model
