"""Labels that are one label written in two ways: capitals, spaces, accents, numbers."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import combinations

import pandas as pd

from pillprocess.participants.coding import labels

DASHES = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-") | dict.fromkeys("\u2018\u2019\u0060\u00b4", "'")
)
LOOKALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0445\u0443\u0456\u0455\u043a\u043c\u0442\u043d\u0432\u03bf\u03b1\u03c1\u03bd\u03ba\u03c4\u03bc\u0131",
    "aeopcxyiskmthboapvktui",
)
"""Small letters of other alphabets, and the Latin letters that they look like."""
TWO_LETTERS = str.maketrans(
    {"\u00e4": "ae", "\u00f6": "oe", "\u00fc": "ue", "\u00f8": "oe", "\u00e5": "aa", "\u00e6": "ae"}
)
MOST_COMPARED = 60
"""Labels of a column up to which every two are compared for slips and short forms."""
SLIP = 5
"""Letters of a word from which on a single wrong one makes it a slip of another word."""


def spelling_key(text: str) -> str:
    """What two spellings of one label share: no capitals, spaces, accents, punctuation; numbers by value, look-alikes as Latin."""
    apart = unicodedata.normalize("NFKD", text.translate(DASHES)).casefold().translate(LOOKALIKES)
    kept = "".join(c for c in apart if not unicodedata.combining(c) and unicodedata.category(c) not in ("Cf", "Cc"))
    kept = re.sub(r"(?<![\d.,])0+(?=\d)|[.,]0+(?!\d)", "", kept)
    kept = re.sub(r"(?<=\d)(\s*)mcg\b", r"\1ug", kept)
    if re.fullmatch(r"\s*[-+]?\d+(\.\d+)?\s*", kept):
        return f"{float(kept):g}"
    between = r"(?<!\d)[^\w\s+<>=%~&-]|[^\w\s+<>=%~&-](?!\d)|(?<=[^\d\s])-|-(?!\d)"
    return re.sub(rf"{between}|[\s_]+", "", kept) or kept


def spelling_keys(text: str) -> set[str]:
    """The keys of a label; one with an umlaut has a second, with two letters for it."""
    composed = unicodedata.normalize("NFC", text).casefold()
    return {spelling_key(text), spelling_key(composed.translate(TWO_LETTERS))}


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
    if len({spelling_key(s) for s in spellings}) == 1 or len(set.intersection(*map(spelling_keys, spellings))):
        return "in capitals, spaces, accents, signs or zeros alone"
    return "in a letter or two, or one is short for the other"


def spelling_questions(column: pd.Series, codes: Mapping[str, str], keep: Sequence[object] = ()) -> list[str]:
    """Ask about labels of a column that are one label spelt in two ways; `codes` and `keep` are what a codebook has settled."""
    text = labels(column).dropna().map(lambda t: codes.get(t, t))
    counts = text.value_counts()
    settled = {str(k) for k in keep}
    questions = []
    for spellings in _alike(list(counts.index)):
        if set(spellings) <= settled:
            continue
        usual, *others = spellings
        listed = " and ".join(f"{s!r} ({counts[s]} rows)" for s in spellings)
        lines = ", ".join(f'"{toml_text(s)}" = "{toml_text(usual)}"' for s in others)
        both = ", ".join(f'"{toml_text(s)}"' for s in spellings)
        questions.append(
            f"column {column.name!r}: {listed} differ {differences(spellings)}; are they one label? Codebook: under "
            f"[columns.{column.name}] write codes = {{ {lines} }}, or keep = [{both}] if they are two"
        )
    return questions or _mixed_question(column, list(counts.index), settled)


def _alike(levels: Sequence[str]) -> list[list[str]]:
    """Groups of labels that seem to be one, the most frequent first; slips and short forms only where a third label stands beside."""
    groups: list[list[str]] = []
    keys: list[set[str]] = []
    for level in levels:
        own = spelling_keys(level)
        at = next((i for i, known in enumerate(keys) if known & own), None)
        if at is None:
            groups.append([level])
            keys.append(own)
        else:
            groups[at].append(level)
            keys[at] |= own
    taken: set[int] = set()
    for i, j in combinations(range(len(groups)), 2) if 2 < len(groups) <= MOST_COMPARED else ():
        if not taken & {i, j} and (_slip(groups[i][0], groups[j][0]) or _short(groups[i][0], groups[j][0])):
            groups[i] = groups[i] + groups[j]
            taken |= {i, j}
            groups[j] = []
    return [g for g in groups if len(g) > 1]


def _words(text: str) -> list[str]:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.findall(r"[^\W\d_]+|\d+", plain)


def _slip(a: str, b: str) -> bool:
    """Whether two labels differ in one long word alone, and that by a slip of the pen."""
    pairs = [(x, y) for x, y in zip(_words(a), _words(b), strict=False) if x != y]
    if len(_words(a)) != len(_words(b)) or len(pairs) != 1:
        return False
    ((x, y),) = pairs
    if min(len(x), len(y)) < SLIP or x[0] != y[0] or x.isdigit() or y.isdigit():
        return False
    if len(x) == len(y):
        wrong = [k for k in range(len(x)) if x[k] != y[k]]
        swapped = (
            len(wrong) == 2 and wrong[1] == wrong[0] + 1 and x[wrong[0]] == y[wrong[1]] and x[wrong[1]] == y[wrong[0]]
        )
        return len(wrong) == 1 or swapped or (len(wrong) == 2 and len(x) >= 8)
    short, long = sorted((x, y), key=len)
    return len(long) == len(short) + 1 and any(long[:k] + long[k + 1 :] == short for k in range(len(long)))


def _short(a: str, b: str) -> bool:
    """Whether one label is a short form of the other: a beginning of the word, or up to four of its letters in order."""
    short, long = sorted((a.casefold().strip(" ."), b.casefold()), key=len)
    if long in ("yes", "no") and short == long[0]:
        return True
    if not (short.isalpha() and long.isalpha()) or len(long) < 4 or short[0] != long[0] or len(short) == len(long):
        return False
    letters = iter(long)
    return long.startswith(short) or (len(short) < 5 and len(long) > 5 and all(c in letters for c in short))


def _mixed_question(column: pd.Series, levels: Sequence[str], settled: set[str]) -> list[str]:
    """Ask about labels of which some are code numbers and others words: two ways to code one column, put together."""
    numbers = sorted(level for level in levels if re.fullmatch(r"-?\d+(\.\d+)?", level))
    words = [level for level in levels if level not in numbers and not re.search(r"\d", level)]
    small = set(numbers) <= {"0", "1", "2", "3"}
    if not numbers or not words or set(numbers) <= settled or not (small or min(len(numbers), len(words)) > 1):
        return []
    lines = ", ".join(f'"{toml_text(n)}" = "{toml_text(words[0])}"' for n in numbers)
    both = ", ".join(f'"{toml_text(n)}"' for n in numbers)
    return [
        f"column {column.name!r}: {', '.join(map(repr, numbers[:5]))} stand beside {', '.join(map(repr, words[:5]))}: some cells hold a "
        f"code and others a word. Codebook: under [columns.{column.name}] write what each code is, such as codes = {{ {lines} }}, or "
        f"keep = [{both}] if these are labels of their own"
    ]


def toml_text(text: str) -> str:
    """A label as it stands between quotation marks in a codebook; what cannot be seen is written as its number."""
    shown = text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if c == " " or (c.isprintable() and not unicodedata.combining(c)) else _escaped(c) for c in shown)


def _escaped(c: str) -> str:
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
