"""Between-arm differences of trials that published no usable arm means.

Each trial gives the difference of every comparison it declared primary, in reference SDs, with the signs turned so that a
negative difference favours the first arm. ``y_from`` and ``se_from`` say which published figure was used and how.
"""

import numpy as np
import pandas as pd
from scipy import special

from pillprocess.evidence.drugs import known_drugs
from pillprocess.evidence.tables import Evidence
from pillprocess.output.kinds import check_choice
from pillprocess.rows.arms import COLUMNS, arm_changes, describe_arms, is_published
from pillprocess.rows.change_scores import scale_to_reference
from pillprocess.rows.times import TIME_COLUMNS, Times, check_times, still_randomised, warn_of_late_rows, with_times

EVENT_TYPES = ("response", "remission", "abstinence")
SIDES = [
    "dose",
    "therapy",
    "therapy_type",
    "therapy_hours",
    "waitlist",
    "comparator",
    "expectancy",
    "expectancy_by_design",
    "experience",
]
KEY = ["trial_id", "arm_id", "reference_arm_id"]
FAVOURS = {"negative_favours_arm": 1, "below_1_favours_arm": 1, "positive_favours_arm": -1, "above_1_favours_arm": -1}
"""The sign that makes a negative difference favour the first arm."""


def contrasts(
    evidence: Evidence,
    *,
    constructs: tuple[str, ...] | None = None,
    drugs: tuple[str, ...] | None = None,
    besides: pd.DataFrame | None = None,
    window: tuple[float, float] | None = None,
    times: Times = "primary",
) -> pd.DataFrame:
    """Turn published between-arm differences into model rows.

    Parameters
    ----------
    evidence
        The checked tables.
    constructs, drugs
        As in :func:`pillprocess.arm_changes`.
    besides
        Arm rows already in the model; their trials are left out here, so that nothing counts twice.
    window, times
        As in :func:`pillprocess.arm_changes`, among the differences with the instrument of the declared primary one.

    Returns
    -------
    DataFrame with the columns of ``arm_changes``; ``arm`` against ``reference_arm``, ``y`` in reference SDs and ``se``.
    The term columns (``dose``, ``therapy`` ...) describe ``arm``; ``reference_dose`` ... describe ``reference_arm``.

    Raises
    ------
    ValueError
        Unknown construct, drug or times.

    Warns
    -----
    UserWarning
        A row in the window lies after its trial's randomised comparison.

    Examples
    --------
    >>> import pillprocess as pp
    >>> evidence = pp.load_evidence()
    >>> arms = pp.arm_changes(evidence)
    >>> contrasts = pp.contrasts(evidence, besides=arms)
    >>> contrasts.loc[contrasts["trial"] == "bogenschutz2022", ["arm", "reference_arm", "y", "se"]].round(2).reset_index(drop=True)
              arm    reference_arm     y    se
    0  psilocybin  diphenhydramine -0.53  0.21
    """
    check_choice("constructs", constructs, set(evidence.instruments["construct"]))
    check_choice("drugs", drugs, set(known_drugs(evidence)))
    check_times(times)
    rows = _standardise(evidence, window, times)
    rows = rows[rows["reason"] == ""]
    if drugs is not None:
        rows = rows[rows["study_drug"].isin(drugs)]
    if constructs is not None:
        rows = rows[rows["construct"].isin(constructs)]
    if besides is not None:
        rows = rows[~rows["trial"].isin(besides["trial"])]
    sides = ["n_arm", "n_reference", *(f"reference_{c}" for c in SIDES)]
    if times == "all":
        return with_times(rows)[[*COLUMNS, *TIME_COLUMNS, *sides]].reset_index(drop=True)
    if window is not None:
        warn_of_late_rows(rows)
    return rows[[*COLUMNS, *sides]].reset_index(drop=True)


def model_rows(
    evidence: Evidence, *, constructs: tuple[str, ...] | None = None, drugs: tuple[str, ...] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn an evidence base into arm rows and rows of differences; one of the two may be empty.

    Parameters
    ----------
    evidence, constructs, drugs
        As in :func:`pillprocess.arm_changes`.

    Returns
    -------
    The rows of :func:`pillprocess.arm_changes` and, of the other trials, those of :func:`pillprocess.contrasts`.

    Raises
    ------
    ValueError
        Neither an arm nor a difference is usable.
    """
    try:
        arms = arm_changes(evidence, constructs=constructs, drugs=drugs)
    except ValueError:
        differences = contrasts(evidence, constructs=constructs, drugs=drugs)
        if differences.empty:
            raise
        return differences.iloc[:0], differences
    return arms, contrasts(evidence, constructs=constructs, drugs=drugs, besides=arms)


def contrasts_set_aside(evidence: Evidence) -> pd.DataFrame:
    """List the primary between-arm differences of included patient trials that cannot become model rows, with the reason.

    Parameters
    ----------
    evidence
        The checked tables.

    Returns
    -------
    DataFrame with columns ``trial``, ``arm``, ``reference_arm``, ``effect_type``, ``reason``.
    """
    rows = _standardise(evidence)
    return rows.loc[rows["reason"] != "", ["trial", "arm", "reference_arm", "effect_type", "reason"]].reset_index(
        drop=True
    )


def _standardise(
    evidence: Evidence, window: tuple[float, float] | None = None, times: Times = "primary"
) -> pd.DataFrame:
    """Every primary between-arm comparison with its best row in reference SDs, or the reason there is none."""
    drugs = known_drugs(evidence)
    table = evidence.contrasts
    arms = describe_arms(evidence)
    table = _choose(table[(table["level"] == "between_arm") & (table["include"] == 1)], window, times)
    table = table[
        table["trial_id"].isin(
            arms.loc[(arms["trial_include"] == 1) & (arms["trial_population"] == "patients"), "trial"]
        )
    ]
    for side in ("arm_id", "reference_arm_id"):
        of_side = arms.reindex(pd.MultiIndex.from_frame(table[["trial_id", side]]))
        known = of_side["trial"].notna()
        table[f"{side}_n"] = of_side["n"].to_numpy()
        table[f"{side}_n_randomised"] = of_side["n_randomised"].to_numpy()
        table[f"{side}_reason"] = of_side["reason"].where(known, "").to_numpy()
        table[f"{side}_drug"] = of_side["drug"].where(known, "").to_numpy()
        table[f"{side}_as"] = of_side["same_people_as"].to_numpy()
    table = _add_estimates(table, evidence.instruments.set_index("instrument"))
    key = [*KEY, "time_days"] if times == "all" else KEY
    if window is not None and times == "primary":
        table = table.sort_values([*KEY, "distance"], kind="stable")
        table = table[table["distance"] <= table.groupby(KEY)["distance"].transform("min")]
    table = (
        table.assign(later=-table["primary"]).sort_values([*key, "later", "rank"], kind="stable").drop_duplicates(key)
    )
    described = arms.loc[list(zip(table["trial_id"], table["arm_id"], strict=True))].reset_index(drop=True)
    reference = arms.loc[list(zip(table["trial_id"], table["reference_arm_id"], strict=True)), SIDES].reset_index(
        drop=True
    )
    described = described.join(reference.add_prefix("reference_"))
    table = table.reset_index(drop=True)
    n = table["arm_id_n"] + table["reference_arm_id_n"]
    once = table["arm_id_as"].eq(table["reference_arm_id"]) | table["reference_arm_id_as"].eq(table["arm_id"])
    day = described.assign(time_days=table["time_days"], primary_time=table["primary_time"])
    return described.drop(columns=["n", "source_url", "reason"]).assign(
        kind="contrast", reference_arm=table["reference_arm_id"], effect_type=table["effect_type"],
        label=table["trial_id"] + ": " + table["arm_id"] + " v " + table["reference_arm_id"],
        condition=described["trial_condition"], design=described["trial_design"], blinding=described["trial_blinding"],
        instrument=table["instrument"], construct=table["construct"], time_days=table["time_days"], n=n,
        n_arm=table["arm_id_n"], n_reference=table["reference_arm_id_n"], y=table["y"],
        se=table["y_se"], unit="sd", y_from=table["y_from"], se_from=table["se_from"], scale_from=table["scale_from"],
        n_randomised=table["arm_id_n_randomised"] + table["reference_arm_id_n_randomised"],
        people=n.mask(once, n / 2), randomised=still_randomised(day),
        primary=table["primary"], primary_time=table["primary_time"],
        published=is_published(described["trial_published"], table["basis"]),
        evidence_quality=table["basis"], source_url=table["source_url"], reason=_reasons(table, drugs),
    )  # fmt: skip


def _choose(table: pd.DataFrame, window: tuple[float, float] | None, times: Times) -> pd.DataFrame:
    """The primary differences; with a window or all times, every difference of the same arms and instrument."""
    primary = table[table["primary"] == 1]
    if window is None and times == "primary":
        return primary.assign(primary_time=primary["time_days"])
    same = [*KEY, "instrument"]
    last = primary.groupby(same, dropna=False)["time_days"].max().rename("primary_time").reset_index()
    rows = table[table["subgroup"].isna() & (table["outcome_type"] == "continuous")].merge(last, on=same)
    rows = rows[rows["time_days"] > 0]
    rows = rows[rows["time_days"].between(*window)] if window else rows
    return rows.assign(distance=(rows["time_days"] - rows["primary_time"]).abs())


def _add_estimates(table: pd.DataFrame, instruments: pd.DataFrame) -> pd.DataFrame:
    """Add y, its standard error, and a rank that prefers points over reference SD, then d, then counts."""
    scale = scale_to_reference(instruments, table["instrument"])
    favours = table["direction"].map(FAVOURS).astype(float)
    kind, estimate = table["effect_type"], table["estimate"]
    continuous = table["outcome_type"] == "continuous"
    points = continuous & (kind == "mean_difference")
    d = continuous & kind.isin(["hedges_g", "cohen_d"])
    odds = table["outcome_type"].isin(EVENT_TYPES) & (kind == "odds_ratio")
    harmonic = np.sqrt(1 / table["arm_id_n"] + 1 / table["reference_arm_id_n"])

    printed = table["se"].where(~odds)
    interval = (table["ci_high"] - table["ci_low"]) / (2 * 1.959964)
    interval = interval.where(~odds, _log(table["ci_high"] / table["ci_low"]) / (2 * 1.959964))
    z = pd.Series(-special.ndtri(table["p"].clip(lower=1e-300) / 2), index=table.index)
    from_p = (estimate.abs() / z).where(table["p_op"].isin(["=", "<"]) & (table["p"] > 0) & (z > 0.5) & ~odds)
    from_n = (harmonic * np.sqrt(1 + estimate**2 / 8)).where(d)
    raw = pd.Series(np.nan, index=table.index)
    source = pd.Series("", index=table.index, dtype=object)
    for name, values in {
        "printed SE": printed, "95 % CI": interval, "arm sizes": from_n,
        "p value (an upper bound where p < was printed)": from_p,
    }.items():  # fmt: skip
        take = raw.isna() & values.notna()
        raw, source = raw.where(~take, values), source.where(~take, name)

    implied = points & scale["reference_sd"].isna() & harmonic.notna() & raw.notna()
    divisor = scale["reference_sd"].where(~implied, raw / harmonic).where(points, 1.0)
    y = favours * estimate / divisor
    y = y.where(~odds, favours * _log(estimate) * np.sqrt(3) / np.pi)
    se = (raw / divisor).where(~odds, raw * np.sqrt(3) / np.pi)
    usable = (points | d | odds) & y.notna() & se.notna()
    return table.assign(
        y=y.where(usable), y_se=se.where(usable), se_from=source, comparable=points | d | odds, favours=favours,
        y_from=kind.str.replace("_", " ") + np.where(odds, ", ln OR x sqrt(3) / pi", ""),
        scale_from=np.select(
            [implied, points, odds], ["SD implied by the interval and arm sizes", scale["scale_from"], "latent logistic SD"],
            "the trial's own SD",
        ),
        rank=np.select([usable & points & ~implied, usable & d, usable & points, usable & odds], [0, 1, 2, 3], 9),
    )  # fmt: skip


def _log(ratio: pd.Series) -> pd.Series:
    """Natural logarithm where the ratio is positive, blank elsewhere."""
    return np.log(ratio.where(ratio > 0))


def _reasons(table: pd.DataFrame, drugs: tuple[str, ...]) -> pd.Series:
    """Why a comparison has no model row, or ''."""
    reason = pd.Series("", index=table.index, dtype=object)
    for text, applies in {
        "relapse after randomised withdrawal is another question than symptom change": table["outcome_type"]
        == "relapse",
        "effect type cannot be put in SD units: ": ~table["comparable"],
        "which sign favours the arm is not stated": table["favours"].isna(),
        "the two arms got different study drugs; give their arm rows instead": table["arm_id_drug"].isin(drugs)
        & table["reference_arm_id_drug"].isin(drugs)
        & (table["arm_id_drug"] != table["reference_arm_id_drug"]),
        "no standard error can be formed": table["y_se"].isna(),
    }.items():
        suffix = table["effect_type"] if text.endswith(": ") else ""
        reason = reason.mask((reason == "") & applies, text + suffix)
    for side in ("arm_id_reason", "reference_arm_id_reason"):
        reason = reason.mask((reason == "") & (table[side] != ""), table[side])
    return reason
