r"""Mean changes of arms and their SDs, from what a trial printed.

Where a trial did not print the change or its SD, they are computed:

.. math:: s_{\Delta}^2 = s_0^2 + s_1^2 - 2 r s_0 s_1

with the pre-post correlation :math:`r` learned by :func:`pre_post_correlation` from the arms that print all three SDs.
"""

import numpy as np
import pandas as pd
from scipy import special

from pillprocess.evidence.tables import Evidence


def pre_post_correlation(
    outcomes: pd.DataFrame, *, prior_mean: float = 0.55, prior_sd: float = 0.25, prior_tau_sd: float = 0.3
) -> pd.Series:
    r"""Learn the correlation of baseline and endpoint from the arms that print all three SDs.

    .. math:: z_k \sim N(\zeta, \tau_z^2 + 1/(n_k - 3)),\quad \zeta \sim N(0.55, 0.25^2),\quad \tau_z \sim N^+(0.3^2)

    with :math:`z_k` Fisher's transform of arm k's implied correlation. The change variance is linear in r, so the mean of
    r in a new arm is the value that gives the expected variance.

    Parameters
    ----------
    outcomes
        Rows with ``n``, ``baseline_sd``, ``post_sd`` and ``change_sd`` in points; rows lacking one, or with n < 5, are not used.
    prior_mean, prior_sd
        Normal prior of Fisher's z.
    prior_tau_sd
        Half-normal scale of the between-arm SD of z.

    Returns
    -------
    Series with ``r`` (mean in a new arm), ``r_low``, ``r_high`` (95 % interval in a new arm), ``n_arms``.
    """
    full = outcomes[["n", "baseline_sd", "post_sd", "change_sd"]].dropna()
    full = full[full["n"] >= 5]
    s0, s1, s = (full[c].to_numpy(float) for c in ("baseline_sd", "post_sd", "change_sd"))
    z = np.arctanh(np.clip((s0**2 + s1**2 - s**2) / (2 * s0 * s1), -0.98, 0.98))
    tau = np.linspace(0.0, 1.5, 301)[:, None]
    variance = tau**2 + 1 / (full["n"].to_numpy(float) - 3)[None, :]
    precision = prior_sd**-2 + (1 / variance).sum(1)
    mean = (prior_mean * prior_sd**-2 + (z / variance).sum(1)) / precision
    log_weight = (
        -0.5 * (tau[:, 0] / prior_tau_sd) ** 2
        - 0.5 * np.log(variance).sum(1)
        - 0.5 * np.log(precision)
        - 0.5 * ((z**2 / variance).sum(1) + prior_mean**2 * prior_sd**-2 - precision * mean**2)
    )
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    grid = np.linspace(-2.5, 4.0, 2601)
    spread = np.sqrt(tau**2 + 1 / precision[:, None])
    density = (weight[:, None] / spread * np.exp(-0.5 * ((grid - mean[:, None]) / spread) ** 2)).sum(0)
    cumulative = np.cumsum(density) / density.sum()
    low, high = np.tanh(np.interp([0.025, 0.975], cumulative, grid))
    return pd.Series(
        {"r": (np.tanh(grid) * density).sum() / density.sum(), "r_low": low, "r_high": high, "n_arms": len(z)}
    )


def learned_correlation(evidence: Evidence) -> pd.Series:
    """:func:`pre_post_correlation` of the included primary outcomes, the one :func:`arm_changes` uses."""
    outcomes = evidence.outcomes
    return pre_post_correlation(outcomes[(outcomes["include"] == 1) & (outcomes["primary"] == 1)])


def mean_change(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean change in points and where it comes from."""
    computed = rows["post_mean"] - rows["baseline_mean"]
    y = rows["change_mean"].fillna(computed)
    source = np.where(rows["change_mean"].notna(), "printed change", np.where(computed.notna(), "post - baseline", ""))
    return pd.DataFrame({"points": y, "y_from": source}, index=rows.index)


def change_sd(rows: pd.DataFrame, r: float, instruments: pd.DataFrame) -> pd.DataFrame:
    """SD of the change in points and where it comes from; the first available source in the listed order is taken."""
    n = rows["n"]
    t = pd.Series(special.stdtrit(np.maximum(n.fillna(2) - 1, 1), 0.975), index=rows.index)
    half = (rows["change_ci_high"] - rows["change_ci_low"]) / 2
    lower_half = rows["change_mean"] - rows["change_ci_low"]
    s0 = rows["baseline_sd"]
    s1 = rows["post_sd"]
    sources = {
        "printed SD": rows["change_sd"],
        "printed SE": rows["change_se"] * np.sqrt(n),
        "95 % CI": half / t * np.sqrt(n),
        "lower 95 % limit": lower_half / t * np.sqrt(n),
        f"baseline and endpoint SD, r = {r:.2f}": np.sqrt(s0**2 + s1**2 - 2 * r * s0 * s1),
        f"endpoint SD taken for both, r = {r:.2f}": s1 * np.sqrt(2 - 2 * r),
        "borrowed: the instrument's pooled change SD": rows["instrument"].map(instruments["change_sd"]).astype(float),
    }
    sd = pd.Series(np.nan, index=rows.index)
    source = pd.Series("", index=rows.index)
    for name, values in sources.items():
        take = sd.isna() & values.notna() & (values > 0)
        sd = sd.where(~take, values)
        source = source.where(~take, name)
    return pd.DataFrame({"change_sd": sd, "se_from": source}, index=rows.index)


def scale_to_reference(instruments: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """Reference SD of each instrument, in its points, and where it comes from.

    The pooled endpoint SD over the evidence base; for an instrument whose endpoint SD no arm printed, its pooled change SD.
    """
    endpoint = names.map(instruments["reference_sd"]).astype(float)
    change = names.map(instruments["change_sd"]).astype(float)
    source = np.where(endpoint.notna(), "pooled endpoint SD", np.where(change.notna(), "pooled change SD", ""))
    return pd.DataFrame({"reference_sd": endpoint.fillna(change), "scale_from": source}, index=names.index)
