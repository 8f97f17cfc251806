r"""Simultaneous bands of the ECDF of ranks, and what they say.

N ranks are uniform on 0 ... L where a fit is calibrated. With :math:`z_i = i / (L + 1)` the number of ranks below i is
:math:`C_i \sim \mathrm{Binomial}(N, z_i)`; the smallest of its two-sided tail probabilities over i is the test statistic, whose
distribution follows exactly from the Markov chain :math:`C_1, C_2, \dots` (Säilynoja, Bürkner & Vehtari 2022,
doi:10.1007/s11222-022-10090-6).
"""

import numpy as np
import pandas as pd

from pillprocess.output.multiplicity import holm
from pillprocess.output.uniformity import p_value

QUANTITY = ["replication", "quantity", "rank", "draws"]


def check_calibration(ranks: pd.DataFrame, *, probability: float = 0.95) -> pd.DataFrame:
    """Say of every quantity whether its ranks look uniform.

    Parameters
    ----------
    ranks
        From `calibrate`.
    probability
        Of the simultaneous band.

    Returns
    -------
    DataFrame, one row per quantity: ``quantity``, ``replications``, ``draws``, ``p`` (exact probability of a departure as
    large, were the ranks uniform), ``p_corrected`` (Holm, over the quantities), ``inside`` (the whole ECDF lies in the band),
    ``few_ess`` (replications with fewer effective draws than the rank needs) and ``verdict``, in words.

    Raises
    ------
    ValueError
        Ranks that are absent or out of range, numbers of draws that differ within a quantity, or a probability outside (0, 1).

    Notes
    -----
    Of 20 quantities that are calibrated one lies outside its own 95 % band by chance: `calibration_note` weighs them together.
    """
    _check_ranks(ranks, probability)
    rows = []
    for quantity, group in ranks.groupby("quantity", sort=False):
        rank, draws = group["rank"].to_numpy(int), int(group["draws"].iloc[0])
        p = p_value(rank, draws)
        few = int((group["ess"] < draws).sum()) if "ess" in group else 0
        rows.append(
            {
                "quantity": quantity, "replications": len(group), "draws": draws, "p": p, "inside": p > 1 - probability,
                "few_ess": few, "verdict": _verdict(rank, draws, p, probability),
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    table.insert(4, "p_corrected", holm(table["p"].to_numpy()))
    return table


def calibration_note(verdicts: pd.DataFrame, *, probability: float = 0.95) -> str:
    """Weigh the quantities of a model together, in one sentence.

    Parameters
    ----------
    verdicts
        From `check_calibration`.
    probability
        Of the simultaneous bands it was given.

    Returns
    -------
    The sentence; it says "NOT calibrated" where a quantity fails when all are weighed together (Holm).
    """
    count, inside = len(verdicts), int(verdicts["inside"].sum())
    worst = verdicts.loc[verdicts["p"].idxmin()]
    judged = (
        "no sign of miscalibration"
        if worst["p_corrected"] > 1 - probability
        else f"NOT calibrated: {worst['quantity']}, {worst['verdict']}"
    )
    short = int(verdicts["few_ess"].max())
    mixing = f"; fewer effective draws than the rank needs in {short} of {worst['replications']} fits" if short else ""
    return (
        f"{inside} of {count} quantities lie inside their {probability:.0%} bands ({count * (1 - probability):.1f} outside are "
        f"expected by chance); smallest p {worst['p']:.2g} ({worst['quantity']}), corrected for {count} quantities "
        f"{worst['p_corrected']:.2g}: {judged}{mixing}"
    )


def _verdict(rank: np.ndarray, draws: int, p: float, probability: float) -> str:
    """In words; outside the band also in which way."""
    if p > 1 - probability:
        return f"inside the {probability:.0%} band"
    u = (rank + 0.5) / (draws + 1) - 0.5
    shift = u.mean() * np.sqrt(12 * len(u))
    spread = ((u**2).mean() - 1 / 12) * np.sqrt(180 * len(u))
    if abs(shift) > abs(spread):
        way = "posteriors lie too low" if shift > 0 else "posteriors lie too high"
    else:
        way = "posteriors are too narrow" if spread > 0 else "posteriors are too wide"
    return f"outside the {probability:.0%} band (p = {p:.2g}): {way}"


def _check_ranks(ranks: pd.DataFrame, probability: float) -> None:
    if not 0 < probability < 1:
        raise ValueError(f"probability = {probability}; it must lie between 0 and 1")
    absent = [c for c in QUANTITY if c not in ranks]
    if absent or not len(ranks):
        raise ValueError(
            f"ranks need rows and the columns {', '.join(QUANTITY)}; absent: {', '.join(absent) or 'rows'}"
        )
    bad = ranks[~((ranks["rank"] >= 0) & (ranks["rank"] <= ranks["draws"]))]
    problems = [
        f"replication {r.replication}, {r.quantity}: rank {r.rank} is not between 0 and {r.draws}"
        for r in bad.itertuples(index=False)
    ]
    several = ranks.groupby("quantity", sort=False)["draws"].nunique()
    problems += [f"{q}: ranks among different numbers of draws" for q in several.index[several > 1]]
    if problems:
        raise ValueError("no verdict was given:\n" + "\n".join(problems))
