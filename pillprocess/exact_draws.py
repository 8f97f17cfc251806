"""Draw the parameters of a Gaussian linear hierarchical model, and what they predict, at given scales."""

import numpy as np

from pillprocess.normal_equations import LOG_2PI, Array, System, factorise, reduce


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
        explained = (block.cross[:, :, :p] @ shared).reshape(*block.parameter.shape, chains, n_node)
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
    flat = theta.reshape(len(theta), theta[:1].size)
    residual = np.empty((system.n_row, flat.shape[1]))
    error = rng.standard_normal(residual.shape)
    density = np.empty((len(system.trials), flat.shape[1]))
    for j, one in enumerate(system.trials):
        here = one.outcome[:, None] - one.loadings @ flat[np.concatenate([system.shared, one.own])]
        constant = len(here) * LOG_2PI + 2 * np.log(np.diag(one.factor)).sum()
        density[j] = -0.5 * (constant + (np.linalg.solve(one.factor, here) ** 2).sum(axis=0))
        residual[one.rows] = here
        error[one.rows] = one.factor @ error[one.rows]
    shape = theta.shape[1:]
    return residual.reshape(-1, *shape), density.reshape(-1, *shape), error.reshape(-1, *shape)


def solve_upper(lower: Array, right: Array) -> Array:
    """Solve ``L' x = right`` for stacked lower triangular L (p, p, node) and right (p, r, node)."""
    solution = np.empty_like(right)
    for i in reversed(range(len(lower))):
        known = np.einsum("kn,krn->rn", lower[i + 1 :, i], solution[i + 1 :])
        solution[i] = (right[i] - known) / lower[i, i]
    return solution
