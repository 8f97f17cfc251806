"""What a file of comma-separated text must be before anything in it is read: plain text in UTF-8, with commas."""

from typing import NamedTuple

from pillprocess.output.text import control_character

SEPARATORS = {";": "semicolons", "\t": "tabs"}


class TextProblem(NamedTuple):
    """What is wrong with a file as text, and the line of it, where there is one."""

    text: str
    line: int | None


def decode(content: bytes) -> tuple[str, TextProblem | None]:
    """Decode the bytes of a file, without its byte order mark; text that is not UTF-8, and control characters, are problems."""
    if b"\x00" in content:
        text = "holds NUL bytes, so it is no plain text (UTF-16, or a renamed spreadsheet?); save it as 'CSV UTF-8'"
        return "", TextProblem(text, None)
    try:
        decoded = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return "", TextProblem(f"is not UTF-8 text (byte 0x{content[error.start]:02x}); save it as 'CSV UTF-8'", line)
    if found := control_character(decoded):
        line = decoded.count("\n", 0, found[0]) + 1
        return "", TextProblem(f"holds the control character {found[1]}, which no label or number has; remove it", line)
    return decoded, None


def separator(text: str) -> tuple[str, TextProblem | None]:
    """Separator of the header, and a problem if it is no comma."""
    header = text.lstrip().partition("\n")[0]
    found = max(",;\t", key=header.count)
    if found == ",":
        return found, None
    text = f"has {SEPARATORS[found]} between its cells; write commas, and decimal points in numbers"
    return found, TextProblem(text, 1)
