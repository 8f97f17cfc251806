"""The journal of a calibration: one line per finished replication, on disk before the next one counts."""

import json
import os
from pathlib import Path

from pillprocess.output.results import ResultsError

JOURNAL = "replications.jsonl"

type Record = dict[str, object]


def open_journal(folder: Path, header: Record) -> list[Record]:
    """Start a journal in a folder, or read the one that is there.

    Parameters
    ----------
    folder
        Where the journal is, or shall be.
    header
        What all replications have in common; the first line of the file.

    Returns
    -------
    Records of the finished replications. A last line that was cut off by a kill is removed from the file.

    Raises
    ------
    ResultsError
        The folder is a file, holds something else, belongs to a calibration with another header, or is damaged.
    """
    path = folder / JOURNAL
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ResultsError(f"{folder} is not a folder; nothing was written. Give another folder")
    if folder.is_dir() and not path.is_file() and any(folder.iterdir()):
        raise ResultsError(
            f"{folder} holds something other than a calibration; nothing was written. Give another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    text = path.read_bytes() if path.is_file() else b""
    whole, _, cut = text.rpartition(b"\n")
    if not whole:
        _start(path, header)
        return []
    records = [_record(path, number, line) for number, line in enumerate(whole.split(b"\n"), start=1)]
    _check_header(path, records[0], header)
    if cut:
        with path.open("r+b") as file:
            file.truncate(len(whole) + 1)
            os.fsync(file.fileno())
    return records[1:]


def append(folder: Path, record: Record) -> None:
    """Write one finished replication; it is on disk when this returns."""
    with (folder / JOURNAL).open("ab") as file:
        file.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _start(path: Path, header: Record) -> None:
    path.unlink(missing_ok=True)
    path.touch()
    append(path.parent, header)


def _record(path: Path, number: int, line: bytes) -> Record:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise ResultsError(f"{path} line {number} is damaged; nothing was run. Remove the line, or give another folder")
    return record


def _check_header(path: Path, found: Record, wanted: Record) -> None:
    names = dict.fromkeys([*wanted, *found])
    differ = [f"{n} {found.get(n)} (now {wanted.get(n)})" for n in names if found.get(n) != wanted.get(n)]
    if differ:
        raise ResultsError(
            f"{path.parent} belongs to another calibration: {', '.join(differ)}; nothing was run. Give another folder"
        )
