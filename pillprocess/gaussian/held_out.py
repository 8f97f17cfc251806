"""Exact predictive densities of held-out data: what the other trials, and a trial's own control arm, say about it."""

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.gaussian.design_checks import check_design
from pillprocess.gaussian.held_out_density import HeldOut, held_out_densities
from pillprocess.gaussian.normal_equations import System, Trial, assemble

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
