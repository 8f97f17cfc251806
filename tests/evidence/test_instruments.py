from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pillprocess.evidence.instruments import compute_reference_sd, expected_sd
from pillprocess.evidence.schema import SCHEMAS
from pillprocess.evidence.tables import Evidence, load_evidence


def small_evidence(outcomes: list[dict[str, object]], instruments: list[dict[str, object]]) -> Evidence:
    tables = {name: pd.DataFrame(columns=schema.columns) for name, schema in SCHEMAS.items()}
    tables["outcomes"] = pd.DataFrame(outcomes, columns=SCHEMAS["outcomes"].columns)
    tables["instruments"] = pd.DataFrame(instruments, columns=SCHEMAS["instruments"].columns)
    return Evidence(**tables, folder=Path("."), checksum="")


def outcome(
    arm: str, time: float, n: float, sd: float | None, *, primary: int = 0, include: int = 1, instrument: str = "MADRS"
):
    return {
        "trial_id": "t", "arm_id": arm, "instrument": instrument, "time_days": time, "n": n, "post_sd": sd,
        "baseline_sd": 5.0, "change_sd_derived": None, "primary": primary, "include": include,
    }  # fmt: skip


def test_endpoint_sds_are_pooled_with_one_row_per_arm() -> None:
    rows = [
        outcome("a", 7, 11, 4.0),
        outcome("a", 21, 11, 6.0, primary=1),
        outcome("b", 1, 21, 20.0),
        outcome("b", 28, 21, 9.0),
        outcome("b", 21, 21, None, primary=1),
        outcome("c", 21, 31, 50.0, include=0),
        outcome("a", 21, 11, 99.0, instrument="relapse"),
    ]
    instruments = [{"instrument": "MADRS", "kind": "scale"}, {"instrument": "relapse", "kind": "event"}]
    evidence = small_evidence(rows, instruments)
    table = compute_reference_sd(evidence.outcomes, evidence.instruments)
    madrs = table.loc["MADRS"]
    assert madrs["reference_sd"] == pytest.approx(np.sqrt((10 * 36 + 20 * 81) / 30))
    assert (madrs["reference_sd_n_arms"], madrs["reference_sd_n"]) == (2, 32)
    assert madrs["baseline_sd"] == pytest.approx(5)
    assert np.isnan(madrs["change_sd"])
    assert table.loc["relapse"].isna().all()


def test_the_embedded_sds_are_those_recomputed_from_the_outcomes() -> None:
    evidence = load_evidence()
    pooled = evidence.trials.dropna(subset="counted_in")["trial_id"]
    outcomes = evidence.outcomes[~evidence.outcomes["trial_id"].isin(pooled)]
    recomputed = compute_reference_sd(outcomes, evidence.instruments)
    printed = evidence.instruments.set_index("instrument")[list(recomputed)]
    counts = [c for c in recomputed if c.endswith(("_n", "_n_arms"))]
    np.testing.assert_array_equal(recomputed[counts].fillna(0), printed[counts].fillna(0))
    sds = ["reference_sd", "baseline_sd", "change_sd"]
    np.testing.assert_allclose(recomputed[sds], printed[sds], atol=5.1e-5)


def test_an_expected_sd_falls_back_to_the_endpoint_sd_then_to_a_sixth_of_the_range() -> None:
    instruments = pd.DataFrame(
        {
            "range_min": [0, 0, 20, None],
            "range_max": [60, 60, 80, None],
            "reference_sd": [10, 10, None, None],
            "baseline_sd": [6, None, None, None],
        },
        index=["own", "endpoint", "range", "nothing"],
        dtype=float,
    )  # fmt: skip
    assert expected_sd(instruments, "baseline_sd").tolist()[:3] == [6, 10, 10]
    assert expected_sd(instruments).isna().tolist() == [False, False, False, True]


def test_reference_sds_are_of_the_size_found_in_psychotherapy_trials(shared: Callable[[str], Path]) -> None:
    """Other trials and other people: the pooled endpoint SDs agree within a factor of 1.5 (PHQ-9 here rests on 24 people)."""
    same_scale = {
        "BDI": "BDI-I", "BDI-II": "BDI-II", "CAPS-IV": "CAPS", "HADS-D": "HADS-D", "HADS-T": "HADS-total", "HAMD17": "HDRS-17",
        "MADRS": "MADRS", "PDS": "PDS", "PHQ-9": "PHQ-9", "QIDS-SR16": "QIDS-sr", "STAI-T": "STAI-T",
    }  # fmt: skip
    elsewhere = pd.read_csv(shared("cases/sd_reference/metapsy_sd_reference.csv")).set_index("instr")["sd"]
    ours = load_evidence().instruments.set_index("instrument")["reference_sd"]
    ratio = pd.Series({name: ours[name] / elsewhere[other] for name, other in same_scale.items()})
    assert ratio.between(1 / 1.5, 1.5).all(), ratio
    assert ratio.median() == pytest.approx(1, abs=0.15)
