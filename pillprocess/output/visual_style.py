"""One visual language for every figure: colours, print sizes, letters, and how a side of 0 is named.

Colours come from one list per kind of thing, so that a drug or a term looks the same everywhere. They differ in lightness as
well as in hue, and terms that are close in lightness carry a hatch, so that a grey print and a colour-blind reader lose nothing.
"""

import colorsys
import hashlib
import io
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from pillprocess.output.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ONE_COLUMN, TWO_COLUMNS = 89.0, 183.0
"""Width of a printed figure over one and over two columns of a journal page, in mm."""

NARROW = 120.0
"""Below this width, in mm, a figure takes the form for one column."""

type Width = Literal["one_column", "two_column"] | tuple[float, float]
"""Print width by name, or width and height in mm."""

MM_PER_INCH = 25.4
SMALL, NORMAL, LARGE = 6.0, 6.5, 8.0
"""Sizes of letters at the final size of a figure, in points."""

IMPROVED, IMPROVES, FAVOURS_DRUG = ("improved", "worse"), ("improves", "worsens"), ("favours drug", "favours control")
"""What lies left and right of 0: a change, an effect, a comparison of drug and control."""

GREY, INK, PRIOR = "#6E6E6E", "#1A1A1A", "#BFBFBF"


class _ByRule(dict[str, str]):
    """How drugs are drawn: some by hand, any other by a rule from its name alone, so that it looks alike in every figure."""

    def __init__(self, drawn: dict[str, str], rule: Callable[[str], str], no_drug: str):
        super().__init__(drawn)
        self.rule, self.no_drug = rule, no_drug

    def __missing__(self, drug: str) -> str:
        return self.no_drug if drug in ("", "nan") else self.rule(drug)


def _bytes_of(drug: str) -> bytes:
    """Bytes that follow from a name. The number was chosen so that eight likely names look apart: see the tests."""
    return hashlib.sha256(f"28494{drug}".encode()).digest()


def _colour_by_name(drug: str) -> str:
    """Hue and one of three lightnesses from the name."""
    hue, lightness = int.from_bytes(_bytes_of(drug)[:2]) / 65536, (0.3, 0.42, 0.6)[_bytes_of(drug)[2] % 3]
    return "#" + "".join(f"{round(255 * part):02X}" for part in colorsys.hls_to_rgb(hue, lightness, 0.55))


def _marker_by_name(drug: str) -> str:
    return "ph<>8d"[_bytes_of(drug)[3] % 6]


DRUG_COLOURS = _ByRule({
    "psilocybin": "#3B2C85", "LSD": "#4FA3D9", "MDMA": "#C8501A", "ketamine": "#12694A", "esketamine": "#D9B93B", "all": "#111111",
}, _colour_by_name, GREY)  # fmt: skip
DRUG_MARKERS = _ByRule(
    {"psilocybin": "o", "LSD": "^", "MDMA": "D", "ketamine": "s", "esketamine": "v", "all": "P"}, _marker_by_name, "o"
)


def in_drawn_order(drugs: Iterable[str]) -> list[str]:
    """The drugs each once: the embedded evidence's in the order of every figure, then others by name."""
    held = set(drugs)
    return [*(d for d in DRUG_COLOURS if d in held), *sorted(held - set(DRUG_COLOURS))]


TERM_COLOURS = {
    "course": "#DADADA", "waitlist": "#A8905A", "comparator": "#4A4A4A", "therapy": "#E69F00", "expectancy": "#F7E463",
    "experience": "#B0468F", "drug": "#1F4E9C", "drug:therapy": "#35B08F", "small study": "#903F2D",
}  # fmt: skip
TERM_HATCHES = {
    "waitlist": "....",
    "comparator": "////",
    "expectancy": "xxxx",
    "drug:therapy": "\\\\\\\\",
    "small study": "oo",
}
TERM_NAMES = {
    "course": "course (control condition)", "waitlist": "waiting list", "comparator": "active comparator", "therapy": "therapy",
    "expectancy": "expectancy", "experience": "experience", "drug": "drug", "drug:therapy": "drug x therapy",
    "small study": "small study",
}  # fmt: skip
TERM_OF_VARIABLE = {
    "delta": "drug", "kappa": "drug:therapy", "psi": "therapy", "omega": "waitlist", "chi": "comparator", "epsilon": "expectancy",
    "beta": "experience", "gamma": "small study", "g": "small study",
}  # fmt: skip
EVIDENCE_COLOURS = {
    "randomised within trials": "#1F4E9C",
    "between-trial comparison of randomised contrasts": "#E69F00",
    "between trials": "#C8501A",
    "prior": "#DADADA",
}
EVIDENCE_HATCHES = {"between-trial comparison of randomised contrasts": "....", "between trials": "////"}


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib settings of every file: sans serif, text kept as text and never read as a formula, 300 dots per inch."""
    settings = {
        "font.size": NORMAL, "svg.fonttype": "none", "svg.hashsalt": "pillprocess", "savefig.dpi": 300, "hatch.linewidth": 0.4,
        "figure.max_open_warning": 0, "text.parse_math": False,
    }  # fmt: skip
    with mpl.rc_context(cast(Any, settings)):
        yield


def panel(ax: "Axes | None", width: Width, height: float) -> "Axes":
    """Return the Axes to draw on: the one given, or that of a new figure of a print width.

    Parameters
    ----------
    ax
        Axes to draw on, or None.
    width
        ``"one_column"`` (89 mm), ``"two_column"`` (183 mm), or width and height in mm.
    height
        Height in mm where ``width`` does not give one.

    Returns
    -------
    Axes.

    Raises
    ------
    ValueError
        An unknown name, or a size that is not positive.
    """
    return ax or plt.figure(figsize=figure_size(width, height), dpi=150, layout="constrained").add_subplot()


def figure_size(width: Width, height: float) -> tuple[float, float]:
    """Width and height in inches of a figure of a print width, ``height`` mm high where ``width`` does not say; errors as `panel`."""
    columns = {"one_column": ONE_COLUMN, "two_column": TWO_COLUMNS}
    if isinstance(width, str):
        if width not in columns:
            raise ValueError(f"width = {width!r}; it must be 'one_column', 'two_column', or (width, height) in mm")
        size = (columns[width], height)
    else:
        size = width
    if min(size) <= 0:
        raise ValueError(f"width = {width!r}; width and height must be positive, in mm")
    return size[0] / MM_PER_INCH, size[1] / MM_PER_INCH


def save_figure(ax: "Axes", path: str | Path) -> list[Path]:
    """Write the figure of an Axes for print: SVG with its text as text, and PNG at 300 dots per inch.

    Parameters
    ----------
    ax
        What a ``plot_...`` function returned.
    path
        File name; its ending is replaced by ``.svg`` and ``.png``.

    Returns
    -------
    The two paths.
    """
    paths = [Path(path).with_suffix(suffix) for suffix in (".svg", ".png")]
    figure = _figure(ax)
    with house_style():
        paths[0].write_text(svg(figure), encoding="utf-8")
        figure.savefig(paths[1])
    return paths


def svg(figure: Figure) -> str:
    """The figure as SVG without its date; control characters in labels, which XML does not allow, are written as escapes."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return printable(buffer.getvalue())


def width_mm(ax: "Axes") -> float:
    """Width of the figure of an Axes, in mm."""
    return float(_figure(ax).get_figwidth()) * MM_PER_INCH


def legend_above(ax: "Axes", handles: Sequence[Artist], *, margin: float = 6.0) -> None:
    """Put a legend above the axes in as many columns as fit; ``margin`` mm at the right of the axes are taken."""
    longest = max((len(str(handle.get_label())) for handle in handles), default=1)
    ncols = int(min(4, max(1, (width_mm(ax) - margin) // (1.2 * longest + 8))))
    ax.legend(
        handles=handles, fontsize=SMALL, frameon=False, ncols=ncols, loc="lower right", bbox_to_anchor=(1.0, 1.0),
        handlelength=1.6, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip


def finish(ax: "Axes", xlabel: str, title: str, favours: tuple[str, str] | None = None) -> None:
    """Say below the axis which side of 0 favours what, clear the frame and put the title above all."""
    if favours:
        for text, side, gap in ((f"← {favours[0]}", "right", -4), (f"{favours[1]} →", "left", 4)):
            ax.annotate(
                text, (0, 0), xycoords=("data", "axes fraction"), xytext=(gap, -12), textcoords="offset points", ha=side,
                va="top", fontsize=NORMAL,
            )  # fmt: skip
    ax.set_xlabel(wrapped(ax, xlabel, 1.35), fontsize=NORMAL, labelpad=11 if favours else 3, loc="right")
    ax.tick_params(axis="x", labelsize=SMALL, length=2.5, pad=2)
    ax.tick_params(axis="y", length=0, pad=5)
    ax.spines[["top", "right", "left"]].set_visible(False)
    if title:
        _figure(ax).suptitle(wrapped(ax, title, 1.85), fontsize=LARGE, x=0.01, ha="left", fontweight="bold")


def row_labels(ax: "Axes", labels: Sequence[str], *, lines: int = 1) -> list[str]:
    """Row labels; in a figure one column wide cut to 34 letters, or broken into ``lines``: the rest of the width is for the data."""
    if width_mm(ax) >= NARROW:
        return list(labels)
    if lines > 1:
        return ["\n".join(textwrap.wrap(label, 30, max_lines=lines, placeholder="…")) for label in labels]
    return [f"{label[:33].rstrip()}…" if len(label) > 34 else label for label in labels]


def mark_beyond(ax: "Axes", x: float, y: float, limits: tuple[float, float], colour: str) -> None:
    """Put a triangle at the edge of the axis that x lies beyond."""
    for limit, marker, beyond in ((limits[0], "<", x < limits[0]), (limits[1], ">", x > limits[1])):
        if beyond:
            ax.plot(limit, y, marker, ms=3.4, color=colour, clip_on=False, zorder=5)


def beside(ax: "Axes", y: float, text: str, weight: str) -> None:
    """Write a cell of the column at the right of the axes, clear of what is drawn at its edge."""
    ax.annotate(
        text, (1, y), xycoords=ax.get_yaxis_transform(), xytext=(6, 0), textcoords="offset points", va="center", fontsize=SMALL,
        family="monospace", fontweight=weight, annotation_clip=False,
    )  # fmt: skip


def percent_learned(contraction: float) -> str:
    """Share of the prior variance that the data removed; what rounds to all of it is not called all."""
    return "> 99 %" if contraction > 0.995 else f"{100 * contraction:.0f} %"


def wrapped(ax: "Axes", text: str, per_letter: float) -> str:
    """Break text into lines that fit the figure, at ``per_letter`` mm a letter."""
    return "\n".join(textwrap.wrap(text, max(12, int((width_mm(ax) - 4) / per_letter)))) if text else ""


def _figure(ax: "Axes") -> Figure:
    """The whole figure that an Axes is part of."""
    return cast(Figure, ax.get_figure(root=True))
