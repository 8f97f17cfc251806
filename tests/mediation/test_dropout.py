"""Those who left, imputed otherwise: the curves are those of closed forms, and pooled files obey the rules they name."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from pillprocess.mediation import imputed
from pillprocess.mediation.dropout import _regression, tipping_point, tipping_table
from pillprocess.mediation.imputed import pool_imputed_estimates, pool_imputed_fits
from pillprocess.mediation.plot_dropout import plot_tipping
from pillprocess.mediation.repeated import repeated_mediation
from pillprocess.mediation.repeated_effects import repeated_effects
from pillprocess.participants.followup import FollowUp, load_followup
from tests.mediation.trees import tree

PEOPLE = 4000
DIRECT, SLOPE = np.array([-1.0, -2.0, -4.0]), -0.1
TE = DIRECT + 30 * SLOPE
"""Total effects at three visits; the experience is 30 higher with the drug."""

LEFT = {1: 0.2, 2: 0.3}
"""Share of the drug's arm that leaves after visit 1 and after visit 2, whatever happened."""


@pytest.fixture(scope="module")
def trial() -> tuple[FollowUp, xr.DataTree]:
    """People of a trial with dropout completely at random, and its true parameters as a posterior of many equal draws."""
    rng = np.random.default_rng(5)
    arm, base = np.arange(PEOPLE) % 2, rng.normal(30, 5, PEOPLE)
    experience = 20 + 30 * arm + rng.normal(0, 10, PEOPLE)
    residual = rng.multivariate_normal(
        np.zeros(3), 25 * np.array([[1, 0.6, 0.5], [0.6, 1, 0.6], [0.5, 0.6, 1]]), PEOPLE
    )
    Y = 28 + 0.5 * (base - 30)[:, None] + arm[:, None] * DIRECT + SLOPE * (experience - 20)[:, None] + residual
    u = rng.random(PEOPLE)
    Y[(arm == 1) & (u < LEFT[1]), 1:] = np.nan
    Y[(arm == 1) & (u >= LEFT[1]) & (u < LEFT[1] + LEFT[2]), 2:] = np.nan
    data = pd.DataFrame(
        {"arm": arm, "base": base, "experience": experience, "s1": Y[:, 0], "s2": Y[:, 1], "s3": Y[:, 2]}
    )
    data.loc[3::40, "experience"] = np.nan
    data.loc[4::40, "s1"] = np.nan  # gaps, which stay at random
    people = load_followup(
        data, outcomes=["s1", "s2", "s3"], treatment="arm", reference=0, mediators="experience", baseline="base"
    )
    alpha_y = 28 - 15 - SLOPE * 20
    truth = {
        "alpha_m": [20.0], "a": [[30.0]], "gamma_m": [[0.0]], "sigma_m": [10.0], "alpha_y": [alpha_y] * 3, "c": DIRECT[:, None],
        "b": [[SLOPE]] * 3, "theta": np.zeros((3, 1, 1)), "gamma_y": [[0.5]] * 3, "sigma_y": [5.0] * 3,
        "correlation_y": [0.6, 0.5, 0.6],
    }  # fmt: skip
    model = repeated_mediation(people)
    return people, tree(model, {n: np.repeat(np.asarray(v, float)[None], 120, axis=0) for n, v in truth.items()})


def test_at_random_the_curve_begins_at_the_total_effect_and_falls_by_the_share_who_left(trial):
    people, idata = trial
    curve = tipping_point(idata, people, delta=[0, 4, 8], imputations=60, seed=1)
    assert float(repeated_effects(idata)["te"].sel(visit="s3").mean()) == pytest.approx(-7, abs=1e-6)
    mean = curve["te"].mean(("chain", "draw")).to_numpy()
    assert mean[0] == pytest.approx(-7, abs=0.5)
    assert np.diff(mean) == pytest.approx([4 * 0.5, 4 * 0.5], abs=0.15)
    assert curve["tnie"].mean(("chain", "draw")).to_numpy()[0] == pytest.approx(-3, abs=0.6)
    assert (curve["pnde"] + curve["tnie"]).to_numpy() == pytest.approx(curve["te"].to_numpy())
    left = people.outcomes["s3"].isna() & (people.people.arm == "1")
    assert curve.attrs["imputed"] == left.sum()


def test_reference_based_effects_are_those_of_their_definitions(trial):
    people, idata = trial
    jump, copy = (
        tipping_point(idata, people, delta=[0], imputation=rule, imputations=60, seed=2)["te"].mean().item()
        for rule in ("jump_to_reference", "copy_increments")
    )
    kept = 1 - LEFT[1] - LEFT[2]
    # the own deviations of those who left are 0 on average, also in the mediator: all left at random
    assert jump == pytest.approx(kept * TE[2], abs=0.5)
    assert copy == pytest.approx(kept * TE[2] + LEFT[1] * TE[0] + LEFT[2] * TE[1], abs=0.5)


def test_the_spread_of_stacked_draws_is_rubins_total_variance(trial):
    people, idata = trial
    curve = tipping_point(idata, people, delta=[0], imputations=120, seed=3)
    seen = people.outcomes["s3"].notna()
    rows = pd.concat([people.people.treatment, people.people.covariates, people.outcomes["s3"]], axis=1)[seen]
    X = np.column_stack([np.ones(len(rows)), rows.iloc[:, :2]])
    complete = 5.1**2 * np.linalg.inv(X.T @ X)[1, 1]  # residual SD of s3 given baseline: 25 + (.1 x 10)^2
    spread = float(curve["te"].std())
    assert 0.7 * np.sqrt(complete) < spread < 1.3 * np.sqrt(complete)


def test_a_completed_visit_is_analysed_with_clusters_levels_as_a_mixed_model_is():
    """Draws have mean and covariance of generalised least squares, the variance between clusters in it."""
    rng, tau, sigma = np.random.default_rng(7), 2.0, 1.5
    A = np.column_stack([np.ones(60), np.arange(60) % 2, rng.normal(size=60)])
    C = (rng.integers(0, 6, 60)[:, None] == np.arange(6)).astype(float)
    y = A @ [1.0, -2.0, 0.5] + C @ rng.normal(0, tau, 6) + rng.normal(0, sigma, 60)
    draws = np.array([_regression(A, y[:, None], rng, C, np.full(6, sigma / tau))[:3, 0] for _ in range(8000)])
    V = np.eye(60) + (tau / sigma) ** 2 * C @ C.T
    weighed = np.linalg.solve(V, A)
    precision = A.T @ weighed
    beta = np.linalg.solve(precision, weighed.T @ y)
    error = y - A @ beta
    variance = error @ np.linalg.solve(V, error) / 57 * 57 / 55  # of a t with 57 degrees of freedom
    assert draws.mean(0) == pytest.approx(beta, abs=0.04)
    assert draws.std(0) == pytest.approx(np.sqrt(variance * np.diag(np.linalg.inv(precision))), rel=0.03)


def test_people_who_left_a_therapist_are_imputed_at_that_therapists_level(trial):
    people, idata = trial
    therapist = pd.DataFrame({"therapist": np.where(np.arange(PEOPLE) % 3 == 0, "good", "bad")})
    clustered = replace(people, people=replace(people.people, clusters=therapist))
    model = repeated_mediation(people)
    levels = np.array([[0.0, -6, -6, -6], [0.0, 3, 3, 3]])  # of the outcome: on average 0
    posterior = idata["posterior"].dataset.isel(chain=0)
    values = {str(n): v.to_numpy() for n, v in posterior.items()}
    fitted = tree(model, values)
    size = len(posterior["draw"])
    fitted["posterior"] = xr.DataTree(
        fitted["posterior"].dataset.assign(
            deviation_therapist=(("chain", "draw", "cluster", "level"), np.tile(levels, (1, size, 1, 1))),
            tau_therapist=(("chain", "draw", "effect"), np.full((1, size, 2), 5.0)),
        )
    )
    shifted = replace(clustered, outcomes=clustered.outcomes + np.where(therapist == "good", -6, 3))
    plain = tipping_point(idata, people, delta=[0], imputations=40, seed=4)["te"].to_numpy()
    own = tipping_point(fitted, shifted, delta=[0], imputations=40, seed=4)["te"].to_numpy()
    ignored = tipping_point(idata, replace(shifted, people=people.people), delta=[0], imputations=40, seed=4)[
        "te"
    ].to_numpy()
    assert own.mean() == pytest.approx(plain.mean(), abs=0.03)  # the levels are known, and taken out again
    assert own.std() == pytest.approx(plain.std(), rel=0.2)
    assert ignored.std() > 1.1 * plain.std()


def test_conclusions_turn_where_the_table_and_the_figure_say(save_figure):
    rng = np.random.default_rng(0)
    delta = np.linspace(0, 10, 11)
    noise = rng.normal(0, 1, (4, 500, 1))
    names = ("chain", "draw", "delta")
    curve = xr.Dataset(
        {"te": (names, -4 + 0.5 * delta + noise), "tnie": (names, -0.5 + 0.1 * delta + noise), "pnde": (names, -9 + 0.1 * delta + noise)},
        coords={"delta": delta},
    ).assign_attrs(imputation="at_random", visit="madrs_6")  # fmt: skip
    table = tipping_table(curve).set_index("estimand")
    high = np.quantile(noise, 0.975)
    assert table.loc["te", "delta_interval"] == pytest.approx((4 - high) / 0.5, abs=0.02)
    assert table.loc["te", "delta_mean"] == pytest.approx((4 - noise.mean()) / 0.5, abs=0.02)
    assert table.loc["tnie", "verdict"] == "the interval holds 0 from the start"
    assert table.loc["pnde", "verdict"] == "the interval holds 0 nowhere from 0 to 10"
    ax = plot_tipping(curve, higher_is_worse=True, title="Those who left")
    assert "down is improvement" in ax.get_ylabel()
    save_figure(ax)


def test_wrong_choices_and_other_people_are_refused(trial):
    people, idata = trial
    with pytest.raises(
        ValueError,
        match=r"(?s)imputation = 'last'; it must be one of at_random.*applied_to = \['x'\]: name arms of 0, 1.*nothing was imputed",
    ):
        tipping_point(idata, people, imputation="last", applied_to=["x"], seed=1)
    fewer = FollowUp(people.people, people.outcomes.where(people.outcomes > 20), people.time)
    with pytest.raises(ValueError, match="not those that the fit was made from: their numbers of outcomes seen differ"):
        tipping_point(idata, fewer, seed=1)


def test_estimates_are_pooled_by_rubins_rules():
    q, se = np.array([1.0, 1.4, 0.9]), np.array([0.5, 0.6, 0.55])
    table = pool_imputed_estimates(q, se)
    within, between = (se**2).mean(), q.var(ddof=1) * 4 / 3
    df = 2 * (1 + within / between) ** 2
    row = table.iloc[0]
    assert row["se"] == pytest.approx(np.sqrt(within + between))
    assert row["ci_high"] == pytest.approx(q.mean() + stats.t.ppf(0.975, df) * row["se"])
    assert "Rubin's rules over 3 imputed files" in table.attrs["rule"]
    with pytest.raises(ValueError, match="2 estimates and 1 standard errors: give one of each per imputed file"):
        pool_imputed_estimates([1, 2], [1])


def test_posteriors_of_imputed_files_are_stacked_and_each_must_converge(trial, monkeypatch):
    _, idata = trial
    checked = []
    monkeypatch.setattr(imputed, "check_fit", checked.append)
    other = xr.DataTree.from_dict({f"/{n}": node.dataset.copy(deep=True) for n, node in idata.children.items()})
    other["posterior"]["c"] = other["posterior"]["c"] + 2
    other["constant_data"]["covariate_mean"] = other["constant_data"]["covariate_mean"] + 1
    for one, spread in ((idata, 2.0), (other, 4.0)):
        one["constant_data"]["covariate_covariance"] = xr.DataArray([[spread]], dims=["one", "other"])
    pooled = pool_imputed_fits([idata, other])
    assert pooled["constant_data"]["covariate_covariance"].item() == 3
    assert len(checked) == 2
    assert "2 imputed files stacked in equal numbers; with fewer than 20 files" in pooled.attrs["rule"]
    te = repeated_effects(pooled)["te"].sel(visit="s3")
    assert te.mean("draw").to_numpy() == pytest.approx([-7, -5])
    assert float(te.mean()) == pytest.approx(-6)
    with pytest.raises(ValueError, match="1 fit of an imputed file; two files or more are pooled"):
        pool_imputed_fits([idata])
    short = xr.DataTree.from_dict(
        {"/posterior": idata["posterior"].dataset.isel(draw=slice(5)), "/constant_data": idata["constant_data"].dataset}
    )
    with pytest.raises(ValueError, match=r"files \[1\] have other variables, labels or numbers of draws"):
        pool_imputed_fits([idata, short])
