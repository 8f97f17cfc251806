"""Checks that the evidence tables fit together: keys, words, sources, references, inclusion, arms."""

import difflib
import re
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import pandas as pd

from pillprocess.evidence.files import CsvTable, report
from pillprocess.evidence.schema import CONTROL_DRUGS, OPEN_WORDS, SCHEMAS
from pillprocess.evidence.table_schema import TableSchema

Tables = dict[str, CsvTable]

BRING = {
    "study_drug": "; a drug of your own needs a row in reference_doses.csv",
    "route": "; a route of your own needs a row in reference_doses.csv",
    "dose_unit": "; a unit of your own needs a row in reference_doses.csv",
    "condition": "; a condition of your own needs a row in vocabulary.csv",
    "dimension": "; a dimension of your own needs a row in vocabulary.csv",
    "experience": "; a dimension of your own needs a row in vocabulary.csv",
    "experience_also": "; a dimension of your own needs a row in vocabulary.csv",
    "score_route": "; a route of your own needs a row in reference_doses.csv",
    "predictor_dimension": "; a dimension of your own needs a row in vocabulary.csv",
    "construct": "; a construct of your own needs a row in vocabulary.csv",
}
"""How a folder brings a word of its own."""

ISO = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?", re.ASCII)
"""A day, a month or a year."""

COMPARED_DESIGNS = ("parallel", "crossover", "open_label_parallel", "dose_comparison")


def check_tables(tables: Tables) -> list[pd.DataFrame]:
    """List every place where the tables break their schema or contradict each other."""
    problems: list[pd.DataFrame] = []
    for name, table in tables.items():
        problems += check_blanks(table, SCHEMAS[name])
        problems += check_keys(table, SCHEMAS[name])
        problems += check_words(table, SCHEMAS[name], own_words(tables))
        problems += check_source(table, SCHEMAS[name])
    problems += check_references(tables)
    problems += check_inclusion(tables)
    problems += check_primary(tables["outcomes"])
    problems += check_arms_per_trial(tables)
    problems += check_copied_arms(tables["outcomes"])
    problems += check_drugs(tables["arms"], own_words(tables)["study_drug"])
    problems += check_experiences(tables["drugs"])
    problems += check_editions(tables["editions"])
    return problems


def check_blanks(table: CsvTable, schema: TableSchema) -> Iterator[pd.DataFrame]:
    """Blank cells where every row needs one."""
    for column in table.given.intersection(schema.filled.split()):
        yield report(table, column, table.cells[column] == "", "every row needs one")


def check_keys(table: CsvTable, schema: TableSchema) -> Iterator[pd.DataFrame]:
    """Rows that share a key, with what they differ in."""
    key = schema.key.split()
    if not set(key) & set(schema.required.split()) <= table.given:
        return
    again = table.data.duplicated(key)
    if not again.any():
        return
    first = table.data.drop_duplicates(key)[key].assign(first_row=lambda rows: rows.index)
    pairs = table.data.loc[again, key].merge(first, on=key, how="left")["first_row"]
    texts = []
    for here, there in zip(again.index[again], pairs, strict=True):
        new, old = table.cells.loc[here], table.cells.loc[there]
        differ = [
            f"{c} {old[c] or 'blank'} and {new[c] or 'blank'}" for c in old.index.difference(key) if old[c] != new[c]
        ]
        contrast = f"they differ in {', '.join(differ[:5])}" if differ else "they are equal"
        shared = ", ".join(c for c in key if new[c] != "")
        texts.append(f"has the same {shared} as row {table.row[there]}; {contrast}; keep one")
    yield report(table, "", again, texts)


def own_words(tables: Tables) -> dict[str, list[str]]:
    """Words that a folder brings itself, by column: those of its reference doses, its drugs.csv and its vocabulary.csv."""
    doses, vocabulary = tables["reference_doses"].cells, tables["vocabulary"].cells
    words = {column: [word for word in dict.fromkeys(doses[source]) if word] for column, source in OPEN_WORDS.items()}
    words["study_drug"] = list(dict.fromkeys([*filter(None, tables["drugs"].cells["drug"]), *words["study_drug"]]))
    for column, word in zip(vocabulary["column"], vocabulary["word"], strict=True):
        for name in (column, "experience", "experience_also") if column == "dimension" else (column,):
            words.setdefault(name, []).append(word)
    return words


def check_words(table: CsvTable, schema: TableSchema, own: Mapping[str, Sequence[str]]) -> Iterator[pd.DataFrame]:
    """Words outside a column's vocabulary, marks other than 0 and 1, shares and percents outside their limits."""
    for column in table.given & schema.words.keys():
        words = list(dict.fromkeys([*schema.words[column].split(), *own.get(column, [])]))
        wrong = (table.cells[column] != "") & ~table.cells[column].isin(words)
        yield report(table, column, wrong, f"must be one of {', '.join(words)}" + BRING.get(column, ""))
    for column in table.given.intersection(schema.flags.split()):
        wrong = table.data[column].notna() & ~table.data[column].isin([0, 1])
        yield report(table, column, wrong, "must be 0 or 1")
    for columns, limit in ((schema.shares, 1), (schema.percents, 100)):
        for column in table.given.intersection(columns.split()):
            wrong = (table.data[column] < 0) | (table.data[column] > limit)
            yield report(table, column, wrong, f"must lie between 0 and {limit}")


def check_source(table: CsvTable, schema: TableSchema) -> Iterator[pd.DataFrame]:
    """Rows that hold a figure and no source."""
    if "source_url" in table.given:
        figures = table.data[schema.figures].drop(columns=["year", "seed_ref"], errors="ignore").notna().any(axis=1)
        wrong = figures & (table.cells["source_url"] == "")
        yield report(table, "source_url", wrong, "a row with figures needs its source")


def check_references(tables: Tables) -> Iterator[pd.DataFrame]:
    """Trials, arms and instruments that are named in one table and are not in their own."""
    trials = set(tables["trials"].cells["trial_id"]) - {""}
    arms = set(_arm_names(tables["arms"])) if {"trial_id", "arm_id"} <= tables["arms"].given else set()
    instruments = set(tables["instruments"].cells["instrument"]) - {""}
    for name, table in tables.items():
        if "trial_id" not in table.given or not trials:
            continue
        known = table.cells["trial_id"].isin(trials)
        yield report(table, "trial_id", ~known & (table.cells["trial_id"] != ""), "no such trial in trials.csv")
        if name == "arms" or not arms:
            continue
        for column, also in (("arm_id", "all"), ("reference_arm_id", "own_baseline")):
            if column in table.given:
                allowed = [""] if name == "outcomes" else ["", also]
                wrong = known & ~table.cells[column].isin(allowed) & ~_arm_names(table, column).isin(arms)
                yield report(table, column, wrong, "the trial has no such arm in arms.csv")
    for name in ("outcomes", "contrasts"):
        wrong = ~tables[name].cells["instrument"].isin(instruments | {""})
        yield report(tables[name], "instrument", wrong & bool(instruments), "unknown; describe it in instruments.csv")


def check_inclusion(tables: Tables) -> Iterator[pd.DataFrame]:
    """Exclusions without a reason, and included rows of what is excluded."""
    trials, arms, outcomes = tables["trials"], tables["arms"], tables["outcomes"]
    included, excluded = trials.data["include"] == 1, trials.data["include"] == 0
    reason = trials.cells["exclude_reason"] != ""
    yield report(trials, "exclude_reason", excluded & ~reason, "include = 0 needs a reason")
    yield report(trials, "exclude_reason", included & reason, "a reason to exclude, but include = 1")
    wrong = (trials.data["retracted"] == 1) & included
    yield report(trials, "include", wrong, "retracted = 1, so include must be 0")

    out = arms.data["include_arm"] == 0
    trial_in = arms.cells["trial_id"].isin(trials.cells.loc[included, "trial_id"])
    trial_out = arms.cells["trial_id"].isin(trials.cells.loc[excluded, "trial_id"])
    wrong = out & (arms.cells["exclude_arm_reason"] == "") & trial_in
    yield report(arms, "exclude_arm_reason", wrong, "include_arm = 0 needs a reason")
    wrong = (arms.data["include_arm"] == 1) & trial_out
    yield report(arms, "include_arm", wrong, "the trial has include = 0 in trials.csv")

    out_too = _arm_names(outcomes).isin(_arm_names(arms)[out | trial_out])
    wrong = (outcomes.data["include"] == 1) & out_too
    yield report(outcomes, "include", wrong, "the trial or the arm is excluded in its own table")


def check_primary(outcomes: CsvTable) -> Iterator[pd.DataFrame]:
    """Arms with several primary rows; trials with primary rows of several instruments."""
    primary = outcomes.data[(outcomes.data["primary"] == 1) & (outcomes.data["include"] == 1)]
    again = primary.duplicated(["trial_id", "arm_id"])
    text = "the arm has a primary row already; at most one row of an arm is primary"
    yield report(outcomes, "primary", _of_all_rows(again, outcomes), text)
    several = primary.groupby("trial_id")["instrument"].transform("nunique") > 1
    text = "the primary rows of a trial must use one instrument"
    yield report(outcomes, "instrument", _of_all_rows(several, outcomes), text)


def check_arms_per_trial(tables: Tables) -> Iterator[pd.DataFrame]:
    """Included trials without a design, and comparative ones with outcome rows but fewer than two included arms."""
    trials, arms, outcomes = tables["trials"], tables["arms"], tables["outcomes"]
    included = trials.data["include"] == 1
    if "design" in trials.given:
        wrong = included & (trials.cells["design"] == "")
        yield report(trials, "design", wrong, "an included trial needs its design")
    n_arms = arms.data[arms.data["include_arm"] == 1].groupby("trial_id").size()
    too_few = trials.data["trial_id"].map(n_arms).fillna(0) < 2
    compared = trials.data["design"].isin(COMPARED_DESIGNS)
    with_outcome = trials.data["trial_id"].isin(outcomes.data.loc[outcomes.data["include"] == 1, "trial_id"])
    text = "the trial compares arms, but fewer than two are included; add the other arm, or write single_arm"
    yield report(trials, "design", included & too_few & compared & with_outcome, text)


def check_copied_arms(outcomes: CsvTable) -> Iterator[pd.DataFrame]:
    """Means and SDs that stand under two arms of a trial."""
    occasion = ["trial_id", "instrument", "time_days", "timepoint", "n"]
    text = "another arm of the trial has the same n, means and SDs; is one arm entered twice?"
    for mean, sd in (("post_mean", "post_sd"), ("change_mean", "change_sd")):
        rows = outcomes.data.dropna(subset=[mean, sd, "n"]).drop_duplicates(["arm_id", *occasion])
        copied = rows.duplicated([*occasion, mean, sd, "baseline_mean", "baseline_sd"])
        yield report(outcomes, mean, _of_all_rows(copied, outcomes), text)


def check_drugs(arms: CsvTable, own: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Drugs that do not fit the arm's role; misspelt drugs. A control may be any drug outside the study drugs."""
    drug, role = arms.cells["drug"], arms.cells["role"]
    study_drugs = list(own)
    wrong = role.isin(["active", "low_dose", "single_arm"]) & ~drug.isin(["", *study_drugs])
    yield report(arms, "drug", wrong, f"in an active arm it must be one of {', '.join(study_drugs)}")
    wrong = role.isin(["inert_placebo", "active_placebo"]) & drug.isin(study_drugs)
    yield report(arms, "drug", wrong, "a study drug cannot be a placebo; is the role low_dose or active?")
    wrong = (role == "waitlist") & ~drug.isin(["", "none"])
    yield report(arms, "drug", wrong, "a waiting list is given no drug: write none")
    known = {word.lower(): word for word in [*study_drugs, *CONTROL_DRUGS.split()]}
    control = role.isin(["comparator", "inert_placebo", "active_placebo"]) & ~drug.isin(["", *known.values()])
    near = {word: difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.8) for word in set(drug[control])}
    misspelt = control & drug.isin([word for word, match in near.items() if match])
    yield report(arms, "drug", misspelt, [f"is it {known[near[word][0]]}?" for word in drug[misspelt]])


def check_experiences(drugs: CsvTable) -> Iterator[pd.DataFrame]:
    """Experiences that lean on nothing: scores of a drug that is not listed, a further dimension without a first."""
    cells = drugs.cells
    unknown = (cells["scores_of"] != "") & ~cells["scores_of"].isin(set(cells["drug"]))
    yield report(drugs, "scores_of", unknown, "no such drug in drugs.csv")
    for column in ("experience_also", "score_route", "scores_of"):
        wrong = (cells[column] != "") & (cells["experience"] == "")
        yield report(drugs, column, wrong, "needs the drug's first dimension in experience")


def check_editions(editions: CsvTable) -> Iterator[pd.DataFrame]:
    """Dates of search that are no dates, lie ahead, or go back from one edition to the next."""
    cells = editions.cells["last_search"]
    known = pd.Series([_last_day(cell) for cell in cells], cells.index, dtype=object)
    wrong = (cells != "") & known.isna()
    yield report(editions, "last_search", wrong, "must be a day, month or year, such as 2026-11-26, 2026-11 or 2026")
    ahead = cells.where(known.notna(), "") > date.today().isoformat()
    yield report(editions, "last_search", ahead, "lies in the future")
    dated = known.where(known.notna(), date.min)
    back = dated < dated.shift(fill_value=date.min).cummax()
    yield report(
        editions, "last_search", back & known.notna(), "earlier than an edition above it; the newest stands last"
    )


def _last_day(text: str) -> date | None:
    """The last day of a day, month or year in ISO 8601; None for anything else."""
    if not ISO.fullmatch(text):
        return None
    year, *rest = map(int, text.split("-"))
    month = rest[0] if rest else 12
    try:
        return date(year, month, rest[1] if len(rest) > 1 else monthrange(year, month)[1])
    except ValueError:
        return None


def _arm_names(table: CsvTable, column: str = "arm_id") -> pd.Series:
    """Trial and arm of every row, as one value."""
    return pd.Series(
        list(zip(table.cells["trial_id"], table.cells[column], strict=True)), table.cells.index, dtype=object
    )


def _of_all_rows(wrong: pd.Series, table: CsvTable) -> pd.Series:
    """Extend a verdict on some rows to the whole table; the others are fine."""
    return wrong.reindex(table.cells.index, fill_value=False)
