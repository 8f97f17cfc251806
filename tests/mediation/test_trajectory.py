"""Experience in three sessions with early change between them: strangers' courses simulated, closed forms, and worlds that differ."""

import functools

import numpy as np
import pytest

from pillprocess.mediation.draws import coefficients, profiles
from pillprocess.mediation.effects import compute_effects
from pillprocess.mediation.interventional import direct_slopes, drawn, interventional_effects, mean_outcome
from pillprocess.mediation.model import mediation
from pillprocess.mediation.trajectory import trajectory_effects
from pillprocess.mediation.trajectory_sensitivity import trajectory_sensitivity, with_trait
from pillprocess.output.tables import effect_table
from pillprocess.participants.table import load_participants
from tests.mediation.sessions import ORDER, SESSIONS, VISITS, World, least_squares_course, trial, true_effects
from tests.mediation.trees import tree

ASSUMED = World()


@functools.cache
def stand_in(order: tuple[str, ...], ordered: bool = True, family: str = "gaussian"):
    table = trial(ASSUMED, 80, 1)
    if family != "gaussian":
        table["madrs_6"] = (table["madrs_6"] > table["madrs_6"].median()).astype(float)
    people = load_participants(
        table, treatment="arm", reference=0, outcome="madrs_6", mediators=list(order), covariates="x", higher_is_worse=True,
        repeated_rows="different people",
    )  # fmt: skip
    return mediation(people, order=list(order) if ordered else None, family_outcome=family)


@functools.cache
def coefficients_of(world: World, order: tuple[str, ...], n: int) -> dict[str, np.ndarray]:
    return least_squares_course(trial(world, n, 3), order)


def fitted(world: World = ASSUMED, order: tuple[str, ...] = ORDER, n: int = 200_000, family: str = "gaussian"):
    """A fit whose one draw are the least-squares coefficients of a large trial; x is on average what it is there."""
    return tree(stand_in(order, family=family), coefficients_of(world, order, n))


def test_effects_at_every_visit_are_those_of_people_who_are_given_a_stranger_s_course():
    found = trajectory_effects(fitted(), mediators=SESSIONS, visits=VISITS)
    truth = true_effects(ASSUMED)
    assert list(found["visit"].to_numpy()) == [*VISITS, "madrs_6"]
    for name, values in truth.items():
        assert found[name][0, 0].to_numpy() == pytest.approx(values, abs=0.04), name
    assert abs(truth["iie"][2]) > 1.5
    assert abs(truth["ide"][2]) > 0.5
    assert found.attrs["between"] == list(VISITS)


def test_parts_add_up_and_of_one_session_are_the_effects_of_one_mediator():
    idata = fitted(n=2_000)
    found = trajectory_effects(idata, mediators=SESSIONS, visits=VISITS)
    assert found["session"].sum("mediator").to_numpy() == pytest.approx(found["iie"].to_numpy())
    assert (found["ide"] + found["iie"]).to_numpy() == pytest.approx(found["oe"].to_numpy())
    assert found["session"].sel(visit="madrs_1", mediator=["insight_2", "insight_3"]).to_numpy().tolist() == [
        [[0.0, 0.0]]
    ]
    assert found["oe"].sel(visit="madrs_6").item() == pytest.approx(compute_effects(idata)["te"].item())
    single = trajectory_effects(idata, mediators=["insight_2"]).isel(visit=0)
    alone = interventional_effects(idata, mediator="insight_2")
    for name in ("oe", "ide", "iie"):
        assert single[name].item() == pytest.approx(alone[name].item())


def test_all_mediators_moved_are_those_of_the_natural_effects_without_common_causes():
    idata = fitted(n=2_000)
    found, natural = trajectory_effects(idata, mediators=ORDER), compute_effects(idata)
    assert found["iie"].item() == pytest.approx(natural["tnie"].item())
    assert found["ide"].item() == pytest.approx(natural["pnde"].item())


def test_a_chance_is_averaged_over_strangers_courses():
    idata = fitted(n=2_000, family="logit")
    found = trajectory_effects(idata, mediators=SESSIONS, scale="log_odds_ratio").isel(visit=0)
    assert (found["ide"] + found["iie"]).item() == pytest.approx(found["oe"].item())
    assert np.sign(found["iie"].item()) == -1


@pytest.mark.parametrize(
    ("world", "order", "least"),
    [
        (ASSUMED, SESSIONS, 0.4),  # early change was not measured
        (World(trait=0.7), ORDER, 0.5),  # a trait colours every session's experience and the outcome
    ],
    ids=["early change left out", "an unmeasured trait"],
)
def test_what_the_effects_assume_can_be_seen_to_matter(world, order, least):
    found = trajectory_effects(fitted(world, order), mediators=SESSIONS)["iie"].item()
    assert abs(found - true_effects(world)["iie"][2]) > least


def test_effects_with_a_trait_of_known_strength_are_the_true_ones():
    """.7 of a trait in every session and -.7 in the outcome: with these taken off, what is left is the truth."""
    world = World(trait=0.7)
    idata = fitted(world)
    k, posterior = coefficients(idata, "1"), idata["posterior"].dataset
    loadings = 0.7 * np.isin(ORDER, SESSIONS)[None]
    changed, D = with_trait(k, direct_slopes(posterior, k), loadings, np.array([-0.7]))
    X, weight, _ = profiles(idata, None, linear=True)
    moved = np.array([0, 2, 4])
    y = {
        way: mean_outcome(changed, drawn(changed, D, X, moved, t=way[0], t_m=np.full(3, way[1])), X, weight, t=way[0])[0]
        for way in ((0, 0), (1, 0), (1, 1))
    }  # fmt: skip
    truth = true_effects(world)
    assert y[1, 1] - y[1, 0] == pytest.approx(truth["iie"][2], abs=0.05)
    assert y[1, 0] - y[0, 0] == pytest.approx(truth["ide"][2], abs=0.05)


def test_a_trait_moves_what_goes_through_the_course_and_not_the_overall_effect():
    idata = fitted(n=2_000)
    found, plain = trajectory_sensitivity(idata, mediators=SESSIONS), trajectory_effects(idata, mediators=SESSIONS)
    assert found["iie"].sel(strength=0).item() == pytest.approx(plain["iie"].item())
    assert (found["iie"] + found["ide"]).to_numpy() == pytest.approx(plain["oe"].item())
    iie = found["iie"][0, 0]
    assert (
        iie.sel(strength=-0.5) > iie.sel(strength=0) > iie.sel(strength=0.5)
    )  # a trait against symptoms explains a part of it
    assert found["strength_tipping"].item() == np.inf  # in these sessions no trait of equal strength would do
    weak = {"b": np.array([[-0.1, 0.3, -0.1, 0.3, -0.1]]), "theta": np.zeros((1, 5, 1))}
    found = trajectory_sensitivity(
        tree(stand_in(ORDER), coefficients_of(ASSUMED, ORDER, 2_000) | weak), mediators=SESSIONS
    )
    tipping, iie = found["strength_tipping"].item(), found["iie"][0, 0].to_numpy()
    assert -0.95 < tipping < 0
    low, high = iie[np.searchsorted(found["strength"], tipping) - 1 :][:2]
    assert low > 0 > high


def test_strengths_and_outcomes_that_are_not_known_are_refused():
    idata = fitted(n=500)
    with pytest.raises(ValueError, match="they must increase through 0, between -1 and 1"):
        trajectory_sensitivity(idata, mediators=SESSIONS, strengths=(0.1, 0.2))
    with pytest.raises(ValueError, match="known for a gaussian outcome without moderators; this one is logit"):
        trajectory_sensitivity(fitted(n=500, family="logit"), mediators=SESSIONS)
    with pytest.raises(ValueError, match="course of awe: name at least one mediator"):
        trajectory_sensitivity(idata, mediators=["awe"])


def test_what_has_no_course_is_refused():
    idata = fitted(n=500)
    with pytest.raises(
        ValueError,
        match="course of insight_1, awe: name at least one mediator, and each of these at most once: insight_1",
    ):
        trajectory_effects(idata, mediators=["insight_1", "awe"])
    with pytest.raises(
        ValueError, match="course of insight_1, insight_1 with visits insight_1: name at least one mediator"
    ):
        trajectory_effects(idata, mediators=["insight_1"], visits=["insight_1"])
    parallel = tree(
        stand_in(ORDER, ordered=False),
        {n: v for n, v in least_squares_course(trial(ASSUMED, 500, 3), ORDER).items() if n != "d"},
    )
    with pytest.raises(
        ValueError, match="a course over sessions needs mediators that follow one another: give their order"
    ):
        trajectory_effects(parallel, mediators=SESSIONS)
    with pytest.raises(
        ValueError,
        match="earlier visits are Gaussian, so effects on them are differences of means; this outcome is logit",
    ):
        trajectory_effects(fitted(n=500, family="logit"), mediators=SESSIONS, visits=VISITS)
    idata["constant_data"] = idata["constant_data"].to_dataset().assign(group_members=("group", [0]))
    with pytest.raises(
        ValueError, match="effects through a course over sessions are computed for one trial without clusters"
    ):
        trajectory_effects(idata, mediators=SESSIONS)


def test_the_course_is_tabulated_by_visit_and_session():
    idata = tree(
        stand_in(ORDER),
        {n: np.repeat(v, 2, axis=0) for n, v in least_squares_course(trial(ASSUMED, 500, 3), ORDER).items()},
    )
    table = effect_table(trajectory_effects(idata, mediators=SESSIONS, visits=VISITS))
    assert len(table) == 3 * 3 + 3 * 3
