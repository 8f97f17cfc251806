"""Published mediation analyses, reproduced.

JOBS II: Tingley, Yamamoto, Hirose, Keele & Imai 2014, doi:10.18637/jss.v059.i05 (the vignette of the R package mediation).
BLch9: Bolger & Laurenceau 2013, ISBN 9781462506781, chapter 9, as fitted by Vuorre & Bolger 2018,
doi:10.3758/s13428-017-0980-9 (the R package bmlm).
"""

import json
import warnings

import numpy as np
import pytest
from mediation_trees import least_squares

from pillprocess.causal import natural_effects
from pillprocess.inference import check_fit, fit
from pillprocess.models.mediation import mediation
from pillprocess.models.sufficient import collapse, design, standardise
from pillprocess.participants import load_participants
from pillprocess.sensitivity import mediation_sensitivity
from pillprocess.tables import effect_table

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


@pytest.mark.slow
def test_the_posterior_of_jobs_ii_has_the_published_means(jobs):
    people = jobs()
    plain, interacting = (fit(mediation(people, interaction=i), seed=1, draws=2000) for i in (False, True))
    for idata in (plain, interacting):
        check_fit(idata)
    effects = effect_table(natural_effects(plain)).set_index("estimand")
    # The priors move the means by less than .001; the Monte Carlo error of te, whose SD is .042, is under .001.
    assert effects.loc["tnie", "mean"] == pytest.approx(-0.013733, abs=0.002)
    assert effects.loc["pnde", "mean"] == pytest.approx(-0.036789, abs=0.002)
    assert effects.loc["te", "mean"] == pytest.approx(-0.050522, abs=0.002)
    # Published quasi-Bayesian interval of the indirect effect, itself of 1,000 draws.
    np.testing.assert_allclose(
        effects.loc["tnie", ["ci_low", "ci_high"]].astype(float), [-0.031812, 0.003299], atol=0.005
    )
    assert effects.loc["tnie", "sd"] == pytest.approx(0.00901, rel=0.05)
    effects = effect_table(natural_effects(interacting)).set_index("estimand")
    assert effects.loc["pnie", "mean"] == pytest.approx(-0.018543, abs=0.003)
    assert effects.loc["tnie", "mean"] == pytest.approx(-0.011741, abs=0.003)
    tipping = effect_table(mediation_sensitivity(plain)["rho_tipping"]).iloc[0]
    assert tipping["mean"] == pytest.approx(-0.209977, abs=0.005)
    assert tipping["ci_low"] < -0.21 < tipping["ci_high"] < 0


@pytest.mark.slow
def test_the_mediated_effect_of_blch9_is_ab_plus_the_covariance_of_a_and_b(shared):
    people = load_participants(
        shared("cases/bmlm_blch9/BLch9.csv"), treatment="x", treatment_kind="dose", reference=0, active=1, outcome="y",
        mediators="m", trial="id",
    )  # fmt: skip
    idata = fit(mediation(people, interaction=False), seed=1)
    posterior = idata["posterior"].dataset
    effects = effect_table(natural_effects(idata)).set_index("estimand")
    # Printed to three decimals from one run of another sampler; the tolerance is a third of a posterior SD.
    for name, mean in {"tnie": 0.057, "te": 0.161, "pnde": 0.104, "cov_ab": 0.028}.items():
        assert effects.loc[name, "mean"] == pytest.approx(mean, abs=0.004), name
    assert effects.loc["ab", "mean"] == pytest.approx(0.0285, abs=0.003)
    assert effects.loc["ab", "mean"] < 0.6 * effects.loc["tnie", "mean"]
    assert effects.loc["proportion_mediated", "mean"] == pytest.approx(0.357, abs=0.02)
    for name, (mean, sd) in {"a": (0.189, 0.036), "b": (0.151, 0.030), "c": (0.104, 0.023)}.items():
        assert posterior[name].mean().item() == pytest.approx(mean, abs=0.004)
        assert posterior[name].std().item() == pytest.approx(sd, rel=0.08)
    spread = {"a[m, 1]": 0.261, "b[m]": 0.224, "c[1]": 0.083}
    for name, tau in spread.items():
        assert posterior["tau"].sel(effect=name).mean().item() == pytest.approx(tau, abs=0.012)
    assert posterior["sigma_y"].mean().item() == pytest.approx(0.927, abs=0.004)
    assert posterior["sigma_m"].mean().item() == pytest.approx(1.092, abs=0.004)
