"""Risk of bias as moderators: one domain at a time, against what a source says is absent, with a row of the ledger."""

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp


def test_a_moderator_put_in_is_found_and_the_drug_term_is_that_of_the_others(arm_row):
    rng = np.random.default_rng(5)
    rows, flags = [], {}
    for j in range(30):
        flags[f"t{j}"] = float(j % 3 == 0)
        true = -0.4 - 0.5 * flags[f"t{j}"] + 0.1 * rng.standard_normal()
        rows += [
            arm_row(f"t{j}", "drug", -0.5 + true + 0.12 * rng.standard_normal(), 0.12, dose=1.0),
            arm_row(f"t{j}", "placebo", -0.5 + 0.12 * rng.standard_normal(), 0.12),
        ]
    moderators = pd.DataFrame({"open_label": pd.Series(flags)})
    design = pp.decomposition_design(pd.DataFrame(rows), terms={"drug"}, moderators=moderators, prior_moderator_sd=1.0)
    x = pd.Series(design["X"].sel(coefficient="open_label").to_numpy(), index=design["row"].to_numpy())
    assert x["t0: drug"] == 1
    assert x[["t0: placebo", "t1: drug"]].tolist() == [0, 0]
    table = pp.effect_table(pp.fit(design, seed=1)["posterior"].dataset[["open_label", "delta"]]).set_index("estimand")
    assert table.loc["open_label", "ci_low"] < -0.5 < table.loc["open_label", "ci_high"] < -0.2
    assert table.loc["delta", "ci_low"] < -0.4 < table.loc["delta", "ci_high"]


def test_a_domain_is_compared_with_what_a_source_calls_absent_and_has_its_row_of_the_ledger():
    evidence = pp.load_evidence()
    found = pp.bias_moderators(evidence, domains=("open_label",)).iloc[0]
    assert found["present"] >= 2
    assert found["absent"] > found["present"]
    assert found["against"] == "trials of which a source says it is absent"
    assert found["ci_low"] < found["mean"] < found["ci_high"]
    assert found["n_trials"] == found["present"]
    assert found["evidence"] == "prior, mostly"  # three trials are open-label
    assert found["verdict"]


def test_a_domain_that_no_trial_of_the_model_has_is_said_and_not_fitted():
    from dataclasses import replace

    evidence = pp.load_evidence()
    table = evidence.risk_of_bias
    none = replace(evidence, risk_of_bias=table.assign(present=table["present"].where(table["domain"] != "sponsor", 0)))
    row = pp.bias_moderators(none, domains=("sponsor",)).iloc[0]
    assert row["present"] == 0
    assert row["verdict"] == "present in no trial of the model: nothing to compare"
    with pytest.raises(ValueError, match="domains: no source speaks of allegiance_of_raters; known are"):
        pp.bias_moderators(evidence, domains=("allegiance_of_raters",))
