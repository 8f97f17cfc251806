"""The table of a plan: what it holds, what it refuses, how designs are ranked and sized, and that an executor changes nothing."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from pillprocess.decomposition.model import decomposition_design
from pillprocess.inference.fit import fit
from pillprocess.planning.information import expected_information
from pillprocess.planning.knowledge import knowledge_of
from pillprocess.planning.library import named_designs
from pillprocess.planning.plots import plot_assurance
from pillprocess.planning.ranking import rank_designs, sizes_needed
from pillprocess.planning.trials import PlanningError, trial_design
from pillprocess.rows.terms import HEADLINE, HYPOTHESES
from tests.planning.cases import small_evidence

SIZES = (10, 100, 1000, np.inf)
NAMES = ("2x2 drug x therapy", "experience removed, belief equalised", "drug x anaesthesia", "co-administered blocker")


@pytest.fixture(scope="module")
def idata(arm_row):
    return fit(decomposition_design(small_evidence(arm_row), terms=HYPOTHESES["mediated"]), seed=1, draws=50)


@pytest.fixture(scope="module")
def designs():
    return [named_designs()[name] for name in NAMES]


@pytest.fixture(scope="module")
def table(idata, designs) -> pd.DataFrame:
    return expected_information(idata, designs, sizes=SIZES, draws=256)


def at(table: pd.DataFrame, design: str, estimand: str, size: float) -> pd.Series:
    return table[(table["design"] == design) & (table["estimand"] == estimand) & (table["n_per_arm"] == size)].iloc[0]


def test_more_people_teach_more_and_never_less(table):
    for _, own in table[table["estimand"] != "accounts"].groupby(["design", "estimand"]):
        assert (np.diff(own["sd_after"]) <= 1e-9).all()
        assert own["sd_now"].nunique() == 1
        assert (own["reduction"].between(0, 1)).all()


def test_the_direct_comparison_teaches_the_experience_more_than_one_whose_belief_differs(table):
    equal, unequal, blocker = (at(table, name, "experience", np.inf)["sd_after"] for name in NAMES[1:])
    assert equal < 0.02
    assert blocker < 0.02
    assert unequal > 0.1, "belief goes with the experience: no size separates them"


def test_a_trial_that_cannot_say_is_no_row_by_default_and_refused_when_asked(table, idata, designs):
    rows = table[(table["design"] == "experience removed, belief equalised")]
    assert set(rows["estimand"]) == {"experience", "mediated", "accounts"}
    other = trial_design("other", {"a": {"drug": "DMT", "n": 5}, "b": {"drug": "placebo", "n": 5}}, construct="sleep")
    with pytest.raises(PlanningError) as caught:
        expected_information(
            idata,
            [designs[1], other, designs[1]],
            estimands=["drug:therapy", "therapy_type"],
            sizes=(1, 50),
            outcome_sd=0.0,
        )
    for words in (
        "no two arms differ in dose and therapy together, so it has no comparison for 'drug:therapy'; it lacks an arm with placebo",
        "unknown drug 'DMT'; the fit knows MDMA, psilocybin", "construct 'sleep' is not in the fit; it has depression",
        "is there twice", "types of therapy in the fit: give prior_therapy_type_sd", "size 1; an arm needs at least 2",
        "outcome_sd = 0; it must be > 0",
    ):  # fmt: skip
        assert words in str(caught.value)


def test_a_fit_without_the_terms_or_of_another_kind_is_refused(arm_row, designs):
    rows = small_evidence(arm_row)
    headline = fit(decomposition_design(rows, terms=HEADLINE), seed=1, draws=10)
    with pytest.raises(PlanningError, match="'mediated' needs the fit's terms to have experience"):
        expected_information(headline, designs[1:2], estimands=["mediated"])
    with pytest.raises(PlanningError, match="the fit has a small-study term"):
        tree = headline.copy()
        tree["constant_data"].attrs["small_study"] = "pet"
        expected_information(tree, designs[:1])
    with pytest.raises(PlanningError, match="the fit is none of a decomposition"):
        tree = headline.copy()
        tree["constant_data"].attrs["model"] = "other"
        expected_information(tree, designs[:1])


def test_types_of_therapy_are_compared_where_the_fit_has_them(arm_row):
    rows = small_evidence(arm_row)
    types = ["support" if i % 3 else "CBT" for i in range(len(rows))]
    typed = fit(decomposition_design(rows.assign(therapy_type=types), prior_therapy_type_sd=0.3), seed=1, draws=10)
    trial = named_designs()["therapies compared"]
    row = expected_information(typed, [trial], estimands=["therapy_type"], sizes=(500,), draws=64).iloc[0]
    assert 0.1 < row["reduction"] < 1
    other = trial_design("o", {"a": {"therapy": "support"}, "b": {"therapy": "dance"}})
    with pytest.raises(PlanningError, match="no row of the fit has therapy of type dance; it has CBT, support"):
        expected_information(typed, [other], estimands=["therapy_type"])


def test_therapy_without_hours_is_refused_where_the_fit_counts_hours(arm_row, designs):
    rows = small_evidence(arm_row).assign(therapy_hours=6.0)
    hours = fit(decomposition_design(rows, therapy_measure="hours"), seed=1, draws=10)
    table = expected_information(hours, designs[:1], estimands=["therapy"], sizes=(100,), draws=64)
    assert 0 < table["reduction"].iloc[0] < 1
    trial = trial_design("t", {"a": {"therapy": "support"}, "b": {}})
    with pytest.raises(PlanningError, match="support without therapy_hours; this fit counts therapy by its hours"):
        expected_information(hours, [trial], estimands=["therapy"])


def test_what_a_process_is_sent_survives_pickling(idata, designs):
    known = knowledge_of(idata["constant_data"].dataset, nodes=5)
    again, trial = pickle.loads(pickle.dumps((known, designs[0])))
    assert trial == designs[0]
    np.testing.assert_array_equal(again.covariance, known.covariance)


def test_an_executor_changes_nothing(table, idata, designs):
    with ThreadPoolExecutor(2) as executor:
        again = expected_information(idata, designs, sizes=SIZES, draws=256, executor=executor)
    pd.testing.assert_frame_equal(table, again)


def test_a_bias_that_no_size_removes_keeps_part_of_the_doubt(table, idata, designs):
    biased = expected_information(
        idata, designs[1:2], estimands=["experience"], sizes=(np.inf,), bias_sd=0.1, draws=64
    ).iloc[0]
    assert biased["sd_after"] > 0.1 > at(table, NAMES[1], "experience", np.inf)["sd_after"]


def test_a_sceptical_prior_leaves_less_to_learn(table, idata, designs):
    narrow = expected_information(
        idata, designs[1:2], estimands=["experience"], sizes=(100,), prior_scale=0.5, draws=64
    ).iloc[0]
    assert narrow["sd_now"] < at(table, NAMES[1], "experience", 100)["sd_now"]


CURVE = pd.DataFrame({
    "design": "A", "estimand": "drug", "decision": "d", "decided_now": False, "n_per_arm": [10.0, 40.0, 160.0, np.inf],
    "people": [20.0, 80.0, 320.0, np.inf], "reduction": [0.25, 0.5, 0.75, 1.0], "assurance": [0.2, 0.6, 0.85, 0.95],
    "sd_now": 0.4, "assurance_se": [0.01, 0.02, 0.05, 0.0],
})  # fmt: skip


def test_sizes_are_read_between_those_computed_and_blank_where_none_is_enough():
    row = sizes_needed(CURVE).iloc[0]
    assert row["n_80"] == np.ceil(40 * 4 ** ((0.8 - 0.6) / 0.25))
    assert np.isnan(row["n_90"])
    assert row["n_80_low"] < row["n_80"]
    assert np.isnan(row["n_80_high"]), "1.96 errors lower the curve does not reach it"
    assert (row["largest"], row["at_largest"], row["limit"]) == (160.0, 0.85, 0.95)
    with pytest.raises(PlanningError, match="assurance 80; it must lie between 0 and 1"):
        sizes_needed(CURVE, assurances=(80,))
    with pytest.raises(PlanningError, match="the table has no finite size"):
        sizes_needed(CURVE.iloc[3:])


def test_designs_are_ranked_by_bits_per_patient_or_per_cost():
    other = CURVE.assign(design="B", reduction=[0.4, 0.6, 0.8, 1.0])
    both = pd.concat([CURVE, other])
    ranked = rank_designs(both, people=80)
    assert ranked["design"].tolist() == ["B", "A"]
    assert ranked.set_index("design").loc["A", "bits_per_100"] == pytest.approx(0.5 * 100 / 80)
    dear = rank_designs(both, people=80, costs={"A": 100.0, "B": 1000.0})
    assert dear["design"].tolist() == ["A", "B"]
    assert dear.loc[0, "bits_per_million"] == pytest.approx(0.5 * 1e6 / 8000)
    with pytest.raises(PlanningError) as caught:
        rank_designs(both, people=1000, costs={"A": 0.0, "C": 1.0})
    for words in (
        "people = 1000: the sizes of 'A' run from 20 to 320",
        "costs['A'] = 0; the cost of one",
        "costs['C']: the table has no such",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize("width", ["two_column", "one_column"])
def test_the_figure_has_one_line_a_design_and_names_each(table, width, save_figure):
    ax = plot_assurance(table, estimand="mediated", width=width, title="Which trial would settle it?")
    lines = [line for line in ax.lines if len(line.get_xdata()) == 3]
    assert len(lines) == len(NAMES)
    texts = {text.get_text().replace("\n", " ") for text in ax.texts}
    assert set(NAMES) <= texts
    save_figure(ax)
    with pytest.raises(PlanningError, match="the table has no size of it; it has drug"):
        plot_assurance(table, estimand="mood")
