"""The one visual language: print sizes, and colours that a colour-blind reader and a grey print can tell apart."""

from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

import pillprocess as pp
from pillprocess.output.visual_style import (
    DRUG_COLOURS,
    DRUG_MARKERS,
    EVIDENCE_COLOURS,
    EVIDENCE_HATCHES,
    TERM_COLOURS,
    TERM_HATCHES,
    panel,
)

XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]])
# Machado, Oliveira & Fernandes 2009, doi:10.1109/TVCG.2009.113, severity 1.
SIGHT = {
    "usual": np.eye(3),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
}  # fmt: skip


@pytest.fixture(autouse=True)
def off_screen():
    backend = mpl.get_backend()
    mpl.use("Agg")
    yield
    plt.close("all")
    mpl.use(backend)


def lab(colour: str, sight: str = "usual") -> np.ndarray:
    """CIE L*a*b* of a colour as seen."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    ratio = XYZ @ np.clip(SIGHT[sight] @ linear, 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(ratio > 0.008856, np.cbrt(np.maximum(ratio, 0)), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("palette", [DRUG_COLOURS, TERM_COLOURS, EVIDENCE_COLOURS], ids=["drugs", "terms", "evidence"])
def test_colours_of_one_list_can_be_told_apart(palette, sight):
    for one, other in combinations(palette, 2):
        # A difference of 10 is seen at a glance; 15 leaves room for small marks.
        assert np.linalg.norm(lab(palette[one], sight) - lab(palette[other], sight)) > 15, (one, other)


def test_in_grey_drugs_differ_in_lightness_and_marker():
    lightness = sorted(lab(c)[0] for c in DRUG_COLOURS.values())
    assert min(np.diff(lightness)) > 8
    assert len(set(DRUG_MARKERS.values())) == len(DRUG_COLOURS)


@pytest.mark.parametrize(
    ("palette", "hatches"),
    [(TERM_COLOURS, TERM_HATCHES), (EVIDENCE_COLOURS, EVIDENCE_HATCHES)],
    ids=["terms", "evidence"],
)
def test_in_grey_what_is_close_in_lightness_has_another_hatch(palette, hatches):
    for one, other in combinations(palette, 2):
        close = abs(lab(palette[one])[0] - lab(palette[other])[0]) < 6
        assert not close or hatches.get(one) != hatches.get(other), (one, other)


def test_a_print_width_is_a_name_or_a_size_in_mm():
    assert panel(None, "one_column", 50).figure.get_size_inches() * 25.4 == pytest.approx([89, 50])
    assert panel(None, (100, 40), 50).figure.get_size_inches() * 25.4 == pytest.approx([100, 40])
    with pytest.raises(ValueError, match="width = 'poster'; it must be 'one_column', 'two_column', or"):
        panel(None, "poster", 50)
    with pytest.raises(ValueError, match="width and height must be positive, in mm"):
        panel(None, (0, 40), 50)


def test_a_figure_is_saved_for_print(tmp_path):
    ax = panel(None, "one_column", 40)
    ax.set_xlabel("letters stay letters")
    svg, png = pp.save_figure(ax, tmp_path / "figure.pdf")
    assert "letters stay letters" in svg.read_text(encoding="utf-8")
    assert plt.imread(png).shape[:2] == (round(40 / 25.4 * 300), round(89 / 25.4 * 300))
