"""Two routes to one posterior: the closed form and the sampler agree on the headline decomposition."""

import os
import signal
from concurrent.futures import Executor

import numpy as np
import pytest

import pillprocess as pp
from pillprocess.gaussian.marginals import linear_summary


@pytest.fixture(scope="module")
def headline():
    evidence = pp.load_evidence()
    arms = pp.arm_changes(evidence)
    return pp.decomposition_design(arms, pp.contrasts(evidence, besides=arms))


def test_the_closed_forms_draws_have_its_exact_moments(headline):
    idata = pp.fit(headline, seed=4)
    exact = linear_summary(headline, {"delta": {"delta": 1.0}, "kappa": {"kappa": 1.0}})
    for name in ("delta", "kappa"):
        values = idata["posterior"].dataset[name]
        assert abs(float(values.mean()) - exact.loc[name, "mean"]) < 4 * exact.loc[name, "sd"] / np.sqrt(values.size)
        assert float(values.std()) == pytest.approx(exact.loc[name, "sd"], rel=0.1)


@pytest.mark.slow
def test_leave_one_trial_out_gives_the_same_numbers_on_a_dask_cluster_and_when_a_worker_is_killed():
    distributed = pytest.importorskip("distributed", reason="pillprocess[distributed] is not installed")
    arms = pp.arm_changes(pp.load_evidence())
    few = pp.decomposition_design(arms[arms["study_drug"] == "MDMA"])
    serial = pp.leave_one_trial_out(few)
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        executor = client.get_executor()
        spread = pp.leave_one_trial_out(few, executor=executor)
        pids = list(client.run(os.getpid).values())
        survived = pp.leave_one_trial_out(few, executor=KillsAWorker(executor, pids[0]))
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
