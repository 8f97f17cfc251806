"""Models ranked by what they predicted for each unit: differences with their standard errors, and stacking weights."""

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, minimize
from scipy.special import ndtr, ndtri

MANY_MODELS = 11


def ranking(scores: Mapping[str, pd.Series]) -> pd.DataFrame:
    r"""Rank models by the log predictive densities of the same units.

    .. math::

        \Delta_m = \sum_i d_{mi}, \quad se_m = \sqrt{n \operatorname{var}_i d_{mi}}, \quad
        p_m = \Phi(-\Delta_m / se_m), \quad d_{mi} = elpd_{mi} - elpd_{best,i}

    These are the columns of :func:`arviz_stats.compare`, without the two thirds of a second that loading ArviZ takes.

    Parameters
    ----------
    scores : mapping
        Log predictive density by unit, by the name of the model.

    Returns
    -------
    DataFrame
        Indexed by model, the best first: ``rank``, ``elpd``, ``elpd_diff``, ``se_diff``, ``p_worse`` (missing for the best) and
        ``weight`` (stacking, to six decimals: further digits are the optimiser's and change with its threads).

    References
    ----------
    Yao et al. 2018, doi:10.1214/17-BA1091 (stacking); McLatchie & Vehtari 2024, doi:10.1007/s11222-024-10442-4 (the warning).
    """
    by_model = pd.DataFrame({name: score.to_numpy() for name, score in scores.items()})
    elpd = by_model.sum().sort_values(ascending=False, kind="stable")
    by_model = by_model[elpd.index]
    difference = by_model.sub(by_model.iloc[:, 0], axis=0)
    total, se = difference.sum(), np.sqrt(len(by_model) * difference.var(ddof=0))
    if len(elpd) > MANY_MODELS:
        warn_of_selection(elpd)
    return pd.DataFrame(
        {
            "rank": np.arange(len(elpd)),
            "elpd": elpd,
            "elpd_diff": total,
            "se_diff": se,
            "p_worse": pd.Series(ndtr(-total / (se + 1e-12)), index=elpd.index).where(total != 0),
            "weight": stacking_weights(by_model.to_numpy()).round(6),
        }
    ).rename_axis("model")


def stacking_weights(log_density: np.ndarray) -> np.ndarray:
    """Return the weights (model,) of the mixture with the highest log score, for log densities (unit, model)."""
    density, n_model = np.exp(log_density), log_density.shape[1]
    found = minimize(
        lambda weight: -np.log(density @ weight).sum(),
        np.full(n_model, 1 / n_model),
        jac=lambda weight: -(density / (density @ weight)[:, None]).sum(axis=0),
        bounds=Bounds(np.zeros(n_model), np.ones(n_model)),
        constraints=LinearConstraint(np.ones(n_model), 1.0, 1.0),
    )
    weights: np.ndarray = found.x
    return weights


def warn_of_selection(elpd: pd.Series) -> None:
    """Warn where the best of many models leads the middle one by no more than the best of as many models alike would."""
    lead = elpd - elpd.iloc[len(elpd) // 2]
    spread = np.sqrt((lead[lead >= lead.median()] ** 2).mean())
    if lead.max() <= spread * ndtri(1 - 1 / (2 * (len(elpd) - 1))):
        warnings.warn(
            f"the best of {len(elpd)} models leads by no more than the best of as many would by chance "
            "(doi:10.1007/s11222-024-10442-4): average them rather than choose one",
            stacklevel=3,
        )
