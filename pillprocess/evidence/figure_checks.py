"""Checks that figures are possible: SDs, standard errors, counts, ranges, changes, intervals, effects."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from pillprocess.evidence.checks import Tables
from pillprocess.evidence.company import RATIOS
from pillprocess.evidence.dose_checks import check_doses, check_reference_doses
from pillprocess.evidence.files import CsvTable, report
from pillprocess.evidence.instruments import expected_sd
from pillprocess.evidence.twins import check_both_directions, check_overlaps

SDS = ("baseline_sd", "post_sd", "change_sd", "change_sd_derived", "sd", "sd_fraction", "reference_sd")
ROUNDING = 1e-9
SMALLEST = 1e-9


def check_figures(tables: Tables) -> list[pd.DataFrame]:
    """List every figure that cannot be what its column says."""
    outcomes = tables["outcomes"]
    instruments = tables["instruments"].data.drop_duplicates("instrument").set_index("instrument")
    problems: list[pd.DataFrame] = []
    for table in tables.values():
        problems += check_spread(table)
        problems += check_people(table)
    problems += check_events(outcomes, ("responders", "remitters"))
    problems += check_events(tables["expectancy"], ("count",))
    problems += check_range(outcomes, instruments)
    problems += check_change(outcomes, instruments)
    problems += check_doses(tables["arms"], tables["reference_doses"])
    problems += check_reference_doses(tables["reference_doses"])
    problems += check_constructs(tables)
    problems += check_intervals(tables)
    problems += check_contrasts(tables["contrasts"], instruments)
    problems += check_guesses(tables["expectancy"])
    problems += check_both_directions(tables)
    problems += check_overlaps(tables)
    problems += check_correlations(tables)
    problems += check_scores(tables)
    return problems


def check_spread(table: CsvTable) -> Iterator[pd.DataFrame]:
    """Standard deviations and standard errors that are not positive."""
    for columns, name in ((SDS, "standard deviation"), (("se", "change_se"), "standard error")):
        for column in table.given.intersection(columns):
            yield report(table, column, table.data[column] <= 0, f"a {name} must be > 0")
            tiny = (table.data[column] > 0) & (table.data[column] < SMALLEST)
            yield report(table, column, tiny, f"no {name} is that small; is the cell mistyped?")


def check_people(table: CsvTable) -> Iterator[pd.DataFrame]:
    """Numbers of people that are not whole or below 1."""
    for column in table.given & {"n", "n_events", "n_randomised"}:
        n = table.data[column]
        yield report(table, column, (n < 1) | (n % 1 > 0), "a number of people must be whole and at least 1")


def check_events(table: CsvTable, columns: tuple[str, ...]) -> Iterator[pd.DataFrame]:
    """Counts that are not whole or exceed the people of the row."""
    for column in columns:
        count, people = table.data[column], table.data["n"]
        if "n_events" in table.data:
            people = table.data["n_events"].fillna(people)
        yield report(table, column, (count < 0) | (count % 1 > 0), "a count must be whole and not negative")
        wrong = count > people
        yield report(table, column, wrong, [f"more than the row's n = {n:g}" for n in people[wrong]])


def check_range(outcomes: CsvTable, instruments: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Means outside the instrument's range; changes and SDs wider than it allows."""
    low = _of_instrument(outcomes, instruments["range_min"])
    high = _of_instrument(outcomes, instruments["range_max"])
    n = outcomes.data["n"]
    largest_sd = (high - low) / 2 * np.sqrt((n / (n - 1)).where(n > 1, 2.0))
    impossible = {
        "baseline_mean": (outcomes.data["baseline_mean"] < low) | (outcomes.data["baseline_mean"] > high),
        "post_mean": (outcomes.data["post_mean"] < low) | (outcomes.data["post_mean"] > high),
        "change_mean": outcomes.data["change_mean"].abs() > high - low,
        "baseline_sd": outcomes.data["baseline_sd"] > largest_sd + ROUNDING,
        "post_sd": outcomes.data["post_sd"] > largest_sd + ROUNDING,
        "change_sd": outcomes.data["change_sd"] > 2 * largest_sd + ROUNDING,
        "change_se": outcomes.data["change_se"] > 2 * largest_sd / np.sqrt(n.clip(lower=1)) + ROUNDING,
    }
    for column, wrong in impossible.items():
        texts = [
            f"impossible on {name}, which runs from {a:g} to {b:g}"
            for name, a, b in _where(wrong, outcomes.cells["instrument"], low, high)
        ]
        yield report(outcomes, column, wrong, texts)


def check_change(outcomes: CsvTable, instruments: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Changes that contradict baseline and endpoint, and SDs of change that cannot follow from theirs.

    A printed change may be adjusted, or of other people than the two means: a contradiction is one of the other sign, or
    off by the instrument's whole SD. The SD of a difference lies between the difference and the sum of the two SDs.
    """
    data = outcomes.data
    change = data["post_mean"] - data["baseline_mean"]
    usual = _of_instrument(outcomes, expected_sd(instruments))
    gap = (change - data["change_mean"]).abs()
    wrong = (gap > usual) | ((gap > usual / 4) & (change * data["change_mean"] < 0))
    texts = [f"post_mean - baseline_mean is {value:.4g}; change is post - baseline" for value in change[wrong]]
    yield report(outcomes, "change_mean", wrong, texts)
    least, most = (data["post_sd"] - data["baseline_sd"]).abs(), data["post_sd"] + data["baseline_sd"]
    wrong = (data["change_sd"] < 0.98 * least - 0.1) | (data["change_sd"] > 1.02 * most + 0.1)
    texts = [
        f"with these baseline_sd and post_sd it lies between {a:.3g} and {b:.3g}" for a, b in _where(wrong, least, most)
    ]
    yield report(outcomes, "change_sd", wrong, texts)


def check_constructs(tables: Tables) -> Iterator[pd.DataFrame]:
    """Ranges upside down; outcomes filed under another construct than their instrument's."""
    table = tables["instruments"]
    wrong = table.data["range_max"] <= table.data["range_min"]
    yield report(table, "range_max", wrong, "must be above range_min")
    constructs = table.data.drop_duplicates("instrument").set_index("instrument")["construct"]
    for name in ("outcomes", "contrasts"):
        rows = tables[name]
        own = rows.data["instrument"].map(constructs)
        wrong = ~own.isin(["other", np.nan]) & rows.data["construct"].notna() & (own != rows.data["construct"])
        yield report(rows, "construct", wrong, [f"the instrument measures {word}" for word in own[wrong]])


def check_intervals(tables: Tables) -> Iterator[pd.DataFrame]:
    """Confidence limits in the wrong order; estimates outside them."""
    intervals = {
        "outcomes": ("change_ci_low", "change_mean", "change_ci_high"),
        "contrasts": ("ci_low", "estimate", "ci_high"),
        "associations": ("ci_low", "estimate", "ci_high"),
        "mediation": ("indirect_ci_low", "indirect_effect", "indirect_ci_high"),
        "pooled_effects": ("ci_low", "estimate", "ci_high"),
        "scale_bridge": ("ci_low", "r", "ci_high"),
    }
    for name, (low, middle, high) in intervals.items():
        table = tables[name]
        lower, estimate, upper = (table.data[column] for column in (low, middle, high))
        crossed = lower > upper
        yield report(table, low, crossed, [f"above {high} = {cell}" for cell in table.cells[high][crossed]])
        wrong = ~crossed & ((estimate < lower - ROUNDING) | (estimate > upper + ROUNDING))
        limits = _where(wrong, table.cells[low], table.cells[high])
        texts = [f"outside its interval, {a or 'blank'} to {b or 'blank'}" for a, b in limits]
        yield report(table, middle, wrong, texts)


def check_contrasts(contrasts: CsvTable, instruments: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Arms compared with themselves; levels, directions and ratios that cannot be; differences wider than the scale."""
    cells = contrasts.cells
    wrong = (cells["arm_id"] == cells["reference_arm_id"]) & (cells["arm_id"] != "")
    yield report(contrasts, "reference_arm_id", wrong, "an arm cannot be its own reference")
    own = cells["reference_arm_id"] == "own_baseline"
    wrong = ((cells["level"] == "within_arm") != own) & (cells["level"] != "") & (cells["reference_arm_id"] != "")
    yield report(contrasts, "level", wrong, "within_arm goes with own_baseline, between_arm with another arm")
    ratio = cells["effect_type"].isin(RATIOS)
    yield report(contrasts, "estimate", ratio & (contrasts.data["estimate"] <= 0), "a ratio must be > 0")
    about_one = cells["direction"].isin(["above_1_favours_arm", "below_1_favours_arm"])
    wrong = about_one & ~ratio & (cells["effect_type"] != "")
    texts = [
        f"a {word.replace('_', ' ')} favours an arm by its sign, not above or below 1"
        for word in cells["effect_type"][wrong]
    ]
    yield report(contrasts, "direction", wrong, texts)
    by_sign = cells["direction"].isin(["negative_favours_arm", "positive_favours_arm", "negative_is_improvement"])
    wrong = by_sign & ratio
    texts = [
        f"an {word.replace('_', ' ')} favours an arm above or below 1, not by its sign"
        for word in cells["effect_type"][wrong]
    ]
    yield report(contrasts, "direction", wrong, [text.replace("an r", "a r").replace("an h", "a h") for text in texts])
    low, high = (
        contrasts.data["instrument"].map(instruments[limit]).astype(float) for limit in ("range_min", "range_max")
    )
    in_points = cells["effect_type"].isin(["mean_difference", "mean_change"]) & (
        cells["outcome_type"].isin(["", "continuous"])
    )
    wrong = in_points & (contrasts.data["estimate"].abs() > high - low)
    texts = [
        f"impossible on {name}, which runs from {a:g} to {b:g}"
        for name, a, b in _where(wrong, cells["instrument"], low, high)
    ]
    yield report(contrasts, "estimate", wrong, texts)


def check_guesses(expectancy: CsvTable) -> Iterator[pd.DataFrame]:
    """Percentages of guesses that their own count contradicts."""
    share = 100 * expectancy.data["count"] / expectancy.data["n"]
    percent = expectancy.cells["measure"].str.endswith("_pct").astype(bool)
    possible = share.between(0, 100) & expectancy.data["value"].between(0, 100)
    wrong = percent & possible & ((expectancy.data["value"] - share).abs() > 2)
    rows = _where(wrong, expectancy.cells["count"], expectancy.cells["n"], share)
    yield report(expectancy, "value", wrong, [f"a percentage; {a} of {b} is {c:.3g}" for a, b, c in rows])


def check_correlations(tables: Tables) -> Iterator[pd.DataFrame]:
    """Correlations outside -1 to 1; correlations of an included trial without n, unless a note says why."""
    table, bridge = tables["associations"], tables["scale_bridge"]
    correlation = table.cells["statistic"] == "r"
    r = table.data["estimate"]
    text = "a correlation must lie between -1 and 1"
    yield report(table, "estimate", correlation & (r.abs() >= 1), text)
    yield report(bridge, "r", bridge.data["r"].abs() >= 1, text)
    of_trial = (table.data["include"] == 1) & ~table.cells["origin"].isin(["pooled", "review_count"])
    explained = table.cells["notes"].str.contains(r"\bn\b", case=False).astype(bool)
    wrong = correlation & r.notna() & of_trial & (table.cells["n"] == "") & ~explained
    yield report(table, "n", wrong, "a correlation needs its n, or a note that says why n is not known")


def check_scores(tables: Tables) -> Iterator[pd.DataFrame]:
    """Acute scores, expectancy ratings and percentages outside their scale."""
    subjective, expectancy = tables["subjective"], tables["expectancy"]
    score = subjective.cells["value_type"] == "score"
    for table, column, rated in ((subjective, "mean", score), (expectancy, "value", expectancy.data["value"].notna())):
        low, high, value = table.data["scale_min"], table.data["scale_max"], table.data[column]
        yield report(table, "scale_max", high <= low, "must be above scale_min")
        wrong = rated & ((value < low) | (value > high))
        limits = _where(wrong, table.cells["scale_min"], table.cells["scale_max"])
        yield report(table, column, wrong, [f"outside its scale, {a} to {b}" for a, b in limits])
    percent = {
        "mean": (subjective, subjective.cells["value_type"].isin(["percent_of_people", "percent_of_administrations"])),
        "value": (expectancy, expectancy.cells["measure"].str.endswith("_pct").astype(bool)),
    }
    for column, (table, rows) in percent.items():
        wrong = rows & ((table.data[column] < 0) | (table.data[column] > 100))
        yield report(table, column, wrong, "a percentage must lie between 0 and 100")


def _of_instrument(outcomes: CsvTable, numbers: pd.Series) -> pd.Series:
    """A number of each row's instrument."""
    return outcomes.data["instrument"].map(numbers).astype(float)


def _where(wrong: pd.Series, *columns: pd.Series) -> Iterator[tuple[Any, ...]]:
    """Values of the columns in the wrong rows."""
    return zip(*(column[wrong] for column in columns), strict=True)
