"""The page's own curves: marks stand where the numbers say, strokes below a specification are its choices."""

import math

import pandas as pd
import pytest

from pillprocess.decomposition.multiverse import CHOICES
from pillprocess.review.drawn_curves import HEIGHT, LEFT, RIGHT, TOP, assurance_lines, specification_curves


def multiverse_table() -> pd.DataFrame:
    first = {name: options[0] for name, options in CHOICES.items()}
    rows = [
        first | {"drug": -0.5, "drug_low": -1.0, "drug_high": 0.0, "trials": 9},
        first | {"belief": "with", "drug": -0.25, "drug_low": -1.0, "drug_high": 0.5, "trials": 9},
        first | {"dose": "log", "drug": -0.75, "drug_low": -1.0, "drug_high": -0.5, "trials": 8},
        first | {"dose": "log", "belief": "with", "drug": float("nan"), "trials": 8},
    ]
    return pd.DataFrame(rows).assign(share=float("nan"), interaction=float("nan"), therapy=float("nan"))


def test_specifications_stand_in_rising_order_over_the_strokes_of_their_choices():
    (curve,) = specification_curves(multiverse_table())
    assert curve["quantity"] == "drug"
    assert [p["value"] for p in curve["points"]] == [-0.75, -0.5, -0.25]
    assert [p["headline"] for p in curve["points"]] == [False, True, False]
    assert curve["headline"] == 1
    low, high = -1.0, 0.48  # the 98th percentile of the upper limits
    assert curve["points"][1]["y"] == pytest.approx(TOP + HEIGHT * (high + 0.5) / (high - low), abs=0.1)
    assert curve["points"][1]["x"] == pytest.approx((LEFT + RIGHT) / 2, abs=0.1)
    names = [option["name"] for option in curve["choices"]]
    assert names == ["without belief", "with belief", "dose linear", "dose log"]
    assert [[names[int(k)] for k in p["chosen"].split()] for p in curve["points"]] == [
        ["without belief", "dose log"], ["without belief", "dose linear"], ["with belief", "dose linear"],
    ]  # fmt: skip
    assert [option["ticks"].count("M") for option in curve["choices"]] == [2, 1, 2, 1]
    assert curve["points"][1]["says"] == "-0.50 [-1.00, 0.00], 9 trials: belief: without; dose: linear (the headline)"
    assert (curve["unfitted"], curve["all"]) == (1, 4)
    assert curve["zero"] is not None


def test_chances_rise_over_people_and_the_trial_without_end_stands_beside_them():
    rows = [
        {"design": d, "estimand": "mediated", "n_per_arm": n, "assurance": a}
        for d, chances in (("blocker", (0.1, 0.5, 0.9)), ("placebo", (0.0, 0.0, 0.0)))
        for n, a in zip((10.0, 1000.0, math.inf), chances, strict=True)
    ]
    ledger = pd.DataFrame({"design": ["blocker", "placebo"], "estimand": "mediated"})
    (figure,) = assurance_lines(pd.DataFrame(rows), ledger)
    blocker = figure["lines"][0]
    assert [(p["x"], p["y"]) for p in blocker["points"]] == [(76.0, 219.0), (670.0, 127.0)]
    assert blocker["limit"] == pytest.approx(35.0)
    assert blocker["says"] == "blocker: 10: 10 %, 1000: 50 %; without end 90 %"
    assert [t["text"] for t in figure["ticks"]] == ["10", "20", "50", "100", "200", "500", "1000"]
    assert blocker["dashes"] != figure["lines"][1]["dashes"]
