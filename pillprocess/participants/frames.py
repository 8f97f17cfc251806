"""A DataFrame as people bring it, made plain: names that are texts, rows with one name each, cells that are cells."""

import numpy as np
import pandas as pd


def plain_frame(source: pd.DataFrame) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Make column names texts, row names unique, and types those of plain cells; missing is missing in one way.

    Returns
    -------
    The table, what was done that a reader of row numbers must know, and what makes it unfit.
    """
    if isinstance(source.columns, pd.MultiIndex):
        return source, [], ["the table's columns have names on several levels; give each column one name"]
    table = source.copy()
    table.columns = [_name(c) for c in table.columns]
    said = list(source.attrs.get("said", ()))
    if not table.index.is_unique or isinstance(table.index, pd.MultiIndex):
        table = table.reset_index(drop=True)
        said.append("several rows had one name in the index, so rows are counted from 0")
    problems: list[str] = []
    if not table.columns.is_unique:
        return table, said, problems
    for name in table.columns:
        column = table[name]
        if isinstance(column.dtype, pd.CategoricalDtype | pd.DatetimeTZDtype):
            continue
        if pd.api.types.is_extension_array_dtype(column.dtype):
            if pd.api.types.is_bool_dtype(column.dtype) or not pd.api.types.is_numeric_dtype(column.dtype):
                column = column.astype(object).where(column.notna(), np.nan)
                table[name] = (
                    column.astype(bool) if len(column) and column.map(lambda v: isinstance(v, bool)).all() else column
                )
            else:
                table[name] = column.to_numpy(dtype=float, na_value=np.nan)
        elif pd.api.types.is_complex_dtype(column.dtype):
            problems.append(f"column {name!r} holds complex numbers; a cell holds one text or number")
        elif column.dtype == object:
            odd = [row for row, cell in column.items() if not pd.api.types.is_scalar(cell) or isinstance(cell, complex)]
            if odd:
                kind = type(column.loc[odd[0]]).__name__
                problems.append(
                    f"column {name!r}: the cell of row {odd[0]} is a {kind}; a cell holds one text or number"
                )
    return table, said, problems


def _name(name: object) -> str:
    return str(int(name)) if isinstance(name, float) and name.is_integer() else str(name)
