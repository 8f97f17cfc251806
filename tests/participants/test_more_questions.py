"""Files as adversaries would write them: codes inside the range, other alphabets, slips, people twice under new names."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from pillprocess.belief.coding import code_guess
from pillprocess.evidence.tables import embedded_folder
from pillprocess.inference.fit import fit
from pillprocess.mediation.model import mediation
from pillprocess.participants.arms import person_arms
from pillprocess.participants.codebook import Codebook, ColumnCodes
from pillprocess.participants.reading import read_trial
from pillprocess.participants.scales import known_scales
from pillprocess.participants.spelling import spelling_keys
from pillprocess.participants.table import ParticipantError, load_participants
from tests.participants.test_questions import ROLES, book, load, put
from tests.participants.trials import two_sites


@pytest.mark.parametrize("spelling", [
    "placebo.", "place-bo", "placebo_", "pl\u0430cebo", "\uff50lacebo", "plcebo", "placeob", "pbo", "plac", "p", "placebos", "0",
])  # fmt: skip
def test_an_arm_written_in_a_second_way_is_asked_about(spelling):
    table = two_sites()
    rows = table.index[table["arm"] == "placebo"][::3]
    table.loc[rows, "arm"] = spelling
    with pytest.raises(ParticipantError, match="are they one label|some cells hold a code and others a word") as caught:
        load(table)
    assert "codes = {" in str(caught.value)
    assert len(load(table, book("arm", codes={spelling: "placebo"})).treatment.columns) == 1


@pytest.mark.parametrize(
    "spelling", ["25 ug", "25 mcg", "25\u03bcg", "25.0 \u00b5g", "25,0 \u00b5g", "25-\u00b5g", "25_\u00b5g"]
)
def test_a_dose_written_in_a_second_way_has_the_same_key(spelling):
    assert spelling_keys(spelling) == spelling_keys("25 \u00b5g")


@pytest.mark.parametrize(("one", "other"), [
    ("2.5 mg", "25 mg"), ("10 mg", "100 mg"), ("-1", "1"), ("S1.10", "S1.1"), ("drug+", "drug"), ("1/2", "12"), ("10-20", "1020"),
])  # fmt: skip
def test_labels_that_mean_two_things_have_two_keys(one, other):
    assert not spelling_keys(one) & spelling_keys(other)


@pytest.mark.parametrize("arms", [
    ("10 mg", "20 mg"), ("10", "25"), ("drug", "drug + therapy"), ("Arm A", "Arm B"), ("ketamine", "esketamine"), ("LSD 100", "LSD 200"),
    ("S-ketamine", "R-ketamine"),
])  # fmt: skip
def test_two_arms_that_are_two_are_not_asked_about(arms):
    table = two_sites()
    rows = table.index[table["arm"] == "psilocybin"]
    table.loc[rows, "arm"] = np.resize(arms, len(rows))
    assert set(load(table).treatment.columns) == set(arms)


def test_a_person_spelt_in_two_ways_is_not_two_people():
    people = two_sites().assign(record_id=lambda t: "P" + t["record_id"].astype(str))
    visits = pd.concat(
        [people.drop(columns="madrs_6").assign(v="day 1"), people[["record_id", "madrs_6"]].assign(v="week 6")]
    )
    visits = visits.reset_index(drop=True)
    visits.loc[110:120, "record_id"] = visits.loc[110:120, "record_id"].str.lower()
    with pytest.raises(ParticipantError, match="differ in capitals, spaces or zeros alone; are they one person"):
        read_trial(visits, visit="v", person="record_id")


@pytest.mark.parametrize("write", [
    "ca. {}", "~{}", "{}*", ">{}", "{} (self-report)", "19{}-05-01", "May 19{}", "{}/100", "[{}]", "{}-year-old",
])  # fmt: skip
def test_few_different_numbers_written_as_text_are_no_factor_either(write):
    coarse = (two_sites()["age"] // 5 * 5).astype(int)
    table = two_sites().assign(age=[write.format(a) for a in coarse])
    with pytest.raises(ParticipantError, match="column 'age'.*type = \"factor\""):
        load(table)


def test_numbers_and_words_in_one_column_are_asked_about_and_bands_are_not():
    table = two_sites()
    coarse = (table["age"] // 10 * 10).astype(int).astype(str)
    mixed = table.assign(age=np.where(np.arange(104) % 3 == 0, coarse, "below " + coarse))
    with pytest.raises(ParticipantError, match="hold numbers and words in one column"):
        load(mixed)
    rng = np.random.default_rng(2)
    words = table.assign(age=rng.permutation([f"{'abcdefgh'[i // 3 % 8]}{'xyz'[i % 3]}" for i in range(104)]))
    with pytest.raises(ParticipantError, match="are 24 different words on 104 rows, too many for kinds of people"):
        load(words)
    bands = table.assign(age=np.select([table["age"] < 30, table["age"] < 45], ["18-29", "30-44"], "45-65"))
    assert len(load(bands).covariates.columns) == 4
    assert len(load(words, book("age", type="factor")).covariates.columns) == 25


@pytest.mark.parametrize(
    ("column", "cells"), [("age", [0, 0, 0]), ("madrs_0", [0, 0]), ("madrs_0", [99.9, 99.9]), ("madrs_6", [9.9])]
)
def test_a_zero_or_a_fraction_that_stands_apart_is_asked_about(column, cells):
    with pytest.raises(ParticipantError, match=rf"column '{column}'.*missing = \["):
        load(put(column, *cells))


def test_a_dose_of_999_is_asked_about():
    table = two_sites().assign(dose=lambda t: np.where(t["arm"] == "psilocybin", 25.0, 0.0))
    table.loc[[3, 10], "dose"] = 999.0
    with pytest.raises(ParticipantError, match="column 'dose': 999 on row 3, 10"):
        load(table, treatment="dose", treatment_kind="dose", reference=0, active=25)


def twice(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table], ignore_index=True)


def seen_again(table: pd.DataFrame) -> pd.DataFrame:
    """Both periods of a crossover: other arm, other mediator, other outcome."""
    other = table["arm"].map({"placebo": "psilocybin", "psilocybin": "placebo"})
    return pd.concat(
        [table, table.assign(arm=other, meq30=table["meq30"] * 0.7, madrs_6=table["madrs_6"] + 3)], ignore_index=True
    )


BARE = {"baseline": None, "covariates": []}
NAMELESS = two_sites().drop(columns="record_id")


TWICE = [
    (twice(NAMELESS).assign(row=range(208), read=[f"10:{i}" for i in range(208)]), {}),
    (twice(NAMELESS).assign(row=range(208), source=np.repeat(["a", "b"], 104)), {}),
    (twice(NAMELESS).assign(nr=range(208), source=np.repeat(["a", "b"], 104)), {"id": "nr"}),
    (pd.concat([two_sites(), two_sites().iloc[:3].assign(record_id=[1, 2, 3])], ignore_index=True), {"id": "record_id"}),
    (pd.concat([NAMELESS, NAMELESS.assign(madrs_6=NAMELESS["madrs_6"] + 1)], ignore_index=True).assign(nr=range(208)), {"id": "nr"}),
    (pd.concat([NAMELESS, NAMELESS.assign(madrs_6=NAMELESS["madrs_6"] + 4)], ignore_index=True)[["arm", "meq30", "madrs_6"]], BARE),
    (NAMELESS.loc[NAMELESS.index.repeat(2)].assign(madrs_6=lambda t: t["madrs_6"] + np.arange(208) % 2)[["arm", "meq30", "madrs_6"]], BARE),
    (seen_again(two_sites()).rename(columns={"record_id": "Proband"}), BARE),
    (seen_again(NAMELESS).assign(period=np.repeat([1, 2], 104)), {}),
    (seen_again(NAMELESS), BARE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "roles"), TWICE,
    ids=["times", "sources", "renumbered", "three again", "rated twice", "two outcomes", "turns", "odd name", "no id", "bare"],
)  # fmt: skip
def test_people_who_stand_there_twice_are_found_whatever_tells_their_rows_apart(table, roles):
    with pytest.raises(
        ParticipantError, match='"different people"|a crossover, and its rows are not independent people'
    ):
        load(table, **roles)
    assert len(load(table, Codebook(repeated_rows="different people"), **roles)) == len(table)


def test_blocks_of_a_randomisation_are_no_people():
    assert len(load(two_sites().assign(block=np.arange(104) // 4))) == 104


def test_a_handful_of_rows_with_both_is_not_enough():
    table = pd.concat([two_sites().assign(madrs_6=np.nan), two_sites().assign(meq30=np.nan)], ignore_index=True)
    table.loc[104:109, "meq30"] = 50.0 + np.arange(6)
    with pytest.raises(ParticipantError, match="only 5 of 208 rows have both 'meq30' and 'madrs_6'|only 6 of 208 rows"):
        load(table, Codebook(repeated_rows="different people"))


def test_people_as_trials_with_two_rows_in_each_arm_are_a_crossover_too():
    table = pd.concat(
        [seen_again(two_sites()), seen_again(two_sites()).assign(madrs_6=lambda t: t["madrs_6"] + 1)], ignore_index=True
    )
    with pytest.raises(ParticipantError, match="have one or two rows in each arm, so they are people"):
        load(table, trial="record_id")


def test_cells_of_odd_types_are_numbers_or_a_problem():
    assert load(
        two_sites().assign(age=two_sites()["age"].map(lambda a: Fraction(int(a))).astype(object)), covariates=["sex"]
    )
    with pytest.raises(ParticipantError, match="column 'age'"):
        load_participants(two_sites().assign(age=[complex(1, i) for i in range(104)]), **ROLES)


FACTS = two_sites().assign(
    rounded=lambda t: (t["meq30"] * 1.5).round(), slip=lambda t: 2 * t["meq30"] + 9 * (t.index == 7),
    half=lambda t: (t["meq30"] + t["age"]) / 2, change=lambda t: t["madrs_6"] - t["madrs_0"],
    change_slip=lambda t: t["change"] + 5 * (t.index == 7), percent=lambda t: 100 * t["change"] / t["madrs_0"],
    ratio=lambda t: t["madrs_6"] / t["madrs_0"], log_ratio=lambda t: np.log((t["madrs_6"] + 1) / t["madrs_0"]),
    after=lambda t: t["madrs_6"] + 1, mirror=lambda t: 60 - t["madrs_6"] + 3 * (t.index == 8),
)  # fmt: skip


@pytest.mark.parametrize(("roles", "message"), [
    ({"mediators": ["meq30", "rounded"]}, "mediator 'rounded' follows exactly from 'meq30'"),
    ({"mediators": ["meq30", "slip"]}, r"mediator 'slip' follows exactly from 'meq30' \(but for row 7, a slip\?\)"),
    ({"mediators": ["meq30", "half"]}, "mediator 'half' follows exactly from 'age' and 'meq30'"),
    ({"outcome": "change_slip", "covariates": ["after"]}, r"'madrs_0' and 'after' \(but for row 7, a slip\?\)"),
    ({"outcome": "percent", "covariates": ["after"]}, "as a ratio or a percentage of 'madrs_0' does"),
    ({"outcome": "ratio", "covariates": ["after"]}, "as a ratio or a percentage of 'madrs_0' does"),
    ({"outcome": "log_ratio", "covariates": ["after"]}, "the logarithms of 'madrs_0' and 'after'"),
    ({"mediators": ["mirror"]}, r"outcome 'madrs_6' follows exactly from 'mirror' \(but for row 8, a slip\?\)"),
])  # fmt: skip
def test_columns_that_determine_each_other_are_found_through_rounding_slips_ratios_and_logarithms(roles, message):
    settled = Codebook(columns={"after": ColumnCodes(measured="before")})
    with pytest.raises(ParticipantError, match=message):
        load(FACTS, settled, **roles)


def test_a_mediator_that_is_named_later_than_the_outcome_is_asked_about():
    table = two_sites().rename(columns={"meq30": "meq_week6", "madrs_6": "madrs_day1"})
    late = {"mediators": ["meq_week6"], "outcome": "madrs_day1"}
    with pytest.raises(ParticipantError, match="by their names the mediator was measured after the outcome"):
        load(table, **late)
    assert len(load(table, **late, mediator_time="day 1", outcome_time="week 6")) == 104
    sound = two_sites().rename(columns={"meq30": "meq_d1", "madrs_6": "madrs_w6"})
    assert len(load(sound, mediators=["meq_d1"], outcome="madrs_w6")) == 104


@pytest.mark.parametrize(("mediator", "outcome", "message"), [
    ("day -1", "day 7", "measured before dosing"), (float("nan"), "day 7", "no cell of it is a time"),
    ("empty", "day 7", "no cell of it is a time"), ("meq_week", "madrs_day", "say the units in the codebook"),
])  # fmt: skip
def test_times_that_would_switch_the_check_off_are_refused(mediator, outcome, message):
    table = two_sites().assign(empty=np.nan, meq_week=6, madrs_day=7)
    with pytest.raises(ParticipantError, match=message):
        load(table, mediator_time=mediator, outcome_time=outcome)


@pytest.mark.parametrize(
    "name", ["madrs_change", "delta", "ch", "madrs_red", "Besserung", "symptom_relief", "percent_change", "better"]
)
def test_differences_that_are_mostly_positive_look_like_improvement(name):
    table = two_sites().assign(**{name: lambda t: t["madrs_0"] - t["madrs_6"]}).drop(columns=["madrs_6", "madrs_0"])
    roles = {"outcome": name, "baseline": None}
    with pytest.raises(ParticipantError, match=f"outcome '{name}' looks like an improvement"):
        load(table, **roles)
    turned = table.assign(**{name: -table[name]})
    if name in ("madrs_change", "delta", "ch", "percent_change"):
        assert load(turned, **roles).higher_is_worse


@pytest.mark.parametrize(
    "name", ["remitted", "cured", "sober", "qol", "GAF", "SWLS", "who5", "life_satisfaction", "EQ5D", "happiness"]
)
def test_what_is_good_by_name_is_asked_about(name):
    table = two_sites().rename(columns={"madrs_6": name})
    with pytest.raises(ParticipantError, match="looks like an improvement: its name says so"):
        load(table, outcome=name, baseline=None)


def test_higher_is_better_is_doubted_where_the_instrument_says_otherwise():
    table = two_sites().assign(d=lambda t: t["madrs_6"] - t["madrs_0"])
    assert any("MADRS is worse when higher" in n for n in load(table, higher_is_worse=False).notes)
    said = load(table, outcome="d", higher_is_worse=False, covariates=["age"]).notes
    assert any("it is 'madrs_6' less 'madrs_0', so what is called improvement here" in n for n in said)


def test_a_guess_that_may_be_right_and_not_active_is_asked_about():
    guess = pd.Series([0, 1, 1, 0], name="guess")
    for other in (guess.astype(bool), guess.map({0: "false", 1: "TRUE"}), guess.astype(float)):
        with pytest.raises(ValueError, match="the two are opposites here"):
            code_guess(other, active="0", reference="1")
    with pytest.raises(ValueError, match="its name says that 1 is a right guess, not which treatment was guessed"):
        code_guess(guess.rename("guess_correct"), active="drug", reference="placebo")
    assert code_guess(guess.rename("guess_correct"), active="drug", reference="placebo", coding="belief").tolist() == [
        0,
        1,
        1,
        0,
    ]


def test_a_range_is_a_limit_only_where_its_source_was_read():
    table = pd.read_csv(embedded_folder() / "instruments.csv").set_index("instrument")
    ranged = table[table["range_max"].notna()]
    unread = set(ranged.index[ranged["range_basis"].str.contains("no source")])
    assert unread == {"GRID-HAMD", "SMDDS"}
    assert ranged["range_basis"].str.contains("://|percentage|no source").all()
    scales = known_scales()
    for name, row in ranged.iterrows():
        limits = (float("-inf"), ()) if name in unread else (row["range_min"], (row["range_max"],))
        assert (scales[name].low, scales[name].highs) == limits
    assert scales["EBI"].highs == (100, 600)
    assert scales["CADSS"].highs == scales["EDI"].highs == ()


@pytest.mark.parametrize("name", ["smdds_6", "cadss_total", "edi_1"])
def test_a_score_is_not_doubted_by_a_range_nobody_read(name):
    table = two_sites().rename(columns={"meq30": name}).assign(**{name: np.linspace(20, 130, 104).round()})
    assert len(load(table, mediators=[name])) == 104


def test_sums_of_an_instrument_are_not_taken_for_percentages():
    table = two_sites().assign(meq30=np.linspace(20, 148, 104).round())
    assert len(load(table)) == 104
    table.loc[3, "meq30"] = 163
    with pytest.raises(ParticipantError, match=r"163 on row 3 cannot be scored on MEQ30 \(0 to 150\)"):
        load(table)


@pytest.mark.parametrize("column", ["meq30", "madrs_6", "madrs_0", "age"])
def test_a_true_among_numbers_is_no_number(column):
    with pytest.raises(ParticipantError, match=rf"column '{column}': row 3 \(True\) is not a number"):
        load(put(column, True))


def test_a_covariate_of_one_word_does_not_vanish():
    with pytest.raises(ParticipantError, match="covariate 'sex' has one value, female; leave it out"):
        load(two_sites().assign(sex="female"))


@pytest.mark.parametrize(("roles", "message"), [
    ({"mediators": pd.Index(["nope"])}, "column 'nope' is not in the table"),
    ({"baseline": ""}, "baseline = ''; it must be the name of one"),
    ({"id": pd.Series(["record_id"])}, r"id = \['record_id'\]; it must be the name of one column"),
    ({"mediator_time": float("inf")}, "inf not a time"), ({"codebook": 3}, "a codebook or the path of one is needed; got a int"),
])  # fmt: skip
def test_arguments_of_other_kinds_are_named(roles, message):
    with pytest.raises(ValueError, match=message):
        load_participants(two_sites(), **(ROLES | roles))
    assert len(load(two_sites(), mediators=np.array(["meq30"]))) == 104


def test_functions_say_what_they_want():
    table = two_sites()
    with pytest.raises(ValueError, match="participants from load_participants are needed; got a DataFrame"):
        mediation(table)
    with pytest.raises(
        ValueError, match=r"a pm.Model or a design is fitted, such as mediation\(people\); got a DataFrame"
    ):
        fit(table, seed=1)
    with pytest.raises(ValueError, match="guesses are a column of a table, such as .*; got a list"):
        code_guess(["a"], active="a", reference="b")
    people = load(table)
    arms = pd.DataFrame({"drug": ["psilocybin"] * 2, "dose": [0, 1], "therapy": 1}, index=["placebo", "psilocybin"])
    told = {"experience": "meq30", "instrument": "MEQ30", "reference_sd": 10.3}
    with pytest.raises(ValueError, match="the arms have no column drug; give each arm"):
        person_arms(people, arms.drop(columns="drug"), **told)
    with pytest.raises(ValueError, match="the arms describe an arm twice"):
        person_arms(people, pd.concat([arms, arms]), **told)
    with pytest.raises(ValueError, match="reference_sd = 0; it must be a number above 0"):
        person_arms(people, arms, **(told | {"reference_sd": 0}))


@pytest.mark.parametrize(("cut", "whole"), [("outcome", "mediator"), ("mediator", "outcome")])
def test_a_column_that_is_another_one_cut_in_two_is_refused(cut, whole):
    rng = np.random.default_rng(8)
    n = 40
    table = pd.DataFrame({"arm": np.arange(n) % 2, "pain": rng.normal(30, 8, n)})
    table["pain_high"] = (table["pain"] > 28).astype(int)
    roles = {cut: "pain_high", whole: "pain"}
    said = rf"{cut} 'pain_high' is {whole} 'pain' cut between .* and .*: the one is computed from the other"
    with pytest.raises(ParticipantError, match=said):
        load_participants(table, treatment="arm", outcome=roles["outcome"], mediators=roles["mediator"])
    table.loc[3, "pain_high"] = 1 - table.loc[3, "pain_high"]
    load_participants(table, treatment="arm", outcome=roles["outcome"], mediators=roles["mediator"])
