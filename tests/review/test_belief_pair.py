"""Without and with belief: two models of equal rank, side by side."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import pillprocess as pp
from pillprocess.cli import app
from pillprocess.review.belief_pair import WITH, WITHOUT, belief_pair


@pytest.fixture(scope="module")
def tables():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence, constructs=("ptsd",))
    return arms, pp.contrasts(evidence, constructs=("ptsd",), besides=arms)


def test_both_models_are_there_with_all_their_terms_and_effects(tables):
    pair = belief_pair(*tables, seed=1)
    assert pair["model"].drop_duplicates().tolist() == [WITHOUT, WITH]
    named = pair.set_index(["model", "quantity"])["mean"]
    assert "drug with its unblinding" in named[WITHOUT].index
    assert {"drug, belief held equal", "belief of having had the drug"} <= set(named[WITH].index)
    effects = pair[pair["quantity"].str.startswith("effect of")]
    assert effects["trials"].notna().all()
    assert (effects["evidence"] != "").all()
    # each number is that model's own fit
    fitted = pp.fit(pp.decomposition_design(*tables, terms=pp.HEADLINE | {"expectancy"}), seed=1)
    delta = float(fitted["posterior"].dataset["delta"].mean())
    assert named[WITH, "drug, belief held equal"] == pytest.approx(delta, abs=1e-12)


def test_where_belief_is_not_known_the_second_model_is_a_row_with_the_reason(tables):
    arms, differences = tables
    pair = belief_pair(arms.assign(expectancy=np.nan), differences, seed=1)
    (row,) = pair[pair["model"] == WITH].to_dict("records")
    assert row["quantity"] == "not fitted"
    assert "expectancy is blank or not finite" in row["note"]
    assert pd.isna(row["mean"])


def test_the_shell_prints_the_pair_for_the_headline_terms():
    arguments = ["decompose", "--construct", "ptsd", "--quiet"]
    printed = CliRunner().invoke(app, arguments)
    assert "Without and with belief, of equal rank" in printed.stdout
    tables = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert {row["model"] for row in tables["belief_pair"]} == {WITHOUT, WITH}
