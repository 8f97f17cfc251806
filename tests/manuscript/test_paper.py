"""The paper: its numbers are those of the tables, a hostile name is text in either format, and what was not done says so."""

import dataclasses
import json
import re
from pathlib import Path

import docx
import pandas as pd
import pytest
from typer.testing import CliRunner

import pillprocess as pp
from pillprocess.cli import app
from pillprocess.manuscript.document import Figure, Items, Open, Table, minus, shares_of_width
from pillprocess.manuscript.latex import escaped
from pillprocess.manuscript.paper import assemble
from pillprocess.manuscript.word import write_docx
from pillprocess.output.results import write_tables
from tests.findings.tables import interval, made

HOSTILE = r"50 % & <b>{\input{x}}_#$^~|--''``,, [a] é naïve"
PLAIN = {
    r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textless{}": "<", r"\textgreater{}": ">",
    r"\textbar{}": "|", r"\textquotedbl{}": '"', r"\textasciigrave{}": "`", r"\ldots{}": "…", r"\allowbreak{}": "",
    r"\ensuremath{-}": "−", r"\ensuremath{\mu}": "μ", r"\ensuremath{\times}": "×", r"\ensuremath{{}^2}": "²",
}  # fmt: skip
"""What LaTeX shows for a command, written by hand."""


def shown(tex: str) -> str:
    """The text that LaTeX shows; an error where a special character is left that is not escaped."""
    commands = "|".join(re.escape(name) for name in PLAIN)
    parts = re.split(rf"({commands}|\\[{{}}&%$#_]|\{{\}})", tex)
    assert not [part for part in parts[::2] if re.search(r"[\\{}&%$#_^~]", part)], tex
    return "".join(
        PLAIN.get(part, part[1:] if part.startswith("\\") else "" if part == "{}" else part) for part in parts
    )


@pytest.fixture(scope="module")
def evidence():
    return pp.load_evidence()


@pytest.fixture(scope="module")
def tables(evidence) -> dict[str, pd.DataFrame]:
    """Tables of a small main job by hand; a trial and a condition have hostile names."""
    found = made()
    rows = found["rows"].assign(
        trial=found["rows"]["trial"].replace("t0", HOSTILE), people=30, se_from="printed SD", blinding="double", condition="MDD",
        experience_from="", evidence_quality="published", design="parallel",
    )  # fmt: skip
    found["rows"] = rows
    found["drug_effects"]["p_below"] = 0.9
    ledger = {
        "term": "drug x therapy", "evidence": "between trials", "verdict": HOSTILE, "n_trials": 3, "n_unconfounded": 0,
        "share_isolated": 0.1, "share_contrasts": 0.2, "share_between": 0.3, "share_prior": 0.4,
    }  # fmt: skip
    terms = {"drug": -0.5, "interaction": -0.2, "therapy": 0.1, "tau": 0.3}
    choice = {
        f"{name}{end}": value + gap
        for name, value in terms.items()
        for end, gap in (("", 0), ("_low", -0.2), ("_high", 0.2))
    }
    record = [
        ("BARG", "2B", "Convergence", "R-hat 1.00.", "Checks", ""),
        ("PRISMA-NMA", "5", "Protocol", "", "", "not done: no protocol"),
    ]
    found |= {
        "ledger": pd.DataFrame([ledger | interval(-0.3, -0.6, 0.1)]),
        "model_counts": pd.DataFrame(
            [{"study_drug": "psilocybin", "condition": HOSTILE, "trials": 4, "arms": 8, "differences": 0, "people": 240}]
        ),
        "terms": pd.DataFrame([interval(-0.55, -0.9, -0.2) | {"parameter": "drug", "prior_sd": 0.7, "contraction": 0.93}]),
        "heterogeneity": pd.DataFrame([interval(0.3, 0.1, 0.5) | {"estimand": "tau"}]),
        "set_aside": pd.DataFrame([{"trial": "x", "reason": "y"}]),
        "shares": pd.DataFrame([interval(0.54, 0.48, 0.6) | {"convention": "with the drug", "belief": False, "arms": 4, "trials": 4}]),
        "bias_inclusion": pd.DataFrame([{"component": "any bias", "prior": 0.5, "posterior": 0.6, "bayes_factor": 1.5}]),
        "hypotheses": pd.DataFrame(
            [{"model": "pill_and_process", "terms": "drug", "elpd": -93.4, "elpd_diff": -1.2, "se_diff": 0.9, "weight": 0.4,
              "posterior_probability": 0.41}]
        ),
        "sensitivity": pd.DataFrame([choice | {"choice": "headline", "trials": 4}]),
        "reporting_record": pd.DataFrame(record, columns=["guideline", "item", "asks", "record", "section", "open"]),
    }  # fmt: skip
    found["summary_of_findings"] = pp.summary_of_findings(found, evidence)
    found["claims"] = pp.review_claims(found, evidence)
    return found


@pytest.fixture(scope="module")
def folder(tables, evidence, tmp_path_factory) -> Path:
    """The same as a results folder with one figure."""
    made_here = tmp_path_factory.mktemp("papers") / "results"
    (made_here / "figures").mkdir(parents=True)
    write_tables(tables, made_here / "tables")
    import matplotlib.pyplot as plt

    plt.figure(figsize=(2, 6)).savefig(made_here / "figures" / "funnels.png", dpi=30)
    (made_here / "run.json").write_text(
        json.dumps({"seed": 7, "data_checksum": evidence.checksum, "versions": {"pymc": "6.4"}})
    )
    return made_here


@pytest.fixture(scope="module")
def written(folder, evidence) -> tuple[docx.document.Document, str, Path]:
    files = folder.parent / "my_paper.docx", folder.parent / "my_paper.tex"
    assert pp.to_docx(folder, files[0], evidence=evidence) == files[0]
    assert pp.to_latex(folder, files[1], evidence=evidence) == files[1]
    return docx.Document(str(files[0])), files[1].read_text(encoding="utf-8"), files[1]


def rows_of_latex(tex: str) -> list[list[list[str]]]:
    """Cells of every table of a LaTeX file, its heads first."""
    bodies = re.findall(
        r"\\begin\{longtable\}.*?\\endhead\n\\bottomrule\n\\endfoot\n(.*?)\\end\{longtable\}", tex, re.DOTALL
    )
    heads = re.findall(r"\\toprule\n(.*?) \\\\\n\\midrule\n\\endfirsthead", tex)
    return [
        [[shown(cell) for cell in re.split(r"(?<!\\) & ", line)] for line in [head, *re.findall(r"(.*) \\\\\n", body)]]
        for head, body in zip(heads, bodies, strict=True)
    ]


def test_both_formats_hold_the_same_tables_cell_by_cell(written, tables, folder, evidence):
    document, tex, _ = written
    blocks = assemble(pp.read_results(folder), folder / "figures", evidence, {})
    expected = [
        [[head.removeprefix("#") for head in block.heads], *map(list, block.rows)]
        for block in blocks
        if isinstance(block, Table)
    ]
    assert len(expected) >= 14
    assert [[[cell.text for cell in row.cells] for row in made.rows] for made in document.tables] == expected
    assert rows_of_latex(tex) == [[[" ".join(cell.split()) for cell in row] for row in table] for table in expected]


def test_the_numbers_are_those_of_the_tables(written):
    document, tex, _ = written
    cells = {cell.text for made in document.tables for row in made.rows for cell in row.cells}
    assert {
        "−0.80 [−1.00, −0.60]",
        "−0.55 [−0.90, −0.20]",
        "0.30 [0.10, 0.50]",
        "−93.4",
        "−1.2 (0.9)",
        "0.54 [0.48, 0.60]",
        "93 %",
    } <= cells
    assert {"−8.2 [−10.3, −6.2] MADRS", "25 [20, 30]", "4.0 [3.3, 5.0]"} <= cells
    text = "\n".join(paragraph.text for paragraph in document.paragraphs)
    assert "4 trials: 8 arms of 4 trials with 240 people" in text
    assert "Seed 7." in text
    assert "Seed 7." in tex
    assert "pymc 6.4" in text


def test_a_hostile_name_is_text_in_either_format(written):
    document, tex, _ = written
    assert HOSTILE in {cell.text for made in document.tables for row in made.rows for cell in row.cells}
    assert any(paragraph.text == HOSTILE for paragraph in document.paragraphs), "the trial stands in the list of trials"
    assert r"\input" not in tex
    assert any(HOSTILE in row for table in rows_of_latex(tex) for row in table)
    for text in (HOSTILE, "\x1b[31m \u202e", "a" * 90, "−0.5 × μ²", "---", "x/" * 30):
        assert shown(escaped(text)).replace("\\x1b", "\x1b").replace("\\u202e", "\u202e").replace("\\\\", "\\") == text


def test_the_latex_is_balanced_and_its_figures_lie_beside_it(written):
    _, tex, file = written
    opened: list[str] = []
    for what, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", tex):
        assert opened.append(name) is None if what == "begin" else opened.pop() == name
    assert opened == []
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", tex.replace("\\\\", "")):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert r"\graphicspath{{my-paper-figures/}}" in tex
    named = re.findall(r"\\includegraphics\[[^]]*\]\{([^}]*)\}", tex)
    assert named == ["funnels.png"]
    assert (file.parent / "my-paper-figures" / named[0]).is_file()


def test_a_figure_fits_the_page_and_tells_a_screen_reader_its_caption(written):
    document = written[0]
    picture = document.inline_shapes[0]
    assert picture.height.mm == pytest.approx(225, abs=1)
    assert picture.width.mm < 170
    assert picture._inline.docPr.get("descr").startswith("Differences from control")
    assert document.tables[0].rows[0]._tr.trPr.xpath("w:tblHeader"), "heads are repeated on the next page"


def test_what_was_not_done_says_so_and_what_was_is_there(tables, folder, evidence):
    blocks = assemble(pp.read_results(folder), folder / "figures", evidence, {})
    assert any(isinstance(b, Open) and "synthesis of all kinds of evidence was not run" in b.text for b in blocks)
    protocol = next(b for b in blocks if isinstance(b, Table) and b.caption.startswith("PRISMA"))
    assert protocol.rows == (("5", "Protocol", "", "not done: no protocol"),)
    path = {"drug": "psilocybin", "therapy": 1.0, "n_trials": 4, "path": "experience"} | interval(-0.3, -0.6, 0.1)
    share = {
        "drug": "psilocybin",
        "association": -0.4,
        "association_low": -0.6,
        "association_high": -0.2,
        "p_half": 0.5,
        "prior_p_half": 0.7,
    }
    more = tables | {"synthesis_effects": pd.DataFrame([path]), "synthesis_causal_share": pd.DataFrame([share])}
    curve = {"drug": "LSD", "reference_dose": "0.2 mg", "trials": 5, "dose_trials": 3}
    curve |= {
        f"{name}{end}": x
        for name in ("effect", "prior", "experience")
        for end, x in (("", 0.5), ("_low", 0.1), ("_high", 2.0))
    }
    lives = {
        "drug": "LSD",
        "therapy": 0.0,
        "median": 20.4,
        "ci_low": 3.0,
        "ci_high": 1861.6,
        "prior_median": 30.0,
        "prior_low": 0.8,
        "prior_high": 894.6,
    }
    more |= {
        "dose_half_maximal": pd.DataFrame([curve]),
        "half_lives": pd.DataFrame([lives]),
        "time_effects": pd.DataFrame({"day": [1.0]}),
    }
    named = [b for b in assemble(more, folder / "none", evidence, {}) if isinstance(b, Table)]
    assert any(
        row == ("psilocybin", "with therapy", "experience", "4", "−0.30 [−0.60, 0.10]") for b in named for row in b.rows
    )
    assert any(row == ("psilocybin", "−0.40 [−0.60, −0.20]", "0.50 (0.70)") for b in named for row in b.rows)
    assert any(row == ("LSD", "0.2 mg", "5", "3", *["0.50 [0.10, 2.00]"] * 3) for b in named for row in b.rows)
    assert any(row == ("LSD", "alone", "20 [3, 1862]", "30 [1, 895]") for b in named for row in b.rows)
    assert not [b for b in assemble(more, folder / "none", evidence, {}) if isinstance(b, Figure)]


def test_the_trials_are_cited_with_an_address_or_by_name(tables, folder, evidence):
    known = tables | {"rows": tables["rows"].replace({"trial": {"t1": "aaronson2024"}})}
    cited = assemble(known, folder / "none", evidence, {})[-1]
    assert isinstance(cited, Items)
    assert (
        "aaronson2024: Aaronson ST et al., JAMA Psychiatry 2024;81(6):555-562. doi:10.1001/jamapsychiatry.2023.4685"
        in cited.entries
    )
    nameless = evidence.trials.assign(citation=None, doi=None)
    bare = assemble(known, folder / "none", dataclasses.replace(evidence, trials=nameless), {})[-1]
    assert next(entry for entry in bare.entries if "aaronson" in entry).startswith(
        "aaronson2024: https://doi.org/10.1001/"
    )
    assert not [entry for entry in cited.entries if "nan" in entry.split("naïve")[0]]


def test_a_minus_stands_before_numbers_alone():
    assert minus("-0.5 [-1, -.2] (-3) x-ray 2020-11 a-1 p=-2") == "−0.5 [−1, −.2] (−3) x-ray 2020-11 a-1 p=−2"


def test_columns_get_what_their_words_and_numbers_need():
    block = Table("", ("A", "#B"), (("psilocybin", "−0.76 [−0.95, −0.56]"), ("a long text of many words " * 9, "1")))
    narrow, number = shares_of_width(block)
    assert narrow + number == pytest.approx(1)
    assert number * 118 >= len("−0.76 [−0.95, −0.56]")
    assert shares_of_width(Table("", ("A", "B"), ())) == [0.5, 0.5]


def test_a_folder_that_cannot_be_told_is_refused(tables, folder, evidence, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no tables/\*\.csv"):
        pp.to_docx(tmp_path, tmp_path / "a.docx")
    write_tables({"rows": tables["rows"]}, tmp_path / "tables")
    with pytest.raises(ValueError, match=r"lacks the tables claims, ledger, .*: run pillprocess reproduce anew"):
        pp.to_latex(tmp_path, tmp_path / "a.tex", evidence=evidence)
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "tables").symlink_to(folder / "tables")
    (folder.parent / "other" / "run.json").write_text('{"data_checksum": "0123456789abcdef"}')
    with pytest.raises(ValueError, match=r"was made from other evidence \(checksum 0123456789ab\)"):
        pp.to_latex(folder.parent / "other", tmp_path / "a.tex", evidence=evidence)


def test_the_command_writes_by_the_ending_and_names_what_it_cannot_write(folder, tmp_path, monkeypatch):
    done = CliRunner().invoke(app, ["paper", str(folder), str(tmp_path / "p.tex"), str(tmp_path / "p.DOCX")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "p.tex").stat().st_size > 10_000
    assert docx.Document(str(tmp_path / "p.DOCX")).tables
    refused = CliRunner().invoke(app, ["paper", str(folder), "p.pdf", "q.odt"])
    assert str(refused.exception) == "a paper is written as .docx or .tex; p.pdf, q.odt ends otherwise"
    monkeypatch.setattr("pillprocess.manuscript.word.find_spec", lambda _: None)
    with pytest.raises(RuntimeError, match=r"needs the library python-docx: pip install 'pillprocess\[docx\]'"):
        pp.to_docx(folder, tmp_path / "p.docx")
    assert "pillprocess[docx]" in str(CliRunner().invoke(app, ["reproduce", "--docx"]).exception), (
        "before anything is fitted"
    )


def test_control_characters_are_written_as_escapes(tmp_path):
    file = write_docx([Open("bell \x07 and \u202e"), Items(("\ud800",))], tmp_path / "a.docx")
    assert [p.text for p in docx.Document(str(file)).paragraphs] == [
        "[For the authors: bell \\x07 and \\u202e]",
        "\\ud800",
    ]
