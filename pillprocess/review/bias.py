"""Bias as the main job shows it: every drug as pooled and allowing for small-study effects and selection."""

import warnings
from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from pillprocess.bias.averaging import ALL_READINGS, AVERAGED, LARGEST, UNADJUSTED, bias_adjusted
from pillprocess.bias.funnel import funnel_table
from pillprocess.output.pages import estimate
from pillprocess.review.analysis import Analysis
from pillprocess.rows.drug_contrasts import drug_contrasts_set_aside

STEP = "small-study effects and selection"


def add_bias(analysis: Analysis, *, step: Callable[[str], None] = lambda _: None) -> Analysis:
    """Return the analysis with the tables of bias, or with the reason why its rows allow none."""
    step(STEP)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "no trial lies on the other side of one-sided p")
            found = bias_adjusted(analysis.rows)
    except ValueError as error:
        return replace(analysis, bias_note=str(error))
    tables = {
        "bias_effects": found.effects, "bias_models": found.models, "bias_inclusion": found.inclusion, "funnel": funnel_table(found),
        "bias_set_aside": drug_contrasts_set_aside(analysis.rows),
    }  # fmt: skip
    return replace(analysis, tables=analysis.tables | tables, bias_note="")


def bias_answer(tables: dict[str, pd.DataFrame]) -> list[str]:
    """State, per drug, the pair "as pooled / allowing for small-study effects", and what it rests on."""
    effects = tables["bias_effects"].set_index(["dose", "drug", "estimate"])
    drugs = list(tables["funnel"].groupby("drug")["trial"].nunique().sort_values(ascending=False, kind="stable").index)

    def written(drug: str, name: str, dose: str = ALL_READINGS) -> str:
        return estimate(effects.loc[(dose, drug, name)].to_dict())

    pairs = "; ".join(
        f"{d} {written(d, UNADJUSTED)} / {written(d, AVERAGED)} (its largest trials alone {written(d, LARGEST)})"
        for d in drugs
    )
    factor = float(tables["bias_inclusion"].set_index("component").loc["any bias", "bayes_factor"])
    sentences = [
        "Small, early and selected trials can exaggerate. As pooled from the differences of drug and control alone / allowing for "
        f"small-study effects and selection: {pairs}."
    ]
    readings = [r for r in dict.fromkeys(effects.index.get_level_values("dose")) if r != ALL_READINGS]
    weight = tables["bias_models"].groupby("dose")["posterior"].sum()
    rests = f"The evidence for such effects is {_strength(factor)} (Bayes factor {factor:.2g})"
    if len(readings) > 1:
        first = drugs[0]
        sides = "; ".join(f"{_READING[r]} {written(first, AVERAGED, r)} ({_chance(weight[r])})" for r in readings)
        rests += f", and it hangs on how dose is read. Allowing for them, {first}: {sides}"
    return [*sentences, rests + "."]


_READING = {
    "linear": "if effects are proportional to dose", "emax": "if they level off (Emax)", "as tested": "if all doses tested count alike"
}  # fmt: skip


def _chance(probability: float) -> str:
    """The probability of a reading; what rounds to 0 or 1 is not called so."""
    if not 0.005 <= probability < 0.995:
        return f"probability {'below .01' if probability < 0.5 else 'above .99'}"
    return f"probability {probability:.2f}"


def _strength(factor: float) -> str:
    strong = max(factor, 1 / factor)
    if strong < 3:
        return "not decisive either way"
    return f"{'strong' if strong > 10 else 'moderate'}{'' if factor > 1 else ', and against them'}"
