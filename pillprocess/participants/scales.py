"""Which instrument the name of a column names, what values it can have, and whether it is scored before or after dosing."""

import re
from dataclasses import dataclass
from functools import cache

import pandas as pd

from pillprocess.evidence.tables import embedded_folder

EXPERIENCES: dict[str, tuple[float, ...]] = {
    # 30 items of 0 to 5; each dimension and the total also as a percentage: https://flutter.super.site/5a089b2de8f44fcebf37bbc8168a61b3
    "MEQ30": (5.0, 100.0, 150.0),
    # the 43 items from which the 30 were kept: https://doczz.net/doc/6458235/factor-analysis-of-the-mystical-experience-questionnaire-...
    "MEQ": (5.0, 100.0, 150.0, 215.0),
    # items anchored at 0 % and 100 %, scales as a percentage of the maximum: https://pmc.ncbi.nlm.nih.gov/articles/PMC10516880/figure/Fig1
    "5D-ASC": (100.0,), "11D-ASC": (100.0,), "ASC": (100.0,),
    # 6 items of 0 to 100, as a sum or a mean: https://flutter.super.site/fd8b67496ede4f9e9af688f89773875e, doi:10.1177/0269881119855974
    "EBI": (100.0, 600.0),
    # 8 visual analogue items, doi:10.3389/fnhum.2016.00269; 19, 23, 27 or 28 items, https://fr.scribd.com/document/333420920/bibliografie-disociere
    "EDI": (), "CADSS": (),
}  # fmt: skip
"""Scales of the acute experience, with the highest score of each common scoring (a mean of items, a percentage, a sum) and where
that was read; the lowest is 0. No limit is checked where none was read: of CADSS the points of an item, of EDI the ends of its line."""

OTHER_NAMES = {
    "HDRS": "HAMD", "HRSD": "HAMD", "HAM-D": "HAMD", "HAM-D17": "HAMD17", "HDRS17": "HAMD17", "HRSD17": "HAMD17", "PHQ": "PHQ-9",
    "PCL": "PCL-5", "QIDS-SR": "QIDS-SR16", "BDI2": "BDI-II", "GRID-HAM-D": "GRID-HAMD", "HAMA": "HAM-A", "IDS-SR30": "IDS-SR",
}  # fmt: skip
DIFFERENCE = (
    "change", "delta", "diff", "reduc", "reduk", "improv", "decreas", "drop", "gain", "pct", "perc", "zscore", "std", "log", "ratio",
    "verander", "variaz", "variac", "cambio", "evolution",
)  # fmt: skip
"""Parts of a name that say that the column is no score but something made of scores."""
BETTER = (
    "reduc", "reduk", "improv", "decreas", "drop", "gain", "recover", "remiss", "remit", "respon", "wellbeing", "well_being", "benefit",
    "abstin", "sober", "cured", "better", "relief", "alleviat", "amelior", "besser", "verbeter", "melhor", "mejor", "miglior", "afname",
    "abnahme", "rueckgang", "diminu", "disminu", "riduz", "quality_of_life", "satisf", "resilien", "optimis", "mindful", "happi",
    "self_esteem", "self_efficacy", "self_compassion", "functioning", "flourish",
)  # fmt: skip
"""Parts of a name that say that more of it is better, in the languages of trials."""
BETTER_WORDS = re.compile(r"(^|_)(qol|gaf|swls|who_?5|eq_?5d?|ptgi|wemwbs|red|impr)\d*(_|$)")
"""Names and abbreviations, whole, that say so."""
MADE = re.compile(r"(^|_)(ch|chg|chng|d|dif|rel|z)(_|$)")
"""Parts of a name, whole, that say that the column was made of scores."""
FOLLOWS = (
    r"(?=$|_|\d|bl|base|pre|post|wk|w\d|d\d|day|v\d|t\d|m\d|tot|sum|score|change|delta|diff|reduc|improv|drop|gain)"
)
AFTER = re.compile(
    r"(^|_)(post|fu|follow_?up|end(point)?|w(ee)?k_?[1-9]\d*|[1-9]\d*_?w(ee)?ks?|m(onth)?_?[1-9]\d*|t[1-9]|v[2-9])(_|$)"
)
"""Parts of a name that say that it was measured after dosing."""


@dataclass(frozen=True)
class Scale:
    """An instrument: its name, lowest score, possible highest scores (none where unknown), and what is known of it."""

    name: str
    low: float
    highs: tuple[float, ...]
    higher_is_worse: bool | None
    acute: bool


@cache
def known_scales() -> dict[str, Scale]:
    """Every instrument that is recognised, by name: those of ``instruments.csv``, and scales of the experience.

    A range whose source was not read (``range_basis`` names no address) is no limit.
    """
    table = pd.read_csv(embedded_folder() / "instruments.csv")
    table = table[table["kind"] != "event"]
    read = table["range_basis"].str.contains("://|percentage", na=False) & table["range_max"].notna()
    scales = {
        str(r.instrument): Scale(
            str(r.instrument), float(r.range_min) if known else float("-inf"), (float(r.range_max),) if known else (),
            bool(r.higher_is_worse), False,
        )
        for r, known in zip(table.itertuples(), read, strict=True)
    }  # fmt: skip
    lows = {name: 0.0 if highs else float("-inf") for name, highs in EXPERIENCES.items()}
    return scales | {name: Scale(name, lows[name], highs, None, True) for name, highs in EXPERIENCES.items()}


def plain_name(name: object) -> str:
    """A column's name in small letters, with ``_`` for whatever is neither letter nor digit."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", str(name))
    return re.sub(r"[^0-9a-z]+", "_", spaced.casefold()).strip("_")


@cache
def recognised(name: str) -> Scale | None:
    """The instrument that a column's name names; of several, one that every one of them would allow.

    ``hamd6`` may be the six items or week 6: where two instruments fit, no highest score is checked that one of them allows.
    """
    plain = plain_name(name)
    scales = known_scales()
    aliases = {alias: alias for alias in scales} | {k: v for k, v in OTHER_NAMES.items() if v in scales}
    found = []
    for alias, scale in aliases.items():
        parts = re.split(r"[^0-9a-z]+", re.sub(r"(?<=[a-z])(?=\d)", "-", alias.casefold()))
        if re.search(rf"(?:^|_){'_?'.join(parts)}{FOLLOWS}", plain):
            found.append(scales[scale])
    if not found:
        return None
    longest = max(found, key=lambda s: len(s.name))
    highs = () if any(not s.highs for s in found) else tuple(sorted({h for s in found for h in s.highs}))
    return Scale(longest.name, min(s.low for s in found), highs, longest.higher_is_worse, all(s.acute for s in found))


def is_difference(name: object) -> bool:
    """Whether a name says that the column was made of scores: a change, a percentage, a z value."""
    return any(word in plain_name(name) for word in DIFFERENCE) or MADE.search(plain_name(name)) is not None


def says_better(name: object) -> bool:
    """Whether a name says that more is better."""
    plain = plain_name(name)
    return any(word in plain for word in BETTER) or BETTER_WORDS.search(plain) is not None


def says_after(name: object) -> bool:
    """Whether a name says that the column was measured after dosing."""
    return AFTER.search(re.sub(r"(?<=[a-z])_?(?=w\d|wk\d|week\d)", "_", plain_name(name))) is not None
