"""Shared fixtures: reference data outside the repository, small evidence written by hand, and a place for figures."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pillprocess.evidence.files import empty_table
from pillprocess.evidence.schema import SCHEMAS
from pillprocess.evidence.tables import Evidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--save-figures", action="store_true", help="write the figures the tests draw to tests/figures")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, and end with those that wait for the main job, so that no processor waits."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    waiting = [Path(__file__).parent / "review" / name for name in ("test_notebooks.py", "test_analysis.py")]

    def place(item: pytest.Item) -> tuple[int, bool, bool]:
        turn = waiting.index(item.path) + 1 if item.path in waiting else 0
        return turn, item.path.stem != "test_notebooks", item.path not in long

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    """Let pyplot forget the figures of every test: more than twenty open ones are a warning, and a warning is an error."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Path of a reference file kept beside the repository; skips the test where it is absent."""

    def find(relative: str) -> Path:
        path = SHARED / relative
        if not path.exists():
            pytest.skip(f"reference data not present beside the repository: {relative}")
        return path

    return find


@pytest.fixture(scope="session")
def main_job() -> Path | None:
    """Results of the main job that CI names, once it has ended; None where there is none."""
    if not (named := os.environ.get("PILLPROCESS_RESULTS")):
        return None
    results = Path(named)
    while list(results.parent.glob(f".{results.name}.*.partial")):
        time.sleep(1)
    return results


@pytest.fixture
def save_figure(request: pytest.FixtureRequest) -> Callable[["Axes"], None]:
    """Write the figure of an Axes to tests/figures under the test's name, when pytest runs with --save-figures."""

    def save(ax: "Axes") -> None:
        if request.config.getoption("--save-figures"):
            folder = Path(__file__).parent / "figures"
            folder.mkdir(exist_ok=True)
            ax.figure.savefig(folder / f"{request.node.name}.png", dpi=200)

    return save


USUAL = {
    "trials": {
        "design": "parallel", "blinding": "double", "condition": "MDD", "population": "patients", "include": 1,
        "study_drugs": "psilocybin",
    },
    "arms": {"study_drug": "psilocybin", "route": "oral", "therapy": 0, "awake": 1, "n": 20, "include_arm": 1},
    "outcomes": {"instrument": "MADRS", "construct": "depression", "primary": 1, "include": 1, "time_days": 21, "n": 16},
    "contrasts": {
        "level": "between_arm", "instrument": "MADRS", "construct": "depression", "outcome_type": "continuous",
        "effect_type": "mean_difference", "direction": "negative_favours_arm", "basis": "published", "primary": 1, "include": 1,
    },
    "subjective": {"value_type": "score", "include": 1, "n": 10},
    "expectancy": {"measure": "participant_guess_correct_pct", "timing": "endpoint"},
    "instruments": {"construct": "depression", "higher_is_worse": 1},
}  # fmt: skip
"""What a row holds unless a test says otherwise; every other cell is blank."""

STANDARD = {
    "instruments": [
        {"instrument": "MADRS", "reference_sd": 10.0, "change_sd": 8.0},
        {"instrument": "CAPS-5", "construct": "ptsd", "reference_sd": 12.0},
        {"instrument": "days_abstinent", "construct": "alcohol", "higher_is_worse": 0, "reference_sd": 5.0},
        {"instrument": "BDI", "change_sd": 4.0},
        {"instrument": "IDS-C"},
    ],
    "drugs": [
        {"drug": "psilocybin", "experience": "mystical", "score_route": "oral"},
        {"drug": "LSD", "experience": "mystical", "score_route": "oral"},
        {"drug": "MDMA", "experience": "prosocial", "experience_also": "mystical", "score_route": "oral"},
        {"drug": "ketamine", "experience": "dissociative", "score_route": "iv"},
        {"drug": "esketamine", "experience": "dissociative", "score_route": "intranasal", "scores_of": "ketamine"},
    ],
    "reference_doses": [
        {"drug": "psilocybin", "route": "oral", "dose": 25.0, "dose_unit": "mg", "dose_column": "dose_mg_equiv"},
        {"drug": "LSD", "route": "oral", "dose": 0.2, "dose_unit": "mg", "dose_column": "dose_mg_equiv"},
        {"drug": "MDMA", "route": "oral", "dose": 125.0, "dose_unit": "mg", "dose_column": "dose_mg_equiv"},
        {"drug": "ketamine", "route": "iv", "dose": 0.5, "dose_unit": "mg/kg", "dose_column": "dose_mg_per_kg"},
        {"drug": "esketamine", "route": "intranasal", "dose": 84.0, "dose_unit": "mg", "dose_column": "dose_mg_equiv"},
    ],
}


@pytest.fixture(scope="session")
def build_evidence() -> Callable[..., Evidence]:
    """Evidence from rows written by hand, ``build_evidence(trials=[...], arms=[...])``, without the checks of a folder."""

    def build(**tables: list[dict[str, object]]) -> Evidence:
        frames = {}
        for name, schema in SCHEMAS.items():
            typed = empty_table(f"{name}.csv", schema).data
            rows = [USUAL.get(name, {}) | row for row in tables.get(name, STANDARD.get(name, []))]
            frames[name] = pd.DataFrame(rows, columns=typed.columns).astype(typed.dtypes)
        return Evidence(**frames, folder=Path("written by hand"), checksum="")

    return build


TERMS = ("dose", "therapy", "waitlist", "comparator", "expectancy", "experience")


def make_arm_row(trial: str, arm: str, y: float, se: float, **cells: object) -> dict[str, object]:
    usual = {
        "trial": trial, "arm": arm, "label": f"{trial}: {arm}", "kind": "arm", "reference_arm": "", "unit": "sd", "role": "active",
        "study_drug": "psilocybin", "drug_given": "psilocybin", "condition": "MDD", "construct": "depression", "instrument": "MADRS",
        "y": y, "se": se, "therapy_hours": float("nan"), "expectancy_from": "",
    }  # fmt: skip
    return usual | dict.fromkeys(TERMS, 0.0) | cells


@pytest.fixture(scope="session")
def arm_row() -> Callable[..., dict[str, object]]:
    """One arm row of a model, ``arm_row(trial, arm, y, se, dose=1.0)``; terms that are not given are 0."""
    return make_arm_row


@pytest.fixture(scope="session")
def contrast_row() -> Callable[..., dict[str, object]]:
    """One contrast row of a model; ``reference`` holds the terms of the reference arm, ``n`` the two arm sizes."""

    def make(
        trial: str, arm: str, reference_arm: str, y: float, se: float, *,
        n: tuple[float, float] = (float("nan"), float("nan")), reference: dict[str, float] | None = None, **cells: object,
    ) -> dict[str, object]:  # fmt: skip
        sides = {f"reference_{t}": (reference or {}).get(t, 0.0) for t in TERMS}
        names = {"kind": "contrast", "reference_arm": reference_arm, "label": f"{trial}: {arm} v {reference_arm}"}
        return make_arm_row(trial, arm, y, se, **cells) | sides | names | {"n_arm": n[0], "n_reference": n[1]}

    return make
