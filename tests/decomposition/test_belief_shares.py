"""The effect by the share of belief's slope that is belief's own: both ends are the models without and with belief, the middle a refit."""

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.gaussian.marginals import linear_summary

TERMS = pp.HEADLINE | {"expectancy"}
EFFECT = {"effect": {"delta": 1.0, "v[psilocybin]": 1.0, "kappa": 1.0, "w[psilocybin]": 0.5}}


@pytest.fixture(scope="module")
def arms(arm_row) -> pd.DataFrame:
    """Trials in which more of those on the drug believe so, and in which belief improves by .8."""
    rng = np.random.default_rng(4)
    rows = []
    for j in range(10):
        high, low = rng.uniform(0.6, 1.0), rng.uniform(0.0, 0.5)
        for arm, dose, belief in (("drug", 1.0, high), ("placebo", 0.0, low)):
            y = -0.5 - 0.4 * dose - 0.8 * belief + 0.15 * rng.standard_normal()
            rows.append(arm_row(f"t{j}", arm, y, 0.15, dose=dose, expectancy=belief, therapy=float(j % 2)))
    return pd.DataFrame(rows)


def test_none_is_the_model_without_belief_and_all_is_the_model_with_it(arms):
    curve = pp.belief_share_curve(pp.decomposition_design(arms, terms=TERMS), therapy=(1.0,)).set_index("share")
    for share, terms in ((0.0, pp.HEADLINE), (1.0, TERMS)):
        fitted = linear_summary(pp.decomposition_design(arms, terms=terms), EFFECT).loc["effect"]
        names = ["mean", "ci_low", "ci_high"]
        np.testing.assert_allclose(curve.loc[share, names].astype(float), fitted[names], atol=0.02 * fitted["sd"] / 0.3)
        assert curve.loc[share, "sd"] == pytest.approx(fitted["sd"], rel=0.02)
    assert curve["mean"].is_monotonic_increasing  # less is the drug's, the more is belief's
    assert curve["mean"].iloc[-1] - curve["mean"].iloc[0] > 0.2
    assert curve["trials"].eq(5).all()
    assert curve["evidence"].eq("own trials").all()


def test_a_half_is_the_mixture_of_refits_to_outcomes_less_half_of_what_belief_did(arms):
    with_belief = linear_summary(pp.decomposition_design(arms, terms=TERMS), {"e": {"epsilon": 1.0}}).loc["e"]
    nodes, masses = np.polynomial.hermite_e.hermegauss(3)
    refits = [
        linear_summary(
            pp.decomposition_design(arms.assign(y=arms["y"] - 0.5 * (with_belief["mean"] + z * with_belief["sd"]) * arms["expectancy"])),
            EFFECT,
        ).loc["effect"]
        for z in nodes
    ]  # fmt: skip
    weight = masses / masses.sum()
    mean = sum(w * r["mean"] for w, r in zip(weight, refits, strict=True))
    spread = sum(w * (r["sd"] ** 2 + (r["mean"] - mean) ** 2) for w, r in zip(weight, refits, strict=True))
    half = pp.belief_share_curve(pp.decomposition_design(arms, terms=TERMS), shares=(0.5,), therapy=(1.0,)).iloc[0]
    assert half["mean"] == pytest.approx(mean, abs=0.005)
    assert half["sd"] == pytest.approx(np.sqrt(spread), rel=0.02)


def test_what_cannot_be_asked_is_refused(arms):
    design = pp.decomposition_design(arms, terms=TERMS)
    with pytest.raises(ValueError, match=r"shares = 1.5; a share lies between 0 and 1"):
        pp.belief_share_curve(design, shares=(0.5, 1.5))
    with pytest.raises(
        ValueError, match=r"the design lacks the term expectancy; make it with HEADLINE \| \{'expectancy'\}"
    ):
        pp.belief_share_curve(pp.decomposition_design(arms))
