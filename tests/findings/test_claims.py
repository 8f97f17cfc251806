"""The review's claims: each is answered once, by code, from tables; where nothing speaks, that is said."""

import re

import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.findings.claims import ANSWERS, claims
from pillprocess.findings.trial_answers import compared_kinds, without_its_experience
from tests.findings.tables import interval, made


@pytest.fixture(scope="module")
def evidence():
    return pp.load_evidence()


def ledgered() -> dict[str, pd.DataFrame]:
    row = {
        "term": "drug x therapy",
        "n_trials": 3,
        "n_unconfounded": 0,
        "evidence": "between trials",
        "verdict": "open",
    }
    return made() | {"ledger": pd.DataFrame([row | interval(-0.3, -0.6, 0.1)])}


def test_claims_are_named_once_and_each_asks_a_question_that_exists(shared):
    table = claims()
    assert len(table) >= 30
    assert table["claim"].is_unique
    assert set(table["answered_by"]) <= set(ANSWERS)
    assert (table["says"].str.len() > 20).all()
    review = shared("seed/torrado_pacheco_moghaddam_2024.txt").read_text(encoding="utf-8")
    cited = {int(n) for cell in table["references"] for n in cell.split(";") if n}
    assert all(re.search(rf"^(- )?{n}\. [A-Z]", review, re.MULTILINE) for n in cited)


def test_a_trial_that_a_claim_cites_is_that_of_the_reviews_reference(evidence):
    cited = claims().query("trials != ''").assign(trials=lambda t: t["trials"].str.split(";")).explode("trials")
    known = evidence.trials.set_index("trial_id")["seed_ref"]
    pairs = zip(cited["trials"], cited["references"], strict=True)
    assert [t for t, numbers in pairs if f"{known[t]:.0f}" not in numbers.split(";")] == []


def test_every_claim_is_answered_and_what_no_trial_speaks_to_says_so(evidence):
    table = pp.review_claims(ledgered(), evidence).set_index("claim")
    assert table.index.tolist() == claims()["claim"].tolist()
    assert (table[["estimate", "identified_by", "certainty"]] != "").all().all()
    assert table.loc["therapy is essential", "estimate"] == "what therapy adds -0.30 [-0.60, 0.10]"
    assert table.loc["pill and process", ["estimate", "certainty"]].tolist() == [
        "drug x therapy -0.30 [-0.60, 0.10]",
        "open",
    ]
    assert table.loc["MDMA in PTSD", "estimate"] == "no trial of this evidence speaks to it"
    assert table.loc["experience and outcome", "estimate"] == "the synthesis was not run"
    assert table.loc["plasticity", "trials"] == "none in people"
    assert "64, 67, 68" in table.loc["plasticity", "estimate"]
    assert table.loc["tobacco", "estimate"].endswith("9 of 15 at day 913")
    assert "CBT: johnson2014" in table.loc["CBT in substance use", "estimate"]
    assert table.loc["support everywhere: MDMA", "estimate"].startswith("14 gave therapy")
    assert "goodwin" not in table.loc["psilocybin lasts", "estimate"]


def test_a_trials_own_contrast_has_the_interval_of_its_two_arms_or_its_printed_one(evidence):
    tables = ledgered()
    arms = [
        {"trial": "goodwin2022", "arm": name, "kind": "arm", "y": y, "se": se, "dose": d, "instrument": "MADRS", "time_days": 21.0}
        for name, y, se, d in (("low", -0.5, 0.04, 0.04), ("high", -1.1, 0.03, 1.0))
    ]  # fmt: skip
    printed = {
        "trial": "bogenschutz2022",
        "arm": "a",
        "reference_arm": "b",
        "kind": "contrast",
        "y": -0.5,
        "se": 0.1,
        "dose": 1.0,
    }
    tables["rows"] = pd.concat(
        [tables["rows"], pd.DataFrame([*arms, printed | {"instrument": "PHDD", "time_days": 224.0}])]
    )
    table = pp.review_claims(tables, evidence).set_index("claim")["estimate"]
    assert table["psilocybin dose"] == "high against low -0.60 [-0.70, -0.50] (MADRS, day 21)"
    assert table["alcohol"] == "a against b -0.50 [-0.70, -0.30] (PHDD, day 224)"


def test_experience_is_answered_from_the_synthesis(evidence):
    path = {"drug": "psilocybin", "therapy": 1.0, "n_trials": 4}
    shares = {
        "drug": "psilocybin",
        "association": -0.4,
        "association_low": -0.6,
        "association_high": -0.2,
        "p_half": 0.5,
        "prior_p_half": 0.7,
    }
    tables = ledgered() | {
        "synthesis_effects": pd.DataFrame(
            [path | {"path": "experience"} | interval(-0.5, -0.9, 0.1), path | {"path": "without_experience"} | interval(0.2, -0.5, 0.9)]
        ),
        "synthesis_causal_share": pd.DataFrame([shares]),
    }  # fmt: skip
    table = pp.review_claims(tables, evidence).set_index("claim")
    assert table.loc["experience and outcome", "estimate"].startswith("correlation -0.40 [-0.60, -0.20]")
    assert "0.50 (0.70 before the data)" in table.loc["experience and outcome", "certainty"]
    assert table.loc["experience causes", "certainty"] == "very low"
    assert table.loc["epiphenomenon", "estimate"] == "effect without the experience 0.20 [-0.50, 0.90]"
    assert table.loc["ketamine experience", "estimate"] == "no trial of this evidence speaks to it"


def test_single_trials_arms_and_days_answer_what_they_can(evidence, build_evidence):
    tables = ledgered()
    tables["rows"] = pd.concat([tables["rows"], tables["rows"].assign(study_drug="MDMA", drug_given="MDMA")])
    arms = tables["rows"]["study_drug"] == "MDMA"
    tables["rows"]["y"] = tables["rows"]["dose"].where(arms) * -1.1 - 0.7
    tables["trial_effects"] = pd.DataFrame([{"trial_drug": "grob2011: psilocybin"} | interval(-0.7, -1.3, -0.1)])
    days = [("ketamine", 1.0, "own trials"), ("ketamine", 7.0, "own trials"), ("LSD", 1.0, "extrapolated")]
    tables["time_effects"] = pd.DataFrame(
        [{"drug": d, "day": day, "trials": 3, "evidence": words} | interval(-0.5, -0.9, -0.1) for d, day, words in days]
    )
    table = pp.review_claims(tables, evidence).set_index("claim")
    assert table.loc["cancer", ["trials", "estimate"]].tolist() == ["grob2011", "grob2011 -0.70 [-1.30, -0.10]"]
    assert table.loc["cancer", "certainty"] == "that of the drug's total effect: high"
    assert table.loc["rapid", "estimate"] == "ketamine -0.50 [-0.90, -0.10]; nobody measured LSD then"
    assert table.loc["MDMA controls", "estimate"].startswith(
        "median change -0.70 in 4 arms with the lowest dose or none, -1.80 in 4"
    )
    assert table.loc["ketamine harms", "estimate"] == "harms are not in these tables"
    assert table.loc["without the experience", "trials"] == "0 trials gave psilocybin without its experience"
    assert "no trial compares one therapy with another" in table.loc["which therapy", "estimate"]
    kinds = [{"trial_id": "a", "drug": "psilocybin", "dose": 25.0, "psychotherapy": kind} for kind in ("ACT", "CBT")]
    none = [{"trial_id": "b", "drug": "psilocybin", "dose": 25.0, "psychotherapy": kind} for kind in ("none", "CBT")]
    assert compared_kinds(build_evidence(arms=[*kinds, *none]).arms) == (
        "one therapy is compared with another at one dose of the drug in a"
    )
    asleep = build_evidence(arms=[{"trial_id": "c", "drug": "psilocybin", "awake": 0}])
    assert (
        without_its_experience({"drug": "psilocybin"}, tables, asleep, pd.DataFrame())["estimate"]
        == "in c people were not awake"
    )


def test_evidence_that_holds_nothing_of_a_claim_is_silent(build_evidence):
    tables = ledgered()
    tables["ledger"] = tables["ledger"].assign(term="drug")
    tables["synthesis_effects"] = pd.DataFrame(
        columns=["drug", "therapy", "path", "n_trials", "mean", "ci_low", "ci_high"]
    )
    table = pp.review_claims(tables, build_evidence()).set_index("claim")["estimate"]
    silent = {
        "pill and process", "support everywhere: MDMA", "psilocybin lasts", "tobacco", "CBT in substance use", "plasticity",
        "epiphenomenon", "rapid", "cancer", "MDMA controls", "which therapy",
    }  # fmt: skip
    assert {name for name in silent if table[name] == "no trial of this evidence speaks to it"} == silent
