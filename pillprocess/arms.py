r"""Published numbers to one model row per arm.

A row is the mean symptom change of an arm, post - baseline, so that negative is improvement, with its standard error, in
units of the instrument's reference SD or in points. Where a trial did not print the change or its SD, they are computed,
and the columns ``y_from`` and ``se_from`` say how:

.. math:: s_{\Delta}^2 = s_0^2 + s_1^2 - 2 r s_0 s_1

with the pre-post correlation :math:`r` learned by :func:`pre_post_correlation` from the arms that print all three SDs.
No row is dropped in silence: :func:`set_aside` lists every included arm that has no model row, with the reason.
"""

from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from pillprocess.evidence import Evidence
from pillprocess.terms import DRUGS, add_belief, add_dose, add_experience

Unit = Literal["sd", "points"]

UNCONTROLLED = ("single_arm", "case_series")

COLUMNS = [
    "trial", "arm", "label", "kind", "reference_arm", "study_drug", "drug", "drug_given", "role", "condition", "construct", "instrument",
    "time_days", "design", "blinding", "n", "y", "se", "unit", "y_from", "se_from", "scale_from", "dose", "dose_from", "therapy",
    "therapy_hours", "waitlist", "comparator", "expectancy", "expectancy_from", "expectancy_by_design", "experience", "experience_from",
    "evidence_quality", "source_url",
]  # fmt: skip


def pre_post_correlation(
    outcomes: pd.DataFrame, *, prior_mean: float = 0.55, prior_sd: float = 0.25, prior_tau_sd: float = 0.3
) -> pd.Series:
    r"""Learn the correlation of baseline and endpoint from the arms that print all three SDs.

    .. math:: z_k \sim N(\zeta, \tau_z^2 + 1/(n_k - 3)),\quad \zeta \sim N(0.55, 0.25^2),\quad \tau_z \sim N^+(0.3^2)

    with :math:`z_k` Fisher's transform of arm k's implied correlation. The change variance is linear in r, so the mean of
    r in a new arm is the value that gives the expected variance.

    Parameters
    ----------
    outcomes
        Rows with ``n``, ``baseline_sd``, ``post_sd`` and ``change_sd`` in points; rows lacking one, or with n < 5, are not used.
    prior_mean, prior_sd
        Normal prior of Fisher's z.
    prior_tau_sd
        Half-normal scale of the between-arm SD of z.

    Returns
    -------
    Series with ``r`` (mean in a new arm), ``r_low``, ``r_high`` (95 % interval in a new arm), ``n_arms``.
    """
    full = outcomes[["n", "baseline_sd", "post_sd", "change_sd"]].dropna()
    full = full[full["n"] >= 5]
    s0, s1, s = (full[c].to_numpy(float) for c in ("baseline_sd", "post_sd", "change_sd"))
    z = np.arctanh(np.clip((s0**2 + s1**2 - s**2) / (2 * s0 * s1), -0.98, 0.98))
    tau = np.linspace(0.0, 1.5, 301)[:, None]
    variance = tau**2 + 1 / (full["n"].to_numpy(float) - 3)[None, :]
    precision = prior_sd**-2 + (1 / variance).sum(1)
    mean = (prior_mean * prior_sd**-2 + (z / variance).sum(1)) / precision
    log_weight = (
        -0.5 * (tau[:, 0] / prior_tau_sd) ** 2
        - 0.5 * np.log(variance).sum(1)
        - 0.5 * np.log(precision)
        - 0.5 * ((z**2 / variance).sum(1) + prior_mean**2 * prior_sd**-2 - precision * mean**2)
    )
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    grid = np.linspace(-2.5, 4.0, 2601)
    spread = np.sqrt(tau**2 + 1 / precision[:, None])
    density = (weight[:, None] / spread * np.exp(-0.5 * ((grid - mean[:, None]) / spread) ** 2)).sum(0)
    cumulative = np.cumsum(density) / density.sum()
    low, high = np.tanh(np.interp([0.025, 0.975], cumulative, grid))
    return pd.Series(
        {"r": (np.tanh(grid) * density).sum() / density.sum(), "r_low": low, "r_high": high, "n_arms": len(z)}
    )


def learned_correlation(evidence: Evidence) -> pd.Series:
    """:func:`pre_post_correlation` of the included primary outcomes, the one :func:`arm_changes` uses."""
    outcomes = evidence.outcomes
    return pre_post_correlation(outcomes[(outcomes["include"] == 1) & (outcomes["primary"] == 1)])


def _change(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean change in points and where it comes from."""
    computed = rows["post_mean"] - rows["baseline_mean"]
    y = rows["change_mean"].fillna(computed)
    source = np.where(rows["change_mean"].notna(), "printed change", np.where(computed.notna(), "post - baseline", ""))
    return pd.DataFrame({"points": y, "y_from": source}, index=rows.index)


def _change_sd(rows: pd.DataFrame, r: float, instruments: pd.DataFrame) -> pd.DataFrame:
    """SD of the change in points and where it comes from; the first available source in the listed order is taken."""
    n = rows["n"]
    t = pd.Series(special.stdtrit(np.maximum(n.fillna(2) - 1, 1), 0.975), index=rows.index)
    half = (rows["change_ci_high"] - rows["change_ci_low"]) / 2
    lower_half = rows["change_mean"] - rows["change_ci_low"]
    s0 = rows["baseline_sd"]
    s1 = rows["post_sd"]
    sources = {
        "printed SD": rows["change_sd"],
        "printed SE": rows["change_se"] * np.sqrt(n),
        "95 % CI": half / t * np.sqrt(n),
        "lower 95 % limit": lower_half / t * np.sqrt(n),
        f"baseline and endpoint SD, r = {r:.2f}": np.sqrt(s0**2 + s1**2 - 2 * r * s0 * s1),
        f"endpoint SD taken for both, r = {r:.2f}": s1 * np.sqrt(2 - 2 * r),
        "borrowed: the instrument's pooled change SD": rows["instrument"].map(instruments["change_sd"]).astype(float),
    }
    sd = pd.Series(np.nan, index=rows.index)
    source = pd.Series("", index=rows.index)
    for name, values in sources.items():
        take = sd.isna() & values.notna() & (values > 0)
        sd = sd.where(~take, values)
        source = source.where(~take, name)
    return pd.DataFrame({"change_sd": sd, "se_from": source}, index=rows.index)


def scale_to_reference(instruments: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """Reference SD of each instrument, in its points, and where it comes from.

    The pooled endpoint SD over the evidence base; for an instrument whose endpoint SD no arm printed, its pooled change SD.
    """
    endpoint = names.map(instruments["reference_sd"]).astype(float)
    change = names.map(instruments["change_sd"]).astype(float)
    source = np.where(endpoint.notna(), "pooled endpoint SD", np.where(change.notna(), "pooled change SD", ""))
    return pd.DataFrame({"reference_sd": endpoint.fillna(change), "scale_from": source}, index=names.index)


def describe_arms(evidence: Evidence) -> pd.DataFrame:
    """One row per arm, indexed by (trial, arm), with its terms and, in ``reason``, what keeps it out of every model."""
    trials = evidence.trials.set_index("trial_id")
    arms = evidence.arms.rename(columns={"trial_id": "trial", "arm_id": "arm"}).copy()
    for column in ("condition", "design", "blinding", "population", "include", "exclude_reason", "retracted", "press"):
        arms[f"trial_{column}"] = arms["trial"].map(trials[column])
    arms["therapy_hours"] = arms["therapy_hours_nondrug"]
    arms["waitlist"] = (arms["role"] == "waitlist").astype(float)
    other_drug = ~arms["drug"].isin([*DRUGS, "placebo", "none"]) & (arms["role"] == "comparator")
    arms["comparator"] = other_drug.astype(float)
    arms = add_dose(arms, evidence.reference_doses)
    arms = add_belief(arms, evidence.expectancy)
    arms = add_experience(arms, evidence.subjective, evidence.reference_doses)
    arms["drug_given"] = arms["drug"].where(arms["drug"].isin(DRUGS), arms["study_drug"])
    arms["reason"] = _reason_arm(arms)
    return arms.set_index(["trial", "arm"], drop=False).rename_axis([None, None])


def _reason_arm(arms: pd.DataFrame) -> pd.Series:
    """Why an arm's description keeps it out of every model, or ''."""
    reasons = {
        "the trial is excluded: ": arms["trial_include"] != 1,
        "healthy volunteers": arms["trial_population"] != "patients",
        "the arm is excluded: ": arms["include_arm"] != 1,
        "the drug is outside the five: ": arms["dose_from"] == "other drug",
        "therapy not reported": arms["therapy"].isna(),
    }
    detail = {
        "the trial is excluded: ": arms["trial_exclude_reason"],
        "the arm is excluded: ": arms["exclude_arm_reason"],
        "the drug is outside the five: ": arms["drug"],
    }
    reason = pd.Series("", index=arms.index, dtype=object)
    for text, applies in reasons.items():
        full = text + detail[text].fillna("").astype(str) if text in detail else text
        reason = reason.mask((reason == "") & applies, full)
    return reason


def _candidates(
    evidence: Evidence, unit: Unit, window: tuple[float, float] | None, correlation: float | None
) -> pd.DataFrame:
    """One row per included arm of patients, with its model row or the reason it has none."""
    arms = describe_arms(evidence)
    instruments = evidence.instruments.set_index("instrument")
    outcomes = evidence.outcomes.rename(columns={"trial_id": "trial", "arm_id": "arm"})
    if correlation is None:
        correlation = float(learned_correlation(evidence)["r"])
    rows = _choose(outcomes[outcomes["include"] == 1], window).set_index(["trial", "arm"])
    rows = rows.join(_change(rows)).drop(columns="change_sd").join(_change_sd(rows, correlation, instruments))
    rows = rows.join(scale_to_reference(instruments, rows["instrument"]))
    sign = np.where(rows["instrument"].map(instruments["higher_is_worse"]) == 1, 1.0, -1.0)
    divisor = rows["reference_sd"] if unit == "sd" else pd.Series(1.0, index=rows.index)
    rows["y"] = sign * rows["points"] / divisor
    rows["se"] = rows["change_sd"] / np.sqrt(rows["n"]) / divisor
    keep = [
        "instrument",
        "construct",
        "time_days",
        "n",
        "y",
        "se",
        "y_from",
        "se_from",
        "scale_from",
        "evidence_quality",
        "source_url",
    ]
    table = arms.drop(columns=["n", "source_url"]).join(rows[keep].reindex(arms.index))
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
    alone = usable & (usable.groupby(table["trial"]).transform("sum") == 1) & ~table["trial_design"].isin(UNCONTROLLED)
    table["reason"] = table["reason"].mask(alone, "no other arm of this comparative trial is usable")
    return table


def _choose(outcomes: pd.DataFrame, window: tuple[float, float] | None) -> pd.DataFrame:
    """The primary row of each arm; with a window, the primary instrument's row in it that is nearest the primary time."""
    primary = outcomes[outcomes["primary"] == 1]
    if window is None:
        return primary
    key = primary.set_index(["trial", "arm"])[["instrument", "time_days"]].rename(columns={"time_days": "primary_time"})
    rows = outcomes.merge(key.reset_index(), on=["trial", "arm", "instrument"])
    rows = rows[rows["time_days"].between(*window)]
    rows = rows.assign(distance=(rows["time_days"] - rows["primary_time"]).abs())
    return rows.sort_values("distance", kind="stable").drop_duplicates(["trial", "arm"]).sort_values(["trial", "arm"])


def arm_changes(
    evidence: Evidence,
    *,
    constructs: tuple[str, ...] | None = None,
    drugs: tuple[str, ...] = DRUGS,
    unit: Unit = "sd",
    window: tuple[float, float] | None = None,
    correlation: float | None = None,
) -> pd.DataFrame:
    """Turn published outcomes into one model row per arm.

    Parameters
    ----------
    evidence
        The checked tables.
    constructs
        Keep trials whose primary outcome measures one of these (e.g. ``("depression", "ptsd")``); all by default.
    drugs
        Keep trials of these study drugs.
    unit
        ``"sd"``: change over the instrument's reference SD. ``"points"``: the instrument's own points.
    window
        Days from first dose, inclusive: take the primary instrument's row in it nearest the primary time. By default the
        trial's own primary time.
    correlation
        Pre-post correlation for arms that lack the SD of the change; learned from the evidence by default.

    Returns
    -------
    DataFrame, one row per arm: ``y`` (mean change; negative is improvement), ``se``, how each was derived (``y_from``,
    ``se_from``, ``scale_from``, ``dose_from``, ``expectancy_from``), and the arm's terms: ``dose`` (1 = the drug's
    reference dose), ``therapy``, ``waitlist``, ``comparator``, ``expectancy``, ``experience``.

    Raises
    ------
    ValueError
        Unknown construct, drug or unit; no row left; points asked for over several instruments.
    """
    check_choice("constructs", constructs, set(evidence.instruments["construct"]))
    check_choice("drugs", drugs, set(DRUGS))
    if unit not in ("sd", "points"):
        raise ValueError(f"unit = {unit!r}; it must be 'sd' or 'points'")
    if correlation is not None and not -1 < correlation < 1:
        raise ValueError(f"correlation = {correlation}; it must lie between -1 and 1")
    table = _candidates(evidence, unit, window, correlation)
    rows = table[table["reason"] == ""]
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
    )  # fmt: skip
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
    """
    table = _candidates(evidence, "sd", window, None)
    relevant = (table["trial_include"] == 1) & (table["trial_population"] == "patients") & (table["reason"] != "")
    return table.loc[relevant, ["trial", "arm", "reason"]].reset_index(drop=True)


def check_choice(name: str, chosen: tuple[str, ...] | None, known: set[str]) -> None:
    """Raise unless the chosen names are a tuple of known ones."""
    if isinstance(chosen, str):
        raise ValueError(f"{name} = {chosen!r}; give a tuple of names, such as ({chosen!r},)")
    unknown = sorted(set(chosen or ()) - known)
    if unknown:
        raise ValueError(f"{name}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")
