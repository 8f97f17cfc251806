"""The columns of the design: dose, belief, experience, and the sets of terms that make a hypothesis."""

import numpy as np
import pandas as pd

from pillprocess.evidence.drugs import experiences_of, known_drugs
from pillprocess.evidence.tables import Evidence

TERMS = ("drug", "therapy", "drug:therapy", "expectancy", "experience")

HYPOTHESES: dict[str, frozenset[str]] = {
    "course": frozenset(),
    "pill": frozenset({"drug"}),
    "process": frozenset({"therapy", "expectancy", "experience"}),
    "additive": frozenset({"drug", "therapy", "expectancy"}),
    "pill_and_process": frozenset({"drug", "therapy", "expectancy", "drug:therapy"}),
    "mediated": frozenset({"drug", "therapy", "expectancy", "drug:therapy", "experience"}),
    "fully_mediated": frozenset({"therapy", "expectancy", "experience"}),
}
"""Sets of terms. All carry the course of the control condition, the waiting list and active comparators."""

HEADLINE = frozenset({"drug", "therapy", "drug:therapy"})
"""The terms every included arm reports. Belief and experience are borrowed for nearly all arms, so they enter beside it."""

KNOWN_ALLOCATION = "known: open or no pill"
REPORTED = "reported guesses"
BORROWED = "borrowed: mean of the trials that report guesses"


def check_terms(terms: frozenset[str] | set[str]) -> frozenset[str]:
    """Return the terms as a frozenset, or say which are unknown or lack their main effects."""
    unknown = sorted(set(terms) - set(TERMS))
    if unknown:
        raise ValueError(f"unknown terms: {', '.join(unknown)}; known are {', '.join(TERMS)}")
    if "drug:therapy" in terms and not {"drug", "therapy"} <= set(terms):
        raise ValueError("drug:therapy needs both drug and therapy among the terms")
    return frozenset(terms)


def add_dose(arms: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    """Add ``dose``, relative to the drug's reference dose by its route, and ``dose_from``.

    An arm without a study drug has dose 0. An active arm whose dose was not reported is taken at the reference dose, and
    ``dose_from`` says so.
    """
    arms = arms.copy()
    active = arms["drug"].isin(known_drugs(evidence))
    control = arms["drug"].isin(["placebo", "none"]) | arms["role"].isin(
        ["active_placebo", "inert_placebo", "comparator", "waitlist"]
    )
    dose = pd.Series(np.nan, index=arms.index)
    source = pd.Series("", index=arms.index, dtype=object)
    for reference in evidence.reference_doses.itertuples():
        given = arms[reference.dose_column]
        match = active & (arms["drug"] == reference.drug) & (arms["route"] == reference.route) & given.notna()
        dose = dose.mask(match, given / reference.dose)
        source = source.mask(match, f"reported / {reference.dose:g} {reference.dose_unit} {reference.route}")
    unknown = active & dose.isna()
    dose = dose.mask(unknown, 1.0).mask(~active & control, 0.0)
    source = source.mask(unknown, "assumed: reference dose (dose or its reference not reported)")
    source = source.mask(~active & control, "no study drug").mask(~active & ~control, "other drug")
    return arms.assign(dose=dose, dose_from=source)


def dose_curve(dose: np.ndarray, shape: str) -> np.ndarray:
    """Dose-response of relative dose, equal to 1 at the reference dose: linear, log (log2(1 + x)) or emax (2x / (1 + x)).

    ``emax:0.25`` has its half-maximal dose at a quarter of the reference dose: (1 + h) x / (h + x) with h = .25.
    """
    x = np.asarray(dose, float)
    if shape.startswith("emax:"):
        try:
            half = float(shape.removeprefix("emax:"))
        except ValueError:
            half = np.nan
        if not 0 < half < np.inf:
            raise ValueError(
                f"dose_shape = {shape!r}; after 'emax:' stands the half-maximal dose over the reference dose, > 0"
            )
        return (1 + half) * x / (half + x)
    if shape == "linear":
        return x
    if shape == "log":
        return np.log2(1 + x)
    if shape == "emax":
        return 2 * x / (1 + x)
    raise ValueError(
        f"dose_shape = {shape!r}; it must be 'linear', 'log' or 'emax' (or 'emax:0.25', with its half-maximal dose)"
    )


def therapy_curve(arms: pd.DataFrame, measure: str) -> np.ndarray:
    """Amount of therapy: presence (0 or 1), or hours outside dosing days, saturating as 1 - exp(-hours / 10).

    Blank where there is therapy and its hours are not reported.
    """
    if measure == "presence":
        return arms["therapy"].to_numpy(float)
    if measure == "hours":
        hours = arms["therapy_hours"].where(arms["therapy"] != 0, 0.0)
        return 1 - np.exp(-hours.to_numpy(float) / 10)
    raise ValueError(f"therapy_measure = {measure!r}; it must be 'presence' or 'hours'")


def add_belief(arms: pd.DataFrame, expectancy: pd.DataFrame, drugs: tuple[str, ...]) -> pd.DataFrame:
    """Add ``expectancy``: the share of an arm that believes it had the active drug, and ``expectancy_from``.

    Open arms and arms without a pill know. Blinded arms take their trial's reported guesses; where none are reported, the
    mean of the trials that report them, weighted by people. ``expectancy_by_design`` takes that mean for every blinded arm:
    it follows from the treatment alone, while a reported guess is measured after dosing.
    """
    arms = arms.copy()
    active = arms["drug"].isin(drugs) & (arms["role"] != "low_dose")
    correct = _correct_guesses(expectancy)
    own = [correct.get((t, a), correct.get((t, "all"))) for t, a in zip(arms["trial"], arms["arm"], strict=True)]
    reported = pd.Series([np.nan if v is None else v for v in own], index=arms.index, dtype=float)
    patients = arms.loc[(arms["trial_include"] == 1) & (arms["trial_population"] == "patients") & reported.notna()]
    weight = patients["n"].fillna(0)
    pooled = float((reported[patients.index] * weight).sum() / weight.sum()) if weight.sum() else 0.5
    known = (arms["trial_blinding"] == "open") | (arms["role"] == "waitlist") | (arms["drug"] == "none")
    rate = reported.fillna(pooled)
    belief = np.where(known, active.astype(float), np.where(active, rate, 1 - rate))
    by_design = np.where(known, active.astype(float), np.where(active, pooled, 1 - pooled))
    source = np.where(known, KNOWN_ALLOCATION, np.where(reported.notna(), REPORTED, BORROWED))
    return arms.assign(expectancy=belief, expectancy_from=source, expectancy_by_design=by_design)


def with_belief_by_design(rows: pd.DataFrame) -> pd.DataFrame:
    """Replace reported guesses by what the design lets expect, so that models with and without belief condition alike.

    Parameters
    ----------
    rows
        Rows of :func:`pillprocess.arm_changes` or :func:`pillprocess.contrasts`.

    Returns
    -------
    The rows with ``expectancy`` (and ``reference_expectancy``) a function of treatment alone.
    """
    changed = rows.assign(
        expectancy=rows["expectancy_by_design"], expectancy_from=rows["expectancy_from"].replace(REPORTED, BORROWED)
    )
    if "reference_expectancy" in rows:
        changed["reference_expectancy"] = rows["reference_expectancy_by_design"]
    return changed


def _correct_guesses(expectancy: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Share of participants who guessed their arm, per (trial, arm); several counts of one arm are averaged."""
    rows = expectancy[expectancy["measure"].eq("participant_guess_correct_pct") & expectancy["value"].notna()]
    means = rows.groupby(["trial_id", "arm_id"])["value"].mean() / 100
    return {(str(t), str(a)): float(v) for (t, a), v in means.items()}


def experience_per_dose(evidence: Evidence) -> pd.DataFrame:
    """Acute effect of each drug at its reference dose, in SDs of the score within drug arms.

    Scores are divided by their SD (where not printed: the mean SD of the dimension, on the 0-1 scale), averaged within a
    trial and dose, and regressed on relative dose through the origin, weighted by people. Patients and healthy volunteers
    both count: the question is what the dose does to experience. ``drugs.csv`` says whose scores describe a drug's experience
    (``scores_of``, by that drug's ``score_route``) and on which dimensions.

    Returns
    -------
    DataFrame indexed by drug: ``slope`` (SD per reference dose), ``n_trials``, ``people``.
    """
    subjective, reference_doses = evidence.subjective, evidence.reference_doses
    rows = subjective[
        subjective["value_type"].isin(["score", "difference_from_placebo"])
        & (subjective["include"] == 1)
        & subjective["mean"].notna()
        & (subjective["n"] > 0)
    ]
    pooled_sd = rows.groupby("dimension")["sd_fraction"].transform("mean")
    standardised = (rows["mean"] / rows["sd"]).fillna(rows["mean_fraction"] / pooled_sd)
    rows = rows.assign(s=standardised)[standardised.notna()]
    table, listed = {}, evidence.drugs.set_index("drug")
    for drug in experiences_of(evidence):
        dimensions = listed.loc[drug, ["experience", "experience_also"]].dropna()
        source = str(listed["scores_of"].fillna(drug)[drug])
        route = str(listed["score_route"].fillna("oral")[source])
        references = reference_doses[(reference_doses["drug"] == source) & (reference_doses["route"] == route)]
        if references.empty:
            continue
        reference = references.iloc[0]
        own = rows[(rows["drug"] == source) & rows["dimension"].isin(dimensions) & (rows[reference["dose_column"]] > 0)]
        own = own.assign(x=own[reference["dose_column"]] / reference["dose"])
        by_cell = own.groupby(["trial_id", "x"])
        cells = pd.DataFrame({"s": by_cell["s"].mean(), "n": by_cell["n"].max()}).reset_index()
        weight = cells["n"] * cells["x"]
        slope = (weight * cells["s"]).sum() / (weight * cells["x"]).sum() if len(cells) else np.nan
        table[drug] = {"slope": slope, "n_trials": cells["trial_id"].nunique(), "people": cells["n"].sum()}
    return pd.DataFrame.from_dict(table, orient="index", columns=["slope", "n_trials", "people"]).rename_axis("drug")


def add_experience(arms: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    """Add ``experience``, the acute subjective effect of an arm in SDs of its score, and ``experience_from``.

    No open data give the patients' scores of the efficacy arms, so an arm borrows its drug's score at its dose from
    :func:`experience_per_dose`: 0 without a study drug, and 0 where the drug was given under general anaesthesia.
    """
    slopes = experience_per_dose(evidence)
    active = arms["drug"].isin(known_drugs(evidence))
    blocked = active & (arms["awake"] == 0)
    value = (arms["drug"].map(slopes["slope"]) * arms["dose"]).where(active & ~blocked, 0.0)
    source = (
        "borrowed: "
        + arms["drug"].map(slopes["n_trials"]).fillna(0).astype(int).astype(str)
        + " trials of dose against acute score"
    )
    source = source.mask(~active, "no study drug").mask(blocked, "blocked: given under general anaesthesia")
    return arms.assign(experience=value, experience_from=source)
