"""The main job on trials with hostile names, killed while it writes and run again."""

import csv
import html
import os
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest

from pillprocess.review import figures, report
from pillprocess.review.run import run_reproduce
from tests.evidence.folders import small_folder

EVIL = ("<script>alert(1)</script>", "=cmd()", r"$\frac{$", 'a"b', "{{ 7 * 7 }}", "../../etc/passwd")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a run that was killed while it drew its figures and of the next one, which was not; the evidence lies beside them."""
    here = tmp_path_factory.mktemp("repeated")
    folder, out = small_folder(here / "evidence", tuple(name.replace('"', '""') for name in EVIL)), here / "out"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    command = [sys.executable, "-m", "pillprocess", "reproduce", "--no-synthesis", "--quiet"]
    command += ["--evidence", str(folder), "--out", str(out)]
    with subprocess.Popen(command, env=os.environ | {"MPLBACKEND": "Agg"}) as run:
        while run.poll() is None and not list(here.glob(".out.*.partial/figures/*")):
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    assert not out.exists()
    run_reproduce(out, seed=1, evidence=folder, progress=False, synthesis=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(path.name for path in here.iterdir()) == ["evidence", "out"]
    return out


@pytest.mark.slow
def test_a_run_killed_while_it_writes_and_then_repeated_ends_with_the_tables_of_one_that_was_not(
    out, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        os, "cpu_count", lambda: 1
    )  # all in this process, which draws nothing: only the tables are compared
    monkeypatch.setattr(figures, "draw_figures", lambda *_, **__: {})
    monkeypatch.setattr(report, "render_report", lambda *_, **__: "")
    folder, undisturbed = out.with_name("evidence"), tmp_path / "undisturbed"
    run_reproduce(undisturbed, seed=1, evidence=folder, progress=False, synthesis=False)
    written, expected = (sorted((path / "tables").glob("*.csv")) for path in (out, undisturbed))
    assert [path.name for path in written] == [path.name for path in expected]
    assert len(written) >= 15
    for one, other in zip(written, expected, strict=True):
        # one seed, one set of draws; the last digits of a matrix inverse are those of the processor's threads
        pd.testing.assert_frame_equal(pd.read_csv(one), pd.read_csv(other), rtol=1e-9, atol=1e-12, obj=one.name)


@pytest.mark.slow
def test_labels_are_data_in_report_figures_and_tables(out):
    page = (out / "report.html").read_text(encoding="utf-8")
    own = files("pillprocess.output").joinpath("templates", "tables.js").read_text(encoding="utf-8").rstrip()
    assert page.count(own) == 1
    assert page.replace(f'<script data-of="page">\n{own}', "").count("<script") == 0
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert "=cmd()" in page
    cells = set()
    for path in (out / "tables").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            cells |= {cell for record in csv.reader(file) for cell in record}
    assert "'=cmd()" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "@"))]
    for path in (out / "figures").glob("*.svg"):
        assert "<script" not in path.read_text(encoding="utf-8")
    left_out = pd.read_csv(out / "tables" / "sensitivity_left_out.csv").set_index("choice")["reason"]
    assert "experience is blank" in left_out["with expectancy and experience (borrowed)"]
    assert left_out["without digitised and secondary figures"] == "nothing was fitted: there are no rows"
    assert "Choices that this evidence does not allow: they were not fitted." in page
    for choice, reason in left_out.items():
        row = f'<th scope="row">{html.escape(str(choice))}</th><td>{html.escape(reason)}</td>'
        assert row in page.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")
    assert "Left out, as experience is not known for every row: process, mediated, fully_mediated." in page
