"""Labels that are one label written in two ways: capitals, spaces, accents, numbers."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

import pandas as pd

from pillprocess.participants.coding import labels

DASHES = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-") | dict.fromkeys("\u2018\u2019\u0060\u00b4", "'")
)


def spelling_key(text: str) -> str:
    """What two spellings of one label share: no capitals, spaces, accents, invisible characters; numbers by value."""
    apart = unicodedata.normalize("NFKD", text.translate(DASHES)).casefold()
    kept = "".join(
        c for c in apart if not unicodedata.combining(c) and unicodedata.category(c) not in ("Cf", "Zs", "Cc")
    )
    if re.fullmatch(r"[-+]?\d+(\.\d+)?", kept):
        return f"{float(kept):g}"
    return kept


def differences(spellings: Sequence[str]) -> str:
    """In what the spellings of one label differ."""
    folded = {s.casefold() for s in spellings}
    composed = {unicodedata.normalize("NFC", s) for s in spellings}
    if len(composed) == 1:
        return "in how accents are stored"
    if len(folded) == 1:
        return "in capitals alone"
    if len({re.sub(r"[\s\u200b-\u200f\ufeff\u00ad]+", "", unicodedata.normalize("NFKC", s)) for s in spellings}) == 1:
        return "in spaces alone (one may be a no-break space)"
    return "in capitals, spaces, accents or zeros alone"


def spelling_questions(column: pd.Series, codes: Mapping[str, str], keep: Sequence[object] = ()) -> list[str]:
    """Ask about labels of a column that are one label spelt in two ways; `codes` and `keep` are what a codebook has settled."""
    text = labels(column).dropna().map(lambda t: codes.get(t, t))
    counts = text.value_counts()
    groups: dict[str, list[str]] = {}
    for level in counts.index:
        groups.setdefault(spelling_key(level), []).append(level)
    settled = {str(k) for k in keep}
    questions = []
    for spellings in groups.values():
        if len(spellings) < 2 or set(spellings) <= settled:
            continue
        usual, *others = spellings
        listed = " and ".join(f"{s!r} ({counts[s]} rows)" for s in spellings)
        lines = ", ".join(f'"{toml_text(s)}" = "{toml_text(usual)}"' for s in others)
        both = ", ".join(f'"{toml_text(s)}"' for s in spellings)
        questions.append(
            f"column {column.name!r}: {listed} differ {differences(spellings)}; are they one label? Codebook: under "
            f"[columns.{column.name}] write codes = {{ {lines} }}, or keep = [{both}] if they are two"
        )
    return questions


def toml_text(text: str) -> str:
    """A label as it stands between quotation marks in a codebook; what cannot be seen is written as its number."""
    shown = text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if c == " " or (c.isprintable() and not unicodedata.combining(c)) else _escaped(c) for c in shown)


def _escaped(c: str) -> str:
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
