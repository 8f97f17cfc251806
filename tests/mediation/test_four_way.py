"""The four-way decomposition adds up, and rare-outcome odds ratios are those of the published formulas."""

import warnings

import numpy as np
import pytest

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.four_way import four_way, rare_outcome_effects
from tests.mediation.test_effects import fit, parameters


def test_four_parts_add_up_to_the_total_and_are_the_products_of_the_coefficients():
    idata = fit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts, te = four_way(idata, m=1.5), natural_effects(idata, m=1.5)["te"]
    assert (parts["cde"] + parts["int_ref"] + parts["int_med"] + parts["pie"]).to_numpy() == pytest.approx(
        te.to_numpy()
    )
    p, x = parameters(idata, 0), idata["constant_data"].dataset["covariate_mean"].to_numpy()
    found = {name: float(parts[name][0, 0]) for name in ("cde", "int_ref", "int_med", "pie")}
    expected = {
        "cde": p["c"] + p["theta"] * 1.5, "int_ref": p["theta"] * (p["alpha_m"] + x @ p["gamma_m"] - 1.5),
        "int_med": p["theta"] * p["a"], "pie": p["b"] * p["a"],
    }  # fmt: skip
    assert found == pytest.approx(expected)
    assert parts.attrs["m"] == [1.5]


def test_odds_ratios_of_a_rare_outcome_are_those_of_vanderweele_and_vansteelandt():
    idata = fit(family_outcome="logit")
    found = rare_outcome_effects(idata, m=0.5)
    x = idata["constant_data"].dataset["covariate_mean"].to_numpy()
    for s in range(2):
        p = parameters(idata, s)
        b0, b1, t1, t2, t3 = p["alpha_m"] + x @ p["gamma_m"], p["a"], p["c"], p["b"], p["theta"]
        v = p["sigma_m"] ** 2
        expected = {
            "cde": t1 + t3 * 0.5, "pnde": t1 + t3 * (b0 + t2 * v) + 0.5 * t3**2 * v, "tnie": (t2 + t3) * b1,
            "pnie": t2 * b1, "tnde": t1 + t3 * (b0 + b1 + t2 * v) + 0.5 * t3**2 * v,
        }  # fmt: skip
        assert {n: float(found[n][0, s]) for n in expected} == pytest.approx(expected)
        assert float(found["te"][0, s]) == pytest.approx(expected["pnde"] + expected["tnie"])


def test_odds_ratios_of_a_rare_outcome_with_a_binary_mediator_are_those_of_valeri_and_vanderweele():
    idata = fit(family_mediator="logit", family_outcome="logit")
    found = rare_outcome_effects(idata)
    p, x = parameters(idata, 0), idata["constant_data"].dataset["covariate_mean"].to_numpy()
    low, t2, t3 = p["alpha_m"] + x @ p["gamma_m"], p["b"], p["theta"]
    high = low + p["a"]
    log1 = np.log1p
    tnie = log1(np.exp(low)) + log1(np.exp(t2 + t3 + high)) - log1(np.exp(high)) - log1(np.exp(t2 + t3 + low))
    pnde = p["c"] + log1(np.exp(t2 + t3 + low)) - log1(np.exp(t2 + low))
    assert float(found["tnie"][0, 0]) == pytest.approx(tnie)
    assert float(found["pnde"][0, 0]) == pytest.approx(pnde)


def test_a_rare_outcome_agrees_with_the_marginal_odds_ratio_and_other_families_are_refused():
    with pytest.raises(
        ValueError,
        match="need a logit, log_binomial or hazard_cloglog outcome and one gaussian, probit or logit mediator",
    ):
        rare_outcome_effects(fit())
    idata = fit(family_outcome="logit")
    for name in ("alpha_y", "gamma_y", "gamma_m"):
        values = idata["posterior"].dataset[name]
        idata["posterior"][name] = values * 0 - (12.0 if name == "alpha_y" else 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        marginal = natural_effects(idata, scale="log_odds_ratio")
    rare = rare_outcome_effects(idata)
    for name in ("te", "pnde", "tnie", "cde"):
        assert rare[name].to_numpy() == pytest.approx(marginal[name].to_numpy(), abs=1e-3)
