"""What a file in another format does not say: stated once, in a TOML file, for every row, arm or word."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from pillprocess.interchange.pairs import PARTS, Row, cell

SECTIONS = ("set", "arm", "word")


@dataclass(frozen=True)
class Answers:
    """Cells for every row, cells of an arm by its condition or name, and words of this package by column and their word."""

    every: Row = field(default_factory=dict)
    arm: dict[str, Row] = field(default_factory=dict)
    word: dict[str, Row] = field(default_factory=dict)

    def of_arm(self, name: str) -> Row:
        """Cells of an arm by the name it has in the file."""
        return self.arm.get(name, {})

    def translated(self, column: str, word: str) -> str:
        """The word of this package for a word of the file."""
        return self.word.get(column, {}).get(word, word)


def read_answers(file: str | Path | None) -> Answers:
    """Read the answers.

    Parameters
    ----------
    file
        TOML: ``[set]`` with cells such as ``trial_population = "patients"``, for rows that do not say; ``[arm.NAME]`` with cells
        of an arm such as ``role = "active"``; ``[word.COLUMN]`` with ``"their word" = "this package's"``. None: no answers.

    Returns
    -------
    Answers.

    Raises
    ------
    ValueError
        No TOML, or sections that mean nothing, all of them.
    """
    if file is None:
        return Answers()
    try:
        held = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read as TOML: {error}") from None
    wrong = [
        f"[{name}] is no section; there are [set], [arm.NAME] and [word.COLUMN]"
        for name in held
        if name not in SECTIONS
    ]
    every = held.get("set", {})
    wrong += [
        f"[set] {name}: must begin with {', '.join(f'{part}_' for part in PARTS)}"
        for name in every if name.partition("_")[0] not in PARTS
    ]  # fmt: skip
    for section in ("arm", "word"):
        wrong += [
            f"[{section}] {name}: needs a table of its own, [{section}.{name}]"
            for name, value in held.get(section, {}).items()
            if not isinstance(value, dict)
        ]
    if wrong:
        raise ValueError(f"{file}: nothing was read: " + "; ".join(wrong))
    tables = {
        section: {
            str(name): {key: cell(value) for key, value in rows.items()} for name, rows in held.get(section, {}).items()
        }
        for section in ("arm", "word")
    }
    return Answers({name: cell(value) for name, value in every.items()}, tables["arm"], tables["word"])
