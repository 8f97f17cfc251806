"""Trials of three sessions by plain NumPy: experience, early change, experience, early change, experience, outcome.

Potential outcomes: everybody is given the whole course of experience of a stranger with the same covariate, from the arm it comes from.
"""

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd

ORDER = ("insight_1", "madrs_1", "insight_2", "madrs_2", "insight_3")
SESSIONS, VISITS = ORDER[::2], ORDER[1::2]


@dataclass(frozen=True)
class World:
    """Experience lowers symptoms; who is worse has less of it in the next session. Each of these breaks an assumption."""

    trait: float = 0.0
    """Effect of an unmeasured trait on every session's experience and, of the other sign, on the outcome."""
    uneven: float = 0.0
    """How much more early change follows from experience under treatment."""
    bent: float = 0.0
    """Quadratic effect of experience on early change."""


def outcome_course(
    world: World, t: int, x: np.ndarray, rng: np.random.Generator, given: np.ndarray | None = None
) -> np.ndarray:
    """What a treatment brings (person, 3 experiences, 2 early changes and the outcome), the course of experience given or one's own."""
    n = len(x)
    u, change = rng.normal(size=n) * world.trait, np.zeros(n)
    experience, changes = np.zeros((n, 3)), np.zeros((n, 2))
    for k in range(3):
        own = 1 + 1.2 * t + 0.4 * x - 0.5 * change + u + rng.normal(size=n)
        own = own + (0.3 * experience[:, k - 1] if k else 0.0)
        experience[:, k] = own if given is None else given[:, k]
        if k < 2:
            slope = -0.6 - world.uneven * t
            bend = world.bent * (experience[:, k] - 1.5) ** 2
            change = 0.5 * x - 0.4 * t + slope * experience[:, k] + bend + 0.5 * change + rng.normal(size=n)
            changes[:, k] = change
    y = 3 - 0.5 * t + x - (0.2 * experience[:, 0] + 0.3 * experience[:, 1] + (0.5 + 0.2 * t) * experience[:, 2])
    return np.column_stack([experience, changes, y + 0.6 * change - u + rng.normal(0, 1.5, n)])


@functools.cache
def true_effects(world: World, n: int = 300_000, seed: int = 5) -> dict[str, np.ndarray]:
    """Effects on both early changes and the outcome, and what each session adds to the effect on the outcome."""
    rng = np.random.default_rng(seed)
    x = (np.arange(n) % 2).astype(float)
    own = [outcome_course(world, t, x, rng)[:, :3] for t in (0, 1)]

    def strangers(t: int) -> np.ndarray:
        course = own[t].copy()
        for level in (0, 1):
            who = np.flatnonzero(x == level)
            course[who] = course[rng.permutation(who)]
        return course

    def mean(t: int, s: int) -> np.ndarray:
        return outcome_course(world, t, x, rng, strangers(s))[:, 3:].mean(0)

    start, direct, both = mean(0, 0), mean(1, 0), mean(1, 1)
    return {"oe": both - start, "ide": direct - start, "iie": both - direct}


def trial(world: World, n: int, seed: int) -> pd.DataFrame:
    """A randomised trial of n people."""
    rng = np.random.default_rng(seed)
    t, x = np.arange(n) % 2, (np.arange(n) // 2 % 2).astype(float)
    table = np.zeros((n, 6))
    for level in (0, 1):
        table[t == level] = outcome_course(world, level, x[t == level], rng)
    columns = [*SESSIONS, *VISITS, "madrs_6"]
    return pd.DataFrame(table, columns=columns).assign(arm=t, x=x)


def least_squares_course(table: pd.DataFrame, order: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Coefficients of the ordered model of these mediators by least squares, as one draw."""
    T, x, one = table["arm"].to_numpy(float), table["x"].to_numpy(), np.ones(len(table))
    Q, rows, d = len(order), [], {}
    for q, name in enumerate(order):
        A = np.column_stack([one, T, x, *(table[r] for r in order[:q])])
        w, rest, *_ = np.linalg.lstsq(A, table[name].to_numpy(), rcond=None)
        rows.append((w, np.sqrt(rest[0] / len(table))))
        d |= {(r, q): w[3 + r] for r in range(q)}
    M = table[list(order)].to_numpy()
    w = np.linalg.lstsq(np.column_stack([one, T, x, M, T[:, None] * M]), table["madrs_6"].to_numpy(), rcond=None)[0]
    return {
        "alpha_m": [[w[0] for w, _ in rows]], "a": [[[w[1]] for w, _ in rows]], "gamma_m": [[[w[2]] for w, _ in rows]],
        "sigma_m": [[s for _, s in rows]], "d": [[d[r, q] for r, q in zip(*np.triu_indices(Q, 1), strict=True)]],
        "alpha_y": [w[0]], "c": [[w[1]]], "gamma_y": [[w[2]]], "b": [w[3 : 3 + Q]], "theta": [w[3 + Q :, None]], "sigma_y": [1.5],
    }  # fmt: skip
