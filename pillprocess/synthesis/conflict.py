"""Whether the kinds of evidence agree, and which of them carries the answer.

Each kind is removed in turn and the synthesis fitted again; and each kind alone is asked what the others are asked too
(node-splitting, Dias et al. 2010, doi:10.1002/sim.3767). The refits take other data to one compiled model.
"""

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.output.tables import effect_table
from pillprocess.rows.acute_scores import EXPERIENCES
from pillprocess.rows.terms import TERMS
from pillprocess.synthesis.compiled import Refit
from pillprocess.synthesis.effects import mediated_share, path_effects
from pillprocess.synthesis.fits import items_of, refit_of
from pillprocess.synthesis.kinds import KINDS, has_kind, without

OUTCOMES = (
    "placebo-controlled outcomes",
    "dose comparisons",
    "blocked experience",
    "therapy comparisons",
    "response counts",
)
CONFLICT = 0.05


def without_each_kind(
    idata: xr.DataTree, *, seed: int, refit: Refit | None = None, draws: int = 500, chains: int = 4
) -> pd.DataFrame:
    """Fit the synthesis again without each kind of evidence in turn.

    Parameters
    ----------
    idata
        A fit of :func:`pillprocess.synthesis`.
    seed, draws, chains
        Of the refits.
    refit
        From :func:`pillprocess.compile_synthesis`, where the model is compiled already.

    Returns
    -------
    DataFrame, one row per kind removed ("nothing" first) and drug: mean and interval of ``total``, ``direct`` and
    ``experience`` at the reference dose without therapy, ``p_most``, and ``shift``, by how many of its posterior SDs the
    experience's effect moves.
    """
    refit, items = refit or refit_of(idata), items_of(idata)
    kinds = [kind for kind in KINDS if has_kind(items, kind)]
    fits = {"nothing": idata}
    fits |= {k: refit(without(items, k), seed=seed, draws=draws, tune=draws, chains=chains) for k in kinds}
    tables = [_answer(fit).assign(without=kind) for kind, fit in fits.items()]
    table = pd.concat(tables, ignore_index=True)
    whole = table[table["without"] == "nothing"].set_index("drug")
    table["shift"] = (table["experience"] - table["drug"].map(whole["experience"])) / table["drug"].map(
        whole["experience_sd"]
    )
    return table[["without", *(c for c in table.columns if c != "without")]]


def _answer(fit: xr.DataTree) -> pd.DataFrame:
    effects = path_effects(fit, therapy=(0.0,))
    table = pd.DataFrame({"drug": effects["drug"].to_numpy()})
    for path in ("total", "direct", "experience"):
        one = effect_table(effects[path])
        table[path], table[f"{path}_low"], table[f"{path}_high"] = one["mean"], one["ci_low"], one["ci_high"]
        table[f"{path}_sd"] = one["sd"]
    return table.assign(p_most=mediated_share(fit, therapy=(0.0,))["p_most"])


def conflict(
    idata: xr.DataTree, *, seed: int, refit: Refit | None = None, draws: int = 500, chains: int = 4
) -> pd.DataFrame:
    """Ask each kind of evidence alone, and compare the answers.

    Two questions. *Slope*: how much does one SD of experience change the outcome, if all of the drug's effect ran through the
    experience and all of the within-arm association were causal? Within-arm associations, placebo-controlled outcomes and
    comparisons of doses each give an answer; full mediation needs them to agree. *Blocked*: is the drug's effect the same where
    the experience was blocked? If it is, the experience was not needed.

    Parameters
    ----------
    idata, seed, refit, draws, chains
        As in :func:`pillprocess.without_each_kind`.

    Returns
    -------
    DataFrame, one row per comparison: ``question``, ``drug``, ``one`` and ``other`` (the kinds), their means and intervals,
    ``difference`` with interval, ``p`` (two-sided posterior probability of a difference at least as far from 0),
    ``p_corrected`` (Holm, for the number of comparisons) and ``verdict``: ``"they disagree"`` where ``p_corrected`` is below .05, ``"a
    hint of disagreement"`` where only ``p`` is, as chance alone makes one in twenty.
    """
    refit, items = refit or refit_of(idata), items_of(idata)
    terms = frozenset(TERMS) - {"experience"}
    pure = {
        kind: refit(_only(items, kind), seed=seed, terms=terms, draws=draws, tune=draws, chains=chains)[
            "posterior"
        ].dataset
        for kind in OUTCOMES[:3]
        if has_kind(items, kind)
    }
    rows = []
    within = next(iter(pure.values()), None)
    if within is not None and has_kind(items, "experience-outcome associations"):
        slope = xr.apply_ufunc(np.tanh, within["zeta"]) * float(items["outcome_sd"])
        for kind in OUTCOMES[:2]:
            for drug in _drugs(items, kind) if kind in pure else ():
                fit = pure[kind].sel(drug=drug)
                one = slope.sel(dimension=EXPERIENCES[drug])
                rows.append(_compare("slope", drug, "within-arm associations", one, kind, fit["direct"] / fit["a"]))
    if "blocked experience" in pure and "placebo-controlled outcomes" in pure:
        for drug in _drugs(items, "blocked experience"):
            one, other = (
                pure[kind]["direct"].sel(drug=drug) for kind in ("blocked experience", "placebo-controlled outcomes")
            )
            rows.append(_compare("blocked", drug, "blocked experience", one, "placebo-controlled outcomes", other))
    return _judged(pd.DataFrame(rows))


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """Correct the p of each comparison for their number, and say what that leaves."""
    if table.empty:
        return table
    order = table["p"].sort_values(kind="stable").index
    steps = table.loc[order, "p"] * np.arange(len(table), 0, -1)
    corrected = steps.cummax().clip(upper=1.0).reindex(table.index)
    words = np.where(table["p"] < CONFLICT, "a hint of disagreement", "no disagreement seen")
    return table.assign(p_corrected=corrected, verdict=np.where(corrected < CONFLICT, "they disagree", words))


def _only(items: xr.Dataset, kind: str) -> xr.Dataset:
    """Keep one kind of outcome, and everything that is no outcome."""
    for other in OUTCOMES:
        if other != kind and has_kind(items, other):
            items = without(items, other)
    return items


def _drugs(items: xr.Dataset, kind: str) -> list[str]:
    """Study drugs of the rows of a kind."""
    return sorted(set(items["study_drug"].to_numpy()[items["row_kind"].to_numpy() == kind]))


def _compare(
    question: str, drug: str, one: str, first: xr.DataArray, other: str, second: xr.DataArray
) -> dict[str, object]:
    """Two answers side by side; their draws come from different data, so the order of draws does not matter."""
    x, y = first.to_numpy().ravel(), second.to_numpy().ravel()[::-1]
    n = min(len(x), len(y))
    difference = x[:n] - y[:n]
    row: dict[str, object] = {"question": question, "drug": drug, "one": one, "other": other}
    for name, values in (("one", x), ("other", y), ("difference", difference)):
        low, high = np.quantile(values, [0.025, 0.975])
        row |= {f"{name}_mean": values.mean(), f"{name}_low": low, f"{name}_high": high}
    p = 2 * min((difference > 0).mean(), (difference < 0).mean())
    return row | {"p": float(p)}
