r"""Decomposition of symptom change into course, therapy, expectancy, experience, drug and drug x therapy.

For arm k of trial j, in reference SDs (negative is improvement):

.. math::

    y_{jk} &\sim N(\theta_{jk}, se_{jk}^2) \\
    \theta_{jk} &= \mu_j + \psi\, therapy_{jk} + \omega\, waitlist_{jk} + \chi\, comparator_{jk}
        + (\delta + v_d + u_{jd})\, dose_{jk} + (\kappa + w_d / 2)\, dose_{jk}\, therapy_{jk} \\
        &\quad + \epsilon\, expectancy_{jk} + \beta\, experience_{jk} \\
    v_d &\sim N(0, \tau_{drug}^2), \quad w_d \sim N(0, \tau_{drug}^2), \quad u_{jd} \sim N(0, \tau^2)

A published difference of two arms is a row without :math:`\mu_j`, whose terms are the differences of the arms' terms; the
differences of one multi-arm trial share the sampling error of the arm they have in common.

Two baselines. ``"free"``: :math:`\mu_j \sim N(0, 10^2)`, so that only within-trial contrasts speak. ``"exchangeable"``:
:math:`\mu_j = \mu_{construct} + m_j`, :math:`m_j \sim N(0, \tau_\mu^2)`, so that differences between trials speak too.
An uncontrolled trial keeps a free baseline under both (``mu_own``) unless ``single_arm="exchangeable"``: it then informs
the drug terms, because the user said so.

This is a Bayesian component network meta-analysis with an interaction (Welton et al. 2009, doi:10.1093/aje/kwp014;
Freeman et al. 2018, doi:10.1002/jrsm.1295).
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.decomposition.columns import Columns, design_dataset, differences_covariance
from pillprocess.rows.terms import HEADLINE, REPORTED, check_terms, dose_curve, therapy_curve

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
    prior_drug_sd: float = 0.7,
    prior_therapy_sd: float = 0.7,
    prior_course_sd: float = 0.7,
    prior_waitlist_sd: float = 0.7,
    prior_comparator_sd: float = 0.7,
    prior_expectancy_sd: float = 0.5,
    prior_experience_sd: float = 0.5,
    prior_interaction_sd: float = 0.35,
    prior_free_baseline_sd: float = 10.0,
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
        ``"linear"``, ``"log"`` or ``"emax"``, each 1 at the reference dose.
    therapy_measure
        ``"presence"`` (0/1) or ``"hours"`` outside dosing days, saturating.
    prior_drug_sd, prior_therapy_sd, prior_course_sd, prior_waitlist_sd, prior_comparator_sd
        SDs of the zero-mean normal priors of the main terms, in reference SDs.
    prior_expectancy_sd, prior_experience_sd, prior_interaction_sd
        SDs per unit of belief (0 to 1), per SD of experience, and of drug x therapy.
    prior_free_baseline_sd
        SD of a free trial baseline.
    prior_tau, prior_tau_sd, prior_tau_shape, prior_tau_rate
        Prior of every heterogeneity SD: half-normal with ``prior_tau_sd``, or inverse-gamma on the variance.

    Returns
    -------
    Dataset with ``y`` (row), ``covariance`` (row, row_), ``X`` (row, coefficient), ``Z`` (row, effect), priors and labels.

    Raises
    ------
    ValueError
        Unknown terms, baseline, dose shape or prior; blank or non-finite values; a trial in both tables; duplicated rows;
        differences of one trial that follow from one another.

    References
    ----------
    Torrado Pacheco & Moghaddam, J Clin Invest 2024;134(12):e180217, doi:10.1172/JCI180217.
    Rhodes et al. 2015, doi:10.1016/j.jclinepi.2014.08.012 (inverse-gamma prior of heterogeneity).
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
    _check_rows(rows, arms, contrasts, terms)
    described = _with_references(rows, dose_shape, therapy_measure)
    is_arm = (rows["kind"] == "arm").to_numpy()
    columns = Columns(len(rows))

    count = rows[is_arm].groupby("trial")["trial"].transform("size").reindex(rows.index, fill_value=0)
    uncontrolled = is_arm & (count == 1).to_numpy()
    if baseline == "free":
        for trial in dict.fromkeys(rows.loc[is_arm, "trial"]):
            columns.coefficient(
                "mu", "trial", trial, "course", (rows["trial"] == trial) & is_arm, prior_free_baseline_sd
            )
    else:
        own = uncontrolled if single_arm == "own" else np.zeros(len(rows), bool)
        pooled = is_arm & ~own
        for construct in sorted(set(rows.loc[pooled, "construct"])):
            columns.coefficient(
                "mu_construct",
                "construct",
                construct,
                "course",
                pooled & (rows["construct"] == construct),
                prior_course_sd,
            )
        for trial in dict.fromkeys(rows.loc[pooled, "trial"]):
            columns.effect("m", "trial", trial, "course", (rows["trial"] == trial) & pooled, "tau_mu")
        for trial in dict.fromkeys(rows.loc[own, "trial"]):
            columns.coefficient(
                "mu_own", "uncontrolled_trial", trial, "course", rows["trial"] == trial, prior_free_baseline_sd
            )

    columns.coefficient("omega", "", "", "waitlist", described["waitlist"], prior_waitlist_sd)
    columns.coefficient("chi", "", "", "comparator", described["comparator"], prior_comparator_sd)
    if "therapy" in terms:
        columns.coefficient("psi", "", "", "therapy", described["therapy"], prior_therapy_sd)
    if "expectancy" in terms:
        columns.coefficient("epsilon", "", "", "expectancy", described["expectancy"], prior_expectancy_sd)
    if "experience" in terms:
        columns.coefficient("beta", "", "", "experience", described["experience"], prior_experience_sd)
    if "drug" in terms:
        drugs = sorted(set(described.loc[described["dose"] != 0, "drug_given"]))
        columns.coefficient("delta", "", "", "drug", described["dose"], prior_drug_sd)
        for drug in drugs:
            columns.effect("v", "drug", drug, "drug", described["dose"] * (described["drug_given"] == drug), "tau_drug")
        for trial, drug in dict.fromkeys(zip(rows["trial"], described["drug_given"], strict=True)):
            here = (rows["trial"] == trial) & (described["drug_given"] == drug)
            columns.effect("u", "trial_drug", f"{trial}: {drug}", "drug", described["dose"] * here, "tau")
    if "drug:therapy" in terms:
        columns.coefficient("kappa", "", "", "drug:therapy", described["dose_therapy"], prior_interaction_sd)
        for drug in drugs:
            given = described["drug_given"] == drug
            columns.effect("w", "drug", drug, "drug:therapy", 0.5 * described["dose_therapy"] * given, "tau_drug")

    family, a, b = (
        ("halfnormal", prior_tau_sd, 0.0)
        if prior_tau == "halfnormal"
        else ("invgamma", prior_tau_shape, prior_tau_rate)
    )
    unit = rows["unit"].iloc[0]
    return design_dataset(
        rows, columns, differences_covariance(rows), (family, a, b),
        attrs={
            "model": "decomposition", "terms": sorted(terms), "baseline": baseline, "single_arm": single_arm,
            "dose_shape": dose_shape, "therapy_measure": therapy_measure,
            "conditioning": _conditioning(rows, terms),
            "outcome": "change in reference SD" if unit == "sd" else f"change in points of {rows['instrument'].iloc[0]}",
        },
    )  # fmt: skip


def decomposition(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame | None = None,
    *,
    terms: frozenset[str] | set[str] = HEADLINE,
    baseline: Baseline = "exchangeable",
    single_arm: Literal["own", "exchangeable"] = "own",
    dose_shape: str = "linear",
    therapy_measure: str = "presence",
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
    terms, baseline, single_arm, dose_shape, therapy_measure
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
            therapy_measure=therapy_measure, prior_tau=prior_tau, prior_tau_sd=prior_tau_sd,
        )
    )  # fmt: skip


def _conditioning(rows: pd.DataFrame, terms: frozenset[str]) -> str:
    """What the outcome is modelled given: guesses reported after dosing are more than the treatment."""
    if "expectancy" in terms and (rows["expectancy_from"] == REPORTED).any():
        return "treatment and reported guesses"
    return "treatment"


TERM_COLUMNS = ["dose", "therapy", "waitlist", "comparator", "expectancy", "experience"]


def _with_references(rows: pd.DataFrame, dose_shape: str, therapy_measure: str) -> pd.DataFrame:
    """Each row's terms; for a contrast, the first arm's minus the reference's."""
    is_contrast = (rows["kind"] == "contrast").to_numpy()
    if therapy_measure == "hours" and is_contrast.any():
        raise ValueError("therapy_measure='hours' needs arm rows: contrasts do not carry the hours of both arms")
    table = rows[TERM_COLUMNS].astype(float)
    table["dose"] = dose_curve(table["dose"].to_numpy(), dose_shape)
    table["therapy"] = therapy_curve(rows, therapy_measure)
    table["dose_therapy"] = table["dose"] * table["therapy"]
    if is_contrast.any():
        reference = rows[[f"reference_{c}" for c in TERM_COLUMNS]].astype(float).set_axis(TERM_COLUMNS, axis=1)
        reference["dose"] = dose_curve(reference["dose"].to_numpy(), dose_shape)
        reference["dose_therapy"] = reference["dose"] * reference["therapy"]
        table = table - reference[table.columns].mul(is_contrast, axis=0).fillna(0.0)
    return table.assign(drug_given=rows["drug_given"].to_numpy())


def _check_rows(rows: pd.DataFrame, arms: pd.DataFrame, contrasts: pd.DataFrame | None, terms: frozenset[str]) -> None:
    """Raise one error that lists every row that cannot be modelled."""
    problems = []
    if contrasts is not None:
        both = sorted(set(arms["trial"]) & set(contrasts["trial"]))
        problems += [
            f"trial '{t}' is among the arms and the contrasts; use contrasts(evidence, besides=arms)" for t in both
        ]
    if rows["unit"].nunique() > 1:
        problems.append("rows in SD units and in points together; use one unit")
    for label in rows.loc[rows["label"].duplicated(), "label"]:
        problems.append(f"{label}: the row is there twice")
    needed = [c for c in TERM_COLUMNS if c not in ("expectancy", "experience") or c in terms]
    reference = [f"reference_{c}" for c in needed] if contrasts is not None else []
    for column in ["y", "se", *needed, *reference]:
        bad = ~np.isfinite(rows[column].astype(float))
        if column in reference:
            bad &= rows["kind"] == "contrast"
        problems += [f"{label}: {column} is blank or not finite" for label in rows.loc[bad, "label"]]
    problems += [
        f"{label}: se = {se:g}; a standard error must be > 0"
        for label, se in zip(rows["label"], rows["se"], strict=True)
        if se <= 0
    ]
    if problems:
        raise ValueError("nothing was fitted:\n" + "\n".join(problems))
