"""The decomposition's design and PyMC model against the densities of its docstring."""

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import pillprocess as pp

TERMS = ("dose", "therapy", "waitlist", "comparator", "expectancy", "experience")

MDMA = {"study_drug": "MDMA", "drug_given": "MDMA", "construct": "ptsd", "condition": "PTSD"}
KETAMINE = {"study_drug": "ketamine", "drug_given": "ketamine"}


@pytest.fixture
def arms(arm_row):
    return pd.DataFrame(
        [
            arm_row("t1", "drug", -1.6, 0.20, dose=1.0, therapy=1, expectancy=0.8, experience=2.0),
            arm_row("t1", "placebo", -0.7, 0.25, therapy=1, expectancy=0.2),
            arm_row("t2", "high", -1.9, 0.15, dose=1.2, therapy=1, expectancy=0.9, experience=1.5, **MDMA),
            arm_row("t2", "low", -1.0, 0.18, dose=0.3, therapy=1, expectancy=0.4, experience=0.4, **MDMA),
            arm_row("t3", "drug", -1.2, 0.22, dose=1.0, expectancy=0.7, experience=1.1, **KETAMINE),
            arm_row("t3", "waitlist", 0.1, 0.30, waitlist=1.0, **KETAMINE),
            arm_row("t3", "active", -0.9, 0.21, comparator=1.0, therapy=1, **KETAMINE),
            arm_row("open", "drug", -2.1, 0.35, dose=0.8, therapy=1, expectancy=1.0, experience=1.6),
        ]
    )


@pytest.fixture
def contrasts(contrast_row):
    held = {"therapy": 1.0, "expectancy": 0.3}
    return pd.DataFrame(
        [
            contrast_row("c1", "high", "low", -0.8, 0.30, n=(20, 30), reference=held | {"dose": 0.1}, dose=1.0, therapy=1, expectancy=0.6),
            contrast_row("c1", "mid", "low", -0.5, 0.28, n=(25, 30), reference=held | {"dose": 0.1}, dose=0.5, therapy=1, expectancy=0.5),
            contrast_row("c2", "therapy", "education", -0.4, 0.25, reference={"dose": 1.0}, dose=1.0, therapy=1, **KETAMINE),
        ]
    )  # fmt: skip


ALL = {"drug", "therapy", "drug:therapy", "expectancy", "experience"}
CURVES = {"linear": lambda x: x, "log": lambda x: np.log2(1 + x), "emax": lambda x: 2 * x / (1 + x)}


def theta_of_arm(cells, parameters, terms, *, curve, baseline):
    """The docstring's theta of one arm, without its course."""
    p, trial, drug = parameters, cells["trial"], cells["drug_given"]
    dose = CURVES[curve](cells["dose"])

    def own(name, label):
        """A trial's deviation; an effect no row carries is 0."""
        return p.get(name, {}).get(label, 0.0)

    total = (
        baseline
        + (p["omega"] + own("l", trial)) * cells["waitlist"]
        + (p["chi"] + own("c", trial)) * cells["comparator"]
    )
    total += own("t", trial) * cells["therapy"] + own("u", f"{trial}: {drug}") * dose
    if "therapy" in terms:
        total += p["psi"] * cells["therapy"]
    if "expectancy" in terms:
        total += p["epsilon"] * cells["expectancy"]
    if "experience" in terms:
        total += p["beta"] * cells["experience"]
    if "drug" in terms:
        total += (p["delta"] + p["v"][drug]) * dose
    if "drug:therapy" in terms:
        total += (p["kappa"] + p["w"][drug] / 2) * dose * cells["therapy"]
    return total


def theta_of_row(cells, parameters, terms, *, curve, baseline, single_arm="own"):
    """The docstring's theta of one row: an arm, or the difference of two."""
    if cells["kind"] == "contrast":
        other = {t: cells[f"reference_{t}"] for t in TERMS} | {k: cells[k] for k in ("trial", "drug_given")}
        first, second = (theta_of_arm(side, parameters, terms, curve=curve, baseline=0.0) for side in (cells, other))
        return first - second
    trial = cells["trial"]
    if baseline == "free":
        course = parameters["mu"][trial]
    elif trial == "open" and single_arm == "own":
        course = parameters["mu_own"][trial]
    else:
        course = parameters["mu_construct"][cells["construct"]] + parameters["m"][trial]
    return theta_of_arm(cells, parameters, terms, curve=curve, baseline=course)


MAIN_SD = dict.fromkeys(["delta", "psi", "omega", "chi"], 0.7) | {
    "mu_construct": 5.0, "epsilon": 0.5, "beta": 0.5, "kappa": 0.35, "mu": 10.0, "mu_own": 10.0,
}  # fmt: skip
SCALE_OF = {"v": "tau_drug", "w": "tau_drug", "u": "tau", "m": "tau_mu"} | dict.fromkeys("tlc", "tau_context")


def labelled(model, name, values):
    dims = model.named_vars_to_dims.get(name, ())
    return dict(zip(model.coords[dims[0]], values, strict=True)) if dims else float(values)


CASES = [
    ("exchangeable", "halfnormal", ALL, "linear", True),
    ("free", "halfnormal", {"drug", "therapy", "drug:therapy"}, "emax", True),
    ("exchangeable", "invgamma", {"drug"}, "log", False),
    ("free", "invgamma", {"therapy", "expectancy"}, "linear", True),
]


@pytest.mark.parametrize(("baseline", "family", "terms", "curve", "with_contrasts"), CASES)
def test_the_log_density_is_that_of_the_docstring(arms, contrasts, baseline, family, terms, curve, with_contrasts):
    differences = contrasts if with_contrasts else None
    model = pp.decomposition(arms, differences, terms=terms, baseline=baseline, dose_shape=curve, prior_tau=family)
    rng = np.random.default_rng(7)
    point, log_prior, drawn = {}, 0.0, {}
    for variable in model.free_RVs:
        value = model.rvs_to_values[variable]
        name = variable.name
        draw = rng.normal(0.2, 0.6, size=model.initial_point()[value.name].shape)
        if name.startswith("tau"):
            draw = np.exp(draw)
            if family == "halfnormal":
                log_prior += stats.halfnorm.logpdf(draw, scale=0.5)
                drawn[name] = float(draw)
            else:
                log_prior += stats.invgamma.logpdf(draw, 1.62, scale=0.45)
                drawn[name.removesuffix("_squared")] = float(np.sqrt(draw))
            point[value.name] = np.log(draw)
        else:
            # the sampler sees an effect as its raw value, standard normal
            sd = 1.0 if name.endswith("_raw") else MAIN_SD[name]
            log_prior += stats.norm.logpdf(draw, 0, sd).sum()
            drawn[name] = labelled(model, name, draw)
            point[value.name] = draw
    parameters = {k: v for k, v in drawn.items() if not k.endswith("_raw")}
    for name, scale in SCALE_OF.items():
        raw = drawn.get(f"{name}_raw")
        if raw is not None:
            parameters[name] = {label: drawn[scale] * value for label, value in raw.items()}

    rows = list(arms.to_dict("records")) + (contrasts.to_dict("records") if with_contrasts else [])
    theta = np.array([theta_of_row(r, parameters, terms, curve=curve, baseline=baseline) for r in rows])
    y, se = np.array([r["y"] for r in rows]), np.array([r["se"] for r in rows])
    covariance = np.diag(se**2)
    if with_contrasts:
        first = [r["label"] for r in rows].index("c1: high v low")
        shared = np.sqrt(20 / 50 * se[first] ** 2 * 25 / 55 * se[first + 1] ** 2)
        covariance[first, first + 1] = covariance[first + 1, first] = shared
    expected = log_prior + stats.multivariate_normal.logpdf(y, theta, covariance)

    log_density = model.compile_logp(jacobian=False, mode="FAST_COMPILE")
    assert float(log_density(point)) == pytest.approx(expected, rel=1e-10)
    for name in SCALE_OF.keys() & parameters.keys():
        graph = model.replace_rvs_by_values([model[name]])[0]
        effect = model.compile_fn(graph, inputs=model.value_vars, mode="FAST_COMPILE", on_unused_input="ignore")
        np.testing.assert_allclose(effect(point), list(parameters[name].values()), rtol=1e-12)


def column(design, name, kind="coefficient"):
    matrix = design["X" if kind == "coefficient" else "Z"]
    return matrix.sel({kind: name}).to_numpy()


def test_the_design_has_the_documented_columns(arms, contrasts):
    design = pp.decomposition_design(arms, contrasts, terms=ALL)
    assert design["coefficient"].to_numpy().tolist() == [
        "mu_construct[depression]", "mu_construct[ptsd]", "mu_own[open]", "omega", "chi", "psi", "epsilon", "beta", "delta", "kappa",
    ]  # fmt: skip
    effects = [
        "m[t1]",
        "m[t2]",
        "m[t3]",
        "v[MDMA]",
        "v[ketamine]",
        "v[psilocybin]",
        "w[MDMA]",
        "w[ketamine]",
        "w[psilocybin]",
    ]
    effects += ["u[t1: psilocybin]", "u[t2: MDMA]", "u[t3: ketamine]", "u[open: psilocybin]", "u[c1: psilocybin]"]
    effects += ["t[t1]", "t[t2]", "t[t3]", "t[open]", "t[c2]", "l[t3]", "c[t3]"]
    assert design["effect"].to_numpy().tolist() == effects
    assert dict(zip(effects, design["effect_mean"].to_numpy().tolist(), strict=True)) == {
        name: {"v": "delta", "w": "kappa"}.get(name[0], "") for name in effects
    }
    assert design["scale"].to_numpy().tolist() == ["tau_mu", "tau_drug", "tau", "tau_context"]
    assert set(design["effect_scale"].to_numpy()[:3]) == {"tau_mu"}
    assert design["row"].to_numpy().tolist() == [*arms["label"], *contrasts["label"]]
    np.testing.assert_array_equal(column(design, "delta"), [1, 0, 1.2, 0.3, 1, 0, 0, 0.8, 0.9, 0.4, 0])
    np.testing.assert_array_equal(column(design, "psi"), [1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1])
    np.testing.assert_array_equal(column(design, "kappa"), [1, 0, 1.2, 0.3, 0, 0, 0, 0.8, 0.9, 0.4, 1])
    np.testing.assert_array_equal(column(design, "omega"), np.eye(11)[5])
    np.testing.assert_array_equal(column(design, "chi"), np.eye(11)[6])
    np.testing.assert_allclose(column(design, "epsilon"), [0.8, 0.2, 0.9, 0.4, 0.7, 0, 0, 1, 0.3, 0.2, 0], rtol=1e-14)
    np.testing.assert_array_equal(column(design, "mu_own[open]"), np.eye(11)[7])
    np.testing.assert_array_equal(column(design, "mu_construct[ptsd]"), np.eye(11)[2] + np.eye(11)[3])
    np.testing.assert_array_equal(column(design, "w[MDMA]", "effect"), 0.5 * np.array([0, 0, 1.2, 0.3] + [0] * 7))
    np.testing.assert_array_equal(column(design, "u[c1: psilocybin]", "effect"), [0] * 8 + [0.9, 0.4, 0])


def test_the_model_has_the_documented_dims_and_coordinates(arms, contrasts):
    model = pp.decomposition(arms, contrasts, terms=ALL)
    assert {k: list(v) for k, v in model.coords.items()} == {
        "row": [*arms["label"], *contrasts["label"]],
        "construct": ["depression", "ptsd"],
        "uncontrolled_trial": ["open"],
        "trial": ["t1", "t2", "t3"],
        "drug": ["MDMA", "ketamine", "psilocybin"],
        "trial_drug": ["t1: psilocybin", "t2: MDMA", "t3: ketamine", "open: psilocybin", "c1: psilocybin"],
        "therapy_trial": ["t1", "t2", "t3", "open", "c2"],
        "waitlist_trial": ["t3"],
        "comparator_trial": ["t3"],
    }
    dims = {
        "mu_construct": "construct", "mu_own": "uncontrolled_trial", "m": "trial", "v": "drug", "u": "trial_drug", "y": "row",
    }  # fmt: skip
    assert {k: model.named_vars_to_dims[k] for k in dims} == {k: (v,) for k, v in dims.items()}
    free = pp.decomposition(arms, terms=ALL, baseline="free")
    assert free.named_vars_to_dims["mu"] == ("trial",)
    assert list(free.coords["trial"]) == ["t1", "t2", "t3", "open"]
    assert not any(dim.endswith("_dim_0") for names in model.named_vars_to_dims.values() for dim in names)


def test_a_term_that_is_not_asked_for_has_no_mean_and_still_varies_between_trials(arms):
    design = pp.decomposition_design(arms, terms=set(), baseline="free")
    assert set(design["coefficient_variable"].to_numpy()) == {"mu", "omega", "chi"}
    assert set(design["effect_variable"].to_numpy()) == {"u", "t", "l", "c"}
    pill = pp.decomposition_design(arms, terms={"drug"})
    assert not {"psi", "kappa", "epsilon", "beta"} & set(pill["coefficient_variable"].to_numpy())
    assert set(pill["effect_variable"].to_numpy()) == {"m", "v", "u", "t", "l", "c"}


def test_therapy_that_no_trial_randomises_has_no_deviations_of_its_own(arms):
    constant = arms[arms["trial"].isin(["t1", "t2"])]
    design = pp.decomposition_design(constant)
    assert column(design, "psi").all()
    assert "t" not in design["effect_variable"].to_numpy()


def test_a_term_that_was_asked_for_and_never_tried_stays_at_its_prior(arms):
    never = arms.assign(therapy=0.0, expectancy=0.0, experience=0.0)
    design = pp.decomposition_design(never, terms=ALL)
    for name in ("psi", "kappa", "epsilon", "beta"):
        assert not column(design, name).any()
    for name in ("w[MDMA]", "w[ketamine]", "w[psilocybin]"):
        assert not column(design, name, "effect").any()
    posterior = pp.fit(design, seed=1)["posterior"].dataset
    for name, sd in {"psi": 0.7, "kappa": 0.35, "epsilon": 0.5, "beta": 0.5}.items():
        assert float(posterior[name].std()) == pytest.approx(sd, rel=0.06)
    nobody = pp.decomposition_design(never.assign(dose=0.0, drug_given=""), terms=ALL)
    assert not {"delta", "kappa"} & set(nobody["coefficient"].to_numpy())


def test_the_random_structure_is_the_same_for_every_hypothesis(arms, contrasts):
    found = {
        tuple(
            (str(name), str(scale), tuple(values))
            for name, scale, mean, values in zip(
                design["effect"].to_numpy(), design["effect_scale"].to_numpy(), design["effect_mean"].to_numpy(),
                design["Z"].to_numpy().T, strict=True,
            )
            if not mean
        )
        for design in (pp.decomposition_design(arms, contrasts, terms=terms) for terms in pp.HYPOTHESES.values())
    }  # fmt: skip
    assert len(found) == 1


def test_each_part_knows_the_term_it_contributes_to(arms):
    design = pp.decomposition_design(arms, terms=ALL)
    variables = np.concatenate([design["coefficient_variable"].to_numpy(), design["effect_variable"].to_numpy()])
    terms = np.concatenate([design["coefficient_term"].to_numpy(), design["effect_term"].to_numpy()])
    assert dict(zip(variables, terms, strict=True)) == {
        "mu_construct": "course", "mu_own": "course", "m": "course", "omega": "waitlist", "chi": "comparator", "psi": "therapy",
        "epsilon": "expectancy", "beta": "experience", "delta": "drug", "v": "drug", "u": "drug", "kappa": "drug:therapy",
        "w": "drug:therapy", "t": "therapy", "l": "waitlist", "c": "comparator",
    }  # fmt: skip


@pytest.mark.parametrize("curve", CURVES)
def test_the_dose_shape_bends_both_arms_of_a_contrast_before_they_are_subtracted(arms, contrasts, curve):
    design = pp.decomposition_design(arms, contrasts, dose_shape=curve)
    f = CURVES[curve]
    expected = [f(1.0), 0, f(1.2), f(0.3), f(1.0), 0, 0, f(0.8), f(1.0) - f(0.1), f(0.5) - f(0.1), 0]
    np.testing.assert_allclose(column(design, "delta"), expected, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(column(design, "kappa")[8:], [*expected[8:10], f(1.0)], rtol=1e-14)


def test_therapy_can_be_counted_in_saturating_hours(arms):
    hours = arms.assign(therapy_hours=np.where(arms["therapy"] == 1, 20.0, np.nan))
    design = pp.decomposition_design(hours, therapy_measure="hours")
    amount = 1 - np.exp(-2)
    np.testing.assert_allclose(column(design, "psi"), amount * arms["therapy"], rtol=1e-14)
    np.testing.assert_allclose(column(design, "kappa"), amount * arms["therapy"] * arms["dose"], rtol=1e-14)


def test_an_uncontrolled_trial_keeps_its_own_baseline_unless_the_user_says_otherwise(arms):
    own = pp.decomposition_design(arms)
    np.testing.assert_array_equal(column(own, "mu_construct[depression]")[-1], 0)
    assert own["prior_sd"].sel(coefficient="mu_own[open]") == 10
    shared = pp.decomposition_design(arms, single_arm="exchangeable")
    assert "mu_own" not in shared["coefficient_variable"].to_numpy()
    assert column(shared, "mu_construct[depression]")[-1] == 1
    assert column(shared, "m[open]", "effect")[-1] == 1


def test_a_free_baseline_is_one_wide_parameter_per_trial(arms, contrasts):
    design = pp.decomposition_design(arms, contrasts, baseline="free", prior_free_baseline_sd=5.0)
    courses = design.isel(coefficient=np.flatnonzero(design["coefficient_term"].to_numpy() == "course"))
    assert courses["coefficient_label"].to_numpy().tolist() == ["t1", "t2", "t3", "open"]
    assert set(courses["prior_sd"].to_numpy()) == {5.0}
    np.testing.assert_array_equal(courses["X"].sum("coefficient"), [1] * 8 + [0] * 3)
    assert "tau_mu" not in design["scale"].to_numpy()


PRIORS = {
    "prior_drug_sd": "delta", "prior_therapy_sd": "psi", "prior_course_sd": "mu_construct[depression]", "prior_waitlist_sd": "omega",
    "prior_comparator_sd": "chi", "prior_expectancy_sd": "epsilon", "prior_experience_sd": "beta", "prior_interaction_sd": "kappa",
    "prior_free_baseline_sd": "mu_own[open]",
}  # fmt: skip


def test_every_prior_is_a_named_number(arms):
    numbers = {name: 0.11 * (i + 1) for i, name in enumerate(PRIORS)}
    design = pp.decomposition_design(arms, terms=ALL, **numbers)
    for name, coefficient in PRIORS.items():
        assert design["prior_sd"].sel(coefficient=coefficient) == numbers[name]
    assert set(design["prior_mean"].to_numpy()) == {0.0}


def test_the_heterogeneity_prior_is_half_normal_or_inverse_gamma_on_the_variance(arms):
    half = pp.decomposition_design(arms, prior_tau_sd=0.3)
    assert set(half["prior_scale_family"].to_numpy()) == {"halfnormal"}
    assert set(half["prior_scale_a"].to_numpy()) == {0.3}
    gamma = pp.decomposition_design(arms, prior_tau="invgamma", prior_tau_shape=2.0, prior_tau_rate=0.3)
    assert set(gamma["prior_scale_family"].to_numpy()) == {"invgamma"}
    assert set(gamma["prior_scale_a"].to_numpy()) == {2.0}
    assert set(gamma["prior_scale_b"].to_numpy()) == {0.3}


def test_the_design_says_what_it_is(arms):
    design = pp.decomposition_design(arms, baseline="free", dose_shape="log")
    assert design.attrs["terms"] == ["drug", "drug:therapy", "therapy"]
    assert (design.attrs["baseline"], design.attrs["dose_shape"]) == ("free", "log")
    assert (design.attrs["outcome"], design.attrs["scale"]) == ("change in reference SD", "sd")
    points = pp.decomposition_design(arms.assign(unit="points"))
    assert (points.attrs["outcome"], points.attrs["scale"]) == ("change in points of MADRS", "points")


def test_the_checksum_follows_the_data_and_nothing_else(arms):
    design = pp.decomposition_design(arms)
    same = pp.decomposition_design(arms, terms={"drug"}, prior_drug_sd=2.0)
    assert same.attrs["data_hash"] == design.attrs["data_hash"]
    for changed in (
        arms.assign(y=arms["y"] + 1e-9),
        arms.assign(se=arms["se"] * 2),
        arms.assign(label=arms["label"] + "!"),
    ):
        assert pp.decomposition_design(changed).attrs["data_hash"] != design.attrs["data_hash"]


def marginal(design, *, scales):
    """Log marginal density of y given the scales, and the prior SD of every column."""
    z_sd = np.array([scales[s] for s in design["effect_scale"].to_numpy()])
    X, Z = design["X"].to_numpy() * design["prior_sd"].to_numpy(), design["Z"].to_numpy() * z_sd
    covariance = design["covariance"].to_numpy() + X @ X.T + Z @ Z.T
    return stats.multivariate_normal.logpdf(design["y"].to_numpy(), np.zeros(len(covariance)), covariance)


def test_the_order_of_the_rows_changes_nothing(arms, contrasts):
    scales = {"tau": 0.3, "tau_drug": 0.2, "tau_mu": 0.4, "tau_context": 0.25}
    expected = marginal(pp.decomposition_design(arms, contrasts, terms=ALL), scales=scales)
    for seed in range(3):
        shuffled = [table.sample(frac=1, random_state=seed) for table in (arms, contrasts)]
        design = pp.decomposition_design(*shuffled, terms=ALL)
        assert marginal(design, scales=scales) == pytest.approx(expected, rel=1e-12)


def test_the_names_of_trials_arms_and_drugs_change_nothing(arms, contrasts):
    scales = {"tau": 0.3, "tau_drug": 0.2, "tau_mu": 0.4, "tau_context": 0.25}
    expected = marginal(pp.decomposition_design(arms, contrasts, terms=ALL), scales=scales)
    renamed = []
    for table in (arms, contrasts):
        table = table.assign(
            trial="zz" + table["trial"].str[::-1],
            arm="arm " + table["arm"],
            reference_arm="arm " + table["reference_arm"],
            drug_given=table["drug_given"].map({"psilocybin": "a", "MDMA": "z", "ketamine": "m"}),
            label=[f"row {i}" for i in range(len(table))],
            construct=table["construct"].map({"depression": "z", "ptsd": "a"}),
        )
        renamed.append(table.assign(label=table["trial"] + table["label"]))
    design = pp.decomposition_design(*renamed, terms=ALL)
    assert marginal(design, scales=scales) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"terms": {"pill"}}, "unknown terms: pill; known are drug, therapy"),
        ({"baseline": "pooled"}, "baseline = 'pooled'; it must be 'exchangeable' or 'free'"),
        ({"single_arm": "drop"}, "single_arm = 'drop'; it must be 'own' or 'exchangeable'"),
        ({"prior_tau": "halfcauchy"}, "prior_tau = 'halfcauchy'; it must be 'halfnormal' or 'invgamma'"),
        ({"dose_shape": "sigmoid"}, "dose_shape = 'sigmoid'; it must be 'linear', 'log' or 'emax'"),
        ({"therapy_measure": "sessions"}, "therapy_measure = 'sessions'; it must be 'presence' or 'hours'"),
        ({"prior_therapy_type_sd": 0.0}, "prior_therapy_type_sd = 0.0; it must be > 0, or None for one therapy"),
    ],
)
def test_a_choice_that_is_not_known_is_refused(arms, choice, message):
    with pytest.raises(ValueError, match=message):
        pp.decomposition_design(arms, **choice)


def test_hours_of_therapy_need_arm_rows(arms, contrasts):
    message = "therapy_measure='hours' needs arm rows: contrasts do not carry the hours of both arms"
    with pytest.raises(ValueError, match=message):
        pp.decomposition_design(arms, contrasts, therapy_measure="hours")


def test_all_rows_that_cannot_be_modelled_are_named_at_once(arms, contrasts):
    arms = pd.concat([arms, arms.iloc[[0]]]).reset_index(drop=True)
    arms.loc[1, "y"] = np.nan
    arms.loc[2, "se"] = 0.0
    arms.loc[3, "dose"] = np.inf
    arms.loc[4, "se"] = np.nan
    arms["expectancy"] = np.nan
    contrasts.loc[0, "reference_therapy"] = np.nan
    contrasts.loc[2, "trial"] = "t1"
    contrasts["unit"] = "points"
    with pytest.raises(ValueError, match="nothing was fitted:\n") as caught:
        pp.decomposition_design(arms, contrasts)
    assert str(caught.value).splitlines() == [
        "nothing was fitted:",
        "trial 't1' is among the arms and the contrasts; use contrasts(evidence, besides=arms)",
        "rows in SD units and in points together; use one unit",
        "t1: drug: the row is there twice",
        "t1: placebo: y is blank or not finite",
        "t3: drug: se is blank or not finite",
        "t2: low: dose is blank or not finite",
        "c1: high v low: reference_therapy is blank or not finite",
        "t2: high: se = 0; a standard error must be > 0",
    ]


@pytest.mark.parametrize("term", ["expectancy", "experience"])
def test_a_term_is_only_missed_where_it_is_asked_for(arms, term):
    arms.loc[0, term] = np.nan
    pp.decomposition_design(arms, terms={"drug"})
    with pytest.raises(ValueError, match=f"t1: drug: {term} is blank or not finite"):
        pp.decomposition_design(arms, terms={term})


def test_differences_that_follow_from_one_another_are_refused(arms, contrasts, contrast_row):
    loop = contrast_row("c1", "high", "mid", -0.3, 0.2, n=(20, 25))
    table = pd.concat([contrasts, pd.DataFrame([loop])])
    table["se"] = 0.3
    table[["n_arm", "n_reference"]] = np.nan
    with pytest.raises(ValueError, match=r"nothing was fitted:\ntrial 'c1': its differences follow from one another"):
        pp.decomposition_design(arms, table)


def test_a_prior_family_that_the_sampler_does_not_know_is_refused(arms):
    design = pp.decomposition_design(arms)
    design["prior_scale_family"] = xr.full_like(design["prior_scale_family"], "gamma", dtype="U10")
    message = (
        "scale 'tau_mu': prior family 'gamma' is not known; use halfnormal, halfcauchy, uniform, invgamma, invgamma_sd"
    )
    with pytest.raises(ValueError, match=message):
        pp.gaussian_model(design)


@pytest.mark.parametrize(
    ("family", "density"), [("halfcauchy", stats.halfcauchy(0, 0.4)), ("uniform", stats.uniform(0.4, 0.8))]
)
def test_the_model_takes_the_other_scale_priors_of_a_design(arms, family, density):
    design = pp.decomposition_design(arms, terms=set())
    design["prior_scale_family"] = xr.full_like(design["prior_scale_family"], family, dtype="U10")
    ends = {"prior_scale_a": 0.4, "prior_scale_b": 1.2}
    design = design.assign({name: xr.full_like(design[name], value) for name, value in ends.items()})
    model = pp.gaussian_model(design)
    log_density = model.compile_logp(vars=model["tau_mu"], jacobian=False, mode="FAST_COMPILE")
    value = model.rvs_to_values[model["tau_mu"]].name
    tau = 0.7
    coordinate = np.log(tau) if family == "halfcauchy" else np.log((tau - 0.4) / (1.2 - tau))
    assert float(log_density(model.initial_point() | {value: coordinate})) == pytest.approx(
        density.logpdf(tau), rel=1e-8
    )


def test_the_model_is_built_from_the_design_it_carries(arms, contrasts):
    model = pp.decomposition(arms, contrasts, terms=ALL, prior_tau_sd=0.3)
    xr.testing.assert_identical(model.design, pp.decomposition_design(arms, contrasts, terms=ALL, prior_tau_sd=0.3))
    assert [variable.name for variable in model.observed_RVs] == ["y"]


def test_every_hypothesis_and_baseline_can_be_built_from_the_evidence():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    differences = pp.contrasts(evidence, besides=arms)
    for terms, baseline in itertools.product([*pp.HYPOTHESES.values(), pp.HEADLINE], ["exchangeable", "free"]):
        design = pp.decomposition_design(arms, differences, terms=terms, baseline=baseline)
        assert design.sizes["row"] == len(arms) + len(differences)
        assert set(design["coefficient_term"].to_numpy()) == {"course", "waitlist", "comparator"} | terms
        vary = {"drug", "therapy", "waitlist", "comparator"} | ({"course"} if baseline == "exchangeable" else set())
        assert vary <= set(design["effect_term"].to_numpy())
