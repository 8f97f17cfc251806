"""Draw the parameters of a Gaussian linear hierarchical model, and what they predict, at given scales."""

import numpy as np
from scipy.sparse import block_diag, coo_array, csr_array

from pillprocess.gaussian.elimination import solve_upper
from pillprocess.gaussian.normal_equations import LOG_2PI, Array, System, factorise, reduce

AT_ONCE = 2**21
"""Numbers (row, draw) that are worked on at once."""


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


def predict(
    system: System, theta: Array, rng: np.random.Generator, *, seed: int, by_row: bool = True
) -> tuple[Array, list[Array]]:
    """Return log densities of trials (trial, chain, draw) and, unless not wanted, log densities of rows, and new rows.

    ``theta`` (parameter, chain, draw) holds deviations from the prior means. Some trials are worked on at a time.
    """
    shape, deviation = theta.shape[1:], theta.reshape(len(theta), theta[:1].size)
    y = system.outcome + system.loadings @ system.mean
    by_trial = np.empty((len(system.trials), deviation.shape[1]))
    by_rows = [np.empty((system.n_row, deviation.shape[1])) for _ in range(2 * by_row)]
    step = max(1, len(system.trials) * AT_ONCE // (system.n_row * deviation.shape[1]))
    for start in range(0, len(system.trials), step):
        some = system.trials[start : start + step]
        rows = np.concatenate([one.rows for one in some])
        residual = system.outcome[rows, None] - system.loadings[rows] @ deviation
        factor = block_diagonal([one.factor for one in some])
        whitener = block_diagonal([np.linalg.inv(one.factor) for one in some])
        total = block_diagonal([np.ones((1, len(one.rows))) for one in some])
        constant = total @ (LOG_2PI + 2 * np.log(factor.diagonal()))
        by_trial[start : start + step] = -0.5 * (constant[:, None] + total @ (whitener @ residual) ** 2)
        if by_row:
            variance = np.concatenate([(one.factor**2).sum(axis=1) for one in some])[:, None]
            by_rows[0][rows] = -0.5 * (LOG_2PI + np.log(variance) + residual**2 / variance)
            by_rows[1][rows] = y[rows, None] - residual + factor @ rng.standard_normal(residual.shape)
    if by_row:
        by_rows[0] = told_apart(by_rows[0], seed)
    return by_trial.reshape(-1, *shape), [part.reshape(-1, *shape) for part in by_rows]


def told_apart(density: Array, seed: int) -> Array:
    """Log densities (row, draw) with a hair of 1e-12 on rows that no parameter touches: ArviZ refuses draws all alike."""
    constant = np.ptp(density, axis=1) == 0
    if constant.any():
        hair = 1e-12 * np.random.default_rng([seed, 3]).standard_normal(density.shape)
        density[constant] += hair[constant]
    return density


def block_diagonal(blocks: list[Array]) -> csr_array:
    """Return the block diagonal matrix of some blocks; as a sparse array, since one of them is."""
    return block_diag([coo_array(blocks[0]), *blocks[1:]], format="csr")
