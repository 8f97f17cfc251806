"""Small-study terms: on the difference of drug and control, whatever the row's form, on both routes."""

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.decomposition.small_study import small_study_column


def two_forms(arm_row, contrast_row) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same two trials as arms and as differences."""
    arms, differences = [], []
    for trial, n, se in (("small", 10, 0.3), ("large", 90, 0.1)):
        arms += [
            arm_row(trial, "drug", -1.0, se, dose=1.0, n=n),
            arm_row(trial, "placebo", -0.4, se, n=n),
            arm_row(trial, "low", -0.7, se, dose=0.5, n=n),
        ]
        both = np.hypot(se, se)
        differences += [
            contrast_row(trial, "drug", "placebo", -0.6, both, n=(n, n), dose=1.0),
            contrast_row(trial, "low", "placebo", -0.3, both, n=(n, n), dose=0.5),
        ]
    return pd.DataFrame(arms), pd.DataFrame(differences)


@pytest.mark.parametrize(
    ("kind", "small"), [("pet", 0.18**0.5), ("peese", 0.18), ("pet_size", 0.2**0.5), ("peese_size", 0.2)]
)
def test_arms_and_differences_of_one_trial_carry_the_same_value(arm_row, contrast_row, kind, small):
    arms, differences = two_forms(arm_row, contrast_row)
    x = small_study_column(arms, kind)
    assert x[[0, 2]] == pytest.approx([small, small])
    assert x[[1, 4]].tolist() == [0, 0]  # the control arms carry none
    np.testing.assert_allclose(small_study_column(differences, kind), x[[0, 2, 3, 5]])


def test_what_compares_no_doses_carries_none(arm_row):
    alone = pd.DataFrame([arm_row("alone", "open", -2.0, 0.2, dose=1.0)])
    assert small_study_column(alone, "pet").tolist() == [0.0]


def test_unknown_terms_and_unknown_sizes_are_named(arm_row, contrast_row):
    arms, differences = two_forms(arm_row, contrast_row)
    with pytest.raises(ValueError, match="small_study = 'egger'; it must be one of pet, peese, pet_size, peese_size"):
        pp.decomposition_design(arms, small_study="egger")
    with pytest.raises(ValueError, match="needs n of both arms, not known for large: drug v placebo"):
        small_study_column(differences.assign(n_arm=[10.0, 10.0, np.nan, 10.0]), "pet_size")


def body(arm_row, contrast_row, *, slope: float, effect: float = -0.5) -> tuple[pd.DataFrame, pd.DataFrame]:
    """60 trials of two drugs, half of them arms and half differences, whose small trials exaggerate."""
    rng = np.random.default_rng(4)
    arms, differences = [], []
    for j in range(60):
        drug, n = ("LSD", "MDMA")[j % 2], int(rng.integers(8, 150))
        se = (2 / n) ** 0.5
        true = effect + 0.1 * rng.standard_normal() + slope * se
        cells = {"study_drug": drug, "drug_given": drug, "n": n}
        if j % 4 < 2:
            course = -0.5 + 0.2 * rng.standard_normal()
            noise = n**-0.5 * rng.standard_normal(2)
            arms += [
                arm_row(f"t{j}", "drug", course + true + noise[0], n**-0.5, dose=1.0, **cells),
                arm_row(f"t{j}", "placebo", course + noise[1], n**-0.5, **cells),
            ]
        else:
            y = true + se * rng.standard_normal()
            differences.append(
                contrast_row(
                    f"t{j}", "drug", "placebo", y, se, dose=1.0, **{k: v for k, v in cells.items() if k != "n"}
                )
            )
    return pd.DataFrame(arms), pd.DataFrame(differences)


def test_an_exaggeration_put_in_is_found_and_the_effect_of_large_trials_comes_back(arm_row, contrast_row):
    rows = body(arm_row, contrast_row, slope=-1.5)
    without = pp.effect_table(
        pp.relative_effects(pp.fit(pp.decomposition_design(*rows, terms={"drug"}), seed=1), therapy=(0.0,))
    )
    idata = pp.fit(pp.decomposition_design(*rows, terms={"drug"}, small_study="pet"), seed=1)
    with_term = pp.effect_table(pp.relative_effects(idata, therapy=(0.0,)))
    assert (without["ci_high"] < -0.5).all()
    assert ((with_term["ci_low"] < -0.5) & (with_term["ci_high"] > -0.5)).all()
    gamma = pp.effect_table(idata["posterior"].dataset["gamma"]).iloc[0]
    assert gamma["ci_low"] < -1.5 < gamma["ci_high"] < 0
    assert set(idata["posterior"].dataset["g"]["drug"].to_numpy()) == {"LSD", "MDMA"}


def test_contributions_still_add_up_and_the_ledger_knows_the_slope(arm_row, contrast_row):
    idata = pp.fit(pp.decomposition_design(*body(arm_row, contrast_row, slope=-1.0), small_study="peese"), seed=1)
    parts = pp.contributions(idata)
    assert "small study" in parts["term"].to_numpy()
    design = idata["constant_data"].dataset
    posterior = idata["posterior"].dataset
    slope = posterior["gamma"] + posterior["g"].sel(drug="LSD")
    row = int(np.flatnonzero(design["label" if "label" in design else "row"].to_numpy() == "t0: drug")[0])
    x = float(design["X"].sel(coefficient="gamma")[row])
    np.testing.assert_allclose(parts.isel(row=row).sel(term="small study"), slope * x)
    assert "small-study slope" in set(pp.identifiability(idata)["term"])


def test_without_the_term_nothing_changes(arm_row, contrast_row):
    rows = body(arm_row, contrast_row, slope=0.0)
    design = pp.decomposition_design(*rows)
    assert "gamma" not in design["coefficient"].to_numpy()
    assert "small_study" not in design.attrs


def test_the_samplers_slope_can_only_exaggerate_and_the_rest_of_its_density_is_the_same(arm_row, contrast_row):
    rows = body(arm_row, contrast_row, slope=-1.0)
    one_sided = pp.decomposition(*rows, terms={"drug"}, small_study="pet")
    design = pp.decomposition_design(*rows, terms={"drug"}, small_study="pet")
    both_sides = pp.gaussian_model(design.assign_attrs(one_sided=[]))
    assert "gamma_upperbound__" in [v.name for v in one_sided.value_vars] or "gamma_interval__" in [
        v.name for v in one_sided.value_vars
    ]
    at = both_sides.initial_point()
    at["gamma"] = np.array(-0.7)
    inside = one_sided.initial_point() | {k: v for k, v in at.items() if k != "gamma"}
    name = next(v.name for v in one_sided.value_vars if v.name.startswith("gamma"))
    inside[name] = np.array(np.log(0.7))  # the distance below 0, on the log scale
    halves = one_sided.compile_logp(jacobian=False)(inside) - both_sides.compile_logp(jacobian=False)(at)
    assert float(halves) == pytest.approx(np.log(2), abs=1e-9)
