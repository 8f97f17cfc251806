"""The evidence map and its cards: a circle's area goes with its people, a card says what was given and where that was read."""

import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.review.trial_cards import PIXELS_PER_ROOT_PERSON, map_context, trial_cards


def mapped(**cells: object) -> dict[str, object]:
    row = {
        "trial": "one",
        "drug": "psilocybin",
        "condition": "MDD",
        "comparator": "inert placebo",
        "therapy": "with",
        "n": 100.0,
    }
    return row | cells


def test_a_circle_for_every_trial_and_drug_with_its_control_and_people():
    table = pd.DataFrame(
        [
            mapped(), mapped(trial="two", n=400.0, comparator="inert placebo + low dose"),
            mapped(trial="three", drug="MDMA", n=float("nan"), therapy="not reported", comparator="no control"),
            mapped(trial="four", condition="bipolar_depression", therapy="both"),
        ]
    )  # fmt: skip
    found = map_context(table)
    assert found["drugs"] == ["psilocybin", "MDMA"]
    assert [row["condition"] for row in found["rows"]] == ["MDD", "bipolar depression"]
    two, one = found["rows"][0]["cells"][0]
    assert (two["trial"], one["trial"]) == ("two", "one")
    assert two["size"] == 2 * one["size"] == pytest.approx(20 * PIXELS_PER_ROOT_PERSON)
    assert two["letters"] == "PL"
    assert one["says"] == "one: psilocybin, 100 people, against inert placebo, with therapy"
    (three,) = found["rows"][0]["cells"][1]
    assert three["says"] == "three: MDMA, people not reported, no control, therapy not reported"
    assert (three["n"], three["letters"], three["therapy"]) == ("", "–", "not-reported")
    assert "P inert placebo; L low dose; – no control" in found["legend_words"]
    assert "waiting list" not in found["legend_words"]


def test_a_card_says_what_was_given_to_whom_and_where_it_was_read(build_evidence):
    arms = [
        {"arm_id": "drug", "role": "active", "drug": "psilocybin", "dose_text": "25", "dose_unit": "mg", "route": "oral", "n_doses": 2,
         "therapy": 1, "psychotherapy": "psychotherapy", "therapy_hours_total": 11.5, "n": 20},
        {"arm_id": "control", "role": "active_placebo", "drug": "niacin", "dose_text": None, "n_doses": 1, "therapy": 0, "n": None},
    ]  # fmt: skip
    evidence = build_evidence(
        trials=[
            {
                "trial_id": "one",
                "doi": "10.1000/x",
                "source_url": "https://one.org/a ; not an address ; https://doi.org/10.1000/x",
            }
        ],
        arms=[{"trial_id": "one"} | arm for arm in arms],
        outcomes=[{"trial_id": "one", "arm_id": a["arm_id"], "n": 20} for a in arms],
    )
    table = pp.evidence_map(evidence)
    (card,) = trial_cards(table, evidence, pd.DataFrame({"trial": ["one"]}), pd.DataFrame())
    assert card["in_model"]
    assert card["arms"][0] == "psilocybin 25 mg oral; 2 doses; therapy (psychotherapy), 11.5 hours; n = 20"
    assert card["arms"][1].startswith("niacin")
    assert card["arms"][1].endswith("1 dose; no therapy; n not reported; active placebo")
    assert card["sources"] == ["https://doi.org/10.1000/x", "https://one.org/a"]
    (other,) = trial_cards(table, evidence, pd.DataFrame({"trial": ["two"]}), pd.DataFrame())
    assert not other["in_model"]
