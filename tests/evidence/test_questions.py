"""Questions about possible and unusual figures, one at a time, and the doubts that answer them."""

import csv
from pathlib import Path

import pytest

from pillprocess.evidence.questions import describe_question, names
from pillprocess.evidence.tables import evidence_problems, evidence_questions, load_evidence
from tests.evidence.test_tables import TABLES, set_cells, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "tables", TABLES)


def asked(folder: Path) -> list[str]:
    questions = evidence_questions(folder)
    return [describe_question(row) for row in questions[questions["answer"] == ""].to_dict("records")]


def doubt(folder: Path, trial: str, text: str) -> None:
    with (folder / "doubts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [["trial_id", "doubt", "effect", "source"], [trial, text, "outcome", "https://example.org"]]
        )


def test_plain_figures_raise_no_question(folder: Path) -> None:
    assert asked(folder) == []


UNUSUAL = [
    ("outcomes.csv 4", {"post_sd": "2.1"}, "post_sd = 2.1; a standard error? times the root of n = 20 it is 9.39, about"),
    ("outcomes.csv 4", {"baseline_sd": "1.34"}, "baseline_sd = 1.34; a standard error? times the root of n = 20 it is"),
    ("outcomes.csv 3", {"baseline_sd": "", "change_sd": "2.4"}, "change_sd = 2.4; a standard error? times the root of n = 20"),
    ("outcomes.csv 4", {"post_sd": "0.5", "baseline_sd": ""}, "post_sd = 0.5; the instrument's SD is about 10.3"),
    ("outcomes.csv 6", {"change_ci_low": "-52"}, "change_mean = -25; the estimate is not in the middle of its interval, -52 to -18"),
    ("contrasts.csv 2", {"ci_high": "4"}, "estimate = -9; the estimate is not in the middle of its interval, -14 to 4"),
    ("contrasts.csv 2", {"se": "5"}, "se = 5; the interval makes the SE 2.55"),
    ("contrasts.csv 2", {"p": "0.6"}, "p = 0.6; estimate and its error make z = 3.6, which this p does not allow"),
    ("outcomes.csv 5", {"response_pct": "0.6"}, "response_pct = 0.6; a fraction? the column holds percentages"),
    ("outcomes.csv 2", {"remitters": "14"}, "remitters = 14; more than the 12 responders"),
    ("outcomes.csv 2", {"response_pct": "40"}, "response_pct = 40; 12 of 20 is 60 %"),
    ("outcomes.csv 2", {"n": "60"}, "n = 60; the arm or trial has 20 people"),
    ("outcomes.csv 6", {"n": "3"}, "n = 3; of 12 people in the arm"),
    ("arms.csv 2", {"n": "70"}, "n = 70; more than the 60 randomised in the trial"),
    ("arms.csv 2", {"n": "59"}, "n = 59; the trial's arms have 99 people together, randomised were 60"),
    ("outcomes.csv 2", {"post_mean": "", "change_mean": "15"}, "change_mean = 15; this arm gets worse by 1.5 SD"),
    ("outcomes.csv 2", {"post_mean": "", "change_mean": "15"}, "the control did better than the drug, by 1.8 SD"),
    ("outcomes.csv 2", {"change_mean": "-24"}, "change_mean = -24; post_mean - baseline_mean is -15"),
    ("outcomes.csv 4", {"baseline_mean": "3.1", "post_mean": "2.9"}, "baseline_mean = 3.1; the trial's arms begin at about 30"),
    ("contrasts.csv 2", {"direction": "positive_favours_arm"}, "the arms' own figures make the difference -0.88 SD"),
    ("contrasts.csv 2", {"effect_type": "hedges_g"}, "estimate = -9; a hedges g of 9 SD; points, or SEs taken for SDs"),
    ("outcomes.csv 2", {"time_days": "3"}, "time_days = 3; the trial's primary rows are of days 3 to 21"),
    ("outcomes.csv 5", {"time_days": "6", "timepoint": "week 6"}, "time_days = 6; its label 'week 6' is day 42"),
    ("arms.csv 2", {"dose": "2", "dose_mg_equiv": "2"}, "dose = 2; 0.08 times the drug's reference dose"),
    ("arms.csv 2", {"role": "low_dose"}, "role = low_dose; called low_dose, at 1 times the reference dose"),
    ("arms.csv 2", {"route": "iv"}, "route = iv; reference_doses.csv has no dose of the drug by this route"),
    ("arms.csv 2", {"drug": "LSD", "dose": "0.2", "dose_mg_equiv": "0.2"}, "drug = LSD; the arm is compared within psilocybin"),
    ("outcomes.csv 3", {"include": "0"}, "arm_id = placebo; the trial's other arms have a primary outcome, this has none"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "cells", "text"), UNUSUAL)
def test_an_unusual_figure_is_asked_about_and_not_refused(
    folder: Path, place: str, cells: dict[str, str], text: str
) -> None:
    set_cells(folder, place, **cells)
    assert [line for line in asked(folder) if text in line], asked(folder)
    assert evidence_problems(folder).empty


def test_a_question_names_place_figure_reason_and_what_would_settle_it(folder: Path) -> None:
    set_cells(folder, "outcomes.csv 4", post_sd="2.1")
    assert asked(folder) == [
        "outcomes.csv row 4, trial 'smith2020', arm 'waiting': post_sd = 2.1; a standard error? times the root of n = 20 it is "
        "9.39, about the instrument's 10.3; and the trial's arms have about 9? To settle: see whether the source says SD or SE "
        "(SE x sqrt(n) = SD)."
    ]


@pytest.mark.parametrize(
    ("trial", "text", "answers"),
    [
        ("smith2020", "The SD of 2.1 after treatment is as printed.", True),
        ("smith2020", "The SD of 2.17 after treatment is as printed.", False),
        ("smith2020", "The SD after treatment is small.", False),
        ("jones2021", "The SD of 2.1 after treatment is as printed.", False),
    ],
)
def test_a_doubt_of_the_trial_that_names_the_figure_answers_it(
    folder: Path, trial: str, text: str, answers: bool
) -> None:
    set_cells(folder, "outcomes.csv 4", post_sd="2.1")
    doubt(folder, trial, text)
    assert (asked(folder) == []) == answers
    load_evidence(folder)


def test_a_whole_number_is_named_only_with_its_column() -> None:
    assert names("There were n = 14 people.", "14", "n")
    assert not names("Week 14 was the last.", "14", "n")
    assert names("The n of 2,500 is printed.", "2500", "n")
    assert names("The sign of 4.4 was turned.", "-4.40", "change_mean")
    assert not names("It is 14.4 or 4.41.", "4.4", "change_mean")


def test_every_arm_that_gets_worse_is_asked_about_once_the_trial_is_named(folder: Path) -> None:
    set_cells(folder, "outcomes.csv 2", baseline_mean="", post_mean="", change_mean="15")
    set_cells(folder, "outcomes.csv 3", baseline_mean="", post_mean="", change_mean="6")
    set_cells(folder, "outcomes.csv 4", baseline_mean="", post_mean="", change_mean="2", change_sd="8")
    assert "every arm of this trial gets worse, this one by 1.5 SD; a change is endpoint less baseline" in "\n".join(
        asked(folder)
    )


def test_one_difference_in_both_directions_is_refused(folder: Path) -> None:
    lines = [line.replace("outcome_type", "x") for line in TABLES["contrasts.csv"]]
    back = lines[1].replace("high,placebo", "placebo,high").replace("-9,-14,-4", "9,4,14")
    write(folder, {"contrasts.csv": [*lines, back]})
    [only] = evidence_problems(folder)["problem"]
    assert only == (
        "reference_arm_id = high; the difference of high and placebo stands in row 2 already, in the other direction; keep one"
    )


def test_included_trials_of_patients_that_overlap_are_refused(folder: Path) -> None:
    lines = [
        f"{line},{'overlaps_with' if i == 0 else 'jones2021' if i == 1 else ''}"
        for i, line in enumerate(TABLES["trials.csv"])
    ]
    write(folder, {"trials.csv": lines})
    [only] = evidence_problems(folder)["problem"]
    assert (
        only
        == "overlaps_with = jones2021; a trial it overlaps with is included too, so people count twice; keep one with "
        "include = 1, or say counted_in"
    )


def test_one_registry_number_under_two_names_is_asked_about(folder: Path) -> None:
    lines = [
        f"{line},{'registry' if i == 0 else 'NCT01234567' if i < 3 else ''}"
        for i, line in enumerate(TABLES["trials.csv"])
    ]
    write(folder, {"trials.csv": lines})
    assert "registry = NCT01234567; the same as jones2021's?" in asked(folder)[0]
