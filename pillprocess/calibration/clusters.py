r"""Calibration of mediation with clusters: therapists between whom intercepts and the paths a and b differ together.

Parameters are drawn from the prior of the model that has every participant's row; data are simulated from them by the equations of
:mod:`pillprocess.calibration.mediation`, each therapist's coefficients being the mean ones and that therapist's deviations; the fit sees
cross-products, with the therapists' effects integrated out. Some lack the outcome. Arms, therapists, covariate and units are fixed.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from pillprocess.calibration.mediation import Rows, mediator_equations, outcome_equation, simulate
from pillprocess.calibration.ranks import Case, Replicate
from pillprocess.inference.chain import Chain
from pillprocess.mediation.effects import compute_effects
from pillprocess.mediation.sufficient import collapse, standardise
from pillprocess.participants.table import Participants, load_participants

THERAPISTS, EACH = 8, 10
VARY = ("a", "b")
EFFECTS = ("te", "pnde", "tnie", "cde")
PARAMETERS = (
    "a", "c", "b", "theta", "gamma_y", "sigma_m", "sigma_y", "tau_therapist", "correlation_therapist",
)  # fmt: skip
CHAIN = Chain(draws=2000, tune=1000, target_accept=0.95)


def therapists() -> Case:
    """80 people of eight therapists who each treat both arms, one mediator, a baseline; a and b differ between therapists."""

    def build() -> Callable[[np.random.Generator], Replicate]:
        from pillprocess.inference.refit import constants, prior_sampler, refitter
        from pillprocess.mediation.model import mediation

        people = template()
        by_row, model = mediation(people, vary=VARY, collapsed=False), mediation(people, vary=VARY)
        draw, refit, fixed = prior_sampler(by_row), refitter(model, CHAIN), constants(model)

        def run(rng: np.random.Generator) -> Replicate:
            truth = draw(rng)
            rows = simulate(*by_therapist(truth, people), rng)
            rows.y[people.outcome.isna()] = np.nan
            posterior, divergences = refit(model_data(rows, people), rng)
            return Replicate(
                quantities(truth, fixed, people, rows), quantities(posterior, fixed, people, rows), divergences
            )

        return run

    return Case({"n": THERAPISTS * EACH, "therapists": THERAPISTS, **CHAIN._asdict()}, build)


def template() -> Participants:
    """Participants whose arms, therapists, covariate and units the calibration keeps."""
    rng, n = np.random.default_rng(2024), THERAPISTS * EACH
    arm, baseline = np.arange(n) % 2, 30 + 6 * rng.normal(size=n)
    table = pd.DataFrame(
        {
            "arm": np.where(arm, "psilocybin", "placebo"), "baseline": baseline,
            "therapist": np.repeat([f"T{j}" for j in range(THERAPISTS)], EACH),
            "experience": 20 + 40 * arm + 18 * rng.normal(size=n),
            "outcome": np.where(np.arange(n) % 9 == 4, np.nan, baseline - 6 - 8 * arm + 9 * rng.normal(size=n)),
        }
    )  # fmt: skip
    return load_participants(
        table, treatment="arm", reference="placebo", outcome="outcome", baseline="baseline", clusters="therapist",
        mediators="experience", higher_is_worse=True, cluster_labels="unique",
    )  # fmt: skip


def by_therapist(draws: xr.Dataset, people: Participants) -> tuple[xr.Dataset, Participants]:
    """Every therapist's own coefficients, and people as if each therapist were a trial: what `simulate` takes."""
    own = draws["deviation_therapist"].rename(cluster_therapist="trial", effect_therapist="effect")
    part = {"alpha_m": "alpha_m[", "a": "a[", "alpha_y": "alpha_y", "c": "c[", "b": "b["}
    effects = [str(e) for e in own["effect"].to_numpy()]
    out = {}
    for name, start in part.items():
        values = draws[name].expand_dims(trial=own["trial"], axis=2)
        for at, effect in enumerate(effects):
            if effect.startswith(start):  # one mediator and one arm: at most one effect of a kind
                values = values + own.isel(effect=at, drop=True)
        out[f"{name}_trial"] = values.transpose("chain", "draw", "trial", ...)
    return draws.assign(out), replace(people, trial=people.clusters["therapist"].astype(str))


def model_data(rows: Rows, people: Participants) -> dict[str, np.ndarray]:
    """Cross-products of every therapist's people in SD units, as the model holds them."""
    units = standardise(people, mediators=["experience"], binary_mediator=False, binary_outcome=False)
    M, y = (rows.M - units.m_mean) / units.m_sd, (rows.y - units.y_mean) / units.y_sd
    therapist = pd.factorize(people.clusters["therapist"])[0]
    grams = collapse(replace(units, M=M, y=y, trial=therapist), interaction=True)
    return {"mediator_gram": grams.mediator, "outcome_gram": grams.outcome}


def quantities(draws: xr.Dataset, fixed: xr.Dataset, people: Participants, rows: Rows) -> xr.Dataset:
    """Test quantities of draws: effects, coefficients, how therapists differ, one of them, the log-likelihood given their effects."""
    idata = xr.DataTree.from_dict({"/posterior": draws, "/constant_data": fixed})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        effects = compute_effects(idata)
    first = draws["deviation_therapist"].isel(cluster_therapist=0, drop=True)
    own, as_trials = by_therapist(draws, people)
    seen = np.isfinite(rows.y)
    density = _observed(own, as_trials, rows, seen).reshape(draws.sizes["chain"], draws.sizes["draw"])
    return xr.merge([effects[list(EFFECTS)], draws[list(PARAMETERS)], first]).assign(
        log_likelihood=(("chain", "draw"), density)
    )


def _observed(draws: xr.Dataset, people: Participants, rows: Rows, seen: np.ndarray) -> np.ndarray:
    """Log density of every mediator and of the outcomes that were seen, (draw,)."""
    mean, factor = mediator_equations(draws, people)
    eta, sd = outcome_equation(draws, people, rows.M)
    assert sd is not None  # a Gaussian outcome
    density = norm.logpdf(rows.M[:, 0], mean[:, :, 0], factor[:, 0]).sum(1)
    return np.asarray(density + norm.logpdf(rows.y[seen], eta[:, seen], sd[:, None]).sum(1))
