"""Results appear whole or not at all."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pillprocess.output.results import ResultsError, results_folder, write_tables


def write(out: Path, text: str) -> None:
    with results_folder(out, {"seed": 1}) as work:
        (work / "table.csv").write_text(text)


def test_results_appear_under_their_name_with_their_record(tmp_path):
    write(tmp_path / "deep" / "results", "a")
    assert (tmp_path / "deep" / "results" / "table.csv").read_text() == "a"
    assert json.loads((tmp_path / "deep" / "results" / "run.json").read_text()) == {
        "seed": 1,
        "files": {"table.csv": hashlib.sha256(b"a").hexdigest()},
    }
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["results"]


def test_new_results_replace_earlier_ones_whole(tmp_path):
    write(tmp_path / "results", "old")
    (tmp_path / "results" / ".DS_Store").write_text("left by the system")
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


def test_what_the_user_put_among_the_results_is_never_replaced(tmp_path):
    write(tmp_path / "results", "old")
    (tmp_path / "results" / "my_notes.docx").write_text("an afternoon of work")
    with pytest.raises(ResultsError, match="nothing was written. No run wrote my_notes.docx: move it"):
        write(tmp_path / "results", "new")
    assert (tmp_path / "results" / "my_notes.docx").read_text() == "an afternoon of work"
    assert (tmp_path / "results" / "table.csv").read_text() == "old"


@pytest.mark.parametrize("mark", ["", "{}", "[]", '{"files": 3}', "\xff", '{"tool": "another program"}'])
def test_a_record_of_another_program_is_no_leave_to_replace_the_folder(tmp_path, mark):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "run.json").write_text(mark, encoding="latin-1")
    (tmp_path / "results" / "model.bin").write_text("weeks of work")
    with pytest.raises(ResultsError, match="holds something other than results"):
        write(tmp_path / "results", "new")
    assert (tmp_path / "results" / "model.bin").read_text() == "weeks of work"


def test_folders_made_for_results_that_never_came_are_removed(tmp_path):
    with pytest.raises(ValueError, match="no"), results_folder(tmp_path / "a" / "b" / "results", {}):
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from pillprocess.output import results, written
out = Path(sys.argv[1])
if sys.argv[2] == "moving":
    written.Path.unlink = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "between":
    rename = Path.rename
    def one_rename(self, target):
        rename(self, target)
        os.kill(os.getpid(), signal.SIGKILL)
    Path.rename = one_rename
with results.results_folder(out, {}) as work:
    (work / "table.csv").write_text("new")
    if sys.argv[2] == "writing":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("moment", "text"), [("writing", "old"), ("between", None), ("moving", "new")])
def test_a_run_that_is_killed_at_any_moment_corrupts_nothing_and_the_next_run_clears_up(tmp_path, moment, text):
    out = tmp_path / "results"
    write(out, "old")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(out), moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (out / "table.csv").read_text() == text if text else not out.exists()
    left = {p.suffix for p in tmp_path.iterdir() if p != out}
    assert left == {"writing": {".partial"}, "between": {".partial", ".old"}, "moving": {".old"}}[moment]
    with pytest.raises(ValueError, match="stop"), results_folder(out, {}):
        raise ValueError("stop")
    assert [p.name for p in tmp_path.iterdir()] == ["results"], (
        "the leftovers are gone, whatever became of the next run"
    )
    assert (out / "table.csv").read_text() == (text or "old"), "results moved aside have returned to their name"
    write(out, "newest")
    assert (out / "table.csv").read_text() == "newest"


def test_a_run_under_way_is_not_taken_for_a_leftover(tmp_path):
    with results_folder(tmp_path / "results", {}) as first:
        (first / "table.csv").write_text("first")
        write(tmp_path / "results", "second")
        assert (first / "table.csv").read_text() == "first"
    assert (tmp_path / "results" / "table.csv").read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["results"]


def test_folders_whose_names_only_resemble_leftovers_are_left_alone(tmp_path):
    for name in (".results.v2.abcdefgh.partial", ".results.partial", ".other.abcdefgh.partial", "results.abcdefgh.old"):
        (tmp_path / name).mkdir()
    before = sorted(p.name for p in tmp_path.iterdir())
    write(tmp_path / "results", "a")
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "results") == before


def test_a_full_disk_is_reported_and_leaves_the_earlier_results(tmp_path):
    write(tmp_path / "results", "old")
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom pillprocess.output.results import results_folder\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with results_folder(Path(sys.argv[1]), {}) as work:\n    (work / 'table.csv').write_text('x' * 10**6)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "results")], capture_output=True, text=True, check=False
    )
    assert "ResultsError: cannot write results to" in done.stderr
    assert "File too large" in done.stderr
    assert (tmp_path / "results" / "table.csv").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["results"]


def test_text_that_a_spreadsheet_would_run_is_written_as_text(tmp_path):
    labels = ["=cmd()", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "plain", "-5", "+0.5", "a=b", None]
    table = pd.DataFrame({"=HYPERLINK()": labels, "value": np.arange(10) - 5.0})
    write_tables({"effects": table}, tmp_path / "tables")
    text = (tmp_path / "tables" / "effects.csv").read_text()
    back = pd.read_csv(tmp_path / "tables" / "effects.csv")
    assert text.startswith("'=HYPERLINK(),value\n")
    assert back.iloc[:, 0].tolist()[:9] == [
        "'=cmd()",
        "'+1+1",
        "'-2+3",
        "'@SUM(A1)",
        "'\t=1",
        "plain",
        "-5",
        "+0.5",
        "a=b",
    ]
    assert back["value"].tolist() == table["value"].tolist()
    assert table.columns[0] == "=HYPERLINK()", "the table itself is as it was"


def test_a_file_put_among_the_results_during_a_run_is_kept_and_named(tmp_path):
    out = tmp_path / "results"
    write(out, "old")
    message = r"was changed while the run was under way; .* is now in .*results\.kept"
    with pytest.warns(UserWarning, match=message), results_folder(out, {}) as work:  # noqa: PT031
        (work / "table.csv").write_text("new")
        (out / "figures").mkdir()
        (out / "figures" / "mine.png").write_text("an afternoon of work")
    assert (out / "table.csv").read_text() == "new"
    assert (tmp_path / "results.kept" / "figures" / "mine.png").read_text() == "an afternoon of work"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["results", "results.kept"]
    assert sorted(p.name for p in (tmp_path / "results.kept").iterdir()) == ["figures"], "what the run wrote is gone"


@pytest.mark.parametrize("what", ["a file", "a link", "a folder"])
def test_what_takes_the_name_of_the_results_during_a_run_is_kept(tmp_path, what):
    out = tmp_path / "results"
    (tmp_path / "results.kept").write_text("of last week")
    (tmp_path / "elsewhere").mkdir()
    with pytest.warns(UserWarning, match=r"is now in .*results\.kept-2"), results_folder(out, {}) as work:  # noqa: PT031
        (work / "table.csv").write_text("new")
        if what == "a file":
            out.write_text("mine")
        elif what == "a link":
            out.symlink_to(tmp_path / "elsewhere")
        else:
            out.mkdir()
            (out / "mine.txt").write_text("mine")
    assert (out / "table.csv").read_text() == "new"
    kept = tmp_path / "results.kept-2"
    assert {
        "a file": lambda: kept.read_text() == "mine",
        "a link": lambda: kept.is_symlink() and kept.resolve() == tmp_path / "elsewhere",
        "a folder": lambda: (kept / "mine.txt").read_text() == "mine",
    }[what]()
    assert (tmp_path / "results.kept").read_text() == "of last week"


def test_results_that_were_changed_by_hand_are_not_replaced(tmp_path):
    write(tmp_path / "results", "old")
    (tmp_path / "results" / "table.csv").write_text("old, with my remarks")
    with pytest.raises(ResultsError, match="nothing was written. No run wrote table.csv: move it"):
        write(tmp_path / "results", "new")
    assert (tmp_path / "results" / "table.csv").read_text() == "old, with my remarks"
    (tmp_path / "results" / "table.csv").write_text("old")
    mark = tmp_path / "results" / "run.json"
    mark.write_text(mark.read_text().replace('"seed": 1', '"seed": 1, "note": "for the appendix"'))
    with pytest.raises(ResultsError, match=r"No run wrote run\.json: move it"):
        write(tmp_path / "results", "new")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "kept empty").mkdir()
    with pytest.raises(ResultsError, match="No run wrote kept empty: move it"):
        write(tmp_path / "other", "new")


def test_an_empty_folder_that_exists_is_used(tmp_path):
    (tmp_path / "results").mkdir()
    write(tmp_path / "results", "a")
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == ["run.json", "table.csv"]
    assert [p.name for p in tmp_path.iterdir()] == ["results"]


@pytest.mark.parametrize("out", [".", "", "..", "../here", "../here/sub/.."])
def test_the_folder_one_is_in_is_refused_before_anything_is_computed(tmp_path, monkeypatch, out):
    (tmp_path / "here" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(ResultsError, match="is the folder you are in, or holds it"), results_folder(Path(out), {}):
        pytest.fail("the run began")
    assert [p.name for p in tmp_path.rglob("*")] == ["here", "sub"]


def test_the_root_is_refused_before_anything_is_computed():
    with pytest.raises(ResultsError, match="/ is a volume or the root of one"), results_folder(Path("/"), {}):
        pytest.fail("the run began")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only the superuser may mount a volume")
@pytest.mark.parametrize("kind", [("-t", "tmpfs", "tmpfs"), ("--bind", "store")])
def test_a_mounted_volume_is_refused_before_anything_is_computed_and_a_folder_in_it_works(tmp_path, kind):
    (tmp_path / "store").mkdir()
    volume = tmp_path / "my volume"
    volume.mkdir()
    mounted = subprocess.run(["mount", *kind, str(volume)], cwd=tmp_path, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no volume can be mounted here")
    try:
        with pytest.raises(ResultsError, match="is a volume or the root of one"), results_folder(volume, {}):
            pytest.fail("the run began")
        write(volume / "results", "a")
        assert [p.name for p in volume.iterdir()] == ["results"]
    finally:
        subprocess.run(["umount", str(volume)], check=True)


def test_a_path_that_is_no_text_is_used_and_named_in_escapes(tmp_path):
    out = Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xe9sultats"))
    write(out, "a")
    (out / "mine\x1b[2J").write_text("b")
    with pytest.raises(ResultsError) as caught:
        write(out, "b")
    assert r"r\udce9sultats holds something other" in str(caught.value)
    assert r"No run wrote mine\x1b[2J: move it" in str(caught.value)
