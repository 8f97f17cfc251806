"""The synthesis: its density is what its docstring says, and known paths come back from simulated evidence."""

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from pytensor.compile.mode import Mode
from scipy import stats
from scipy.special import ndtr

from pillprocess.evidence.tables import load_evidence
from pillprocess.inference.fit import ConvergenceError, check_fit, fit
from pillprocess.synthesis import hypotheses
from pillprocess.synthesis.choices import settings_with
from pillprocess.synthesis.compiled import compile_synthesis, outcomes_of, prior_of
from pillprocess.synthesis.draws import expected_rows, trial_log_likelihood
from pillprocess.synthesis.effects import mediated_share, path_effects
from pillprocess.synthesis.fits import items_of, model_of
from pillprocess.synthesis.hypotheses import compare_synthesis, loo_errors
from pillprocess.synthesis.items import synthesis_items
from pillprocess.synthesis.kinds import BETWEEN_DRUGS, KINDS, only_drug, without, without_each, without_rows
from pillprocess.synthesis.likelihoods import direct_effects
from pillprocess.synthesis.model import SYNTHESIS_HYPOTHESES, synthesis
from pillprocess.synthesis.simulation import synthesis_simulator
from tests.synthesis.cases import small_evidence, small_items

PEOPLE = pd.DataFrame(
    {
        "trial": "own", "arm": ["drug", "placebo"], "drug": "psilocybin", "dose": [1.0, 0.0], "therapy": 1.0, "open": 0.0,
        "instrument": "MEQ30", "n": [25.0, 24.0], "mean_s": [58.0, 8.0], "mean_y": [-1.4, -0.7], "sd_s": [22.0, 6.0],
        "sd_y": [0.9, 0.8], "r": [-0.35, -0.1],
    }
)  # fmt: skip


def without_every_item(items):
    for kind in KINDS:
        if kind not in ("participants", BETWEEN_DRUGS):
            items = without(items, kind)
    return items


@pytest.fixture(scope="module")
def items(build_evidence):
    return small_items(build_evidence)


@pytest.fixture(scope="module")
def model(items):
    return synthesis(items)


@pytest.fixture(scope="module")
def refit(model):
    return compile_synthesis(model)


@pytest.fixture(scope="module")
def whole(refit):
    return refit(seed=1, draws=400, tune=400, chains=2)


def log_likelihood(model):
    """Log density of everything observed, as a function of the free variables' values by name."""
    logp = model.compile_logp(vars=[*model.observed_RVs, *model.potentials], mode="FAST_COMPILE", jacobian=False)
    point = {v.name: v for v in model.value_vars}

    def density(values):
        return float(logp({name: values[name] for name in point}))

    return density


def prior_point(model, seed):
    """One prior draw: values of free variables, of deterministics, and the point in the model's own coordinates."""
    names = [*model.free_RVs, *model.deterministics]
    drawn = dict(zip([v.name for v in names], pm.draw(names, random_seed=seed, mode="FAST_COMPILE"), strict=True))
    point = {}
    for variable in model.free_RVs:
        value = model.rvs_to_values[variable]
        transform = model.rvs_to_transforms[variable]
        raw = drawn[variable.name]
        point[value.name] = raw if transform is None else transform.forward(raw, *variable.owner.inputs).eval()
    return drawn, point


def density_of_the_docstring(items, p, drugs, dimensions):
    """Sum of the likelihoods of synthesis/model.py, written out for one set of parameters."""
    arms = {a: items.sel(arm=a) for a in items["arm"].to_numpy()}

    def experience(arm):
        return float(p["a"][drugs.index(str(arm["arm_drug"].item()))] * arm["arm_dose"] * arm["arm_awake"])

    def eta(arm):
        return float(
            p["g_0"]
            + p["g_placebo"] * arm["arm_active_placebo"]
            + p["g_drug"] * arm["arm_dose"]
            + p["g_experience"] * experience(arm)
        )

    def believed(arm):
        return (
            float(arm["arm_active"])
            if arm["arm_known"] == 1
            else float(ndtr(eta(arm) / np.sqrt(1 + p["tau_belief"] ** 2)))
        )

    def theta(arm):
        d = drugs.index(str(arm["arm_drug"].item()))
        x, h = float(arm["arm_dose"]), float(arm["arm_therapy"])
        total = (
            p["psi"] * h
            + p["direct"][d] * x
            + p["interaction"][d] * x * h
            + p["b"][d] * experience(arm)
            + p["epsilon"] * believed(arm)
        )
        return float(total + p["omega"] * arm["arm_waitlist"] + p["chi"] * arm["arm_comparator"])

    total = 0.0
    for trial in dict.fromkeys(items["trial"].to_numpy()):
        rows = np.flatnonzero(items["trial"].to_numpy() == trial)
        names = [str(items["row"].to_numpy()[i]) for i in rows]
        mean = np.array([p["mu"][0] + theta(arms[name]) for name in names])
        dose = np.array([float(arms[name]["arm_dose"]) for name in names])
        therapy, waitlist = (
            np.array([float(arms[name][f"arm_{c}"]) for name in names]) for c in ("therapy", "waitlist")
        )
        V = items["covariance"].to_numpy()[np.ix_(rows, rows)] + p["tau_mu"] ** 2 + p["tau"] ** 2 * np.outer(dose, dose)
        V += p["tau_therapy"] ** 2 * np.outer(therapy, therapy) + p["tau_waitlist"] ** 2 * np.outer(waitlist, waitlist)
        total += stats.multivariate_normal.logpdf(items["y"].to_numpy()[rows], mean, V)
    loading = dict(zip(items["instrument"].to_numpy(), p["loading"], strict=True))
    studies = list(
        dict.fromkeys(
            s + ": " + d for s, d in zip(items["score_study"].to_numpy(), items["score_path"].to_numpy(), strict=True)
        )
    )
    score_arms = list(dict.fromkeys(items["score_arm"].to_numpy()))
    for i in range(items.sizes["score"]):
        one = items.isel(score=i)
        own, n = loading[str(one["score_instrument"].item())], float(one["score_n"])
        study = studies.index(f"{one['score_study'].item()}: {one['score_path'].item()}")
        latent = float(one["score_dose"]) * p["a_study"][study]
        latent += p["score_error_raw"][score_arms.index(str(one["score_arm"].item()))] / np.sqrt(n)
        total += stats.norm.logpdf(
            float(one["score_d"]), own * latent, np.sqrt((1 - own**2) / n + float(one["score_se"]) ** 2)
        )
    r = loading["MEQ30"] * loading["5D-ASC_OBN"]
    total += stats.norm.logpdf(np.arctanh(0.85), np.arctanh(r), 1 / np.sqrt(37))
    z = [
        np.arctanh(loading[s] * np.tanh(p["zeta"][dimensions.index(q)]))
        for s, q in (("MEQ30", "mystical"), ("CADSS", "dissociative"))
    ]
    total += stats.norm.logpdf(np.arctanh(-0.4), z[0], np.hypot(1 / 6, p["tau_zeta"]))
    told = np.hypot(0.2, p["tau_zeta"])
    significant = stats.norm.sf(1.959964 * 0.2, z[1], told) + stats.norm.cdf(-1.959964 * 0.2, z[1], told)
    total += np.log1p(-significant)
    for i, (label, correct, n) in enumerate((("alone: all", 34, 40), ("asleep: ketamine", 8, 20))):
        weight = items["guess_arm"].sel(guess=label)
        share = sum(
            float(w) * ndtr(eta(arms[a]) + p["tau_belief"] * p["belief_raw"][i])
            for a, w in zip(arms, weight.to_numpy(), strict=True)
        )
        total += stats.binom.logpmf(correct, n, float(items["guess_constant"].sel(guess=label)) + share)
    for label, responders in (("events: ketamine", 16), ("events: placebo", 7)):
        u, h = p["count_raw"][:, 0]
        change = theta(arms[label]) + p["tau"] * u * float(arms[label]["arm_dose"])
        change += p["tau_therapy"] * h * float(arms[label]["arm_therapy"])
        total += stats.binom.logpmf(responders, 30, ndtr((p["threshold"][0] - change) / float(items["outcome_sd"])))
    return total, np.log(np.diag(items["whitener"].to_numpy())).sum()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_density_is_the_one_of_the_docstring(model, items, seed):
    drawn, point = prior_point(model, seed)
    expected, whitening = density_of_the_docstring(
        items, drawn, list(model.coords["drug"]), list(model.coords["dimension"])
    )
    assert log_likelihood(model)(point) + whitening == pytest.approx(expected, rel=1e-10)


def test_direct_effects_have_their_prior_and_lie_along_axes_on_which_outcomes_leave_them_independent():
    dose, y = np.array([[1.0, 0.0], [0.5, 0.0], [0.0, 1.0], [0.0, 4.0]]), np.array([3.0, -1.0, 2.0, 5.0])
    with pm.Model(coords={"drug": ["ketamine", "psilocybin"]}) as small:
        pm.Data("direct_score", dose.T)
        pm.Data("direct_information", (dose**2).sum(axis=0))
        direct = direct_effects(pt.as_tensor(y), pt.as_tensor(0.5), pt.as_tensor(0.6))
        pm.Normal("y", pt.dot(dose, direct), 1, observed=y)
    plain = Mode(linker="py", optimizer=None)
    drawn = pm.draw(direct, draws=1000, random_seed=1, mode=plain)
    assert np.cov(drawn.T) == pytest.approx(np.array([[0.61, 0.25], [0.25, 0.61]]), abs=0.09)
    slope = small.compile_dlogp(mode=plain)
    for at in np.vstack([np.zeros(3), np.eye(3)]):  # the density of three independent N(0, 1)
        point = dict(zip((v.name for v in small.value_vars), (at[0], at[1:]), strict=True))
        assert slope(point) == pytest.approx(-at, abs=1e-9)


def trial_densities_at(model, items, drawn):
    """Log density of every trial's outcomes at one draw of everything."""
    prior = prior_of(model, seed=1, draws=2)
    for name in prior.data_vars:
        prior[name] = prior[name].copy(data=np.broadcast_to(drawn[name], prior[name].shape).copy())
    return trial_log_likelihood(prior, items, expected_rows(prior, items)).isel(chain=0, draw=0)


def test_rows_of_draws_give_the_same_trial_densities_as_the_model(model, items):
    drawn, point = prior_point(model, 4)
    trials = trial_densities_at(model, items, drawn)
    alone = model.compile_logp(vars=[model["outcomes"]], mode="FAST_COMPILE", jacobian=False)
    whitening = np.log(np.diag(items["whitener"].to_numpy())).sum()
    assert float(trials.sum()) == pytest.approx(float(alone(point)) + whitening, rel=1e-10)


def test_the_mixture_of_posteriors_without_each_trial_weighs_them_as_asked(model, items):
    drawn, point = prior_point(model, 5)
    trials = trial_densities_at(model, items, drawn)
    names = trials["trial"].to_numpy()[:2]
    asked = pd.Series([-3.0, -1.0], index=names)
    mixture = synthesis(without_each(items, asked))
    added = mixture.compile_logp(vars=[mixture["without_each"]], mode="FAST_COMPILE", jacobian=False)
    assert float(added(point)) == pytest.approx(np.logaddexp(*(asked - trials.sel(trial=names).to_numpy())), rel=1e-10)
    none = model.compile_logp(vars=[model["without_each"]], mode="FAST_COMPILE", jacobian=False)
    assert float(none(point)) == 0


@pytest.mark.slow
def test_one_fit_to_the_mixture_leaves_trials_out_as_refits_without_them_do(refit, items, whole, monkeypatch):
    settings = {"seed": 1, "draws": 500, "chains": 2}
    log_likelihood = whole["log_likelihood"]["y_trial"]
    monkeypatch.setattr(hypotheses, "LARGEST_K", -np.inf)
    errors = loo_errors(log_likelihood)
    left_out = hypotheses._without_each(refit, items, settings, log_likelihood, errors)
    for trial in log_likelihood["trial"].to_numpy()[:2]:
        rest = refit(without_rows(items, items["trial"].to_numpy() == trial), **settings)
        density = rest["log_likelihood"]["y_trial"].sel(trial=trial).to_numpy()
        assert left_out(trial) == pytest.approx(np.log(np.exp(density).mean()), abs=5 * errors[trial] + 0.02)
        assert errors[trial] < 0.1


def test_modes_that_predict_alike_fail_the_check_of_parameters_and_pass_that_of_predictions():
    rng, sizes = np.random.default_rng(1), ("chain", "draw")
    noise = rng.standard_normal((2, 600))
    groups = {
        "/posterior": xr.Dataset({"a": (sizes, noise + np.array([[-9.0], [9.0]]))}),
        "/log_likelihood": xr.Dataset({"y_trial": ((*sizes, "trial"), rng.standard_normal((2, 600, 3)))}),
        "/sample_stats": xr.Dataset({"diverging": (sizes, np.zeros((2, 600), bool))}),
    }
    idata = xr.DataTree.from_dict(groups)
    with pytest.raises(ConvergenceError, match="a: R-hat"):
        check_fit(idata)
    assert len(check_fit(outcomes_of(idata))) == 3
    idata["sample_stats"]["diverging"][0, 0] = True
    with pytest.raises(ConvergenceError, match="1 divergent"):
        check_fit(outcomes_of(idata))


def test_every_vector_has_named_dims_and_labels(model):
    for variable in (*model.free_RVs, *model.deterministics):
        assert len(model.named_vars_to_dims.get(variable.name, ())) == variable.ndim, variable.name
    assert list(model.coords["drug"]) == ["ketamine", "psilocybin"]
    assert list(model.coords["dimension"]) == ["dissociative", "mystical"]


def test_participants_as_covariances_or_as_means_sds_and_r_give_one_density(build_evidence):
    tables = [
        PEOPLE,
        PEOPLE.assign(
            var_s=PEOPLE["sd_s"] ** 2, var_y=PEOPLE["sd_y"] ** 2, cov_sy=PEOPLE["r"] * PEOPLE["sd_s"] * PEOPLE["sd_y"]
        ),
    ]
    tables[1] = tables[1].drop(columns=["r", "sd_s", "sd_y"])
    models = [synthesis(small_items(build_evidence, participants=(table,))) for table in tables]
    _, point = prior_point(models[0], 5)
    one, other = (log_likelihood(m)(point) for m in models)
    assert one == pytest.approx(other, rel=1e-12)
    assert "participants" in {p.name for p in models[0].potentials}


def test_wrong_choices_are_errors(build_evidence, items):
    with pytest.raises(ValueError, match="unknown terms: hope; known are drug, therapy"):
        synthesis(items, terms={"drug", "hope"})
    with pytest.raises(ValueError, match="causal_share = 2; it must lie between 0 and 1, or be None to be estimated"):
        synthesis(items, causal_share=2.0)
    with pytest.raises(
        ValueError, match="confounding = 'none'; it must be 'additive' or 'proportional'; pooling = -1; it must lie"
    ):
        synthesis(items, confounding="none", pooling=-1.0)
    with pytest.raises(ValueError, match="prior_bias_sd = 0; a prior's scale must be > 0"):
        synthesis(items, prior_bias_sd=0.0)
    with pytest.raises(ValueError, match="informed names hope; trials elsewhere inform therapy, belief, course"):
        synthesis(items, informed={"hope": (0.0, 1.0)})
    with pytest.raises(ValueError, match=r"informed\['belief'\] has standard deviation 0; it must be > 0"):
        synthesis(items, informed={"belief": (0.0, 0.0)})
    with pytest.raises(TypeError, match="a refit has no choice causal_shares; it has terms, causal_share, confounding"):
        settings_with({}, {"causal_shares": 1.0})
    free = synthesis_items(small_evidence(build_evidence), baseline="free")
    with pytest.raises(ValueError, match="these items have no such course that trials share"):
        synthesis(free, informed={"course": (-0.5, 0.1)})
    with pytest.raises(
        ValueError, match="these items hold their own participants; give participants to synthesis_items"
    ):
        synthesis(items, participants=[PEOPLE])
    with pytest.raises(ValueError, match="items with participants cannot be simulated"):
        synthesis_simulator(synthesis(small_items(build_evidence, participants=(PEOPLE,))))


def test_a_fit_of_another_model_is_refused(whole):
    with pytest.raises(ValueError, match=r"this is no fit of a synthesis; fit synthesis\(evidence\) first"):
        items_of(whole.drop_nodes("constant_data"))


@pytest.mark.slow
def test_a_fit_carries_what_rebuilds_it(whole, items):
    assert {
        "posterior",
        "log_likelihood",
        "posterior_predictive",
        "observed_data",
        "constant_data",
        "sample_stats",
    } <= set(whole.children)
    rebuilt = model_of(whole)
    _, point = prior_point(rebuilt, 6)
    assert log_likelihood(rebuilt)(point) == pytest.approx(log_likelihood(synthesis(items))(point), rel=1e-12)


@pytest.mark.slow
def test_a_term_that_is_out_and_a_share_that_is_fixed_are_so_without_compiling_again(refit):
    pill = refit(seed=1, terms={"drug"}, draws=100, tune=200, chains=1)["posterior"].dataset
    assert not {"psi", "epsilon", "causal_share"} & set(pill.data_vars)
    assert (pill["b"] == 0).all()
    assert (pill["interaction"] == 0).all()
    causal = refit(seed=1, causal_share=1.0, draws=100, tune=200, chains=1)
    posterior = causal["posterior"].dataset
    association = np.tanh(posterior["zeta"].sel(dimension=["dissociative", "mystical"])).to_numpy()
    np.testing.assert_allclose(posterior["b"] / association, float(items_of(causal)["outcome_sd"]), rtol=1e-12)
    assert (posterior["causal_share"] == 1).all()


@pytest.mark.slow
def test_without_pooling_one_drug_says_nothing_of_another(refit, items):
    """Each drug's effect is then what its own trials say, whether or not the others' are there."""
    settings = {"pooling": 0.0, "draws": 600, "tune": 400, "chains": 4}
    alone = path_effects(refit(only_drug(items, "ketamine"), seed=3, **settings)).sel(drug="psilocybin", therapy=1.0)
    prior = path_effects(refit(without_every_item(items), seed=4, **settings)).sel(drug="psilocybin", therapy=1.0)
    for path in ("direct", "interaction"):
        assert float(alone[path].mean()) == pytest.approx(float(prior[path].mean()), abs=0.06)
        assert float(alone[path].std()) == pytest.approx(float(prior[path].std()), rel=0.12)


@pytest.mark.slow
def test_what_trials_elsewhere_say_moves_a_term_as_far_as_transport_allows(refit, items, whole):
    """With a small transport scale the term is pooled by inverse variance; with a large one it stays where it was."""
    settings = {"draws": 500, "tune": 400, "chains": 2}
    own = whole["posterior"]["epsilon"]  # like the others good to .02 SDs, a quarter of what is allowed
    told = {"belief": (-1.0, 0.2)}
    near = refit(items, seed=6, informed=told, prior_transport_sd=1e-3, **settings)["posterior"]["epsilon"]
    far = refit(items, seed=7, informed=told, prior_transport_sd=1e3, **settings)["posterior"]["epsilon"]
    weight = float(own.var()) / (float(own.var()) + 0.2**2)
    assert float(near.mean()) == pytest.approx((1 - weight) * float(own.mean()) - weight, abs=0.08)
    assert float(far.mean()) == pytest.approx(float(own.mean()), abs=0.08)


@pytest.mark.slow
def test_without_evidence_the_mediated_share_is_its_prior_and_says_so(refit, model, items):
    fitted = refit(without_every_item(items), seed=2, draws=600, tune=400, chains=4)
    prior = prior_of(model, seed=3, draws=4000)
    table = mediated_share(fitted, prior=prior, therapy=(0.0,))
    assert table["rests_on"].str.startswith("the prior").all()
    assert table["p_most"].to_numpy() == pytest.approx(table["prior_p_most"].to_numpy(), abs=0.06)


@pytest.mark.slow
def test_hypotheses_are_compared_on_the_same_outcomes(whole, refit):
    table, note = compare_synthesis(whole, seed=1, refit=refit, draws=400, chains=2)
    assert set(table["model"]) == set(SYNTHESIS_HYPOTHESES)
    assert table["elpd"].is_monotonic_decreasing
    assert (table["mcse"] > 0).all()
    assert table["rank"].isna().tolist() == (table["told_apart"] == 0).tolist()
    assert table["told_apart"].iloc[0] == 0
    assert f"The Monte Carlo error of an elpd is at most {table['mcse'].max():.2f}" in note
    assert "no comparison of predictions can tell the two apart" in note


@pytest.mark.slow
def test_fit_gives_what_the_compiled_model_gives(model, refit, monkeypatch):
    compiled = []
    monkeypatch.setattr(model, "compiled_by", lambda given: compiled.append(given) or refit)
    settings = {"seed": 1, "draws": 50, "tune": 50, "chains": 1, "target_accept": 0.9}
    idata = fit(model, **settings)
    assert compiled == [model]
    assert idata.attrs["conditioning"] == "treatment"
    assert idata["log_likelihood"]["y_trial"].sizes["trial"] == 5
    xr.testing.assert_equal(idata["posterior"].dataset, refit(**settings)["posterior"].dataset)


@pytest.mark.slow
def test_known_paths_come_back_from_simulated_evidence(refit, model):
    simulate, rng, inside = synthesis_simulator(model), np.random.default_rng(11), []
    for i in range(10):
        truth, body = simulate(rng)
        effects = path_effects(refit(body, seed=i + 1, draws=400, tune=300, chains=1))
        low, high = (effects.quantile(q, dim=("chain", "draw")) for q in (0.025, 0.975))
        one = path_effects(truth).isel(chain=0, draw=0)
        inside.append(((low <= one) & (one <= high)).to_dataarray("path"))
    hits = np.stack([x.to_numpy() for x in inside])
    paths = inside[0]["path"].to_numpy()
    for path in ("total", "experience", "direct", "belief"):
        share = hits[:, list(paths).index(path)].mean()
        assert share >= 0.82, (path, share)
    assert hits.mean() <= 0.995


def test_real_evidence_gathers():
    items = synthesis_items(load_evidence())
    assert items.sizes["association"] >= 8
    assert items.sizes["score"] > 30
    assert "lii2023" in items["trial"].to_numpy()[items["row_kind"].to_numpy() == "blocked experience"]
