"""Reading a trial: a file or DataFrame becomes a table with one row per person, as its codebook says."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pillprocess.participants.codebook import Codebook, Visits, as_codebook
from pillprocess.participants.file import read_participants
from pillprocess.participants.frames import plain_frame
from pillprocess.participants.questions import recode
from pillprocess.participants.visits import EVENT, one_row_per_person, visit_columns


class ParticipantError(ValueError):
    """The table of participants is not fit to be fitted; ``problems`` lists every reason."""

    def __init__(self, problems: Sequence[str], name: str) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{count} in {name}; nothing was fitted:", *problems]))
        self.problems = tuple(problems)


def read_trial(
    source: pd.DataFrame | str | Path,
    *,
    visit: str | None = None,
    person: str | None = None,
    codebook: Codebook | str | Path | None = None,
) -> pd.DataFrame:
    """Read a trial's file, wide or long, into a table with one row per person.

    Parameters
    ----------
    source
        Text with commas, semicolons, tabs or bars (UTF-8 or UTF-16, decimal points or commas), Excel, SPSS, Stata, SAS or
        Parquet; or a DataFrame. Files other than text need the extra ``pillprocess[files]``.
    visit, person
        Columns that say the visit and the person of a row, where a row is a visit. A REDCap export is recognised by its
        ``redcap_event_name`` and put together by its first column. What was measured at one visit, or is the same at all of
        them, keeps its name (the arm is carried along); any other column becomes one per visit, ``madrs_week_6``.
    codebook
        From `read_codebook`, or its path: other names of columns, codes, cells that mean missing, names of visits.

    Returns
    -------
    DataFrame with one row per person; ``attrs["said"]`` says how it was read.

    Raises
    ------
    ParticipantError
        Everything that is wrong with the file, or conflicts within a person.
    """
    book = as_codebook(codebook)
    if visit is not None or person is not None:
        book = replace(book, visits=replace(book.visits, column=visit or "", person=person or ""))
    return read_table(source, codebook=book)[0]


def read_table(
    source: pd.DataFrame | str | Path, *, codebook: Codebook | None = None
) -> tuple[pd.DataFrame, str, list[str]]:
    """Table indexed by line of the file (or its own index), the name that errors call it by, and what was done to it."""
    book = codebook or Codebook()
    if isinstance(source, pd.DataFrame):
        name = "the table of participants"
        table, said, problems = plain_frame(source)
    elif isinstance(source, str | Path):
        name = Path(source).name
        table, read, problems = read_participants(Path(source))
        table, said, unfit = plain_frame(table)
        said, problems = [*read, *said], problems or unfit
    else:
        kind = type(source).__name__
        raise ParticipantError([f"a table or the path of one is needed; got a {kind}"], "the table of participants")
    if problems:
        raise ParticipantError(problems, name)
    table, done = recode(table, book)
    long, together, problems = _together(table, book.visits)
    if problems:
        raise ParticipantError(problems, name)
    if together:
        long.attrs["recoded"] = table.attrs["recoded"]
        table, more = recode(long, book)
        done = list(dict.fromkeys([*done, *together, *more]))
    table.attrs["said"] = [*said, *done]
    return table, name, [*said, *done]


def _together(table: pd.DataFrame, visits: Visits) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Put visits together where the table has any; a codebook's visits are for its long files alone."""
    named = [c for c in (visits.column, visits.person) if c]
    wide = visits.names and visits.column not in table.columns
    if wide or not (named or EVENT in table.columns):
        return table, [], []
    visit, person, problems = visit_columns(table, visits.column, visits.person)
    if problems or not visit:
        return table, [], problems
    return one_row_per_person(table, visit=visit, person=person, names=visits.names)
