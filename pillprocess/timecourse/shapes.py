r"""Shapes of the drug effect over time, each the share of its size that is there t days after the last dose.

=========== ============================================ =====================================
shape       f(t)                                         parameters
=========== ============================================ =====================================
constant    1                                            none
decay       2^(-t / h)                                   half-life h of each drug
rise_decay  (1 - 2^(-t / r)) 2^(-t / h)                  h, and one half-time r of the rise
emax        t / (h + t)                                  day h at half of the full effect
piecewise   linear in log(1 + t) between days of knots   an effect at each knot of each drug
=========== ============================================ =====================================
"""

from typing import Literal

import numpy as np

Shape = Literal["constant", "decay", "rise_decay", "emax", "piecewise"]
SHAPES = ("constant", "decay", "rise_decay", "emax", "piecewise")
RATED = ("decay", "rise_decay", "emax")
"""Shapes with a rate for each drug."""
RISES = np.exp(np.linspace(-2.5, 2.5, 7))
"""Half-times of the rise in days on which rise_decay is integrated, around 1 day with an SD of 1 on the log scale."""
RISE_WEIGHT = np.exp(-0.5 * np.log(RISES) ** 2) / np.exp(-0.5 * np.log(RISES) ** 2).sum()
KNOTS = (0.0, 2.0, 7.0, 21.0, 42.0, 84.0, 190.0, 365.0)


def check_shape(shape: str) -> None:
    """Raise unless the shape is known."""
    if shape not in SHAPES:
        raise ValueError(f"shape = {shape!r}; it must be one of {', '.join(SHAPES)}")


def share_left(shape: str, days: np.ndarray, half_life: np.ndarray, rise: np.ndarray | float = 1.0) -> np.ndarray:
    """Share f(t) of the effect's size at ``days``; half-life and rise broadcast against them."""
    if shape == "constant":
        return np.ones(np.broadcast_shapes(np.shape(days), np.shape(half_life)))
    if shape == "emax":
        return days / (half_life + days)
    left = np.exp2(-days / half_life)
    return left if shape == "decay" else left * (1 - np.exp2(-days / rise))


def knot_weights(days: np.ndarray) -> np.ndarray:
    """Weights (day, knot) that interpolate linearly in log(1 + t); the last knot holds beyond itself."""
    place = np.log1p(np.clip(np.asarray(days, float), 0, KNOTS[-1]))
    return np.stack([np.interp(place, np.log1p(KNOTS), unit) for unit in np.eye(len(KNOTS))], axis=1)
