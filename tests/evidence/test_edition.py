"""The edition of an evidence base."""

from pathlib import Path

import pytest

import pillprocess as pp
from tests.evidence.folders import small_folder
from tests.test_cli import run


def editions(folder: Path, *rows: str) -> Path:
    (folder / "editions.csv").write_text("version,last_search,searched\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return folder


def test_the_embedded_evidence_says_its_edition_and_when_somebody_last_searched() -> None:
    edition = pp.edition_of(pp.load_evidence())
    assert edition.version
    assert edition.last_search.startswith("20")
    assert str(edition) in run("evidence").stdout


def test_the_last_row_is_the_current_edition_and_a_folder_without_the_table_says_so(tmp_path: Path) -> None:
    folder = small_folder(tmp_path / "e")
    assert str(pp.edition_of(pp.load_evidence(folder))) == "no edition stated (editions.csv: version, last_search)"
    evidence = pp.load_evidence(editions(folder, "1,2025,PubMed", "1.1,2026-05-31,PubMed; registries"))
    assert pp.edition_of(evidence) == ("1.1", "2026-05-31")


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (("1,May 2026,",), "last_search = May 2026; must be a day, month or year, such as 2026-11-26, 2026-11 or 2026"),
        (("1,2026-02-30,",), "last_search = 2026-02-30; must be a day, month or year"),
        (("1,2026-13,",), "last_search = 2026-13; must be a day, month or year"),
        (("1,2999,",), "last_search = 2999; lies in the future"),
        (("1,2025-06,", "2,2025-05-31,"), "last_search = 2025-05-31; earlier than an edition above it; the newest stands last"),
        (("1,2025,", "1,2026,"), "has the same version as row 2"),
    ],
)  # fmt: skip
def test_a_date_that_cannot_be_is_refused(tmp_path: Path, rows: tuple[str, ...], text: str) -> None:
    problems = pp.evidence_problems(editions(small_folder(tmp_path / "e"), *rows))["problem"]
    assert any(text in problem for problem in problems), list(problems)
