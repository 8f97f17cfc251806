r"""What if those who left did worse than the model says? Outcomes missing not at random, imputed and analysed again.

For every posterior draw of `repeated_mediation` the missing values are drawn, and the completed visit is analysed: mediators on
treatment and covariates, outcome on those and the mediators (least squares, flat priors; clusters' levels normal, with the draw's
SDs). One draw from that posterior per imputation gives stacked draws that hold both the imputation's and the sampling uncertainty.

Values before a person's last visit seen, and mediators, are always missing at random. Of a person in an arm of ``applied_to``
who left after visit d, with :math:`\mu^1, \mu^0` the mean paths of that arm and of the reference given covariates, the later visits
have the mean path

.. math::
    \mu^1_v \ \text{(at random)}, \qquad \mu^0_v \ \text{(jump to reference)}, \qquad
    \mu^1_d + \mu^0_v - \mu^0_d \ \text{(copy increments)}

about which they follow the person's own deviations so far (for the last two by the reference's regression, Carpenter, Roger &
Kenward 2013, doi:10.1080/10543406.2013.834911); then delta is added.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.mediation.clusters import Clusters
from pillprocess.mediation.draws import compared_arm
from pillprocess.mediation.imputing import OneDraw, coefficients_of, complete, from_reference, thinned
from pillprocess.mediation.repeated_effects import at_visit
from pillprocess.mediation.visit_clusters import indicators, visit_clusters
from pillprocess.output.tables import interval_table
from pillprocess.participants.followup import FollowUp

Imputation = Literal["at_random", "jump_to_reference", "copy_increments"]


def tipping_point(
    idata: xr.DataTree,
    followup: FollowUp,
    *,
    delta: Sequence[float] | None = None,
    imputation: Imputation = "at_random",
    visit: str | None = None,
    arm: str | None = None,
    applied_to: Sequence[str] | None = None,
    imputations: int = 400,
    seed: int,
) -> xr.Dataset:
    """Compute the effects at a visit as a curve over how much worse those who left did than is assumed.

    Scale: difference of mean outcomes, in units of the outcome. Identification: as `repeated_effects`, but what is missing after a
    person's last visit follows the stated assumption in place of missing at random; no data can tell between them.

    Parameters
    ----------
    idata, followup
        Fit of `repeated_mediation`, and what it was fitted to.
    delta
        What is added to the imputed outcomes, in units of the outcome; by default 21 steps up to 2 SDs in the worse direction.
    imputation
        ``"at_random"``, or reference-based: ``"jump_to_reference"`` or ``"copy_increments"``.
    visit
        Visit at which the effects are computed; by default the last.
    arm
        Active arm to compare with the reference; needed where there are several.
    applied_to
        Arms to whose leavers the assumption applies; by default the compared arm alone. Others are missing at random.
    imputations
        Draws of the posterior that are used, evenly spread.
    seed
        Seed of the imputations.

    Returns
    -------
    Dataset with dims chain, draw and delta: ``te``, ``pnde`` and ``tnie``. The attribute ``imputed`` says how many outcomes
    the assumption was applied to.

    Raises
    ------
    ValueError
        Unknown imputation, visit or arm; or participants that the fit was not made from.
    """
    visits, mediators = [str(v) for v in followup.outcomes.columns], [str(m) for m in followup.people.mediators.columns]
    visit = visits[-1] if visit is None else visit
    arm = compared_arm(at_visit(idata, visit), arm)
    levels = [followup.people.reference, *(str(a) for a in followup.people.treatment.columns)]
    applied = [arm] if applied_to is None else list(applied_to)
    counts = idata["constant_data"].dataset["visit_n"].to_numpy().sum()
    problems = []
    if imputation not in get_args(Imputation):
        problems.append(f"imputation = {imputation!r}; it must be one of {', '.join(get_args(Imputation))}")
    if unknown := [a for a in applied if a not in levels]:
        problems.append(f"applied_to = {unknown}: name arms of {', '.join(levels)}")
    if counts != int(followup.outcomes.notna().to_numpy().sum()) or visit not in visits:
        problems.append(
            "the participants are not those that the fit was made from: their numbers of outcomes seen differ"
        )
    if problems:
        raise ValueError("\n".join([*problems, "nothing was imputed"]))
    spread = float(idata["constant_data"].dataset["visit_outcome_within_sd"].sel(visit=visit))
    worse = 1 if followup.people.higher_is_worse else -1
    grid = np.linspace(0, 2 * worse * spread, 21) if delta is None else np.asarray(delta, float)

    rng, v = np.random.default_rng(seed), visits.index(visit)
    T, X = followup.people.treatment.to_numpy(float), followup.people.covariates.to_numpy(float)
    kinds = visit_clusters(followup.people)
    C, keys = indicators(kinds, len(X)), [kind.key for kind in kinds]
    wide = np.hstack([X, C])
    values = np.hstack([followup.people.mediators.to_numpy(float), followup.outcomes.to_numpy(float)])
    Q, seen = len(mediators), np.isfinite(values)
    last = len(visits) - seen[:, Q:][:, ::-1].argmax(axis=1)
    reached = np.where(seen[:, Q:].any(axis=1), last, 0)  # number of visits up to the last one seen
    left = (reached <= v) & followup.people.arm.astype(str).isin(applied).to_numpy()
    posterior = thinned(idata, imputations)
    k = [str(a) for a in followup.people.treatment.columns].index(arm)
    curves = []
    for i in range(posterior.sizes["chain"] * posterior.sizes["draw"]):
        one = coefficients_of(posterior, i, keys)
        completed = complete(one, T, wide, values, rng)
        if imputation != "at_random":
            completed = from_reference(
                one, T, wide, completed, reached, left, Q, rng, jump=imputation == "jump_to_reference"
            )
        ratios = _ratios(posterior, i, kinds, one, v)
        curves.append(
            _analysed(T, X, C, ratios, completed[:, :Q], completed[:, Q + v], left, grid, k, one.theta is not None, rng)
        )
    shape = (posterior.sizes["chain"], posterior.sizes["draw"], len(grid))
    arrays = {
        n: (("chain", "draw", "delta"), np.array([c[j] for c in curves]).reshape(shape)) for j, n in enumerate(NAMES)
    }
    coords = {"chain": posterior["chain"], "draw": posterior["draw"], "delta": grid}
    return xr.Dataset(arrays, coords=coords).assign_attrs(
        arm=arm,
        reference=followup.people.reference,
        visit=visit,
        imputation=imputation,
        applied_to=applied,
        imputed=int(left.sum()),
    )


NAMES = ("te", "pnde", "tnie")


def tipping_table(curve: xr.Dataset, *, level: float = 0.95) -> pd.DataFrame:
    """Tabulate where conclusions turn along a curve of `tipping_point`.

    Parameters
    ----------
    curve
        From `tipping_point`.
    level
        Probability of the interval.

    Returns
    -------
    DataFrame, one row per effect: ``estimand``, ``at_zero`` (whether the interval excludes 0 at the first delta), ``delta_interval``
    (the first delta, interpolated, at which the interval holds 0) and ``delta_mean`` (at which the mean is 0); missing where
    neither happens on the grid or the interval holds 0 from the start. ``verdict`` says it in words.
    """
    table = interval_table(curve, level=level)
    rows = []
    for name in curve.data_vars:
        own = table[table["estimand"] == name]
        delta, mean = own["delta"].to_numpy(float), own["mean"].to_numpy()
        sign = np.sign(mean[0])
        near = np.where(sign < 0, own["ci_high"], own["ci_low"])
        clear = bool(sign * near[0] > 0)
        turns = _first_crossing(delta, sign * near) if clear else np.nan
        none = f"nowhere from {delta[0]:g} to {delta[-1]:g}"
        verdict = (
            "the interval holds 0 from the start" if not clear
            else f"the interval excludes 0 until delta = {turns:.3g}" if np.isfinite(turns) else f"the interval holds 0 {none}"
        )  # fmt: skip
        rows.append(
            {
                "estimand": str(name), "at_zero": clear, "delta_interval": turns,
                "delta_mean": _first_crossing(delta, sign * mean), "verdict": verdict,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _first_crossing(x: np.ndarray, y: np.ndarray) -> float:
    """Where a curve that begins above 0 first reaches it, by straight lines between its points."""
    below = np.flatnonzero(y <= 0)
    if not len(below) or below[0] == 0:
        return np.nan
    j = below[0]
    return float(x[j - 1] + (x[j] - x[j - 1]) * y[j - 1] / (y[j - 1] - y[j]))


def _ratios(posterior: xr.Dataset, i: int, kinds: Sequence[Clusters], one: OneDraw, v: int) -> np.ndarray:
    """Residual SD over the SD between clusters in draw i, of every mediator and of visit v, (equation, cluster)."""
    chain, draw = divmod(i, posterior.sizes["draw"])
    residual = np.sqrt(np.append(np.diag(one.S_m), one.S_y[v, v]))
    each = [
        np.repeat((residual / posterior[f"tau_{kind.key}"].to_numpy()[chain, draw])[:, None], len(kind.labels), axis=1)
        for kind in kinds
    ]
    return np.hstack([np.zeros((len(residual), 0)), *each])


def _analysed(
    T: np.ndarray, X: np.ndarray, C: np.ndarray, ratios: np.ndarray, M: np.ndarray, y: np.ndarray, left: np.ndarray, delta: np.ndarray,
    k: int, interaction: bool, rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """te, pnde and tnie (delta,) of one completed data set: one draw from its posterior under flat priors."""
    n, K, Q = len(y), T.shape[1], M.shape[1]
    base = np.column_stack([np.ones(n), T, X - X.mean(0)])
    products = [T[:, [j]] * M for j in range(K)] if interaction else []
    of_m = np.stack(
        [_regression(base, M[:, [q]], rng, C, ratios[q])[:, 0] for q in range(Q)], axis=1
    )  # at mean covariates
    shifted = y[:, None] + delta * left[:, None]
    of_y = _regression(np.column_stack([base, M, *products]), shifted, rng, C, ratios[-1])
    start = base.shape[1]
    c, b = of_y[1 + k], of_y[start : start + Q]
    theta = of_y[start + Q * (k + 1) : start + Q * (k + 2)] if interaction else np.zeros_like(b)
    pnde, tnie = c + of_m[0] @ theta, of_m[1 + k] @ (b + theta)
    return pnde + tnie, pnde, tnie


def _regression(A: np.ndarray, y: np.ndarray, rng: np.random.Generator, C: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Coefficients (column, outcome) drawn from their posterior; the same random numbers serve every outcome.

    Those of A have flat priors. Those of the clusters C, which come last, are normal with mean 0 and an SD of sigma / ratio: a row more
    for each, which is 0.
    """
    free = len(A) - A.shape[1]
    if C.shape[1]:
        A = np.block([[A, C], [np.zeros((C.shape[1], A.shape[1])), np.diag(ratio)]])
        y = np.vstack([y, np.zeros((C.shape[1], y.shape[1]))])
    Q, R = np.linalg.qr(A)
    z, chi = np.asarray(rng.standard_normal(A.shape[1])), rng.chisquare(free)
    fitted = Q.T @ y
    residual = np.sqrt((((y - Q @ fitted) ** 2).sum(0)) / chi)
    return np.linalg.solve(R, fitted + z[:, None] * residual)
