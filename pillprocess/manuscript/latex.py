"""The paper as a LaTeX file; every text is escaped, so that a trial's name is never a command."""

import re
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import jinja2

from pillprocess.evidence.tables import Evidence
from pillprocess.manuscript.document import Block, Figure, Table, shares_of_width
from pillprocess.manuscript.paper import paper
from pillprocess.output.text import printable

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': r"\textquotedbl{}", "`": r"\textasciigrave{}",
    "−": r"\ensuremath{-}", "×": r"\ensuremath{\times}", "±": r"\ensuremath{\pm}", "≤": r"\ensuremath{\leq}", "≥": r"\ensuremath{\geq}",
    "→": r"\ensuremath{\rightarrow}", "←": r"\ensuremath{\leftarrow}", "²": r"\ensuremath{{}^2}", "µ": r"\ensuremath{\mu}",
    "…": r"\ldots{}", "\u2009": r"\,", "\u202f": r"\,", "\xa0": "~",
    **{letter: rf"\ensuremath{{\{unicodedata.name(letter).split()[-1].lower()}}}" for letter in "αβγδεζηθκμνξπρστφχψω"},
}  # fmt: skip
"""What stands for something else in LaTeX, or lacks a letter in pdfLaTeX's fonts."""

LONG = 24
"""Letters of a word from which on it may be broken after a slash, a point or an underscore, and after as many letters again."""


class Latex(str):
    """Text that is LaTeX already."""

    __slots__ = ()


def to_latex(results: str | Path, out: str | Path, *, evidence: Evidence | None = None) -> Path:
    """Write methods, results, the review's claims and the checklists as a LaTeX file, filled from a results folder.

    Nothing is fitted again. The figures are copied into a folder beside the file, named after it.

    Parameters
    ----------
    results
        Folder that ``pillprocess reproduce`` wrote.
    out
        The file to write; one of that name is replaced.
    evidence
        The evidence the results were made from; the embedded evidence by default.

    Returns
    -------
    Path of the file; it needs no package beyond those of a usual TeX distribution.

    Raises
    ------
    FileNotFoundError
        The folder has no ``tables``.
    ValueError
        The results were made from other evidence, or lack a table.

    Examples
    --------
    >>> import pillprocess as pp
    >>> pp.to_latex("results", "paper.tex")  # doctest: +SKIP
    """
    return write_latex(paper(Path(results), evidence), Path(out))


def write_latex(blocks: Sequence[Block], out: Path) -> Path:
    """Write blocks as a LaTeX file, and its figures into a folder beside it; those that are there already stay where they are."""
    figures = out.with_name(re.sub(r"[^A-Za-z0-9-]+", "-", out.stem) + "-figures")
    drawn = [block.file for block in blocks if isinstance(block, Figure)]
    if drawn and all(file.parent == out.parent / "figures" for file in drawn):
        figures = out.parent / "figures"
    elif drawn:
        figures.mkdir(exist_ok=True)
        for file in drawn:
            shutil.copyfile(file, figures / file.name)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pillprocess.manuscript"), autoescape=False, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, block_start_string=r"\BLOCK{", block_end_string="}", variable_start_string=r"\VAR{",
        variable_end_string="}", comment_start_string=r"\COMMENT{", comment_end_string="}",
        finalize=lambda value: value if isinstance(value, Latex) else escaped(str(value)),
    )  # fmt: skip
    environment.filters["raw"] = Latex
    environment.filters["command"] = lambda name: Latex(f"\\{name}")
    environment.filters["row"] = _row
    facts = [_facts(block) for block in blocks]
    out.write_text(environment.get_template("paper.tex").render(blocks=facts, folder=figures.name), encoding="utf-8")
    return out


def escaped(text: str) -> str:
    """Write text so that LaTeX shows it as it is; long words may be broken, and hyphens, quotes and commas do not join into others."""

    def word(found: re.Match[str]) -> str:
        letters = [SPECIAL.get(letter, letter) for letter in re.sub(r"([-',])(?=\1)", "\\1\0", found[0])]
        if len(found[0]) >= LONG:
            letters = [
                f"{one}\\allowbreak{{}}" if one in ("/", ".", r"\_") or place % LONG == 0 else one
                for place, one in enumerate(letters, 1)
            ]
        return "".join(letters).replace("\0", "{}")

    return re.sub(r"[^ ]+", word, " ".join(printable(text).split()))


def _row(cells: Sequence[str]) -> Latex:
    """A row of a table; one that begins with a bracket or star would be read as an argument of the row above."""
    return Latex("{}" * str(cells[0]).startswith(("[", "*")) + " & ".join(map(escaped, cells)) + r" \\")


def _facts(block: Block) -> dict[str, object]:
    """A block as the template reads it."""
    facts: dict[str, object] = {"kind": type(block).__name__, **block._asdict()}
    if isinstance(block, Table):
        facts["heads"] = [head.removeprefix("#") for head in block.heads]
        facts["columns"] = "".join(
            rf">{{\ragged{'left' if head.startswith('#') else 'right'}\arraybackslash}}p{{\dimexpr {share:.4f}\linewidth-2\tabcolsep}}"
            for head, share in zip(block.heads, shares_of_width(block), strict=True)
        )
    if isinstance(block, Figure):
        facts["name"] = block.file.name
    return facts
