"""Drawing with nutpie: a compiled model's chains, all of them whole, or the interruption that ended them."""

import time

import nutpie
import xarray as xr
from nutpie.sample import CompiledModel
from threadpoolctl import threadpool_limits

from pillprocess.inference.interruptions import interruptions


def draw_chains(
    compiled: CompiledModel,
    *,
    seed: int,
    draws: int,
    tune: int,
    chains: int,
    target_accept: float,
    cores: int | None = None,
    progress: bool = False,
) -> xr.DataTree:
    """Draw from a compiled model; Ctrl-C ends it at once and no draws are returned.

    ``nutpie.sample`` by itself answers Ctrl-C with the draws so far, which look like a fit of that many draws.

    Parameters
    ----------
    compiled
        From ``nutpie.compile_pymc_model``.
    seed, draws, tune, chains, target_accept
        Of the sampler, as in `fit`.
    cores
        Chains drawn at a time; by default as many as there are processors.
    progress
        Show nutpie's progress.

    Returns
    -------
    DataTree with ``posterior`` and ``sample_stats``, without the tuning draws.

    Raises
    ------
    KeyboardInterrupt
        The user stopped it; chains that ended early without that are a KeyboardInterrupt too.
    """
    began = time.perf_counter()
    with threadpool_limits(limits=1):  # the chains are what is spread over the processors
        sampler = nutpie.sample(
            compiled, seed=seed, draws=draws, tune=tune, chains=chains, target_accept=target_accept, cores=cores,
            progress_bar=progress, save_warmup=False, blocking=False,
        )  # fmt: skip
        try:
            with interruptions() as check:
                trace: xr.DataTree = sampler.wait()
                check()
        except BaseException:
            sampler.cancel()
            raise
    stats = trace["sample_stats"].dataset
    found = stats.sizes["chain"], stats.sizes["draw"], bool(stats["logp"].notnull().all())
    if found != (chains, draws, True):
        raise KeyboardInterrupt(
            f"the sampler ended before {chains} chains of {draws} draws were whole; nothing was kept"
        )
    trace["posterior"].attrs["sampling_time"] = time.perf_counter() - began
    return trace
