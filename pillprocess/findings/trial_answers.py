"""Answers to claims of the review from single trials, arms and days: counts and descriptions, not new estimates."""

from collections.abc import Mapping

import pandas as pd

from pillprocess.evidence.tables import Evidence
from pillprocess.output.pages import estimate

type Answer = dict[str, str]
type Tables = Mapping[str, pd.DataFrame]

DAYS = 1.0
"""The day by which an effect counts as rapid."""


def each_trial(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
    """Answer by the effect of each of the claim's trials, as the headline model sees it."""
    effects = tables.get("trial_effects", pd.DataFrame({"trial_drug": []})).set_index("trial_drug")
    labels = [f"{trial}: {claim['drug']}" for trial in claim["trials"].split(";")]
    known = [label for label in labels if label in effects.index]
    if not known:
        return None
    return {
        "trials": ", ".join(label.partition(":")[0] for label in known),
        "estimate": "; ".join(f"{label.partition(':')[0]} {estimate(effects.loc[label].to_dict())}" for label in known),
        "identified_by": "randomised within each trial; the model draws each towards the drug's pool",
        "certainty": f"that of the drug's total effect: {summary.loc[(claim['drug'], 'total'), 'certainty']}",
    }


def controls_too(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
    """Describe how far arms with the lowest and the highest dose of the drug changed, in trials that have both."""
    rows = tables["rows"]
    arms = rows[(rows["kind"] == "arm") & (rows["study_drug"] == claim["drug"])]
    both = arms[arms.groupby("trial")["dose"].transform("nunique") > 1]
    if both.empty:
        return None
    low = both[both["dose"] == both.groupby("trial")["dose"].transform("min")]["y"]
    high = both[both["dose"] == both.groupby("trial")["dose"].transform("max")]["y"]
    return {
        "trials": f"{both['trial'].nunique()} trials of {claim['drug']} that printed the change of arms",
        "estimate": f"median change {low.median():.2f} in {len(low)} arms with the lowest dose or none, {high.median():.2f} in {len(high)} "
        "with the highest",
        "identified_by": "the change of arms: course and therapy are in both, and only their difference is randomised",
        "certainty": "not rated: a description",
    }


def early(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
    """Answer by the drugs' effects a day after the last dose, where trials measured then."""
    effects = tables.get("time_effects", pd.DataFrame())
    if "day" not in effects:
        return None
    own = effects[(effects["day"] == DAYS) & (effects["evidence"] == "own trials")]
    others = sorted(set(effects["drug"]) - set(own["drug"]))
    if own.empty:
        return None
    found = own.sort_values("trials", ascending=False, kind="stable").drop_duplicates("drug")
    return {
        "trials": "; ".join(f"{r.drug}: {r.trials} trials near day {DAYS:.0f}" for r in found.itertuples()),
        "estimate": "; ".join(f"{row['drug']} {estimate(row)}" for row in found.to_dict("records"))
        + (f"; nobody measured {', '.join(others)} then" if others else ""),
        "identified_by": "randomised within trials, pooled over days by the time course",
        "certainty": "not rated: the headline stands at the primary time point",
    }


def harms(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer:
    """Say that the tables hold no harms."""
    return {
        "trials": "",
        "estimate": "harms are not in these tables",
        "identified_by": "nothing",
        "certainty": "not rated: an analysis of harms is another one",
    }


def without_its_experience(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer:
    """Count the trials that gave the drug to people who were not awake."""
    arms = evidence.arms
    asleep = sorted(set(arms.loc[(arms["drug"] == claim["drug"]) & (arms["awake"] == 0), "trial_id"]))
    return {
        "trials": f"{len(asleep)} trials gave {claim['drug']} without its experience",
        "estimate": f"in {', '.join(asleep)} people were not awake" if asleep else "untested in these trials",
        "identified_by": "randomised within those trials" if asleep else "nothing",
        "certainty": "not rated",
    }


def compared_kinds(arms: pd.DataFrame) -> str:
    """Say which trials compare one kind of therapy with another at one dose of a drug."""
    given = arms[arms["drug"].notna() & (arms["drug"] != "none") & (arms["psychotherapy"] != "none")]
    kinds = given.groupby(["trial_id", "drug", "dose"])["psychotherapy"].nunique()
    trials = sorted({str(trial) for trial, _, _ in kinds.index[kinds > 1]})
    if not trials:
        return "no trial compares one therapy with another at one dose of the drug"
    return f"one therapy is compared with another at one dose of the drug in {', '.join(trials)}"


def approaches(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
    """Count the kinds of therapy that trials of patients gave with the drug, and whether any trial compares them."""
    trials = evidence.trials
    included = trials[(trials["include"] == 1) & (trials["population"] == "patients")]["trial_id"]
    arms = evidence.arms
    own = arms[(arms["drug"] == claim["drug"]) & arms["trial_id"].isin(included)]
    if own.empty:
        return None
    counted = own.groupby("psychotherapy")["trial_id"].nunique().sort_values(ascending=False, kind="stable")
    return {
        "trials": f"{own['trial_id'].nunique()} trials of patients",
        "estimate": f"therapies, by trials: {', '.join(f'{str(kind).replace("_", " ")} {n}' for kind, n in counted.items())}; "
        f"{compared_kinds(own)}",
        "identified_by": "a count of the tables, of what sources report",
        "certainty": "as certain as the sources",
    }
