r"""Published acute scores on one latent scale per dimension of experience.

The experience S of a dimension (mystical, dissociative, prosocial) has SD 1 among people given the drug. An instrument i
measures it with loading :math:`\lambda_i`, its correlation with S, so that a mean score above placebo, over the SD of
scores under the drug, is :math:`\lambda_i` times the mean of S. Correlations between instruments inform the loadings.
No score is dropped in silence: ``scores_set_aside`` says why each is not used.
"""

import numpy as np
import pandas as pd

from pillprocess.evidence.drugs import experiences_of, known_drugs
from pillprocess.evidence.tables import Evidence
from pillprocess.rows.terms import dose_curve

PARTS_OF = ("MEQ30_", "MEQ43_", "CADSS_")
"""Subscales of a total that is there too, and single items."""

SCORE_COLUMNS = ["study", "arm", "drug", "dimension", "instrument", "dose", "n", "d", "se", "d_from", "source_url"]


def acute_scores(evidence: Evidence, *, dose_shape: str = "linear") -> pd.DataFrame:
    """Turn published acute scores into standardised effects of a dose.

    Parameters
    ----------
    evidence
        The checked tables.
    dose_shape
        As in :func:`pillprocess.decomposition_design`.

    Returns
    -------
    DataFrame, one row per study, arm and instrument: ``d`` (mean score above placebo in SDs of the score under the drug),
    ``se`` (its sampling error from estimating mean and SD), ``dose`` (1 = reference dose), ``n``, ``d_from``.
    """
    table = _candidates(evidence)
    table = table[table["reason"] == ""]
    table["dose"] = dose_curve(table["dose"].to_numpy(), dose_shape)
    return table[SCORE_COLUMNS].reset_index(drop=True)


def scores_set_aside(evidence: Evidence) -> pd.DataFrame:
    """List the included acute scores of the known drugs that are not used, with the reason.

    Parameters
    ----------
    evidence
        The checked tables.

    Returns
    -------
    DataFrame with columns ``study``, ``arm``, ``instrument``, ``reason``.
    """
    table = _candidates(evidence)
    return table.loc[table["reason"] != "", ["study", "arm", "instrument", "reason"]].reset_index(drop=True)


def scale_correlations(evidence: Evidence, instruments: list[str]) -> pd.DataFrame:
    """Return the published correlations between two of these instruments: ``instrument``, ``other``, ``r``, ``n``."""
    bridge = evidence.scale_bridge.assign(
        instrument=lambda t: t["scale_a"].str.removesuffix("_total"), other=lambda t: t["scale_b"].str.removesuffix("_total")
    )  # fmt: skip
    inside = bridge["instrument"].isin(instruments) & bridge["other"].isin(instruments) & (bridge["n"] > 3)
    return bridge.loc[inside, ["instrument", "other", "r", "n", "source"]].reset_index(drop=True)


def _candidates(evidence: Evidence) -> pd.DataFrame:
    """Every included acute score and paired contrast of the known drugs, with d and its error or the reason it has none."""
    names = {"trial_id": "study", "arm_id": "arm"}
    table = pd.concat([_from_scores(evidence), _from_t_values(evidence)], ignore_index=True).rename(columns=names)
    order = table["reason"].ne("").astype(int)
    table = table.assign(order=order).sort_values(
        ["order", "rank", "size"], ascending=[True, True, False], kind="stable"
    )
    again = table.duplicated(["study", "arm", "instrument"])
    table["reason"] = table["reason"].mask(
        (table["reason"] == "") & again, "another row of this arm and instrument is used"
    )
    return table.sort_index()


def _from_scores(evidence: Evidence) -> pd.DataFrame:
    rows = evidence.subjective
    rows = rows[(rows["include"] == 1) & rows["value_type"].isin(["score", "difference_from_placebo"])].copy()
    key = ["trial_id", "instrument", "time_note"]
    placebo = (
        rows[rows["drug"].isin(["placebo", "none"]) & (rows["value_type"] == "score")]
        .groupby(key, dropna=False)["mean"]
        .mean()
    )
    by_scale = placebo.groupby(["trial_id", "instrument"]).mean()
    control = [
        placebo.get((t, i, when), by_scale.get((t, i), np.nan))
        for t, i, when in rows[key].itertuples(index=False, name=None)
    ]
    score = rows["value_type"] == "score"
    rows = rows.assign(control=pd.Series(control, index=rows.index).where(score, 0.0))
    rows = rows[rows["drug"].isin(known_drugs(evidence))].copy()
    fraction = rows["sd_fraction"].where(rows["sd"].notna()).groupby(rows["dimension"]).transform("mean")
    borrowed = rows["sd"].isna() & rows["scale_max"].notna() & fraction.notna()
    sd = rows["sd"].fillna(fraction * (rows["scale_max"] - rows["scale_min"].fillna(0)))
    d = (rows["mean"] - rows["control"].fillna(rows["scale_min"]).fillna(0)) / sd
    rows["d"], rows["se"] = d, np.sqrt(d**2 / (2 * (rows["n"] - 1)))
    rows["d_from"] = np.where(rows["control"].notna(), "above placebo or no drug", "above the scale's lowest value")
    rows["d_from"] += np.where(borrowed, ", SD borrowed: mean of the dimension's scales", "")
    rows["dose"] = _relative_dose(rows, evidence)
    rows["rank"], rows["size"] = borrowed.astype(int), rows["mean"]
    rows["reason"] = _reasons(rows, experiences_of(evidence))
    return rows


def _from_t_values(evidence: Evidence) -> pd.DataFrame:
    """Paired contrasts with placebo: dz, the mean difference in SDs of the difference."""
    rows = evidence.acute_contrasts
    rows = rows[rows["dz"].notna() & rows["reference_arm_id"].eq("placebo")].copy()
    doses = evidence.subjective.drop_duplicates(["trial_id", "arm_id"]).set_index(["trial_id", "arm_id"])
    found = doses.reindex(list(zip(rows["trial_id"], rows["arm_id"], strict=True)))
    for column in ("drug", "dose", "dose_mg_equiv", "dose_mg_per_kg"):
        rows[column] = found[column].to_numpy()
    rows["mean"], rows["d"] = rows["dz"], rows["dz"]
    rows["se"] = np.sqrt(rows["dz"] ** 2 / (2 * (rows["n"] - 1)))
    rows["d_from"] = "t / sqrt(n) against placebo, paired"
    rows["dose"] = _relative_dose(rows, evidence)
    rows["rank"], rows["size"] = 2, rows["dz"]
    rows["reason"] = _reasons(rows, experiences_of(evidence))
    return rows


def _relative_dose(rows: pd.DataFrame, evidence: Evidence) -> pd.Series:
    """Dose over the reference dose by the route of the drug's acute scores, which the tables of scores do not print."""
    dose = pd.Series(np.nan, index=rows.index)
    routes = evidence.drugs.set_index("drug")["score_route"].fillna("oral")
    for reference in evidence.reference_doses.itertuples():
        if reference.route != routes.get(str(reference.drug), "oral"):
            continue
        dose = dose.mask(rows["drug"] == reference.drug, rows[str(reference.dose_column)] / reference.dose)
    return dose


def _reasons(rows: pd.DataFrame, experiences: dict[str, str]) -> pd.Series:
    """Why a score is not used, or ''."""
    dimension = rows["drug"].map(experiences)
    reason = pd.Series("", index=rows.index, dtype=object)
    for text, applies in {
        "drugs.csv gives this drug no dimension of experience": dimension.isna(),
        "not the dimension through which this drug's effect may run": rows["dimension"] != dimension,
        "a part of a scale whose total is there": rows["instrument"].str.startswith(PARTS_OF),
        "mean not reported": rows["mean"].isna(),
        "n not reported": ~(rows["n"] > 2),
        "dose not reported": ~(rows["dose"] > 0),
        "no SD to standardise by": rows["d"].isna(),
    }.items():
        reason = reason.mask((reason == "") & applies, text)
    return reason
