"""Shared fixtures: where reference data outside the repository are read from, when they are there."""

from collections.abc import Callable
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Path of a reference file kept beside the repository; skips the test where it is absent."""

    def find(relative: str) -> Path:
        path = SHARED / relative
        if not path.exists():
            pytest.skip(f"reference data not present beside the repository: {relative}")
        return path

    return find
