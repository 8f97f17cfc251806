"""The command's analysis of guesses and expectations: what it refuses, what it fits, what the report says."""

import re
import warnings
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pillprocess.belief import analysis, moderation
from pillprocess.belief.analysis import analyse_belief
from pillprocess.belief.coding import coded_guesses, guess_problems
from pillprocess.belief.moderation import analyse_expectancy
from pillprocess.mediation.model import mediation
from pillprocess.mediation.paths import estimate_text
from pillprocess.participants.table import ParticipantError, Participants, load_participants
from pillprocess.review.figures import drawings
from pillprocess.trial.choices import TrialChoices
from pillprocess.trial.report import MediationReport, draw_figures, render_mediation
from pillprocess.trial.run import run_mediate
from tests.mediation.trees import tree


def trial(n: int = 120, *, c: float = 0.0, b: float = -8.0) -> pd.DataFrame:
    """A simulated trial whose outcome moves by ``c`` with the drug and by ``b`` with belief; hope was rated before."""
    rng = np.random.default_rng(6)
    drug = np.arange(n) % 2
    believed = (-0.6 + 1.2 * drug + rng.normal(size=n)) > 0
    madrs = np.clip(20 + c * drug + b * believed + rng.normal(0, 6, n), 0, 60)
    table = pd.DataFrame(
        {"arm": np.where(drug, "drug", "placebo"), "guess": np.where(believed, "drug", "placebo"), "madrs": madrs,
         "meq30": np.clip(30 + 25 * drug + rng.normal(0, 12, n), 0, 100), "hope": rng.normal(50, 20, n), "madrs_0": rng.normal(30, 5, n)}
    ).astype({"guess": object})  # fmt: skip
    table.loc[[3, 8, 21], "guess"] = "don't know"
    table.loc[5, "meq30"] = np.nan
    return table


def quiet_load(table: pd.DataFrame, mediators: list[str], **roles: object) -> Participants:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)
        return load_participants(
            table, treatment="arm", reference="placebo", outcome="madrs", mediators=mediators, **roles
        )


def guessers(table: pd.DataFrame, mediators: list[str], **roles: object) -> Participants:
    return quiet_load(
        coded_guesses(table, guess="guess", treatment="arm", reference="placebo", active=None), mediators, **roles
    )


@pytest.fixture(autouse=True)
def off_screen():
    backend = mpl.get_backend()
    mpl.use("Agg")
    yield
    plt.close("all")
    mpl.use(backend)


@pytest.fixture
def by_hand(monkeypatch):
    """Replace the sampler by draws written down."""

    def drawn(model, **_) -> xr.DataTree:
        rng = np.random.default_rng(1)
        values = {}
        for variable in [*model.free_RVs, *model.deterministics]:
            shape = tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(variable.name, ()))
            values[variable.name] = -0.4 + 0.05 * rng.normal(size=(500, *shape))
        for name in ("sigma_raw", "sigma_experience_raw"):
            if name in values:
                values[name] = np.abs(values[name])
        return tree(model, values)

    def same(model, idata, names, *, seed) -> xr.DataTree:
        idata["prior"] = idata["posterior"].dataset
        return idata

    passed = pd.DataFrame({"r_hat": [1.0]}, index=pd.Index(["a"], name="parameter"))
    monkeypatch.setattr(analysis, "with_prior", same)
    for module in (analysis, moderation):
        monkeypatch.setattr(module, "fit", drawn)
        monkeypatch.setattr(module, "check_fit", lambda _: passed)


ROLES = {"mediators": [], "before": [], "families": ("gaussian", "gaussian"), "treatment_kind": "arms"}


@pytest.mark.parametrize(
    ("guess", "timing", "roles", "message"),
    [
        (None, "endpoint", {}, "a guess timing was given and no guess; name its column with --guess"),
        ("guess", None, {}, "column 'guess': say when it was measured with --guess-timing pre_dose or post_dose or endpoint"),
        ("guess", "later", {}, "guess timing = 'later'; it must be one of pre_dose, post_dose, endpoint"),
        ("guess", "endpoint", {"before": ["guess"]},
         r"column 'guess' was measured after dosing \(endpoint\).*adjusting for it as a baseline covariate biases the effect"),
        ("guess", "post_dose", {"mediators": ["guess"]}, "named by --guess and by --mediator; name it by --guess alone"),
        ("guess", "endpoint", {"mediators": ["meq", "cadss"]}, "beside --guess there can be one --mediator.*got meq, cadss"),
        ("guess", "endpoint", {"families": ("gaussian", "logit")}, "Gaussian experience and outcome; got gaussian and logit"),
        ("guess", "endpoint", {"treatment_kind": "dose"}, "--guess needs arms, not a dose"),
        ("hope", "pre_dose", {"mediators": ["hope"]}, "measured before dosing: it cannot carry an effect.*fitted as a moderator"),
    ],
)  # fmt: skip
def test_a_role_that_does_not_fit_is_refused_with_what_would_be_right(guess, timing, roles, message):
    problems = guess_problems(guess, timing, **(ROLES | roles))
    assert len(problems) == 1
    assert re.search(message, problems[0])


@pytest.mark.parametrize(
    ("guess", "timing", "roles"),
    [(None, None, {}), ("guess", "endpoint", {"mediators": ["meq"], "before": ["madrs_0"]}), ("hope", "pre_dose", {"before": ["hope"]})],
)  # fmt: skip
def test_roles_that_fit_are_no_problem(guess, timing, roles):
    assert guess_problems(guess, timing, **(ROLES | roles)) == []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    trial().to_csv(tmp_path / "trial.csv", index=False)
    return tmp_path / "trial.csv"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"guess": "guess", "guess_timing": "endpoint", "covariates": ["guess"]}, "nothing was fitted:\ncolumn 'guess' was"),
        ({}, "no mediator was named; name its column with --mediator, or that of a treatment guess with --guess"),
        ({"guess": "blind", "guess_timing": "endpoint"}, "1 problem in trial.csv.*\ncolumn 'blind' is not in the table"),
        ({"guess": "blind", "guess_timing": "pre_dose"}, "1 problem in trial.csv.*\ncolumn 'blind' is not in the table"),
        ({"guess": "hope", "guess_timing": "endpoint"}, "column 'hope'.*name neither drug nor placebo.*Nothing was fitted"),
        ({"guess": "guess", "guess_timing": "endpoint", "reference": "sham"}, "the reference 'sham' is none of its levels"),
        ({"guess": "guess", "guess_timing": "endpoint", "trial": "madrs_0"}, "1 problem in trial.csv.*no trial has two arms"),
    ],
)  # fmt: skip
def test_a_command_that_cannot_be_carried_out_leaves_nothing_behind(path, tmp_path, options, message):
    roles = {"treatment": "arm", "reference": "placebo", "outcome": "madrs"} | options
    with pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        run_mediate(TrialChoices(source=path, **roles), out=tmp_path / "results", progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["trial.csv"]


def test_guesses_of_several_trials_are_refused():
    table = trial().assign(site=lambda d: np.where(d.index < 60, "A", "B"))
    with pytest.raises(ValueError, match=r"--guess: 2 trials \(A, B.*within one trial.*nothing was fitted"):
        analyse_belief(
            guessers(table, ["guess"], trial="site"), table["guess"], guess="guess", timing="endpoint", seed=1
        )


def test_the_report_holds_everything_that_a_guess_says(by_hand, path):
    table = trial()
    people = guessers(table, ["guess", "meq30"])
    belief = analyse_belief(people, table["guess"], guess="guess", timing="endpoint", seed=1)
    report = MediationReport(people, None, belief)
    figures = draw_figures(report)
    assert set(figures) == {"blinding", "belief_bounds_drug", "belief_split_drug", "guess_rate_drug"}
    assert set(report.fits) == {"belief_first", "outcome_first"}
    assert report.tables["set_aside"].to_numpy().tolist() == [["rows without meq30", 1, "the belief models need it"]]
    bounds = report.tables["belief_bounds"]
    assert {"prior_sd", "prior_low", "joint_correlation"} <= set(bounds.columns)
    text = re.sub(
        r"\s+", " ", re.sub(r"<[^>]+>", " ", render_mediation(report, drawings(figures), source=path, seed=1))
    )
    rows = bounds.set_index(["order", "estimand"])
    for effect in ("te", "through_belief", "not_through_belief", "through_belief_or_experience"):
        assert estimate_text(rows.loc[("belief_first", effect)]) in text
    blinding = report.tables["blinding"].set_index("arm")
    assert f"{blinding.loc['drug', 'correct']} of 60 in drug (Bang's index" in text.replace("&#39;", "'")
    assert "description of outcomes reweighted by the guess, not an effect of the drug" in text
    assert "These are not effects." in text
    assert "3 of 119 named no treatment: the models average over" in text
    assert "prior_b_belief_sd = 1" in text
    assert "How much of the effect on madrs is belief in the treatment?" in text


def test_a_guess_without_an_experience_has_no_split(by_hand):
    table = trial()
    people = guessers(table, ["guess"])
    belief = analyse_belief(people, table["guess"], guess="guess", timing="post_dose", seed=1)
    assert "through_experience" not in set(belief.tables["belief_bounds"]["estimand"])
    assert not any(name.startswith("belief_split") for name in draw_figures(MediationReport(people, None, belief)))
    assert belief.set_aside.empty


def test_rows_that_are_left_unfit_without_the_incomplete_ones_are_refused():
    table = trial(40).assign(sex="m")
    table.loc[:3, "sex"] = "f"
    table.loc[:3, "meq30"] = np.nan
    people = guessers(table, ["guess", "meq30"], covariates=["sex"])
    with pytest.raises(
        ParticipantError, match=r"in the rows with outcome and experience.*\n.*'sex\[m\]' has one value, 1"
    ):
        analyse_belief(people, table["guess"], guess="guess", timing="endpoint", seed=1)


def test_an_expectation_moderates_and_the_report_says_why(by_hand, path):
    table = trial().rename(columns={"meq30": "worry"})
    table.loc[2, "hope"] = np.nan
    people = quiet_load(table, [], baseline="madrs_0", covariates=["worry"], incomplete="set_aside")
    belief = analyse_expectancy(people, table["hope"], baseline="madrs_0", seed=1)
    report = MediationReport(people, None, belief)
    figures = draw_figures(report)
    assert set(figures) == {"moderation"}
    assert belief.tables["moderation"]["term"].tolist() == ["c", "g", "h"]
    assert report.tables["set_aside"].to_numpy().tolist() == [
        ["rows without worry", 1, "incomplete"],
        ["rows without hope", 1, "the moderation model needs it"],
    ]
    text = re.sub(
        r"\s+", " ", re.sub(r"<[^>]+>", " ", render_mediation(report, drawings(figures), source=path, seed=1))
    )
    assert "Does the effect on madrs depend on hope?" in text
    assert f"Drug x expectancy: {estimate_text(belief.tables['moderation'].set_index('term').loc['h'])}" in text
    assert "not as a mediator but as a moderator" in text
    assert "adjusts for the baseline alone, not for worry" in text


def test_an_expected_arm_is_an_expectation(by_hand):
    table = trial()
    belief = analyse_expectancy(quiet_load(table, []), table["guess"], baseline=None, seed=1)
    assert belief.set_aside.to_numpy().tolist() == [["rows without guess", 3, "the moderation model needs it"]]


def test_expectations_in_several_arms_are_refused():
    table = trial().assign(arm=lambda d: np.where(d.index < 20, "low", d["arm"]))
    with pytest.raises(ValueError, match="one trial with two arms; here are 1 trials and the active arms drug, low"):
        analyse_expectancy(quiet_load(table, []), table["hope"], baseline=None, seed=1)


def test_a_mediation_model_needs_a_mediator():
    with pytest.raises(ValueError, match="no mediator was named\nno model was built"):
        mediation(quiet_load(trial(), []))


@pytest.mark.slow
def test_a_trial_whose_effect_is_all_belief_is_told_so(tmp_path):
    trial(160).to_csv(tmp_path / "trial.csv", index=False)
    out = tmp_path / "results"
    choices = TrialChoices(
        source=tmp_path / "trial.csv",
        treatment="arm",
        reference="placebo",
        outcome="madrs",
        guess="guess",
        guess_timing="endpoint",
    )
    run_mediate(choices, out=out, draws=700, progress=False)
    bounds = pd.read_csv(out / "tables" / "belief_bounds.csv").set_index(["order", "estimand"])
    first, last = bounds.loc["belief_first"], bounds.loc["outcome_first"]
    # Truth: P(belief) .2743 -> .7257, so belief carries -8 x .4515 = -3.61 and the drug nothing.
    for name, truth in (("te", -3.61), ("through_belief", -3.61), ("not_through_belief", 0.0)):
        assert abs(first.loc[name, "mean"] - truth) < 2.5 * first.loc[name, "sd"], name
    assert first.loc["through_belief", "ci_high"] < 0
    assert (last.loc["through_belief", "mean"], last.loc["through_belief", "sd"]) == (0, 0)
    assert last.loc["te", "mean"] == pytest.approx(first.loc["te", "mean"], abs=0.5 * first.loc["te", "sd"])
    assert {p.stem for p in (out / "posterior").iterdir()} == {"belief_first", "outcome_first"}
    assert (bounds["ess"] > 400).all()
    assert (first["prior_sd"] > first["sd"]).all()
