"""What a trial, the prior and the likelihood move, against refits and by hand."""

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.gaussian.design import gaussian_design


def pair(arm_row, trial, y, se):
    return [arm_row(trial, "drug", y, se, dose=1.0), arm_row(trial, "pill", 0.0, se)]


@pytest.fixture
def design(arm_row):
    rows = [row for j, y in enumerate((-1.2, -0.4, -0.7, -2.0)) for row in pair(arm_row, f"t{j}", y, 0.2 + 0.1 * j)]
    return pp.decomposition_design(pd.DataFrame(rows), terms={"drug"})


def test_leverage_and_shift_equal_a_refit_without_the_trial_at_the_same_heterogeneity(design):
    idata = pp.fit(design, seed=1)
    table = pp.influence(idata).set_index(["trial", "variable"])
    scale = {str(s): float(idata["posterior"].dataset[str(s)].mean()) for s in design["scale"].to_numpy()}
    loadings = np.hstack([design["X"].to_numpy(), design["Z"].to_numpy()])
    sd = np.concatenate([design["prior_sd"].to_numpy(), [scale[str(s)] for s in design["effect_scale"].to_numpy()]])
    at = list(design["coefficient"].to_numpy()).index("delta")

    def refit(rows):
        weight = np.linalg.inv(design["covariance"].to_numpy()[np.ix_(rows, rows)])
        covariance = np.linalg.inv(np.diag(sd**-2) + loadings[rows].T @ weight @ loadings[rows])
        return (covariance @ loadings[rows].T @ weight @ design["y"].to_numpy()[rows])[at], covariance[at, at]

    mean, variance = refit(np.full(design.sizes["row"], True))
    for trial in ("t0", "t3"):
        mean_without, variance_without = refit(design["trial"].to_numpy() != trial)
        assert table.loc[(trial, "delta"), "leverage"] == pytest.approx(1 - variance / variance_without, rel=1e-9)
        assert table.loc[(trial, "delta"), "shift"] == pytest.approx(
            (mean_without - mean) / np.sqrt(variance), rel=1e-9
        )


def test_the_only_trial_of_a_term_has_most_of_its_leverage(arm_row):
    rows = [*pair(arm_row, "sharp", -1.0, 0.05), *pair(arm_row, "vague", -1.0, 2.0)]
    table = pp.influence(pp.fit(pp.decomposition_design(pd.DataFrame(rows), terms={"drug"}), seed=1))
    drug = table[table["variable"] == "delta"].set_index("trial")["leverage"]
    assert drug["sharp"] > 0.5
    assert drug["vague"] < 0.05


def test_power_scaling_of_a_conjugate_model_is_its_closed_form():
    design = gaussian_design(
        pd.Series([1.0], index=["only"]), np.array([[0.25]]), trial=["t"], fixed=pd.DataFrame({"beta": [1.0]}, index=["only"]),
        prior_sd={"beta": 1.0},
    )  # fmt: skip
    table = pp.power_scaling(design, factor=2.0)
    # y = 1 with variance .25, prior N(0, 1): mean = (1 / .25) / (1 / .25 + power) and SD = 1 / sqrt(5)
    prior = abs(4 / (4 + 2.0) - 4 / (4 + 0.5)) * np.sqrt(5) / 2
    likelihood = abs(8 / (8 + 1) - 2 / (2 + 1)) * np.sqrt(5) / 2
    assert table.loc["beta", ["prior", "likelihood"]].tolist() == pytest.approx([prior, likelihood], rel=1e-6)
