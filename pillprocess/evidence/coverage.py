"""What each trial compared and what it measured: the table behind the evidence map."""

import pandas as pd

from pillprocess.evidence.drugs import drugs_of, experiences_of
from pillprocess.evidence.tables import Evidence

MEASURES = {
    "change": "symptom change by arm (mean, SD, n)",
    "difference": "symptom difference between arms",
    "counts": "responders or remitters",
    "acute": "score of the acute effect",
    "link": "acute effect against outcome",
    "guess": "guess of the treatment",
    "expectation": "expectation or suggestibility",
    "mediation": "mediation analysis",
    "hours": "hours of therapy",
}
"""What a trial can have measured, as the embedded tables record it: a blank says that no figure was found."""

CONTROLS = {
    "inert_placebo": "inert placebo", "active_placebo": "active placebo", "low_dose": "low dose", "waitlist": "waiting list",
    "comparator": "another treatment",
}  # fmt: skip


def evidence_map(evidence: Evidence) -> pd.DataFrame:
    """Tabulate what every included trial of patients compared and what it measured.

    Parameters
    ----------
    evidence
        From :func:`pillprocess.load_evidence`.

    Returns
    -------
    DataFrame, one row per trial and drug that has a reference dose: ``trial``, ``drug``, ``condition``, ``comparator`` (every
    kind of control arm, or ``"no control"``), ``therapy`` of the drug arms (``"with"``, ``"without"``, ``"both"`` or
    ``"not reported"``), ``n`` (people randomised, else the sum of the arms, each person once; missing where neither is known), and
    True or False for each of ``change``, ``difference``, ``counts``, ``acute``, ``link``, ``guess``, ``expectation``, ``mediation``,
    ``hours``. False says that the tables hold no such figure, not that the trial did not measure it. ``attrs["no_row"]`` holds
    the study drugs of the trials that have no row, by trial: the tables hold no arm of theirs with one of these drugs.

    Examples
    --------
    >>> import pillprocess as pp
    >>> evidence = pp.load_evidence()
    >>> table = pp.evidence_map(evidence)
    >>> table.columns.tolist()[:4]
    ['trial', 'drug', 'condition', 'comparator']
    """
    drugs = drugs_of(evidence)
    trials = evidence.trials[(evidence.trials["include"] == 1) & (evidence.trials["population"] == "patients")]
    arms = evidence.arms[(evidence.arms["include_arm"] == 1) & evidence.arms["study_drug"].isin(drugs)]
    reported = _reported(evidence)
    rows = []
    for trial in trials.itertuples():
        own = arms[arms["trial_id"] == trial.trial_id]
        for drug in [d for d in drugs if d in set(own["study_drug"])]:
            part = own[own["study_drug"] == drug]
            once = own.loc[own["same_people_as"].isna(), "n"]
            people = trial.n_randomised if pd.notna(trial.n_randomised) else once.sum(min_count=1)
            rows.append(
                {
                    "trial": str(trial.trial_id), "drug": drug, "condition": trial.condition, "comparator": _comparator(part, own),
                    "therapy": _therapy(part), "n": people,
                    **{name: trial.trial_id in found for name, found in reported.items()},
                }
            )  # fmt: skip
    order = {drug: i for i, drug in enumerate(drugs)}
    table = pd.DataFrame(rows).sort_values(
        ["drug", "comparator", "trial"], key=lambda s: s.map(order) if s.name == "drug" else s, ignore_index=True
    )
    left = trials[~trials["trial_id"].isin(table["trial"])]
    table.attrs["no_row"] = dict(zip(left["trial_id"], left["study_drugs"].fillna(""), strict=True))
    return table


def _reported(evidence: Evidence) -> dict[str, set[str]]:
    """Trials with at least one included figure of each kind."""
    outcomes = evidence.outcomes[evidence.outcomes["include"] == 1]
    contrasts = evidence.contrasts[
        (evidence.contrasts["include"] == 1) & (evidence.contrasts["level"] == "between_arm")
    ]
    links = evidence.associations[
        (evidence.associations["include"] == 1)
        & evidence.associations["predictor_dimension"].isin(
            [
                "mystical",
                "dissociative",
                "ego_dissolution",
                "challenging",
                "emotional_breakthrough",
                "insight",
                "visual",
                "intensity",
                *experiences_of(evidence).values(),
            ]
        )
        & evidence.associations["estimate"].notna()
    ]
    guesses = evidence.expectancy["measure"].str.startswith("participant_guess")
    rated = evidence.expectancy["measure"].isin(["expectancy_score", "suggestibility_SSS"])
    scores = evidence.subjective[(evidence.subjective["include"] == 1) & (evidence.subjective["value_type"] == "score")]
    given = evidence.arms["therapy_hours_total"] > 0
    told = evidence.therapy[["prep_hours", "integration_hours", "nondrug_hours", "total_hours"]].gt(0).any(axis=1)
    found = {
        "change": outcomes[(outcomes["primary"] == 1) & (outcomes["usable"] == 1)],
        "difference": contrasts[contrasts["outcome_type"] == "continuous"],
        "counts": outcomes[outcomes[["responders", "remitters"]].notna().any(axis=1)],
        "acute": scores[scores["mean"].notna()],
        "link": links,
        "guess": evidence.expectancy[guesses],
        "expectation": evidence.expectancy[rated],
        "mediation": evidence.mediation[evidence.mediation["include"] == 1],
        "hours": pd.concat([evidence.arms[["trial_id"]][given], evidence.therapy[["trial_id"]][told]]),
    }
    return {name: set(found[name]["trial_id"]) for name in MEASURES}


def _comparator(arms: pd.DataFrame, all_arms: pd.DataFrame) -> str:
    """Every kind of control of a drug's arms; another study drug of the trial is a control too."""
    kinds = [name for role, name in CONTROLS.items() if (arms["role"] == role).any()]
    if not kinds and all_arms["study_drug"].nunique() > 1:
        kinds = [name for role, name in CONTROLS.items() if (all_arms["role"] == role).any()] or ["another treatment"]
    if not kinds and (arms["role"] == "active").sum() > 1:
        kinds = ["another dose or therapy"]
    return " + ".join(kinds) or "no control"


def _therapy(arms: pd.DataFrame) -> str:
    given = set(arms.loc[arms["role"].isin(["active", "single_arm"]), "therapy"].dropna())
    return {frozenset({0.0}): "without", frozenset({1.0}): "with", frozenset({0.0, 1.0}): "both"}.get(
        frozenset(given), "not reported"
    )
