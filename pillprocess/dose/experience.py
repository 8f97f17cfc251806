"""The acute experience's own dose curve, and how much of the effect is there at doses that leave the experience out."""

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.dose.curves import DoseShape, check_dose_shape
from pillprocess.dose.response import dose_effects, fit_curves
from pillprocess.evidence.tables import Evidence
from pillprocess.gaussian.pooled_rates import RatePriors
from pillprocess.rows.acute_scores import acute_scores


def fit_experience_dose(evidence: Evidence, *, shape: DoseShape = "emax", seed: int, draws: int = 2000) -> xr.DataTree:
    """Fit the acute scores by dose with the curve of :func:`pillprocess.fit_dose_response`, per drug.

    Scores of one study and dose are averaged over instruments, with the mean of their variances; their unit is
    SDs of the score under the drug, so the sign is that of more experience. Studies differ by a between-study SD.

    Parameters
    ----------
    evidence
        The checked tables.
    shape, seed, draws
        As there.

    Returns
    -------
    DataTree as there.

    Raises
    ------
    ValueError
        An unknown shape, or no acute score.
    """
    check_dose_shape(shape)
    scores = acute_scores(evidence)
    if scores.empty:
        raise ValueError("no acute score can be put against its dose; scores_set_aside(evidence) says why")
    scores = scores.assign(variance=scores["se"] ** 2)
    cells = scores.groupby(["study", "drug", "dose"], as_index=False).agg(
        y=("d", "mean"), v=("variance", "mean"), n=("n", "max")
    )
    table = cells.rename(columns={"study": "trial", "dose": "dose_arm"}).assign(
        se=np.sqrt(cells["v"]), dose_reference=0.0, therapy=0.0,
        label=cells["study"] + ": " + cells["drug"] + " at " + cells["dose"].map("{:g}".format),
    )  # fmt: skip
    priors = RatePriors(float(np.log(0.5)), 1.0, 0.7, 0.0, 3.0, 0.35, 1.0, correlated=False)
    return fit_curves(table, np.diag(table["se"].to_numpy() ** 2), priors, shape=shape, seed=seed, draws=draws)


def dose_shares(
    effect: xr.DataTree, experience: xr.DataTree, *, doses: tuple[float, ...] = (0.1, 0.25, 0.4, 0.5)
) -> pd.DataFrame:
    """Set side by side, at lower doses, the share of the effect and the share of the experience at the reference dose.

    Where a dose leaves the experience out and keeps the effect, the experience is not needed for it. The two curves come from
    different people.

    Parameters
    ----------
    effect
        Result of :func:`pillprocess.fit_dose_response`.
    experience
        Result of :func:`fit_experience_dose`.
    doses
        Doses over the reference dose.

    Returns
    -------
    DataFrame: ``drug``, ``dose``, ``effect`` and ``experience`` (shares, 1 at the reference dose) with ``_low`` and ``_high`` (95 %), and
    the number of ``effect_trials`` and ``experience_trials`` within a factor 1.3 of the dose: 0 means the curve's shape alone.

    Raises
    ------
    ValueError
        The two fits have no drug in common.
    """
    both = [
        d
        for d in effect["posterior"].dataset["drug"].to_numpy()
        if d in experience["posterior"].dataset["drug"].to_numpy()
    ]
    if not both:
        raise ValueError("the effects and the acute scores have no drug in common")
    out = []
    for drug in both:
        for dose in doses:
            row: dict[str, object] = {"drug": str(drug), "dose": dose}
            for name, fit in (("effect", effect), ("experience", experience)):
                at = dose_effects(fit, doses=(dose, 1.0)).sel(drug=drug)
                share = (at.isel(dose=0) / at.isel(dose=1)).isel(therapy=0)
                row[name], row[f"{name}_low"], row[f"{name}_high"] = np.quantile(share.to_numpy(), [0.5, 0.025, 0.975])
                row[f"{name}_trials"] = int(at["trials"].isel(dose=0).sum())
            out.append(row)
    return pd.DataFrame(out)
