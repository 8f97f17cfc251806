"""Which trials speak: those that compare a drug, their people, and why one section counts others than the next."""

from collections.abc import Iterable, Mapping

import pandas as pd

from pillprocess.evidence.tables import Evidence
from pillprocess.output.visual_style import in_drawn_order


def compared_trials(rows: pd.DataFrame) -> pd.DataFrame:
    """List the trials of a model whose arms compare doses of a drug, by drug and therapy given with it.

    Parameters
    ----------
    rows
        Model rows.

    Returns
    -------
    DataFrame: ``drug``, ``therapy``, ``trial``.
    """
    arm = rows["kind"] == "arm"
    gap = rows["dose"] - rows["reference_dose"].where(~arm, 0.0).fillna(0.0)
    alike = arm.groupby(rows["trial"]).transform("all") & (gap.groupby(rows["trial"]).transform("nunique") == 1)
    found = rows.loc[~alike & (gap != 0), ["study_drug", "therapy", "trial"]]
    return found.rename(columns={"study_drug": "drug"}).drop_duplicates(ignore_index=True)


def people_compared(rows: pd.DataFrame, evidence: Evidence) -> pd.Series:
    """People of each trial: the sum over its arms, at most those randomised (a crossover has the same people in both arms).

    Parameters
    ----------
    rows
        Model rows.
    evidence
        The checked tables.

    Returns
    -------
    Series by trial; missing where an arm has no n.
    """
    sides = [
        rows.loc[rows["kind"] == "arm", ["trial", "arm", "n"]],
        rows.loc[rows["kind"] == "contrast", ["trial", "arm", "n_arm"]].rename(columns={"n_arm": "n"}),
        rows.loc[rows["kind"] == "contrast", ["trial", "reference_arm", "n_reference"]].rename(
            columns={"reference_arm": "arm", "n_reference": "n"}
        ),
    ]
    arms = pd.concat(sides).drop_duplicates(["trial", "arm"])
    total = arms.groupby("trial")["n"].sum(skipna=False)
    randomised = evidence.trials.set_index("trial_id")["n_randomised"].reindex(total.index)
    return total.where(~(randomised < total), randomised)


def usual_settings(tables: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Return the therapy (0 or 1) that most of each drug's own trials gave in both arms; drugs without a trial are left out.

    Parameters
    ----------
    tables
        Of the main job, by name.
    """
    effects = tables["drug_effects"]
    own = effects[(effects["kind"] == "pooled") & (effects["trials"] > 0)]
    most = own.sort_values("trials", ascending=False, kind="stable").drop_duplicates("drug")
    known = dict(zip(most["drug"], most["therapy"].astype(float), strict=True))
    return {drug: known[drug] for drug in in_drawn_order(known)}


HEADLINE = "every comparison of doses of the drug in the headline model, whatever the control"
SECTIONS = {
    "the headline": HEADLINE,
    "responders": "the headline's and trials that printed counts of responders or remitters and no mean, with ten people or more a side",
    "small and selected trials": "the headline's whose control is no drug or a low dose: waiting lists and active comparators are not a "
    "dose of 0",
    "the experience": "the headline's and trials with counts of responders, treatment guesses or their own participants; small counts "
    "enter here exactly",
}  # fmt: skip


def trial_counts(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Count each drug's controlled trials section by section, and say why the sections differ.

    Parameters
    ----------
    tables
        Of the main job, by name: ``rows``, and of ``responders``, ``funnel``, ``synthesis_effects`` those there are.

    Returns
    -------
    DataFrame, a row per section and drug: ``section``, ``drug``, ``trials`` (in any setting, each once), ``without`` and ``besides``
    (trials of the headline it leaves out, and those it adds, by name where they are known), ``counts`` (which trials it counts).
    """
    headline = compared_trials(tables["rows"]).groupby("drug")["trial"].agg(set).to_dict()
    drugs = in_drawn_order(headline)
    found: list[dict[str, object]] = []

    def add(section: str, drug: str, trials: int, without: Iterable[str] = (), besides: Iterable[str] = ()) -> None:
        names = {"without": ", ".join(sorted(without)), "besides": ", ".join(sorted(besides))}
        found.append({"section": section, "drug": drug, "trials": trials} | names | {"counts": SECTIONS[section]})

    for drug in drugs:
        add("the headline", drug, len(headline[drug]))
    counted = tables.get("counted_alone", pd.DataFrame())
    if "enters" in counted and "reason" not in tables["responders"]:
        joins = counted[counted["enters"].astype(str).str.contains("closed form")]
        for drug in drugs:
            more = set(joins.loc[joins["drug"] == drug, "trial"]) - headline[drug]
            add("responders", drug, len(headline[drug] | more), besides=more)
    if "funnel" in tables:
        for drug in drugs:
            own = set(tables["funnel"].loc[tables["funnel"]["drug"] == drug, "trial"])
            add("small and selected trials", drug, len(own), headline[drug] - own, own - headline[drug])
    if "synthesis_effects" in tables:
        effects = tables["synthesis_effects"]
        total = effects[effects["path"] == "total"].groupby("drug")["n_trials"].sum()
        for drug in drugs:
            add("the experience", drug, int(total.get(drug, 0)))
    return pd.DataFrame(found)
