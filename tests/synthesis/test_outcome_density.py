import numpy as np
import pytensor.tensor as pt
import pytest
from scipy import stats

from pillprocess.synthesis.outcome_density import trial_densities, trial_effects, trial_rows, whitened_loadings


def density(residual, V, Z, sd, trial, *, gone=()):
    factor = np.linalg.cholesky(V)
    whitener = np.linalg.inv(factor)
    whitener[np.isin(trial, gone)] = 0
    effect, rows = trial_effects(trial, Z), trial_rows(trial)
    loadings, gram = whitened_loadings(whitener, Z, effect, rows)
    white = pt.as_tensor(whitener @ residual)
    scales = [np.append(sd, 0.0)[slot] for slot in effect]
    return trial_densities(white, loadings, gram, scales, rows).eval(), np.log(np.diag(factor))


def random_trials(sizes, effects, seed):
    """Trials of so many rows, each with so many effects of its own, and a covariance that couples rows within trials."""
    rng = np.random.default_rng(seed)
    trial = np.repeat([f"t{j}" for j in range(len(sizes))], sizes)
    n = len(trial)
    V, Z, start = np.zeros((n, n)), np.zeros((n, sum(effects))), 0
    for j, k in enumerate(effects):
        rows = np.flatnonzero(trial == f"t{j}")
        half = rng.normal(size=(len(rows), len(rows)))
        V[np.ix_(rows, rows)] = half @ half.T + np.eye(len(rows))
        Z[rows, start : start + k] = rng.normal(size=(len(rows), k))
        start += k
    return trial, V, Z, rng.normal(size=n), rng.uniform(0.1, 2, sum(effects))


@pytest.mark.parametrize("effects", [(0, 1, 2), (3, 3, 1), (1, 1, 1), (0, 0, 0)])
def test_density_of_every_trial_is_the_multivariate_normal_with_its_effects_integrated_out(effects):
    trial, V, Z, residual, sd = random_trials((2, 4, 3), effects, seed=sum(effects))
    got, log_diagonal = density(residual, V, Z, sd, trial)
    for j in range(3):
        rows = trial == f"t{j}"
        covariance = (V + (Z * sd**2) @ Z.T)[np.ix_(rows, rows)]
        expected = stats.multivariate_normal.logpdf(residual[rows], np.zeros(rows.sum()), covariance)
        assert got[j] - log_diagonal[rows].sum() == pytest.approx(expected, rel=1e-12)


def test_a_trial_that_is_left_out_adds_a_constant_and_changes_no_other():
    trial, V, Z, residual, sd = random_trials((2, 4, 3), (1, 2, 1), seed=5)
    whole, _ = density(residual, V, Z, sd, trial)
    one, _ = density(residual, V, Z, sd, trial, gone=("t1",))
    other, _ = density(residual + 3 * (trial == "t1"), V, Z, sd * 2, trial, gone=("t1",))
    assert one[[0, 2]] == pytest.approx(whole[[0, 2]], rel=1e-12)
    assert one[1] == other[1] == pytest.approx(-0.5 * 4 * np.log(2 * np.pi))


def test_trials_with_fewer_effects_are_marked():
    trial, _, Z, *_ = random_trials((2, 2), (2, 1), seed=1)
    np.testing.assert_array_equal(trial_effects(trial, Z), [[0, 2], [1, -1]])
