"""Where libraries keep what they can make again: a temporary folder where the usual place cannot be written."""

import atexit
import os
import shutil
import tempfile
import warnings
from pathlib import Path

LEAST = 64 * 2**20
"""Bytes that must be free for compiled models: those of the main job take half as much."""


def use_writable_caches() -> None:
    """Let PyTensor and Matplotlib keep their caches in a temporary folder, and say so, if the home takes none.

    PyTensor stops at an unwritable home, and in the middle of a fit at a full one. What the user set is left alone.

    Warns
    -----
    UserWarning
        The home cannot be written, or is full; which folder is used instead, until the process ends.
    """
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    if "compiledir" in flags or takes(home() / ".pytensor"):
        return
    try:
        folder = Path(tempfile.mkdtemp(prefix="pillprocess-caches-"))
    except OSError:
        return  # nowhere to write: what needs a cache will say so
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["PYTENSOR_FLAGS"] = ",".join(filter(None, (flags, f"base_compiledir={folder / 'pytensor'}")))
    os.environ.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))
    warnings.warn(
        f"nothing can be kept in {home()} (no permission, or the disk is full), so compiled models go to {folder} until this "
        "process ends; set HOME or PYTENSOR_FLAGS=base_compiledir=FOLDER to keep them",
        stacklevel=3,
    )


def home() -> Path:
    """The user's home as the environment says, which need not exist."""
    return Path(os.path.expanduser("~"))


def takes(folder: Path) -> bool:
    """Whether a folder can be made, or is there, and has room."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.access(folder, os.W_OK | os.X_OK) and shutil.disk_usage(folder).free >= LEAST
    except OSError:
        return False
