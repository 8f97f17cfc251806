r"""How an indirect effect would change if something unmeasured affected both the mediator and the outcome.

With residual correlation :math:`\rho` between mediator and outcome, the slope that the data show is
:math:`b + \kappa`, :math:`\kappa = \rho \sigma_y / (\sigma_m \sqrt{1 - \rho^2})`, :math:`\sigma_y` the residual SD given
the mediator. So, for every posterior draw and in either arm,

.. math:: tnie(\rho) = tnie - a \kappa, \qquad pnde(\rho) = te - tnie(\rho)

which without interaction is :math:`a (s_Y/s_M) (r - \rho\sqrt{(1 - r^2)/(1 - \rho^2)})` (Imai, Keele & Yamamoto 2010,
doi:10.1214/10-STS321), s and r being SDs and correlation of the residuals given treatment and covariates. The total
effect is randomised and does not move. `pillprocess.confounding` has the forms for probit equations.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from scipy import stats

from pillprocess.mediation.confounding import check_families, indirect_at, residual_sd, tipping_correlation
from pillprocess.mediation.draws import coefficients, compared_arm, flat, profiles, stack
from pillprocess.mediation.effects import compute_effects
from pillprocess.mediation.gcomputation import Coefficients, potential_outcome

RHO = tuple(np.round(np.linspace(-0.9, 0.9, 37), 2).tolist())
LEAST_RHO_SD = 0.25
RELIABILITY = tuple(np.round(np.linspace(0.5, 1.0, 11), 2).tolist())


def mediation_sensitivity(
    idata: xr.DataTree,
    *,
    rho: Sequence[float] = RHO,
    reliability: Sequence[float] = RELIABILITY,
    prior_rho_mean: float = 0.0,
    prior_rho_sd: float | None = None,
    mediator: str | None = None,
    arm: str | None = None,
    seed: int = 0,
) -> xr.Dataset:
    r"""Compute the indirect effect under unmeasured confounding and measurement error, for every draw.

    Parameters
    ----------
    idata
        Fit of `mediation`.
    rho
        Residual correlations of mediator and outcome, between -1 and 1.
    reliability
        Shares of the mediator's variance within arms that are not measurement error, above 0.
    prior_rho_mean, prior_rho_sd
        Normal prior of the residual correlation, cut off at -1 and 1. The SD is by default the largest that a measured
        covariate would leave (``benchmark_rho``), at least 0.25: with 0.1 the 95 % interval of the indirect effect held the
        truth in 28 % of trials of 200 people when the correlation was -0.36, with 0.25 in 99 %
        (``benchmarks/confounding_coverage.py``).
    mediator
        Mediator whose slope is confounded; needed where there are several. The correlation is then given the others.
    arm
        Active arm to compare with the reference; needed where there are several.
    seed
        Seed of the draws of rho from its prior.

    Returns
    -------
    Dataset with dims chain and draw:

    * ``tnie`` and ``pnde`` (dim rho): the effects at each residual correlation;
    * ``rho_tipping``: the residual correlation at which tnie is 0;
    * ``rho_prior`` and ``tnie_rho_prior``: rho drawn from its prior, and tnie with that uncertainty included;
    * ``r2_product_residual`` and ``r2_product_total``: product of the shares of the mediator's and the outcome's residual
      (or total) variance that a confounder must explain for tnie to be 0;
    * ``benchmark_rho`` and ``benchmark_tnie`` (dim source): residual correlation left by a confounder as strong as each
      measured covariate, and tnie at it;
    * ``tnie_reliability`` (dim reliability): tnie corrected for error in the mediator, for a single continuous mediator
      and continuous outcome.

    The attributes ``e_value`` and ``e_value_limit`` are the E-values of the mean tnie and of its 95 % limit nearer 0;
    ``prior_rho_sd`` is the SD of the prior that was used.

    Raises
    ------
    ValueError
        A rho or reliability out of range, an unknown mediator, or families without a closed form.
    """
    grid, reliable = np.asarray(rho, float), np.asarray(reliability, float)
    if not (np.abs(grid) < 1).all():
        raise ValueError(f"rho = {grid[np.abs(grid) >= 1].tolist()}: residual correlations lie between -1 and 1")
    if not ((reliable > 0) & (reliable <= 1)).all():
        raise ValueError(f"reliability = {reliable.tolist()}: shares of variance lie above 0 and up to 1")
    arm = compared_arm(idata, arm)
    posterior, data = idata["posterior"].dataset, idata["constant_data"].dataset
    q = _which(mediator, [str(name) for name in data["mediator"].to_numpy()])
    k = coefficients(idata, arm)
    check_families(k, "trials" if "trial" in posterior.dims else "clusters" if "grouping" in data.dims else "")
    if k.a_x is not None:  # the mean effect on the mediators: what confounding takes from tnie is proportional to it
        k = replace(k, a=k.a + k.a_x @ data["covariate_mean"].to_numpy())
    X, weight, _ = profiles(idata, None, linear=k.linear)
    sigma_y = flat(posterior["sigma_y"]) if "sigma_y" in posterior else np.ones(len(k.c))
    nu_y = flat(posterior["nu_y"]) if "nu_y" in posterior else np.full(len(k.c), np.inf)
    sd_m, sd_y = residual_sd(k, sigma_y, nu_y, q)
    effects = compute_effects(idata, arm=arm)
    te, tnie = flat(effects["te"]), flat(effects["tnie"])

    def at(rho: np.ndarray) -> np.ndarray:
        return indirect_at(k, X, weight, tnie=tnie, rho=rho, sd_m=sd_m, sd_y=sd_y, q=q)

    curve = np.stack([at(np.full(len(te), r)) for r in grid], axis=1)
    tipping = tipping_correlation(k, X, weight, tnie=tnie, sd_m=sd_m, sd_y=sd_y, q=q)
    sources = [str(s) for s in data["source"].to_numpy()]
    benchmark = _benchmarks(k, data, sd_m, sd_y, q) if sources else np.zeros((len(te), 1))
    if prior_rho_sd is None:
        prior_rho_sd = max(LEAST_RHO_SD, float(np.sqrt((benchmark**2).mean(axis=0)).max()))
    drawn = _prior_draws(len(te), prior_rho_mean, prior_rho_sd, seed)
    unexplained = sd_m**2 / float(data["mediator_variance"][q]) * sd_y**2 / float(data["outcome_variance"][0])
    out = stack(idata, {"tnie": curve, "pnde": te[:, None] - curve}, "posterior", rho=grid.tolist())
    scalars = {
        "rho_tipping": tipping,
        "rho_prior": drawn,
        "tnie_rho_prior": at(drawn),
        "r2_product_residual": tipping**2,
    }
    if k.linear:
        scalars["r2_product_total"] = tipping**2 * unexplained
        out = out.merge(_reliability(idata, k, tnie, reliable)) if k.b.shape[1] == 1 else out
    out = out.merge(stack(idata, scalars, "posterior"))
    if sources:
        strength = {"benchmark_rho": benchmark, "benchmark_tnie": np.stack([at(r) for r in benchmark.T], axis=1)}
        out = out.merge(stack(idata, strength, "posterior", source=sources))
    return out.assign_attrs(
        _e_values(k, X, weight, tnie, float(data["outcome_within_sd"][0])) | {"arm": arm, "prior_rho_sd": prior_rho_sd}
    )


def r2_contours(
    sensitivity: xr.Dataset, *, r2: Sequence[float] = tuple(np.linspace(0, 0.8, 33).tolist())
) -> xr.DataArray:
    r"""Mean indirect effect against the variance that a confounder explains, :math:`\rho = \pm\sqrt{R^2_M R^2_Y}`.

    Parameters
    ----------
    sensitivity
        From `mediation_sensitivity`; its curve is interpolated.
    r2
        Shares of the residual variance of mediator and of outcome.

    Returns
    -------
    DataArray with dims direction (whether the confounder moves both the same way), r2_mediator and r2_outcome; missing
    beyond the curve's correlations.
    """
    share = np.asarray(r2, float)
    strength = np.sqrt(np.outer(share, share))
    rho, mean = sensitivity["rho"].to_numpy(), sensitivity["tnie"].mean(("chain", "draw")).to_numpy()
    surfaces = [np.interp(sign * strength, rho, mean, left=np.nan, right=np.nan) for sign in (1, -1)]
    return xr.DataArray(
        np.stack(surfaces), dims=("direction", "r2_mediator", "r2_outcome"), name="tnie",
        coords={"direction": ["same", "opposite"], "r2_mediator": share, "r2_outcome": share},
    )  # fmt: skip


def _which(mediator: str | None, mediators: list[str]) -> int:
    if mediator is None and len(mediators) == 1:
        return 0
    if mediator not in mediators:
        raise ValueError(f"mediator = {mediator!r}: name one of {', '.join(mediators)}")
    return mediators.index(mediator)


def _prior_draws(count: int, mean: float, sd: float, seed: int) -> np.ndarray:
    prior = stats.truncnorm((-1 - mean) / sd, (1 - mean) / sd, loc=mean, scale=sd)
    return np.asarray(prior.rvs(count, random_state=np.random.default_rng(seed)))


def _reliability(idata: xr.DataTree, k: Coefficients, tnie: np.ndarray, reliability: np.ndarray) -> xr.Dataset:
    """Classical error takes its share from the residual variance and shrinks the slope; undefined where it exceeds it."""
    data = idata["constant_data"].dataset
    error = (1 - reliability) * float(data["mediator_within_sd"][0]) ** 2
    true_share = 1 - error / k.sigma_m[:, 0, 0][:, None]
    corrected = tnie[:, None] / np.where(true_share > 0, true_share, np.nan)
    return stack(idata, {"tnie_reliability": corrected}, "posterior", reliability=reliability.tolist())


def _benchmarks(k: Coefficients, data: xr.Dataset, sd_m: np.ndarray, sd_y: np.ndarray, q: int) -> np.ndarray:
    r"""Residual correlation left out by a confounder with each covariate's coefficients and its spread given the others.

    .. math:: \rho = \frac{\gamma_m' C \gamma_y}{\sqrt{(\gamma_m' C \gamma_m + \sigma_m^2)(\gamma_y' C \gamma_y + \sigma_y^2)}}
    """
    covariance, belongs = data["covariate_covariance"].to_numpy(), data["covariate_belongs"].to_numpy().astype(bool)
    out = []
    for own in belongs:
        cross = covariance[np.ix_(own, ~own)]
        C = covariance[np.ix_(own, own)] - cross @ np.linalg.pinv(covariance[np.ix_(~own, ~own)]) @ cross.T
        of_m, of_y = k.gamma_m[:, q][:, own], k.gamma_y[:, own]
        shared, in_m, in_y = (np.einsum("sx,xz,sz->s", u, C, v) for u, v in ((of_m, of_y), (of_m, of_m), (of_y, of_y)))
        out.append(shared / np.sqrt((in_m + sd_m**2) * (in_y + sd_y**2)))
    return np.stack(out, axis=1)


def _e_values(k: Coefficients, X: np.ndarray, weight: np.ndarray, tnie: np.ndarray, sd: float) -> dict[str, float]:
    """E-values of the indirect effect as a risk ratio (VanderWeele & Ding 2017, doi:10.7326/M16-2607).

    A difference of means in SDs d becomes the approximate risk ratio exp(0.91 d).
    """
    if k.family_outcome == "probit":
        ratio = np.log(potential_outcome(k, X, weight, t=1, t_m=1) / potential_outcome(k, X, weight, t=1, t_m=0))
    else:
        ratio = 0.91 * tnie / sd
    low, high = np.quantile(ratio, [0.025, 0.975])
    limit = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return {"e_value": _e_value(abs(float(ratio.mean()))), "e_value_limit": _e_value(limit)}


def _e_value(log_ratio: float) -> float:
    ratio = np.exp(log_ratio)
    return float(ratio + np.sqrt(ratio * (ratio - 1)))
