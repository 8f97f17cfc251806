"""What load_participants accepts, refuses, notes and warns of; expected values are written out by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pillprocess.participants.table import ParticipantError, load_participants


def trial(n: int = 24) -> pd.DataFrame:
    """A trial of n people, half of them on each arm, with everything observed."""
    number = np.arange(n)
    return pd.DataFrame(
        {
            "person": [f"p{i}" for i in number],
            "arm": np.where(number % 2, "drug", "placebo"),
            "meq": (number * 7 % 11) + 3.0 * (number % 2),
            "madrs": 20.0 - (number * 5 % 13),
            "madrs_0": 30.0 + (number * 3 % 7),
            "age": 30.0 + (number * 11 % 17),
            "sex": np.where(number % 3, "female", "male"),
            "site": np.where(number < n / 2, "a", "b"),
        }
    )


ROLES = {"treatment": "arm", "reference": "placebo", "outcome": "madrs", "mediators": ["meq"]}


def with_value(column: str, row: int, value: object) -> pd.DataFrame:
    table = trial().astype({column: object})
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("coded", "reference"),
    [
        (lambda drug: np.where(drug, "drug", "placebo"), "placebo"),
        (lambda drug: pd.Categorical(np.where(drug, "drug", "placebo"), categories=["drug", "placebo"]), "placebo"),
        (lambda drug: drug.astype(int), 0),
        (lambda drug: drug.astype(int), "0"),
        (lambda drug: drug.astype(float), None),
        (lambda drug: drug, False),
        (lambda drug: drug, None),
    ],
    ids=["text", "categorical", "integer", "integer named by text", "float, 0 implied", "boolean", "boolean, implied"],
)
def test_every_coding_of_the_treatment_gives_the_same_participants(coded, reference):
    table = trial()
    table["arm"] = coded((table["arm"] == "drug").to_numpy())
    people = load_participants(table, **(ROLES | {"reference": reference}))
    assert people.treatment.shape == (24, 1)
    np.testing.assert_array_equal(people.treatment.iloc[:, 0], np.arange(24) % 2)


def test_a_participant_table_keeps_names_roles_and_values():
    people = load_participants(
        trial(), **ROLES, baseline="madrs_0", covariates=["age", "sex"], trial="site", id="person"
    )
    assert (people.reference, list(people.treatment.columns)) == ("placebo", ["drug"])
    assert list(people.covariates.columns) == ["madrs_0", "age", "sex[male]"]
    assert dict(people.covariate_source) == {"madrs_0": "madrs_0", "age": "age", "sex[male]": "sex"}
    np.testing.assert_array_equal(people.covariates["sex[male]"], np.arange(24) % 3 == 0)
    assert people.outcome.name == "madrs"
    assert len(people) == 24
    assert sorted(people.trial.unique()) == ["a", "b"]
    assert "covariate 'sex' is a factor with reference level 'female'" in people.notes
    assert "outcome 'madrs': higher is worse, so negative effects are improvement" in people.notes


def test_three_arms_without_a_reference_are_refused_by_name():
    table = trial()
    table.loc[:5, "arm"] = "low dose"
    with pytest.raises(ParticipantError, match=r"column 'arm': 3 levels \(drug, low dose, placebo\) and no reference"):
        load_participants(table, **(ROLES | {"reference": None}))


def test_three_arms_with_a_reference_are_two_comparisons_or_one_with_the_rest_set_aside():
    table = trial(60)
    table.loc[::3, "arm"] = "low dose"
    both = load_participants(table, **ROLES)
    assert list(both.treatment.columns) == ["drug", "low dose"]
    np.testing.assert_array_equal(both.treatment.sum(axis=1), table["arm"] != "placebo")
    one = load_participants(table, **ROLES, active="drug")
    assert list(one.treatment.columns) == ["drug"]
    assert len(one) == 40
    assert one.set_aside.to_numpy().tolist() == [["arm low dose", 20, "only 'drug' is compared with the reference"]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": "sham"}, r"column 'arm': the reference 'sham' is none of its levels \(drug, placebo\)"),
        ({"active": "lsd"}, r"column 'arm': the active arm 'lsd' is none of its other levels"),
        ({"reference": None}, r"column 'arm': 2 levels \(drug, placebo\) and no reference"),
        ({"mediators": ["meq", "asc"]}, "column 'asc' is not in the table, which has person, arm, meq"),
        ({"covariates": ["meq"]}, "column 'meq' has two roles, mediator and covariate"),
        ({"baseline": "madrs"}, "column 'madrs' has two roles, outcome and baseline"),
        ({"mediators": ["meq", "meq"]}, "column 'meq' has two roles, mediator and mediator"),
        ({"mediator_time": "hours"}, "column 'hours' is not in the table"),
        ({"mediator_time": -1.0}, "the mediator was measured before dosing on row 0, 1, 2, 3, 4 and 19 more"),
        ({"mediator_time": 5.0, "outcome_time": 5.0}, "the mediator was not measured before the outcome on row 0, 1"),
        ({"mediator_time": "7", "outcome_time": "1"}, "the mediator was not measured before the outcome on row 0, 1"),
    ],
)
def test_a_wrong_role_or_time_is_refused_by_name(change, message):
    with pytest.raises(ParticipantError, match=message):
        load_participants(trial(), **(ROLES | change))


def test_times_in_columns_are_compared_person_by_person():
    table = trial().assign(mediator_day=1.0, outcome_day=28.0)
    assert len(load_participants(table, **ROLES, mediator_time="mediator_day", outcome_time="outcome_day")) == 24
    table.loc[7, "outcome_day"] = 0.5
    with pytest.raises(ParticipantError, match="not measured before the outcome on row 7: it cannot"):
        load_participants(table, **ROLES, mediator_time="mediator_day", outcome_time="outcome_day")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (with_value("madrs", 3, "n/a"), r"column 'madrs': row 3 \('n/a'\) is not a number"),
        (with_value("meq", 4, np.inf), r"column 'meq': row 4 \(inf\) is not a number"),
        (with_value("age", 5, "old"), r"column 'age': row 5 \('old'\) is not a number"),
        (
            with_value("age", 6, None),
            "column 'age': missing on row 6; fill it in, or set such rows aside.*or draw it .*impute_baselines",
        ),
        (with_value("arm", 6, None), "column 'arm': missing on row 6"),
        (with_value("person", 6, None), "column 'person': missing on row 6"),
        (trial().assign(age=40.0), "covariate 'age' has one value, 40; leave it out"),
        (
            trial().assign(age=lambda t: 2.0 * (t["arm"] == "drug")),
            "covariate 'age' follows exactly from the treatment",
        ),
        (trial().assign(meq=1.0), "column 'meq' does not vary within any arm"),
        (trial().assign(madrs=1.0), "column 'madrs' does not vary within any arm"),
        (
            trial().assign(meq=lambda t: t["meq"].where(t["arm"] == "drug")),
            "column 'meq' was never observed in arm 'placebo'",
        ),
        (trial().assign(arm="drug"), r"the treatment has one level \(drug\); two arms are needed"),
        (trial().iloc[:0], "the table has no rows"),
        (pd.concat([trial(), trial()[["age"]]], axis=1), "column 'age' occurs twice in the table"),
    ],
)
def test_a_table_that_cannot_be_used_says_where_and_why(table, message):
    with pytest.raises(ParticipantError, match=message):
        load_participants(table, **ROLES, covariates=["age"], id="person")


def test_the_sixth_bad_cell_and_later_ones_are_counted():
    table = trial().astype({"madrs": object})
    table.loc[2:8, "madrs"] = "?"
    with pytest.raises(ParticipantError, match=r"row 6 \('\?'\) and 2 more are not a number"):
        load_participants(table, **ROLES)


def test_a_duplicate_participant_is_named_with_its_rows():
    table = trial()
    table.loc[9, "person"] = "p2"
    with pytest.raises(ParticipantError, match="column 'person': 'p2' is on row 2, 9; a participant has one row"):
        load_participants(table, **ROLES, id="person")


def test_all_problems_are_reported_at_once():
    table = with_value("madrs", 3, "n/a").astype({"meq": object})
    table.loc[9, "meq"] = "high"
    with pytest.raises(ParticipantError, match="3 problems in the table of participants; nothing was fitted") as caught:
        load_participants(table, **(ROLES | {"reference": "sham"}))
    assert len(caught.value.problems) == 3


def test_rows_of_a_file_are_its_lines(tmp_path: Path):
    path = tmp_path / "my_trial.csv"
    with_value("madrs", 3, "high").to_csv(path, index=False)
    with pytest.raises(
        ParticipantError, match=r"1 problem in my_trial.csv; nothing was fitted:\ncolumn 'madrs': row 5"
    ):
        load_participants(path, **ROLES)


def test_a_file_with_semicolons_and_decimal_commas_is_read_and_said(tmp_path: Path):
    path = tmp_path / "german.csv"
    table = trial().assign(meq=lambda t: t["meq"] + 0.5)
    table.to_csv(path, index=False, sep=";", decimal=",")
    people = load_participants(path, **ROLES)
    np.testing.assert_array_equal(people.mediators["meq"], table["meq"])
    assert "german.csv was read as semicolons between cells, decimal commas" in people.notes


def test_participants_of_whom_nothing_was_observed_are_named():
    table = trial()
    table.loc[[4, 7], ["meq", "madrs"]] = np.nan
    notes = load_participants(table, **ROLES).notes
    assert "neither mediator nor outcome was observed on row 4, 7: they add nothing but their covariates" in notes


def test_columns_of_zero_and_one_are_said_to_have_families_of_their_own():
    table = trial().assign(response=lambda t: (t["madrs"] < 12).astype(int))
    notes = load_participants(table, **(ROLES | {"outcome": "response"}), higher_is_worse=False).notes
    assert [note for note in notes if "holds 0 and 1 alone" in note] == [
        "outcome 'response' holds 0 and 1 alone: family_outcome 'probit' or 'logit' models its risk, the Gaussian default a "
        "straight line through it"
    ]


def test_a_file_that_is_not_there_or_no_table_is_said_so(tmp_path: Path):
    with pytest.raises(ParticipantError, match=r"gone.csv; nothing was fitted:\nthere is no such file"):
        load_participants(tmp_path / "gone.csv", **ROLES)
    (tmp_path / "excel.csv").write_bytes("arm,meq,madrs\nplacebo,1,2\n\xe4".encode("latin-1"))
    with pytest.raises(ParticipantError, match=r"row 3: the file .*UTF-8"):
        load_participants(tmp_path / "excel.csv", **ROLES)


def test_a_cell_of_a_baseline_that_is_no_number_is_named_once():
    with pytest.raises(ParticipantError) as caught:
        load_participants(with_value("madrs_0", 3, "?"), **ROLES, baseline="madrs_0")
    assert caught.value.problems == (
        "column 'madrs_0': row 3 ('?') is not a number. If nothing was observed there: codebook, under [columns.madrs_0] "
        'missing = ["?"]',
    )


def test_incomplete_rows_can_be_set_aside_and_are_then_listed():
    people = load_participants(with_value("age", 6, None), **ROLES, covariates=["age"], incomplete="set_aside")
    assert len(people) == 23
    assert people.set_aside.to_numpy().tolist() == [["rows without age", 1, "incomplete"]]


def test_missing_mediators_and_outcomes_stay_and_are_counted_by_arm():
    table = trial()
    table.loc[[0, 2, 3], "meq"] = np.nan
    table.loc[1, "madrs"] = np.nan
    people = load_participants(table, **ROLES)
    assert len(people) == 24
    counts = {(row.column, row.arm): (row.n, row.missing) for row in people.missing.itertuples()}
    assert counts == {
        ("meq", "drug"): (12, 1), ("meq", "placebo"): (12, 2), ("madrs", "drug"): (12, 1), ("madrs", "placebo"): (12, 0),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arm", "identified"), [("placebo", "tnie and pnde use the slope"), ("drug", "pnie and tnde use the slope")]
)
def test_a_mediator_constant_in_one_arm_warns_of_what_is_not_identified(arm, identified):
    table = trial()
    table.loc[table["arm"] == arm, "meq"] = 0.0
    with pytest.warns(UserWarning, match=rf"mediator 'meq' is constant \(0\) in arm '{arm}'.*{identified}"):
        people = load_participants(table, **ROLES)
    assert any("is constant" in note for note in people.notes)


def test_few_participants_in_an_arm_are_allowed_with_a_warning():
    with pytest.warns(UserWarning, match="arm 'drug' has 9 participants; with fewer than 10"):
        load_participants(trial().drop(index=[1, 3, 5]), **ROLES)


@pytest.mark.parametrize("name", ["madrs", "madrs_change"])
def test_a_change_score_with_its_baseline_is_allowed_and_said(name):
    table = trial()
    table["madrs"] -= table["madrs_0"]
    people = load_participants(table.rename(columns={"madrs": name}), **(ROLES | {"outcome": name}), baseline="madrs_0")
    assert any("looks like a change score; adjusted for baseline 'madrs_0'" in note for note in people.notes)


def test_the_direction_of_the_scale_is_said_and_nothing_is_recoded():
    people = load_participants(trial(), **ROLES, higher_is_worse=False)
    assert "outcome 'madrs': higher is better, so positive effects are improvement" in people.notes
    np.testing.assert_array_equal(people.outcome, trial()["madrs"])


def open_label() -> pd.DataFrame:
    table = trial(48)
    table["site"] = np.repeat(["blinded", "open"], 24)
    table.loc[table["site"] == "open", "arm"] = "drug"
    return table


def test_a_trial_with_one_arm_is_set_aside_and_named():
    people = load_participants(open_label(), **ROLES, trial="site")
    assert list(people.trial.unique()) == ["blinded"]
    assert people.set_aside.to_numpy().tolist() == [["trial open", 24, "one arm: it compares nothing"]]


def test_a_trial_with_one_arm_can_be_kept_with_its_own_intercepts():
    people = load_participants(open_label(), **ROLES, trial="site", single_arm="keep")
    np.testing.assert_array_equal(people.covariates["open (single arm)"], np.repeat([0.0, 1.0], 24))
    assert people.set_aside.empty
    assert any("trial 'open' has one arm: with its own intercepts" in note for note in people.notes)


def test_trials_of_one_arm_each_compare_nothing():
    table = trial()
    table["site"] = table["arm"]
    with pytest.raises(ParticipantError, match="no trial has two arms: nothing here compares the treatment"):
        load_participants(table, **ROLES, trial="site")


def test_a_dose_is_scaled_from_its_reference_to_its_active_value():
    table = trial().assign(mg=np.tile([1.0, 10.0, 25.0], 8))
    dose = {"treatment": "mg", "treatment_kind": "dose", "outcome": "madrs", "mediators": "meq"}
    people = load_participants(table, **dose, reference=1, active=25)
    np.testing.assert_allclose(people.treatment["25"], np.tile([0.0, 9 / 24, 1.0], 8))
    with pytest.raises(
        ParticipantError, match="column 'mg': a dose is compared at two different numbers; got reference=1"
    ):
        load_participants(table, **dose, reference=1)
    with pytest.raises(ParticipantError, match="two different numbers; got reference='low' and active=25"):
        load_participants(table, **dose, reference="low", active=25)
