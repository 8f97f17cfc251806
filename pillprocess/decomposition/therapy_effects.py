"""Therapies compared: the effect of every type, and which of them any trial randomised."""

import numpy as np
import xarray as xr

from pillprocess.gaussian.posterior_columns import design_of

OWN = "own trials"
CARRIED = "carried over from other types"
PRIOR = "carried over: no trial randomised therapy, the prior alone"
BETWEEN = "; differences between trials"
"""Added where arms of the type enter a fit with exchangeable baselines."""


def therapy_effects(idata: xr.DataTree) -> xr.DataArray:
    r"""Effect of each type of therapy against none, without a drug.

    .. math:: \psi_g = \psi + \psi^{type}_g, \quad \psi^{type}_g \sim N(0, \sigma_{type}^2)

    In a fit by hours it is that of so many hours that more would add nothing. The interaction with the drug is one for all types.

    Parameters
    ----------
    idata
        A fit of :func:`pillprocess.decomposition_design` with ``prior_therapy_type_sd``, which is fixed; :func:`pillprocess.therapy_types`
        learns it.

    Returns
    -------
    DataArray (chain, draw, therapy_type) in the model's unit; negative is improvement. Its coordinates: ``trials``, how many
    trials randomised the type, that is have arms, or print a difference of arms, that differ in its amount and not in dose or active
    comparator (at the same dose of a drug the interaction is part of what they compare, and a waiting list may stand on the other
    side: these are told apart by other trials alone); ``rows``, in how many rows its amount speaks; ``evidence``, what carries the
    effect over where no trial did.

    Raises
    ------
    ValueError
        The fit takes all therapy as one.
    """
    posterior, design = idata["posterior"].dataset, design_of(idata)
    if "psi_type" not in posterior:
        raise ValueError(
            "the fitted model takes all therapy as one; fit decomposition_design(..., prior_therapy_type_sd=0.3) with the term 'therapy'"
        )
    effect = (posterior["psi"] + posterior["psi_type"]).transpose("chain", "draw", "therapy_type").rename("effect")
    names = [str(n) for n in effect["therapy_type"].to_numpy()]
    randomised, rows, words = therapy_evidence(design, names)
    coords = {
        "trials": [len(t) for t in randomised],
        "rows": rows,
        "evidence": np.array(words, dtype=str),
    }
    return effect.assign_coords({name: ("therapy_type", values) for name, values in coords.items()})


def therapy_evidence(design: xr.Dataset, names: list[str]) -> tuple[list[list[str]], list[int], list[str]]:
    """By type: the trials that randomised it, the rows in which its amount speaks, and what carries its effect."""
    column = {name: design["X"].sel(coefficient=f"psi_type[{name}]").to_numpy() for name in names}
    trials = [_randomised(design, column[name]) for name in names]
    rows = [int(np.count_nonzero(column[name])) for name in names]
    carried = CARRIED if any(trials) else PRIOR
    exchangeable = design.attrs["baseline"] == "exchangeable"
    words = [OWN if t else carried + BETWEEN * (n > 0 and exchangeable) for t, n in zip(trials, rows, strict=True)]
    return trials, rows, words


def _randomised(design: xr.Dataset, amount: np.ndarray) -> list[str]:
    """Trials with two arms, or a difference of two arms, that differ in the amount at the same dose and comparator."""
    u = design["effect_variable"].to_numpy() == "u"
    comparator = design["coefficient_variable"].to_numpy() == "chi"
    same = np.column_stack([design["Z"].to_numpy()[:, u], design["X"].to_numpy()[:, comparator]])
    trial, is_arm = design["trial"].to_numpy(), design["kind"].to_numpy() == "arm"
    found = []
    for name in dict.fromkeys(trial.tolist()):
        arms = np.flatnonzero((trial == name) & is_arm)
        pairs = [(i, j) for i in arms for j in arms if i < j]
        differences = [(amount[i] - amount[j], same[i] - same[j]) for i, j in pairs]
        differences += [(amount[i], same[i]) for i in np.flatnonzero((trial == name) & ~is_arm)]
        if any(a != 0 and not s.any() for a, s in differences):
            found.append(str(name))
    return found
