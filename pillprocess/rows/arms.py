"""Published numbers to one model row per arm.

A row is the mean symptom change of an arm, post - baseline, so that negative is improvement, with its standard error, in units of the
instrument's reference SD or in points; ``y_from`` and ``se_from`` say how it was derived (see :mod:`pillprocess.change_scores`).
No row is dropped in silence: :func:`set_aside` lists every included arm that has no model row, with the reason.
"""

from typing import Literal

import numpy as np
import pandas as pd

from pillprocess.evidence.drugs import known_drugs
from pillprocess.evidence.tables import Evidence
from pillprocess.output.kinds import check_choice
from pillprocess.rows.change_scores import change_sd, learned_correlation, mean_change, scale_to_reference
from pillprocess.rows.counted import counted_elsewhere
from pillprocess.rows.terms import add_belief, add_dose, add_experience
from pillprocess.rows.times import (
    TIME_COLUMNS,
    UNCONTROLLED,
    Times,
    check_times,
    still_randomised,
    warn_of_late_rows,
    with_times,
)

Unit = Literal["sd", "points"]

COLUMNS = [
    "trial", "arm", "label", "kind", "reference_arm", "study_drug", "drug", "drug_given", "role", "condition", "construct", "instrument",
    "time_days", "design", "blinding", "n", "n_randomised", "people", "randomised",
    "y", "se", "unit", "y_from", "se_from", "scale_from", "dose", "dose_from",
    "therapy", "therapy_type", "therapy_hours", "waitlist", "comparator", "expectancy", "expectancy_from", "expectancy_by_design",
    "experience", "experience_from", "evidence_quality", "published", "source_url",
]  # fmt: skip


def describe_arms(evidence: Evidence) -> pd.DataFrame:
    """One row per arm, indexed by (trial, arm), with its terms and, in ``reason``, what keeps it out of every model."""
    trials = evidence.trials.set_index("trial_id")
    arms = evidence.arms.rename(columns={"trial_id": "trial", "arm_id": "arm"}).copy()
    for column in ("condition", "design", "blinding", "population", "include", "exclude_reason", "retracted"):
        arms[f"trial_{column}"] = arms["trial"].map(trials[column])
    arms["trial_published"] = arms["trial"].map(trials["published"]).fillna(1.0)
    arms["trial_randomised_until"] = arms["trial"].map(trials["randomised_until"])
    arms["counted_in"] = arms["trial"].map(counted_elsewhere(evidence))
    arms["n_randomised"] = arms["n"].where(arms["n_basis"].isna())
    arms["therapy_hours"] = arms["therapy_hours_nondrug"]
    arms["therapy_type"] = arms["psychotherapy"].fillna("").where(arms["therapy"] == 1, "")
    arms["waitlist"] = (arms["role"] == "waitlist").astype(float)
    drugs = known_drugs(evidence)
    other_drug = ~arms["drug"].isin([*drugs, "placebo", "none"]) & (arms["role"] == "comparator")
    arms["comparator"] = other_drug.astype(float)
    arms = add_dose(arms, evidence)
    arms = add_belief(arms, evidence.expectancy, drugs)
    arms = add_experience(arms, evidence)
    arms["drug_given"] = arms["drug"].where(arms["drug"].isin(drugs), arms["study_drug"])
    arms["reason"] = _reason_arm(arms)
    return arms.set_index(["trial", "arm"], drop=False).rename_axis([None, None])


def _reason_arm(arms: pd.DataFrame) -> pd.Series:
    """Why an arm's description keeps it out of every model, or ''."""
    reasons = {
        "the trial is excluded: ": arms["trial_include"] != 1,
        "healthy volunteers": arms["trial_population"] != "patients",
        "the arm is excluded: ": arms["include_arm"] != 1,
        "its people are counted in ": arms["counted_in"] != "",
        "the drug has no reference dose: ": arms["dose_from"] == "other drug",
        "therapy not reported": arms["therapy"].isna(),
    }
    detail = {
        "the trial is excluded: ": arms["trial_exclude_reason"],
        "the arm is excluded: ": arms["exclude_arm_reason"],
        "its people are counted in ": arms["counted_in"],
        "the drug has no reference dose: ": arms["drug"],
    }
    reason = pd.Series("", index=arms.index, dtype=object)
    for text, applies in reasons.items():
        full = text + detail[text].fillna("").astype(str) if text in detail else text
        reason = reason.mask((reason == "") & applies, full)
    return reason


def _candidates(
    evidence: Evidence,
    unit: Unit,
    window: tuple[float, float] | None,
    correlation: float | None,
    times: Times = "primary",
) -> pd.DataFrame:
    """One row per included arm of patients (and time), with its model row or the reason it has none."""
    arms = describe_arms(evidence)
    instruments = evidence.instruments.set_index("instrument")
    outcomes = evidence.outcomes.rename(columns={"trial_id": "trial", "arm_id": "arm"})
    if correlation is None:
        correlation = float(learned_correlation(evidence)["r"])
    rows = _choose(outcomes[outcomes["include"] == 1], window, times).reset_index(drop=True)
    rows = rows.join(mean_change(rows)).drop(columns="change_sd").join(change_sd(rows, correlation, instruments))
    rows = rows.join(scale_to_reference(instruments, rows["instrument"]))
    sign = np.where(rows["instrument"].map(instruments["higher_is_worse"]) == 1, 1.0, -1.0)
    divisor = rows["reference_sd"] if unit == "sd" else pd.Series(1.0, index=rows.index)
    rows["y"] = sign * rows["points"] / divisor
    rows["se"] = rows["change_sd"] / np.sqrt(rows["n"]) / divisor
    keep = [
        "trial",
        "arm",
        "instrument",
        "construct",
        "time_days",
        "primary_time",
        "primary",
        "days_from_last_dose",
        "n",
        "y",
        "se",
        "y_from",
        "se_from",
        "scale_from",
        "evidence_quality",
        "source_url",
    ]
    table = (
        arms.drop(columns=["n", "source_url"]).reset_index(drop=True).merge(rows[keep], on=["trial", "arm"], how="left")
    )
    missing = {
        "no primary outcome row" + (f" in days {window[0]:g} to {window[1]:g}" if window else ""): table[
            "instrument"
        ].isna(),
        "the primary outcome has no mean change (counts or percentages only, or no baseline)": table["y_from"].fillna(
            ""
        )
        == "",
        "n of the arm's primary outcome not reported": table["n"].isna(),
        "the instrument has no reference SD": table["y"].isna(),
        "no SD of the change can be formed": table["se"].isna(),
    }
    for text, applies in missing.items():
        table["reason"] = table["reason"].mask((table["reason"] == "") & applies, text)
    usable = table["reason"] == ""
    arms_left = table["arm"].where(usable).groupby(table["trial"]).transform("nunique")
    alone = usable & (arms_left == 1) & ~table["trial_design"].isin(UNCONTROLLED)
    table["reason"] = table["reason"].mask(alone, "no other arm of this comparative trial is usable")
    return table


def _choose(outcomes: pd.DataFrame, window: tuple[float, float] | None, times: Times) -> pd.DataFrame:
    """The primary row of each arm; with a window, the primary instrument's row in it that is nearest the primary time.

    With ``times="all"`` every row of one instrument after the first dose: the primary one, or where no row of it can be used
    the one with most usable rows.
    """
    primary = outcomes[outcomes["primary"] == 1]
    key = primary[["trial", "arm", "instrument", "time_days"]].rename(columns={"time_days": "primary_time"})
    if times == "all":
        usable = outcomes[(outcomes["usable"] == 1) & (outcomes["time_days"] > 0)]
        counted = usable.groupby(["trial", "arm", "instrument"]).size().rename("rows").reset_index()
        counted = counted.merge(key, on=["trial", "arm", "instrument"], how="left")
        counted = counted.assign(own=counted["primary_time"].notna())
        order = ["trial", "arm", "own", "rows"]
        chosen = counted.sort_values(order, ascending=[True, True, False, False], kind="stable")
        chosen = chosen.drop_duplicates(["trial", "arm"])[["trial", "arm", "instrument", "primary_time"]]
        rows = usable.merge(chosen, on=["trial", "arm", "instrument"])
        rows = rows[rows["time_days"].between(*window)] if window else rows
        return rows.sort_values(["trial", "arm", "time_days"], kind="stable")
    if window is None:
        return primary.assign(primary_time=primary["time_days"])
    rows = outcomes.merge(key, on=["trial", "arm", "instrument"])
    rows = rows[rows["time_days"].between(*window)]
    rows = rows.assign(distance=(rows["time_days"] - rows["primary_time"]).abs())
    return rows.sort_values("distance", kind="stable").drop_duplicates(["trial", "arm"]).sort_values(["trial", "arm"])


def arm_changes(
    evidence: Evidence,
    *,
    constructs: tuple[str, ...] | None = None,
    drugs: tuple[str, ...] | None = None,
    unit: Unit = "sd",
    window: tuple[float, float] | None = None,
    times: Times = "primary",
    correlation: float | None = None,
) -> pd.DataFrame:
    """Turn published outcomes into one model row per arm, or one per arm and time.

    Parameters
    ----------
    evidence
        The checked tables.
    constructs
        Keep trials whose primary outcome measures one of these (e.g. ``("depression", "ptsd")``); all by default.
    drugs
        Keep trials of these study drugs; all by default.
    unit
        ``"sd"``: change over the instrument's reference SD. ``"points"``: the instrument's own points.
    window
        Days from first dose, inclusive: take the primary instrument's row in it nearest the primary time. By default the
        trial's own primary time.
    times
        ``"all"``: every usable time after the first dose, of one instrument per arm (the primary one, or where none of its rows
        is usable the one with most usable rows), for :func:`pillprocess.time_course`; rows of one arm are the same people.
    correlation
        Pre-post correlation for arms that lack the SD of the change; learned from the evidence by default.

    Returns
    -------
    DataFrame, one row per arm: ``y`` (mean change; negative is improvement), ``se``, how each was derived (``y_from``,
    ``se_from``, ``scale_from``, ``dose_from``, ``expectancy_from``), and the arm's terms: ``dose`` (1 = the drug's
    reference dose), ``therapy``, ``waitlist``, ``comparator``, ``expectancy``, ``experience``; ``therapy_type`` is the therapy's name in
    the tables and ``therapy_hours`` its hours outside dosing days, blank where not reported. ``n`` counts the people
    analysed, ``n_randomised`` those randomised (missing where not known), ``people`` is n, or 0 where another arm of a
    crossover counts them; ``randomised`` is 0 after the trial's ``randomised_until`` (where no such day is known, after its
    primary time) and without control; ``published`` is 0 for figures known from a sponsor, the press or a congress alone.
    With ``times="all"`` also ``primary``, ``n_doses``, ``days_from_last_dose`` (blank where the days of later doses are not
    known) and ``redosing`` (1 from the second day on while an arm that is dosed more than once, or an unknown number of
    times, has doses to come).

    Raises
    ------
    ValueError
        Unknown construct, drug, unit or times; no row left; points asked for over several instruments.

    Warns
    -----
    UserWarning
        A row in the window lies after its trial's randomised comparison.

    Examples
    --------
    >>> import pillprocess as pp
    >>> arms = pp.arm_changes(pp.load_evidence())
    >>> arms.loc[arms["trial"] == "goodwin2022", ["arm", "dose", "therapy", "n", "y", "se"]].round(2).reset_index(drop=True)
                   arm  dose  therapy     n     y    se
    0  psilocybin_10mg  0.40      1.0  75.0 -0.77  0.13
    1   psilocybin_1mg  0.04      1.0  79.0 -0.53  0.13
    2  psilocybin_25mg  1.00      1.0  79.0 -1.17  0.13
    """
    check_choice("constructs", constructs, set(evidence.instruments["construct"]))
    check_choice("drugs", drugs, set(known_drugs(evidence)))
    if unit not in ("sd", "points"):
        raise ValueError(f"unit = {unit!r}; it must be 'sd' or 'points'")
    check_times(times)
    if correlation is not None and not -1 < correlation < 1:
        raise ValueError(f"correlation = {correlation}; it must lie between -1 and 1")
    table = _candidates(evidence, unit, window, correlation, times)
    rows = table[table["reason"] == ""]
    if drugs is not None:
        rows = rows[rows["trial"].isin(rows.loc[rows["study_drug"].isin(drugs), "trial"])]
    if constructs is not None:
        rows = rows[rows["construct"].isin(constructs)]
    if rows.empty:
        raise ValueError(
            "no arm has a usable outcome under these choices; set_aside(evidence) lists why each arm is out"
        )
    used = sorted(rows["instrument"].unique())
    if unit == "points" and len(used) > 1:
        raise ValueError(f"points of different instruments cannot be pooled ({', '.join(used)}); use unit='sd'")
    rows = rows.assign(
        kind="arm", reference_arm="", unit=unit, label=rows["trial"] + ": " + rows["arm"],
        condition=rows["trial_condition"], design=rows["trial_design"], blinding=rows["trial_blinding"],
        published=is_published(rows["trial_published"], rows["evidence_quality"]),
        people=rows["n"].where(rows["same_people_as"].isna(), 0.0), randomised=still_randomised(rows),
    )  # fmt: skip
    if times == "all":
        return with_times(rows)[[*COLUMNS, *TIME_COLUMNS]].reset_index(drop=True)
    if window is not None:
        warn_of_late_rows(rows)
    return rows[COLUMNS].reset_index(drop=True)


def set_aside(evidence: Evidence, *, window: tuple[float, float] | None = None) -> pd.DataFrame:
    """List every included arm of patients that has no arm-level model row, with the reason.

    Parameters
    ----------
    evidence
        The checked tables.
    window
        Days from and to between which an outcome counts, as in :func:`arm_changes`.

    Returns
    -------
    DataFrame with columns ``trial``, ``arm``, ``reason``.

    Examples
    --------
    >>> import pillprocess as pp
    >>> pp.set_aside(pp.load_evidence()).columns.tolist()
    ['trial', 'arm', 'reason']
    """
    table = _candidates(evidence, "sd", window, None)
    relevant = (table["trial_include"] == 1) & (table["trial_population"] == "patients") & (table["reason"] != "")
    return table.loc[relevant, ["trial", "arm", "reason"]].reset_index(drop=True)


def is_published(of_trial: pd.Series, quality: pd.Series) -> pd.Series:
    """Whether a figure is in print (1) or known from the press, a sponsor or a congress alone (0)."""
    return (of_trial.eq(1) & quality.ne("press")).astype(int)
