"""Work in a process beside this one: what takes long, and needs nothing that is made here meanwhile.

The other process is a fresh interpreter that is spoken to through its standard input and output. It loads no script of the caller, so
that it is the same on every system and a script needs no guard; it ends when this one leaves the block or dies.
"""

import os
import pickle
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from pillprocess.inference.kept import keeping_draws, kept_in

BEGIN = (
    "import pickle, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from pillprocess.inference.beside import answer; answer()"
)
ENDED = "the process that worked beside this one ended without an answer (exit status {}); was there memory enough?"


class Beside[T](NamedTuple):
    """What is known of the work: ``check`` raises its error if it has failed by now, ``result`` waits for its answer."""

    check: Callable[[], None]
    result: Callable[[], T]


@contextmanager
def beside[T](work: Callable[..., T], *args: object, step: Callable[[str], None] | None = None) -> Iterator[Beside[T]]:
    """Call a function in another process until the end of the block; with one processor alone, here before the block.

    Parameters
    ----------
    work
        A function at the top of a module. Its arguments and what it returns can be pickled. Draws are kept where they are kept here
        (:func:`pillprocess.inference.kept.keeping_draws`).
    *args
        Its arguments.
    step
        Called, from a thread, with what the function says to its own argument ``step``, which it needs to have.

    Yields
    ------
    Beside.

    Raises
    ------
    RuntimeError
        The process ended without an answer. Any error of the function is raised as it is, with a note where it happened.
    """
    if (os.cpu_count() or 1) < 2 or not sys.executable:
        done = work(*args, **({"step": step} if step else {}))
        yield Beside(lambda: None, lambda: done)
        return
    process = subprocess.Popen([sys.executable, "-c", BEGIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    to, back, folder = process.stdin, process.stdout, kept_in()
    warned: list[tuple[Any, ...]] = []
    found: list[tuple[str, Any]] = []

    def speak() -> None:
        try:
            pickle.dump(sys.path, to)
            pickle.dump((work, args, step is not None, folder), to)
            to.flush()
            while not found:
                kind, value = pickle.load(back)
                if kind == "step" and step is not None:
                    step(value)
                elif kind == "warnings":
                    warned.extend(value)
                else:
                    found.append((kind, value))
        except (EOFError, OSError, pickle.UnpicklingError):
            found.append(("ended", None))
        except Exception as error:  # an argument that cannot be pickled, or what ``step`` raised
            found.append(("error", error))

    def check() -> None:
        if found and found[0][0] != "result":
            result()

    def result() -> T:
        while thread.is_alive():
            thread.join(0.2)  # in pieces: a wait without end does not hear Ctrl-C on every system
        for message, category, file, line in warned:
            warnings.warn_explicit(message, category, file, line)
        warned.clear()
        kind, value = found[0]
        if kind == "ended":
            raise RuntimeError(ENDED.format(process.wait()))
        if kind == "error":
            raise value
        answered: T = value
        return answered

    thread = threading.Thread(target=speak, daemon=True)
    thread.start()
    try:
        yield Beside(check, result)
    finally:
        process.kill()
        process.wait()
        thread.join()
        back.close()
        with suppress(OSError):  # what was not sent has nowhere to go
            to.close()


def answer() -> None:
    """Be the other process: read what is to be called, call it, send back what it says, and end."""
    back = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no part of the answer
    work, args, with_step, folder = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_the_other, daemon=True).start()

    def tell(kind: str, value: object) -> None:
        pickle.dump((kind, value), back, protocol=pickle.HIGHEST_PROTOCOL)
        back.flush()

    with warnings.catch_warnings(record=True) as warned, keeping_draws(folder):
        warnings.simplefilter("default")
        try:
            kind, value = "result", work(*args, **({"step": lambda name: tell("step", name)} if with_step else {}))
        except BaseException as error:
            kind, value = "error", _to_be_sent(error)
    tell("warnings", [(str(w.message), w.category, w.filename, w.lineno) for w in warned])
    tell(kind, value)


def _end_with_the_other() -> None:
    """End at once when the other side has closed: nobody waits for an answer."""
    while os.read(0, 1):
        pass
    os._exit(1)


def _to_be_sent(error: BaseException) -> BaseException:
    """The error with a note where it happened; in words alone where it cannot be sent."""
    error.add_note("In a process beside this one:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
