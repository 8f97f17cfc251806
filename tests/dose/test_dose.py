"""How much: the dose curve against the general closed form and SciPy, a simulated world, and the experience's own curve."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import pillprocess as pp
from pillprocess.dose.curves import curve_at
from pillprocess.dose.response import dose_differences
from pillprocess.output.tables import interval_table


@pytest.fixture(scope="module")
def rows(arm_row):
    """Six trials: people first, a dose-response that is half-maximal at .2 of the reference dose."""
    rng = np.random.default_rng(4)
    out = []
    for j, doses in enumerate([(0, 0.1, 0.4, 1), (0, 0.2, 1), (0, 1), (0, 0.5, 1), (0.04, 0.4, 1), (0, 0.1, 1)]):
        for dose in doses:
            people = -0.4 - 0.9 * 1.2 * dose / (0.2 + dose) + rng.standard_normal(150)
            cells = {
                "dose": float(dose),
                "n": 150.0,
                "therapy": 1.0,
                "role": "active" if dose > 0.05 else "inert_placebo",
            }
            out.append(arm_row(f"t{j}", f"d{dose:g}", people.mean(), people.std(ddof=1) / np.sqrt(150), **cells))
    return pd.DataFrame(out)


@pytest.fixture(scope="module")
def fit(rows):
    return pp.fit_dose_response(rows, seed=1, draws=1000)


def test_a_half_maximal_dose_that_trials_randomised_is_recovered(fit):
    half = fit["posterior"].dataset["half_maximal"].to_numpy()
    low, high = np.quantile(half, [0.025, 0.975])
    assert low < 0.2 < high < 1
    assert np.log(half).std() < 0.5 * np.log(fit["prior"].dataset["half_maximal"].to_numpy()).std()
    effect = interval_table(pp.dose_effects(fit, doses=(0.1, 1.0), therapy=(1.0,))).set_index("dose")
    for dose, truth in ((0.1, -0.9 * 1.2 * 0.1 / 0.3), (1.0, -0.9)):
        assert effect.loc[dose, "ci_low"] < truth < effect.loc[dose, "ci_high"]
    assert effect["trials"].to_dict() == {0.1: 2, 1.0: 6}


def test_a_saturating_world_is_told_from_a_linear_one(rows, fit):
    linear = pp.fit_dose_response(rows, shape="linear", seed=1, draws=200)
    assert fit.attrs["log_marginal_likelihood"] > linear.attrs["log_marginal_likelihood"] + 5


def test_shapes_are_compared_by_all_trials_and_without_each(rows, fit):
    """The first column is that of the fits; without a trial it is that of a fit to the others, but for the coarser grid."""
    table, without = pp.compare_dose_shapes(rows, shapes=("emax", "linear"))
    assert table["shape"].tolist() == ["emax", "linear"]
    assert table["log_marginal_likelihood"].iloc[0] == pytest.approx(fit.attrs["log_marginal_likelihood"])
    assert without["trial"].tolist() == [f"t{j}" for j in range(6)]
    rest = rows[rows["trial"] != "t3"]
    for shape in ("emax", "linear"):
        alone = pp.fit_dose_response(rest, shape=shape, seed=1, draws=2).attrs["log_marginal_likelihood"]
        assert without.set_index("trial").loc["t3", shape] == pytest.approx(alone, abs=0.05)
    gaps = table.set_index("shape")["elpd"]
    assert table["elpd_difference"].tolist() == pytest.approx([0, gaps["linear"] - gaps["emax"]])
    with pytest.raises(ValueError, match="shape = 'cubic'; a dose curve is one of linear, log_linear"):
        pp.compare_dose_shapes(rows, shapes=("cubic",))


def test_the_linear_curve_has_the_marginal_likelihood_of_the_general_closed_form(rows):
    table, base = dose_differences(rows)
    gap = (table["dose_arm"] - table["dose_reference"]).to_numpy(float)
    fixed = pd.DataFrame({"delta": gap, "kappa": gap * table["therapy"].to_numpy(float)}, index=table["label"])
    random = pd.DataFrame({("u", "trial", t): gap * (table["trial"] == t) for t in table["trial"].unique()})
    design = pp.gaussian_design(
        pd.Series(table["y"].to_numpy(float), index=table["label"]), base, trial=table["trial"].to_numpy(), fixed=fixed,
        random=random.set_axis(table["label"]), effect_scale={"u": "tau"}, prior_sd={"delta": 1.0, "kappa": 0.35},
        prior_scale={"tau": ("halfnormal", 0.5, np.nan)},
    )  # fmt: skip
    ours = pp.fit_dose_response(rows, shape="linear", seed=1, draws=10).attrs["log_marginal_likelihood"]
    assert ours == pytest.approx(pp.integrate(design).log_marginal_likelihood, abs=0.01)


def test_the_log_density_is_scipy_s_multivariate_normal(rows):
    import pytensor

    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        model = pp.dose_response(rows)
        rng = np.random.default_rng(2)
        point = {k: 0.3 * rng.standard_normal(np.shape(v)) for k, v in model.initial_point().items()}
        ours = model.compile_logp(model["y"])(point)
    table, base = dose_differences(rows)
    half = np.exp(point["log_typical"] + np.exp(point["spread_log__"]) * point["rate_raw"][0])
    x, x0 = (table[c].to_numpy(float) for c in ("dose_arm", "dose_reference"))
    trials = list(dict.fromkeys(table["trial"]))
    size = (
        point["delta"][0]
        + point["kappa"][0]
        + np.exp(point["tau_log__"]) * point["u_raw"][[trials.index(t) for t in table["trial"]]]
    )
    mean = size * (1 + half) * (x / (half + x) - x0 / (half + x0))
    assert ours == pytest.approx(stats.multivariate_normal(mean, base).logpdf(table["y"].to_numpy(float)), abs=1e-8)


def test_every_curve_is_one_at_the_reference_dose():
    half = np.array([0.1, 0.5])
    for shape in ("linear", "log_linear", "emax", "step"):
        np.testing.assert_allclose(curve_at(shape, np.ones(2), half), 1)
    np.testing.assert_allclose(curve_at("emax", half, half), (1 + half) / 2)
    np.testing.assert_allclose(curve_at("step", np.array([0.09, 0.6]), half), [0, 1])


def test_effect_and_experience_stand_side_by_side(fit):
    posterior = fit["posterior"].dataset
    steep = posterior.assign(half_maximal=posterior["half_maximal"] * 0 + 10.0)
    acute = xr.DataTree.from_dict(
        {"/": fit.to_dataset(), "/posterior": steep, "/constant_data": fit["constant_data"].dataset}
    )
    acute.attrs |= fit.attrs
    table = pp.dose_shares(fit, acute, doses=(0.1,))
    assert table["effect"].item() > 0.25
    assert table["experience"].item() == pytest.approx(11 * 0.1 / 10.1)
    other = acute.copy()
    other["posterior"].dataset = steep.assign_coords(drug=["LSD"])
    with pytest.raises(ValueError, match="the effects and the acute scores have no drug in common"):
        pp.dose_shares(fit, other)


def test_acute_scores_give_the_experience_its_own_curve(build_evidence):
    scores = [
        {"trial_id": f"s{j}", "arm_id": f"d{mg}", "drug": "psilocybin", "dose_mg_equiv": mg, "instrument": "MEQ30",
         "dimension": "mystical", "time_note": "acute", "mean": mean, "sd": 1.0, "n": 40, "scale_min": 0, "scale_max": 5}
        for j in range(3) for mg, mean in ((5, 0.5), (12.5, 1.2), (25, 2.0))
    ]  # fmt: skip
    fit = pp.fit_experience_dose(build_evidence(subjective=scores), seed=1, draws=500)
    assert fit["posterior"].dataset["delta"].mean() > 1
    with pytest.raises(ValueError, match="no acute score can be put against its dose"):
        pp.fit_experience_dose(build_evidence(), seed=1)


def test_the_figure_has_a_panel_for_each_drug_and_the_experience_dashed(fit, save_figure):
    ax = pp.plot_dose_response(fit, fit, title="How much of the drug does what?")
    save_figure(ax)
    assert ax.get_title(loc="left") == "psilocybin (k = 6 trials)"
    assert sum(line.get_linestyle() == "--" for line in ax.lines) == 1
    assert sum(len(line.get_xdata()) == 1 for line in ax.lines) == len(fit["constant_data"].dataset["row"])


def test_one_drugs_curve_is_one_panel(fit):
    ax = pp.plot_dose_response(fit, drug="psilocybin", width="one_column")
    assert [a.get_title(loc="left") for a in ax.figure.axes] == ["psilocybin (k = 6 trials)"]
    with pytest.raises(ValueError, match="drug = 'LSD'; the dose curves are of psilocybin"):
        pp.plot_dose_response(fit, drug="LSD")


def test_what_cannot_be_asked_of_a_dose_curve_is_refused(rows, fit):
    with pytest.raises(ValueError, match="shape = 'cubic'; a dose curve is one of linear, log_linear"):
        pp.fit_dose_response(rows, shape="cubic", seed=1)
    with pytest.raises(ValueError, match="a step has no gradient to sample by; use fit_dose_response"):
        pp.dose_response(rows, shape="step")
    with pytest.raises(ValueError, match=r"doses = \(-1,\); each must be a finite number over the reference dose"):
        pp.dose_effects(fit, doses=(-1,))
    with pytest.raises(ValueError, match=r"half_maximal = \(0,\); give doses over the reference dose, each > 0"):
        pp.dose_averaged_share(rows, half_maximal=(0,))
    with pytest.raises(ValueError, match="dose_shape = 'emax:none'; after 'emax:' stands the half-maximal dose"):
        pp.decomposition_design(rows, dose_shape="emax:none")


def test_the_share_averaged_over_curves_lies_between_theirs_and_is_wider(rows):
    shares, curves = pp.dose_averaged_share(rows, half_maximal=(0.2, np.inf))
    assert curves["probability"].sum() == pytest.approx(1)
    assert curves["probability"].iloc[0] > 0.95
    alone = pp.not_drug_share(pp.decomposition_design(rows, dose_shape="emax:0.2"))
    assert shares["mean"].iloc[0] == pytest.approx(alone["mean"].iloc[0], abs=0.02)
    assert curves["share"].min() <= shares["mean"].iloc[0] <= curves["share"].max()


def test_a_decomposition_gives_its_effect_at_any_dose_on_its_own_curve(rows):
    idata = pp.fit(pp.decomposition_design(rows, dose_shape="emax:0.2", terms={"drug"}), seed=1, draws=50)
    half, full = (pp.relative_effects(idata, dose=dose) for dose in (0.2, 1.0))
    np.testing.assert_allclose(half, 0.6 * full)
    with pytest.raises(ValueError, match="dose = 0; a dose over the reference dose must be > 0 and finite"):
        pp.relative_effects(idata, dose=0)
