"""Text that others wrote, made safe to show: control characters, formulas of spreadsheets, addresses."""

import re

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a cell begins that a spreadsheet takes for a formula; full-width signs too, as Japanese and Chinese ones do."""

# Characters that steer a terminal, turn the direction of writing round, or may not stand in XML: C0 and C1 controls but tab and
# line feed, separators of lines and paragraphs, overrides and isolates of direction, halves of a pair, and what is no character.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """Write control characters, and bytes of a path that are no text, as escapes: ESC as backslash, x, 1b."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def control_character(text: str) -> tuple[int, str] | None:
    """Place of the first control character that is no line end, and its escape; None where there is none."""
    found = _CONTROL.search(text.replace("\r", "\n"))
    return (found.start(), printable(found[0])) if found else None


def no_formula(cell: object) -> object:
    """Put an apostrophe before text that a spreadsheet would run; numbers, and text that is a number, stay as they are."""
    if not isinstance(cell, str):
        return cell
    cell = printable(cell)
    if not cell.startswith(FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def web_address(text: str) -> str | None:
    """The address a link may lead to: http, https, or a DOI; None for anything else, which is then text.

    Parameters
    ----------
    text
        One source as the tables give it.
    """
    text = text.strip()
    if re.fullmatch(r"https?://[^\s<>\"]+", text, flags=re.IGNORECASE):
        return text
    if found := re.fullmatch(r"(?:doi:\s*)?(10\.\d{4,9}/[^\s<>\"]+)", text, flags=re.IGNORECASE):
        return f"https://doi.org/{found[1]}"
    return None
