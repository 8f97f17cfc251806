"""The review's hypotheses as syntheses, compared by how well they predict the outcomes of trials left out."""

import json
from collections.abc import Callable
from functools import cache

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logsumexp

from pillprocess.comparison.compare import LARGEST_K, compare, comparison_note, importance_scores
from pillprocess.synthesis.compiled import Refit
from pillprocess.synthesis.fits import items_of, refit_of
from pillprocess.synthesis.kinds import without_each
from pillprocess.synthesis.model import SYNTHESIS_HYPOTHESES


def compare_synthesis(
    idata: xr.DataTree, *, seed: int, refit: Refit | None = None, draws: int = 1000, chains: int = 4
) -> tuple[pd.DataFrame, str]:
    """Compare the hypotheses on the same outcomes, with experience and belief integrated out.

    The experience of an outcome's arm follows from its drug and dose, never from a score of the same people, so every
    hypothesis predicts outcomes given the treatment alone. All carry the same trial effects and differ in mean terms. Each trial is
    left out by Pareto-smoothed importance sampling; for those where that fails (k-hat above 0.7), the model is fitted once more, to
    the mixture of the posteriors without each of them (Silva & Zanella 2024, doi:10.1080/01621459.2023.2257893).

    Parameters
    ----------
    idata, seed, refit, draws, chains
        As in :func:`pillprocess.without_each_kind`.

    Returns
    -------
    The table of :func:`pillprocess.compare`, with ``terms``, ``mcse``, the Monte Carlo standard error of elpd, and ``told_apart``, 1
    where the difference from the best exceeds twice the Monte Carlo error of both; and what it decides in words. No rank is given
    within that error.

    Raises
    ------
    ConvergenceError
        The predictions of a refit did not converge. Its parameters may lie in several modes that predict alike: without a drug term,
        an experience of the other sign, whose association with the outcome then has the other sign too.
    """
    refit, items = refit or refit_of(idata), items_of(idata)
    fits, again, errors = {}, {}, {}
    for name, terms in SYNTHESIS_HYPOTHESES.items():
        settings = {
            "seed": seed,
            "terms": terms,
            "causal_share": None,
            "draws": draws,
            "chains": chains,
            "checked": "outcomes",
        }
        fits[name] = idata if _is_whole(items, terms) else refit(items, **settings)
        log_likelihood = fits[name]["log_likelihood"].dataset["y_trial"]
        errors[name] = loo_errors(log_likelihood)
        again[name] = _without_each(refit, items, settings, log_likelihood, errors[name])
    table = compare(fits, unit="trial", refits=again)
    joined = table.reset_index()
    joined.insert(1, "terms", [", ".join(sorted(SYNTHESIS_HYPOTHESES[name])) for name in joined["model"]])
    joined["mcse"] = [float(np.sqrt((errors[name] ** 2).sum())) for name in joined["model"]]
    noise = 2 * np.hypot(joined["mcse"], joined["mcse"].iloc[0])
    joined["told_apart"] = ((joined["elpd"].iloc[0] - joined["elpd"]) > noise).astype(int)
    joined["rank"] = joined["rank"].where(joined["told_apart"] == 1)
    return joined, f"{comparison_note(table)} {_noise(joined)}"


def _is_whole(items: xr.Dataset, terms: frozenset[str]) -> bool:
    """Whether the fit at hand is the hypothesis's own."""
    settings = json.loads(items.attrs["settings"])
    return frozenset(settings["terms"]) == terms and settings["causal_share"] is None


def loo_errors(log_likelihood: xr.DataArray) -> pd.Series:
    """Monte Carlo standard error of every trial's leave-one-out log density, by importance sampling with autocorrelated draws."""
    least = log_likelihood.min(("chain", "draw"))
    inverse = log_likelihood.copy(data=np.exp((least - log_likelihood).transpose(*log_likelihood.dims).to_numpy()))
    return pd.Series(_relative_error(inverse).to_numpy(), index=log_likelihood["trial"].to_numpy())


def _relative_error(values: xr.DataArray) -> xr.DataArray:
    """Monte Carlo standard error of a mean, relative to it."""
    return az.mcse(values.to_dataset(name="p"))["p"] / values.mean(("chain", "draw"))


def _noise(table: pd.DataFrame) -> str:
    tied = table["model"][table["told_apart"] == 0].tolist()[1:]
    largest = table["mcse"].max()
    words = f"The Monte Carlo error of an elpd is at most {largest:.2f}"
    if tied:
        words += f"; within it no order is given to {', '.join(repr(name) for name in [table['model'].iloc[0], *tied])}"
    return (
        words
        + ". An experience that is there and moves no outcome (an epiphenomenon) predicts outcomes exactly as 'pill_and_process'"
        " does: no comparison of predictions can tell the two apart."
    )


def _without_each(
    refit: Refit, items: xr.Dataset, settings: dict[str, object], log_likelihood: xr.DataArray, errors: pd.Series
) -> Callable[[str], float]:
    """Return a function from a trial's label to the log density of its outcomes given all others; it notes its error.

    One fit answers for all trials whose importance weights fail: to the mixture of the posteriors without each of them. Its weights
    towards any one of these are bounded, so that their mean has a variance.
    """

    @cache
    def drawn() -> tuple[xr.DataArray, xr.DataArray]:
        scores = importance_scores(log_likelihood.rename(trial="unit"))
        elpd = scores.loc[scores["k_hat"] > LARGEST_K, "elpd"]
        fitted = refit(without_each(items, elpd), **settings)["log_likelihood"].dataset["y_trial"].sel(trial=elpd.index)
        return fitted, fitted.copy(data=elpd.to_numpy() - fitted.to_numpy())

    def density(label: str) -> float:
        log_density, parts = drawn()
        one = log_density.sel(trial=label)
        mixture = logsumexp(parts.to_numpy(), axis=parts.get_axis_num("trial"))
        log_weight = -one.to_numpy() - mixture
        weight = one.copy(data=np.exp(log_weight - log_weight.max()))
        p = one.copy(data=np.exp(one.to_numpy() - float(one.max())))
        mean = float((weight * p).mean() / weight.mean())
        around = az.mcse((weight * (p - mean)).to_dataset(name="p"))["p"]
        errors[label] = float(around / weight.mean()) / mean
        return float(np.log(mean) + float(one.max()))

    return density
