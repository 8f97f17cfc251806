"""The pages of the site that are made from the repository: no public name is missing, no link leads nowhere, no paragraph is cut up."""

import re
import sys
from pathlib import Path

import pytest

import pillprocess as pp

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def made():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import made_pages
    except ModuleNotFoundError:
        pytest.skip("docs/ is not here")
    finally:
        sys.path.pop(0)
    return made_pages


def test_every_public_name_stands_on_one_page_of_the_reference(made):
    pages = made.api_pages(ROOT / "pillprocess" / "__init__.pyi")
    shown = re.findall(r"^\.\. auto\w+:: (\w+)$", "\n".join(pages.values()), re.MULTILINE)
    assert sorted(shown) == sorted(name for name in pp.__all__ if name != "__version__")
    assert set(re.findall(r"^   (\w+)$", pages["index"], re.MULTILINE)) == set(pages) - {"index"}


def test_links_lead_to_pages_of_the_site_and_other_files_are_named(made, tmp_path):
    page = tmp_path / "README.md"
    page.write_text(
        "[a](data/README.md#b) [n](notebooks/01.ipynb) [c](LICENSE) [w](https://x.org) ![i](notebooks/i.png)",
        encoding="utf-8",
    )
    text = made.linked(page, tmp_path, {"data/README.md": "data.md"})
    assert (
        text
        == "[a](/made/data.md#b) [n](/made/notebooks/01.ipynb) c (`LICENSE`) [w](https://x.org) ![i](/made/notebooks/i.png)"
    )


def test_what_a_function_returns_is_one_paragraph_and_definitions_stay(made):
    lines = [
        "Returns",
        "-------",
        "DataFrame, a row",
        "per ``x`` and",
        "``y``.",
        "",
        "``term``",
        "    The term.",
        "",
        "Raises",
        "------",
        "A",
    ]
    made.one_paragraph(lines)
    assert lines == [
        "Returns",
        "-------",
        "DataFrame, a row per ``x`` and ``y``.",
        "",
        "``term``",
        "    The term.",
        "",
        "Raises",
        "------",
        "A",
    ]


def test_models_with_a_formula_and_every_trial_are_shown(made):
    models = made.model_page(ROOT / "pillprocess")
    assert ".. automodule:: pillprocess.decomposition.response_table" in models
    evidence = made.evidence_page(ROOT / "data")
    trials = pp.load_evidence().trials
    assert evidence.count('<th scope="row"') == len(trials)
    assert f"{len(trials)} in all: {int(trials['include'].sum())} included" in evidence
