"""Therapies compared by type, and by hours of which some are unknown, against trials simulated by code of this file."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pillprocess as pp
from pillprocess.decomposition.therapy_effects import BETWEEN, CARRIED, OWN, PRIOR
from pillprocess.gaussian.marginals import linear_summary

TYPES = ("CBT", "exposure", "mindfulness", "support")


def typed_trials(arm_row, rng, *, pooled=None, by_type=None, per_type=3, people=40):
    """Three-arm trials without a drug, of a type against nothing and of two types; people drawn one by one."""
    pooled = 0.7 * rng.standard_normal() if pooled is None else pooled
    by_type = dict(zip(TYPES, 0.3 * rng.standard_normal(len(TYPES)), strict=True)) if by_type is None else by_type
    rows = []
    for i, name in enumerate(by_type):
        for j in range(per_type):
            other = TYPES[(i + 1 + j % 3) % 4]
            course, t = rng.normal(-0.5, 0.3), rng.normal(0, 0.1)
            for arm, kind in (("none", ""), ("own", name), ("other", other)):
                mean = course + (pooled + by_type[kind] + t if kind else 0.0)
                change = rng.normal(mean, 1.0, people)
                cells = {"therapy": float(bool(kind)), "therapy_type": kind}
                rows.append(arm_row(f"{name}{j}", arm, change.mean(), change.std(ddof=1) / people**0.5, **cells))
    return pd.DataFrame(rows), {name: pooled + effect for name, effect in by_type.items()}


def within_therapy(arm_row, trial, kind, hours=np.nan):
    """A trial of drug and placebo with one therapy in both arms."""
    cells = {"therapy": 1.0, "therapy_type": kind, "therapy_hours": hours}
    return [arm_row(trial, "drug", -1.7, 0.2, dose=1.0, **cells), arm_row(trial, "pill", -0.9, 0.2, **cells)]


def effects(names):
    """The effect of each type and the difference of two, as combinations of the design's parameters."""
    each = {name: {"psi": 1.0, f"psi_type[{name}]": 1.0} for name in names}
    return each | {"CBT against support": {"psi_type[CBT]": 1.0, "psi_type[support]": -1.0}}


def test_the_effects_of_types_are_recovered_with_their_own_uncertainty(arm_row):
    rng = np.random.default_rng(11)
    z = []
    for _ in range(20):
        rows, truth = typed_trials(arm_row, rng)
        truth["CBT against support"] = truth["CBT"] - truth["support"]
        found = linear_summary(pp.decomposition_design(rows, prior_therapy_type_sd=0.3), effects(TYPES))
        z.append([(found.loc[n, "mean"] - t) / found.loc[n, "sd"] for n, t in truth.items()])
    z = np.array(z)
    assert np.abs(z.mean(axis=0)).max() < 3.5 / 20**0.5
    assert 0.7 < z[:, :4].std() < 1.3
    assert 0.6 < z[:, 4].std() < 1.5


def test_types_are_pulled_towards_their_mean_and_the_more_the_smaller_the_prior(arm_row):
    by_type = {"CBT": -0.5, "exposure": 0.0, "mindfulness": 0.0, "support": 0.5}
    rows, _ = typed_trials(arm_row, np.random.default_rng(5), pooled=-0.5, by_type=by_type)
    difference = [
        linear_summary(pp.decomposition_design(rows, prior_therapy_type_sd=s), effects(TYPES)).loc["CBT against support", "mean"]
        for s in (0.05, 0.3, 3.0)
    ]  # fmt: skip
    assert 0 > difference[0] > difference[1] > difference[2]
    assert difference[1] == pytest.approx(-1.0, abs=0.3)


def test_by_default_all_therapy_is_one(arm_row):
    rows, _ = typed_trials(arm_row, np.random.default_rng(2))
    design = pp.decomposition_design(rows)
    assert "psi_type" not in design["coefficient_variable"].to_numpy()
    with pytest.raises(ValueError, match="the fitted model takes all therapy as one; fit decomposition_design"):
        pp.therapy_effects(pp.fit(design, seed=1, draws=50))


def test_a_type_that_no_trial_randomised_is_carried_over_and_says_so(arm_row):
    rows, _ = typed_trials(arm_row, np.random.default_rng(3), pooled=-0.6, by_type=dict.fromkeys(TYPES, 0.0))
    amid = within_therapy(arm_row, "amid", "MDMA_AT")
    confounded = [
        arm_row("both", "drug", -1.6, 0.2, dose=1.0, therapy=1.0, therapy_type="MET"),
        arm_row("both", "list", -0.2, 0.2, waitlist=1.0),
    ]
    rows = pd.concat([rows, pd.DataFrame([*amid, *confounded])], ignore_index=True)
    found = {}
    for baseline in ("exchangeable", "free"):
        idata = pp.fit(pp.decomposition_design(rows, baseline=baseline, prior_therapy_type_sd=0.3), seed=1)
        draws = pp.therapy_effects(idata)
        table = found[baseline] = pp.effect_table(draws).set_index("therapy_type")
        assert table["trials"].to_dict() == {
            "CBT": 6,
            "exposure": 6,
            "mindfulness": 6,
            "support": 6,
            "MDMA_AT": 0,
            "MET": 0,
        }
        assert set(table["evidence"][list(TYPES)]) == {OWN}
        assert draws["rows"].sel(therapy_type=["MDMA_AT", "MET", "CBT"]).to_numpy().tolist() == [2, 1, 6]
    assert set(found["exchangeable"]["evidence"][["MDMA_AT", "MET"]]) == {CARRIED + BETWEEN}
    assert set(found["free"]["evidence"][["MDMA_AT", "MET"]]) == {CARRIED}
    # with free baselines the arms of MDMA_AT say nothing of it: what is known of the mean, and the prior of a type
    common = pp.effect_table(idata["posterior"].dataset["psi"])["sd"].iloc[0]
    assert found["free"].loc["MDMA_AT", "sd"] == pytest.approx(np.hypot(common, 0.3), rel=0.05)


def test_without_any_trial_of_therapy_every_type_rests_on_the_prior(arm_row):
    rows = [row for j in range(4) for row in within_therapy(arm_row, f"p{j}", "support")]
    idata = pp.fit(pp.decomposition_design(pd.DataFrame(rows), baseline="free", prior_therapy_type_sd=0.3), seed=1)
    table = pp.effect_table(pp.therapy_effects(idata))
    assert table["evidence"].tolist() == [PRIOR]
    assert table["sd"].iloc[0] == pytest.approx(np.hypot(0.7, 0.3), rel=0.05)


def test_a_difference_of_two_therapies_counts_for_both(arm_row, contrast_row):
    row = contrast_row(
        "c1",
        "a",
        "b",
        -0.4,
        0.2,
        reference={"therapy": 1.0, "therapy_type": "support"},
        therapy=1.0,
        therapy_type="CBT",
    )
    row["reference_therapy_type"] = "support"
    arms, _ = typed_trials(arm_row, np.random.default_rng(4), by_type=dict.fromkeys(TYPES, 0.0), per_type=1)
    design = pp.decomposition_design(arms, pd.DataFrame([row]), prior_therapy_type_sd=0.3)
    at = design["X"].isel(row=-1)
    assert float(at.sel(coefficient="psi")) == 0
    assert [float(at.sel(coefficient=f"psi_type[{n}]")) for n in ("CBT", "support", "exposure")] == [1, -1, 0]
    trials = pp.therapy_effects(pp.fit(design, seed=1, draws=50))["trials"]
    assert trials.to_series().to_dict() == {"CBT": 3, "exposure": 2, "mindfulness": 2, "support": 3}


def test_therapy_without_a_type_cannot_enter_by_type(arm_row, contrast_row):
    arms = pd.DataFrame([arm_row("t", "a", -1.0, 0.2, therapy=1.0), arm_row("t", "b", -0.5, 0.2)])
    row = contrast_row("c", "x", "y", -0.4, 0.2, reference={"therapy": 1.0})
    with pytest.raises(
        ValueError, match="therapy cannot enter by type:\nt: a: therapy_type is blank\nc: x v y: reference_ther"
    ):
        pp.decomposition_design(arms, pd.DataFrame([row]), prior_therapy_type_sd=0.3)


def hourly_trials(arm_row, rng, *, psi, missing):
    """Trials of therapy against nothing, of which the first ``missing`` keep their hours to themselves."""
    rows = []
    for j in range(16):
        hours, course = rng.uniform(2, 25), rng.normal(-0.5, 0.3)
        for arm, given in (("therapy", 1.0), ("none", 0.0)):
            change = rng.normal(course + psi * (1 - np.exp(-hours / 10)) * given, 1.0, 60)
            cells = {
                "therapy": given,
                "therapy_type": "CBT" if given else "",
                "therapy_hours": np.nan if j < missing else hours,
            }
            rows.append(arm_row(f"t{j}", arm, change.mean(), change.std(ddof=1) / 60**0.5, **cells))
    return pd.DataFrame(rows)


def test_therapy_with_hours_of_which_most_are_missing_is_recovered(arm_row):
    rng = np.random.default_rng(21)
    z, sds = [], []
    for _ in range(20):
        psi = 0.7 * rng.standard_normal()
        design = pp.decomposition_design(hourly_trials(arm_row, rng, psi=psi, missing=10), therapy_measure="hours")
        found = linear_summary(design, {"psi": {"psi": 1.0}}).loc["psi"]
        z.append((found["mean"] - psi) / found["sd"])
        sds.append(found["sd"])
    assert abs(np.mean(z)) < 3.5 / 20**0.5
    assert 0.6 < np.std(z) < 1.4
    assert max(sds) < 0.35


def test_the_prior_of_unknown_hours_is_two_trials_of_anything_and_those_that_report(arm_row):
    def arm(trial, name, kind, hours):
        return arm_row(trial, name, -1.0, 0.2, therapy=1.0, therapy_type=kind, therapy_hours=hours)

    rows = [arm("a", "x", "CBT", 10.0), arm("a", "y", "CBT", 10.0), arm("b", "x", "CBT", 20.0), arm("c", "x", "CBT", np.nan),
            arm("d", "x", "MET", np.nan), arm_row("d", "none", -0.5, 0.2)]  # fmt: skip
    design = pp.decomposition_design(pd.DataFrame(rows), therapy_measure="hours")
    said = design["therapy_hours_from"].to_numpy().tolist()
    assert said[:3] == ["reported"] * 3
    assert said[3:] == [
        "modelled: 2 trials with CBT report hours",
        "modelled: no trial with MET reports hours",
        "no therapy",
    ]
    c = 1 - np.exp(-np.array([1.0, 2.0]))
    mean = (1 + c.sum()) / 4
    second = 2 / 4 / 3 + (c**2).sum() / 4
    np.testing.assert_allclose(design["X"].sel(coefficient="psi"), [*c[[0, 0, 1]], mean, 0.5, 0], rtol=1e-12)
    prior = design["prior_sd"].to_series()
    assert prior["hours[c: CBT]"] == pytest.approx(0.7 * np.sqrt(second - mean**2), rel=1e-12)
    assert prior["hours[d: MET]"] == pytest.approx(0.7 / np.sqrt(12), rel=1e-12)


def test_the_prior_of_a_row_without_hours_has_the_moments_of_the_product(arm_row):
    """Hours, therapy, type and interaction drawn from their priors, against the normal that the design puts there."""
    cells = {"therapy": 1.0, "therapy_type": "CBT", "dose": 1.5}
    rows = [arm_row("a", "x", -1.0, 0.2, therapy_hours=8.0, **cells), arm_row("b", "x", -1.0, 0.2, **cells)]
    design = pp.decomposition_design(pd.DataFrame(rows), therapy_measure="hours", prior_therapy_type_sd=0.4)
    here = np.isin(design["coefficient_variable"], ["psi", "psi_type", "kappa", "hours", "hours_drug"])
    normal = float(((design["X"].isel(row=1) * design["prior_sd"])[here] ** 2).sum())
    rng, n = np.random.default_rng(8), 400_000
    c = np.where(rng.random(n) < 2 / 3, rng.random(n), 1 - np.exp(-0.8))
    product = c * (0.7 * rng.standard_normal(n) + 0.4 * rng.standard_normal(n) + 1.5 * 0.35 * rng.standard_normal(n))
    assert normal == pytest.approx(product.var(), rel=0.02)


def test_drug_and_placebo_within_a_therapy_of_unknown_hours_lose_nothing(arm_row):
    def rows(hours):
        return pd.DataFrame([row for j in range(4) for row in within_therapy(arm_row, f"p{j}", "support", hours)])

    terms, alone = {"drug", "therapy"}, {"drug": {"delta": 1.0, "v[psilocybin]": 1.0}}
    found = [
        linear_summary(pp.decomposition_design(rows(h), terms=terms, baseline="free", therapy_measure="hours"), alone).loc["drug"]
        for h in (12.0, np.nan)
    ]  # fmt: skip
    assert found[1]["mean"] == pytest.approx(found[0]["mean"], abs=1e-3)
    assert found[1]["sd"] == pytest.approx(found[0]["sd"], rel=1e-2)


def test_differences_between_arms_carry_the_hours_of_both(arm_row, contrast_row):
    cells = {"therapy": 1.0, "therapy_type": "CBT"}
    arms = pd.DataFrame([arm_row("t", "a", -1.0, 0.2, therapy_hours=5.0, **cells), arm_row("t", "b", -0.5, 0.2)])
    row = contrast_row(
        "c", "x", "y", -0.4, 0.2, reference={"therapy": 1.0}, therapy=1.0, therapy_type="CBT", therapy_hours=20.0
    )
    known = row | {"reference_therapy_type": "CBT", "reference_therapy_hours": 10.0}
    unknown = known | {"reference_therapy_hours": np.nan, "trial": "e", "label": "e: x v y"}
    design = pp.decomposition_design(arms, pd.DataFrame([known, unknown]), therapy_measure="hours")
    c = 1 - np.exp(-np.array([0.5, (20 + 10) / 20, 2.0]))
    pair = [1 - np.exp(-2.0), 1 - np.exp(-1.0)]
    reported = [c[0], np.mean(pair), pair[0]]  # trials t, c and e: each one is one trial
    mean = (1 + sum(reported)) / 5
    np.testing.assert_allclose(
        design["X"].sel(coefficient="psi"), [c[0], 0, pair[0] - pair[1], pair[0] - mean], rtol=1e-12
    )
    np.testing.assert_array_equal(design["X"].sel(coefficient="hours[e: CBT]"), [0, 0, 0, -1])
    assert design["therapy_hours_from"].to_numpy()[-1] == "reported v modelled: 3 trials with CBT report hours"


def test_the_sampler_takes_the_design_that_the_closed_form_takes(arm_row):
    rng = np.random.default_rng(9)
    rows = pd.concat(
        [typed_trials(arm_row, rng)[0], hourly_trials(arm_row, rng, psi=-0.4, missing=8)], ignore_index=True
    )
    rows["dose"] = (rows["arm"] == "other").astype(float)
    design = pp.decomposition_design(rows, therapy_measure="hours", prior_therapy_type_sd=0.3)
    model = pp.gaussian_model(design)
    start = model.initial_point()
    point = {n: np.log(0.5) if n.endswith("_log__") else rng.standard_normal(np.shape(v)) for n, v in start.items()}
    point = {n: np.asarray(v, float) for n, v in point.items()}
    location = design["X"].to_numpy() @ _drawn(design, "coefficient", model, point, 1.0)
    location = location + design["Z"].to_numpy() @ _drawn(design, "effect", model, point, 0.5)
    expected = stats.norm.logpdf(design["y"], location, np.sqrt(np.diag(design["covariance"]))).sum()
    assert float(model.compile_logp(vars=[model["y"]])(point)) == pytest.approx(expected, rel=1e-9)


def _drawn(design, kind, model, point, scale):
    """The point's value of every column of a design."""
    raw = "" if kind == "coefficient" else "_raw"
    values = []
    for variable, dim, label in zip(
        *(design[f"{kind}_{w}"].to_numpy() for w in ("variable", "dim", "label")), strict=True
    ):
        value = point[f"{variable}{raw}"]
        values.append(scale * (value[list(model.coords[dim]).index(label)] if dim else float(value)))
    return np.array(values)


def test_the_real_evidence_is_decomposed_by_type_and_by_hours():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    both = arms, pp.contrasts(evidence, besides=arms)
    design = pp.decomposition_design(*both, therapy_measure="hours", prior_therapy_type_sd=0.3)
    table = pp.effect_table(pp.therapy_effects(pp.fit(design, seed=1, draws=100))).set_index("therapy_type")
    assert {"CBT", "MDMA_AT", "mindfulness", "support", "exposure", "MET"} <= set(table.index)
    assert table.loc["MDMA_AT", "trials"] == 0
    assert table.loc["MDMA_AT", "evidence"].startswith(CARRIED)
    assert table["trials"].sum() > 0
    assert not pp.identifiability(pp.fit(design, seed=1, draws=100)).empty
