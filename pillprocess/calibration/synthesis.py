"""Calibration of the synthesis on evidence of the real shape: the same trials, doses, people and missingness.

Everything observed is simulated from one prior draw: outcomes, acute scores, correlations between scales, associations or
their mere significance, guesses, responders.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr

from pillprocess.calibration.ranks import Case, Replicate
from pillprocess.inference.chain import Chain
from pillprocess.synthesis.draws import expected_rows, trial_log_likelihood
from pillprocess.synthesis.effects import path_effects

PARAMETERS = ("tau", "tau_mu", "tau_therapy", "tau_waitlist", "pooling", "a", "b", "zeta", "psi", "epsilon")
CHAIN = Chain(draws=1000, tune=500, target_accept=0.95)


def every_kind() -> Case:
    """Make the embedded evidence, without participants, ready."""

    def build() -> Callable[[np.random.Generator], Replicate]:
        from pytensor.graph.traversal import graph_inputs

        from pillprocess.evidence.tables import load_evidence
        from pillprocess.inference.refit import refitter
        from pillprocess.synthesis.choices import Choices
        from pillprocess.synthesis.data import synthesis_data
        from pillprocess.synthesis.model import synthesis
        from pillprocess.synthesis.simulation import synthesis_simulator

        model = synthesis(load_evidence())
        simulate, refit = synthesis_simulator(model), refitter(model, CHAIN)
        used = {variable.name for variable in graph_inputs([model.logp()])}

        def run(rng: np.random.Generator) -> Replicate:
            truth, items = simulate(rng)
            data = synthesis_data(items, Choices())
            posterior, divergences = refit({name: values for name, values in data.items() if name in used}, rng)
            return Replicate(quantities(truth, items), quantities(posterior, items), divergences)

        return run

    return Case({"evidence": "embedded", **CHAIN._asdict()}, build)


def quantities(draws: xr.Dataset, items: xr.Dataset) -> xr.Dataset:
    """Test quantities of draws: every drug's effects by path, the parameters, and the log-likelihood of the outcomes."""
    effects = path_effects(draws, therapy=(1.0,)).isel(therapy=0, drop=True)
    density = trial_log_likelihood(draws, items, expected_rows(draws, items)).sum("trial")
    return xr.merge([effects, draws[list(PARAMETERS)]]).assign(log_likelihood=density)
