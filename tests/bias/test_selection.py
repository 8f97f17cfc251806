"""Selection by significance: the density, its two implementations, and published estimates."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from pillprocess import selection_model, small_study_estimates
from pillprocess.bias.contrast_rows import read_contrasts
from pillprocess.bias.likelihood import selection_likelihood


def written_out(data, effect: float, tau: float, omega: dict[float, float]) -> float:
    """Log density of printed trials from the docstring, with SciPy's normal distributions."""
    total = 0.0
    for name in dict.fromkeys(data.trial.tolist()):
        here = np.flatnonzero(data.trial == name)
        y, dose = data.y[here], data.dose[here]
        se = data.se[here]
        law = stats.multivariate_normal(
            effect * dose, data.covariance[np.ix_(here, here)] + tau**2 * np.outer(dose, dose)
        )
        weight, expected, passed = 1.0, 1.0, 1.0
        for step, w in omega.items():
            bound = stats.norm.isf(step)
            # P(every y > -bound se): the reflection of the distribution function
            below = stats.multivariate_normal(-law.mean, law.cov).cdf(bound * se, rng=np.random.default_rng(1))
            expected -= (passed - w) * below
            if (y / se).min() >= -bound:
                weight = w
            passed = w
        total += law.logpdf(y) + np.log(weight) - np.log(expected)
    return float(total)


def trials(arms: int, n: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(arms)
    return pd.DataFrame(
        [
            {
                "trial": f"t{j}", "label": f"t{j}: {k}", "reference_arm": "placebo", "y": -0.5 + 0.3 * rng.standard_normal() + 0.1 * k,
                "se": 0.2 + 0.05 * rng.random() + 0.03 * j, "dose": 1.0 - 0.2 * k, "n_arm": 20.0 + j, "n_reference": 30.0,
            }
            for j in range(n) for k in range(arms)
        ]
    )  # fmt: skip


@pytest.mark.parametrize(("arms", "tolerance"), [(1, 1e-9), (2, 1e-5), (3, 1e-2)])
def test_the_density_is_the_one_written_out_in_scipy(arms, tolerance):
    data = read_contrasts(trials(arms))
    omega = {0.025: 0.4, 0.5: 0.1}
    mine = selection_likelihood(data, np.array([-0.3]), np.array([0.2]), np.array([list(omega.values())]), tuple(omega))
    assert float(mine.item()) == pytest.approx(written_out(data, -0.3, 0.2, omega), abs=tolerance)


@pytest.mark.parametrize("arms", [1, 2, 3])
def test_the_pymc_model_and_the_quadrature_have_one_density(arms):
    rows = trials(arms)
    model = selection_model(rows, prior_effect_sd=np.inf, prior_tau_sd=np.inf, prior_omega=1.0)
    logp = model.compile_logp(jacobian=False)
    at = {"delta": -0.3, "tau_log__": np.log(0.2), "omega_logodds__": np.array([np.log(0.4 / 0.6)])}
    mine = selection_likelihood(read_contrasts(rows), np.array([-0.3]), np.array([0.2]), np.array([[0.4]]), (0.025,))
    assert float(logp(at)) == pytest.approx(float(mine.item()), abs=1e-8)


def test_weights_fall_from_step_to_step_and_dims_are_labelled():
    import pymc as pm

    rows = trials(2).assign(drug=["LSD", "MDMA"] * 6).drop_duplicates("trial")
    model = selection_model(rows, (0.02, 0.04))
    assert model.named_vars_to_dims["omega"] == ("step",)
    assert list(model.coords["drug"]) == ["LSD"]
    omega = pm.draw(model["omega"], draws=50, random_seed=1)
    assert (omega[:, 0] > omega[:, 1]).all()
    assert ((omega > 0) & (omega < 1)).all()
    drugs = selection_model(trials(1).assign(drug=["LSD", "MDMA"] * 3))
    assert {"delta", "v", "tau_drug", "effect", "tau", "omega"} <= set(drugs.named_vars)


def test_a_step_with_nothing_on_one_side_is_refused():
    significant = pd.DataFrame({"y": [-1.0, -0.9], "se": [0.1, 0.1]})
    with pytest.raises(ValueError, match=r"fewer than one contrast on a side of a step.*\(0.025, 1\]"):
        selection_model(significant)
    with pytest.raises(ValueError, match="give one-sided p-values between 0 and 1, each above the one before"):
        selection_model(significant, (0.5, 0.025))


@pytest.fixture
def tobacco(shared) -> tuple[pd.DataFrame, dict]:
    """23 trials of help to stop smoking in practice, and what metafor prints for them."""
    table = pd.read_csv(shared("cases/bias/baskerville2012.csv")).rename(columns={"yi": "y", "sei": "se"})
    return table, json.loads(shared("cases/bias/targets.json").read_text())


def test_random_effects_pet_and_peese_are_metafors(tobacco):
    table, target = tobacco
    found = small_study_estimates(table, favours="positive").set_index(["model", "parameter"])["estimate"]
    se = target["pet_se"]
    assert found["random effects", "effect"] == pytest.approx(target["re"][0], abs=0.02 * target["re"][1])
    assert found["PET", "effect"] == pytest.approx(target["pet"][0], abs=0.02 * se[0])
    assert found["PET", "slope"] == pytest.approx(target["pet"][1], abs=0.02 * se[1])
    assert found["PEESE", "effect"] == pytest.approx(target["peese"][0], abs=0.02 * 0.087)
    assert found["PEESE", "slope"] == pytest.approx(target["peese"][1], abs=0.02 * 0.98)


def test_the_step_model_is_metafors_at_its_maximum(tobacco):
    table, target = tobacco
    want = target["step_.025"]
    found = small_study_estimates(table, favours="positive").set_index(["model", "parameter"])
    assert found.loc[("selection", "effect"), "estimate"] == pytest.approx(want["mu"], abs=0.1 * want["se"])
    assert found.loc[("selection", "effect"), "se"] == pytest.approx(want["se"], rel=0.02)
    omega = found.loc[("selection", "omega beyond 0.025")]
    assert omega["estimate"] == pytest.approx(want["omega"], abs=0.1 * omega["se"])
    assert omega["tau2"] == pytest.approx(want["tau2"], abs=1e-4)


def test_with_flat_priors_the_pymc_model_has_its_mode_there(tobacco):
    table, target = tobacco
    want = target["step_.025"]
    model = selection_model(table, favours="positive", prior_effect_sd=np.inf, prior_tau_sd=np.inf, prior_omega=1.0)
    logp = model.compile_logp(jacobian=False)

    def loss(x):
        return -float(logp({"delta": x[0], "tau_log__": x[1], "omega_logodds__": x[2:]}))

    best = optimize.minimize(
        loss, np.array([-0.5, -2.0, 0.0]), method="Nelder-Mead", options={"fatol": 1e-9, "xatol": 1e-7}
    ).x
    assert -best[0] == pytest.approx(want["mu"], abs=0.1 * want["se"])
    assert 1 / (1 + np.exp(-best[2])) == pytest.approx(want["omega"], abs=0.03)


def test_an_effect_and_its_mirror_give_mirrored_estimates():
    rows = trials(1, n=12)
    down = small_study_estimates(rows)
    up = small_study_estimates(rows.assign(y=-rows["y"]), favours="positive")
    turned = np.where(down["parameter"].isin(["effect", "slope"]), -1.0, 1.0)
    np.testing.assert_allclose(up["estimate"], turned * down["estimate"], rtol=1e-9)
    np.testing.assert_allclose(up["se"], down["se"])
