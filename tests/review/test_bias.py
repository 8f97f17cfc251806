"""Bias in the report: the pair in the Answer, the section with and without an analysis."""

import numpy as np
import pandas as pd
import pytest

from pillprocess.bias.averaging import AVERAGED, UNADJUSTED
from pillprocess.output.pages import estimate, render_page
from pillprocess.review.analysis import Analysis
from pillprocess.review.bias import add_bias, bias_answer


@pytest.fixture(scope="module")
def analysis(arm_row) -> Analysis:
    rng = np.random.default_rng(3)
    rows = []
    for j in range(14):
        drug, se = ("psilocybin", "MDMA")[j % 2], rng.uniform(0.1, 0.4)
        cells = {"drug_given": drug, "study_drug": drug, "n": round(1 / se**2)}
        rows += [
            arm_row(
                f"t{j}", "drug", -0.9 - 0.5 * se + se * rng.standard_normal(), se, dose=(1.0, 0.4)[j % 3 == 0], **cells
            ),
            arm_row(f"t{j}", "placebo", -0.4 + se * rng.standard_normal(), se, **cells),
        ]
    rows.append(arm_row("alone", "open", -2.0, 0.2, dose=1.0))
    return add_bias(Analysis({}, {}, pd.DataFrame(rows), pd.Series(dtype=float), ""))


def test_the_answer_states_the_pair_for_each_drug_and_how_dose_was_read(analysis):
    text = " ".join(bias_answer(analysis.tables))
    effects = analysis.tables["bias_effects"]
    effects = effects[effects["dose"] == "averaged"].set_index(["drug", "estimate"])["mean"]
    for drug in ("psilocybin", "MDMA"):
        pair = f"{effects[drug, UNADJUSTED]:.2f}", f"{effects[drug, AVERAGED]:.2f}"
        part = text.split(f"{drug} ")[1]
        assert part.index(pair[0]) < part.index(" / ") < part.index(pair[1], part.index(" / "))
    assert "Bayes factor" in text
    assert "if effects are proportional to dose" in text


def test_the_section_shows_every_estimate_and_what_was_set_aside(analysis):
    context = {
        "tables": {name: table.to_dict("records") for name, table in analysis.tables.items()}, "bias_note": "",
        "figures": {"funnels": "data:image"}, "narrow": {"funnels": ""},
    }  # fmt: skip
    page = render_page("sections/bias.html", context, wing="review", writes=estimate)
    assert page.count("allowing for small-study effects") == 2 * len({"psilocybin", "MDMA"})
    assert "the only arm of its trial" in page
    assert 'src="data:image"' in page


def test_rows_that_allow_no_analysis_say_why(arm_row):
    alone = Analysis({}, {}, pd.DataFrame([arm_row("alone", "open", -2.0, 0.2, dose=1.0)]), pd.Series(dtype=float), "")
    found = add_bias(alone)
    assert found.tables == {}
    page = render_page(
        "sections/bias.html", {"tables": {}, "bias_note": found.bias_note}, wing="review", writes=estimate
    )
    assert "no row compares a drug with a control of this kind" in page
