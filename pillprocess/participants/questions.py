"""Everything about a table that cannot be decided and is asked: one list, each with the codebook line that settles it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pillprocess.participants.codebook import MANY, Codebook
from pillprocess.participants.coding import label, labels
from pillprocess.participants.odd_values import (
    label_code_question,
    missing_word_question,
    number_questions,
    scale_notes,
    scale_of,
)
from pillprocess.participants.scales import is_difference, plain_name, recognised, says_after, says_better
from pillprocess.participants.spelling import spelling_questions
from pillprocess.participants.text_numbers import as_number

MOSTLY = 0.6
"""Share of positive values from which differences look like baseline less endpoint: most people improve in most trials."""


def label_questions(
    table: pd.DataFrame, columns: Sequence[str], codebook: Codebook, named: Sequence[object]
) -> list[str]:
    """Ask about columns of labels: spellings, words that mean missing, codes for missing."""
    questions = []
    for name in columns:
        column, said = table[name], codebook.of(name)
        known = [label(n) for n in named if n is not None]
        questions += spelling_questions(column, {}, said.keep)
        questions += missing_word_question(column, said, known) + label_code_question(column, said, known)
    return questions


def value_questions(
    table: pd.DataFrame, columns: Sequence[str], arm: pd.Series, codebook: Codebook
) -> tuple[list[str], list[str]]:
    """Ask about columns of numbers, and about labels of covariates that are none; notes besides."""
    questions, notes = [], []
    for name in columns:
        column, said = table[name], codebook.of(name)
        if _holds_numbers(column):
            questions += number_questions(column, arm, said)
            notes += scale_notes(column, said)
        elif not pd.api.types.is_bool_dtype(column.dtype):
            questions += spelling_questions(column, {}, said.keep) + missing_word_question(column, said)
            questions += label_code_question(column, said, ())
    return questions, notes


def role_questions(before: Sequence[str], outcome: str, mediators: Sequence[str], codebook: Codebook) -> list[str]:
    """Ask about covariates that seem to have been measured after dosing, and mediators said to be measured before it."""
    questions = []
    for name in before:
        said, scale = codebook.of(name), recognised(name)
        acute = scale is not None and scale.acute
        if said.measured == "after":
            questions.append(
                f"column {name!r} was measured after dosing, says the codebook: it may follow from the treatment, so it can be no "
                "covariate; make it a mediator or leave it out"
            )
        elif not said.measured and (acute or says_after(name)):
            why = (
                f"is a score of the experience ({scale.name})"
                if acute and scale
                else "is named like a measurement after dosing"
            )
            questions.append(
                f"column {name!r} {why}, and a covariate must be measured before it. Codebook: under [columns.{name}] write "
                'measured = "before" if it was; else make it a mediator or leave it out'
            )
    for name in mediators:
        if codebook.of(name).measured == "before":
            questions.append(f"column {name!r} was measured before dosing, says the codebook: it can be no mediator")
    return questions


def direction_question(table: pd.DataFrame, outcome: str, baseline: str | None, codebook: Codebook) -> str | None:
    """Why high outcomes seem to be good, where they do; None where nothing says so."""
    reasons = []
    column = pd.to_numeric(table[outcome], errors="coerce").astype(float)
    scale = scale_of(table[outcome], codebook.of(outcome)) or recognised(outcome)
    if says_better(outcome):
        reasons.append("its name says so")
    elif scale is not None and scale.higher_is_worse is False and not is_difference(outcome):
        reasons.append(f"{scale.name} is better when higher")
    before = pd.Series(dtype=float)
    start = baseline or next((str(c) for c in table.columns if _is_baseline(c, outcome)), None)
    if start is not None and start in table and _holds_numbers(table[start]):
        before = pd.to_numeric(table[start], errors="coerce").astype(float)
        for name in table.columns:
            if name in (outcome, start) or not _holds_numbers(table[name]):
                continue
            left = (before - pd.to_numeric(table[name], errors="coerce") - column).dropna()
            if len(left) >= 4 and (left.abs() < 1e-6).all() and column.dropna().abs().max() > 0:
                reasons.append(f"it is {start!r} less {str(name)!r}")
                break
        both = pd.concat([before, column], axis=1).dropna().to_numpy()
        signed = len(both) > 3 and (both[:, 1] < 0).mean() > 0.1 and both[:, 0].min() >= 0 and both.std(0).min() > 0
        if baseline and not reasons and (signed or is_difference(outcome)) and len(both) > 3 and both.std(0).min() > 0:
            r = float(np.corrcoef(both.T)[0, 1])
            if r > 2.6 / np.sqrt(len(both)):
                reasons.append(f"it is higher where {start!r} was higher (r = {r:.2f}), as baseline less endpoint is")
    values = column.dropna()
    made = is_difference(outcome) or (baseline and (values < 0).mean() > 0.1 and before.min() >= 0)
    if not reasons and made and len(values) > 3 and (values > 0).mean() >= MOSTLY:
        reasons.append("it holds differences, and most of them are positive, as those of baseline less endpoint are")
    return "; ".join(reasons) or None


def opposite_note(table: pd.DataFrame, outcome: str, baseline: str | None, codebook: Codebook) -> list[str]:
    """Say so where higher is said to be better and everything about the outcome says that it is worse."""
    scale = scale_of(table[outcome], codebook.of(outcome)) or recognised(outcome)
    plain = (
        scale is not None and scale.higher_is_worse is True and not is_difference(outcome) and not says_better(outcome)
    )
    left = endpoint = None
    if baseline and _holds_numbers(table[baseline]):
        change = pd.to_numeric(table[outcome], errors="coerce") + pd.to_numeric(table[baseline], errors="coerce")
        for name in table.columns:
            if name not in (outcome, baseline) and _holds_numbers(table[name]) and (known := recognised(str(name))):
                left = (change - pd.to_numeric(table[name], errors="coerce")).dropna()
                if known.higher_is_worse and len(left) >= 4 and (left.abs() < 1e-6).all():
                    endpoint = str(name)
    if not plain and endpoint is None:
        return []
    why = f"{scale.name} is worse when higher" if plain and scale else f"it is {endpoint!r} less {baseline!r}"
    return [
        f"outcome {outcome!r}: you say that higher is better, but {why}, so what is called improvement here may be deterioration; if "
        "that is a slip, say --higher-is-worse (codebook: higher_is_worse = true)"
    ]


def recode(table: pd.DataFrame, codebook: Codebook) -> tuple[pd.DataFrame, list[str]]:
    """Do what a codebook says of names, missing cells, codes, decimal commas and units.

    A column is done once, whatever the number of times that its table passes here.

    Returns
    -------
    The table, and what was done, in sentences.
    """
    before = set(table.attrs.get("recoded", ()))
    table, notes = _renamed(table, codebook)
    table.attrs["recoded"] = sorted(before | {c for c in codebook.columns if c in table})
    for name, said in codebook.columns.items():
        if name not in table or name in before:
            continue
        column = table[name]
        text = labels(column)
        gone = text.isin([label(m) for m in said.missing]) & column.notna()
        if gone.any():
            cells = ", ".join(sorted(text[gone].unique()))
            notes.append(f"column {name!r}: {cells} was read as not observed on {int(gone.sum())} rows (codebook)")
            column = column.mask(gone)
        found = text[~gone].isin(list(said.codes))
        if found.any():
            used = {k: v for k, v in said.codes.items() if (text[~gone] == k).any()}
            column = column.astype(object).where(~text.isin(list(used)) | gone, text.map(used))
            notes.append(f"column {name!r}: " + ", ".join(f"{k!r} is {v!r}" for k, v in used.items()) + " (codebook)")
        if ((said.decimal or said.unit) and column.dtype == object) or isinstance(column.dtype, pd.StringDtype):
            words = {w for w in column.dropna() if isinstance(w, str)}
            read = {w: as_number(w, decimal=said.decimal) for w in words}
            units = ("", said.unit.casefold())
            turned = {w: value[0] for w, value in read.items() if value is not None and value[1].casefold() in units}
            if turned:
                column = column.map(lambda w, turned=turned: turned.get(w, w) if isinstance(w, str) else w)
                notes.append(
                    f"column {name!r}: {len(turned)} texts such as {min(turned)!r} were read as numbers (codebook)"
                )
        if said.type == "factor" and not isinstance(column.dtype, pd.CategoricalDtype):
            column = labels(column).astype("category")
        if column is not table[name]:
            table[name] = column
    return table, notes


def _renamed(table: pd.DataFrame, codebook: Codebook) -> tuple[pd.DataFrame, list[str]]:
    """Columns under the names of the codebook, where another name or another way to write it is in the file."""
    names: dict[str, str] = {}
    held = set(map(str, table.columns))
    plain: Mapping[str, list[str]] = {}
    for c in table.columns:
        plain = {**plain, plain_name(c): [*plain.get(plain_name(c), []), str(c)]}
    roles = [
        v for key, v in codebook.roles.items() if key in ("treatment", "outcome", "baseline", "trial", "id", "guess")
    ]
    many = [c for key in MANY for c in _texts(codebook.roles.get(key))]
    for name in dict.fromkeys([*codebook.columns, *map(str, roles), *many]):
        if name in held:
            continue
        others = [c for c in codebook.of(name).also if c in held] or plain.get(plain_name(name), [])
        if len(others) == 1 and others[0] not in names:
            names[others[0]] = name
    notes = [f"column {old!r} of the file is {new!r} of the codebook" for old, new in names.items()]
    return table.rename(columns=names), notes


def _texts(value: object) -> list[str]:
    return [value] if isinstance(value, str) else list(map(str, value)) if isinstance(value, tuple | list) else []


def _is_baseline(name: object, outcome: str) -> bool:
    """Whether a column is named like the outcome's baseline."""
    plain, other = plain_name(name), plain_name(outcome)
    stem = other.split("_")[0]
    return (
        str(name) != outcome
        and plain.startswith(stem)
        and any(w in plain[len(stem) :] for w in ("base", "bl", "pre", "0"))
    )


def _holds_numbers(column: pd.Series) -> bool:
    """Whether a column holds numbers, perhaps with a few words."""
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(column.dtype):
        return False
    if pd.api.types.is_datetime64_any_dtype(column.dtype) or pd.api.types.is_complex_dtype(column.dtype):
        return False
    known = column.dropna()
    return len(known) > 0 and bool(pd.to_numeric(known, errors="coerce").notna().mean() >= 0.5)
