"""What cannot be decided is asked, with the codebook line that settles it; the line then does settle it."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pillprocess.belief.coding import code_guess
from pillprocess.belief.expectancy import expectancy_moderation
from pillprocess.comparison.comparability import ComparisonError
from pillprocess.comparison.compare import compare
from pillprocess.participants.codebook import Codebook, ColumnCodes
from pillprocess.participants.odd_values import number_questions
from pillprocess.participants.scales import recognised, says_after
from pillprocess.participants.table import ParticipantError, Participants, load_participants
from pillprocess.participants.text_numbers import as_number
from pillprocess.participants.times import read_times
from tests.participants.trials import two_sites

ROLES = {
    "treatment": "arm", "reference": "placebo", "mediators": ["meq30"], "outcome": "madrs_6", "baseline": "madrs_0",
    "covariates": ["age", "sex"],
}  # fmt: skip


def load(table: pd.DataFrame, book: Codebook | None = None, **roles: object) -> Participants:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return load_participants(table, **(ROLES | roles), codebook=book)


def put(column: str, *cells: object) -> pd.DataFrame:
    table = two_sites().astype({column: object})
    for i, cell in enumerate(cells):
        table.loc[7 * i + 3, column] = cell
    return table


def book(column: str, **said: object) -> Codebook:
    return Codebook(columns={column: ColumnCodes(**said)})


@pytest.mark.parametrize("column", ["madrs_6", "meq30", "madrs_0", "age"])
@pytest.mark.parametrize("code", [999, -99, 9999, -9, 8888, 45352, -999])
def test_a_code_for_missing_is_asked_about_and_both_answers_settle_it(column, code):
    with pytest.raises(
        ParticipantError, match=rf"column '{column}': {code} on row 3, 10.*missing = \[{code}\].*keep = \[{code}\]"
    ):
        load(put(column, code, code))
    gone = load(put(column, code, code), book(column, missing=(code,)), incomplete="set_aside")
    held = load(put(column, code, code), book(column, keep=(code,)))
    values = {"madrs_6": held.outcome, "meq30": held.mediators["meq30"]}.get(column)
    values = held.covariates[column] if values is None else values
    assert values.loc[[3, 10]].tolist() == [code, code]
    assert any(f"column '{column}': {code} was read as not observed on 2 rows (codebook)" in n for n in gone.notes)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("madrs_6", 61, r"61 on row 3 cannot be scored on MADRS \(0 to 60\).*instrument = \"none\""),
        ("madrs_6", -1, r"cannot be scored on MADRS"),
        ("meq30", 130.5, r"cannot be scored on MEQ30"),
        ("age", 410, "stands far outside the others"),
        ("age", 99, "looks like a code for missing"),
        ("sex", "refused", r"'refused' on row 3 may mean that nothing was observed.*missing = \[\"refused\"\]"),
        ("sex", ".", "may mean that nothing was observed"),
        ("sex", "Female", "'female' .* and 'Female' .* differ in capitals alone"),
        ("sex", "fe male", "differ in spaces alone"),
        ("arm", "placebo\u200b", "differ in .*spaces"),
        ("arm", "NULL", "'NULL' on row 3 may mean that nothing was observed"),
        ("age", "41 yrs", r"'41 yrs' on row 3|row 3 \('41 yrs'\) is not a number.*unit = \"yrs\""),
        (
            "madrs_6",
            "#NULL!",
            r"row 3 \('#NULL!'\) is not a number. If nothing was observed there: codebook, .*missing = \[\"#NULL!\"\]",
        ),
        ("madrs_6", "12,5", r"is not a number. is '12,5' the number 12.5\? Codebook.*decimal = \",\""),
    ],
)
def test_a_cell_that_may_not_be_what_it_seems_is_asked_about(column, cell, message):
    with pytest.raises(ParticipantError, match=message):
        load(put(column, cell))


def test_all_questions_stand_in_one_list():
    table = put("age", 999).astype({"sex": object, "madrs_6": object})
    table.loc[8, "sex"], table.loc[9, "madrs_6"] = "Male", 777
    with pytest.raises(ParticipantError, match="3 problems") as caught:
        load(table)
    assert len(caught.value.problems) == 3


def test_the_scores_of_sound_trials_are_not_asked_about():
    rng = np.random.default_rng(2)
    everybody = pd.Series("all", index=range(60))
    sound = [rng.normal(size=60), rng.integers(0, 28, 60), rng.poisson(2, 60), rng.integers(18, 78, 60), rng.normal(-12, 8, 60).round(),
             np.r_[np.zeros(40), rng.uniform(30, 90, 20)], rng.integers(1, 6, 60)]  # fmt: skip
    for values in sound:
        assert number_questions(pd.Series(values, name="x"), everybody, ColumnCodes()) == []


@pytest.mark.parametrize(
    ("spelling", "difference"),
    [("k\u0065\u0301tamine", "in how accents are stored"), ("K\u00e9tamine", "in capitals alone"), ("ketamine", "accents"),
     ("k\u00e9 tamine", "in spaces alone"), ("k\u00e9tamine\u00ad", "in spaces alone")],
)  # fmt: skip
def test_one_arm_in_two_spellings_is_one_question_and_one_line(spelling, difference):
    table = two_sites().replace({"arm": {"psilocybin": "k\u00e9tamine"}})
    table.loc[[1, 3], "arm"] = spelling
    with pytest.raises(ParticipantError, match=f"differ .*{difference}.*are they one label.*codes = "):
        load(table)
    people = load(table, book("arm", codes={spelling: "k\u00e9tamine"}))
    assert list(people.treatment.columns) == ["k\u00e9tamine"]


def test_numbers_written_as_text_are_no_factor():
    table = two_sites().assign(age=lambda t: t["age"].map(lambda a: f"{a:.1f}".replace(".", ",")))
    with pytest.raises(ParticipantError, match='are numbers written as text.*decimal = ",".*type = "factor"'):
        load(table)
    people = load(table, book("age", decimal=","))
    np.testing.assert_array_equal(people.covariates["age"], two_sites()["age"])
    with pytest.raises(ParticipantError, match="'30 yrs'|numbers written as text.*unit = \"yrs\""):
        load(table.assign(age=[f"{30 + i % 9} yrs" for i in range(104)]))


@pytest.mark.parametrize(
    ("text", "value"),
    [("35,5", (35.5, "")), ("1,234", (1234.0, "")), ("1.234,5", (1234.5, "")), ("1 234", (1234.0, "")), ("35 yrs", (35.0, "yrs")),
     ("\u22123", (-3.0, "")), ("50%", (50.0, "%")), ("'35.0", (35.0, "")), ("site 1", None), ("18-25", None), ("15t24k", None), ("", None)],
)  # fmt: skip
def test_numbers_in_text_are_read_as_a_person_would(text, value):
    assert as_number(text) == value


def test_the_other_mark_is_thousands_or_no_number():
    assert as_number("35.0", decimal=",") is None
    assert as_number("1.234,5", decimal=",") == (1234.5, "")
    assert as_number("35,0", decimal=".") is None
    assert as_number("1,234.5", decimal=".") == (1234.5, "")


def both_visits(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table.assign(week=1, madrs_6=np.nan), table.assign(week=6, meq30=np.nan)], ignore_index=True)


def crossed(table: pd.DataFrame) -> pd.DataFrame:
    second = table.assign(arm="psilocybin", madrs_6=table["madrs_6"] - 1, meq30=table["meq30"] * 0.9)
    return pd.concat([table.assign(arm="placebo"), second])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda t: pd.concat([t, t], ignore_index=True), "repeat an earlier row in every column"),
        (
            lambda t: pd.concat([t, t], ignore_index=True).assign(record_id=range(208)),
            "repeat an earlier row in every column",
        ),
        (lambda t: pd.concat([t, t]).drop(columns="record_id"), "repeat an earlier row in every column"),
        (both_visits, "are on several rows"),
        (lambda t: both_visits(t).drop(columns="record_id"), "the table seems to hold several rows per person"),
        (crossed, "on several rows with different arms: a crossover"),
    ],
    ids=["pasted", "pasted, renumbered", "pasted, no id", "visits", "visits without an id", "crossover"],
)
def test_people_who_stand_there_twice_are_found_without_an_id(make, message):
    with pytest.raises(ParticipantError, match=message):
        load(make(two_sites()))


def test_rows_that_look_alike_may_be_said_to_be_different_people():
    twice = pd.concat([two_sites(), two_sites()], ignore_index=True)
    assert len(load(twice, repeated_rows="different people")) == 208
    assert len(load(twice, Codebook(repeated_rows="different people"))) == 208
    with pytest.raises(ParticipantError, match="repeated_rows = 'yes'; it must be 'different people' or 'modelled'"):
        load(twice, repeated_rows="yes")


def test_people_as_trials_are_a_crossover():
    table = pd.concat([two_sites().assign(arm=a) for a in ("placebo", "psilocybin")], ignore_index=True)
    table["madrs_6"] += np.arange(208) % 3
    with pytest.raises(
        ParticipantError, match="have one row in each arm, so they are people who had both treatments, not trials"
    ):
        load(table, trial="record_id")
    with pytest.raises(ParticipantError, match="104 people had several arms: a crossover; read it with load_crossover"):
        load(table, id="record_id")


def test_an_id_spelt_in_two_ways_is_asked_about():
    table = two_sites().assign(record_id=lambda t: "P" + t["record_id"].astype(str))
    table.loc[9, "record_id"] = "p101"
    with pytest.raises(
        ParticipantError, match="'P101' and 'p101' differ in capitals, spaces or zeros alone; are they one person"
    ):
        load(table, id="record_id")


TIMES = pd.DataFrame(
    {
        "d": ["2024-03-30"] * 3, "w": ["week 6", "Week 6", "6 weeks"], "n": [1, 2, 3], "mixed": ["week 1", "3", "x"],
        "slash": ["30/03/2024", "01/02/2024", "05/06/2024"], "unsure": ["01/02/2024"] * 3, "h": ["2 h", "t+2h", "120 min"],
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "kind", "first"),
    [
        ("d", "date", 19812.0), ("w", "days", 42.0), ("n", "number", 1.0), ("slash", "date", 19812.0), ("h", "days", 1 / 12),
        ("day 1", "days", 1.0), (3.5, "number", 3.5),
    ],
)  # fmt: skip
def test_times_are_numbers_words_or_dates(given, kind, first):
    values, found, problems = read_times(given, TIMES, role="time")
    assert problems == []
    assert found == kind
    assert values.iloc[0] == pytest.approx(first)
    assert values.notna().all()


@pytest.mark.parametrize("given", ["mixed", "unsure"])
def test_times_that_cannot_be_read_are_refused(given):
    assert (
        "not a time" in read_times(given, TIMES, role="time")[2][0]
        or "in one way" in read_times(given, TIMES, role="time")[2][0]
    )


@pytest.mark.parametrize(
    ("mediator", "outcome", "message"),
    [("2024-03-30", "2024-02-01", "not measured before the outcome"), ("week 6", "day 1", "not measured before the outcome"),
     ("week 6", 60, "they cannot be compared"), ("soon", "day 9", "column 'soon' is not in the table")],
)  # fmt: skip
def test_times_in_words_are_compared(mediator, outcome, message):
    with pytest.raises(ParticipantError, match=message):
        load(two_sites(), mediator_time=mediator, outcome_time=outcome)
    assert len(load(two_sites(), mediator_time="day 1", outcome_time="week 6")) == 104


def test_an_improvement_called_worse_when_higher_is_asked_about():
    table = two_sites().assign(
        gone=lambda t: t["madrs_0"] - t["madrs_6"], madrs_reduction=lambda t: t["madrs_0"] - t["madrs_6"]
    )
    roles = {"covariates": [], "outcome": "madrs_reduction"}
    for drop in (["gone"], ["gone", "madrs_6"]):
        with pytest.raises(
            ParticipantError, match="outcome 'madrs_reduction' looks like an improvement: its name says so"
        ):
            load(table.drop(columns=drop), **roles)
    with pytest.raises(ParticipantError, match="it is 'madrs_0' less 'madrs_6'"):
        load(table, **(roles | {"outcome": "gone"}))
    shuffled = table.assign(gone=table["madrs_0"] - 30 + np.arange(104) % 5).drop(
        columns=["madrs_6", "madrs_reduction"]
    )
    with pytest.raises(ParticipantError, match="it is higher where 'madrs_0' was higher"):
        load(shuffled, **(roles | {"outcome": "gone"}))
    assert not load(table, **roles, higher_is_worse=False).higher_is_worse
    assert any("and you say that higher is worse" in n for n in load(table, **roles, higher_is_worse=True).notes)


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"mediators": ["meq30", "twice"]}, "mediator 'twice' follows exactly from 'meq30'"),
        (
            {"outcome": "change", "covariates": ["madrs_6"]},
            "outcome 'change' follows exactly from 'madrs_0' and 'madrs_6'",
        ),
        ({"mediators": ["mirror"]}, "outcome 'madrs_6' follows exactly from 'mirror'"),
        ({"mediators": ["meq30", "age_part", "total"]}, "mediator 'total' follows exactly from"),
        ({"covariates": ["age", "product"]}, "covariate 'product' is a product of the treatment and 'age'"),
        ({"mediators": ["meq_product"]}, "mediator 'meq_product' is a product of the treatment and 'age'"),
    ],
)
def test_columns_that_determine_each_other_are_refused_at_the_door(roles, message):
    table = two_sites().assign(
        twice=lambda t: 2 * t["meq30"] + 1, change=lambda t: t["madrs_6"] - t["madrs_0"], mirror=lambda t: 60 - t["madrs_6"],
        age_part=lambda t: t["madrs_0"] % 7, total=lambda t: t["meq30"] + t["age_part"],
        product=lambda t: t["age"] * (t["arm"] == "psilocybin"), meq_product=lambda t: (t["age"] - 40) * ((t["arm"] == "psilocybin") + 0.5),
    )  # fmt: skip
    with pytest.raises(ParticipantError, match=message):
        load(table, **roles)


def test_what_was_measured_after_dosing_is_no_covariate_unless_said_so():
    for name in ("meq_total", "bdi_week6", "phq9_post"):
        table = two_sites().assign(**{name: np.arange(104) % 13})
        with pytest.raises(ParticipantError, match=f"column '{name}' .*measured before it.*measured = \"before\""):
            load(table, covariates=[name])
        assert len(load(table, book(name, measured="before"), covariates=[name])) == 104
    with pytest.raises(ParticipantError, match="column 'age' was measured after dosing, says the codebook"):
        load(two_sites(), book("age", measured="after"))
    with pytest.raises(ParticipantError, match="column 'meq30' was measured before dosing, says the codebook"):
        load(two_sites(), book("meq30", measured="before"))
    assert not any(
        says_after(n) for n in ("madrs_0", "age", "madrs_baseline", "site", "weight", "monthly_income", "t0")
    )


@pytest.mark.parametrize(
    ("name", "scale"),
    [("MADRS_w6", "MADRS"), ("baseline_madrs", "MADRS"), ("caps5_18wk", "CAPS-5"), ("QIDS_SR16", "QIDS-SR16"), ("ham_d_17", "HAMD17"),
     ("MEQ30", "MEQ30"), ("cadss_total", "CADSS"), ("bdi2_1", "BDI-II"), ("age", None), ("sds", "SDS"), ("madrid", None)],
)  # fmt: skip
def test_instruments_are_recognised_by_the_name_of_a_column(name, scale):
    found = recognised(name)
    assert (found.name if found else None) == scale


def test_a_guess_that_is_coded_like_the_arms_is_asked_about_where_the_readings_differ():
    guess = pd.Series([0, 1, 1, 0, 1], name="guess")
    assert code_guess(guess, active="1", reference="0").tolist() == [0, 1, 1, 0, 1]
    assert code_guess(guess, active="drug", reference="placebo").tolist() == [0, 1, 1, 0, 1]
    with pytest.raises(ValueError, match="may be labels of the arms .* or belief .* the two are opposites here"):
        code_guess(guess, active="0", reference="1")
    with pytest.raises(ValueError, match="the two are opposites here"):
        code_guess(guess.map({0: "FALSE", 1: "TRUE"}), active="False", reference="True")
    with pytest.raises(ValueError, match="coding = 'both'; it must be one of labels, belief"):
        code_guess(guess, active="0", reference="1", coding="both")
    assert code_guess(guess, active="0", reference="1", coding="labels").tolist() == [1, 0, 0, 1, 0]
    assert code_guess(guess, active="0", reference="1", coding="belief").tolist() == [0, 1, 1, 0, 1]
    settled = guess.map({0: "an active treatment", 1: "the reference"})
    assert code_guess(settled, active="0", reference="1").tolist() == [1, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hope": 50}, "column 'hope' does not vary: it is 50 for everybody"),
        ({"madrs_6": 3}, "column 'madrs_6' does not vary within any arm"),
        ({"madrs_0": 3}, "column 'madrs_0' does not vary: it is 3"),
        (
            {"hope": lambda t: np.where(t["arm"] == "placebo", 5, t["age"])},
            "column 'hope' does not vary in arm 'placebo'",
        ),
        ({"hope": lambda t: 2 * t["madrs_0"]}, "column 'hope' follows exactly from the arm, the baseline or another"),
    ],
)
def test_expectations_that_cannot_moderate_are_refused_before_a_model_is_built(change, message):
    table = two_sites().dropna().assign(hope=lambda t: t["age"]).assign(**change)
    with pytest.raises(ValueError, match=message):
        expectancy_moderation(
            table, treatment="arm", reference="placebo", outcome="madrs_6", expectancy="hope", expectancy_timing="pre_dose",
            baseline="madrs_0",
        )  # fmt: skip


def test_python_errors_are_in_words():
    with pytest.raises(ParticipantError, match="a table or the path of one is needed; got a list"):
        load_participants([1, 2], **ROLES)
    with pytest.raises(ParticipantError, match="no outcome was named; name its column with outcome="):
        load_participants(two_sites(), treatment="arm")
    with pytest.raises(ParticipantError, match=r"baseline = \['madrs_0'\]; it must be the name of one column"):
        load(two_sites(), baseline=["madrs_0"])
    with pytest.raises(ParticipantError, match="mediators = .*; it must be the names of columns"):
        load(two_sites(), mediators={"meq30": 1})
    with pytest.raises(ParticipantError, match="incomplete = 'drop'; it must be error or set_aside"):
        load(two_sites(), incomplete="drop")
    with pytest.raises(ParticipantError, match="higher_is_worse = 'no'; it must be True or False"):
        load(two_sites(), higher_is_worse="no")
    with pytest.raises(ParticipantError, match="column 'Madrs6' is not in the table.*did you mean 'madrs_6'"):
        load(two_sites(), outcome="Madrs6")
    with pytest.raises(ParticipantError, match="names on several levels; give each column one name"):
        load(pd.concat({"a": two_sites()}, axis=1))
    with pytest.raises(ParticipantError, match="the cell of row 3 is a list; a cell holds one text or number"):
        load(put("sex", None).assign(sex=[[1] if i == 3 else "male" for i in range(104)]))
    with pytest.raises(ComparisonError, match="fits are compared by name.*got a list"):
        compare([1, 2])
    assert len(load(two_sites(), covariates="age").covariates.columns) == 2


@pytest.mark.parametrize(
    "name",
    ["missing", "arm", "trial", "column", "n", "value", "variable", "index", "level_0", "estimand", "outcome", 7],
)
def test_a_column_may_have_any_name(name):
    table = two_sites().rename(columns={"arm": "group", "meq30": name})
    people = load(table, treatment="group", mediators=[name])
    assert list(people.mediators.columns) == [str(name)]
    assert people.missing.columns.tolist() == ["column", "arm", "n", "missing"]


def test_a_table_put_together_from_two_is_read_row_by_row():
    parts = pd.concat([two_sites().iloc[:52].reset_index(drop=True), two_sites().iloc[52:].reset_index(drop=True)])
    people = load(parts)
    assert any("rows are counted from 0" in n for n in people.notes)
    np.testing.assert_array_equal(people.outcome, two_sites()["madrs_6"])


def test_the_types_of_a_table_do_not_matter():
    plain = load(two_sites())
    for types in ("numpy_nullable", "pyarrow"):
        other = load(two_sites().convert_dtypes(dtype_backend=types))
        np.testing.assert_array_equal(other.outcome, plain.outcome)
        np.testing.assert_array_equal(other.covariates, plain.covariates)


FAULTS = {
    "a1_code_999_in_mediator/coded.csv": ({}, "999 on row 6, 19, 32 looks like a code for missing"),
    "a1_code_999_in_mediator/coded_y.csv": ({}, "-99 on row 6, 19, 33 looks like a code for missing"),
    "b_one_group_spelt_two_ways/trial.csv": ({}, "differ in capitals alone"),
    "b_one_group_spelt_two_ways/nfd.csv": ({}, "differ in how accents are stored"),
    "b_one_group_spelt_two_ways/nbsp.csv": ({}, "differ in spaces alone"),
    "b_one_group_spelt_two_ways/sex.csv": ({"covariates": ["sex"]}, "differ in capitals alone"),
    "c_numbers_as_text_become_a_factor/trial.csv": ({"covariates": ["age"]}, "numbers written as text"),
    "c_numbers_as_text_become_a_factor/units.csv": ({"covariates": ["age"]}, 'unit = "yrs"'),
    "d1_everybody_twice_without_id/trial.csv": ({}, "repeat an earlier row in every column"),
    "d2_long_file_no_row_has_both/trial.csv": ({}, "no row has both 'meq' and 'madrs'"),
    "d3_two_period_crossover/trial.csv": ({"baseline": None}, "a crossover"),
    "g1_improvement_score_called_worse_is_higher/trial.csv": ({"outcome": "madrs_reduction"}, "looks like an improvement"),
    "k_columns_that_determine_each_other/two.csv": ({"mediators": ["meq", "meq2"]}, "mediator 'meq2' follows exactly from 'meq'"),
    "k_columns_that_determine_each_other/change.csv": ({"outcome": "ch", "covariates": ["madrs"]}, "follows exactly from"),
    "k_columns_that_determine_each_other/exact.csv": ({}, "outcome 'madrs' follows exactly from 'meq'"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_found_from_outside_is_refused(shared, name):
    roles, message = FAULTS[name]
    usual = {"treatment": "arm", "reference": "placebo", "mediators": ["meq"], "outcome": "madrs", "baseline": "madrs0"}
    with pytest.raises(ParticipantError, match=message):
        load_participants(Path(shared(f"faults/{name}")), **(usual | roles))
