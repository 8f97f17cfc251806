"""Simulated trials of the real evidence's shape: what was put in comes out, with the uncertainty it claims."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import pillprocess as pp

pytestmark = pytest.mark.slow

TRUTHS = 30
"""Simulated evidence bases per baseline; ``pillprocess calibrate decomposition`` ranks 200 of them, and its ranks are committed."""


@pytest.fixture(scope="module")
def tables():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    return arms, pp.contrasts(evidence, besides=arms)


def simulate(design, rng):
    """Draw parameters from their priors and new data for every row of the design."""
    scales = {
        str(s): abs(rng.normal(0, design["prior_scale_a"].sel(scale=s).item())) for s in design["scale"].to_numpy()
    }
    beta = rng.normal(design["prior_mean"], design["prior_sd"])
    b = np.array([scales[s] for s in design["effect_scale"].to_numpy()]) * rng.normal(size=design.sizes["effect"])
    theta = design["X"].to_numpy() @ beta + design["Z"].to_numpy() @ b
    y = theta + np.linalg.cholesky(design["covariance"].to_numpy()) @ rng.normal(size=len(theta))
    truth = dict(zip(design["coefficient"].to_numpy(), beta, strict=True))
    truth |= dict(zip(design["effect"].to_numpy(), b, strict=True)) | scales
    return design.assign(y=("row", y)), truth


SETTINGS = [
    ("psilocybin", 0.0),
    ("psilocybin", 1.0),
    ("ketamine", 0.0),
    ("ketamine", 1.0),
    ("MDMA", 1.0),
    ("esketamine", 0.0),
]


def quantities(idata, truth):
    """Draws (draw,) and true value of every quantity by which the fit is judged."""
    posterior = idata["posterior"].dataset
    out = {
        name: (posterior[name], truth[name])
        for name in ("delta", "psi", "kappa", "omega", "chi", *pp.heterogeneity(idata))
    }
    effects = pp.relative_effects(idata)
    for drug, therapy in SETTINGS:
        true = truth["delta"] + truth[f"v[{drug}]"] + therapy * (truth["kappa"] + truth.get(f"w[{drug}]", 0.0) / 2)
        out[f"{drug}, therapy {therapy:g}"] = (effects.sel(drug=drug, therapy=therapy), true)
    trial = "goodwin2022: psilocybin"
    true = truth["delta"] + truth["v[psilocybin]"] + truth[f"u[{trial}]"] + truth["kappa"] + truth["w[psilocybin]"] / 2
    out[trial] = (pp.trial_effects(idata).sel(trial_drug=trial), true)
    return {name: (draws.to_numpy().ravel(), true) for name, (draws, true) in out.items()}


@pytest.mark.parametrize("baseline", ["exchangeable", "free"])
def test_intervals_of_the_exact_route_cover_the_truth_as_often_as_they_say(tables, baseline):
    design = pp.decomposition_design(*tables, baseline=baseline)
    rng = np.random.default_rng(20240615)
    covered, below = {}, {}
    for repeat in range(TRUTHS):
        simulated, truth = simulate(design, rng)
        for name, (draws, true) in quantities(pp.fit(simulated, seed=repeat, draws=250), truth).items():
            low, high = np.quantile(draws, [0.025, 0.975])
            covered.setdefault(name, []).append(low <= true <= high)
            below.setdefault(name, []).append((draws < true).mean())
    fewest, most = stats.binom.ppf([1e-4, 1 - 1e-4], TRUTHS, 0.95)
    counts = {name: int(np.sum(values)) for name, values in covered.items()}
    assert all(fewest <= count <= most for count in counts.values()), counts
    # the truth's rank among the draws is uniform when truths are drawn from the prior
    p = {name: stats.kstest(values, "uniform").pvalue for name, values in below.items()}
    assert min(p.values()) > 0.001, p


def test_the_sampler_gives_the_exact_answer_on_simulated_trials(tables):
    design = pp.decomposition_design(*tables)
    simulated, truth = simulate(design, np.random.default_rng(3))
    sampled = pp.fit(simulated, seed=3, route="sampler", draws=500, tune=500)
    assert int(sampled["sample_stats"]["diverging"].sum()) == 0
    found = quantities(sampled, truth)
    for name, (expected, true) in quantities(pp.fit(simulated, seed=3), truth).items():
        draws, _ = found[name]
        # at least 250 effective draws: means to .063 SD, SDs to 5 %; three to four standard errors are allowed
        assert abs(draws.mean() - expected.mean()) < 0.22 * expected.std(), name
        assert draws.std() == pytest.approx(expected.std(), rel=0.2), name
        low, high = np.quantile(draws, [0.0005, 0.9995])
        assert low <= true <= high, name


def test_what_no_trial_carries_stays_at_its_prior(tables):
    arms, _ = tables
    amid = arms[(arms["therapy"] == 1) & (arms["waitlist"] == 0)]
    several = amid[amid.groupby("trial")["trial"].transform("size") > 1]
    design = pp.decomposition_design(several, baseline="free")
    posterior = pp.fit(design, seed=1)["posterior"].dataset
    # every arm has therapy: psi only shifts the free baselines, whose prior N(0, 10^2) is wide, not flat: it pulls psi by .08 SD
    assert float(posterior["psi"].std()) == pytest.approx(0.7, abs=0.05)
    xr.testing.assert_allclose(posterior["psi"].mean(), xr.zeros_like(posterior["psi"].mean()), atol=0.1)
    assert pp.linear_summary(design, {"psi": {"psi": 1.0}}).loc["psi", "mean"] == pytest.approx(-0.054, abs=0.01)
