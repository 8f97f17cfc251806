"""Likelihood of the recursion row by row, for families that have no sufficient statistics."""

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.choices import BINARY, HAZARDS, LINKED, ORDINAL
from pillprocess.mediation.families import rows
from pillprocess.mediation.floor import on_the_floor
from pillprocess.mediation.recursion import Recursion, Shared
from pillprocess.mediation.sufficient import Standardised
from pillprocess.mediation.zero_part import zero_predictor


def add_rows(
    p: Recursion, shared: Shared, data: Standardised, *, family_mediator: str, family_outcome: str, people: pd.Index,
    mediators: list[str], measured: np.ndarray | None = None, event: np.ndarray | None = None, floor: float | None = None,
) -> None:  # fmt: skip
    """Add the observed mediators ``M`` and outcomes ``Y`` of every participant to the model in context.

    A missing continuous mediator is a latent variable; a missing binary one is summed over its two values. A missing
    outcome adds nothing. A mediator of clusters is observed once in each: ``measured`` says on whose row.
    Those who sit on the mediator's ``floor`` (in its units) add the density of lying at or below it. The values are the model's data
    ``M_value`` and ``Y_value``, which can be replaced.
    """
    model = pm.modelcontext(None)
    missing = np.isnan(data.M)
    binary = family_mediator in BINARY
    useful = ~np.isnan(data.y)[:, None] | (~missing[:, ::-1]).cumsum(axis=1)[:, ::-1].astype(bool)
    latent = np.argwhere((missing & useful).T) if not binary else np.zeros((0, 2), int)
    labels = np.array([[f"{person} {m}" for m in mediators] for person in people], dtype=object)
    z = None
    if len(latent):
        model.add_coord("missing_mediator", labels[latent[:, 1], latent[:, 0]])
        z = pm.Normal("M_missing_raw", 0, 1, dims="missing_mediator")
    T, j = data.T, data.trial
    low = np.zeros(len(T), bool)
    bottom = -np.inf if floor is None else float((floor - data.m_mean[0]) / data.m_sd[0])
    if floor is not None:
        low = ~missing[:, 0] & (data.M[:, 0] <= bottom + 1e-9)
    seen = [np.flatnonzero(~missing[:, q] & ~low) for q in range(len(mediators))]
    level = T.astype(int) @ np.arange(1, T.shape[1] + 1)
    s = [p.s[q] if shared.sigma_level is None else shared.sigma_level[level] for q in range(len(mediators))]
    seen = seen if measured is None else [measured]
    M_value = np.concatenate([data.M[who, q] for q, who in enumerate(seen)])
    if binary:
        M_value = np.round(M_value * data.m_sd[0] + data.m_mean[0])
    model.add_coord("mediator_value", np.concatenate([labels[who, q] for q, who in enumerate(seen)]))
    M_data = pm.Data("M_value", M_value, dims="mediator_value")
    M_seen = (M_data - data.m_mean[0]) / data.m_sd[0] if binary else M_data
    X_a = None if p.a_x is None else pt.tensordot(p.a_x, data.X, [[2], [1]])  # mediator, arm, person
    ends = np.cumsum([0, *(len(who) for who in seen)])
    M: list[TensorVariable] = []
    eta = []
    for q in range(len(mediators)):
        mean = p.alpha_m[j, q] + pt.sum(p.a[j, q] * T, axis=1) + pt.dot(data.X, p.gamma_m[q])
        if X_a is not None:
            mean = mean + pt.sum(X_a[q].T * T, axis=1)
        mean = mean + sum(p.D[q, r] * M[r] for r in range(q))
        eta.append(mean)
        filled = pt.zeros(len(T))[seen[q]].set(M_seen[ends[q] : ends[q + 1]])
        filled = filled if measured is None else pt.as_tensor(data.M[:, q])
        here = np.flatnonzero(latent[:, 0] == q)
        if z is not None and len(here):
            who = latent[here, 1]
            filled = filled[who].set(mean[who] + (s[q] if shared.sigma_level is None else s[q][who]) * z[here])
        M.append(filled)
    M_eta = pt.concatenate([eta[q][who] for q, who in enumerate(seen)])
    M_sd = None if binary else pt.concatenate([(pt.ones(len(T)) * s[q])[who] for q, who in enumerate(seen)])
    model.register_rv(rows(family_mediator, M_eta, M_sd, shared.nu_m), "M", observed=M_data, dims=("mediator_value",))

    def outcome_eta(who: np.ndarray, values: list[TensorVariable]) -> TensorVariable:
        offset = data.y_mean if family_outcome in LINKED else 0.0
        mean = offset + p.alpha_y[j[who]] + pt.sum(p.c[j[who]] * T[who], axis=1) + pt.dot(data.X[who], p.gamma_y)
        if p.c_x is not None:
            mean = mean + pt.sum(pt.dot(data.X[who], p.c_x.T) * T[who], axis=1)
        for q, value in enumerate(values):
            slope = p.b[j[who], q] if p.theta is None else p.b[j[who], q] + pt.dot(T[who], p.theta[q])
            slope = slope if p.b_x is None else slope + pt.dot(data.X[who], p.b_x[q])
            mean = mean + slope * value
        return mean

    with_outcome = ~np.isnan(data.y)
    split = with_outcome & missing[:, 0] if binary else np.zeros_like(with_outcome)
    if low.any():
        who = np.flatnonzero(low)
        at_zero, at_one = (outcome_eta(who, [pt.full((len(who),), m)]) for m in (0.0, 1.0))
        of_m = (pt.ones(len(T)) * s[0])[who]
        floored = on_the_floor(bottom, eta[0][who], of_m, data.y[who], at_zero, at_one - at_zero, p.sigma_y)
        pm.Potential("on_the_floor", floored)
    who = np.flatnonzero(with_outcome & ~split & ~low)
    model.add_coord("outcome_value", people[who])
    seen_event = np.zeros(len(T)) if event is None else np.nan_to_num(event)
    known = seen_event[who] if event is None else pm.Data("Y_event", seen_event[who], dims="outcome_value")
    own = [m[who] for m in M]
    zero = None if shared.zero is None else zero_predictor(shared.zero, T[who], data.X[who], own)
    Y = rows(family_outcome, outcome_eta(who, own), p.sigma_y, shared.nu_y, known, zero)
    y = np.where(with_outcome, data.y, 0).astype(int) if family_outcome in (*ORDINAL, *HAZARDS) else data.y
    model.register_rv(Y, "Y", observed=pm.Data("Y_value", y[who], dims="outcome_value"), dims=("outcome_value",))
    who = np.flatnonzero(split)
    if len(who):
        terms = []
        for value in (0.0, 1.0):
            m = pt.full((len(who),), (value - data.m_mean[0]) / data.m_sd[0])
            chance = pm.logp(rows(family_mediator, eta[0][who], None, None), np.full(len(who), value))
            zero = None if shared.zero is None else zero_predictor(shared.zero, T[who], data.X[who], [m])
            outcome = rows(family_outcome, outcome_eta(who, [m]), p.sigma_y, shared.nu_y, seen_event[who], zero)
            terms.append(chance + pm.logp(outcome, y[who]))
        pm.Potential("Y_without_M", pt.sum(pt.logaddexp(*terms)))
