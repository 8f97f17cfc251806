"""The review's hypotheses as syntheses, compared by how well they predict the outcomes of trials left out."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.comparison.compare import compare, comparison_note
from pillprocess.synthesis.compiled import Refit
from pillprocess.synthesis.fits import items_of, refit_of
from pillprocess.synthesis.kinds import without_rows
from pillprocess.synthesis.model import SYNTHESIS_HYPOTHESES


def compare_synthesis(
    idata: xr.DataTree, *, seed: int, refit: Refit | None = None, draws: int = 500, chains: int = 4
) -> tuple[pd.DataFrame, str]:
    """Compare the hypotheses on the same outcomes, with experience and belief integrated out.

    The experience of an outcome's arm follows from its drug and dose, never from a score of the same people, so every
    hypothesis predicts outcomes given the treatment alone. Each trial is left out by Pareto-smoothed importance sampling;
    where that fails (k-hat above 0.7), the model is fitted without the trial's outcomes.

    Parameters
    ----------
    idata, seed, refit, draws, chains
        As in :func:`pillprocess.without_each_kind`.

    Returns
    -------
    The table of :func:`pillprocess.compare`, with ``terms``, and what it decides in words.
    """
    refit, items = refit or refit_of(idata), items_of(idata)
    fits, again = {}, {}
    for name, terms in SYNTHESIS_HYPOTHESES.items():
        fits[name] = refit(items, seed=seed, terms=terms, causal_share=None, draws=draws, tune=draws, chains=chains)
        again[name] = _without_trial(refit, items, terms, seed=seed, draws=draws, chains=chains)
    table = compare(fits, unit="trial", refits=again)
    joined = table.reset_index()
    joined.insert(1, "terms", [", ".join(sorted(SYNTHESIS_HYPOTHESES[name])) for name in joined["model"]])
    note = comparison_note(table) + (
        " An experience that is there and moves no outcome (an epiphenomenon) predicts outcomes exactly as 'pill_and_process'"
        " does: no comparison of predictions can tell the two apart."
    )
    return joined, note


def _without_trial(
    refit: Refit, items: xr.Dataset, terms: frozenset[str], *, seed: int, draws: int, chains: int
) -> Callable[[str], float]:
    """Return a function from a trial's label to the log density of its outcomes in a fit without them."""

    def density(label: str) -> float:
        held_out = without_rows(items, items["trial"].to_numpy() == label)
        fit = refit(held_out, seed=seed, terms=terms, causal_share=None, draws=draws, tune=draws, chains=chains)
        log_density = fit["log_likelihood"]["y_trial"].sel(trial=label).to_numpy()
        return float(np.logaddexp.reduce(log_density.ravel()) - np.log(log_density.size))

    return density
