"""Bayes factors and posterior model probabilities from exact marginal likelihoods."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.comparison.comparability import ComparisonError, as_fit, check_comparable, check_named, has_design
from pillprocess.gaussian.design_checks import DesignError
from pillprocess.gaussian.fit import integrate
from pillprocess.gaussian.posterior_columns import design_of


def bayes_factors(
    fits: Mapping[str, xr.DataTree | xr.Dataset],
    *,
    prior_model: Mapping[str, float] | None = None,
    reference: str | None = None,
) -> pd.DataFrame:
    r"""Compare fits of designs by their marginal likelihoods.

    .. math::

        BF_{m0} = \frac{p(y \mid m)}{p(y \mid 0)}, \qquad
        P(m \mid y) = \frac{P(m)\, p(y \mid m)}{\sum_k P(k)\, p(y \mid k)}

    A marginal likelihood averages over the prior, so a Bayes factor depends on the prior of the terms in which the models
    differ, however much data there is: see :func:`bayes_factor_curve`.

    Parameters
    ----------
    fits : mapping
        Fits or designs by name, of the same outcomes. A fit by either route must carry its design, from which the marginal
        likelihood of a sampled fit is computed in closed form.
    prior_model : mapping, optional
        Prior probability of each model; by default all alike. They are scaled to sum to 1.
    reference : str, optional
        The model the Bayes factors are against; by default the first.

    Returns
    -------
    DataFrame
        Indexed by model: ``log_marginal_likelihood``, ``log_bayes_factor``, ``bayes_factor``, ``prior_probability``,
        ``posterior_probability``.

    Raises
    ------
    ComparisonError
        Fits of different data, or without a design; a model without a prior probability; an unknown reference.
    """
    check_named(fits)
    trees = {name: as_fit(fit) for name, fit in fits.items()}
    check_comparable(trees, unit="trial")
    problems = [
        f"'{n}' carries no design; its marginal likelihood has no closed form"
        for n in trees
        if not has_design(trees[n])
    ]
    prior = dict.fromkeys(fits, 1.0) if prior_model is None else dict(prior_model)
    if set(prior) != set(fits) or min(prior.values()) < 0 or sum(prior.values()) <= 0:
        problems.append(f"prior_model must give each of {', '.join(fits)} a probability >= 0, not all 0; it is {prior}")
    reference = next(iter(fits)) if reference is None else reference
    if reference not in fits:
        problems.append(f"reference = {reference!r} is none of {', '.join(fits)}")
    if problems:
        raise ComparisonError("no Bayes factor was computed:\n" + "\n".join(problems))
    log_ml = pd.Series({name: _log_marginal_likelihood(fit) for name, fit in trees.items()})
    prior_probability = pd.Series(prior)[log_ml.index] / sum(prior.values())
    posterior = prior_probability * np.exp(log_ml - log_ml.max())
    log_bf = log_ml - log_ml[reference]
    return pd.DataFrame(
        {
            "log_marginal_likelihood": log_ml,
            "log_bayes_factor": log_bf,
            "bayes_factor": np.exp(log_bf),
            "prior_probability": prior_probability,
            "posterior_probability": posterior / posterior.sum(),
        }
    ).rename_axis("model")


def bayes_factor_curve(
    design: xr.Dataset, null: xr.Dataset, *, variable: str, prior_sds: Sequence[float]
) -> pd.DataFrame:
    """Show how the Bayes factor of a model against another without a term depends on the prior SD of that term.

    A term's differences between drugs are scaled with its mean, so that the factor tends to 1 as the prior SD tends to 0.

    Parameters
    ----------
    design, null : Dataset
        The designs with and without the term, of the same outcomes.
    variable : str
        The coefficient, e.g. "kappa", whose normal prior is varied.
    prior_sds : sequence of float
        Prior SDs to try, in the unit of the outcome.

    Returns
    -------
    DataFrame
        One row per prior SD: ``prior_sd``, ``log_bayes_factor``, ``bayes_factor`` (above 1 favours the term).

    Raises
    ------
    ComparisonError
        Designs of different data.
    DesignError
        The design has no such coefficient, or a prior SD is not > 0.
    """
    check_comparable({"with": as_fit(design), "without": as_fit(null)}, unit="trial")
    here = design["coefficient_variable"] == variable
    if not here.any():
        known = ", ".join(dict.fromkeys(design["coefficient_variable"].to_numpy()))
        raise DesignError(f"the design has no coefficient {variable!r}; it has {known}")
    log_null = integrate(null).log_marginal_likelihood
    changed = [_with_prior_sd(design, variable, sd) for sd in prior_sds]
    log_bf = np.array([integrate(one).log_marginal_likelihood for one in changed]) - log_null
    return pd.DataFrame({"prior_sd": list(prior_sds), "log_bayes_factor": log_bf, "bayes_factor": np.exp(log_bf)})


def _with_prior_sd(design: xr.Dataset, variable: str, sd: float) -> xr.Dataset:
    """Give a coefficient another prior SD, and the effects that belong to its mean theirs in proportion."""
    here = design["coefficient_variable"] == variable
    changed = design.assign(prior_sd=design["prior_sd"].where(~here, sd))
    if "effect_mean" not in design:
        return changed
    ratio = sd / float(design["prior_sd"].to_numpy()[here.to_numpy()].max())
    belongs = design["effect_mean"] == variable
    return changed.assign(Z=design["Z"].where(~belongs, design["Z"] * ratio))


def _log_marginal_likelihood(fit: xr.DataTree) -> float:
    stored = fit.attrs.get("log_marginal_likelihood")
    return integrate(design_of(fit)).log_marginal_likelihood if stored is None else float(stored)
