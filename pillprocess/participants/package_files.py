"""Files of spreadsheets and statistics packages: their labels, their own codes for missing, and titles above the header."""

from pathlib import Path

import pandas as pd

SUFFIXES = {
    ".xlsx": "openpyxl", ".xlsm": "openpyxl", ".xls": "python_calamine", ".ods": "python_calamine", ".parquet": "pyarrow",
    ".sav": "pyreadstat", ".zsav": "pyreadstat", ".por": "pyreadstat", ".dta": "pyreadstat", ".sas7bdat": "pyreadstat",
    ".xpt": "pyreadstat",
}  # fmt: skip
"""Endings of a file's name, and the library that reads it."""
READERS = {
    ".sav": "read_sav", ".zsav": "read_sav", ".por": "read_por", ".dta": "read_dta", ".sas7bdat": "read_sas7bdat", ".xpt": "read_xport",
}  # fmt: skip
EXCEL_ENGINES = {"openpyxl": "openpyxl", "python_calamine": "calamine"}


def read_package_file(path: Path) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Read a spreadsheet, SPSS, Stata, SAS or Parquet file; returns as `read_participants`.

    Values that all have a label are shown by it; values that SPSS or Stata call missing are missing.
    """
    suffix = path.suffix.casefold()
    try:
        if suffix in READERS:
            return _labelled(path, suffix)
        if suffix == ".parquet":
            table = pd.read_parquet(path, engine="pyarrow").reset_index(drop=True)
            return table, [], _twice(table)
        return _sheet(path, EXCEL_ENGINES[SUFFIXES[suffix]])
    except ImportError:
        library = SUFFIXES[suffix].replace("_", "-")
        text = (
            f"reading {suffix} needs the library {library}: pip install 'pillprocess[files]' (or save the table as CSV)"
        )
        return pd.DataFrame(), [], [text]
    except Exception as error:  # each library has errors of its own for a damaged file
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        return pd.DataFrame(), [], [f"the file cannot be read as {suffix} ({reason}); save the table anew, or as CSV"]


def _labelled(path: Path, suffix: str) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Read a file that carries labels of values, and its own codes for missing."""
    import pyreadstat

    table, meta = getattr(pyreadstat, READERS[suffix])(str(path))
    said = []
    if any(meta.missing_ranges.values()) if meta.missing_ranges else False:
        named = ", ".join(sorted(name for name, spans in meta.missing_ranges.items() if spans))
        said.append(f"{path.name}: values that the file declares missing are not observed ({named})")
    for name, labels in meta.variable_value_labels.items():
        known = table[name].dropna()
        if not len(known):
            continue
        if known.isin(list(labels)).all():
            table[name] = table[name].map(labels, na_action="ignore").astype(object)
            shown = ", ".join(
                f"{key:g} {text}" if isinstance(key, float) else f"{key} {text}" for key, text in labels.items()
            )
            said.append(f"column {name!r} is shown by its value labels ({shown})")
        else:
            some = ", ".join(
                f"{key:g} = {text!r}" if isinstance(key, float) else f"{key} = {text!r}" for key, text in labels.items()
            )
            said.append(f"column {name!r} is a column of numbers, of which some have a label ({some})")
    table = table.replace({"": None}).infer_objects() if len(table.columns) else table
    table.index = pd.RangeIndex(1, len(table) + 1)
    return table, said, _twice(table)


def _sheet(path: Path, engine: str) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Read the sheet that holds a table: titles and blank rows above the header are passed over, and said."""
    sheets = pd.read_excel(path, sheet_name=None, header=None, engine=engine)
    full = {name: sheet for name, sheet in sheets.items() if sheet.notna().to_numpy().any()}
    if not full:
        return pd.DataFrame(), [], ["the file is empty"]
    large = {name: sheet for name, sheet in full.items() if len(sheet) > 3 and sheet.shape[1] > 2} or full
    if len(large) > 1:
        listed = ", ".join(map(repr, large))
        return (
            pd.DataFrame(),
            [],
            [f"the file has several sheets that may hold the table ({listed}); save one of them alone"],
        )
    name, sheet = next(iter(large.items()))
    said = [f"sheet {name!r} was read"] if len(sheets) > 1 else []
    filled = sheet.notna().sum(axis=1)
    top = int((filled >= max(2, filled.max() / 2)).idxmax())
    if top:
        said.append(f"{top} row{'s' * (top > 1)} above the header were passed over")
    header = sheet.iloc[top]
    table = sheet.iloc[top + 1 :].set_axis([str(h).strip() if pd.notna(h) else "" for h in header], axis=1)
    table = table.loc[:, [bool(h) or table.iloc[:, i].notna().any() for i, h in enumerate(table.columns)]]
    table.index = pd.Index(range(top + 2, top + 2 + len(table)))
    table = table[table.notna().any(axis=1)]
    if table.columns.tolist().count("") > 0:
        return pd.DataFrame(), [], [f"row {top + 1}: a column with values has no name in the header"]
    return table.infer_objects(), said, _twice(table)


def _twice(table: pd.DataFrame) -> list[str]:
    """Names that the header has more than once."""
    names = list(map(str, table.columns))
    return [
        f"the header has {n!r} {names.count(n)} times; every column needs a name of its own"
        for n in dict.fromkeys(names)
        if names.count(n) > 1
    ]
