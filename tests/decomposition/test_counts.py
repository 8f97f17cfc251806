"""Counts by the exact binomial: a published network, recomputed by a sampler of the test's own; counts beside other rows."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pillprocess as pp
from pillprocess.rows.response_contrasts import check_counts

SMOKING = """A9/140 C23/140 D10/138|B11/78 C12/85 D29/170|A75/731 C363/714|A2/106 C9/205|A58/549 C237/1561|A0/33 C9/48|A3/100 C31/98
A1/31 C26/95|A6/39 C17/77|A79/702 B77/694|A18/671 B21/535|A64/642 C107/761|A5/62 C8/90|A20/234 C34/237|A0/20 D9/20|A8/116 B19/149
A95/1107 C143/1031|A15/187 C36/504|A78/584 C73/675|A69/1177 C54/888|B20/49 C16/43|B7/66 D32/127|C12/76 D20/74|C9/55 D3/26"""
"""Help to stop smoking, 24 trials (Hasselblad 1998, doi:10.1177/0272989X9801800110): no contact, self-help, individual, group."""

PUBLISHED = {"B": (0.49, 0.40), "C": (0.84, 0.24), "D": (1.10, 0.44), "tau": (0.83, 0.19)}
"""Log odds ratios against no contact and SD between trials, as multinma 0.7 prints them; its runs differ by up to .03 in the means."""


def smoking() -> pd.DataFrame:
    rows = []
    for number, trial in enumerate(SMOKING.replace("\n", "|").split("|"), start=1):
        for arm in trial.split():
            responders, n = arm[1:].split("/")
            rows.append({"trial": f"s{number:02d}", "treatment": arm[0], "responders": int(responders), "n": int(n)})
    return pd.DataFrame(rows)


def gibbs(counts: pd.DataFrame, *, draws: int, seed: int) -> dict[str, np.ndarray]:
    """The same model by other means: Metropolis steps for every arm's logit, exact normal draws of mu and d, a grid for tau."""
    rng = np.random.default_rng(seed)
    trial, names = pd.factorize(counts["trial"])
    treatment = np.array(["ABCD".index(t) for t in counts["treatment"]])
    r, n = counts["responders"].to_numpy(), counts["n"].to_numpy()
    design = np.zeros((len(counts), len(names) + 3))
    design[np.arange(len(counts)), trial] = 1
    active = treatment > 0
    design[active, len(names) + treatment[active] - 1] = 1
    gram = design.T @ design
    theta, beta, tau = np.log((r + 0.5) / (n - r + 0.5)), np.zeros(design.shape[1]), 0.8
    step = 2.4 / np.sqrt((r + 1) * (n - r + 1) / (n + 2) + 2 / tau**2)
    grid = np.linspace(0.02, 4, 800)
    kept = {name: np.empty(draws) for name in ("B", "C", "D", "tau")}
    for i in range(-1000, draws):
        for _ in range(2):
            centre = design @ beta
            proposal = theta + step * rng.standard_normal(len(theta))

            def density(x, centre=centre, tau=tau):
                return r * x - n * np.logaddexp(0, x) - (x - centre) ** 2 / tau**2

            theta = np.where(np.log(rng.random(len(theta))) < density(proposal) - density(theta), proposal, theta)
        precision = 2 / tau**2 * gram + np.eye(len(beta)) / 100**2
        root = np.linalg.cholesky(precision)
        mean = np.linalg.solve(precision, 2 / tau**2 * (design.T @ theta))
        beta = mean + np.linalg.solve(root.T, rng.standard_normal(len(beta)))
        square = ((theta - design @ beta) ** 2).sum()
        log_weight = -len(theta) * np.log(grid) - square / grid**2 - 0.5 * (grid / 5) ** 2
        weight = np.exp(log_weight - log_weight.max())
        tau = float(rng.choice(grid, p=weight / weight.sum()))
        if i >= 0:
            for k, name in enumerate("BCD"):
                kept[name][i] = beta[len(names) + k]
            kept["tau"][i] = tau
    return kept


def test_the_tests_own_sampler_finds_what_was_published():
    kept = gibbs(smoking(), draws=6000, seed=1)
    for name, (mean, sd) in PUBLISHED.items():
        assert kept[name].mean() == pytest.approx(mean, abs=0.05), name
        assert kept[name].std() == pytest.approx(sd, abs=0.05), name


@pytest.mark.slow
def test_the_exact_binomial_model_has_the_posterior_of_the_published_network():
    model = pp.response_model(smoking(), reference="A", prior_effect_sd=100, prior_baseline_sd=100, prior_tau_sd=5)
    idata = pp.fit(model, seed=1, draws=1500, tune=1000)
    pp.check_fit(idata)
    table = pp.effect_table(idata["posterior"].dataset[["d", "tau"]])
    mine = dict(zip([*"BCD", "tau"], table.itertuples(), strict=True))
    own = gibbs(smoking(), draws=20000, seed=2)
    for name, row in mine.items():
        error = row.sd / np.sqrt(row.ess)
        assert row.mean == pytest.approx(own[name].mean(), abs=4 * error + 0.015), name
        assert row.sd == pytest.approx(own[name].std(), rel=0.07), name
        assert row.mean == pytest.approx(PUBLISHED[name][0], abs=0.04), name


def test_the_density_of_counts_is_the_binomial_of_its_docstring():
    counts = smoking().head(6)
    model = pp.response_model(counts, reference="A", link="probit")
    point = model.initial_point() | {"d": np.array([0.1, 0.4, 0.6])}
    got = model.compile_logp(vars=[model["responders"]])(point)
    effect = counts["treatment"].map({"A": 0.0, "B": 0.1, "C": 0.4, "D": 0.6})
    want = stats.binom.logpmf(counts["responders"], counts["n"], stats.norm.cdf(effect)).sum()
    assert float(got) == pytest.approx(want)


def test_impossible_counts_are_named_and_nothing_is_fitted():
    bad = pd.DataFrame(
        {
            "trial": ["a", "a", "b", "c", "c"],
            "treatment": list("ABAAA"),
            "n": [10, 10, 5, 5, 0.5],
            "responders": [12, 3, np.nan, 2, 0.2],
        }
    )
    with pytest.raises(ValueError, match="nothing was fitted") as error:
        check_counts(bad)
    assert "a: 12 responders of n = 10; a count must lie between 0 and n" in str(error.value)
    assert "b: n or the count of responders is blank" in str(error.value)
    assert "c: 0.2 of 0.5; people are counted in whole numbers above 0" in str(error.value)
    with pytest.raises(ValueError, match="the table of counts lacks responders"):
        check_counts(bad.drop(columns="responders"))
    good = pd.DataFrame({"trial": ["a", "b", "b"], "treatment": ["A", "B", "B"], "n": 9, "responders": 3})
    with pytest.raises(ValueError, match="nothing was fitted") as error:
        pp.response_model(good, reference="Z")
    for words in (
        "trial 'a': one arm compares nothing",
        "trial 'b': treatment 'B' is there twice",
        "reference = 'Z': no arm got it",
    ):
        assert words in str(error.value)
    with pytest.raises(ValueError, match="link = 'cloglog'; it must be 'logit' or 'probit'"):
        pp.response_model(smoking(), reference="A", link="cloglog")


def counted(arm_row, trial: str, drug: tuple[int, int], placebo: tuple[int, int]) -> list[dict]:
    cells = {"kind": "count", "counted": "response"}
    return [
        arm_row(trial, arm, np.nan, np.nan, dose=dose, responders=r, n=n, **cells)
        for arm, dose, (r, n) in (("drug", 1.0, drug), ("placebo", 0.0, placebo))
    ]


def continuous(arm_row) -> pd.DataFrame:
    return pd.DataFrame(
        [
            arm_row(f"t{j}", arm, y, 0.2, dose=dose)
            for j in range(4)
            for arm, dose, y in (("drug", 1.0, -1.0 - 0.1 * j), ("placebo", 0.0, -0.4))
        ]
    )


def test_the_approximation_is_the_difference_of_probits_and_only_where_cells_are_large(arm_row):
    rows = pd.DataFrame(
        [*counted(arm_row, "large", (60, 100), (30, 100)), *counted(arm_row, "small", (4, 10), (1, 10))]
    )
    table = pp.response_contrasts(rows)
    assert table["trial"].tolist() == ["large"]
    assert table["y"][0] == pytest.approx(stats.norm.ppf(0.3) - stats.norm.ppf(0.6))
    rng = np.random.default_rng(1)
    simulated = stats.norm.ppf(rng.binomial(100, 0.3, 40000) / 100) - stats.norm.ppf(
        rng.binomial(100, 0.6, 40000) / 100
    )
    assert table["se"][0] == pytest.approx(simulated.std(), rel=0.03)
    assert table["y"][0] == pytest.approx(simulated.mean(), abs=0.02)
    edge = pd.DataFrame(counted(arm_row, "edge", (10, 40), (10, 60)))
    at = pp.response_contrasts(edge).iloc[0]
    draws = [rng.binomial(n, p, 40000).clip(1) / n for n, p in ((60, 1 / 6), (40, 1 / 4))]
    difference = stats.norm.ppf(draws[0]) - stats.norm.ppf(draws[1])
    assert at["y"] == pytest.approx(difference.mean(), abs=0.02)
    assert at["se"] == pytest.approx(difference.std(), rel=0.05)


def test_counts_join_the_decomposition_with_the_density_of_its_docstring(arm_row):
    arms, counts = continuous(arm_row), pd.DataFrame(counted(arm_row, "c", (14, 20), (5, 20)))
    model = pp.decomposition_with_counts(arms, None, counts, terms={"drug"})
    plain = pp.decomposition(arms, terms={"drug"})
    assert set(plain.named_vars) < set(model.named_vars)
    assert list(model.coords["count"]) == ["c: drug", "c: placebo"]
    assert "c" not in set(model.design["trial"].to_numpy())
    point = model.initial_point() | {"delta": np.array(-0.5), "threshold": np.array([-0.3])}
    got = model.compile_logp(vars=[model["responders"]])(point)
    want = stats.binom.logpmf([14, 5], 20, stats.norm.cdf([-0.3 + 0.5, -0.3])).sum()
    assert float(got) == pytest.approx(want)
    with pytest.raises(ValueError, match="the counts of t0 are of trials that other rows hold already"):
        pp.decomposition_with_counts(arms, None, counts.assign(trial="t0"))


@pytest.mark.slow
def test_counts_and_their_approximation_move_the_drug_term_alike(arm_row):
    arms = continuous(arm_row)
    counts = pd.DataFrame([row for j in range(6) for row in counted(arm_row, f"c{j}", (70, 100), (30, 100))])
    exact = pp.fit(pp.decomposition_with_counts(arms, None, counts, terms={"drug"}), seed=1, target_accept=0.99)
    near = pp.response_contrasts(counts)
    sides = {f"reference_{c}": 0.0 for c in ("dose", "therapy", "waitlist", "comparator", "expectancy", "experience")}
    near = near.assign(**{k: v for k, v in sides.items() if k not in near})
    approximate = pp.fit(pp.decomposition_design(arms, near, terms={"drug"}), seed=1)
    one, other = (pp.effect_table(i["posterior"].dataset["delta"]).iloc[0] for i in (exact, approximate))
    assert one["mean"] == pytest.approx(other["mean"], abs=0.05)
    assert one["sd"] == pytest.approx(other["sd"], rel=0.15)


def test_response_rates_follow_from_the_effect_and_the_rate_without_the_drug(arm_row):
    idata = pp.fit(pp.decomposition_design(continuous(arm_row), terms={"drug"}), seed=1)
    found = pp.response_rates(idata, control_rate=0.3, therapy=(0.0,))
    effect = pp.relative_effects(idata, therapy=(0.0,))
    np.testing.assert_allclose(found["response"], stats.norm.cdf(stats.norm.ppf(0.3) - effect))
    np.testing.assert_allclose(found["nnt"], 1 / (found["response"] - 0.3))
    with pytest.raises(ValueError, match="control_rate = 1.2; it must lie between 0 and 1"):
        pp.response_rates(idata, control_rate=1.2)


def test_the_evidence_gives_counts_of_symptoms_for_trials_that_have_no_other_row():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    differences = pp.contrasts(evidence, besides=arms)
    counts = pp.response_arms(evidence, arms, differences)
    assert not set(counts["trial"]) & {*arms["trial"], *differences["trial"]}
    assert (counts.groupby("trial")["arm"].nunique() > 1).all()
    assert (counts["responders"] <= counts["n"]).all()
    assert set(counts["counted"]) <= {"response", "remission"}
    assert "khorramzadeh1973" not in set(counts["trial"])  # an abreactive response is no symptom
