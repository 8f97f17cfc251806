"""Each figure has the rows, labels and marks its table asks for; run with --save-figures to look at them."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.decomposition.estimands import TERM_ORDER
from pillprocess.output.visual_style import DRUG_COLOURS, DRUG_MARKERS, TERM_COLOURS, TERM_NAMES


@pytest.fixture(autouse=True)
def off_screen():
    backend = mpl.get_backend()
    mpl.use("Agg")
    yield
    plt.close("all")
    mpl.use(backend)


def ticks(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def written(ax):
    """Every text of the figure, once it has been drawn without a warning."""
    ax.figure.canvas.draw()
    return [text.get_text() for text in ax.findobj(mpl.text.Text)]


def nothing_is_cut_off(ax):
    """Whether every text lies inside the figure; Matplotlib keeps numbers of the axis beyond its limits, which it does not draw."""
    ax.figure.canvas.draw()
    frame = ax.figure.bbox.padded(1.5)
    numbers = set(ax.get_xticklabels())
    texts = [t for t in ax.figure.findobj(mpl.text.Text) if t.get_text().strip() and t not in numbers]
    inside = [frame.containsx(e.x0) and frame.containsx(e.x1) for e in (t.get_window_extent() for t in texts)]
    return all(inside)


def forest_table():
    rows = [
        ("goodwin2022", "psilocybin", "trial", -0.69, -1.01, -0.37, -0.67),
        ("fava2018", "ketamine", "trial", -0.76, -1.54, -0.10, -4.10),
        ("griffiths2016", "psilocybin", "trial", -1.35, -1.87, -0.87, -1.68),
        ("ketamine alone", "ketamine", "pooled", -0.63, -0.85, -0.41, np.nan),
        ("psilocybin with therapy", "psilocybin", "pooled", -0.84, -1.05, -0.65, np.nan),
        ("new trial, with therapy", "psilocybin", "predictive", -0.84, -1.52, 0.15, np.nan),
    ]
    return pd.DataFrame(rows, columns=["label", "drug", "kind", "mean", "ci_low", "ci_high", "observed"])


def test_a_forest_groups_its_rows_by_drug_in_a_fixed_order(save_figure):
    table = forest_table()
    table["text"] = [f"{m:5.2f}" for m in table["mean"]]
    ax = pp.plot_forest(table, title="Drug effects")
    save_figure(ax)
    assert isinstance(ax, plt.Axes)
    # from the top: each drug's heading, then its rows in the order of the table; ticks count from the bottom
    assert ticks(ax)[::-1] == [
        "psilocybin: k = 2", "goodwin2022", "griffiths2016", "psilocybin with therapy", "new trial, with therapy",
        "ketamine: k = 1", "fava2018", "ketamine alone",
    ]  # fmt: skip
    assert ax.get_yticks().tolist() == list(range(8))
    weights = dict(zip(ticks(ax), [t.get_fontweight() for t in ax.get_yticklabels()], strict=True))
    assert [weights[label] for label in ("goodwin2022", "ketamine alone")] == ["normal", "bold"]
    assert {"-0.69", "-1.35", "← favours drug", "favours control →"} <= set(written(ax))
    assert legend(ax) == ["trial, by the model", "its own contrast", "pooled", "in a new trial"]
    assert ax.get_xlabel() == "drug effect with 95 % interval (reference SD)"
    assert ax.figure.get_suptitle() == "Drug effects"
    assert nothing_is_cut_off(ax)


def test_a_forest_marks_what_lies_beyond_its_axis():
    ax = pp.plot_forest(forest_table())
    left, right = ax.get_xlim()
    assert (left, right) == pytest.approx((-1.95, 0.23))
    beyond = [line for line in ax.lines if line.get_marker() in "<>"]
    assert [(line.get_marker(), line.get_xdata()[0], line.get_ydata()[0]) for line in beyond] == [("<", left, 1)]
    rings = sorted(line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o")
    assert rings == [-1.68, -0.67]


def test_a_forest_counts_trials_and_people_and_marks_a_sum_that_lacks_some():
    table = forest_table().assign(n=[233.0, 99.0, np.nan, np.nan, np.nan, np.nan])
    headings = [t for t in ticks(pp.plot_forest(table)) if "k = " in t]
    assert headings == ["ketamine: k = 1, n = 99", "psilocybin: k = 2, n = 233+"]


def test_an_interval_wider_than_the_axis_ends_in_triangles():
    table = forest_table().assign(ci_low=-9.0, ci_high=9.0)
    ax = pp.plot_forest(table)
    assert ax.get_xlim() == pytest.approx((-2.68, 1.68))
    marks = [line.get_marker() for line in ax.lines]
    # six intervals, and the contrast of fava2018
    assert (marks.count("<"), marks.count(">")) == (7, 6)


def test_a_forest_needs_neither_contrasts_nor_text():
    ax = pp.plot_forest(forest_table().drop(columns="observed").query("kind != 'predictive'"), unit="points")
    assert legend(ax) == ["trial, by the model", "pooled"]
    assert ax.get_xlabel() == "drug effect with 95 % interval (points)"
    assert nothing_is_cut_off(ax)


def contributions_table():
    rows = {
        "davis2021: immediate": {
            "course": -0.48,
            "waitlist": 0.0,
            "therapy": -0.13,
            "drug": -1.31,
            "drug:therapy": -0.21,
        },
        "davis2021: waitlist": {"course": -0.48, "waitlist": 0.28, "therapy": 0.0, "drug": 0.0, "drug:therapy": 0.0},
    }
    long = [{"row": row, "term": t, "mean": v} for row, terms in rows.items() for t, v in terms.items()]
    return pd.DataFrame(long).assign(experience=0.0)


def test_contributions_are_stacked_left_for_improvement_and_right_for_worsening(save_figure):
    table = contributions_table()
    table["observed"] = table["row"].map({"davis2021: immediate": -2.34, "davis2021: waitlist": 0.16})
    table["n"] = table["row"].map({"davis2021: immediate": 13.0})
    ax = pp.plot_contributions(table, title="What each arm's change is made of")
    save_figure(ax)
    assert ticks(ax) == ["davis2021: immediate", "davis2021: waitlist"]
    assert ax.get_yticks().tolist() == [1, 0]
    assert legend(ax) == [
        "course (control condition)", "waiting list", "therapy", "drug", "drug x therapy", "expected change", "observed change",
    ]  # fmt: skip
    assert sorted(min(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches if bar.get_width())[0] == (
        pytest.approx(-2.13)
    )
    assert [t.get_text() for t in ax.texts][:2] == ["n = 13", "n = ?"]
    waitlist = [bar for bar in ax.patches if bar.get_facecolor() == mpl.colors.to_rgba(TERM_COLOURS["waitlist"])]
    assert [(bar.get_x(), bar.get_width()) for bar in waitlist] == [(0, 0), (0, 0.28)]
    diamonds, rings, _ = ax.lines
    np.testing.assert_allclose(diamonds.get_xdata(), [-2.13, -0.20])
    np.testing.assert_allclose(rings.get_xdata(), [-2.34, 0.16])
    assert {"← improved", "worse →"} <= set(written(ax))
    assert nothing_is_cut_off(ax)


def test_terms_that_are_zero_everywhere_are_left_out_of_the_legend():
    table = contributions_table().query("row == 'davis2021: immediate'")
    assert "waiting list" not in legend(pp.plot_contributions(table))


def predictive_table():
    return pd.DataFrame(
        {
            "row": ["a: drug", "a: placebo", "b: high v low"],
            "study_drug": ["psilocybin", "psilocybin", "LSD"],
            "y": [-1.5, 0.4, -0.6],
            "ci_low": [-2.0, -1.0, -1.2],
            "ci_high": [-1.0, 0.2, 0.1],
            "inside": [True, False, True],
        }
    )


def test_a_predictive_check_fills_the_rows_outside_their_interval_and_counts_the_others(save_figure):
    ax = pp.plot_predictive_check(predictive_table())
    save_figure(ax)
    assert ticks(ax) == ["a: drug", "a: placebo", "b: high v low"]
    assert ax.figure.get_suptitle() == "2 of 3 rows inside their 95 % predictive interval"
    assert pp.plot_predictive_check(predictive_table(), title="Check").figure.get_suptitle() == "Check"
    hollow, filled, other, none, _ = ax.lines
    np.testing.assert_array_equal(hollow.get_xydata(), [[-1.5, 2]])
    np.testing.assert_array_equal(filled.get_xydata(), [[0.4, 1]])
    np.testing.assert_array_equal(other.get_xydata(), [[-0.6, 0]])
    assert len(none.get_xydata()) == 0
    assert [line.get_marker() for line in (hollow, other)] == [DRUG_MARKERS["psilocybin"], DRUG_MARKERS["LSD"]]
    assert legend(ax) == ["psilocybin", "LSD", "outside"]
    (intervals,) = ax.collections
    np.testing.assert_array_equal([s[:, 0] for s in intervals.get_segments()], [[-2, -1], [-1, 0.2], [-1.2, 0.1]])
    assert nothing_is_cut_off(ax)


def test_prior_and_posterior_are_drawn_side_by_side_with_what_was_learned(save_figure):
    table = pd.DataFrame(
        {
            "parameter": ["drug (delta)", "drug x therapy (kappa)"], "prior_low": [-1.37, -0.69], "prior_high": [1.37, 0.69],
            "variable": ["delta", "kappa"],
            "mean": [-0.65, -0.18], "ci_low": [-0.9, -0.43], "ci_high": [-0.41, 0.12], "contraction": [0.969, 0.84],
        }
    )  # fmt: skip
    ax = pp.plot_prior_posterior(table, title="Terms")
    save_figure(ax)
    assert ticks(ax) == ["drug (delta)", "drug x therapy (kappa)"]
    assert {"97 %", "84 %", "learned", "← improves", "worsens →"} <= set(written(ax))
    assert legend(ax) == ["prior", "posterior, in the term's colour"]
    prior, posterior = ax.collections
    assert posterior.get_color().tolist() == [
        list(mpl.colors.to_rgba(TERM_COLOURS[t])) for t in ("drug", "drug:therapy")
    ]
    np.testing.assert_allclose([s[:, 0] for s in prior.get_segments()], [[-1.37, 1.37], [-0.69, 0.69]])
    np.testing.assert_allclose([s[:, 0] for s in posterior.get_segments()], [[-0.9, -0.41], [-0.43, 0.12]])
    assert nothing_is_cut_off(ax)


@pytest.mark.parametrize(
    ("plot", "table"),
    [
        (pp.plot_forest, forest_table),
        (pp.plot_contributions, contributions_table),
        (pp.plot_predictive_check, predictive_table),
    ],
)
def test_a_figure_can_be_drawn_on_axes_that_are_there(plot, table):
    _, (one, other) = plt.subplots(1, 2, layout="constrained")
    assert plot(table(), ax=other) is other
    assert not one.lines
    assert other.figure.get_suptitle() == ("" if plot is not pp.plot_predictive_check else other.figure.get_suptitle())


@pytest.mark.parametrize("width", ["one_column", "two_column", (120.0, 90.0)])
@pytest.mark.parametrize(
    ("plot", "table"),
    [
        (pp.plot_forest, forest_table),
        (pp.plot_contributions, contributions_table),
        (pp.plot_predictive_check, predictive_table),
    ],
)
def test_a_figure_has_its_print_width_and_nothing_is_cut_off(plot, table, width):
    ax = plot(table(), width=width, title="A title that is longer than one column of a journal page is wide")
    size = ax.figure.get_size_inches() * 25.4
    assert size[0] == pytest.approx({"one_column": 89.0, "two_column": 183.0}.get(width, 120.0))
    assert width != (120.0, 90.0) or size[1] == pytest.approx(90.0)
    assert nothing_is_cut_off(ax)
    sizes = {t.get_fontsize() for t in ax.figure.findobj(mpl.text.Text) if t.get_text().strip()}
    assert min(sizes) >= 6
    assert max(sizes) <= 8


def test_labels_of_rows_are_cut_in_one_column_only():
    table = predictive_table().assign(row=["dakwar2019: ketamine_0.5_mbrp v midazolam_0.025_mbrp", "b", "c"])
    assert ticks(pp.plot_predictive_check(table, width="one_column"))[0] == "dakwar2019: ketamine_0.5_mbrp v m…"
    assert ticks(pp.plot_predictive_check(table))[0] == table["row"][0]


def test_every_term_and_every_drug_has_its_own_colour():
    assert set(TERM_COLOURS) == set(TERM_NAMES) == set(TERM_ORDER)
    assert set(DRUG_COLOURS) == {*pp.drugs_of(pp.load_evidence()), "all"}
    for colours in (TERM_COLOURS, DRUG_COLOURS):
        assert len(set(colours.values())) == len(colours)


def test_the_figures_of_the_evidence_have_a_row_for_each_row(save_figure):
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    design = pp.decomposition_design(arms, pp.contrasts(evidence, besides=arms))
    idata = pp.fit(design, seed=1, draws=100)
    checked = pp.plot_predictive_check(pp.predictive_check(idata))
    assert ticks(checked) == design["row"].to_numpy().tolist()
    split = pp.plot_contributions(pp.effect_table(pp.contributions(idata)))
    assert ticks(split) == design["row"].to_numpy().tolist()
    terms = pp.plot_prior_posterior(pp.contraction(idata))
    assert len(ticks(terms)) == 5
    for ax in (checked, split, terms):
        assert nothing_is_cut_off(ax)
    save_figure(split)
