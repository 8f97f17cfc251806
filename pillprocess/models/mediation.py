r"""Mediation in participants: treatment, mediators, outcome.

For participant i of trial j, with treatment T, covariates X (the baseline first) and mediators M,

.. math::
    M_i &= \alpha_{m,j} + a_j T_i + \gamma_m X_i + \epsilon_i, \qquad \epsilon \sim N(0, \Sigma) \\
    Y_i &= \alpha_{y,j} + c_j T_i + b_j' M_i + T_i \theta' M_i + \gamma_y X_i + e_i, \qquad e \sim N(0, \sigma_y^2)

With several trials :math:`(\alpha_{m,j}, a_j, \alpha_{y,j}, c_j, b_j) \sim N(\cdot, \Omega)`. Ordered mediators have
:math:`M_{iq} = \dots + \sum_{r<q} d_{qr} M_{ir}` in place of a residual correlation. A probit or logit family puts the
linear predictor on that link; a Student-t family has heavier tails. Priors are in SD units (pooled SD within trial and
arm; the latent residual SD where a family is binary); results are in the units of the data.
"""

import warnings
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.models.families import BINARY, LATENT_SD, Family, check_family
from pillprocess.models.mediation_data import add_constants
from pillprocess.models.mediation_units import TrialEffects, add_effects
from pillprocess.models.participant_rows import add_rows
from pillprocess.models.random_effects import correlation_cholesky, pair_labels, trial_effects
from pillprocess.models.recursion import Recursion, collapsed_log_likelihood
from pillprocess.models.sufficient import collapse, standardise
from pillprocess.participants import Participants

CORRELATED_FROM = 4
"""Trials below which the correlations of effects are fixed at 0."""

LEARNED_FROM = 6
"""Trials below which a warning says that these correlations rest on their prior."""


def mediation(
    people: Participants,
    *,
    interaction: bool = True,
    family_mediator: Family = "gaussian",
    family_outcome: Family = "gaussian",
    order: Sequence[str] | None = None,
    collapsed: bool = True,
    prior_a_sd: float = 2.0,
    prior_b_sd: float = 0.5,
    prior_c_sd: float = 0.7,
    prior_interaction_sd: float = 0.35,
    prior_d_sd: float = 0.5,
    prior_intercept_sd: float = 2.0,
    prior_covariate_sd: float = 1.0,
    prior_sigma_sd: float = 1.0,
    prior_tau_sd: float = 0.5,
    prior_tau_intercept_sd: float = 1.0,
    prior_correlation_eta: float = 2.0,
    prior_nu_mean: float = 20.0,
) -> pm.Model:
    """Build the mediation model of a trial's participants, or of several trials'.

    Gaussian participants enter as one cross-product matrix per trial, so the cost of a fit does not depend on how many
    people there are. Missing mediators and outcomes are missing at random given treatment and covariates: they are
    integrated out, not dropped.

    Parameters
    ----------
    people
        From `load_participants`.
    interaction
        Let the outcome's slope on the mediator differ between arms.
    family_mediator, family_outcome
        ``"gaussian"``, ``"student_t"`` (robust to outliers and skew), or for 0/1 columns ``"probit"`` or ``"logit"``.
        Several mediators are Gaussian.
    order
        All mediators, causes first. By default several mediators are parallel, with correlated residuals.
    collapsed
        Use sufficient statistics where both families are Gaussian. False writes every participant's row into the model:
        the same posterior, and one log-likelihood per participant beside it.
    prior_a_sd, prior_b_sd, prior_c_sd, prior_interaction_sd, prior_d_sd, prior_intercept_sd, prior_covariate_sd
        SDs of the normal priors, in SD units: treatment on mediator, mediator on outcome (per SD), treatment on outcome
        at the mean mediator, interaction, earlier on later mediator, intercepts, covariates (per SD).
    prior_sigma_sd
        Half-normal scale of the residual SDs, in SD units.
    prior_tau_sd, prior_tau_intercept_sd
        Half-normal scales of the SDs of effects and of intercepts between trials, in SD units.
    prior_correlation_eta
        LKJ concentration of the correlations of effects between trials and of residuals of parallel mediators.
    prior_nu_mean
        Mean of the exponential prior of a Student-t family's degrees of freedom beyond 2.

    Returns
    -------
    ``pm.Model`` with dims mediator, arm, covariate, and trial and effect where there are several trials. Variables in
    SD units end in ``_raw``; the others are in the units of the data.

    Raises
    ------
    ValueError
        A family does not suit its column, or the order does not list the mediators.

    Warns
    -----
    UserWarning
        Fewer than 6 trials: the correlations of effects between trials rest on their prior, or, below 4 trials, are
        fixed at 0.
    """
    mediators = [str(m) for m in people.mediators.columns] if order is None else list(order)
    problems = check_family(family_mediator, "mediator", people.mediators)
    problems += check_family(family_outcome, "outcome", people.outcome.to_frame())
    if len(mediators) > 1 and family_mediator != "gaussian":
        problems.append(f"family_mediator = {family_mediator!r}: several mediators must be 'gaussian'; fit others singly")
    if sorted(mediators) != sorted(people.mediators.columns):
        problems.append(f"order = {mediators} must list each of {list(people.mediators.columns)} once, causes first")
    if problems:
        raise ValueError("\n".join([*problems, "no model was built"]))

    data = standardise(people, mediators, binary_outcome=family_outcome in BINARY)
    arms, trials = [str(a) for a in people.treatment.columns], [str(t) for t in pd.unique(people.trial)]
    Q, K = len(mediators), len(arms)
    link_m, link_y = LATENT_SD.get(family_mediator, 1.0), LATENT_SD.get(family_outcome, 1.0)
    coords: dict[str, Sequence[str]] = {"mediator": mediators, "arm": arms, "covariate": list(people.covariates.columns)}
    with pm.Model(coords=coords) as model:
        a = pm.Normal("a_raw", 0, prior_a_sd * link_m, dims=("mediator", "arm"))
        b = pm.Normal("b_raw", 0, prior_b_sd * link_y, dims="mediator")
        c = pm.Normal("c_raw", 0, prior_c_sd * link_y, dims="arm")
        alpha_m = pm.Normal("alpha_m_raw", 0, prior_intercept_sd * link_m, dims="mediator")
        alpha_y = pm.Normal("alpha_y_raw", 0, prior_intercept_sd * link_y)
        gamma_m = pm.Normal("gamma_m_raw", 0, prior_covariate_sd * link_m, dims=("mediator", "covariate"))
        gamma_y = pm.Normal("gamma_y_raw", 0, prior_covariate_sd * link_y, dims="covariate")
        theta = pt.zeros((Q, K))
        if interaction:
            theta = pm.Normal("theta_raw", 0, prior_interaction_sd * link_y, dims=("mediator", "arm"))
        sigma_m, nu_m = _residual("m", family_mediator, prior_sigma_sd, prior_nu_mean, dims="mediator")
        sigma_y, nu_y = _residual("y", family_outcome, prior_sigma_sd, prior_nu_mean, dims=None)
        D, s = _successive(sigma_m, mediators, order, prior_d_sd, prior_correlation_eta)

        effect = pt.concatenate([alpha_m, a.ravel(), alpha_y[None], c, b])
        new = omega = None
        effects = effect[None]
        if len(trials) > 1:
            model.add_coords({"trial": trials, "effect": effect_labels(mediators, arms)})
            eta = _correlation_prior(len(trials), prior_correlation_eta)
            scale = np.repeat(
                [prior_tau_intercept_sd * link_m, prior_tau_sd * link_m, prior_tau_intercept_sd * link_y, prior_tau_sd * link_y],
                [Q, Q * K, 1, K + Q],
            )
            u, u_new, omega = trial_effects(scale=scale, trials=len(trials), eta=eta)
            effects, new = effect + u, effect + u_new
        recursion = assemble(effects, gamma_m, D, s, theta, gamma_y, sigma_y, parallel=order is None)
        if collapsed and family_mediator == family_outcome == "gaussian":
            add_collapsed(recursion, collapse(data, interaction=interaction))
        else:
            add_rows(
                recursion, data, family_mediator=family_mediator, family_outcome=family_outcome, nu_m=nu_m, nu_y=nu_y,
                people=people.outcome.index, mediators=mediators,
            )  # fmt: skip
        units = Units.of(data, binary_mediator=family_mediator in BINARY)
