"""Text that others wrote is shown as text, in files, pages and terminals."""

import warnings
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import pillprocess as pp
from pillprocess.output.results import write_tables
from pillprocess.output.text import printable, web_address
from pillprocess.review.figures import save_figures

STEERING = {
    "escape": "\x1b[2Jgone", "bell": "a\x07", "NUL": "a\x00b", "delete": "a\x7f", "C1": "a\x9b31m", "override": "a\u202egnp.exe",
    "isolate": "a\u2066b", "no character": "a\uffff", "carriage return": "right\rwrong",
}  # fmt: skip


@pytest.mark.parametrize("label", STEERING.values(), ids=STEERING)
def test_control_characters_are_escapes_in_figures_tables_and_terminals(tmp_path, label):
    shown = printable(label)
    assert shown != label
    assert "\\" in shown
    assert printable(shown) == shown
    figure, ax = plt.subplots()
    ax.set_title(f"{label} <b>")
    ax.set_yticks([0.5], labels=[label])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        paths = pp.save_figure(ax, tmp_path / "b")
        save_figures({"a": figure}, tmp_path / "figures")
    for path in (paths[0], tmp_path / "figures" / "a.svg"):
        text = path.read_bytes().decode("utf-8")
        ET.fromstring(text)  # as a browser would: one bad character and nothing is shown
        assert label not in text
    write_tables({"t": pd.DataFrame({label: [label]})}, tmp_path / "tables")
    assert (tmp_path / "tables" / "t.csv").read_bytes().decode("utf-8") == f"{shown}\n{shown}\n"


def test_bytes_of_a_path_that_are_no_text_are_escapes():
    assert printable("r\udce9sultats") == r"r\udce9sultats"


def test_letters_of_every_script_tabs_and_lines_stay_as_they_are():
    for text in ("dröge", "プラセボ", "пла́цебо", "עברית", "a\tb\nc", "café 🙂", "−0.5"):
        assert printable(text) == text


def test_full_width_signs_are_no_formulas_either(tmp_path):
    labels = ["＝cmd()", "＋1+1", "－2+3", "＠SUM(A1)", "\n=1", "a＝b"]
    write_tables({"t": pd.DataFrame({"label": labels})}, tmp_path / "tables")
    assert pd.read_csv(tmp_path / "tables" / "t.csv")["label"].tolist() == [
        *(f"'{text}" for text in labels[:-1]),
        "a＝b",
    ]


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("https://example.org/a?b=1", "https://example.org/a?b=1"),
        ("HTTP://example.org", "HTTP://example.org"),
        ("doi:10.1172/JCI180217", "https://doi.org/10.1172/JCI180217"),
        ("10.1172/JCI180217", "https://doi.org/10.1172/JCI180217"),
        ("javascript:alert(1)", None),
        ("JaVaScRiPt:alert(1)//https://example.org", None),
        ("data:text/html,<script>alert(1)</script>", None),
        ("file:///etc/passwd", None),
        ("//example.org", None),
        ("https://example.org/ javascript:alert(1)", None),
        ("java\tscript:alert(1)", None),
        ("table 2 of the paper", None),
        ("", None),
    ],
)
def test_only_addresses_of_the_web_and_dois_are_links(source, address):
    assert web_address(source) == address
