"""Published mediation analyses by least squares, to the sixth decimal.

JOBS II: Tingley, Yamamoto, Hirose, Keele & Imai 2014, doi:10.18637/jss.v059.i05 (the vignette of the R package mediation).
"""

import json
import warnings

import numpy as np
import pytest

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.model import mediation
from pillprocess.mediation.sensitivity import mediation_sensitivity
from pillprocess.mediation.sufficient import collapse, design, standardise
from pillprocess.participants.table import load_participants
from tests.mediation.trees import least_squares

ALL = ["econ_hard", "sex", "age", "occp", "marital", "nonwhite", "educ", "income"]

LEAST_SQUARES = {
    "jobs_no_interaction": {"a": 0.077424, "b": -0.17738, "c_prime": -0.036789, "ab": -0.013733, "total": -0.050522},
    "jobs_interaction": {"ACME0": -0.018543, "ACME1": -0.011741, "ADE0": -0.039272, "ADE1": -0.03247, "total": -0.051013},
    "jobs_medsens": {
        "rho_at_zero": -0.209977, "ACME(rho=-.30)": 0.006377, "ACME(rho=-.25)": 0.002777, "ACME(rho=-.20)": -0.00068,
        "ACME(rho=-.15)": -0.004032,
    },
    "jobs_small_covariates": {
        "a": 0.065615, "b": -0.239955, "direct": -0.040265, "indirect": -0.015745, "total": -0.056009,
    },
    "jobs_sufficient_statistics": {
        "max|diff| coefficient, no interaction": 0.0, "max|diff| se": 0.0,
        "T,M,TxM from per-arm means+covariances": [-0.38996909, -0.23950014, 0.08785722],
    },
}  # fmt: skip
"""Least-squares values, to the six decimals to which they were computed."""


@pytest.fixture(autouse=True)
def _job_seeking_never_reaches_zero():
    """cde(0) lies 5.5 SDs away on this 1 to 5 scale, and the default warns of it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* it extrapolates beyond", category=UserWarning)
        yield


@pytest.fixture(scope="module")
def jobs(shared):
    def people(covariates=ALL, baseline="depress1"):
        return load_participants(
            shared("cases/mediation_jobs/jobs.csv"), treatment="treat", reference=0, outcome="depress2",
            mediators="job_seek", baseline=baseline, covariates=covariates,
        )  # fmt: skip

    return people


def test_every_least_squares_value_of_the_mediation_cases_is_tried(shared):
    cases = {case["id"]: case for case in json.loads(shared("cases/targets.json").read_text())}
    for name, expected in LEAST_SQUARES.items():
        exact = {t["quantity"]: t["value"] for t in cases[name]["targets"] if t["kind"] == "recomputed_exact"}
        assert exact == expected


def one_draw(effects, *names):
    return [effects[name].item() for name in names]


@pytest.mark.parametrize(
    ("case", "covariates", "baseline"),
    [("jobs_no_interaction", ALL, "depress1"), ("jobs_small_covariates", ALL[:3], None)],
)
def test_least_squares_without_interaction_gives_the_published_effects(jobs, case, covariates, baseline):
    people = jobs(covariates, baseline)
    idata = least_squares(people, mediation(people, interaction=False), interaction=False)
    effects = natural_effects(idata)
    found = [idata["posterior"][name].item() for name in ("a", "b")] + one_draw(effects, "pnde", "tnie", "te")
    target = LEAST_SQUARES[case]
    # Six decimals were kept of b in one case and five in the other.
    np.testing.assert_allclose(found, [target["a"], target["b"], *list(target.values())[2:]], atol=1e-6)
    assert effects["pnie"].item() == pytest.approx(effects["tnie"].item(), abs=1e-12)


def test_least_squares_with_interaction_gives_the_published_effects(jobs):
    people = jobs()
    effects = natural_effects(least_squares(people, mediation(people), interaction=True))
    found = one_draw(effects, "pnie", "tnie", "pnde", "tnde", "te")
    np.testing.assert_allclose(found, list(LEAST_SQUARES["jobs_interaction"].values()), atol=1e-6)


def test_the_sensitivity_curve_crosses_zero_where_published(jobs):
    people = jobs()
    idata = least_squares(people, mediation(people, interaction=False), interaction=False)
    sensitivity = mediation_sensitivity(idata, rho=[-0.30, -0.25, -0.20, -0.15])
    tipping, *curve = LEAST_SQUARES["jobs_medsens"].values()
    np.testing.assert_allclose(sensitivity["tnie"].to_numpy().ravel(), curve, atol=1e-6)
    assert sensitivity["rho_tipping"].item() == pytest.approx(tipping, abs=1e-6)
    # The package prints four decimals.
    np.testing.assert_allclose(sensitivity["tnie"].to_numpy().ravel(), [0.0064, 0.0028, -0.0007, -0.0040], atol=5e-5)
    # It reads its products of R squared off its grid, at rho = -.2.
    residual, total = (sensitivity[f"r2_product_{scale}"].item() for scale in ("residual", "total"))
    assert total / residual * 0.04 == pytest.approx(0.0261, abs=5e-5)


@pytest.mark.parametrize("interaction", [True, False])
def test_sufficient_statistics_give_the_least_squares_coefficients_and_standard_errors(jobs, interaction):
    """The coefficients of (1, T, X, M, T x M) in Y, with all covariates."""
    people = jobs()
    data = standardise(people, mediators=["job_seek"], binary_mediator=False, binary_outcome=False)
    Z = design(data.T, data.X, data.M, data.y, interaction=interaction)
    gram = collapse(data, interaction=interaction).outcome[0]
    beta = np.linalg.solve(gram[:-1, :-1], gram[:-1, -1])
    by_rows, squares, _, _ = np.linalg.lstsq(Z[:, :-1], Z[:, -1], rcond=None)
    np.testing.assert_allclose(beta, by_rows, atol=1e-12)
    assert gram[-1, -1] - gram[-1, :-1] @ beta == pytest.approx(squares[0], rel=1e-12)
    if interaction:
        theta = beta[-1] * data.y_sd / data.m_sd[0]
        found = [beta[1] * data.y_sd - theta * data.m_mean[0], beta[-2] * data.y_sd / data.m_sd[0], theta]
        published = LEAST_SQUARES["jobs_sufficient_statistics"]["T,M,TxM from per-arm means+covariances"]
        np.testing.assert_allclose(found, published, atol=1e-8)
