"""Calibration of the decomposition, on the design of the embedded evidence.

The exact route takes the headline design whole. The sampler takes the arms of psilocybin, LSD and MDMA, for speed.
"""

import hashlib
from collections.abc import Callable

import numpy as np
import xarray as xr

from pillprocess.calibration.ranks import Case, Replicate
from pillprocess.decomposition.estimands import contributions, heterogeneity, relative_effects
from pillprocess.decomposition.model import decomposition_design
from pillprocess.evidence.tables import load_evidence
from pillprocess.gaussian.fit import fit_exact
from pillprocess.gaussian.posterior_columns import columns, posterior_dataset
from pillprocess.inference.chain import Chain
from pillprocess.rows.arms import arm_changes
from pillprocess.rows.contrasts import contrasts

SAMPLED_DRUGS = ("psilocybin", "LSD", "MDMA")
EXACT_DRAWS = 1000
CHAIN = Chain(draws=2000, tune=1000, target_accept=0.99)
"""Longer, with smaller steps, than elsewhere: the prior often draws heterogeneity near 0, where a sampler has most trouble."""


def exact() -> Case:
    """The headline model of all evidence, in closed form."""
    evidence = load_evidence()
    arms = arm_changes(evidence)
    design = decomposition_design(arms, contrasts(evidence, besides=arms))

    def build() -> Callable[[np.random.Generator], Replicate]:
        def run(rng: np.random.Generator) -> Replicate:
            truth, new = simulate(design, rng)
            idata = fit_exact(new, seed=int(rng.integers(0, 2**63)), draws=EXACT_DRAWS, chains=1)
            return Replicate(quantities(new, truth), quantities(new, idata["posterior"].dataset), 0)

        return run

    return Case({"design": fingerprint(design), "fit_draws": EXACT_DRAWS}, build)


def sampled() -> Case:
    """The headline model of the arms of psilocybin, LSD and MDMA, by nutpie."""
    arms = arm_changes(load_evidence())
    design = decomposition_design(arms[arms["study_drug"].isin(SAMPLED_DRUGS)])

    def build() -> Callable[[np.random.Generator], Replicate]:
        from pillprocess.gaussian.model import gaussian_model
        from pillprocess.inference.refit import refitter

        refit = refitter(gaussian_model(design), CHAIN)

        def run(rng: np.random.Generator) -> Replicate:
            truth, new = simulate(design, rng)
            posterior, divergences = refit({"y_value": new["y"].to_numpy()}, rng)
            return Replicate(quantities(new, truth), quantities(new, posterior), divergences)

        return run

    return Case({"design": fingerprint(design), **CHAIN._asdict()}, build)


def simulate(design: xr.Dataset, rng: np.random.Generator) -> tuple[xr.Dataset, xr.Dataset]:
    """Draw every parameter of a design with half-normal scales from its prior, and outcomes given them.

    Returns
    -------
    The parameters, as a posterior of one draw, and the design with the new outcomes.
    """
    scales = design["scale"].to_numpy().tolist()
    tau = np.abs(rng.standard_normal(len(scales))) * design["prior_scale_a"].to_numpy()
    spread = tau[[scales.index(s) for s in design["effect_scale"].to_numpy()]]
    mean = np.concatenate([design["prior_mean"].to_numpy(), np.zeros(len(spread))])
    parameters = mean + np.concatenate([design["prior_sd"].to_numpy(), spread]) * rng.standard_normal(len(mean))
    loadings = np.concatenate([design["X"].to_numpy(), design["Z"].to_numpy()], axis=1)
    error = np.linalg.cholesky(design["covariance"].to_numpy()) @ rng.standard_normal(design.sizes["row"])
    truth = posterior_dataset(design, parameters[:, None, None], tau[None], rng)
    return truth.assign_coords(chain=[0], draw=[0]), design.assign(y=("row", loadings @ parameters + error))


def quantities(design: xr.Dataset, posterior: xr.Dataset) -> xr.Dataset:
    """Test quantities of draws: terms, heterogeneity, drug effects, one arm's contributions, the log-likelihood."""
    row = int(np.flatnonzero(design["X"].sel(coefficient="kappa").to_numpy())[0])
    here = xr.DataTree.from_dict({"/posterior": posterior, "/constant_data": design.isel(row=[row])})
    parts = contributions(here).isel(row=0, drop=True)
    theta = sum(
        columns(design, posterior, kind).to_numpy() @ design[matrix].to_numpy().T
        for kind, matrix in (("coefficient", "X"), ("effect", "Z"))
    )
    error = np.moveaxis(design["y"].to_numpy() - theta, -1, 0)
    factor = np.linalg.cholesky(design["covariance"].to_numpy())
    white = np.linalg.solve(factor, error.reshape(len(error), -1)).reshape(error.shape)
    constant = np.log(np.diag(factor)).sum() + 0.5 * len(error) * np.log(2 * np.pi)
    log_likelihood = -0.5 * (white**2).sum(0) - constant
    terms = posterior[["delta", "psi", "kappa", "omega", "chi"]]
    moderated = [t for t in parts["term"].to_numpy() if bool((parts.sel(term=t) != 0).any())]
    return xr.merge([terms, heterogeneity(here)]).assign(
        effect=relative_effects(here),
        contribution=parts.sel(term=moderated),
        log_likelihood=(("chain", "draw"), log_likelihood),
    )


def fingerprint(design: xr.Dataset) -> str:
    """Hash of everything the simulated data and the fit depend on."""
    names = ("X", "Z", "covariance", "prior_mean", "prior_sd", "prior_scale_a")
    digest = hashlib.sha256(
        "\n".join(map(str, [*design["coefficient"].to_numpy(), *design["effect"].to_numpy()])).encode()
    )
    for name in names:
        digest.update(np.ascontiguousarray(design[name].to_numpy()).tobytes())
    return digest.hexdigest()[:16]
