"""What the evidence of an analysis cannot bear, in sentences counted from its tables."""

from collections.abc import Mapping

import pandas as pd

from pillprocess.evidence.tables import Evidence
from pillprocess.rows.terms import REPORTED

PRINTED = ("printed SD", "printed SE", "95 % CI")
READ_INDIRECTLY = ("secondary", "digitised", "press")


def limitations(tables: Mapping[str, pd.DataFrame], evidence: Evidence) -> list[str]:
    """Say what limits the evidence behind an analysis; every number is counted from its tables."""
    rows = tables["rows"]
    given, single = rows[rows["dose"] > 0], rows.loc[rows["design"] == "single_arm", "trial"]
    doubts = evidence.doubts[evidence.doubts["trial_id"].isin(rows["trial"])]
    indirect = rows["evidence_quality"].isin(READ_INDIRECTLY)
    return [
        f"Small trials: the median arm has {rows['n'].median():.0f} people, and {int((rows['n'] < 20).sum())} arms fewer than 20.",
        f"Blinding: {_share(rows['blinding'] == 'open')} rows are open-label. Belief of having had the drug was reported for "
        f"{_share(rows['expectancy_from'] == REPORTED)} rows; whether blinding held is unknown for the rest.",
        f"Experience: {_share(rows['experience_from'].astype(str).str.startswith('reported'))} rows have a reported acute score.",
        f"Therapy: {_share(given['therapy'] > 0)} rows with a drug had therapy beside it; within most drugs nearly all or nearly none had.",
        f"No control: {single.nunique()} of {rows['trial'].nunique()} trials have no control arm and inform the course only.",
        f"Derived figures: {_share(~rows['se_from'].isin(PRINTED))} standard errors were not printed but derived or borrowed; "
        f"{_share(indirect)} rows were read from secondary sources, the press or off figures.",
        f"Not in the model: {len(tables['set_aside'])} arms and differences of included trials; the reasons stand under Evidence.",
        f"Doubts: {len(doubts)} known doubts touch {doubts['trial_id'].nunique()} trials of the model.",
        "Risk of bias was not rated, no protocol was registered and the search was not systematic: see the empty items of the record.",
    ]


def _share(mask: pd.Series) -> str:
    return f"{int(mask.sum())} of {len(mask)}"
