"""Worlds in which it is known what causes what."""

import numpy as np
import pandas as pd
import pytest

from pillprocess.calibration.worlds import RAISED, WHOLE, WORLDS, fit_worlds, power, simulate_world, world
from pillprocess.synthesis.effects import path_effects
from tests.synthesis.cases import small_items
from tests.synthesis.stand_in import fit_with


@pytest.fixture(scope="module")
def items(build_evidence):
    return small_items(build_evidence)


def test_worlds_have_the_same_whole_effect_and_association_and_differ_in_what_carries_it(items):
    carried, none = (world(items, name) for name in WORLDS)
    np.testing.assert_array_equal(carried["zeta"], none["zeta"])
    for drug in ("psilocybin", "ketamine"):
        for truth in (carried, none):
            effects = path_effects(truth, therapy=(0.0,)).sel(drug=drug).squeeze()
            assert float(effects["total"] - effects["belief"]) == pytest.approx(WHOLE[drug])
        assert carried["b"].sel(drug=drug).item() == pytest.approx(WHOLE[drug] / RAISED[drug])
        assert none["b"].sel(drug=drug).item() == 0
    slope = carried["b"].sel(drug="psilocybin").item() / float(items["outcome_sd"])
    assert np.tanh(carried["zeta"].sel(dimension="mystical").item()) == pytest.approx(slope)
    with pytest.raises(ValueError, match="world = 'flat'; it must be one of carried, epiphenomenon"):
        world(items, "flat")


def test_simulated_evidence_keeps_the_shape_and_varies_as_the_world_says(items):
    truth, rng = world(items, "epiphenomenon"), np.random.default_rng(1)
    drawn = [simulate_world(truth, items, rng) for _ in range(400)]
    assert all(one.sizes == items.sizes for one in drawn[:3])
    z = np.array([one["association_z"].to_numpy()[0] for one in drawn])
    expected = np.arctanh(0.8 * np.tanh(truth["zeta"].sel(dimension="mystical").item()))
    assert z.mean() == pytest.approx(expected, abs=4 * z.std() / 20)
    responders = np.array([one["count_responders"].to_numpy() for one in drawn]).mean(axis=0)
    assert responders[0] > responders[1]
    rows = list(items["row"].to_numpy())
    y = np.array([one["y"].to_numpy() for one in drawn])
    blocked = y[:, rows.index("asleep: ketamine")] - y[:, rows.index("asleep: saline")]
    assert blocked.mean() == pytest.approx(WHOLE["ketamine"], abs=0.25)


def test_a_stopped_run_goes_on_and_coverage_is_counted(items, tmp_path):
    calls = []

    def refit(given, *, seed, **_):
        calls.append(seed)
        fit = fit_with(items, (-0.5, -0.7), b=(0.0, 0.0))
        fit["sample_stats"] = fit["posterior"].dataset[["tau"]].rename(tau="diverging") * 0
        return fit

    first = fit_worlds(items, datasets=1, seed=1, folder=tmp_path, refit=refit)
    both = fit_worlds(items, datasets=2, seed=1, folder=tmp_path, refit=refit)
    assert calls == [1, 1, 2, 2]
    pd.testing.assert_frame_equal(first, both.iloc[: len(first)])
    table = power(both).set_index(["world", "drug"])
    assert table.loc[("epiphenomenon", "psilocybin"), "covered"] == 1
    assert table.loc[("carried", "psilocybin"), "covered"] == 0
    assert table["datasets"].unique().tolist() == [2]
