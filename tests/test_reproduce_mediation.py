"""Published mediation analyses side by side with ours."""

import shutil

import numpy as np
import pytest

from pillprocess import reproduce_mediation as module
from pillprocess.dataset_files import DatasetError
from pillprocess.datasets import fetch_jobs, fetch_psiconnect
from pillprocess.reproduce_mediation import DIARY, JOBS, PSICONNECT, PUBLISHED, correlation, reproduce_mediation


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


@pytest.mark.slow
def test_published_and_reproduced_figures_agree(shared, tmp_path):
    psiconnect = "evidence/public/openneuro_ds006110_psiconnect/participants.csv"
    for file in ("cases/mediation_jobs/jobs.csv", "cases/bmlm_blch9/BLch9.csv", psiconnect):
        shutil.copy(shared(file), tmp_path)
    table = reproduce_mediation(folder=tmp_path, draws=1000)
    assert len(table) == sum(len(quantities) for quantities in PUBLISHED.values())
    assert (table["note"] == "").all()
    width = (table["ci_high"] - table["ci_low"]) / 4
    # Published means are of other samplers' draws, at times of 1,000: within a fifth of a posterior SD, or for tnie at a
    # fixed rho, printed to four decimals, of their last digit. The published tipping correlation is a point of a grid of .05.
    grid = table["quantity"].map({"rho_tipping": 0.025, "r": 0.005}).fillna(2e-4)
    close = (table["reproduced"] - table["published"]).abs() <= np.maximum(0.2 * width, grid)
    assert close.all(), table[~close]
