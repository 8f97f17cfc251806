"""A forest from one fit: which trials are in it, their own contrasts and people, and the same in points of a scale."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.decomposition.forest import people_of


@pytest.fixture(scope="module")
def rows(arm_row, contrast_row):
    arms = [
        arm_row("one", "high", -1.0, 0.2, dose=1.0, n=20.0), arm_row("one", "half", -0.7, 0.2, dose=0.5, n=15.0),
        arm_row("one", "placebo", -0.2, 0.1, n=25.0), arm_row("two", "high", -0.9, 0.3, dose=1.0, n=10.0),
        arm_row("two", "waiting", 0.0, 0.3, waitlist=1.0, n=10.0), arm_row("alone", "high", -2.0, 0.2, dose=1.0, n=9.0),
    ]  # fmt: skip
    for row in arms:
        row["design"] = "single_arm" if row["trial"] == "alone" else "parallel"
    differences = [
        contrast_row("three", "high", "low", -0.4, 0.1, dose=1.0, reference={"dose": 0.2}, n=(30.0, 40.0)),
        contrast_row("four", "high", "none", -0.5, 0.2, dose=1.0, study_drug="ketamine", drug_given="ketamine"),
    ]
    return pd.DataFrame(arms), pd.DataFrame(differences).assign(design="parallel")


@pytest.fixture(scope="module")
def idata(rows):
    return pp.fit(pp.decomposition_design(*rows), seed=1, draws=400)


def test_a_forest_holds_the_trials_that_compare_doses_with_their_own_contrast_and_people(rows, idata):
    table = pp.forest_table(idata, *rows, seed=1)
    trials = table[table["kind"] == "trial"].set_index("label")
    assert set(trials.index) == {"one", "three", "four"}, "a waiting list is no dose of 0, and one arm compares nothing"
    assert trials.loc["one", ["observed", "observed_se"]].tolist() == pytest.approx([-0.8, 0.05**0.5])
    assert trials.loc["three", ["observed", "observed_se"]].tolist() == pytest.approx([-0.5, 0.125])
    assert trials.loc[["one", "three"], "n"].tolist() == [60.0, 70.0]
    assert np.isnan(trials.loc["four", "n"])
    own = pp.effect_table(pp.trial_effects(idata)).set_index("trial_drug")
    assert trials.loc["three", "mean"] == own.loc["three: psilocybin", "mean"]
    assert trials.loc["three", "text"].startswith(" 70 ")
    pooled = pp.effect_table(pp.relative_effects(idata)).query("drug == 'psilocybin' and therapy == 0")["mean"].item()
    assert table.query("kind == 'pooled' and drug == 'psilocybin'")["mean"].tolist() == [pooled]


def test_people_of_a_control_that_two_differences_share_count_once():
    shared = {
        "trial": "x",
        "drug_given": "LSD",
        "dose": 1.0,
        "kind": "contrast",
        "n": np.nan,
        "reference_arm": "placebo",
    }
    rows = pd.DataFrame([shared | {"arm": arm, "n_arm": 10.0, "n_reference": 12.0} for arm in ("a", "b")])
    assert people_of(rows)["n"].to_dict() == {("x", "LSD"): 32.0}


def test_one_drugs_forest_is_drawn_in_one_call_in_sds_or_in_points(rows, idata, build_evidence, save_figure):
    table = pp.forest_table(idata, *rows, drug="ketamine", seed=1)
    assert set(table["drug"]) == {"ketamine"}
    points = pp.in_points(table, build_evidence(), instrument="MADRS")
    one, other = pp.plot_forest(table), pp.plot_forest(points, unit="MADRS")
    save_figure(other)

    def rings(ax: plt.Axes) -> list[float]:
        return [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]

    assert rings(one) == pytest.approx([-0.5])
    assert rings(other) == pytest.approx([-5.0])
    text = [t.get_text() for t in other.texts]
    assert any(f"{10 * table['mean'].iloc[0]:5.1f} [" in t for t in text)
    assert other.get_xlabel() == "drug effect with 95 % interval (MADRS)"


def test_a_drug_that_no_trial_compares_is_refused(rows, idata):
    with pytest.raises(ValueError, match="drug = 'LSD'; the trials of this fit compare doses of"):
        pp.forest_table(idata, *rows, drug="LSD", seed=1)
