"""Ledger, influence, contributions, checks and forest on designs that are no decomposition, by both routes."""

import numpy as np
import pandas as pd
import pytest

import pillprocess as pp


@pytest.fixture(scope="module")
def tables():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    return arms, pp.contrasts(evidence, besides=arms)


SDS = {"course": 1.0, "effect_raw": 1.0}
LABELS = [f"{t}: {k}" for t in "abcdef" for k in ("placebo", "drug")]


def two_arm_trials(**changes):
    """Six two-arm trials with names and priors that a user might choose: SDs that end in _squared and _raw, non-zero means."""
    rng = np.random.default_rng(2)
    drug = np.tile([0.0, 1.0], 6)
    trial = [label[0] for label in LABELS]
    index = pd.Index(LABELS)
    fixed = pd.DataFrame({"course": 1.0, "effect_raw": drug}, index=index)
    random = pd.DataFrame({("u_squared", "trial", t): (np.array(trial) == t) * drug for t in "abcdef"}, index=index)
    y = pd.Series(-0.3 - 0.7 * drug + 0.3 * rng.standard_normal(12), index=index)
    given = {
        "trial": trial, "fixed": fixed, "prior_sd": {"course": 0.5, "effect_raw": 0.4}, "prior_mean": {"effect_raw": -0.5},
        "random": random, "effect_scale": {"u_squared": "tau_raw"}, "prior_scale": {"tau_raw": ("invgamma_sd", 2.0, 0.3)},
        "role": ["control", "active"] * 6,
    } | changes  # fmt: skip
    return pp.gaussian_design(y, np.eye(12) * 0.04, **given)


@pytest.mark.slow
def test_both_routes_take_inverse_gamma_sds_awkward_names_scalar_effects_and_prior_means():
    design = two_arm_trials()
    table = pp.linear_summary(design, {"effect": {"effect_raw": 1.0}}).loc["effect"]
    tau = pp.scale_summary(design).loc["tau_raw"]
    sampled = pp.fit(design, seed=1, route="sampler", draws=1500, target_accept=0.99)
    pp.check_fit(sampled)
    posterior = sampled["posterior"].dataset
    assert set(posterior.data_vars) == {"course", "effect_raw", "u_squared", "tau_raw"}
    assert float(posterior["effect_raw"].mean()) == pytest.approx(table["mean"], abs=0.1 * table["sd"])
    assert float(posterior["effect_raw"].std()) == pytest.approx(table["sd"], rel=0.1)
    assert float(posterior["tau_raw"].median()) == pytest.approx(tau["median"], rel=0.1)


def test_the_prior_mean_pulls_as_the_conjugate_formula_says():
    index = pd.Index(["one"])
    design = pp.gaussian_design(
        pd.Series([1.0], index=index), np.array([[0.25]]), trial=["t"], fixed=pd.DataFrame({"b": [1.0]}, index=index),
        prior_sd={"b": 0.5}, prior_mean={"b": -2.0},
    )  # fmt: skip
    assert pp.linear_summary(design).loc["b", "mean"] == pytest.approx((1.0 / 0.25 - 2.0 / 0.25) / 8)
    with pytest.raises(pp.DesignError, match="c: a prior_mean, but no column of fixed has this name"):
        two_arm_trials(prior_mean={"c": 1.0})


def scalar_and_vector_design(labels):
    """A Student-t effect without a dim beside vectors whose labels come in another order than the dim's."""
    index = pd.Index(["r1", "r2", "r3", "r4"])
    x = pd.DataFrame(np.eye(4), index=index, columns=["x", "y", "z", "w"])
    fixed = pd.DataFrame(
        {("b", "kind", one): x[one] for one in ("x", "y")}
        | {("c", "kind", one): x[{"x": "z", "y": "w"}[one]] for one in labels}
    )
    return pp.gaussian_design(
        pd.Series([1.0, 2.0, 3.0, 4.0], index=index), np.eye(4) * 0.01, trial=list("abcd"), fixed=fixed, prior_sd={"b": 9.0, "c": 9.0},
        random=pd.DataFrame({"m": np.ones(4)}, index=index), effect_scale={"m": "spread"},
        prior_scale={"spread": ("invgamma", 2.5, 2.5 * 0.01)},
    )  # fmt: skip


def test_a_vector_whose_labels_come_in_another_order_keeps_its_labels_in_the_sampler():
    from pillprocess.gaussian.model import gaussian_model

    for labels in ("xy", "yx"):
        model = gaussian_model(scalar_and_vector_design(labels))
        point = {"b": np.array([1.0, 2.0]), "c": np.array([3.0, 4.0]), "m_raw": 0.0, "spread_squared": 0.01}
        mean = model["y"].owner.inputs[2].eval({model[k]: v for k, v in point.items()})
        np.testing.assert_allclose(mean, [1, 2, 3, 4], atol=1e-12)


def test_ledger_influence_contributions_checks_and_forest_work_on_a_generic_design():
    design = two_arm_trials()
    idata = pp.fit(design, seed=1)
    ledger = pp.identifiability(idata).set_index("term")
    assert ledger.loc["effect_raw", "evidence"] == "randomised within trials"
    assert ledger.loc["effect_raw", "n_trials"] == 6
    assert set(pp.influence(idata)["variable"]) == {"course", "effect_raw", "tau_raw"}
    parts = pp.contributions(idata)
    assert parts["term"].to_numpy().tolist() == ["course", "effect_raw", "u_squared"]
    y = design["X"].to_numpy() @ [
        idata["posterior"]["course"].mean().item(),
        idata["posterior"]["effect_raw"].mean().item(),
    ]
    total = parts.sum("term").mean(("chain", "draw")) - parts.sel(term="u_squared").mean(("chain", "draw"))
    np.testing.assert_allclose(total, y, atol=1e-12)
    assert len(pp.predictive_check(idata)) == 12
    pp.plot_predictive_check(pp.predictive_check(idata))
    pp.plot_contributions(pp.effect_table(parts))
    ax = pp.plot_forest(pp.linear_summary(design), unit="points")
    assert "effect_raw" in [t.get_text() for t in ax.get_yticklabels()]
    pp.plot_prior_posterior(pp.contraction(idata))
    pp.plot_identifiability(pp.identifiability(idata))
    pp.plot_influence(pp.influence(idata), variable="effect_raw")


def test_the_ledger_says_in_one_sentence_what_a_design_must_tell_it():
    idata = pp.fit(two_arm_trials(role=None), seed=1)
    with pytest.raises(
        ValueError,
        match="this design does not say which rows are arms and which are differences: give gaussian_design role",
    ):
        pp.identifiability(idata)


def test_labelled_inputs_in_another_order_are_brought_into_the_order_of_y():
    plain = two_arm_trials()
    order = np.random.default_rng(1).permutation(12)
    index = pd.Index(LABELS)
    fixed = pd.DataFrame({"course": 1.0, "effect_raw": np.tile([0.0, 1.0], 6)}, index=index).iloc[order]
    shuffled = two_arm_trials(
        fixed=fixed, trial=pd.Series([label[0] for label in LABELS], index=index).iloc[order[::-1]],
        role=pd.Series(["control", "active"] * 6, index=index).iloc[order],
    )  # fmt: skip
    assert shuffled.identical(plain)
    variance = pd.DataFrame(np.diag(np.arange(1.0, 13)), index=index, columns=index)
    y = pd.Series(plain["y"].to_numpy(), index=index)
    design = pp.gaussian_design(
        y, variance.iloc[order, order[::-1]], trial=plain["trial"].to_numpy(), fixed=fixed, prior_sd=SDS
    )
    np.testing.assert_array_equal(design["covariance"], variance)


def test_labels_that_are_not_those_of_y_are_refused_all_at_once():
    fixed = pd.DataFrame({"course": 1.0, "effect_raw": 0.0}, index=[*LABELS[:-1], "other"])
    twice = pd.Series(["a"] * 12, index=["a"] * 12)
    message = (
        "trial: labels used twice .*\nfixed: its labels are not those of y .it lacks f: drug.; give both the same index\n"
        "role: shape .3,.; with 12 rows it must be .12,."
    )
    with pytest.raises(pp.DesignError, match=message):
        two_arm_trials(fixed=fixed, trial=twice, role=["control"] * 3)
    with pytest.raises(pp.DesignError, match="fixed: 11 labels for 12 rows"):
        two_arm_trials(fixed=fixed.iloc[:11])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"y": 1.0}, "y: the name of the outcome; give it another"),
        ({("b", "chain", "a"): 1.0}, "chain: the name of a dim of every fit; give it another"),
        ({("b", "row", "a"): 1.0}, "row: the name of a dim of the outcome; give it another"),
        ({("b", "b", "a"): 1.0}, "b: the name of a variable and of a dim"),
    ],
)
def test_names_that_a_fit_uses_itself_are_refused(columns, message):
    index = pd.Index(["r"])
    name = next(iter(columns))
    with pytest.raises(pp.DesignError, match=message):
        pp.gaussian_design(
            pd.Series([1.0], index=index), np.eye(1), trial=["t"], fixed=pd.DataFrame(columns, index=index),
            prior_sd={name[0] if isinstance(name, tuple) else name: 1.0},
        )  # fmt: skip


def test_a_forest_takes_the_tables_that_the_package_returns(tables):
    arms, differences = tables
    idata = pp.fit(pp.decomposition_design(arms, differences), seed=1)
    trials = pp.effect_table(pp.trial_effects(idata))
    ticks = [t.get_text() for t in pp.plot_forest(trials).get_yticklabels()]
    assert "goodwin2022" in ticks
    assert any(t.startswith("psilocybin: k = ") for t in ticks)
    for draws in (pp.relative_effects(idata), pp.predictive_effects(idata, seed=1)):
        ticks = [t.get_text() for t in pp.plot_forest(pp.effect_table(draws)).get_yticklabels()]
        assert {"alone", "with therapy", "MDMA"} <= set(ticks)
    with pytest.raises(ValueError, match="the table lacks mean, ci_low, ci_high"):
        pp.plot_forest(arms)


def test_a_forest_shows_a_drug_that_the_house_colours_do_not_know():
    table = pd.DataFrame(
        {
            "label": ["t1", "all"],
            "drug": "DMT",
            "kind": ["trial", "pooled"],
            "mean": [-9.0, -8.0],
            "ci_low": -15.0,
            "ci_high": -2.0,
        }
    )
    ax = pp.plot_forest(table, unit="points of MADRS")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["all", "t1", "DMT: k = 1"]
    assert ax.get_xlim()[0] < -15


def test_one_seed_gives_one_answer_in_whatever_order_the_rows_come(tables):
    arms, differences = tables
    one = pp.fit(pp.decomposition_design(arms, differences), seed=4)
    shuffled = pp.decomposition_design(arms.sample(frac=1, random_state=1), differences.sample(frac=1, random_state=2))
    other = pp.fit(shuffled, seed=4)
    for name, values in one["posterior"].dataset.items():
        np.testing.assert_array_equal(values, other["posterior"].dataset[name].sel({d: values[d] for d in values.dims}))
    assert one.attrs["log_marginal_likelihood"] == other.attrs["log_marginal_likelihood"]
    assert other["log_likelihood"]["y"]["row"].to_numpy().tolist() == shuffled["row"].to_numpy().tolist()
    pd.testing.assert_frame_equal(pp.identifiability(one), pp.identifiability(other), check_exact=True)
