"""The ledger's figures show every row they are given."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from pillprocess.decomposition.plot_ledger import plot_identifiability, plot_influence

LEDGER = pd.DataFrame(
    {
        "term": ["therapy", "drug", "luck"],
        "evidence": [
            "between trials only; randomised only together with other terms",
            "randomised within trials",
            "prior only",
        ],
        "contraction": [0.5, 0.9, -0.02],
        "carried_by": ["a 10 %", "b 40 %", "c 0 %"],
        "entangled_with": ["", "therapy (r = -0.50)", ""],
    }
)
INFLUENCE = pd.DataFrame(
    {
        "trial": ["a", "b", "c"],
        "variable": ["delta", "delta", "psi"],
        "leverage": [0.25, 0.5, 0.1],
        "shift": [0.2, -0.9, 0.3],
    }
)


def test_the_ledgers_bars_are_its_contractions_in_the_colour_of_their_evidence(save_figure):
    ax = plot_identifiability(LEDGER)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["luck", "drug", "therapy"]
    assert [round(bar.get_width(), 6) for bar in ax.patches] == [0.0, 90.0, 50.0]
    assert len({bar.get_facecolor() for bar in ax.patches}) == 3
    texts = [text.get_text() for text in ax.texts]
    assert "most leverage: b 40\u00a0%; entangled with therapy (r\u00a0=\u00a0-0.50)" in texts
    save_figure(ax)
    plt.close(ax.figure)


def test_influence_is_drawn_from_the_largest_shift_down(save_figure):
    ax = plot_influence(INFLUENCE)
    assert [bar.get_width() for bar in ax.patches] == [0.2, -0.9]
    assert {"50 %", "25 %", "leverage", "← more improvement"} <= {text.get_text() for text in ax.texts}
    save_figure(ax)
    plt.close(ax.figure)


@pytest.mark.parametrize("width", ["one_column", "two_column"])
def test_the_ledgers_figures_have_their_print_width(width):
    for ax in (plot_identifiability(LEDGER.assign(n_trials=3), width=width), plot_influence(INFLUENCE, width=width)):
        assert ax.figure.get_figwidth() * 25.4 == pytest.approx({"one_column": 89, "two_column": 183}[width])
    assert "of k = 2 trials" in ax.get_xlabel().replace("\n", " ")
    plt.close("all")


def test_the_influence_of_an_unknown_term_is_refused():
    with pytest.raises(ValueError, match="variable = 'kappa' is not in the table; it has delta, psi"):
        plot_influence(INFLUENCE, variable="kappa")
