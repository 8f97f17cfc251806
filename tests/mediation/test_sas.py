"""Every effect that SAS gives for the Mayo clinic's trial of D-penicillamine, from coefficients fitted to the same people with other code.

The mediation macro of Valeri & VanderWeele (2013, doi:10.1037/a0031034), as its output is kept with R's regmedint
(https://github.com/kaz-yos/regmedint, tests/reference_results): 80 runs, 597 effects of treatment 2 against 1 or 2.3 against 1.1, with
bilirubin or whether it is high as mediator, with and without interaction and covariates, and as if people had been sampled by their
outcome; where there are covariates, at their means ("marginal") and at an age of 50, male, stage 2 ("conditional"). Twelve more runs are
those of an earlier outcome. ``reference/sas.jsonl`` holds a run a line: coefficients by maximum likelihood (SciPy, statsmodels), with
treatment recoded to 0 and 1 and covariates in the order age, male, stage; the unbiased variance of the mediator; and the effects that SAS
prints, to five digits. SAS's logistic regressions stop early enough to leave a mean difference of 25 within .003. Its log-binomial
regressions with bilirubin and covariates did not converge (log-likelihood -143.0 and -143.3, where -142.5 is reached on the edge of what is
possible): there the coefficients are SAS's own, of four digits.
"""

import functools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytest

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.four_way import rare_outcome_effects
from pillprocess.mediation.model import mediation
from pillprocess.participants.table import load_participants
from tests.mediation.trees import tree

RUNS = [json.loads(line) for line in (Path(__file__).parent / "reference" / "sas.jsonl").read_text().splitlines()]
FAMILY = {
    "linear": "gaussian", "logistic": "logit", "loglinear": "log_binomial", "poisson": "poisson", "negbin": "negative_binomial",
    "survCox": "hazard_cloglog", "survAFT_exp": "exponential", "survAFT_weibull": "weibull",
}  # fmt: skip
EFFECTS = ("cde", "pnde", "pnie", "tnde", "tnie", "te")
COVARIATES = ("age", "male", "stage")
SCALES = {
    "log_binomial": {"scale": "log_risk_ratio"}, "poisson": {"scale": "log_rate_ratio"}, "negative_binomial": {"scale": "log_rate_ratio"},
    "exponential": {"scale": "log_time_ratio", "of": {"up_to": np.inf}}, "weibull": {"scale": "log_time_ratio", "of": {"up_to": np.inf}},
}  # fmt: skip


@functools.cache
def stand_in(family_mediator: str, family_outcome: str, case_control: bool) -> pm.Model:
    """A model with the columns of the trial, of made-up people; its numbers are replaced."""
    rng = np.random.default_rng(1)
    n = 40
    table = pd.DataFrame({"trt": 1 + np.arange(n) % 2, "age": rng.normal(50, 9, n), "male": np.arange(n) // 2 % 2})
    table = table.assign(stage=rng.integers(1, 5, n), bili=rng.gamma(2, 2, n), event=rng.integers(0, 2, n))
    table["bili"] = (table["bili"] > 3).astype(float) if family_mediator == "logit" else table["bili"]
    two = rng.integers(0, 2, n)
    y = {"gaussian": rng.normal(size=n), "logit": two, "log_binomial": two}
    table["y"] = y.get(family_outcome, rng.integers(1, 5, n)).astype(float)
    timed = family_outcome in ("exponential", "weibull", "hazard_cloglog")
    people = load_participants(
        table, treatment="trt", reference=1, outcome="y", mediators="bili", covariates=list(COVARIATES),
        event="event" if timed else None, higher_is_worse=False, repeated_rows="different people",
    )  # fmt: skip
    return mediation(people, family_mediator=family_mediator, family_outcome=family_outcome, case_control=case_control)


def fit_of(run: dict) -> tuple:
    """A fit with the run's coefficients as its one draw, and the family of its outcome."""
    family_mediator, family_outcome = FAMILY[run["mediator"]], FAMILY[run["outcome"]]
    product = 1 if run["interaction"] else 0
    of_m, of_y = run["of_mediator"], run["of_outcome"]
    without = [0.0] * 3  # a run without covariates is one in which they change nothing
    draws = {
        "alpha_m": [[of_m[0]]], "a": [[[of_m[1]]]], "gamma_m": [[of_m[2:] or without]], "alpha_y": [of_y[0]], "c": [[of_y[1]]],
        "b": [[of_y[2]]], "gamma_y": [of_y[3 + product :] or without], "sigma_y": [1.0],
    }  # fmt: skip
    draws |= {"theta": [[[of_y[3]]]]} if product else {}
    draws |= {"sigma_m": [[np.sqrt(run["variance"])]]} if "variance" in run else {}
    name = "size_y" if family_outcome == "negative_binomial" else "shape_y"
    draws |= {name: [run["shape"]]} if "shape" in run else {}
    draws |= {"period_y": [[0.0, 0.0, 0.0, 0.0]]} if family_outcome == "hazard_cloglog" else {}
    return tree(stand_in(family_mediator, family_outcome, run["case_control"]), draws), family_outcome


def six_effects(run: dict, at: dict[str, float]) -> list[np.ndarray]:
    """The effects that SAS prints, by every function of the package that gives them on SAS's scale."""
    idata, family = fit_of(run)
    rare = (
        [rare_outcome_effects(idata, m=run["m"], at=at)]
        if family in ("logit", "log_binomial", "hazard_cloglog")
        else []
    )
    given = [] if rare and (run["case_control"] or family != "log_binomial") else [
        natural_effects(idata, m=run["m"], at=at, **SCALES.get(family, {}))
    ]  # fmt: skip
    found = [np.array([float(effects[name][0, 0]) for name in EFFECTS]) for effects in [*rare, *given]]
    return found if family == "gaussian" else [np.exp(values) for values in found]


@pytest.mark.filterwarnings("ignore:.*(it extrapolates|beyond the longest time seen):UserWarning")
@pytest.mark.parametrize("mediator", ["linear", "logistic"])
@pytest.mark.parametrize("outcome", FAMILY)
def test_effects_are_those_of_sas(mediator, outcome):
    runs = [run for run in RUNS if (run["mediator"], run["outcome"]) == (mediator, outcome)]
    assert {run["interaction"] for run in runs} == {True, False}
    for run in runs:
        levels = [(50, 1, 2)] if len(run["sas"]) < 12 else [run["means"], (50, 1, 2)]
        found = [six_effects(run, dict(zip(COVARIATES, level, strict=True))) for level in levels]
        every = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        tolerance = 2e-5 if run["exact"] else 5e-4
        if outcome == "linear":
            tolerance = 6e-4 if mediator == "linear" else 3e-3
        for place, values in enumerate(every):
            if outcome == "loglinear" and place == 1:
                tolerance = 5e-4  # natural_effects knows that no risk exceeds 1, SAS's formula does not
            # without an interaction SAS may print three: cde, which is nde, nie and the total
            values = values if len(run["sas"]) > 3 else values[[0, 4, 5]]
            assert values == pytest.approx(run["sas"], abs=tolerance), run


def test_none_of_sas_effects_is_left_out():
    assert len(RUNS) == 80 + 12
    assert sum(len(run["sas"]) for run in RUNS[:80]) == 597
    kinds = {
        (r["mediator"], r["outcome"], r["interaction"], r["case_control"], bool(r["of_mediator"][2:])) for r in RUNS
    }
    assert len(kinds) == 80


def test_who_was_sampled_by_outcome_has_no_risks():
    idata, _ = fit_of(next(run for run in RUNS if run["case_control"]))
    with pytest.raises(ValueError, match="sampled by their outcome, so risks are not known; rare_outcome_effects has"):
        natural_effects(idata)
