"""The rows of the decomposition: their terms on the model's scale, and what is wrong with them."""

import numpy as np
import pandas as pd

from pillprocess.gaussian.matrices import rows_by
from pillprocess.rows.terms import REPORTED

TERM_COLUMNS = ["dose", "therapy", "waitlist", "comparator", "expectancy", "experience"]


def describe_rows(rows: pd.DataFrame, amounts: pd.DataFrame) -> pd.DataFrame:
    """Each row's terms, with the amounts of :func:`therapy_amounts`; for a contrast, the first arm's minus the reference's."""
    is_contrast = (rows["kind"] == "contrast").to_numpy()
    table = rows[TERM_COLUMNS].astype(float)
    table["dose"], table["therapy"] = amounts["dose"], amounts["amount"]
    table["dose_therapy"] = table["dose"] * table["therapy"]
    if is_contrast.any():
        reference = rows[[f"reference_{c}" for c in TERM_COLUMNS]].astype(float).set_axis(TERM_COLUMNS, axis=1)
        reference["dose"], reference["therapy"] = amounts["reference_dose"], amounts["reference_amount"]
        reference["dose_therapy"] = reference["dose"] * reference["therapy"]
        table = table - reference[table.columns].mul(is_contrast, axis=0).fillna(0.0)
    return table.assign(drug_given=rows["drug_given"].to_numpy())


def check_rows(rows: pd.DataFrame, arms: pd.DataFrame, contrasts: pd.DataFrame | None, terms: frozenset[str]) -> None:
    """Raise one error that lists every row that cannot be modelled."""
    problems = []
    if contrasts is not None:
        both = sorted(set(arms["trial"]) & set(contrasts["trial"]))
        problems += [
            f"trial '{t}' is among the arms and the contrasts; use contrasts(evidence, besides=arms)" for t in both
        ]
    if rows["unit"].nunique() > 1:
        problems.append("rows in SD units and in points together; use one unit")
    for label in rows.loc[rows["label"].duplicated(), "label"]:
        problems.append(f"{label}: the row is there twice")
    needed = [c for c in TERM_COLUMNS if c not in ("expectancy", "experience") or c in terms]
    reference = [f"reference_{c}" for c in needed] if contrasts is not None else []
    columns = ["y", "se", *needed, *reference]
    bad = ~np.isfinite(rows[columns].to_numpy(float))
    bad[:, np.isin(columns, reference)] &= (rows["kind"] == "contrast").to_numpy()[:, None]
    labels = rows["label"].to_numpy()
    problems += [
        f"{labels[i]}: {column} is blank or not finite"
        for j, column in enumerate(columns)
        for i in np.flatnonzero(bad[:, j])
    ]
    problems += [
        f"{label}: se = {se:g}; a standard error must be > 0"
        for label, se in zip(rows["label"], rows["se"], strict=True)
        if se <= 0
    ]
    if problems:
        raise ValueError("nothing was fitted:\n" + "\n".join(problems))


def conditioning(rows: pd.DataFrame, terms: frozenset[str]) -> str:
    """What the outcome is modelled given: guesses reported after dosing are more than the treatment."""
    if "expectancy" in terms and (rows["expectancy_from"] == REPORTED).any():
        return "treatment and reported guesses"
    return "treatment"


def trials_that_contrast(values: pd.Series, rows: pd.DataFrame) -> list[str]:
    """Names of the trials whose arms differ in a term, or that published a difference between arms that do."""
    kind, amount = rows["kind"].to_numpy(), values.to_numpy(float)
    of_arms, of_differences = kind == "arm", kind == "contrast"
    return [
        str(name)
        for name, here in rows_by(rows["trial"]).items()
        if len(set(amount[here[of_arms[here]]])) > 1 or amount[here[of_differences[here]]].any()
    ]
