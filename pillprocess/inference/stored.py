"""A fit as a NetCDF file: written whole or not at all, read back as data only, and only if it is what was written."""

import hashlib
import io
import os
import tempfile
import warnings
from pathlib import Path

import h5py
import xarray as xr

import pillprocess
from pillprocess.output.text import printable

FORMAT = 1
"""Layout of the files; a version of the package that lays them out otherwise raises it."""


SEAL = b"\npillprocess fit, sha256 of all before this line: "


class FitFileError(ValueError):
    """The file is no fit of this package, or not as it was written; nothing of it was read."""


def save_fit(idata: xr.DataTree, path: str | Path) -> None:
    """Write a fit as a NetCDF file that `load_fit` reads.

    The file is made in memory and moved to its name when all of it is on the disk: a full disk or a kill leaves what was there.

    Parameters
    ----------
    idata
        A fitted DataTree, from `fit`.
    path
        Where to write; a file of that name is replaced.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    path = Path(path)
    marked = idata.copy(deep=False)
    marked.attrs = idata.attrs | {"pillprocess": pillprocess.__version__, "fit_format": FORMAT}
    content = sealed(bytes(marked.to_netcdf(engine="h5netcdf")))
    descriptor, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(part).chmod(0o644)
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def load_fit(path: str | Path) -> xr.DataTree:
    """Read a fit that `save_fit`, or a command of this package, wrote.

    Parameters
    ----------
    path
        A NetCDF file such as ``results/posterior/headline.nc``.

    Returns
    -------
    The fit, in memory: every function that takes a fit takes it.

    Raises
    ------
    FitFileError
        The file is not there, is no NetCDF-4 file, was not written by this package or by a later one, points to other files, is
        damaged, or was changed since it was written. Nothing is read then.

    Warns
    -----
    UserWarning
        Another version of the package wrote it.
    """
    shown = printable(str(path))
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise FitFileError(f"{shown} cannot be read as a fit: {error.strerror}") from error
    if not content.startswith(b"\x89HDF\r\n\x1a\n"):
        raise FitFileError(f"{shown} is no NetCDF-4 file; nothing was read. A fit is written by save_fit")
    if content != sealed(content[: content.rfind(SEAL)]):  # before the library sees it: a damaged file can crash it
        raise FitFileError(
            f"{shown} was not written by pillprocess, or was changed or cut off since: the checksum at its end is missing or does "
            "not fit; nothing was read. Fit the model again, or open the file with xarray.open_datatree"
        )
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            attrs = dict(file.attrs)
            outside, claimed = _outside(file), _size(file)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise FitFileError(f"{shown} is damaged; nothing was read: {printable(str(error))}") from error
    version = printable(str(attrs.get("pillprocess", "unknown")))
    if str(attrs.get("fit_format")).strip("[]") != str(FORMAT):
        raise FitFileError(
            f"{shown} was written by pillprocess {version} in a layout that this version, {pillprocess.__version__}, does not "
            "know; nothing was read. Read it with that version, or fit the model again"
        )
    if outside:
        raise FitFileError(f"{shown} points to data outside itself ({', '.join(outside[:3])}); nothing was read")
    if claimed > 20 * len(content) + 2**20:
        raise FitFileError(f"{shown} has {len(content):,} bytes and claims to hold {claimed:,}; nothing was read")
    try:
        with xr.open_datatree(io.BytesIO(content), engine="h5netcdf") as opened:
            idata = opened.load()
    except Exception as error:  # whatever a library makes of a file that is not what it says
        raise FitFileError(f"{shown} is damaged; nothing was read: {printable(str(error))}") from error
    if version != pillprocess.__version__:
        warnings.warn(
            f"{shown} was written by pillprocess {version}, and this is {pillprocess.__version__}: its numbers are those of that "
            "version",
            stacklevel=2,
        )
    return idata


def sealed(content: bytes) -> bytes:
    """A file's content with its SHA-256 behind it, where HDF5 does not look."""
    return content + SEAL + hashlib.sha256(content).hexdigest().encode() + b"\n"


def _outside(group: h5py.Group) -> list[str]:
    """Names in a file that stand for data of other files or places."""
    found = []
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            found.append(printable(f"{group.name}/{name}"))
            continue
        item = group[name]
        if isinstance(item, h5py.Group):
            found += _outside(item)
        elif isinstance(item, h5py.Dataset) and (item.is_virtual or item.external):
            found.append(printable(str(item.name)))
    return found


def _size(group: h5py.Group) -> int:
    """Bytes that the datasets of a file say they hold."""
    sizes: list[int] = []
    group.visititems(lambda _, item: sizes.append(item.nbytes) if isinstance(item, h5py.Dataset) else None)
    return sum(sizes)
