"""Interventional effects through one of several mediators: the linear closed form, simulated people, and where natural effects fail."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.interventional import interventional_effects
from pillprocess.mediation.model import mediation
from pillprocess.participants.table import load_participants
from tests.mediation.trees import tree

pytestmark = pytest.mark.filterwarnings("ignore:.*it extrapolates:UserWarning")
P = {
    "alpha_m": [0.3, -0.2], "a": [1.2, -0.5], "sigma_m": [1.0, 0.8], "alpha_y": 0.4, "c": -0.3, "b": [-0.4, 0.7], "theta": [0.2, -0.3],
}  # fmt: skip
D, RHO = -0.6, 0.4


def fitted(family: str = "gaussian", *, ordered: bool = True):
    rng = np.random.default_rng(2)
    n = 40
    table = pd.DataFrame({"arm": np.arange(n) % 2, "depth": rng.normal(size=n), "early": rng.normal(size=n)})
    table["y"] = rng.normal(size=n) if family == "gaussian" else rng.integers(0, 2, n).astype(float)
    people = load_participants(
        table, treatment="arm", outcome="y", mediators=["depth", "early"], repeated_rows="different people", higher_is_worse=True
    )  # fmt: skip
    model = mediation(people, family_outcome=family, order=["depth", "early"] if ordered else None)
    draws = {}
    for name, value in (P | ({"d": D} if ordered else {"correlation_m": RHO}) | {"sigma_y": 1.0}).items():
        if name in model.named_vars:
            shape = tuple(len(model.coords[x]) for x in model.named_vars_to_dims.get(name, ()))
            draws[name] = np.broadcast_to(np.reshape(value, shape), (2, *shape))
    empty = {"gamma_m": np.zeros((2, 2, 0)), "gamma_y": np.zeros((2, 0))}
    return tree(model, draws | empty)


def test_in_a_linear_model_they_are_products_of_coefficients_and_add_up_to_the_total_effect():
    idata = fitted()
    through = {"early": P["b"][1] + P["theta"][1], "depth": P["b"][0] + P["theta"][0] + D * (P["b"][1] + P["theta"][1])}
    total_a = {"depth": P["a"][0], "early": P["a"][1] + D * P["a"][0]}
    te = float(natural_effects(idata)["te"][0, 0])
    for mediator, slope in through.items():
        effects = interventional_effects(idata, mediator=mediator)
        assert float(effects["iie"][0, 0]) == pytest.approx(slope * total_a[mediator])
        assert float(effects["oe"][0, 0]) == pytest.approx(te)
        assert float((effects["ide"] + effects["iie"])[0, 0]) == pytest.approx(te)
    assert (effects.attrs["before"], effects.attrs["after"]) == ([], ["early"])
    parallel = interventional_effects(fitted(ordered=False), mediator="early")
    assert float(parallel["iie"][0, 0]) == pytest.approx((P["b"][1] + P["theta"][1]) * P["a"][1])


@pytest.mark.parametrize(
    ("family", "ordered", "mediator"),
    [("probit", True, "depth"), ("logit", True, "early"), ("probit", False, "early"), ("logit", False, "depth")],
)
def test_they_are_those_of_people_who_are_given_a_stranger_s_mediator(family, ordered, mediator):
    """200,000 people simulated under each treatment, the mediator taken from another person of the arm that it is to come from."""
    effects = interventional_effects(fitted(family, ordered=ordered), mediator=mediator)
    rng, n = np.random.default_rng(11), 200_000
    correlation = 0.0 if ordered else RHO
    e = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], n) * P["sigma_m"]
    d = D if ordered else 0.0

    def natural(t: int) -> np.ndarray:
        depth = P["alpha_m"][0] + P["a"][0] * t + e[:, 0]
        return np.column_stack([depth, P["alpha_m"][1] + P["a"][1] * t + d * depth + e[:, 1]])

    def outcome(t: int, s: int) -> float:
        given = rng.permutation(natural(s)[:, int(mediator == "early")])
        depth = given if mediator == "depth" else natural(t)[:, 0]
        early = given if mediator == "early" else P["alpha_m"][1] + P["a"][1] * t + d * depth + e[:, 1]
        slope = np.add(P["b"], np.multiply(P["theta"], t))
        eta = P["alpha_y"] + P["c"] * t + slope[0] * depth + slope[1] * early
        return float((special.ndtr(eta) if family == "probit" else special.expit(eta)).mean())

    y = {way: outcome(*way) for way in ((0, 0), (1, 0), (1, 1))}
    assert float(effects["ide"][0, 0]) == pytest.approx(y[1, 0] - y[0, 0], abs=0.005)
    assert float(effects["iie"][0, 0]) == pytest.approx(y[1, 1] - y[1, 0], abs=0.005)


def test_one_mediator_or_another_one_is_refused():
    with pytest.raises(ValueError, match="mediator = 'joy': the mediators of this fit are depth, early"):
        interventional_effects(fitted(), mediator="joy")
    idata = fitted()
    idata["constant_data"] = idata["constant_data"].to_dataset().assign(group_members=("group", [0]))
    with pytest.raises(ValueError, match="interventional effects of one mediator are computed for one trial"):
        interventional_effects(idata, mediator="early")
