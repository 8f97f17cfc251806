"""The documentation site: what the repository already says, the notebooks as they were run, every docstring, the evidence.

Build: ``uv run --group docs sphinx-build -W docs docs/_build/html``. Pages that stand elsewhere in the repository are made into
``docs/made`` at every build, so nothing is written twice; notebooks are shown, not run.
"""

import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT, MADE = DOCS.parent, DOCS / "made"
sys.path.insert(0, str(DOCS))

from made_pages import (  # noqa: E402
    api_pages,
    checklist_page,
    claims_page,
    evidence_page,
    linked,
    model_page,
    one_paragraph,
    outcomes_page,
)

from pillprocess.evidence.tables import load_evidence  # noqa: E402

project = "pillprocess"
author = "The pillprocess developers"
extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx-mathjax-offline"]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
html_theme = "furo"
html_title = "pillprocess"
html_static_path = ["made/static"]
html_js_files = [("tables.js", {"defer": "defer"})]
html_css_files = ["tables.css"]
html_show_sourcelink = False

myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 3
nb_execution_mode = "off"
numpydoc_show_class_members = False
autodoc_typehints = "none"
autodoc_preserve_defaults = True
suppress_warnings = ["mystnb.unknown_mime_type"]  # some outputs have a rich form for notebooks alone; the plain one is shown

MOVED = {
    "README.md": "readme.md", "ARCHITECTURE.md": "architecture.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md",
    "data/README.md": "data.md", "tests/README.md": "tested.md",
}  # fmt: skip

shutil.rmtree(MADE, ignore_errors=True)
(MADE / "api").mkdir(parents=True)
(MADE / "static").mkdir()
for source, name in MOVED.items():
    (MADE / name).write_text(linked(ROOT / source, ROOT, MOVED), encoding="utf-8")
shutil.copytree(ROOT / "notebooks", MADE / "notebooks", ignore=shutil.ignore_patterns(".*"))
shutil.copy(ROOT / "CITATION.cff", MADE)
shutil.copy(ROOT / "pillprocess" / "output" / "templates" / "tables.js", MADE / "static")
(MADE / "static" / "tables.css").write_text(
    ".scroll { overflow-x: auto; } .scroll table { font-size: .8rem; } .scroll th { text-align: left; } "
    ".scroll th, .scroll td { vertical-align: top; padding: .15rem .5rem .15rem 0; }\n"
    ".tools { display: flex; gap: .6rem; justify-content: flex-end; }\n"
    ".sort { all: unset; cursor: pointer; } .sort:focus-visible { outline: 3px solid; }\n",
    encoding="utf-8",
)
for name, text in api_pages(ROOT / "pillprocess" / "__init__.pyi").items():
    (MADE / "api" / f"{name}.rst").write_text(text, encoding="utf-8")
(MADE / "models.rst").write_text(model_page(ROOT / "pillprocess"), encoding="utf-8")
(MADE / "claims.md").write_text(claims_page(DOCS, load_evidence(ROOT / "data").checksum), encoding="utf-8")
checklists = checklist_page(ROOT / "pillprocess" / "review" / "checklists.csv")
(MADE / "checklists.md").write_text(checklists, encoding="utf-8")
(MADE / "evidence.md").write_text(evidence_page(ROOT / "data"), encoding="utf-8")
(MADE / "outcomes.md").write_text(outcomes_page(ROOT / "data"), encoding="utf-8")


def setup(app):
    """Let what a function returns be one paragraph, before numpydoc reads it line by line."""
    app.connect("autodoc-process-docstring", lambda *event: one_paragraph(event[-1]), priority=400)
