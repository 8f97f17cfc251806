"""What a run wrote into a folder: names and checksums, so that nothing else, and nothing changed since, is ever removed."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

MARK = "run.json"
LEFT_BY_THE_SYSTEM = {".DS_Store", "Thumbs.db", "desktop.ini"}


def seal(folder: Path, record: Mapping[str, object]) -> None:
    """Write the record of a run into its folder, with every file that is there and its SHA-256."""
    content = dict(record) | {"files": {name: _checksum(folder / name) for name in sorted(_files(folder))}}
    (folder / MARK).write_text(_text(content), encoding="utf-8")


def not_written(folder: Path) -> list[str]:
    """Paths in a folder that no run wrote, or that were changed since; what operating systems leave there does not count."""
    return sorted(_files(folder) - set(_unchanged(folder)))


def remove_written(folder: Path) -> bool:
    """Remove what a run wrote and nobody changed, and the folders it leaves empty; True if nothing else was there.

    The record goes last, so that a removal that was cut short can be finished.
    """
    names = _unchanged(folder)
    if not not_written(folder):
        names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.name in LEFT_BY_THE_SYSTEM] + names
    folders = {parent for name in names for parent in Path(name).parents} - {Path()}
    for name in names:
        if (folder / name).is_dir():
            folders.add(Path(name))
        elif name != MARK:
            (folder / name).unlink(missing_ok=True)
    for inner in sorted(folders, key=lambda p: len(p.parts), reverse=True):
        with contextlib.suppress(OSError):
            (folder / inner).rmdir()
    if MARK in names:
        (folder / MARK).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not folder.exists()


def _unchanged(folder: Path) -> list[str]:
    """Files that the folder's record lists, as they were when it was written; the record itself comes last."""
    mark = folder / MARK
    try:
        text = mark.read_text(encoding="utf-8")
        record = json.loads(text)
        listed = {str(name): str(checksum) for name, checksum in record["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []
    here = _files(folder)
    names = [n for n in listed if n in here and _checksum(folder / n) == listed[n] not in ("link", "other")]
    return [*names, MARK] if text == _text(record) and not mark.is_symlink() else names


def _files(folder: Path) -> set[str]:
    """Paths of everything in a folder that is no folder itself, and of empty folders."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if (path.is_symlink() or not path.is_dir() or not any(path.iterdir())) and path.name not in LEFT_BY_THE_SYSTEM
    }


def _checksum(path: Path) -> str:
    """SHA-256 of a file, or what else it is."""
    if path.is_symlink():
        return "link"
    if not path.is_file():
        return "folder" if path.is_dir() else "other"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(record: Mapping[str, object]) -> str:
    return json.dumps(record, indent=2, default=str) + "\n"
