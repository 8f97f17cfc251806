import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr

from pillprocess.synthesis.effects import mediated_share, path_effects


def draws(**changed):
    """Four draws of a synthesis of psilocybin and ketamine."""
    values = {
        "direct": [[-0.2, -0.3]] * 4, "interaction": [[-0.1, 0.2]] * 4, "a": [[3.0, 2.0]] * 4, "b": [[-0.1, 0.05]] * 4,
        "epsilon": [-0.4] * 4, "g_0": [-0.5] * 4, "g_drug": [0.2] * 4, "g_experience": [0.6] * 4, "g_placebo": [0.1] * 4,
        "tau_belief": [0.75] * 4, "tau": [0.3] * 4, "causal_share": [0.1, 0.4, 0.6, 0.9],
    } | changed  # fmt: skip
    dims = {"direct": ["drug"], "interaction": ["drug"], "a": ["drug"], "b": ["drug"]}
    return xr.Dataset(
        {
            k: (["chain", "draw", *dims.get(k, [])], np.array(v, float)[None])
            for k, v in values.items()
            if v is not None
        },
        coords={"drug": ["psilocybin", "ketamine"], "dimension": ["mystical", "dissociative"]},
    )


def tree(**changed):
    return xr.DataTree.from_dict({"/posterior": draws(**changed)})


def believed(dose, experience):
    return ndtr((-0.5 + 0.2 * dose + 0.6 * experience) / 1.25)


def test_parts_add_up_to_the_total_and_each_is_what_the_formula_says():
    effects = path_effects(draws()).isel(chain=0, draw=0)
    one = effects.sel(drug="psilocybin", therapy=1.0)
    assert one["experience"] == pytest.approx(-0.3)
    assert one["interaction"] == pytest.approx(-0.1)
    assert one["belief"] == pytest.approx(-0.4 * (believed(1, 3) - believed(0, 0)))
    parts = one["direct"] + one["interaction"] + one["experience"] + one["belief"]
    assert one["total"] == pytest.approx(float(parts), abs=1e-15)
    assert (effects["interaction"].sel(therapy=0.0) == 0).all()


def test_the_drug_without_its_experience_and_the_experience_without_the_drug():
    one = path_effects(draws()).isel(chain=0, draw=0).sel(drug="ketamine", therapy=0.0)
    assert one["without_experience"] == pytest.approx(-0.3 - 0.4 * (believed(1, 0) - believed(0, 0)))
    assert one["experience_alone"] == pytest.approx(2 * 0.05 - 0.4 * (believed(0, 2) - believed(0, 0)))


def test_a_model_without_belief_has_no_effect_through_it():
    assert (path_effects(draws(epsilon=None))["belief"] == 0).all()


def test_share_counts_draws_in_which_more_than_half_runs_through_the_experience():
    direct, slope = [[-0.1, -1]] * 2 + [[-0.5, -1]] * 2, [[-0.1, 0.0]] * 4
    table = mediated_share(tree(direct=direct, b=slope, epsilon=None), therapy=(0.0,)).set_index("drug")
    assert table.loc["psilocybin", "p_most"] == 0.5
    assert table.loc["ketamine", "p_most"] == 0
    assert table.loc["psilocybin", "share"] == pytest.approx(np.median([0.75, 0.75, 0.375, 0.375]))
    assert table.loc["psilocybin", "share_is"] == "part of the total effect"


def test_share_is_withheld_where_signs_are_not_certain():
    uncertain = mediated_share(tree(direct=[[1, 1], [1, -1], [-1, -1], [-1, -1]], epsilon=None), therapy=(0.0,))
    assert uncertain["share"].isna().all()
    assert uncertain["share_is"].str.startswith("withheld: the sign of the total effect is not certain (P = 0.").all()
    opposed = mediated_share(tree(epsilon=None), therapy=(0.0,)).set_index("drug").loc["ketamine"]
    assert np.isnan(opposed["share"])
    assert opposed["share_is"] == "withheld: part and total may have opposite signs (P = 1.00)"


def test_a_share_that_is_its_prior_has_learned_nothing():
    prior = draws(b=[[-0.2, 0.1], [-0.1, 0.0], [0.0, 0.1], [0.1, 0.2]])
    table = mediated_share(xr.DataTree.from_dict({"/posterior": prior}), prior=prior, therapy=(0.0,))
    assert table["learned"].to_numpy() == pytest.approx(0)
    assert table["prior_p_most"].tolist() == table["p_most"].tolist()
    assert table["learned_slope"].to_numpy() == pytest.approx(0)
    assert set(table["rests_on"]) == {"the prior: nothing here says what the experience does to the outcome"}
