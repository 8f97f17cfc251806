r"""Fit Gaussian linear hierarchical models exactly, without sampling.

.. math::

    y &= X \beta + Z b + e, \quad e \sim N(0, V) \\
    \beta_c &\sim N(m_c, s_c^2), \quad b_e \sim N(0, \tau_{s(e)}^2), \quad \tau_s \sim p_s

Given the scales tau everything is Gaussian and is integrated in closed form (:mod:`pillprocess.normal_equations`); over the scales
the integral is a lattice sum (:mod:`pillprocess.quadrature`). Posteriors of linear combinations are therefore mixtures of
normals, and the marginal likelihood is exact up to the stated tolerance.

A Student-t(nu, 0, s) prior on a coefficient is a normal scale mixture: make it an effect with a scale of its own whose
prior is ``invgamma(nu / 2, nu s^2 / 2)``.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import xarray as xr

import pillprocess
from pillprocess.gaussian.design import data_attrs
from pillprocess.gaussian.design_checks import DesignError, check_design, parameter_names
from pillprocess.gaussian.draws import draw, predict
from pillprocess.gaussian.interpolation import draw_nodes
from pillprocess.gaussian.normal_equations import Array, System, assemble, log_likelihood
from pillprocess.gaussian.posterior_columns import labels_by_dim, last, posterior_dataset
from pillprocess.gaussian.prior import log_prior, prior_draws
from pillprocess.gaussian.quadrature import Lattice, integrate_lattice, log_sum
from pillprocess.gaussian.scales import ScalePrior

MOST_AT_ONCE = 250
NUMBERS_AT_ONCE = 2**19
ROW_DRAWS = 2**24
"""Numbers (row, draw) that each group by row may hold unless it is asked for: 128 MiB."""

PRIOR_DRAWS = 1000
MOST_SCALES = 4


@dataclass(frozen=True)
class Grid:
    """A design integrated over its scales.

    Attributes
    ----------
    design : Dataset
    system : System
        The design as normal equations.
    priors : tuple of ScalePrior
    lattice : Lattice
        Nodes in the coordinates of the priors, with the unnormalised log posterior density there.
    tau : array (node, scale)
    weight : array (node,)
        Posterior probability of each node.
    log_marginal_likelihood : float
    """

    design: xr.Dataset
    system: System
    priors: tuple[ScalePrior, ...]
    lattice: Lattice
    tau: Array
    weight: Array
    log_marginal_likelihood: float


def integrate(design: xr.Dataset, *, tolerance: float = 3e-4, spacing: float = 1.0) -> Grid:
    """Integrate a design over all its parameters.

    Parameters
    ----------
    design : Dataset
        The labelled description of the model.
    tolerance : float
        Accepted error of the log marginal likelihood; the actual one is mostly a hundred times smaller.
    spacing : float
        Factor on the distance of nodes. Moments, and probabilities of coefficients, do not need less than 1.

    Returns
    -------
    Grid

    Raises
    ------
    DesignError
        The design is not valid, or has more than four scales; the message lists every reason.
    """
    check_design(design)
    system = assemble(design)
    priors = scale_priors(design, system)
    mirrored = np.array([prior.mirrored for prior in priors], dtype=bool)

    def log_density(x: Array) -> Array:
        return np.concatenate([log_posterior(system, priors, part) for part in in_chunks(x, system)])[:, None]

    lattice = integrate_lattice(log_density, mirrored, tolerance=tolerance, spacing_factor=spacing)
    log_total = float(log_sum(lattice.log_weight)[0])
    weight = np.exp(lattice.log_weight[:, 0] - log_total)
    tau, _ = scales_at(priors, lattice.index * lattice.spacing)
    return Grid(design, system, priors, lattice, tau, weight / weight.sum(), log_total)


def in_chunks(nodes: Array, system: System, *, numbers: int = 0) -> list[Array]:
    """Split nodes (node, scale) into parts whose arrays, with at least a number per parameter and node, stay in the processor's cache."""
    size = max(1, min(MOST_AT_ONCE, NUMBERS_AT_ONCE // max(1, numbers, len(system.mean))))
    return np.array_split(nodes, range(size, len(nodes), size))


def scale_priors(design: xr.Dataset, system: System) -> tuple[ScalePrior, ...]:
    """Return the prior of each scale, its unit no larger than the typical standard error of the scale's effects."""
    if design.sizes["scale"] > MOST_SCALES:
        names = ", ".join(design["scale"].to_numpy())
        raise DesignError(
            f"the design has {design.sizes['scale']} scales ({names}); the exact route integrates over at most {MOST_SCALES}: "
            "let effects share a scale, or fit with route='sampler'"
        )
    information = np.zeros(len(system.mean))
    information[system.shared] = np.diag(system.corner)[: len(system.shared)]
    for block in system.own:
        information[block.parameter] = np.einsum("aaj->aj", block.information)
    priors = []
    for number, family in enumerate(design["prior_scale_family"].to_numpy().tolist()):
        a, b = float(design["prior_scale_a"][number]), float(design["prior_scale_b"][number])
        seen = information[(system.scale == number) & (information > 0)]
        widest = b if family == "uniform" else a
        unit = min(widest, float(np.median(seen)) ** -0.5) if len(seen) else widest
        priors.append(ScalePrior(family, a, b, unit))
    return tuple(priors)


def scales_at(priors: tuple[ScalePrior, ...], x: Array) -> tuple[Array, Array]:
    """Return tau (node, scale) and the log prior density (node,) at coordinates x (node, scale)."""
    values = [prior.at(x[:, s]) for s, prior in enumerate(priors)]
    tau = np.stack([tau for tau, _ in values], axis=1) if values else np.zeros((len(x), 0))
    return tau, sum((log_prior for _, log_prior in values), np.zeros(len(x)))


def log_posterior(system: System, priors: tuple[ScalePrior, ...], x: Array) -> Array:
    """Return the unnormalised log posterior density (node,) of coordinates x (node, scale)."""
    tau, log_prior = scales_at(priors, x)
    return log_likelihood(system, tau) + log_prior


def fit_exact(
    design: xr.Dataset, *, seed: int, draws: int = 1000, chains: int = 4, by_row: bool | None = None
) -> xr.DataTree:
    """Fit a design exactly and return its posterior as draws.

    Parameters
    ----------
    design : Dataset
        The labelled description of the model.
    seed : int
        Seed of the draws.
    draws, chains : int
        Draws per chain, and chains. Draws are not autocorrelated. The values of the scales are a Latin hypercube of
        ``draws`` points of their posterior that every chain visits; all else is drawn anew given them.
    by_row : bool, optional
        As in :func:`pillprocess.fit`.

    Returns
    -------
    DataTree
        Groups ``posterior`` (every coefficient, effect and scale, by chain and draw), ``log_likelihood`` (``y`` by row, given all
        parameters), ``log_likelihood_by_trial`` (``y_trial``), ``posterior_predictive`` (``y``), ``prior``, ``prior_predictive``,
        ``log_prior`` (of coefficients and scales), ``observed_data`` and ``constant_data`` (the design). Attributes: ``route``,
        ``log_marginal_likelihood``, library and version, ``seed``, ``data_hash``, ``outcome``, ``conditioning``, ``scale``.

    Raises
    ------
    DesignError
        The design is not valid; the message lists every reason.
    """
    canonical = in_canonical_order(design)
    grid, rng = integrate(canonical), np.random.default_rng(seed)
    system = grid.system
    by_row = rows_are_drawn(design, chains * draws) if by_row is None else by_row
    tau, theta = draw_parameters(grid, draws=draws, chains=chains, rng=rng)
    trial_density, of_rows = predict(system, theta, rng, seed=seed, by_row=by_row)
    theta += system.mean[:, None, None]

    index = {"chain": np.arange(chains), "draw": np.arange(draws)}
    row, trial = canonical["row"].to_numpy(), [one.name for one in system.trials]
    as_given = {"row": design["row"].to_numpy(), "trial": list(dict.fromkeys(design["trial"].to_numpy().tolist()))}
    posterior = posterior_dataset(canonical, theta, tau, rng, labels_by_dim(design)).assign_coords(index)
    del theta
    by_trial = xr.Dataset({"y_trial": last("trial", trial_density)}, coords=index | {"trial": trial})
    groups = {"/log_likelihood_by_trial": by_trial.sel(trial=as_given["trial"])}
    for name in ("/posterior_predictive", "/log_likelihood") if by_row else ():
        drawn = xr.Dataset({"y": last("row", of_rows.pop())}, coords=index | {"row": row})
        groups[name] = drawn.sel(row=as_given["row"])
        del drawn  # in another order it is a copy
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(
                attrs={
                    "route": "exact",
                    "inference_library": "pillprocess",
                    "inference_library_version": pillprocess.__version__,
                    "seed": seed,
                    "log_marginal_likelihood": grid.log_marginal_likelihood,
                }
                | data_attrs(design)
            ),
            "/posterior": posterior,
            "/observed_data": xr.Dataset({"y": ("row", design["y"].to_numpy())}, coords={"row": as_given["row"]}),
            "/constant_data": design,
        }
        | groups
        | prior_groups(design, posterior, seed=seed, by_row=by_row)
    )


def draw_parameters(grid: Grid, *, draws: int, chains: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw the scales (draw, scale) and the deviations of all parameters (parameter, chain, draw) from their prior means."""
    system = grid.system
    tau, _ = scales_at(grid.priors, draw_nodes(grid.lattice, draws, rng))
    theta, start = np.empty((len(system.mean), chains, draws)), 0
    for part in in_chunks(tau, system):
        theta[:, :, start : start + len(part)] = draw(system, part, chains=chains, rng=rng)
        start += len(part)
    return tau, theta


def posterior_draws(design: xr.Dataset, *, seed: int, draws: int = 1000, chains: int = 4) -> xr.Dataset:
    """The posterior of :func:`fit_exact` without all else that it draws; effects that no row has are other draws."""
    canonical = in_canonical_order(design)
    grid, rng = integrate(canonical), np.random.default_rng(seed)
    tau, theta = draw_parameters(grid, draws=draws, chains=chains, rng=rng)
    return posterior_dataset(canonical, theta + grid.system.mean[:, None, None], tau, rng, labels_by_dim(design))


def rows_are_drawn(design: xr.Dataset, draws: int) -> bool:
    """Whether the groups by row are small enough to be made without being asked for; say so where they are not."""
    small = design.sizes["row"] * draws <= ROW_DRAWS
    if not small:
        warnings.warn(
            f"{design.sizes['row']:,} rows x {draws:,} draws: log_likelihood, posterior_predictive and prior_predictive, which have a "
            "number for each, were not drawn; ask for them with by_row=True, or for fewer draws",
            stacklevel=4,
        )
    return small


def prior_groups(design: xr.Dataset, posterior: xr.Dataset, *, seed: int, by_row: bool = True) -> dict[str, xr.Dataset]:
    """Groups ``prior`` and ``prior_predictive`` (one chain of draws) and ``log_prior`` (at the posterior draws), as ArviZ names them."""
    canonical = in_canonical_order(design)
    theta, tau, y = prior_draws(canonical, seed=seed, draws=PRIOR_DRAWS, by_row=by_row)
    index = {"chain": [0], "draw": np.arange(PRIOR_DRAWS)}
    prior = posterior_dataset(canonical, theta[:, None], tau, np.random.default_rng([seed, 2]), labels_by_dim(design))
    groups = {"/prior": prior.assign_coords(index), "/log_prior": log_prior(design, posterior)}
    if y is not None:
        rows = xr.Dataset({"y": last("row", y[:, None])}, coords=index | {"row": canonical["row"].to_numpy()})
        del y
        groups["/prior_predictive"] = rows.sel(row=design["row"].to_numpy())
    return groups


def in_canonical_order(design: xr.Dataset) -> xr.Dataset:
    """Sort rows by trial and label, parameters and scales by name: one seed gives one answer, in whatever order rows are given."""
    row = np.lexsort((design["row"].to_numpy(), design["trial"].to_numpy()))
    order = {kind: np.argsort(parameter_names(design, kind), kind="stable") for kind in ("coefficient", "effect")}
    return design.isel(
        order | {"row": row, "row_": row, "scale": np.argsort(design["scale"].to_numpy(), kind="stable")}
    )
