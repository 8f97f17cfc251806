"""Reading one evidence table: cells as text, then numbers, every bad cell reported with its line.

``row`` is the line of the file as an editor shows it; the header is line 1.
"""

import csv
import difflib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pillprocess.evidence.csv_text import decode, separator
from pillprocess.evidence.schema import REQUIRED_TABLES
from pillprocess.evidence.table_schema import TableSchema

PROBLEM_COLUMNS = ["file", "row", "column", "trial", "arm", "problem"]
NO_PROBLEMS = pd.DataFrame(columns=PROBLEM_COLUMNS)
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
LARGEST = 1e12
"""Size of a figure up to which sums of squares can be trusted; nothing larger was ever reported."""
TEXT = pd.StringDtype(na_value=np.nan)


@dataclass(frozen=True, eq=False)
class CsvTable:
    """One table as read.

    Attributes
    ----------
    file
        File name, for messages.
    given
        Known columns that the file has.
    cells
        Every cell as stripped text; blank is ''. Known columns that the file lacks are all blank.
    data
        The same rows with numbers as float (blank or unreadable: NaN) and blank text as NaN.
    row
        Line of each row in the file.
    """

    file: str
    given: frozenset[str]
    cells: pd.DataFrame
    data: pd.DataFrame
    row: np.ndarray


def problem(file: str, text: str, *, row: int | None = None, column: str = "") -> pd.DataFrame:
    """One problem of a file or of a line of it, as a table of problems."""
    return pd.DataFrame([[file, row, column, "", "", text]], columns=PROBLEM_COLUMNS)


def report(table: CsvTable, column: str, wrong: pd.Series | np.ndarray, texts: str | Iterable[str]) -> pd.DataFrame:
    """Problems of the rows where ``wrong``, one text for all or one per wrong row: ``column = cell; text``.

    With ``column=""`` the text stands alone.
    """
    where = np.flatnonzero(np.asarray(wrong, dtype=bool))
    if not len(where):
        return NO_PROBLEMS
    cells = table.cells.iloc[where]
    each = [texts] * len(where) if isinstance(texts, str) else list(texts)
    shown = [f"{column} = {_shown(cell)}; " for cell in cells[column]] if column else [""] * len(where)
    return pd.DataFrame(
        {
            "file": table.file,
            "row": table.row[where],
            "column": column,
            "trial": cells["trial_id"].to_numpy() if "trial_id" in cells else "",
            "arm": cells["arm_id"].to_numpy() if "arm_id" in cells else "",
            "problem": [cell + text for cell, text in zip(shown, each, strict=True)],
        },
        columns=PROBLEM_COLUMNS,
    )


def _shown(cell: str) -> str:
    """The cell for a message: short, and without characters that would move the cursor."""
    if not cell:
        return "blank"
    short = cell if len(cell) <= 60 else cell[:57] + "..."
    return short if cell.isprintable() else repr(short)


def collect(problems: list[pd.DataFrame]) -> pd.DataFrame:
    """All problems in one table, by file, row and column."""
    found = [p.astype({"row": "Int64"}) for p in problems if len(p)] or [NO_PROBLEMS.astype({"row": "Int64"})]
    table = pd.concat(found)
    return table.sort_values(["file", "row", "column"], na_position="first", kind="stable", ignore_index=True)


def read_table(path: Path, schema: TableSchema) -> tuple[CsvTable, list[pd.DataFrame]]:
    """Read a table and list what is wrong with its form: encoding, separator, header, cells that are no numbers."""
    file = path.name
    text, unreadable = decode(path.read_bytes())
    if unreadable:
        return empty_table(file, schema), [problem(file, unreadable.text, row=unreadable.line)]
    records, problems = _records(file, text)
    if not records:
        return empty_table(file, schema), [*problems, problem(file, "is empty")]
    header = _header(records[0][1])
    problems += _check_header(file, header, schema)
    if len(records) == 1 and path.stem in REQUIRED_TABLES:
        problems.append(problem(file, "has a header and no rows"))
    whole = [(line, cells[: len(header)]) for line, cells in records[1:] if _fits(cells, header)]
    for line, cells in records[1:]:
        if not _fits(cells, header):
            remedy = "text that holds a comma needs quotation marks, and numbers a decimal point"
            problems.append(
                problem(file, f"has {len(cells)} cells where the header has {len(header)}; {remedy}", row=line)
            )
    cells = pd.DataFrame([cells for _, cells in whole], columns=header, dtype=object)
    table = _table(file, cells.loc[:, ~cells.columns.duplicated()], [line for line, _ in whole], schema)
    return table, problems + _check_numbers(table, schema)


def empty_table(file: str, schema: TableSchema) -> CsvTable:
    """A table that a folder does not have."""
    return _table(file, pd.DataFrame(), [], schema)


def _table(file: str, cells: pd.DataFrame, lines: list[int], schema: TableSchema) -> CsvTable:
    """Add the known columns that are absent, and type the cells."""
    given = frozenset(cells.columns) & frozenset(schema.columns)
    absent = pd.DataFrame("", index=cells.index, columns=[c for c in schema.columns if c not in given], dtype=object)
    cells = pd.concat([cells, absent], axis=1)
    data: dict[str, pd.api.extensions.ExtensionArray | np.ndarray] = {}
    for name, column in cells.items():
        if name in schema.numeric:
            data[name] = np.array([float(cell) if NUMBER.fullmatch(cell) else np.nan for cell in column], dtype=float)
        else:
            data[name] = pd.array([cell or None for cell in column], dtype=TEXT)
    return CsvTable(file, given, cells, pd.DataFrame(data, index=cells.index), np.array(lines, dtype=int))


def _records(file: str, text: str) -> tuple[list[tuple[int, list[str]]], list[pd.DataFrame]]:
    """Records of the file as (line, stripped cells), blank lines left out; a wrong separator is reported and used."""
    cell_separator, wrong = separator(text)
    problems = [problem(file, wrong.text, row=wrong.line)] if wrong else []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=cell_separator, strict=True)
    records = []
    line = 1
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if any(cells):
                records.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        remedy = "look for a stray quotation mark"
        problems.append(problem(file, f"cannot be read as CSV from here on ({error}); {remedy}", row=line))
    return records, problems


def _header(cells: list[str]) -> list[str]:
    """Column names without the empty ones that a spreadsheet leaves at the end."""
    last = max(i for i, cell in enumerate(cells) if cell)
    return cells[: last + 1]


def _fits(cells: list[str], header: list[str]) -> bool:
    return len(cells) >= len(header) and not any(cells[len(header) :])


def _check_header(file: str, header: list[str], schema: TableSchema) -> list[pd.DataFrame]:
    """Columns that are there twice, missing, or misspelt."""
    problems = []
    for name in sorted({name for name in header if header.count(name) > 1}):
        named = f"the column {name!r}" if name else "a column without a name"
        problems.append(problem(file, f"has {named} {header.count(name)} times", row=1, column=name))
    absent = {_plain(name): name for name in schema.columns if name not in header}
    misspelt = {}
    for name in header:
        if name not in schema.columns:
            for match in difflib.get_close_matches(_plain(name), absent, n=1, cutoff=0.85):
                misspelt[absent[match]] = name
    for name in absent.values():
        if name in misspelt:
            text = f"has no column {name!r} but a column {misspelt[name]!r}; rename it, or give it a name less alike"
            problems.append(problem(file, text, row=1, column=name))
        elif name in schema.required.split():
            problems.append(problem(file, f"lacks the required column {name!r}", row=1, column=name))
    return problems


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _check_numbers(table: CsvTable, schema: TableSchema) -> list[pd.DataFrame]:
    names = sorted(table.given.intersection(schema.numeric))
    cells, numbers = table.cells[names], table.data[names].to_numpy()
    unread = (cells.to_numpy() != "") & ~np.isfinite(numbers)
    large = (np.abs(numbers) > LARGEST) & np.isfinite(numbers)
    problems = []
    for j, name in enumerate(names):
        why = [_why_no_number(cell) for cell in cells[name][unread[:, j]]]
        problems.append(report(table, name, unread[:, j], why))
        problems.append(report(table, name, large[:, j], "no study measures this; is the cell mistyped?"))
    return problems


def _why_no_number(cell: str) -> str:
    if re.fullmatch(r"[+-]?\d+,\d+", cell):
        return "not a number; a decimal comma? write a decimal point"
    if re.fullmatch(r"(?i)[+-]?(nan|inf|infinity|na|n/a|null|none|missing|nr|[.?–—-]+)", cell):
        return "not a number; leave the cell empty where nothing was reported"
    if re.fullmatch(r"[<>≤≥]=?\s*\d.*", cell):
        return "not a number; the sign belongs in p_op"
    if re.fullmatch(r"[−–—]\s*\d.*", cell):
        return "not a number; a typographic minus? write a hyphen"
    return "not a number"
