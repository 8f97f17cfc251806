r"""One synthesis of every kind of evidence on the pill and the process.

For arm k with relative dose :math:`x_k` of drug d, therapy :math:`h_k`, awake :math:`w_k`, and the dimension q of the drug's
experience (mystical, dissociative, prosocial):

.. math::

    S_k &= a_d\, x_k w_k & \text{experience, in SDs under the drug} \\
    B_k &= \Phi\{(g_0 + g_P\, placebo_k + g_D\, x_k + g_S S_k) / \sqrt{1 + \tau_B^2}\} & \text{belief; known in open arms} \\
    \theta_k &= \mu_j + \psi h_k + \delta_d x_k + \kappa_d x_k h_k + b_d S_k + \epsilon B_k
        + \omega\, waitlist_k + \chi\, comparator_k \\
    \tanh \zeta_q &= b_d / s_Y + c_d & \text{association within arms = causal slope + bias}

A trial's outcomes are :math:`y_k \sim N(\theta_k + m_j + u_{jd} x_k + h_j\, therapy_k + l_j\, waitlist_k, se_k^2)`, published
differences likewise, with the trial's own m, u, h and l integrated out: every hypothesis has them all, so that hypotheses differ in
mean terms alone. :math:`a_d = \bar a_q + \tau_a z_d`; responders are :math:`\Phi\{(t_j - \theta_k - u_j x_k - h_j h_k) / s_Y\}`.

Drugs are pooled as far as the data say: each of :math:`\delta_d, \kappa_d, c_d` is
:math:`s (\sqrt{\rho}\, z + \sqrt{1 - \rho}\, z_d)` with its own scale s, fixed, and its own :math:`\rho \sim U(0, 1)`. A drug's own
prior is N(0, s) whatever :math:`\rho`; between drugs the SD may be anything from 0 to s. ``pooling=0`` lets no drug speak of another.

Acute scores
of instrument i in study j are :math:`\lambda_i (a_d + \tau_a z_j) x` with the sampling error of a standardised mean; correlations
of two instruments :math:`\lambda_i \lambda_{i'}`; a published correlation of experience and change
:math:`\lambda_i \tanh(\zeta_q)` on Fisher's scale, or only whether it was significant; guesses are binomial in B.

:math:`\tanh \zeta_q` is the correlation *within arms* of experience and change. How much of it is causal no correlation can tell:
the bias c has a prior, N(0, .3) in correlations by default. A causal slope may be larger than the association, or of the
other sign (suppression). The causal share :math:`\phi = b_d / (s_Y \tanh \zeta_q)` is derived. It learns from trials in which
experience and dose come apart, and, through the prior of the direct effect, from the size of the whole effect. Fixed shares, 1 for
all causal and 0 for an epiphenomenon, and a share that is estimated and common to all drugs (``confounding="proportional"``), are
sensitivities.

Terms as other trials have them (``informed``) enter as items: :math:`term_{elsewhere} \sim N(term_{here}, se^2 + s_t^2)`, where
:math:`s_t` is ``prior_transport_sd``; the course elsewhere is that of a waiting list, :math:`\mu + \omega`.
"""

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from pytensor.tensor import TensorVariable

from pillprocess.evidence.tables import Evidence
from pillprocess.rows.terms import TERMS
from pillprocess.synthesis.choices import Confounding, check_course, choices_of
from pillprocess.synthesis.compiled import compile_synthesis
from pillprocess.synthesis.data import (
    TRIAL_SDS,
    arm_columns,
    arm_loadings,
    blind_groups,
    drugs_of,
    experiences_of_items,
    synthesis_data,
)
from pillprocess.synthesis.items import synthesis_items
from pillprocess.synthesis.likelihoods import (
    Belief,
    Effect,
    add_associations,
    add_bridges,
    add_counts,
    add_course,
    add_guesses,
    add_outcomes,
    add_outside,
    add_scores,
    direct_effects,
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
"""Sets of mean terms. ``pill_and_process`` is also the epiphenomenon: the experience is there and moves no outcome."""


POOLED = ("direct", "interaction", "bias")
"""What drugs have in common as far as the data say."""


def named(vector: TensorVariable, names: Iterable[str]) -> dict[str, TensorVariable]:
    """Give every number of a vector its name: one vector is one operation, many scalars are many to compile."""
    names = list(names)
    parts = pt.split(vector, [1] * len(names), n_splits=len(names))  # its gradient is one operation too
    return {name: pm.Deterministic(name, part.squeeze()) for name, part in zip(names, parts, strict=True)}


def synthesis(
    evidence: Evidence | xr.Dataset,
    *,
    participants: "Sequence[pd.DataFrame]" = (),
    terms: frozenset[str] | set[str] = frozenset(TERMS),
    causal_share: float | None = None,
    confounding: Confounding = "additive",
    pooling: float | None = None,
    informed: Mapping[str, tuple[float, float]] | None = None,
    prior_bias_sd: float = 0.3,
    prior_transport_sd: float = 0.3,
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
        and active comparator are always in, and so is everything that varies between trials.
    causal_share
        Fix the causal share of the within-arm association: 1 calls all of it causal, 0 an epiphenomenon.
    confounding
        ``"additive"``: association = causal slope + bias, per drug; ``"proportional"``: the causal slope is a share of the
        association, one share for all drugs.
    pooling
        Fix the prior correlation between drugs of direct effect, interaction and bias: 0 pools nothing, 1 all; estimated by default.
    informed
        Mean and SD of ``therapy``, ``belief`` or ``course`` from where they were randomised: :func:`pillprocess.outside_evidence`.
    prior_bias_sd
        SD of each drug's bias, in correlations.
    prior_transport_sd
        SD of the difference between a term here and elsewhere.
    prior_causal_share
        Beta prior of the share where ``confounding="proportional"``.
    prior_drug_sd, prior_interaction_sd
        SDs of each drug's direct effect and interaction with therapy, in reference SDs.
    prior_course_sd, prior_waitlist_sd, prior_comparator_sd
        SDs of the zero-mean normal priors of the other terms.
    prior_therapy
        Mean and SD of the therapy term's.
    prior_expectancy_sd
        Of belief (0 to 1).
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
        Half-normal scale of the SDs between trials, and of belief between trials.
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
        Choices out of bounds, participants beside items, or a course informed that the evidence lacks.

    References
    ----------
    Ades & Sutton 2006, doi:10.1111/j.1467-985X.2005.00377.x (multi-parameter evidence synthesis).
    """
    settings = {k: v for k, v in locals().items() if k in inspect.signature(synthesis).parameters}
    settings |= {"terms": sorted(terms), "informed": {k: tuple(map(float, v)) for k, v in (informed or {}).items()}}
    choices = choices_of(settings)
    if isinstance(evidence, Evidence):
        items = synthesis_items(evidence, participants=participants)
    elif participants:
        raise ValueError("these items hold their own participants; give participants to synthesis_items")
    else:
        items = evidence
    check_course(items, choices)
    drugs = drugs_of(items)
    experience = experiences_of_items(items)
    dimensions = list(dict.fromkeys(experience[d] for d in drugs))
    of_drug = np.array([dimensions.index(experience[d]) for d in drugs])
    coords = {
        "drug": drugs, "dimension": dimensions, "instrument": items["instrument"].to_numpy(),
        "term": TERMS, "pooled": POOLED, "but_direct": POOLED[1:],
        "sd": [*TRIAL_SDS.values(), "tau_belief", "tau_zeta"],
        "coefficient": ["tau_a", "psi", "epsilon", "omega", "chi", "mean_zeta", "g_0", "g_placebo", "g_drug", "g_experience"],
    }  # fmt: skip
    with pm.Model(coords=coords) as model:
        for name, values in synthesis_data(items, choices).items():
            pm.Data(name, values)
        has = dict(zip(TERMS, [model["term_in"][i] for i in range(len(TERMS))], strict=True))
        scales = {name: prior_tau_sd for name in (*TRIAL_SDS.values(), "tau_belief")} | {
            "tau_zeta": prior_correlation_tau_sd
        }
        sds = named(pm.HalfNormal("sd_raw", 1, dims="sd") * np.array(list(scales.values())), scales)
        spread = {
            "epsilon": prior_expectancy_sd, "omega": prior_waitlist_sd, "chi": prior_comparator_sd, "mean_zeta": prior_correlation_sd,
            "g_0": prior_belief_sd, "g_placebo": prior_belief_sd, "g_drug": prior_belief_sd, "g_experience": prior_belief_sd,
        }  # fmt: skip
        raw = pm.Normal("coefficient_raw", 0, 1, dims="coefficient")
        z = named(raw[2:] * np.array(list(spread.values())), spread)
        tau_a = pm.Deterministic("tau_a", pt.exp(np.log(prior_tau_a[0]) + prior_tau_a[1] * raw[0]))
        psi = pm.Deterministic("psi", model["therapy_prior"][0] + model["therapy_prior"][1] * raw[1])
        psi, epsilon, omega, chi = has["therapy"] * psi, has["expectancy"] * z["epsilon"], z["omega"], z["chi"]
        fixed = model["pooling_fixed"]
        rho = pm.Uniform("pooling", 0, 1, dims="pooled")
        # Roots of what is free and of what is fixed apart: the root of a mixture has no gradient at a fixed 0 or 1.
        together, apart = (
            (1 - fixed[0]) * pt.sqrt(free) + fixed[0] * pt.sqrt(known)
            for free, known in ((rho, fixed[1]), (1 - rho, 1 - fixed[1]))
        )
        scale = pt.stack(
            [has["drug"] * prior_drug_sd, has["drug:therapy"] * prior_interaction_sd, model["bias_form"][1]]
        )
        in_common, by_drug = scale * together, scale * apart
        common = pm.Normal("common_raw", 0, 1, dims="but_direct")
        own = pm.Normal("own_raw", 0, 1, dims=("but_direct", "drug"))
        but_direct = (in_common[1:] * common)[:, None] + by_drug[1:, None] * own
        interaction, bias = pm.Deterministic("interaction", but_direct[0], dims="drug"), but_direct[1]

        mean_a = pm.Normal("mean_a", 0, prior_experience_sd, dims="dimension")
        a = pm.Deterministic("a", mean_a[of_drug] + tau_a * pm.Normal("a_raw", 0, 1, dims="drug"), dims="drug")
        loading = pm.Beta("loading", *prior_loading, dims="instrument")
        zeta = pm.Deterministic(
            "zeta", z["mean_zeta"] + sds["tau_zeta"] * pm.Normal("zeta_raw", 0, 1, dims="dimension"), dims="dimension"
        )
        fixed, additive = model["share_fixed"], model["bias_form"][0]
        share = (1 - fixed[0]) * pm.Beta("causal_share", *prior_causal_share) + fixed[0] * fixed[1]
        bias_is_free, association = additive * (1 - fixed[0]), pt.tanh(zeta)[of_drug]
        causal = bias_is_free * (association - bias) + (1 - bias_is_free) * share * association
        b = pm.Deterministic("b", has["experience"] * float(items["outcome_sd"]) * causal, dims="drug")

        belief = Belief(z["g_0"], z["g_placebo"], z["g_drug"], z["g_experience"], sds["tau_belief"])
        S = pt.dot(arm_columns(items, drugs)["experience"], a)
        group = blind_groups(items, drugs)[0]
        blind = belief.share(
            belief.probit(items["arm_dose"].to_numpy()[group], items["arm_active_placebo"].to_numpy()[group], S[group])
        )
        course = add_course(items, prior_course_sd, epsilon * belief.share(belief.intercept))
        others = [interaction, a * b, pt.stack([psi, omega, chi, epsilon]), epsilon * blind]
        at_direct, at_others = model["outcome_design"][:, : len(drugs)], model["outcome_design"][:, len(drugs) :]
        left = model["outcome_y"] - pt.dot(at_others, pt.concatenate([*others, course]))
        direct = direct_effects(left, in_common[0], by_drug[0])
        effect = Effect(pt.concatenate([direct, *others]), arm_loadings(items, drugs))
        add_outcomes(items, left - pt.dot(at_direct, direct), sds)
        add_outside(items, psi, epsilon, omega, course)
        add_scores(items, a, tau_a, loading, drugs)
        add_bridges(items, loading)
        add_associations(items, loading, zeta, sds["tau_zeta"], dimensions)
        add_guesses(items, belief, S)
        add_counts(items, effect, sds)
        add_person_arms(
            items, drugs=drugs, dimensions=dimensions, a=a, b=b, direct=direct, interaction=interaction, psi=psi, epsilon=epsilon,
            belief=belief, loading=loading, zeta=zeta, tau_zeta=sds["tau_zeta"], sds=sds, tau_a=tau_a,
        )  # fmt: skip
    stored = {k: v for k, v in settings.items() if k not in ("evidence", "participants")}
    model.items = items.assign_attrs(settings=json.dumps(stored))
    model.compiled_by = compile_synthesis
    return model
