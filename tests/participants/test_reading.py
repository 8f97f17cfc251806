"""One trial in every kind of file is one table; what is in a file and what was chosen is said."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pillprocess.participants import package_files
from pillprocess.participants.codebook import CodebookError, read_codebook
from pillprocess.participants.description import describe_columns, draft_codebook
from pillprocess.participants.reading import ParticipantError, read_trial
from pillprocess.participants.table import Participants, load_participants
from tests.participants.trials import CODEBOOK, FILES, two_sites, write_csv, write_excel, write_redcap


@pytest.fixture
def codebook(tmp_path: Path) -> Path:
    path = tmp_path / "trial.toml"
    path.write_text(CODEBOOK, encoding="utf-8")
    return path


def tables(people: Participants) -> dict[str, list[object]]:
    parts = {"outcome": people.outcome.to_frame(), "mediators": people.mediators, "covariates": people.covariates,
             "treatment": people.treatment, "arm": people.arm.to_frame(), "trial": people.trial.to_frame()}  # fmt: skip
    return {name: [list(part.columns), part.fillna(-1.0).to_numpy().tolist()] for name, part in parts.items()}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_gives_the_same_participants_from_one_codebook(tmp_path, codebook, name):
    FILES[name](two_sites(), tmp_path / name)
    people = load_participants(tmp_path / name, codebook=codebook)
    truth = two_sites()
    assert len(people) == 104
    np.testing.assert_array_equal(people.outcome, truth["madrs_6"])
    np.testing.assert_array_equal(people.mediators["meq30"], truth["meq30"])
    np.testing.assert_array_equal(people.treatment["psilocybin"], truth["arm"] == "psilocybin")
    np.testing.assert_array_equal(people.covariates[["madrs_0", "age"]], truth[["madrs_0", "age"]])
    np.testing.assert_array_equal(people.covariates["sex[male]"], truth["sex"] == "male")
    assert people.trial.tolist() == truth["site"].tolist()
    write_csv(two_sites(), tmp_path / "again.csv")
    assert tables(people) == tables(load_participants(tmp_path / "again.csv", codebook=codebook))


def test_a_long_export_says_what_was_put_together(tmp_path):
    write_redcap(two_sites(), tmp_path / "long.csv")
    table = read_trial(tmp_path / "long.csv")
    assert len(table) == 104
    assert {"arm", "meq30", "madrs_baseline", "madrs_week_6"} <= set(table.columns)
    said = " ".join(table.attrs["said"])
    assert "312 rows of 3 visits" in said
    assert "put together to 104 people by 'record_id'" in said
    assert "measured at dosing alone: meq30" in said


LONG = pd.DataFrame(
    {
        "who": np.repeat(np.arange(12), 2), "when": ["day 1", "week 6"] * 12, "arm": np.repeat(["a", "b"] * 6, 2),
        "score": np.arange(24) % 11, "meq": np.where(np.arange(24) % 2, np.nan, np.arange(24)),
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(arm=t["arm"].mask(t.index == 5, "b" if t.loc[5, "arm"] == "a" else "a")), "column 'arm': person '2' has"),
        (lambda t: pd.concat([t, t.iloc[[3]]], ignore_index=True), "person '1' has visit 'week 6' on row 3, 24; a person has one row per"),
        (lambda t: t.assign(who=t["who"].astype(float).mask(t.index == 3)), "column 'who': missing on row 3; every row needs its person"),
        (lambda t: t.assign(when=t["when"].replace("week 6", "Day-1")), "would have one name; give each its own under"),
        (lambda t: t.rename(columns={"when": "event"}), "column 'when' is not in the table, which has who, event"),
    ],
    ids=["conflict", "twice", "nobody", "one name", "no such column"],
)  # fmt: skip
def test_conflicts_within_a_person_are_listed(change, message):
    with pytest.raises(ParticipantError, match=message):
        read_trial(change(LONG), visit="when", person="who")


def test_a_visit_column_needs_a_person_column():
    with pytest.raises(ParticipantError, match="a visit column and a person column go together"):
        read_trial(LONG, visit="when")


def test_a_missing_reader_is_named_with_the_extra_that_brings_it(tmp_path, monkeypatch):
    write_excel(two_sites(), tmp_path / "t.xlsx")

    def absent(*_, **__):
        raise ImportError("no openpyxl")

    monkeypatch.setattr(package_files.pd, "read_excel", absent)
    with pytest.raises(ParticipantError, match=r"needs the library openpyxl: pip install 'pillprocess\[files\]'"):
        read_trial(tmp_path / "t.xlsx")


@pytest.mark.parametrize("name", ["x.xlsx", "x.sav", "x.dta", "x.parquet", "x.xpt", "x.sas7bdat", "x.xls", "x.ods"])
def test_a_damaged_file_ends_in_words(tmp_path, name):
    (tmp_path / name).write_bytes(b"this is no such file" * 20)
    with pytest.raises(ParticipantError, match="cannot be read as"):
        read_trial(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[trial\n", "it cannot be read as TOML"),
        ('[trial]\ntreatmnt = "arm"', "'treatmnt' is unknown; did you mean treatment?"),
        ("[trial]\noutcome = 3", r"\[trial\] outcome = 3; it must be a text in quotation marks"),
        ("[trial]\nrandomised = 1", "randomised = 1; it must be true or false"),
        ("[columns.a]\nmissing = 999", "missing = 999; it must be a list, such as"),
        ("[columns.a]\nmissing = [9]\nkeep = [9]", "9 is both missing and to be kept"),
        ("[columns.a]\nrange = [5, 1]", "it must be two numbers, the lower first"),
        ('[columns.a]\ncodes = "x"', "it must be a table of texts"),
        ('[columns.a]\nmeasured = "later"', 'it must be "before" or "after"'),
        ("columns = 3", r"\[columns\] must be a table"),
    ],
)
def test_a_codebook_that_cannot_be_meant_is_refused_in_words(tmp_path, text, message):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(CodebookError, match=message):
        read_codebook(tmp_path / "c.toml")


def test_a_codebook_that_is_not_there_or_no_text_is_said_so(tmp_path):
    with pytest.raises(CodebookError, match="there is no such file; pillprocess inspect TRIAL writes one"):
        read_codebook(tmp_path / "c.toml")
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(CodebookError, match="it is not UTF-8 text"):
        read_codebook(tmp_path / "c.toml")


def test_a_draft_is_a_codebook_that_says_nothing_by_itself_and_lists_every_question(tmp_path):
    table = two_sites().assign(**{'odd name, "so"': 1.0})
    table.loc[3, "madrs_6"] = 999
    table.loc[5, "sex"] = "Male"
    columns = describe_columns(table).set_index("column")
    assert columns.loc["arm", "role"] == "treatment"
    assert columns.loc["record_id", "role"] == "person"
    assert columns.loc["meq30", "role"] == "mediator"
    assert columns.loc["madrs_6", "instrument"] == "MADRS"
    assert "999" in columns.loc["madrs_6", "odd"]
    assert "Male" in columns.loc["sex", "odd"]
    draft = draft_codebook(table, columns.reset_index(), name="trial.csv")
    (tmp_path / "draft.toml").write_text(draft, encoding="utf-8")
    book = read_codebook(tmp_path / "draft.toml")
    assert dict(book.roles) == {}
    assert book.of("madrs_6").missing == ()
    assert '# reference = "placebo"' in draft
