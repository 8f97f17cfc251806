"""Several p-values weighed together."""

import numpy as np


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p-values for their number (Holm 1979)."""
    order = np.argsort(p)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected
