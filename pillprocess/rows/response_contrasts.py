r"""Responders and remitters as rows: counts checked, and their Gaussian approximation for the closed form.

A person responds whose latent change passes a threshold of the trial, so that with a normal latent change of SD 1 (one reference
SD) the share is :math:`p = \Phi(c_j - \theta)`: the drug acts on :math:`\theta`, in SDs, and the trial's course is in its
threshold. The approximation takes the difference of two arms' probits,

.. math:: y = \Phi^{-1}(p_0) - \Phi^{-1}(p_1), \quad se^2 = \sum_k \frac{p_k (1 - p_k)}{n_k\, \phi(\Phi^{-1}(p_k))^2}

It is accurate (bias below .02 SD, standard error within 5 %) where both arms have at least ten people who responded and ten who did
not, and is offered there alone; :func:`pillprocess.decomposition_with_counts` needs no approximation.
"""

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import norm

from pillprocess.evidence.drugs import known_drugs
from pillprocess.evidence.tables import Evidence
from pillprocess.rows.arms import COLUMNS, describe_arms
from pillprocess.rows.associations import is_symptom
from pillprocess.rows.contrasts import SIDES

FEWEST = 10


def response_arms(evidence: Evidence, arms: pd.DataFrame, differences: pd.DataFrame | None = None) -> pd.DataFrame:
    """Give a row to every arm of a controlled trial that has counts of responders or remitters and is in no other row.

    Parameters
    ----------
    evidence
        The checked tables.
    arms, differences
        Rows already in the model; their trials are left out, so that nobody counts twice.

    Returns
    -------
    DataFrame with the columns of :func:`pillprocess.arm_changes` (``y`` and ``se`` blank) and ``n``, ``responders``, and ``counted``:
    "response", or "remission" where only that was counted. One kind per trial.

    Raises
    ------
    ValueError
        Counts above n, below 0 or not whole.
    """
    taken = {*arms["trial"], *([] if differences is None else differences["trial"])}
    described, rows = _counted_rows(evidence)
    rows = rows[~rows["trial"].isin(taken)]
    parts = []
    for _, trial in rows.groupby("trial", sort=False):
        for kind, column in (("response", "responders"), ("remission", "remitters")):
            counted = trial[trial[column].notna()]
            if len(counted) > 1:
                parts.append(counted.assign(responders=counted[column], counted=kind))
                break
    if not parts:
        return pd.DataFrame(columns=[*COLUMNS, "responders", "counted"])
    counts = pd.concat(parts).set_index(["trial", "arm"])
    keep = counts[
        ["instrument", "construct", "time_days", "n", "responders", "counted", "evidence_quality", "source_url"]
    ]
    table = described.drop(columns=["n", "source_url"]).join(keep.rename_axis([None, None]), how="inner")
    table = table[table["study_drug"].isin(known_drugs(evidence))].assign(
        kind="count", reference_arm="", unit="sd", label=lambda t: t["trial"] + ": " + t["arm"], y=np.nan, se=np.nan,
        y_from="counts", se_from="counts", scale_from="latent normal SD", condition=lambda t: t["trial_condition"],
        design=lambda t: t["trial_design"], blinding=lambda t: t["trial_blinding"], published=lambda t: t.get("trial_published", np.nan),
    )  # fmt: skip
    table = table.reset_index(drop=True)
    check_counts(table)
    columns = [c for c in COLUMNS if c in table]
    return table[[*columns, "responders", "counted", *(c for c in SIDES if c not in columns)]]


def counted_responses(evidence: Evidence) -> pd.DataFrame:
    """Give a row to the control arm and the arm of the highest dose of every controlled trial that counted responders in both.

    Whether the trial gave means too does not matter: these are observed shares. Controls are arms of the lowest dose; waiting lists and
    other treatments are none. Remitters are not responders.

    Returns
    -------
    DataFrame: ``trial``, ``arm``, ``drug``, ``therapy``, ``n``, ``responders``, ``control``.
    """
    described, rows = _counted_rows(evidence)
    rows = rows[rows["responders"].notna()].set_index(["trial", "arm"])
    facts = described[["study_drug", "dose", "therapy", "waitlist", "comparator"]]
    table = rows[["n", "responders"]].join(facts.rename_axis(["trial", "arm"]), how="inner").reset_index()
    table = table[
        table["study_drug"].isin(known_drugs(evidence)) & (table["waitlist"] == 0) & (table["comparator"] == 0)
    ]
    check_counts(table)
    dose = table.groupby("trial")["dose"]
    lowest, highest = dose.transform("min"), dose.transform("max")
    table = table[(lowest < highest) & ((table["dose"] == lowest) | (table["dose"] == highest))]
    table = table.rename(columns={"study_drug": "drug"}).assign(control=lambda t: t["dose"] == lowest[t.index])
    return table[["trial", "arm", "drug", "therapy", "n", "responders", "control"]].reset_index(drop=True)


def _counted_rows(evidence: Evidence) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The described arms, and the primary symptom outcomes of those that no reason keeps out; ``n``: the people counted."""
    rows = evidence.outcomes.rename(columns={"trial_id": "trial", "arm_id": "arm"})
    if "n_events" in rows:
        rows = rows.assign(n=rows["n_events"].fillna(rows["n"]))
    rows = rows[
        (rows["include"] == 1)
        & (rows["primary"] == 1)
        & (rows["n"] > 0)
        & rows["instrument"].ne("relapse")
        & is_symptom(rows["construct"])
    ]
    described = describe_arms(evidence)
    kept = [described["reason"].get(key, "no such arm") == "" for key in zip(rows["trial"], rows["arm"], strict=True)]
    return described, rows[kept]


def check_counts(counts: pd.DataFrame) -> None:
    """Raise one error that lists every count that cannot be.

    Raises
    ------
    ValueError
        Blank columns; counts above n, below 0 or not whole.
    """
    lacking = [c for c in ("trial", "n", "responders") if c not in counts]
    if lacking:
        raise ValueError(f"nothing was fitted: the table of counts lacks {', '.join(lacking)}")
    labels = counts["label"] if "label" in counts else counts["trial"].astype(str)
    problems = []
    for label, n, r in zip(labels, counts["n"].astype(float), counts["responders"].astype(float), strict=True):
        if not (np.isfinite(n) and np.isfinite(r)):
            problems.append(f"{label}: n or the count of responders is blank")
        elif not 0 <= r <= n:
            problems.append(f"{label}: {r:g} responders of n = {n:g}; a count must lie between 0 and n")
        elif r != round(r) or n != round(n) or n == 0:
            problems.append(f"{label}: {r:g} of {n:g}; people are counted in whole numbers above 0")
    if problems:
        raise ValueError("nothing was fitted:\n" + "\n".join(problems))


def response_contrasts(counts: pd.DataFrame) -> pd.DataFrame:
    """Turn counts into differences of probits for the closed form, where that is accurate.

    Parameters
    ----------
    counts
        Rows of :func:`response_arms`.

    Returns
    -------
    DataFrame like :func:`pillprocess.contrasts`: each arm against its trial's arm of the lowest dose. Arms with fewer than ten people
    on a side have no row.
    """
    check_counts(counts)
    enough = counts[(counts["responders"] >= FEWEST) & (counts["n"] - counts["responders"] >= FEWEST)]
    rows = []
    for _, arms in enough.groupby("trial", sort=False):
        reference = arms.loc[arms["dose"].idxmin()]
        for _, arm in arms.drop(index=reference.name).iterrows():
            z, variance = zip(*(_probit(a["responders"], a["n"]) for a in (arm, reference)), strict=True)
            sides = {f"reference_{c}": reference[c] for c in SIDES if c in reference}
            rows.append(
                arm.to_dict() | sides | {
                    "kind": "contrast", "reference_arm": reference["arm"], "label": f"{arm['label']} v {reference['arm']}",
                    "n": arm["n"] + reference["n"], "n_arm": arm["n"], "n_reference": reference["n"], "y": z[1] - z[0],
                    "se": sum(variance) ** 0.5, "y_from": "difference of probits of counts", "se_from": "counts",
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def _probit(responders: float, n: float) -> tuple[float, float]:
    p = responders / n
    z = float(ndtri(p))
    return z, float(p * (1 - p) / (n * norm.pdf(z) ** 2))
