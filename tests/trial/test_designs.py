"""Visits, periods, therapists and sites in the shell: read as they are named, asked about where nobody said what they are."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

from pillprocess.cli import app
from pillprocess.mediation import repeated_analysis
from pillprocess.mediation.paths import estimate_text
from pillprocess.participants.codebook import CodebookError, read_codebook
from pillprocess.participants.table import ParticipantError
from pillprocess.trial import report
from pillprocess.trial.choices import TrialChoices
from pillprocess.trial.inspection import check_trial, run_inspect
from pillprocess.trial.run import run_mediate
from tests.mediation.test_crossover import table as crossed
from tests.mediation.trees import tree

ROLES = {"treatment": "arm", "reference": "placebo", "mediators": ("meq30",), "baseline": "madrs_0", "id": "id"}
VISITS = {"madrs_1": 1, "madrs_3": 3, "madrs_6": 6}
TIMED = tuple(f"{c}={t}" for c, t in VISITS.items())
PERIODS = {
    "treatment": "arm", "reference": "placebo", "outcome": "score", "mediators": ("insight",), "covariates": ("age",), "id": "id",
    "period": "period",
}  # fmt: skip


def wide(n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    arm, base = np.arange(n) % 2, rng.normal(30, 5, n).round(1)
    meq = (20 + 35 * arm + rng.normal(0, 10, n)).round(1)
    table = pd.DataFrame(
        {
            "id": [f"S{i:03d}" for i in range(n)],
            "arm": np.where(arm, "drug", "placebo"),
            "meq30": meq,
            "madrs_0": base,
        }
    )
    for v, name in enumerate(VISITS):
        table[name] = (base - 2 - 3 * arm - 0.1 * meq + rng.normal(0, 4, n)).round(1)
        table.loc[(table["id"].str[-1] < str(3 * v)) & (v > 0), name] = np.nan
    return table


@pytest.fixture
def path(tmp_path: Path) -> Path:
    wide().to_csv(tmp_path / "trial.csv", index=False)
    return tmp_path / "trial.csv"


@pytest.fixture
def crossover(tmp_path: Path) -> Path:
    crossed(24).to_csv(tmp_path / "crossover.csv", index=False)
    return tmp_path / "crossover.csv"


def test_visits_of_a_wide_file_a_long_one_and_a_codebook_are_read_alike(path, tmp_path):
    table = wide()
    parts = [table[["id", "arm", "meq30"]].assign(week=0, madrs=table["madrs_0"])]
    parts += [
        table[["id", "arm"]].assign(week=t, madrs=table[c]).dropna(subset="madrs") for c, t in VISITS.items()
    ]  # fmt: skip
    pd.concat(parts).to_csv(tmp_path / "long.csv", index=False)
    book = tmp_path / "trial.toml"
    book.write_text("[trial]\noutcomes = { madrs_1 = 1, madrs_3 = 3.0, madrs_6 = 6 }\n")
    rows = TrialChoices(source=tmp_path / "long.csv", visit="week", person="id", outcomes=TIMED, **ROLES)
    said = [check_trial(TrialChoices(source=path, outcomes=TIMED, **ROLES)), check_trial(rows)]
    said.append(check_trial(TrialChoices(source=path, codebook=book, **ROLES)))
    for lines in said:
        assert lines[:2] == [
            "40 participants: 20 in placebo, 20 in drug; compared with placebo",
            "not observed: madrs_1 0, madrs_3 12, madrs_6 24, meq30 0",
        ]
        assert not any("ASKED" in line for line in lines)
    untimed = check_trial(TrialChoices(source=path, outcomes=tuple(VISITS), **ROLES))
    assert untimed == said[0]


def test_a_crossover_is_read_with_its_people_counted_once(crossover):
    said = check_trial(TrialChoices(source=crossover, **PERIODS))
    assert said[0] == "24 participants: 12 in placebo, 12 in drug; compared with placebo"
    assert "score, period 1 0" in said[1]
    assert any("a crossover: 24 people, period 1 first" in line for line in said)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"outcomes": ("madrs_1=soon", "madrs_6=6")}, "--outcomes madrs_1=soon: a column and the time of its visit are needed"),
        ({"outcomes": TIMED, "period": "arm"}, "read with its visits, or as a crossover of two periods; leave one out"),
        ({"outcomes": TIMED, "trial": "id"}, "--trial is not part of the model of several visits; leave it out"),
        ({"outcomes": TIMED, "outcome": "madrs_1"}, "--outcome madrs_1 beside --outcomes"),
        ({"outcomes": ("madrs_6=6", "madrs_1=1")}, "must be numbers that increase from visit to visit"),
        ({"outcome": "madrs_6", "period": "arm"}, "name it with --covariate"),
        ({"outcome": "madrs_6", "period": "arm", "id": None}, "name the person's column with --id"),
        ({"outcome": "madrs_6", "period": "arm", "mediators": ("meq30", "madrs_1")}, "with one mediator; 2 are named"),
    ],
)  # fmt: skip
def test_what_visits_and_periods_cannot_have_is_refused_by_name(path, more, said):
    with pytest.raises(ParticipantError, match=said):
        check_trial(TrialChoices(source=path, **(ROLES | more)))


def test_columns_that_may_change_the_model_are_asked_about_until_somebody_answers(tmp_path):
    table = wide().assign(therapist=[f"t{i % 5}" for i in range(40)], sequence=["AB", "BA"] * 20, week_6_visit=6)
    table.to_csv(tmp_path / "trial.csv", index=False)
    plain = {"source": tmp_path / "trial.csv", "outcome": "madrs_6", **ROLES}
    said = check_trial(TrialChoices(**plain))
    asked = [line for line in said if line.startswith("ASKED")]
    assert [re.search(r"'\w+'", line)[0] for line in asked] == ["'therapist'", "'madrs_1'", "'sequence'"]
    assert "5 labels on 40 rows" in asked[0]
    assert "24 of the 24 people who lack it were seen then" in asked[1]
    assert "No problems, 3 questions to answer" in said[-1]
    book = tmp_path / "trial.toml"
    book.write_text(
        '[columns.madrs_1]\nuse = "none"\n[columns.madrs_3]\nuse = "none"\n[columns.sequence]\nuse = "none"\n'
    )
    answered = check_trial(TrialChoices(**plain, codebook=book, clusters=("therapist",)))
    assert not any("ASKED" in line for line in answered)
    visits = check_trial(TrialChoices(source=plain["source"], outcomes=TIMED, **ROLES))
    assert [line for line in visits if "ASKED" in line and "--cluster therapist" in line and "--trial" not in line]
    known = check_trial(TrialChoices(source=plain["source"], outcomes=TIMED, clusters=("therapist",), **ROLES))
    assert any("5 clusters of 'therapist': how much they differ leans on the prior" in line for line in known)


def test_the_draft_of_a_codebook_suggests_clusters_visits_and_a_period(tmp_path):
    wide().assign(therapist=[f"t{i % 5}" for i in range(40)], period=[1, 2] * 20).to_csv(
        tmp_path / "t.csv", index=False
    )
    text = run_inspect(tmp_path / "t.csv", out=tmp_path / "t.toml")[1].read_text()
    assert '# clusters = ["therapist"]' in text
    assert "# outcomes = { madrs_1 = 1, madrs_3 = 3, madrs_6 = 6 }" in text
    assert '# period = "period"' in text
    (tmp_path / "t.toml").write_text(text.replace("# outcomes =", "outcomes ="))
    assert read_codebook(tmp_path / "t.toml").roles["outcomes"] == VISITS


def test_a_codebook_that_says_visits_wrongly_is_refused(tmp_path):
    for wrong in ('outcomes = "madrs_6"', 'outcomes = { madrs_6 = "week 6" }'):
        (tmp_path / "c.toml").write_text(f"[trial]\n{wrong}\n")
        with pytest.raises(CodebookError, match="the outcome's columns with the times of their visits"):
            read_codebook(tmp_path / "c.toml")
    (tmp_path / "c.toml").write_text('[columns.x]\nuse = "cluster"\n')
    with pytest.raises(CodebookError, match=r"\[columns.x\] use = 'cluster'; it must be \"none\""):
        read_codebook(tmp_path / "c.toml")


def test_the_command_takes_visits_and_periods(path, crossover):
    visits = [text for column in TIMED for text in ("--outcomes", column)]
    shared = ["--treatment", "arm", "--reference", "placebo", "--id", "id", "--check"]
    run = CliRunner().invoke(app, ["mediate", str(path), *visits, "--mediator", "meq30", "--baseline", "madrs_0", *shared])  # fmt: skip
    assert "madrs_6 24" in run.output
    columns = ["--outcome", "score", "--mediator", "insight", "--covariate", "age", "--period", "period"]
    run = CliRunner().invoke(app, ["mediate", str(crossover), *columns, *shared])
    assert "24 participants" in run.output


@pytest.fixture
def by_hand(monkeypatch):
    """Draws written down in place of the sampler's and the prior's."""

    def drawn(model, **_) -> xr.DataTree:
        rng, values = np.random.default_rng(1), {}
        for variable in model.deterministics:
            shape = tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(variable.name, ()))
            centre = 3.0 if variable.name.startswith(("sigma", "tau", "person_m", "person_y")) else -0.1
            values[variable.name] = centre + 0.05 * rng.normal(size=(400, *shape))
        if "person_correlation" in model.named_vars:
            values["person_correlation"] = 0.1 + 0.0 * values["person_m"]
        return tree(model, values)

    def with_prior(model, idata, variables, *, seed):
        idata["prior"] = idata["posterior"].dataset
        return idata

    monkeypatch.setattr(repeated_analysis, "fit", drawn)
    monkeypatch.setattr(repeated_analysis, "with_prior", with_prior)
    monkeypatch.setattr(
        repeated_analysis,
        "check_fit",
        lambda _: pd.DataFrame({"r_hat": [1.0]}, index=pd.Index(["a"], name="parameter")),
    )
    monkeypatch.setattr(report, "draw_figures", lambda *_, **__: {})  # those of one outcome are drawn by test_run


def words(page: Path) -> str:
    return re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8"))


def test_a_run_with_visits_reports_every_visit_and_what_those_who_left_must_have_done(by_hand, path, tmp_path):
    wide().assign(therapist=[f"t{i % 7}" for i in range(40)]).to_csv(path, index=False)
    choices = TrialChoices(source=path, outcomes=TIMED, clusters=("therapist",), **ROLES)
    text = words(run_mediate(choices, out=tmp_path / "out", seed=1, progress=False))
    between = pd.read_csv(tmp_path / "out" / "tables" / "between_clusters.csv").set_index("of")["mean"]
    assert between[["meq30", *VISITS]].to_numpy() == pytest.approx(0.5, abs=0.01)  # the SDs written down are all 3
    assert "with random intercepts of therapist" in text
    effects = pd.read_csv(tmp_path / "out" / "tables" / "effects_by_visit.csv").set_index(["estimand", "visit"])
    assert list(effects.loc["te"].index) == [*VISITS, "average"]
    assert f"te at madrs_3: {estimate_text(effects.loc[('te', 'madrs_3')])}" in text
    last = pd.read_csv(tmp_path / "out" / "tables" / "effects.csv").set_index("estimand").loc["te"]
    assert last["mean"] == pytest.approx(effects.loc[("te", "madrs_6"), "mean"])
    assert "3 visits (madrs_1, madrs_3, madrs_6)" in text
    assert "prior_c_sd = 2.5" in text
    assert "where assessments of one person correlate 0.5" in text
    assert "If those of drug who left did worse" in text
    assert {"tipping.csv", "tipping_curve.csv"} <= {p.name for p in (tmp_path / "out" / "tables").iterdir()}


def test_a_crossover_reports_the_first_period_beside_it(by_hand, crossover, tmp_path):
    choices = TrialChoices(source=crossover, **PERIODS)
    text = words(run_mediate(choices, out=tmp_path / "out", seed=1, progress=False))
    alone = pd.read_csv(tmp_path / "out" / "tables" / "first_period.csv").set_index("estimand").loc["te"]
    assert (
        f"The first period alone, which no carry-over can touch, gives a total effect of {estimate_text(alone)}" in text
    )
    assert "It rests on the random order of the arms" in text
    assert "24 participants" in text
    periods = pd.read_csv(tmp_path / "out" / "tables" / "periods.csv")
    assert {"carry_over_y", "person_correlation"} <= set(periods["estimand"])
    with pytest.raises(ValueError, match="prior 'prior_d_sd' is unknown"):
        run_mediate(choices, out=tmp_path / "other", priors={"prior_d_sd": 1.0}, progress=False)
