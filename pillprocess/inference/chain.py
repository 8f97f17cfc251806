"""The settings of one chain."""

from typing import NamedTuple


class Chain(NamedTuple):
    """The one chain of nutpie that a refit draws: refits, not chains, are what is spread over processors."""

    draws: int = 500
    tune: int = 300
    target_accept: float = 0.9
