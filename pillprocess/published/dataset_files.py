"""Files of public repositories: where they are, their checksums, a cache, and a first look at their columns.

Every address is pinned to a commit, so what was checked once stays what it was.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

MICRODOSE = "szb37/mcrds_public/43bb44cc8b6b79536e4b2afd0a7c724e90f137f7/data"
KETAMINE = "OpenNeuroDatasets/ds005917/3dad5b3dc5d246e3a267e2eda22699c4cbaf783e"
PSILODEP2 = "szb37/psilodep2/01cbdd94d57ff95ffa33f1906cf9160bfc16cc3a/data"
PSICONNECT = "https://github.com/nemarDatasets/on006110 at commit ca842744348695248eaa7e49030777c5f3bae647"


class DatasetError(RuntimeError):
    """A public data set could not be fetched, or is not what was expected; the message says what to do."""


@dataclass(frozen=True)
class RemoteFile:
    """A file at a pinned commit of a public repository.

    Attributes
    ----------
    place
        Owner, repository, commit and folder.
    path
        Path below that.
    sha256
        Checksum of the file; None where only the commit pins it.
    """

    place: str
    path: str
    sha256: str | None

    @property
    def url(self) -> str:
        """Address of the raw file."""
        return f"https://raw.githubusercontent.com/{self.place}/{self.path}"

    @property
    def name(self) -> str:
        """File name without folders."""
        return Path(self.path).name


ACUTE = RemoteFile(MICRODOSE, "pacutes.csv", "86aa784528ee045c61fadf3eacfd3e1897d16aae9839cee7cb4bfe839a7cc4e3")
ACCUMULATED = RemoteFile(
    MICRODOSE, "accumulatives.csv", "061a2aa8301f4ca2f97d876ddbb5f89f599e4d858075d815cc783b997ccf3070"
)
KETAMINE_PEOPLE = RemoteFile(
    KETAMINE, "participants.tsv", "34cdc8adfe06e76ca276216e00ea2dc1ae12c03ce186038d9fa541cb1ae4e592"
)
KETAMINE_SCORES = RemoteFile(
    KETAMINE, "phenotype/phenotype.tsv", "5a4c4f92a72cb50070f7ffbd50ce3e5ea34a40c1e0f6245c27d1dc6575084b28"
)
JOBS = RemoteFile(
    "vincentarelbundock/Rdatasets/1c97ab8a1df2469762e635481ba27cf4e80e3e51/csv/mediation", "jobs.csv",
    "88d5cce12930f3d111597cf15b7c0cd3e7fa7f316f718de7024e147b9756fb9f",
)  # fmt: skip
PSILODEP2_SCORES = RemoteFile(PSILODEP2, "scores.csv", None)


def read_remote(file: RemoteFile, folder: str | Path | None, *, caller: str, sep: str) -> pd.DataFrame:
    """Read a file from a folder, or from the cache, where it is fetched first."""
    path = _fetched(file, caller) if folder is None else Path(folder) / file.name
    if not path.is_file():
        raise DatasetError(f"{folder} has no file {file.name}; give {caller}(folder=...) the folder that holds it")
    try:
        return pd.read_csv(path, sep=sep, na_values=["n/a"])
    except ValueError as error:  # not UTF-8, empty, ragged, a stray quotation mark
        raise DatasetError(f"{file.name} cannot be read as the table it should be: {error}") from error


def _fetched(file: RemoteFile, caller: str) -> Path:
    """Path of the file in the cache."""
    import pooch

    name = f"{file.place.replace('/', '-')}-{file.name}"
    checksum = f"sha256:{file.sha256}" if file.sha256 else None
    try:
        return Path(pooch.retrieve(file.url, checksum, fname=name, path=pooch.os_cache("pillprocess")))
    except OSError as error:
        raise DatasetError(
            f"{file.url} could not be fetched ({error}). Without a network, download it elsewhere, keep its name "
            f"{file.name}, and call {caller}(folder=...) with the folder it is in"
        ) from error
    except ValueError as error:
        raise DatasetError(
            f"what came from {file.url} is not the file that was checked ({error}); nothing was read. Try again: a broken "
            "download or a page of the network in between is the usual reason"
        ) from error


def renamed(table: pd.DataFrame, names: dict[str, str], other: str, file: RemoteFile) -> pd.DataFrame:
    """Rename columns after checking that they and the others are there."""
    absent = [c for c in [*names, *other.split()] if c not in table.columns]
    if absent:
        raise DatasetError(
            f"{file.name} lacks the columns {', '.join(absent)}; it has {', '.join(map(str, table.columns))}"
        )
    return table.rename(columns=names)


def translated(table: pd.DataFrame, column: str, labels: dict[str, str], file: RemoteFile) -> pd.Series:
    """Labels in plain words; a label that is not known is an error."""
    unknown = sorted(set(table[column].astype(str)) - set(labels))
    if unknown:
        raise DatasetError(f"{file.name}: column {column!r} holds {', '.join(unknown)}; known are {', '.join(labels)}")
    return table[column].map(labels)
