r"""Published associations of the acute experience with symptom change, within arms.

Each is one statement about Fisher's :math:`z = \operatorname{artanh} r` of the latent experience and the change, negative
where people with more experience improved more: an estimate with its standard error, or only whether it was significant,
which says that abs(z) was above or below 1.96 standard errors. Trials that printed no figure because nothing was significant
thereby count too. ``associations_set_aside`` says why each other association is not used.
"""

import numpy as np
import pandas as pd
from scipy import special

from pillprocess.evidence.drugs import experiences_of
from pillprocess.evidence.tables import Evidence
from pillprocess.rows.arms import describe_arms

CRITICAL = 1.959964
COLUMNS = [
    "trial", "arm", "drug", "dimension", "instrument", "outcome_instrument", "time_days", "n", "n_from", "statistic", "z", "se",
    "significant", "population", "origin", "source_url",
]  # fmt: skip


def experience_correlations(evidence: Evidence, *, healthy: bool = False) -> pd.DataFrame:
    """Turn published associations into model rows, one per trial.

    Parameters
    ----------
    evidence
        The checked tables.
    healthy
        Use healthy volunteers too, whose symptoms are near the floor.

    Returns
    -------
    DataFrame: ``z`` (blank where only significance was printed; a slope in points gives the partial correlation that its p
    and n imply), ``se`` = 1 / sqrt(n - 3), or what the printed p implies where that is larger, ``significant`` (0 or 1 where
    z is blank), ``n`` and ``n_from``.
    """
    table = _candidates(evidence, healthy)
    return table.loc[table["reason"] == "", COLUMNS].reset_index(drop=True)


def associations_set_aside(evidence: Evidence, *, healthy: bool = False) -> pd.DataFrame:
    """List the associations of acute effects with outcome that are not used, with the reason.

    Parameters
    ----------
    evidence, healthy
        As in :func:`experience_correlations`.

    Returns
    -------
    DataFrame with columns ``trial``, ``arm``, ``instrument``, ``outcome_instrument``, ``reason``.
    """
    table = _candidates(evidence, healthy)
    columns = ["trial", "arm", "instrument", "outcome_instrument", "reason"]
    return table.loc[table["reason"] != "", columns].reset_index(drop=True)


def is_symptom(construct: pd.Series) -> pd.Series:
    """Whether an outcome is one of symptoms: every construct, a folder's own too, but "other"."""
    return construct.notna() & construct.ne("other")


def _candidates(evidence: Evidence, healthy: bool) -> pd.DataFrame:
    rows = evidence.associations.rename(
        columns={"trial_id": "trial", "arm_id": "arm", "predictor_instrument": "instrument"}
    )
    experiences = experiences_of(evidence)
    acute = {*experiences.values(), "intensity", "ego_dissolution", "emotional_breakthrough", "challenging", "visual"}
    rows = rows[rows["predictor_dimension"].isin(acute)].copy()
    trials = evidence.trials.set_index("trial_id")
    rows["population"] = rows["trial"].map(trials["population"])
    rows["construct"] = rows["outcome_instrument"].map(evidence.instruments.set_index("instrument")["construct"])
    rows["drug"] = [_drug(evidence, trial, arm) for trial, arm in zip(rows["trial"], rows["arm"], strict=True)]
    rows["dimension"] = rows["predictor_dimension"]
    rows["n_from"] = np.where(rows["n"].notna(), "printed", "people of the arm")
    sizes = _sizes(evidence)
    rows["n"] = rows["n"].fillna(
        pd.Series(list(zip(rows["trial"], rows["arm"], strict=True)), index=rows.index).map(sizes)
    )
    sign = rows["positive_means"].map({"worse_symptoms": 1.0, "improvement": -1.0}).astype(float)
    estimate = sign * rows["estimate"].where(rows["statistic"].isin(["r", "beta"])).fillna(_from_slope(rows))
    rows["z"] = np.arctanh(estimate.clip(-0.999, 0.999))
    by_size = 1 / np.sqrt(rows["n"].where(rows["n"] > 3) - 3)
    by_p = rows["z"].abs() / -special.ndtri(rows["p"].clip(1e-300, 0.999) / 2)
    rows["se"] = np.fmax(by_size, by_p.where(rows["p_op"].isin(["="]) & rows["z"].notna()))
    rows["time_days"] = rows["time_days"].astype(float)
    rows["reason"] = _reasons(rows, healthy, experiences)
    rows["reason"] = _counted_once(rows, evidence.trials)
    return _one_per_trial(rows)


def _from_slope(rows: pd.DataFrame) -> pd.Series:
    """Partial correlation of a slope in points per point, from its p value and n: r = t / sqrt(t^2 + n - 2)."""
    known = rows["statistic"].eq("b") & rows["p_op"].eq("=") & rows["p"].gt(0) & rows["n"].gt(3)
    df = rows["n"].where(known) - 2
    t = -special.stdtrit(df, rows["p"].where(known) / 2)
    return np.sign(rows["estimate"]) * t / np.sqrt(t**2 + df)


def _counted_once(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.Series:
    """Reasons, with a pooled analysis and the trials it pools not both used: who has an estimate speaks, else the trials."""
    reason, used = rows["reason"].copy(), rows["reason"] == ""
    estimated = set(rows.loc[used & rows["z"].notna(), "trial"])
    for pooled, names in trials.set_index("trial_id")["counted_in"].dropna().items():
        own, parts = rows["trial"] == pooled, rows["trial"].isin(names.split(";"))
        if not (used & own).any() or not (used & parts).any():
            continue
        pooled_speaks = pooled in estimated and not estimated & set(names.split(";"))
        silent, speakers = (
            (parts, [pooled]) if pooled_speaks else (own, sorted(rows.loc[used & parts, "trial"].unique()))
        )
        reason = reason.mask(used & silent, f"its people are counted in {', '.join(map(str, speakers))}")
    return reason


def _drug(evidence: Evidence, trial: str, arm: str) -> str:
    """The one study drug of the arm, or of all the trial's arms that gave one."""
    experiences = experiences_of(evidence)
    arms = evidence.arms[(evidence.arms["trial_id"] == trial) & evidence.arms["drug"].isin(experiences)]
    own = arms.loc[arms["arm_id"] == arm, "drug"]
    found = sorted(set(own if len(own) else arms["drug"]))
    dimensions = {experiences[d] for d in found}
    return found[0] if len(dimensions) == 1 else ""


def _sizes(evidence: Evidence) -> dict[tuple[str, str], float]:
    """People analysed in an arm's primary outcome, or randomised to it."""
    outcomes = evidence.outcomes[(evidence.outcomes["primary"] == 1) & evidence.outcomes["n"].notna()]
    randomised = describe_arms(evidence)["n"].dropna()
    analysed = {(str(t), str(a)): float(n) for t, a, n in outcomes[["trial_id", "arm_id", "n"]].itertuples(index=False)}
    return {(str(t), str(a)): float(n) for (t, a), n in randomised.items()} | analysed


def _reasons(rows: pd.DataFrame, healthy: bool, experiences: dict[str, str]) -> pd.Series:
    """Why an association is not used, or ''."""
    told = rows["statistic"].eq("direction_only") & rows["significant"].notna()
    reason = pd.Series("", index=rows.index, dtype=object)
    for text, applies in {
        "the trial or association is not included (pooled, overlapping or a survey)": rows["include"] != 1,
        "healthy volunteers": (rows["population"] != "patients") & (not healthy),
        "not the dimension through which this drug's effect may run": rows["drug"].map(experiences)
        != rows["predictor_dimension"],
        "the outcome is no symptom": ~is_symptom(rows["construct"]),
        "neither a correlation nor its significance": rows["z"].isna() & ~told,
        "n not known": rows["se"].isna(),
    }.items():
        reason = reason.mask((reason == "") & applies, text)
    return reason


def _one_per_trial(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep an estimate before a mere significance, a scale's total before its parts, then the earliest time."""
    order = pd.DataFrame(
        {
            "trial": rows["trial"], "out": rows["reason"] != "", "told": rows["z"].isna(),
            "part": ~rows["instrument"].str.contains("MEQ|OBN|CADSS"), "time": rows["time_days"].fillna(np.inf),
        }
    )  # fmt: skip
    ordered = rows.loc[order.sort_values(["out", "told", "part", "time"], kind="stable").index]
    again = (ordered["reason"] == "") & ordered["trial"].duplicated()
    return ordered.assign(
        reason=ordered["reason"].mask(again, "another association of the same people is used")
    ).sort_index()
