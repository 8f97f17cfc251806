"""How much of the within-arm association is causal: what follows from each answer, and what the evidence says."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.output.tables import effect_table
from pillprocess.synthesis.compiled import Refit
from pillprocess.synthesis.data import experiences_of_items
from pillprocess.synthesis.effects import controlled_trials, path_effects, usual_therapy
from pillprocess.synthesis.fits import items_of, refit_of

SHARES = (0.0, 0.5, 1.0)


def share_curve(
    idata: xr.DataTree,
    *,
    seed: int,
    refit: Refit | None = None,
    shares: Sequence[float] = SHARES,
    draws: int = 1000,
    chains: int = 4,
) -> pd.DataFrame:
    """Fit the synthesis again at fixed causal shares, from all epiphenomenon (0) to all causal (1).

    Parameters
    ----------
    idata
        A fit of :func:`pillprocess.synthesis`.
    seed, draws, chains
        Of the refits, which must pass :func:`pillprocess.check_fit`.
    refit
        From :func:`pillprocess.compile_synthesis`, where the model is compiled already.
    shares
        Shares between 0 and 1.

    Returns
    -------
    DataFrame: ``drug``, ``therapy`` (what most of its trials gave; drugs no trial compares are left out), ``n_trials``,
    ``causal_share``, ``path`` (all of :func:`pillprocess.path_effects`), ``mean``, ``ci_low``, ``ci_high``. At share 0 the effect
    through the experience is 0.

    Raises
    ------
    ConvergenceError
        A refit did not converge.
    """
    refit, items = refit or refit_of(idata), items_of(idata)
    setting, trials = usual_therapy(items), controlled_trials(items).groupby(["drug", "therapy"]).size()
    tables = []
    for share in shares:
        fit = refit(items, seed=seed, causal_share=share, draws=draws, chains=chains, checked=True, outcomes=False)
        effects = path_effects(fit, therapy=tuple(sorted(set(setting.values()))))
        table = effect_table(effects).rename(columns={"estimand": "path"})
        tables.append(table[table["drug"].map(setting) == table["therapy"]].assign(causal_share=share))
    curve = pd.concat(tables, ignore_index=True)
    curve["n_trials"] = trials.reindex(pd.MultiIndex.from_frame(curve[["drug", "therapy"]])).to_numpy()
    return curve


def causal_shares(draws: xr.DataTree | xr.Dataset, *, prior: xr.Dataset | None = None) -> pd.DataFrame:
    """Summarise what part of each drug's within-arm association is causal.

    Parameters
    ----------
    draws
        A fit of :func:`pillprocess.synthesis`, or its draws.
    prior
        Draws of :func:`pillprocess.prior_of`.

    Returns
    -------
    DataFrame, one row per drug: ``association`` and ``bias`` (association - causal slope) with intervals, in correlations; ``share``,
    the median causal slope over association, with interval; ``p_half``, the probability that more than half of the association is
    causal, ``p_larger`` that the causal slope is larger than the association (suppression by bias of the other sign), ``p_none``
    that it is 0 or of the other sign; and with a prior each probability before the data, ``prior_...``.
    """
    table = _shares(draws["posterior"].dataset if isinstance(draws, xr.DataTree) else draws)
    if prior is None:
        return table
    before = _shares(prior)[["drug", "p_half", "p_larger", "p_none"]]
    return table.merge(before.rename(columns=lambda c: c if c == "drug" else f"prior_{c}"), on="drug")


def _shares(posterior: xr.Dataset) -> pd.DataFrame:
    scale = float(posterior.attrs["outcome_sd"])
    experience, rows = experiences_of_items(posterior), []
    for drug in posterior["drug"].to_numpy():
        association = np.tanh(posterior["zeta"].sel(dimension=experience[str(drug)]).to_numpy().ravel())
        causal = posterior["b"].sel(drug=drug).to_numpy().ravel() / scale
        share, row = causal / association, {"drug": str(drug)}
        for name, values in (("association", association), ("bias", association - causal), ("share", share)):
            low, middle, high = np.quantile(values, [0.025, 0.5, 0.975])
            row |= {name: middle, f"{name}_low": low, f"{name}_high": high}
        rows.append(
            row | {"p_half": (share > 0.5).mean(), "p_larger": (share > 1).mean(), "p_none": (share <= 0).mean()}
        )
    return pd.DataFrame(rows)
