"""Data rows of a Cochrane review, simulated in RevMan's headings: read once what they do not say is answered."""

from pathlib import Path

import pytest

import pillprocess as pp
from tests.interchange.test_exchange import files

ROWS = (
    "Analysis group,Analysis number,Subgroup,Study,Study year,GIV Mean,GIV SE,Experimental mean,Experimental SD,Experimental cases,"
    "Experimental N,Control mean,Control SD,Control cases,Control N,Mean,CI start,CI end,Weight\n"
    "1,1,,Smith 2027,2027,,,-12,8,,20,-5,7,,21,-7,-11,-3,40\n"
    "1,1,,Jones 2028,2028,,,-9,9,,31,-6,8,,30,-3,-7,1,60\n"
)
ANSWERS = """
[set]
trial_condition = "MDD"
trial_design = "parallel"
trial_population = "patients"
trial_source_url = "simulated"
arm1_source_url = "simulated"
arm2_source_url = "simulated"
contrast_instrument = "MADRS"
contrast_direction = "negative_favours_arm"
contrast_time_days = 21
contrast_source_url = "simulated"
outcome1_instrument = "MADRS"
outcome2_instrument = "MADRS"
outcome1_time_days = 21
outcome2_time_days = 21
outcome1_source_url = "simulated"
outcome2_source_url = "simulated"
[arm.experimental]
role = "active"
drug = "psilocybin"
dose_mg_equiv = 25
therapy = 1
[arm.control]
role = "inert_placebo"
drug = "placebo"
therapy = 1
[word.what]
mean = "change"
cases = "response"
"""


def read(tmp_path: Path, table: str, answers: str = ANSWERS) -> pp.Evidence:
    path, said = files(tmp_path, table, answers)
    pp.import_evidence(path, tmp_path / "e", form="revman", answers=said)
    return pp.load_evidence(tmp_path / "e")


def test_means_of_two_arms_become_outcomes(tmp_path: Path) -> None:
    rows = read(tmp_path, ROWS).outcomes.sort_values(["n"])
    assert rows["arm_id"].tolist() == ["experimental", "control", "control", "experimental"]
    assert rows[["n", "change_mean", "change_sd"]].to_numpy().tolist() == [
        [20, -12, 8],
        [21, -5, 7],
        [30, -6, 8],
        [31, -9, 9],
    ]


def test_cases_become_responders_and_a_generic_row_a_difference(tmp_path: Path) -> None:
    counted = ROWS.replace("-12,8,,20,-5,7,,21", ",,11,20,,,5,21").replace("-9,9,,31,-6,8,,30", ",,15,31,,,9,30")
    rows = read(tmp_path, counted).outcomes
    assert sorted(rows["responders"]) == [5, 9, 11, 15]
    generic = ROWS.replace(",,-12,8,,20,-5,7,,21", "-0.9,0.3,,,,20,,,,21").replace(
        ",,-9,9,,31,-6,8,,30", "-0.4,0.25,,,,31,,,,30"
    )
    (tmp_path / "g").mkdir()
    rows = read(tmp_path / "g", generic, ANSWERS + '[word.measure]\nGIV = "SMD"\n').contrasts
    assert sorted(zip(rows["estimate"], rows["se"].round(6), strict=True)) == [(-0.9, 0.3), (-0.4, 0.25)]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('mean = "change"', "", "answer \\[word.what\\] mean = one of change, endpoint"),
        ("1,1,,Jones", "1,2,,Jones", "holds 2 analyses \\(1.1, 1.2\\); leave the rows of one of them"),
        ("Subgroup,Study,", "Subgroup,Trial,", "lacks the column Study: these are no data rows of RevMan"),
        (",,-12,8,,20,-5", "-0.4,0.2,,8,,20,", "answer \\[word.measure\\] GIV = one of MD, SMD, OR, RR, RD"),
        (",,-12,8,,20,-5", ",,,8,,20,-5", "neither means, cases nor a GIV mean and SE of both arms"),
        ("Smith 2027", "", "Study is blank; every row names its study"),
    ],
)  # fmt: skip
def test_what_revman_does_not_say_is_asked_row_by_row(tmp_path: Path, old: str, new: str, text: str) -> None:
    table, said = ROWS.replace(old, new), ANSWERS.replace(old, new)
    assert (table, said) != (ROWS, ANSWERS)
    with pytest.raises(pp.EvidenceError, match=text):
        read(tmp_path, table, said)
