"""Rows at many times to randomised differences of a drug and its control, trial by trial and day by day."""

import numpy as np
import pandas as pd

from pillprocess.decomposition.columns import share_of_variance
from pillprocess.evidence.tables import Evidence
from pillprocess.rows.arms import arm_changes
from pillprocess.rows.contrasts import contrasts
from pillprocess.rows.drug_contrasts import CONTROLS, drug_differences
from pillprocess.rows.times import UNCONTROLLED
from pillprocess.timecourse.stretches import STRETCH

COLUMNS = [
    "trial", "label", "drug", "arm", "reference_arm", "day", "days_from_last_dose", "n_doses", "visit", "y", "se", "se_arm", "se_reference",
    "dose_arm", "dose_reference", "n_arm", "n_reference", "therapy", "published", "construct", "instrument", "kind",
]  # fmt: skip


def time_rows(
    evidence: Evidence, *, constructs: tuple[str, ...] | None = None, drugs: tuple[str, ...] | None = None
) -> pd.DataFrame:
    """Gather every arm and every published difference at every usable time.

    Parameters
    ----------
    evidence, constructs, drugs
        As in :func:`pillprocess.arm_changes`.

    Returns
    -------
    The rows of ``arm_changes(times="all")``, and below them ``contrasts(times="all")`` of the other trials.
    """
    arms = arm_changes(evidence, constructs=constructs, drugs=drugs, times="all")
    differences = contrasts(evidence, constructs=constructs, drugs=drugs, times="all", besides=arms)
    return pd.concat([arms, differences], ignore_index=True)


def time_contrasts(rows: pd.DataFrame) -> pd.DataFrame:
    """Turn rows at many times into randomised differences of a drug and no or a low dose of it, at each time.

    Only rows of a day on which the arms still compare as randomised, after the last dose, with a known number of days since
    it. :func:`time_set_aside` names the others.

    Parameters
    ----------
    rows
        Rows of :func:`pillprocess.time_rows`, or of ``arm_changes(times="all")``.

    Returns
    -------
    DataFrame, one row per trial, drug arm and day: ``y`` (negative favours the drug), ``se`` and its two parts ``se_arm`` and
    ``se_reference``, ``day`` (from the first dose), ``days_from_last_dose``, ``visit`` (number of the day among those of its
    trial), the two doses (1 = the reference dose), the therapy of both.

    Raises
    ------
    ValueError
        The rows are not those of all times, or no difference is left.
    """
    _need_times(rows)
    table = _by_day(rows[why_unused(rows) == ""])
    if table.empty:
        raise ValueError("no row compares a drug with no or a low dose of it, as randomised and after the last dose")
    visit = table.groupby("trial")["day"].rank(method="dense") - 1
    numbers = ["n_doses", "y", "se", "se_arm", "se_reference", "dose_arm", "dose_reference", "therapy"]
    return table.assign(visit=visit)[COLUMNS].astype(dict.fromkeys(numbers, float)).reset_index(drop=True)


def with_relapse(table: pd.DataFrame, relapse: pd.DataFrame | None) -> pd.DataFrame:
    """Differences on a day, and below them those of relapse over a stretch of days, as `relapse_rows` makes them."""
    if relapse is None or relapse.empty:
        return table
    lacking = [c for c in (*COLUMNS, *STRETCH) if c not in relapse]
    if lacking:
        raise ValueError(f"the rows of relapse lack {', '.join(lacking)}; give those of relapse_rows(evidence)")
    return pd.concat([table, relapse[[*COLUMNS, *STRETCH]]], ignore_index=True)


def time_set_aside(rows: pd.DataFrame) -> pd.DataFrame:
    """List the rows that :func:`time_contrasts` does not use, with the reason.

    Parameters
    ----------
    rows
        As there.

    Returns
    -------
    DataFrame with columns ``trial``, ``row``, ``day``, ``reason``.
    """
    _need_times(rows)
    reason = why_unused(rows)
    used = time_contrasts(rows)
    seen = {
        (t, arm, d) for t, a, r, d in zip(used["trial"], used["arm"], used["reference_arm"], used["day"], strict=True) for arm in (a, r)
    }  # fmt: skip
    keys = zip(rows["trial"], rows["arm"], rows["time_days"], strict=True)
    unused = np.array([key not in seen for key in keys])
    reason = reason.mask(
        (reason == "") & unused, "no control without drug, or at a low dose of it, alike in therapy, on that day"
    )
    out = pd.DataFrame({"trial": rows["trial"], "row": rows["label"], "day": rows["time_days"], "reason": reason})
    return out[out["reason"] != ""].reset_index(drop=True)


def error_covariance(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Sampling covariance (row, row) of differences if errors of one arm did not change between visits, and visits apart.

    An arm's errors at two visits correlate by rho to the number of visits between them, so the covariance is the first times
    rho to the power of the second.
    """
    arm, reference = (table["trial"] + "\n" + table[c] for c in ("arm", "reference_arm"))
    names = sorted({*arm, *reference})
    place = {name: i for i, name in enumerate(names)}
    error = np.zeros((len(table), len(names)))
    row = np.arange(len(table))
    error[row, [place[a] for a in arm]] = table["se_arm"].to_numpy(float)
    error[row, [place[r] for r in reference]] = -table["se_reference"].to_numpy(float)
    visit = table["visit"].to_numpy(float)
    return error @ error.T, np.abs(visit[:, None] - visit[None])


def _by_day(rows: pd.DataFrame) -> pd.DataFrame:
    """Differences of each trial on each day, which is taken for a trial of its own."""
    days = rows.assign(
        of=rows["trial"], trial=[f"{t}\n{d!r}" for t, d in zip(rows["trial"], rows["time_days"], strict=True)]
    )
    table = drug_differences(days)
    table = table[table["control"] == CONTROLS[0]]
    if table.empty:
        return table
    of_arm = days.drop_duplicates(["trial", "arm"]).set_index(["trial", "arm"])
    taken = ["of", "time_days", "n_doses", "days_from_last_dose", "published", "construct", "instrument"]
    said = (
        of_arm.reindex(columns=taken).reindex(pd.MultiIndex.from_frame(table[["trial", "arm"]])).set_axis(table.index)
    )
    own = [share_of_variance(a, r) for a, r in zip(table["n_arm"], table["n_reference"], strict=True)]
    reference_variance = table["reference_variance"].astype(float).fillna((1 - np.array(own)) * table["se"] ** 2)
    names = [f", day {d:g}" for d in said["time_days"]]
    return table.drop(columns="trial").join(said.rename(columns={"of": "trial", "time_days": "day"})).assign(
        se_reference=np.sqrt(reference_variance), se_arm=np.sqrt(table["se"] ** 2 - reference_variance),
        label=[text.replace(name, "") + name for text, name in zip(table["label"], names, strict=True)],
    ).reset_index(drop=True)  # fmt: skip


def why_unused(rows: pd.DataFrame) -> pd.Series:
    """Why a row is not used, or ''."""
    reason = pd.Series("", index=rows.index, dtype=object)
    given = rows["dose"] > 0
    for text, applies in {
        "no control arm": rows["design"].isin(UNCONTROLLED),
        "no longer compared as randomised, or not known to be": rows["randomised"] != 1,
        "doses of the trial were still to come": rows["redosing"] == 1,
        "dosed several times, and the days since the last dose are not known": given
        & rows["days_from_last_dose"].isna(),
    }.items():
        reason = reason.mask((reason == "") & applies, text)
    return reason


def _need_times(rows: pd.DataFrame) -> None:
    lacking = [c for c in ("randomised", "redosing", "days_from_last_dose", "time_days") if c not in rows]
    if lacking:
        raise ValueError(
            f"the rows lack {', '.join(lacking)}; give those of time_rows(evidence) or of arm_changes(times='all')"
        )
