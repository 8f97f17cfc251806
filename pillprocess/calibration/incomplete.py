"""Normal values of people, some of them missing: drawn, and their log density, with NumPy alone."""

import numpy as np


def correlations(sd: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Covariances (draw, value, value) from SDs (draw, value) and correlations (draw, pair), first before second."""
    size = sd.shape[1]
    matrix = np.broadcast_to(np.eye(size), (len(sd), size, size)).copy()
    first, second = np.triu_indices(size, 1)
    matrix[:, first, second] = matrix[:, second, first] = pairs
    return sd[:, :, None] * matrix * sd[:, None, :]


def log_density(mean: np.ndarray, covariance: np.ndarray, group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Log density of what was observed, all people together.

    Parameters
    ----------
    mean
        Of every value, (draw, person, value).
    covariance
        Of each group of people, (draw, group, value, value).
    group
        Group of every person.
    values
        (person, value); missing is NaN.

    Returns
    -------
    (draw,)
    """
    total = np.zeros(len(mean))
    kinds, member = np.unique(np.column_stack([group, np.isfinite(values)]), axis=0, return_inverse=True)
    for number, (own, *observed) in enumerate(kinds):
        seen, people = np.flatnonzero(observed), np.flatnonzero(member.ravel() == number)
        if not len(seen):
            continue
        factor = np.linalg.cholesky(covariance[:, own][:, seen[:, None], seen])
        error = values[people][:, seen] - mean[:, people][:, :, seen]
        white = np.linalg.solve(factor, error.transpose(0, 2, 1))
        each = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(1) + 0.5 * np.log(2 * np.pi) * len(seen)
        total -= 0.5 * (white**2).sum((1, 2)) + len(people) * each
    return total
