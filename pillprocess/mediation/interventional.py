r"""Interventional effects through one of several mediators, with the others as common causes that treatment may itself have changed.

Where an earlier mediator L (the experience) affects both a later one M (early change) and the outcome, and treatment affects L, the
natural effects through M are not identified, whatever is measured. Interventional ones are: with G(t') a random draw from the
distribution of M under treatment t' given the covariates,

.. math::
    oe &= E[Y(1, G(1))] - E[Y(0, G(0))] = ide + iie \\
    ide &= E[Y(1, G(0))] - E[Y(0, G(0))], \qquad iie = E[Y(1, G(1))] - E[Y(1, G(0))]

(VanderWeele, Vansteelandt & Robins 2014, doi:10.1097/EDE.0000000000000034). Mediators before M, or beside it, take the values that
treatment t brings, whatever is drawn; those after it, in the order of the model, follow from t, what came before and what was drawn.
Several that are one measure over sessions are moved together by :mod:`pillprocess.mediation.trajectory`.
In a linear model :math:`iie = a_M (b_M + \theta_M + \sum_r d_{rM} (b_r + \theta_r))`, a and d including what runs through others.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.mediation.choices import Of
from pillprocess.mediation.draws import coefficients, compared_pair, profiles, stack, through_earlier
from pillprocess.mediation.effects import TRANSFORMS, Scale, asked_problems, compared_of
from pillprocess.mediation.gcomputation import Coefficients
from pillprocess.mediation.pairs import of_pair
from pillprocess.output.tables import effect_table


def interventional_effects(
    idata: xr.DataTree,
    *,
    mediator: str,
    at: Mapping[str, float] | None = None,
    arm: str | None = None,
    scale: Scale = "difference",
    of: Of | None = None,
    reference: str | None = None,
) -> xr.Dataset:
    """Compute the interventional direct and indirect effects of one mediator, given the others.

    Parameters
    ----------
    idata
        Fit of `mediation` to several mediators of one trial; with ``order`` where they follow one another in time.
    mediator
        The one that is moved; the others are common causes of it and the outcome, or what it brings.
    at, arm, scale, of, reference
        As in `natural_effects`.

    Returns
    -------
    Dataset of draws with dims chain and draw: ``oe`` (overall), ``ide`` and ``iie``. In a linear model oe is te. The attributes name
    the ``mediator`` and those ``before`` and ``after`` it.

    Raises
    ------
    ValueError
        One mediator, several trials or clusters, or another one than the fit's.
    """
    arm, reference = compared_pair(idata, arm, reference)
    posterior, data = idata["posterior"].dataset, idata["constant_data"].dataset
    mediators = [str(q) for q in data["mediator"].to_numpy()]
    if len(mediators) < 2 or mediator not in mediators:
        raise ValueError(
            f"mediator = {mediator!r}: the mediators of this fit are {', '.join(mediators)}; with one, natural_effects is enough, and "
            "with several one of them must be named"
        )
    if "trial" in posterior.dims or "group_members" in data:
        raise ValueError("interventional effects of one mediator are computed for one trial without clusters")
    if problems := asked_problems(data, scale, of):
        raise ValueError(problems[0])
    base = str(data["level"].to_numpy()[0])
    k = of_pair(lambda level: coefficients(idata, level, of=of), arm, reference, base)
    X, weight, _ = profiles(idata, at, linear=k.linear and not k.moderated)
    D = direct_slopes(posterior, k)
    place = mediators.index(mediator)
    on = TRANSFORMS[scale]
    y00, y10, y11 = map(on, moved_means(k, D, X, weight, np.array([place])))
    effects = stack(idata, {"oe": y11 - y00, "ide": y10 - y00, "iie": y11 - y10}, "posterior")
    ordered = "d" in posterior
    what, value = next(iter(compared_of(data, of).items()), ("", 0.0))
    return effects.assign_attrs(
        arm=arm, reference=reference, scale=scale, of=what, of_value=float(value), mediator=mediator,
        before=mediators[:place] if ordered else [m for m in mediators if m != mediator],
        after=mediators[place + 1 :] if ordered else [],
    )  # fmt: skip


def interventional_table(
    idata: xr.DataTree, *, at: Mapping[str, float] | None = None, arm: str | None = None, scale: Scale = "difference", of: Of | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Tabulate `interventional_effects` of every mediator, with the columns ``mediator`` and ``given``, those before or beside it."""
    parts = []
    for mediator in map(str, idata["constant_data"].dataset["mediator"].to_numpy()):
        effects = interventional_effects(idata, mediator=mediator, at=at, arm=arm, scale=scale, of=of)
        parts.append(effect_table(effects).assign(mediator=mediator, given=", ".join(effects.attrs["before"])))
    return pd.concat(parts, ignore_index=True)


class Drawn(NamedTuple):
    """Mediators of which some were drawn: their means (draw, profile, mediator) and covariance (draw, mediator, mediator)."""

    mean: np.ndarray
    covariance: np.ndarray


def direct_slopes(posterior: xr.Dataset, k: Coefficients) -> np.ndarray:
    """Slopes of later on earlier mediators (draw, later, earlier), 0 where they are parallel."""
    return np.asarray(np.eye(k.b.shape[1]) - np.linalg.inv(through_earlier(posterior, k.b.shape)))


def drawn(k: Coefficients, D: np.ndarray, X: np.ndarray, moved: np.ndarray, *, t: float, t_m: np.ndarray) -> Drawn:
    """Mediators under treatment t, of which those at ``moved`` are drawn together from what treatments ``t_m`` bring.

    The drawn ones do not know of the others; the others follow from t, from what came before them and from what was drawn. ``D`` are
    `direct_slopes`.
    """
    Q = D.shape[1]
    direct = np.eye(Q) - D
    cut = direct.copy()
    cut[:, moved] = np.eye(Q)[moved]
    through = np.linalg.inv(cut)
    start = np.einsum("sqr,snr->snq", direct, _location(k, X, t))
    for q, s in zip(moved, t_m, strict=True):
        start[:, :, q] = _location(k, X, s)[:, :, q]
    noise = direct @ k.sigma_m @ direct.transpose(0, 2, 1)
    noise[:, moved], noise[:, :, moved] = 0, 0
    together = np.ix_(range(len(D)), moved, moved)
    noise[together] = k.sigma_m[together]
    return Drawn(np.einsum("sqr,snr->snq", through, start), through @ noise @ through.transpose(0, 2, 1))


def mean_outcome(k: Coefficients, M: Drawn, X: np.ndarray, weight: np.ndarray, *, t: float) -> np.ndarray:
    """Mean outcome of every draw under treatment t and these mediators."""
    slope = (k.b + k.theta * t)[:, None]
    slope = slope if k.b_x is None else slope + np.einsum("np,sqp->snq", X, k.b_x)
    gamma_y = k.gamma_y if k.c_x is None else k.gamma_y + k.c_x * t
    centre = (k.alpha_y + k.c * t)[:, None] + gamma_y @ X.T + (M.mean * slope).sum(2)
    return np.asarray(k.response.averaged(centre, np.einsum("snq,sqr,snr->sn", slope, M.covariance, slope)) @ weight)


def _location(k: Coefficients, X: np.ndarray, t: float) -> np.ndarray:
    """Mean mediators under treatment t, (draw, profile, mediator)."""
    gamma = k.gamma_m if k.a_x is None else k.gamma_m + k.a_x * t
    return np.asarray((k.alpha_m + k.a * t)[:, None] + np.einsum("np,sqp->snq", X, gamma))


def moved_means(
    k: Coefficients, D: np.ndarray, X: np.ndarray, weight: np.ndarray, moved: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """E[Y(0, G(0))], E[Y(1, G(0))] and E[Y(1, G(1))] of every draw, G the mediators at ``moved`` drawn together."""
    y00, y10, y11 = (
        mean_outcome(k, drawn(k, D, X, moved, t=t, t_m=np.full(len(moved), s)), X, weight, t=t)
        for t, s in ((0, 0), (1, 0), (1, 1))
    )
    return y00, y10, y11
