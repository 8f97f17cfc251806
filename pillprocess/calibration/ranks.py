r"""Simulation-based calibration of what the models report.

For each replication a parameter is drawn from the prior, data from the model given it, and the model is fitted to them:

.. math::
    \tilde\theta \sim p(\theta), \quad \tilde y \sim p(y \mid \tilde\theta), \quad
    \theta^{(1)}, \dots, \theta^{(L)} \sim p(\theta \mid \tilde y)

The rank of :math:`f(\tilde\theta, \tilde y)` among the :math:`f(\theta^{(l)}, \tilde y)` is then uniform on 0 ... L, for every
test quantity f, if prior, likelihood and algorithm agree with one another. Quantities that depend on the data, the
log-likelihood first, find errors that parameters alone do not, such as a fit that ignores part of its data.

**What it shows.** The program that fits is the inverse of the program that simulates: intervals of te, tau and so on cover as
they say, on average over the prior and the fixed design of the calibration.

**What it does not show.** That the model is true of any trial; that a causal assumption holds; that intervals cover at one given
value of the parameters; that an estimand's formula is the right one (prior draw and posterior draws go through the same);
that an error smaller than about 0.1 of a rank's range is absent, at 200 replications. Units are fixed here: a fit to real
participants scales its priors by the SDs of its data.

References
----------
Talts et al. 2018, arXiv:1804.06788. Modrák et al. 2023, doi:10.1214/23-BA1404.
"""

import contextlib
from collections.abc import Callable, Generator
from concurrent.futures import Executor, as_completed
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

import pillprocess
from pillprocess.calibration.journal import Record, append, open_journal

MODELS = {
    "decomposition": "pillprocess.calibration.decomposition:exact",
    "decomposition-sampler": "pillprocess.calibration.decomposition:sampled",
    "mediation": "pillprocess.calibration.mediation:one_trial",
    "mediation-trials": "pillprocess.calibration.mediation:many_trials",
    "mediation-binary": "pillprocess.calibration.mediation:binary_outcome",
    "mediation-visits": "pillprocess.calibration.visits:three_visits",
    "mediation-clusters": "pillprocess.calibration.clusters:therapists",
    "mediation-crossover": "pillprocess.calibration.crossover:two_periods",
    "mediation-outcomes": "pillprocess.calibration.outcomes:categories_and_periods",
    "unblinding": "pillprocess.calibration.unblinding:belief_first",
    "synthesis": "pillprocess.calibration.synthesis:every_kind",
    "time-course": "pillprocess.calibration.timecourse:decay",
}
"""Module and function that make each model ready: the function takes nothing and returns a `Case`."""

RANKED = 99
"""Posterior draws among which the prior draw is ranked."""

LIBRARIES = ("numpy", "nutpie", "pymc", "pytensor", "scipy")


class Replicate(NamedTuple):
    """One simulated data set, fitted.

    Attributes
    ----------
    truth, draws
        Test quantities of the prior draw (chain and draw of length 1) and of the posterior draws: Datasets with the same
        variables, dims chain, draw and any others.
    divergences
        Divergent transitions of the fit.
    """

    truth: xr.Dataset
    draws: xr.Dataset
    divergences: int


class Case(NamedTuple):
    """A model to calibrate.

    Attributes
    ----------
    settings
        What the ranks depend on beside seed and versions: design, draws. Numbers and strings.
    build
        Makes the model ready (compiles it); returns the function that runs one replication with a generator.
    """

    settings: dict[str, int | float | str]
    build: Callable[[], Callable[[np.random.Generator], Replicate]]


def calibrate(
    model: str,
    *,
    replications: int = 200,
    seed: int = 1,
    folder: str | Path | None = None,
    executor: Executor | None = None,
    step: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Calibrate a model on simulated data: see the module's docstring for what that shows.

    Parameters
    ----------
    model
        A name from ``MODELS``.
    replications
        Data sets to simulate and fit.
    seed
        Replication i draws from ``SeedSequence(seed, spawn_key=(i,))``: its rank does not depend on the others, on their
        order or on the executor.
    folder
        Where finished replications are kept, each on disk before the next counts. A run that was killed goes on from there;
        more replications may be asked for later. By default nothing is written.
    executor
        Anything with the ``submit`` of :class:`concurrent.futures.Executor`: a process pool,
        ``dask.distributed.Client(...).get_executor()``. Each process makes the model ready once.
    step
        Called with the number of finished replications and of all, for a progress display.

    Returns
    -------
    DataFrame, one row per replication and quantity: ``replication``, ``quantity``, ``rank`` (0 to ``draws``), ``draws``, ``ess``
    (bulk effective sample size the draws were thinned from) and ``divergences`` (of the replication's fit).

    Raises
    ------
    ValueError
        Unknown model, or fewer than one replication.
    ResultsError
        The folder cannot be used, or belongs to another model, seed, design or version; nothing was run.
    """
    if model not in MODELS:
        raise ValueError(f"model = {model!r}; it must be one of {', '.join(MODELS)}; nothing was run")
    if replications < 1:
        raise ValueError(f"replications = {replications}; at least 1 is needed; nothing was run")
    found: dict[int, Record] = {}
    place = None if folder is None else Path(folder)
    if place is not None:
        found = {int(str(r["replication"])): r for r in open_journal(place, _header(model, seed))}
    wanted = [i for i in range(replications) if i not in found]
    with contextlib.closing(_run(model, seed, wanted, executor)) as finished:
        for done, record in enumerate(finished, start=replications - len(wanted) + 1):
            if place is not None:
                append(place, record)
            found[int(str(record["replication"]))] = record
            if step is not None:
                step(done, replications)
    return rank_table([found[i] for i in range(replications)])


def rank_table(records: list[Record]) -> pd.DataFrame:
    """Tidy table of journal records."""
    parts = []
    for record in records:
        table = pd.DataFrame({"rank": record["ranks"], "ess": record["ess"]}).rename_axis("quantity").reset_index()
        common = {name: record[name] for name in ("replication", "draws", "divergences")}
        parts.append(table.assign(**common))
    return pd.concat(parts, ignore_index=True)[["replication", "quantity", "rank", "draws", "ess", "divergences"]]


def replicate(model: str, seed: int, index: int) -> Record:
    """Run one replication; a function of the module so that it can be sent to another process."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    result = _ready(model)(rng)
    truth, draws = _columns(result.truth), _columns(result.draws)
    ranks = {}
    for name, values in draws.items():
        kept = values[np.linspace(0, len(values) - 1, RANKED).round().astype(int)]
        tied = int((kept == truth[name]).sum())
        ranks[name] = int((kept < truth[name]).sum()) + (int(rng.integers(0, tied + 1)) if tied else 0)
    return {
        "replication": index, "draws": RANKED, "divergences": result.divergences, "ranks": ranks,
        "ess": _effective_sizes(result.draws),
    }  # fmt: skip


def _run(model: str, seed: int, wanted: list[int], executor: Executor | None) -> Generator[Record]:
    """Yield the replications as they finish."""
    if executor is None:
        yield from (replicate(model, seed, index) for index in wanted)
        return
    futures = [executor.submit(replicate, model, seed, index) for index in wanted]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


@lru_cache(maxsize=1)
def _case(model: str) -> Case:
    module, _, function = MODELS[model].partition(":")
    return getattr(import_module(module), function)()


@lru_cache(maxsize=1)
def _ready(model: str) -> Callable[[np.random.Generator], Replicate]:
    return _case(model).build()


def _header(model: str, seed: int) -> Record:
    versions = {name: version(name) for name in LIBRARIES}
    settings = _case(model).settings
    return {
        "model": model,
        "seed": seed,
        "ranked": RANKED,
        "pillprocess": pillprocess.__version__,
        **settings,
        **versions,
    }


def _columns(quantities: xr.Dataset) -> dict[str, np.ndarray]:
    """Draws of every scalar quantity, chain after chain, by a name such as ``effect[LSD, 1.0]``."""
    out = {}
    for name, array in quantities.data_vars.items():
        others = [str(d) for d in array.dims if d not in ("chain", "draw")]
        flat = array.transpose("chain", "draw", *others).to_numpy()
        for place in np.ndindex(flat.shape[2:]):
            labels = ", ".join(str(array[d].to_numpy()[i]) for d, i in zip(others, place, strict=True))
            out[f"{name}[{labels}]" if labels else str(name)] = flat[(slice(None), slice(None), *place)].ravel()
    return out


def _effective_sizes(draws: xr.Dataset) -> dict[str, float]:
    import arviz as az

    sizes = az.ess(draws).expand_dims(chain=1, draw=1)
    return {name: round(float(value[0]), 1) for name, value in _columns(sizes).items()}
