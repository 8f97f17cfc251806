"""How much of the drug does what in the report: the page's numbers are the tables', and rows that allow no dose curve say why."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.output.pages import estimate, render_page
from pillprocess.review.how_much import SHAPES, how_much, how_much_words
from pillprocess.rows.contrasts import model_rows


@pytest.fixture(scope="module")
def real():
    evidence = pp.load_evidence()
    arms, differences = model_rows(evidence)
    return evidence, arms, differences, how_much(evidence, arms, differences, seed=1)


def page(tables: dict[str, pd.DataFrame]) -> str:
    context = {
        "tables": {name: table.to_dict("records") for name, table in tables.items()}, "how_much": how_much_words(tables),
        "dose_shapes": SHAPES, "figures": {"dose_response": "data:,"}, "narrow": {"dose_response": ""},
    }  # fmt: skip
    return render_page("sections/how_much.html", context, wing="review", writes=estimate)


def test_every_number_of_the_section_is_in_its_tables(real):
    tables, fits = real[3]
    text = page(tables)
    for r in tables["dose_half_maximal"].itertuples():
        row = text[text.index(f'<th scope="row">{r.drug}</th><td>{r.reference_dose}') :].split("</tr>")[0]
        assert f"{r.effect:.2f} [{r.effect_low:.2f}, {r.effect_high:.2f}]" in row
        assert f"{r.prior:.2f} [{r.prior_low:.2f}, {r.prior_high:.2f}]" in row
        assert row.rstrip().endswith(f'{r.trials}</td><td class="number">{r.dose_trials}</td>')
    for r in tables["dose_shapes"].itertuples():
        assert f'{SHAPES[r.shape]}</th><td class="number">{r.log_marginal_likelihood:.1f}</td>' in text
    assert (
        text.count("none: the curve&#39;s word") + text.count("none: the curve's word")
        == (tables["dose_shares"]["effect_trials"] == 0).sum()
    )
    words = " ".join(how_much_words(tables))
    share = tables["dose_averaged_share"].iloc[0]
    assert f"{share['mean']:.2f} [{share['ci_low']:.2f}, {share['ci_high']:.2f}]" in words
    psilocybin = tables["dose_shares"].set_index(["drug", "dose"]).loc[("psilocybin", 0.5)]
    assert f"{psilocybin['effect']:.2f} [{psilocybin['effect_low']:.2f}" in words
    assert "nan" not in text
    assert set(fits) == {"dose_response", "dose_of_experience"}


def test_the_tables_are_those_of_the_public_functions(real):
    _, arms, differences, (tables, _) = real
    rows = pd.concat([arms, differences], ignore_index=True)
    shapes = tables["dose_shapes"].set_index("shape")["log_marginal_likelihood"]
    step = pp.fit_dose_response(rows, shape="step", seed=9, draws=2).attrs["log_marginal_likelihood"]
    assert shapes["step"] == pytest.approx(step)
    assert shapes.index[0] == "step"
    without = tables["dose_shapes_without"].set_index("trial")
    hangs = without["step"] < without.drop(columns="step").max(axis=1)
    assert list(hangs.index[hangs]) == ["mithoefer2018"], "seven people at 75 mg"
    assert (
        "This hangs on one trial: the best of the gradual curves is ahead without mithoefer2018"
        in how_much_words(tables)[1]
    )
    half = tables["dose_half_maximal"].set_index("drug")
    assert half.loc["ketamine", "dose_trials"] == 0
    assert "goodwin2022" in half.loc["psilocybin", "names"]
    assert np.isnan(half.loc["esketamine", "experience"])
    drawn = pp.fit_dose_response(rows, seed=1)["posterior"].dataset["half_maximal"].sel(drug="MDMA")
    assert half.loc["MDMA", "effect"] == pytest.approx(float(drawn.median()))


def test_a_dose_that_keeps_the_effect_without_the_experience_would_be_said(real):
    tables = dict(real[3][0])
    tables["dose_shares"] = tables["dose_shares"].assign(effect_low=0.8, experience_high=0.5)
    tables["dose_half_maximal"] = tables["dose_half_maximal"].assign(dose_trials=0)
    tables["dose_shapes"] = tables["dose_shapes"].sort_values("log_marginal_likelihood")
    words = how_much_words(tables)
    assert words[0].startswith("No trial gave different doses of one drug at random")
    assert (
        f"predicted best by: in proportion to the dose (log marginal likelihood {tables['dose_shapes'].iloc[0, 1]:.1f}; a step"
        in words[1]
    )
    assert "more of the effect than of the experience" in words[2]


def test_without_acute_scores_the_effect_still_has_its_curve(real):
    evidence, arms, differences, _ = real
    own = arms[arms["study_drug"] == "MDMA"]
    silent = replace(evidence, subjective=evidence.subjective[:0])
    tables, fits = how_much(silent, own, differences[differences["study_drug"] == "MDMA"], seed=1)
    assert set(fits) == {"dose_response"}
    text, words = page(tables), " ".join(how_much_words(tables))
    assert "The acute experience is not set beside it: no acute score can be put against its dose" in words
    assert "no scores" in text
    assert "Is there a dose that keeps the effect" not in text
    assert "nan" not in text


def test_rows_that_allow_no_dose_curve_say_why(build_evidence):
    arms = [
        {
            "trial_id": "open",
            "arm_id": "drug",
            "role": "single_arm",
            "drug": "psilocybin",
            "dose_mg_equiv": 25,
            "n_doses": 1,
        }
    ]
    outcomes = [{"trial_id": "open", "arm_id": "drug", "change_mean": -9, "change_sd": 8, "usable": 1}]
    evidence = build_evidence(trials=[{"trial_id": "open", "design": "single_arm"}], arms=arms, outcomes=outcomes)
    rows = pp.arm_changes(evidence)
    tables, fits = how_much(evidence, rows, pp.contrasts(evidence, besides=rows), seed=1)
    assert fits == {}
    assert "no row compares a drug with a control of this kind" in page(tables)
