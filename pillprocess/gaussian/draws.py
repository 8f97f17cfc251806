"""Draw the parameters of a Gaussian linear hierarchical model, and what they predict, at given scales."""

import numpy as np
from scipy.sparse import block_diag, coo_array, csr_array

from pillprocess.gaussian.normal_equations import LOG_2PI, Array, System, factorise, reduce


def draw(system: System, tau: Array, *, chains: int, rng: np.random.Generator) -> Array:
    """Draw ``theta - m`` (parameter, chain, node) from its posterior given the ``tau`` (node, scale) of each node."""
    n_node, p = len(tau), len(system.shared)
    reduced = reduce(system, tau)
    lower, half = factorise(system, reduced)
    theta = np.empty((len(system.mean), chains, n_node))
    noise = rng.standard_normal((len(system.unseen), chains, n_node))
    theta[system.unseen] = reduced.sd[system.unseen, None] * noise
    noise = rng.standard_normal((p, chains, n_node))
    theta[system.shared] = reduced.sd[system.shared, None] * solve_upper(lower, half[:, :1] + noise)
    shared = theta[system.shared].reshape(p, chains * n_node)
    for block, inverse in zip(system.own, reduced.inverses, strict=True):
        a = reduced.sd[block.parameter][:, :, None]
        cross = csr_array(block.cross[:, :, :p].reshape(block.parameter.size, p))
        explained = (cross @ shared).reshape(*block.parameter.shape, chains, n_node)
        score = a * (block.cross[:, :, p, None, None] - explained)
        root = np.moveaxis(np.linalg.cholesky(np.moveaxis(inverse, (0, 1), (2, 3))), (2, 3), (0, 1))
        noise = rng.standard_normal(score.shape)
        z = (inverse[:, :, :, None] * score + np.ascontiguousarray(root)[:, :, :, None] * noise).sum(axis=1)
        theta[block.parameter] = a * z
    return theta


def predict(system: System, theta: Array, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return residuals (row, chain, draw), trial log densities (trial, chain, draw) and new errors (row, chain, draw).

    ``theta`` (parameter, chain, draw) holds deviations from the prior means.
    """
    residual = system.outcome[:, None] - system.loadings @ theta.reshape(len(theta), theta[:1].size)
    by_trial = np.concatenate([one.rows for one in system.trials])
    size = np.array([len(one.rows) for one in system.trials])
    factor = block_diagonal([one.factor for one in system.trials])
    whitener = block_diagonal([np.linalg.inv(one.factor) for one in system.trials])
    total = block_diagonal([np.ones((1, n)) for n in size])
    constant = size * LOG_2PI + 2 * (total @ np.log(factor.diagonal()))
    density = -0.5 * (constant[:, None] + total @ (whitener @ residual[by_trial]) ** 2)
    error = np.empty_like(residual)
    error[by_trial] = factor @ rng.standard_normal(residual.shape)
    shape = theta.shape[1:]
    return residual.reshape(-1, *shape), density.reshape(-1, *shape), error.reshape(-1, *shape)


def told_apart(density: Array, seed: int) -> Array:
    """Log densities (row, chain, draw) with a hair of 1e-12 on rows that no parameter touches: ArviZ refuses draws all alike."""
    constant = np.ptp(density, axis=(1, 2)) == 0
    hair = 1e-12 * np.random.default_rng([seed, 3]).standard_normal(density.shape)
    return density + constant[:, None, None] * hair


def block_diagonal(blocks: list[Array]) -> csr_array:
    """Return the block diagonal matrix of some blocks; as a sparse array, since one of them is."""
    return block_diag([coo_array(blocks[0]), *blocks[1:]], format="csr")


def solve_upper(lower: Array, right: Array) -> Array:
    """Solve ``L' x = right`` for stacked lower triangular L (p, p, node) and right (p, r, node)."""
    solution = np.empty_like(right)
    for i in reversed(range(len(lower))):
        known = np.einsum("kn,krn->rn", lower[i + 1 :, i], solution[i + 1 :])
        solution[i] = (right[i] - known) / lower[i, i]
    return solution
