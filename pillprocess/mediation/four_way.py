r"""Decompositions that readers of epidemiology know by name: four-way, and odds ratios of a rare outcome.

.. math:: te = CDE(m) + INT_{ref} + INT_{med} + PIE

with :math:`INT_{ref} = pnde - CDE(m)` (interaction alone), :math:`INT_{med} = tnie - pnie` (interaction and mediation) and
:math:`PIE = pnie` (mediation alone); VanderWeele 2014, doi:10.1097/EDE.0000000000000121.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from pillprocess.mediation.choices import BINARY, Of
from pillprocess.mediation.draws import coefficients, compared_arm, profiles, stack
from pillprocess.mediation.effects import compute_effects, mediator_values
from pillprocess.mediation.gcomputation import Coefficients, probability

OF_RARE = {
    "logit": "log_odds_ratio of a rare outcome", "log_binomial": "log_risk_ratio",
    "hazard_cloglog": "log_hazard_ratio of a rare event",
}  # fmt: skip
"""Scales of `rare_outcome_effects` by family of the outcome."""


def four_way(
    idata: xr.DataTree,
    *,
    m: float | Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    arm: str | None = None,
    of: Of | None = None,
    reference: str | None = None,
) -> xr.Dataset:
    """Split the total effect into four: neither interaction nor mediation, either, both.

    Parameters
    ----------
    idata
        Fit of `mediation`.
    m, at, arm, of, reference
        As in `natural_effects`; the split depends on m.

    Returns
    -------
    Dataset of draws with dims chain and draw, on the difference scale: ``cde`` (controlled direct), ``int_ref`` (reference
    interaction), ``int_med`` (mediated interaction) and ``pie`` (pure indirect), whose sum is ``te``. The attribute ``m`` is the
    mediators' value.

    Raises
    ------
    ValueError
        As `natural_effects`.
    """
    e = compute_effects(idata, m=m, at=at, arm=arm, of=of, reference=reference)
    parts = {
        "te": e["te"],
        "cde": e["cde"],
        "int_ref": e["pnde"] - e["cde"],
        "int_med": e["tnie"] - e["pnie"],
        "pie": e["pnie"],
    }
    return xr.Dataset(parts).assign_attrs({k: e.attrs[k] for k in ("arm", "reference", "m", "scale")})


def rare_outcome_effects(
    idata: xr.DataTree,
    *,
    m: float | Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    arm: str | None = None,
) -> xr.Dataset:
    r"""Compute the log odds ratios of a rare outcome in closed form, as SAS PROC CAUSALMED and regmedint do.

    .. math:: \log E[e^{\eta(t, M(t'))}] - \log E[e^{\eta(0, M(0))}]

    at the covariates' means (or ``at``): odds stand for risks (VanderWeele & Vansteelandt 2010, doi:10.1093/aje/kwq332). For an
    outcome that is not rare, ``natural_effects(scale="log_odds_ratio")`` has the marginal odds ratios without this approximation.
    Of a log_binomial outcome they are log risk ratios, without it; of proportional hazards log hazard ratios of a rare event
    (VanderWeele 2011, doi:10.1097/EDE.0b013e31821db37e).

    Parameters
    ----------
    idata
        Fit of `mediation` with a logit, log_binomial or hazard_cloglog outcome and one Gaussian or binary mediator.
    m, at, arm
        As in `natural_effects`; covariates that ``at`` does not name are at their means, those of the controls where people were sampled
        by their outcome.

    Returns
    -------
    Dataset of draws with dims chain and draw: ``te``, ``pnde``, ``tnie``, ``tnde``, ``pnie`` and ``cde``; exponentiate for odds ratios.

    Raises
    ------
    ValueError
        Other families, or several mediators.
    """
    arm = compared_arm(idata, arm)
    data = idata["constant_data"].dataset
    k = coefficients(idata, arm)
    if k.family_outcome not in OF_RARE or k.family_mediator not in ("gaussian", *BINARY) or k.b.shape[1] > 1:
        raise ValueError(
            "odds ratios of a rare outcome need a logit, log_binomial or hazard_cloglog outcome and one gaussian, probit or logit "
            f"mediator; this fit has "
            f"{k.b.shape[1]} of family {k.family_mediator} and a {k.family_outcome} outcome"
        )
    X = profiles(idata, at, linear=True)[0][0]
    if "case_control" in data:
        named = [str(x) in (at or {}) for x in data["covariate"].to_numpy()]
        X = np.where(named, X, data["covariate_mean_controls"].to_numpy())
    value = mediator_values(m, [str(q) for q in data["mediator"].to_numpy()])
    y = {(t, s): _log_odds(k, X, t, s) for t in (0, 1) for s in (0, 1)}
    gamma = k.c + k.theta @ value + (0 if k.c_x is None else k.c_x @ X)
    effects = {
        "te": y[1, 1] - y[0, 0], "pnde": y[1, 0] - y[0, 0], "tnie": y[1, 1] - y[1, 0], "tnde": y[1, 1] - y[0, 1],
        "pnie": y[0, 1] - y[0, 0], "cde": gamma,
    }  # fmt: skip
    return stack(idata, effects, "posterior").assign_attrs(arm=arm, m=value.tolist(), scale=OF_RARE[k.family_outcome])


def _log_odds(k: Coefficients, X: np.ndarray, t: int, t_m: int) -> np.ndarray:
    """Log mean odds under treatment t and the mediator of treatment t_m, up to what is the same for all."""
    a_x, b_x, c_x = (0.0 if change is None else change @ X for change in (k.a_x, k.b_x, k.c_x))
    location = (k.alpha_m + (k.a + a_x) * t_m + k.gamma_m @ X)[:, 0]
    slope = (k.b + k.theta * t + b_x)[:, 0]
    base = (k.c + c_x) * t
    if k.family_mediator in BINARY:
        chance = probability(k.family_mediator, location)
        return np.asarray(base + np.log1p(chance * np.expm1(slope)))
    return np.asarray(base + slope * location + 0.5 * slope**2 * k.sigma_m[:, 0, 0])
