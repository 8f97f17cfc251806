"""A folder of results, written under a temporary name and moved into place when all of it is there."""

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

try:
    import fcntl
except ImportError:  # Windows has no such locks: what an interrupted run left there is not told from one under way
    fcntl = None  # type: ignore[assignment]

MARK = "run.json"
LEFT_BY_THE_SYSTEM = {".DS_Store", "Thumbs.db", "desktop.ini"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet takes for a formula."""


class ResultsError(RuntimeError):
    """The folder for results cannot be used; what is in it was left alone."""


@contextlib.contextmanager
def results_folder(out: Path, record: dict[str, object]) -> Iterator[Path]:
    """Yield a new folder to write in; on success it takes the name ``out``, on any failure it vanishes.

    What a killed run left beside ``out`` is cleared first: its half-written folder is removed, and earlier results that it
    had moved aside return to their name. A run that is still under way is not touched.

    Parameters
    ----------
    out
        Where the results shall be. Earlier results there are replaced only when the new ones are complete, and only if
        the folder holds nothing but what its ``run.json`` says was written.
    record
        What to write into ``run.json``; entries added while writing are kept, and ``files`` lists what was written.

    Raises
    ------
    ResultsError
        ``out`` is a file, holds something else than results, or cannot be written.
    """
    with _folder_beside(out) as work:
        try:
            yield work
            content = record | {"files": sorted(_files(work))}
            (work / MARK).write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
            work.chmod(0o755)
            _replace(work, out)
        except OSError as error:
            raise ResultsError(
                f"cannot write results to {out}: {error}; earlier results were left as they were"
            ) from error


def write_tables(tables: "Mapping[str, pd.DataFrame]", folder: Path) -> None:
    """Write each table as CSV; text that a spreadsheet would run as a formula gets an apostrophe in front.

    Labels come from files that others wrote. Numbers, and text that is a number, are written as they are.
    """
    folder.mkdir()
    for name, table in tables.items():
        safe = table.rename(columns=_no_formula)
        for place, column in enumerate(safe.columns):
            if table.dtypes.iloc[place].kind not in "biufc":
                safe.isetitem(place, safe[column].map(_no_formula))
        safe.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")


def _no_formula(cell: object) -> object:
    if not isinstance(cell, str) or not cell.startswith(FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


@contextlib.contextmanager
def _folder_beside(out: Path) -> Iterator[Path]:
    """Yield a new locked folder beside ``out`` that is gone afterwards, unless it was moved, with every folder made for it."""
    with contextlib.ExitStack() as afterwards:
        try:
            _check_replaceable(out)
            _clear_leftovers(out)
            afterwards.callback(_remove_empty, [parent for parent in out.parents if not parent.exists()])
            out.parent.mkdir(parents=True, exist_ok=True)
            work, lock = _locked_folder(out)
        except OSError as error:
            raise ResultsError(f"cannot write beside {out}: {error.strerror}; nothing was written") from error
        afterwards.callback(_release, lock)
        afterwards.callback(shutil.rmtree, work, ignore_errors=True)
        yield work


def _check_replaceable(out: Path) -> None:
    """Raise if there is something else than a folder, or one that holds anything that an earlier run did not write."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ResultsError(f"{out} is not a folder; nothing was written. Give another folder with --out")
    if not out.is_dir():
        return
    try:
        written = {MARK, *json.loads((out / MARK).read_text(encoding="utf-8"))["files"]}
    except (OSError, ValueError, TypeError, KeyError):
        written = set()
    other = sorted(_files(out) - written)
    if other:
        named = ", ".join(other[:3]) + (f" and {len(other) - 3} more" if len(other) > 3 else "")
        raise ResultsError(
            f"{out} holds something other than results; nothing was written. No run wrote {named}: move it, or give another "
            "folder with --out"
        )


def _files(folder: Path) -> set[str]:
    """Paths of everything in a folder that is no folder itself, without what operating systems leave there."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if (path.is_symlink() or not path.is_dir()) and path.name not in LEFT_BY_THE_SYSTEM
    }


def _locked_folder(out: Path) -> tuple[Path, int | None]:
    """Make a folder that this process holds a lock on until it ends, however it ends."""
    while True:
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
        lock = _lock(work, wait=True)
        if work.exists():  # else another run took it for a leftover before it was locked
            return work, lock
        _release(lock)


def _lock(folder: Path, *, wait: bool) -> int | None:
    """Lock a folder; None where another process holds it, or where there are no such locks."""
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
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
    if not out.parent.is_dir():
        return
    name = re.compile(rf"\.{re.escape(out.name)}\.[a-z0-9_]{{8}}\.(partial|old)")
    left = sorted(path for path in out.parent.iterdir() if name.fullmatch(path.name) and path.is_dir())
    for path in left:
        work = path.with_suffix(".partial")
        lock = _lock(work, wait=False) if work.exists() else _lock(path, wait=False)
        if lock is None:
            continue
        if path.suffix == ".old" and not out.exists():
            path.rename(out)
        else:
            shutil.rmtree(path, ignore_errors=True)
        _release(lock)


def _replace(work: Path, out: Path) -> None:
    """Move the finished folder to its name; an older one steps aside first and returns if the move fails."""
    if not out.exists():
        work.rename(out)
        return
    aside = work.with_suffix(".old")
    out.rename(aside)
    try:
        work.rename(out)
    except OSError:
        aside.rename(out)
        raise
    shutil.rmtree(aside, ignore_errors=True)
