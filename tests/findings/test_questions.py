"""What readers ask first: a line each with the tables' numbers, and no line where the tables have no answer."""

import pandas as pd

import pillprocess as pp
from pillprocess.findings.questions import questions
from tests.findings.tables import made


def test_each_question_is_answered_from_the_tables(build_evidence):
    summary = pp.summary_of_findings(made(), build_evidence())
    through = {"mean": -0.4, "ci_low": -1.0, "ci_high": 0.2, "certainty": "very low"}
    summary.loc[summary["quantity"] == "experience", list(through)] = list(through.values())
    lives = {"drug": "psilocybin", "therapy": 1.0, "median": 200.4, "ci_low": 60.0, "ci_high": 900.0}
    tables = {
        "half_lives": pd.DataFrame([lives, lives | {"drug": "MDMA"}]),
        "time_ledger": pd.DataFrame(
            {"drug": ["psilocybin", "MDMA"], "rests_on": ["its own randomised curves", "the prior: an assumption"]}
        ),
        "synthesis_share": pd.DataFrame({"drug": "psilocybin", "therapy": [0.0, 1.0], "p_most": [0.1, 0.7], "prior_p_most": 0.5}),
    }  # fmt: skip
    said = questions(tables, summary).set_index("question")
    assert said["section"].tolist() == ["ledger", "responders", "what-if", "how_long", "synthesis"]
    assert said["answer"].tolist() == [
        "Not shown: every interval includes none. More improvement with therapy: psilocybin 3.0 points of the MADRS [-1.0, 6.0] (carried "
        "over from other drugs).",
        "psilocybin 4.0 [3.3, 5.0]. It takes more where belief is discounted: see What if?",
        "If all that goes with belief is belief's own effect, improvement falls: psilocybin from 8.0 [6.0, 10.0] to 7.0 points of the "
        "MADRS [5.0, 9.0].",
        "psilocybin: half of the effect is left after 200 days [60, 900]; for MDMA it is an assumption.",
        "Not sure: very low certainty. Probability that more than half of the effect runs through it, before the data in brackets: "
        "psilocybin 0.70 (0.50).",
    ]


def test_a_drug_whose_duration_rests_on_relapse_is_no_bare_assumption(build_evidence):
    lives = pd.DataFrame(
        {"drug": ["esketamine", "ketamine"], "therapy": 0.0, "median": 180.0, "ci_low": 20.0, "ci_high": 2000.0}
    )
    rests = ["relapse after the drug was stopped at random, read through the curve", "the prior: an assumption"]
    tables = {
        "half_lives": lives, "time_ledger": pd.DataFrame({"drug": lives["drug"], "rests_on": "the prior: an assumption"}),
        "half_lives_with_relapse": lives.assign(median=51.0, ci_low=9.0, ci_high=145.0, rests_on=rests),
    }  # fmt: skip
    said = questions(tables, pp.summary_of_findings(made(), build_evidence())).set_index("section")
    assert said.loc["how_long", "answer"] == (
        "esketamine, by relapse after it was stopped at random: after 51 days [9, 145], if relapse is symptoms above a threshold; for "
        "ketamine it is an assumption."
    )


def test_what_the_tables_do_not_answer_has_no_line(build_evidence):
    tables = made() | {"responders": pd.DataFrame([{"reason": "nobody counted"}])}
    said = questions({}, pp.summary_of_findings(tables, build_evidence()))
    assert said["section"].tolist() == ["ledger", "what-if"]
