"""Published pooled figures, recomputed from the tables in data/ and from the public meta-analytic files.

The published recipe (Singleton et al. 2026, doi:10.1038/s44220-026-00630-8, and its sister data set on MDMA): Hedges g per
study from endpoint means and SDs, REML between-study variance, Knapp-Hartung interval.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import pillprocess as pp
from pillprocess.decomposition.columns import Columns, design_dataset


def hedges_g(n, mean, sd):
    """Hedges g of the first against the second group, J = 1 - 3 / (4 N - 9), and its variance."""
    total = sum(n)
    pooled = np.sqrt(sum((size - 1) * s**2 for size, s in zip(n, sd, strict=True)) / (total - 2))
    d = (mean[0] - mean[1]) / pooled
    return d * (1 - 3 / (4 * total - 9)), sum(1 / size for size in n) + d**2 / (2 * total)


def random_effects(g, variance):
    """REML tau2, and the Knapp-Hartung mean with its 95 % interval."""
    g, variance = np.asarray(g, float), np.asarray(variance, float)

    def weigh(tau2):
        weight = 1 / (variance + tau2)
        return weight, (weight * g).sum() / weight.sum()

    def deviance(tau2):
        weight, mean = weigh(tau2)
        return -np.log(weight).sum() + np.log(weight.sum()) + (weight * (g - mean) ** 2).sum()

    tau2 = optimize.minimize_scalar(deviance, bounds=(0, 10), method="bounded", options={"xatol": 1e-12}).x
    tau2 = tau2 if deviance(tau2) < deviance(0.0) else 0.0
    weight, mean = weigh(tau2)
    k = len(g)
    half = stats.t.ppf(0.975, k - 1) * np.sqrt((weight * (g - mean) ** 2).sum() / (k - 1) / weight.sum())
    return {"g": mean, "ci_low": mean - half, "ci_high": mean + half, "tau2": tau2, "k": k}


def test_the_estimator_agrees_with_a_case_worked_by_hand():
    # equal variances: the mean is the plain mean, tau2 = s^2 - v, the interval that of a t test
    found = random_effects([-1.0, -0.5, 0.0, 0.3], [0.1] * 4)
    s2 = np.var([-1.0, -0.5, 0.0, 0.3], ddof=1)
    assert found["g"] == pytest.approx(-0.3, rel=1e-12)
    assert found["tau2"] == pytest.approx(s2 - 0.1, abs=1e-6)
    assert found["ci_high"] - found["g"] == pytest.approx(3.182446305284263 * np.sqrt(s2 / 4), rel=1e-12)
    homogeneous = random_effects([-0.5, -0.6, -0.4], [0.2, 0.1, 0.4])
    assert homogeneous["tau2"] == 0
    assert homogeneous["g"] == pytest.approx((-0.5 / 0.2 - 0.6 / 0.1 - 0.4 / 0.4) / (5 + 10 + 2.5), rel=1e-12)


def test_hedges_g_agrees_with_a_case_worked_by_hand():
    g, variance = hedges_g((10, 20), (8.0, 10.0), (2.0, 2.0))
    assert g == pytest.approx(-1 * (1 - 3 / 111), rel=1e-12)
    assert variance == pytest.approx(0.15 + 1 / 60, rel=1e-12)


PSILOCYBIN = {
    # trial: instrument, day, arm, control
    "back2024": ("MADRS", 28, "psilocybin_25mg", "niacin_100mg"),
    "davis2021": ("GRID-HAMD", 28, "immediate", "delayed_waitlist"),
    "goodwin2022": ("MADRS", 21, "psilocybin_25mg", "psilocybin_1mg"),
    "griffiths2016": ("GRID-HAMD", 35, "highdose_first", "lowdose_first"),
    "lewis2025": ("QIDS-SR16", 14, "psilocybin_mbsr", "mbsr"),
    "luquiens2025": ("BDI-II", 42, "psilocybin_25mg", "psilocybin_1mg"),
    "raison2023": ("MADRS", 43, "psilocybin_25mg", "niacin_100mg"),
    "rieser2025": ("BDI", 30, "psilocybin_25mg", "placebo_mannitol"),
    "rosenblat2024": ("MADRS", 14, "immediate", "waitlist"),
    "ross2016": ("BDI", 49, "psilocybin_first", "niacin_first"),
    "ross2025": ("HADS-D", 42, "psilocybin_25mg", "niacin_100mg"),
    "vonrotz2023": ("MADRS", 14, "psilocybin_0.215mgkg", "placebo"),
}
MDMA = {
    "mitchell2021": ("CAPS-5", 126, "mdma_80_120mg", "placebo"),
    "mitchell2023": ("CAPS-5", 126, "mdma_80_120mg", "placebo"),
    "mithoefer2011": ("CAPS-IV", 112, "mdma_125mg", "placebo"),
    "mithoefer2018": ("CAPS-IV", 56, "mdma_125mg", "mdma_30mg"),
    "oehen2013": ("CAPS-IV", 98, "mdma_125mg", "mdma_25mg"),
    "otalora2018": ("CAPS-IV", 56, "mdma_125mg", "mdma_40mg"),
}


@pytest.fixture(scope="module")
def evidence():
    return pp.load_evidence()


def study_effects(evidence, recipe):
    """Hedges g and its variance per study from our arm rows: endpoint means, where there are none changes."""
    outcomes = evidence.outcomes.set_index(["trial_id", "arm_id", "instrument", "time_days"]).sort_index()
    table = {}
    for trial, (instrument, day, *pair) in recipe.items():
        arms = pd.concat([outcomes.loc[[(trial, arm, instrument, float(day))]] for arm in pair])
        assert len(arms) == 2
        endpoint = arms[["n", "post_mean", "post_sd"]].notna().all(axis=None)
        mean, sd = ("post_mean", "post_sd") if endpoint else ("change_mean", "change_sd")
        g, variance = hedges_g(arms["n"].tolist(), arms[mean].tolist(), arms[sd].tolist())
        table[trial] = {"g": g, "variance": variance, "basis": "endpoint" if endpoint else "change"}
    return pd.DataFrame.from_dict(table, orient="index")


@pytest.fixture
def metapsy(shared):
    """A public meta-analytic file: rows at the primary instrument and time point, one per study."""

    def read(name, studies, *, high_against_low):
        table = pd.read_csv(
            shared(f"evidence/public/metapsy_data-{name}/data.csv"), sep=";", decimal=",", na_values=["NA"]
        )
        table = table[(table["primary_instrument"] == 1) & (table["primary_timepoint"] == 1)]
        order = table["outcome_type"].map({"msd": 0, "imsd": 1, "change": 2})
        table = table.assign(order=order).dropna(subset="order").sort_values("order", kind="stable")
        pair = list(zip(table["multi_arm1"], table["multi_arm2"], strict=True))
        # "22 mg/kg" against "1 mg/kg" is the only comparison of its study; the others name their arms in mg
        table = table[[not str(a).endswith(" mg") or (a, b) in high_against_low for a, b in pair]]
        key = table["study"].str.lower().str.replace(r"[ ']", "", regex=True)
        return table.assign(trial=key).drop_duplicates("trial").set_index("trial").loc[list(studies)]

    return read


@pytest.fixture
def public_psilocybin(metapsy):
    return metapsy("depression-psiloctr", PSILOCYBIN, high_against_low={("25 mg", "1 mg")})


@pytest.fixture
def public_mdma(metapsy):
    pairs = {("125 mg", low) for low in ("30 mg", "25 mg", "40 mg")}
    return metapsy("ptsd-mdmactr", MDMA, high_against_low=pairs)


PUBLISHED_PSILOCYBIN = {"g": -0.903, "ci_low": -1.256, "ci_high": -0.550, "tau2": 0.117}
PUBLISHED_MDMA = {"g": -0.712, "ci_low": -0.953, "ci_high": -0.470, "tau2": 0.0}


def test_the_public_files_give_the_published_figures_to_the_last_digit(public_psilocybin, public_mdma):
    for table, published, k in ((public_psilocybin, PUBLISHED_PSILOCYBIN, 12), (public_mdma, PUBLISHED_MDMA, 6)):
        pooled = random_effects(table[".g"], table[".g_se"] ** 2)
        assert pooled["k"] == k
        for name, value in published.items():
            assert round(pooled[name], 3) == pytest.approx(value, abs=1e-9), name


def test_each_study_of_our_tables_gives_the_effect_of_the_public_file(evidence, public_psilocybin, public_mdma):
    for recipe, public in ((PSILOCYBIN, public_psilocybin), (MDMA, public_mdma)):
        ours = study_effects(evidence, recipe)
        gap = ours["g"] - public[".g"]
        # inputs are rounded to the digits the tables keep
        assert gap.drop(index="goodwin2022", errors="ignore").abs().max() < 0.0005
        assert (np.sqrt(ours["variance"]) - public[".g_se"]).drop(
            index="goodwin2022", errors="ignore"
        ).abs().max() < 0.0005


def test_psilocybin_against_control_for_depression(evidence):
    """Within .02 of the published mean; the interval differs because goodwin2022 enters by its change.

    The public file takes an endpoint SD imputed by its compilers for goodwin2022 (g -0.709); our tables hold only what the
    trial printed, the change and its SD (g -0.541). The lower g of the largest trial raises tau2 and widens the interval.
    """
    ours = study_effects(evidence, PSILOCYBIN)
    assert ours.index[ours["basis"] == "change"].tolist() == ["goodwin2022"]
    assert ours.loc["goodwin2022", "g"] == pytest.approx(-0.5414, abs=5e-5)
    pooled = random_effects(ours["g"], ours["variance"])
    assert pooled["k"] == 12
    assert pooled["g"] == pytest.approx(PUBLISHED_PSILOCYBIN["g"], abs=0.02)
    assert pooled["ci_low"] == pytest.approx(PUBLISHED_PSILOCYBIN["ci_low"], abs=0.02)
    assert {name: round(pooled[name], 3) for name in PUBLISHED_PSILOCYBIN} == {
        "g": -0.888, "ci_low": -1.255, "ci_high": -0.522, "tau2": 0.147,
    }  # fmt: skip

    # with the compilers' g for that one trial, everything is the published figure
    ours.loc["goodwin2022", ["g", "variance"]] = [-0.70917, 0.164084**2]
    pooled = random_effects(ours["g"], ours["variance"])
    for name, value in PUBLISHED_PSILOCYBIN.items():
        assert pooled[name] == pytest.approx(value, abs=0.001), name


def test_mdma_against_control_for_ptsd(evidence):
    """The inputs are the same, so the published figures come back to the third digit.

    The doubts about these tables (baseline of mitchell2023, change of oehen2013 and otalora2018) concern baselines and
    changes; the recipe uses endpoints.
    """
    ours = study_effects(evidence, MDMA)
    assert set(ours["basis"]) == {"endpoint"}
    pooled = random_effects(ours["g"], ours["variance"])
    assert pooled["k"] == 6
    for name, value in PUBLISHED_MDMA.items():
        assert pooled[name] == pytest.approx(value, abs=0.001), name


def test_the_open_label_trials_carry_the_published_difference(evidence):
    """Without the three open-label trials: 0.81 [0.60, 1.03], k = 9, as printed by a reanalysis of the same file."""
    blinded = study_effects(evidence, PSILOCYBIN).drop(index=["davis2021", "lewis2025", "rosenblat2024"])
    blinded.loc["goodwin2022", ["g", "variance"]] = [-0.70917, 0.164084**2]
    pooled = random_effects(blinded["g"], blinded["variance"])
    printed = evidence.pooled_effects
    printed = printed[printed["comparison"].str.contains("excluding open-label (9 trials)", regex=False)].iloc[0]
    assert pooled["k"] == printed["k"] == 9
    found = [-pooled["g"], -pooled["ci_high"], -pooled["ci_low"]]
    np.testing.assert_allclose(found, printed[["estimate", "ci_low", "ci_high"]].astype(float), atol=0.005)


def normal_normal(effects):
    """The design of a plain random-effects meta-analysis with the priors of the published Bayesian figure."""
    k = len(effects)
    rows = pd.DataFrame(
        {
            "label": effects.index, "trial": effects.index, "arm": "drug", "kind": "contrast", "role": "active",
            "study_drug": "psilocybin", "condition": "MDD", "construct": "depression", "y": effects["g"], "unit": "sd", "therapy": 0.0,
        }
    )  # fmt: skip
    columns = Columns(k)
    columns.coefficient("delta", "", "", "drug", np.ones(k), 1.0)
    for position, trial in enumerate(effects.index):
        columns.effect("u", "trial", str(trial), "drug", np.eye(k)[position], "tau")
    return design_dataset(
        rows, columns, np.diag(effects["variance"]), ("halfnormal", 0.5, 0.0), attrs={"outcome": "Hedges g"}
    )


def test_the_exact_route_gives_the_published_bayesian_figure(public_psilocybin, evidence):
    """bayesmeta on the same twelve studies, mu ~ N(0, 1), tau ~ half-normal(0.5), printed with its data set."""
    effects = pd.DataFrame({"g": public_psilocybin[".g"], "variance": public_psilocybin[".g_se"] ** 2})
    posterior = pp.fit(normal_normal(effects), seed=1, draws=10_000)["posterior"].dataset
    printed = evidence.pooled_effects
    (median,) = printed.loc[printed["comparison"].str.startswith("bayesmeta"), "estimate"]
    # 40,000 independent draws: standard errors .0007 (mean, median), .0005 (SD), .001 (tau)
    assert float(posterior["delta"].median()) == pytest.approx(median, abs=0.003)
    assert float(posterior["delta"].mean()) == pytest.approx(-0.8763131, abs=0.003)
    assert float(posterior["delta"].std()) == pytest.approx(0.1426918, abs=0.002)
    assert float(posterior["tau"].mean()) == pytest.approx(0.3127251, abs=0.004)
    assert float(posterior["tau"].median()) == pytest.approx(0.2990692, abs=0.004)
    assert float(posterior["tau"].std()) == pytest.approx(0.1835568, abs=0.004)


DIFFERENT_INPUTS = {
    # ours, from the trial's public individual data (complete cases), minus the compilers', from printed values
    ("carhartharris2021", "BDI", "computed_change"): 0.0069,
    ("carhartharris2021", "HAMD17", "computed_endpoint"): 0.0169,
    ("carhartharris2021", "MADRS", "computed_change"): -0.0356,
    ("carhartharris2021", "MADRS", "computed_endpoint"): -0.0053,
    ("carhartharris2021", "QIDS-SR16", "computed_change"): 0.1463,
}


def test_every_g_of_the_contrast_table_comes_back_from_the_arm_table(evidence):
    """Of 120 effects computed by the compilers 3 lack arm rows here, and 5 of one trial rest on its individual data."""
    key = ["trial_id", "arm_id", "instrument", "time_days"]
    outcomes = evidence.outcomes.drop_duplicates(key).set_index(key)
    table = evidence.contrasts
    table = table[(table["effect_type"] == "hedges_g") & table["basis"].isin(["computed_endpoint", "computed_change"])]
    absent, differing, compared = [], {}, 0
    for row in table.itertuples():
        columns = ["post_mean", "post_sd"] if row.basis == "computed_endpoint" else ["change_mean", "change_sd"]
        keys = [(row.trial_id, arm, row.instrument, row.time_days) for arm in (row.arm_id, row.reference_arm_id)]
        arms = outcomes.reindex(keys)[["n", *columns]]
        if arms.isna().any(axis=None):
            absent.append((row.trial_id, row.instrument))
            continue
        compared += 1
        g, _ = hedges_g(*(arms[c].tolist() for c in arms))
        # changes are printed to a tenth of a point
        if abs(g - row.estimate) > 0.002:
            differing[row.trial_id, row.instrument, row.basis] = round(g - row.estimate, 4)
    assert compared == 116
    # raison2023 has an SE and no SD of its change at day 43: the mixed model has more people than the endpoint
    no_arms = [("mitchell2021", "BDI-II"), ("mithoefer2018", "BDI-II"), ("otalora2018", "BDI-II")]
    assert sorted(absent) == [*no_arms, ("raison2023", "MADRS")]
    assert differing == DIFFERENT_INPUTS


PRINTED_DIFFERENCES = {
    # the difference of two printed changes, in points: trial, instrument, arm, control, printed difference
    ("back2024", "MADRS", "psilocybin_25mg", "niacin_100mg"): -12.0,
    ("goodwin2022", "MADRS", "psilocybin_25mg", "psilocybin_1mg"): -6.6,
    ("goodwin2022", "MADRS", "psilocybin_10mg", "psilocybin_1mg"): -2.5,
    ("raison2023", "MADRS", "psilocybin_25mg", "niacin_100mg"): -12.3,
    ("mitchell2023", "CAPS-5", "mdma_80_120mg", "placebo"): -8.9,
    ("daly2018", "MADRS", "esketamine_84mg", "placebo"): -10.5,
}


def test_the_difference_of_two_arms_is_the_difference_the_trial_printed(evidence):
    arms = pp.arm_changes(evidence).set_index(["trial", "arm"])
    reference = evidence.instruments.set_index("instrument")["reference_sd"]
    for (trial, instrument, arm, control), printed in PRINTED_DIFFERENCES.items():
        rows = arms.loc[[(trial, arm), (trial, control)]]
        assert set(rows["instrument"]) == {instrument}
        # daly2018 prints its means with one digit more than the difference
        assert -np.diff(rows["y"]).item() * reference[instrument] == pytest.approx(printed, abs=0.11)
