"""The ledger before the trial: what a design isolates, what comes along with it, and which arm is missing."""

import numpy as np
import pytest

from pillprocess.planning.comparisons import BELIEVED, TERMS, amounts, design_ledger, isolates
from pillprocess.planning.library import named_designs
from pillprocess.planning.trials import PlanningError, trial_design

LIBRARY = named_designs()


def ledger(name: str, estimand: str):
    return design_ledger([LIBRARY[name]], estimands=[estimand]).iloc[0]


def test_a_two_by_two_isolates_therapy_and_the_interaction_and_no_trial_without_therapy_arms_does():
    assert ledger("2x2 drug x therapy", "drug:therapy")["isolated"]
    assert ledger("2x2 drug x therapy", "therapy")["isolated"]
    assert not ledger("one more placebo trial", "drug:therapy")["isolated"]
    assert not ledger("one more placebo trial", "therapy")["compared"]


def test_only_equal_belief_isolates_the_experience():
    assert ledger("experience removed, belief equalised", "experience")["isolated"]
    unequal = ledger("drug x anaesthesia", "experience")
    assert unequal["compared"]
    assert not unequal["isolated"]
    assert "belief" in unequal["with"]
    assert "belief" in unequal["verdict"]


def test_the_missing_arm_that_is_named_does_isolate_the_estimand():
    row = ledger("drug x anaesthesia", "experience")
    assert row["missing"].startswith("an arm with ")
    trial = trial_design(
        "with it", {arm.name: {"drug": arm.drug, "experience": arm.experience} for arm in LIBRARY["drug x anaesthesia"].arms}
        | {"added": {"drug": "placebo", "belief": "equal"}},
    )  # fmt: skip
    assert isolates(amounts(trial.arms), TERMS.index("experience"))


def test_isolation_is_what_least_squares_estimates_without_bias():
    """By other code: a term is isolated if its column is not a combination of the others and the mean."""
    for trial in LIBRARY.values():
        X = np.column_stack([np.ones(len(trial.arms)), amounts(trial.arms)])
        for i, _ in enumerate(TERMS):
            others = np.delete(X, i + 1, axis=1)
            grows = np.linalg.matrix_rank(X, tol=1e-9) > np.linalg.matrix_rank(others, tol=1e-9)
            assert isolates(amounts(trial.arms), i) == grows


def test_two_types_of_therapy_are_compared_and_one_is_not():
    assert ledger("therapies compared", "therapy_type")["isolated"]
    assert not ledger("2x2 drug x therapy", "therapy_type")["compared"]


def test_an_unknown_estimand_is_refused():
    with pytest.raises(PlanningError, match="unknown estimand mood; known are drug, therapy"):
        design_ledger(LIBRARY.values(), estimands=["mood"])
    assert BELIEVED[0] < BELIEVED[1]


def test_every_missing_arm_that_is_named_isolates_what_was_asked():
    """The words are read back: each arm named as missing is made again and added."""
    from dataclasses import replace

    from pillprocess.planning.comparisons import MORE, NEEDS, _variants, described

    for trial in LIBRARY.values():
        variants = {described(arm): arm for arm in reversed(_variants(trial, BELIEVED))}
        for row in design_ledger([trial]).itertuples():
            if row.missing and row.missing != MORE:
                added = [variants[text] for text in row.missing.removeprefix("an arm with ").split(" and an arm with ")]
                whole = replace(trial, arms=(*trial.arms, *added))
                term = NEEDS.get(row.estimand, row.estimand)
                assert isolates(amounts(whole.arms), TERMS.index(term)), (trial.name, row.estimand)
