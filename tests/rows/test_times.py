"""Rows over time: every usable time, whether the arms still compare as randomised, and whether dosing went on."""

import numpy as np
import pytest

import pillprocess as pp

DAYS = (0, 7, 21, 84, 200)


def arms(trial, **cells):
    return [
        {"trial_id": trial, "arm_id": "drug", "role": "active", "drug": "psilocybin", "dose_mg_equiv": 25, "n_doses": 1} | cells,
        {"trial_id": trial, "arm_id": "placebo", "role": "inert_placebo", "drug": "placebo", "n_doses": 1} | cells,
    ]  # fmt: skip


def outcomes(trial, days=DAYS, late=-6.0, **cells):
    return [
        {"trial_id": trial, "arm_id": arm, "time_days": day, "primary": int(day == 21), "change_sd": 8, "usable": 1,
         "change_mean": late if day > 84 else y} | cells
        for day in days for arm, y in (("drug", -12), ("placebo", -6))
    ]  # fmt: skip


def test_every_usable_time_after_the_first_dose_has_a_row_and_says_if_it_is_still_randomised(build_evidence):
    evidence = build_evidence(
        trials=[{"trial_id": "known", "randomised_until": 84}, {"trial_id": "unknown"}],
        arms=[*arms("known"), *arms("unknown")], outcomes=[*outcomes("known"), *outcomes("unknown")],
    )  # fmt: skip
    rows = pp.arm_changes(evidence, times="all")
    still = rows[rows["arm"] == "drug"].set_index(["trial", "time_days"])["randomised"]
    assert still["known"].to_dict() == {7: 1, 21: 1, 84: 1, 200: 0}
    assert still["unknown"].to_dict() == {7: 1, 21: 1, 84: 0, 200: 0}  # beyond the primary time nobody knows
    assert rows["label"].is_unique
    assert rows["days_from_last_dose"].tolist() == rows["time_days"].tolist()
    first = pp.arm_changes(evidence)
    assert set(first["time_days"]) == {21}
    assert (first["y"].tolist(), len(first)) == (rows.loc[rows["primary"] == 1, "y"].tolist(), 4)


def test_rows_between_doses_are_marked_and_days_from_the_last_dose_come_from_the_table(build_evidence):
    days = {7: 7, 21: None, 56: 4, 112: 60}
    rows = [
        row | {"days_from_last_dose": days[row["time_days"]], "primary": int(row["time_days"] == 112)}
        for row in outcomes("two", tuple(days))
    ]
    table = pp.arm_changes(build_evidence(
        trials=[{"trial_id": "two"}], arms=arms("two", n_doses=2), outcomes=rows), times="all").query("arm == 'drug'")  # fmt: skip
    assert table.set_index("time_days")["redosing"].to_dict() == {
        7: 1,
        21: 1,
        56: 0,
        112: 0,
    }  # day 56 has the last dose (day 52) behind it
    assert table["days_from_last_dose"].fillna(-1).tolist() == [7, -1, 4, 60]


def test_an_arm_whose_primary_instrument_has_no_usable_row_gives_the_one_with_most_times(build_evidence):
    rows = [row | {"instrument": "BDI", "primary": 0} for row in outcomes("alc", (7, 84))]
    counts = [
        {"trial_id": "alc", "arm_id": a, "instrument": "days_abstinent", "time_days": 30, "responders": 4, "usable": 0}
        for a in ("drug", "placebo")
    ]
    instruments = [
        {"instrument": "BDI", "reference_sd": 10.0},
        {"instrument": "days_abstinent", "construct": "alcohol", "higher_is_worse": 0},
    ]
    evidence = build_evidence(
        trials=[{"trial_id": "alc"}], arms=arms("alc"), outcomes=[*rows, *counts], instruments=instruments
    )
    table = pp.arm_changes(evidence, times="all")
    assert set(table["instrument"]) == {"BDI"}
    assert set(table["randomised"]) == {0}  # neither a last day nor a primary time is known


def differences(days=(7, 21, 84, 200)):
    return [
        {"trial_id": "d", "arm_id": "drug", "reference_arm_id": "placebo", "estimate": -5.0, "se": 2.0, "time_days": day,
        "primary": int(day == 21)}
        for day in days
    ]  # fmt: skip


def test_published_differences_have_every_time_and_a_window_too(build_evidence):
    evidence = build_evidence(
        trials=[{"trial_id": "d", "randomised_until": 84}], arms=arms("d"), contrasts=differences()
    )
    rows = pp.contrasts(evidence, times="all").set_index("time_days")
    assert rows["randomised"].to_dict() == {7: 1, 21: 1, 84: 1, 200: 0}
    assert pp.contrasts(evidence)["time_days"].tolist() == [21]
    assert pp.contrasts(evidence, window=(50, 100))["time_days"].tolist() == [84]
    with pytest.warns(
        UserWarning,
        match=r"no randomised comparison any more, as after a crossover: d \(day 200, randomised until 84\)",
    ):
        late = pp.contrasts(evidence, window=(150, 400))
    assert late["randomised"].tolist() == [0]


def test_a_window_beyond_the_primary_time_of_a_trial_without_a_last_day_is_flagged(build_evidence):
    evidence = build_evidence(trials=[{"trial_id": "u"}], arms=arms("u"), outcomes=outcomes("u"))
    with pytest.warns(
        UserWarning, match=r"u \(day 84, how long it stayed randomised is not known\); these rows have randomised = 0"
    ):
        rows = pp.arm_changes(evidence, window=(50, 100))
    assert set(rows["randomised"]) == {0}


def test_an_unknown_choice_of_times_is_refused(build_evidence):
    evidence = build_evidence(trials=[{"trial_id": "u"}], arms=arms("u"), outcomes=outcomes("u"))
    for read in (pp.arm_changes, pp.contrasts):
        with pytest.raises(ValueError, match="times = 'every'; it must be 'primary' or 'all'"):
            read(evidence, times="every")


def test_no_value_after_crossover_moves_a_randomised_estimand(build_evidence):
    """The rule of the wing, on planted values: an absurd change after the last randomised day leaves every draw as it was."""
    fits = []
    for late in (-6.0, -60.0):
        trials = [{"trial_id": t, "randomised_until": 84} for t in ("a", "b")]
        evidence = build_evidence(
            trials=trials,
            arms=[*arms("a"), *arms("b")],
            outcomes=[*outcomes("a", late=late), *outcomes("b", late=late)],
        )
        rows = pp.time_rows(evidence)
        assert rows["y"].min() == late / 10 or late == -6
        fits.append(pp.fit_time_course(rows, seed=1, draws=200))
    for name in ("delta", "half_life", "tau"):
        first, second = (fit["posterior"].dataset[name].to_numpy() for fit in fits)
        np.testing.assert_array_equal(first, second)
