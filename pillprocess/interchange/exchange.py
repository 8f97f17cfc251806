"""Evidence out to the formats of others and in from them, with what does not go along said in words."""

from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from pillprocess.evidence.files import collect
from pillprocess.evidence.tables import Evidence, EvidenceError
from pillprocess.interchange.answers import read_answers
from pillprocess.interchange.frictionless import read_package, write_package
from pillprocess.interchange.metafor import read_metafor, write_metafor
from pillprocess.interchange.metapsy import write_metapsy
from pillprocess.interchange.metapsy_reading import read_metapsy
from pillprocess.interchange.pairs import pairs
from pillprocess.interchange.revman import read_revman
from pillprocess.interchange.tables import tables_of, write_contents, write_tables

Format = Literal["metafor", "metapsy", "frictionless"]
Source = Literal["metafor", "metapsy", "frictionless", "revman"]


def export_evidence(evidence: Evidence, out: str | Path, *, to: Format) -> list[str]:
    """Write an evidence base in another format.

    Parameters
    ----------
    evidence
        From :func:`pillprocess.load_evidence`.
    out
        A new CSV file; for ``"frictionless"`` a new folder.
    to
        ``"metafor"``: one row a comparison of two arms with ``yi``, ``vi`` and the columns of ``escalc``; ``"metapsy"``: the Metapsy data
        standard, semicolons and decimal commas; ``"frictionless"``: every table, with types, units, words and keys in
        ``datapackage.json``.

    Returns
    -------
    What the format cannot hold and was left out, a sentence each; none for ``"frictionless"``.

    Raises
    ------
    ValueError
        An unknown format; the file or folder is there already.

    References
    ----------
    Viechtbauer 2010, doi:10.18637/jss.v036.i03; docs.metapsy.org; datapackage.org.
    """
    place = Path(out)
    _known(to, Format)
    if to == "frictionless":
        write_package(evidence, place)
        return []
    if place.exists():
        raise ValueError(f"{place} is there already; give a new file, so that nothing is overwritten")
    rows, lost = pairs(evidence)
    if to == "metafor":
        write_metafor(rows, place)
        return lost
    return lost + write_metapsy(rows, place, evidence.instruments)


def import_evidence(
    source: str | Path, folder: str | Path, *, form: Source, answers: str | Path | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Read another format into a folder of evidence tables, or say everything that is wrong with it.

    Parameters
    ----------
    source
        The file; for ``"frictionless"`` its ``datapackage.json`` or folder.
    folder
        Folder for the tables, new or without these tables: what it has already (instruments, reference doses, words) is used.
    form
        As ``to`` in :func:`export_evidence`, or ``"revman"``: the data rows of one analysis of a Cochrane review.
    answers
        TOML with what the file does not say: see ``data/README.md``.

    Returns
    -------
    The open questions, as :func:`pillprocess.evidence_questions` lists them, and what of the file was left out, in words.

    Raises
    ------
    ValueError
        An unknown format; answers that cannot be read; the folder has such tables.
    EvidenceError
        All problems; nothing was written.
    """
    _known(form, Source)
    place, said = Path(source), read_answers(answers)
    left: list[str] = []
    if form == "frictionless":
        contents, problems = read_package(place)
        if problems:
            raise EvidenceError(collect(problems))
        return write_contents(contents, Path(folder)), left
    if form == "metafor":
        rows, problems = read_metafor(place, said)
    elif form == "revman":
        rows, problems = read_revman(place, said)
    else:
        rows, problems, left = read_metapsy(place, said)
    if problems:
        raise EvidenceError(collect(problems).drop_duplicates("problem", ignore_index=True))
    tables, contradictions = tables_of(rows, place.name, said)
    return write_tables(tables, Path(folder), contradictions), left


def _known(name: str, formats: object) -> None:
    if name not in (there := get_args(formats)):
        raise ValueError(f"{name!r} is no format; there are {', '.join(there)}")
