"""How certain a finding is: GRADE's domains, each rated by a rule from the tables, so that anybody can check or contest a word.

GRADE asks raters for judgement. Nobody rated here, so each domain follows a rule that is printed beside the word; a rule is cruder
than a rater and says so. Sources: Balshem et al. 2011, doi:10.1016/j.jclinepi.2010.07.015 (the four levels and where a body of evidence
starts); Guyatt et al. 2011, doi:10.1016/j.jclinepi.2010.07.017 (risk of bias), 10.1016/j.jclinepi.2011.01.012 and Zeng et al. 2022,
10.1016/j.jclinepi.2022.07.014 (imprecision), 10.1016/j.jclinepi.2011.01.011 (publication bias), 10.1016/j.jclinepi.2011.03.017
(inconsistency), 10.1016/j.jclinepi.2011.04.014 (indirectness).
"""

import math
from collections.abc import Mapping

import pandas as pd
from scipy.special import ndtri

from pillprocess.bias.averaging import AVERAGED, LARGEST, UNADJUSTED
from pillprocess.evidence.tables import Evidence
from pillprocess.findings.scales import clinical_scales
from pillprocess.findings.trials import compared_trials, people_compared, usual_settings
from pillprocess.rows.bias_domains import risk_of_bias

WORDS = ("high", "moderate", "low", "very low")
SMALL, MATERIAL = 0.2, 1 / 3
"""A small effect in SDs, and the part of an effect that matters."""

FEW = 2 * math.ceil(2 * ((ndtri(0.975) + ndtri(0.8)) / SMALL) ** 2)
"""GRADE's optimal information size: the people one trial needs to find the small effect with 80 % power (two-sided 5 %). Many reviews
take 400 instead; the GRADE papers define the size by the trial, not by a number."""

RULE = {
    "what identifies it": "starts high where trials of the drug randomise it; two down where only a comparison of different trials or an "
    "association within arms does; three down where it is carried over from other drugs",
    "risk of bias": "one down where holding belief equal takes a third of the effect or more, or leaves an interval that includes 0; one "
    "more where sources report a risk of bias in most of the trials that any source speaks of",
    "inconsistency": "one down where the interval for a new trial includes 0",
    "indirectness": "one down where most trials of the drug measured something else than the scale shown",
    "imprecision": f"two down where the interval includes 0, one where it includes an effect below {SMALL:g} SD; one (at most two in "
    f"all) for fewer people than the {FEW} that one trial needs to find {SMALL:g} SD with 80 % power (GRADE's optimal information size)",
    "publication bias": "one down where allowing for small-study effects, or the largest trials alone, leave a third less, or an interval "
    "that includes 0",
}  # fmt: skip
"""The rule of each domain, in the words the report prints."""

RATED = (
    "rob2_randomisation", "rob2_deviations", "rob2_missing_data", "rob2_selection", "attrition", "early_stopping",
)  # fmt: skip
"""Domains of ``risk_of_bias.csv`` that count here. What a broken blind does (also to measurement) is rated by holding belief equal, and
GRADE has no domain for a sponsor."""


def certainty_word(down: int) -> str:
    """Name GRADE's level so many steps below high.

    Parameters
    ----------
    down
        Steps; more than three are three.

    Returns
    -------
    ``"high"``, ``"moderate"``, ``"low"`` or ``"very low"``.

    Examples
    --------
    >>> import pillprocess as pp
    >>> pp.certainty_word(2)
    'low'
    """
    return WORDS[min(max(down, 0), len(WORDS) - 1)]


def certainty(tables: Mapping[str, pd.DataFrame], evidence: Evidence) -> pd.DataFrame:
    """Rate how certain each drug's findings are, domain by domain, by the printed rule.

    Parameters
    ----------
    tables
        Of the main job, by name, as :func:`pillprocess.read_results` gives them.
    evidence
        The evidence they were made from.

    Returns
    -------
    DataFrame, a row per drug, ``quantity`` (``total``, ``therapy``: what therapy adds to the drug, ``experience``: what runs
    through the experience) and ``domain`` of ``findings.certainty.RULE``: ``down``, the steps taken down, and ``why`` in words.
    The word for a finding is ``certainty_word`` of the sum: after GRADE (Balshem et al. 2011, doi:10.1016/j.jclinepi.2010.07.015), with
    rules in the place of raters.
    """
    settings = usual_settings(tables)
    scales = clinical_scales(tables["rows"], evidence)
    people = _people(tables, evidence, settings)
    reported = _reported_risks(tables, evidence)
    rows: list[dict[str, object]] = []
    for drug, therapy in settings.items():
        effects = tables["drug_effects"]
        mine = effects[(effects["drug"] == drug) & (effects["therapy"] == therapy)].set_index("kind")
        pooled, new = mine.loc["pooled"], mine.loc["predictive"]
        found = {
            "what identifies it": (0, f"{int(pooled['trials'])} trials randomise it"),
            "risk of bias": _bias(_belief(tables, drug, therapy), pooled, reported.get(drug, (0, 0))),
            "inconsistency": _holds_zero(new, "the interval for a new trial"),
            "indirectness": _indirect(scales.loc[drug]),
            "imprecision": _imprecise(pooled, people.get(drug, float("nan"))),
            "publication bias": _published(tables, drug),
        }
        rows += [
            {"drug": drug, "quantity": "total", "domain": d, "down": n, "why": why} for d, (n, why) in found.items()
        ]
        for quantity, row, start in _parts(tables, drug, therapy):
            found = {"what identifies it": start, "imprecision": _imprecise(row, float("inf"))}
            rows += [
                {"drug": drug, "quantity": quantity, "domain": d, "down": n, "why": why}
                for d, (n, why) in found.items()
            ]
    return pd.DataFrame(rows, columns=["drug", "quantity", "domain", "down", "why"])


def _people(tables: Mapping[str, pd.DataFrame], evidence: Evidence, settings: Mapping[str, float]) -> dict[str, float]:
    """People in the trials of each drug in its usual setting; trials without an n count for none."""
    compared, n = compared_trials(tables["rows"]), people_compared(tables["rows"], evidence)
    usual = compared[compared["drug"].map(settings) == compared["therapy"]]
    return usual["trial"].map(n).groupby(usual["drug"]).sum().to_dict()


def _reported_risks(tables: Mapping[str, pd.DataFrame], evidence: Evidence) -> dict[str, tuple[int, int]]:
    """Per drug: trials of which a source reports a risk of bias, and trials of which any source speaks."""
    said = risk_of_bias(evidence)[list(RATED)].dropna(how="all")
    compared = compared_trials(tables["rows"]).drop_duplicates(["drug", "trial"])
    spoken = compared[compared["trial"].isin(said.index)]
    risk = spoken["trial"].map(said.max(axis=1) > 0).astype(int)
    return {str(d): (int(g.sum()), len(g)) for d, g in risk.groupby(spoken["drug"])}


def _belief(tables: Mapping[str, pd.DataFrame], drug: str, therapy: float) -> "pd.Series | None":
    pair = tables["belief_pair"]
    row = pair[(pair["model"] == "with belief") & (pair["drug"] == drug) & (pair["therapy"] == therapy)]
    return row.iloc[0] if len(row) else None


def _bias(held: "pd.Series | None", pooled: pd.Series, risks: tuple[int, int]) -> tuple[int, str]:
    down, said = 0, []
    if held is None:
        said.append("belief could not be held equal")
    else:
        lost = 1 - held["mean"] / pooled["mean"]
        down += int(lost >= MATERIAL or held["ci_low"] * held["ci_high"] <= 0)
        said.append(f"holding belief equal takes {100 * lost:.0f} % of it")
    some, spoken = risks
    down += int(some > spoken / 2)
    said.append(f"sources report another risk of bias in {some} of the {spoken} trials they speak of")
    return down, "; ".join(said)


def _holds_zero(row: pd.Series, what: str) -> tuple[int, str]:
    holds = row["ci_low"] * row["ci_high"] <= 0
    return int(holds), f"{what} {'includes' if holds else 'excludes'} 0"


def _indirect(scale: pd.Series) -> tuple[int, str]:
    if not scale["instrument"]:
        return 1, "no scale with a reference SD"
    share = float(scale["own_share"])
    return int(share <= 0.5), f"{100 * share:.0f} % of its trials measured {scale['construct']}"


def _imprecise(row: pd.Series, people: float) -> tuple[int, str]:
    if row["ci_low"] * row["ci_high"] <= 0:
        down, said = 2, "the interval includes 0"
    elif min(abs(row["ci_low"]), abs(row["ci_high"])) < SMALL:
        down, said = 1, f"the interval includes an effect below {SMALL:g} SD"
    else:
        down, said = 0, f"the whole interval is beyond {SMALL:g} SD"
    if people < FEW:
        down, said = min(down + 1, 2), f"{said}; {people:.0f} people"
    return down, said


def _published(tables: Mapping[str, pd.DataFrame], drug: str) -> tuple[int, str]:
    if "bias_effects" not in tables:
        return 0, "not examined: these rows allow no such analysis"
    own = tables["bias_effects"]
    own = own[(own["drug"] == drug) & (own["dose"] == "averaged")].set_index("estimate")
    if UNADJUSTED not in own.index:
        return 0, "not examined: too few of its trials"
    pool, down, said = own.loc[UNADJUSTED, "mean"], 0, []
    for name, words in ((AVERAGED, "allowing for small-study effects"), (LARGEST, "its largest trials alone")):
        if name in own.index:
            less = 1 - own.loc[name, "mean"] / pool
            down = max(down, int(less >= MATERIAL or own.loc[name, "ci_low"] * own.loc[name, "ci_high"] <= 0))
            said.append(f"{words}: {abs(100 * less):.0f} % {'less' if less >= 0 else 'more'}")
    return down, "; ".join(said)


def _parts(
    tables: Mapping[str, pd.DataFrame], drug: str, therapy: float
) -> list[tuple[str, pd.Series, tuple[int, str]]]:
    """What therapy adds and what runs through the experience, with where each starts."""
    out = []
    ledger = tables["drug_ledger"]
    added = ledger[(ledger["drug"] == drug) & (ledger["quantity"] == "difference made by therapy")]
    if len(added):
        row = added.iloc[0]
        kind = str(row["evidence"])
        down = 0 if kind.startswith("randomised within") else 3 if kind.startswith("carried over") else 2
        out.append(("therapy", row, (down, kind)))
    if "synthesis_effects" in tables:
        paths = tables["synthesis_effects"]
        own = paths[(paths["path"] == "experience") & (paths["drug"] == drug) & (paths["therapy"] == therapy)]
        if len(own):
            out.append(
                ("experience", own.iloc[0], (2, "an association within arms: no trial randomises the experience"))
            )
    return out
