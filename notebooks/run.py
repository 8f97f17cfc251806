"""Run the notebooks from the top and write them small, or only write their images small.

``uv run python notebooks/run.py`` runs every notebook, ``... run.py 02 05`` those; ``--data FOLDER`` takes public files from a folder
instead of fetching them; ``--images`` runs nothing. An image is written with a palette of 256 colours, in which these figures look the
same at a third of the bytes; the same figure gives the same bytes.
"""

import argparse
import base64
import io
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).parent
FILES = ("jobs.csv", "pacutes.csv", "participants.csv")
"""Public files that a notebook with DATA = None looks for where it runs."""

FOLDERS = {"MICRODOSE": "szb37_mcrds_public", "KETAMINE": "openneuro_ds005917"}
"""Folders of public data, by the name that a notebook sets to None to fetch them."""


def small_png(content: bytes) -> bytes:
    """Write a PNG with at most 256 colours, on white, without its metadata."""
    image = Image.open(io.BytesIO(content))
    if image.mode == "P":
        return content
    rgba = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    palette = white.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    written = io.BytesIO()
    palette.save(written, "PNG", optimize=True)
    return min(written.getvalue(), content, key=len)


def shrink(notebook: nbformat.NotebookNode) -> None:
    """Write the images of a notebook small, in place."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if picture := output.get("data", {}).get("image/png"):
                small = small_png(base64.b64decode(picture))
                output["data"]["image/png"] = base64.b64encode(small).decode("ascii") + "\n" * picture.endswith("\n")


def run(notebook: nbformat.NotebookNode, data: Path | None) -> None:
    """Run a notebook in an empty folder, in place; the sources stay as they are."""
    sources = [cell.source for cell in notebook.cells]
    with tempfile.TemporaryDirectory() as folder:
        for cell in notebook.cells if data else []:
            if "DATA = None" in cell.source:
                for name in FILES:
                    shutil.copy(next(data.rglob(name)), folder)
                cell.source = cell.source.replace("DATA = None", f"DATA = {folder!r}")
            for name, place in FOLDERS.items():
                if f"{name} = None" in cell.source:
                    cell.source = cell.source.replace(f"{name} = None", f"{name} = {str(next(data.rglob(place)))!r}")
        NotebookClient(
            notebook, timeout=1500, kernel_name="python3", resources={"metadata": {"path": folder}}
        ).execute()
    for cell, source in zip(notebook.cells, sources, strict=True):
        cell.source = source
        cell.metadata.pop("execution", None)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("numbers", nargs="*", help="numbers of notebooks; every one by default")
    parser.add_argument("--data", type=Path, help="folder with the public files, at any depth")
    parser.add_argument("--images", action="store_true", help="run nothing")
    asked = parser.parse_args()
    for path in sorted(HERE.glob("*.ipynb")):
        if asked.numbers and not path.name.startswith(tuple(asked.numbers)):
            continue
        notebook, before = nbformat.read(path, as_version=4), path.stat().st_size
        if not asked.images:
            run(notebook, asked.data)
        shrink(notebook)
        nbformat.write(notebook, path)
        print(f"{path.name}: {before / 1000:.0f} kB, now {path.stat().st_size / 1000:.0f}")
    for path in sorted(HERE.glob("*.png")):
        path.write_bytes(small_png(path.read_bytes()))


if __name__ == "__main__":
    main()
