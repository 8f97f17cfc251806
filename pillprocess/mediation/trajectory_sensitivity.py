r"""How strong an unmeasured trait would have to be that colours every session's experience and the outcome.

With U standard normal, not affected by treatment, add :math:`\lambda_k U` to the experience :math:`M_k` of every session and
:math:`\lambda_y U` to the outcome. What was measured before a variable already tells of U, :math:`E[U \mid V] = c'(V - E[V \mid T, X])`
with :math:`c = \Sigma^{-1} h` and :math:`h_q = \mathrm{cov}(V_q, U) = \lambda_q + \sum_r d_{qr} h_r`, so the fitted slopes are
:math:`\lambda_q c` too large. Taken off them one after the other, in the order of the mediators, they are those of a model with U, draw by
draw: means and covariances given treatment stay as fitted, and with them the overall effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from pillprocess.mediation.draws import coefficients, compared_pair, flat, profiles, stack
from pillprocess.mediation.gcomputation import Coefficients
from pillprocess.mediation.interventional import direct_slopes, moved_means
from pillprocess.mediation.pairs import of_pair
from pillprocess.mediation.trajectory import fit_problems

STRENGTHS = tuple(float(s) for s in np.linspace(-0.95, 0.95, 39))


def trajectory_sensitivity(
    idata: xr.DataTree,
    *,
    mediators: Sequence[str],
    at: Mapping[str, float] | None = None,
    arm: str | None = None,
    reference: str | None = None,
    strengths: Sequence[float] = STRENGTHS,
) -> xr.Dataset:
    """Compute the effects through a course of sessions under an unmeasured trait of every strength.

    Parameters
    ----------
    idata, mediators, at, arm, reference
        As in `trajectory_effects`; the outcome is Gaussian and nothing moderates.
    strengths
        Strength of the trait, increasing through 0: the shift of every session's experience per SD of the trait, in residual SDs of that
        session; the outcome shifts by as many of its own residual SDs, the other way where the strength is negative. Between -1 and 1.

    Returns
    -------
    Dataset with dims chain and draw, and strength: ``iie`` and ``ide``; ``strength_tipping``, the strength nearest 0 at which iie is 0,
    infinite where none of these is enough.

    Raises
    ------
    ValueError
        As `trajectory_effects`; an outcome that is not Gaussian, moderators, or strengths that do not increase through 0.
    """
    arm, reference = compared_pair(idata, arm, reference)
    posterior, data = idata["posterior"].dataset, idata["constant_data"].dataset
    names, grid = [str(q) for q in data["mediator"].to_numpy()], np.asarray(strengths, float)
    if problems := fit_problems(posterior, data, list(mediators), []):
        raise ValueError(problems[0])
    if not ((np.diff(grid) > 0).all() and (grid == 0).any() and np.abs(grid).max() < 1):
        raise ValueError(f"strengths = {list(strengths)}: they must increase through 0, between -1 and 1")
    base = str(data["level"].to_numpy()[0])
    k = of_pair(lambda level: coefficients(idata, level), arm, reference, base)
    if not k.linear or k.moderated:
        raise ValueError(
            f"the sensitivity of a course is known for a gaussian outcome without moderators; this one is {k.family_outcome}"
            + (" and moderated" if k.moderated else "")
        )
    X, weight, _ = profiles(idata, at, linear=True)
    moved, D = np.sort([names.index(m) for m in mediators]), direct_slopes(posterior, k)
    residual = flat(posterior["sigma_m"]) * np.isin(np.arange(len(names)), moved)
    of_y = flat(posterior["sigma_y"])
    found = np.stack([_effects(*with_trait(k, D, abs(s) * residual, s * of_y), X, weight, moved) for s in grid], axis=2)
    effects = {"iie": found[0], "ide": found[1]}
    return (
        stack(idata, effects, "posterior", strength=[f"{s:g}" for s in grid])
        .assign_coords(strength=grid.round(6))
        .merge(stack(idata, {"strength_tipping": _tipping(grid, found[0])}, "posterior"))
        .assign_attrs(arm=arm, reference=reference, mediators=[names[q] for q in moved])
    )


def with_trait(
    k: Coefficients, D: np.ndarray, loadings: np.ndarray, on_outcome: np.ndarray
) -> tuple[Coefficients, np.ndarray]:
    """Coefficients and slopes of later on earlier mediators in a model with the trait.

    ``loadings`` (draw, mediator) and ``on_outcome`` (draw,) are in the units of the data, of one SD of the trait.
    """
    covariance, h, D = k.sigma_m, np.zeros_like(loadings), D.copy()
    for q in range(loadings.shape[1]):
        if q:
            told = np.linalg.solve(covariance[:, :q, :q], h[:, :q, None])[:, :, 0]
            D[:, q, :q] -= loadings[:, [q]] * told
        h[:, q] = loadings[:, q] + np.einsum("sr,sr->s", D[:, q, :q], h[:, :q])
    taken = on_outcome[:, None] * np.linalg.solve(covariance, h[:, :, None])[:, :, 0]
    changed = replace(
        k, b=k.b - taken, alpha_y=k.alpha_y + (taken * k.alpha_m).sum(1), c=k.c + (taken * k.a).sum(1),
        gamma_y=k.gamma_y + np.einsum("sq,sqp->sp", taken, k.gamma_m),
    )  # fmt: skip
    return changed, D


def _effects(k: Coefficients, D: np.ndarray, X: np.ndarray, weight: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Iie and ide, (2, draw)."""
    y00, y10, y11 = moved_means(k, D, X, weight, moved)
    return np.stack([y11 - y10, y10 - y00])


def _tipping(grid: np.ndarray, iie: np.ndarray) -> np.ndarray:
    """Where iie (draw, strength) crosses 0 nearest to a strength of 0, by straight lines between the strengths."""
    low, high = iie[:, :-1], iie[:, 1:]
    crossed = np.sign(low) * np.sign(high) <= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        where = grid[:-1] + np.diff(grid) * np.where(low == high, 0.0, low / (low - high))
    where = np.where(crossed, where, np.inf)
    return np.take_along_axis(where, np.abs(where).argmin(1)[:, None], axis=1)[:, 0]
