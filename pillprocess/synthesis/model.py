r"""One synthesis of every kind of evidence on the pill and the process.

For arm k with relative dose :math:`x_k` of drug d, therapy :math:`h_k`, awake :math:`w_k`, and the dimension q of the drug's
experience (mystical, dissociative, prosocial):

.. math::

    S_k &= a_d\, x_k w_k & \text{experience, in SDs under the drug} \\
    B_k &= \Phi\{(g_0 + g_P\, placebo_k + g_D\, x_k + g_S S_k) / \sqrt{1 + \tau_B^2}\} & \text{belief; known in open arms} \\
    \theta_k &= \mu_j + \psi h_k + (\delta + v_d) x_k + (\kappa + w_d / 2) x_k h_k + b_q S_k + \epsilon B_k
        + \omega\, waitlist_k + \chi\, comparator_k \\
    b_q &= \phi \tanh(\zeta_q)\, s_Y

A trial's outcomes are :math:`y_k \sim N(\theta_k + m_j + u_{jd} x_k, se_k^2)`, published differences likewise, with m and u
integrated out; :math:`a_d = \bar a_q + \tau_a z_d`; responders are :math:`\Phi\{(t_j - \theta_k - u_j x_k) / s_Y\}`. Acute scores
of instrument i in study j are :math:`\lambda_i (a_d + \tau_a z_j) x` with the sampling error of a standardised mean; correlations
of two instruments :math:`\lambda_i \lambda_{i'}`; a published correlation of experience and change
:math:`\lambda_i \tanh(\zeta_q)` on Fisher's scale, or only whether it was significant; guesses are binomial in B.

:math:`\tanh \zeta_q` is the correlation *within arms* of experience and change. How much of it is causal, :math:`\phi`, no
correlation can tell: it has a prior (uniform on 0 to 1 by default). It learns from trials in which experience and dose come
apart, and, through the prior of the direct effect, from effects that are smaller than the association would imply.
:math:`\phi = 1` calls all of it causal, :math:`\phi = 0` all of it an epiphenomenon.
"""

import inspect
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from pillprocess.evidence.tables import Evidence
from pillprocess.rows.acute_scores import EXPERIENCES
from pillprocess.rows.terms import TERMS
from pillprocess.synthesis.compiled import check_synthesis_terms, compile_synthesis
from pillprocess.synthesis.data import arm_columns, synthesis_data
from pillprocess.synthesis.items import synthesis_items
from pillprocess.synthesis.likelihoods import (
    Belief,
    Effect,
    add_associations,
    add_bridges,
    add_counts,
    add_guesses,
    add_outcomes,
    add_scores,
)
from pillprocess.synthesis.person_arms import add_person_arms

if TYPE_CHECKING:
    import pandas as pd

SYNTHESIS_HYPOTHESES: dict[str, frozenset[str]] = {
    "pill": frozenset({"drug"}),
    "process": frozenset({"therapy", "expectancy", "experience"}),
    "pill_and_process": frozenset({"drug", "therapy", "drug:therapy", "expectancy"}),
    "mediated": frozenset(TERMS),
    "fully_mediated": frozenset({"therapy", "drug:therapy", "expectancy", "experience"}),
}
"""Sets of terms. ``pill_and_process`` is also the epiphenomenon: the experience is there and moves no outcome."""


def synthesis(
    evidence: Evidence | xr.Dataset,
    *,
    participants: "Sequence[pd.DataFrame]" = (),
    terms: frozenset[str] | set[str] = frozenset(TERMS),
    causal_share: float | None = None,
    prior_causal_share: tuple[float, float] = (1.0, 1.0),
    prior_drug_sd: float = 0.7,
    prior_therapy: tuple[float, float] = (0.0, 0.7),
    prior_course_sd: float = 0.7,
    prior_waitlist_sd: float = 0.7,
    prior_comparator_sd: float = 0.7,
    prior_interaction_sd: float = 0.35,
    prior_expectancy_sd: float = 0.5,
    prior_experience_sd: float = 2.0,
    prior_correlation_sd: float = 0.5,
    prior_correlation_tau_sd: float = 0.3,
    prior_belief_sd: float = 1.0,
    prior_loading: tuple[float, float] = (8.0, 2.0),
    prior_tau_sd: float = 0.5,
    prior_tau_a: tuple[float, float] = (0.5, 0.5),
) -> pm.Model:
    """Build the synthesis.

    Parameters
    ----------
    evidence
        The checked tables, or the items :func:`pillprocess.synthesis_items` made of them under other choices.
    participants
        Tables of :func:`pillprocess.person_arms`; only with evidence tables, items hold their own.
    terms
        Names from ``pillprocess.TERMS``; ``SYNTHESIS_HYPOTHESES`` holds the sets the review contrasts. Course, waiting list
        and active comparator are always in.
    causal_share
        Fix the causal share of the within-arm association: 1 calls all of it causal, 0 an epiphenomenon.
    prior_causal_share
        Beta prior of that share where it is not fixed.
    prior_drug_sd, prior_course_sd, prior_waitlist_sd, prior_comparator_sd
        SDs of the zero-mean normal priors of the main terms, in reference SDs.
    prior_therapy
        Mean and SD of the therapy term's; :func:`pillprocess.therapy_prior` informs it.
    prior_interaction_sd, prior_expectancy_sd
        Of drug x therapy, and of belief (0 to 1).
    prior_experience_sd
        SD of the prior mean experience at the reference dose, in SDs of the experience.
    prior_correlation_sd, prior_correlation_tau_sd
        Fisher's z of experience and outcome: SD of its prior mean, and half-normal scale of its SD between dimensions and
        between trials.
    prior_belief_sd
        SD of each coefficient of belief, on the probit scale.
    prior_loading
        Beta prior of an instrument's loading.
    prior_tau_sd
        Half-normal scale of the SDs between trials and between drugs, and of belief between trials.
    prior_tau_a
        Median, and SD of the logarithm, of the SD of experience between studies and drugs: settings and samples differ, so 0 is
        no candidate.

    Returns
    -------
    ``pm.Model`` with dims drug, dimension, instrument, row, trial ...; ``model.items`` is what it was built from, and
    ``model.compiled_by`` how :func:`pillprocess.fit` samples it.

    Raises
    ------
    ValueError
        Unknown terms, a share outside 0 to 1, or participants beside items.

    References
    ----------
    Ades & Sutton 2006, doi:10.1111/j.1467-985X.2005.00377.x (multi-parameter evidence synthesis).
    """
    settings = {k: v for k, v in locals().items() if k in inspect.signature(synthesis).parameters}
    check_synthesis_terms(terms, causal_share)
    if isinstance(evidence, Evidence):
        items = synthesis_items(evidence, participants=participants)
    elif participants:
        raise ValueError("these items hold their own participants; give participants to synthesis_items")
    else:
        items = evidence
    drugs = sorted({*items["arm_drug"].to_numpy(), *items["person_drug"].to_numpy(), *items["score_path"].to_numpy()})
    dimensions = list(dict.fromkeys(EXPERIENCES[d] for d in drugs))
    of_drug = np.array([dimensions.index(EXPERIENCES[d]) for d in drugs])
    coords = {"drug": drugs, "dimension": dimensions, "instrument": items["instrument"].to_numpy(), "term": TERMS}
    with pm.Model(coords=coords) as model:
        for name, values in synthesis_data(
            items, terms=terms, causal_share=causal_share, therapy_prior=prior_therapy
        ).items():
            pm.Data(name, values)
        has = dict(zip(TERMS, [model["term_in"][i] for i in range(len(TERMS))], strict=True))
        tau, tau_mu = pm.HalfNormal("tau", prior_tau_sd), pm.HalfNormal("tau_mu", prior_tau_sd)
        tau_drug = pm.HalfNormal("tau_drug", prior_tau_sd)
        tau_a = pm.LogNormal("tau_a", np.log(prior_tau_a[0]), prior_tau_a[1])

        psi = has["therapy"] * pm.Normal("psi", model["therapy_prior"][0], model["therapy_prior"][1])
        delta, kappa = pm.Normal("delta", 0, prior_drug_sd), pm.Normal("kappa", 0, prior_interaction_sd)
        epsilon = has["expectancy"] * pm.Normal("epsilon", 0, prior_expectancy_sd)
        omega, chi = pm.Normal("omega", 0, prior_waitlist_sd), pm.Normal("chi", 0, prior_comparator_sd)
        v, w = pm.Normal("v_raw", 0, 1, dims="drug"), pm.Normal("w_raw", 0, 1, dims="drug")
        direct = pm.Deterministic("direct", has["drug"] * (delta + tau_drug * v), dims="drug")
        interaction = pm.Deterministic("interaction", has["drug:therapy"] * (kappa + tau_drug * w / 2), dims="drug")

        mean_a = pm.Normal("mean_a", 0, prior_experience_sd, dims="dimension")
        a = pm.Deterministic("a", mean_a[of_drug] + tau_a * pm.Normal("a_raw", 0, 1, dims="drug"), dims="drug")
        loading = pm.Beta("loading", *prior_loading, dims="instrument")
        mean_zeta, tau_zeta = (
            pm.Normal("mean_zeta", 0, prior_correlation_sd),
            pm.HalfNormal("tau_zeta", prior_correlation_tau_sd),
        )
        zeta = pm.Deterministic(
            "zeta", mean_zeta + tau_zeta * pm.Normal("zeta_raw", 0, 1, dims="dimension"), dims="dimension"
        )
        fixed = model["share_fixed"]
        share = (1 - fixed[0]) * pm.Beta("causal_share", *prior_causal_share) + fixed[0] * fixed[1]
        b = has["experience"] * share * pt.tanh(zeta) * float(items["outcome_sd"])
        pm.Deterministic("b", b, dims="dimension")

        g = {name: pm.Normal(f"g_{name}", 0, prior_belief_sd) for name in ("0", "placebo", "drug", "experience")}
        belief = Belief(g["0"], g["placebo"], g["drug"], g["experience"], pm.HalfNormal("tau_belief", prior_tau_sd))
        columns = arm_columns(items, drugs)
        S = pt.dot(columns["experience"], a)
        known = items["arm_known"].to_numpy()
        blind = belief.share(belief.probit(items["arm_dose"].to_numpy(), items["arm_active_placebo"].to_numpy(), S))
        effect = Effect(
            pt.concatenate([direct, interaction, a * b[of_drug], pt.stack([psi, omega, chi])]),
            np.concatenate(list(columns.values()), axis=1), epsilon, known * items["arm_active"].to_numpy() + (1 - known) * blind,
        )  # fmt: skip
        add_outcomes(items, effect, tau, tau_mu, prior_course_sd)
        add_scores(items, a, tau_a, loading, drugs)
        add_bridges(items, loading)
        add_associations(items, loading, zeta, tau_zeta, dimensions)
        add_guesses(items, belief, S)
        add_counts(items, effect, tau)
        add_person_arms(
            items, drugs=drugs, dimensions=dimensions, a=a, b=b, direct=direct, interaction=interaction, psi=psi, epsilon=epsilon,
            belief=belief, loading=loading, zeta=zeta, tau_zeta=tau_zeta, tau=tau, tau_a=tau_a,
        )  # fmt: skip
    settings = {
        k: sorted(v) if k == "terms" else v for k, v in settings.items() if k not in ("evidence", "participants")
    }
    model.items = items.assign_attrs(settings=json.dumps(settings))
    model.compiled_by = compile_synthesis
    return model
