"""The synthesis in sentences whose every number comes from its tables."""

from collections.abc import Mapping

import pandas as pd

from pillprocess.output.pages import estimate

ALL_CAUSAL = "all of the association is causal"
DEFAULT_TRANSPORT = 0.3


def synthesis_answer(tables: Mapping[str, pd.DataFrame], note: str, *, drug: str) -> list[str]:
    """State what the synthesis answers, what identifies it and what would overturn it.

    Parameters
    ----------
    tables
        Of :func:`pillprocess.review.synthesis.analyse_synthesis`.
    note
        What the comparison of hypotheses decides.
    drug
        For which drug the sentences about one drug are written.

    Returns
    -------
    Sentences.
    """
    effects = tables["synthesis_effects"]
    shares = tables["synthesis_share"]
    sentences = [
        _effect(effects),
        _could_it_tell(tables["synthesis_power"]),
        _majority(shares),
        _own(tables["synthesis_share_pooling"]),
        _learned(shares),
        _causal(tables["synthesis_causal_share"], tables["synthesis_choices"], drug),
    ]
    sentences.append(_span(tables["synthesis_choices"], drug))
    sentences += [_informed(tables["synthesis_informed"], tables["synthesis_outside"])]
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


def _asked(shares: pd.DataFrame) -> pd.DataFrame:
    """Each drug in the setting most of its trials had; drugs no trial compares are left out."""
    rows = shares[shares["n_trials"] > 0].sort_values("n_trials", ascending=False, kind="stable")
    return rows.drop_duplicates("drug").sort_values("drug")


def _both(rows: pd.DataFrame, column: str) -> str:
    return "; ".join(f"{r['drug']} {r[column]:.2f} ({r[f'prior_{column}']:.2f})" for r in rows.to_dict("records"))


def _majority(shares: pd.DataFrame) -> str:
    rows = _asked(shares)
    return (
        "Probability that more than half of the drug's effect runs through the experience, and before the data in brackets: "
        f"{_both(rows, 'p_most')}. That more than half is process (experience, belief or the interaction with therapy): "
        f"{_both(rows, 'p_process')}."
    )


def _own(shares: pd.DataFrame) -> str:
    """The same probability without what other drugs say."""
    parts = []
    for drug, rows in _asked_by_pooling(shares).groupby("drug"):
        parts.append(f"{drug} " + ", ".join(f"{r.p_most:.2f} {r.pooling}" for r in rows.itertuples()))
    return f"How much other drugs' trials move the first of these: {'; '.join(parts)}."


def _asked_by_pooling(shares: pd.DataFrame) -> pd.DataFrame:
    setting = _asked(shares[shares["pooling"] == shares["pooling"].iloc[0]]).set_index("drug")["therapy"]
    return shares[shares["drug"].map(setting) == shares["therapy"]]


def _could_it_tell(power: pd.DataFrame) -> str:
    """Whether this body of evidence could have told the accounts apart."""
    if power.empty:
        return ""
    parts = []
    for truth, own in power.groupby("truth", sort=False):
        told = [f"{r.drug} in {r.above} and {r.below}" for r in own.itertuples() if r.above or r.below]
        rest = "never" if not told else "never for the others" if len(told) < len(own) else ""
        parts.append(f"if {truth}: {', '.join(part for part in (*told, rest) if part)}")
    return (
        f"Could this body of evidence have told? In {power['datasets'].max()} data sets simulated at its shape, the probability that more "
        f"than half of a drug's effect runs through the experience came out above .95, and below .05, {'; '.join(parts)}."
    )


def _learned(shares: pd.DataFrame) -> str:
    rows = _asked(shares)
    least = rows.loc[rows["learned_slope"].idxmin()]
    return (
        "What separates each probability from its bracket is what the evidence says. "
        f"The effect of one SD of experience rests most on its prior for {least['drug']} ({100 * max(least['learned_slope'], 0):.0f} % "
        f"of its prior variance was removed; it rests on {least['rests_on']})."
    )


def _causal(shares: pd.DataFrame, choices: pd.DataFrame, drug: str) -> str:
    """The causal share, and why a large one is hard to square with the drug's whole effect, where it is."""
    parts = [
        f"{r.drug} {r.p_half:.2f} ({r.prior_p_half:.2f}), that the causal slope is larger than the association {r.p_larger:.2f} "
        f"({r.prior_p_larger:.2f}), that it is none or of the other sign {r.p_none:.2f} ({r.prior_p_none:.2f})"
        for r in shares.itertuples()
    ]
    words = (
        "The association of experience and improvement within arms is the causal slope and a bias. Probability that more than half of it "
        f"is causal, and before the data in brackets: {'; '.join(parts)}."
    )
    causal = choices[(choices["choice"] == ALL_CAUSAL) & (choices["drug"] == drug)].set_index("path")["mean"]
    if len(causal) and causal["experience"] < causal["total"] < 0:
        words += (
            f" If all of it were, {drug}'s experience alone would do {causal['experience']:.2f}, more than the whole drug "
            f"({causal['total']:.2f}), and its direct effect would have to be harmful."
        )
    return words


def _informed(table: pd.DataFrame, ledger: pd.DataFrame) -> str:
    """The answer with process terms informed by trials elsewhere."""
    if table.empty or ledger.empty:
        return ""
    total, parts = table[table["path"].isin(["total", "experience", "belief"])], []
    for drug, rows in _given(total).groupby("drug"):
        here = rows["therapy"].iloc[0]
        chosen = total[(total["drug"] == drug) & (total["therapy"] == here) & (total["transport"] == DEFAULT_TRANSPORT)]
        values = chosen.set_index("path")
        parts.append(
            f"{drug} {estimate(values.loc['total'].to_dict())} in all, {estimate(values.loc['experience'].to_dict())} through the "
            f"experience and {estimate(values.loc['belief'].to_dict())} through belief"
        )
    against = ledger.loc[ledger["verdict"] == "they conflict", "term"].tolist()
    conflict = f"they conflict on {', '.join(against)}" if against else "no conflict is seen"
    return (
        f"With therapy, belief and the course informed by trials elsewhere (therapy as it was randomised there, belief from open-label "
        f"against blinded trials, which is no randomised comparison, the course from waiting lists): {'; '.join(parts)}. Between trials "
        f"here and elsewhere {conflict}."
    )


def _span(choices: pd.DataFrame, drug: str) -> str:
    rows = choices[(choices["path"] == "experience") & (choices["drug"] == drug)].set_index("choice")
    if rows.empty:
        return ""
    parts = [f"{estimate(row.to_dict())} if {name}" for name, row in rows.iterrows()]
    return (
        "No trial randomises the experience. How much of the association between experience and improvement is causal is therefore "
        f"an assumption with a prior; for {drug} the effect through the experience is {'; '.join(parts)}."
    )


def _removal(table: pd.DataFrame) -> str:
    moved = table[(table["without"] != "nothing") & table["shift"].notna()]
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
        f"corrected for the number of comparisons; the chance to see a difference as large as the whole effect was {r.power:.2f})"
        for r in (nearest if worse.empty else worse).itertuples()
    ]
    if worse.empty:
        return f"The kinds of evidence were set against one another; no disagreement was seen. The nearest: {parts[0]}."
    return f"The kinds of evidence disagree: {'; '.join(parts)}."
