"""Which edition of an evidence base this is, and when somebody last looked for new trials: its ``editions.csv``."""

from typing import NamedTuple

from pillprocess.evidence.tables import Evidence


class Edition(NamedTuple):
    """Version of the evidence and date of the last search, both blank where the folder does not say."""

    version: str
    last_search: str

    def __str__(self) -> str:
        """In words."""
        if not self.version:
            return "no edition stated (editions.csv: version, last_search)"
        return f"edition {self.version}, last search {self.last_search}"


def edition_of(evidence: Evidence) -> Edition:
    """Return the current edition of an evidence base: the last row of its ``editions.csv``.

    Parameters
    ----------
    evidence
        From :func:`pillprocess.load_evidence`.

    Returns
    -------
    ``version`` and ``last_search`` (ISO 8601: a day, a month or a year); both "" where the folder has no such table.
    """
    if evidence.editions.empty:
        return Edition("", "")
    last = evidence.editions.iloc[-1]
    return Edition(str(last["version"]), str(last["last_search"]))
