"""Candidate trials are checked whole before anything is computed; a file says the same as the arguments."""

import pytest

from pillprocess.planning.library import named_designs
from pillprocess.planning.trial_files import read_designs
from pillprocess.planning.trials import PlanningError, trial_design

ARMS = {"drug": {"drug": "psilocybin", "n": 40}, "placebo": {"drug": "placebo", "n": 20}}


def test_every_problem_of_a_trial_is_named_at_once():
    arms = {
        "drug": {"drug": "psilocybin", "n": 1, "dose": 0.0, "colour": "blue"},
        "list": {"drug": "psilocybin", "waiting_list": True, "belief": "sure", "therapy_hours": 3.0},
        "placebo": {
            "drug": "none",
            "active_placebo": True,
            "belief": 1.2,
            "experience": -1.0,
            "experience_shift": float("nan"),
        },
    }
    with pytest.raises(PlanningError) as caught:
        trial_design("t", arms, dropout=1.0, measured=("guess", "mood"), cluster_size=0.5, cost=-3)
    text = str(caught.value)
    for words in (
        "nothing was computed", "unknown colour", "n = 1; an arm needs a whole number of people, at least 2", "dose = 0 of psilocybin",
        "a waiting list that gives psilocybin", "belief = 'sure'", "3 hours of therapy, but no type",
        "an active placebo with drug = 'none'",
        "belief = 1.2; a share", "experience = -1.0; it must be a number", "experience_shift = nan",
        "dropout = 1; it must be at least 0 and below 1",
        "measured names mood", "the outcome is not among", "cluster_size = 0.5", "cost = -3; the cost of one person must be > 0",
    ):  # fmt: skip
        assert words in text
    with pytest.raises(PlanningError, match="1 arm; a comparison needs two"):
        trial_design("t", {"drug": {"n": 10}})


def test_dropout_clusters_and_allocation_are_worth_what_the_formula_says():
    trial = trial_design("t", ARMS, dropout=0.25, cluster_size=11, cluster_icc=0.1)
    assert trial.people == 60
    assert trial.completers(30.0) == pytest.approx([40 * 0.75 / 2, 20 * 0.75 / 2])
    assert [arm.n for arm in trial.sized(60).arms] == [80, 40]


def test_belief_follows_the_experience_in_blinded_arms_and_knowledge_in_open_ones():
    trial = trial_design(
        "t",
        ARMS | {"asleep": {"drug": "psilocybin", "experience": 0.0}, "open": {"drug": "psilocybin", "belief": "open"}},
    )
    assert [arm.believed(0.2, 0.8) for arm in trial.arms] == [0.8, 0.2, 0.2, 1.0]


CSV = """design,arm,n,drug,dose,therapy,therapy_hours,experience,belief,waiting_list,dropout,measured,cost
A,drug,40,psilocybin,,support,8,,,,0.1,outcome guess,900
A,placebo,20,placebo,,support,8,,equal,no,0.1,outcome guess,900
B,drug,30,ketamine,0.5,,,0,0.5,,,,
B,waiting,30,none,,,,,open,yes,,,
"""


def test_a_file_of_trials_says_what_the_arguments_say(tmp_path):
    path = tmp_path / "designs.csv"
    path.write_text(CSV, encoding="utf-8")
    first, second = read_designs(path)
    support = {"therapy": "support", "therapy_hours": 8.0}
    assert first == trial_design(
        "A", {"drug": {"drug": "psilocybin", "n": 40} | support, "placebo": {"drug": "placebo", "n": 20, "belief": "equal"} | support},
        dropout=0.1, measured=("outcome", "guess"), cost=900,
    )  # fmt: skip
    assert second.arms[0].experience == 0
    assert second.arms[0].belief == 0.5
    assert second.arms[1].waiting_list


def test_every_problem_of_a_file_is_named_with_its_line(tmp_path):
    path = tmp_path / "designs.csv"
    path.write_text(
        "design,arm,n,dose,waiting_list,dropout\nA,x,ten,1,perhaps,0.1\nA,x,20,1,,0.2\n,y,20,,,\nA,z,1.5,,,0.1,9\nB,x,,,,\n",
        encoding="utf-8",
    )
    with pytest.raises(PlanningError) as caught:
        read_designs(path)
    for words in (
        "line 2: n = 'ten' is no number", "line 2: waiting_list = 'perhaps'; write yes or no", "line 3: trial 'A' has the arm 'x' twice",
        "line 3: dropout differs from the first line", "line 4: design and arm must both have a name", "line 5: more cells than columns",
        "n = 1.5; an arm needs a whole number", "line 6: n is blank", "trial 'B': 1 arm",
    ):  # fmt: skip
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"design;arm;n\nA;x;2\n", "has semicolons between its cells"),
        (b"design,arm,people\nA,x,2\n", "no column 'n'"),
        (b"design,arm,n,n\nA,x,2,2\n", "column 'n' is there twice"),
        (b"design,arm,n,colour\nA,x,2,blue\n", "unknown column 'colour'"),
        (b"design,arm,n\n", "no line describes a trial"),
        (b"design,arm,n\nA\xff,x,2\n", "is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_table_of_trials_is_refused_in_words(tmp_path, content, words):
    path = tmp_path / "designs.csv"
    path.write_bytes(content)
    with pytest.raises(PlanningError, match=words):
        read_designs(path)


def test_every_named_design_has_a_source_that_can_be_looked_up():
    for trial in named_designs("MDMA").values():
        assert trial.drug == "MDMA"
        assert "doi:10." in trial.source
