r"""Dose curves g(x) of the relative dose x, each 1 at the reference dose.

========== =========================== ==================================
shape      g(x)                        parameter h of each drug
========== =========================== ==================================
linear     x                           none
log_linear log(1 + x / h) / log(1 + 1/h) dose at which it bends
emax       (1 + h) x / (h + x)         half-maximal dose
step       1 where x >= h, else 0      least dose that acts (h <= 1)
========== =========================== ==================================
"""

from typing import Literal

import numpy as np

DoseShape = Literal["linear", "log_linear", "emax", "step"]
DOSE_SHAPES: tuple[DoseShape, ...] = ("linear", "log_linear", "emax", "step")


def check_dose_shape(shape: str) -> None:
    """Raise unless the shape is known."""
    if shape not in DOSE_SHAPES:
        raise ValueError(f"shape = {shape!r}; a dose curve is one of {', '.join(DOSE_SHAPES)}")


def curve_at(shape: str, dose: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Value g(x) at relative doses; ``half`` broadcasts against them. A step beyond the reference dose is a step at it."""
    if shape == "linear":
        return dose + 0 * half
    if shape == "log_linear":
        return np.log1p(dose / half) / np.log1p(1 / half)
    if shape == "emax":
        return (1 + half) * dose / (half + dose)
    return (dose >= np.minimum(half, 1.0)).astype(float)
