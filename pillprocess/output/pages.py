"""What every report shares: one jinja2 environment, how numbers are written, and the versions behind them."""

import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version

import jinja2

from pillprocess.output.text import printable, web_address

PACKAGES = ("pillprocess", "pymc", "pytensor", "nutpie", "arviz", "numpy", "scipy", "pandas", "xarray")


def render_page(
    template: str, context: Mapping[str, object], *, wing: str, writes: Callable[[Mapping[str, float]], str]
) -> str:
    """Fill a wing's template; a name that the template needs and the context lacks is an error.

    Labels in the context are text: markup in them is shown, not run, and control characters are written as escapes.

    Parameters
    ----------
    template
        File name in the wing's folder ``templates``, or in that of ``output/``: ``page.html`` is the frame of every page,
        ``parts.html`` holds the macros for a titled table and a titled figure.
    context
        What the template may name.
    wing
        Whose page it is: ``"review"`` or ``"trial"``.
    writes
        How an estimate with its interval is written: the filter ``estimate``.

    Returns
    -------
    HTML text.
    """
    folders = [jinja2.PackageLoader(f"pillprocess.{name}") for name in (wing, "output")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(folders), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["estimate"] = writes
    environment.filters["percent"] = lambda p: f"{100 * p:.0f} %"
    environment.filters["signed"] = signed
    environment.filters["web_address"] = web_address
    return printable(environment.get_template(template).render(**context))


def estimate(row: Mapping[str, float]) -> str:
    """Mean and 95 % interval in one string, to two decimals; what rounds to 0 has no sign."""
    mean, low, high = (f"{round(row[name], 2) + 0.0:.2f}" for name in ("mean", "ci_low", "ci_high"))
    return f"{mean} [{low}, {high}]"


def signed(value: float, digits: int) -> str:
    """A number with a true minus sign; what rounds to 0 has none."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def versions(seed: int) -> dict[str, str]:
    """Versions of the packages and of Python, and the seed."""
    return {**{p: version(p) for p in PACKAGES}, "Python": platform.python_version(), "seed": str(seed)}
