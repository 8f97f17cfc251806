r"""Multiply imputed files: one answer from several, with the rule that was used.

Posteriors are stacked: the draws of the fits to all files, in equal numbers, are draws from the mixture

.. math:: p(\theta \mid y_{obs}) \approx \frac{1}{D} \sum_d p(\theta \mid y_{obs}, y_{mis}^{(d)})

(Gelman et al. 2013, ISBN 9781439840955, section 18.2). Estimates with standard errors are pooled by Rubin's rules,

.. math::
    \bar q = \frac{1}{D} \sum_d q_d, \qquad T = \bar u + (1 + 1/D)\, B, \qquad
    \nu = (D - 1) \Big(1 + \frac{\bar u}{(1 + 1/D) B}\Big)^2

with within-file variance :math:`\bar u` and between-file variance B (Rubin 1987, doi:10.1002/9780470316696).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from pillprocess.inference.fit import check_fit

FEW = 20
"""Files below which the between-file variance itself is poorly known."""


def pool_imputed_fits(fits: Sequence[xr.DataTree]) -> xr.DataTree:
    """Stack the posteriors of fits of one model to several imputed files.

    Parameters
    ----------
    fits
        One fit per file; each has to pass `check_fit` by itself.

    Returns
    -------
    DataTree with ``posterior``, whose chains are those of all files, and ``constant_data`` averaged over the files; effects take it as
    any fit, and those that average over profiles of covariates, as with binary outcomes, take the profiles of the first file. Its
    attributes ``imputed_files`` and ``rule`` say what was done. `check_fit` must not be asked of it: chains of different files
    differ by design.

    Raises
    ------
    ValueError
        Fewer than two fits, or fits of different models or lengths.
    ConvergenceError
        A fit did not converge.
    """
    if len(fits) < 2:
        raise ValueError(f"{len(fits)} fit of an imputed file; two files or more are pooled, nothing was")
    sets = [f["posterior"].dataset for f in fits]
    shapes = [{str(n): v.shape for n, v in s.items() if not str(n).endswith("_raw")} for s in sets]
    if differ := [i for i, shape in enumerate(shapes) if shape != shapes[0]]:
        raise ValueError(
            f"the fits of files {differ} have other variables, labels or numbers of draws than file 0; nothing was pooled"
        )
    for one in fits:
        check_fit(one)
    count = sum(s.sizes["chain"] for s in sets)
    kept = [s[list(shapes[0])].drop_vars("chain") for s in sets]
    posterior = xr.concat(kept, dim="chain").assign_coords(chain=range(count))
    constants = [f["constant_data"].dataset for f in fits]
    mean = constants[0].copy()
    for name in ("covariate_mean", "covariate_covariance", "mediator_mean", "mediator_sd", "outcome_mean"):
        if name in mean:
            mean[name] = sum(c[name] for c in constants[1:]) / len(fits) + constants[0][name] / len(fits)
    rule = f"posterior draws of {len(fits)} imputed files stacked in equal numbers"
    if len(fits) < FEW:
        rule += f"; with fewer than {FEW} files the spread between files is poorly known"
    pooled = xr.DataTree.from_dict({"/posterior": posterior, "/constant_data": mean})
    pooled.attrs |= {"imputed_files": len(fits), "rule": rule}
    return pooled


def pool_imputed_estimates(
    estimates: Sequence[float], standard_errors: Sequence[float], *, level: float = 0.95
) -> pd.DataFrame:
    """Pool one estimate from several imputed files by Rubin's rules.

    Parameters
    ----------
    estimates, standard_errors
        One of each per file, on a scale on which the estimate is about normal.
    level
        Coverage of the interval.

    Returns
    -------
    DataFrame with one row: ``estimate``, ``se``, ``ci_low``, ``ci_high``, ``df``, ``missing_information`` (share of the variance that is
    due to missing values) and ``files``; ``attrs["rule"]`` says how.

    Raises
    ------
    ValueError
        Fewer than two files, numbers that do not pair up or are not finite, or standard errors not above 0.
    """
    q, u = np.asarray(estimates, float), np.asarray(standard_errors, float) ** 2
    fit_for_use = (
        len(q) == len(u) and len(q) > 1 and np.isfinite([*q, *u]).all() and (np.asarray(standard_errors) > 0).all()
    )
    if not fit_for_use:
        raise ValueError(
            f"{len(q)} estimates and {len(u)} standard errors: give one of each per imputed file, two files or more, finite, "
            "standard errors above 0; nothing was pooled"
        )
    between = (1 + 1 / len(q)) * q.var(ddof=1)
    total = u.mean() + between
    df = (len(q) - 1) * (total / between) ** 2 if between > 0 else np.inf
    half = stats.t.ppf((1 + level) / 2, df) * np.sqrt(total)
    table = pd.DataFrame(
        [
            {
                "estimate": q.mean(), "se": np.sqrt(total), "ci_low": q.mean() - half, "ci_high": q.mean() + half, "df": df,
                "missing_information": between / total, "files": len(q),
            }
        ]
    )  # fmt: skip
    table.attrs["rule"] = f"Rubin's rules over {len(q)} imputed files, t interval with {df:.0f} degrees of freedom"
    return table
