"""Running a committed notebook in a test: on fewer draws, and on copies of the public data."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))

OF_THE_MAIN_JOB, OF_THE_MICRODOSE_TRIAL = ("02", "04"), "05"
"""Those whose fits others make too; they run in ``review/test_notebooks.py`` and ``published/test_microdose.py``."""

PUBLIC = (
    "cases/mediation_jobs/jobs.csv",
    "evidence/public/szb37_mcrds_public/pacutes.csv",
    "evidence/public/openneuro_ds006110_psiconnect/participants.csv",
)
"""Files that the notebooks read where there is no network."""

LOCAL = {
    "MICRODOSE": "evidence/public/szb37_mcrds_public",
    "KETAMINE": "evidence/public/openneuro_ds005917",
}
"""Where copies of the public data lie, by the name a notebook sets to None to fetch them."""

FEWER = {r"^DRAWS = \d+": "DRAWS = 1000", r"^OUTCOMES = .+": 'OUTCOMES = ["PANAS"]'}


def run_notebook(
    number: str,
    folder: Path,
    shared: Callable[[str], Path],
    *,
    changes: dict[str, str] | None = None,
    first: str = "",
    last: str = "",
) -> None:
    """Run a notebook from its first cell to its last.

    Parameters
    ----------
    number
        With which its name begins.
    folder
        An empty one, in which it runs.
    shared
        Finds the public data.
    changes
        What takes the place of lines, by a pattern; by default fewer draws and outcomes.
    first, last
        Cells before and after its own.
    """
    notebook = nbformat.read(next(path for path in NOTEBOOKS if path.name.startswith(number)), as_version=4)
    for cell in notebook.cells:
        for pattern, instead in (FEWER if changes is None else changes).items():
            cell.source = re.sub(pattern, instead, cell.source, flags=re.MULTILINE)
        if "DATA = None" in cell.source:
            for file in PUBLIC:
                shutil.copy(shared(file), folder)
            cell.source = cell.source.replace("DATA = None", f"DATA = {str(folder)!r}")
        for name, place in LOCAL.items():
            if f"{name} = None" in cell.source:
                cell.source = cell.source.replace(f"{name} = None", f"{name} = {str(shared(place))!r}")
    notebook.cells = [nbformat.v4.new_code_cell(first), *notebook.cells, nbformat.v4.new_code_cell(last)]
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
