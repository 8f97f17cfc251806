"""A mediator's SD by arm and its floor: SciPy's density, effects, and what ignoring the floor does to people simulated with one."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.model import mediation
from pillprocess.mediation.sensitivity import mediation_sensitivity
from pillprocess.mediation.sufficient import standardise
from pillprocess.participants.table import load_participants
from tests.mediation.modes import posterior_mode
from tests.mediation.test_model import evaluate
from tests.mediation.trees import tree

pytestmark = pytest.mark.filterwarnings("ignore:.*it extrapolates:UserWarning")
A, B, C = 2.5, -1.0, -0.5


def simulated(n: int, *, floor: float = -np.inf, seed: int = 3, sds: tuple[float, float] = (1.0, 1.6)) -> pd.DataFrame:
    """Placebo's experiences lie about 0.5 below a floor of 0, the drug's about 2 above it; the outcome follows the experience."""
    rng = np.random.default_rng(seed)
    arm = np.arange(n) % 2
    m = -0.5 + A * arm + rng.normal(size=n) * np.take(sds, arm)
    return pd.DataFrame({"arm": arm, "depth": np.maximum(m, floor), "y": 3 + C * arm + B * m + rng.normal(size=n)})


def people(table: pd.DataFrame, **more):
    return load_participants(
        table,
        treatment="arm",
        outcome="y",
        mediators="depth",
        repeated_rows="different people",
        higher_is_worse=True,
        **more,
    )


def test_the_density_of_people_on_the_floor_is_an_integral_over_what_lies_below_it():
    table = simulated(60, floor=0.0)
    low = np.flatnonzero(table["depth"] == 0)
    table.loc[low[0], "y"], table.loc[[1, 4], "depth"] = np.nan, [np.nan, table["depth"].max()]
    data = people(table.drop(index=1))
    v = evaluate(mediation(data, sd_by_arm=True, floor_mediator=0.0))[0]
    T, m, y = data.treatment.to_numpy()[:, 0], data.mediators["depth"].to_numpy(), data.outcome.to_numpy()
    a, b, c, theta = (float(np.squeeze(v[n])) for n in ("a", "b", "c", "theta"))
    sd = v["sigma_m_level"][T.astype(int)]
    units = standardise(data, mediators=["depth"], binary_mediator=False, binary_outcome=False)
    expected = 0.0
    for i in range(len(data)):
        of_m = stats.norm(v["alpha_m"][0] + a * T[i], sd[i])

        def of_y(value, i=i):
            return stats.norm.pdf(y[i], v["alpha_y"] + c * T[i] + (b + theta * T[i]) * value, v["sigma_y"])

        if m[i] > 0:
            expected += of_m.logpdf(m[i]) + np.log(units.m_sd[0]) + np.log(of_y(m[i]) * units.y_sd)
        elif np.isnan(y[i]):
            expected += of_m.logcdf(0)
        else:
            lowest = of_m.mean() - 12 * of_m.std()
            expected += np.log(
                integrate.quad(lambda x, of_m=of_m, of_y=of_y: of_m.pdf(x) * of_y(x), lowest, 0, epsabs=1e-13)[0]
                * units.y_sd
            )
    assert float(v["likelihood"]) == pytest.approx(expected, abs=1e-5)


def test_effects_use_the_sd_of_the_arm_that_the_mediator_comes_from():
    table = simulated(40)
    table["y"] = (table["y"] > 2).astype(float)
    model = mediation(people(table), family_outcome="probit", sd_by_arm=True)
    p = {"alpha_m": -0.5, "a": A, "alpha_y": 0.5, "c": C, "b": -0.4, "theta": 0.1}
    shape = {n: tuple(len(model.coords[d]) for d in model.named_vars_to_dims.get(n, ())) for n in p}
    draws = {n: np.full((2, *shape[n]), x) for n, x in p.items()} | {"sigma_m_level": np.tile([0.5, 2.0], (2, 1))}
    idata = tree(model, draws | {"gamma_m": np.zeros((2, 1, 0)), "gamma_y": np.zeros((2, 0))})

    def chance(t, s):
        slope, sd = p["b"] + p["theta"] * t, [0.5, 2.0][s]
        centre = p["alpha_y"] + p["c"] * t + slope * (p["alpha_m"] + p["a"] * s)
        return special.ndtr(centre / np.sqrt(1 + (slope * sd) ** 2))

    for effects, back in ((natural_effects(idata), False), (natural_effects(idata, arm="0", reference="1"), True)):
        y = {(t, s): chance(1 - t, 1 - s) if back else chance(t, s) for t in (0, 1) for s in (0, 1)}
        for name, (way, base) in {"te": ((1, 1), (0, 0)), "pnde": ((1, 0), (0, 0)), "tnie": ((1, 1), (1, 0))}.items():
            assert float(effects[name][0, 0]) == pytest.approx(y[way] - y[base])
    with pytest.raises(
        ValueError, match="no sensitivity analysis is known for a mediator whose SD differs between arms"
    ):
        mediation_sensitivity(idata)


def test_a_floor_that_is_ignored_biases_the_indirect_effect_and_one_that_is_modelled_does_not():
    """Least squares, and the posterior mode, of 1,000 people, 69 % of placebo on the floor; true indirect effect -2.5, total -3."""
    data = people(simulated(1000, floor=0.0, seed=8))
    T, m = data.treatment.to_numpy(), data.mediators.to_numpy()
    one = np.ones((len(data), 1))
    b = np.linalg.lstsq(np.hstack([one, T, m]), data.outcome, rcond=None)[0]
    ignored = float(np.linalg.lstsq(np.hstack([one, T]), m, rcond=None)[0][1, 0] * b[2])
    assert ignored > -2.3
    assert ignored + b[1] == pytest.approx(C + A * B, abs=0.25)

    model = mediation(data, interaction=False, sd_by_arm=True, floor_mediator=0.0)
    a, slope, c = posterior_mode(model, ["a", "b", "c"])
    assert (a * slope, a * slope + c) == pytest.approx((A * B, C + A * B), abs=0.2)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"floor_mediator": 1.0}, "floor_mediator = 1: 'depth' goes down to 0"),
        ({"floor_mediator": -1.0}, "floor_mediator = -1: nobody's 'depth' lies on it"),
        (
            {"floor_mediator": 0.0, "family_outcome": "student_t"},
            "floor_mediator with a gaussian mediator and a student_t outcome",
        ),
        (
            {"sd_by_arm": True, "family_mediator": "logit"},
            "one gaussian or student_t mediator is needed, and no clusters",
        ),
    ],
)
def test_floors_and_sds_that_cannot_be_are_refused(how, said):
    with pytest.raises(ValueError, match=said):
        mediation(people(simulated(60, floor=0.0)), **how)


def test_an_arm_wholly_on_the_floor_and_a_dose_are_refused():
    table = simulated(60, floor=0.0)
    table.loc[(table["arm"] == 0) & (table.index > 8), "depth"] = 0.0
    with pytest.raises(ValueError, match="with fewer than 5 neither mean nor SD of the mediator is known there"):
        mediation(people(table), floor_mediator=0.0)
    dose = table.assign(arm=np.resize([0, 10, 25], 60), depth=np.arange(60) % 7 + 0.5)
    with pytest.raises(ValueError, match="treatment is a dose, which has no arms whose SDs could differ"):
        mediation(people(dose, treatment_kind="dose", reference=0, active=25), sd_by_arm=True)
