"""The notebooks that fit what the main job fits run from start to end, on the draws it kept."""

import pytest

from pillprocess.review.synthesis import FIT_DRAWS, FIT_TUNE, REFIT_DRAWS
from tests.notebooks import OF_THE_MAIN_JOB, run_notebook

pytestmark = pytest.mark.timeout(3600)  # waits for the main job

KEPT = """
from contextvars import ContextVar
from pillprocess.inference import kept
kept._folder = ContextVar("folder", default=kept.usual_folder())
"""
"""Every cell takes draws from where the main job keeps them, and makes those it does not find."""

AS_THE_MAIN_JOB = {
    r"seed=2, draws=DRAWS, tune=DRAWS, target_accept=0.995": "seed=1, draws=2000, tune=1000, target_accept=0.99",
    r"seed=1, draws=DRAWS, tune=DRAWS": f"seed=1, draws={FIT_DRAWS}, tune={FIT_TUNE}",
    r"^REFITS = \d+": f"REFITS = {REFIT_DRAWS}",
}
"""The settings of the main job's fits of the same models, in place of the notebooks' own."""


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the kernel's own libraries warn in their own process
@pytest.mark.usefixtures("main_job")
@pytest.mark.parametrize("number", OF_THE_MAIN_JOB)
def test_a_notebook_runs(number, tmp_path, shared):
    run_notebook(number, tmp_path, shared, changes=AS_THE_MAIN_JOB, first=KEPT)
