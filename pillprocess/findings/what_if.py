"""What the first table would say if one knew what nobody knows: whose doing belief's slope is, and whether the experience is a cause."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from pillprocess.evidence.tables import Evidence
from pillprocess.findings.scales import clinical_scales
from pillprocess.findings.summary import in_units, patients
from pillprocess.findings.trials import usual_settings
from pillprocess.findings.words import amount

ASSUMPTIONS = {
    "belief": "How much of what goes with belief is belief's own effect?",
    "experience": "How much of the association of experience and improvement is causal?",
}
"""What is assumed, as a question whose answers are shares from 0 to 1."""

PARTS = {0.0: "none", 0.25: "a quarter", 0.5: "half", 0.75: "three quarters", 1.0: "all"}


def what_if(tables: Mapping[str, pd.DataFrame], evidence: Evidence) -> pd.DataFrame:
    r"""Say what each drug's findings would be under assumptions that the evidence cannot test, each a fit of its own.

    Belief: the total effect, responders and number needed to treat if a share of the slope of the change on belief is belief's own
    effect (:func:`pillprocess.belief_share_curve`). None is the headline, all is belief held equal; both ends are the rows that other
    tables print. Responders follow from the effect as in :func:`pillprocess.response_table`,

    .. math:: p_1 = \Phi(\Phi^{-1}(p_0) - effect)

    Experience: what runs through the experience if a share of its association with improvement is causal
    (:func:`pillprocess.share_curve`).

    Parameters
    ----------
    tables
        Of the main job, by name: ``drug_effects``, ``belief_pair``, ``belief_shares``, ``responders``, and of a job with the synthesis
        ``synthesis_curve``.
    evidence
        The evidence they were made from.

    Returns
    -------
    DataFrame, a row per ``assumption`` (keys of ``findings.what_if.ASSUMPTIONS``), ``share``, ``drug`` in its usual setting
    (``therapy``) and ``quantity``: the columns of :func:`pillprocess.summary_of_findings` from ``mean`` to ``evidence``.
    """
    settings, scales = usual_settings(tables), clinical_scales(tables["rows"], evidence)
    rows: list[dict[str, object]] = []

    def add(assumption: str, share: float, drug: str, quantity: str, row: "pd.Series | None", words: str) -> None:
        found = {
            "assumption": assumption,
            "share": share,
            "drug": drug,
            "therapy": settings[drug],
            "quantity": quantity,
        }
        rows.append(found | in_units(row, quantity, scales.loc[drug]) | {"evidence": words})

    shares = tables.get("belief_shares", pd.DataFrame())
    for share in sorted(set(shares.get("share", ()))):
        for drug, therapy in settings.items():
            total, words = _total(tables, share, drug, therapy)
            add("belief", share, drug, "total", total, words)
            at_none = patients(tables["responders"], drug, therapy)
            here = _patients(tables, share, drug, therapy)
            for quantity, (headline, why) in at_none.items():
                row = headline if share == 0 else here[quantity]
                add("belief", share, drug, quantity, row, why if headline is None else words)
    curve = tables.get("synthesis_curve", pd.DataFrame())
    for share in sorted(set(curve.get("causal_share", ()))):
        for drug, therapy in settings.items():
            own = curve[(curve["causal_share"] == share) & (curve["drug"] == drug) & (curve["therapy"] == therapy)]
            own = own[own["path"] == "experience"]
            row = own.iloc[0] if len(own) else None
            add("experience", share, drug, "experience", row, "" if len(own) else "no such fit in this setting")
    columns = [
        "assumption", "share", "drug", "therapy", "quantity", "mean", "ci_low", "ci_high", "unit", "points", "points_low", "points_high",
        "instrument", "evidence",
    ]  # fmt: skip
    return pd.DataFrame(rows).reindex(columns=columns)


def what_if_words(table: pd.DataFrame, summary: pd.DataFrame) -> dict[tuple[str, float], str]:
    """State each assumption's answer for the drug with most trials in one sentence, by assumption and share.

    Parameters
    ----------
    table
        From :func:`what_if`.
    summary
        From :func:`pillprocess.summary_of_findings`.
    """
    if table.empty:
        return {}
    drug = summary.loc[summary["trials"].idxmax(), "drug"]
    own = table[table["drug"] == drug].set_index(["assumption", "share", "quantity"])
    total = float(summary.set_index(["drug", "quantity"]).loc[(drug, "total"), "mean"])
    setting = "given with therapy" if own["therapy"].iloc[0] > 0 else "given alone"
    said = {}
    for assumption, share in dict.fromkeys(own.index.droplevel("quantity")):
        rows = own.loc[(assumption, share)]
        part = PARTS.get(share, f"{100 * share:.0f} %")
        if assumption == "belief":
            said[assumption, share] = _belief_words(rows, f"people on {drug}, {setting},", part)
            continue
        row = rows.loc["experience"]
        if share == 0:
            said[assumption, share] = (
                "If none of the experience's association with improvement is causal, it is a bystander: nothing runs through it."
            )
        elif pd.notna(row["mean"]):
            more = (
                ": more than its whole effect, so that the rest would work against it"
                if row["mean"] < total < 0
                else ""
            )
            said[assumption, share] = (
                f"If {part} of the experience's association with improvement is causal, {amount(row, -1)} of {drug}'s effect run "
                f"through the experience{more}."
            )
    return said


def _belief_words(rows: pd.DataFrame, people: str, part: str) -> str:
    """The sentence of one share of belief's slope."""
    total, needed = rows.loc["total"], rows.loc["needed"]
    verb = "improve" if total["mean"] < 0 else "worsen"
    sentence = (
        f"If {part} of what goes with belief is belief's own effect, {people} {verb} by {amount(total, total['mean'])} more than their "
        "controls"
    )
    if pd.notna(needed["mean"]):
        limits = f" [{needed['ci_low']:.1f}, {needed['ci_high']:.1f}]" if pd.notna(needed["ci_low"]) else " (no limits)"
        sentence += f"; {needed['mean']:.1f}{limits} must be treated for one more responder"
    return f"{sentence}."


def _total(
    tables: Mapping[str, pd.DataFrame], share: float, drug: str, therapy: float
) -> tuple["pd.Series | None", str]:
    """The total effect at a share: at the ends the rows other tables print, between them the curve's."""
    shares, effects, pair = tables["belief_shares"], tables["drug_effects"], tables["belief_pair"]
    here = shares[(shares["rows"] == "headline") & (shares["share"] == share)]
    if share == 0:
        here = effects[effects["kind"] == "pooled"]
    elif share == 1:
        here = pair[pair["model"] == "with belief"]
    own = here[(here["drug"] == drug) & (here["therapy"] == therapy)]
    if own.empty:
        return None, "not fitted"
    return own.iloc[0], "the headline" if share == 0 else "belief reported for few arms, borrowed for the rest"


def _patients(
    tables: Mapping[str, pd.DataFrame], share: float, drug: str, therapy: float
) -> dict[str, "pd.Series | None"]:
    """More responders in 100 and the number needed to treat at a share; limits of the latter where the former's hold no 0."""
    table, shares = tables["responders"], tables["belief_shares"]
    here = shares[(shares["rows"] == "responders") & (shares["share"] == share)]
    here = here[(here["drug"] == drug) & (here["therapy"] == therapy)]
    if here.empty or "drug" not in table:
        return {"response": None, "needed": None}
    rate = table.loc[(table["drug"] == drug) & (table["therapy"] == therapy), "control_rate"]
    if rate.isna().all():
        return {"response": None, "needed": None}
    rate, effect = float(rate.iloc[0]), here.iloc[0]
    threshold = ndtri(rate)
    gain = {
        "mean": ndtr((threshold - effect["mean"]) / np.hypot(1, effect["sd"])) - rate,
        "ci_low": ndtr(threshold - effect["ci_high"]) - rate, "ci_high": ndtr(threshold - effect["ci_low"]) - rate,
    }  # fmt: skip
    needed = {"mean": 1 / gain["mean"], "ci_low": np.nan, "ci_high": np.nan}
    if gain["ci_low"] * gain["ci_high"] > 0:
        needed |= {"ci_low": 1 / gain["ci_high"], "ci_high": 1 / gain["ci_low"]}
    return {"response": pd.Series({name: 100 * value for name, value in gain.items()}), "needed": pd.Series(needed)}
