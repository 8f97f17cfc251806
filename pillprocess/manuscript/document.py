"""A paper as a list of blocks, which a writer turns into a file: headings, text, formulas, lists, tables and figures."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pillprocess.output.pages import estimate

LINE, WIDEST = 118, 24
"""Letters on a line of a table over the page's width, and what a word or number may ask for."""

type Row = Mapping[str, Any]


class Heading(NamedTuple):
    """A heading; level 0 is the paper's title."""

    level: int
    text: str


class Text(NamedTuple):
    """A paragraph."""

    text: str


class Open(NamedTuple):
    """What the analysis cannot know and the authors must write."""

    text: str


class Formula(NamedTuple):
    """A formula on lines of its own, as plain text and as the body of LaTeX's ``aligned``."""

    plain: str
    latex: str


class Items(NamedTuple):
    """A list of sentences or references."""

    entries: tuple[str, ...]


class Table(NamedTuple):
    """A table with its caption; a head that begins with # is a column of numbers."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Figure(NamedTuple):
    """A picture with its caption."""

    file: Path
    caption: str


type Block = Heading | Text | Open | Formula | Items | Table | Figure


def minus(text: str) -> str:
    """Write the hyphen before a number that stands by itself as a minus sign."""
    return re.sub(r"(?<![^\s\[(/=])-(?=\.?\d)", "−", text)


def written(row: Row) -> str:
    """Mean and 95 % interval to two decimals, with a true minus sign; blank where there is no estimate."""
    if any(pd.isna(row.get(name)) for name in ("mean", "ci_low", "ci_high")):
        return ""
    return minus(estimate(row))


def ends(middle: str, low: str, high: str) -> Callable[[Row], str]:
    """Write the estimate of three named columns."""
    return lambda row: written({"mean": row[middle], "ci_low": row[low], "ci_high": row[high]})


def table(frame: pd.DataFrame, caption: str, columns: Mapping[str, str | Callable[[Row], str]]) -> Table:
    """Make a table of a DataFrame.

    Parameters
    ----------
    frame
        A row of it is a row of the table.
    caption
        The caption.
    columns
        Heads, and for each the name of a column of text or counts, or a function from a row to text.

    Returns
    -------
    Table; what is missing is an empty cell.
    """
    rows = tuple(tuple(_cell(row, how) for how in columns.values()) for row in frame.to_dict("records"))
    return Table(caption, tuple(columns), rows)


def _cell(row: Row, how: str | Callable[[Row], str]) -> str:
    if callable(how):
        return how(row)
    value = row[how]
    if value is None or pd.isna(value):
        return ""
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def shares_of_width(block: Table) -> list[float]:
    """The share of the page's width that each column gets: what its words (numbers: its cells) need, then more for longer text."""
    least, usual = [], []
    for place, head in enumerate(block.heads):
        cells = [row[place] for row in block.rows]
        whole = cells if head.startswith("#") else []
        words = [word for text in (head.removeprefix("#"), *cells) for word in text.split()]
        least.append(min(max(map(len, [*words, *whole]), default=1), WIDEST) + 3)
        usual.append(min(sorted(map(len, cells))[int(0.9 * (len(cells) - 1))] if cells else 0, LINE // 2))
    wanted = [max(much - little, 0) for much, little in zip(usual, least, strict=True)]
    room = max(LINE - sum(least), 0) / (sum(wanted) or 1)
    widths = [little + min(room, 1) * more for little, more in zip(least, wanted, strict=True)]
    return [width / sum(widths) for width in widths]
