"""Results appear whole or not at all."""

import json
from pathlib import Path

import pytest

from pillprocess.results import ResultsError, results_folder


def write(out: Path, text: str) -> None:
    with results_folder(out, {"seed": 1}) as work:
        (work / "table.csv").write_text(text)


def test_results_appear_under_their_name_with_their_record(tmp_path):
    write(tmp_path / "deep" / "results", "a")
    assert (tmp_path / "deep" / "results" / "table.csv").read_text() == "a"
    assert json.loads((tmp_path / "deep" / "results" / "run.json").read_text()) == {"seed": 1}
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["results"]


def test_new_results_replace_earlier_ones_whole(tmp_path):
    write(tmp_path / "results", "old")
    (tmp_path / "results" / "left_over.csv").write_text("old")
    write(tmp_path / "results", "new")
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == ["run.json", "table.csv"]
    assert (tmp_path / "results" / "table.csv").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["results"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_an_interrupted_run_leaves_the_earlier_results_and_nothing_half_written(tmp_path, interruption):
    write(tmp_path / "results", "old")
    with pytest.raises(interruption), results_folder(tmp_path / "results", {}) as work:
        (work / "table.csv").write_text("half")
        raise interruption
    assert (tmp_path / "results" / "table.csv").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["results"]


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(ResultsError, match="holds something other than results; nothing was written"):
        write(tmp_path, "new")
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


def test_a_file_or_a_link_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(ResultsError, match="is not a folder; nothing was written"):
        write(tmp_path / "results", "new")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ResultsError, match="is not a folder"):
        write(tmp_path / "link", "new")
    assert list((tmp_path / "real").iterdir()) == []


def test_a_place_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="cannot write beside .*; nothing was written"):
        write(tmp_path / "file" / "results", "new")


def test_an_error_of_the_disk_while_writing_is_reported_and_earlier_results_stay(tmp_path):
    write(tmp_path / "results", "old")
    full = OSError(28, "No space left on device")
    message = "No space left on device; earlier results were left as they were"
    with pytest.raises(ResultsError, match=message), results_folder(tmp_path / "results", {}):
        raise full
    assert (tmp_path / "results" / "table.csv").read_text() == "old"


def test_a_failed_move_brings_the_earlier_results_back(tmp_path, monkeypatch):
    write(tmp_path / "results", "old")
    rename = Path.rename

    def fail_for_new(self: Path, target: Path) -> Path:
        if self.suffix == ".partial":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_new)
    with pytest.raises(ResultsError, match="Input/output error"):
        write(tmp_path / "results", "new")
    assert (tmp_path / "results" / "table.csv").read_text() == "old"
