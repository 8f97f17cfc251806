"""The time course: closed form against the general one, density against SciPy, a known world, and the real curves."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import pillprocess as pp
from pillprocess.gaussian.pooled_rates import Nodes, log_marginal
from pillprocess.output.tables import interval_table
from pillprocess.timecourse.fit import default_priors, time_pieces
from pillprocess.timecourse.relapse import SAME_PEOPLE
from pillprocess.timecourse.shapes import KNOTS, knot_weights, share_left


def trial_rows(trial, effects, *, drug="psilocybin", se=0.1, doses=(1.0,), therapy=1.0, **cells):
    """Arm rows of one trial: a control at 0 and arms at some doses whose change on each day is given."""
    rows = []
    for day, effect in effects.items():
        for k, dose in enumerate((0.0, *doses)):
            rows.append({
                "trial": trial, "arm": f"arm{k}", "label": f"{trial}: arm{k}, day {day:g}", "kind": "arm", "reference_arm": "",
                "study_drug": drug,
                "drug_given": drug, "design": "parallel", "construct": "depression", "instrument": "MADRS", "time_days": day,
                "randomised": 1,
                "n": 30.0, "y": -0.4 + dose * effect, "se": se, "dose": dose, "therapy": therapy, "waitlist": 0.0, "comparator": 0.0,
                "published": 1, "redosing": 0, "days_from_last_dose": day,
            } | cells)  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def rows():
    return pd.concat(
        [
            trial_rows("a", {2.0: -0.8, 21.0: -0.5, 60.0: -0.2}, doses=(1.0, 0.4)), trial_rows("b", {7.0: -0.6, 40.0: -0.4}, se=0.2),
            trial_rows("c", {1.0: -0.7, 5.0: -0.2}, drug="ketamine", therapy=0.0),
        ],
        ignore_index=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def real():
    return pp.time_rows(pp.load_evidence())


@pytest.fixture(scope="module")
def fit(real):
    return pp.fit_time_course(real, seed=1, draws=1000)


def test_differences_share_their_control_and_days_count_visits(rows):
    table = pp.time_contrasts(rows)
    assert table.groupby("trial").size().to_dict() == {"a": 6, "b": 2, "c": 2}
    assert table.loc[table["trial"] == "a", "visit"].tolist() == [0, 0, 1, 1, 2, 2]
    design = pp.time_course_design(rows, half_life={"psilocybin": 20, "ketamine": 3}, correlation=0.5)
    V = design["covariance"].to_numpy()
    np.testing.assert_allclose(
        V[:3, :3], [[0.02, 0.01, 0.01], [0.01, 0.02, 0.005], [0.01, 0.005, 0.02]]
    )  # same arm one visit on: half


def test_the_quadrature_at_given_rates_is_the_closed_form_of_the_design(rows):
    """Rate, correlation and spread fixed, tau integrated: the marginal likelihood is that of the general machinery."""
    half_life, rho = 20.0, 0.4
    design = pp.time_course_design(
        rows, half_life=dict.fromkeys(("psilocybin", "ketamine"), half_life), correlation=rho
    )
    x, w = np.polynomial.legendre.leggauss(40)
    tau, w = 1.5 * (x + 1), w * np.exp(-0.5 * (1.5 * (x + 1) / 0.5) ** 2)
    one, zero = np.array([np.log(half_life)]), np.zeros(1)
    nodes = Nodes(
        one,
        one,
        np.array([rho]),
        tau,
        zero,
        np.ones(1),
        zero,
        np.log(w / w.sum()),
        zero,
        zero,
        zero,
        np.zeros((1, 1, 1)),
    )
    pieces = time_pieces(pp.time_contrasts(rows), "decay", "linear", one)
    assert log_marginal(pieces, nodes, default_priors("decay")) == pytest.approx(
        pp.integrate(design).log_marginal_likelihood, abs=2e-4
    )


@pytest.mark.parametrize("shape", ["rise_decay", "piecewise"])
def test_the_log_density_is_scipy_s_multivariate_normal(rows, shape):
    import pytensor

    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        model = pp.time_course(rows, shape=shape)
        rng = np.random.default_rng(2)
        point = {k: 0.3 * rng.standard_normal(np.shape(v)) for k, v in model.initial_point().items()}
        ours = model.compile_logp(model["y"])(point)
    table, rho, tau = pp.time_contrasts(rows), 1 / (1 + np.exp(-point["rho_interval__"])), np.exp(point["tau_log__"])
    drugs = ["ketamine", "psilocybin"]
    d = table["drug"].map({x: i for i, x in enumerate(drugs)}).to_numpy()
    trials = list(dict.fromkeys(table["trial"]))
    u = tau * point["u_raw"][[trials.index(t) for t in table["trial"]]]
    t, therapy = table["days_from_last_dose"].to_numpy(), table["therapy"].to_numpy()
    change = point["kappa"][d] * therapy + u
    if shape == "piecewise":
        knots = np.cumsum(np.append(1.0, np.full(len(KNOTS) - 1, 0.35)) * point["knot_raw"], axis=1)
        mean = (knots[d] * knot_weights(t)).sum(axis=1) + change
    else:
        half = np.exp(
            point["log_typical"] + np.exp(point["spread_log__"]) * point["rate_raw"][d] + point["eta"] * therapy
        )
        mean = (point["delta"][d] + change) * 2 ** (-t / half) * (1 - 2 ** (-t / np.exp(point["log_rise"])))
    design = pp.time_course_design(rows, shape="constant", correlation=float(rho))
    mean = mean * table["dose_arm"].to_numpy()
    assert ours == pytest.approx(
        stats.multivariate_normal(mean, design["covariance"].to_numpy()).logpdf(table["y"]), abs=1e-8
    )


def test_half_life_and_effects_of_a_simulated_world_are_recovered():
    """People first, by code of this test: autocorrelated symptoms, drug effects with half-lives of 25 days and 4 days."""
    rng = np.random.default_rng(5)
    parts = []
    for j in range(12):
        drug, half_life = ("psilocybin", 25.0) if j < 7 else ("ketamine", 4.0)
        days = np.array([1.0, 7.0, 21.0, 60.0]) if j < 7 else np.array([0.5, 2.0, 6.0, 12.0])
        size, means = -0.9 + 0.2 * rng.standard_normal(), []
        for dose in (0, 1):
            noise = rng.standard_normal((80, 1)) * 0.7 + rng.standard_normal((80, 4)) * 0.7
            means.append(noise - 0.5 - 0.1 * np.log(days) + dose * size * 0.5 ** (days / half_life))
        drawn = trial_rows(f"t{j:02d}", dict.fromkeys(days, 0.0), drug=drug, therapy=float(j < 7)).sort_values(
            ["arm", "time_days"]
        )
        drawn["y"] = np.concatenate([m.mean(axis=0) for m in means])
        drawn["se"] = np.concatenate([m.std(axis=0, ddof=1) / np.sqrt(80) for m in means])
        parts.append(drawn)
    fit = pp.fit_time_course(pd.concat(parts, ignore_index=True), seed=1, draws=1000)
    table = pp.half_life_table(fit).set_index("drug")
    for drug, truth in (("psilocybin", 25.0), ("ketamine", 4.0)):
        assert table.loc[drug, "ci_low"] < truth < table.loc[drug, "ci_high"]
        assert table.loc[drug, "learned"] > 0.8
    effect = interval_table(pp.time_effects(fit, days=(7.0,))).set_index(["drug", "therapy"])
    for key, truth in ((("psilocybin", 1.0), -0.9 * 0.5 ** (7 / 25)), (("ketamine", 0.0), -0.9 * 0.5 ** (7 / 4))):
        assert effect.loc[key, "ci_low"] < truth < effect.loc[key, "ci_high"]


def test_shapes_start_at_their_size_and_halve_as_they_say():
    t = np.array([0.0, 10.0, 20.0])
    np.testing.assert_allclose(share_left("decay", t, np.array(10.0)), [1, 0.5, 0.25])
    np.testing.assert_allclose(share_left("rise_decay", t, np.array(10.0), 10.0), [0, 0.25, 0.1875])
    np.testing.assert_allclose(share_left("emax", t, np.array(10.0)), [0, 0.5, 2 / 3])
    np.testing.assert_allclose(knot_weights(np.array([7.0, 1000.0])), np.eye(len(KNOTS))[[2, -1]])


@pytest.fixture
def written():
    """A fit by hand: two draws of one drug measured in one trial at day 10."""
    each, scalar = ("chain", "draw", "drug"), ("chain", "draw")
    drawn = xr.Dataset(
        {"delta": (each, [[[-1.0], [-2.0]]]), "kappa": (each, [[[0.0], [0.5]]]), "half_life": (each, [[[10.0], [20.0]]]),
        "eta": (scalar, [[0.0, np.log(2)]])},
        coords={"chain": [0], "draw": [0, 1], "drug": ["psilocybin"]},
    )  # fmt: skip
    data = xr.Dataset({
        "drug": ("row", ["psilocybin"]), "trial": ("row", ["a"]), "therapy": ("row", [1.0]), "days_from_last_dose": ("row", [10.0]),
    })  # fmt: skip
    return xr.DataTree.from_dict(
        {"/": xr.Dataset(attrs={"shape": "decay"}), "/posterior": drawn, "/prior": drawn, "/constant_data": data}
    )


def test_estimands_of_a_fit_written_by_hand(written):
    effect = pp.time_effects(written, days=(10.0, 20.0, 90.0))
    np.testing.assert_allclose(
        effect.sel(therapy=0.0, drug="psilocybin")[0], [[-0.5, -0.25, -(2.0**-9)], [-(2**0.5), -1.0, -2 * 2**-4.5]]
    )
    np.testing.assert_allclose(
        effect.sel(therapy=1.0, drug="psilocybin")[0, 1], -1.5 * 0.5 ** (np.array([10, 20, 90]) / 40)
    )
    assert effect["evidence"].sel(drug="psilocybin", therapy=1.0).to_numpy().tolist()[::2] == [
        "own trials",
        "extrapolated: no trial of this drug near this day",
    ]
    assert set(effect["evidence"].sel(therapy=0.0).to_numpy().ravel()) == {
        "carried over: no trial of this drug in this setting"
    }
    assert effect["trials"].sel(therapy=1.0).to_numpy().ravel().tolist() == [1, 0, 0]
    assert pp.half_life(written).sel(therapy=1.0).to_numpy().ravel().tolist() == pytest.approx([10, 40])
    assert pp.half_life_table(written)["median"].tolist() == pytest.approx([25])
    days = pp.days_above(written, threshold=0.5, horizon=100).sel(therapy=0.0).to_numpy().ravel()
    assert days == pytest.approx([10, 40], abs=1)
    area = pp.area_under_curve(written, until=1000).sel(therapy=0.0).to_numpy().ravel()
    np.testing.assert_allclose(area, [-10 / np.log(2), -40 / np.log(2)], rtol=0.01)


def test_what_cannot_be_asked_of_a_time_course_is_refused(rows, written):
    with pytest.raises(ValueError, match="shape = 'square'; it must be one of constant, decay"):
        pp.fit_time_course(rows, shape="square", seed=1)
    with pytest.raises(
        ValueError,
        match=r"the rows lack randomised, redosing, days_from_last_dose; give those of time_rows\(evidence\)",
    ):
        pp.time_contrasts(rows.drop(columns=["randomised", "redosing", "days_from_last_dose"]))
    with pytest.raises(ValueError, match="no row compares a drug with no or a low dose of it, as randomised"):
        pp.time_contrasts(rows.assign(randomised=0))
    with pytest.raises(ValueError, match="correlation = 1; it must be at least 0 and below 1"):
        pp.time_course_design(rows, shape="constant", correlation=1.0)
    with pytest.raises(
        ValueError, match="shape 'decay' needs a half-life in days of each drug; none is given of ketamine"
    ):
        pp.time_course_design(rows, half_life={"psilocybin": 20.0})
    with pytest.raises(ValueError, match="shape 'piecewise' is not compared here"):
        pp.compare_shapes(rows, shapes=("piecewise",))
    with pytest.raises(ValueError, match=r"days = \(-1,\); each must be a finite number, at least 0"):
        pp.time_effects(written, days=(-1,))
    with pytest.raises(ValueError, match="shape 'constant' has no half-life; fit one of decay"):
        pp.half_life(xr.DataTree(xr.Dataset(attrs={"shape": "constant"})))
    with pytest.raises(ValueError, match="threshold = 0, horizon = 365; both must be > 0"):
        pp.days_above(written, threshold=0)
    with pytest.raises(ValueError, match="shape 'constant' has no rate to account for; use one of decay"):
        pp.time_ledger(rows, shape="constant")


def test_rows_that_carry_no_randomised_difference_are_named_with_the_reason(rows):
    late = rows.copy()
    late.loc[late["trial"] == "b", "randomised"] = 0
    late.loc[(late["trial"] == "a") & (late["time_days"] == 2), "redosing"] = 1
    late.loc[(late["trial"] == "c") & (late["dose"] > 0) & (late["time_days"] == 5), "days_from_last_dose"] = np.nan
    aside = pp.time_set_aside(late).groupby(["trial", "reason"]).size()
    assert aside["b", "no longer compared as randomised, or not known to be"] == 4
    assert aside["a", "doses of the trial were still to come"] == 3
    assert aside["c", "dosed several times, and the days since the last dose are not known"] == 1
    assert set(pp.time_contrasts(late)["trial"]) == {"a", "c"}


def test_the_randomised_curve_of_goodwin2022_is_reproduced_within_its_errors(real):
    """25 mg against 1 mg, days 2 to 84: every fitted difference lies within 1.5 standard errors of the printed one."""
    own = real[(real["trial"] == "goodwin2022") & (real["arm"] != "psilocybin_10mg")]
    table = pp.time_contrasts(own)
    assert table["day"].tolist() == [2, 7, 21, 42, 63, 84]
    fit = pp.fit_time_course(own, seed=1, draws=1000)
    posterior = fit["posterior"].dataset.isel(drug=0)
    curve = pp.time_effects(fit, days=tuple(table["day"]), therapy=(1.0,)).isel(drug=0, therapy=0)
    shape = (curve / curve.isel(day=0)).median(("chain", "draw")).to_numpy()
    assert 5 < float(posterior["half_life"].quantile(0.05)) < float(posterior["half_life"].median()) < 400
    weight = 1 / table["se"].to_numpy() ** 2
    fitted = shape * (weight * shape * table["y"]).sum() / (weight * shape**2).sum()
    assert (np.abs(fitted - table["y"]) / table["se"]).max() < 1.5


def test_psilocybin_and_only_psilocybin_rests_on_many_randomised_curves(real, fit):
    ledger = pp.time_ledger(real).set_index("drug")
    assert ledger.loc["psilocybin", "curve_trials"] >= 5
    assert ledger.loc["psilocybin", "rests_on"] == "its own randomised curves"
    assert ledger.loc["esketamine", "rests_on"] == "other drugs' curves: an assumption"
    assert ledger.loc["MDMA", "rests_on"] == "one trial's curve: nearly an assumption"
    assert ledger.loc["LSD", "unpublished"] == 1
    effects = interval_table(pp.time_effects(fit))
    assert (effects.loc[(effects["drug"] == "esketamine") & (effects["day"] >= 7), "trials"] == 0).all()


def test_trials_are_predicted_from_the_others_under_each_shape(rows):
    table = pp.compare_shapes(rows, shapes=("constant", "decay"))
    assert table["difference"].iloc[0] == 0
    assert table["difference"].iloc[1] <= 0
    assert (table["trials"] == 3).all()


def test_the_closed_form_of_the_piecewise_shape_follows_the_data_where_they_are(rows):
    fit = pp.fit_time_course(rows, shape="piecewise", seed=1, draws=400)
    effect = (
        pp.time_effects(fit, days=(2.0, 60.0), therapy=(1.0,))
        .sel(drug="psilocybin")
        .mean(("chain", "draw"))
        .to_numpy()
        .ravel()
    )
    assert effect[0] < effect[1] - 0.2


def test_the_figure_shows_each_drug_its_points_and_the_trials_at_each_day(fit, save_figure):
    points = pp.time_points(fit)
    ax = pp.plot_time_course(pp.time_curve_table(fit), points, title="How long does the effect last?")
    save_figure(ax)
    titles = [a.get_title(loc="left") for a in ax.figure.axes if a.get_visible()]
    assert titles[0] == f"psilocybin (k = {points.loc[points['drug'] == 'psilocybin', 'trial'].nunique()} trials)"
    assert len(titles) == points["drug"].nunique()
    assert {"trials", "0"} <= {t.get_text() for t in ax.texts}
    narrow = pp.plot_time_course(pp.time_curve_table(fit), points, width="one_column")
    assert narrow.figure.get_figwidth() * 25.4 == pytest.approx(89)


def test_doses_add_up_where_asked_and_only_those_given_so_far():
    """Three doses 14 days apart, by hand; a first dose whose course goes on is one dose."""
    rows = trial_rows("a", {1.0: -0.4, 38.0: -0.9}, therapy=0.0, n_doses=3.0)
    rows.loc[rows["time_days"] == 38, "days_from_last_dose"] = 10.0
    design = pp.time_course_design(rows, half_life={"psilocybin": 20.0}, doses="superposed")
    column = design["X"].to_numpy()[:, 0]
    np.testing.assert_allclose(column, [0.5 ** (1 / 20), sum(0.5 ** (t / 20) for t in (10, 24, 38))])
    last = pp.time_course_design(rows, half_life={"psilocybin": 20.0})["X"].to_numpy()[:, 0]
    np.testing.assert_allclose(last, [0.5 ** (1 / 20), 0.5 ** (10 / 20)])
    with pytest.raises(ValueError, match="doses = 'all'; it must be 'last' or 'superposed'"):
        pp.fit_time_course(rows, seed=1, doses="all")


def test_a_world_in_which_doses_add_up_is_told_from_one_in_which_the_last_counts():
    """Trials of one and of three doses a week apart, half-life 20 days; the true convention has the higher marginal likelihood."""
    rng = np.random.default_rng(7)

    def world(adds):
        parts = []
        for j in range(10):
            given = 3 if j % 2 else 1
            rows = trial_rows(
                f"t{j}", dict.fromkeys((1.0, 10.0, 40.0), 0.0), se=0.07, therapy=0.0, n_doses=float(given)
            )
            rows["time_days"] += 7.0 * (given - 1)
            ages = [7.0 * k for k in range(given if adds else 1)]
            left = sum(0.5 ** ((rows["days_from_last_dose"] + age) / 20.0) for age in ages)
            parts.append(rows.assign(y=0.07 * rng.standard_normal(len(rows)) - 0.6 * rows["dose"] * left))
        return pd.concat(parts, ignore_index=True)

    for adds, truth in ((True, "superposed"), (False, "last")):
        rows = world(adds)
        fits = {d: pp.fit_time_course(rows, doses=d, seed=1, draws=400) for d in ("last", "superposed")}
        density = {d: f.attrs["log_marginal_likelihood"] for d, f in fits.items()}
        assert max(density, key=density.get) == truth
        assert abs(density["last"] - density["superposed"]) > 3
        table = pp.half_life_table(fits[truth]).iloc[0]
        assert table["ci_low"] < 20 < table["ci_high"]


def test_esketamine_s_half_life_was_borrowed_and_its_withdrawal_trial_contradicts_it(real, fit):
    """Scores alone lend it psilocybin's; people who had improved relapsed much more when it was stopped than that lets expect."""
    evidence = pp.load_evidence()
    relapse = pp.relapse_rows(evidence, besides=real)
    assert relapse["label"].tolist() == [
        "daly2019: esketamine_ad_remitters v placebo_ad_remitters, relapse",
        "daly2019: esketamine_ad_responders v placebo_ad_responders, relapse",
    ]
    np.testing.assert_allclose(relapse["y"], [-0.54, -0.94], atol=0.005)
    both = pp.fit_time_course(real, relapse=relapse, seed=1, draws=1000)
    expected = pp.relapse_predictions(fit, relapse)
    assert (expected["observed"] < expected["predicted"] - 2 * expected["se"]).all()
    before, after = (pp.half_life_table(f).set_index("drug").loc["esketamine"] for f in (fit, both))
    assert before["median"] > 120
    assert before["ci_high"] > 1000
    assert after["median"] < 80
    assert after["ci_high"] < 250
    aside = pp.relapse_set_aside(evidence, besides=real)
    assert set(aside.loc[aside["trial"] == "goodwin2022", "reason"]) == {SAME_PEOPLE}
    assert {"dakwar2019", "luquiens2025", "ekstrand2022", "grabski2022"} <= set(aside["trial"])
