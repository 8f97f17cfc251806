"""The answer under other choices, which needs no results of the main job."""

from dataclasses import replace

import numpy as np
import pytest

import pillprocess as pp
from pillprocess.review.analysis import sensitivity_table
from pillprocess.review.choices import _with_pooled_arms


def test_the_sensitivity_table_has_a_row_per_choice_and_its_headline_is_the_headline():
    evidence = pp.load_evidence()
    table = sensitivity_table(evidence, seed=1)[0].set_index("choice")
    arms = pp.arm_changes(evidence)
    design = pp.decomposition_design(arms, pp.contrasts(evidence, besides=arms))
    mean = float(pp.fit(design, seed=1)["posterior"].dataset["delta"].mean())
    assert table.loc["headline", "drug"] == pytest.approx(mean, abs=1e-12)
    assert len(table) >= 15
    assert table.index.is_unique
    assert table.loc["only randomised, within-trial contrasts (free baselines)", "therapy_high"] > 0.3
    # comp005, comp006 and emerge2026
    assert table.loc["without unpublished results", "trials"] == table.loc["headline", "trials"] - 3


def test_pooled_arms_can_take_the_place_of_differences_only_where_a_pooled_analysis_is_included():
    evidence = pp.load_evidence()
    rows = set(_with_pooled_arms(evidence)["trial"].to_numpy())
    assert "transform12_pooled" in rows
    assert not {"popova2019", "fedgchin2019"} & rows
    with pytest.raises(ValueError, match="no included trial pools trials that gave a difference"):
        _with_pooled_arms(replace(evidence, trials=evidence.trials.assign(counted_in=np.nan)))
