"""The synthesis in sentences whose every number comes from its tables."""

from collections.abc import Mapping

import pandas as pd

from pillprocess.output.pages import estimate

ALL_CAUSAL = "all of the association is causal"


def synthesis_answer(tables: Mapping[str, pd.DataFrame], note: str) -> list[str]:
    """State what the synthesis answers, what identifies it and what would overturn it.

    Parameters
    ----------
    tables
        Of :func:`pillprocess.review.synthesis.analyse_synthesis`.
    note
        What the comparison of hypotheses decides.

    Returns
    -------
    Sentences.
    """
    effects = tables["synthesis_effects"]
    shares = tables["synthesis_share"]
    sentences = [
        _effect(effects),
        _majority(shares),
        _learned(shares),
        _causal(tables["synthesis_causal_share"], tables["synthesis_choices"]),
    ]
    sentences.append(_span(tables["synthesis_choices"]))
    sentences += [_removal(tables["synthesis_without"]), _disagreement(tables["synthesis_conflict"]), note]
    return [sentence for sentence in sentences if sentence]


def _given(table: pd.DataFrame) -> pd.DataFrame:
    """Each drug in the setting most of its trials used."""
    observed = table[table["n_trials"] > 0].sort_values("n_trials", ascending=False, kind="stable")
    return observed.drop_duplicates(["drug", "path"])


def _effect(effects: pd.DataFrame) -> str:
    rows = _given(effects).set_index(["drug", "path"])
    parts = []
    for drug in dict.fromkeys(_given(effects)["drug"]):
        total, experience, belief = (rows.loc[(drug, path)] for path in ("total", "experience", "belief"))
        parts.append(
            f"{drug} {estimate(total.to_dict())} in all, of which {estimate(experience.to_dict())} through the experience and "
            f"{estimate(belief.to_dict())} through belief"
        )
    return (
        f"Effect of the reference dose in a blinded trial, in reference SDs (negative is better): {'; '.join(parts)}."
    )


def _majority(shares: pd.DataFrame) -> str:
    rows = shares[shares["therapy"] == 1.0]
    most = "; ".join(f"{r.drug} {r.p_most:.2f}" for r in rows.itertuples())
    process = "; ".join(f"{r.drug} {r.p_process:.2f}" for r in rows.itertuples())
    return (
        f"Probability that more than half of the drug's effect runs through the experience: {most}. That more than half is process "
        f"(experience, belief or the interaction with therapy): {process}."
    )


def _learned(shares: pd.DataFrame) -> str:
    rows = shares[shares["therapy"] == 1.0]
    prior = "; ".join(f"{r.drug} {r.prior_p_most:.2f}" for r in rows.itertuples())
    least = rows.loc[rows["learned_slope"].idxmin()]
    return (
        f"Before the data these probabilities were {prior}: what separates them from the answer is what the evidence says. "
        f"The effect of one SD of experience rests most on its prior for {least['drug']} ({100 * max(least['learned_slope'], 0):.0f} % "
        f"of its prior variance was removed; it rests on {least['rests_on']})."
    )


def _causal(share: pd.DataFrame, choices: pd.DataFrame) -> str:
    """The causal share, and why a large one is hard to square with the drug's whole effect, where it is."""
    words = (
        f"The share of the association of experience and improvement that is causal is {estimate(share.iloc[0].to_dict())} "
        "(before the data: any value from 0 to 1 alike)."
    )
    causal = choices[(choices["choice"] == ALL_CAUSAL) & (choices["drug"] == "psilocybin")].set_index("path")["mean"]
    if len(causal) and causal["experience"] < causal["total"] < 0:
        words += (
            f" If it were 1, psilocybin's experience alone would do {causal['experience']:.2f}, more than the whole drug "
            f"({causal['total']:.2f}), and its direct effect would have to be harmful."
        )
    return words


def _span(choices: pd.DataFrame) -> str:
    rows = choices[(choices["path"] == "experience") & (choices["drug"] == "psilocybin")].set_index("choice")
    if rows.empty:
        return ""
    parts = [
        f"{estimate(row.to_dict())} if {name}"
        for name, row in rows.iterrows()
        if not str(name).startswith("therapy term")
    ]
    return (
        "No trial randomises the experience. How much of the association between experience and improvement is causal is therefore "
        f"an assumption with a prior; for psilocybin the effect through the experience is {'; '.join(parts)}."
    )


def _removal(table: pd.DataFrame) -> str:
    moved = table[table["without"] != "nothing"]
    if moved.empty:
        return ""
    most = moved.loc[moved["shift"].abs().idxmax()]
    return (
        f"The answer leans most on {most['without']}: without them the effect of {most['drug']} through the experience moves by "
        f"{most['shift']:+.1f} of its posterior SDs, to {most['experience']:.2f} [{most['experience_low']:.2f}, "
        f"{most['experience_high']:.2f}]."
    )


def _disagreement(table: pd.DataFrame) -> str:
    if table.empty:
        return "The kinds of evidence could not be set against one another."
    worse, nearest = table[table["verdict"] == "they disagree"], table.nsmallest(1, "p")
    parts = [
        f"for {r.drug}, {r.one} ({r.one_mean:.2f}) against {r.other} ({r.other_mean:.2f}), p = {r.p:.2f} ({r.p_corrected:.2f} "
        "corrected for the number of comparisons)"
        for r in (nearest if worse.empty else worse).itertuples()
    ]
    if worse.empty:
        return f"The kinds of evidence were set against one another; no disagreement was seen. The nearest: {parts[0]}."
    return f"The kinds of evidence disagree: {'; '.join(parts)}."
