"""The command line: a command of each kind in a process of its own, the others by the same ``main`` in this one."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import pillprocess as pp
from pillprocess import cli
from pillprocess.evidence.tables import embedded_folder

TERMINAL = {"COLUMNS": "200", "NO_COLOR": "1"}


def run_alone(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command from a cold shell."""
    command = [sys.executable, "-m", "pillprocess", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | TERMINAL, check=False)


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The same command without a new process, which would import everything again: its status, and what it prints."""
    said, complained, handler = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
    status: object = 0
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("default")
        patch.setattr(sys, "argv", ["pillprocess", *arguments])
        for name, value in TERMINAL.items():
            patch.setenv(name, value)
        if cwd:
            patch.chdir(cwd)
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
                cli.main()
        except SystemExit as end:
            status = end.code or 0
        finally:
            signal.signal(signal.SIGTERM, handler)
    return subprocess.CompletedProcess(arguments, status, said.getvalue(), complained.getvalue())


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("3", "3")])
def test_linear_algebra_has_one_thread_unless_the_environment_says_otherwise(monkeypatch, before, after):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    if before:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", before)
    assert run("--version").returncode == 0
    assert os.environ["OPENBLAS_NUM_THREADS"] == after


@pytest.fixture
def evidence_folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(embedded_folder(), tmp_path / "evidence"))


def test_help_lists_the_commands_and_the_version_is_the_packages():
    text = run_alone("--help").stdout
    assert all(command in text for command in ("evidence", "reproduce", "decompose"))
    assert run_alone("--version").stdout.strip() == f"pillprocess {pp.__version__}"


def test_neither_the_package_nor_the_help_imports_anything_heavy():
    code = "import sys, pillprocess, pillprocess.cli; print([m for m in ('pymc', 'pandas', 'arviz', 'matplotlib') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_the_embedded_evidence_has_no_problems():
    done = run_alone("evidence")
    assert done.returncode == 0, done.stderr
    assert "psilocybin" in done.stdout
    assert "No problems. " in done.stdout
    assert " questions answered in doubts.csv. Checksum " in done.stdout
    assert "open question" not in done.stdout


def test_problems_in_a_folder_are_all_listed_and_the_exit_status_is_1(evidence_folder):
    path = evidence_folder / "outcomes.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("daly2018,esketamine_28mg,MADRS"))
    lines[at] = lines[at].replace("31.3,3.8", "31.3,-3.8")
    lines.append(lines[at])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = run_alone("evidence", str(evidence_folder))
    assert done.returncode == 1
    assert f"outcomes.csv row {at + 1}, trial 'daly2018', arm 'esketamine_28mg'" in done.stderr
    assert "-3.8" in done.stderr
    assert f"row {len(lines)}" in done.stderr
    assert "nothing was fitted" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["", "no such folder"])
def test_a_folder_without_tables_is_said_so(tmp_path, name):
    done = run("evidence", str(tmp_path / name))
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr


def test_decompose_prints_terms_effects_and_heterogeneity():
    done = run("decompose", "--terms", "pill", "--construct", "ptsd")
    assert done.returncode == 0, done.stderr
    assert "negative is improvement" in done.stdout
    assert "MDMA" in done.stdout
    assert "tau_mu" in done.stdout


def test_compare_ranks_the_hypotheses_and_says_what_that_decides():
    done = run_alone("compare", "--construct", "ptsd", "--unit", "contrast")
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("pill", "additive", "course"))
    assert "Weights are shares in the best predictive mixture" in done.stdout


def test_json_holds_the_tables_and_nothing_else_is_printed():
    counts = json.loads(run("evidence", "--json").stdout)
    assert sum(row["arms"] for row in counts["counts"]) == pp.evidence_counts(pp.load_evidence())["arms"].sum()
    assert counts["checksum"] == pp.load_evidence().checksum
    done = run_alone("decompose", "--terms", "drug", "--construct", "ptsd", "--json")
    tables = json.loads(done.stdout)
    assert done.stderr == ""
    assert set(tables) == {"terms", "drug_effects", "heterogeneity"}
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence, constructs=("ptsd",))
    design = pp.decomposition_design(
        arms, pp.contrasts(evidence, constructs=("ptsd",), besides=arms), terms=frozenset({"drug"})
    )
    mean = float(pp.fit(design, seed=1)["posterior"].dataset["delta"].mean())
    assert next(r["mean"] for r in tables["terms"] if r["term"] == "drug") == pytest.approx(mean)
    compared = json.loads(run("compare", "--construct", "ptsd", "--json").stdout)
    assert {row["model"] for row in compared["hypotheses"]} >= {"pill", "course"}
    assert "decides nothing" in compared["note"] or "predicts" in compared["note"]


def test_long_work_shows_its_steps_unless_told_not_to():
    assert "fit in closed form" in run("decompose", "--construct", "ptsd").stderr
    quiet = run("decompose", "--construct", "ptsd", "--quiet", "--therapy-types")
    assert quiet.stderr == ""
    assert "Types of therapy; SD between types 0." in quiet.stdout
    assert "MDMA_AT" in quiet.stdout


def test_the_help_says_the_exit_status_and_how_to_complete_in_a_shell():
    text = run("--help").stdout
    assert "Exit status: 0 done" in text
    assert "--install-completion" in text


def test_compare_refuses_an_unknown_unit():
    done = run("compare", "--unit", "galaxy")
    assert done.returncode == 1
    assert "unit = 'galaxy'; it must be one of trial, contrast, arm" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--terms", "drug,luck"), "unknown terms: luck"),
        (("--baseline", "loose"), "baseline = 'loose'"),
        (("--construct", "happiness"), "constructs: unknown happiness"),
    ],
)
def test_an_impossible_choice_ends_in_one_message(arguments, message):
    done = run("decompose", *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_reproduce_refuses_a_folder_that_holds_other_things_before_it_computes(tmp_path):
    (tmp_path / "thesis.docx").write_text("years of work")
    done = run("reproduce", "--out", str(tmp_path), "--quiet")
    assert done.returncode == 1
    assert "holds something other than results" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.docx"]


def test_reproduce_fits_nothing_from_faulty_evidence(evidence_folder, tmp_path):
    (evidence_folder / "arms.csv").write_text("trial_id;arm_id;n\nx;y;12,5\n", encoding="utf-8")
    done = run("reproduce", "--evidence", str(evidence_folder), "--out", str(tmp_path / "results"), "--quiet")
    assert done.returncode == 1
    assert "arms.csv" in done.stderr
    assert "nothing was fitted" in done.stderr
    assert not (tmp_path / "results").exists()


def test_reproduce_knows_what_can_be_reproduced():
    done = run("reproduce", "luck")
    assert done.returncode == 1
    assert "what = 'luck'; it must be decomposition, mediation or expectancy" in done.stderr


def test_published_expectancy_figures_are_printed_beside_the_reproduced_ones(shared, tmp_path):
    for name in ("szb37_mcrds_public", "openneuro_ds005917"):
        for path in shared(f"evidence/public/{name}").iterdir():
            shutil.copy(path, tmp_path)
    done = run("reproduce", "expectancy", "--data", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "2.39" in done.stdout
    assert "-6.75" in done.stdout


def test_mediate_refuses_a_guess_made_after_dosing_as_a_covariate(tmp_path):
    (tmp_path / "trial.csv").write_text("arm,guess,madrs\nplacebo,drug,1\ndrug,drug,2\n", encoding="utf-8")
    options = ("--treatment", "arm", "--reference", "placebo", "--outcome", "madrs", "--covariate", "guess")
    guess = ("--guess", "guess", "--guess-timing", "endpoint")
    done = run("mediate", str(tmp_path / "trial.csv"), *options, *guess, "--out", str(tmp_path / "out"), "--quiet")
    assert done.returncode == 1
    assert "column 'guess' was measured after dosing (endpoint)" in done.stderr
    assert "as --guess it is fitted as a mediator" in done.stderr
    assert not (tmp_path / "out").exists()


def test_mediate_lists_every_problem_of_a_table_and_writes_nothing(tmp_path):
    (tmp_path / "trial.csv").write_text("arm,meq,madrs\nplacebo,a,1\ndrug,2,x\n", encoding="utf-8")
    options = ("--treatment", "arm", "--reference", "placebo", "--mediator", "meq", "--outcome", "madrs")
    times = ("--mediator-time", "28", "--outcome-time", "1", "--active", "drug")
    done = run("mediate", str(tmp_path / "trial.csv"), *options, *times, "--out", str(tmp_path / "out"), "--quiet")
    assert done.returncode == 1
    assert "the mediator was not measured before the outcome on row 2, 3" in done.stderr
    assert "meq" in done.stderr
    assert "madrs" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


TRIAL = "id,arm,meq30,madrs_0,madrs_6\n" + "".join(
    f"{i},{'drug' if i % 2 else 'placebo'},{20 + 7 * i % 41 + 20 * (i % 2)},{25 + 5 * i % 13},{12 + 11 * i % 23}\n"
    for i in range(1, 61)
)


def test_inspect_drafts_a_codebook_and_mediate_checks_a_trial_by_it(tmp_path):
    (tmp_path / "trial.csv").write_text(TRIAL.replace("\n7,drug,", "\n7,Drug,"), encoding="utf-8")
    done = run("inspect", "trial.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "arm      treatment; placebo (30)" in done.stdout
    assert "ASK: column 'arm': 'drug' (29 rows) and 'Drug' (1 rows) differ in capitals alone" in done.stdout
    again = run("inspect", "trial.csv", cwd=tmp_path)
    assert again.returncode == 1
    assert "trial.toml exists and may hold answers; name another file with --out" in again.stderr
    draft = (tmp_path / "trial.toml").read_text(encoding="utf-8")
    for line in ('treatment = "arm"', 'outcome = "madrs_0"', 'mediators = ["meq30"]', 'id = "id"'):
        draft = draft.replace(f"# {line}", line)
    draft = draft.replace('outcome = "madrs_0"', 'outcome = "madrs_6"\nbaseline = "madrs_0"\nreference = "placebo"')
    (tmp_path / "trial.toml").write_text(draft, encoding="utf-8")
    asked = run("mediate", "trial.csv", "--codebook", "trial.toml", "--check", cwd=tmp_path)
    assert asked.returncode == 1
    assert "1 problem in trial.csv" in asked.stderr
    (tmp_path / "trial.toml").write_text(
        draft.replace("[columns.arm]  #", '[columns.arm]\ncodes = { "Drug" = "drug" }  #'), encoding="utf-8"
    )
    checked = run("mediate", "trial.csv", "--codebook", "trial.toml", "--check", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "60 participants: 30 in drug, 30 in placebo; compared with placebo" in checked.stdout
    assert "No problems; nothing was fitted." in checked.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["trial.csv", "trial.toml"]


def test_the_help_of_mediate_is_grouped_by_topic():
    text = run("mediate", "--help").stdout
    topics = ["The file:", "Columns:", "Rows and arms:", "Model:", "The run:"]
    assert [text.find(t) for t in topics] == sorted(text.find(t) for t in topics)
    assert -1 not in [text.find(t) for t in topics]
