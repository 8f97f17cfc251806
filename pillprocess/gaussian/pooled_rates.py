r"""Gaussian models with one non-linear parameter per group, pooled over groups, by quadrature over it.

Trial j of group d has outcomes

.. math:: y_j \sim N\big(z_j(\lambda_d + \eta\, x_j, \rho', \cdot)\, \theta_j,\; V_j(\rho)\big), \quad
          \theta_j \sim N(\delta_d + \kappa_d x_j, \tau^2)

with a regressor z that depends on the group's parameter :math:`\lambda_d` (the logarithm of a half-life or of a half-maximal dose),
a property :math:`x_j` of the trial (0 or 1) that may change size and rate, and
:math:`V_j(\rho) = B_j \circ \rho^{|visit - visit'|}`. Given the non-linear parameters all is Gaussian and the trial enters by two
numbers, z'V^-1 z and
z'V^-1 y. Groups meet only in :math:`\lambda_d \sim N(m, s^2)`, in tau, rho, eta and what shapes z, so each is integrated by
itself on a grid of lambda, and the whole is a sum over a grid of what they share.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pillprocess.gaussian.quadrature import Array, log_sum

SPACING = 0.1
SHIFT = 2
"""Nodes of eta stand this many nodes of lambda apart."""


@dataclass(frozen=True)
class Piece:
    """One trial's outcomes: ``base`` (row, row) is V at rho = 1, ``curves`` (form, rate, row) the regressor on the wide grid."""

    trial: str
    group: str
    x: float
    y: Array
    base: Array
    visit: Array
    curves: Array


@dataclass(frozen=True)
class RatePriors:
    """Priors of the non-linear parameters and of the effects."""

    rate_mean: float
    rate_mean_sd: float
    rate_spread_sd: float
    rate_change_sd: float
    size_sd: float
    size_change_sd: float
    tau_sd: float
    forms: tuple[float, ...] = (1.0,)
    """Prior probabilities of the values of a further parameter of the curve."""
    correlated: bool = True


@dataclass(frozen=True)
class Nodes:
    """Grids of the parameters that groups share, with the logarithms of their prior probabilities."""

    rate: Array
    wide: Array
    rho: Array
    tau: Array
    eta: Array
    spread: Array
    log_rho: Array
    log_tau: Array
    log_eta: Array
    log_spread: Array
    log_mean: Array
    log_kernel: Array
    """(spread, mean, rate): log prior of a group's rate, given mean and spread."""


@dataclass(frozen=True)
class GroupSums:
    """What a group's trials say at every node (rho, form, tau, eta, rate): precision and score of size and its change."""

    log_likelihood: Array
    precision: tuple[Array, Array, Array]
    score: tuple[Array, Array]


def rate_nodes(priors: RatePriors, *, spacing: float = SPACING, fine: bool = True) -> Nodes:
    """Lay the grids: evenly in the rates, Gauss-Legendre in the scales, evenly in Fisher's z of the correlation."""
    reach = 3.4 * float(np.hypot(priors.rate_mean_sd, priors.rate_spread_sd))
    half = int(np.ceil(reach / spacing))
    pad = 4 * SHIFT
    wide: Array = priors.rate_mean + spacing * np.arange(-half - pad, half + pad + 1).astype(np.float64)
    rate = wide[pad:-pad]
    rho, w_rho = _correlations(0.15 if fine else 0.3) if priors.correlated else (np.zeros(1), np.ones(1))
    tau, w_tau = _half_normal(priors.tau_sd, 16 if fine else 10)
    spread, w_spread = _half_normal(priors.rate_spread_sd, 10 if fine else 6)
    eta: Array = SHIFT * spacing * np.arange(-4, 5).astype(np.float64) if priors.rate_change_sd > 0 else np.zeros(1)
    log_eta: Array = -0.5 * (eta / max(priors.rate_change_sd, 1e-9)) ** 2
    log_mean: Array = -0.5 * ((rate - priors.rate_mean) / priors.rate_mean_sd) ** 2
    kernel = -0.5 * ((rate[None, None] - rate[None, :, None]) / spread[:, None, None]) ** 2
    return Nodes(
        rate, wide, rho, tau, eta, spread, np.log(w_rho), np.log(w_tau), log_eta - log_sum(log_eta), np.log(w_spread),
        log_mean - log_sum(log_mean), kernel - log_sum(kernel, axis=2)[:, :, None],
    )  # fmt: skip


def _legendre(low: float, high: float, n: int) -> tuple[Array, Array]:
    x, w = np.polynomial.legendre.leggauss(n)
    return low + (high - low) * (x + 1) / 2, w / 2


def _correlations(spacing: float) -> tuple[Array, Array]:
    """Nodes of the uniform prior of rho, even in Fisher's z, in which its posterior is about equally wide everywhere."""
    z = np.arange(0, 3, spacing)
    return np.tanh(z + spacing / 2), np.diff(np.append(np.tanh(z), 1.0))


def _half_normal(sd: float, n: int) -> tuple[Array, Array]:
    x, w = _legendre(0, 4 * sd, n)
    w = w * np.exp(-0.5 * (x / sd) ** 2)
    return x, w / w.sum()


def trial_sums(piece: Piece, nodes: Nodes) -> tuple[Array, Array, Array]:
    """Return z'V^-1 z and z'V^-1 y (rho, form, rate on the wide grid), and -2 log N(y; 0, V) (rho,)."""
    apart = np.abs(piece.visit[:, None] - piece.visit[None])
    a, b, c = [], [], []
    for rho in nodes.rho:
        factor = np.linalg.cholesky(piece.base * rho**apart)
        whitened = np.linalg.solve(factor, piece.y)
        z = np.linalg.solve(factor, np.moveaxis(piece.curves, 2, 0).reshape(len(piece.y), -1))
        a.append((z**2).sum(axis=0).reshape(piece.curves.shape[:2]))
        b.append((z * whitened[:, None]).sum(axis=0).reshape(piece.curves.shape[:2]))
        c.append(whitened @ whitened + 2 * np.log(np.diag(factor)).sum() + len(piece.y) * np.log(2 * np.pi))
    return np.array(a), np.array(b), np.array(c)


def _by_size(piece: Piece, nodes: Nodes) -> list[Array]:
    """What a trial adds to each sum of ``_added`` at every node (rho, form, tau, eta, rate), its deviation integrated out."""
    n_rate, n_eta, x = len(nodes.rate), len(nodes.eta), piece.x
    variance = nodes.tau[None, None, :, None, None] ** 2
    middle = (len(nodes.wide) - n_rate) // 2
    places = [middle + (SHIFT * (k - n_eta // 2) if x > 0 else 0) for k in range(n_eta)]
    a, b, c = trial_sums(piece, nodes)
    precision, score = (np.stack([v[:, :, p : p + n_rate] for p in places], axis=2)[:, :, None] for v in (a, b))
    shrink = 1 / (1 + precision * variance)
    a, b = precision * shrink, score * shrink
    total = 0.5 * np.log(shrink) + 0.5 * score * b * variance - 0.5 * c[:, None, None, None, None]
    none = np.zeros(1)
    return [total, a, x * a, x**2 * a, b, x * b] if x else [total, a, none, none, b, none]


def _added(pieces: Sequence[Piece], nodes: Nodes, priors: RatePriors) -> list[Array]:
    """Sums over trials: log density at size 0, precisions of size, of both and of its change, scores of size and of its change."""
    shape = (len(nodes.rho), len(priors.forms), len(nodes.tau), len(nodes.eta), len(nodes.rate))
    sums = [np.zeros(shape) for _ in range(6)]
    for piece in pieces:
        for total, part in zip(sums, _by_size(piece, nodes), strict=True):
            total += part
    return sums


def group_sums(pieces: Sequence[Piece], nodes: Nodes, priors: RatePriors) -> GroupSums:
    """Add the trials of one group and integrate over their deviations and over the group's size and change of size."""
    return _with_size(_added(pieces, nodes, priors), priors)


def _with_size(sums: Sequence[Array], priors: RatePriors) -> GroupSums:
    total, p00, p01, p11, h0, h1 = sums
    p00, p11 = p00 + priors.size_sd**-2, p11 + priors.size_change_sd**-2
    determinant = p00 * p11 - p01**2
    explained = (p11 * h0**2 - 2 * p01 * h0 * h1 + p00 * h1**2) / determinant
    total = total + 0.5 * explained - 0.5 * np.log(determinant) - np.log(priors.size_sd * priors.size_change_sd)
    return GroupSums(total, (p00, p01, p11), (h0, h1))


def shared_log_weight(groups: Sequence[GroupSums], nodes: Nodes, priors: RatePriors) -> Array:
    """Log joint density of the outcomes and the shared nodes (rho, form, tau, eta, spread, mean)."""
    total = _shared_log_prior(nodes, priors)
    for group in groups:
        total += _group_log_density(group, nodes)
    return total


def _group_log_density(group: GroupSums, nodes: Nodes) -> Array:
    """Log density of one group's outcomes given the shared nodes, its rate integrated out."""
    kernel = np.exp(nodes.log_kernel).reshape(-1, nodes.log_kernel.shape[2])
    top = group.log_likelihood.max(axis=-1, keepdims=True)
    density: Array = np.exp(group.log_likelihood - top) @ kernel.T
    np.log(np.maximum(density, 1e-300, out=density), out=density)  # in place: the array is large
    density += top
    return density.reshape(*group.log_likelihood.shape[:-1], *nodes.log_kernel.shape[:2])


def _shared_log_prior(nodes: Nodes, priors: RatePriors) -> Array:
    rho, form, tau, eta, spread = np.ix_(
        nodes.log_rho, np.log(np.array(priors.forms)), nodes.log_tau, nodes.log_eta, nodes.log_spread
    )
    return (rho + form + tau + eta + spread)[..., None] + nodes.log_mean


def log_marginal(pieces: Sequence[Piece], nodes: Nodes, priors: RatePriors) -> float:
    """Log marginal likelihood of some trials."""
    names = dict.fromkeys(p.group for p in pieces)
    groups = [group_sums([p for p in pieces if p.group == name], nodes, priors) for name in names]
    return float(log_sum(shared_log_weight(groups, nodes, priors).ravel()))


def without_each_trial(pieces: Sequence[Piece], nodes: Nodes, priors: RatePriors) -> tuple[float, Array]:
    """Log marginal likelihood of all trials, and of all but each one in turn."""
    of_group = {d: [p for p in pieces if p.group == d] for d in dict.fromkeys(p.group for p in pieces)}
    sums = {d: _added(own, nodes, priors) for d, own in of_group.items()}
    terms = {d: _group_log_density(_with_size(own, priors), nodes) for d, own in sums.items()}
    every = _shared_log_prior(nodes, priors) + sum(terms.values())
    kernel = np.exp(nodes.log_kernel).reshape(-1, nodes.log_kernel.shape[2])
    rest: dict[int, float] = {}
    for d, own in of_group.items():
        others = every - terms[d]
        top = others.max()
        weight = np.exp(others - top).reshape(-1, len(kernel)) @ kernel
        for left in own:
            fewer = [whole - part for whole, part in zip(sums[d], _by_size(left, nodes), strict=True)]
            log_likelihood = _with_size(fewer, priors).log_likelihood.reshape(weight.shape)
            best = log_likelihood.max()
            rest[id(left)] = float(top + best + np.log((weight * np.exp(log_likelihood - best)).sum()))
    return float(log_sum(every.ravel())), np.array([rest[id(piece)] for piece in pieces])


def rate_weight(others: Sequence[GroupSums], nodes: Nodes, priors: RatePriors) -> Array:
    """Weight (shared nodes, rate) of a further group's rate by the prior and other groups, for :func:`rate_marginal`."""
    log_weight = shared_log_weight(others, nodes, priors)
    kernel = np.exp(nodes.log_kernel).reshape(-1, nodes.log_kernel.shape[2])
    return np.exp(log_weight - log_weight.max()).reshape(-1, len(kernel)) @ kernel


def rate_marginal(group: GroupSums, weight: Array) -> Array:
    """Posterior probability of each node of a group's rate."""
    log_likelihood = group.log_likelihood.reshape(weight.shape)
    density = (weight * np.exp(log_likelihood - log_likelihood.max())).sum(axis=0)
    return density / density.sum()


def draw_rates(
    groups: Sequence[GroupSums], nodes: Nodes, weight: Array, *, draws: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Draw every parameter: shared ones by systematic draws from their grid, then each group's rate, size and change of size.

    ``weight`` is their :func:`shared_log_weight`. All are spread evenly over the cell of their node, but the form.
    """
    flat = np.cumsum(np.exp(weight.ravel() - weight.max()))
    picked = np.searchsorted(flat, flat[-1] * (np.arange(draws) + rng.random()) / draws)
    at = np.array(np.unravel_index(np.minimum(rng.permutation(picked), flat.size - 1), weight.shape))
    rho, form, tau, eta, spread, mean = at
    step = nodes.rate[1] - nodes.rate[0]
    size, change, rates = (np.empty((draws, len(groups))) for _ in range(3))
    for d, group in enumerate(groups):
        log_density = group.log_likelihood[rho, form, tau, eta] + nodes.log_kernel[spread, mean]
        density = np.cumsum(np.exp(log_density - log_density.max(axis=1, keepdims=True)), axis=1)
        place = np.minimum((density < rng.random((draws, 1)) * density[:, -1:]).sum(axis=1), len(nodes.rate) - 1)
        here = (rho, form, tau, eta, place)
        p00, p01, p11 = (part[here] for part in group.precision)
        h0, h1 = (part[here] for part in group.score)
        determinant = p00 * p11 - p01**2
        mean_change = (p00 * h1 - p01 * h0) / determinant
        change[:, d] = mean_change + rng.standard_normal(draws) * np.sqrt(p00 / determinant)
        size[:, d] = (h0 - p01 * change[:, d]) / p00 + rng.standard_normal(draws) / np.sqrt(p00)
        rates[:, d] = nodes.rate[place] + step * (rng.random(draws) - 0.5)
    evenly = rng.random((2, draws)) - 0.5
    width = SHIFT * step if len(nodes.eta) > 1 else 0.0
    correlation_edges = np.append(np.tanh(_midpoints(np.arctanh(nodes.rho))), 1.0)
    return {
        "rho": _within(nodes.rho, rho, rng, edges=correlation_edges), "form": form, "tau": _within(nodes.tau, tau, rng),
        "spread": _within(nodes.spread, spread, rng), "eta": nodes.eta[eta] + width * evenly[0],
        "mean": nodes.rate[mean] + step * evenly[1], "rate": rates, "size": size, "change": change,
    }  # fmt: skip


def _within(nodes: Array, at: np.ndarray, rng: np.random.Generator, *, edges: Array | None = None) -> Array:
    """Spread the draws of a node evenly over its cell: by default from 0, between the midpoints of nodes."""
    if len(nodes) == 1:
        return nodes[at]
    if edges is None:
        edges = np.append(_midpoints(nodes), nodes[-1] + (nodes[-1] - nodes[-2]) / 2)
    return edges[at] + rng.random(len(at)) * (edges[at + 1] - edges[at])


def _midpoints(nodes: Array) -> Array:
    return np.append(0.0, (nodes[1:] + nodes[:-1]) / 2)


def prior_rates(priors: RatePriors, *, groups: int, draws: int, rng: np.random.Generator) -> dict[str, Array]:
    """Draw the same parameters from their prior."""
    mean = rng.normal(priors.rate_mean, priors.rate_mean_sd, draws)
    spread = np.abs(rng.normal(0, priors.rate_spread_sd, draws))
    return {
        "rho": rng.random(draws), "form": rng.choice(len(priors.forms), draws, p=np.array(priors.forms)),
        "tau": np.abs(rng.normal(0, priors.tau_sd, draws)), "eta": rng.normal(0, priors.rate_change_sd, draws), "spread": spread,
        "mean": mean, "rate": mean[:, None] + spread[:, None] * rng.standard_normal((draws, groups)),
        "size": rng.normal(0, priors.size_sd, (draws, groups)), "change": rng.normal(0, priors.size_change_sd, (draws, groups)),
    }  # fmt: skip
