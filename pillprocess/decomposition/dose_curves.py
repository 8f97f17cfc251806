r"""The decomposition averaged over dose curves: the half-maximal dose is not known, and a share can hang on it.

Each curve :math:`x \mapsto (1 + h)\, x / (h + x)`, from nearly a step (h = .05) to linear (h without end), is a design of its own; the
curves are weighed by their marginal likelihoods, one half-maximal dose for all drugs.
"""

import numpy as np
import pandas as pd

from pillprocess.decomposition.model import Baseline, decomposition_design
from pillprocess.decomposition.shares import ratio_parts, ratio_quantile, share_parts
from pillprocess.gaussian.fit import in_canonical_order, integrate
from pillprocess.rows.terms import HEADLINE

HALF_MAXIMAL = (0.05, 0.15, 0.4, 1.0, 3.0, np.inf)
"""Half-maximal doses over the reference dose, of equal prior probability; the last is linear."""


def dose_averaged_share(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame | None = None,
    *,
    terms: frozenset[str] | set[str] = HEADLINE,
    baseline: Baseline = "exchangeable",
    half_maximal: tuple[float, ...] = HALF_MAXIMAL,
    level: float = 0.95,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the share that is not the drug's, averaged over dose curves instead of under one that is assumed.

    Parameters
    ----------
    arms, contrasts, terms, baseline
        As in :func:`pillprocess.decomposition_design`.
    half_maximal
        Half-maximal doses over the reference dose, of equal prior probability; infinity is linear.
    level
        Probability of the equal-tailed interval.

    Returns
    -------
    The shares (``convention``, ``mean``, ``ci_low``, ``ci_high``, as :func:`pillprocess.not_drug_share` gives them), and the curves:
    ``half_maximal``, ``probability`` and the share under each (first convention).

    Raises
    ------
    ValueError
        No half-maximal dose, or one that is not positive.
    """
    if not half_maximal or not all(h > 0 for h in half_maximal):
        raise ValueError(
            f"half_maximal = {half_maximal}; give doses over the reference dose, each > 0 (infinity is linear)"
        )
    log_density, found = [], []
    for half in half_maximal:
        shape = "linear" if np.isinf(half) else f"emax:{half:g}"
        design = in_canonical_order(
            decomposition_design(arms, contrasts, terms=terms, baseline=baseline, dose_shape=shape)
        )
        grid = integrate(design, tolerance=1e-2)
        log_density.append(grid.log_marginal_likelihood)
        parts, rows = share_parts(design)
        found.append({name: ratio_parts(grid, weights) for name, weights in parts.items()})
    weight = np.exp(np.array(log_density) - max(log_density))
    weight /= weight.sum()
    table = []
    tail = (1 - level) / 2
    for name in found[0]:
        own = [one[name] for one in found]

        def below(s: float, own: list = own) -> float:  # type: ignore[type-arg]
            return float(sum(w * part[2](s) for w, part in zip(weight, own, strict=True)))

        mean = float(sum(w * part[0] / part[1] for w, part in zip(weight, own, strict=True)))
        table.append(
            {
                "convention": name, "mean": mean, "ci_low": ratio_quantile(below, tail), "ci_high": ratio_quantile(below, 1 - tail),
                "arms": int(rows.sum()), "trials": len(np.unique(design["trial"].to_numpy()[rows])),
            }
        )  # fmt: skip
    first = next(iter(found[0]))
    curves = pd.DataFrame(
        {"half_maximal": half_maximal, "probability": weight, "share": [one[first][0] / one[first][1] for one in found]}
    )
    return pd.DataFrame(table), curves
