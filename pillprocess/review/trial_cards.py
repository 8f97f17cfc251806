"""The evidence map whose circles open a trial: who was compared with what, and a card per trial with its arms and its sources."""

from typing import Any

import pandas as pd

from pillprocess.evidence.coverage import CONTROLS, MEASURES
from pillprocess.evidence.tables import Evidence
from pillprocess.output.text import web_address
from pillprocess.output.visual_style import in_drawn_order

LETTERS = {
    "inert placebo": "P", "active placebo": "A", "low dose": "L", "waiting list": "W", "another treatment": "T",
    "another dose or therapy": "D", "no control": "–",
}  # fmt: skip
"""The letter beside a circle, by control."""

PIXELS_PER_ROOT_PERSON = 2.0
"""Diameter of a circle over the root of its people: the area goes with the people."""

ROLES = {"active": "", "single_arm": "no control", "inert_placebo": "inert placebo"} | CONTROLS


def map_context(mapped: pd.DataFrame) -> dict[str, object]:
    """The map's columns (drugs), rows (conditions, the most studied first) and circles in each cell, the largest first.

    Parameters
    ----------
    mapped
        From :func:`pillprocess.evidence_map`.
    """
    drugs = in_drawn_order(mapped["drug"])
    rows, letters = [], set()
    for condition in mapped["condition"].value_counts().index:
        own = mapped[mapped["condition"] == condition].sort_values("n", ascending=False, kind="stable")
        cells = [[_circle(r) for r in own[own["drug"] == drug].to_dict("records")] for drug in drugs]
        rows.append({"condition": str(condition).replace("_", " "), "cells": cells})
        letters |= {letter for cell in cells for circle in cell for letter in circle["letters"]}
    words = "; ".join(f"{letter} {control}" for control, letter in LETTERS.items() if letter in letters)
    shown = "Filled: with therapy; hollow: without; half: both; dotted: not reported. The area of a circle goes with its people."
    return {"drugs": drugs, "rows": rows, "legend_words": f"Control: {words}. {shown}"}


def _circle(row: dict[str, Any]) -> dict[str, Any]:
    """One trial and drug on the map."""
    controls, people = row["comparator"].split(" + "), row["n"]
    known = people == people
    told = {"with": "with therapy", "without": "without therapy", "both": "with and without therapy"}
    therapy = told.get(row["therapy"], "therapy not reported")
    shown = f"{people:.0f} people" if known else "people not reported"
    against = "no control" if controls == ["no control"] else f"against {' and '.join(controls)}"
    return {
        "trial": row["trial"], "drug": row["drug"], "n": f"{people:.0f}" if known else "", "therapy": row["therapy"].replace(" ", "-"),
        "size": round(max(PIXELS_PER_ROOT_PERSON * (people if known else 0.0) ** 0.5, 4.0), 1),
        "letters": "".join(LETTERS[name] for name in controls), "says": f"{row['trial']}: {row['drug']}, {shown}, {against}, {therapy}",
    }  # fmt: skip


def trial_cards(
    mapped: pd.DataFrame, evidence: Evidence, rows: pd.DataFrame, one_by_one: pd.DataFrame
) -> list[dict[str, object]]:
    """A record per trial of the map: its facts, arms, what it measured, its own contrast where it has one, doubts and sources.

    Parameters
    ----------
    mapped
        From :func:`pillprocess.evidence_map`.
    evidence
        The tables it was made from.
    rows
        Of the headline model.
    one_by_one
        From :func:`pillprocess.review.explorer.trials_one_by_one`.
    """
    trials, doubts = evidence.trials.set_index("trial_id"), evidence.doubts
    arms = evidence.arms[evidence.arms["include_arm"] == 1]
    cards, modelled = [], set(rows["trial"])
    for name, own in mapped.groupby("trial"):
        facts = trials.loc[name]
        first = own.iloc[0]
        found = one_by_one[one_by_one["trial"] == name] if len(one_by_one) else one_by_one
        cards.append(
            {
                "trial": name, "in_model": name in modelled, "drugs": " and ".join(own["drug"]),
                "condition": str(first["condition"]).replace("_", " "),
                "n": "" if pd.isna(first["n"]) else f"{first['n']:.0f}",
                "citation": _text(facts["citation"]), "year": "" if pd.isna(facts["year"]) else f"{facts['year']:.0f}",
                "design": str(facts["design"]).replace("_", " "), "blinding": _text(facts["blinding"]),
                "comparator": first["comparator"], "registry": _text(facts["registry"]),
                "arms": [_arm(arm) for arm in arms[arms["trial_id"] == name].to_dict("records")],
                "measured": [words for key, words in MEASURES.items() if first[key]],
                "contrasts": found.to_dict("records"),
                "doubts": doubts.loc[doubts["trial_id"] == name, "doubt"].tolist(),
                "sources": _addresses(f"{_text(facts['doi'])} ; {_text(facts['source_url'])}"),
            }
        )  # fmt: skip
    return cards


def _arm(arm: dict[str, object]) -> str:
    """One arm in words: what was given, how often, with which therapy, to how many."""
    what = _text(arm["drug"]).replace("_", " ") or "nothing"
    amount = _text(arm["dose_text"]) or _number(arm["dose"])
    parts = [
        " ".join(
            part for part in (what, amount, _text(arm["dose_unit"]) if amount else "", _text(arm["route"])) if part
        )
    ]
    if doses := _number(arm["n_doses"]):
        parts.append(f"{doses} dose{'' if doses == '1' else 's'}")
    hours = _number(arm["therapy_hours_total"])
    kind = _text(arm["psychotherapy"]).replace("_", " ")
    given = {"0": "no therapy", "1": f"therapy ({kind})" if kind not in ("", "none") else "therapy"}.get(
        _number(arm["therapy"]), ""
    )
    parts += [f"{given}, {hours} hours" if given and hours and hours != "0" else given]
    parts.append(f"n = {people}" if (people := _number(arm["n"])) else "n not reported")
    parts.append(ROLES.get(str(arm["role"]), str(arm["role"]).replace("_", " ")))
    return "; ".join(part for part in parts if part)


def _text(cell: object) -> str:
    return "" if pd.isna(cell) else str(cell)


def _number(cell: object) -> str:
    return "" if pd.isna(cell) else f"{float(str(cell)):g}"


def _addresses(text: str) -> list[str]:
    """The addresses of a list of sources, each once."""
    return list(dict.fromkeys(found for part in text.split(" ; ") if (found := web_address(part))))
