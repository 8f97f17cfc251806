from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from pillprocess.comparison.bayes_factors import bayes_factor_curve, bayes_factors
from pillprocess.comparison.comparability import ComparisonError
from pillprocess.comparison.compare import compare, comparison_note, held_out_log_likelihood
from pillprocess.gaussian.design import data_hash
from pillprocess.gaussian.design_checks import DesignError
from pillprocess.gaussian.fit import fit_exact, integrate
from pillprocess.gaussian.held_out import held_out_sets, leave_one_trial_out, loro_exact, loto_exact
from pillprocess.gaussian.normal_equations import assemble
from tests.gaussian.cases import NAN, eight_schools, headline_like, parkinson, schools, without_rows


def without_term(design, *variables):
    return design.isel(coefficient=~np.isin(design["coefficient_variable"], variables))


def exact_fit(design, **attrs):
    fit = fit_exact(design, seed=1, draws=500)
    fit.attrs.update(attrs)
    return fit


def without_design(fit):
    return xr.DataTree.from_dict({k: v.to_dataset() for k, v in fit.subtree_with_keys if not k.startswith("constant")})


@pytest.fixture(scope="module")
def designs():
    full = headline_like()
    return {
        "full": full,
        "no interaction": without_term(full, "kappa"),
        "no drug": without_term(full, "delta", "kappa"),
    }


@pytest.fixture(scope="module")
def fits(designs):
    return {name: exact_fit(design) for name, design in designs.items()}


def test_exact_fits_are_compared_by_exact_leave_one_trial_out(fits, designs):
    table = compare(fits)
    scores = {name: loto_exact(design)["elpd"] for name, design in designs.items()}
    best = max(scores, key=lambda name: scores[name].sum())
    assert table.index[0] == best
    assert table["rank"].tolist() == [0, 1, 2]
    assert table["elpd"].to_dict() == pytest.approx({name: score.sum() for name, score in scores.items()}, abs=1e-3)
    other = table.index[1]
    difference = scores[other] - scores[best]
    assert table.loc[other, "elpd_diff"] == pytest.approx(difference.sum(), abs=1e-3)
    assert table.loc[other, "se_diff"] == pytest.approx(np.sqrt(45) * difference.std(ddof=0), rel=1e-3)
    assert table.loc[other, "p_worse"] == pytest.approx(
        stats.norm.cdf(-difference.sum() / (np.sqrt(45) * difference.std(ddof=0))), abs=1e-3
    )
    assert table["weight"].sum() == pytest.approx(1)
    assert table["k_hat"].isna().all()
    assert table.attrs.pop("arviz").startswith("az.loo and az.compare take the log-likelihood of single rows")
    assert table.attrs == {"unit": "trial", "n_units": 45, "not_scored": 0, "n_refits": dict.fromkeys(fits, 0)}
    assert list(table.columns) == ["rank", "elpd", "elpd_diff", "se_diff", "p_worse", "weight", "k_hat"]


def test_designs_are_scored_like_their_fits(fits, designs):
    pd.testing.assert_frame_equal(compare(designs), compare(fits))


def test_arms_and_contrasts_are_units_too(fits, designs):
    by_arm, by_contrast = compare(fits, unit="arm"), compare(fits, unit="contrast")
    assert by_arm.loc["full", "elpd"] == pytest.approx(loro_exact(designs["full"]).sum(), abs=1e-3)
    assert by_contrast.loc["full", "elpd"] == pytest.approx(
        loto_exact(designs["full"])["elpd_contrasts"].sum(), abs=1e-3
    )
    assert by_arm.attrs["n_units"] == 95


def test_trials_without_a_control_arm_are_counted_as_not_scored():
    role = ["control", "active"] * 4 + ["active"] * 7
    design = parkinson().assign_coords(role=("row", role))
    table = compare({"a": exact_fit(design), "b": exact_fit(design.isel(effect=[], scale=[]))}, unit="contrast")
    assert (table.attrs["n_units"], table.attrs["not_scored"]) == (3, 4)
    assert "4 trials without a control arm were not scored." in comparison_note(table)


@pytest.mark.parametrize("unit", ["trial", "contrast", "arm"])
def test_a_sampled_fit_is_scored_by_importance_sampling_and_agrees_with_the_exact_scores(designs, unit):
    names = ["full", "no drug"]
    exact = {name: fit_exact(designs[name], seed=1, draws=2000) for name in names}
    sampled = {name: exact[name].copy() for name in names}
    for fit in sampled.values():
        fit.attrs["route"] = "sampler"
    table, expected = compare(sampled, unit=unit), compare(exact, unit=unit)
    # each of 45 to 95 units errs by about .04 with 8000 draws
    assert table["elpd"].to_numpy() == pytest.approx(expected["elpd"].to_numpy(), abs=0.8)
    assert table["k_hat"].notna().all()


def test_the_held_out_log_likelihood_integrates_the_trials_own_parameters():
    design = parkinson()
    system = assemble(design)
    fit = fit_exact(design, seed=3, draws=5)
    density = held_out_log_likelihood(design, system, held_out_sets(design, system, "trial"), fit["posterior"].dataset)
    assert density.dims == ("chain", "draw", "unit")
    draw = fit["posterior"].dataset.isel(chain=2, draw=3)
    here = design["trial"].to_numpy() == "3"
    x, z = design["X"].to_numpy()[here], design["Z"].to_numpy()[here]
    own_mean = x[:, 7:] @ draw["d"].to_numpy()
    own = (
        design["covariance"].to_numpy()[np.ix_(here, here)]
        + x[:, :7] @ x[:, :7].T * 100**2
        + z @ z.T * float(draw["tau"]) ** 2
    )
    expected = stats.multivariate_normal(own_mean, own).logpdf(design["y"].to_numpy()[here])
    assert float(density.sel(unit="3")[2, 3]) == pytest.approx(expected, abs=1e-6)


def test_units_that_importance_sampling_cannot_leave_out_are_refitted_exactly():
    # school A is an outlier of a model without heterogeneity: the other schools' posterior of mu lies far away
    design = schools([60, 8, -3, 7], [1.5, 1.0, 1.6, 1.1], prior_mu_sd=5.0, tau=("halfnormal", 0.3, NAN))
    one, other = (fit_exact(design, seed=seed, draws=500) for seed in (1, 2))
    for fit in (one, other):
        fit.attrs["route"] = "sampler"
    table = compare({"one": one, "other": other})
    assert (table["k_hat"] > 0.7).all()
    assert min(table.attrs["n_refits"].values()) >= 1
    assert table["elpd"].to_numpy() == pytest.approx(loto_exact(design)["elpd"].sum(), rel=0.01)


def test_a_sampled_fit_without_a_design_needs_its_own_refits():
    design = schools([60, 8, -3, 7], [1.5, 1.0, 1.6, 1.1], prior_mu_sd=5.0, tau=("halfnormal", 0.3, NAN))
    bare = without_design(exact_fit(design, route="sampler"))
    with pytest.raises(
        ComparisonError, match=r"'bare': k-hat is above 0.7 for .*A.*pass refits=\{'bare': function\(label\)"
    ):
        compare({"bare": bare, "again": bare})
    asked = []
    table = compare(
        {"bare": bare, "again": bare},
        refits=dict.fromkeys(["bare", "again"], lambda label: asked.append(label) or -3.0),
    )
    assert "A" in asked
    assert table.loc["bare", "elpd"] == table.loc["again", "elpd"]


def test_a_fit_without_a_design_and_without_outliers_is_scored_from_its_log_likelihood():
    bare = without_design(exact_fit(eight_schools(), route="sampler"))
    noise = np.random.default_rng(0).normal(-1.5, 0.01, (4, 500, 8))
    noise[:, :, 3] = -1.5
    varying, constant = (
        xr.DataTree.from_dict({"/": bare.to_dataset(), **_groups(bare, values)})
        for values in (noise, np.full_like(noise, -1.5))
    )
    table = compare({"varying": varying, "constant": constant}, unit="arm")
    assert table["elpd"].tolist() == pytest.approx([-12.0, -12.0], abs=0.01)
    assert table["k_hat"].notna().to_dict() == {"varying": True, "constant": False}


def _groups(fit, log_likelihood):
    density = fit["log_likelihood"].to_dataset().assign(y=(("chain", "draw", "row"), log_likelihood))
    return {"/log_likelihood": density, "/observed_data": fit["observed_data"].to_dataset()}


def test_y_against_100_y_is_refused():
    design = eight_schools()
    scaled = design.assign(
        y=100 * design["y"], covariance=1e4 * design["covariance"], prior_sd=100 * design["prior_sd"]
    )
    scaled.attrs["data_hash"] = data_hash(scaled)
    with pytest.raises(
        ComparisonError, match="the outcomes of 'b' are 100 times those of 'a'; .* fit both in one unit"
    ):
        compare({"a": exact_fit(design), "b": exact_fit(scaled)})


def test_different_trials_are_refused_by_name():
    design = eight_schools()
    fewer = without_rows(design, design["trial"] == "C")
    fewer.attrs = fewer.attrs | {"data_hash": data_hash(fewer)}
    pair = {"a": exact_fit(design), "b": exact_fit(fewer)}
    with pytest.raises(
        ComparisonError, match=r"different trials or arms \(only 'a' has C\); fit both to the same rows"
    ):
        compare(pair)
    bare = {name: without_design(fit) for name, fit in pair.items()}
    with pytest.raises(ComparisonError, match=r"only 'a' has school C"):
        compare(bare)


def test_a_joint_log_likelihood_is_refused():
    fit = exact_fit(eight_schools())
    fit["log_likelihood/S"] = fit["log_likelihood"]["y"]
    with pytest.raises(
        ComparisonError, match="'joint': its log-likelihood holds S beside y, a joint density; .* integrated out"
    ):
        compare({"joint": fit, "plain": exact_fit(eight_schools())})


def test_conditioning_on_the_mediator_against_not_is_refused():
    mediated = exact_fit(eight_schools().assign_attrs(conditioning="treatment, experience"))
    message = (
        r"'pill' and 'mediated': one predicts y given treatment, the other given treatment, experience; "
        r"p\(y \| T\) against p\(y \| T, M\) is no test of mediation: integrate the mediator out"
    )
    with pytest.raises(ComparisonError, match=message):
        compare({"pill": exact_fit(eight_schools()), "mediated": mediated})


def test_arms_against_trials_are_refused():
    fit = without_design(exact_fit(eight_schools(), route="sampler"))
    by_arm = fit.copy()
    del by_arm["log_likelihood_by_trial"]
    with pytest.raises(
        ComparisonError, match="'arms': its log-likelihood is given by arm, the comparison is by trial; add y_trial"
    ):
        compare({"trials": fit, "arms": by_arm})


def test_a_fit_without_any_log_likelihood_is_refused():
    fit = without_design(exact_fit(eight_schools(), route="sampler"))
    empty = fit.drop_nodes(["log_likelihood", "log_likelihood_by_trial"])
    with pytest.raises(
        ComparisonError, match="'empty': its log-likelihood is given nowhere, the comparison is by arm; add y to its"
    ):
        compare({"fit": fit, "empty": empty}, unit="arm")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.isel(row=slice(None, None, -1), row_=slice(None, None, -1)), "the same rows in another order"),
        (lambda d: d.assign(covariance=2 * d["covariance"]), "same outcomes with different sampling variances"),
        (
            lambda d: d.assign(y=d["y"] + (d["row"] == "school B")),
            r"the outcomes of 1 of 8 rows differ \(first: school B\)",
        ),
        (
            lambda d: d.assign_attrs(outcome="points of MADRS"),
            "the outcome is 'y' in one and 'points of MADRS' in the other",
        ),
        (lambda d: d.assign_attrs(scale="points"), "the scale is 'sd' in one and 'points' in the other"),
    ],
)
def test_fits_of_other_data_are_refused_with_the_difference(change, message):
    other = change(eight_schools())
    other.attrs = other.attrs | {"data_hash": data_hash(other)}
    with pytest.raises(ComparisonError, match=message):
        compare({"a": exact_fit(eight_schools()), "b": exact_fit(other)})


def test_every_reason_is_given_at_once():
    bare = without_design(exact_fit(eight_schools()))
    del bare.attrs["conditioning"]
    with pytest.raises(ComparisonError) as error:
        compare({"bare": bare}, unit="contrast")
    assert str(error.value).splitlines() == [
        "these fits cannot be compared:",
        "a comparison needs at least two fits; there is 1",
        "'bare': lacks the attributes conditioning, which say what was fitted; fit it with fit()",
        "'bare': carries no design, which unit='contrast' needs to find the control arms; use unit='trial'",
    ]


def test_an_unknown_unit_is_refused(fits):
    with pytest.raises(ComparisonError, match="unit = 'participant'; it must be one of trial, contrast, arm"):
        compare(fits, unit="participant")


def test_the_note_says_what_is_decided_and_what_is_not():
    table = pd.DataFrame(
        {"elpd_diff": [0.0, -1.2, -30.0], "se_diff": [0.0, 2.0, 6.0]}, index=["additive", "interaction", "course"]
    )
    table.attrs = {"unit": "trial", "n_units": 45, "not_scored": 0, "n_refits": {}}
    assert comparison_note(table) == (
        "'additive' predicts 45 held-out trials best. It cannot be told from 'interaction' (-1.2, SE 2.0): a difference below 4 "
        "or below 2 SE decides nothing. It predicts better than 'course' (-30.0, SE 6.0). With 45 units p_worse is rough. "
        "Weights are shares in the best predictive mixture, not probabilities of the models. Prediction cannot tell whether the "
        "experience changes the outcome or the outcome the experience, nor what is cause and what is marker."
    )


def test_leaving_trials_out_in_other_processes_gives_the_same_numbers():
    design = headline_like(n_trial=26, n_row=55)
    serial = leave_one_trial_out(design)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        parallel = leave_one_trial_out(design, executor=executor)
    pd.testing.assert_frame_equal(serial, parallel, check_exact=True)
    assert serial["elpd"].to_numpy() == pytest.approx(loto_exact(design)["elpd"].to_numpy(), abs=1e-3)


def test_bayes_factors_come_from_exact_marginal_likelihoods(fits, designs):
    table = bayes_factors(fits)
    log_ml = {name: integrate(design).log_marginal_likelihood for name, design in designs.items()}
    assert table["log_marginal_likelihood"].to_dict() == pytest.approx(log_ml)
    assert table.loc["no drug", "log_bayes_factor"] == pytest.approx(log_ml["no drug"] - log_ml["full"])
    assert table["posterior_probability"].sum() == pytest.approx(1)
    weighted = bayes_factors(designs, prior_model={"full": 1, "no interaction": 2, "no drug": 1}, reference="no drug")
    assert weighted["prior_probability"].tolist() == [0.25, 0.5, 0.25]
    odds = weighted["posterior_probability"]["no interaction"] / weighted["posterior_probability"]["full"]
    assert odds == pytest.approx(2 * np.exp(log_ml["no interaction"] - log_ml["full"]))
    assert weighted.loc["no drug", "bayes_factor"] == 1


def test_a_sampled_fit_gets_its_marginal_likelihood_from_its_design(fits):
    sampled = fits["full"].copy()
    del sampled.attrs["log_marginal_likelihood"]
    table = bayes_factors({"exact": fits["full"], "sampled": sampled})
    assert table.loc["sampled", "bayes_factor"] == pytest.approx(1)


def test_bayes_factors_refuse_what_they_cannot_do(fits):
    bare = without_design(fits["full"])
    with pytest.raises(ComparisonError) as error:
        bayes_factors({"full": fits["full"], "bare": bare}, prior_model={"full": 1.0}, reference="none")
    assert str(error.value).splitlines() == [
        "no Bayes factor was computed:",
        "'bare' carries no design; its marginal likelihood has no closed form",
        "prior_model must give each of full, bare a probability >= 0, not all 0; it is {'full': 1.0}",
        "reference = 'none' is none of full, bare",
    ]


def test_the_bayes_factor_curve_equals_the_closed_form_at_every_prior_sd():
    design = parkinson(contrasts=True).isel(effect=[], scale=[])
    null = design.isel(coefficient=[0, 1, 2])
    named = design.assign(
        coefficient_variable=("coefficient", ["d", "d", "d", "extra"]),
        coefficient_dim=("coefficient", ["treatment"] * 3 + [""]),
    )
    curve = bayes_factor_curve(named, null, variable="extra", prior_sds=[0.5, 5.0])
    y, x, v = design["y"].to_numpy(), design["X"].to_numpy(), design["covariance"].to_numpy()
    expected = [
        stats.multivariate_normal(cov=v + (x * np.array([1e4, 1e4, 1e4, s**2])) @ x.T).logpdf(y)
        - stats.multivariate_normal(cov=v + 1e4 * x[:, :3] @ x[:, :3].T).logpdf(y)
        for s in (0.5, 5.0)
    ]
    assert curve["log_bayes_factor"].tolist() == pytest.approx(expected, abs=1e-6)
    assert curve["bayes_factor"].tolist() == pytest.approx(np.exp(expected), rel=1e-6)
    assert curve["prior_sd"].tolist() == [0.5, 5.0]


def test_a_bayes_factor_curve_needs_a_coefficient_of_the_design(designs):
    with pytest.raises(DesignError, match="the design has no coefficient 'iota'; it has course, psi"):
        bayes_factor_curve(designs["full"], designs["no drug"], variable="iota", prior_sds=[1.0])
