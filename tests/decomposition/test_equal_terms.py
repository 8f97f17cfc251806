"""Hypotheses on equal terms: the one that is true is not rejected for what varies between trials in all of them."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import pillprocess as pp

SIMULATION = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "equal_terms.py"))


@pytest.mark.parametrize("truth", ["process", "pill"])
def test_a_true_hypothesis_is_hardly_ever_rejected_and_the_empty_one_always_is(truth):
    log_bf = SIMULATION["compare_all"](SIMULATION["real_rows"](), truth, replications=5, seed=11)
    (row,) = SIMULATION["summary"](log_bf).to_dict("records")
    assert row["truth rejected"] <= 0.2
    assert row["rejects course"] == 1
    assert np.isfinite(log_bf.drop(columns="truth").to_numpy()).all()


TERMS = {
    "delta": ("drug", 0.7),
    "kappa": ("drug:therapy", 0.35),
    "psi": ("therapy", 0.7),
    "epsilon": ("expectancy", 0.5),
    "beta": ("experience", 0.5),
}


@pytest.mark.parametrize("variable", list(TERMS))
def test_a_term_whose_prior_shrinks_to_nothing_is_no_term_and_the_bayes_factor_is_1(variable):
    arms = pp.arm_changes(pp.load_evidence())
    arms = arms[arms["trial"].isin([*arms["trial"].unique()[:12], "davis2021", "rosenblat2024"])]
    term, prior_sd = TERMS[variable]
    others = {"drug", "therapy"} if variable == "kappa" else set()
    null, design = (pp.decomposition_design(arms, terms=terms) for terms in (others, others | {term}))
    curve = pp.bayes_factor_curve(design, null, variable=variable, prior_sds=[1e-4, prior_sd])
    assert curve["bayes_factor"][0] == pytest.approx(1, abs=2e-3)
    usual = pp.bayes_factors({"null": null, "with": design}).loc["with", "log_bayes_factor"]
    assert curve["log_bayes_factor"][1] == pytest.approx(usual, abs=2e-3)
