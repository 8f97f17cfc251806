"""Any two arms of one fit: against the formulas of each arm, and each pair against the sum of others."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy import special

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.four_way import four_way
from pillprocess.mediation.model import mediation
from pillprocess.mediation.moderated import moderated_effects
from pillprocess.participants.table import load_participants
from tests.mediation.trees import tree

pytestmark = pytest.mark.filterwarnings("ignore:.*it extrapolates:UserWarning")
LEVELS = ["placebo", "low", "high"]
A, C, THETA = {"low": 0.8, "high": 1.7}, {"low": -0.3, "high": -0.9}, {"low": 0.2, "high": -0.1}
A_X, C_X = {"low": 0.02, "high": -0.03}, {"low": 0.01, "high": 0.04}
ALPHA_M, GAMMA_M, SIGMA_M, ALPHA_Y, B, GAMMA_Y = 0.4, 0.05, 1.2, -0.2, -0.5, 0.03


@pytest.fixture(params=["gaussian", "probit"], scope="module")
def fitted(request):
    rng = np.random.default_rng(4)
    n = 60
    table = pd.DataFrame({"arm": np.array(LEVELS)[np.arange(n) % 3], "age": rng.normal(40, 9, n).round(1)})
    table["m"] = rng.normal(5, 2, n)
    table["y"] = rng.normal(20, 4, n) if request.param == "gaussian" else (rng.random(n) < 0.5).astype(float)
    people = load_participants(
        table,
        treatment="arm",
        reference="placebo",
        outcome="y",
        mediators="m",
        covariates="age",
        treatment_moderators="age",
    )
    model = mediation(people, family_outcome=request.param)
    arms = [str(a) for a in people.treatment.columns]
    by_arm = {"a": A, "c": C, "theta": THETA, "a_x": A_X, "c_x": C_X}
    values = {
        "alpha_m": ALPHA_M, "gamma_m": GAMMA_M, "sigma_m": SIGMA_M, "alpha_y": ALPHA_Y, "b": B, "gamma_y": GAMMA_Y,
        **({"sigma_y": 2.0} if request.param == "gaussian" else {}),
    }  # fmt: skip
    draws = {}
    for name in (*values, *by_arm):
        shape = tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(name, ()))
        own = [by_arm[name][arm] for arm in arms] if name in by_arm else values[name]
        if name in ("a_x", "c_x"):
            own = np.reshape(own, (*shape[:-1], 1))
        draws[name] = np.broadcast_to(own, (2, *shape)).astype(float)
    return request.param, people, tree(model, draws)


def outcome(family: str, age: np.ndarray, t: str, s: str) -> float:
    a, a_x = A.get(s, 0) + A_X.get(s, 0) * age, C.get(t, 0) + C_X.get(t, 0) * age
    slope = B + THETA.get(t, 0)
    eta = ALPHA_Y + a_x + GAMMA_Y * age + slope * (ALPHA_M + a + GAMMA_M * age)
    return float((eta if family == "gaussian" else special.ndtr(eta / np.sqrt(1 + (slope * SIGMA_M) ** 2))).mean())


@pytest.mark.parametrize(("arm", "reference"), list(permutations(LEVELS, 2)))
def test_the_effects_of_any_two_arms_are_those_of_their_own_formulas(fitted, arm, reference):
    family, people, idata = fitted
    age = people.covariates["age"].to_numpy()
    effects = natural_effects(idata, arm=arm, reference=reference)
    y = {(t, s): outcome(family, age, t, s) for t in (arm, reference) for s in (arm, reference)}
    expected = {
        "te": y[arm, arm] - y[reference, reference], "pnde": y[arm, reference] - y[reference, reference],
        "tnie": y[arm, arm] - y[arm, reference], "pnie": y[reference, arm] - y[reference, reference],
    }  # fmt: skip
    for name, value in expected.items():
        assert float(effects[name][0, 0]) == pytest.approx(value, abs=1e-9)
    assert (effects.attrs["arm"], effects.attrs["reference"]) == (arm, reference)
    parts = four_way(idata, arm=arm, reference=reference)
    assert np.allclose(sum(parts[n] for n in ("cde", "int_ref", "int_med", "pie")), expected["te"])
    at = moderated_effects(idata, moderator="age", values=[30, 50], arm=arm, reference=reference)
    assert float(at["te"].sel(value=30)[0, 0]) == pytest.approx(
        outcome(family, np.array([30.0]), arm, arm) - outcome(family, np.array([30.0]), reference, reference)
    )


def test_total_effects_add_up_around_the_arms(fitted):
    _, _, idata = fitted
    high, low, step = (
        natural_effects(idata, arm=a, reference=r)["te"]
        for a, r in (("high", "placebo"), ("low", "placebo"), ("high", "low"))
    )
    assert np.allclose(high, low + step)


def test_arms_that_are_not_there_are_refused(fitted):
    _, _, idata = fitted
    with pytest.raises(ValueError, match="reference = 'middle': name one of the arms to compare with, placebo"):
        natural_effects(idata, arm="high", reference="middle")
    with pytest.raises(ValueError, match="arm = 'low': name one of the arms that low is compared with, placebo"):
        natural_effects(idata, arm="low", reference="low")
