"""The paper as a .docx file, for a word processor."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pillprocess.evidence.tables import Evidence
from pillprocess.manuscript.document import (
    Block,
    Figure,
    Formula,
    Heading,
    Items,
    Open,
    Table,
    Text,
    shares_of_width,
)
from pillprocess.manuscript.paper import paper
from pillprocess.output.text import printable

if TYPE_CHECKING:
    from docx.document import Document

WIDTH, HEIGHT = 170, 225
"""Room for text and figures on a page of A4, in mm."""


def to_docx(results: str | Path, out: str | Path, *, evidence: Evidence | None = None) -> Path:
    """Write methods, results, the review's claims and the checklists as a .docx file, filled from a results folder.

    Nothing is fitted again: every number is that of a table of the folder, every figure one of its figures. What the analysis cannot
    know stands in brackets, for the authors.

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
    Path of the file.

    Raises
    ------
    FileNotFoundError
        The folder has no ``tables``.
    ValueError
        The results were made from other evidence, or lack a table.
    RuntimeError
        The library python-docx is not installed.

    Examples
    --------
    >>> import pillprocess as pp
    >>> pp.to_docx("results", "paper.docx")  # doctest: +SKIP
    """
    check_docx()
    return write_docx(paper(Path(results), evidence), Path(out))


def check_docx() -> None:
    """Raise a sentence that names the extra where python-docx is not installed, before anything is fitted.

    Raises
    ------
    RuntimeError
        It is not installed.
    """
    if find_spec("docx") is None:
        raise RuntimeError("writing .docx needs the library python-docx: pip install 'pillprocess[docx]'")


def write_docx(blocks: Sequence[Block], out: Path) -> Path:
    """Write blocks as a .docx file; tables and figures are numbered in their order."""
    import docx
    from docx.enum.style import WD_STYLE_TYPE
    from docx.shared import Mm, Pt, RGBColor

    document = docx.Document()
    page = document.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin = page.right_margin = Mm(20)
    page.top_margin = page.bottom_margin = Mm(22)
    document.styles["Normal"].font.name, document.styles["Normal"].font.size = "Calibri", Pt(10.5)
    for name, size in (("Table Text", 7.5), ("To Authors", 10)):
        style = document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        style.base_style, style.font.size = document.styles["Normal"], Pt(size)
        style.paragraph_format.space_after = Pt(1 if name == "Table Text" else 6)
        style.paragraph_format.space_before, style.paragraph_format.line_spacing = Pt(1), 1.0
    document.styles["To Authors"].font.italic = True
    document.styles["To Authors"].font.color.rgb = RGBColor(0x9C, 0x3A, 0x00)
    document.styles["Caption"].font.color.rgb = RGBColor(0, 0, 0)
    properties = document.core_properties
    properties.author, properties.comments = "", "made by pillprocess"
    properties.title = printable(next((b.text for b in blocks if isinstance(b, Heading)), ""))
    numbers = {Table: 0, Figure: 0}
    for block in blocks:
        match block:
            case Heading(level, text):
                document.add_heading(printable(text), level)
            case Text(text):
                document.add_paragraph(printable(text))
            case Open(text):
                document.add_paragraph(f"[For the authors: {printable(text)}]", style="To Authors")
            case Formula(plain, _):
                document.add_paragraph(plain).paragraph_format.left_indent = Mm(8)
            case Items(entries):
                for entry in entries:
                    document.add_paragraph(printable(entry), style="List Bullet")
            case Table():
                numbers[Table] += 1
                _table(document, block, numbers[Table])
            case Figure():
                numbers[Figure] += 1
                _figure(document, block, numbers[Figure])
    document.save(str(out))
    return out


def _table(document: "Document", block: Table, number: int) -> None:
    """A caption above, heads that are repeated on every page, rows that are not torn."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Mm, Pt

    caption = document.add_paragraph(f"Table {number}. {printable(block.caption)}", style="Caption")
    caption.paragraph_format.keep_with_next = True
    made = document.add_table(rows=1 + len(block.rows), cols=len(block.heads), style="Table Grid")
    made.autofit = False
    style, widths = document.styles["Table Text"], [Mm(WIDTH * share) for share in shares_of_width(block)]
    margins = OxmlElement("w:tblCellMar")
    for side in ("left", "right"):
        margin = OxmlElement(f"w:{side}")
        margin.set(qn("w:w"), "45")
        margin.set(qn("w:type"), "dxa")
        margins.append(margin)
    made._tbl.tblPr.insert_element_before(margins, "w:tblLook")
    for column, width in zip(made.columns, widths, strict=True):
        column.width = width
    right = [head.startswith("#") for head in block.heads]
    for place, (row, texts) in enumerate(zip(made.rows, (block.heads, *block.rows), strict=True)):
        properties = row._tr.get_or_add_trPr()
        properties.append(OxmlElement("w:cantSplit"))
        if place == 0:
            properties.append(OxmlElement("w:tblHeader"))
        for cell, text, width, number_column in zip(row.cells, texts, widths, right, strict=True):
            cell.width = width
            paragraph = cell.paragraphs[0]
            paragraph.style = style
            run = paragraph.add_run(printable(text if place else text.removeprefix("#")))
            run.bold = place == 0
            if number_column:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    document.add_paragraph().paragraph_format.space_after = Pt(2)


def _figure(document: "Document", block: Figure, number: int) -> None:
    """The picture as wide as the page, or as high; its caption is also what a screen reader says."""
    from docx.shared import Length, Mm

    paragraph = document.add_paragraph()
    paragraph.paragraph_format.keep_with_next = True
    picture = paragraph.add_run().add_picture(str(block.file))
    shrink = min(Mm(WIDTH) / picture.width, Mm(HEIGHT) / picture.height)
    picture.width, picture.height = Length(picture.width * shrink), Length(picture.height * shrink)
    picture._inline.docPr.set("descr", printable(block.caption))
    document.add_paragraph(f"Figure {number}. {printable(block.caption)}", style="Caption")
