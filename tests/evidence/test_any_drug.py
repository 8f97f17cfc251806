"""Folders of other drugs than the embedded five, and folders of contrasts alone. All figures are simulated."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.evidence.drugs import drugs_of
from pillprocess.output.visual_style import DRUG_COLOURS, DRUG_MARKERS, GREY, in_drawn_order
from pillprocess.review.run import run_compare, run_decompose
from pillprocess.rows.associations import is_symptom
from pillprocess.rows.contrasts import model_rows
from pillprocess.synthesis.data import experiences_of_items
from tests.evidence.folders import ARMS, NEIGHBOUR_FIGURES, OUTCOMES, TRIALS, neighbours_folder
from tests.output.test_visual_style import lab

NEIGHBOURS = [
    ("DMT", "iv", "20", "mg", "dose_mg_equiv"), ("5-MeO-DMT", "inhaled", "12", "mg", "dose_mg_equiv"),
    ("nitrous_oxide", "inhaled", "50", "%", "dose"), ("ibogaine", "oral", "800", "mg", "dose_mg_equiv"),
]  # fmt: skip
CONTRASTS = (
    "trial_id,arm_id,reference_arm_id,level,instrument,construct,outcome_type,effect_type,estimate,se,direction,include,primary,"
    "source_url\n"
)


@pytest.fixture
def neighbours(tmp_path: Path) -> Path:
    """Two simulated trials of each of four drugs that the code does not know."""
    text = {"trials": TRIALS, "arms": ARMS, "outcomes": OUTCOMES}
    text["reference_doses"] = "drug,route,dose,dose_unit,dose_column,source_url\n"
    for drug, route, dose, unit, column in NEIGHBOURS:
        text["reference_doses"] += f"{drug},{route},{dose},{unit},{column},simulated\n"
        for j in range(2):
            trial, equivalent = f"{drug.lower()}_{j}", dose if column == "dose_mg_equiv" else ""
            text["trials"] += f"{trial},parallel,double,MDD,patients,1,{drug},simulated\n"
            text["arms"] += f"{trial},drug,active,{drug},{drug},{dose},{unit},{route},{j},20,1,{equivalent},simulated\n"
            text["arms"] += f"{trial},placebo,inert_placebo,placebo,{drug},,,{route},{j},20,1,,simulated\n"
            text["outcomes"] += (
                f"{trial},drug,MADRS,depression,1,14,20,1,30,6,{18 + j * 1.25 + len(drug) / 10},9,8,simulated\n"
            )
            text["outcomes"] += (
                f"{trial},placebo,MADRS,depression,1,14,20,1,31,6,{25 + j * 1.25 + len(drug) / 10},9,8,simulated\n"
            )
    for table, content in text.items():
        (tmp_path / f"{table}.csv").write_text(content, encoding="utf-8")
    return tmp_path


@pytest.fixture
def contrasts_alone(tmp_path: Path) -> Path:
    text = {"trials": TRIALS, "arms": ARMS, "contrasts": CONTRASTS}
    for j, trial in enumerate(("one", "two", "three", "four")):
        text["trials"] += f"{trial},parallel,double,MDD,patients,1,psilocybin,simulated\n"
        text["arms"] += f"{trial},drug,active,psilocybin,psilocybin,25,mg,oral,0,20,1,25,simulated\n"
        text["arms"] += f"{trial},placebo,inert_placebo,placebo,psilocybin,,,oral,0,20,1,,simulated\n"
        text["contrasts"] += (
            f"{trial},drug,placebo,between_arm,MADRS,depression,continuous,hedges_g,{-0.5 - j / 10},0.3,"
            "negative_favours_arm,1,1,simulated\n"
        )
    for table, content in text.items():
        (tmp_path / f"{table}.csv").write_text(content, encoding="utf-8")
    return tmp_path


def test_a_folder_of_other_drugs_loads_without_a_question(neighbours: Path) -> None:
    evidence = pp.load_evidence(neighbours)
    assert drugs_of(evidence) == tuple(row[0] for row in NEIGHBOURS)
    assert pp.evidence_questions(neighbours).empty


def test_a_folder_of_other_drugs_gives_each_its_effect_and_is_compared(neighbours: Path) -> None:
    tables = run_decompose(
        "headline", baseline="exchangeable", constructs=None, seed=1, evidence=neighbours, progress=False
    )
    effects = tables["drug_effects"][1]
    assert set(effects["drug"]) == {row[0] for row in NEIGHBOURS}
    assert (effects["mean"] < -0.3).all()
    table, note = run_compare("trial", constructs=None, baseline="exchangeable", evidence=neighbours, progress=False)
    assert table["model"].iloc[0] != "course"
    assert "experience" in note, "what no score is known for is left out and said"


def test_a_dose_that_is_no_milligram_is_compared_in_its_own_unit(neighbours: Path) -> None:
    arms = pp.arm_changes(pp.load_evidence(neighbours), drugs=("nitrous_oxide",))
    assert set(arms["dose"]) == {0.0, 1.0}
    assert "50 % inhaled" in " ".join(arms["dose_from"])


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("50,%,inhaled", "50,mg,inhaled", "dose_unit = mg; the reference dose is in %"),
        ("800,mg,oral,0,20,1,800", "800,mg,oral,0,20,1,", "reference_doses.csv compares ibogaine oral in dose_mg_equiv"),
        ("800,mg,oral,0,20,1,800", "9000,mg,oral,0,20,1,9000", "more than 10 times the reference dose 800; is the unit right?"),
        ("DMT,DMT,20,mg,iv,0", "DMT,DMT,20,mg,rectal,0", "; a route of your own needs a row in reference_doses.csv"),
    ],
)  # fmt: skip
def test_slips_in_the_doses_of_other_drugs_are_refused(neighbours: Path, old: str, new: str, text: str) -> None:
    arms = (neighbours / "arms.csv").read_text(encoding="utf-8")
    assert old in arms
    (neighbours / "arms.csv").write_text(arms.replace(old, new), encoding="utf-8")
    assert any(text in problem for problem in pp.evidence_problems(neighbours)["problem"])


def test_a_condition_of_ones_own_is_brought_by_the_vocabulary(neighbours: Path) -> None:
    trials = (neighbours / "trials.csv").read_text(encoding="utf-8")
    (neighbours / "trials.csv").write_text(trials.replace("MDD", "opioid"), encoding="utf-8")
    assert (
        pp.evidence_problems(neighbours)["problem"]
        .str.endswith("a condition of your own needs a row in vocabulary.csv")
        .all()
    )
    (neighbours / "vocabulary.csv").write_text(
        "column,word,meaning\ncondition,opioid,opioid use disorder\n", encoding="utf-8"
    )
    assert pp.evidence_problems(neighbours).empty


@pytest.mark.parametrize("outcomes", [None, OUTCOMES])
def test_a_folder_of_contrasts_alone_is_decomposed_and_compared(contrasts_alone: Path, outcomes: str | None) -> None:
    if outcomes:
        (contrasts_alone / "outcomes.csv").write_text(outcomes, encoding="utf-8")
    tables = run_decompose(
        "headline", baseline="exchangeable", constructs=None, seed=1, evidence=contrasts_alone, progress=False
    )
    heading, effects = tables["terms"][0], tables["drug_effects"][1]
    assert heading.startswith("4 trials, 4 rows")
    assert effects.loc[effects["therapy"] == 0, "mean"].iloc[0] == pytest.approx(-0.6, abs=0.1)
    table, _ = run_compare("trial", constructs=None, baseline="exchangeable", evidence=contrasts_alone, progress=False)
    assert table["model"].iloc[0] != "course"


def test_a_p_below_a_limit_that_the_difference_cannot_have_is_asked_about(tmp_path: Path) -> None:
    folder = neighbours_folder(tmp_path)
    text = (folder / "contrasts.csv").read_text(encoding="utf-8")
    (folder / "contrasts.csv").write_text(text.replace("-7.35,-13.62,-1.08,,,", "-0.3,,,,.001,<"), encoding="utf-8")
    assert pp.evidence_questions(folder)["question"].str.contains("with this p the SD is at most").any()


def test_symptoms_of_a_folders_own_count_as_symptoms() -> None:
    assert is_symptom(pd.Series(["craving", "depression", "other", None])).tolist() == [True, True, False, False]


def test_a_folder_with_neither_outcomes_nor_contrasts_is_refused(contrasts_alone: Path) -> None:
    (contrasts_alone / "contrasts.csv").unlink()
    assert "no such file, and no contrasts.csv" in pp.evidence_problems(contrasts_alone)["problem"].iloc[0]


def test_published_figures_of_four_other_drugs_are_fitted_compared_and_drawn(
    tmp_path: Path, shared, save_figure
) -> None:
    finds = shared("evidence/finds_2026-11.csv").read_text(encoding="utf-8").splitlines()
    for words, figures in NEIGHBOUR_FIGURES.items():
        line = next(line for line in finds if words in line)
        assert all(figure in line for figure in figures), words
    folder = neighbours_folder(tmp_path / "finds")
    evidence = pp.load_evidence(folder)
    assert pp.evidence_questions(folder).empty
    arms, differences = model_rows(evidence)
    effects = run_decompose(
        "headline", baseline="exchangeable", constructs=None, seed=1, evidence=folder, progress=False
    )["drug_effects"][1]
    assert set(effects["drug"]) == set(drugs_of(evidence)) == {row[0] for row in NEIGHBOURS}
    own = effects[effects["evidence"] == "own trials"].set_index("drug")["mean"]
    assert own.to_dict() == pytest.approx({"DMT": -0.79, "5-MeO-DMT": -1.14, "nitrous_oxide": -0.91}, abs=0.02)
    for ax in (pp.plot_network(arms, differences), pp.plot_evidence_map(evidence), pp.plot_forest(effects)):
        save_figure(ax)


def test_an_experience_of_a_folders_own_reaches_the_synthesis_and_one_that_lacks_is_asked_for(tmp_path: Path) -> None:
    folder = neighbours_folder(tmp_path)
    items = pp.synthesis_items(pp.load_evidence(folder))
    assert experiences_of_items(items)["nitrous_oxide"] == "dissociative"
    assert items["outcome_sd"] == pytest.approx(0.96, abs=0.02), "from the differences, as no arm is controlled"
    drugs = (folder / "drugs.csv").read_text(encoding="utf-8")
    (folder / "drugs.csv").write_text(drugs.replace("DMT,mystical,,iv", "DMT,,,"), encoding="utf-8")
    with pytest.raises(
        ValueError, match="no dimension of experience is known for DMT, .* give each a row in drugs.csv"
    ):
        pp.synthesis_items(pp.load_evidence(folder))


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("ibogaine,oneiric", "ibogaine,oneirik", "must be one of mystical, dissociative"),
        ("DMT,mystical,,iv,,", "DMT,mystical,,iv,LSD,", "scores_of = LSD; no such drug in drugs.csv"),
        ("DMT,mystical,,iv,,", "DMT,,mystical,,,", "experience_also = mystical; needs the drug's first dimension in experience"),
        ("DMT,mystical,,iv,,", "DMT,mystical,,smoked,,", "a route of your own needs a row in reference_doses.csv"),
    ],
)  # fmt: skip
def test_slips_in_the_experiences_of_drugs_are_refused(tmp_path: Path, old: str, new: str, text: str) -> None:
    folder = neighbours_folder(tmp_path)
    drugs = (folder / "drugs.csv").read_text(encoding="utf-8")
    (folder / "drugs.csv").write_text(drugs.replace(old, new), encoding="utf-8")
    assert any(text in problem for problem in pp.evidence_problems(folder)["problem"])


def test_every_drug_is_drawn_alike_in_every_figure_and_unlike_the_others() -> None:
    others = [
        "DMT",
        "5-MeO-DMT",
        "nitrous_oxide",
        "ibogaine",
        "ayahuasca",
        "mescaline",
        "noribogaine",
        "deuterated_psilocin",
    ]
    colours = [DRUG_COLOURS[drug] for drug in others] + list(DRUG_COLOURS.values())
    for one, other in combinations(colours, 2):
        assert np.linalg.norm(lab(one) - lab(other)) > 15, (one, other)
    assert "ibogaine" not in DRUG_COLOURS, "looking it up does not add it"
    assert {DRUG_MARKERS[drug] for drug in others} <= set("ph<>8d")
    assert (DRUG_COLOURS[""], DRUG_MARKERS[""]) == (GREY, "o")
    assert in_drawn_order(["ibogaine", "LSD", "DMT", "LSD", "psilocybin"]) == ["psilocybin", "LSD", "DMT", "ibogaine"]
