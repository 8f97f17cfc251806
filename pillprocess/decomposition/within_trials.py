"""What trials compared within themselves: which terms differ between their arms, and which they isolate."""

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.gaussian.held_out import is_contrast


def within_trial_evidence(design: xr.Dataset) -> pd.DataFrame:
    """Say for every pooled term which trials contrast it, which isolate it, and whether all trials together do.

    Returns
    -------
    DataFrame, one row per scalar term: ``variable``, ``trials`` (in which the term differs between arms), ``unconfounded`` (the
    trials that alone estimate it, the other terms left free) and ``estimable`` (whether the within-trial contrasts of all
    trials together do: the term is not in the null space of the arm design).
    """
    is_scalar = design["coefficient_dim"].to_numpy() == ""
    columns = design["X"].isel(coefficient=np.flatnonzero(is_scalar)).to_numpy()
    contrasts = within_trials(columns, design)
    rows = []
    for i, variable in enumerate(design["coefficient_variable"].to_numpy()[is_scalar]):
        carrying = [name for name, within in contrasts.items() if np.abs(within[:, i]).max(initial=0.0) > 1e-9]
        rows.append(
            {
                "variable": str(variable),
                "trials": carrying,
                "unconfounded": [name for name in carrying if separable(contrasts[name], i)],
                "estimable": separable(np.vstack(list(contrasts.values())), i),
            }
        )
    return pd.DataFrame(rows)


def within_trials(columns: np.ndarray, design: xr.Dataset) -> dict[str, np.ndarray]:
    """Each trial's contrasts: arm rows centred on their mean, contrast rows as they are."""
    if not {"kind", "role"} & set(design.coords):
        raise ValueError(
            "the ledger asks what trials compared within themselves, and this design does not say which rows are arms and which are "
            "differences: give gaussian_design role='contrast' for each difference and 'control' or 'active' for each arm"
        )
    trial, contrast = design["trial"].to_numpy(), is_contrast(design)
    out = {}
    for name in dict.fromkeys(trial):
        arms, differences = columns[(trial == name) & ~contrast], columns[(trial == name) & contrast]
        centred = arms - arms.mean(axis=0) if len(arms) > 1 else np.zeros((0, columns.shape[1]))
        out[str(name)] = np.vstack([centred, differences])
    return out


def separable(within: np.ndarray, i: int) -> bool:
    """Whether these contrasts estimate term i with the other terms left free."""
    return spans(within, np.eye(within.shape[1])[i])


def spans(within: np.ndarray, target: np.ndarray) -> bool:
    """Whether a combination of the terms lies in the row space of the contrasts."""
    if not len(within):
        return False
    fitted = within.T @ np.linalg.lstsq(within.T, target, rcond=1e-9)[0]
    return bool(np.allclose(fitted, target, atol=1e-8))
