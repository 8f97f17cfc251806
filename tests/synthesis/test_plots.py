"""Figures and words of the synthesis, from hand-written tables."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pillprocess.synthesis.plots import (
    PATH_NAMES,
    plot_path_effects,
    plot_paths,
    plot_pooling,
    plot_share_curve,
    plot_without,
)
from pillprocess.synthesis.words import synthesis_answer

DRUGS = ("psilocybin", "ketamine")


def path_rows():
    rows = [
        {"path": path, "drug": drug, "therapy": therapy, "mean": -0.1 * (i + 1), "ci_low": -0.1 * (i + 1) - 0.3, "ci_high": 0.2,
         "n_trials": 3 * given, "n_people": 90 * given}
        for i, path in enumerate(PATH_NAMES) for drug in DRUGS for therapy in (0.0, 1.0)
        for given in [int((drug == "psilocybin") == (therapy == 1.0))]
    ]  # fmt: skip
    return pd.DataFrame(rows)


def removal():
    rows = [
        {"without": kind, "drug": drug, **{f"{p}{e}": v for p, v in (("total", -0.8), ("direct", -0.3), ("experience", x))
         for e, v in (("", v), ("_low", v - 0.4), ("_high", v + 0.3))}, "p_most": 0.3, "shift": shift}
        for kind, x, shift in (("nothing", -0.3, 0.0), ("treatment guesses", -0.31, -0.1), ("acute scores", -0.05, 1.2)) for drug in DRUGS
    ]  # fmt: skip
    return pd.DataFrame(rows)


def fit():
    rng = np.random.default_rng(1)

    def draws(centre, dim=None):
        dims = ("chain", "draw") if dim is None else ("chain", "draw", dim)
        return dims, centre + 0.1 * rng.standard_normal((2, 50, 2) if dim else (2, 50))

    scalars = {name: draws(0.3) for name in ("g_drug", "g_experience", "epsilon", "g_0", "tau_belief")}
    posterior = xr.Dataset(
        {"direct": draws(-0.3, "drug"), "a": draws(2.5, "drug"), "b": draws(-0.1, "drug")} | scalars,
        coords={"drug": list(DRUGS), "dimension": ["mystical", "dissociative"]},
        attrs={"experiences": '{"psilocybin": "mystical", "ketamine": "dissociative"}'},
    )
    return xr.DataTree.from_dict({"/posterior": posterior})


@pytest.mark.parametrize("width", ["one_column", "two_column"])
def test_every_path_and_drug_is_drawn_and_what_no_trial_gave_is_open(width, save_figure):
    ax = plot_path_effects(path_rows(), therapy=1.0, width=width, title="By path")
    assert [t.get_text() for t in ax.get_yticklabels()] == list(PATH_NAMES.values())
    markers = [line for line in ax.lines if len(line.get_xdata()) == 1 and line.get_marker() in ("o", "s")]
    assert len(markers) == 2 * len(PATH_NAMES)
    assert {line.get_markerfacecolor() for line in markers if line.get_marker() == "s"} == {"white"}
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "psilocybin, k = 3, n = 90", "ketamine, k = 0, n = 0", "no such trial: carried over"
    ]  # fmt: skip
    save_figure(ax)


def test_an_estimate_that_rounds_to_zero_has_no_minus_sign():
    draws = fit()
    draws["posterior"] = draws["posterior"].dataset.assign(direct=0 * draws["posterior"]["direct"] - 0.001)
    text = " ".join(t.get_text() for t in plot_paths(draws, drug="psilocybin").texts)
    assert "direct 0.00\n[0.00, 0.00]" in text


def test_arrows_carry_their_estimates(save_figure):
    ax = plot_paths(fit(), drug="psilocybin", title="Paths")
    assert ax.figure.get_suptitle() == "Paths"
    text = " ".join(t.get_text() for t in ax.texts)
    assert "mystical experience" in text
    assert re.search(r"a 2\.\d\d SD", text)
    assert "per SD" in text
    assert "negative is improvement" in text.replace("\n", " ")
    with pytest.raises(ValueError, match="drug = 'aspirin'; the fit knows psilocybin, ketamine"):
        plot_paths(fit(), drug="aspirin")
    save_figure(ax)


def test_curve_runs_from_epiphenomenon_to_causal(save_figure):
    share = np.linspace(0, 1, 5)
    rows = [
        {"drug": "psilocybin", "therapy": 1.0, "n_trials": 9, "causal_share": s, "path": path,
         "mean": m * s, "ci_low": m * s - 0.2, "ci_high": m * s + 0.2}
        for path, m in (("experience", -1.0), ("direct", 0.4)) for s in share
    ]  # fmt: skip
    ax = plot_share_curve(pd.DataFrame(rows), drug="psilocybin", title="What if?")
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_allclose(drawn["through the experience"], -share)
    assert ax.get_xticklabels()[-1].get_text() == "1\nall causal"
    assert "effect of psilocybin" in ax.get_ylabel()
    assert "(with therapy, k = 9)" in ax.get_xlabel()
    save_figure(ax)


def test_each_kind_that_was_removed_has_its_row(save_figure):
    ax = plot_without(removal(), drug="ketamine", title="Without")
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        "all the evidence",
        "without treatment guesses",
        "without acute scores",
    ]
    save_figure(ax)
    narrow = plot_without(removal(), drug="ketamine", width="one_column")
    assert narrow.get_yticklabels()[1].get_text() == "without treatment guesses"
    longer = removal().replace({"without": {"acute scores": "experience-outcome associations"}})
    labels = [t.get_text() for t in plot_without(longer, drug="ketamine", width="one_column").get_yticklabels()]
    assert labels[2] == "without experience-outcome\nassociations"


POOLING = ("pooled as far as the data say", "no pooling between drugs", "own trials only")


@pytest.mark.parametrize("width", ["one_column", "two_column"])
def test_own_trials_and_no_pooling_stand_beside_the_pooled_answer(width, save_figure):
    rows = pd.concat(
        [path_rows().assign(pooling=name, mean=lambda t, i=i: t["mean"] - 0.05 * i) for i, name in enumerate(POOLING)]
    )
    ax = plot_pooling(rows, drug="ketamine", width=width, title="What other drugs say")
    assert [t.get_text().replace("\n", " ") for t in ax.get_yticklabels()] == list(POOLING)
    drawn = {line.get_label(): line.get_xdata() for line in ax.lines}
    np.testing.assert_allclose(drawn["total effect"], [-0.1, -0.15, -0.2])
    save_figure(ax)


def answer(conflict):
    same = {
        "therapy": 1.0, "n_trials": 3, "p_most": 0.34, "p_process": 0.74, "prior_p_most": 0.23, "prior_p_process": 0.41,
        "rests_on": "evidence and prior",
    }  # fmt: skip
    shares = pd.DataFrame([same | {"drug": d, "learned_slope": x} for d, x in zip(DRUGS, (0.68, 0.85), strict=True)])
    p = {
        "p_half": 0.6,
        "p_larger": 0.3,
        "p_none": 0.2,
        "prior_p_half": 0.5,
        "prior_p_larger": 0.31,
        "prior_p_none": 0.33,
    }
    informed = pd.concat([path_rows().assign(transport=scale) for scale in (np.nan, 0.3)])
    choices = path_rows().assign(choice="all of the association is causal")
    tables = {
        "synthesis_effects": path_rows(), "synthesis_share": shares, "synthesis_choices": choices[choices["therapy"] == 1.0],
        "synthesis_without": removal(), "synthesis_conflict": pd.DataFrame(conflict),
        "synthesis_causal_share": pd.DataFrame([p | {"drug": drug} for drug in DRUGS]),
        "synthesis_share_pooling": pd.concat([shares.assign(pooling=name) for name in POOLING]),
        "synthesis_power": pd.DataFrame([{"truth": "none of it does", "drug": "MDMA", "datasets": 40, "above": 1, "below": 2}]),
        "synthesis_informed": informed,
        "synthesis_outside": pd.DataFrame({"term": ["belief", "course"], "verdict": ["they conflict", "no conflict seen"]}),
    }  # fmt: skip
    return " ".join(synthesis_answer(tables, "Nothing is decided.", drug="psilocybin"))


ROW = {
    "question": "slope", "drug": "psilocybin", "one": "within-arm associations", "one_mean": -0.5, "other": "dose comparisons",
    "other_mean": -0.2, "p": 0.2, "p_corrected": 0.4, "power": 0.21, "verdict": "no disagreement seen",
}  # fmt: skip


def test_the_answer_takes_its_numbers_from_the_tables():
    text = answer([ROW])
    assert "psilocybin -0.10 [-0.40, 0.20] in all, of which -0.40 [-0.70, 0.20] through the experience" in text
    assert (
        "more than half of the drug's effect runs through the experience, and before the data in brackets: ketamine 0.34 (0.23); "
        "psilocybin 0.34 (0.23)." in text
    )
    assert "the interaction with therapy): ketamine 0.74 (0.41); psilocybin 0.74 (0.41)." in text
    assert "psilocybin 0.34 pooled as far as the data say, 0.34 no pooling between drugs, 0.34 own trials only" in text
    assert (
        "In 40 data sets simulated at its shape, the probability that more than half of a drug's effect runs through the experience came "
        "out above .95, and below .05, if none of it does: MDMA in 1 and 2." in text
    )
    assert (
        "is causal, and before the data in brackets: psilocybin 0.60 (0.50), that the causal slope is larger than the "
        "association 0.30 (0.31)" in text
    )
    assert (
        "psilocybin -0.10 [-0.40, 0.20] in all, -0.40 [-0.70, 0.20] through the experience and -0.50 [-0.80, 0.20] through belief"
        in text
    )
    assert "Between trials here and elsewhere they conflict on belief." in text
    assert (
        "rests most on its prior for psilocybin (68 % of its prior variance was removed; it rests on evidence and prior)"
        in text
    )
    assert "psilocybin's experience alone would do -0.40, more than the whole drug (-0.10)" in text
    assert "leans most on acute scores" in text
    assert "moves by +1.2 of its posterior SDs, to -0.05 [-0.45, 0.25]" in text
    assert (
        "set against one another; no disagreement was seen. The nearest: for psilocybin, within-arm associations (-0.50)"
        in text
    )
    assert (
        "p = 0.20 (0.40 corrected for the number of comparisons; the chance to see a difference as large as the whole effect was 0.21)"
        in text
    )
    assert text.endswith("Nothing is decided.")


def test_disagreement_and_its_absence_are_said():
    text = answer([ROW, ROW | {"drug": "LSD", "p": 0.01, "p_corrected": 0.02, "verdict": "they disagree"}])
    assert (
        "disagree: for LSD, within-arm associations (-0.50) against dose comparisons (-0.20), p = 0.01 (0.02 corrected"
        in text
    )
    assert "could not be set against one another" in answer([])
