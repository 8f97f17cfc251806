"""A whole plan: its answers follow from its tables, a page holds them, and the command refuses what cannot be planned."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from pillprocess.cli import app
from pillprocess.planning.library import named_designs
from pillprocess.planning.plan import ALIKE, NO_BELIEF, Plan, answers, make_plan
from pillprocess.planning.report import assumptions, draw_plan, render_plan
from pillprocess.planning.run import run_design
from pillprocess.planning.trials import PlanningError, trial_design
from tests.synthesis.cases import small_evidence

NAMES = ("2x2 drug x therapy", "experience removed, belief equalised")


@pytest.fixture(scope="module")
def evidence(build_evidence):
    return small_evidence(build_evidence)


@pytest.fixture(scope="module")
def plan(evidence) -> Plan:
    designs = [named_designs()[name] for name in NAMES]
    return make_plan(evidence, designs, estimands=["experience", "drug:therapy"], strict=False, seed=1)


def test_each_design_is_planned_for_what_it_compares_and_the_ledger_says_the_rest(plan):
    asked = plan.tables["sizes"].set_index(["estimand", "design"]).index.tolist()
    assert asked == [("experience", NAMES[0]), ("experience", NAMES[1]), ("drug:therapy", NAMES[0])]
    ledger = plan.tables["ledger"].set_index(["design", "estimand"])
    assert not ledger.loc[(NAMES[1], "drug:therapy"), "compared"]


def test_every_choice_of_prior_bias_and_belief_is_beside_the_plan(plan):
    table = plan.tables["sensitivity"]
    assert list(dict.fromkeys(table["choice"])) == [*ALIKE, NO_BELIEF]
    own = table[(table["estimand"] == "experience") & (table["design"] == NAMES[1])].set_index("choice")
    assert own.loc["each arm off by N(0, 0.1)", "reduction"] < own.loc["as fitted", "reduction"]


def test_the_page_holds_the_answers_the_assumptions_and_the_ledger(plan, evidence):
    figures = dict.fromkeys(draw_plan(plan), "data:,")
    page = render_plan(plan, evidence, figures, seed=1)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page)).replace("&#39;", "'")
    for sentence in answers(plan) + assumptions(plan)[:2]:
        assert re.sub(r"\s+", " ", sentence) in text
    assert set(figures) == {"assurance_experience", "assurance_drug_therapy"}
    assert "doi:10.1172/JCI180217" in text
    assert "cannot say: no two arms differ in" in text


def test_answers_say_what_the_sizes_say():
    designs = tuple(trial_design(name, {"a": {"drug": "MDMA"}, "b": {"drug": "placebo"}}) for name in ("A", "B"))
    sizes = pd.DataFrame(
        {
            "design": ["A", "B", "A", "A"], "estimand": ["drug", "drug", "experience", "expectancy"],
            "decided_now": [False, False, False, True],
            "n_80": [90.0, 60.0, np.nan, 10.0], "n_90": [120.0, np.nan, np.nan, 10.0], "largest": 1000.0,
            "at_largest": [0.95, 0.85, 0.4, 1.0],
            "limit": [1.0, 0.9, 0.55, 1.0],
        }
    )  # fmt: skip
    plan = Plan({"sizes": sizes}, None, designs, ("drug", "experience", "expectancy", "therapy"), 1.0, 200.0)
    one, two, three, four = answers(plan)
    assert "fewest people with B, 60 per arm for 80 % (120 in all), and no size here gives 90 %" in one
    assert (
        "no design reaches 80 % with 1000 people per arm; the nearest, A, has a chance of 40 %, and 55 % without end"
        in two
    )
    assert "decided by the evidence there is" in three
    assert four.startswith("None of these designs has a comparison for: effect of therapy")


def test_a_folder_is_written_whole_with_every_table(evidence, tmp_path, monkeypatch, plan):
    monkeypatch.setattr("pillprocess.planning.run.load_evidence", lambda folder: evidence)
    monkeypatch.setattr("pillprocess.planning.plan.make_plan", lambda *_, **__: plan)
    tables, sentences, report = run_design(
        None, drug="psilocybin", estimands=None, people=200.0, out=tmp_path / "out", evidence=None, seed=1
    )  # fmt: skip
    assert report is not None
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert {p.stem for p in (tmp_path / "out" / "tables").iterdir()} == set(tables)
    assert (tmp_path / "out" / "figures" / "assurance_experience.png").is_file()
    assert json.loads((tmp_path / "out" / "run.json").read_text())["command"] == "design"
    assert sentences == answers(plan)


def test_a_drug_that_the_evidence_lacks_is_refused(evidence, monkeypatch):
    monkeypatch.setattr("pillprocess.planning.run.load_evidence", lambda folder: evidence)
    with pytest.raises(PlanningError, match="unknown drug 'DMT'; the evidence has psilocybin, LSD"):
        run_design(None, drug="DMT", estimands=None, people=200.0, out=None, evidence=None, seed=1)


def test_the_command_prints_sentences_sizes_and_ranking(monkeypatch, plan):
    tables = plan.tables
    monkeypatch.setattr(
        "pillprocess.planning.run.run_design", lambda *_, **__: (tables, answers(plan), Path("out/report.html"))
    )
    printed = CliRunner().invoke(app, ["design", "--quiet"]).stdout
    assert "fewest people with" in printed or "no design reaches" in printed
    assert "bits_per_100" in printed
    assert "cost" not in printed
    assert "Report: out/report.html" in printed
    assert set(json.loads(CliRunner().invoke(app, ["design", "--json"]).stdout)) >= {
        "sizes",
        "ranking",
        "ledger",
        "answers",
    }


def test_the_command_refuses_a_bad_file_before_anything_is_loaded(tmp_path):
    path = tmp_path / "designs.csv"
    path.write_text("design,arm,n\nA,only,1\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["design", str(path), "--quiet"])
    assert isinstance(done.exception, PlanningError)
    assert "an arm needs a whole number of people, at least 2" in str(done.exception)
