r"""The share of the drug arms' change that is not the drug's, with its interval, its trials and its convention.

Over the drug arms of controlled trials, each counted once, A is the sum of the expected change that belongs to other terms and T
the whole: the share is :math:`A / T`. Both are linear in the parameters, so given the scales
:math:`P(A / T < s) = P(A - s T > 0)` wherever T is an improvement, and the posterior of the share is known without sampling.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr

from pillprocess.gaussian.fit import Grid, in_canonical_order, integrate
from pillprocess.gaussian.left_out import heaviest
from pillprocess.gaussian.normal_equations import Array, combination_moments, combined
from pillprocess.gaussian.posterior_columns import design_of

CONVENTIONS = {
    "interaction with the drug": ("drug", "drug:therapy"),
    "interaction with the process": ("drug",),
}
"""What counts as the drug's: each convention's terms. Without the interaction in the model the two are one."""

NODES = 400
BISECTIONS = 40


def drug_arms(design: xr.Dataset) -> np.ndarray:
    """Rows (row,) of active arms in trials of more than one arm: those whose change is split."""
    trial, arm = design["trial"].to_numpy(), (design["kind"] == "arm").to_numpy()
    several = np.array([(arm & (trial == name)).sum() > 1 for name in trial])
    return arm & several & (design["role"] == "active").to_numpy()


def not_drug_share(idata: xr.DataTree | xr.Dataset, *, level: float = 0.95) -> pd.DataFrame:
    """Say what share of the drug arms' expected change is not the drug's, by convention.

    Parameters
    ----------
    idata
        A fit of a decomposition by either route, or its design; the answer is that of the closed form.
    level
        Probability of the equal-tailed interval.

    Returns
    -------
    DataFrame, one row per convention: ``convention`` (where the interaction is counted), ``belief`` (whether the model has a belief
    term; without it the drug's part holds its unblinding), ``mean`` (the ratio of the posterior means), ``ci_low``, ``ci_high``,
    ``arms`` and ``trials`` (how many the share is an average over).

    Raises
    ------
    ValueError
        A model without the drug term, or rows among which no controlled trial has a drug arm.
    """
    design = in_canonical_order(idata if isinstance(idata, xr.Dataset) else design_of(idata))
    return share_table(design, integrate(design, tolerance=1e-2), level=level)


def share_table(design: xr.Dataset, grid: Grid, *, level: float = 0.95) -> pd.DataFrame:
    """Shares of a design that is integrated already; as :func:`not_drug_share`."""
    parts, rows = share_parts(design)
    found = []
    for name, weights in parts.items():
        mean, low, high = _ratio(grid, weights, level)
        found.append(
            {
                "convention": name, "belief": "epsilon" in design["coefficient"].to_numpy(), "mean": mean, "ci_low": low,
                "ci_high": high, "arms": int(rows.sum()), "trials": len(np.unique(design["trial"].to_numpy()[rows])),
            }
        )  # fmt: skip
    return pd.DataFrame(found)


def share_parts(design: xr.Dataset) -> tuple[dict[str, Array], np.ndarray]:
    """Weights (parameter, 2) of A and T by convention, and the drug arms (row,) they are means over."""
    terms = np.concatenate([design["coefficient_term"].to_numpy(), design["effect_term"].to_numpy()])
    if "delta" not in design["coefficient"].to_numpy():
        raise ValueError("the model has no drug term, so no share can be given; fit one whose terms include 'drug'")
    rows = drug_arms(design)
    if not rows.any():
        raise ValueError(
            "no controlled trial gives its arms: a share needs the change of a drug arm, not its difference alone"
        )
    total = np.concatenate([design["X"].to_numpy()[rows].mean(axis=0), design["Z"].to_numpy()[rows].mean(axis=0)])
    conventions = (
        CONVENTIONS if "kappa" in design["coefficient"].to_numpy() else {"no interaction in the model": ("drug",)}
    )
    parts = {
        name: np.stack([np.where(np.isin(terms, of_drug), 0.0, total), total], axis=1)
        for name, of_drug in conventions.items()
    }
    return parts, rows


def _ratio(grid: Grid, weights: Array, level: float) -> tuple[float, float, float]:
    """The ratio A / T: that of the posterior means, and its equal-tailed interval."""
    a, t, below = ratio_parts(grid, weights)
    tail = (1 - level) / 2
    return a / t, ratio_quantile(below, tail), ratio_quantile(below, 1 - tail)


def ratio_parts(grid: Grid, weights: Array) -> tuple[float, float, Callable[[float], float]]:
    """Posterior means of A and T, and the probability that A / T lies below a value."""
    tau, weight = heaviest(grid, NODES)
    system = combined(grid.system, np.column_stack([weights, weights.sum(axis=1)]))
    mean, sd = combination_moments(system, tau)
    (a, t, _), (va, vt, vs) = mean, sd**2
    covariance = (vs - va - vt) / 2

    def below(s: float) -> float:
        return float(weight @ ndtr((a - s * t) / np.sqrt(np.maximum(va - 2 * s * covariance + s**2 * vt, 1e-300))))

    return float(weight @ a), float(weight @ t), below


def ratio_quantile(below: Callable[[float], float], p: float) -> float:
    """Where a distribution function passes p."""
    low, high = -20.0, 20.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < p else (low, middle)
    return (low + high) / 2
