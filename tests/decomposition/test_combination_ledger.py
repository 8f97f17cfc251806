"""The ledger of combinations of coefficients, against the ledger of the terms, exact summaries, and a finer quadrature of the SD."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import pillprocess as pp
from pillprocess.decomposition.combination_ledger import combination_ledger
from pillprocess.decomposition.information import SHARES
from pillprocess.decomposition.therapy_types import COMMON
from pillprocess.gaussian.fit import in_canonical_order, integrate
from pillprocess.gaussian.marginals import linear_summary

TYPES = ("CBT", "exposure", "mindfulness", "support")


@pytest.fixture(scope="module")
def rows(arm_row):
    """Eight trials of a type against nothing, whose effects are far apart, and four of a drug and placebo with support in both arms."""
    rng, out = np.random.default_rng(12), []
    for j in range(8):
        kind, course = TYPES[j % 4], rng.normal(-0.5, 0.2)
        for arm, given in (("therapy", 1.0), ("none", 0.0)):
            y = course + given * (-0.9, -0.5, -0.1, 0.3)[j % 4] + 0.1 * rng.standard_normal()
            out.append(arm_row(f"t{j}", arm, y, 0.1, therapy=given, therapy_type=kind if given else ""))
    for j in range(4):
        for arm, dose in (("drug", 1.0), ("pill", 0.0)):
            y = -0.6 - 0.5 * dose + 0.1 * rng.standard_normal()
            out.append(arm_row(f"d{j}", arm, y, 0.1, dose=dose, therapy=1.0, therapy_type="support"))
    return pd.DataFrame(out)


def test_a_pooled_term_has_the_same_row_as_in_the_ledger(rows):
    design = pp.decomposition_design(rows)
    ledger = pp.identifiability(pp.fit(design, seed=1)).set_index("term")
    names = {"delta": "drug with its unblinding", "psi": "therapy"}
    found, probability = combination_ledger([design], {v: {v: 1.0} for v in names})
    assert probability.tolist() == [1.0]
    exact = linear_summary(design, {v: {v: 1.0} for v in names})
    for variable, row in found.iterrows():
        expected = ledger.loc[names[variable] if names[variable] in ledger.index else "drug"]
        assert row[["evidence", "verdict", "n_trials", "n_unconfounded"]].tolist() == expected[
            ["evidence", "verdict", "n_trials", "n_unconfounded"]
        ].tolist()  # fmt: skip
        np.testing.assert_allclose(row[list(SHARES)].astype(float), expected[list(SHARES)].astype(float), atol=0.02)
        assert row["contraction"] == pytest.approx(expected["contraction"], abs=0.02)
        assert row["prior_sensitivity"] == pytest.approx(expected["prior_sensitivity"], abs=0.01)
        sd = exact.loc[variable, "sd"]
        np.testing.assert_allclose(row[["mean", "ci_low", "ci_high"]].astype(float),
                                   exact.loc[variable, ["mean", "ci_low", "ci_high"]], atol=0.05 * sd)  # fmt: skip


def test_the_sd_between_types_is_learned_as_by_a_finer_quadrature(rows):
    table = pp.therapy_types(rows, prior_type_sd=0.5).set_index("therapy_type")
    base = in_canonical_order(pp.decomposition_design(rows, prior_therapy_type_sd=0.5))
    typed = base["coefficient_variable"] == "psi_type"
    sds = np.arange(0.025, 2, 0.05)
    found, log_density = [], []
    for sd in sds:
        design = base.assign(prior_sd=base["prior_sd"].where(~typed, sd))
        log_density.append(integrate(design, tolerance=1e-2).log_marginal_likelihood + norm.logpdf(sd, 0, 0.5))
        system = linear_summary(design, {"CBT": {"psi": 1.0, "psi_type[CBT]": 1.0}}) if sd in sds[::4] else None
        found.append(np.nan if system is None else system.loc["CBT", "mean"])
    density = np.exp(np.array(log_density) - max(log_density))
    density /= density.sum()
    assert table["type_sd"].iloc[0] == pytest.approx(density @ sds, abs=0.005)
    low, high = np.interp([0.025, 0.975], np.cumsum(density), sds + 0.025)
    assert table["type_sd_low"].iloc[0] == pytest.approx(low, abs=0.01)
    assert table["type_sd_high"].iloc[0] == pytest.approx(high, abs=0.02)
    filled = np.interp(sds, sds[::4], np.array(found)[::4])
    assert table.loc["CBT", "mean"] == pytest.approx(density @ filled, abs=0.01)


def test_every_type_has_its_trials_and_its_row_of_the_ledger(rows):
    table = pp.therapy_types(rows).set_index("therapy_type")
    assert table.index.tolist() == [COMMON, *TYPES]
    assert table["trials"].tolist() == [8, 2, 2, 2, 2]
    np.testing.assert_allclose(table.loc[list(TYPES), list(SHARES)].astype(float).sum(axis=1), 1)
    assert (table.loc[list(TYPES), "share_isolated"] > 0.5).all()
    assert (table.loc[["CBT", "exposure"], "ci_high"] < 0).all()
    assert table.loc["CBT", "verdict"].startswith("well informed by randomised contrasts")
    assert table.loc[COMMON, "verdict"].startswith("the mean that types vary around")


def test_a_type_without_trials_of_its_own_says_that_other_types_answer(rows, arm_row):
    amid = [arm_row("m", arm, -0.9, 0.2, dose=dose, therapy=1.0, therapy_type="MET") for arm, dose in (("a", 1.0), ("b", 0.0))]  # fmt: skip
    table = pp.therapy_types(pd.concat([rows, pd.DataFrame(amid)]), baseline="free").set_index("therapy_type")
    assert table.loc["MET", ["trials", "evidence"]].tolist() == [0, "other types and the prior only"]
    assert table.loc["MET", "verdict"] == "other types and the prior answer: its own trials say almost nothing"
    assert table.loc["MET", "carried"] == "carried over from other types"


def test_types_need_the_term_rows_with_therapy_and_a_prior(rows):
    with pytest.raises(ValueError, match="terms = drug; types of therapy need the term 'therapy'"):
        pp.therapy_types(rows, terms={"drug"})
    with pytest.raises(ValueError, match="prior_type_sd = 0; it must be > 0"):
        pp.therapy_types(rows, prior_type_sd=0)
    with pytest.raises(ValueError, match="no row has therapy: there are no types to compare"):
        pp.therapy_types(rows.assign(therapy=0.0, therapy_type=""))
