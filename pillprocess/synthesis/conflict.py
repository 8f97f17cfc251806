"""Whether the kinds of evidence agree: few comparisons, stated before the data, with the chance each had to see a conflict.

Each kind alone is asked what the others are asked too (node-splitting, Dias et al. 2010, doi:10.1002/sim.3767). The comparisons
follow from what was measured, not from how it came out: for every dimension of experience with a within-arm association, the
drug of that dimension with most people in controlled trials; and every drug given with and without its experience.
"""

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from pillprocess.output.multiplicity import holm
from pillprocess.rows.terms import TERMS
from pillprocess.synthesis.compiled import Refit
from pillprocess.synthesis.data import experiences_of_items
from pillprocess.synthesis.effects import controlled_trials, usual_therapy
from pillprocess.synthesis.fits import items_of, refit_of
from pillprocess.synthesis.kinds import has_kind, without

OUTCOMES = (
    "placebo-controlled outcomes",
    "dose comparisons",
    "blocked experience",
    "therapy comparisons",
    "response counts",
)
CONFLICT = 0.05


def conflict(
    idata: xr.DataTree, *, seed: int, refit: Refit | None = None, draws: int = 1000, chains: int = 4
) -> pd.DataFrame:
    r"""Ask kinds of evidence alone, and compare the answers.

    Two questions. *Slope*: if all of the drug's effect ran through the experience and all of the within-arm association were
    causal, the whole effect without belief, :math:`\delta_d + \kappa_d h`, would be :math:`a_d \tanh(\zeta_q) s_Y`; their
    difference is asked, draw by draw, in the setting h that most of the drug's trials had. *Blocked*: is the whole effect without
    belief the same where the experience was blocked? If it is, the experience was not needed. Nothing is divided by a draw.

    Parameters
    ----------
    idata, seed, refit, draws, chains
        As in :func:`pillprocess.without_each_kind`.

    Returns
    -------
    DataFrame, one row per comparison: ``question``, ``drug``, ``one`` and ``other`` (the kinds), their means and intervals,
    ``difference`` with interval, ``p`` (two-sided posterior probability of a difference at least as far from 0),
    ``p_corrected`` (Holm, for the number of comparisons), ``power``, the chance that a true difference as large as the drug's whole
    effect would have been called a disagreement here (normal approximation, first step of Holm), and ``verdict``:
    ``"they disagree"`` where ``p_corrected`` is below .05, ``"a hint of disagreement"`` where only ``p`` is, as chance alone makes one in
    twenty.

    Raises
    ------
    ConvergenceError
        A refit did not converge.
    """
    refit, items = refit or refit_of(idata), items_of(idata)
    asked = comparisons(items)
    terms = frozenset(TERMS) - {"experience"}
    settings = {"seed": seed, "terms": terms, "draws": draws, "chains": chains, "checked": True, "outcomes": False}
    fits = {}
    if asked:
        fits["unblocked"] = refit(_only(items, OUTCOMES[:2]), **settings)
    if any(question == "blocked" for question, _ in asked):
        fits["blocked"] = refit(_only(items, OUTCOMES[2:3]), **settings)
    rows, setting = [], usual_therapy(items)
    for question, drug in asked:
        whole = _whole(fits["unblocked"], drug, setting.get(drug, 0.0))
        if question == "slope":
            posterior = fits["unblocked"]["posterior"].dataset
            carried = posterior["a"].sel(drug=drug) * np.tanh(
                posterior["zeta"].sel(dimension=experiences_of_items(items)[drug])
            )
            one, names = (
                carried * float(items["outcome_sd"]),
                ("within-arm association x experience", "controlled outcomes"),
            )
            other = whole
        else:
            one, other = _whole(fits["blocked"], drug, 0.0), _whole(fits["unblocked"], drug, 0.0)
            other = other.isel(draw=slice(None, None, -1))  # other data: the order of the draws means nothing
            names = ("blocked experience", "controlled outcomes")
        rows.append(
            compare_draws(
                question, drug, names, one.to_numpy().ravel(), other.to_numpy().ravel(), whole=float(whole.mean())
            )
        )
    return judged(pd.DataFrame(rows))


def comparisons(items: xr.Dataset) -> list[tuple[str, str]]:
    """Return the comparisons these items allow, as question and drug, whatever their outcomes say."""
    trials = controlled_trials(items)
    kind = items["row_kind"].to_numpy()
    unblocked = set(items["trial"].to_numpy()[np.isin(kind, OUTCOMES[:2])])
    people = trials[trials["trial"].isin(unblocked)].drop_duplicates(["drug", "trial"]).groupby("drug")["people"].sum()
    kept, experience = items["association_kept"].to_numpy() == 1, experiences_of_items(items)
    asked = []
    for dimension in dict.fromkeys(items["association_dimension"].to_numpy()[kept]):
        of = people[[experience[str(drug)] == dimension for drug in people.index]]
        if len(of):
            asked.append(("slope", str(of.idxmax())))
    blocked = sorted(set(items["study_drug"].to_numpy()[kind == OUTCOMES[2]]) & set(people.index))
    return asked + [("blocked", str(drug)) for drug in blocked]


def _whole(fit: xr.DataTree, drug: str, therapy: float) -> xr.DataArray:
    """A drug's whole effect without belief."""
    posterior = fit["posterior"].dataset.sel(drug=drug)
    return posterior["direct"] + therapy * posterior["interaction"]


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Correct the p of each comparison for their number, and say what that leaves."""
    if table.empty:
        return table
    corrected = holm(table["p"].to_numpy())
    words = np.where(table["p"] < CONFLICT, "a hint of disagreement", "no disagreement seen")
    verdict = np.where(corrected < CONFLICT, "they disagree", words)
    critical = stats.norm.isf(CONFLICT / len(table) / 2)
    size = table["whole"].abs() / table["difference_sd"]
    power = stats.norm.sf(critical - size) + stats.norm.cdf(-critical - size)
    return table.assign(p_corrected=corrected, power=power, verdict=verdict)


def _only(items: xr.Dataset, kinds: tuple[str, ...]) -> xr.Dataset:
    """Keep these kinds of outcome, and everything that is no outcome."""
    for other in OUTCOMES:
        if other not in kinds and has_kind(items, other):
            items = without(items, other)
    return items


def compare_draws(
    question: str, drug: str, names: tuple[str, str], one: np.ndarray, other: np.ndarray, *, whole: float
) -> dict[str, object]:
    """Two answers side by side, from fits that share no draws: one may be longer, and is thinned to the other for the difference."""
    n = min(len(one), len(other))
    difference = one[:: len(one) // n][:n] - other[:: len(other) // n][:n]
    row: dict[str, object] = {"question": question, "drug": drug, "one": names[0], "other": names[1], "whole": whole}
    for name, values in (("one", one), ("other", other), ("difference", difference)):
        low, high = np.quantile(values, [0.025, 0.975])
        row |= {f"{name}_mean": values.mean(), f"{name}_low": low, f"{name}_high": high}
    p = 2 * min((difference > 0).mean(), (difference < 0).mean())
    return row | {"difference_sd": float(difference.std(ddof=1)), "p": float(p)}
