"""Certainty by rule: each of GRADE's domains takes down what the printed rule says, and nothing else does."""

import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.findings.certainty import FEW, RULE
from tests.findings.tables import interval, made


@pytest.fixture
def evidence(build_evidence):
    return build_evidence()


def down(tables, evidence, quantity="total"):
    table = pp.certainty(tables, evidence)
    own = table[table["quantity"] == quantity].set_index("domain")
    return {domain: int(n) for domain, n in own["down"].items() if n}


def test_four_words_from_high_to_very_low():
    assert [pp.certainty_word(n) for n in range(-1, 6)] == [
        "high",
        "high",
        "moderate",
        "low",
        "very low",
        "very low",
        "very low",
    ]


def test_few_people_are_fewer_than_one_trial_needs_for_the_small_effect(evidence):
    # Cohen 1988, table 2.4.1: 393 per group for d = .2, two-sided 5 %, power .80
    assert FEW == 2 * 393
    assert down(made(people=196), evidence) == {"imprecision": 1}  # 4 trials of 196
    assert down(made(people=197), evidence) == {}
    assert "786" in RULE["imprecision"]


def test_findings_that_nothing_speaks_against_are_of_high_certainty(evidence):
    table = pp.certainty(made(), evidence)
    total = table[table["quantity"] == "total"]
    assert total["domain"].tolist() == list(RULE)
    assert total["down"].sum() == 0
    assert total["why"].tolist()[0] == "4 trials randomise it"


def with_rows(table: str, change: dict[str, float], **where: object) -> dict[str, pd.DataFrame]:
    tables = made()
    mask = pd.Series(True, index=tables[table].index)
    for column, value in where.items():
        mask &= tables[table][column] == value
    assert mask.sum() == 1
    for column, value in change.items():
        tables[table].loc[mask, column] = value
    return tables


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (with_rows("belief_pair", interval(-0.5, -0.7, -0.3)), {"risk of bias": 1}),
        (with_rows("belief_pair", interval(-0.7, -1.5, 0.1)), {"risk of bias": 1}),
        (with_rows("drug_effects", {"ci_high": 0.1}, kind="predictive", therapy=1.0), {"inconsistency": 1}),
        (with_rows("drug_effects", {"ci_high": -0.15}, kind="pooled", therapy=1.0), {"imprecision": 1}),
        (with_rows("drug_effects", {"ci_high": 0.1}, kind="pooled", therapy=1.0), {"imprecision": 2}),
        (with_rows("bias_effects", interval(-0.5, -0.8, -0.2), estimate="largest trials alone"), {"publication bias": 1}),
        (with_rows("bias_effects", interval(-0.7, -1.5, 0.1), estimate="allowing for small-study effects"), {"publication bias": 1}),
    ],
)  # fmt: skip
def test_each_domain_takes_down_what_its_rule_says(tables, expected, evidence):
    assert down(tables, evidence) == expected


def test_few_people_take_one_down_and_with_an_interval_on_0_no_more_than_two(evidence):
    assert down(made(people=90), evidence) == {"imprecision": 1}
    assert down(made(people=90, high=0.1), evidence) == {"imprecision": 2}


def test_another_construct_than_the_scales_takes_one_down(evidence):
    tables = made()
    tables["rows"]["construct"] = ["anxiety"] * 6 + ["depression"] * 2
    assert down(tables, evidence) == {"indirectness": 1}


def test_a_risk_of_bias_in_most_trials_that_sources_speak_of_takes_one_down(build_evidence):
    said = [{"trial_id": f"t{j}", "domain": "rob2_selection", "present": int(j > 0)} for j in range(3)]
    ignored = [
        {"trial_id": "t0", "domain": domain, "present": 1} for domain in ("sponsor", "registration", "blind_failed")
    ]
    assert down(made(), build_evidence(risk_of_bias=said + ignored)) == {"risk of bias": 1}
    assert down(made(), build_evidence(risk_of_bias=said[:2] + ignored)) == {}


def test_what_therapy_adds_starts_where_the_ledger_says(evidence):
    tables = made()
    assert down(tables, evidence, "therapy") == {"what identifies it": 3, "imprecision": 2}
    for words, steps in (("between-trial comparison of randomised contrasts", 2), ("randomised within trials", 0)):
        tables["drug_ledger"]["evidence"] = words
        assert down(tables, evidence, "therapy").get("what identifies it", 0) == steps


def test_the_experience_starts_two_down_as_nobody_randomised_it(evidence):
    path = {"drug": "psilocybin", "therapy": 1.0, "path": "experience"} | interval(-0.5, -0.8, -0.3)
    tables = made() | {"synthesis_effects": pd.DataFrame([path])}
    assert down(tables, evidence, "experience") == {"what identifies it": 2}


def test_what_was_not_examined_says_so(evidence, build_evidence):
    tables = made()
    del tables["bias_effects"]
    tables["belief_pair"] = tables["belief_pair"].iloc[:0]
    why = pp.certainty(tables, build_evidence(instruments=[])).set_index(["quantity", "domain"])["why"]
    assert why["total", "publication bias"] == "not examined: these rows allow no such analysis"
    assert why["total", "risk of bias"].startswith("belief could not be held equal")
    assert why["total", "indirectness"] == "no scale with a reference SD"
    tables["bias_effects"] = made()["bias_effects"].iloc[1:]
    why = pp.certainty(tables, evidence).set_index(["quantity", "domain"])["why"]
    assert why["total", "publication bias"] == "not examined: too few of its trials"
