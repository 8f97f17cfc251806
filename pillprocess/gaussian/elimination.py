"""Elimination and triangular solutions of many small matrices at once; the matrices' places come first, then what is stacked."""

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]


def eliminate_own(information: Array, sd: Array) -> tuple[Array, Array, Array]:
    """Return ``(I + A R A)^-1``, its log determinant, and ``A (I + A R A)^-1 A``, for R (q, q, ...), sd (q, ..., node)."""
    scaled = sd[:, None] * information[..., None] * sd[None]
    scaled[np.diag_indices(len(sd))] += 1
    inverse, log_det = invert(scaled)
    return inverse, log_det, sd[:, None] * inverse * sd[None]


def eliminate(matrices: Array, count: int) -> Array:
    """Eliminate the first places of symmetric positive definite matrices (p, p, ...) in place by Gauss-Jordan; return ``log|.|``.

    Of the blocks P, h, h', q it leaves ``P^-1``, ``P^-1 h``, ``-h' P^-1`` and ``q - h' P^-1 h``.
    """
    log_det = np.zeros(matrices.shape[2:])
    for k in range(count):
        pivot = matrices[k, k].copy()
        if not (pivot > 0).all():
            raise np.linalg.LinAlgError("a precision or covariance is not positive definite")
        log_det += np.log(pivot)
        column = matrices[:, k].copy()
        column[k] = 0
        matrices[:, k] = 0
        matrices[k, k] = 1
        matrices[k] /= pivot
        matrices -= column[:, None] * matrices[k]
    return log_det


def invert(matrices: Array) -> tuple[Array, Array]:
    """Invert symmetric positive definite matrices (p, p, ...) in place; also return ``log|.|``."""
    return matrices, eliminate(matrices, len(matrices))


def solve_lower(lower: Array, right: Array) -> Array:
    """Solve ``L x = right`` for stacked lower triangular L (p, p, node) and right (p, r, node)."""
    solution = np.empty_like(right)
    for i in range(len(lower)):
        known = np.einsum("kn,krn->rn", lower[i, :i], solution[:i])
        solution[i] = (right[i] - known) / lower[i, i]
    return solution


def solve_upper(lower: Array, right: Array) -> Array:
    """Solve ``L' x = right`` for stacked lower triangular L (p, p, node) and right (p, r, node)."""
    solution = np.empty_like(right)
    for i in reversed(range(len(lower))):
        known = np.einsum("kn,krn->rn", lower[i + 1 :, i], solution[i + 1 :])
        solution[i] = (right[i] - known) / lower[i, i]
    return solution
