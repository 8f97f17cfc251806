"""The findings in plain words: the opening sentence, what each quantity means, and what is not known."""

from collections.abc import Mapping

import pandas as pd

from pillprocess.rows.terms import REPORTED

EXPLAINED = {
    "total": "How much more people improved with the drug at its reference dose than with its control, both with the same therapy or both "
    "without. Pooled over trials by a model in which trials and drugs differ.",
    "drug": "The same without therapy in either condition. It holds whatever knowing that one got the drug does, as most people knew. "
    "Where no trial gave the drug alone, other drugs' trials and the model answer.",
    "therapy": "How much more the drug does with therapy than without. Part of the total where the total is with therapy.",
    "belief": "The total effect if as many people in both conditions believed they got the drug. Few trials asked, so belief is borrowed "
    "for the rest: read it as the other end of a range, not as a correction.",
    "experience": "The part of the total that would run through the acute experience (mystical, prosocial, dissociative), as far as "
    "its association with improvement is causal. No trial randomised the experience.",
    "small_study": "The effect if small trials, and results printed because they were significant, tend to show too much: sixteen models "
    "of such bias, averaged. Against no drug or a low dose, over all of the drug's settings.",
    "new_trial": "Where the true effect of one further trial would lie, in 95 of 100: the spread between trials is added.",
    "response": "Of 100 people treated, how many more respond (mostly: lose half of their score) than without the drug. It follows from "
    "the total effect and from the share of responders in the drug's own control arms.",
    "needed": "How many people must be treated for one more responder. No limits are given where the difference may be none.",
}  # fmt: skip
"""Each quantity of the summary in plain words."""


def opening_sentence(summary: pd.DataFrame) -> str:
    """State the answer for the drug with most trials in one sentence, every number with its interval.

    Parameters
    ----------
    summary
        From :func:`pillprocess.summary_of_findings`.
    """
    if summary.empty:
        return "No trial of this evidence compares a drug with a control."
    most = summary.loc[summary["trials"].idxmax(), "drug"]
    own = summary[summary["drug"] == most].set_index("quantity")
    total, belief = own.loc["total"], own.loc["belief"]
    verb = "improve" if total["mean"] < 0 else "worsen"
    setting = "Given with therapy" if total["therapy"] > 0 else "Given alone"
    opening = f"{setting}, people on {most} {verb} by {amount(total, total['mean'])} more than their controls"
    unsure = "these trials cannot say how much of that is the drug, the therapy or the experience"
    if pd.isna(belief["mean"]):
        return f"{opening}; {unsure}."
    return f"{opening}, or by {amount(belief, total['mean'], scale=False)} if as many controls believed they got it; {unsure}."


def amount(row: pd.Series, sign: float, *, scale: bool = True) -> str:
    """Size of an effect with its interval, counted positive towards ``sign``, in points where a scale is known."""
    known = not pd.isna(row["points"])
    names = ("points", "points_low", "points_high") if known else ("mean", "ci_low", "ci_high")
    middle, *ends = (row[name] * (-1 if sign < 0 else 1) for name in names)
    form = ".1f" if known else ".2f"
    unit = f" points of the {row['instrument']}" if known else " SDs"
    low, high = sorted(round(end, 1 if known else 2) + 0.0 for end in ends)
    return f"{middle:{form}}{unit if scale else ''} [{low:{form}}, {high:{form}}]"


def therapy_compared(rows: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the trials that compare therapy with none at one dose of a drug, and the drugs no trial does so for.

    Parameters
    ----------
    rows
        Model rows.
    """
    given = rows[rows["dose"] > 0]
    differs = given[
        (given["kind"] == "contrast")
        & (given["dose"] == given["reference_dose"])
        & (given["therapy"] != given["reference_therapy"])
    ]
    arms = given[given["kind"] == "arm"].groupby(["trial", "drug_given", "dose"])["therapy"].nunique()
    compared = {(t, d) for t, d, _ in arms.index[arms > 1]} | set(
        zip(differs["trial"], differs["drug_given"], strict=True)
    )
    without = {str(d) for d in given["drug_given"]} - {d for _, d in compared}
    return sorted({t for t, _ in compared}), sorted(without)


def not_known(tables: Mapping[str, pd.DataFrame], summary: pd.DataFrame) -> pd.DataFrame:
    """List what the evidence cannot say, why, and the kind of trial that would.

    Parameters
    ----------
    tables
        Of the main job, by name.
    summary
        From :func:`pillprocess.summary_of_findings`.

    Returns
    -------
    DataFrame: ``question``, ``why`` (every number counted from the tables) and ``settled_by``.
    """
    rows = tables["rows"]
    reported, days = int((rows["expectancy_from"] == REPORTED).sum()), rows["time_days"].dropna()
    trials, without = therapy_compared(rows)
    found = f"Therapy was compared with none at one dose of the drug in {', '.join(trials)}" if trials else ""
    lacking = f"no trial does so for {', '.join(without)}" if without else ""
    compared = "; ".join(part for part in (found, lacking) if part)
    experience = summary[(summary["quantity"] == "experience") & summary["mean"].notna()]
    spans = "; ".join(f"{r.drug} {r.mean:.2f} [{r.ci_low:.2f}, {r.ci_high:.2f}]" for r in experience.itertuples())
    carried = f": what runs through it lies, in SDs, at {spans}" if spans else ""
    low, middle, high = days.quantile([0.25, 0.5, 0.75])
    lasting = f"The rows stand at a median of {middle:.0f} days, half of them between {low:.0f} and {high:.0f}."
    return pd.DataFrame(
        [
            ("Is it the drug, or knowing that one got it?",
             f"Belief was reported for {reported} of {len(rows)} rows, and who gets the drug mostly knows it.",
             "a comparator that people cannot tell from the drug, with guesses asked and printed; or open against hidden dosing"),
            ("Does therapy add to the drug?", f"{compared[:1].upper()}{compared[1:]}.",
             "drug and placebo, each with and without therapy"),
            ("Does the experience carry the effect?", f"No trial randomises the experience{carried}.",
             "the drug with and without its experience (under anaesthesia, or with a drug that blocks it), belief held equal"),
            ("How long does it last?", lasting, "randomised follow-up beyond the primary time point, without crossing over"),
            ("Is it worth its harms?", "Harms are not in these tables: nothing here weighs benefit against harm.",
             "an analysis of harms, which this is not"),
        ],
        columns=["question", "why", "settled_by"],
    )  # fmt: skip
