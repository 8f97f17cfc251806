"""What identifies each drug's rate: which trials, which part of them is randomised, and what is the prior's or other drugs'."""

import numpy as np
import pandas as pd

from pillprocess.gaussian.pooled_rates import draw_rates, group_sums, prior_rates, rate_nodes, shared_log_weight
from pillprocess.timecourse.fit import default_priors, time_pieces
from pillprocess.timecourse.rows import time_contrasts, time_set_aside, with_relapse
from pillprocess.timecourse.shapes import RATED, Shape

ENOUGH = 0.5
"""Share of the prior variance that must be gone for a rate to count as learned."""

VERDICTS = (
    "its own randomised curves", "one trial's curve: nearly an assumption", "other drugs' curves: an assumption",
    "the prior: an assumption", "relapse after the drug was stopped at random, read through the curve",
)  # fmt: skip


def time_ledger(
    rows: pd.DataFrame,
    *,
    relapse: pd.DataFrame | None = None,
    shape: Shape = "decay",
    seed: int = 1,
    dose_shape: str = "linear",
) -> pd.DataFrame:
    """Say for each drug which randomised rows carry its curve, and whether its rate is its own, borrowed or the prior.

    Parameters
    ----------
    rows, relapse, shape, dose_shape
        As in :func:`pillprocess.time_course_design`; a shape with a rate.
    seed
        Seed of the draws behind the intervals.

    Returns
    -------
    DataFrame, a row per drug: ``trials`` and ``differences`` (randomised), ``curve_trials`` (measured on two or more days) with their
    names, ``relapse_trials``,
    ``first_day`` and ``last_day``, ``not_used`` (rows set aside), ``own_low``, ``own_median``, ``own_high`` (half-life in days from the
    drug's
    own trials and the prior), ``own_learned`` and ``learned`` (share of the prior variance of the log half-life that is gone: by its own
    trials; with those of other drugs), ``unpublished`` (of the trials with a
    curve, those whose figures are a sponsor's or the press's), ``rests_on``.

    Raises
    ------
    ValueError
        A shape without a rate.
    """
    if shape not in RATED:
        raise ValueError(f"shape {shape!r} has no rate to account for; use one of {', '.join(RATED)}")
    scores, aside = time_contrasts(rows), time_set_aside(rows)
    table = with_relapse(scores, relapse)
    study_drug = rows.drop_duplicates("trial").set_index("trial")["study_drug"]
    priors = default_priors(shape)
    nodes = rate_nodes(priors)
    pieces = time_pieces(table, shape, dose_shape, nodes.wide)
    drugs = sorted(set(table["drug"]))
    groups = [group_sums([p for p in pieces if p.group == drug], nodes, priors) for drug in drugs]
    rng = np.random.default_rng(seed)
    together = draw_rates(groups, nodes, shared_log_weight(groups, nodes, priors), draws=2000, rng=rng)["rate"]
    before = float(prior_rates(priors, groups=1, draws=20_000, rng=rng)["rate"].var())
    out = []
    for d, drug in enumerate(drugs):
        own, relapsed = scores[scores["drug"] == drug], table[(table["drug"] == drug) & (table["kind"] == "relapse")]
        weight = shared_log_weight([groups[d]], nodes, priors)
        alone = draw_rates([groups[d]], nodes, weight, draws=2000, rng=rng)["rate"][:, 0]
        several = own.groupby("trial", sort=False)["day"].nunique()
        several = list(several[several > 1].index)
        learned = {"own": 1 - float(alone.var()) / before, "all": 1 - float(together[:, d].var()) / before}
        kind = 2 if learned["all"] > ENOUGH else 3
        if several and learned["own"] > ENOUGH:
            kind = 0 if len(several) > 1 else 1
        if len(relapsed) and kind != 0 and learned["own"] > ENOUGH:
            kind = 4
        low, median, high = np.exp(np.quantile(alone, [0.025, 0.5, 0.975]))
        out.append(
            {
                "drug": drug, "trials": own["trial"].nunique(), "differences": len(own), "curve_trials": len(several),
                "names": ", ".join(several), "relapse_trials": relapsed["trial"].nunique(),
                "first_day": own["days_from_last_dose"].min(), "last_day": own["days_from_last_dose"].max(),
                "not_used": int(aside["trial"].map(study_drug).eq(drug).sum()), "own_low": low, "own_median": median, "own_high": high,
                "own_learned": learned["own"], "learned": learned["all"],
                "unpublished": own.loc[(own["published"] != 1) & own["trial"].isin(several), "trial"].nunique(), "rests_on": VERDICTS[kind],
            }
        )  # fmt: skip
    return pd.DataFrame(out)
