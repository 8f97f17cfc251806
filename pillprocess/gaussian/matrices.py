"""Matrices that are mostly zero: kept without their zeros where these would fill the memory, and read a few rows at a time."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, vstack
from xarray.backends import BackendArray
from xarray.core import indexing

type Array = NDArray[np.float64]
type Index = NDArray[np.int64]
type Stored = Array | indexing.LazilyIndexedArray

LARGEST_DENSE = 2**22
"""Numbers, zeros among them, that a design's matrix may have to be an ordinary array."""

AT_ONCE = 2**21
"""Numbers that are read at once."""


class WithoutZeros(BackendArray):
    """A sparse matrix as xarray keeps what lies on a disk: the part that is asked for becomes an ordinary array."""

    def __init__(self, matrix: csr_array) -> None:
        self.matrix, self.shape, self.dtype = matrix, matrix.shape, matrix.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Array:
        part: Array = indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._part)
        return part

    def _part(self, key: tuple[int | slice | Index, ...]) -> Array:
        rows, columns = (np.atleast_1d(np.arange(n)[k]) for k, n in zip(key, self.shape, strict=True))
        part: Array = self.matrix[rows][:, columns].toarray()
        return part[tuple(0 if isinstance(k, int | np.integer) else slice(None) for k in key)]


def stored(matrix: csr_array) -> Stored:
    """A matrix as a design keeps it: an ordinary array, or without its zeros where it is large."""
    if matrix.shape[0] * matrix.shape[1] <= LARGEST_DENSE:
        return matrix.toarray()
    return indexing.LazilyIndexedArray(WithoutZeros(matrix))


def nonzeros(table: xr.DataArray) -> csr_array:
    """The entries of a design's matrix that are not zero, however it is kept."""
    step = max(1, AT_ONCE // max(1, table.shape[1]))
    parts = [csr_array(table[start : start + step].to_numpy()) for start in range(0, len(table), step)]
    return parts[0] if len(parts) == 1 else vstack(parts, format="csr")


def rows_by(labels: Sequence[str] | np.ndarray) -> dict[str, Index]:
    """The rows with each label, in the order in which the labels appear."""
    found: dict[str, list[int]] = {}
    for row, label in enumerate(np.asarray(labels).tolist()):
        found.setdefault(label, []).append(row)
    return {label: np.array(rows, dtype=np.int64) for label, rows in found.items()}


def diagonal_blocks(matrix: csr_array, groups: Sequence[Index]) -> list[Array]:
    """The block (row, row) of each group of rows; entries between groups are left out."""
    group, place = np.empty(matrix.shape[0], dtype=np.int64), np.empty(matrix.shape[0], dtype=np.int64)
    for number, rows in enumerate(groups):
        group[rows], place[rows] = number, np.arange(len(rows))
    entries = coo_array(matrix)
    row, column = entries.coords
    inside = group[row] == group[column]
    row, column, value = row[inside], column[inside], entries.data[inside]
    order = np.argsort(group[row], kind="stable")
    ends = np.cumsum(np.bincount(group[row], minlength=len(groups)))
    blocks = []
    for rows, here in zip(groups, np.split(order, ends[:-1]), strict=True):
        block = np.zeros((len(rows), len(rows)))
        block[place[row[here]], place[column[here]]] = value[here]
        blocks.append(block)
    return blocks
