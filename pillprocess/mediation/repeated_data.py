"""Participants with visits in SD units, and what a fit of their model must carry so that effects follow from it alone."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pymc as pm

from pillprocess.inference.refit import constants
from pillprocess.mediation.data import add_constants
from pillprocess.mediation.sufficient import standardise, within_sd
from pillprocess.participants.followup import FollowUp

FAMILIES = ("family_mediator", "family_outcome")


@dataclass(frozen=True)
class RepeatedUnits:
    """Participants in SD units: centred at the mean (the outcome at that of each visit), divided by the pooled within-arm SD.

    Attributes
    ----------
    T, X, M, Y
        Treatment (participant, arm), covariates, mediators and outcomes (participant, visit); missing stays NaN.
    x_mean, x_sd, m_mean, m_sd, y_mean, y_sd
        What was subtracted and divided by; ``y_mean`` by visit.
    """

    T: np.ndarray
    X: np.ndarray
    M: np.ndarray
    Y: np.ndarray
    x_mean: np.ndarray
    x_sd: np.ndarray
    m_mean: np.ndarray
    m_sd: np.ndarray
    y_mean: np.ndarray
    y_sd: float


def repeated_units(followup: FollowUp) -> RepeatedUnits:
    """Centre and scale; all visits are divided by one SD, pooled within visit and arm."""
    people = followup.people
    base = standardise(
        people, mediators=[str(m) for m in people.mediators], binary_mediator=False, binary_outcome=False
    )
    Y = followup.outcomes.to_numpy(float)
    arm = pd.factorize(people.arm)[0]
    cell = arm[:, None] + (arm.max() + 1) * np.arange(Y.shape[1])
    y_mean, y_sd = np.nanmean(Y, axis=0), within_sd(Y.ravel(), cell.ravel())
    return RepeatedUnits(
        T=base.T, X=base.X, M=base.M, Y=(Y - y_mean) / y_sd, x_mean=base.x_mean, x_sd=base.x_sd, m_mean=base.m_mean,
        m_sd=base.m_sd, y_mean=y_mean, y_sd=y_sd,
    )  # fmt: skip


def visit_design(units: RepeatedUnits, *, interaction: bool) -> np.ndarray:
    """Columns (1, T, X, M, T x M arm by arm, Y at every visit) of every participant; missing stays NaN."""
    products = [units.T[:, [k]] * units.M for k in range(units.T.shape[1])] if interaction else []
    return np.hstack([np.ones((len(units.T), 1)), units.T, units.X, units.M, *products, units.Y])


def add_repeated_constants(followup: FollowUp) -> None:
    """Register constant data of the model in context: those of a mediation, and the outcome's by visit."""
    people, model = followup.people, pm.modelcontext(None)
    names = {d: list(v) for d, v in model.coords.items() if d in ("mediator", "arm", "covariate")}
    base = standardise(people, mediators=names["mediator"], binary_mediator=False, binary_outcome=False)
    with pm.Model(coords=names, model=None):  # a model of its own, not part of this one
        add_constants(people, base, family_mediator="gaussian", family_outcome="gaussian")
        single = constants(pm.modelcontext(None))
    levels = [str(level) for level in single["level"].to_numpy()]
    arm = people.arm.astype(str)
    by_arm = [arm == level if (arm == level).any() else pd.Series(True, index=arm.index) for level in levels]
    Y = followup.outcomes
    model.add_coords({str(d): list(v.to_numpy()) for d, v in single.coords.items() if d not in model.coords})
    for name, values in single.data_vars.items():
        if name not in FAMILIES:
            pm.Data(str(name), values.to_numpy(), dims=tuple(map(str, values.dims)))
    pm.Data("visit_time", followup.time.to_numpy(), dims="visit")
    pm.Data("visit_weight", trapezoid_weights(followup.time.to_numpy()), dims="visit")
    pm.Data("visit_n", np.array([Y[rows].notna().sum() for rows in by_arm]), dims=("level", "visit"))
    pm.Data("visit_outcome_mean", np.array([Y[rows].mean() for rows in by_arm]), dims=("level", "visit"))
    pm.Data("visit_outcome_variance", Y.var(ddof=0).to_numpy(), dims="visit")
    cell = pd.factorize(arm)[0]
    average = pd.Series(Y.to_numpy(float) @ trapezoid_weights(followup.time.to_numpy()))  # missing where a visit is
    enough = average.notna().sum() > len(levels)
    pm.Data("average_outcome_variance", float(average.var(ddof=0)))
    pm.Data("average_outcome_within_sd", within_sd(average.to_numpy(), cell) if enough else np.nan)
    pm.Data("visit_outcome_within_sd", np.array([within_sd(y, cell) for y in Y.to_numpy(float).T]), dims="visit")


def trapezoid_weights(time: np.ndarray) -> np.ndarray:
    r"""Weights of the visits in the average over time, :math:`\int y\,dt / (t_V - t_1)` by the trapezium rule; they sum to 1."""
    gap = np.diff(time)
    return (np.append(gap, 0) + np.append(0, gap)) / 2 / gap.sum()
