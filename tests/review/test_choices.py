"""The answer under other choices, and runs that are killed: what of the main job needs no results of it."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.review import figures, report
from pillprocess.review.analysis import sensitivity_table
from pillprocess.review.choices import _with_pooled_arms
from pillprocess.review.run import run_reproduce
from tests.evidence.folders import small_folder


def test_the_sensitivity_table_has_a_row_per_choice_and_its_headline_is_the_headline():
    evidence = pp.load_evidence()
    table = sensitivity_table(evidence, seed=1)[0].set_index("choice")
    arms = pp.arm_changes(evidence)
    design = pp.decomposition_design(arms, pp.contrasts(evidence, besides=arms))
    mean = float(pp.fit(design, seed=1)["posterior"].dataset["delta"].mean())
    assert table.loc["headline", "drug"] == pytest.approx(mean, abs=1e-12)
    assert len(table) >= 15
    assert table.index.is_unique
    assert table.loc["only randomised, within-trial contrasts (free baselines)", "therapy_high"] > 0.3
    # comp005, comp006 and emerge2026
    assert table.loc["without unpublished results", "trials"] == table.loc["headline", "trials"] - 3


def test_pooled_arms_can_take_the_place_of_differences_only_where_a_pooled_analysis_is_included():
    evidence = pp.load_evidence()
    rows = set(_with_pooled_arms(evidence)["trial"].to_numpy())
    assert "transform12_pooled" in rows
    assert not {"popova2019", "fedgchin2019"} & rows
    with pytest.raises(ValueError, match="no included trial pools trials that gave a difference"):
        _with_pooled_arms(replace(evidence, trials=evidence.trials.assign(counted_in=np.nan)))


@pytest.mark.slow
def test_a_run_killed_while_it_writes_and_then_repeated_ends_with_the_tables_of_one_that_was_not(tmp_path, monkeypatch):
    folder, out, undisturbed = (tmp_path / name for name in ("evidence", "out", "undisturbed"))
    small_folder(folder, ("one", "two", "three", "four"))
    command = [sys.executable, "-m", "pillprocess", "reproduce", "--no-synthesis", "--quiet"]
    command += ["--evidence", str(folder), "--out", str(out)]
    with subprocess.Popen(command, env=os.environ | {"MPLBACKEND": "Agg"}) as run:
        while run.poll() is None and not list(tmp_path.glob(".out.*.partial/figures/*")):
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    assert not out.exists()
    run_reproduce(out, seed=1, evidence=folder, progress=False, synthesis=False)
    assert list((out / "figures").glob("*.svg"))
    monkeypatch.setattr(figures, "draw_figures", lambda *_, **__: {})  # only its tables are compared
    monkeypatch.setattr(report, "render_report", lambda *_, **__: "")
    run_reproduce(undisturbed, seed=1, evidence=folder, progress=False, synthesis=False)
    assert sorted(tmp_path.iterdir()) == [folder, out, undisturbed]
    written, expected = (sorted((path / "tables").glob("*.csv")) for path in (out, undisturbed))
    assert [path.name for path in written] == [path.name for path in expected]
    assert len(written) >= 15
    for one, other in zip(written, expected, strict=True):
        # one seed, one set of draws; the last digits of a matrix inverse are those of the processor's threads
        pd.testing.assert_frame_equal(pd.read_csv(one), pd.read_csv(other), rtol=1e-9, atol=1e-12, obj=one.name)
