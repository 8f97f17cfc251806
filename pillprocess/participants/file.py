"""Reading a table of text: its encoding, separator, decimal mark and shape are found before any cell is parsed, and said.

A cell is data and is never evaluated. Rows are called by the line of the file on which they begin, the header's being 1.
"""

import csv
import io
import re
from array import array
from collections import Counter
from pathlib import Path

import pandas as pd

from pillprocess.evidence.csv_text import decode
from pillprocess.participants.package_files import SUFFIXES, read_package_file

NOT_OBSERVED = ("", "NA", "N/A", "n/a", "NaN", "nan")
"""Cells that mean that nothing was observed; any other word in a column of numbers is a problem."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
UTF_16 = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
DECIMAL = {mark: re.compile(rf"\s*[-+]?\d+{re.escape(mark)}\d+\s*") for mark in ",."}


def read_participants(path: Path) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Read a file of people or visits: text with any usual separator, a spreadsheet, SPSS, Stata, SAS or Parquet.

    Returns
    -------
    Table indexed by line of the file; how it was read where that was a choice; and what is wrong with the file. With any
    problem the table is empty.
    """
    if not path.is_file():
        text = "is a folder; give the file that holds the table" if path.is_dir() else "there is no such file"
        return pd.DataFrame(), [], [text]
    if path.suffix.casefold() in SUFFIXES:
        return read_package_file(path)
    content = path.read_bytes()
    said = []
    text, unreadable = ("", None) if content[:2] in UTF_16 else decode(content)
    if content[:2] in UTF_16:
        try:
            text = content.decode("utf-16")
        except UnicodeDecodeError:
            return (
                pd.DataFrame(),
                [],
                ["the file begins as UTF-16 text and cannot be read as such; save it as 'CSV UTF-8'"],
            )
        said.append("UTF-16 text")
    if unreadable is not None:
        place = "" if unreadable.line is None else f"row {unreadable.line}: "
        return pd.DataFrame(), [], [f"{place}the file {unreadable.text}"]
    header_line = text.lstrip("\r\n ").partition("\n")[0]
    separator = max(SEPARATORS, key=header_line.count)
    if separator != ",":
        said.append(f"{SEPARATORS[separator]} between cells")
    stream = io.StringIO(text, newline="")
    header, lines, numbers, width, problems = _shape(stream, separator)
    if problems or not len(lines):
        return pd.DataFrame(columns=header), [], problems
    decimal = _decimal(text[stream.tell() :], separator)
    if decimal == ",":
        said.append("decimal commas")
    table = pd.read_csv(
        stream, header=None, names=range(width), index_col=False, skip_blank_lines=False, keep_default_na=False,
        na_values=list(NOT_OBSERVED), low_memory=False, sep=separator, decimal=decimal,
    )  # fmt: skip
    table = table.iloc[numbers, : len(header)]
    table = table.set_axis(header, axis=1).set_axis(pd.Index(lines), axis=0)
    return table, [f"{path.name} was read as {', '.join(said)}"] if said else [], []


def _decimal(text: str, separator: str) -> str:
    """The decimal mark: a comma where commas do not separate cells, some number has one, and none has a point."""
    if separator == ",":
        return "."
    cells = {cell for row in csv.reader(io.StringIO(text), delimiter=separator) for cell in row}
    return "," if any(map(DECIMAL[","].fullmatch, cells)) and not any(map(DECIMAL["."].fullmatch, cells)) else "."


def _shape(stream: io.StringIO, separator: str) -> tuple[list[str], array[int], array[int], int, list[str]]:
    """Check that every row has the header's cells; leaves the stream behind the header.

    Returns
    -------
    Column names; of every row that is not blank its line and its number among all records; the most cells of a row; and
    what is wrong.
    """
    reader = csv.reader(stream, strict=True, delimiter=separator)
    lines, numbers = array("q"), array("q")
    header: list[str] = []
    wrong: list[tuple[int, int]] = []
    width = number = start = 0
    line = 1
    try:
        for cells in reader:
            blank = not "".join(cells).strip()
            if not header and not blank:
                last = max(i for i, cell in enumerate(cells) if cell.strip())
                header, start = cells[: last + 1], stream.tell()
                width = len(header)
            elif header:
                if not blank:
                    lines.append(line)
                    numbers.append(number)
                    if len(cells) < len(header) or "".join(cells[len(header) :]).strip():
                        wrong.append((line, len(cells)))
                width = max(width, len(cells))
                number += 1
            line = reader.line_num + 1
    except csv.Error as error:
        return [], lines, numbers, 0, [f"row {line}: cannot be read as CSV from here on ({error})"]
    stream.seek(start)
    if not header:
        return header, lines, numbers, 0, ["the file is empty"]
    problems = [
        f"row 1: the header has {name!r} {count} times; every column needs a name of its own"
        for name, count in Counter(header).items()
        if count > 1
    ]
    if wrong:
        listed = ", ".join(f"row {line} ({count})" for line, count in wrong[:5])
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        problems.append(
            f"the header has {len(header)} cells, but not so {listed}{more}; a cell is missing or too many (text that holds a "
            "comma needs quotation marks, and numbers a decimal point)"
        )
    return header, lines, numbers, width, problems
