"""Funnels: the table's curves, and what is drawn."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pillprocess import bias_adjusted, funnel_table, plot_funnel, plot_funnels


@pytest.fixture(scope="module")
def adjusted():
    rng = np.random.default_rng(3)
    se = rng.uniform(0.1, 0.6, 24)
    rows = pd.DataFrame(
        {
            "trial": [f"t{i:02d}" for i in range(24)], "drug": ["psilocybin"] * 14 + ["MDMA"] * 10,
            "se": se, "n_arm": 10.0, "n_reference": 9.0,
            "y": -0.3 - 0.8 * se + se * rng.standard_normal(24),
        }
    )  # fmt: skip
    return bias_adjusted(rows)


def test_each_contrast_has_its_p_value_its_people_and_the_curves_at_its_size(adjusted):
    table = funnel_table(adjusted)
    assert len(table) == 24
    assert (table["n"] == 19).all()
    np.testing.assert_allclose(table["p"], stats.norm.cdf(table["y"] / table["se"]))
    own = table[table["drug"] == "MDMA"]
    pet = adjusted.effects.set_index(["drug", "estimate"]).loc[("MDMA", "PET"), "mean"]
    np.testing.assert_allclose(own["pet"], pet + own["pet_slope"] * own["se"])
    assert (table["pet_slope"] < 0).all()
    assert own["largest"].sum() < 5
    assert own["se"].is_monotonic_increasing


def test_a_funnel_names_the_largest_trials_and_draws_four_curves(adjusted, save_figure):
    table = funnel_table(adjusted)
    ax = plot_funnel(table, drug="MDMA", title="MDMA")
    save_figure(ax)
    names = {text.get_text() for text in ax.texts}
    assert set(table[table["largest"] & (table["drug"] == "MDMA")]["trial"].head(5)) <= names
    assert sum(len(line.get_xdata()) == 100 for line in ax.lines) == 4
    assert ax.get_ylim()[0] > ax.get_ylim()[1] == 0  # the most precise are on top
    with pytest.raises(ValueError, match="drug = 'DMT': the table has no contrast of it; it has MDMA, psilocybin"):
        plot_funnel(table, drug="DMT")


def test_all_drugs_stand_in_one_figure_at_both_widths(adjusted, save_figure):
    table = funnel_table(adjusted)
    ax = plot_funnels(table, title="Does the effect fall with size?")
    save_figure(ax)
    titles = [one.get_title(loc="left") for one in ax.figure.axes]
    assert titles[:2] == ["psilocybin (k = 14 trials)", "MDMA (k = 10 trials)"]
    narrow = plot_funnels(table, width="one_column")
    assert narrow.figure.get_figwidth() * 25.4 == pytest.approx(89)
    save_figure(plot_funnel(table))
