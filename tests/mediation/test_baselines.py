"""Missing baselines drawn from a joint normal model: closed forms, trials by NumPy, worlds that it does not assume."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pillprocess.mediation.baselines import draw_normal, impute_baselines
from pillprocess.participants.table import load_participants
from tests.mediation.baseline_worlds import World, simulate

ROLES = {"baselines": ["x", "age"], "arm": "arm", "others": ["m", "y"], "seed": 1}


def small(**columns: object) -> pd.DataFrame:
    """40 people, two baselines with blanks, and blanks in mediator and outcome."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.normal(size=(40, 4)), columns=["x", "age", "m", "y"]).assign(arm=["a", "b"] * 20)
    table.loc[:4, "x"] = table.loc[3:9, "age"] = table.loc[8:12, "m"] = table.loc[4:6, "y"] = np.nan
    return table.assign(**columns)


def test_with_one_arm_and_nothing_missing_the_covariance_is_the_conjugate_inverse_wishart():
    """The factored draws against the joint posterior IW(p + 2 + n - 1, I + S): its mean, and SciPy's variances."""
    rng = np.random.default_rng(1)
    V = rng.normal(size=(12, 4)) @ rng.normal(size=(4, 4))
    draws = [draw_normal(V, np.ones((12, 1)), 2, rng, by_arm=False, randomised=True) for _ in range(1500)]
    covariance = np.array([c[0] for _, c in draws])
    S = np.eye(4) + 11 * np.cov(V.T)
    df = 4 + 2 + 11
    variance = np.diag(stats.invwishart(df, S).var())
    assert (
        np.abs(covariance.mean(0) - S / (df - 5)) < 0.1 * np.sqrt(np.outer(np.diag(S), np.diag(S))) / (df - 5)
    ).all()
    np.testing.assert_allclose(np.diagonal(covariance, axis1=1, axis2=2).var(0), variance, rtol=0.25)
    mean = np.array([m[0] for m, _ in draws])
    np.testing.assert_allclose(mean.mean(0), V.mean(0), atol=0.1 * V.std(0).max())
    np.testing.assert_allclose(np.cov(mean.T), S / (df - 5) / 12, atol=0.1 * S.max() / (df - 5) / 12)


def test_baselines_are_drawn_from_their_distribution_given_everything_seen():
    """4,000 people, two baselines missing together at random: mean and covariance given arm, mediator and outcome in closed form."""
    rng, n = np.random.default_rng(2), 4000
    L = np.array([[4.0, 0, 0, 0], [1.5, 2, 0, 0], [3, -2, 5, 0], [2, 1, -1, 3]])
    C, arm = L @ L.T, np.arange(n) % 2
    shift = np.outer(arm, [0, 0, 6, -4])
    table = pd.DataFrame([20, 40, 0, 10] + shift + rng.normal(size=(n, 4)) @ L.T, columns=["x", "age", "m", "y"])
    table = table.assign(arm=arm)
    gone = np.arange(n) % 3 == 0
    table.loc[gone, ["x", "age"]] = np.nan
    slope = np.linalg.solve(C[2:, 2:], C[2:, :2])
    expected = [20, 40] + (table[["m", "y"]].to_numpy() - [0, 10] - shift[:, 2:])[gone] @ slope
    rest = C[:2, :2] - C[:2, 2:] @ slope
    tables = impute_baselines(table, **ROLES, m=6, burn=20, sweeps=5)
    residual = np.array([t.loc[gone, ["x", "age"]].to_numpy() - expected for t in tables])
    np.testing.assert_allclose(residual.mean((0, 1)), 0, atol=0.25)
    np.testing.assert_allclose(np.cov(residual.reshape(-1, 2).T), rest, atol=0.08 * rest.max())
    by = np.column_stack([np.ones(gone.sum()), arm[gone], table.loc[gone, ["m", "y"]]])
    left = np.linalg.lstsq(by, residual.mean(0), rcond=None)[0]
    assert (np.abs(left[1:]) < [[0.5], [0.08], [0.08]]).all()


def test_only_baselines_are_filled_and_the_tables_say_so():
    table = small()
    tables = impute_baselines(table, **ROLES, m=2, burn=20)
    again = impute_baselines(table, **ROLES, m=2, burn=20, by_arm=True)
    for one in [*tables, *again]:
        assert one[["x", "age"]].notna().all(axis=None)
        assert (one.eq(table) | table.isna()).all(axis=None)
        assert one[["m", "y"]].isna().equals(table[["m", "y"]].isna())
    assert not tables[0].equals(tables[1])
    assert tables[1].equals(impute_baselines(table, **ROLES, m=2, burn=20)[1])
    people = load_participants(
        tables[1], treatment="arm", reference="a", mediators="m", outcome="y", covariates=["x", "age"], higher_is_worse=True,
        repeated_rows="different people",
    )  # fmt: skip
    assert "12 missing baselines (x, age) are draws of a normal model: table 2 of 2" in people.notes


def test_missing_by_the_outcome_complete_cases_are_biased_and_pooled_files_are_not():
    found = simulate(World(), trials=25, n=200, m=5, seed=1)
    assert (found["complete"].abs() > 0.06).all()
    assert (found["imputed"].abs() < 0.04).all()
    assert found["covered"].mean() > 0.88


def test_missing_by_its_own_value_draws_are_biased_where_complete_cases_are_not():
    found = simulate(World(depends_on="x"), trials=4, n=3000, m=3, seed=2)
    assert found.loc["b", "imputed"] > 0.035
    assert abs(found.loc["b", "complete"]) < 0.03


def test_an_interaction_is_kept_by_draws_within_arms_alone():
    world = World(interaction=1.5)
    plain, within = (simulate(world, trials=2, n=10_000, m=3, seed=4, by_arm=b)["imputed"] for b in (False, True))
    assert plain["g"] < -0.04
    assert plain["b"] > 0.03
    assert (within.abs() < 0.03).all()


def test_arms_that_differ_before_treatment_are_filled_about_their_own_means_where_the_table_is_observational():
    rng, n = np.random.default_rng(6), 2000
    arm = np.arange(n) % 2
    table = pd.DataFrame({"arm": arm, "x": 2.0 * arm + rng.normal(size=n), "y": rng.normal(size=n)})
    gone = rng.random(n) < 0.3
    table.loc[gone, "x"] = np.nan
    roles = {"baselines": ["x"], "arm": "arm", "others": ["y"], "seed": 1, "m": 2, "burn": 20}
    apart, common = (
        impute_baselines(table, **roles, randomised=r)[1].loc[gone].groupby("arm")["x"].mean() for r in (False, True)
    )
    np.testing.assert_allclose(apart, [0, 2], atol=0.2)
    assert common[1] - common[0] < 1.5


@pytest.mark.parametrize(
    ("table", "roles", "message"),
    [
        (small(), {"m": 1}, "m = 1, burn and sweeps of 20 or more: two tables or more are pooled"),
        (small(), {"others": []}, "baselines and others: name one of each or more; draws that do not know the outcome"),
        (small(), {"others": ["m", "z"]}, "column 'z' is not in the table(?s:.*)nothing was imputed"),
        (small(), {"others": ["m", "x"]}, "column 'x' has two roles, baseline and other"),
        (small(arm=["a", None] * 20), {}, r"column 'arm': the arm is missing on row 1 \(20 in all\); arms are not imputed"),
        (small(x=["f", None] * 20), {}, "column 'x': a baseline of words; give it as columns of 0 and 1 where it is complete"),
        (small(x=[0, 1, None, 1] * 10), {}, "column 'x': a baseline of two values that is missing for 10 people; a normal draw"),
        (small(m=[1.0, "n/a"] * 20), {}, "column 'm': row 1"),
        (small(x=np.nan), {}, "column 'x': missing in everybody, so there is nothing to learn it from"),
        (small(age=3.0), {}, "column 'age' does not vary within any arm; leave it out"),
        (small(m=lambda t: t["m"].where(t["arm"] == "a")), {}, "column 'm' was never observed in arm 'b', so its mean"),
        (small()[:6], {}, "6 people in the table and 4 columns: more than 6 people are needed"),
        (small()[:10], {"by_arm": True}, "5 people in the smallest arm and 4 columns: more than 5 people are needed"),
        (small(x=range(40), age=[0, 1] * 20), {}, "no baseline is missing: use the table as it is"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_imputed_is_refused_in_words(table, roles, message):
    with pytest.raises(ValueError, match=message):
        impute_baselines(table, **(ROLES | roles))
