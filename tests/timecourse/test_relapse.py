"""Relapse through the curve: rows by hand, the density against SciPy, people simulated who relapse, and the real withdrawal trial."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import pillprocess as pp
from pillprocess.gaussian.pooled_rates import Nodes, log_marginal
from pillprocess.timecourse.fit import default_priors, time_pieces
from pillprocess.timecourse.relapse import SAME_PEOPLE
from pillprocess.timecourse.rows import COLUMNS, with_relapse
from pillprocess.timecourse.stretches import drug_left
from tests.timecourse.test_timecourse import trial_rows


def withdrawn(y=-0.5, se=0.2, *, trial="w", drug="ketamine", every=7.0, last=60.0, **cells):
    """A row of relapse: a drug that goes on every so many days against one that was stopped."""
    row = {
        "trial": trial, "label": f"{trial}: relapse", "drug": drug, "arm": f"{trial} on", "reference_arm": f"{trial} off", "day": last,
        "days_from_last_dose": np.nan, "n_doses": np.nan, "visit": 0.0,
        "y": y, "se": se, "se_arm": se * 0.6, "se_reference": se * 0.8, "dose_arm": 1.0,
        "dose_reference": 1.0, "n_arm": 60.0, "n_reference": 60.0, "therapy": 0.0, "published": 1, "construct": "depression",
        "instrument": "relapse", "kind": "relapse", "from_arm": 0.0, "until_arm": every, "from_reference": 0.0, "until_reference": last,
    }  # fmt: skip
    return pd.DataFrame([row | cells])


@pytest.fixture(scope="module")
def rows():
    return pd.concat(
        [
            trial_rows("a", {2.0: -0.8, 21.0: -0.5, 60.0: -0.2}, doses=(1.0, 0.4)),
            trial_rows("c", {1.0: -0.7, 5.0: -0.2}, drug="ketamine", therapy=0.0),
        ],
        ignore_index=True,
    )


def test_what_is_left_over_a_stretch_is_the_mean_of_the_curve():
    table = withdrawn(dose_arm=0.8, dose_reference=0.8)
    half = 9.0
    left = drug_left(table, "linear", lambda days, _: 0.5 ** (days / half))[0]
    mean = [integrate.quad(lambda t: 0.5 ** (t / half), 0, end)[0] / end for end in (7.0, 60.0)]
    assert left == pytest.approx(0.8 * (mean[0] - mean[1]), abs=1e-6)
    with pytest.raises(ValueError, match="differences over a stretch of days must stand below those on a day"):
        drug_left(pd.concat([table, table.assign(from_arm=np.nan)]), "linear", lambda days, _: days)


@pytest.mark.parametrize("shape", ["rise_decay", "piecewise"])
def test_the_log_density_with_relapse_is_scipy_s_multivariate_normal(rows, shape):
    """Means over a stretch are taken by SciPy's adaptive quadrature."""
    import pytensor

    relapse = withdrawn()
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        model = pp.time_course(rows, relapse=relapse, shape=shape)
        rng = np.random.default_rng(3)
        point = {k: 0.3 * rng.standard_normal(np.shape(v)) for k, v in model.initial_point().items()}
        ours = model.compile_logp(model["y"])(point)
    table, rho, tau = pp.time_contrasts(rows), 1 / (1 + np.exp(-point["rho_interval__"])), np.exp(point["tau_log__"])
    u = tau * point["u_raw"][[("a", "c").index(t) for t in table["trial"]]]
    d = (table["drug"] == "psilocybin").to_numpy().astype(int)
    therapy = table["therapy"].to_numpy()

    def half_life(drug, amount):
        typical = point["log_typical"] + np.exp(point["spread_log__"]) * point["rate_raw"][drug]
        return np.exp(typical + point["eta"] * amount)

    def left(t, half):
        return 0.5 ** (t / half) * (1 - 0.5 ** (t / np.exp(point["log_rise"])))

    if shape == "piecewise":
        from pillprocess.timecourse.shapes import KNOTS

        knots = np.cumsum(np.append(1.0, np.full(len(KNOTS) - 1, 0.35)) * point["knot_raw"], axis=1)

        def effect(t, drug):
            return np.interp(np.log1p(t), np.log1p(KNOTS), knots[drug])

        days = table["days_from_last_dose"].to_numpy()
        mean = np.array([effect(t, x) for t, x in zip(days, d, strict=True)]) + point["kappa"][d] * therapy + u
        on, off = (integrate.quad(effect, 0, end, args=(0,), limit=200)[0] / end for end in (7.0, 60.0))
        of_relapse = on - off
    else:
        mean = (point["delta"][d] + point["kappa"][d] * therapy + u) * left(
            table["days_from_last_dose"].to_numpy(), half_life(d, therapy)
        )
        on, off = (integrate.quad(left, 0, end, args=(half_life(0, 0.0),))[0] / end for end in (7.0, 60.0))
        of_relapse = (point["delta"][0] + tau * point["u_raw"][2]) * (on - off)
    mean = np.append(mean * table["dose_arm"].to_numpy(), of_relapse)
    base = pp.time_course_design(rows, shape="constant", correlation=float(rho))["covariance"].to_numpy()
    cov = np.block([[base, np.zeros((len(table), 1))], [np.zeros((1, len(table))), 0.2**2]])
    density = stats.multivariate_normal(mean, cov).logpdf(np.append(table["y"], -0.5))
    assert ours == pytest.approx(density, abs=2e-3 if shape == "piecewise" else 1e-5)


def test_the_quadrature_with_relapse_is_the_closed_form_of_the_design(rows):
    relapse, half_life, rho = withdrawn(), 20.0, 0.4
    design = pp.time_course_design(
        rows, relapse=relapse, half_life={"psilocybin": half_life, "ketamine": half_life}, correlation=rho
    )
    x, w = np.polynomial.legendre.leggauss(40)
    tau, w = 1.5 * (x + 1), w * np.exp(-0.5 * (1.5 * (x + 1) / 0.5) ** 2)
    one, zero = np.array([np.log(half_life)]), np.zeros(1)
    nodes = Nodes(
        one, one, np.array([rho]), tau, zero, np.ones(1), zero, np.log(w / w.sum()), zero, zero, zero, np.zeros((1, 1, 1))
    )  # fmt: skip
    pieces = time_pieces(with_relapse(pp.time_contrasts(rows), relapse), "decay", "linear", one)
    assert log_marginal(pieces, nodes, default_priors("decay")) == pytest.approx(
        pp.integrate(design).log_marginal_likelihood, abs=2e-4
    )
    piecewise = pp.fit_time_course(rows, relapse=relapse, shape="piecewise", seed=1, draws=50)
    assert piecewise["constant_data"].sizes["row"] == len(pp.time_contrasts(rows)) + 1


def people_who_relapse(half_life, rng, *, n):
    """Shares who relapse in 100 days of a withdrawal trial: everybody has a severity, relapsed is who is above a threshold on average."""
    days = np.arange(0, 100, 0.5)
    goes_on, stopped = np.mean(0.5 ** ((days % 7) / half_life)), np.mean(0.5 ** (days / half_life))
    return [(rng.standard_normal(n) - 0.8 * left > 0.3).mean() for left in (goes_on, stopped)]


def of_shares(share, n, **cells):
    z = stats.norm.ppf(share)
    se = np.sqrt(sum(p * (1 - p) / n / stats.norm.pdf(x) ** 2 for p, x in zip(share, z, strict=True)))
    return withdrawn(z[0] - z[1], se, **{"every": 7.0, "last": 100.0} | cells)


def test_the_half_life_of_people_who_relapse_is_recovered_where_scores_are_silent():
    """Scores on day 1 alone say nothing of the half-life; 300 people an arm, stopped at random, do."""
    rng = np.random.default_rng(8)
    scores = pd.concat(
        [trial_rows(f"s{j}", {1.0: -0.8 * 0.5 ** (1 / 30)}, se=0.05, drug="ketamine", therapy=0.0) for j in range(6)]
    )
    scores = scores.reset_index(drop=True)
    relapse = pd.concat(
        [of_shares(people_who_relapse(30.0, rng, n=300), 300, trial=f"w{j}") for j in range(4)],
        ignore_index=True,
    )
    after = pp.half_life_table(fit := pp.fit_time_course(scores, relapse=relapse, seed=1, draws=1000)).iloc[0]
    assert after["ci_low"] < 30 < after["ci_high"]
    assert after["learned"] > 0.7
    ledger = pp.time_ledger(scores, relapse=relapse).iloc[0]
    assert ledger["relapse_trials"] == 4
    assert ledger["rests_on"] == "relapse after the drug was stopped at random, read through the curve"
    seen = pp.relapse_predictions(fit, relapse)
    assert (
        (seen["ci_low"] - 2 * seen["se"] < seen["observed"]) & (seen["observed"] < seen["ci_high"] + 2 * seen["se"])
    ).all()
    assert len(pp.time_points(fit)) == 6


def test_readings_of_relapse_are_fits_of_changed_rows(rows):
    """Readings are fits to rows changed by hand; two comparisons are left out in turn."""
    relapse = pd.concat([withdrawn(-0.6), withdrawn(-0.2, trial="v")], ignore_index=True)
    table = pp.relapse_readings(rows, relapse).set_index("reading")

    def median(changed):
        fit = pp.fit_time_course(rows, relapse=changed, seed=1, draws=4000)
        return float(np.exp(np.log(fit["posterior"].dataset["half_life"].sel(drug="ketamine")).median()))

    assert len(table) == 7
    for reading, changed in {
        "relapse tells of the last day alone": relapse.assign(from_reference=60.0), "without v: relapse": relapse[:1],
    }.items():  # fmt: skip
        assert table.loc[reading, "median"] == pytest.approx(median(changed), rel=0.1)


@pytest.fixture
def trials(build_evidence):
    """A withdrawal trial with a hazard ratio, one with counts at two doses, and some that allow nothing."""

    def arm(trial, name, drug, role, mg=None, **cells):
        return {
            "trial_id": trial,
            "arm_id": name,
            "drug": drug,
            "role": role,
            "dose_mg_equiv": mg,
            "n_doses": 1,
        } | cells

    def count(trial, name, n, relapsed, day=84, since=None):
        return {"trial_id": trial, "arm_id": name, "instrument": "relapse", "time_days": day, "days_from_last_dose": since, "n": n,
                "responders": relapsed, "primary": 0}  # fmt: skip

    ratio = {"instrument": "relapse", "outcome_type": "relapse", "effect_type": "hazard_ratio", "direction": "below_1_favours_arm",
             "estimate": 0.5, "ci_low": 0.3, "ci_high": 0.8333333}  # fmt: skip
    arms = [
        arm("w", "on", "psilocybin", "active", 25), arm("w", "off", "placebo", "inert_placebo"),
        arm("d", "high", "psilocybin", "active", 25), arm("d", "low", "psilocybin", "low_dose", 1),
        arm("few", "on", "psilocybin", "active", 25), arm("few", "off", "placebo", "inert_placebo"),
        arm("other", "on", "psilocybin", "active", 25), arm("other", "ssri", "escitalopram", "comparator"),
        arm("late", "on", "psilocybin", "active", 25), arm("late", "off", "placebo", "inert_placebo"),
        arm("mixed", "on", "psilocybin", "active", 25, therapy=1), arm("mixed", "off", "placebo", "inert_placebo", therapy=0),
        arm("odds", "on", "psilocybin", "active", 25), arm("odds", "off", "placebo", "inert_placebo"),
        arm("silent", "on", "psilocybin", "active", 25), arm("silent", "off", "placebo", "inert_placebo"),
        arm("blank", "on", "psilocybin", "active", 25), arm("blank", "off", "placebo", "inert_placebo"),
        arm("open", "on", "psilocybin", "active", 25), arm("open", "off", "placebo", "inert_placebo"),
        arm("out", "on", "psilocybin", "active", 25, include_arm=0, exclude_arm_reason="later phase"),
        arm("out", "off", "placebo", "inert_placebo"),
    ]  # fmt: skip
    outcomes = [
        count("w", "on", 60, 15, 90, 7), count("w", "off", 60, 30, 90, 90), count("d", "high", 80, 30), count("d", "low", 80, 45),
        count("few", "on", 20, 2), count("few", "off", 20, 10), count("other", "on", 40, 10), count("other", "ssri", 40, 20),
        count("late", "on", 40, 10), count("late", "off", 40, 20), count("mixed", "on", 40, 10), count("mixed", "off", 40, 20),
        count("odds", "on", 40, 10), count("odds", "off", 40, 20), count("blank", "on", 40, None), count("blank", "off", 40, 20),
        count("open", "on", 40, 10), count("open", "off", 40, 20), count("out", "on", 40, 10), count("out", "off", 40, 20),
    ]  # fmt: skip
    contrasts = [
        ratio | {"trial_id": "w", "arm_id": "on", "reference_arm_id": "off"},
        ratio | {"trial_id": "odds", "arm_id": "on", "reference_arm_id": "off", "effect_type": "odds_ratio"},
        ratio | {"trial_id": "silent", "arm_id": "on", "reference_arm_id": "off"},
        ratio | {"trial_id": "gone", "arm_id": "on", "reference_arm_id": "off"},
    ]
    names = ["w", "d", "few", "other", "late", "mixed", "odds", "silent", "blank", "open", "out"]
    frame = [
        {
            "trial_id": t,
            "design": "single_arm" if t == "open" else "parallel",
            "randomised_until": 30 if t == "late" else 100,
        }
        for t in names
    ]
    return build_evidence(trials=frame, arms=arms, outcomes=outcomes, contrasts=contrasts)


def test_a_hazard_ratio_and_counts_become_differences_in_sds(trials):
    table = pp.relapse_rows(trials).set_index("trial")
    assert list(table.index) == ["w", "d"]
    w, d = table.loc["w"], table.loc["d"]
    assert w["y"] == pytest.approx(stats.norm.ppf(1 - 0.5**0.5) - 0)
    assert (w["until_arm"], w["until_reference"], w["dose_reference"]) == (7, 90, 1)
    rng = np.random.default_rng(1)
    shares = rng.binomial(60, 0.5, 200_000) / 60
    ratio = np.exp(np.log(0.5) + rng.standard_normal(200_000) * np.log(0.8333333 / 0.3) / 3.92)
    shares = shares[(shares > 0) & (shares < 1)]
    drawn = stats.norm.ppf(1 - (1 - shares) ** ratio[: len(shares)]) - stats.norm.ppf(shares)
    assert w["se"] == pytest.approx(drawn.std(), rel=0.05)
    assert d["y"] == pytest.approx(stats.norm.ppf(30 / 80) - stats.norm.ppf(45 / 80))
    assert (d["until_arm"], d["until_reference"], d["dose_reference"]) == (84, 84, 0.04)
    assert d["se"] ** 2 == pytest.approx(d["se_arm"] ** 2 + d["se_reference"] ** 2)
    assert [c for c in COLUMNS if c not in table.reset_index()] == []


def test_relapse_that_is_not_used_is_named_with_the_reason(trials):
    aside = pp.relapse_set_aside(trials).set_index("trial")["reason"].to_dict()
    assert aside == {
        "odds": "printed as odds ratio, or without an interval", "silent": "over how many days people could relapse is not known",
        "gone": "no such arm", "few": "fewer than 5 people relapsed, or did not",
        "other": "the control is another treatment, a waiting list, or the same dose", "late": "no longer compared as randomised",
        "mixed": "the two sides differ in therapy as well", "blank": "the number of people who relapsed is not printed",
        "open": "no control arm", "out": "the arm is excluded: later phase",
    }  # fmt: skip
    scored = trial_rows("w", {7.0: -0.5})
    assert list(pp.relapse_rows(trials, besides=scored)["trial"]) == ["d"]
    assert pp.relapse_set_aside(trials, besides=scored).set_index("trial").loc["w", "reason"] == SAME_PEOPLE


def test_what_is_no_row_of_relapse_is_refused(rows):
    with pytest.raises(ValueError, match=r"the rows of relapse lack from_arm, until_arm.*; give those of relapse_rows"):
        pp.fit_time_course(rows, relapse=pp.time_contrasts(rows), seed=1)
    fit = pp.fit_time_course(rows, shape="constant", seed=1, draws=10)
    with pytest.raises(ValueError, match="shape 'constant' has no rate to predict relapse by; fit one of decay"):
        pp.relapse_predictions(fit, withdrawn())
