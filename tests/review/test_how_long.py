"""How long it lasts in the report: the section and its words, or the reason why the rows allow none; the effect on one day."""

import pandas as pd
import pytest

from pillprocess.output.pages import estimate, render_page
from pillprocess.review.how_long import how_long, how_long_words
from pillprocess.review.report import SETTING
from pillprocess.review.run import _on_day


def made(build_evidence, days=(2, 21, 84)):
    arms, outcomes = [], []
    for trial, last in (("a", -3.0), ("b", -5.0), ("c", -4.0)):
        for arm, drug, role, mg in (
            ("drug", "psilocybin", "active", 25),
            ("placebo", "placebo", "inert_placebo", None),
        ):
            arms.append(
                {
                    "trial_id": trial,
                    "arm_id": arm,
                    "drug": drug,
                    "role": role,
                    "dose_mg_equiv": mg,
                    "n_doses": 1,
                    "therapy": 1,
                }
            )
            outcomes += [
                {"trial_id": trial, "arm_id": arm, "time_days": day, "primary": int(day == 21),
                "change_mean": -4 + (last * 21 / (21 + day) if mg else 0),
                 "change_sd": 8, "n": 60, "usable": 1}
                for day in days
            ]  # fmt: skip
    return build_evidence(trials=[{"trial_id": t, "randomised_until": 84} for t in "abc"], arms=arms, outcomes=outcomes)


def page(tables: dict[str, pd.DataFrame]) -> str:
    context = {
        "tables": {name: table.to_dict("records") for name, table in tables.items()}, "how_long": how_long_words(tables),
        "figures": {"time_course": "data:,"}, "narrow": {"time_course": ""}, "setting": SETTING,
    }  # fmt: skip
    return render_page("sections/how_long.html", context, wing="review", writes=estimate)


def test_the_section_says_what_was_measured_and_marks_what_was_not(build_evidence):
    evidence = made(build_evidence)
    tables = how_long(evidence, seed=1)
    effects = tables["time_effects"].set_index("day")
    assert effects["trials"].to_dict() == {1.0: 0, 7.0: 0, 21.0: 3, 42.0: 0, 90.0: 3, 180.0: 0, 365.0: 0}
    assert set(effects["therapy"]) == {1.0}
    words = " ".join(how_long_words(tables))
    assert "psilocybin: 3 trials measured drug and control, still as randomised" in words
    assert "the lower end is measured, the upper one is not" in words
    text = page(tables)
    assert text.count("none: extrapolated") == 5
    assert "its own randomised curves" in text
    assert "nan" not in text
    on_day = _on_day(evidence, 90.0, constructs=None, seed=1)
    both = on_day[on_day["therapy"] == 1]
    assert both["mean"].item() == pytest.approx(effects.loc[90.0, "mean"], abs=1e-9)


def test_a_drug_whose_duration_is_carried_from_elsewhere_is_called_an_assumption():
    ledger = pd.DataFrame(
        {"drug": ["esketamine"], "rests_on": ["other drugs' curves: an assumption"], "unpublished": [0]}
    )
    lives = pd.DataFrame({"drug": ["esketamine"], "therapy": [0.0]})
    words = how_long_words({"time_ledger": ledger, "half_lives": lives})
    assert words == [
        "For esketamine (other drugs' curves) how long the effect lasts is an assumption: what stands for it in the table is "
        "carried from elsewhere."
    ]


def test_relapse_after_a_drug_was_stopped_at_random_is_told_beside_the_scores(build_evidence):
    """A withdrawal trial joins; the events of people whose scores are in are set beside the curve alone."""
    base = made(build_evidence)
    relapse = [
        {"trial_id": trial, "arm_id": arm, "instrument": "relapse", "time_days": 84, "n": 60, "responders": n, "primary": 0,
         "days_from_last_dose": since}
        for trial, arm, n, since in (("a", "drug", 20, None), ("a", "placebo", 35, None), ("w", "on", 15, 7), ("w", "off", 35, 84))
    ]  # fmt: skip
    arms = [
        {"trial_id": "w", "arm_id": "on", "drug": "psilocybin", "role": "active", "dose_mg_equiv": 25, "therapy": 1},
        {"trial_id": "w", "arm_id": "off", "drug": "placebo", "role": "inert_placebo", "therapy": 1},
    ]
    evidence = build_evidence(
        trials=[*base.trials.to_dict("records"), {"trial_id": "w", "randomised_until": 84}],
        arms=[*base.arms.to_dict("records"), *arms], outcomes=[*base.outcomes.to_dict("records"), *relapse],
    )  # fmt: skip
    tables = how_long(evidence, seed=1)
    seen = tables["relapse"].set_index("trial")
    assert seen["joined"].to_dict() == {"a": False, "w": True}
    assert tables["relapse_set_aside"]["trial"].tolist() == ["a"]
    alone, joined = tables["half_lives"].iloc[0], tables["half_lives_with_relapse"].iloc[0]
    assert joined["ci_high"] != alone["ci_high"]
    *_, words, readings = how_long_words(tables)
    other = tables["relapse_readings"]["median"]
    assert f"between {other.min():.0f} and {other.max():.0f} days" in readings
    apart = f"{seen.loc['w', 'observed']:.2f} (SE {seen.loc['w', 'se']:.2f}) SDs apart"
    assert "psilocybin: w stopped the drug at random in people who had improved with it. Relapse put those who" in words
    assert apart in words
    assert f"{joined['ci_high']:.0f}] instead of {alone['median']:.0f} [{alone['ci_low']:.0f}" in words
    text = page(tables)
    assert f"{seen.loc['a', 'observed']:.2f} ({seen.loc['a', 'se']:.2f})" in text
    assert "no: the same people&#39;s scores are" in text or "no: the same people's scores are" in text
    assert text.count("relapse tells of the last day alone") == 1
    assert f"{joined['median']:.0f} [{joined['ci_low']:.0f}, {joined['ci_high']:.0f}]" in text


def test_rows_that_allow_no_time_course_say_why(build_evidence):
    alone = build_evidence(
        trials=[{"trial_id": "open", "design": "single_arm"}],
        arms=[
            {
                "trial_id": "open",
                "arm_id": "drug",
                "role": "single_arm",
                "drug": "psilocybin",
                "dose_mg_equiv": 25,
                "n_doses": 1,
            }
        ],
        outcomes=[{"trial_id": "open", "arm_id": "drug", "change_mean": -9, "change_sd": 8, "usable": 1}],
    )
    tables = how_long(alone, seed=1)
    assert "no row compares a drug with no or a low dose of it" in page(tables)
