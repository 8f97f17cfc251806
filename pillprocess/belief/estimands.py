r"""What a fit of `unblinding` says: how much of the drug's effect passes through belief.

With :math:`p_t` the probability of belief under treatment t and :math:`m_t` the mean experience,

.. math::
    \mathrm{te} = \mathrm{through\_belief} + \mathrm{not\_through\_belief}, \qquad
    \mathrm{through\_belief} = (b + \theta)(p_1 - p_0)

    \mathrm{not\_through\_belief} = c + \theta (p_0 - \bar B) + (b_S + \theta_S) m_1 - b_S m_0

The first is the difference that the drug's shift in belief makes in the drug arm; it includes belief that came from the
experience. Effects of experience and belief add, so natural and interventional effects are the same.
"""

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr

from pillprocess.output.tables import effect_table


def belief_effects(idata: xr.DataTree, *, arm: str | None = None, group: str = "posterior") -> xr.Dataset:
    r"""Draw total effect and its parts, in units of the outcome.

    Parameters
    ----------
    idata
        A fit of `unblinding`.
    arm
        Active arm; may be left out where there is one.
    group
        ``"posterior"``, or ``"prior"`` where the fit carries draws of it.

    Returns
    -------
    Dataset (chain, draw): ``te``, ``through_belief``, ``not_through_belief`` (they add up to te), ``belief_difference``
    (difference in the probability of belief). With an experience also ``through_experience`` (not by way of belief),
    ``direct`` (neither), and ``through_belief_or_experience``, the joint part, which is known better than its split. When
    the outcome came first, ``through_belief`` is 0 by that assumption and ``belief_through_outcome`` is the part of
    ``belief_difference`` that the drug's effect on the outcome explains.

    Raises
    ------
    ValueError
        The fit is not one of `unblinding`, or several arms and none named.
    """
    if "constant_data" not in idata.children or "outcome_first" not in idata["constant_data"].dataset:
        raise ValueError("this fit is not of unblinding(...): it carries no belief")
    data, posterior = idata["constant_data"].dataset, idata[group].dataset
    arms = [str(a) for a in posterior["arm"].to_numpy()]
    if (arm is None and len(arms) > 1) or arm not in (None, *arms):
        raise ValueError(f"arm = {arm!r}: name one of the active arms, {', '.join(arms)}")
    here = posterior.sel(arm=arm or arms[0])

    def draws(name: str) -> xr.DataArray:
        """One coefficient in SD units, 0 where the model has none."""
        return here.get(f"{name}_raw", xr.zeros_like(here["c_raw"]))

    outcome_first = bool(data["outcome_first"])
    centre, unit = float(data["belief_mean"]), float(data["outcome_sd"])
    b_s, theta_s = draws("b_experience"), draws("theta_experience")
    m0, m1 = draws("alpha_experience"), draws("alpha_experience") + draws("a_experience")
    p0 = _belief(here, data, draws, belief=0, outcome=0)
    p1 = _belief(here, data, draws, belief=1, outcome=1)
    through_experience = (b_s + theta_s) * (m1 - m0)
    through_belief = (draws("b") + draws("theta")) * (p1 - p0)
    direct = draws("c") + draws("theta") * (p0 - centre) + theta_s * m0
    parts = {
        "te": through_belief + through_experience + direct,
        "through_belief": through_belief,
        "not_through_belief": through_experience + direct,
    }
    if "a_experience_raw" in posterior:
        joint = through_belief + through_experience
        parts |= {"through_experience": through_experience, "direct": direct, "through_belief_or_experience": joint}
    effects = {name: unit * part for name, part in parts.items()} | {"belief_difference": p1 - p0}
    if outcome_first:
        effects["belief_through_outcome"] = p1 - _belief(here, data, draws, belief=1, outcome=0)
    return xr.Dataset(effects).drop_vars(["arm"], errors="ignore")


def _belief(
    here: xr.Dataset, data: xr.Dataset, draws: Callable[[str], xr.DataArray], *, belief: int, outcome: int
) -> xr.DataArray:
    """Probability of belief over everybody's covariates, people and experiences, (chain, draw).

    Treatment ``belief`` acts on belief itself and by way of the experience, treatment ``outcome`` by way of the outcome.
    """

    def covariates(name: str) -> xr.DataArray | float:
        variable = f"gamma_{name}_raw"
        return (here[variable] * data["profile_covariates"]).sum("covariate") if variable in here else 0.0

    def experience(t: int) -> xr.DataArray:
        return draws("alpha_experience") + t * draws("a_experience") + covariates("experience")

    k = np.sqrt(1 + here["tau"].isel(equation=0, drop=True) ** 2) if "tau" in here else 1.0
    d_s, d_y = k * draws("d_experience"), k * draws("d_outcome")
    b_s = draws("b_experience") + outcome * draws("theta_experience")
    mean_y = draws("alpha_outcome") + outcome * draws("c") + b_s * experience(outcome) + covariates("outcome")
    own = draws("alpha_belief") + belief * draws("a_belief") + covariates("belief")
    mean = k * own + d_s * experience(belief) + d_y * mean_y
    through_s = d_s + d_y * b_s
    variance = 1 + (through_s * draws("sigma_experience")) ** 2 + (d_y * draws("sigma")) ** 2
    if "tau" in here:
        equations = list(here["equation"].to_numpy())
        loading = dict(
            zip(
                equations,
                [xr.full_like(here["sigma_raw"], 1.0), *([through_s] if len(equations) == 3 else []), d_y],
                strict=True,
            )
        )
        scaled = {e: loading[e] * here["tau"].sel(equation=e, drop=True) for e in equations}
        variance = variance + sum(value**2 for value in scaled.values())
        for pair, (first, second) in zip(here["equation_pair"].to_numpy(), combinations(equations, 2), strict=True):
            r = here["correlation"].sel(equation_pair=pair, drop=True)
            variance = variance + 2 * r * scaled[first] * scaled[second]
    chance = xr.apply_ufunc(ndtr, mean / np.sqrt(variance))
    return (chance * data["profile_weight"]).sum("profile") if "profile" in chance.dims else chance


def belief_bounds(fits: Mapping[str, xr.DataTree], *, arm: str | None = None) -> pd.DataFrame:
    """Tabulate the effects under both orders: they bound what belief can carry.

    Parameters
    ----------
    fits
        Fits of `unblinding` by name, for example ``belief_first`` and ``outcome_first``.
    arm
        Active arm; may be left out where there is one.

    Returns
    -------
    DataFrame with ``order``, ``estimand``, ``mean``, ``sd``, ``ci_low``, ``ci_high``, ``p_below``, ``ess`` and
    ``joint_correlation``: between the parts through belief and through the experience, where the model has both.
    """
    tables = []
    for order, idata in fits.items():
        effects = belief_effects(idata, arm=arm)
        table = effect_table(effects)
        table.insert(0, "order", order)
        table["joint_correlation"] = np.nan
        if "through_experience" in effects and not bool(idata["constant_data"].dataset["outcome_first"]):
            table["joint_correlation"] = float(xr.corr(effects["through_belief"], effects["through_experience"]))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
