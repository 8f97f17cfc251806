"""Slips of the pen in the embedded tables: each one refused, or asked about."""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pillprocess.evidence.tables import embedded_folder, evidence_problems, evidence_questions

Slip = Callable[[dict[str, pd.DataFrame]], None]


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(embedded_folder() / f"{name}.csv", dtype=str, keep_default_na=False)


def folder_with(tmp_path: Path, slip: Slip) -> Path:
    """The embedded folder with a slip in it; tables without one are links."""
    tables = {path.stem: read(path.stem) for path in embedded_folder().glob("*.csv")}
    before = {name: table.copy() for name, table in tables.items()}
    slip(tables)
    for name, table in tables.items():
        if table.equals(before[name]):
            os.symlink(embedded_folder() / f"{name}.csv", tmp_path / f"{name}.csv")
        else:
            table.to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


def said(folder: Path | None = None) -> set[tuple[str, ...]]:
    asked, problems = evidence_questions(folder), evidence_problems(folder)
    waiting = asked[asked["answer"] == ""]
    places = ["file", "trial", "arm"]
    return {
        *waiting[[*places, "question"]].itertuples(index=False, name=None),
        *problems[[*places, "problem"]].itertuples(index=False, name=None),
    }


@pytest.fixture(scope="module")
def usual() -> set[tuple[str, ...]]:
    return said()


def cell(table: str, trial: str, arm: str = "", primary: str = "1", **cells: str | Callable[[str], str]) -> Slip:
    """Set cells of one row: of the trial, the arm and, in outcomes and contrasts, the primary one."""

    def slip(tables: dict[str, pd.DataFrame]) -> None:
        rows = tables[table]
        here = rows["trial_id"] == trial
        if arm:
            here &= rows["arm_id"] == arm
        if "primary" in rows and primary:
            here &= rows["primary"] == primary
        [row, *_] = rows.index[here]
        for column, value in cells.items():
            new = value(rows.loc[row, column]) if callable(value) else value
            assert new != rows.loc[row, column], "a slip changes something"
            rows.loc[row, column] = new

    return slip


def turned(cell: str) -> str:
    return cell.removeprefix("-") if cell.startswith("-") else f"-{cell}"


def times(factor: float) -> Callable[[str], str]:
    return lambda cell: f"{float(cell) * factor:.6g}"


def twice(trial: str, name: str) -> Slip:
    """A trial entered a second time under another name."""

    def slip(tables: dict[str, pd.DataFrame]) -> None:
        for table in ("trials", "arms", "outcomes"):
            rows = tables[table]
            again = rows[rows["trial_id"] == trial].assign(trial_id=name)
            tables[table] = pd.concat([rows, again.assign(registry="", doi="") if table == "trials" else again])

    return slip


def swapped(trial: str, first: str, second: str) -> Slip:
    """The outcome figures of two arms, exchanged."""

    def slip(tables: dict[str, pd.DataFrame]) -> None:
        rows = tables["outcomes"]
        own = rows["trial_id"] == trial
        rows.loc[own, "arm_id"] = rows.loc[own, "arm_id"].replace({first: second, second: first})

    return slip


SLIPS: dict[str, Slip] = {
    "a change of -173 for -17.3": cell("outcomes", "aaronson2024", change_mean="-173"),
    "n 2,500 for 25": cell("arms", "back2024", "psilocybin_25mg", n="1500"),
    "n analysed ten times n randomised": cell("outcomes", "goodwin2022", "psilocybin_25mg", n=times(10)),
    "a percentage of responders as a fraction": cell("outcomes", "popova2019", "esketamine_flex_ad", response_pct="0.69"),
    "a guess rate as a fraction": cell("expectancy", "bogenschutz2022", "all", value=times(0.01)),
    "a trial entered twice under another name": twice("raison2023", "usona_phase2"),
    "a trial entered twice, with an accent": twice("vonrotz2023", "vonRötz2023"),
    "the sign of a change turned": cell("outcomes", "goodwin2022", "psilocybin_25mg", change_mean=turned),
    "the sign of a difference turned": cell("contrasts", "jelovac2025", "ketamine_0.5_x8", estimate=turned),
    "a standard error as an SD": cell("outcomes", "griffiths2016", post_sd=times(0.2)),
    "an SD as a standard error": cell("outcomes", "murrough2013", "ketamine_0.5", change_se=times(6.9)),
    "a dose in ug for mg": cell("arms", "goodwin2022", "psilocybin_25mg", dose_unit="ug"),
    "a dose in ug, carried through": cell("arms", "goodwin2022", "psilocybin_25mg", dose_unit="ug", dose_mg_equiv="0.025"),
    "ten times the dose, within the drug's limit": cell("arms", "lapidus2014", "ketamine_50mg_in", dose="180", dose_mg_equiv="180"),
    "the two arms exchanged": swapped("mitchell2021", "mdma_120_180mg", "placebo"),
    "a week for a day": cell("outcomes", "goodwin2022", "psilocybin_25mg", time_days="3"),
    "the endpoint typed as the baseline": cell("outcomes", "raison2023", "psilocybin_25mg", baseline_mean=times(0.5)),
    "a lost minus sign of a limit": cell("contrasts", "back2024", "psilocybin_25mg", ci_low=turned),
    "points typed as g": cell("contrasts", "back2024", "psilocybin_25mg", estimate="-12", ci_low="-17.7", ci_high="-6.3", se="2.9"),
    "an odds ratio upside down": cell("contrasts", "back2024", "psilocybin_25mg", direction="positive_favours_arm"),
    "another instrument's name": cell("outcomes", "mitchell2023", instrument="MADRS", construct="depression"),
    "a decimal point lost in an SD": cell("outcomes", "goodwin2022", "psilocybin_25mg", change_sd_derived="128", change_se="14.4"),
    "a drug of the wrong name": cell("arms", "goodwin2022", "psilocybin_25mg", drug="LSD"),
    "an arm of therapy marked without": cell("arms", "raison2023", "psilocybin_25mg", therapy="0"),
    "a primary row left out": cell("outcomes", "raison2023", "psilocybin_25mg", include="0"),
    "a change ten times too large, of a scale with neither range nor endpoint SD": cell("outcomes", "berman2000", change_mean=times(10)),
    "a difference in points that its d contradicts": cell("contrasts", "janik2025", "esketamine_56mg", estimate="-0.73"),
    "a mean far from the arm's days before and after": cell("outcomes", "lii2023", "ketamine_0.5_anaesthesia", post_mean="2.16"),
    "a decimal point lost in an endpoint, which its SD contradicts": cell("outcomes", "correiamelo2020", "ketamine_0.5", post_mean="1.62"),
    "a control arm's change divided by seven": cell("outcomes", "murrough2013", "midazolam_0.045", change_mean="-1.257"),
    "overlapping people counted twice": cell("trials", "evans2018", overlaps_with="zarate2012"),
}  # fmt: skip


def test_nothing_in_the_embedded_tables_is_asked_that_no_doubt_answers() -> None:
    asked = evidence_questions()
    assert len(asked) > 40, "the checks ran"
    assert asked.loc[asked["answer"] == "", ["file", "row", "question"]].to_dict("records") == []


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_refused_or_asked_about(name: str, usual: set[tuple[str, ...]], tmp_path: Path) -> None:
    assert said(folder_with(tmp_path, SLIPS[name])) - usual, name
