r"""Gaussian likelihood of stacked values, of which any may be missing, from cross-products: its cost does not grow with people.

**In order.** Where whoever lacks a value lacks all later ones (dropout), the density is a product of regressions of each value on
those before it. Value r is seen in the people who enter :math:`G_r = \sum_i z_i z_i'`, and with L the Cholesky factor of the
residual covariance and R the residuals' coefficients,

.. math:: \log p = \sum_r -\tfrac{1}{2} w_r' G_r w_r - n_r (\log L_{rr} + \tfrac{1}{2} \log 2\pi), \qquad w = L^{-1} R

**Any other pattern.** Everybody with the same treatment and the same values observed forms a cell with
:math:`z_i = (1, X_i, V_i)`; the mean and covariance are those of the observed values alone, :math:`L = \mathrm{chol}(\Sigma_{ss})`. Both
are exact: what was not observed is integrated out.
"""

from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from pillprocess.mediation.recursion import factorise

HALF_LOG = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True)
class Cells:
    """People collapsed by treatment and by which of their values were observed.

    Attributes
    ----------
    treatment, seen
        Treatment (cell, arm), and whether each value was observed (cell, value).
    gram
        Cross-products of (1, X, values), (cell, column, column); 0 where a value was not observed.
    """

    treatment: np.ndarray
    seen: np.ndarray
    gram: np.ndarray


def in_order(seen: np.ndarray) -> np.ndarray:
    """Which people lack all values after the first that they lack, from (participant, value)."""
    return np.asarray((np.diff(seen.astype(int), axis=1) <= 0).all(axis=1))


def collapse_in_order(Z: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Cross-products of Z, (value, column, column): for each value, of those people who have it."""
    filled = np.where(np.isfinite(Z), Z, 0.0)
    return np.stack([filled[rows].T @ filled[rows] for rows in seen.T])


def collapse_cells(treatment: np.ndarray, X: np.ndarray, values: np.ndarray) -> Cells | None:
    """Sum the cross-products of (participant, ...) by cell; who has no value observed is in no cell. None where nobody is."""
    seen = np.isfinite(values)
    some = seen.any(axis=1)
    if not some.any():
        return None
    cells, member = np.unique(np.column_stack([treatment, seen])[some], axis=0, return_inverse=True)
    Z = np.column_stack([np.ones(len(X)), X, np.where(seen, values, 0.0)])[some]
    order = np.argsort(member.ravel(), kind="stable")
    blocks = np.split(Z[order], np.searchsorted(member.ravel()[order], np.arange(1, len(cells))))
    arms = treatment.shape[1]
    return Cells(cells[:, :arms], cells[:, arms:], np.stack([block.T @ block for block in blocks]))


def lower_inverse(factor: TensorVariable, size: int) -> TensorVariable:
    r"""Inverse of a lower triangular matrix, by doubling.

    With ones on the diagonal it is :math:`(I + N)^{-1} = (I - N)(I + N^2)(I + N^4) \dots`, which ends, as :math:`N^{size} = 0`. Row by row
    it would be a graph several times as large.
    """
    sd, one = pt.diagonal(factor), np.eye(size)
    power = factor / sd[None, :] - one
    inverse, reach = one - power, 2
    while reach < size:
        power = small_product(power, power)
        inverse, reach = small_product(inverse, one + power), 2 * reach
    return inverse / sd[:, None]


def small_product(first: TensorVariable, second: TensorVariable) -> TensorVariable:
    """Product of two small matrices as a sum: that of a library takes seconds to compile for each way a matrix lies in memory."""
    return pt.sum(first[:, :, None] * second[None], axis=1)


def in_order_log_likelihood(gram: TensorVariable, residual: TensorVariable, sd: TensorVariable) -> TensorVariable:
    """Log density of people who lack values in order.

    Parameters
    ----------
    gram
        From `collapse_in_order`, (value, column, column); its first column is 1.
    residual
        Coefficients of the whitened residuals, (value, column).
    sd
        SD of each value given those before it, (value,).
    """
    squares = pt.sum(pt.sum(gram * residual[:, None, :], axis=2) * residual)
    return -0.5 * squares - pt.sum(gram[:, 0, 0] * (pt.log(sd) + HALF_LOG))


def cells_log_likelihood(cells: Cells, mean: TensorVariable, factor: TensorVariable) -> TensorVariable:
    """Log density of the people in cells, whose cross-products become the model's data ``cell_gram``.

    Parameters
    ----------
    cells
        From `collapse_cells`.
    mean
        Coefficients of (1, X) in the mean of every value, (cell, value, column).
    factor
        A square root F of every cell's covariance :math:`F F'`, (cell, value, value).
    """
    count, size = cells.seen.shape
    columns = range(cells.gram.shape[1])
    pm.modelcontext(None).add_coords({"cell": range(count), "cell_column": columns, "cell_column_other": columns})
    gram = pm.Data("cell_gram", cells.gram, dims=("cell", "cell_column", "cell_column_other"))
    seen = cells.seen.astype(float)
    kept = factor * seen[:, :, None]
    covariance = pt.sum(kept[:, :, None, :] * kept[:, None, :, :], axis=3) + np.eye(size) * (1 - seen)[:, :, None]
    residual = pt.concatenate([-mean * seen[:, :, None], pt.as_tensor(np.eye(size) * seen[:, :, None])], axis=2)
    _, sds, white = factorise(covariance, residual, size)
    n, total = gram[:, 0, 0], pt.zeros(())
    for i, (sd, row) in enumerate(zip(sds, white, strict=True)):
        squares = pt.sum(pt.sum(gram * row[:, None, :], axis=2) * row)
        total += -0.5 * squares - pt.sum(n * (pt.log(sd) + HALF_LOG * seen[:, i]))
    return total
