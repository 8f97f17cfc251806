"""The command's analysis of a trial: everything it writes, and nothing when it cannot."""

import re
import warnings
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pillprocess.mediation import analysis
from pillprocess.mediation.analysis import analyse_mediation, default_priors
from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.paths import estimate_text
from pillprocess.output.results import ResultsError
from pillprocess.participants.table import ParticipantError, load_participants
from pillprocess.review.figures import drawings
from pillprocess.trial.choices import TrialChoices
from pillprocess.trial.report import MediationReport, draw_figures, file_names, render_mediation
from pillprocess.trial.run import run_mediate
from tests.mediation.trees import tree


def trial(n: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    drug = np.arange(n) % 2
    meq = np.clip(20 + 35 * drug + rng.normal(0, 14, n), 0, 100)
    baseline = rng.normal(30, 5, n)
    change = -0.4 * baseline - 4 - 2 * drug - 0.12 * meq + rng.normal(0, 6, n)
    table = pd.DataFrame(
        {
            "arm": np.where(drug, "psilocybin 25 mg", "placebo"),
            "meq30": meq,
            "madrs_change": change,
            "madrs_0": baseline,
        }
    )
    table.loc[4, "meq30"] = np.nan
    return table


ROLES = {
    "treatment": "arm",
    "reference": "placebo",
    "outcome": "madrs_change",
    "mediators": ["meq30"],
    "baseline": "madrs_0",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    trial().to_csv(tmp_path / "my_trial.csv", index=False)
    return tmp_path / "my_trial.csv"


@pytest.fixture(autouse=True)
def off_screen():
    backend = mpl.get_backend()
    mpl.use("Agg")
    yield
    plt.close("all")
    mpl.use(backend)


@pytest.fixture
def by_hand(monkeypatch):
    """Replace the sampler, and the draws of the prior, by draws written down, so that what is made of a fit can be tested in a moment."""

    def drawn(model, **_) -> xr.DataTree:
        rng = np.random.default_rng(1)
        values = {}
        for variable in model.deterministics:
            shape = tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(variable.name, ()))
            values[variable.name] = -0.5 + 0.05 * rng.normal(size=(600, *shape))
        for name in ("sigma_m", "sigma_y", "tau", "nu_m", "nu_y"):
            if name in values:
                values[name] = 3 + np.abs(values[name])
        return tree(model, values)

    def no_prior(model, idata, variables, **_) -> xr.DataTree:
        idata["prior"] = idata["posterior"].to_dataset()[[v.name for v in variables]]
        return idata

    monkeypatch.setattr(analysis, "fit", drawn)
    monkeypatch.setattr(analysis, "with_prior", no_prior)
    monkeypatch.setattr(
        analysis, "check_fit", lambda _: pd.DataFrame({"r_hat": [1.0]}, index=pd.Index(["a"], name="parameter"))
    )


def quiet(function, *arguments, **keywords):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)
        return function(*arguments, **keywords)


def test_the_report_prints_the_numbers_of_the_tables(by_hand, path):
    people = load_participants(path, **ROLES)
    analysis = analyse_mediation(people, seed=1)
    report = MediationReport(people, analysis)
    page = render_mediation(report, drawings(draw_figures(report)), source=path, seed=1)
    text = re.sub(r"<[^>]+>", " ", page)
    te = analysis.tables["effects"].set_index("estimand").loc["te"]
    tipping = analysis.tables["sensitivity"].set_index("estimand").loc["rho_tipping"]
    said = "Total effect of psilocybin 25 mg against placebo on madrs_change, as a difference of means of madrs_change"
    assert f"{said}: {estimate_text(te)}," in text
    assert f"at a residual correlation of {estimate_text(tipping)};" in text
    assert "looks like a change score" in text
    assert "to be filled by the authors" in text
    assert "prior_b_sd = 0.5" in text
    assert page.count("data:image/svg+xml,") == 5
    assert "http" not in re.sub(r'href="https://doi.org/[^"]+"|data:image/svg\+xml,[^"]+', "", page)


def test_doubts_raised_on_the_way_are_kept(by_hand, path):
    analysis = analyse_mediation(load_participants(path, **ROLES), seed=1)
    assert any("cde moves mediator 'meq30'" in doubt for doubt in analysis.doubts)
    assert analysis.tables["extrapolation"]["effect"].tolist() == ["cde", "pnde"]


def test_families_without_a_sensitivity_analysis_say_so(by_hand, path):
    table = trial()
    table["response"] = (table["madrs_change"] < table["madrs_change"].median()).astype(int)
    people = load_participants(table, **(ROLES | {"outcome": "response"}), higher_is_worse=False)
    analysis = analyse_mediation(people, family_outcome="logit", seed=1)
    assert analysis.sensitivity == {}
    assert analysis.tables["sensitivity"].empty
    report = MediationReport(people, analysis)
    page = render_mediation(report, drawings(draw_figures(report)), source=path, seed=1)
    assert "Not available for these families" in page
    assert "no sensitivity analysis is known for a gaussian mediator and a logit outcome" in page


def test_figures_of_arms_that_differ_in_signs_or_capitals_have_names_of_their_own():
    keys = [
        ("r2", "10 mg", "x"),
        ("r2", "10_mg", "x"),
        ("r2", "10", "mg_x"),
        ("r2", "10 MG", "x"),
        ("r2", "10_mg_x", "2"),
    ]
    names = file_names(keys)
    assert names == ["r2_10_mg_x", "r2_10_mg_x_2", "r2_10_mg_x_3", "r2_10_MG_x_4", "r2_10_mg_x_2_2"]
    assert len({name.casefold() for name in names}) == len(keys)


def test_two_arms_whose_names_differ_in_a_sign_alone_both_get_their_figures(by_hand, path):
    rng = np.random.default_rng(8)
    n = 90
    table = pd.DataFrame({"arm": np.tile(["placebo", "10 mg", "10+mg"], n // 3), "meq30": 50 + rng.normal(size=n)})
    table["y"] = rng.normal(size=n)
    people = load_participants(table, treatment="arm", reference="placebo", outcome="y", mediators=["meq30"])
    report = MediationReport(people, analyse_mediation(people, seed=1))
    figures = draw_figures(report)
    for kind in ("paths_10_mg", "effects_10_mg", "sensitivity_10_mg_meq30", "r2_10_mg_meq30"):
        assert figures[kind].get_suptitle() != figures[f"{kind}_2"].get_suptitle()
    assert render_mediation(report, drawings(figures), source=path, seed=1).count("data:image/svg+xml,") == 9


def test_several_mediators_arms_and_trials_are_all_in_the_tables(by_hand, path):
    rng = np.random.default_rng(5)
    n = 240
    table = pd.DataFrame(
        {"arm": np.tile(["placebo", "10 mg", "25 mg"], n // 3), "site": np.repeat(list("abcdef"), n // 6)}
    )
    dose = table["arm"].map({"placebo": 0, "10 mg": 1, "25 mg": 2})
    table["belief"], table["meq30"] = dose + rng.normal(size=n), 50 + dose + rng.normal(size=n)
    table["madrs"] = 30 - dose + rng.normal(size=n)
    people = load_participants(
        table, treatment="arm", reference="placebo", outcome="madrs", mediators=["belief", "meq30"], trial="site"
    )
    analysis = analyse_mediation(people, order=["belief", "meq30"], seed=1)
    effects = analysis.tables["effects"]
    assert set(effects["arm"]) == {"10 mg", "25 mg"}
    assert {"te", "ab", "cov_ab", "te_new", "path_effect", "iie", "ide"} <= set(effects["estimand"])
    assert set(analysis.sensitivity) == {(arm, m) for arm in ("10 mg", "25 mg") for m in ("belief", "meq30")}
    assert set(analysis.tables["effects_by_trial"]["trial"]) == set("abcdef")
    report = MediationReport(people, analysis)
    figures = draw_figures(report)
    assert {"paths_10_mg", "sensitivity_25_mg_meq30", "r2_10_mg_belief", "overlap_belief"} <= set(figures)
    page = render_mediation(report, drawings(figures), source=path, seed=1)
    assert "belief → meq30 in this order" in page
    assert "of 6 sites" in page


def test_a_course_over_sessions_is_in_the_tables_and_on_the_page(by_hand, path):
    rng, n = np.random.default_rng(5), 60
    course = ["depth_1", "early", "depth_2"]
    table = pd.DataFrame(rng.normal(size=(n, 4)), columns=[*course, "madrs"]).assign(arm=np.arange(n) % 2)
    table["early"] += 2 * table["arm"] * table["depth_1"]
    people = load_participants(table, treatment="arm", reference=0, outcome="madrs", mediators=course)
    analysis = analyse_mediation(people, order=course, course=course[::2], seed=1)
    rows = analysis.tables["trajectory"].set_index(["estimand", "mediator"])["mean"]
    assert rows["iie", ""] == pytest.approx(rows["session", "depth_1"] + rows["session", "depth_2"])
    assert any(
        doubt.startswith("early follows from what came before it differently in the arms") for doubt in analysis.doubts
    )
    page = render_mediation(MediationReport(people, analysis), {}, source=path, seed=1)
    assert "Through the course of depth_1, depth_2, with early as common causes" in page
    assert "Interventional effects of the whole course of a mediator" in page
    curve = analysis.tables["trajectory_sensitivity"].query("estimand == 'iie'").set_index("strength")["mean"]
    assert curve[0.0] == pytest.approx(rows["iie", ""])
    assert "An unmeasured trait that raises every session by .3 of its residual SD" in page


def test_the_priors_are_listed_with_their_values():
    priors = default_priors().set_index("keyword")["value"]
    assert priors["prior_a_sd"] == 2.0
    assert (priors > 0).all()
    assert len(priors) == 16  # two of them of models of times to an event, one of excess zeros


def test_a_table_that_cannot_be_used_leaves_nothing_behind(path, tmp_path):
    with pytest.raises(ParticipantError, match="column 'asc' is not in the table"):
        run_mediate(
            TrialChoices(source=path, **(ROLES | {"mediators": ["asc"]})), out=tmp_path / "results", progress=False
        )
    assert [p.name for p in tmp_path.iterdir()] == ["my_trial.csv"]


def test_a_folder_that_holds_something_else_is_left_alone(path, tmp_path):
    with pytest.raises(ResultsError, match="holds something other than results; nothing was written"):
        run_mediate(TrialChoices(source=path, **ROLES), out=tmp_path, progress=False)


@pytest.mark.slow
def test_a_run_writes_tables_figures_posterior_and_report(path, tmp_path):
    out = tmp_path / "results"
    report = run_mediate(TrialChoices(source=path, **ROLES), out=out, draws=500, seed=1, progress=False)
    assert report == out / "report.html"
    effects = pd.read_csv(out / "tables" / "effects.csv").set_index("estimand")
    idata = xr.open_datatree(out / "posterior" / "mediation.nc", engine="h5netcdf")
    again = quiet(natural_effects, idata)
    assert effects.loc["tnie", "mean"] == pytest.approx(again["tnie"].mean().item(), rel=1e-9)
    # The truth of the simulation: tnie = -.12 x 35 = -4.2, te = -6.2; one small trial lies within three SDs of it.
    assert abs(effects.loc["tnie", "mean"] + 4.2) < 3 * effects.loc["tnie", "sd"]
    wide, narrow = (
        {p.name for p in folder.glob("*.*")} for folder in (out / "figures", out / "figures" / "one_column")
    )
    assert wide == narrow
    assert {name[-4:] for name in wide} == {".png", ".svg"}
    page = report.read_text(encoding="utf-8")
    assert page.count('<source media="screen and (max-width: 600px)"') == page.count("<img ") == len(wide) / 2
    compared = pd.read_csv(out / "tables" / "prior_posterior.csv").set_index("parameter")
    assert (compared.loc[["te", "tnie"], "contraction"] > 0.8).all()
