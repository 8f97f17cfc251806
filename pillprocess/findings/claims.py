"""The review, claim by claim: for each the trials, the estimate, what identifies it and how sure it is, filled from the fits.

The claims are those of Torrado Pacheco & Moghaddam 2024, J Clin Invest 134(12):e180217, doi:10.1172/JCI180217 (CC BY 4.0), in short; the
numbers of its references are the review's own. ``claims.csv`` names for each the question of this module that answers it.
"""

from collections.abc import Callable
from importlib.resources import files

import pandas as pd
from scipy.stats import norm

from pillprocess.evidence.tables import Evidence
from pillprocess.findings.summary import summary_of_findings
from pillprocess.findings.trial_answers import (
    Answer,
    Tables,
    approaches,
    compared_kinds,
    controls_too,
    each_trial,
    early,
    harms,
    without_its_experience,
)
from pillprocess.output.pages import estimate

SUBSTANCES = ("AUD", "tobacco", "cocaine")
LATE = 90.0
"""Days after which a row counts as late."""

NO_HUMAN = "no human outcome of these tables speaks to it"
COLUMNS = ["trials", "estimate", "identified_by", "certainty"]


def claims() -> pd.DataFrame:
    """Return the review's claims in short: ``claim``, ``section``, ``says``, ``references``, ``answered_by``, ``drug``, ``trials``."""
    with (files("pillprocess.findings") / "claims.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def review_claims(tables: Tables, evidence: Evidence) -> pd.DataFrame:
    """Set each claim of the review beside what the evidence says of it.

    Parameters
    ----------
    tables
        Of the main job, by name, as :func:`pillprocess.read_results` gives them.
    evidence
        The evidence they were made from.

    Returns
    -------
    DataFrame, a row per claim: ``claim``, ``section`` of the review, ``says``, ``references`` (the review's numbers), ``trials``,
    ``estimate`` (in words, with its 95 % interval; SDs, negative is improvement), ``identified_by`` and ``certainty`` (of
    :func:`pillprocess.certainty`, or why there is none). A claim that this evidence cannot speak to says so.

    The claims are in short those of Torrado Pacheco & Moghaddam 2024, doi:10.1172/JCI180217, CC BY 4.0.
    """
    summary = summary_of_findings(tables, evidence).set_index(["drug", "quantity"])
    rows = []
    for claim in claims().to_dict("records"):
        found = ANSWERS[claim["answered_by"]](claim, tables, evidence, summary)
        given = {name: claim[name] for name in ("claim", "section", "says", "references")}
        rows.append(given | dict.fromkeys(COLUMNS, "") | (found or _silent()))
    return pd.DataFrame(rows, columns=["claim", "section", "says", "references", *COLUMNS])


def _silent(why: str = "no trial of this evidence speaks to it") -> Answer:
    return {"estimate": why, "identified_by": "nothing", "certainty": "not rated"}


def _from_summary(quantity: str, words: str) -> Callable[..., Answer | None]:
    """Answer by one row of the summary of findings."""

    def answer(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
        if (claim["drug"], quantity) not in summary.index:
            return None
        row = summary.loc[(claim["drug"], quantity)]
        if pd.isna(row["mean"]):
            return _silent(str(row["evidence"]))
        setting = "with therapy" if row["therapy"] else "alone"
        return {
            "trials": f"{row['trials']} trials of {claim['drug']} {setting}",
            "estimate": f"{words} {estimate(row.to_dict())}",
            "identified_by": str(row["evidence"]),
            "certainty": row["certainty"] or _without_word(quantity),
        }

    return answer


def _without_word(quantity: str) -> str:
    return (
        "two models of equal rank"
        if quantity == "belief"
        else "as the total effect, wider by the spread between trials"
    )


def _interaction(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
    ledger = tables["ledger"].set_index("term")
    if "drug x therapy" not in ledger.index:
        return None
    row = ledger.loc["drug x therapy"]
    return {
        "trials": f"{row['n_trials']:.0f} trials contrast it, {row['n_unconfounded']:.0f} isolate it",
        "estimate": f"drug x therapy {estimate(row.to_dict())}",
        "identified_by": str(row["evidence"]),
        "certainty": str(row["verdict"]),
    }


def of_patients(evidence: Evidence) -> pd.DataFrame:
    """Included trials of patients."""
    trials = evidence.trials
    return trials[(trials["include"] == 1) & (trials["population"] == "patients")]


def _support(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
    """Count the included trials of patients whose arms had the drug without therapy."""
    included = of_patients(evidence)["trial_id"]
    arms = evidence.arms
    given = arms[(arms["drug"] == claim["drug"]) & arms["trial_id"].isin(included) & (arms["include_arm"] == 1)]
    if given.empty:
        return None
    therapy = given.groupby("trial_id")["therapy"].min()
    without, silent = sorted(therapy.index[therapy == 0]), int(therapy.isna().sum())
    named = f" ({', '.join(without)})" if without else ""
    return {
        "trials": f"{len(therapy)} trials of patients",
        "estimate": f"{int((therapy > 0).sum())} gave therapy in every arm with the drug; {len(without)} did not{named}; "
        f"{silent} do not say",
        "identified_by": "a count of the tables, of what sources report",
        "certainty": "as certain as the sources",
    }


def _late(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
    """Count the trials with rows beyond ``LATE`` days, and those whose arms were still as randomised then."""
    trials = of_patients(evidence).set_index("trial_id")
    arms = evidence.arms[evidence.arms["drug"] == claim["drug"]][["trial_id", "arm_id"]]
    rows = evidence.outcomes.merge(arms, on=["trial_id", "arm_id"])
    rows = rows[(rows["time_days"] > LATE) & rows["trial_id"].isin(trials.index) & (rows["include"] == 1)]
    if rows.empty:
        return None
    facts = rows.join(trials[["design", "randomised_until"]], on="trial_id")
    until = facts["randomised_until"]
    controlled = facts[(facts["design"] != "single_arm") & (until.isna() | (until >= facts["time_days"]))]
    names = sorted(set(controlled["trial_id"]))
    return {
        "trials": f"{rows['trial_id'].nunique()} trials have a figure beyond {LATE:.0f} days",
        "estimate": f"in {len(names)} of them arms were still compared as randomised then{': ' + ', '.join(names) if names else ''}; the "
        f"last figure stands at day {rows['time_days'].max():.0f}",
        "identified_by": "follow-up; after crossing over or unblinding nothing is randomised, and the course cannot be told from the drug",
        "certainty": "not rated: the headline stands at the primary time point",
    }


def _pair(one: pd.Series, other: pd.Series) -> str:
    """Difference of two arms with a 95 % interval from their standard errors."""
    gap, se = one["y"] - other["y"], (one["se"] ** 2 + other["se"] ** 2) ** 0.5
    half = norm.ppf(0.975) * se
    return f"{one['arm']} against {other['arm']} {estimate({'mean': gap, 'ci_low': gap - half, 'ci_high': gap + half})}"


def _own(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
    """Answer by one trial's own contrast: each higher dose against the lowest, as printed or from its arms."""
    rows = tables["rows"]
    own = rows[rows["trial"] == claim["trials"]].sort_values("dose", ascending=False)
    if own.empty:
        return None
    printed = own[own["kind"] == "contrast"]
    if len(printed):
        parts = [
            f"{r.arm} against {r.reference_arm} "
            + estimate({"mean": r.y, "ci_low": r.y - norm.ppf(0.975) * r.se, "ci_high": r.y + norm.ppf(0.975) * r.se})
            for r in printed.itertuples()
        ]
    else:
        parts = [_pair(own.iloc[i], own.iloc[-1]) for i in range(len(own) - 1)]
    first = own.iloc[0]
    return {
        "trials": claim["trials"],
        "estimate": f"{'; '.join(parts)} ({first['instrument']}, day {first['time_days']:.0f})",
        "identified_by": "randomised within this one trial",
        "certainty": "one trial: an interval that includes 0 does not show that two treatments are alike",
    }


def _counted(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
    rows = evidence.outcomes
    own = rows[(rows["trial_id"] == claim["trials"]) & rows["responders"].notna()].sort_values("time_days")
    if own.empty:
        return None
    parts = [
        f"{r.responders:.0f} of {r.n:.0f}{f' at day {r.time_days:.0f}' if pd.notna(r.time_days) else ''}"
        for r in own.itertuples()
    ]
    return {
        "trials": claim["trials"],
        "estimate": "; ".join(parts),
        "identified_by": "nothing: no control arm, so course, therapy and drug cannot be told apart",
        "certainty": "very low",
    }


def _therapies(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
    trials = evidence.trials
    included = trials[(trials["include"] == 1) & trials["condition"].isin(SUBSTANCES)]["trial_id"]
    arms = evidence.arms[(evidence.arms["drug"] == claim["drug"]) & evidence.arms["trial_id"].isin(included)]
    if arms.empty:
        return None
    named = arms.groupby("psychotherapy")["trial_id"].agg(lambda t: ", ".join(sorted(set(t))))
    return {
        "trials": f"{arms['trial_id'].nunique()} included trials in {', '.join(SUBSTANCES)}",
        "estimate": "; ".join(f"{kind.replace('_', ' ')}: {names}" for kind, names in named.items()),
        "identified_by": f"a count of the tables; {compared_kinds(arms)}",
        "certainty": "as certain as the sources",
    }


def _association(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
    if "synthesis_causal_share" not in tables:
        return _silent("the synthesis was not run")
    own = tables["synthesis_causal_share"].set_index("drug")
    if claim["drug"] not in own.index:
        return None
    row = own.loc[claim["drug"]]
    values = {"mean": row["association"], "ci_low": row["association_low"], "ci_high": row["association_high"]}
    return {
        "trials": "published correlations of experience and change within arms",
        "estimate": f"correlation {estimate(values)} (negative: more experience, more improvement)",
        "identified_by": "association within arms, pooled over drugs as far as the data say",
        "certainty": f"an association; that more than half of it is causal has probability {row['p_half']:.2f} "
        f"({row['prior_p_half']:.2f} before the data)",
    }


def _without_experience(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
    if "synthesis_effects" not in tables:
        return _silent("the synthesis was not run")
    effects = tables["synthesis_effects"]
    own = effects[
        (effects["drug"] == claim["drug"]) & (effects["path"] == "without_experience") & (effects["n_trials"] > 0)
    ]
    if own.empty:
        return None
    row = own.sort_values("n_trials", ascending=False, kind="stable").iloc[0]
    return {
        "trials": f"{row['n_trials']:.0f} trials of {claim['drug']}; none blocks its experience",
        "estimate": f"effect without the experience {estimate(row.to_dict())}",
        "identified_by": "the prior of how much of the association is causal, and other drugs",
        "certainty": "very low" if row["ci_low"] * row["ci_high"] <= 0 else "low",
    }


def _preclinical(claim: Answer, tables: Tables, evidence: Evidence, summary: pd.DataFrame) -> Answer | None:
    table = evidence.preclinical
    levels = ("cellular",) if claim["claim"] == "plasticity" else ("circuit", "behavioural")
    own = table[table["level"].isin(levels)]
    if own.empty:
        return None
    references = sorted(
        {int(n) for cell in own["seed_refs"].astype(str) for n in cell.split(";") if n.strip().isdigit()}
    )
    return {
        "trials": "none in people",
        "estimate": f"{NO_HUMAN}; {len(own)} effects of Table 1, references {', '.join(map(str, references))}",
        "identified_by": "animal and cell work that the review cites",
        "certainty": "not rated",
    }


ANSWERS: dict[str, Callable[[Answer, Tables, Evidence, pd.DataFrame], Answer | None]] = {
    "interaction": _interaction, "support": _support, "late": _late, "doses": _own, "own": _own, "counted": _counted,
    "therapies": _therapies, "approaches": approaches, "each": each_trial, "controls": controls_too, "early": early, "harms": harms,
    "blocked": without_its_experience, "association": _association, "without_experience": _without_experience, "preclinical": _preclinical,
    "total": _from_summary("total", "total effect"), "therapy": _from_summary("therapy", "what therapy adds"),
    "belief": _from_summary("belief", "total effect with belief held equal"),
    "experience": _from_summary("experience", "through the experience"),
    "new_trial": _from_summary("new_trial", "effect in a new trial"),
}  # fmt: skip
"""The questions a claim may be answered by."""
