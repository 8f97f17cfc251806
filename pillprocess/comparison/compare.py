"""Compare models by how well they predict what they have not seen."""

import warnings
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.comparison.comparability import (
    ComparisonError,
    as_fit,
    check_comparable,
    check_named,
    has_design,
    unit_density,
)
from pillprocess.comparison.ranking import ranking
from pillprocess.gaussian.held_out import held_out_sets
from pillprocess.gaussian.held_out_density import HeldOut, held_out_densities
from pillprocess.gaussian.normal_equations import LOG_2PI, Array, Index, System, Trial, assemble
from pillprocess.gaussian.posterior_columns import columns, design_of

UNITS = ("trial", "contrast", "arm")
LARGEST_K = 0.7
SMALL_DIFFERENCE = 4.0


def compare(
    fits: Mapping[str, xr.DataTree | xr.Dataset],
    *,
    unit: str = "trial",
    refits: Mapping[str, Callable[[str], float]] | None = None,
) -> pd.DataFrame:
    """Compare fits by the expected log predictive density of held-out units.

    A fit by the exact route is scored exactly. A sampled fit is scored by Pareto-smoothed importance sampling from the
    log-likelihood of each unit, the trial's own parameters integrated out; where k-hat is above 0.7, the unit's exact
    density takes its place.

    Parameters
    ----------
    fits : mapping
        Fits or designs by name, all of the same outcomes. A design is scored like its fit by the exact route, which needs no draws.
    unit : str
        What is left out: ``"trial"`` (all arms of a trial), ``"contrast"`` (a trial's other arms, given its own control
        arm; trials without one are not scored) or ``"arm"`` (one row, given the rest of its trial).
    refits : mapping, optional
        For a sampled fit that carries no design: a function from the label of a unit to its log density when the model
        is refitted without it.

    Returns
    -------
    DataFrame
        One row per fit, the best first: ``rank``, ``elpd``, ``elpd_diff`` and ``se_diff`` (against the best), ``p_worse``
        (probability of predicting worse than the best, normal approximation), ``weight`` (stacking, to six decimals)
        and ``k_hat`` (the largest before refits; missing where all scores are exact). ``attrs`` holds ``unit``,
        ``n_units``, ``not_scored`` (trials), ``n_refits`` (by fit) and ``arviz``: when az.compare would mislead.

    Raises
    ------
    ComparisonError
        The fits cannot be compared: different outcomes, trials, scale, conditioning set or unit, or a joint
        log-likelihood. The message names each reason and the way out.

    References
    ----------
    Vehtari, Gelman & Gabry 2017, doi:10.1007/s11222-016-9696-4; Yao et al. 2018, doi:10.1214/17-BA1091 (stacking);
    Sivula et al. 2025, doi:10.48550/arXiv.2008.10296 (when the normal approximation of a difference holds).

    Examples
    --------
    >>> import pillprocess as pp
    >>> evidence = pp.load_evidence()
    >>> arms = pp.arm_changes(evidence)
    >>> few = arms[arms["trial"].isin(["back2024", "carhartharris2021", "davis2021", "goodwin2022", "raison2023"])]
    >>> fits = {name: pp.fit(pp.decomposition_design(few, terms=pp.HYPOTHESES[name]), seed=1) for name in ("course", "pill")}
    >>> pp.compare(fits)["elpd_diff"].round(0).to_dict()
    {'pill': 0.0, 'course': -5.0}
    """
    check_unit(unit)
    check_named(fits)
    trees = {name: as_fit(fit) for name, fit in fits.items()}
    check_comparable(trees, unit=unit)
    scores = {name: unit_scores(fit, unit, name=name, refit=(refits or {}).get(name)) for name, fit in trees.items()}
    table = ranking({name: score["elpd"] for name, score in scores.items()})
    table["k_hat"] = [scores[name]["k_hat"].max() for name in table.index]
    n_units = len(next(iter(scores.values())))
    not_scored = 0
    if unit == "contrast":
        not_scored = len(np.unique(design_of(next(iter(trees.values())))["trial"])) - n_units
    n_refits = {name: int((score["k_hat"] > LARGEST_K).sum()) for name, score in scores.items()}
    table.attrs = {"unit": unit, "n_units": n_units, "not_scored": not_scored, "n_refits": n_refits}
    table.attrs["arviz"] = arviz_words(trees, unit)
    return table


def arviz_words(fits: Mapping[str, xr.DataTree], unit: str) -> str:
    """Say when ``az.compare`` of the same fits would answer another question, or "" where it would not."""
    if not any(has_design(fit) for fit in fits.values()):
        return ""
    rest = "" if unit == "arm" else f", where this table leaves out each {unit} as a whole"
    return (
        "az.loo and az.compare take the log-likelihood of single rows given the deviations of the row's own trial, which the row itself "
        f"has informed{rest}: importance sampling often fails there (k-hat above {LARGEST_K}), and the ranking may differ."
    )


def check_unit(unit: str) -> None:
    """Raise ComparisonError unless this is a unit that can be left out."""
    if unit not in UNITS:
        raise ComparisonError(f"unit = {unit!r}; it must be one of {', '.join(UNITS)}")


def unit_scores(fit: xr.DataTree, unit: str, *, name: str, refit: Callable[[str], float] | None = None) -> pd.DataFrame:
    """Score every unit of one fit.

    Returns
    -------
    DataFrame
        Indexed by unit: ``elpd`` and ``k_hat`` (missing where the score did not come from importance sampling).
    """
    if not has_design(fit):
        density = unit_density(fit, unit)
        density = density.rename({density.dims[-1]: "unit"})
        scores = importance_scores(density)
        high = scores.index[scores["k_hat"] > LARGEST_K].astype(str)
        if len(high) == 0:
            return scores
        if refit is None:
            raise ComparisonError(
                f"'{name}': k-hat is above {LARGEST_K} for {', '.join(high)}, so importance sampling fails there; pass "
                f"refits={{{name!r}: function(label) -> log density}} to refit without them"
            )
        scores.loc[high, "elpd"] = [refit(label) for label in high]
        return scores
    design = design_of(fit)
    system = assemble(design)
    held_out = held_out_sets(design, system, unit)
    if fit.attrs["route"] == "exact":
        labels = pd.Index([one.label for one in held_out], name="unit")
        return pd.DataFrame({"elpd": held_out_densities(design, system, held_out), "k_hat": np.nan}, index=labels)
    scores = importance_scores(held_out_log_likelihood(design, system, held_out, fit["posterior"].dataset))
    high = np.flatnonzero(scores["k_hat"] > LARGEST_K)
    if len(high):
        exact = held_out_densities(design, system, [held_out[i] for i in high])
        scores.iloc[high, scores.columns.get_loc("elpd")] = exact
    return scores


def importance_scores(log_likelihood: xr.DataArray) -> pd.DataFrame:
    """Leave each unit out by Pareto-smoothed importance sampling, from log-likelihoods (chain, draw, unit).

    A unit whose density is the same in every draw owes nothing to the others: that density is its score.
    """
    import arviz_stats  # here, as exact scores need none of it and it loads slowly

    scores = pd.DataFrame({"elpd": log_likelihood.mean(("chain", "draw")).to_numpy(), "k_hat": np.nan})
    scores.index = pd.Index(log_likelihood["unit"].to_numpy(), name="unit")
    varies = (log_likelihood.max(("chain", "draw")) - log_likelihood.min(("chain", "draw"))).to_numpy() > 1e-9
    if not varies.any():
        return scores
    group = log_likelihood.isel(unit=varies).to_dataset(name="density")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto distribution")
        result = arviz_stats.loo(xr.DataTree.from_dict({"/posterior": group, "/log_likelihood": group}), pointwise=True)
    scores.loc[varies, "elpd"], scores.loc[varies, "k_hat"] = result.elpd_i.to_numpy(), result.pareto_k.to_numpy()
    return scores


def held_out_log_likelihood(
    design: xr.Dataset, system: System, held_out: list[HeldOut], posterior: xr.Dataset
) -> xr.DataArray:
    """Return log p(held-out rows | kept rows of the trial, shared parameters, scales) (chain, draw, unit).

    The trial's own parameters are integrated out, so that leaving the trial out does not leave them without data.
    """
    theta = [
        columns(design, posterior, kind).transpose(kind, "chain", "draw").to_numpy()
        for kind in ("coefficient", "effect")
    ]
    chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
    deviation = np.concatenate(theta).reshape(len(system.mean), -1) - system.mean[:, None]
    scales = [posterior[str(name)].to_numpy().reshape(-1) for name in design["scale"].to_numpy()]
    sd = np.stack([*scales, np.ones(chains * draws)])[system.scale] * system.fixed_sd[:, None]
    values = []
    for one in held_out:
        trial = system.trials[one.trial]
        everything = trial_log_density(system, trial, np.arange(len(trial.rows)), deviation, sd)
        values.append(everything - trial_log_density(system, trial, one.kept, deviation, sd))
    coords = {"chain": posterior["chain"], "draw": posterior["draw"], "unit": [one.label for one in held_out]}
    return xr.DataArray(
        np.stack(values, axis=-1).reshape(chains, draws, -1), dims=("chain", "draw", "unit"), coords=coords
    )


def trial_log_density(system: System, trial: Trial, rows: Index, deviation: Array, sd: Array) -> Array:
    """Return the log density (draw,) of some rows of a trial given its shared parameters and the scales."""
    p = len(system.shared)
    loadings = trial.loadings[rows]
    residual = trial.outcome[rows, None] - loadings[:, :p] @ deviation[system.shared]
    half = loadings[:, p:] * sd.T[:, None, trial.own]
    factor = np.linalg.cholesky((trial.factor @ trial.factor.T)[rows[:, None], rows] + half @ half.swapaxes(1, 2))
    whitened = np.linalg.solve(factor, residual.T[:, :, None])[:, :, 0]
    log_det = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    return -0.5 * (len(rows) * LOG_2PI + log_det + (whitened**2).sum(axis=1))


def comparison_note(table: pd.DataFrame) -> str:
    """Say in words what a comparison decides, and what it cannot.

    Parameters
    ----------
    table : DataFrame
        As returned by :func:`compare`.

    Returns
    -------
    str
        Which models the comparison tells apart, which it does not, and what prediction cannot say.
    """
    best, unit, n_units = table.index[0], table.attrs["unit"], table.attrs["n_units"]
    units = {"trial": "trials", "contrast": "trials' contrasts, each given its control arm", "arm": "arms"}[unit]
    open_models: list[str] = []
    worse: list[str] = []
    for name, row in table.iloc[1:].iterrows():
        undecided = abs(row["elpd_diff"]) < max(SMALL_DIFFERENCE, 2 * row["se_diff"])
        (open_models if undecided else worse).append(f"'{name}' ({row['elpd_diff']:.1f}, SE {row['se_diff']:.1f})")
    parts = [f"'{best}' predicts {n_units} held-out {units} best."]
    if open_models:
        parts.append(
            f"It cannot be told from {', '.join(open_models)}: a difference below 4 or below 2 SE decides nothing."
        )
    if worse:
        parts.append(f"It predicts better than {', '.join(worse)}.")
    if table.attrs["not_scored"]:
        parts.append(f"{table.attrs['not_scored']} trials without a control arm were not scored.")
    if n_units < 100:
        parts.append(f"With {n_units} units p_worse is rough.")
    parts.append(
        "Weights are shares in the best predictive mixture, not probabilities of the models. Prediction cannot tell "
        "whether the experience changes the outcome or the outcome the experience, nor what is cause and what is marker."
    )
    return " ".join(parts)
