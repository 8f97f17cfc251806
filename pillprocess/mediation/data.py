"""What a fit of the mediation model must carry so that its effects can be computed from it alone."""

import numpy as np
import pandas as pd
import pymc as pm

from pillprocess.mediation.choices import FAMILIES
from pillprocess.mediation.sufficient import Standardised
from pillprocess.participants.coding import single_arm_trials
from pillprocess.participants.table import Participants

MOST_PROFILES = 2000
"""Covariate profiles over which effects of binary families are averaged; more are thinned, evenly over the rows."""


def add_constants(
    people: Participants,
    data: Standardised,
    *,
    family_mediator: str,
    family_outcome: str,
    groups: np.ndarray | None = None,
    controls: np.ndarray | None = None,
) -> None:
    """Register constant data of the model in context.

    Dims: ``level`` is the reference and the active arms, ``source`` the covariates as the user named them, ``profile`` a
    combination of covariates (and, with several trials or clusters, one of these).

    Parameters
    ----------
    groups
        Trial and clusters of each group that ``data.trial`` numbers, (group, grouping); None without clusters.
    controls
        Rows of those without the outcome, where people were sampled by it.
    """
    model = pm.modelcontext(None)
    compared = ~people.trial.isin(single_arm_trials(people.treatment, people.trial)).to_numpy()
    X, M, y = (
        people.covariates[compared],
        people.mediators[list(model.coords["mediator"])][compared],
        people.outcome[compared],
    )
    levels = [people.reference, *people.treatment.columns]
    arm = people.arm[compared]
    by_arm = [arm == level if (arm == level).any() else pd.Series(True, index=arm.index) for level in levels]
    sources = list(dict.fromkeys(people.covariate_source))
    model.add_coords(
        {"level": levels, "outcome": [str(people.outcome.name)], "source": sources, "covariate_other": list(X.columns)}
    )
    pm.Data("n", [int(rows.sum()) for rows in by_arm], dims="level")
    pm.Data("mediator_mean", np.array([M[rows].mean() for rows in by_arm]), dims=("level", "mediator"))
    pm.Data("mediator_sd", np.array([M[rows].std() for rows in by_arm]), dims=("level", "mediator"))
    pm.Data("mediator_within_sd", data.m_sd, dims="mediator")
    pm.Data("mediator_variance", M.var(ddof=0).to_numpy(), dims="mediator")
    pm.Data("outcome_mean", [float(y[rows].mean()) for rows in by_arm], dims="level")
    pm.Data("outcome_within_sd", [data.y_sd], dims="outcome")
    pm.Data("outcome_variance", [float(y.var(ddof=0))], dims="outcome")
    pm.Data("covariate_mean", X.mean().to_numpy(), dims="covariate")
    pm.Data("covariate_covariance", _given_treatment(people, compared), dims=("covariate", "covariate_other"))
    belongs = [[float(people.covariate_source[x] == s) for x in X.columns] for s in sources]
    pm.Data("covariate_belongs", np.array(belongs).reshape(len(sources), X.shape[1]), dims=("source", "covariate"))
    pm.Data("family_mediator", FAMILIES.index(family_mediator))
    pm.Data("family_outcome", FAMILIES.index(family_outcome))
    pm.Data("higher_is_worse", int(people.higher_is_worse))
    if controls is not None:
        pm.Data("case_control", 1.0)
        pm.Data("covariate_mean_controls", people.covariates.iloc[controls].mean().to_numpy(), dims="covariate")
    if people.event is not None:
        pm.Data("time_end", float(people.outcome.max()))
    if groups is not None:
        model.add_coords({"grouping": ["trial", *people.clusters.columns], "group": range(len(groups))})
        pm.Data("group_members", groups, dims=("group", "grouping"))
    moderated = bool(people.treatment_moderators or people.mediator_moderators)
    if moderated or family_mediator != "gaussian" or family_outcome != "gaussian":
        _add_profiles(X, data.trial[compared])


def _given_treatment(people: Participants, compared: np.ndarray) -> np.ndarray:
    """Covariance of the covariates given treatment and trial, (covariate, covariate)."""
    trial = people.trial[compared]
    X = people.covariates[compared].to_numpy(float)
    T = people.treatment[compared].to_numpy(float)
    both = pd.DataFrame(np.hstack([T, X]), index=trial.index)
    centred = (both - both.groupby(trial).transform("mean")).to_numpy()
    T, X = centred[:, : T.shape[1]], centred[:, T.shape[1] :]
    residual = X - T @ np.linalg.lstsq(T, X, rcond=None)[0]
    return np.asarray(residual.T @ residual / len(residual))


def _add_profiles(X: pd.DataFrame, trial: np.ndarray) -> None:
    """Register the distinct covariate profiles of each trial and the share of participants who have each."""
    keys = np.column_stack([trial, X.to_numpy(float)])
    if len(keys) > MOST_PROFILES:
        keys = keys[np.linspace(0, len(keys) - 1, MOST_PROFILES).astype(int)]
    profiles, count = np.unique(keys, axis=0, return_counts=True)
    model = pm.modelcontext(None)
    model.add_coord("profile", range(len(profiles)))
    pm.Data("profile_covariates", profiles[:, 1:], dims=("profile", "covariate"))
    pm.Data("profile_trial", profiles[:, 0].astype(int), dims="profile")
    pm.Data("profile_weight", count / count.sum(), dims="profile")
