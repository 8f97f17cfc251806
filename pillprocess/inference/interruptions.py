"""Ctrl-C that is not lost: a library that is being loaded, or compiles, can swallow the exception."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptions() -> Iterator[Callable[[], None]]:
    """Remember Ctrl-C until the end of the block; the function that is given raises it again where it was swallowed.

    Blocks may be nested. Outside the main thread, which alone receives signals, and where signals are ignored it does nothing.
    """
    stopped, before = False, signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        assert callable(before)
        before(number, frame)

    def check() -> None:
        if stopped:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield check
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
