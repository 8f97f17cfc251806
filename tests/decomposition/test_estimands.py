"""Estimands of hand-written posteriors, with exact answers: every number is a sum of binary fractions."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import pillprocess as pp
from pillprocess.gaussian.posterior_columns import columns

TERMS = {"drug", "therapy", "drug:therapy", "expectancy", "experience"}


@pytest.fixture(scope="module")
def design(arm_row, contrast_row):
    mdma = {"study_drug": "MDMA", "drug_given": "MDMA", "construct": "ptsd"}
    arms = [
        arm_row("t1", "drug", -1.5, 0.25, dose=1.0, therapy=1.0, expectancy=0.75, experience=2.0),
        arm_row("t1", "placebo", -0.5, 0.25, therapy=1.0, expectancy=0.25),
        arm_row("t1", "escitalopram", -1.0, 0.25, comparator=1.0),
        arm_row("t2", "drug", -1.0, 0.25, dose=0.5, expectancy=0.5, **mdma),
        arm_row("t2", "waitlist", 0.0, 0.25, waitlist=1.0, **mdma),
        arm_row("open", "drug", -2.0, 0.25, dose=2.0, therapy=1.0, expectancy=1.0),
    ]
    held = {"dose": 0.25, "therapy": 1.0, "expectancy": 0.25}
    differences = [contrast_row("c1", "high", "low", -0.5, 0.25, reference=held, dose=1.0, therapy=1.0, expectancy=0.5)]
    return pp.decomposition_design(pd.DataFrame(arms), pd.DataFrame(differences), terms=TERMS)


VALUES = {
    "mu_construct": {"depression": -0.5, "ptsd": -0.25}, "mu_own": {"open": -1.0}, "omega": 0.25, "chi": -0.125, "psi": -0.375,
    "epsilon": -0.25, "beta": -0.0625, "delta": -0.5, "kappa": -0.125,
    "m": {"t1": 0.125, "t2": -0.125},
    "v": {"MDMA": 0.25, "psilocybin": -0.125},
    "u": {"t1: psilocybin": 0.0625, "t2: MDMA": -0.0625, "open: psilocybin": 0.5, "c1: psilocybin": -0.25},
    "w": {"MDMA": -0.25, "psilocybin": 0.5},
    "t": {"t1": 0.25, "open": -0.5},
    "l": {"t2": 0.5},
    "c": {"t1": -0.25},
    "tau": 0.25, "tau_drug": 0.5, "tau_mu": 0.125, "tau_context": 0.375,
}  # fmt: skip
DIMS = {
    "mu_construct": "construct",
    "mu_own": "uncontrolled_trial",
    "m": "trial",
    "v": "drug",
    "u": "trial_drug",
    "w": "drug",
    "t": "therapy_trial",
    "l": "waitlist_trial",
    "c": "comparator_trial",
}
SCALE = np.array([[1.0, 2.0, 4.0], [0.5, 0.25, 8.0]])
"""Every draw is the hand-written posterior times a power of two, so that sums stay exact."""


@pytest.fixture(scope="module")
def idata(design):
    posterior = {}
    for name, value in VALUES.items():
        if name in DIMS:
            values = SCALE[:, :, None] * np.array(list(value.values()))
            posterior[name] = xr.DataArray(values, dims=("chain", "draw", DIMS[name]), coords={DIMS[name]: list(value)})
        else:
            posterior[name] = xr.DataArray(SCALE * value, dims=("chain", "draw"))
    posterior = xr.Dataset(posterior).assign_coords(chain=[0, 1], draw=[0, 1, 2])
    return xr.DataTree.from_dict({"/posterior": posterior, "/constant_data": design})


def without(idata, *variables):
    """The same fit without some variables of its posterior."""
    tree = {f"/{name}": node.dataset for name, node in idata.children.items()}
    return xr.DataTree.from_dict(tree | {"/posterior": idata["posterior"].dataset.drop_vars(variables)})


HAND = {
    # course, waitlist, comparator, therapy, expectancy, experience, drug, drug:therapy
    "t1: drug": [-0.375, 0, 0, -0.125, -0.1875, -0.125, -0.5625, 0.125],
    "t1: placebo": [-0.375, 0, 0, -0.125, -0.0625, 0, 0, 0],
    "t1: escitalopram": [-0.375, 0, -0.375, 0, 0, 0, 0, 0],
    "t2: drug": [-0.375, 0, 0, 0, -0.125, 0, -0.15625, 0],
    "t2: waitlist": [-0.375, 0.75, 0, 0, 0, 0, 0, 0],
    "open: drug": [-1.0, 0, 0, -0.875, -0.25, 0, -0.25, 0.25],
    "c1: high v low": [0, 0, 0, 0, -0.0625, 0, -0.65625, 0.09375],
}


def test_contributions_are_the_terms_of_each_row(idata):
    split = pp.contributions(idata)
    assert split.dims == ("chain", "draw", "row", "term")
    assert split["term"].to_numpy().tolist() == [
        "course", "waitlist", "comparator", "therapy", "expectancy", "experience", "drug", "drug:therapy",
    ]  # fmt: skip
    for label, expected in HAND.items():
        for (chain, draw), scale in np.ndenumerate(SCALE):
            found = split.sel(row=label).isel(chain=chain, draw=draw).to_numpy()
            np.testing.assert_array_equal(found, scale * np.array(expected))


def test_contributions_add_up_to_the_expected_change_exactly(idata, design):
    posterior = idata["posterior"].dataset
    theta = (design["X"] * columns(design, posterior, "coefficient")).sum("coefficient")
    theta = (theta + (design["Z"] * columns(design, posterior, "effect")).sum("effect")).transpose(
        "chain", "draw", "row"
    )
    np.testing.assert_array_equal(pp.contributions(idata).sum("term"), theta)


def test_the_draws_follow_the_columns_of_the_design(idata, design):
    posterior = idata["posterior"].dataset
    coefficients = columns(design, posterior, "coefficient")
    assert coefficients.dims == ("chain", "draw", "coefficient")
    np.testing.assert_array_equal(coefficients["coefficient"], design["coefficient"])
    np.testing.assert_array_equal(coefficients.sel(coefficient="mu_construct[ptsd]"), -0.25 * SCALE)
    np.testing.assert_array_equal(columns(design, posterior, "effect").sel(effect="u[open: psilocybin]"), 0.5 * SCALE)
    empty = columns(design.isel(effect=[]), posterior, "effect")
    assert empty.shape == (2, 3, 0)


def test_relative_effects_are_the_drug_alone_and_with_therapy(idata):
    effect = pp.relative_effects(idata)
    assert effect.dims == ("chain", "draw", "drug", "therapy")
    alone, together = {"MDMA": -0.25, "psilocybin": -0.625}, {"MDMA": -0.5, "psilocybin": -0.5}
    for drug in ("MDMA", "psilocybin"):
        np.testing.assert_array_equal(effect.sel(drug=drug, therapy=0), SCALE * alone[drug])
        np.testing.assert_array_equal(effect.sel(drug=drug, therapy=1), SCALE * together[drug])


def test_relative_effects_take_amounts_of_therapy_and_a_gap_in_belief(idata):
    effect = pp.relative_effects(idata, therapy=(0.5,), belief_gap=0.5)
    np.testing.assert_array_equal(
        effect.sel(drug="MDMA", therapy=0.5), SCALE * (-0.5 + 0.25 + 0.5 * -0.25 - 0.25 * 0.5)
    )


def test_relative_effects_without_an_interaction_do_not_depend_on_therapy(idata):
    effect = pp.relative_effects(without(idata, "kappa", "w"))
    np.testing.assert_array_equal(effect.sel(therapy=1), effect.sel(therapy=0))
    np.testing.assert_array_equal(effect.sel(drug="MDMA", therapy=1), SCALE * -0.25)


def test_a_new_trial_adds_a_deviation_with_the_sd_between_trials(idata):
    effect, predicted = pp.relative_effects(idata), pp.predictive_effects(idata, seed=3)
    assert predicted.dims == effect.dims
    deviation = (predicted - effect).transpose("chain", "draw", "drug", "therapy").to_numpy()
    np.testing.assert_allclose(deviation[..., 0], deviation[..., 1], atol=1e-14)
    noise = np.random.default_rng(3).standard_normal((2, 3, 2))
    np.testing.assert_allclose(deviation[..., 0], 0.25 * SCALE[..., None] * noise, atol=1e-14)
    xr.testing.assert_identical(predicted, pp.predictive_effects(idata, seed=3))
    assert not predicted.equals(pp.predictive_effects(idata, seed=4))


def test_the_effect_of_a_trial_has_its_own_deviation_and_therapy(idata):
    effect = pp.trial_effects(idata)
    assert effect.dims == ("chain", "draw", "trial_drug")
    expected = {
        "t1: psilocybin": -0.5 - 0.125 + 0.0625 - 0.125 + 0.25,
        "t2: MDMA": -0.5 + 0.25 - 0.0625,
        "open: psilocybin": -0.5 - 0.125 + 0.5 - 0.125 + 0.25,
        "c1: psilocybin": -0.5 - 0.125 - 0.25 - 0.125 + 0.25,
    }
    for label, value in expected.items():
        np.testing.assert_array_equal(effect.sel(trial_drug=label), SCALE * value)
    drugs = dict(zip(effect["trial_drug"].to_numpy(), effect["drug"].to_numpy(), strict=True))
    assert drugs == {label: label.split(": ")[1] for label in expected}


def test_the_effect_of_a_trial_needs_no_interaction(idata, design):
    kept = [name != "kappa" for name in design["coefficient"].to_numpy()]
    tree = without(idata, "kappa", "w")
    tree["constant_data"] = xr.DataTree(design.isel(coefficient=np.flatnonzero(kept)))
    np.testing.assert_array_equal(pp.trial_effects(tree).sel(trial_drug="t2: MDMA"), SCALE * -0.3125)


def test_heterogeneity_is_the_scales_the_model_has(idata):
    assert list(pp.heterogeneity(idata).data_vars) == ["tau", "tau_drug", "tau_mu", "tau_context"]
    np.testing.assert_array_equal(pp.heterogeneity(idata)["tau_mu"], 0.125 * SCALE)
    assert list(pp.heterogeneity(without(idata, "tau_mu"))) == ["tau", "tau_drug", "tau_context"]


@pytest.mark.parametrize("estimand", [pp.contributions, pp.trial_effects])
def test_a_fit_without_a_design_is_refused(idata, estimand):
    message = r"this fit carries no design; contributions and effects need a fit of decomposition\(...\)"
    bare = xr.DataTree.from_dict({"/posterior": idata["posterior"].dataset})
    with pytest.raises(ValueError, match=message):
        estimand(bare)
    other = xr.DataTree.from_dict({"/posterior": idata["posterior"].dataset, "/constant_data": xr.Dataset({"n": 3})})
    with pytest.raises(ValueError, match=message):
        estimand(other)


@pytest.mark.parametrize("estimand", [pp.relative_effects, pp.trial_effects])
def test_drug_effects_need_the_drug_term(idata, estimand):
    message = "the fitted model has no drug term; fit one whose terms include 'drug'"
    with pytest.raises(ValueError, match=message):
        estimand(without(idata, "delta"))


def test_a_gap_in_belief_needs_the_expectancy_term(idata):
    message = "the fitted model has no expectancy term; fit one whose terms include 'expectancy'"
    with pytest.raises(ValueError, match=message):
        pp.relative_effects(without(idata, "epsilon"), belief_gap=0.5)
