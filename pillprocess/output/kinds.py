"""One clear sentence for an object of the wrong kind, or a name that is not known."""

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


def check_choice(name: str, chosen: tuple[str, ...] | None, known: set[str]) -> None:
    """Raise unless the chosen names are a tuple of known ones."""
    if isinstance(chosen, str):
        raise ValueError(f"{name} = {chosen!r}; give a tuple of names, such as ({chosen!r},)")
    unknown = sorted(set(chosen or ()) - known)
    if unknown:
        raise ValueError(f"{name}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")
