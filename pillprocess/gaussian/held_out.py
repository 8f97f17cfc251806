"""Exact predictive densities of held-out data: what the other trials, and a trial's own control arm, say about it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.gaussian.design_checks import check_design
from pillprocess.gaussian.fit import in_chunks, log_posterior, scale_priors, scales_at
from pillprocess.gaussian.normal_equations import (
    LOG_2PI,
    Array,
    Index,
    System,
    Trial,
    assemble,
    bordered_log_likelihood,
    bordered_precision,
    eliminate,
    eliminate_own,
    reduce,
    trial_equations,
)
from pillprocess.gaussian.quadrature import integrate_lattice, log_sum

TRIALS_AT_ONCE = 12
CONTROL_ROLES = ("control", "inert_placebo", "active_placebo", "comparator", "waitlist", "low_dose")


def loto_exact(design: xr.Dataset, *, trials: Sequence[str] | None = None, tolerance: float = 1e-3) -> pd.DataFrame:
    r"""Leave each trial out in turn and score what the others predict for it, without refitting.

    With :math:`y_j` the rows of trial j, :math:`y_{j0}` its control arm and :math:`y_{-j}` all other trials,

    .. math::

        elpd_j = \log p(y_j \mid y_{-j}), \qquad
        elpd\_contrasts_j = \log p(y_j \setminus y_{j0} \mid y_{j0}, y_{-j}),

    with the trial's own baseline and deviations, the shared terms and the scales all integrated out. The second asks
    how the active arms will differ once the control arm has been seen, so it does not charge a model for the trial's
    baseline. The control arm is the trial's first row with role control, inert_placebo, active_placebo, comparator,
    waitlist or low_dose, in this order. For a trial given as contrasts both scores are the same.

    Parameters
    ----------
    design : Dataset
        The coordinates ``role`` and ``kind`` (row) say which row is the control arm and which rows are contrasts.
    trials : sequence of str, optional
        Trials to leave out; by default each.
    tolerance : float
        As for :func:`integrate`.

    Returns
    -------
    DataFrame
        Indexed by trial: ``elpd``, ``elpd_contrasts`` (missing where the trial has no control arm or nothing else),
        ``control`` (label of the row conditioned on, or "") and ``n_rows``.
    """
    check_design(design)
    system = assemble(design)
    whole, contrasts = (
        [one for one in held_out_sets(design, system, unit) if trials is None or one.label in trials]
        for unit in ("trial", "contrast")
    )
    density = held_out_densities(design, system, [*whole, *contrasts], tolerance=tolerance)
    index = pd.Index([one.label for one in whole], name="trial")
    rows = [system.trials[one.trial].rows for one in whole]
    control = {
        one.label: str(design["row"].to_numpy()[system.trials[one.trial].rows[one.kept[0]]])
        for one in contrasts
        if len(one.kept)
    }
    return pd.DataFrame(
        {
            "elpd": density[: len(whole)],
            "elpd_contrasts": pd.Series(density[len(whole) :], index=[one.label for one in contrasts]).reindex(index),
            "control": [control.get(label, "") for label in index],
            "n_rows": [len(numbers) for numbers in rows],
        },
        index=index,
    )


def loro_exact(design: xr.Dataset, *, tolerance: float = 1e-3) -> pd.Series:
    """Leave each row out in turn: its log density given all other rows, its own trial's among them.

    Parameters
    ----------
    design : Dataset
        The labelled description of the model.
    tolerance : float
        Largest error of a log density from the grid of the variance parameters.

    Returns
    -------
    Series
        ``elpd`` by row.
    """
    check_design(design)
    system = assemble(design)
    held_out = held_out_sets(design, system, "arm")
    density = held_out_densities(design, system, held_out, tolerance=tolerance)
    elpd = pd.Series(density, index=pd.Index([one.label for one in held_out], name="row"), name="elpd")
    return elpd.loc[design["row"].to_numpy()]


def leave_one_trial_out(design: xr.Dataset, *, executor: Executor | None = None) -> pd.DataFrame:
    """Score what the other trials predict for each trial, in parallel if wanted.

    Parameters
    ----------
    design : Dataset
        The labelled description of the model.
    executor : Executor, optional
        Anything with the ``map`` of :class:`concurrent.futures.Executor`: a process pool,
        ``dask.distributed.Client(...).get_executor()``, an MPI pool. The numbers do not depend on it.

    Returns
    -------
    DataFrame
        As :func:`loto_exact`.
    """
    check_design(design)
    names = list(dict.fromkeys(design["trial"].to_numpy().tolist()))
    groups = [names[start : start + TRIALS_AT_ONCE] for start in range(0, len(names), TRIALS_AT_ONCE)]
    score = partial(_loto_of, design)
    return pd.concat(list(map(score, groups) if executor is None else executor.map(score, groups)))


def _loto_of(design: xr.Dataset, trials: list[str]) -> pd.DataFrame:
    """Leave out some trials; a function of the module so that it can be sent to another process."""
    return loto_exact(design, trials=trials)


class HeldOut(NamedTuple):
    """Data to predict: the rows of one trial other than those ``kept`` (places among the trial's rows)."""

    label: str
    trial: int
    kept: Index


def held_out_sets(design: xr.Dataset, system: System, unit: str) -> list[HeldOut]:
    """List what is held out in turn.

    ``"trial"``: each trial's rows; ``"contrast"``: each trial's rows but its control arm, where it has one, or all rows
    of a trial given as contrasts; ``"arm"``: each row.
    """
    labels, contrast = design["row"].to_numpy(), is_contrast(design)
    sets = []
    for j, one in enumerate(system.trials):
        places, nothing = np.arange(len(one.rows)), np.zeros(0, dtype=np.int64)
        if unit == "arm":
            sets += [HeldOut(str(labels[row]), j, np.delete(places, i)) for i, row in enumerate(one.rows)]
        elif unit == "trial" or contrast[one.rows].all():
            sets.append(HeldOut(one.name, j, nothing))
        else:
            control = control_row(design, one)
            if control is not None and len(one.rows) > 1:
                sets.append(HeldOut(one.name, j, np.array([control])))
    return sets


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
        whole = share([(system.trials[j], np.arange(len(system.trials[j].rows))) for j in trials], touched)
        assert whole is not None  # every group has a trial
        groups.append(
            Group(
                touched,
                whole,
                np.array(sets),
                np.array([trials.index(held_out[number].trial) for number in sets]),
                np.array(keeping, dtype=np.int64),
                share([(system.trials[held_out[sets[k]].trial], held_out[sets[k]].kept) for k in keeping], touched),
            )
        )
    return groups


def share(parts: list[tuple[Trial, Index]], touched: Index) -> Share | None:
    """Return what the given rows of some trials add to the system, None for no trials."""
    if not parts:
        return None
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
        return np.concatenate([log_densities(part) for part in in_chunks(x)])

    def whole_log_density(x: Array) -> Array:
        return np.concatenate([log_posterior(system, priors, part) for part in in_chunks(x)])[:, None]

    lattice = integrate_lattice(all_log_densities, mirrored, tolerance=tolerance, first=whole_log_density)
    total = log_sum(lattice.log_weight)
    return total[0] - total[1:]


def is_contrast(design: xr.Dataset) -> np.ndarray:
    """Say which rows (row,) are between-arm contrasts."""
    marks = [design[name].to_numpy() == "contrast" for name in ("kind", "role") if name in design.coords]
    return np.logical_or.reduce(marks) if marks else np.zeros(design.sizes["row"], dtype=bool)


def control_row(design: xr.Dataset, trial: Trial) -> int | None:
    """Return the place among a trial's rows of its control arm, or None where it has none."""
    if "role" not in design.coords or is_contrast(design)[trial.rows].any():
        return None
    roles = design["role"].to_numpy()[trial.rows].tolist()
    return next((roles.index(role) for role in CONTROL_ROLES if role in roles), None)
