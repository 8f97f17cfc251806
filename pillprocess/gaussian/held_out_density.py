r"""The exact log density of data held out of a trial, given all other data.

In the words of :mod:`pillprocess.gaussian.trial_rows`, the inverse Q of the covariance of all rows has the block :math:`Q_{jj}
= D^{-1} - D^{-1} T D^{-1}` for trial j, and :math:`(Q y)_j = D^{-1} \rho`. Rows o given all others are normal with covariance
:math:`Q_{oo}^{-1}` and lie :math:`Q_{oo}^{-1} (Q y)_o` from their mean: one solution for all data gives every held-out density.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr

from pillprocess.gaussian.elimination import eliminate
from pillprocess.gaussian.fit import in_chunks, log_posterior, scale_priors, scales_at
from pillprocess.gaussian.normal_equations import LOG_2PI, Array, Index, System
from pillprocess.gaussian.quadrature import integrate_lattice, log_sum
from pillprocess.gaussian.trial_rows import Given, Rows, given_shared, rows_alike, seen_from_shared, shared_posterior


class HeldOut(NamedTuple):
    """Data to predict: the rows of one trial other than those ``kept`` (places among the trial's rows)."""

    label: str
    trial: int
    kept: Index


@dataclass(frozen=True)
class Sets:
    """Sets of as many held-out rows, of trials with as many rows: whole trials, or what is not kept of them.

    ``sets`` numbers them, ``trial`` (set,) their trials among those of ``Rows``. ``part`` (n, out, set) makes the held-out
    rows' block of Q from that of the turned rows; it is None for whole trials, where ``log_unit`` (set,) is the log
    determinant of a turned row's unit.
    """

    sets: Index
    trial: Index
    part: Array | None
    log_unit: Array


def sets_alike(system: System, rows: Rows, held_out: Sequence[HeldOut]) -> list[Sets]:
    """Return what is held out of the trials of ``rows``, together where it is as many rows."""
    place = {number: j for j, number in enumerate(rows.trials)}
    here = [(number, one) for number, one in enumerate(held_out) if one.trial in place]
    sets = []
    for n_kept in sorted({len(one.kept) for _, one in here}):
        number, ones = zip(*[pair for pair in here if len(pair[1].kept) == n_kept], strict=True)
        trial = np.array([place[one.trial] for one in ones])
        log_unit = [float(np.log(np.diag(system.trials[one.trial].factor)).sum()) for one in ones]
        part = [np.delete(rows.turn[:, :, j], one.kept, axis=1) for j, one in zip(trial, ones, strict=True)]
        sets.append(Sets(np.array(number), trial, np.stack(part, axis=2) if n_kept else None, np.array(log_unit)))
    return sets


def held_out_densities(
    design: xr.Dataset, system: System, held_out: Sequence[HeldOut], *, tolerance: float = 1e-3
) -> Array:
    """Return the exact log density of each set of held-out data given all other data."""
    priors = scale_priors(design, system)
    mirrored = np.array([prior.mirrored for prior in priors], dtype=bool)
    alike = rows_alike(system)
    sets = [sets_alike(system, rows, held_out) for rows in alike]
    pairs = sum(rows.products.shape[1] for rows in alike)

    def log_densities(x: Array) -> Array:
        tau, log_prior = scales_at(priors, x)
        given = [given_shared(rows, tau) for rows in alike]
        log_density = np.empty((len(held_out) + 1, len(x)))
        log_density[0], mean, covariance = shared_posterior(system, alike, given, tau)
        for rows, one, some in zip(alike, given, sets, strict=True):
            residual, uncertainty = seen_from_shared(rows, mean, covariance)
            for out in some:
                seen = residual[:, out.trial], uncertainty[:, :, out.trial]
                log_density[1 + out.sets] = log_density[0] - (
                    whole_density(one, *seen, out)
                    if out.part is None
                    else part_density(one.inverse[:, :, out.trial], *seen, out.part)
                )
        return log_density.T + log_prior[:, None]

    def all_log_densities(x: Array) -> Array:
        return np.concatenate([log_densities(part) for part in in_chunks(x, system, numbers=pairs)])

    def whole_log_density(x: Array) -> Array:
        return np.concatenate([log_posterior(system, priors, part) for part in in_chunks(x, system)])[:, None]

    lattice = integrate_lattice(all_log_densities, mirrored, tolerance=tolerance, first=whole_log_density)
    total = log_sum(lattice.log_weight)
    return total[0] - total[1:]


def whole_density(given: Given, residual: Array, uncertainty: Array, out: Sets) -> Array:
    """Log density (set, node) of all rows of trials, whose precision is D^-1 (D - T) D^-1."""
    left = given.covariance[:, :, out.trial] - uncertainty
    log_det = 2 * (given.log_det[out.trial] + out.log_unit[:, None]) - eliminate(left, len(left))
    return normal_log_density(left, residual, log_det)


def part_density(inverse: Array, residual: Array, uncertainty: Array, part: Array) -> Array:
    """Log density (set, node) of some rows of trials given all others, their own trial's too; ``inverse`` is of D."""
    pull = np.einsum("aot,atn->otn", part, multiply(inverse, residual[:, None])[:, 0])
    precision = inverse - multiply(multiply(inverse, uncertainty), inverse)
    block = np.einsum("obtn,bqt->oqtn", np.einsum("aot,abtn->obtn", part, precision), part)
    return normal_log_density(block, pull, -eliminate(block, len(block)))


def normal_log_density(inverse: Array, pull: Array, log_det: Array) -> Array:
    """Log density (set, node) of rows whose pull (row, set, node) has the squared length that ``inverse`` gives it."""
    distance = (pull[:, None] * multiply(inverse, pull[:, None])).sum(axis=(0, 1))
    return -0.5 * (len(pull) * LOG_2PI + log_det + distance)


def multiply(left: Array, right: Array) -> Array:
    """Multiply stacked matrices (a, b, trial, node) and (b, c, trial, node)."""
    return np.einsum("abtn,bctn->actn", left, right)
