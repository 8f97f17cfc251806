"""What a fitted mediation model says, as arrays: one row per draw."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import xarray as xr

from pillprocess.mediation.choices import BINARY, FAMILIES, Of, unknown_covariates
from pillprocess.mediation.clusters import variable_part
from pillprocess.mediation.gcomputation import Coefficients, Zeros
from pillprocess.mediation.pairs import none_of, of_pair
from pillprocess.mediation.responses import response_of
from pillprocess.output.kinds import need

SHAPES = ("size_y", "threshold_y", "shape_y", "period_y")
"""Variables of a fit that an outcome's family has beside its linear predictor."""


def compared_arm(idata: xr.DataTree, arm: str | None) -> str:
    """Return the active arm that is meant, checking that the fit is one of `mediation` and has it."""
    need(idata, xr.DataTree, "a fit, from fit(mediation(people))")
    need(idata.children.get("posterior"), xr.DataTree, "a fit with a posterior, from fit(mediation(people))")
    if "constant_data" not in idata.children or "family_mediator" not in idata["constant_data"].dataset:
        raise ValueError("this fit is not of mediation(...): it carries no mediator")
    arms = [str(a) for a in idata["constant_data"].dataset["level"].to_numpy()[1:]]
    if arm is None and len(arms) == 1:
        return arms[0]
    if arm not in arms:
        raise ValueError(f"arm = {arm!r}: name one of the active arms, {', '.join(arms)}")
    return arm


def compared_pair(idata: xr.DataTree, arm: str | None, reference: str | None) -> tuple[str, str]:
    """Return the two arms that are meant: any two, or an active one against the participants' reference."""
    if reference is None:
        arm = compared_arm(idata, arm)
        return arm, str(idata["constant_data"].dataset["level"].to_numpy()[0])
    need(idata, xr.DataTree, "a fit, from fit(mediation(people))")
    levels = [str(a) for a in idata["constant_data"].dataset["level"].to_numpy()]
    others = [a for a in levels if a != reference]
    if reference not in levels:
        raise ValueError(f"reference = {reference!r}: name one of the arms to compare with, {', '.join(levels)}")
    if arm is None and len(others) == 1:
        return others[0], reference
    if arm not in others:
        raise ValueError(f"arm = {arm!r}: name one of the arms that {reference} is compared with, {', '.join(others)}")
    return arm, reference


def flat(values: xr.DataArray) -> np.ndarray:
    """Draws first: (draw, ...) from dims chain, draw, ..."""
    array = values.transpose("chain", "draw", ...).to_numpy()
    return np.asarray(array.reshape(array.shape[0] * array.shape[1], *array.shape[2:]))


def stack(idata: xr.DataTree, draws: Mapping[str, np.ndarray], group: str, **dims: Sequence[str]) -> xr.Dataset:
    """Give flat draws their chain and draw back; ``dims`` are the labels of any dims after the first."""
    posterior = idata[group].dataset
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    coords = {
        "chain": posterior["chain"].to_numpy(),
        "draw": posterior["draw"].to_numpy(),
        **{d: list(v) for d, v in dims.items()},
    }
    return xr.Dataset(
        {name: (("chain", "draw", *dims), value.reshape(*shape, *value.shape[1:])) for name, value in draws.items()},
        coords=coords,
    )


def coefficients(
    idata: xr.DataTree, arm: str, *, group: str = "posterior", trial: int | None = None, new: bool = False, of: Of | None = None
) -> Coefficients:  # fmt: skip
    """Draws of the coefficients of one arm against the reference: of the mean trial, of one trial, or of a new one.

    ``of`` says what of the outcome effects will compare, as in `natural_effects`.
    """
    posterior, data = idata[group].dataset, idata["constant_data"].dataset
    base, active = (str(a) for a in data["level"].to_numpy()[:2])
    if arm == base:
        return none_of(coefficients(idata, active, group=group, trial=trial, new=new, of=of))
    suffix = "_trial" if trial is not None else "_new" if new else ""

    def draws(name: str) -> np.ndarray:
        values = posterior[name + suffix]
        values = values.sel(arm=arm) if "arm" in values.dims else values
        return flat(values.isel(trial=trial) if trial is not None else values)

    family_mediator, family_outcome = (FAMILIES[int(data[f"family_{role}"])] for role in ("mediator", "outcome"))
    b = draws("b")
    total = through_earlier(posterior, b.shape)
    binary = family_mediator in BINARY
    return Coefficients(
        alpha_m=np.einsum("sqr,sr->sq", total, draws("alpha_m")),
        a=np.einsum("sqr,sr->sq", total, draws("a")),
        gamma_m=np.einsum("sqr,srp->sqp", total, flat(posterior["gamma_m"])),
        sigma_m=np.zeros((*b.shape, b.shape[1])) if binary else _residual_covariance(posterior, total, arm),
        sigma_m_reference=_residual_covariance(posterior, total, base) if "sigma_m_level" in posterior else None,
        nu_m=flat(posterior["nu_m"]) if "nu_m" in posterior else np.full(len(b), np.inf),
        alpha_y=draws("alpha_y"), c=draws("c"), b=b,
        theta=flat(posterior["theta"].sel(arm=arm)) if "theta" in posterior else np.zeros(b.shape),
        gamma_y=flat(posterior["gamma_y"]),
        cov_ab=_cov_ab(idata, posterior, arm, total) if trial is None and not new else np.zeros(b.shape),
        family_mediator=family_mediator, family_outcome=family_outcome,
        response=response_of(family_outcome, _shape(posterior, data), of),
        zeros=_zeros(posterior, arm),
        **_moderation(posterior, arm, total),
    )  # fmt: skip


def _shape(posterior: xr.Dataset, data: xr.Dataset) -> dict[str, np.ndarray]:
    """What an outcome's family has beside its linear predictor; see `response_of`."""
    draws = {name: flat(posterior[name]) for name in SHAPES if name in posterior}
    return draws | {name: data[name].to_numpy() for name in ("category_score", "time_end") if name in data}


def _zeros(posterior: xr.Dataset, arm: str) -> Zeros | None:
    """Coefficients of the excess zeros, where modelled."""
    if "c_z" not in posterior:
        return None
    alpha, b, gamma = (flat(posterior[name]) for name in ("alpha_z", "b_z", "gamma_z"))
    return Zeros(alpha, flat(posterior["c_z"].sel(arm=arm)), b, gamma)


def _moderation(posterior: xr.Dataset, arm: str, total: np.ndarray) -> dict[str, np.ndarray | None]:
    """Change of a, c and b with the covariates, where modelled."""
    a_x = np.einsum("sqr,srp->sqp", total, flat(posterior["a_x"].sel(arm=arm))) if "a_x" in posterior else None
    c_x = flat(posterior["c_x"].sel(arm=arm)) if "c_x" in posterior else None
    return {"a_x": a_x, "c_x": c_x, "b_x": flat(posterior["b_x"]) if "b_x" in posterior else None}


def in_clusters(idata: xr.DataTree, k: Coefficients, members: np.ndarray, arm: str, *, group: str) -> Coefficients:
    """Coefficients of participants in the clusters ``members``, one per kind; -1 or beyond the last where in none."""
    draws = idata[group].dataset
    mediators = [str(q) for q in draws["mediator"].to_numpy()]
    total = through_earlier(draws, k.b.shape)
    shift = {name: np.zeros_like(getattr(k, name)) for name in ("alpha_m", "a", "alpha_y", "c", "b")}
    for (key, _), member in zip(cluster_keys(idata), members, strict=True):
        own = draws[f"deviation_{key}"]
        if not 0 <= member < own.sizes[f"cluster_{key}"]:
            continue
        own = own.isel({f"cluster_{key}": member})
        for name in own[f"effect_{key}"].to_numpy():
            values = flat(own.sel({f"effect_{key}": name}))
            if name == "alpha_y":
                shift["alpha_y"] += values
            elif name == f"c[{arm}]":
                shift["c"] += values
            for q, m in enumerate(mediators):
                for what, label in (("alpha_m", f"alpha_m[{m}]"), ("a", f"a[{m}, {arm}]"), ("b", f"b[{m}]")):
                    if name == label:
                        shift[what][:, q] += values
    shift |= {name: np.einsum("sqr,sr->sq", total, shift[name]) for name in ("alpha_m", "a")}
    return replace(k, cov_ab=np.zeros_like(k.b), **{name: getattr(k, name) + value for name, value in shift.items()})


def cluster_keys(idata: xr.DataTree) -> list[tuple[str, str]]:
    """Part of the variables' names, and name, of each kind of cluster of a fit."""
    data = idata["constant_data"].dataset
    names = [str(n) for n in data["grouping"].to_numpy()[1:]] if "grouping" in data.dims else []
    return [(variable_part(name), name) for name in names]


def profiles(
    idata: xr.DataTree, at: Mapping[str, float] | None, *, linear: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariate profiles to average over, their weights and their trials; the mean profile where that is enough."""
    data = idata["constant_data"].dataset
    names = [str(x) for x in data["covariate"].to_numpy()]
    if problems := unknown_covariates(at, names):
        raise ValueError(problems[0])
    if linear:
        X, weight, trial = data["covariate_mean"].to_numpy()[None, :].copy(), np.ones(1), np.zeros(1, int)
    else:
        X, weight = data["profile_covariates"].to_numpy().copy(), data["profile_weight"].to_numpy()
        trial = data["profile_trial"].to_numpy().astype(int)
    for name, value in (at or {}).items():
        X[:, names.index(name)] = value
    return X, weight, trial


def through_earlier(posterior: xr.Dataset, shape: tuple[int, ...]) -> np.ndarray:
    """(I - D)^-1 of ordered mediators, the identity of others: (draw, mediator, mediator)."""
    count, Q = shape
    D = np.zeros((count, Q, Q))
    if "d" in posterior:
        earlier, later = np.triu_indices(Q, 1)
        D[:, later, earlier] = flat(posterior["d"])
    return np.linalg.inv(np.eye(Q) - D)


def _residual_covariance(posterior: xr.Dataset, total: np.ndarray, level: str) -> np.ndarray:
    """Covariance of the mediators given treatment and covariates (draw, mediator, mediator), in one arm where it differs."""
    if "sigma_m_level" in posterior:
        return flat(posterior["sigma_m_level"].sel(level=level))[:, None, None] ** 2
    sd = flat(posterior["sigma_m"])
    correlation = np.broadcast_to(np.eye(sd.shape[1]), total.shape).copy()
    if "correlation_m" in posterior:
        first, second = np.triu_indices(sd.shape[1], 1)
        correlation[:, first, second] = correlation[:, second, first] = flat(posterior["correlation_m"])
    factor = total * sd[:, None, :]
    return np.asarray(factor @ correlation @ factor.transpose(0, 2, 1))


def _cov_ab(idata: xr.DataTree, posterior: xr.Dataset, arm: str, total: np.ndarray) -> np.ndarray:
    """Covariance over trials, and over clusters, of each mediator's total a and its b (draw, mediator); 0 where none is estimated."""
    mediators = [str(m) for m in posterior["mediator"].to_numpy()]
    found = [("tau", "correlation", "effect", "effect_pair")] if "correlation" in posterior else []
    found += [
        (f"tau_{key}", f"correlation_{key}", f"effect_{key}", f"effect_pair_{key}") for key, _ in cluster_keys(idata)
        if f"correlation_{key}" in posterior
    ]  # fmt: skip
    covariance = np.zeros(total.shape)
    for sd, correlation, effect, pair in found:
        tau, pairs = posterior[sd], posterior[correlation]
        for (q, of_b), (r, of_a) in ((p, s) for p in enumerate(mediators) for s in enumerate(mediators)):
            a, b = f"a[{of_a}, {arm}]", f"b[{of_b}]"
            if f"{a} ~ {b}" in pairs[pair]:
                values = tau.sel({effect: a}, drop=True) * tau.sel({effect: b}, drop=True)
                covariance[:, q, r] += flat(values * pairs.sel({pair: f"{a} ~ {b}"}, drop=True))
    return np.einsum("sqr,sqr->sq", total, covariance)


def path_effects(
    idata: xr.DataTree, arm: str, reference: str, *, group: str = "posterior"
) -> tuple[list[str], np.ndarray]:  # fmt: skip
    """Effect along every path through ordered mediators, names and (draw, path).

    The path through mediators p < q < r carries a_p d_qp d_rq (b_r + theta_r).
    """
    posterior = idata[group].dataset
    mediators = [str(m) for m in posterior["mediator"].to_numpy()]
    base = str(idata["constant_data"].dataset["level"].to_numpy()[0])
    k = of_pair(lambda level: coefficients(idata, level, group=group), arm, reference, base)
    direct = np.zeros(k.a.shape)
    for level, sign in ((arm, 1), (reference, -1)):
        if level != base:
            direct = direct + sign * flat(posterior["a"].sel(arm=level))
    d = {pair: flat(posterior["d"])[:, i] for i, pair in enumerate(combinations(range(len(mediators)), 2))}
    names, effects = [], []
    for length in range(1, len(mediators) + 1):
        for path in combinations(range(len(mediators)), length):
            effect = direct[:, path[0]] * (k.b + k.theta)[:, path[-1]]
            for step in pairwise(path):
                effect = effect * d[step]
            names.append(" → ".join(["treatment", *(mediators[q] for q in path), "outcome"]))
            effects.append(effect)
    return names, np.stack(effects, axis=1)
