"""People count once: pooled analyses, crossovers, and days after the randomised comparison."""

import pandas as pd
import pytest

import pillprocess as pp

PART = {"trial_id": "part1"}
POOL = {"trial_id": "pool1", "counted_in": "part1;part2"}


def two_arms(trial, **cells):
    control = {"role": "inert_placebo", "drug": "placebo"}
    drug = {"role": "active", "drug": "psilocybin", "dose_mg_equiv": 25}
    return [{"trial_id": trial, "arm_id": "drug"} | drug, {"trial_id": trial, "arm_id": "placebo"} | control | cells]


def changes(trial, days=(21,), **cells):
    return [
        {"trial_id": trial, "arm_id": arm, "time_days": day, "primary": int(day == 21), "change_mean": y, "change_sd": 8} | cells
        for day in days
        for arm, y in (("drug", -12), ("placebo", -6))
    ]  # fmt: skip


@pytest.fixture
def pooled(build_evidence):
    """A pooled analysis with arm means, and the one of its two trials that is in the tables, with what that trial printed."""

    def build(part=(), difference=(), **cells):
        return build_evidence(
            trials=[PART | cells, {"trial_id": "part2"}, POOL],
            arms=[*two_arms("part1"), *two_arms("pool1")],
            outcomes=[*part, *changes("pool1")],
            contrasts=[
                {"trial_id": "part1", "arm_id": "drug", "reference_arm_id": "placebo"} | row for row in difference
            ],
        )

    return build


DIFFERENCE = {"effect_type": "mean_difference", "estimate": -6, "se": 2}


def test_a_pooled_analysis_speaks_where_its_trials_are_silent(pooled):
    assert set(pp.arm_changes(pooled())["trial"]) == {"pool1"}
    counts_only = changes("part1", change_mean=None, change_sd=None, responders=5)
    assert set(pp.arm_changes(pooled(counts_only))["trial"]) == {"pool1"}
    assert set(pp.arm_changes(pooled(difference=[DIFFERENCE | {"primary": 0}]))["trial"]) == {"pool1"}
    assert set(pp.arm_changes(pooled(difference=[DIFFERENCE], include=0, exclude_reason="x"))["trial"]) == {"pool1"}


@pytest.mark.parametrize("what", ["arms", "difference"])
def test_a_pooled_analysis_is_silent_where_one_of_its_trials_speaks(pooled, what):
    evidence = pooled(changes("part1")) if what == "arms" else pooled(difference=[DIFFERENCE])
    if what == "arms":
        assert set(pp.arm_changes(evidence)["trial"]) == {"part1"}
    else:
        assert set(pp.contrasts(evidence)["trial"]) == {"part1"}
    aside = pp.set_aside(evidence).set_index(["trial", "arm"])["reason"]
    assert aside[("pool1", "drug")] == aside[("pool1", "placebo")] == "its people are counted in part1"


def test_a_pooled_analysis_adds_nobody_to_the_counts(pooled):
    counts = pp.evidence_counts(pooled(changes("part1")))
    assert counts["people"].sum() == 40


def test_the_second_arm_of_a_crossover_adds_rows_but_no_people(build_evidence):
    evidence = build_evidence(
        trials=[{"trial_id": "cross1", "design": "crossover"}],
        arms=two_arms("cross1", same_people_as="drug"),
        outcomes=changes("cross1"),
        contrasts=[{"trial_id": "cross1", "arm_id": "drug", "reference_arm_id": "placebo"} | DIFFERENCE],
    )
    rows = pp.arm_changes(evidence).set_index("arm")
    assert rows["n"].to_dict() == {"drug": 16, "placebo": 16}
    assert rows["people"].to_dict() == {"drug": 16, "placebo": 0}
    difference = pp.contrasts(evidence).iloc[0]
    assert (difference["n"], difference["people"]) == (40, 20)


def test_a_row_after_the_randomised_comparison_is_flagged_and_the_user_is_told(build_evidence):
    trial = {"trial_id": "rct1", "randomised_until": 35}
    evidence = build_evidence(
        trials=[trial, {"trial_id": "open1", "design": "single_arm"}],
        arms=[*two_arms("rct1"), {"trial_id": "open1", "arm_id": "drug", "role": "single_arm", "drug": "psilocybin"}],
        outcomes=[*changes("rct1", (21, 35, 183)), *changes("open1", (21, 183))[::2]],
    )
    early = pp.arm_changes(evidence, window=(20, 35)).groupby("trial")["randomised"].max()
    assert early.to_dict() == {"rct1": 1, "open1": 0}
    text = r"no randomised comparison any more, as after a crossover: rct1 \(day 183, randomised until 35\); these rows"
    with pytest.warns(UserWarning, match=text):
        late = pp.arm_changes(evidence, window=(150, 400))
    assert set(late["randomised"]) == {0}
    assert len(late) == 3


def test_nobody_of_the_embedded_evidence_is_counted_twice():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    rows = pd.concat([arms, pp.contrasts(evidence, besides=arms)])
    trials = evidence.trials.set_index("trial_id")
    for trial in rows["trial"].unique():
        same = trials.loc[trial, ["counted_in", "overlaps_with"]].dropna().str.split(";").explode()
        assert not set(same) & set(rows["trial"]), trial
    assert {"popova2019", "fedgchin2019"} <= set(rows["trial"])
    crossovers = arms[arms["people"] == 0]
    assert set(crossovers["trial"]) == {"berman2000", "evans2018", "grob2011"}
    assert arms["people"].sum() == arms["n"].sum() - crossovers["n"].sum()
    randomised = arms[arms["design"] != "single_arm"]
    assert (randomised["randomised"] == 1).all()
