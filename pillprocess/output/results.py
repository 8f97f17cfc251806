"""A folder of results, written under a temporary name and moved into place when all of it is there."""

import contextlib
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pillprocess.output.text import no_formula, printable
from pillprocess.output.written import not_written, remove_written, seal

if TYPE_CHECKING:
    import pandas as pd

try:
    import fcntl
except ImportError:  # Windows has no such locks: what an interrupted run left there is not told from one under way
    fcntl = None  # type: ignore[assignment]


class ResultsError(RuntimeError):
    """The folder for results cannot be used; what is in it was left alone."""


@contextlib.contextmanager
def results_folder(out: Path, record: dict[str, object]) -> Iterator[Path]:
    """Yield a new folder to write in; on success it takes the name ``out``, on any failure it vanishes.

    What a killed run left beside ``out`` is cleared first: its half-written folder is removed, and earlier results that it
    had moved aside return to their name. A run that is still under way is not touched.

    Nothing that no run wrote is ever removed. What was there before is a reason not to begin; what came, or was changed, while
    the run was under way is kept beside ``out`` in a folder of the same name with ``.kept``, and a warning says so.

    Parameters
    ----------
    out
        Where the results shall be. Earlier results there are replaced only when the new ones are complete, and only if
        the folder holds nothing but what its ``run.json`` says was written, unchanged.
    record
        What to write into ``run.json``; entries added while writing are kept, and ``files`` lists what was written.

    Raises
    ------
    ResultsError
        ``out`` is a file, a volume, the folder one is in, holds something else than results, or cannot be written.
    """
    with _folder_beside(out) as work:
        try:
            yield work
            seal(work, record)
            work.chmod(0o755)
            kept = _replace(work, _place(out))
        except OSError as error:
            raise ResultsError(
                f"cannot write results to {_shown(out)}: {_reason(error)}; earlier results were left as they were"
            ) from error
    if kept:
        warnings.warn(
            f"{_shown(out)} was changed while the run was under way; what no run wrote there is now in {_shown(kept)}",
            stacklevel=3,
        )


def write_tables(tables: "Mapping[str, pd.DataFrame]", folder: Path) -> None:
    """Write each table as CSV; text that a spreadsheet would run as a formula gets an apostrophe in front.

    Labels come from files that others wrote: control characters in them are written as escapes. Numbers, and text that is a
    number, are written as they are.
    """
    folder.mkdir()
    for name, table in tables.items():
        safe = table.rename(columns=no_formula)
        for place, column in enumerate(safe.columns):
            if table.dtypes.iloc[place].kind not in "biufc":
                safe.isetitem(place, safe[column].map(no_formula))
        safe.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")


@contextlib.contextmanager
def _folder_beside(out: Path) -> Iterator[Path]:
    """Yield a new locked folder beside ``out`` that is gone afterwards, unless it was moved, with every folder made for it."""
    with contextlib.ExitStack() as afterwards:
        try:
            place = _place(out)
            with _alone_in(place.parent):
                _clear_leftovers(place)
                _check_replaceable(out, place)
            afterwards.callback(_remove_empty, [parent for parent in place.parents if not parent.exists()])
            place.parent.mkdir(parents=True, exist_ok=True)
            work, lock = _locked_folder(place)
        except OSError as error:
            raise ResultsError(f"cannot write beside {_shown(out)}: {_reason(error)}; nothing was written") from error
        afterwards.callback(_release, lock)
        afterwards.callback(shutil.rmtree, work, ignore_errors=True)
        yield work


def _place(out: Path) -> Path:
    """Where ``out`` is, from the root, every link on the way followed but its own."""
    return out.parent.resolve() / out.name if out.name not in ("", "..") else out.resolve()


def _check_replaceable(out: Path, place: Path) -> None:
    """Raise if there is something else than a folder, one that cannot step aside, or one that holds what no run wrote."""
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise ResultsError(f"{_shown(out)} is not a folder; nothing was written. Give another folder with --out")
    if _is_volume(place):
        raise ResultsError(
            f"{_shown(out)} is a volume or the root of one, which new results cannot replace; nothing was written. Give a "
            f"folder in it: --out {_shown(out / 'results')}"
        )
    if not place.is_dir():
        return
    if Path.cwd().resolve().is_relative_to(place):
        raise ResultsError(
            f"{_shown(out)} is the folder you are in, or holds it, so new results cannot replace it; nothing was written. "
            f"Give a folder in it: --out {_shown(out / 'results')}"
        )
    if other := not_written(place):
        named = ", ".join(printable(name) for name in other[:3])
        more = f" and {len(other) - 3} more" if len(other) > 3 else ""
        raise ResultsError(
            f"{_shown(out)} holds something other than results; nothing was written. No run wrote {named}{more}: move it, or "
            "give another folder with --out"
        )


def _is_volume(place: Path) -> bool:
    """Whether a file system is mounted here, a folder of the same one included."""
    if place == place.parent or os.path.ismount(place):
        return True
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    mounted = (re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), line.split(" ")[4]) for line in lines)
    return str(place) in mounted


def _shown(path: Path) -> str:
    return printable(str(path))


def _reason(error: OSError) -> str:
    return error.strerror or printable(str(error))


def _locked_folder(out: Path) -> tuple[Path, int | None]:
    """Make a folder that this process holds a lock on until it ends, however it ends."""
    while True:
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
        lock = _lock(work, wait=True)
        if work.exists():  # else another run took it for a leftover before it was locked
            return work, lock
        _release(lock)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time clear up or move folders here."""
    lock = _lock(folder, wait=True) if folder.is_dir() else None
    try:
        yield
    finally:
        _release(lock)


def _lock(path: Path, *, wait: bool) -> int | None:
    """Lock a folder or file; None where another process holds it, or where there are no such locks."""
    if fcntl is None:
        return None
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _release(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders, innermost first, up to one that holds something."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _clear_leftovers(out: Path) -> None:
    """Remove what killed runs left beside ``out``; earlier results that one had moved aside return to their name."""
    if fcntl is None or not out.parent.is_dir():
        return
    name = re.compile(rf"\.{re.escape(out.name)}\.[a-z0-9_]{{8}}\.(partial|old)")
    for path in sorted(path for path in out.parent.iterdir() if name.fullmatch(path.name)):
        if path.suffix == ".old":
            if out.exists() or out.is_symlink():
                _keep(path, out)
            else:
                path.rename(out)
        elif (lock := _lock(path, wait=False)) is not None:
            shutil.rmtree(path, ignore_errors=True)
            _release(lock)


def _replace(work: Path, out: Path) -> Path | None:
    """Move the finished folder to its name; what stands there steps aside first and returns if the move fails.

    Returns
    -------
    Where is now what stood there and no run wrote; None where there was no such thing.
    """
    with _alone_in(out.parent):
        if not (out.exists() or out.is_symlink()):
            work.rename(out)
            return None
        aside = work.with_suffix(".old")
        try:
            out.rename(aside)
            work.rename(out)
        except BaseException:
            if aside.exists() and not out.exists():
                aside.rename(out)
            raise
        return _keep(aside, out)


def _keep(aside: Path, out: Path) -> Path | None:
    """Remove earlier results that stepped aside; what no run wrote stays, under a name that says so."""
    with contextlib.suppress(OSError):
        if aside.is_dir() and not aside.is_symlink() and remove_written(aside):
            return None
    number, kept = 1, out.with_name(f"{out.name}.kept")
    while kept.exists() or kept.is_symlink():
        number, kept = number + 1, out.with_name(f"{out.name}.kept-{number + 1}")
    aside.rename(kept)
    return kept
