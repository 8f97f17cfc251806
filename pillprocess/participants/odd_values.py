"""Values that may not be what they seem: codes for missing, values no instrument gives, dates, words that mean missing."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pillprocess.participants.codebook import Cell, ColumnCodes
from pillprocess.participants.coding import label, labels
from pillprocess.participants.scales import Scale, is_difference, known_scales, recognised

CODE = re.compile(r"-?([6-9])\1+(\.0+|\.\1+)?|-?9+\.9+|-?9+[6-8]|-[1-9]|[789]|-?(\d)\3{3,}|-1\d\d\d")
"""How codes for missing are written: 99, 999, -99, 8888, 98, -9, 9, 99.9."""
WORDS = frozenset(
    """
    na|n/a|n.a.|n.a|nan|nil|null|none|#null!|#n/a|#na|#value!|#div/0!|#num!|<na>|.|..|...|-|--|---|\u2013|\u2014|?|missing|mis|miss|unknown|unk
    refused|refuse|refusal|declined|n/d|nd|n.d.|n.k.|nk|ni|not done|not available|not applicable|not known|not assessed|not recorded
    not reported|not asked|no answer|no response|no data|prefer not to say|prefer not to answer|missing value|keine angabe|k.a.|empty
    does not apply|not observed|lost to follow-up|withdrawn|dropout|drop-out|dropped out|lost|left blank|blank|void
    """.strip()
    .replace("\n", "|")
    .replace("|    ", "|")
    .split("|")
)
"""Words that mean that nothing was observed."""
SCORED = 0.97
"""Share of values that a scoring of an instrument must hold to be taken for the one that was used."""
DATES = (20_000, 60_000)
"""Days since 1900 from 1954 to 2064: a column of such whole numbers is a spreadsheet's dates."""


def means_missing(value: object) -> bool:
    """Whether a cell is a word that means that nothing was observed."""
    return isinstance(value, str) and value.strip().casefold() in WORDS


def missing_word_question(column: pd.Series, said: ColumnCodes, named: Sequence[str] = ()) -> list[str]:
    """Ask about words that mean missing; those the user has named as labels are labels."""
    settled = {label(v) for v in (*said.keep, *named)}
    found = [v for v in _unique(column) if means_missing(v) and label(v) not in settled]
    return [
        f"column {column.name!r}: {word!r} on {_on(column, [word])} may mean that nothing was observed. Codebook: under "
        f"[columns.{column.name}] write missing = {_toml([word])}, or keep = {_toml([word])} if it is a value"
        for word in found
    ]


def number_questions(column: pd.Series, arm: pd.Series, said: ColumnCodes) -> list[str]:
    """Ask about numbers that are no possible score, look like codes for missing or dates, or stand far outside the rest."""
    values = pd.to_numeric(column, errors="coerce").astype(float).dropna()
    values = values[np.isfinite(values) & ~values.map(label).isin([label(_float(k)) for k in said.keep])]
    if values.empty:
        return []
    questions, odd = [], pd.Series(False, index=values.index)
    if said.range:
        outside = (values < said.range[0]) | (values > said.range[1])
        if outside.any():
            span = f"the codebook's range of {said.range[0]:g} to {said.range[1]:g}"
            questions.append(_ask(column, values[outside], f"outside {span}", ""))
        return questions
    codes = _code_values(values)
    if _is_stray_zero(values[~values.isin(codes)], arm):
        codes = [*codes, 0.0]
    if codes:
        odd |= values.isin(codes)
        rest = values[~odd]
        lies = f"looks like a code for missing: the other values lie between {rest.min():g} and {rest.max():g}"
        questions.append(_ask(column, values[odd], lies, ""))
    scale = scale_of(column, said)
    if scale is not None:
        outside = _outside(values[~odd], scale)
        if len(outside):
            high = _highest(values[~odd], scale)
            span = f"{scale.low:g}" + (f" to {high:g}" if np.isfinite(high) else " upwards")
            other = ', or instrument = "none" if it is no such score'
            questions.append(_ask(column, outside, f"cannot be scored on {scale.name} ({span})", other))
            odd |= odd.index.isin(outside.index)
    if not odd.any() and len(values) > 3 and values.between(*DATES).all() and (values % 1 == 0).all():
        questions.append(_ask(column, values, "look like the day numbers of a spreadsheet's dates", ""))
        return questions
    far = _far(values[~odd], arm)
    if len(far):
        rest = values[~odd].drop(far.index)
        lies = f"stands far outside the others, which lie between {rest.min():g} and {rest.max():g}"
        questions.append(_ask(column, far, lies, ""))
    return questions


def label_code_question(column: pd.Series, said: ColumnCodes, named: Sequence[str]) -> list[str]:
    """Ask about a label that looks like a code for missing among labels that are small numbers: 0, 1 and 9."""
    text = labels(column).dropna()
    numeric = pd.to_numeric(text, errors="coerce")
    settled = {label(v) for v in (*said.keep, *named)} | set(said.codes)
    if numeric.isna().any():
        among = numeric[numeric.notna() & text.map(lambda t: bool(CODE.fullmatch(t))) & ~text.isin(settled)]
        few = 0 < among.nunique() == numeric.nunique() and 2 * among.nunique() < text.nunique()
        return [_ask(column, among, "looks like a code for missing among words", "")] if few else []
    if numeric.nunique() < 3 or numeric.nunique() > 12:
        return []
    found = [c for c in _code_values(numeric) if label(c) not in settled]
    return (
        [_ask(column, numeric[numeric.isin(found)], "looks like a code for missing among the labels", "")]
        if found
        else []
    )


def scale_of(column: pd.Series, said: ColumnCodes) -> Scale | None:
    """Instrument whose scores a column holds: the codebook's, or the one its name names unless it is a change."""
    if said.instrument:
        return known_scales().get(said.instrument)
    return None if is_difference(column.name) else recognised(str(column.name))


def scale_notes(column: pd.Series, said: ColumnCodes) -> list[str]:
    """Say so where a column is named like an instrument and most of its values are no scores of it."""
    scale = scale_of(column, said)
    values = pd.to_numeric(column, errors="coerce").dropna()
    if scale is None or said.range or values.empty or len(_beyond(values, scale)) <= len(values) / 2:
        return []
    return [
        f"column {column.name!r} is named like {scale.name}, but most of its values are no scores of it; taken as a difference"
    ]


def _outside(values: pd.Series, scale: Scale) -> pd.Series:
    """Values that no scoring of the instrument gives, where most values are scores of it."""
    beyond = _beyond(values, scale)
    return beyond if len(beyond) <= len(values) / 2 else values.iloc[:0]


def _beyond(values: pd.Series, scale: Scale) -> pd.Series:
    return values[(values < scale.low) | (values > _highest(values, scale))]


def _highest(values: pd.Series, scale: Scale) -> float:
    """Highest score of the scoring that fits these values."""
    fitting = [h for h in sorted(scale.highs) if (values <= h).mean() >= SCORED]
    return (fitting or [max(scale.highs)])[0] if scale.highs else np.inf


def _code_values(values: pd.Series) -> list[float]:
    """Values written like codes for missing that stand apart from the others."""
    distinct = np.sort(values.unique())
    like = np.array([bool(CODE.fullmatch(label(float(v)))) for v in distinct])
    rest = values[~values.isin(distinct[like])]
    if rest.empty or not like.any():
        return []
    low, high, sd = rest.min(), rest.max(), rest.std() if len(rest) > 1 else 0.0
    whole = bool((rest % 1 == 0).all())
    negative = distinct[distinct < 0]
    found = []
    for code in distinct[like]:
        count = int((values == code).sum())
        gap = max(code - high, low - code)
        single = abs(code) < 10
        often = 3 if single else 2
        if (whole and code % 1) or (
            count >= 5 and rest.nunique() >= 8 and count >= often * int(rest.value_counts().iloc[0])
        ):
            found.append(float(code))
        elif code < 0 <= low and like[distinct < 0].all():
            small = code > -7 and not (len(negative) == 1 and (gap > 1.5 * sd or count > 1))
            if not small and len(negative) <= 3 and (whole or gap > sd or code <= -66):
                found.append(float(code))
        elif single:
            if whole and gap >= 2 and gap > 1.5 * sd:
                found.append(float(code))
        elif gap > max(sd, 1.0) or (
            gap > 0 and count >= 3 and count >= 3 * int(rest.value_counts().iloc[0]) and abs(code) >= 66
        ):
            found.append(float(code))
    return found


def _is_stray_zero(values: pd.Series, arm: pd.Series) -> bool:
    """Whether a few zeros stand apart below the others, as where 0 was entered for what is not known; never most of an arm."""
    zero, rest = values[values == 0], values[values != 0]
    if zero.empty or len(rest) < 8 or rest.min() <= 0 or rest.nunique() < 5 or len(zero) > len(values) / 5:
        return False
    share = arm.reindex(zero.index).value_counts() / arm.reindex(values.index).value_counts()
    return bool(rest.min() > 1.5 * rest.std() and not (share > 0.5).any())


def _far(values: pd.Series, arm: pd.Series) -> pd.Series:
    """Values beyond a gap that is wider than the whole range of the others; at most a fifth of all, never most of an arm."""
    most = max(1, len(values) // 5)
    order = values.sort_values()
    found: list[pd.Series] = []
    for ordered in (order, order[::-1]):
        v, n = ordered.to_numpy(float), len(ordered)
        beyond = np.arange(1, min(most, n - 1) + 1)
        gap, width = np.abs(v[n - beyond] - v[n - beyond - 1]), np.abs(v[n - beyond - 1] - v[0])
        for k in beyond[(gap > width) & (n - beyond >= 8)]:
            tail, rest = ordered.iloc[-k:], ordered.iloc[:-k]
            if rest.nunique() < 3:
                continue
            share = tail.groupby(arm.reindex(tail.index)).size() / arm.reindex(values.index).value_counts()
            if not (share > 0.5).any():
                found.append(tail)
                break
    return pd.concat(found).sort_index() if found else values.iloc[:0]


def _ask(column: pd.Series, odd: pd.Series, why: str, other: str) -> str:
    """One question, with the codebook lines that settle it."""
    cells = sorted(odd.unique(), key=lambda v: (odd.eq(v).sum() == 0, v))
    shown = ", ".join(f"{v:g}" for v in cells[:5]) + (f" and {len(cells) - 5} more values" if len(cells) > 5 else "")
    lines = f"missing = {_toml(cells[:20])}"
    keep = f"keep = {_toml(cells[:20])}" if len(cells) <= 20 else "a wider range"
    return (
        f"column {column.name!r}: {shown} on {_rows(odd.index)} {why}. Codebook: under [columns.{column.name}] write {lines} if "
        f"nothing was observed, {keep} if measured{other}; a slip is corrected in the table"
    )


def _toml(cells: Sequence[object]) -> str:
    return "[" + ", ".join(f'"{c}"' if isinstance(c, str) else label(float(str(c))) for c in cells) + "]"


def _on(column: pd.Series, cells: Sequence[Cell]) -> str:
    return _rows(column.index[column.isin(list(cells))])


def _rows(index: pd.Index) -> str:
    listed = ", ".join(map(str, index[:5]))
    return f"row {listed}" + (f" and {len(index) - 5} more" if len(index) > 5 else "")


def _unique(column: pd.Series) -> list[str]:
    return sorted({v for v in column.dropna() if isinstance(v, str)})


def _float(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("nan")
