"""Numbers that are written as text: decimal commas, thousands, units behind them."""

import re

import pandas as pd

NUMBER = re.compile(
    r"""\s*['\u2019]?(?P<number>[-+\u2212\u2013]?(?:\d{1,3}(?:[.,'\u2019\s]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][-+]?\d+)?)
        \s*(?P<unit>[^\W\d_](?:[^\W\d_]|[/ .%\u00b2\u00b3-]){0,14}|%)?\s*$""",
    re.VERBOSE,
)


def as_number(text: str, *, decimal: str = "") -> tuple[float, str] | None:
    """Value and unit of a text that starts with a number, ``("35,5 yrs")`` gives ``(35.5, "yrs")``; None if it is none.

    Without ``decimal`` a comma before one, two or more than three digits is taken for a decimal comma.
    """
    found = NUMBER.match(text)
    if found is None:
        return None
    digits = re.sub(r"[\s'\u2019]", "", found["number"]).replace("\u2212", "-").replace("\u2013", "-")
    other = {",": ".", ".": ","}.get(decimal, "")
    if other and other in digits and not re.fullmatch(rf"[-+]?\d{{1,3}}(\{other}\d{{3}})+(\{decimal}\d+)?", digits):
        return None
    if decimal == "," or (not decimal and "," in digits and "." not in digits and not re.search(r",\d{3}$", digits)):
        digits = digits.replace(".", "").replace(",", ".")
    elif not decimal and digits.rfind(",") > digits.rfind("."):
        digits = digits.replace(".", "").replace(",", ".") if "." in digits else digits.replace(",", "")
    else:
        digits = digits.replace(",", "")
    try:
        return float(digits), (found["unit"] or "").strip()
    except ValueError:
        return None


def text_number_question(column: pd.Series) -> str | None:
    """Ask about a column of words that are numbers with a unit, a decimal comma or the like; None where it is none."""
    words = column.dropna()
    words = words[pd.to_numeric(words, errors="coerce").isna()]
    read = {word: as_number(word) for word in {w for w in words if isinstance(w, str)}}
    numeric = words[[isinstance(w, str) and read[w] is not None for w in words]]
    if numeric.empty or 2 * len(numeric) < len(words):
        return None
    row, word = numeric.index[0], str(numeric.iloc[0])
    value, unit = read[word] or (0.0, "")
    line = f'unit = "{unit}"' if unit else f'decimal = "{"," if "," in word else "."}"'
    others = "" if len(numeric) == 1 else f" and {len(numeric) - 1} more"
    return (
        f"column {column.name!r}: {word!r} on row {row}{others} are numbers written as text, not a number that can be computed with; is "
        f'{word!r} the number {value:g}? Codebook: under [columns.{column.name}] write {line}, or type = "factor" if they are labels'
    )
