"""Published mediation analyses side by side with ours.

JOBS II: Tingley et al. 2014, doi:10.18637/jss.v059.i05. BLch9: Bolger & Laurenceau 2013, ISBN 9781462506781, chapter 9, as
fitted by Vuorre & Bolger 2018, doi:10.3758/s13428-017-0980-9.
"""

import shutil

import numpy as np
import pytest

from pillprocess.inference.fit import fit
from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.sensitivity import mediation_sensitivity
from pillprocess.output.tables import effect_table
from pillprocess.published import mediation as module
from pillprocess.published.dataset_files import DatasetError
from pillprocess.published.datasets import fetch_jobs, fetch_psiconnect
from pillprocess.published.mediation import DIARY, JOBS, PSICONNECT, PUBLISHED, correlation, reproduce_mediation

# cde(0) lies 5.5 SDs away on the 1 to 5 scale of job seeking
pytestmark = pytest.mark.filterwarnings("ignore:.* it extrapolates beyond:UserWarning")


def test_jobs_is_read_from_a_folder(shared):
    table = fetch_jobs(folder=shared("cases/mediation_jobs"))
    assert len(table) == 899
    assert table["treat"].mean() == pytest.approx(600 / 899)


def test_what_is_not_there_is_said_and_nothing_is_made_up(monkeypatch):
    def offline(**_):
        raise DatasetError("jobs.csv could not be fetched")

    monkeypatch.setattr(module, "fetch_jobs", offline)
    table = reproduce_mediation()
    assert table["reproduced"].isna().all()
    notes = dict(zip(table["case"], table["note"], strict=True))
    assert "join them by participant_id" in notes.pop(PSICONNECT)
    assert notes == {
        JOBS: "not run: jobs.csv could not be fetched",
        DIARY: "not run: give folder=... a folder that holds BLch9.csv, exported from the R package bmlm",
    }


def test_the_b_path_of_psiconnect_is_a_correlation_that_could_be_anything_small(shared):
    table = fetch_psiconnect(folder=shared("evidence/public/openneuro_ds006110_psiconnect"))
    r = correlation(table, "MEQ30_MEAN", "DASS_DEPRESSION_change").loc["r"]
    assert r["n"] == 50
    np.testing.assert_allclose(r[["mean", "ci_low", "ci_high"]].astype(float), [0.02, -0.26, 0.30], atol=0.005)
    # A third of these healthy people score 0 before the dose and half at most 1: there is hardly anything to improve.
    before = table["DASS_DEPRESSION_baseline"].dropna()
    assert (before == 0).mean() > 0.3
    assert before.median() == 1


@pytest.fixture(scope="module")
def reproduced(shared, tmp_path_factory):
    """The table, and the fits behind it: JOBS II without and with interaction, and the diary study."""
    folder = tmp_path_factory.mktemp("published")
    psiconnect = "evidence/public/openneuro_ds006110_psiconnect/participants.csv"
    for file in ("cases/mediation_jobs/jobs.csv", "cases/bmlm_blch9/BLch9.csv", psiconnect):
        shutil.copy(shared(file), folder)
    fits = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "fit", lambda *args, **options: fits.append(fit(*args, **options)) or fits[-1])
        table = reproduce_mediation(folder=folder, draws=1200)
    assert len(fits) == 3
    return table, fits


@pytest.mark.slow
def test_published_and_reproduced_figures_agree(reproduced):
    table = reproduced[0]
    assert len(table) == sum(len(quantities) for quantities in PUBLISHED.values())
    assert (table["note"] == "").all()
    width = (table["ci_high"] - table["ci_low"]) / 4
    # Published means are of other samplers' draws, at times of 1,000: within a fifth of a posterior SD, or for tnie at a
    # fixed rho, printed to four decimals, of their last digit. The published tipping correlation is a point of a grid of .05.
    grid = table["quantity"].map({"rho_tipping": 0.025, "r": 0.005}).fillna(2e-4)
    close = (table["reproduced"] - table["published"]).abs() <= np.maximum(0.2 * width, grid)
    assert close.all(), table[~close]


@pytest.mark.slow
def test_the_posterior_of_jobs_ii_has_the_published_means(reproduced):
    plain, interacting, _ = reproduced[1]
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
def test_the_mediated_effect_of_blch9_is_ab_plus_the_covariance_of_a_and_b(reproduced):
    idata = reproduced[1][2]
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
