r"""Decomposition of symptom change into course, therapy, expectancy, experience, drug and drug x therapy.

For arm k of trial j, in reference SDs (negative is improvement):

.. math::

    y_{jk} &\sim N(\theta_{jk}, se_{jk}^2) \\
    \theta_{jk} &= \mu_j + (\psi + t_j)\, therapy_{jk} + (\omega + l_j)\, waitlist_{jk} + (\chi + c_j)\, comparator_{jk}
        + (\delta + v_d + u_{jd})\, dose_{jk} \\
        &\quad + (\kappa + w_d / 2)\, dose_{jk}\, therapy_{jk} + \epsilon\, expectancy_{jk} + \beta\, experience_{jk} \\
    v_d &\sim N(0, \tau_{drug}^2), \quad w_d \sim N(0, \tau_{drug}^2), \quad u_{jd} \sim N(0, \tau^2), \quad
        t_j, l_j, c_j \sim N(0, \tau_{context}^2)

Terms are *means*: a set of terms without the drug says that no drug has a mean effect (:math:`\delta = v_d = 0`). What varies
*between trials* is the same for every set of terms: the course, the drug's effect (:math:`u_{jd}`), and the effects of
therapy, waiting list and active comparator wherever a trial randomises them. A term that was asked for stays in the
model with its prior where no trial tried it.

A published difference of two arms is a row without :math:`\mu_j`, whose terms are the differences of the arms' terms; the
differences of one multi-arm trial share the sampling error of the arm they have in common.

Two baselines. ``"free"``: :math:`\mu_j \sim N(0, 10^2)`, so that only within-trial contrasts speak. ``"exchangeable"``:
:math:`\mu_j = \mu_{construct} + m_j`, :math:`m_j \sim N(0, \tau_\mu^2)`, so that differences between trials speak too.
An uncontrolled trial keeps a free baseline under both (``mu_own``) unless ``single_arm="exchangeable"``: it then informs
the drug terms, because the user said so.

This is a Bayesian component network meta-analysis with an interaction (Welton et al. 2009, doi:10.1093/aje/kwp014;
Freeman et al. 2018, doi:10.1002/jrsm.1295).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.decomposition.between_trials import add_course, add_deviations
from pillprocess.decomposition.columns import Columns, design_dataset, differences_covariance
from pillprocess.decomposition.described_rows import check_rows, conditioning, describe_rows
from pillprocess.decomposition.informed import informed_priors, told_elsewhere
from pillprocess.decomposition.small_study import SmallStudy, add_small_study
from pillprocess.decomposition.therapy_amounts import (
    add_therapy_types,
    add_unreported_hours,
    hours_from,
    therapy_amounts,
    untyped,
)
from pillprocess.rows.terms import HEADLINE, check_terms

if TYPE_CHECKING:
    import pymc as pm

Baseline = Literal["exchangeable", "free"]


def decomposition_design(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame | None = None,
    *,
    terms: frozenset[str] | set[str] = HEADLINE,
    baseline: Baseline = "exchangeable",
    single_arm: Literal["own", "exchangeable"] = "own",
    dose_shape: str = "linear",
    therapy_measure: str = "presence",
    small_study: SmallStudy | None = None,
    moderators: pd.DataFrame | None = None,
    informed: Mapping[str, tuple[float, float]] | None = None,
    prior_transport_sd: float = 0.3,
    prior_drug_sd: float = 0.7,
    prior_therapy_sd: float = 0.7,
    prior_therapy_type_sd: float | None = None,
    prior_course_sd: float = 5.0,
    prior_waitlist_sd: float = 0.7,
    prior_comparator_sd: float = 0.7,
    prior_expectancy_sd: float = 0.5,
    prior_experience_sd: float = 0.5,
    prior_interaction_sd: float = 0.35,
    prior_free_baseline_sd: float = 10.0,
    prior_small_study_sd: float | None = None,
    prior_moderator_sd: float = 0.35,
    prior_tau: Literal["halfnormal", "invgamma"] = "halfnormal",
    prior_tau_sd: float = 0.5,
    prior_tau_shape: float = 1.62,
    prior_tau_rate: float = 0.45,
) -> xr.Dataset:
    """Describe the decomposition as labelled arrays, without PyMC.

    Parameters
    ----------
    arms
        Rows of :func:`pillprocess.arm_changes`.
    contrasts
        Rows of :func:`pillprocess.contrasts`, from other trials than ``arms``.
    terms
        Names from ``pillprocess.TERMS``; ``HYPOTHESES`` holds the sets the review contrasts, ``HEADLINE`` (the default)
        the terms every arm reports. Course, waiting list and active comparator are always in.
    baseline, single_arm
        See the module's docstring.
    dose_shape
        ``"linear"``, ``"log"`` or ``"emax"``, each 1 at the reference dose; ``"emax:0.25"`` has its half-maximal dose at a quarter of it.
    therapy_measure
        ``"presence"`` (0/1) or ``"hours"`` outside dosing days, saturating. Hours that are not reported have a prior, learned
        from the rows with the same ``therapy_type`` (:mod:`pillprocess.decomposition.therapy_amounts`): the rows' coordinate
        ``therapy_hours_from`` says where theirs come from.
    small_study
        ``"pet"``, ``"peese"``, ``"pet_size"`` or ``"peese_size"``: let small trials exaggerate the difference of drug and control
        (:mod:`pillprocess.decomposition.small_study`); the drug effect is then that of a trial of infinite size.
    moderators
        A row per trial (its index) and a column per property of trials that may change the drug's effect: each adds a
        coefficient of its name times the property times the dose. A trial without a row has 0.
    informed
        Mean and SD of ``therapy`` or ``belief`` from trials of other treatments that randomised it, such as
        ``outside_evidence(("therapy", "belief"))``; see :mod:`pillprocess.decomposition.informed`.
    prior_transport_sd
        Root mean square of the difference between such a term here and there.
    prior_drug_sd, prior_therapy_sd, prior_waitlist_sd, prior_comparator_sd
        SDs of the zero-mean normal priors of the main terms, in reference SDs.
    prior_therapy_type_sd
        Let therapy enter by ``therapy_type``: each type's effect is psi + psi_type, psi_type ~ N(0, prior_therapy_type_sd^2), in
        reference SDs. The SD is fixed here; :func:`pillprocess.therapy_types` learns it. By default all types are one.
    prior_course_sd
        The same for the course of a construct. It is wide, so that the data overwhelm it: a prior that pulls the course of
        the control arms to 0 hands what it takes to the therapy.
    prior_expectancy_sd, prior_experience_sd, prior_interaction_sd
        SDs per unit of belief (0 to 1), per SD of experience, and of drug x therapy.
    prior_free_baseline_sd
        SD of a free trial baseline.
    prior_small_study_sd
        SD of the common slope, 1 (PET) or 3 (PEESE) by default; of each drug's deviation from it half of that. The slope's prior
        is normal in closed form; the sampler keeps only the half that exaggerates.
    prior_moderator_sd
        SD of the prior of each moderator's coefficient.
    prior_tau, prior_tau_sd, prior_tau_shape, prior_tau_rate
        Prior of every heterogeneity SD: half-normal with ``prior_tau_sd``, or inverse-gamma on the variance.

    Returns
    -------
    Dataset with ``y`` (row), ``covariance`` (row, ``row_``), ``X`` (row, coefficient), ``Z`` (row, effect), priors and labels.

    Raises
    ------
    ValueError
        Unknown terms, baseline, dose shape, small-study term, outside term or prior; blank or non-finite values; a trial in both
        tables; duplicated rows; therapy without its type where it enters by type; differences of one trial that follow from one another.

    References
    ----------
    Torrado Pacheco & Moghaddam, J Clin Invest 2024;134(12):e180217, doi:10.1172/JCI180217.
    Rhodes et al. 2015, doi:10.1016/j.jclinepi.2014.08.012 (inverse-gamma prior of heterogeneity).

    Examples
    --------
    >>> import pillprocess as pp
    >>> evidence = pp.load_evidence()
    >>> arms = pp.arm_changes(evidence)
    >>> contrasts = pp.contrasts(evidence, besides=arms)
    >>> design = pp.decomposition_design(arms, contrasts)
    >>> design.attrs["terms"]
    ['drug', 'drug:therapy', 'therapy']
    >>> design["X"].dims
    ('row', 'coefficient')
    """
    terms = check_terms(terms)
    if baseline not in ("exchangeable", "free"):
        raise ValueError(f"baseline = {baseline!r}; it must be 'exchangeable' or 'free'")
    if single_arm not in ("own", "exchangeable"):
        raise ValueError(f"single_arm = {single_arm!r}; it must be 'own' or 'exchangeable'")
    if prior_tau not in ("halfnormal", "invgamma"):
        raise ValueError(f"prior_tau = {prior_tau!r}; it must be 'halfnormal' or 'invgamma'")
    rows = pd.concat([arms] if contrasts is None else [arms, contrasts], ignore_index=True)
    if rows.empty:
        raise ValueError("nothing was fitted: there are no rows")
    check_rows(rows, arms, contrasts, terms)
    own_sd = {"therapy": prior_therapy_sd, "belief": prior_expectancy_sd}
    priors = informed_priors(informed, terms, prior_transport_sd, own_sd)
    amounts = therapy_amounts(rows, dose_shape, therapy_measure)
    described = describe_rows(rows, amounts)
    drugs = sorted(set(described.loc[described["dose"] != 0, "drug_given"]))
    columns = Columns(len(rows))
    add_course(columns, rows, baseline, single_arm, prior_course_sd, prior_free_baseline_sd)
    columns.coefficient("omega", "", "", "waitlist", described["waitlist"], prior_waitlist_sd)
    columns.coefficient("chi", "", "", "comparator", described["comparator"], prior_comparator_sd)
    if "therapy" in terms:
        mean, sd = priors["therapy"]
        columns.coefficient("psi", "", "", "therapy", described["therapy"], sd, prior_mean=mean, kept=True)
        if prior_therapy_type_sd is not None:
            if not 0 < prior_therapy_type_sd < np.inf:
                raise ValueError(
                    f"prior_therapy_type_sd = {prior_therapy_type_sd}; it must be > 0, or None for one therapy"
                )
            if problems := untyped(amounts, rows):
                raise ValueError("therapy cannot enter by type:\n" + "\n".join(problems))
            add_therapy_types(columns, amounts, prior_therapy_type_sd)
        sd = float(np.hypot(prior_therapy_sd, prior_therapy_type_sd or 0.0))
        add_unreported_hours(columns, amounts, sd, prior_interaction_sd if "drug:therapy" in terms else None)
    if "expectancy" in terms:
        mean, sd = priors["belief"]
        columns.coefficient("epsilon", "", "", "expectancy", described["expectancy"], sd, prior_mean=mean, kept=True)
    if "experience" in terms:
        columns.coefficient("beta", "", "", "experience", described["experience"], prior_experience_sd, kept=True)
    if "drug" in terms and drugs:
        columns.coefficient("delta", "", "", "drug", described["dose"], prior_drug_sd)
        for drug in drugs:
            given = described["drug_given"] == drug
            columns.effect("v", "drug", drug, "drug", described["dose"] * given, "tau_drug", mean="delta")
    if "drug:therapy" in terms and drugs:
        both = described["dose_therapy"]
        columns.coefficient("kappa", "", "", "drug:therapy", both, prior_interaction_sd, kept=True)
        for drug in drugs:
            half = 0.5 * both * (described["drug_given"] == drug)
            columns.effect("w", "drug", drug, "drug:therapy", half, "tau_drug", mean="kappa", kept=True)
    if small_study is not None:
        add_small_study(columns, rows, drugs, small_study, prior_small_study_sd)
    if moderators is not None:
        for name in moderators.columns:
            amount = rows["trial"].map(moderators[name]).fillna(0.0)
            columns.coefficient(str(name), "", "", "drug", described["dose"] * amount, prior_moderator_sd, kept=True)
    add_deviations(columns, rows, described)

    family, a, b = (
        ("halfnormal", prior_tau_sd, 0.0)
        if prior_tau == "halfnormal"
        else ("invgamma", prior_tau_shape, prior_tau_rate)
    )
    unit = rows["unit"].iloc[0]
    design = design_dataset(
        rows, columns, differences_covariance(rows), (family, a, b),
        attrs={
            "model": "decomposition", "terms": sorted(terms), "baseline": baseline, "single_arm": single_arm,
            "dose_shape": dose_shape, "therapy_measure": therapy_measure,
            "conditioning": conditioning(rows, terms), **({"small_study": small_study, "one_sided": ["gamma"]} if small_study else {}),
            **({"informed": told_elsewhere(informed, prior_transport_sd, own_sd)} if informed else {}),
            "outcome": "change in reference SD" if unit == "sd" else f"change in points of {rows['instrument'].iloc[0]}",
        },
    )  # fmt: skip
    return (
        design.assign_coords(therapy_hours_from=("row", hours_from(amounts, rows)))
        if therapy_measure == "hours"
        else design
    )


def decomposition(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame | None = None,
    *,
    terms: frozenset[str] | set[str] = HEADLINE,
    baseline: Baseline = "exchangeable",
    single_arm: Literal["own", "exchangeable"] = "own",
    dose_shape: str = "linear",
    therapy_measure: str = "presence",
    small_study: SmallStudy | None = None,
    prior_tau: Literal["halfnormal", "invgamma"] = "halfnormal",
    prior_tau_sd: float = 0.5,
) -> "pm.Model":
    """Build the decomposition as a PyMC model.

    The parameters are those of :func:`decomposition_design`, which also takes the priors of the terms:
    ``gaussian_model(decomposition_design(arms, prior_drug_sd=1.0))`` is the model with another prior.

    Parameters
    ----------
    arms, contrasts
        Rows of the model, from :func:`pillprocess.arm_changes` and :func:`pillprocess.contrasts`.
    terms, baseline, single_arm, dose_shape, therapy_measure, small_study
        What the expected change of an arm is made of.
    prior_tau, prior_tau_sd
        Prior of every heterogeneity SD, in the unit of ``arms``.

    Returns
    -------
    ``pm.Model`` whose observed variable is ``y`` (row); ``model.design`` is the description it was built from.
    """
    from pillprocess.gaussian.model import gaussian_model

    return gaussian_model(
        decomposition_design(
            arms, contrasts, terms=terms, baseline=baseline, single_arm=single_arm, dose_shape=dose_shape,
            therapy_measure=therapy_measure, small_study=small_study, prior_tau=prior_tau, prior_tau_sd=prior_tau_sd,
        )
    )  # fmt: skip
