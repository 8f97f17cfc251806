"""Work in a process beside: its answer, what it says meanwhile, its errors, and its end."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pandas as pd
import pytest

from pillprocess.inference.beside import _to_be_sent, beside
from pillprocess.inference.fit import ConvergenceError
from pillprocess.inference.kept import keeping_draws, kept_in

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _two_processors(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def talking(number, *, step):
    print("a library prints")
    step(f"in {os.getpid()}")
    warnings.warn("look here", UserWarning, stacklevel=1)
    return 2 * number, kept_in()


def failing(message):
    if message == "dies":
        os._exit(3)
    raise ConvergenceError(message, pd.DataFrame({"r_hat": [1.2]}))


def waiting(*, step):
    step(str(os.getpid()))
    time.sleep(60)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_answer_steps_and_warnings_of_another_process_come_back_and_draws_are_kept_in_the_same_place(tmp_path):
    said = []
    with (
        keeping_draws(tmp_path),
        beside(talking, 21, step=said.append) as other,
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("always")
        assert other.result() == (42, tmp_path)
        other.check()
    assert said != [f"in {os.getpid()}"]
    assert said[0].startswith("in ")
    assert [(str(w.message), w.category) for w in warned] == [("look here", UserWarning)]


def test_an_error_in_the_other_process_is_the_same_error_here():
    with (
        pytest.raises(ConvergenceError, match=r"^the chains disagree") as caught,
        beside(failing, "the chains disagree") as other,
    ):
        while True:
            other.check()
            time.sleep(0.01)
    assert str(caught.value) == "the chains disagree"
    assert caught.value.report["r_hat"].tolist() == [1.2]
    assert "in failing" in caught.value.__notes__[0]


def test_a_process_that_dies_is_an_error_and_not_a_wait_without_end():
    with (
        pytest.raises(RuntimeError, match=r"ended without an answer \(exit status 3\)"),
        beside(failing, "dies") as other,
    ):
        other.result()


def test_an_error_that_cannot_be_sent_is_told_in_words():
    class LocalError(ValueError):
        pass

    assert str(_to_be_sent(LocalError("no row"))) == "LocalError: no row"


def test_what_cannot_be_sent_to_another_process_is_an_error_here():
    with pytest.raises(Exception, match="lambda"), beside(lambda: 1) as other:
        other.result()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_an_interruption_ends_the_other_process():
    began, said = threading.Event(), []

    def heard(pid):
        said.append(int(pid))
        began.set()

    with pytest.raises(KeyboardInterrupt), beside(waiting, step=heard) as other:
        assert began.wait(30)
        os.kill(said[0], signal.SIGINT)  # a terminal sends it to both; this one alone decides
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        other.result()
    assert not alive(said[0])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_the_other_process_ends_with_this_one_however_it_ends():
    code = (
        "from pillprocess.inference.beside import beside\n"
        "from tests.inference.test_beside import waiting\n"
        "import os; os.cpu_count = lambda: 2\n"
        "with beside(waiting, step=lambda pid: print(pid, flush=True)) as other: other.result()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT) as run:
        pid = int(run.stdout.readline())
        assert alive(pid)
        run.kill()
    for _ in range(500):
        if not alive(pid):
            break
        time.sleep(0.02)
    assert not alive(pid)


def test_with_one_processor_the_work_is_done_here(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    said = []
    with pytest.warns(UserWarning, match="look here"), beside(talking, 3, step=said.append) as other:
        assert other.result() == (6, None)
    assert said == [f"in {os.getpid()}"]
