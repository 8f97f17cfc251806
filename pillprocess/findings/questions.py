"""What readers ask first, answered in a line each from the tables, with the section that says more."""

from collections.abc import Mapping

import pandas as pd

from pillprocess.findings.words import amount
from pillprocess.timecourse.ledger import VERDICTS


def questions(tables: Mapping[str, pd.DataFrame], summary: pd.DataFrame) -> pd.DataFrame:
    """Answer what readers ask first, drug by drug, every number that of a table.

    Parameters
    ----------
    tables
        Of the main job, by name: ``what_if``, and of ``half_lives``, ``half_lives_with_relapse``, ``time_ledger``,
        ``synthesis_share`` those there are.
    summary
        From :func:`pillprocess.summary_of_findings`.

    Returns
    -------
    DataFrame: ``question``, ``answer`` and ``section``, the section of the report that says more. A question that these tables do not
    answer has no row.
    """
    found = [
        ("Does therapy add to the drug?", _therapy(summary), "ledger"),
        ("How many must be treated for one more responder?", _needed(summary), "responders"),
        ("What if those who guessed right are discounted?", _discounted(summary), "what-if"),
        ("How long does it last?", _lasting(tables), "how_long"),
        ("How sure is it that the experience matters?", _experience(tables, summary), "synthesis"),
    ]
    return pd.DataFrame([row for row in found if row[1]], columns=["question", "answer", "section"])


def _own(summary: pd.DataFrame, quantity: str) -> pd.DataFrame:
    return summary[(summary["quantity"] == quantity) & summary["mean"].notna()]


def _therapy(summary: pd.DataFrame) -> str:
    own = _own(summary, "therapy")
    parts = [
        f"{drug} {amount(row, -1)}{f' ({row["evidence"]})' if row['evidence'].startswith('carried over') else ''}"
        for drug, row in own.set_index("drug").iterrows()
    ]
    unsure = (own["ci_low"] * own["ci_high"] <= 0).all()
    opening = (
        "Not shown: every interval includes none. More improvement with therapy"
        if unsure
        else "More improvement with therapy"
    )
    return f"{opening}: {'; '.join(parts)}." if parts else ""


def _needed(summary: pd.DataFrame) -> str:
    parts = []
    for r in _own(summary, "needed").itertuples():
        limits = f"[{r.ci_low:.1f}, {r.ci_high:.1f}]" if pd.notna(r.ci_low) else "(no limits)"
        parts.append(f"{r.drug} {r.mean:.1f} {limits}")
    return f"{'; '.join(parts)}. It takes more where belief is discounted: see What if?" if parts else ""


def _discounted(summary: pd.DataFrame) -> str:
    totals, held = (_own(summary, name).set_index("drug") for name in ("total", "belief"))
    parts = [
        f"{drug} from {amount(totals.loc[drug], -1, scale=False)} to {amount(held.loc[drug], -1)}"
        for drug in held.index.intersection(totals.index, sort=False)
    ]
    return (
        f"If all that goes with belief is belief's own effect, improvement falls: {'; '.join(parts)}." if parts else ""
    )


def _lasting(tables: Mapping[str, pd.DataFrame]) -> str:
    if "half_lives" not in tables or "time_ledger" not in tables:
        return ""
    rests = tables["time_ledger"].set_index("drug")["rests_on"].astype(str)
    lives = tables["half_lives"].sort_values("therapy").drop_duplicates("drug", keep="last").set_index("drug")
    measured = [drug for drug in rests.index if rests[drug] == VERDICTS[0] and drug in lives.index]
    relapse = (
        tables.get("half_lives_with_relapse", pd.DataFrame(columns=["drug", "rests_on"]))
        .drop_duplicates("drug")
        .set_index("drug")
    )
    stopped = [drug for drug in relapse.index if relapse.loc[drug, "rests_on"] == VERDICTS[4] and drug not in measured]
    others = [drug for drug in rests.index if drug not in [*measured, *stopped]]
    parts = [
        f"{drug}: half of the effect is left after {lives.loc[drug, 'median']:.0f} days [{lives.loc[drug, 'ci_low']:.0f}, "
        f"{lives.loc[drug, 'ci_high']:.0f}]"
        for drug in measured
    ]
    parts += [
        f"{drug}, by relapse after it was stopped at random: after {relapse.loc[drug, 'median']:.0f} days "
        f"[{relapse.loc[drug, 'ci_low']:.0f}, {relapse.loc[drug, 'ci_high']:.0f}], if relapse is symptoms above a threshold"
        for drug in stopped
    ]
    assumed = f"for {', '.join(others)} it is an assumption" if others else ""
    return "; ".join([*parts, *([assumed] if assumed else [])]) + "." if parts or assumed else ""


def _experience(tables: Mapping[str, pd.DataFrame], summary: pd.DataFrame) -> str:
    if "synthesis_share" not in tables:
        return ""
    share, own = tables["synthesis_share"], _own(summary, "experience").set_index("drug")
    settings = summary.drop_duplicates("drug").set_index("drug")["therapy"]
    parts = []
    for drug in own.index:
        row = share[(share["drug"] == drug) & (share["therapy"] == settings[drug])]
        if len(row):
            parts.append(f"{drug} {row['p_most'].iloc[0]:.2f} ({row['prior_p_most'].iloc[0]:.2f})")
    words = sorted(set(own["certainty"]) - {""})
    if not parts:
        return ""
    return (
        f"Not sure: {' or '.join(words)} certainty. Probability that more than half of the effect runs through it, before the data in "
        f"brackets: {'; '.join(parts)}."
    )
