r"""How large one trial must be for a mediation of its own: power, coverage and type I error by simulation, fitted in closed form.

With T the arm, M the measured experience, Y the change and B the baseline, by least squares (maximum likelihood)

.. math:: M = \alpha + a T + g B, \qquad Y = \alpha' + c T + b M + \theta T M + r B

and, as in :func:`pillprocess.natural_effects`, :math:`tnie = (b + \theta) a`, :math:`pnde = c + \theta E[M(0)]`, te their sum. The interval
of tnie is that of the product of two normal estimates, drawn (MacKinnon, Lockwood & Williams 2004, doi:10.1207/s15327906mbr3901_4).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from pillprocess.gaussian.normal_equations import Array
from pillprocess.planning.people import TrialTruth, chance_of_belief, draw_arm, simulate_trial, truth_problems
from pillprocess.planning.trials import PlannedTrial, PlanningError

EFFECTS = ("te", "tnie", "pnde")
PRODUCTS = 1000
LARGE = 200_000

type Analyse = Callable[[pd.DataFrame], dict[str, tuple[float, float, float]]]


def mediation_power(
    design: PlannedTrial,
    truth: TrialTruth | None = None,
    *,
    arms: tuple[str, str] | None = None,
    sizes: Sequence[int] = (20, 40, 60, 80, 120, 160, 240, 320),
    replications: int = 400,
    level: float = 0.95,
    analyse: Analyse | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """Simulate a planned trial many times, analyse each data set, and say how often its mediation finds and covers the truth.

    Parameters
    ----------
    design
        The trial; it must measure the experience.
    truth
        What is true of its people (``TrialTruth``); by default its defaults.
    arms
        Names of the arm to compare and of its reference; the first two arms by default.
    sizes
        People randomised per arm.
    replications
        Data sets per size.
    level
        Probability of the intervals.
    analyse
        Another analysis: a function of the table of :func:`pillprocess.simulate_trial` that returns, for each of ``"te"``, ``"tnie"``
        and ``"pnde"``, an estimate and the ends of its interval: the package's sampler, for instance. It is slower.
    seed
        Seed of all draws.

    Returns
    -------
    DataFrame, one row per size and effect: ``n_per_arm``, ``effect``, ``truth`` (te, tnie and pnde of the simulated people, by their
    potential outcomes), ``estimate`` (mean), ``bias``, ``power`` (share of intervals without 0) with ``power_se``, ``coverage`` (share that
    hold the truth), ``width`` (median) and ``type_1`` (share without 0 where neither experience nor belief does anything; for tnie).

    Raises
    ------
    PlanningError
        Effects or arms that are not possible, a design that does not measure the experience, fewer than 8 people per arm.
    """
    truth = TrialTruth() if truth is None else truth
    names = [arm.name for arm in design.arms]
    compared = arms or (names[0], names[1])
    problems = truth_problems(truth)
    if "experience" not in design.measured:
        problems.append(f"trial '{design.name}' does not measure the experience: there is nothing to mediate")
    problems += [
        f"arms names '{name}'; trial '{design.name}' has {', '.join(names)}" for name in compared if name not in names
    ]
    kept = {n: n * (1 - design.dropout) for n in sizes}
    problems += [
        f"size {n}: {k:.0f} people with an outcome per arm; at least 8 are needed" for n, k in kept.items() if k < 8
    ]
    if not 0 < level < 1:
        problems.append(f"level = {level:g}; it must lie between 0 and 1")
    if replications < 2:
        problems.append(f"replications = {replications}; at least 2 are needed")
    if problems:
        raise PlanningError("nothing was computed:\n" + "\n".join(problems))
    at = (names.index(compared[0]), names.index(compared[1]))
    wanted = true_effects(design, at, truth)
    null = replace(truth, experience=0.0, belief=0.0)
    rows = []
    for n in sizes:
        found = _replicate(design, at, truth, n, replications, level, analyse, seed)
        under_null = _replicate(design, at, null, n, replications, level, analyse, seed + 1)
        for i, effect in enumerate(EFFECTS):
            estimate, low, high = found[:, i].T
            p = float(((low > 0) | (high < 0)).mean())
            rows.append(
                {
                    "n_per_arm": n, "effect": effect, "truth": wanted[effect], "estimate": float(estimate.mean()),
                    "bias": float(estimate.mean()) - wanted[effect], "power": p, "power_se": (p * (1 - p) / replications) ** 0.5,
                    "coverage": float(((low <= wanted[effect]) & (wanted[effect] <= high)).mean()), "width": float(np.median(high - low)),
                    "type_1": float(((under_null[:, i, 1] > 0) | (under_null[:, i, 2] < 0)).mean()) if effect == "tnie" else np.nan,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def true_effects(design: PlannedTrial, at: tuple[int, int], truth: TrialTruth) -> dict[str, float]:
    """Effects by potential outcomes of a very large number of people: te, tnie and pnde of the first arm against the second."""
    e = np.random.default_rng(0).standard_normal(LARGE)

    def experience(k: int) -> Array:
        arm = design.arms[k]
        return truth.raises * arm.given * arm.experience + arm.experience_shift + e

    def outcome(k: int, M: Array) -> float:
        arm = design.arms[k]
        own = truth.drug * arm.given + truth.therapy * bool(arm.therapy)
        return float((own + truth.experience * M + truth.belief * chance_of_belief(design, k, M, truth)).mean())

    both = outcome(at[0], experience(at[0])), outcome(at[0], experience(at[1])), outcome(at[1], experience(at[1]))
    return {"te": both[0] - both[2], "tnie": both[0] - both[1], "pnde": both[1] - both[2]}


def _replicate(
    design: PlannedTrial,
    at: tuple[int, int],
    truth: TrialTruth,
    n: int,
    replications: int,
    level: float,
    analyse: Analyse | None,
    seed: int,
) -> Array:
    """Estimates and intervals of many data sets, (data set, effect, (estimate, low, high))."""
    rng = np.random.default_rng([seed, n])
    if analyse is not None:
        arms = tuple(replace(design.arms[k], n=n) for k in at)
        tables = (
            simulate_trial(replace(design, arms=arms), truth, seed=int(s)) for s in rng.integers(0, 2**31, replications)
        )
        return np.array([[found[effect] for effect in EFFECTS] for found in map(analyse, tables)])
    kept = max(4, round(n * (1 - design.dropout)))
    people = [draw_arm(design, k, kept, truth, rng, data_sets=replications) for k in at]
    stacked = {
        name: np.concatenate([getattr(one, name) for one in people], axis=1) for name in ("baseline", "experience")
    }  # fmt: skip
    change = np.concatenate([one.change.mean(axis=2) for one in people], axis=1)
    T = np.repeat([1.0, 0.0], kept)
    return product_of_coefficients(T, stacked["experience"], change, stacked["baseline"], level=level, rng=rng)


def product_of_coefficients(T: Array, M: Array, Y: Array, B: Array, *, level: float, rng: np.random.Generator) -> Array:
    """Fit data sets M, Y, B (data set, person) of arms T (person,); (data set, effect, (estimate, low, high))."""
    z, tail = float(ndtri((1 + level) / 2)), (1 - level) / 2
    reference = M[:, T == 0].mean(axis=1, keepdims=True)
    centred = M - reference
    one, arm = np.ones_like(M), np.broadcast_to(T, M.shape)
    first, first_cov = least_squares(np.stack([one, arm, B], axis=2), M)
    second, second_cov = least_squares(np.stack([one, arm, centred, arm * centred, B], axis=2), Y)
    total, total_cov = least_squares(np.stack([one, arm, B], axis=2), Y)
    a, a_sd = first[:, 1], np.sqrt(first_cov[:, 1, 1])
    slope = second[:, 2] + second[:, 3]
    slope_sd = np.sqrt(second_cov[:, 2, 2] + second_cov[:, 3, 3] + 2 * second_cov[:, 2, 3])
    draws = rng.standard_normal((2, len(M), PRODUCTS))
    products = (a[:, None] + a_sd[:, None] * draws[0]) * (slope[:, None] + slope_sd[:, None] * draws[1])
    low, high = np.quantile(products, [tail, 1 - tail], axis=1)
    of_reference = (first_cov[:, 1, 1] / 2) * second[:, 3] ** 2
    direct_sd = np.sqrt(second_cov[:, 1, 1] + of_reference)
    total_sd = np.sqrt(total_cov[:, 1, 1])
    return np.stack(
        [
            np.stack([total[:, 1], total[:, 1] - z * total_sd, total[:, 1] + z * total_sd], axis=1),
            np.stack([a * slope, low, high], axis=1),
            np.stack([second[:, 1], second[:, 1] - z * direct_sd, second[:, 1] + z * direct_sd], axis=1),
        ],
        axis=1,
    )


def least_squares(X: Array, y: Array) -> tuple[Array, Array]:
    """Coefficients (data set, column) and their covariance of regressions of y (data set, person) on X (data set, person, column)."""
    gram = np.linalg.inv(np.einsum("rnp,rnq->rpq", X, X, optimize=True))
    beta = np.einsum("rpq,rnq,rn->rp", gram, X, y, optimize=True)
    residual = y - np.einsum("rnp,rp->rn", X, beta, optimize=True)
    variance = (residual**2).sum(axis=1) / (X.shape[1] - X.shape[2])
    return beta, gram * variance[:, None, None]
