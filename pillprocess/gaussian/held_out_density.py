r"""The exact log density of data held out of a trial, given all other data.

At each value of the scales what the trial adds to the normal equations is taken away and what it keeps is put back. Only the
places that the trial touches change: all others are eliminated first, once for trials that touch the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import xarray as xr

from pillprocess.gaussian.fit import in_chunks, log_posterior, scale_priors, scales_at
from pillprocess.gaussian.normal_equations import (
    LOG_2PI,
    Array,
    Index,
    System,
    Trial,
    bordered_log_likelihood,
    bordered_precision,
    eliminate,
    eliminate_own,
    reduce,
    trial_equations,
)
from pillprocess.gaussian.quadrature import integrate_lattice, log_sum


class HeldOut(NamedTuple):
    """Data to predict: the rows of one trial other than those ``kept`` (places among the trial's rows)."""

    label: str
    trial: int
    kept: Index


@dataclass(frozen=True)
class Share:
    """What some trials, or some of their rows, add to a system: their parts of the normal equations, one trial after another.

    The trials touch the same places in the bordered precision and have as many parameters of their own. ``own`` (own, trial)
    numbers these; ``information`` is (own, own, trial), ``cross`` (own, touched, trial), ``rest`` (touched, touched, trial).
    """

    own: Index
    information: Array
    cross: Array
    rest: Array
    log_det: Array
    n_row: Index


@dataclass(frozen=True)
class Group:
    """Trials that touch the same shared parameters, and the sets of data that are held out of them.

    ``touched`` numbers the places in the bordered precision that the trials enter, the outcome last. A held-out set has its
    place in ``sets``, its trial in ``trial`` (place in ``whole``); those ``keeping`` rows of their trial have them in ``kept``.
    """

    touched: Index
    whole: Share
    sets: Index
    trial: Index
    keeping: Index
    kept: Share | None


def groups_of(system: System, held_out: Sequence[HeldOut]) -> list[Group]:
    """Sort what is held out by what its trial touches, so that it is worked on together."""
    p = len(system.shared)
    like: dict[tuple[bytes, int], list[int]] = {}
    for number, one in enumerate(held_out):
        trial = system.trials[one.trial]
        like.setdefault(((trial.loadings[:, :p] != 0).any(axis=0).tobytes(), len(trial.own)), []).append(number)
    groups = []
    for (touches, _), sets in sorted(like.items()):
        touched = np.append(np.flatnonzero(np.frombuffer(touches, bool)), p)
        trials = sorted({held_out[number].trial for number in sets})
        keeping = [place for place, number in enumerate(sets) if len(held_out[number].kept)]
        groups.append(
            Group(
                touched,
                share([(system.trials[j], np.arange(len(system.trials[j].rows))) for j in trials], touched),
                np.array(sets),
                np.array([trials.index(held_out[number].trial) for number in sets]),
                np.array(keeping, dtype=np.int64),
                share([(system.trials[held_out[sets[k]].trial], held_out[sets[k]].kept) for k in keeping], touched)
                if keeping
                else None,
            )
        )
    return groups


def share(parts: list[tuple[Trial, Index]], touched: Index) -> Share:
    """Return what the given rows of some trials add to the system."""
    equations, log_det = [], []
    for trial, rows in parts:
        factor = np.linalg.cholesky((trial.factor @ trial.factor.T)[rows[:, None], rows])
        kept = replace(trial, loadings=trial.loadings[rows], outcome=trial.outcome[rows], factor=factor)
        information, cross, rest = trial_equations(kept, trial.loadings.shape[1] - len(trial.own))
        equations.append((trial.own, information, cross[:, touched], rest[touched[:, None], touched]))
        log_det.append(2 * float(np.log(np.diag(factor)).sum()))
    own, information, cross, rest = (np.stack(part, axis=-1) for part in zip(*equations, strict=True))
    return Share(own, information, cross, rest, np.array(log_det), np.array([len(rows) for _, rows in parts]))


def reduce_share(one: Share, sd: Array) -> tuple[Array, Array]:
    """Eliminate own parameters: parts of the products (touched, touched, trial, node), of the log determinant (trial, node)."""
    _, log_det, feature = eliminate_own(one.information, sd[one.own])
    explained = np.einsum("apjn,arj->prjn", np.einsum("abjn,bpj->apjn", feature, one.cross), one.cross)
    return one.rest[..., None] - explained, log_det + one.log_det[:, None]


def each_alone(
    groups: list[Group], precision: Array, places: Index, log_det: Array
) -> Iterator[tuple[Group, Array, Array]]:
    """Yield each group with the precision (touched, touched, node) of what it touches, and the log determinant of all else.

    What none of several groups touches is eliminated once for them all.
    """
    if not groups:
        return
    entered = np.zeros(int(places[-1]) + 1, dtype=bool)  # the last place, the outcome, is every trial's
    entered[np.concatenate([group.touched for group in groups])] = True
    touched = entered[places]
    order = np.concatenate([np.flatnonzero(~touched), np.flatnonzero(touched)])
    left, eliminated = eliminate(precision[order[:, None], order], int((~touched).sum()))
    if len(groups) == 1:
        yield groups[0], left, log_det + eliminated
        return
    for half in (groups[: len(groups) // 2], groups[len(groups) // 2 :]):
        yield from each_alone(half, left, places[touched], log_det + eliminated)


def held_out_densities(
    design: xr.Dataset, system: System, held_out: Sequence[HeldOut], *, tolerance: float = 1e-3
) -> Array:
    """Return the exact log density of each set of held-out data given all other data."""
    priors = scale_priors(design, system)
    mirrored = np.array([prior.mirrored for prior in priors], dtype=bool)
    groups = groups_of(system, held_out)

    def log_densities(x: Array) -> Array:
        tau, log_prior = scales_at(priors, x)
        reduced = reduce(system, tau)
        bordered, log_det = bordered_precision(system, reduced), reduced.log_det + system.log_det
        border = np.concatenate([reduced.sd[system.shared], np.ones((1, len(x)))])
        found = np.empty((len(held_out) + 1, len(x)))
        found[0] = bordered_log_likelihood(bordered, log_det, system.n_row)
        for group, left, eliminated in each_alone(groups, bordered, np.arange(len(bordered)), np.zeros(len(x))):
            whole, whole_log_det = reduce_share(group.whole, reduced.sd)
            change, log_dets = -whole[:, :, group.trial], log_det + eliminated - whole_log_det[group.trial]
            n_row = system.n_row - group.whole.n_row[group.trial]
            if group.kept is not None:
                kept, kept_log_det = reduce_share(group.kept, reduced.sd)
                change[:, :, group.keeping] += kept
                log_dets[group.keeping] += kept_log_det
                n_row[group.keeping] += group.kept.n_row
            a = border[group.touched][:, None]
            change *= a[:, None]
            change *= a
            change += left[:, :, None]
            last, eliminated = eliminate(change, len(change) - 1)
            found[1 + group.sets] = -0.5 * (n_row[:, None] * LOG_2PI + log_dets + eliminated + last[0, 0] - 1)
        return found.T + log_prior[:, None]

    def all_log_densities(x: Array) -> Array:
        return np.concatenate([log_densities(part) for part in in_chunks(x, system)])

    def whole_log_density(x: Array) -> Array:
        return np.concatenate([log_posterior(system, priors, part) for part in in_chunks(x, system)])[:, None]

    lattice = integrate_lattice(all_log_densities, mirrored, tolerance=tolerance, first=whole_log_density)
    total = log_sum(lattice.log_weight)
    return total[0] - total[1:]
