"""Papers by the endings of their names: what can be written, and the writing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pillprocess.evidence.tables import Evidence

ENDINGS = (".docx", ".tex")


def check_papers(files: Sequence[str | Path]) -> None:
    """Raise before anything is fitted where a paper could not be written.

    Raises
    ------
    ValueError
        Files of another kind, all of them named.
    RuntimeError
        The library python-docx is wanted and not installed.
    """
    others = [str(file) for file in files if Path(file).suffix.casefold() not in ENDINGS]
    if others:
        raise ValueError(f"a paper is written as .docx or .tex; {', '.join(others)} ends otherwise")
    if any(Path(file).suffix.casefold() == ".docx" for file in files):
        from pillprocess.manuscript.word import check_docx

        check_docx()


def write_papers(
    files: Sequence[str | Path],
    results: Path,
    into: Path = Path(),
    *,
    evidence: Evidence | None = None,
    run: Mapping[str, object] | None = None,
) -> list[Path]:
    """Write each file, in ``into``, from one reading of the results folder; as :func:`pillprocess.to_docx` and `to_latex`.

    Returns
    -------
    Paths of the files.
    """
    if not files:
        return []
    from pillprocess.manuscript.latex import write_latex
    from pillprocess.manuscript.paper import paper
    from pillprocess.manuscript.word import write_docx

    blocks = paper(results, evidence, run)
    return [
        (write_docx if Path(file).suffix.casefold() == ".docx" else write_latex)(blocks, into / file) for file in files
    ]
