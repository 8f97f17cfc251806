r"""Belief about the treatment as a mediator, with repeated measures per person.

For row i of person p, with treatment T (one column per active arm), covariates X, experience S (where there is one), belief
B of having had the active treatment (0 or 1) and outcome Y, belief before outcome:

.. math::
    S_i &= \alpha_S + a_S T_i + \gamma_S X_i + u^S_p + \epsilon_i \\
    \Pr(B_i = 1) &= \Phi\{k (\alpha_B + a_B T_i + d_S S_i + \gamma_B X_i) + u^B_p\}, \qquad k^2 = 1 + \tau_B^2 \\
    Y_i &= \alpha_Y + c T_i + (b + \theta T_i)(B_i - \bar B) + (b_S + \theta_S T_i) S_i + \gamma_Y X_i + u^Y_p + e_i

and outcome before belief, where the guess follows improvement: no b, and :math:`d_Y Y_i` joins the braces of B.

The person effects :math:`(u^B, u^S, u^Y)_p \sim N(0, \mathrm{diag}(\tau) R \,\mathrm{diag}(\tau))` let a person who tends to
guess the drug also tend to higher outcomes; k makes the coefficients of belief those of the population, whatever the spread
between people. The data cannot choose between the two orders; each bounds what belief carries. S and Y are in SD units
(pooled SD within arms), centred.

Where nobody repeats, a guess that is missing (not asked, or "don't know") is averaged over, missing at random:
:math:`p(Y_i) = \sum_{B} \Pr(B) \, p(Y_i \mid B)` with belief first; with the outcome first the row loses its guess alone.
"""

from typing import Literal

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.belief.coding import Timing, check_belief
from pillprocess.belief.person_effects import shared_person_density
from pillprocess.mediation.families import rows
from pillprocess.mediation.random_effects import correlation_cholesky
from pillprocess.participants.clusters import unmodelled
from pillprocess.participants.table import Participants

Order = Literal["belief_first", "outcome_first"]


def unblinding(
    people: Participants,
    *,
    belief: str,
    belief_timing: Timing,
    person: pd.Series | None = None,
    order: Order = "belief_first",
    interaction: bool = True,
    prior_a_belief_sd: float = 1.5,
    prior_a_experience_sd: float = 2.0,
    prior_b_belief_sd: float = 1.0,
    prior_b_experience_sd: float = 0.5,
    prior_c_sd: float = 0.7,
    prior_d_sd: float = 1.0,
    prior_interaction_sd: float = 0.35,
    prior_intercept_sd: float = 2.0,
    prior_covariate_sd: float = 1.0,
    prior_sigma_sd: float = 1.0,
    prior_tau_sd: float = 1.0,
    prior_correlation_eta: float = 2.0,
) -> pm.Model:
    """Build the model of belief as a mediator; `belief_effects` reads its effects.

    Parameters
    ----------
    people
        From `load_participants`, of one trial, with the belief (0 or 1) among the mediators and at most one other mediator,
        the experience. Rows may be several per person: leave ``id`` out there, say
        ``repeated_rows="modelled"`` and give ``person`` here. Beliefs may be missing where nobody repeats; experience and
        outcome may not.
    belief
        Column of the belief.
    belief_timing
        When it was measured: ``"post_dose"`` or ``"endpoint"``. What was measured before dosing is refused.
    person
        Whose row it is, with the index of the participants; None where everybody has one row.
    order
        ``"belief_first"``: belief acts on the outcome. ``"outcome_first"``: the guess follows the outcome.
    interaction
        Let the outcome's slopes on belief and experience differ between arms.
    prior_a_belief_sd, prior_a_experience_sd, prior_c_sd
        SDs of the normal priors of treatment on belief (probit), experience and outcome.
    prior_b_belief_sd, prior_b_experience_sd
        Of belief (0 to 1) and experience (per SD) on the outcome.
    prior_d_sd
        Of experience and outcome (per SD) on belief (probit).
    prior_interaction_sd, prior_intercept_sd, prior_covariate_sd
        Of interactions, intercepts, and covariates (per SD).
    prior_sigma_sd, prior_tau_sd
        Half-normal scales of residual SDs and of the SDs between people.
    prior_correlation_eta
        LKJ concentration of the correlations of person effects.

    Returns
    -------
    ``pm.Model`` with dims row, guessed (the rows that carry a guess), arm, covariate, profile, and equation where people
    repeat; person effects and missing guesses are integrated out. Where no guess is missing the values are the model's data
    ``B_value``, ``S_value`` and ``Y_value``, which can be replaced.
    Variables in SD units end in ``_raw``; b, c and theta are in units of the outcome.

    Raises
    ------
    ValueError
        The belief is not a 0/1 mediator measured after dosing, rows are incomplete, or there are several trials.
    """
    check_belief(people, belief=belief, timing=belief_timing)
    _check_rows(people, belief, person, order)
    B = people.mediators[belief].to_numpy(float)
    known, centre = np.isfinite(B), float(np.nanmean(B))
    experience = people.mediators.drop(columns=belief)
    T, X = people.treatment.to_numpy(float), _scaled(people.covariates)
    y_sd = _within_sd(people.outcome, people.arm)
    y = ((people.outcome - people.outcome.mean()) / y_sd).to_numpy(float)
    S = [((s - s.mean()) / _within_sd(s, people.arm)).to_numpy(float) for _, s in experience.items()]
    equations = [belief, *experience.columns, str(people.outcome.name)]
    coords = {
        "arm": list(people.treatment.columns), "covariate": list(people.covariates.columns), "equation": equations,
        "row": np.arange(len(y)), "guessed": np.flatnonzero(known),
    }  # fmt: skip
    with pm.Model(coords=coords) as model:
        if known.all():
            B, y = pm.Data("B_value", B, dims="row"), pm.Data("Y_value", y, dims="row")
            S = [pm.Data("S_value", s, dims="row") for s in S]

        def linear(name: str, effect: str, effect_sd: float) -> TensorVariable:
            alpha = pm.Normal(f"alpha_{name}_raw", 0, prior_intercept_sd)
            slope = pm.Normal(f"{effect}_raw", 0, effect_sd, dims="arm")
            mean = alpha + pt.dot(T, slope)
            if X.shape[1]:
                mean = mean + pt.dot(X, pm.Normal(f"gamma_{name}_raw", 0, prior_covariate_sd, dims="covariate"))
            return mean

        def moderated(name: str, sd: float) -> TensorVariable:
            slope = pm.Normal(f"b{name}_raw", 0, sd) + pt.zeros(len(T))
            if interaction:
                slope = slope + pt.dot(T, pm.Normal(f"theta{name}_raw", 0, prior_interaction_sd, dims="arm"))
            return slope

        belief_mean = linear("belief", "a_belief", prior_a_belief_sd)
        outcome_mean = linear("outcome", "c", prior_c_sd)
        gaussian = []
        if S:
            experience_mean = linear("experience", "a_experience", prior_a_experience_sd)
            gaussian.append(("S", S[0], experience_mean, pm.HalfNormal("sigma_experience_raw", prior_sigma_sd)))
            belief_mean += pm.Normal("d_experience_raw", 0, prior_d_sd) * S[0]
            outcome_mean += moderated("_experience", prior_b_experience_sd) * S[0]
        slope = pt.zeros(len(T))
        if order == "belief_first":
            slope = moderated("", prior_b_belief_sd)
        else:
            belief_mean += pm.Normal("d_outcome_raw", 0, prior_d_sd) * y
        sigma = pm.HalfNormal("sigma_raw", prior_sigma_sd)
        gaussian.append(("Y", y, outcome_mean + slope * pt.switch(known, B - centre, 0.0), sigma))
        if person is None:
            for name, values, mean, sd in gaussian:
                of = known if name == "Y" and order == "belief_first" else np.full(len(T), True)
                pm.Normal(
                    name,
                    mean[of],
                    sd,
                    observed=values if of.all() else values[of],
                    dims="row" if of.all() else "guessed",
                )
            guesses = rows("probit", belief_mean[known], None, None)
            model.register_rv(guesses, "B", observed=B if known.all() else B[known], dims=("guessed",))
            if order == "belief_first" and not known.all():
                silent = [v[~known] for v in (y, outcome_mean, slope, belief_mean)]
                pm.Potential("Y_silent", _either_belief(*silent, sigma=sigma, centre=centre))
        else:
            tau, eta = pm.HalfNormal("tau", prior_tau_sd, dims="equation"), prior_correlation_eta
            L = tau[:, None] * correlation_cholesky("correlation", labels=equations, eta=eta, dim="equation_pair")
            residuals, sds = [values - mean for _, values, mean, _ in gaussian], [sd for *_, sd in gaussian]
            belief_mean = belief_mean * pt.sqrt(1 + tau[0] ** 2)
            density = shared_person_density(residuals, sds, belief_mean, B, G=L @ L.T, person=pd.factorize(person)[0])
            pm.Potential("rows", density)
        for name in ("c", "b", "theta", "sigma"):
            if f"{name}_raw" in model.named_vars:
                pm.Deterministic(name, model[f"{name}_raw"] * y_sd, dims=model.named_vars_to_dims.get(f"{name}_raw"))
        _add_constants(people, X, y_sd=y_sd, belief_mean=centre, order=order)
    return model


def _check_rows(people: Participants, belief: str, person: pd.Series | None, order: str) -> None:
    """Raise with everything that makes the rows unfit."""
    problems = unmodelled(people, "the model of belief as a mediator")
    if order not in ("belief_first", "outcome_first"):
        problems.append(f"order = {order!r}; it must be 'belief_first' or 'outcome_first'")
    silent_allowed = [belief] if person is None else []
    for column in (people.outcome, *(people.mediators[m] for m in people.mediators if m not in silent_allowed)):
        if column.isna().any():
            problems.append(
                f"column {column.name!r}: {int(column.isna().sum())} rows are missing; leave them out of the table"
            )
    values = people.mediators[belief].dropna()
    if not values.isin([0, 1]).all():
        problems.append(
            f"belief {belief!r} holds {values[~values.isin([0, 1])].iloc[0]:g}; it must be 0 or 1 (see code_guess)"
        )
    if len(people.mediators.columns) > 2:
        others = [str(m) for m in people.mediators.columns if m != belief]
        problems.append(f"beside the belief there can be one experience; got {', '.join(others)}")
    if people.trial.nunique() > 1:
        problems.append(f"{people.trial.nunique()} trials; fit each by itself, or make the trial a covariate")
    if person is not None and (not person.index.equals(people.outcome.index) or person.isna().any()):
        problems.append("person must name somebody for every row of the participants, with their index")
    if problems:
        raise ValueError("\n".join([*problems, "no model was built"]))


def _either_belief(
    y: np.ndarray,
    outcome_mean: TensorVariable,
    slope: TensorVariable,
    belief_mean: TensorVariable,
    *,
    sigma: TensorVariable,
    centre: float,
) -> TensorVariable:
    """Log density of outcomes whose belief is not known: the two beliefs' densities, weighted by their probabilities."""
    parts = []
    for b, sign in ((0.0, -1.0), (1.0, 1.0)):
        chance = pt.log(0.5 * pt.erfc(-sign * belief_mean / np.sqrt(2)))
        parts.append(chance + pm.logp(pm.Normal.dist(outcome_mean + slope * (b - centre), sigma), y))
    return pt.sum(pt.logaddexp(*parts))


def _within_sd(values: pd.Series, arm: pd.Series) -> float:
    """Pooled SD within arms."""
    groups = values.groupby(arm)
    return float(np.sqrt((groups.var() * (groups.count() - 1)).sum() / (groups.count() - 1).sum()))


def _scaled(covariates: pd.DataFrame) -> np.ndarray:
    return np.asarray(((covariates - covariates.mean()) / covariates.std()).to_numpy(float))


def _add_constants(people: Participants, X: np.ndarray, *, y_sd: float, belief_mean: float, order: str) -> None:
    """Register what `belief_effects` needs: units, order, and the covariate profiles to average over."""
    model = pm.modelcontext(None)
    profiles, count = np.unique(X, axis=0, return_counts=True) if X.shape[1] else (np.zeros((1, 0)), np.ones(1))
    model.add_coord("profile", range(len(profiles)))
    pm.Data("profile_covariates", profiles, dims=("profile", "covariate"))
    pm.Data("profile_weight", count / count.sum(), dims="profile")
    pm.Data("outcome_sd", y_sd)
    pm.Data("belief_mean", belief_mean)
    pm.Data("outcome_first", int(order == "outcome_first"))
    pm.Data("higher_is_worse", int(people.higher_is_worse))
