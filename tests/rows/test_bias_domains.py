"""Risk of bias by domain: said by a source, or missing."""

import numpy as np
import pandas as pd

import pillprocess as pp


def test_a_domain_nobody_reported_is_missing_and_not_absent(build_evidence):
    said = {"trial_id": "rct1", "source_url": "https://doi.org/10.1000/x"}
    rows = [said | {"domain": "sponsor", "present": 1}, said | {"domain": "blind_failed", "present": 0, "value": 0.4}]
    table = pp.risk_of_bias(build_evidence(trials=[{"trial_id": "rct1"}], risk_of_bias=rows))
    assert table.loc["rct1", ["sponsor", "blind_failed"]].tolist() == [1, 0]
    assert table.loc["rct1"].drop(["sponsor", "blind_failed"]).isna().all()


def test_the_embedded_statements_agree_with_the_tables_they_speak_of():
    evidence = pp.load_evidence()
    table = pp.risk_of_bias(evidence)
    arms, trials = evidence.arms, evidence.trials.set_index("trial_id")
    waiting = set(arms.loc[(arms["role"] == "waitlist") & (arms["include_arm"] == 1), "trial_id"])
    assert set(table.index[table["waiting_list"] == 1]) == waiting
    open_label = table.index[table["open_label"] == 1]
    assert (trials.loc[open_label, "blinding"] == "open").all()
    assert (trials.loc[table.index[table["open_label"] == 0], "blinding"] == "double").all()
    guessed = evidence.risk_of_bias.query("domain == 'blind_failed'").set_index("trial_id")
    assert guessed.loc["luquiens2025", "present"] == 1
    assert guessed.loc["luquiens2025", "value"] > 0.9
    lost = evidence.risk_of_bias.query("domain == 'attrition'")
    np.testing.assert_array_equal(lost["present"], (lost["value"] > 0.2).astype(int))


def test_ratings_by_domain_are_those_of_the_public_files(shared):
    said = pp.load_evidence().risk_of_bias.dropna(subset="rating")
    ratings = said.pivot_table(index="trial_id", columns="domain", values="rating", aggfunc="first")
    assert len(ratings) == 20
    names = ["rob2_randomisation", "rob2_deviations", "rob2_missing_data", "rob2_measurement", "rob2_selection"]
    for name in ("depression-psiloctr", "ptsd-mdmactr"):
        table = pd.read_csv(
            shared(f"evidence/public/metapsy_data-{name}/data.csv"), sep=";", decimal=",", na_values=["NA"]
        )
        table = table.dropna(subset="d1").drop_duplicates("study")
        trials = table["study"].str.lower().str.replace(r"[ '-]", "", regex=True)
        public = table[["d1", "d2", "d3", "d4", "d5"]].apply(lambda column: column.str.lower().str.replace(" ", "_"))
        np.testing.assert_array_equal(ratings.loc[trials, names], public)


def test_domains_join_the_rows_of_a_model():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    rows = pd.concat([arms, pp.contrasts(evidence, besides=arms)]).join(pp.risk_of_bias(evidence), on="trial")
    assert rows.groupby("trial")["sponsor"].max().eq(1).sum() >= 7
