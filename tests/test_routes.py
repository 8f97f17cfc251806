"""Two routes to one posterior: the closed form and the sampler agree on the headline decomposition."""

import os
import signal
from concurrent.futures import Executor

import numpy as np
import pytest

import pillprocess as pp
from pillprocess.marginals import linear_summary, scale_summary


@pytest.fixture(scope="module")
def headline():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    return pp.decomposition_design(arms, pp.contrasts(evidence, besides=arms))


@pytest.mark.slow
def test_the_sampler_agrees_with_the_closed_form_on_the_headline(headline):
    idata = pp.fit(headline, seed=3, route="sampler", draws=6000, tune=2000, target_accept=0.99)
    names = ["omega", "chi", "psi", "delta", "kappa", "mu_construct[depression]", "mu_construct[ptsd]"]
    exact = linear_summary(headline, {name: {name: 1.0} for name in names})
    posterior = idata["posterior"].dataset
    constructs = posterior["mu_construct"]
    draws = {v: posterior[v] for v in names[:5]} | {
        f"mu_construct[{c}]": constructs.sel(construct=c) for c in ("depression", "ptsd")
    }
    for name, values in draws.items():
        # 24,000 draws: Monte Carlo error about .015 posterior SDs of the mean and 1 to 2 % of the SD.
        assert abs(float(values.mean()) - exact.loc[name, "mean"]) < 0.05 * exact.loc[name, "sd"], name
        assert float(values.std()) == pytest.approx(exact.loc[name, "sd"], rel=0.05), name
    scales = scale_summary(headline)
    for name in ("tau", "tau_drug", "tau_mu"):
        assert abs(float(posterior[name].mean()) - scales.loc[name, "mean"]) < 0.05 * scales.loc[name, "sd"], name
        assert float(posterior[name].std()) == pytest.approx(scales.loc[name, "sd"], rel=0.05), name


def test_the_closed_forms_draws_have_its_exact_moments(headline):
    idata = pp.fit(headline, seed=4)
    exact = linear_summary(headline, {"delta": {"delta": 1.0}, "kappa": {"kappa": 1.0}})
    for name in ("delta", "kappa"):
        values = idata["posterior"].dataset[name]
        assert abs(float(values.mean()) - exact.loc[name, "mean"]) < 4 * exact.loc[name, "sd"] / np.sqrt(values.size)
        assert float(values.std()) == pytest.approx(exact.loc[name, "sd"], rel=0.1)


@pytest.mark.slow
def test_leave_one_trial_out_gives_the_same_numbers_on_a_dask_cluster_and_when_a_worker_is_killed(headline):
    distributed = pytest.importorskip("distributed", reason="pillprocess[distributed] is not installed")
    serial = pp.leave_one_trial_out(headline)
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        executor = client.get_executor()
        spread = pp.leave_one_trial_out(headline, executor=executor)
        pids = list(client.run(os.getpid).values())
        survived = pp.leave_one_trial_out(headline, executor=KillsAWorker(executor, pids[0]))
        assert pids[0] not in client.run(os.getpid).values(), "the worker was killed"
    assert len(pids) == 2
    assert np.allclose(serial["elpd"], spread["elpd"], rtol=0, atol=1e-12)
    assert np.allclose(serial["elpd"], survived["elpd"], rtol=0, atol=1e-12)


class KillsAWorker(Executor):
    """Hands the work out and kills one worker before the answers are there."""

    def __init__(self, executor: Executor, pid: int) -> None:
        self.executor, self.pid = executor, pid

    def map(self, function, groups):
        futures = [self.executor.submit(function, group) for group in groups]
        os.kill(self.pid, signal.SIGKILL)
        return [future.result() for future in futures]
