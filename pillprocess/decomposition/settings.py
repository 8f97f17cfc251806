"""Which settings the trials tried: an effect in a setting that no trial tried is carried over, and every table says so."""

import numpy as np
import xarray as xr

OWN = "own trials"
CARRIED = "carried over from other drugs"
PRIOR = "carried over: no trial, the prior alone"


def tried_settings(design: xr.Dataset) -> dict[tuple[str, float], int]:
    """Count the trials with a within-trial drug contrast, per drug and therapy (0 or 1) of its drug arm.

    Parameters
    ----------
    design
        A design of :func:`pillprocess.decomposition_design` with the drug term.

    Returns
    -------
    Number of trials by (drug, therapy); a pair that is absent was not tried.
    """
    x = design["X"].sel(coefficient="delta").to_numpy()
    therapy = design["with_therapy"].to_numpy()
    kind, trial, drug = design["kind"].to_numpy(), design["trial"].to_numpy(), design["study_drug"].to_numpy()
    counted: dict[tuple[str, float], set[str]] = {}
    for name in dict.fromkeys(trial.tolist()):
        here = trial == name
        if (kind[here] == "arm").all() and np.ptp(x[here]) == 0:
            continue
        for one, dose, amount in zip(drug[here], x[here], therapy[here], strict=True):
            if dose != 0:
                counted.setdefault((str(one), float(amount)), set()).add(str(name))
    return {setting: len(trials) for setting, trials in counted.items()}


def with_settings(effect: xr.DataArray, design: xr.Dataset) -> xr.DataArray:
    """Say of every effect (drug, therapy) how many trials tried its setting, and where there is none what carries it over.

    Parameters
    ----------
    effect
        Draws with the dims ``drug`` and ``therapy``.
    design
        The design they were drawn under.

    Returns
    -------
    The draws with the coordinates ``trials`` and ``evidence`` (drug, therapy), which tables of them print.
    """
    tried = tried_settings(design)
    drugs, amounts = effect["drug"].to_numpy().tolist(), [float(a) for a in effect["therapy"].to_numpy()]
    trials = np.array([[tried.get((d, a), 0) for a in amounts] for d in drugs]).reshape(len(drugs), len(amounts))
    anybody = {a: any(setting[1] == a for setting in tried) for a in amounts}
    words = [
        [OWN if n else CARRIED if anybody[a] else PRIOR for n, a in zip(row, amounts, strict=True)] for row in trials
    ]
    dims = ("drug", "therapy")
    return effect.assign_coords(
        trials=(dims, trials), evidence=(dims, np.array(words, dtype=str).reshape(trials.shape))
    )
