"""What the columns of a trial's file seem to be, and the draft of a codebook that a person completes."""

import re
from pathlib import Path

import pandas as pd

from pillprocess.output.kinds import need
from pillprocess.participants.codebook import Codebook
from pillprocess.participants.coding import label, labels
from pillprocess.participants.odd_values import missing_word_question, number_questions
from pillprocess.participants.people import person_columns
from pillprocess.participants.scales import plain_name, recognised, says_after, says_better
from pillprocess.participants.spelling import spelling_questions, toml_text
from pillprocess.participants.text_numbers import text_number_question

ARMS = re.compile(
    r"(^|_)(arm|group|grp|treat|treatment|trt|tx|condition|cond|alloc|allocation|randomi[sz]ation|drug|dose_group)(_|$)"
)
GUESS = re.compile(r"(^|_)(guess|guessed|belief|blind|unblind|expect|expectation|expectancy)")
SITE = re.compile(r"(^|_)(site|centre|center|trial|study|redcap_data_access_group)(_|$)")
CLUSTER = re.compile(
    r"(^|_)(therapists?|clinicians?|counsell?ors?|facilitators?|providers?|sites?|cent(re|er)s?|clinics?|hospitals?|wards?|country|countries)"
    r"(_?(id|no|nr|num|number|code|name))?$"
)
CROSSOVER = re.compile(r"^(sequence|seq|period|crossover|cross_over|treatment_(order|sequence|period))$")
VISIT = re.compile(r"(.*?)(\d+)(\D*)$")
"""Name of a column whose last number may be a visit."""
MOST = 6
"""Labels that one line shows."""


def describe_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Describe every column of a table of people or visits in one row.

    Parameters
    ----------
    table
        From `read_trial`.

    Returns
    -------
    DataFrame: ``column``; ``role`` it could play; ``holds``, its labels or range; ``missing`` cells; ``instrument`` that its name
    names; ``odd``, what would be asked about it.
    """
    need(table, pd.DataFrame, "a table, from read_trial")
    everybody = pd.Series("all", index=table.index)
    people = person_columns(table, [])
    rows = []
    for name in table.columns:
        column = table[name]
        numeric = _numeric(column)
        scale = recognised(str(name)) if numeric else None
        odd = number_questions(column, everybody, Codebook().of(name)) if numeric else []
        if not numeric and str(name) not in people and labels(column).nunique() <= 100:
            odd += spelling_questions(column, {}) + missing_word_question(column, Codebook().of(name))
        question = text_number_question(column)
        rows.append(
            {
                "column": str(name), "role": _role(str(name), column, numeric, str(name) in people), "holds": _holds(column, numeric),
                "missing": int(column.isna().sum()), "instrument": scale.name if scale else "",
                "odd": "; ".join([*odd, *([question] if question else [])]),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=["column", "role", "holds", "missing", "instrument", "odd"])


def draft_codebook(table: pd.DataFrame, columns: pd.DataFrame, *, name: str) -> str:
    """Write the draft of a codebook as TOML: roles to be chosen, columns with what is known, questions as comments.

    Parameters
    ----------
    table, columns
        From `read_trial` and `describe_columns`.
    name
        Name of the file.

    Returns
    -------
    Text of the file; every role is a comment until a person takes the # away.
    """
    lines = [
        f"# Codebook of {name}, drafted by pillprocess inspect. A line that begins with # is a suggestion or a question: take the # away",
        f"# where it is right. Then: pillprocess mediate {name} --codebook {Path(name).stem}.toml", "", "[trial]",
    ]  # fmt: skip
    for key, role in (
        ("treatment", "treatment"), ("outcome", "outcome"), ("mediators", "mediator"), ("baseline", "baseline"),
        ("covariates", "covariate"), ("id", "person"), ("trial", "site"), ("guess", "guess"),
    ):  # fmt: skip
        found = list(columns.loc[columns["role"].str.split(" or ").map(lambda r, role=role: role in r), "column"])
        only = set(columns.loc[columns["role"] == role, "column"])
        found = [c for c in found if c in only] + [c for c in found if c not in only]
        many = key in ("mediators", "covariates")
        value = (
            "[" + ", ".join(f'"{toml_text(c)}"' for c in found) + "]"
            if many
            else f'"{toml_text(found[0])}"'
            if found
            else '""'
        )
        others = f"  # or {', '.join(found[1:MOST])}" if found[1:] and not many else ""
        lines.append(f"# {key} = {value}{others}")
        if key == "treatment" and found:
            held = sorted(labels(table[found[0]]).dropna().unique())[:MOST]
            lines.append(f'# reference = "{toml_text(held[0]) if held else ""}"  # one of {", ".join(held)}')
        if key == "guess" and found:
            lines.append('# guess_timing = "endpoint"  # or post_dose, pre_dose')
    lines += _design_lines(table, columns)
    better = [c for c in columns["column"] if says_better(c)]
    lines.append("# higher_is_worse = true" + (f"  # false for {', '.join(better)}" if better else ""))
    lines += ["# randomised = true", '# mediator_time = "day 1"', '# outcome_time = "week 6"', ""]
    for row in columns.itertuples():
        said = [f'instrument = "{row.instrument}"'] if row.instrument else []
        said += [f"# {part.strip()}" for part in str(row.odd).split("; ") if part.strip()]
        lines += [
            f"[columns.{_key(str(row.column))}]  # {_one_line(str(row.holds))}; {row.missing} missing",
            *map(_one_line, said),
            "",
        ]
    return "\n".join(lines)


def _design_lines(table: pd.DataFrame, columns: pd.DataFrame) -> list[str]:
    """Suggest clusters, the outcome's visits and a crossover's period, where the names of columns speak of them."""
    names, lines = list(map(str, columns["column"])), []
    clusters = [f'"{toml_text(c)}"' for c in names if CLUSTER.search(plain_name(c))]
    if clusters:
        lines.append(f"# clusters = [{', '.join(clusters)}]  # therapists, sites: people of one may do alike")
    groups: dict[tuple[str, str], dict[str, int]] = {}
    for name, role in zip(names, columns["role"], strict=True):
        at = VISIT.match(name)
        if at and "outcome" in role and int(at[2]) > 0:
            groups.setdefault((at[1], at[3]), {})[name] = int(at[2])
    for visits in (g for g in groups.values() if len(g) > 1):
        timed = ", ".join(f"{_key(c)} = {t}" for c, t in sorted(visits.items(), key=lambda item: item[1]))
        lines.append(
            f"# outcomes = {{ {timed} }}  # in place of outcome: one outcome at several visits, and their times"
        )
    periods = [c for c in names if CROSSOVER.search(plain_name(c)) and labels(table[c]).nunique() == 2]
    lines += [f'# period = "{toml_text(c)}"  # of a crossover, one row per person and period' for c in periods]
    return lines


def _role(name: str, column: pd.Series, numeric: bool, person: bool) -> str:
    plain = plain_name(name)
    text = labels(column).dropna()
    few = 2 <= text.nunique() <= 6
    scale = recognised(name) if numeric else None
    if person:
        return "person"
    if ARMS.search(plain) and few:
        return "treatment"
    if SITE.search(plain):
        return "site"
    if GUESS.search(plain):
        return "guess"
    if scale is not None and scale.acute:
        return "mediator"
    if scale is not None:
        return "outcome" if says_after(name) or says_better(name) or "change" in plain else "baseline or outcome"
    if text.nunique() < 2:
        return "none: it does not vary"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "time"
    if says_after(name):
        return "mediator or outcome"
    if numeric or few:
        return "covariate"
    return "none: text" if text.nunique() > len(column) / 2 else "covariate"


def _numeric(column: pd.Series) -> bool:
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(column.dtype):
        return False
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return False
    known = column.dropna()
    return len(known) > 0 and bool(pd.to_numeric(known, errors="coerce").notna().mean() > 0.5)


def _holds(column: pd.Series, numeric: bool) -> str:
    text = labels(column).dropna()
    values = pd.to_numeric(column, errors="coerce").dropna() if numeric else None
    if values is not None and values.nunique() > MOST:
        return f"{values.min():g} to {values.max():g}"
    counts = text.value_counts()
    shown = ", ".join(f"{label(v)} ({n})" for v, n in counts.iloc[:MOST].items())
    return shown + (f" and {len(counts) - MOST} more" if len(counts) > MOST else "")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{toml_text(name)}"'


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
