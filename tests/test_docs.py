"""The pages of the site that are made from the repository: no public name is missing, no link leads nowhere, no paragraph is cut up."""

import html
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import pillprocess as pp
from pillprocess.findings.claims import claims
from pillprocess.review.checklists import checklists

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def made():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import made_pages
    except ModuleNotFoundError:
        pytest.skip("docs/ is not here")
    yield made_pages
    sys.path.remove(str(ROOT / "docs"))


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
    outcomes = made.outcomes_page(ROOT / "data")
    rows = pp.load_evidence().outcomes
    assert outcomes.count('<th scope="row"') == len(rows)
    linked = set(re.findall(r'href="outcomes.html#([^"]+)"', evidence))
    assert linked == set(re.findall(r'<th scope="row" id="([^"]+)"', outcomes)) == set(rows["trial_id"])


def test_the_claims_of_the_site_are_all_the_reviews_and_an_old_answer_says_so(made):
    checksum = json.loads((ROOT / "docs" / "claims.json").read_text(encoding="utf-8"))["data_checksum"]
    page = made.claims_page(ROOT / "docs", checksum)
    assert page.count('<th scope="row">') == len(claims())
    assert all(html.escape(says) in page for says in claims()["says"])
    assert "The evidence has changed since" not in page
    assert "The evidence has changed since" in made.claims_page(ROOT / "docs", "another")


def test_every_item_of_the_checklists_is_answered_or_says_why_not(made):
    page, items = made.checklist_page(ROOT / "pillprocess" / "review" / "checklists.csv"), checklists()
    assert items.groupby("guideline").size().to_dict() == {"AGReMA": 25, "BARG": 30, "PRISMA-NMA": 32}
    assert ((items["section"] != "") | (items["open"] != "")).all()
    assert page.count('<th scope="row">') == len(items)


def test_a_link_that_leads_nowhere_is_found(made, tmp_path, capsys):
    from check_links import broken_links, external_links, main, unanswered

    (tmp_path / "a.html").write_text(
        '<a href="b.html#there">1</a><a href="b.html#gone">2</a><a href="#up">3</a><a href="c%20d.html">4</a><img src="none.png">'
        '<a href="https://example.org/x#y">5</a><a href="mailto:x@y.z">6</a><p id="up">', encoding="utf-8"
    )  # fmt: skip
    (tmp_path / "b.html").write_text(
        '<h1 id="there"></h1><a href="sub/">7</a><a href="sub/#no">8</a>', encoding="utf-8"
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text("", encoding="utf-8")
    assert broken_links(tmp_path) == [
        "a.html: b.html#gone leads to no anchor", "a.html: c%20d.html leads to no file", "a.html: none.png leads to no file",
        "b.html: sub/#no leads to no anchor",
    ]  # fmt: skip
    assert main([str(tmp_path)]) == 1
    assert "3 pages, 4 broken links" in capsys.readouterr().out
    assert external_links(tmp_path) == ["https://example.org/x"]

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(int(self.path.strip("/")))
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        at = f"http://127.0.0.1:{server.server_port}"
        failed, refused = unanswered([f"{at}/200", f"{at}/404", f"{at}/403"])
        server.shutdown()
    assert failed == [f"{at}/404: 404"]
    assert refused == [f"{at}/403: 403"]
