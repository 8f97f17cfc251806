"""One clear sentence for an object of the wrong kind."""

from collections.abc import Iterable

import pandas as pd


def need(given: object, kind: type | tuple[type, ...], what: str) -> None:
    """Check that an object is of a kind.

    Parameters
    ----------
    given
        The object.
    kind
        Its class, or classes.
    what
        What is needed, and where it comes from: "a fit, from fit(model)".

    Raises
    ------
    ValueError
        It is something else.
    """
    if not isinstance(given, kind):
        raise ValueError(f"needed: {what}; got a {type(given).__name__}")


def need_columns(table: object, columns: Iterable[str], what: str) -> None:
    """Check that an object is a table that has some columns.

    Raises
    ------
    ValueError
        It is none, or lacks some.
    """
    need(table, pd.DataFrame, what)
    lacking = [c for c in columns if c not in getattr(table, "columns", ())]
    if lacking:
        raise ValueError(f"needed: {what}; this table lacks {', '.join(lacking)}")
