"""How a command ends that cannot go on: one message, exit status 1, and nothing lost."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pillprocess import cli
from pillprocess.output import caches, requirements

SAMPLING = """
import signal, sys, threading, os
import pandas as pd, pymc as pm
import pillprocess as pp
with pm.Model(coords={"x": range(300)}) as model:
    s = pm.HalfNormal("s")
    pm.Normal("v", 0, s, dims="x")
from pillprocess.inference import nuts
stop, sample = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)), nuts.nutpie.sample
if sys.argv[1] == "compiling":
    stop.start()
else:
    nuts.nutpie.sample = lambda *given, **how: (stop.start(), sample(*given, **how))[1]
print("ready", flush=True)
try:
    idata = pp.fit(model, seed=1, draws=200_000, tune=200_000, chains=4)
except KeyboardInterrupt:
    print("interrupted")
else:
    print("a fit of", idata["posterior"].sizes["draw"])
"""


def heard() -> None:
    """Let a process hear Ctrl-C, which a shell without job control has its background processes ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize("at", ["compiling", "sampling"])
def test_an_interruption_inside_the_sampler_gives_no_draws(at):
    done = subprocess.run(
        [sys.executable, "-c", SAMPLING, at],
        preexec_fn=heard,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout.split("\n")[1] == "interrupted", done.stderr


def test_chains_that_are_not_whole_are_no_fit(monkeypatch):
    import numpy as np
    import xarray as xr

    from pillprocess.inference import nuts

    short = xr.Dataset({"logp": (("chain", "draw"), np.zeros((4, 70)))})

    class Sampler:
        def wait(self) -> xr.DataTree:
            return xr.DataTree.from_dict({"/sample_stats": short, "/posterior": short})

    monkeypatch.setattr(nuts.nutpie, "sample", lambda *_, **__: Sampler())
    with pytest.raises(KeyboardInterrupt, match="ended before 4 chains of 100 draws were whole; nothing was kept"):
        nuts.draw_chains(None, seed=1, draws=100, tune=10, chains=4, target_accept=0.9)


def ends(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> tuple[object, str]:
    """Exit status and standard error of a command in which this happens."""
    monkeypatch.setattr(cli, "app", lambda: (_ for _ in ()).throw(error))
    said, handler = io.StringIO(), signal.getsignal(signal.SIGTERM)
    try:
        with contextlib.redirect_stderr(said), pytest.raises(SystemExit) as end:
            cli.main()
    finally:
        signal.signal(signal.SIGTERM, handler)
    return end.value.code, said.getvalue()


def test_an_interruption_that_reaches_the_end_of_the_program_is_an_exit_status(monkeypatch):
    assert ends(KeyboardInterrupt(), monkeypatch) == (130, "")


def test_a_package_that_is_missing_or_too_old_is_named_with_the_version_that_is_wanted(monkeypatch):
    monkeypatch.setattr(
        requirements, "requires", lambda _: ["numpy>=99", "no-such-package>=1.2,<2", "dask>=1; extra == 'x'"]
    )
    status, said = ends(ModuleNotFoundError("No module named 'no_such_package'", name="no_such_package"), monkeypatch)
    assert status == 1
    assert "installed; pillprocess needs numpy>=99: pip install 'numpy>=99'" in said
    assert "no-such-package is not installed; pillprocess needs no-such-package<2,>=1.2: pip install" in said
    assert "dask" not in said
    status, said = ends(AttributeError("module 'numpy' has no attribute 'of_2099'"), monkeypatch)
    assert (status, "numpy>=99" in said) == (1, True)


def test_a_package_that_cannot_be_loaded_is_named(monkeypatch):
    monkeypatch.setattr(requirements, "requires", lambda _: [])
    status, said = ends(ImportError("libhdf5.so.310: cannot open shared object file", name="h5py._errors"), monkeypatch)
    assert status == 1
    assert said.count("\n") == 1
    assert "cannot open shared object file; a package is installed but cannot be loaded" in said
    assert said.endswith("pip install --force-reinstall h5py\n")


def test_a_fault_of_the_program_is_not_hidden(monkeypatch):
    monkeypatch.setattr(cli, "app", lambda: (_ for _ in ()).throw(AttributeError("ours")))
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(AttributeError, match="ours"):
            cli.main()
    finally:
        signal.signal(signal.SIGTERM, handler)


def test_every_requirement_is_met_here():
    assert requirements.unmet_requirements() == []


def test_a_home_that_cannot_be_written_or_is_full_is_replaced_with_a_word(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTENSOR_FLAGS", raising=False)
    monkeypatch.setenv("MPLCONFIGDIR", "as it was")
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="nothing can be kept in .*so compiled models go to .*until this process ends"):
        caches.use_writable_caches()
    folder = Path(os.environ["PYTENSOR_FLAGS"].removeprefix("base_compiledir="))
    assert folder.parent.is_dir()
    assert folder.parent.stat().st_mode & 0o077 == 0, "nobody else may put code there"
    assert os.environ["MPLCONFIGDIR"] == "as it was"
    caches.use_writable_caches()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PYTENSOR_FLAGS")
    monkeypatch.setattr(caches, "LEAST", 10**18)
    with pytest.warns(UserWarning, match="or the disk is full"):
        caches.use_writable_caches()


def test_a_command_in_a_home_that_does_not_exist_ends_well_and_leaves_no_folder(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "PYTENSOR_FLAGS"} | {
        "HOME": "/dev/null/home",
        "TMPDIR": str(tmp_path),
        "MPLBACKEND": "Agg",
    }
    code = "import pillprocess, pytensor; print(pytensor.config.base_compiledir)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))
    assert "so compiled models go to" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_full_disk_behind_standard_output_is_one_message():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pillprocess", "evidence"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "pillprocess: [Errno 28] No space left on device\n"


def test_an_interrupted_command_ends_without_a_traceback_and_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "pillprocess", "reproduce", "--no-synthesis", "--out", str(tmp_path / "results")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=heard) as run:
        while run.poll() is None and not list(tmp_path.glob(".results.*.partial")):
            time.sleep(0.02)
        time.sleep(0.5)
        run.send_signal(signal.SIGINT)
        said = run.communicate(timeout=120)[1]
    assert run.returncode not in (0, -signal.SIGINT)
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_that_a_library_swallows_ends_the_run_at_the_next_step():
    """As when Ctrl-C meets an import that catches everything."""
    from pillprocess.review.run import steps

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    done = []
    with pytest.raises(KeyboardInterrupt), steps(progress=False) as step:
        step("one")
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except KeyboardInterrupt:
            done.append("swallowed")
        step("two")
        done.append("two")
    assert done == ["swallowed"]
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler
