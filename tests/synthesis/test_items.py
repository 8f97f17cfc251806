import numpy as np
import pytest

from pillprocess.synthesis.effects import controlled_trials
from pillprocess.synthesis.items import synthesis_items
from tests.synthesis.cases import arm, outcome, small_evidence, small_items


@pytest.fixture(scope="module")
def items(build_evidence):
    return small_items(build_evidence)


def row(items, label):
    return items.isel(row=list(items["row"].to_numpy()).index(label))


def test_every_trial_is_evidence_of_one_kind(items):
    kinds = dict(zip(items["trial"].to_numpy(), items["row_kind"].to_numpy(), strict=True))
    assert kinds == {
        "alone": "placebo-controlled outcomes", "doses": "dose comparisons", "open": "placebo-controlled outcomes",
        "infusion": "placebo-controlled outcomes", "asleep": "blocked experience",
    }  # fmt: skip


def test_arms_say_what_decides_experience_and_belief(items):
    cells = items.sel(arm=["asleep: ketamine", "open: waitlist", "infusion: midazolam", "doses: low", "open: drug"])
    assert cells["arm_awake"].to_numpy().tolist() == [0, 1, 1, 1, 1]
    assert cells["arm_known"].to_numpy().tolist() == [0, 1, 0, 0, 1]
    assert cells["arm_active"].to_numpy().tolist() == [1, 0, 0, 0, 1]
    assert cells["arm_active_placebo"].to_numpy().tolist() == [0, 0, 1, 0, 0]
    assert cells["arm_dose"].to_numpy() == pytest.approx([1, 0, 0, 0.2, 1])


def test_a_pooled_guess_is_the_mean_over_arms_of_being_right(items):
    pooled = items.sel(guess="alone: all")
    assert pooled["guess_correct"] == 34
    weights = dict(zip(items["arm"].to_numpy(), pooled["guess_arm"].to_numpy(), strict=True))
    assert weights["alone: high"] == 0.5
    assert weights["alone: placebo"] == -0.5
    assert pooled["guess_constant"] == 0.5
    own = items.sel(guess="asleep: ketamine")
    assert (float(own["guess_constant"]), float(own["guess_arm"].sel(arm="asleep: ketamine"))) == (0, 1)


def test_responders_enter_only_where_no_change_is_known(items):
    assert items["count"].to_numpy().tolist() == ["events: ketamine", "events: placebo"]
    assert items["count_responders"].to_numpy().tolist() == [16, 7]


def test_associations_keep_estimate_or_significance_and_their_scale(items):
    assert items["association_told"].to_numpy().tolist() == [0, 1]
    assert items["association_z"].to_numpy()[0] == pytest.approx(np.arctanh(-0.4))
    assert items["association_instrument"].to_numpy().tolist() == ["MEQ30", "CADSS"]


def test_whitener_undoes_the_sampling_covariance(items):
    whitener = items["whitener"].to_numpy()
    np.testing.assert_allclose(
        whitener @ items["covariance"].to_numpy() @ whitener.T, np.eye(items.sizes["row"]), atol=1e-12
    )


def test_an_uncontrolled_trial_informs_the_drug_only_where_asked(build_evidence):
    evidence = small_evidence(build_evidence)
    alone = build_evidence(
        trials=[*evidence.trials.to_dict("records"), {"trial_id": "single", "design": "single_arm"}],
        arms=[*evidence.arms.to_dict("records"), arm("single", "all", role="single_arm", therapy=1)],
        outcomes=[*evidence.outcomes.to_dict("records"), outcome("single", "all", -20)],
    )
    assert "single" not in synthesis_items(alone)["trial"]
    assert "single" in synthesis_items(alone, single_arm="exchangeable")["trial"]
    with pytest.raises(ValueError, match="single_arm = 'own'; it must be 'set_aside' or 'exchangeable'"):
        synthesis_items(alone, single_arm="own")


def test_evidence_without_a_controlled_outcome_is_an_error(build_evidence):
    lonely = build_evidence(
        trials=[{"trial_id": "single", "design": "single_arm"}], arms=[arm("single", "all", role="single_arm")],
        outcomes=[outcome("single", "all", -20)],
    )  # fmt: skip
    with pytest.raises(ValueError, match="no controlled outcome is left under these choices; nothing was gathered"):
        synthesis_items(lonely)


def test_trials_of_a_drug_are_those_that_compare_it_with_the_people_in_all_their_arms(items):
    trials = controlled_trials(items).set_index("trial")
    assert sorted(trials.index[trials["drug"] == "ketamine"]) == ["asleep", "events", "infusion"]
    assert sorted(trials.index[trials["drug"] == "psilocybin"]) == ["alone", "doses", "open"]
    assert set(trials["people"]) == {40}
