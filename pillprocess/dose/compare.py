"""Shapes of the dose curve against one another: by all trials, by each trial predicted from the others, and without each trial."""

import numpy as np
import pandas as pd

from pillprocess.dose.curves import DOSE_SHAPES, DoseShape, check_dose_shape
from pillprocess.dose.response import default_priors, dose_differences, dose_pieces
from pillprocess.gaussian.pooled_rates import log_marginal, rate_nodes, without_each_trial

COARSE = 0.2


def compare_dose_shapes(
    rows: pd.DataFrame, *, shapes: tuple[DoseShape, ...] = DOSE_SHAPES
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare shapes of the dose curve, and say on which trial the comparison hangs.

    Parameters
    ----------
    rows
        As in :func:`pillprocess.dose_response`.
    shapes
        Names of shapes; priors are the defaults.

    Returns
    -------
    DataFrame by shape, best first: ``log_marginal_likelihood``, ``below_the_best``, ``elpd`` (sum over trials of the log density of a
    trial's rows given all other trials), ``elpd_difference`` from that of the first with ``se`` (over trials), ``trials``; and a DataFrame
    by ``trial``: the log marginal likelihood of all other trials under each shape. Both but the first are on a coarser grid than the
    fit's.

    Raises
    ------
    ValueError
        A shape that is not known.
    """
    for shape in shapes:
        check_dose_shape(shape)
    table, base = dose_differences(rows)
    priors = default_priors()
    total, pointwise, rest, trials = {}, {}, {}, []
    for shape in shapes:
        one = shape == "linear"
        fine = rate_nodes(priors, spacing=1.0) if one else rate_nodes(priors)
        total[shape] = log_marginal(dose_pieces(table, base, shape, fine), fine, priors)
        nodes = rate_nodes(priors, spacing=1.0 if one else COARSE, fine=False)
        pieces = dose_pieces(table, base, shape, nodes)
        every, rest[shape] = without_each_trial(pieces, nodes, priors)
        pointwise[shape] = every - rest[shape]
        trials = [p.trial for p in pieces]
    out = pd.DataFrame({"log_marginal_likelihood": total}).sort_values("log_marginal_likelihood", ascending=False)
    gaps = {s: pointwise[s] - pointwise[out.index[0]] for s in out.index}
    out = out.assign(
        below_the_best=out["log_marginal_likelihood"].iloc[0] - out["log_marginal_likelihood"],
        elpd=[pointwise[s].sum() for s in out.index], elpd_difference=[gaps[s].sum() for s in out.index],
        se=[np.sqrt(len(trials)) * gaps[s].std(ddof=1) for s in out.index], trials=len(set(trials)),
    ).rename_axis("shape").reset_index()  # fmt: skip
    return out, pd.DataFrame({"trial": trials} | {s: rest[s] for s in shapes})
