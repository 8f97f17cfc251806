"""Faults and pathological but possible evidence: a sensible answer or a refusal in words, never a wrong number."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.gaussian.design_checks import DesignError
from pillprocess.gaussian.fit import integrate
from pillprocess.gaussian.marginals import linear_summary, scale_summary
from pillprocess.inference.fit import ConvergenceError
from pillprocess.mediation import analysis
from pillprocess.output.results import results_folder
from pillprocess.participants.table import ParticipantError
from pillprocess.review.run import run_reproduce
from pillprocess.trial.choices import TrialChoices
from pillprocess.trial.run import run_mediate
from tests.conftest import make_arm_row
from tests.gaussian.cases import NAN, eight_schools, schools
from tests.mediation.trees import tree


def arm(
    trial: str, k: int, *, y: float = -0.5, se: float = 0.2, dose: float = 0.0, therapy: float = 0.0
) -> dict[str, object]:
    cells = {"study_drug": "psilocybin", "drug_given": "psilocybin"}
    return make_arm_row(trial, f"arm {k}", y - 0.6 * dose, se, dose=dose, therapy=therapy, **cells)


def pooled(arms: list[dict[str, object]], **options: object) -> pd.DataFrame:
    return linear_summary(pp.decomposition_design(pd.DataFrame(arms), **options))


# ------------------------------------------------------------------------------------------- pathological evidence


def test_one_trial_leaves_the_heterogeneity_to_the_prior():
    arms = pd.DataFrame([arm("only", 0), arm("only", 1, dose=1.0)])
    design = pp.decomposition_design(arms)
    assert np.isfinite(linear_summary(design).to_numpy()).all()
    # HalfNormal(0.5) has mean .399: one trial says nearly nothing about the spread of trials.
    assert scale_summary(design).loc["tau", "mean"] == pytest.approx(0.399, abs=0.05)
    left_out = pp.leave_one_trial_out(design)
    assert left_out["elpd"].iloc[0] == pytest.approx(integrate(design).log_marginal_likelihood, abs=1e-3)


def test_no_rows_at_all_are_refused():
    with pytest.raises(ValueError, match="nothing was fitted: there are no rows"):
        pp.decomposition_design(pd.DataFrame([arm("t", 0)]).iloc[:0])


def test_without_any_control_arm_the_drug_rests_on_the_prior_and_the_ledger_says_so():
    arms = pd.DataFrame([arm(f"t{j}", k, dose=1.0) for j in range(5) for k in range(2)])
    idata = pp.fit(pp.decomposition_design(arms, terms={"drug"}, baseline="free"), seed=1, draws=200)
    ledger = pp.identifiability(idata).set_index("term")
    assert ledger.loc["drug", "evidence"] == "prior only"
    assert ledger.loc["drug", "n_trials"] == 0
    assert ledger.loc["drug", "contraction"] < 0.1


def test_terms_that_always_go_together_are_fitted_and_called_inseparable():
    arms = pd.DataFrame([arm(f"t{j}", k, dose=float(k), therapy=float(k)) for j in range(6) for k in range(2)])
    design = pp.decomposition_design(arms)
    table = linear_summary(design, {"sum": {"delta": 1.0, "psi": 1.0, "kappa": 1.0}, "drug": {"delta": 1.0}})
    prior = {"sum": (2 * 0.7**2 + 0.35**2) ** 0.5, "drug": 0.7}
    assert table.loc["sum", "sd"] < 0.5 * prior["sum"], "together they are learned"
    assert table.loc["drug", "sd"] > 0.7 * prior["drug"], "one by one they are hardly"
    ledger = pp.identifiability(pp.fit(design, seed=1, draws=200))
    assert (ledger["n_unconfounded"] == 0).all()
    assert not ledger["evidence"].str.startswith("randomised").any()


def test_trials_that_agree_exactly_put_the_heterogeneity_at_zero_without_trouble():
    scale = scale_summary(schools([-0.6] * 8, [0.05] * 8, prior_mu_sd=1.0, tau=("halfnormal", 0.5, NAN))).loc["tau"]
    assert 0 <= scale["ci_low"] < 0.005
    assert scale["mean"] < 0.03


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"se": 0.0}, "se = 0; a standard error must be > 0"),
        ({"se": -0.1}, "a standard error must be > 0"),
        ({"se": float("inf")}, "se is blank or not finite"),
        ({"y": float("nan")}, "y is blank or not finite"),
        ({"se": 1e-12}, "a ratio above 1e\\+07 that double precision cannot hold"),
        ({"dose": 1e30}, "a ratio above 1e\\+07 that double precision cannot hold"),
        ({"y": 1e60}, "y = -?1e\\+60 with variance .* double precision cannot square such numbers: change the unit"),
        ({"se": 1e60}, "double precision cannot square such numbers"),
    ],
)
def test_variances_of_zero_and_numbers_beyond_double_precision_are_refused(cells, message):
    with pytest.raises(ValueError, match=message):
        pooled([arm("t", 0), arm("t", 1) | {"dose": 1.0} | cells])


@pytest.mark.parametrize("factor", [1e-20, 1e-6, 1e6, 1e20])
def test_the_closed_form_gives_the_same_answer_in_any_unit(factor):
    y, se = np.array([28, 8, -3, 7, -1, 1, 18, 12.0]), np.array([15, 10, 16, 11, 9, 11, 10, 18.0])
    plain = schools(y, se, prior_mu_sd=5.0, tau=("halfnormal", 5.0, NAN))
    scaled = schools(factor * y, factor * se, prior_mu_sd=factor * 5.0, tau=("halfnormal", factor * 5.0, NAN))
    columns = ["mean", "sd", "ci_low", "ci_high"]
    one, other = linear_summary(plain)[columns].to_numpy(), linear_summary(scaled)[columns].to_numpy()
    assert other / factor == pytest.approx(one, rel=1e-6, abs=1e-6)
    shift = integrate(scaled).log_marginal_likelihood - integrate(plain).log_marginal_likelihood
    assert shift == pytest.approx(-8 * np.log(factor), abs=1e-6)


def test_a_design_of_less_than_double_precision_is_refused_and_float32_arms_are_computed_in_double():
    arms = pd.DataFrame([arm(f"t{j}", k, dose=float(k)) for j in range(3) for k in range(2)])
    design = pp.decomposition_design(arms)
    with pytest.raises(
        DesignError, match="X: numbers of type float32; they must be float64, less is not precise enough"
    ):
        integrate(design.assign(X=design["X"].astype("float32")))
    single = arms.astype(dict.fromkeys(("y", "se", "dose", "therapy"), "float32"))
    built = pp.decomposition_design(single)
    assert {str(built[name].dtype) for name in ("y", "covariance", "X", "Z", "prior_sd")} == {"float64"}
    assert str(pp.fit(built, seed=1, draws=20)["posterior"]["delta"].dtype) == "float64"


def test_pytensor_set_to_single_precision_is_refused():
    import pymc as pm
    import pytensor

    with pm.Model() as model:
        pm.Normal("a")
    with (
        pytensor.config.change_flags(floatX="float32"),
        pytest.raises(ValueError, match="PyTensor is set to float32 .* nothing was fitted"),
    ):
        pp.fit(model, seed=1)


# --------------------------------------------------------------------------------------------------- reproducibility

DIGEST = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from tests.gaussian.cases import eight_schools
from pillprocess.gaussian.fit import fit_exact
posterior = fit_exact(eight_schools(), seed=7, draws=50)["posterior"].dataset
print(hashlib.sha256(b"".join(posterior[v].to_numpy().tobytes() for v in sorted(posterior.data_vars))).hexdigest())
"""


def test_one_seed_gives_the_same_draws_in_every_run_and_process():
    def digest(seed: int) -> str:
        posterior = pp.fit(eight_schools(), seed=seed, draws=50)["posterior"].dataset
        return hashlib.sha256(
            b"".join(posterior[v].to_numpy().tobytes() for v in sorted(posterior.data_vars))
        ).hexdigest()

    elsewhere = subprocess.run(
        [sys.executable, "-c", DIGEST, str(Path(__file__).parents[1])], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert digest(7) == digest(7) == elsewhere
    assert digest(8) != digest(7)


SAMPLED = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from tests.gaussian.cases import parkinson
import pillprocess as pp
from pillprocess.gaussian.model import gaussian_model
posterior = pp.fit(gaussian_model(parkinson()), seed=7, draws=200, tune=200, chains=2, target_accept=0.95)["posterior"].dataset
print(hashlib.sha256(b"".join(posterior[v].to_numpy().tobytes() for v in sorted(posterior.data_vars))).hexdigest())
"""


@pytest.mark.slow
def test_the_sampler_gives_the_same_draws_when_its_code_is_new_and_when_it_comes_from_the_cache(tmp_path):
    def digest() -> str:
        return subprocess.run(
            [sys.executable, "-c", SAMPLED, str(Path(__file__).parents[1])], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"},
        ).stdout.strip()  # fmt: skip

    new = digest()
    assert len(list((tmp_path / "numba").iterdir())) > 10
    assert digest() == new


# ------------------------------------------------------------------------------------------------------- participants


def people(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    t = np.arange(n) % 2
    m = t + rng.normal(size=n)
    return pd.DataFrame({"arm": np.where(t, "drug", "placebo"), "m": m, "y": -m + rng.normal(size=n)})


ROLES = {"treatment": "arm", "reference": "placebo", "mediators": "m", "outcome": "y"}


def load(table: pd.DataFrame) -> pp.Participants:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return pp.load_participants(table, **ROLES)


def test_an_arm_of_one_participant_is_doubted_aloud_and_one_arm_alone_is_refused():
    table = people()
    single = table[(table["arm"] == "placebo") | (table.index == 1)]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = pp.load_participants(single, **ROLES)
    assert str(said[0].message).startswith("arm 'drug' has 1 participants; with fewer than 10")
    assert str(said[1].message).startswith("mediator 'm' is constant"), "what one participant cannot tell is said too"
    assert len(found) == 31
    with pytest.raises(ParticipantError, match="the treatment has one level"):
        load(table[table["arm"] == "placebo"])


def test_participants_who_are_all_alike_are_refused():
    table = people()
    for column in ("m", "y"):
        with pytest.raises(ParticipantError, match=f"column '{column}' does not vary within any arm"):
            load(table.assign(**{column: (table["arm"] == "drug").astype(float)}))


# ------------------------------------------------------------------------------------------------------------- faults


def test_a_sampler_that_does_not_converge_gives_an_error_and_no_results(tmp_path, monkeypatch):
    def drifting(model, **_):
        values = {}
        for variable in model.deterministics:
            shape = tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(variable.name, ()))
            values[variable.name] = 1 + np.linspace(0, 1, 600).reshape(600, *([1] * len(shape))) * np.ones(shape)
        return tree(model, values)

    monkeypatch.setattr(analysis, "fit", drifting)
    people().to_csv(tmp_path / "trial.csv", index=False)
    with pytest.raises(ConvergenceError, match="the fit did not converge and no result was made of it") as caught:
        run_mediate(
            TrialChoices(source=tmp_path / "trial.csv", **(ROLES | {"mediators": ["m"]})),
            out=tmp_path / "out",
            progress=False,
        )
    assert (caught.value.report["r_hat"] > 1.01).any() or (caught.value.report["ess_bulk"] < 400).any()
    assert [p.name for p in tmp_path.iterdir()] == ["trial.csv"]


def test_a_reproduction_whose_fit_does_not_converge_writes_no_table(tmp_path, monkeypatch):
    from pillprocess.review import analysis as reproduce

    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # all in this process, whose fit is another
    exact = reproduce.fit
    monkeypatch.setattr(reproduce, "fit", lambda design, *, seed, **_: exact(design, seed=seed, draws=20))
    with pytest.raises(ConvergenceError, match="bulk ESS .*; draw longer chains"):
        run_reproduce(tmp_path / "out", seed=1, evidence=None, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", ["reproduce", "mediate"])
def test_a_command_that_is_killed_leaves_earlier_results_and_the_next_one_clears_up(tmp_path, command):
    people().to_csv(tmp_path / "trial.csv", index=False)
    roles = [
        tmp_path / "trial.csv",
        "--treatment",
        "arm",
        "--reference",
        "placebo",
        "--mediator",
        "m",
        "--outcome",
        "y",
    ]
    arguments = [command, *(roles if command == "mediate" else []), "--out", tmp_path / "out", "--quiet"]
    with results_folder(tmp_path / "out", {"command": command}) as work:
        (work / "report.html").write_text("earlier")
    process = subprocess.Popen([sys.executable, "-m", "pillprocess", *map(str, arguments)], stderr=subprocess.PIPE)
    while process.poll() is None and not list(tmp_path.glob(".out.*.partial")):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    complaint = process.communicate()[1]
    assert process.returncode == -signal.SIGKILL, complaint
    assert (tmp_path / "out" / "report.html").read_text() == "earlier"
    assert len(list(tmp_path.glob(".out.*.partial"))) == 1
    with pytest.raises(ParticipantError, match="column 'asc' is not in the table"):
        run_mediate(
            TrialChoices(source=tmp_path / "trial.csv", **(ROLES | {"mediators": ["asc"]})),
            out=tmp_path / "out",
            progress=False,
        )
    assert sorted(os.listdir(tmp_path)) == ["out", "trial.csv"]
    assert (tmp_path / "out" / "report.html").read_text() == "earlier"


@pytest.mark.slow
def test_a_mediator_that_is_nearly_the_outcome_and_one_that_decides_it_give_answers_or_a_refusal():
    table = people(80)
    rng = np.random.default_rng(1)
    nearly = table.assign(y=-table["m"] + rng.normal(0, 0.14, len(table)))
    assert np.corrcoef(nearly["m"], nearly["y"])[0, 1] < -0.98
    model = pp.mediation(load(nearly))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* it extrapolates beyond", category=UserWarning)
        idata = pp.fit(model, seed=5, draws=500)
        pp.check_fit(idata)
        effects = pp.effect_table(pp.natural_effects(idata)).set_index("estimand")
        # m rises by about 1 with the drug and y follows it one to one.
        assert effects.loc["tnie", "mean"] == pytest.approx(
            -table.groupby("arm")["m"].mean().diff().abs().iloc[1], abs=0.15
        )

        with pytest.raises(pp.ParticipantError, match="outcome 'y' is mediator 'm' cut between"):
            load(table.assign(y=(table["m"] > 0.5).astype(int)))
        separated = table.assign(
            y=((table["m"] > 0.5) ^ (np.arange(len(table)) == 7)).astype(int)
        )  # but for one person
        idata = pp.fit(pp.mediation(load(separated), family_outcome="probit"), seed=5, draws=500)
        pp.check_fit(idata)
        effects = pp.effect_table(pp.natural_effects(idata)).set_index("estimand")
    assert np.isfinite(effects[["mean", "sd"]].to_numpy()).all()
    assert -1 <= effects.loc["te", "ci_low"] <= effects.loc["te", "ci_high"] <= 1, "a difference of probabilities"
    assert effects.loc["tnie", "mean"] > 0.1
