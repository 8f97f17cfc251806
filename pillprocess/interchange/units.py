"""The unit of every numeric column of the evidence tables, for those who read them without this package."""

from pillprocess.evidence.schema import SCHEMAS

HOURS = "h"
UNITS = {
    "time_days": "d", "days_from_last_dose": "d", "randomised_until": "d", "year": "a", "seed_ref": "reference number", "n_doses": "doses",
    "dose": "dose_unit of the row", "dose_max": "dose_unit of the row", "dose_mg_equiv": "mg", "dose_mg_per_kg": "mg/kg",
    "response_pct": "%", "remission_pct": "%", "percent_complete_mystical": "%", "percent_mediated": "%", "i2": "%",
    "range_min": "points", "range_max": "points", "scale_min": "points", "scale_max": "points", "mean_fraction": "1", "sd_fraction": "1",
    "estimate": "as effect_type or statistic says", "ci_low": "as estimate", "ci_high": "as estimate",
    "se": "as estimate; log of the ratio for risk ratios", "p": "1", "r": "1", "t": "1", "dz": "1", "k": "studies",
    "value": "as measure says; for a risk of bias a share", "count": "people", "responders": "people", "remitters": "people",
    "a_path": "points or SD of the mediator", "b_path": "points of the outcome per point of the mediator", "n_trials": "trials",
}  # fmt: skip
"""Units by column, in UCUM where it has one; what follows from a column's name is not repeated here."""


def unit_of(table: str, column: str) -> str:
    """Unit of a numeric column, or "" for text, words and marks."""
    if column not in SCHEMAS[table].figures:
        return ""
    if column in UNITS:
        return UNITS[column]
    if "_hours" in column:
        return HOURS
    if column == "n" or column.startswith("n_") or column.endswith("_n"):
        return "people"
    if column.endswith("_n_arms"):
        return "arms"
    if column.endswith("_sessions"):
        return "sessions"
    if table == "subjective":
        return "points, or as value_type says"
    return "points"
