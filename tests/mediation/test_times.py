"""Times to an event: SciPy's densities, closed forms of the exponential, one model in continuous time and by period, refusals."""

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import integrate, special, stats

from pillprocess.mediation.effects import natural_effects
from pillprocess.mediation.families import rows
from pillprocess.mediation.model import mediation
from pillprocess.mediation.paths import mediation_paths
from pillprocess.mediation.responses import response_of
from pillprocess.mediation.sufficient import standardise
from pillprocess.mediation.tabulated import described_effects
from pillprocess.participants.table import ParticipantError, load_participants
from tests.mediation.test_model import STABLE, evaluate
from tests.mediation.trees import tree

TRUE = {"alpha_m": 0.2, "a": 1.0, "sigma_m": 0.8, "alpha_y": 2.0, "c": 0.4, "b": 0.3, "theta": 0.2}
END = 12.0
pytestmark = pytest.mark.filterwarnings("ignore:.*it extrapolates:UserWarning")


def simulated(n: int, *, seed: int = 1, k: float = 1.5, whole: bool = False) -> pd.DataFrame:
    """People followed for 12 weeks, a few of whom leave earlier."""
    rng = np.random.default_rng(seed)
    arm = np.arange(n) % 2
    m = TRUE["alpha_m"] + TRUE["a"] * arm + rng.normal(0, TRUE["sigma_m"], n)
    eta = TRUE["alpha_y"] + TRUE["c"] * arm + (TRUE["b"] + TRUE["theta"] * arm) * m
    time, left = np.exp(eta) * rng.weibull(k, n), np.minimum(rng.exponential(40, n), END)
    table = pd.DataFrame({"arm": arm, "m": m, "weeks": np.minimum(time, left), "relapse": (time <= left).astype(int)})
    return table.assign(weeks=np.ceil(table["weeks"])) if whole else table


def people(table: pd.DataFrame, **more):
    given = {"event": "relapse", "higher_is_worse": False} | more
    return load_participants(
        table, treatment="arm", outcome="weeks", mediators="m", repeated_rows="different people", **given
    )


def mediator_density(data, v) -> float:
    m, T = data.mediators["m"].to_numpy(), data.treatment.to_numpy()[:, 0]
    sd = standardise(data, mediators=["m"], binary_mediator=False, binary_outcome=True).m_sd[0]
    return (stats.norm.logpdf(m, v["alpha_m"][0] + float(np.squeeze(v["a"])) * T, v["sigma_m"][0]) + np.log(sd)).sum()


def predictor(data, v) -> np.ndarray:
    m, T = data.mediators["m"].to_numpy(), data.treatment.to_numpy()[:, 0]
    b, c, theta = (float(np.squeeze(v[n])) for n in ("b", "c", "theta"))
    return v["alpha_y"] + c * T + (b + theta * T) * m


def test_the_density_of_weibull_times_is_scipy_s_and_of_censored_ones_its_survival():
    table = simulated(40)
    table.loc[4, ["weeks", "relapse"]] = np.nan
    data = people(table)
    v = evaluate(mediation(data, family_outcome="weibull"))[0]
    seen, t, d = data.outcome.notna(), data.outcome, data.event == 1
    of = stats.weibull_min(v["shape_y"], scale=np.exp(predictor(data, v)))
    expected = np.where(d, of.logpdf(t), of.logsf(t))[seen].sum() + mediator_density(data, v)
    assert float(v["likelihood"]) == pytest.approx(expected, abs=1e-6)


def chance_of_periods(family: str, t: int, d: float, eta: float, period: np.ndarray) -> float:
    u = eta + period[:t]
    h = special.expit(u) if family == "hazard_logit" else -np.expm1(-np.exp(u))
    return np.log1p(-h[:-1]).sum() + (np.log(h[-1]) if d else np.log1p(-h[-1]))


def test_the_density_of_periods_is_the_product_of_their_chances():
    data = people(simulated(40, whole=True))
    v = evaluate(mediation(data, family_outcome="hazard_logit"))[0]
    assert v["period_y"][0] == 0
    assert len(v["period_y"]) == 12
    each = zip(data.outcome.astype(int), data.event, predictor(data, v), strict=True)
    expected = sum(chance_of_periods("hazard_logit", *own, v["period_y"]) for own in each)
    assert float(v["likelihood"]) == pytest.approx(expected + mediator_density(data, v), abs=1e-6)


def test_complementary_log_log_hazards_have_their_own_density():
    rng, period = np.random.default_rng(2), np.array([0.0, 0.3, -0.4, -0.8])
    t, d, eta = rng.integers(1, 5, 30), rng.integers(0, 2, 30).astype(float), rng.normal(-1, 1, 30)
    own = rows("hazard_cloglog", pt.as_tensor(eta), None, pt.as_tensor(period), d)
    expected = [chance_of_periods("hazard_cloglog", *each, period) for each in zip(t, d, eta, strict=True)]
    assert pm.logp(own, t).eval(mode=STABLE) == pytest.approx(np.array(expected))


def fitted(family: str, more: dict[str, object], *, sign: float = 1.0, n: int = 40):
    """A hand-written fit at the true coefficients; those of the outcome times ``sign``."""
    data = people(simulated(n, whole=family != "weibull"))
    model = mediation(data, family_outcome=family)
    shape = {d: tuple(len(model.coords[x]) for x in model.named_vars_to_dims.get(d, ())) for d in TRUE}
    scaled = {d: x * (sign if d in ("alpha_y", "c", "b", "theta") else 1) for d, x in TRUE.items()}
    draws = {d: np.full((2, *shape[d]), x) for d, x in scaled.items()} | {d: np.stack([x, x]) for d, x in more.items()}
    return data, tree(model, {**draws, "gamma_m": np.zeros((2, 1, 0)), "gamma_y": np.zeros((2, 0))})


SETTINGS = {"te": (1, 1, 0, 0), "pnde": (1, 0, 0, 0), "tnie": (1, 1, 1, 0), "pnie": (0, 1, 0, 0)}


def test_the_mean_time_of_an_exponential_and_its_ratio_have_closed_forms():
    _, idata = fitted("weibull", {"shape_y": np.array(1.0)})
    p = TRUE

    def log_mean(t: int, s: int) -> float:
        slope = p["b"] + p["theta"] * t
        return p["alpha_y"] + p["c"] * t + slope * (p["alpha_m"] + p["a"] * s) + 0.5 * (slope * p["sigma_m"]) ** 2

    with pytest.warns(UserWarning, match="lies beyond the longest time seen, 12: what comes after it is the Weibull"):
        ratio = natural_effects(idata, of={"up_to": np.inf}, scale="log_time_ratio")
    with pytest.warns(UserWarning, match="lies beyond the longest time seen"):
        mean = natural_effects(idata, of={"up_to": np.inf})
    for name, (t, s, t0, s0) in SETTINGS.items():
        assert float(ratio[name][0, 0]) == pytest.approx(log_mean(t, s) - log_mean(t0, s0))
        assert float(mean[name][0, 0]) == pytest.approx(np.exp(log_mean(t, s)) - np.exp(log_mean(t0, s0)))
    assert float(ratio["cde"][0, 0]) == pytest.approx(p["c"])


def test_the_chance_of_being_free_and_the_mean_time_free_are_integrals_of_scipy_s_survival():
    k = 1.6
    data, idata = fitted("weibull", {"shape_y": np.array(k)})
    grid = np.linspace(-8, 8, 1601)
    weight = stats.norm.pdf(grid) / stats.norm.pdf(grid).sum()

    def survival(time, t, s):
        m = TRUE["alpha_m"] + TRUE["a"] * s + grid * TRUE["sigma_m"]
        eta = TRUE["alpha_y"] + TRUE["c"] * t + (TRUE["b"] + TRUE["theta"] * t) * m
        return weight @ stats.weibull_min.sf(time, k, scale=np.exp(eta))

    free = natural_effects(idata, of={"free_at": 6})
    odds = natural_effects(idata, of={"free_at": 6}, scale="log_odds_ratio")
    mean = natural_effects(idata)
    times = np.linspace(0, data.outcome.max(), 401)
    for name, (t, s, t0, s0) in SETTINGS.items():
        chance = [survival(6, t, s), survival(6, t0, s0)]
        assert float(free[name][0, 0]) == pytest.approx(chance[0] - chance[1], abs=1e-6)
        assert float(odds[name][0, 0]) == pytest.approx(np.subtract(*special.logit(chance)), abs=1e-5)
        lived = [integrate.simpson([survival(x, *way) for x in times], x=times) for way in ((t, s), (t0, s0))]
        assert float(mean[name][0, 0]) == pytest.approx(lived[0] - lived[1], abs=1e-4)
    said = [described_effects(e, data, "weibull")["scale"].iloc[0] for e in (free, odds, mean)]
    assert said == [
        "difference of the chance of being free of relapse at weeks 6",
        "log odds ratio of the chance of being free of relapse at weeks 6",
        "difference of the mean weeks free of relapse up to 12",
    ]
    direct = mediation_paths(idata, of={"free_at": 6}).iloc[-1]
    assert (direct["unit"], direct["mean"]) == ("chance", pytest.approx(float(free["pnde"][0, 0])))


def test_predictors_far_beyond_any_trial_give_chances_and_times_that_are_numbers():
    eta = np.array([[-2000.0, 2000.0]])
    for family, shape in (
        ("weibull", {"shape_y": np.array([0.3])}),
        ("hazard_cloglog", {"period_y": np.zeros((1, 4))}),
    ):
        free, mean = (response_of(family, shape, of).at(eta) for of in ({"free_at": 4}, {"up_to": 4}))
        sign = 1 if family == "weibull" else -1
        assert free[0, ::sign].tolist() == [0, 1]
        assert mean[0, ::sign].tolist() == pytest.approx([0 if family == "weibull" else 1, 4])


def test_weibull_times_seen_by_period_are_proportional_hazards_with_a_complementary_log_log_link():
    k = 1.4
    weibull = fitted("weibull", {"shape_y": np.array(k)})[1]
    period = np.log(np.diff(np.arange(13) ** k))
    hazards = fitted("hazard_cloglog", {"period_y": period}, sign=-k)[1]
    for time in (1, 5, 12):
        one, other = (natural_effects(idata, of={"free_at": time}) for idata in (weibull, hazards))
        for name in SETTINGS:
            assert float(one[name][0, 0]) == pytest.approx(float(other[name][0, 0]), abs=1e-7)


def test_effects_by_period_are_those_of_people_simulated_under_each_treatment():
    period = np.array([0, 0.3, 0.1, -0.2, -0.4, -0.4, *[-0.5] * 6])
    _, idata = fitted("hazard_logit", {"period_y": period}, sign=-1.0)
    rng, n = np.random.default_rng(3), 100_000
    e, u = rng.normal(0, TRUE["sigma_m"], n), rng.random((n, 12))

    def outcome(t, s):
        m = TRUE["alpha_m"] + TRUE["a"] * s + e
        eta = -(TRUE["alpha_y"] + TRUE["c"] * t + (TRUE["b"] + TRUE["theta"] * t) * m)
        hit = u < special.expit(eta[:, None] + period)
        time = np.where(hit.any(1), hit.argmax(1) + 1, 13)
        return np.array([(time > 8).mean(), np.minimum(time, 8).mean()])

    free, mean = natural_effects(idata, of={"free_at": 8}), natural_effects(idata, of={"up_to": 8})
    for name, (t, s, t0, s0) in SETTINGS.items():
        chance, lived = outcome(t, s) - outcome(t0, s0)
        assert float(free[name][0, 0]) == pytest.approx(chance, abs=0.006)
        assert float(mean[name][0, 0]) == pytest.approx(lived, abs=0.03)


@pytest.mark.parametrize("family", ["weibull", "hazard_cloglog", "ordinal_logit"])
def test_draws_of_an_outcome_follow_its_density(family):
    """Its mean by the package's own draws and by summation over the density."""
    eta, n = 0.3, 4000
    shape = {"weibull": np.array(1.5)}.get(family, np.array([0.0, 0.4, 0.9]))
    draws = rows(family, np.full(n, eta), None, shape, np.ones(n)).eval({}, mode=STABLE)
    if family == "weibull":
        expected = np.exp(eta) * special.gamma(1 + 1 / 1.5)
    elif family.startswith("ordinal"):
        expected = (special.ndtr if family.endswith("probit") else special.expit)(eta - shape).sum()
    else:
        h = special.expit(eta + shape) if family.endswith("logit") else -np.expm1(-np.exp(eta + shape))
        expected = 1 + (1 - h[0]) + (1 - h[0]) * (1 - h[1])
    assert draws.mean() == pytest.approx(expected, abs=5 * draws.std() / np.sqrt(n))


def test_times_that_cannot_be_understood_are_asked_about():
    table = simulated(30)
    with pytest.raises(ParticipantError, match="'weeks' is a time to an event: say whether later is better"):
        people(table, higher_is_worse=None)
    with pytest.raises(ParticipantError, match="2 on row 3; 1 is where it happened, 0 where follow-up ended"):
        people(table.assign(relapse=table["relapse"].where(table.index != 3, 2)))
    with pytest.raises(ParticipantError, match="missing on row 3, where 'weeks' is not: did the event happen then"):
        people(table.assign(relapse=table["relapse"].astype(float).where(table.index != 3)))
    with pytest.raises(ParticipantError, match="nobody had the event"):
        people(table.assign(relapse=0))
    with pytest.raises(ParticipantError, match="'yes' is no number|'yes'"):
        people(table.assign(relapse=["yes" if x else "no" for x in table["relapse"]]))
    with pytest.raises(ValueError, match="needs to know whose follow-up ended before the event"):
        mediation(people(table, event=None), family_outcome="weibull")
    with pytest.raises(
        ValueError,
        match=r"the outcome is a time to an event \(relapse\), and family_outcome = 'gaussian' is not for times",
    ):
        mediation(people(table))
    with pytest.raises(
        ValueError, match=r"needs the number of a period, 1, 2 and so on to 104, in column 'weeks'; it holds"
    ):
        mediation(people(table), family_outcome="hazard_logit")
    with pytest.raises(ValueError, match="needs times above 0, in column 'weeks'; it holds 0"):
        mediation(people(table.assign(weeks=table["weeks"].where(table.index != 3, 0))), family_outcome="weibull")
    with pytest.raises(ValueError, match="'weibull' is for outcomes; a time that mediates may be gaussian"):
        mediation(people(table), family_mediator="weibull", family_outcome="weibull")
    with pytest.raises(ValueError, match="the mean time is infinite; use a gaussian mediator"):
        mediation(people(table), family_mediator="student_t", family_outcome="weibull")
    _, idata = fitted("hazard_logit", {"period_y": np.zeros(12)})
    with pytest.raises(ValueError, match="it must be above 0 and at most 12, where the outcome goes"):
        natural_effects(idata, of={"free_at": 13})
    with pytest.raises(
        ValueError, match="or up_to=TIME, the mean time free of it until then; this outcome is hazard_logit"
    ):
        natural_effects(idata, of={"at_least": 3})
