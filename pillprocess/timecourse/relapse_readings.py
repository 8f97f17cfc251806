"""How a half-life from relapse hangs on what relapse is taken to say: the same figures under other readings."""

import numpy as np
import pandas as pd

from pillprocess.gaussian.pooled_rates import GroupSums, group_sums, rate_marginal, rate_nodes, rate_weight
from pillprocess.timecourse.fit import default_priors, time_pieces
from pillprocess.timecourse.rows import time_contrasts, with_relapse


def relapse_readings(rows: pd.DataFrame, relapse: pd.DataFrame) -> pd.DataFrame:
    """Half-life of each drug with relapse under readings that the figures do not tell apart.

    Parameters
    ----------
    rows
        As in :func:`pillprocess.time_contrasts`.
    relapse
        Rows of :func:`pillprocess.relapse_rows`.

    Returns
    -------
    DataFrame by ``drug`` and ``reading``: ``median``, ``ci_low``, ``ci_high`` in days, without therapy. Readings: as it is read; the
    stretch half or twice as long; relapse tells of the last day alone; people who had improved react twice as much as others (the
    difference and its error are halved); and each comparison left out where there are several.
    """
    priors = default_priors("decay")
    nodes = rate_nodes(priors)
    table = time_contrasts(rows)

    def of(drug: str, more: pd.DataFrame) -> GroupSums:
        every = with_relapse(table, more)
        return group_sums(time_pieces(every[every["drug"] == drug], "decay", "linear", nodes.wide), nodes, priors)

    groups = {drug: of(drug, relapse[relapse["drug"] == drug]) for drug in sorted({*table["drug"], *relapse["drug"]})}
    edges = np.append(nodes.rate, 2 * nodes.rate[-1] - nodes.rate[-2]) - (nodes.rate[1] - nodes.rate[0]) / 2
    out = []
    for drug, own in relapse.groupby("drug"):
        weight = rate_weight([g for d, g in groups.items() if d != drug], nodes, priors)
        for reading, changed in _readings(own).items():
            below = np.append(0.0, np.cumsum(rate_marginal(of(str(drug), changed), weight)))
            low, median, high = np.exp(np.interp([0.025, 0.5, 0.975], below, edges))
            out.append((drug, reading, median, low, high))
    return pd.DataFrame(out, columns=["drug", "reading", "median", "ci_low", "ci_high"])


def _readings(own: pd.DataFrame) -> dict[str, pd.DataFrame]:
    errors = ["y", "se", "se_arm", "se_reference"]
    found = {
        "as it is read": own,
        "people could relapse for half as many days": own.assign(until_reference=own["until_reference"] / 2),
        "people could relapse for twice as many days": own.assign(until_reference=own["until_reference"] * 2),
        "relapse tells of the last day alone": own.assign(from_reference=own["until_reference"]),
        "people who had improved react twice as much as others": own.assign(**{c: own[c] / 2 for c in errors}),
    }
    if len(own) > 1:
        found |= {f"without {label}": own[own["label"] != label] for label in own["label"]}
    return found
