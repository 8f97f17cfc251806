"""Whatever can be known before a fit is refused before PyMC is loaded, in the same words by mediate and by its --check."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pillprocess.output.results import ResultsError
from pillprocess.participants.reading import ParticipantError
from pillprocess.trial.choices import TrialChoices
from pillprocess.trial.inspection import check_trial
from pillprocess.trial.run import run_mediate
from tests.participants.trials import two_sites

ROLES = {
    "treatment": "arm", "reference": "placebo", "mediators": ["meq30"], "outcome": "madrs_6", "baseline": "madrs_0",
}  # fmt: skip
SEVERAL = {"mediators": ["meq30", "age"]}
GUESS = {"mediators": [], "guess": "guess", "guess_timing": "endpoint"}
HOPE = {"mediators": [], "guess": "hope", "guess_timing": "pre_dose"}


def table() -> pd.DataFrame:
    t = two_sites()
    return t.assign(
        guess=np.where(np.arange(104) % 3 == 0, "placebo", "psilocybin"), hope=t["age"], fifty=50, coded=t["age"].mask(t.index == 3, 999),
        same=2 * t["madrs_0"],
    )  # fmt: skip


REFUSED = {
    "family": (ROLES, {"family_outcome": "probit"}, "family_outcome = 'probit' needs 0 or 1 in column 'madrs_6'"),
    "unknown family": (ROLES, {"family_mediator": "gamma"}, "family_mediator = 'gamma'; it must be one of gaussian"),
    "several mediators": (ROLES | SEVERAL, {"family_mediator": "student_t"}, "several mediators must be 'gaussian'"),
    "order": (ROLES | SEVERAL, {"order": ["meq30", "bdi"]}, r"order = \['meq30', 'bdi'\] must list each of"),
    "course without an order": (ROLES | SEVERAL | {"course": ["meq30", "age"]}, {}, "a course over sessions needs mediators that follow"),
    "course of others": (ROLES | SEVERAL | {"course": ["bdi"]}, {"order": ["meq30", "age"]}, "course of bdi: name at least one mediator"),
    "course of two trials": (
        ROLES | SEVERAL | {"course": ["meq30"], "trial": "site"}, {"order": ["meq30", "age"]}, "--course: effects through a course",
    ),
    "reference": (ROLES | {"reference": "Placebo"}, {}, "the reference 'Placebo' is none of its levels"),
    "active": (ROLES | {"active": "lsd"}, {}, "the active arm 'lsd' is none of its other levels"),
    "guess of two trials": (ROLES | GUESS | {"trial": "site"}, {}, "--guess: 2 trials .* within one trial"),
    "guess with a family": (ROLES | GUESS, {"family_outcome": "student_t"}, "--guess is fitted with Gaussian experience and outcome"),
    "expectation of two trials": (ROLES | HOPE | {"trial": "site"}, {}, "fitted as a moderator in one trial with two arms"),
    "constant expectation": (ROLES | HOPE | {"guess": "fifty"}, {}, "column 'fifty' does not vary: it is 50 for everybody"),
    "expectation 999": (ROLES | HOPE | {"guess": "coded"}, {}, r"column 'coded': 999 on row 5 looks like a code.*missing = \[999\]"),
    "expectation is the baseline": (ROLES | HOPE | {"guess": "same"}, {}, "column 'same' follows exactly from"),
}  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    table().to_csv(tmp_path / "trial.csv", index=False)
    return tmp_path / "trial.csv"


@pytest.mark.parametrize("case", REFUSED)
def test_the_check_refuses_what_the_run_would(path, case):
    choices, model, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        check_trial(TrialChoices(source=path, **choices), **model)


def test_nothing_of_it_needs_pymc_and_nothing_is_left_behind(path, tmp_path):
    cases = {case: [choices, model] for case, (choices, model, _) in REFUSED.items()}
    program = f"""
import json, sys, warnings
sys.modules["pymc"] = sys.modules["pytensor"] = sys.modules["arviz"] = None
from pathlib import Path
from pillprocess.trial.choices import TrialChoices
from pillprocess.trial.run import run_mediate
said = {{}}
for case, (choices, model) in json.loads(sys.argv[1]).items():
    try:
        run_mediate(TrialChoices(source={str(path)!r}, **choices), **model, out=Path({str(tmp_path / "out")!r}), progress=False)
    except ValueError as error:
        said[case] = str(error)
    except ImportError as error:
        said[case] = "PyMC was wanted"
print(json.dumps(said))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(cases)], capture_output=True, text=True, check=True
    )
    said = json.loads(done.stdout)
    assert [case for case in REFUSED if "PyMC was wanted" in said.get(case, "PyMC was wanted")] == []
    assert [p.name for p in tmp_path.iterdir()] == ["trial.csv"]


def test_a_folder_that_cannot_take_the_results_is_refused_before_the_table_is_read(path, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(ResultsError, match="mine"):
        run_mediate(TrialChoices(source=path.with_name("absent.csv"), **ROLES), out=tmp_path / "mine", progress=False)
    with pytest.raises(ParticipantError, match="there is no such file"):
        run_mediate(TrialChoices(source=path.with_name("absent.csv"), **ROLES), out=tmp_path / "out", progress=False)


def test_levels_of_mediators_are_those_of_the_model(path, tmp_path):
    with pytest.raises(ValueError, match="give a value to each mediator, meq30"):
        run_mediate(TrialChoices(source=path, **ROLES), m={"bdi": 1.0}, out=tmp_path / "out", progress=False)


def test_an_expectation_written_like_the_codes_of_the_arms_is_asked_about(tmp_path):
    coded = two_sites().assign(arm=lambda t: (t["arm"] == "placebo") * 1, hope=np.arange(104) % 3 % 2)
    coded.to_csv(tmp_path / "coded.csv", index=False)
    with pytest.raises(ValueError, match="the two are opposites here"):
        check_trial(TrialChoices(source=tmp_path / "coded.csv", **(ROLES | HOPE | {"reference": "1"})))
    assert check_trial(TrialChoices(source=tmp_path / "coded.csv", **(ROLES | HOPE | {"reference": "0"})))
