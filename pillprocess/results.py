"""A folder of results, written under a temporary name and moved into place when all of it is there."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

MARK = "run.json"


class ResultsError(RuntimeError):
    """The folder for results cannot be used; what is in it was left alone."""


@contextlib.contextmanager
def results_folder(out: Path, record: dict[str, object]) -> Iterator[Path]:
    """Yield a new folder to write in; on success it takes the name ``out``, on any failure it vanishes.

    Parameters
    ----------
    out
        Where the results shall be. Earlier results there (a folder holding ``run.json``) are replaced only when the new
        ones are complete.
    record
        What to write into ``run.json``; entries added while writing are kept.

    Raises
    ------
    ResultsError
        ``out`` is a file, holds something else than results, or cannot be written.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ResultsError(f"{out} is not a folder; nothing was written. Give another folder with --out")
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise ResultsError(
            f"{out} holds something other than results; nothing was written. Give another folder with --out"
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    except OSError as error:
        raise ResultsError(f"cannot write beside {out}: {error.strerror}; nothing was written") from error
    try:
        yield work
        (work / MARK).write_text(json.dumps(record, indent=2, default=str) + "\n", encoding="utf-8")
        work.chmod(0o755)
        _replace(work, out)
    except OSError as error:
        raise ResultsError(
            f"cannot write results to {out}: {error.strerror or error}; earlier results were left as they were"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


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
