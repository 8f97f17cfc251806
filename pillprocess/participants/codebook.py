"""The codebook of a trial: what its columns are, what their codes mean, and what was answered to doubts about them.

A TOML file that `pillprocess inspect` drafts and a person completes; nothing in it is ever guessed.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

type Cell = str | float | bool

ROLES = (
    "treatment", "reference", "active", "treatment_kind", "outcome", "mediators", "baseline", "covariates", "trial", "id", "guess",
    "guess_timing", "mediator_time", "outcome_time", "higher_is_worse", "randomised", "single_arm", "incomplete",
    "clusters", "cluster_labels", "treatment_moderators", "mediator_moderators", "event", "outcomes", "period",
)  # fmt: skip
"""Keys of ``[trial]``: the arguments of `load_participants` that they answer, those of a guess, and the visits or periods."""
MANY = ("mediators", "covariates", "clusters", "treatment_moderators", "mediator_moderators")


class CodebookError(ValueError):
    """The codebook cannot be read or says something that it cannot say; every reason is listed."""

    def __init__(self, problems: list[str], name: str) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{count} in {name}; nothing was fitted:", *problems]))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class ColumnCodes:
    """What a codebook says of one column.

    Attributes
    ----------
    missing
        Cells that mean that nothing was observed (``[999, "refused"]``).
    keep
        Odd cells that stand as they are.
    codes
        Label of each code or spelling (``{"0" = "placebo", "Placebo" = "placebo"}``).
    also
        Other names that the column has in other files of the same trial.
    instrument
        Name in ``instruments.csv``, or ``"none"``.
    range
        Lowest and highest possible value.
    type
        ``"number"`` or ``"factor"``.
    decimal
        ``","`` where numbers are written with a decimal comma.
    unit
        Unit written behind numbers (``"yrs"``), or the unit of a column of times (``"weeks"``).
    measured
        ``"before"`` or ``"after"`` dosing.
    use
        ``"none"`` where a column that looks like therapists, sites, another visit or a period is nothing of the kind.
    """

    missing: tuple[Cell, ...] = ()
    keep: tuple[Cell, ...] = ()
    codes: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    instrument: str = ""
    range: tuple[float, ...] = ()
    type: Literal["", "number", "factor"] = ""
    decimal: str = ""
    unit: str = ""
    measured: Literal["", "before", "after"] = ""
    use: Literal["", "none"] = ""


@dataclass(frozen=True)
class Visits:
    """How a file with one row per visit becomes one row per person; see `read_trial`."""

    column: str = ""
    person: str = ""
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Codebook:
    """A codebook as read: roles by argument of `load_participants`, columns by name, and visits.

    Attributes
    ----------
    roles
        Answers of ``[trial]``, by argument.
    columns
        What is said of each column.
    visits
        How rows of visits are put together.
    repeated_rows
        ``"different people"`` where rows that look like one person twice are two.
    name
        Name of the file.
    """

    roles: Mapping[str, object] = field(default_factory=dict)
    columns: Mapping[str, ColumnCodes] = field(default_factory=dict)
    visits: Visits = field(default_factory=Visits)
    repeated_rows: str = ""
    name: str = "the codebook"

    def of(self, column: object) -> ColumnCodes:
        """What is said of a column; nothing where it is not named."""
        return self.columns.get(str(column), NOTHING)


NOTHING = ColumnCodes()
CHOICES = {
    "type": ("number", "factor"), "measured": ("before", "after"), "decimal": (",", "."), "repeated_rows": ("different people",),
    "treatment_kind": ("arms", "dose"), "guess_timing": ("pre_dose", "post_dose", "endpoint"), "single_arm": ("set_aside", "keep"),
    "incomplete": ("error", "set_aside"), "cluster_labels": ("unique", "within"), "use": ("none",),
}  # fmt: skip
TRUTHS = ("higher_is_worse", "randomised")
LISTS = ("missing", "keep", "also", "range")
TABLES = ("codes", "names")


def read_codebook(path: str | Path) -> Codebook:
    """Read a codebook and check every key and value of it.

    Parameters
    ----------
    path
        TOML file with the tables ``[trial]``, ``[visits]`` and ``[columns.NAME]``.

    Returns
    -------
    Codebook

    Raises
    ------
    CodebookError
        Lists every problem.
    """
    path = Path(path)
    if not path.is_file():
        raise CodebookError(["there is no such file; pillprocess inspect TRIAL writes one"], path.name)
    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise CodebookError(["it is not UTF-8 text"], path.name) from None
    except tomllib.TOMLDecodeError as error:
        raise CodebookError([f"it cannot be read as TOML: {error}"], path.name) from None
    problems = _unknown(content, ("trial", "visits", "columns"), "")
    tables = {key: content.get(key, {}) for key in ("trial", "visits", "columns")}
    problems += [f"[{key}] must be a table" for key, table in tables.items() if not isinstance(table, dict)]
    if problems:
        raise CodebookError(problems, path.name)
    trial, visits = dict(tables["trial"]), tables["visits"]
    problems += _unknown(trial, (*ROLES, "repeated_rows"), "[trial] ")
    problems += _wrong(trial, "[trial] ", lists=MANY, truths=TRUTHS)
    problems += _unknown(visits, [f.name for f in fields(Visits)], "[visits] ")
    problems += _wrong(visits, "[visits] ")
    for name, said in tables["columns"].items():
        place = f"[columns.{name}] "
        if not isinstance(said, dict):
            problems.append(f"{place.strip()} must be a table")
            continue
        problems += _unknown(said, [f.name for f in fields(ColumnCodes)], place) + _wrong(said, place, lists=LISTS)
        span = said.get("range", [0, 1])
        if isinstance(span, list) and not (len(span) == 2 and all(_number(x) for x in span) and span[0] < span[1]):
            problems.append(f"{place}range = {span}; it must be two numbers, the lower first")
        both = {str(x) for x in _listed(said.get("missing"))} & {str(x) for x in _listed(said.get("keep"))}
        problems += [f"{place}{cell} is both missing and to be kept" for cell in sorted(both)]
    if problems:
        raise CodebookError(problems, path.name)
    repeated = trial.pop("repeated_rows", "")
    columns = {
        name: replace(NOTHING, **{key: tuple(value) if key in LISTS else value for key, value in said.items()})  # type: ignore[arg-type]
        for name, said in tables["columns"].items()
    }
    roles = {key: tuple(value) if key in MANY and not isinstance(value, str) else value for key, value in trial.items()}
    return Codebook(roles, columns, Visits(**visits), repeated, path.name)


def as_codebook(given: object) -> Codebook:
    """A codebook, read where it is a path; none where nothing is given.

    Raises
    ------
    CodebookError
        It cannot be read, or is something else.
    """
    if isinstance(given, str | Path):
        return read_codebook(given)
    if given is None or isinstance(given, Codebook):
        return given or Codebook()
    raise CodebookError([f"a codebook or the path of one is needed; got a {type(given).__name__}"], "codebook=")


def _unknown(table: Mapping[str, object], known: object, place: str) -> list[str]:
    names = list(known)  # type: ignore[call-overload]
    problems = []
    for key in table:
        if key not in names:
            near = difflib.get_close_matches(key, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"it may hold {', '.join(names)}"
            problems.append(f"{place}{key!r} is unknown; {hint}")
    return problems


def _wrong(
    table: Mapping[str, object], place: str, *, lists: tuple[str, ...] = (), truths: tuple[str, ...] = ()
) -> list[str]:
    """Values of the wrong kind, or none of the possible ones."""
    problems = []
    for key, value in table.items():
        if key in truths:
            fits, right = isinstance(value, bool), "true or false"
        elif key in TABLES:
            fits = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
            right = 'a table of texts, such as { "0" = "placebo" }'
        elif key in lists:
            fits = isinstance(value, list) and all(isinstance(v, str | int | float) for v in value)
            fits, right = fits or (key in MANY and isinstance(value, str)), "a list, such as [999]"
        elif key == "outcomes":
            fits = isinstance(value, dict) and all(_number(v) for v in value.values())
            fits = fits or (isinstance(value, list) and all(isinstance(v, str) for v in value))
            right = "the outcome's columns with the times of their visits, such as { madrs_1 = 1, madrs_6 = 6 }"
        elif key in CHOICES:
            fits, right = value in CHOICES[key], " or ".join(f'"{c}"' for c in CHOICES[key])
        elif key in ("mediator_time", "outcome_time", "reference", "active"):
            fits, right = isinstance(value, str | int | float), "a text or a number"
        else:
            fits, right = isinstance(value, str), "a text in quotation marks"
        if not fits:
            problems.append(f"{place}{key} = {value!r}; it must be {right}")
    return problems


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
