"""Model rows to differences of a drug and its control, whatever form the trial published."""

from typing import Any

import numpy as np
import pandas as pd

from pillprocess.rows.terms import dose_curve

COLUMNS = [
    "trial", "label", "drug", "arm", "reference_arm", "y", "se", "dose", "dose_arm", "dose_reference", "n_arm", "n_reference",
    "reference_variance", "therapy", "control", "kind",
]  # fmt: skip
CONTROLS = ("no or low dose", "waiting list", "active comparator")


def drug_contrasts(rows: pd.DataFrame, *, controls: tuple[str, ...] = CONTROLS[:1]) -> pd.DataFrame:
    """Turn arm and contrast rows into differences of each drug arm and its control.

    Arms of a trial are compared with its arm of the lowest dose that got the same therapy; a published difference stays as
    it is. What both sides got alike drops out.

    Parameters
    ----------
    rows
        Rows of :func:`pillprocess.arm_changes`, of :func:`pillprocess.contrasts`, or both one below the other.
    controls
        Kinds of control to keep: "no or low dose", "waiting list", "active comparator".

    Returns
    -------
    DataFrame: ``y`` (negative favours the drug) and ``se`` in the rows' unit, ``dose`` (difference of the two doses, 1 = the
    reference dose), ``dose_arm`` and ``dose_reference``, ``n_arm``, ``n_reference``, ``reference_variance`` (the control's part
    of se^2, where its arm is known), ``therapy`` (of both), ``control``, and what names the row.

    Raises
    ------
    ValueError
        An unknown kind of control, or no difference left.
    """
    unknown = sorted(set(controls) - set(CONTROLS))
    if isinstance(controls, str) or unknown:
        raise ValueError(f"controls = {controls!r}; give a tuple of {', '.join(CONTROLS)}")
    table = drug_differences(rows)
    table = table[table["control"].isin(controls)]
    if table.empty:
        raise ValueError("no row compares a drug with a control of this kind")
    return table[COLUMNS].reset_index(drop=True)


def drug_contrasts_set_aside(rows: pd.DataFrame, *, controls: tuple[str, ...] = CONTROLS[:1]) -> pd.DataFrame:
    """List the rows that give no difference of a drug and its control, with the reason.

    Parameters
    ----------
    rows, controls
        As in :func:`drug_contrasts`.

    Returns
    -------
    DataFrame with columns ``trial``, ``row``, ``reason``.
    """
    table, lost = _differences(rows)
    other = table[~table["control"].isin(controls)]
    other = pd.DataFrame(
        {"trial": other["trial"], "row": other["label"], "reason": "the control is: " + other["control"]}
    )
    return pd.concat([pd.DataFrame(lost, columns=["trial", "row", "reason"]), other], ignore_index=True)


def drug_differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Every difference of a drug and a control of any kind, or none: the columns of :func:`drug_contrasts`."""
    return _differences(rows)[0]


def dose_readings(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The same contrasts under each reading of dose: linear and Emax from no drug on, and "as tested", all doses alike.

    A table that does not hold the doses of both sides has one reading, its own.
    """
    if "dose_arm" not in table:
        return {"as given": table}
    arm, reference = table["dose_arm"].to_numpy(float), table["dose_reference"].to_numpy(float)
    curves = {shape: dose_curve(arm, shape) - dose_curve(reference, shape) for shape in ("linear", "emax")}
    return {name: table.assign(dose=dose) for name, dose in (curves | {"as tested": np.ones(len(table))}).items()}


def _differences(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, str, str]]]:
    """Every difference of a drug and a control, and the rows that give none."""
    found: list[dict[str, object]] = []
    lost: list[tuple[str, str, str]] = []
    by_trial: dict[str, list[dict[str, Any]]] = {}
    for row in rows.to_dict("records"):
        by_trial.setdefault(str(row["trial"]), []).append(row)
    for trial, group in by_trial.items():
        arms = [row for row in group if row["kind"] == "arm"]
        for row in (row for row in group if row["kind"] == "contrast"):
            reason = _why_not(row)
            if reason:
                lost.append((trial, row["label"], reason))
            else:
                found.append(_of_difference(row))
        if len(arms) == 1:
            lost.append((trial, arms[0]["label"], "the only arm of its trial"))
        elif arms:
            _of_arms(trial, arms, found, lost)
    return pd.DataFrame(found, columns=COLUMNS), lost


def _why_not(row: dict[str, Any]) -> str:
    if not row["dose"] > row["reference_dose"]:
        return "both sides got the same dose"
    if row["therapy"] != row["reference_therapy"] and not row["reference_waitlist"]:
        return "the two sides differ in therapy as well"
    return ""


def _control(waitlist: object, comparator: object) -> str:
    return CONTROLS[1] if waitlist else CONTROLS[2] if comparator else CONTROLS[0]


def _of_difference(row: dict[str, Any]) -> dict[str, object]:
    return row | {
        "drug": row["drug_given"], "dose": row["dose"] - row["reference_dose"],
        "dose_arm": row["dose"], "dose_reference": row["reference_dose"],
        "control": _control(row["reference_waitlist"], row["reference_comparator"]), "reference_variance": np.nan,
    }  # fmt: skip


def _of_arms(
    trial: str, arms: list[dict[str, Any]], found: list[dict[str, object]], lost: list[tuple[str, str, str]]
) -> None:
    """Compare the arms of a trial that got a dose with the one that got least, therapy alike."""
    used: set[str] = set()
    for arm in sorted(arms, key=lambda a: -a["dose"]):
        alike = [
            a for a in arms
            if a["dose"] < arm["dose"]
            and (a["therapy"] == arm["therapy"] or a["waitlist"])
            and (a["drug_given"] == arm["drug_given"] or a["dose"] == 0)
        ]  # fmt: skip
        if not alike:
            continue
        control = min(alike, key=lambda a: (a["waitlist"] + a["comparator"], a["dose"]))
        used |= {arm["label"], control["label"]}
        found.append(
            {
                "trial": trial, "label": f"{arm['label']} v {control['arm']}", "drug": arm["drug_given"], "arm": arm["arm"],
                "reference_arm": control["arm"], "y": arm["y"] - control["y"],
                "se": float(np.hypot(arm["se"], control["se"])), "dose": arm["dose"] - control["dose"],
                "dose_arm": arm["dose"], "dose_reference": control["dose"], "n_arm": arm.get("n", np.nan),
                "n_reference": control.get("n", np.nan), "reference_variance": control["se"] ** 2, "therapy": arm["therapy"],
                "control": _control(control["waitlist"], control["comparator"]), "kind": "arm",
            }
        )  # fmt: skip
    lost += [(trial, a["label"], "no arm of its trial differs in dose alone") for a in arms if a["label"] not in used]
