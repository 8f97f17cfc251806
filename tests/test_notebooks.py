"""Every committed notebook runs from start to end, on reduced draws."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PUBLIC = (
    "cases/mediation_jobs/jobs.csv",
    "evidence/public/szb37_mcrds_public/pacutes.csv",
    "evidence/public/openneuro_ds006110_psiconnect/participants.csv",
)
"""Files that the notebooks read where there is no network."""

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_a_question_with_its_answer_first_and_committed_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# [^\n]+\?\n\n\*\*Answer\.\*\*", first.source), (
        "the title is a question and the answer follows it"
    )
    assert len(notebook.cells) <= 25
    assert any(cell.get("outputs") for cell in notebook.cells)
    assert not re.search(r"(?<![a-z.])/(home|root|tmp|Users|work)/", str(notebook)), "machine paths in the outputs"


LOCAL = {
    "MICRODOSE": "evidence/public/szb37_mcrds_public",
    "KETAMINE": "evidence/public/openneuro_ds005917",
}
"""Where copies of the public data lie, by the name a notebook sets to None to fetch them."""


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the kernel's own libraries warn in their own process
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(path, tmp_path, shared):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = re.sub(r"^DRAWS = \d+", "DRAWS = 1000", cell.source, flags=re.MULTILINE)
        cell.source = re.sub(r"^OUTCOMES = .+", 'OUTCOMES = ["PANAS"]', cell.source, flags=re.MULTILINE)
        if "DATA = None" in cell.source:
            for file in PUBLIC:
                shutil.copy(shared(file), tmp_path)
            cell.source = cell.source.replace("DATA = None", f"DATA = {str(tmp_path)!r}")
        for name, folder in LOCAL.items():
            if f"{name} = None" in cell.source:
                cell.source = cell.source.replace(f"{name} = None", f"{name} = {str(shared(folder))!r}")
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
