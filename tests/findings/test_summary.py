"""The summary of findings holds the tables' own numbers, in SDs, points and patients, and says what is missing."""

import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.findings.summary import QUANTITIES
from pillprocess.findings.words import EXPLAINED, opening_sentence
from tests.findings.tables import interval, made


def test_every_quantity_is_there_once_with_the_tables_numbers_and_their_points(build_evidence):
    table = pp.summary_of_findings(made(), build_evidence()).set_index("quantity")
    assert table.index.tolist() == list(QUANTITIES) == list(EXPLAINED)
    assert table.loc["total", ["mean", "ci_low", "ci_high"]].tolist() == [-0.8, -1.0, -0.6]
    assert table.loc["total", ["points", "points_low", "points_high", "instrument"]].tolist() == [
        -8.0,
        -10.0,
        -6.0,
        "MADRS",
    ]
    assert table.loc["drug", ["mean", "evidence"]].tolist() == [-0.5, "carried over from other drugs"]
    assert table.loc["new_trial", "ci_low"] == -1.4
    assert table.loc["small_study", "mean"] == -0.7
    assert table.loc["response", ["mean", "ci_low", "ci_high", "unit"]].tolist() == [
        25.0,
        20.0,
        30.0,
        "responders in 100",
    ]
    assert table.loc["needed", ["mean", "ci_low", "ci_high", "unit"]].tolist() == [4.0, 3.3, 5.0, "patients"]
    assert pd.isna(table.loc["experience", "mean"])
    assert table.loc["experience", "evidence"] == "the synthesis was not run"
    assert table.loc[["total", "therapy", "belief"], "certainty"].tolist() == ["high", "very low", ""]
    assert (table["people"] == 1200).all()
    assert (table["trials"] == 4).all()


def test_what_is_missing_is_blank_and_says_why(build_evidence):
    tables = made()
    del tables["bias_effects"]
    tables |= {
        "belief_pair": tables["belief_pair"].iloc[:0], "drug_ledger": tables["drug_ledger"].iloc[:0],
        "responders": pd.DataFrame([{"reason": "nobody counted"}]),
    }  # fmt: skip
    table = pp.summary_of_findings(tables, build_evidence(instruments=[])).set_index("quantity")
    missing = {
        "therapy": "no term for it in the model", "belief": "belief is not known for these trials",
        "small_study": "these trials allow no such analysis", "response": "nobody counted", "needed": "nobody counted",
    }  # fmt: skip
    assert table.loc[list(missing), "evidence"].to_dict() == missing
    assert table.loc[list(missing), "mean"].isna().all()
    assert table["points"].isna().all()
    assert opening_sentence(table.reset_index()) == (
        "Given with therapy, people on psilocybin improve by 0.80 SDs [0.60, 1.00] more than their controls; these trials cannot say how "
        "much of that is the drug, the therapy or the experience."
    )
    rates = tables | {"responders": made()["responders"].assign(response=float("nan"), note="none did")}
    assert pp.summary_of_findings(rates, build_evidence()).set_index("quantity").loc["needed", "evidence"] == "none did"
    rates["responders"] = rates["responders"].assign(therapy=0.0)
    assert pp.summary_of_findings(rates, build_evidence())["evidence"].tolist()[-1] == "no responders were counted"


def test_the_opening_sentence_counts_improvement_as_positive_and_names_the_scale(build_evidence):
    sentence = opening_sentence(pp.summary_of_findings(made(), build_evidence()))
    assert (
        "improve by 8.0 points of the MADRS [6.0, 10.0] more than their controls, or by 7.0 [5.0, 9.0] if" in sentence
    )
    worse = opening_sentence(pp.summary_of_findings(made(mean=0.3, low=0.1, high=0.5), build_evidence()))
    assert "worsen by 3.0 points of the MADRS [1.0, 5.0]" in worse
    assert opening_sentence(pd.DataFrame()) == "No trial of this evidence compares a drug with a control."


def test_what_is_not_known_is_counted_from_the_rows(build_evidence):
    tables = made()
    tables["rows"].loc[[0, 1], "expectancy_from"] = "reported guesses"
    path = {"drug": "psilocybin", "therapy": 1.0, "path": "experience"} | interval(-0.5, -0.9, 0.1)
    tables["synthesis_effects"] = pd.DataFrame([path])
    why = pp.not_known(tables, pp.summary_of_findings(tables, build_evidence())).set_index("question")["why"]
    assert "Belief was reported for 2 of 8 rows" in why["Is it the drug, or knowing that one got it?"]
    assert why["Does therapy add to the drug?"] == "No trial does so for psilocybin."
    assert "psilocybin -0.50 [-0.90, 0.10]" in why["Does the experience carry the effect?"]
    assert "median of 21 days" in why["How long does it last?"]


def test_a_folder_without_tables_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"holds no tables/\*.csv; give a folder that pillprocess reproduce wrote"
    ):
        pp.read_results(tmp_path)
    (tmp_path / "tables").mkdir()
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "tables" / "one.csv", index=False)
    assert list(pp.read_results(tmp_path)) == ["one"]
