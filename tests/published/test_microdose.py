"""The mediator model of the microdose trial, as the notebook on belief fits it: the notebook runs, and its bounds are right."""

import pandas as pd
import pytest

from pillprocess.published.expectancy import MICRODOSE
from tests.notebooks import FEWER, OF_THE_MICRODOSE_TRIAL, run_notebook

pytestmark = pytest.mark.filterwarnings("default")  # the kernel's own libraries warn in their own process


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, shared) -> pd.DataFrame:
    """What ``microdose_mediation`` gave when the notebook ran from its first cell to its last."""
    folder = tmp_path_factory.mktemp("notebook")
    changes = FEWER | {r"microdose_mediation\(seed=1": "microdose_mediation(seed=1, draws=450, tune=400"}
    last = 'bounds.to_csv("bounds.csv", index=False)'
    run_notebook(OF_THE_MICRODOSE_TRIAL, folder, shared, changes=changes, last=last)
    return pd.read_csv(folder / "bounds.csv")


@pytest.mark.slow
def test_the_mediator_model_bounds_what_belief_carries_in_the_microdose_trial(table: pd.DataFrame) -> None:
    bounds = table.set_index(["order", "estimand"])
    without, adjusted, guess = MICRODOSE["PANAS"]
    first, last = bounds.loc["belief_first"], bounds.loc["outcome_first"]
    # The drug moves belief by a quarter, so belief carries about a quarter of the guess's coefficient.
    assert first.loc["belief_difference", "mean"] == pytest.approx(0.246, abs=0.01)
    assert first.loc["through_belief", "mean"] == pytest.approx(guess * 0.246, abs=first.loc["through_belief", "sd"])
    assert first.loc["not_through_belief", "mean"] == pytest.approx(
        adjusted, abs=0.2 * first.loc["not_through_belief", "sd"]
    )
    for order in (first, last):
        assert order.loc["te", "mean"] == pytest.approx(without, abs=0.2 * order.loc["te", "sd"])
    assert last.loc["not_through_belief", "mean"] == last.loc["te", "mean"]
    assert set(table["published_with_guess"]) == {adjusted}
