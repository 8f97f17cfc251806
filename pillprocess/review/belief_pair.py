"""The headline pair: the decomposition without belief and with it, of equal rank."""

import pandas as pd
import xarray as xr

from pillprocess.decomposition.estimands import relative_effects
from pillprocess.decomposition.model import Baseline, decomposition_design
from pillprocess.inference.fit import fit
from pillprocess.output.tables import interval_table
from pillprocess.rows.terms import HEADLINE

WITHOUT, WITH = "without belief", "with belief"
TERM_NAMES = {
    WITHOUT: {"delta": "drug with its unblinding", "kappa": "(drug with its unblinding) x therapy", "psi": "therapy"},
    WITH: {"delta": "drug, belief held equal", "kappa": "drug x therapy", "psi": "therapy", "epsilon": "belief of having had the drug"},
}  # fmt: skip
"""What the terms mean in each model: without belief, the drug's effect holds whatever knowing that one has had it does."""


def belief_pair(
    arms: pd.DataFrame,
    differences: pd.DataFrame,
    *,
    seed: int,
    baseline: Baseline = "exchangeable",
    without: xr.DataTree | None = None,
) -> pd.DataFrame:
    """Fit the headline terms without and with belief, in closed form, and put their estimates side by side.

    Belief is reported by few trials and borrowed for the others, and goes with the drug nearly everywhere: neither model is
    the better one, and what they differ in is what the trials cannot tell apart.

    Parameters
    ----------
    arms, differences
        Model rows.
    seed
        Seed of the draws.
    baseline
        As in :func:`pillprocess.decomposition_design`.
    without
        The fit of the headline terms, where it is there already.

    Returns
    -------
    DataFrame: ``model``, ``quantity``, ``drug`` and ``therapy`` (of the effects by drug), ``trials``, ``evidence``, ``mean``, ``sd``,
    ``ci_low``, ``ci_high``, ``p_below`` and ``note``; a model that cannot be fitted is one row with the reason.
    """
    parts = []
    for model, terms in ((WITHOUT, HEADLINE), (WITH, HEADLINE | {"expectancy"})):
        if model == WITHOUT and without is not None:
            parts.append(_estimates(without, model))
            continue
        try:
            design = decomposition_design(arms, differences, terms=terms, baseline=baseline)
        except ValueError as error:
            parts.append(pd.DataFrame([{"model": model, "quantity": "not fitted", "note": str(error)}]))
            continue
        parts.append(_estimates(fit(design, seed=seed), model))
    table = pd.concat(parts, ignore_index=True)
    for column in ("drug", "evidence", "note"):
        table[column] = table[column].fillna("") if column in table else ""
    first = [
        "model",
        "quantity",
        "drug",
        "therapy",
        "trials",
        "evidence",
        "mean",
        "sd",
        "ci_low",
        "ci_high",
        "p_below",
        "note",
    ]
    return table.reindex(columns=first)


def _estimates(idata: xr.DataTree, model: str) -> pd.DataFrame:
    """Terms, then effects by drug and setting."""
    posterior = idata["posterior"].dataset
    names = {variable: name for variable, name in TERM_NAMES[model].items() if variable in posterior}
    terms = interval_table(posterior[list(names)]).rename(columns={"estimand": "quantity"})
    parts = [terms.assign(quantity=terms["quantity"].map(names))]
    if "delta" in names:
        parts.append(interval_table(relative_effects(idata)).assign(quantity=f"effect of {names['delta']}"))
    return pd.concat(parts, ignore_index=True).assign(model=model)
