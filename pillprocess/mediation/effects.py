r"""Causal effects of a fitted mediation model.

With :math:`Y(t, M(t'))` the outcome under treatment t and the mediator that treatment t' would bring,

.. math::
    te &= E[Y(1, M(1)) - Y(0, M(0))] = pnde + tnie = tnde + pnie \\
    pnde &= E[Y(1, M(0)) - Y(0, M(0))], \qquad tnie = E[Y(1, M(1)) - Y(1, M(0))] \\
    tnde &= E[Y(1, M(1)) - Y(0, M(1))], \qquad pnie = E[Y(0, M(1)) - Y(0, M(0))] \\
    cde(m) &= E[Y(1, m) - Y(0, m)]

Only te rests on randomisation alone. The others assume, beyond the model, that nothing unmeasured affects both a mediator
and the outcome, and that no such common cause is itself changed by the treatment (VanderWeele 2015, ISBN 9780199325870).
Effects on a binary outcome are differences of risk, or on request of its log odds or logarithm; those on an ordered one are
differences of mean scores, or of the chance of at least a score (``of``).
"""

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Literal

import numpy as np
import xarray as xr
from scipy import special

from pillprocess.mediation.choices import FAMILIES, Of, of_problems, scale_problems
from pillprocess.mediation.choices import Scale as Scale
from pillprocess.mediation.draws import (
    coefficients,
    compared_pair,
    in_clusters,
    path_effects,
    profiles,
    stack,
)
from pillprocess.mediation.gcomputation import Coefficients, controlled_outcome, potential_outcome
from pillprocess.mediation.pairs import of_pair

FAR = 2.0
"""Distance, in drug-arm SDs, beyond which a mediator value counts as an extrapolation."""

CERTAIN = 0.975
"""Posterior probability of the sign of te from which a proportion mediated is reported."""

Part = tuple[Coefficients, np.ndarray, np.ndarray]

TRANSFORMS: dict[Scale, Callable[[np.ndarray], np.ndarray]] = {
    "difference": np.asarray,
    "log_odds_ratio": special.logit,
    "log_risk_ratio": np.log,
    "log_rate_ratio": np.log,
    "log_time_ratio": np.log,
}


def natural_effects(
    idata: xr.DataTree,
    *,
    m: float | Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    arm: str | None = None,
    group: Literal["posterior", "prior"] = "posterior",
    scale: Scale = "difference",
    of: Of | None = None,
    reference: str | None = None,
) -> xr.Dataset:
    """Compute total, direct and indirect effects of every draw.

    Parameters
    ----------
    idata
        Fit of `mediation`.
    m
        Value of the mediators for cde(m), in their units; by default 0, the treatment without the experience.
    at
        Values of covariates (design columns) at which effects are computed; the other covariates are averaged over the
        participants, as all are by default.
    arm
        Arm to compare with the reference; needed where there are several.
    group
        Draws of the posterior, or of the prior.
    scale
        ``"difference"`` of mean outcomes; for a binary outcome or a chance also ``"log_odds_ratio"`` or ``"log_risk_ratio"`` of its
        means, for a count ``"log_rate_ratio"``, for mean times ``"log_time_ratio"`` (marginal over mediators and covariates;
        exponentiate for ratios). te is the sum of its parts on each.
    of
        What of the outcome is compared where it is not its mean (the mean score of an ordinal one): ``{"at_least": 4}`` is the chance
        of 4 or more, of an ordinal outcome or a count. Of a time to an event ``{"free_at": 12}`` is the chance of being free of it at
        12, and ``{"up_to": 26}`` the mean time free of it up to 26 (restricted mean survival time; ``inf`` for the whole mean of a
        Weibull time); by default up to the longest time seen.
    reference
        The arm to compare with, any of the others; by default that of the participants.

    Returns
    -------
    Dataset with dims chain and draw: ``te``, ``pnde``, ``tnie``, ``tnde``, ``pnie``, ``cde``, and ``proportion_mediated``
    where it can be reported (the attribute ``proportion_withheld`` says why not). Of differences, several mediators add ``iie`` (dim
    mediator), ``iie_dependence`` and ``ide``, the interventional effects; a declared order adds ``path`` (dim path).
    Several trials add ``ab`` and ``cov_ab`` (dim mediator where there are several), whose sum is the indirect effect at
    the reference (likewise with clusters), and ``te_new``, ``pnde_new`` and ``tnie_new``, the effects in a new trial. The attributes
    ``extrapolation_cde`` and ``extrapolation_pnde`` say how many drug-arm SDs each mediator is moved.

    Raises
    ------
    ValueError
        The fit is no mediation, or lacks an arm, mediator or covariate; or a scale or ``of`` that the outcome does not have.

    Warns
    -----
    UserWarning
        cde(m) or pnde moves a mediator beyond 2 SDs of the drug arm; or a time lies beyond the longest seen.
    """
    effects = compute_effects(idata, m=m, at=at, arm=arm, group=group, scale=scale, of=of, reference=reference)
    mediators = idata["constant_data"].dataset["mediator"].to_numpy()
    for name in ("cde", "pnde"):
        distance = np.array(effects.attrs[f"extrapolation_{name}"])
        if distance.max() > FAR:
            warnings.warn(
                f"{name} moves mediator {str(mediators[distance.argmax()])!r} {distance.max():.1f} SDs from its mean in arm "
                f"{effects.attrs['arm']!r}: it extrapolates beyond the participants who had the treatment",
                stacklevel=2,
            )
    end = float(idata["constant_data"].dataset.get("time_end", np.inf))
    if effects.attrs["of_value"] > end:
        warnings.warn(
            f"{effects.attrs['of']} {effects.attrs['of_value']:g} lies beyond the longest time seen, {end:g}: what comes after it is the "
            "Weibull curve's, not people's",
            stacklevel=2,
        )
    return effects


def compute_effects(
    idata: xr.DataTree,
    *,
    m: float | Mapping[str, float] | None = None,
    at: Mapping[str, float] | None = None,
    arm: str | None = None,
    group: Literal["posterior", "prior"] = "posterior",
    scale: Scale = "difference",
    of: Of | None = None,
    reference: str | None = None,
) -> xr.Dataset:
    """Compute what `natural_effects` returns, without its warnings."""
    arm, reference = compared_pair(idata, arm, reference)
    draws, data = idata[group].dataset, idata["constant_data"].dataset
    base = str(data["level"].to_numpy()[0])

    def pair(trial: int | None = None, new: bool = False) -> Coefficients:
        return of_pair(
            lambda level: coefficients(idata, level, group=group, trial=trial, new=new, of=of), arm, reference, base
        )

    mediators = [str(name) for name in data["mediator"].to_numpy()]
    value = mediator_values(m, mediators)
    several, groups = "trial" in draws.dims, data.get("group_members")
    if "case_control" in data:
        raise ValueError(
            "these people were sampled by their outcome, so risks are not known; rare_outcome_effects has their odds ratios"
        )
    if problems := asked_problems(data, scale, of):
        raise ValueError(problems[0])
    population = pair()
    X, weight, trial = profiles(idata, at, linear=population.linear and not population.moderated)
    parts: list[Part] = [(population, X, weight)]
    if groups is not None and not population.linear:
        members = groups.to_numpy()
        make = partial(_in_group, idata, group=group, of=of, several=several)
        parts = [
            (of_pair(partial(make, own), arm, reference, base), X[trial == g], weight[trial == g])
            for g, own in enumerate(members) if (trial == g).any()
        ]  # fmt: skip
    elif several and not population.linear:
        trials = [pair(trial=j) for j in range(draws.sizes["trial"])]
        parts = [(k, X[trial == j], weight[trial == j]) for j, k in enumerate(trials) if (trial == j).any()]

    dims = {"mediator": mediators} if len(mediators) > 1 else {}
    single = effects_of(parts, value, scale)
    by_mediator: dict[str, np.ndarray] = {}
    if len(mediators) > 1 and scale == "difference":
        single |= _interventional(parts, by_mediator, te=single["te"], linear=population.linear)
    if (several or groups is not None) and population.linear and not population.moderated:
        by_mediator |= {"ab": population.a * population.b, "cov_ab": population.cov_ab}
    if several:
        new = effects_of([(pair(new=True), X, weight)], value, scale)
        single |= {f"{name}_new": new[name] for name in ("te", "pnde", "tnie")}
    effects = stack(idata, single, group)
    effects = effects.merge(
        stack(idata, by_mediator if dims else {n: v[:, 0] for n, v in by_mediator.items()}, group, **dims)
    )
    if "d" in draws and population.linear and not population.moderated:
        names, paths = path_effects(idata, arm, reference, group=group)
        effects = effects.merge(stack(idata, {"path_effect": paths}, group, path=names))
    what, least = next(iter(compared_of(data, of).items()), ("", 0.0))
    return _describe(effects.assign_attrs(scale=scale, of=what, of_value=float(least)), data, (arm, reference), value)


def compared_of(data: xr.Dataset, of: Of | None) -> Mapping[str, float]:
    """What is compared of an outcome; by default the mean time up to the longest seen, of a time to an event, and otherwise nothing."""
    return of or ({"up_to": float(data["time_end"])} if "time_end" in data else {})


def asked_problems(data: xr.Dataset, scale: str, of: Of | None) -> list[str]:
    """A scale or an ``of`` that the outcome of a fit does not have."""
    family = FAMILIES[int(data["family_outcome"])]
    ends = [data[name].to_numpy() for name in ("category_score", "time_end") if name in data]
    return of_problems(of, family, np.atleast_1d(ends[0] if ends else 0.0)) or scale_problems(scale, family, of)


def _in_group(
    idata: xr.DataTree, own: np.ndarray, level: str, *, group: str, of: Of | None, several: bool
) -> Coefficients:  # fmt: skip
    """Coefficients of an arm in one combination of trial and clusters."""
    k = coefficients(idata, level, group=group, trial=int(own[0]) if several else None, of=of)
    return in_clusters(idata, k, own[1:], level, group=group)


def mediator_values(m: float | Mapping[str, float] | None, mediators: list[str]) -> np.ndarray:
    """Value of each mediator for cde."""
    if not isinstance(m, Mapping):
        return np.full(len(mediators), 0.0 if m is None else m)
    if set(m) != set(mediators):
        raise ValueError(f"m = {dict(m)}: give a value to each mediator, {', '.join(mediators)}")
    return np.array([m[name] for name in mediators], float)


def _mean(parts: list[Part], outcome: Callable[..., np.ndarray], **setting: float | np.ndarray) -> np.ndarray:
    return np.asarray(sum(outcome(k, X, weight, **setting) for k, X, weight in parts))


def effects_of(parts: list[Part], m: np.ndarray, scale: Scale = "difference") -> dict[str, np.ndarray]:
    """Effects that need no more than one mediator, each (draw,)."""
    on = TRANSFORMS[scale]
    y00, y01, y10, y11 = (on(_mean(parts, potential_outcome, t=t, t_m=s)) for t in (0, 1) for s in (0, 1))
    cde = on(_mean(parts, controlled_outcome, t=1, m=m)) - on(_mean(parts, controlled_outcome, t=0, m=m))
    return {"te": y11 - y00, "pnde": y10 - y00, "tnie": y11 - y10, "tnde": y11 - y01, "pnie": y01 - y00, "cde": cde}


def _interventional(
    parts: list[Part], by_mediator: dict[str, np.ndarray], *, te: np.ndarray, linear: bool
) -> dict[str, np.ndarray]:
    """Interventional effects of several mediators (Vansteelandt & Daniel 2017, doi:10.1097/EDE.0000000000000596).

    The mediators are drawn independently of one another and moved to the active arm one after the other; what their
    dependence adds is te less the rest, exactly 0 where the model is linear.
    """
    Q = parts[0][0].a.shape[1]
    steps = [np.arange(Q) < moved for moved in range(Q + 1)]
    means = [_mean(parts, potential_outcome, t=1, t_m=step.astype(float), independent=True) for step in steps]
    ide = means[0] - _mean(parts, potential_outcome, t=0, t_m=0, independent=True)
    by_mediator["iie"] = np.stack([after - before for before, after in pairwise(means)], axis=1)
    rest = te - ide - by_mediator["iie"].sum(1)
    return {"ide": ide, "iie_dependence": np.zeros_like(rest) if linear else rest}


def _describe(effects: xr.Dataset, data: xr.Dataset, arms: tuple[str, str], m: np.ndarray) -> xr.Dataset:
    """Add the proportion mediated, or why it is withheld, and how far the effects extrapolate."""
    te, pnde, tnie = (effects[name] for name in ("te", "pnde", "tnie"))
    below = float((te < 0).mean())
    arm, against = arms
    attrs: dict[str, object] = {"arm": arm, "reference": against, "m": m.tolist()}
    if effects.attrs["scale"] != "difference":
        attrs["proportion_withheld"] = "a proportion mediated is a share of a difference, not of a ratio"
    elif max(below, 1 - below) <= CERTAIN:
        attrs["proportion_withheld"] = f"the sign of te is not settled: P(te < 0) = {below:.3f}"
    elif float(pnde.mean()) * float(tnie.mean()) < 0:
        attrs["proportion_withheld"] = "pnde and tnie have opposite signs, so neither is a share of te"
    else:
        effects = effects.assign(proportion_mediated=tnie / te)
    mean, sd = data["mediator_mean"], data["mediator_sd"].sel(level=arm).to_numpy()
    active, reference = mean.sel(level=arm).to_numpy(), mean.sel(level=against).to_numpy()
    moved = {"cde": np.abs(active - m) / sd, "pnde": np.abs(active - reference) / sd}
    for name, distance in moved.items():
        attrs[f"extrapolation_{name}"] = distance.tolist()
    return effects.assign_attrs(attrs)
