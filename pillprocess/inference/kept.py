"""Draws kept from one run to the next: the same model, data, settings and code give the same draws, so they are made once."""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pooch
import xarray as xr

import pillprocess
from pillprocess.inference.stored import FitFileError, load_fit, save_fit

ROOM = 2**30
"""Bytes that kept draws may take; beyond it those used longest ago go."""

_folder: ContextVar[Path | None] = ContextVar("folder", default=None)


def usual_folder() -> Path:
    """Where draws are kept unless another folder is named."""
    return Path(pooch.os_cache("pillprocess")) / "draws"


@contextmanager
def keeping_draws(folder: Path | None) -> Iterator[None]:
    """Keep draws in a folder, and take those found there, until the end of the block; None keeps nothing."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def kept_in() -> Path | None:
    """The folder in which draws are kept here and now; None where they are not."""
    return _folder.get()


def kept_draws(
    of: xr.Dataset | Mapping[str, object], settings: Mapping[str, object], draw: Callable[[], xr.DataTree]
) -> xr.DataTree:
    """Return what ``draw`` gives, from an earlier run where one drew the same.

    Parameters
    ----------
    of
        Everything the model was built from and conditions on: a Dataset, or arrays and Datasets by name.
    settings
        Of the sampler, the seed among them.
    draw
        Makes the draws: ``posterior`` and ``sample_stats``.

    Returns
    -------
    The draws. They are the same whichever way they come: the name of a file is a hash of the arguments, this package's code and the
    versions of the libraries that sample.

    Warns
    -----
    UserWarning
        The draws could not be written; they are returned all the same.
    """
    folder = _folder.get()
    if folder is None:
        return draw()
    path = folder / f"{identity(of, settings)}.nc"
    if path.is_file():
        try:
            found = load_fit(path)
            os.utime(path)
            return found
        except (FitFileError, OSError):
            pass  # damaged, or gone meanwhile: draw again
    drawn = draw()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_fit(
            xr.DataTree.from_dict({f"/{name}": drawn[name].dataset for name in ("posterior", "sample_stats")}), path
        )
        _make_room(folder)
    except OSError as error:
        warnings.warn(f"draws could not be kept in {folder} ({error.strerror}); the next run draws again", stacklevel=2)
    return drawn


def identity(of: xr.Dataset | Mapping[str, object], settings: Mapping[str, object]) -> str:
    """Hash of data, settings, this package's code and the versions of the libraries that sample."""
    found = hashlib.sha256(json.dumps([_code(), dict(settings)], sort_keys=True, default=str).encode())
    for name in sorted(map(str, of)):
        _add(found, name, of[name])
    if isinstance(of, xr.Dataset):
        _add(found, "attrs", json.dumps(of.attrs, sort_keys=True, default=str))
        for name in sorted(map(str, of.coords)):
            _add(found, name, of[name])
    return found.hexdigest()


def _add(found: "hashlib._Hash", name: str, value: object) -> None:
    if isinstance(value, xr.Dataset):
        found.update(f"{name}: {identity(value, {})}".encode())
        return
    array = np.asarray(value)
    text = array.dtype.kind in "OUS"
    content = json.dumps(array.astype(str).tolist()).encode() if text else np.ascontiguousarray(array).tobytes()
    found.update(f"{name} {array.dtype.kind} {array.shape} ".encode() + content)


@cache
def _code() -> str:
    """Hash of this package's source and the versions of what samples."""
    root = Path(pillprocess.__file__).parent
    found = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    libraries = ("numba", "numpy", "nutpie", "pymc", "pytensor", "scipy", "xarray")
    found.update(" ".join(f"{name} {version(name)}" for name in libraries).encode())
    return found.hexdigest()


def _make_room(folder: Path) -> None:
    """Remove the draws used longest ago until the rest takes no more than ``ROOM``."""
    files = sorted(((p.stat().st_mtime, p.stat().st_size, p) for p in folder.glob("*.nc")), reverse=True)
    taken = 0
    for _, size, path in files:
        taken += size
        if taken > ROOM and len(path.stem) == 64:  # named by this module
            path.unlink(missing_ok=True)
