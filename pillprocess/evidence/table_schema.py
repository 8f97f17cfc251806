"""How a table is described: its columns, their kinds and their words."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TableSchema:
    """Columns of one table; names and words are separated by blanks.

    Attributes
    ----------
    key
        Columns that together tell the rows apart.
    required
        Columns a file must have.
    filled
        Columns whose cells must not be blank.
    text, numbers, flags
        Columns of free text, of numbers, and of 0/1 marks.
    shares, percents
        Numbers between 0 and 1, and between 0 and 100.
    words
        The words a column may hold.
    """

    key: str
    required: str
    filled: str = ""
    text: str = ""
    numbers: str = ""
    flags: str = ""
    shares: str = ""
    percents: str = ""
    words: dict[str, str] = field(default_factory=dict)

    @property
    def figures(self) -> list[str]:
        """Columns of numbers that are no marks."""
        return [*self.numbers.split(), *self.shares.split(), *self.percents.split()]

    @property
    def numeric(self) -> list[str]:
        """Columns read as numbers."""
        return [*self.figures, *self.flags.split()]

    @property
    def columns(self) -> list[str]:
        """Every known column, key first."""
        return list(dict.fromkeys([*self.key.split(), *self.text.split(), *self.words, *self.numeric]))
