"""The summary of findings: per drug what a reader asks first, in SDs, in points of a scale, and in patients."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pillprocess.bias.averaging import AVERAGED
from pillprocess.evidence.tables import Evidence
from pillprocess.findings.certainty import certainty, certainty_word
from pillprocess.findings.scales import clinical_scales
from pillprocess.findings.trials import compared_trials, people_compared, usual_settings

QUANTITIES = {
    "total": "Total effect",
    "drug": "The drug alone, with its unblinding",
    "therapy": "What therapy adds to the drug",
    "belief": "Total effect, belief held equal",
    "experience": "Through the experience",
    "small_study": "Allowing for small, selected trials",
    "new_trial": "Total effect in a new trial",
    "response": "More responders in 100",
    "needed": "Number needed to treat",
}
"""The quantities of the summary in order, and what they are called."""

CARRIED = "carried over"


def summary_of_findings(tables: Mapping[str, pd.DataFrame], evidence: Evidence) -> pd.DataFrame:
    """Summarise each drug's findings in the setting most of its trials had, after GRADE's summary of findings tables.

    Parameters
    ----------
    tables
        Of the main job, by name, as :func:`pillprocess.read_results` gives them.
    evidence
        The evidence they were made from.

    Returns
    -------
    DataFrame, a row per drug and ``quantity`` (keys of ``findings.summary.QUANTITIES``): ``therapy``, 1 where most of its trials
    gave therapy in both arms; ``mean``, ``ci_low``, ``ci_high`` in ``unit`` (reference SD, responders in 100, or
    patients); ``points``, ``points_low``,
    ``points_high`` of ``instrument``, one SD of which is ``points_per_sd``; ``trials`` and ``people`` (at least: trials without an n count
    for none) behind the drug in this setting; ``evidence``, what identifies the row, or why it is blank; and ``certainty``, a word from
    :func:`pillprocess.certainty`, for the total effect and its two parts. Negative is improvement, but for responders.

    The layout follows Guyatt et al. 2013, doi:10.1016/j.jclinepi.2012.08.001 and 10.1016/j.jclinepi.2012.01.012.
    """
    rows, settings = tables["rows"], usual_settings(tables)
    scales = clinical_scales(rows, evidence)
    compared, n = compared_trials(rows), people_compared(rows, evidence)
    levels = certainty(tables, evidence).groupby(["drug", "quantity"])["down"].sum().to_dict()
    out = []
    for drug, therapy in settings.items():
        own = compared[(compared["drug"] == drug) & (compared["therapy"] == therapy)]["trial"]
        shared: dict[str, object] = {
            "drug": drug,
            "therapy": therapy,
            "trials": len(own),
            "people": int(own.map(n).sum()),
        }
        scale = scales.loc[drug]
        for quantity, (row, words) in _quantities(tables, drug, therapy).items():
            found = (
                shared | {"quantity": quantity} | in_units(row, quantity, scale) | {"evidence": words, "certainty": ""}
            )
            if row is not None and (drug, quantity) in levels:
                found["certainty"] = certainty_word(int(levels[drug, quantity]))
            out.append(found)
    columns = [
        "drug", "therapy", "trials", "people", "quantity", "mean", "ci_low", "ci_high", "unit", "points", "points_low", "points_high",
        "instrument", "points_per_sd", "evidence", "certainty",
    ]  # fmt: skip
    return pd.DataFrame(out).reindex(columns=columns)


def in_units(row: "pd.Series | None", quantity: str, scale: pd.Series) -> dict[str, object]:
    """An estimate in its unit, and in points of a drug's scale where it is in SDs; empty but for the unit where there is none."""
    patients = {"response": "responders in 100", "needed": "patients"}
    found: dict[str, object] = {"unit": patients.get(quantity, "reference SD")}
    if row is None:
        return found
    if quantity not in patients and scale["instrument"]:
        found |= {"instrument": scale["instrument"], "points_per_sd": scale["sd"]}
        ends = {"points": "mean", "points_low": "ci_low", "points_high": "ci_high"}
        found |= {name: row[end] * scale["sd"] for name, end in ends.items()}
    return found | {end: row[end] for end in ("mean", "ci_low", "ci_high")}


def read_results(folder: str | Path) -> dict[str, pd.DataFrame]:
    """Read every table of a results folder.

    Parameters
    ----------
    folder
        What ``pillprocess reproduce --out`` wrote.

    Returns
    -------
    Tables by name.

    Raises
    ------
    FileNotFoundError
        The folder has no ``tables``.
    """
    files = sorted((Path(folder) / "tables").glob("*.csv"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no tables/*.csv; give a folder that pillprocess reproduce wrote")
    return {file.stem: pd.read_csv(file) for file in files}


def _quantities(
    tables: Mapping[str, pd.DataFrame], drug: str, therapy: float
) -> dict[str, tuple["pd.Series | None", str]]:
    """Each quantity's row, None where there is none, with what identifies it or why it is missing."""
    effects = tables["drug_effects"]
    mine = effects[effects["drug"] == drug].set_index(["kind", "therapy"])
    total = mine.loc["pooled", therapy]
    ledger = tables["drug_ledger"]
    added = ledger[(ledger["drug"] == drug) & (ledger["quantity"] == "difference made by therapy")]
    pair = tables["belief_pair"]
    belief = pair[(pair["model"] == "with belief") & (pair["drug"] == drug) & (pair["therapy"] == therapy)]
    found: dict[str, tuple[pd.Series | None, str]] = {
        "total": (total, str(total["evidence"])),
        "drug": (mine.loc["pooled", 0.0], str(mine.loc["pooled", 0.0]["evidence"])),
        "therapy": (added.iloc[0], str(added.iloc[0]["evidence"]))
        if len(added)
        else (None, "no term for it in the model"),
        "belief": (belief.iloc[0], "belief reported for few arms, borrowed for the rest")
        if len(belief)
        else (None, "belief is not known for these trials"),
        "experience": (None, "the synthesis was not run"),
        "small_study": (None, "these trials allow no such analysis"),
        "new_trial": (mine.loc["predictive", therapy], str(total["evidence"])),
    }
    if "synthesis_effects" in tables:
        paths = tables["synthesis_effects"]
        own = paths[(paths["path"] == "experience") & (paths["drug"] == drug) & (paths["therapy"] == therapy)]
        if len(own):
            found["experience"] = (own.iloc[0], "association within arms; nobody randomised the experience")
    if "bias_effects" in tables:
        bias = tables["bias_effects"]
        own = bias[(bias["drug"] == drug) & (bias["dose"] == "averaged") & (bias["estimate"] == AVERAGED)]
        if len(own):
            row = own.iloc[0]
            words = f"{int(row['trials'])} trials against no drug or a low dose, in any setting; sixteen models of bias averaged"
            found["small_study"] = (row, words)
    return found | patients(tables["responders"], drug, therapy)


def patients(table: pd.DataFrame, drug: str, therapy: float) -> dict[str, tuple["pd.Series | None", str]]:
    """More responders in 100, and the number needed to treat; blank limits where the difference may be none."""
    if "reason" in table:
        return dict.fromkeys(("response", "needed"), (None, str(table["reason"].iloc[0])))
    own = table[(table["drug"] == drug) & (table["therapy"] == therapy)]
    if own.empty or pd.isna(own["response"].iloc[0]):
        why = str(own["note"].iloc[0]) if len(own) else "no responders were counted"
        return dict.fromkeys(("response", "needed"), (None, why))
    row = own.iloc[0]
    ends = (("mean", ""), ("ci_low", "_low"), ("ci_high", "_high"))
    gain = pd.Series({name: 100 * row[f"risk_difference{end}"] for name, end in ends})
    needed = pd.Series({name: row[f"nnt{end}"] for name, end in ends})
    people = f"{100 * row['control_rate']:.0f} in 100 respond without the drug ({row['control_n']:.0f} people counted)"
    return {"response": (gain, people), "needed": (needed, people)}
