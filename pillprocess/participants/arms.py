"""Participants' experience and outcome as sufficient statistics by arm, for the synthesis.

Rows of people, arm covariances, or arm means with SDs and r carry the same information for a Gaussian recursion, so all
three become one table: n, means, SDs and r of experience and outcome in each arm.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.participants.coding import label
from pillprocess.participants.table import Participants
from pillprocess.rows.terms import dose_curve

DESCRIBED = ["trial", "arm", "drug", "dose", "therapy", "open", "instrument"]
MOMENTS = ["n", "mean_s", "mean_y", "sd_s", "sd_y", "r"]
COVARIANCES = ["var_s", "var_y", "cov_sy"]


def person_arms(
    people: Participants,
    arms: pd.DataFrame,
    *,
    experience: str,
    instrument: str,
    reference_sd: float,
) -> pd.DataFrame:
    """Reduce participants to one row per trial and arm.

    Parameters
    ----------
    people
        From `load_participants`; the outcome is a change in points.
    arms
        What was given, indexed by arm label: ``drug`` (one that has an experience in ``drugs.csv``; of a control arm,
        the study drug), ``dose`` (1 = reference dose, 0 without drug), ``therapy`` (0 or 1), and
        optionally ``open`` (1: participants knew).
    experience
        The mediator that holds the experience.
    instrument
        Name of its scale, as in the evidence tables (``"MEQ30"``, ``"CADSS"``).
    reference_sd
        Points of the outcome that make one reference SD (see ``instruments.csv``).

    Returns
    -------
    DataFrame with columns ``trial``, ``arm``, ``drug``, ``dose``, ``therapy``, ``open``, ``instrument``, ``n``, ``mean_s``,
    ``mean_y``, ``sd_s``, ``sd_y`` (reference SDs; negative is improvement) and ``r``. People who lack either are left out and
    counted in ``attrs["incomplete"]``.

    Raises
    ------
    ValueError
        An arm is not described, or the experience is no mediator of these participants.
    """
    if experience not in people.mediators:
        raise ValueError(f"experience = {experience!r}; the mediators are {', '.join(people.mediators)}")
    arms = arms.set_axis(pd.Index([label(a) for a in arms.index]), axis=0)
    missing = sorted(set(people.arm) - set(arms.index))
    if missing:
        raise ValueError(
            f"arms that are not described: {', '.join(map(str, missing))}; give each its drug, dose and therapy"
        )
    absent = [c for c in ("drug", "dose", "therapy") if c not in arms]
    if absent or not arms.index.is_unique:
        what = f"have no column {', '.join(absent)}" if absent else "describe an arm twice"
        raise ValueError(f"the arms {what}; give each arm of the participants one row with drug, dose and therapy")
    if not isinstance(reference_sd, int | float) or not reference_sd > 0:
        raise ValueError(f"reference_sd = {reference_sd!r}; it must be a number above 0")
    sign = 1.0 if people.higher_is_worse else -1.0
    rows = pd.DataFrame(
        {
            "trial": people.trial,
            "arm": people.arm,
            "s": people.mediators[experience],
            "y": sign * people.outcome / reference_sd,
        }
    )
    complete = rows.dropna()
    out = []
    for (trial, arm), group in complete.groupby(["trial", "arm"], sort=False):
        given = arms.loc[arm]
        out.append(
            {
                "trial": str(trial), "arm": str(arm), "drug": given["drug"], "dose": float(given["dose"]),
                "therapy": float(given["therapy"]), "open": float(given.get("open", 0.0)), "instrument": instrument,
                "n": float(len(group)), "mean_s": group["s"].mean(), "mean_y": group["y"].mean(), "sd_s": group["s"].std(),
                "sd_y": group["y"].std(), "r": group["s"].corr(group["y"]) if group["s"].std() > 0 else 0.0,
            }
        )  # fmt: skip
    table = pd.DataFrame(out)
    table.attrs["incomplete"] = len(rows) - len(complete)
    return table


def check_person_arms(table: pd.DataFrame, experiences: Mapping[str, str]) -> pd.DataFrame:
    """Return the canonical columns of a table of arms, given SDs and r or variances and covariance.

    Raises
    ------
    ValueError
        Every problem of the table: missing columns, drugs without a dimension of experience, n below 3, SDs or correlations out of range.
    """
    if set(COVARIANCES) <= set(table.columns) and "r" not in table:
        sd_s, sd_y = np.sqrt(table["var_s"]), np.sqrt(table["var_y"])
        table = table.assign(sd_s=sd_s, sd_y=sd_y, r=table["cov_sy"] / (sd_s * sd_y))
    table = table if "open" in table else table.assign(open=0.0)
    missing = [c for c in (*DESCRIBED, *MOMENTS) if c not in table]
    if missing:
        raise ValueError(
            f"the table of arms lacks {', '.join(missing)}; person_arms(...) makes one; nothing was gathered"
        )
    problems = []
    for row in table.itertuples():
        where = f"trial '{row.trial}', arm '{row.arm}'"
        if row.drug not in experiences:
            known = ", ".join(experiences)
            problems.append(
                f"{where}: drug = {row.drug!r}; it must be one of {known}, or have an experience in drugs.csv"
            )
        for name in ("n", "mean_s", "mean_y", "sd_s", "sd_y", "r", "dose", "therapy"):
            if not np.isfinite(float(getattr(row, name))):
                problems.append(f"{where}: {name} is blank or not finite")
        if row.n < 3:
            problems.append(f"{where}: n = {row.n:g}; at least 3 people are needed")
        if not (row.sd_s > 0 and row.sd_y > 0):
            problems.append(f"{where}: sd_s = {row.sd_s:g}, sd_y = {row.sd_y:g}; standard deviations must be > 0")
        if not -1 < row.r < 1:
            problems.append(f"{where}: r = {row.r:g}; it must lie between -1 and 1")
    for trial, group in table.groupby("trial"):
        if not (group["dose"] > 0).any():
            problems.append(f"trial '{trial}': no arm got the drug")
    if problems:
        raise ValueError("nothing was gathered:\n" + "\n".join(problems))
    return table[[*DESCRIBED, *MOMENTS]].reset_index(drop=True)


def person_arm_items(tables: Sequence[pd.DataFrame], *, dose_shape: str, experiences: Mapping[str, str]) -> xr.Dataset:
    """Turn tables of arms into items: the experience in SDs of the drug arms, and sums of squares.

    Raises
    ------
    ValueError
        As `check_person_arms`; two tables of one trial.
    """
    checked = [check_person_arms(table, experiences) for table in tables]
    names = [name for table in checked for name in dict.fromkeys(table["trial"])]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"participants of {', '.join(twice)} are given twice; nothing was gathered")
    table = pd.concat(checked, ignore_index=True) if checked else pd.DataFrame(columns=[*DESCRIBED, *MOMENTS])
    table = table.astype({c: float for c in ("dose", "therapy", "open", *MOMENTS)})
    given = table[table["dose"] > 0]
    variance = (given["sd_s"] ** 2 * (given["n"] - 1)).groupby(given["trial"]).sum()
    unit = np.sqrt(variance / (given["n"] - 1).groupby(given["trial"]).sum())
    scale = table["trial"].map(unit).to_numpy(float)
    s, sd_s, free = table["mean_s"] / scale, table["sd_s"] / scale, table["n"] - 1
    numbers = {
        "n": table["n"], "mean_s": s, "mean_y": table["mean_y"], "ss": free * sd_s**2, "yy": free * table["sd_y"] ** 2,
        "sy": free * table["r"] * sd_s * table["sd_y"], "therapy": table["therapy"], "open": table["open"],
        "dose": pd.Series(dose_curve(table["dose"].to_numpy(), dose_shape)), "kept": table["n"] * 0 + 1,
    }  # fmt: skip
    items = {f"person_{name}": ("person_arm", np.asarray(values, float)) for name, values in numbers.items()}
    items |= {f"person_{c}": ("person_arm", table[c].to_numpy(str)) for c in ("drug", "instrument")}
    items["person_trial_of"] = ("person_arm", table["trial"].to_numpy(str))
    items["person_dimension"] = ("person_arm", np.array([experiences[d] for d in table["drug"]], str))
    return xr.Dataset(items, coords={"person_arm": (table["trial"] + ": " + table["arm"]).to_numpy(str)})
