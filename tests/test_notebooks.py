"""The rules of the notebooks; and every one runs from start to end on fewer draws, those whose fits others make too beside these."""

import ast
import base64
import importlib.util
import io
import re

import nbformat
import numpy as np
import pytest
from PIL import Image

import pillprocess as pp
from tests.notebooks import NOTEBOOKS, OF_THE_MAIN_JOB, OF_THE_MICRODOSE_TRIAL, run_notebook

NUMBERS = [path.name[:2] for path in NOTEBOOKS]


def code(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


def test_there_are_notebooks_in_order():
    assert {"01", "02", "03", "06"} <= set(NUMBERS)
    assert len(set(NUMBERS)) == len(NUMBERS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_a_question_with_its_answer_first_and_committed_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# [^\n]+\?\n\n\*\*Answer\.\*\*", first.source), (
        "the title is a question and the answer follows it"
    )
    assert len(notebook.cells) <= 25
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run once, from the top"
    assert sum(bool(cell.outputs) for cell in cells) >= len(cells) / 2
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert not re.search(r"(?<![a-z.])/(home|root|tmp|Users|work)/", str(notebook)), "machine paths in the outputs"


def test_the_committed_images_are_small():
    assert sum(path.stat().st_size for path in NOTEBOOKS) < 2.2e6, "uv run python notebooks/run.py --images"
    assert sum(path.stat().st_size for path in NOTEBOOKS[0].parent.glob("*.png")) < 7e5


def test_an_image_written_small_shows_the_same_and_is_written_once():
    place = importlib.util.spec_from_file_location("run_notebooks", NOTEBOOKS[0].parent / "run.py")
    script = importlib.util.module_from_spec(place)
    place.loader.exec_module(script)
    pixels = np.zeros((60, 400, 4), np.uint8)
    pixels[..., 0], pixels[..., 2], pixels[..., 3] = np.arange(400) // 4, 200, 255
    pixels[:20, :, :] = (10, 20, 30, 0)  # what is transparent is white
    pixels[20:40, ::7, 1] = np.arange(58) * 4  # more than 256 colours
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG", compress_level=1, pnginfo=None)
    small = script.small_png(written.getvalue())
    assert script.small_png(small) == small
    shown = Image.open(io.BytesIO(small))
    assert (shown.mode, shown.size) == ("P", (400, 60))
    seen = np.asarray(shown.convert("RGB")).astype(int)
    assert (seen[:20] == 255).all()
    assert np.abs(seen[20:] - pixels[20:, :, :3]).mean() < 1
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output(
        "display_data", {"image/png": base64.b64encode(written.getvalue()).decode(), "text/plain": "<Figure>"})])])  # fmt: skip
    script.shrink(notebook)
    data = notebook.cells[0].outputs[0]["data"]
    assert (base64.b64decode(data["image/png"]), data["text/plain"]) == (small, "<Figure>")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_uses_the_public_names_only_and_seeds_every_draw(path):
    tree = ast.parse(code(nbformat.read(path, as_version=4)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert not str(node.module).startswith("pillprocess"), (
                "import pillprocess as pp, and nothing from inside it"
            )
        if isinstance(node, ast.Import):
            assert all(not a.name.startswith("pillprocess.") for a in node.names)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pp":
            assert node.attr in pp.__all__, f"pp.{node.attr} is not public"
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("fit", "prior_predictive")
        ):
            assert "seed" in {k.arg for k in node.keywords}, "every draw has a fixed seed"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the kernel's own libraries warn in their own process
@pytest.mark.parametrize(
    "number", [number for number in NUMBERS if number not in {*OF_THE_MAIN_JOB, OF_THE_MICRODOSE_TRIAL}]
)
def test_a_notebook_runs(number, tmp_path, shared):
    run_notebook(number, tmp_path, shared, changes={r"^DRAWS = \d+": "DRAWS = 500"})
