"""The checks, small: quiet where the model is true, loud where only significant trials are published; the full run is committed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from tests.decomposition.worlds import WORLDS, simulate

REFERENCE = Path(__file__).parent / "reference"


@pytest.mark.slow
def test_the_check_for_small_trials_is_quiet_in_a_true_world_and_loud_under_selection():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    differences = pp.contrasts(evidence, besides=arms)
    alarms = {}
    for world in ("true", "selection_0"):
        found = []
        for seed in range(6):
            tables = simulate(arms, differences, world, np.random.default_rng([50, seed]))
            checks = pp.check_pit(pp.loto_pit(pp.decomposition_design(*tables), nodes=80)).set_index("check")["p"]
            found.append(checks["small trials differ"] < 0.05)
        alarms[world] = sum(found)
    # measured: 1 in 100 and 13 in 14
    assert alarms["true"] <= 2
    assert alarms["selection_0"] >= 4


def test_the_committed_run_covers_every_world_and_the_readme_prints_its_figures():
    table = pd.read_csv(REFERENCE / "check_power.csv")
    assert table["world"].tolist() == list(WORLDS)
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for row in table.itertuples():
        assert f"| {WORLDS[row.world]} | {row.data_sets} |" in readme
    uniform = pd.read_csv(REFERENCE / "check_uniformity.csv").set_index("prediction")
    for kind in ("contrast", "course"):
        assert uniform.loc[f"leave one trial out, {kind}", "p"] > 0.01
