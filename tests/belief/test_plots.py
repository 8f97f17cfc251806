"""Figures of belief: what they draw is what the tables hold."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import to_rgb

from pillprocess.belief.plots import (
    ORDER_STYLE,
    plot_belief_bounds,
    plot_belief_split,
    plot_blinding,
    plot_guess_rate,
    plot_moderation,
)


@pytest.fixture(autouse=True)
def off_screen():
    backend = mpl.get_backend()
    mpl.use("Agg")
    yield
    plt.close("all")
    mpl.use(backend)


def test_blinding_draws_bangs_index_alone_and_counts_beside_it(save_figure):
    table = pd.DataFrame(
        {"arm": ["drug", "placebo", "drug + placebo", "old"], "trial": ["x", "x", "x", "y"], "index": ["Bang", "Bang", "James", "Bang"],
         "guesser": ["participant", "rater", "participant", "participant"], "n": [20, 18, 38, np.nan], "correct": [15, 9, 24, np.nan],
         "mean": [0.5, 0.0, 0.4, np.nan], "ci_low": [0.1, -0.4, 0.2, np.nan], "ci_high": [0.8, 0.4, 0.5, np.nan]}
    )  # fmt: skip
    ax = plot_blinding(table)
    save_figure(ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["x: drug", "x: placebo (rater)"]
    assert {"15 of 20", "9 of 18", "guessed right"} <= {t.get_text() for t in ax.texts}
    assert [t.get_text() for t in ax.get_xticklabels()][::2] == [
        "\N{MINUS SIGN}1\nall wrong",
        "0\ncoin tosses",
        "1\nall right",
    ]
    np.testing.assert_allclose(ax.lines[-1].get_xdata(), [0.5, 0.0])


def test_two_counts_of_one_trial_are_told_apart_by_their_label():
    table = pd.DataFrame(
        {"arm": "all", "trial": ["x", "x", "y"], "guesser": "participant", "index": "Bang", "n": 60, "correct": [40, 35, 50],
         "label": ["count A", "count B", "count C"], "mean": 0.3, "ci_low": 0.1, "ci_high": 0.5}
    )  # fmt: skip
    names = [t.get_text() for t in plot_blinding(table).get_yticklabels()]
    assert names == ["x: arms pooled, count A", "x: arms pooled, count B", "y: arms pooled"]


def bounds() -> pd.DataFrame:
    rows = [("belief_first", "te", -4), ("belief_first", "through_belief", -3), ("belief_first", "not_through_belief", -1),
            ("belief_first", "belief_difference", 0.4), ("outcome_first", "te", -4), ("outcome_first", "through_belief", 0),
            ("outcome_first", "not_through_belief", -4)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["order", "estimand", "mean"])
    return table.assign(ci_low=table["mean"] - 1, ci_high=table["mean"] + 1, prior_low=-9, prior_high=9)


def test_bounds_draw_both_orders_of_each_part(save_figure):
    ax = plot_belief_bounds(bounds(), unit="points")
    save_figure(ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["total effect", "through belief", "not through belief"]
    drawn = [line.get_xdata().tolist() for line in ax.lines[1:] if len(line.get_xdata()) == 3]
    assert drawn == [[-4, -3, -1], [-4, 0, -4]]
    beyond = [line.get_marker() for line in ax.lines if line.get_marker() in ("<", ">")]
    assert sorted(beyond) == ["<"] * 6 + [">"] * 6, "the priors reach beyond the axis"
    assert "points" in ax.get_xlabel()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "belief acts on the outcome", "the guess follows the outcome", "prior"
    ]  # fmt: skip
    assert "← improvement" in {t.get_text() for t in ax.texts}
    assert "← worsening" in {t.get_text() for t in plot_belief_bounds(bounds(), higher_is_worse=False).texts}


def test_the_split_names_its_correlation(save_figure):
    rng = np.random.default_rng(1)
    x = rng.normal(-2, 1, (4, 500))
    effects = xr.Dataset({"through_belief": (("chain", "draw"), x), "through_experience": (("chain", "draw"), -4 - x)})
    ax = plot_belief_split(effects)
    save_figure(ax)
    assert "posterior correlation -1.00" in ax.get_title(loc="left")


def test_a_split_without_an_experience_is_refused():
    with pytest.raises(ValueError, match="no part through an experience; fit unblinding with one"):
        plot_belief_split(xr.Dataset({"through_belief": (("chain", "draw"), [[0.0]])}))


def test_the_guess_rate_curve_is_labelled_a_description(save_figure):
    curve = pd.DataFrame(
        {"correct_guess_rate": [0, 0.5, 1, 0.7], "difference": [2, 0, -2, -0.8], "se": 0.5, "ci_low": -3, "ci_high": 3,
         "observed": [0, 0, 0, 1]}
    )  # fmt: skip
    ax = plot_guess_rate(curve)
    save_figure(ax)
    assert "A description, not an effect of the drug" in ax.get_title(loc="left")
    assert "improvement" not in ax.get_ylabel()
    assert "down is improvement" in plot_guess_rate(curve, higher_is_worse=True).get_ylabel()
    assert "up is improvement" in plot_guess_rate(curve, higher_is_worse=False).get_ylabel()
    assert ax.lines[1].get_xdata().tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("column", ["at", "expectation_sd"])
def test_moderation_draws_the_effect_by_expectation(save_figure, column):
    table = pd.DataFrame({column: [-1.0, 0.0, 1.0], "mean": [-0.2, -0.5, -0.8], "ci_low": -1.2, "ci_high": 0.3})
    ax = plot_moderation(table)
    save_figure(ax)
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), [-0.2, -0.5, -0.8])
    assert "before dosing" in ax.get_xlabel()
    assert "down is improvement" in ax.get_ylabel()


def test_the_two_orders_are_told_apart_on_a_grey_print():
    light = [np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) for colour, _, _ in ORDER_STYLE.values()]
    assert abs(light[0] - light[1]) > 0.4
    assert len({marker for _, marker, _ in ORDER_STYLE.values()}) == 2


@pytest.mark.parametrize(("width", "mm"), [("one_column", 89), ("two_column", 183), ((120.0, 60.0), 120)])
def test_every_figure_has_the_print_width_and_title_asked_for(width, mm):
    rng = np.random.default_rng(1)
    draws = xr.Dataset(
        {n: (("chain", "draw"), rng.normal(size=(2, 50))) for n in ("through_belief", "through_experience")}
    )
    blinding = pd.DataFrame(
        {"arm": ["drug"], "index": ["Bang"], "n": [20], "correct": [15], "mean": [0.5], "ci_low": 0.1, "ci_high": 0.8}
    )
    moderation = pd.DataFrame({"at": [-1.0, 1.0], "mean": [-0.2, -0.8], "ci_low": -1.2, "ci_high": 0.3})
    curve = pd.DataFrame(
        {"correct_guess_rate": [0, 1, 0.7], "difference": [2, -2, -0.8], "se": 0.5, "ci_low": -3, "ci_high": 3, "observed": [0, 0, 1]}
    )  # fmt: skip
    for plot, table in (
        (plot_blinding, blinding), (plot_belief_bounds, bounds()), (plot_belief_split, draws), (plot_guess_rate, curve),
        (plot_moderation, moderation),
    ):  # fmt: skip
        ax = plot(table, width=width, title="n = 40 people")
        assert ax.figure.get_figwidth() * 25.4 == pytest.approx(mm)
        assert ax.figure.get_suptitle() == "n = 40 people"
