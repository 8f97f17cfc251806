"""Text and tables on standard output."""

from typing import TYPE_CHECKING

import typer

from pillprocess.output.text import printable

if TYPE_CHECKING:
    import pandas as pd


def print_text(text: str) -> None:
    """Print text that may hold labels of others: control characters are written as escapes."""
    typer.echo(printable(text))


def print_tables(parts: "dict[str, pd.DataFrame | str]") -> None:
    """Print tables as lists of records and texts as they are; what is missing is null."""
    import json

    typer.echo(
        json.dumps({k: v if isinstance(v, str) else json.loads(v.to_json(orient="records")) for k, v in parts.items()})
    )
