"""Averaged estimates: integrals against brute force and the sampler, and what they do when trials are missing."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pillprocess import bias_adjusted, selection_model
from pillprocess.bias.averaging import summary
from pillprocess.bias.contrast_rows import read_contrasts
from pillprocess.bias.likelihood import gaussian_likelihood, selection_likelihood
from pillprocess.bias.models import MODELS, Model, Priors, effect_grid, fit_model


def body(
    printed: float, *, seed: int = 1, n: int = 30, effect: float = -0.4, drugs: tuple[str, ...] = ("all",)
) -> pd.DataFrame:
    """Trials of people simulated one by one, of which those without significance were printed with a chance."""
    rng = np.random.default_rng(seed)
    rows = []
    while len(rows) < n:
        people = int(rng.choice([12, 20, 30, 60, 120]))
        true = effect + 0.2 * rng.standard_normal()
        drug, control = true + rng.standard_normal(people), rng.standard_normal(people)
        y, se = drug.mean() - control.mean(), np.sqrt((drug.var(ddof=1) + control.var(ddof=1)) / people)
        if y / se < -1.96 or rng.random() < printed:
            rows.append(
                {
                    "trial": f"t{len(rows)}",
                    "drug": drugs[len(rows) % len(drugs)],
                    "y": y,
                    "se": se,
                    "n_arm": people,
                    "n_reference": people,
                }
            )
    return pd.DataFrame(rows)  # fmt: skip


def test_the_gaussian_likelihood_is_the_multivariate_normals():
    rows = pd.DataFrame(
        {
            "trial": ["t", "t", "u"], "y": [-0.5, -0.3, -0.9], "se": [0.2, 0.25, 0.3], "reference_arm": "p", "dose": [1.0, 0.5, 0.8],
            "label": list("abc"),
        }
    )  # fmt: skip
    data = read_contrasts(rows)
    mine = gaussian_likelihood(data, np.array([-0.4]), np.array([0.3]), np.array([1.2]), data.se)
    together = (data.trial[:, None] == data.trial) * np.outer(data.dose, data.dose)
    law = stats.multivariate_normal(-0.4 * data.dose - 1.2 * data.se, data.covariance + 0.09 * together)
    assert float(mine.item()) == pytest.approx(law.logpdf(data.y), abs=1e-10)


@pytest.mark.parametrize("kind", ["none", "PET", "selection"])
def test_a_marginal_likelihood_is_the_integral_done_by_brute_force(kind):
    data, priors = read_contrasts(body(0.3, n=12)), Priors()
    got = fit_model(
        Model(kind, True, False), data, effect_grid(data, priors), priors=priors, steps=(0.025,), predictor=data.se
    )

    effects, biases = np.linspace(-2.5, 2.5, 401), (np.arange(600) + 0.5) / 600
    if kind == "selection":
        value = selection_likelihood(data, effects, np.zeros(1), biases[:, None], (0.025,))
        prior = stats.beta.pdf(biases, priors.omega, priors.omega)
    else:
        biases = 15 * biases
        value = gaussian_likelihood(data, effects, np.zeros(1), biases if kind == "PET" else 0 * biases, data.se)
        prior = stats.halfcauchy.pdf(biases, scale=priors.pet_scale) if kind == "PET" else np.full(600, 1 / 15)
    density = (
        np.exp(value[:, 0] - got.log_marginal_likelihood)
        * prior
        * stats.norm.pdf(effects, 0, priors.effect_sd)[:, None]
    )
    total = density.sum() * (effects[1] - effects[0]) * (biases[1] - biases[0])
    assert total == pytest.approx(1.0, abs=5e-3)


@pytest.mark.slow
def test_the_quadrature_and_the_sampler_agree_on_a_selection_model_with_drugs():
    from pillprocess import effect_table, fit

    rows = body(0.2, n=36, drugs=("LSD", "MDMA", "ketamine"))
    idata = fit(selection_model(rows), seed=1, draws=1200, tune=800, target_accept=0.99)
    sampled = effect_table(idata["posterior"].dataset["effect"]).set_index("drug")
    data, priors = read_contrasts(rows), Priors()
    effect = effect_grid(data, priors)
    mine = fit_model(Model("selection", True, True), data, effect, priors=priors, steps=(0.025,), predictor=data.se)
    for number, drug in enumerate(dict.fromkeys(data.drug.tolist())):
        got, want = summary(effect, mine.probability[number]), sampled.loc[drug]
        assert got["mean"] == pytest.approx(want["mean"], abs=0.08 * want["sd"])
        assert got["sd"] == pytest.approx(want["sd"], rel=0.06)


def test_inclusion_factors_follow_from_the_models():
    found = bias_adjusted(body(0.2))
    models = found.models
    assert len(models) == len(MODELS)
    assert models["prior"].sum() == pytest.approx(1)
    assert models["posterior"].sum() == pytest.approx(1)
    bias = models[models["bias"] != "none"]
    odds = bias["posterior"].sum() / (1 - bias["posterior"].sum())
    factor = found.inclusion.set_index("component")["bayes_factor"]["any bias"]
    assert factor == pytest.approx(odds / (bias["prior"].sum() / (1 - bias["prior"].sum())))


def test_when_few_trials_without_significance_are_printed_the_pool_misses_the_truth_and_the_average_does_not():
    covered = {"as pooled": 0, "allowing for small-study effects": 0}
    for seed in range(8):
        table = bias_adjusted(body(0.05, n=40, seed=seed)).effects.set_index("estimate")
        for name in covered:
            covered[name] += int(table.loc[name, "ci_low"] < -0.4 < table.loc[name, "ci_high"])
    assert covered["as pooled"] <= 3
    assert covered["allowing for small-study effects"] >= 7


def test_each_drug_has_its_own_trials_and_its_largest_beside_the_average():
    rows = body(0.5, n=30, drugs=("LSD", "MDMA"))
    table = bias_adjusted(rows).effects
    assert set(table["drug"]) == {"LSD", "MDMA"}
    here = table[table["drug"] == "LSD"].set_index("estimate")
    assert here.loc["own trials alone, as pooled", "trials"] == 15
    assert here.loc["largest trials alone", "trials"] < 8
    alone = bias_adjusted(rows[rows["drug"] == "LSD"]).effects.set_index("estimate")
    assert here.loc["own trials alone, as pooled", "mean"] == pytest.approx(alone.loc["as pooled", "mean"], abs=2e-3)


def test_results_do_not_depend_on_the_side_or_the_order_of_the_rows():
    rows = body(0.2, n=15, drugs=("LSD", "MDMA"))
    one = bias_adjusted(rows).effects.set_index(["drug", "estimate"]).sort_index()
    other = bias_adjusted(rows.assign(y=-rows["y"]).sample(frac=1, random_state=3), favours="positive")
    turned = other.effects.set_index(["drug", "estimate"]).sort_index()
    np.testing.assert_allclose(turned["mean"], -one["mean"], atol=1e-9)
    np.testing.assert_allclose(turned["ci_low"], -one["ci_high"], atol=1e-9)
    np.testing.assert_allclose(turned["p_below"], 1 - one["p_below"], atol=1e-9)


def test_model_rows_are_read_with_three_readings_of_dose(arm_row):
    rng = np.random.default_rng(2)
    rows = [
        arm_row(f"t{j}", arm, y + 0.15 * rng.standard_normal(), 0.15, dose=dose, n=40)
        for j in range(8) for arm, dose, y in (("low", 0.3, -0.45), ("high", 1.0, -0.5), ("placebo", 0.0, -0.1 - 0.3 * (j % 2)))
    ]  # fmt: skip
    found = bias_adjusted(pd.DataFrame(rows))
    assert set(found.models["dose"]) == {"linear", "emax", "as tested"}
    assert set(found.effects["dose"]) == {"averaged", "linear", "emax", "as tested"}
    best = found.models.groupby("dose")["posterior"].sum()
    assert best["as tested"] > best["linear"]  # a low dose that does what a high one does


def test_a_body_on_one_side_of_the_step_is_fitted_with_a_warning_and_pulled_towards_no_effect():
    rows = body(0.0, n=20)
    with pytest.warns(UserWarning, match="no trial lies on the other side of one-sided p = 0.025"):
        table = bias_adjusted(rows).effects.set_index("estimate")
    assert table.loc["selection", "mean"] > table.loc["as pooled", "mean"] + 0.03
    width = table["ci_high"] - table["ci_low"]
    assert width["selection"] > 1.3 * width["as pooled"]
    with pytest.raises(ValueError, match="give one-sided p-values between 0 and 1"):
        bias_adjusted(rows, step=2.5)
