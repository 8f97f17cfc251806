"""What changed between two evidence bases, and what that does to the headline."""

import pandas as pd
import xarray as xr

from pillprocess.decomposition.model import decomposition_design
from pillprocess.evidence.schema import SCHEMAS
from pillprocess.evidence.tables import Evidence
from pillprocess.gaussian.design_checks import parameter_names
from pillprocess.gaussian.marginals import linear_summary
from pillprocess.rows.contrasts import model_rows


def evidence_changes(old: Evidence, new: Evidence) -> pd.DataFrame:
    """List the rows that one evidence base has and the other has not, and the cells in which their rows differ.

    Parameters
    ----------
    old, new
        From :func:`pillprocess.load_evidence`.

    Returns
    -------
    DataFrame with columns ``file``, ``key`` (the cells that tell the row apart), ``change`` (added, removed, changed),
    ``column``, ``old``, ``new``.
    """
    found: list[dict[str, str]] = []
    for name, schema in SCHEMAS.items():
        before, after = _by_key(getattr(old, name), schema.key.split()), _by_key(getattr(new, name), schema.key.split())
        for key in sorted({*before, *after}):
            where = {"file": f"{name}.csv", "key": ", ".join(part for part in key if part)}
            if key not in before:
                found.append(where | {"change": "added"})
            elif key not in after:
                found.append(where | {"change": "removed"})
            else:
                was, is_now = before[key], after[key]
                found += [
                    where | {"change": "changed", "column": c, "old": was.get(c, ""), "new": is_now.get(c, "")}
                    for c in dict.fromkeys([*was, *is_now])
                    if was.get(c, "") != is_now.get(c, "")
                ]
    return pd.DataFrame(found, columns=["file", "key", "change", "column", "old", "new"]).fillna("")


def headline_effects(evidence: Evidence) -> pd.DataFrame:
    """Effect of each drug at its reference dose, without and with therapy, in closed form.

    Parameters
    ----------
    evidence
        The checked tables.

    Returns
    -------
    DataFrame with columns ``drug``, ``therapy``, ``mean``, ``sd``, ``ci_low``, ``ci_high``, ``p_below``, in reference SDs;
    negative favours the drug.
    """
    return effects_under(decomposition_design(*model_rows(evidence)))


def effects_under(design: xr.Dataset) -> pd.DataFrame:
    """The effects of :func:`headline_effects` under a design, which may hold some of its rows or none."""
    names = {*parameter_names(design, "coefficient"), *parameter_names(design, "effect")}
    drugs = sorted(name[2:-1] for name in names if name.startswith("v["))
    wanted = {(drug, therapy): _weights(names, drug, therapy) for drug in drugs for therapy in (0.0, 1.0)}
    table = linear_summary(design, {f"{d}|{t:g}": weights for (d, t), weights in wanted.items()})
    keys = pd.DataFrame(list(wanted), columns=["drug", "therapy"])
    return keys.join(table.reset_index(drop=True))


def headline_changes(old: Evidence, new: Evidence) -> pd.DataFrame:
    """Set the headline effects of two evidence bases side by side.

    Parameters
    ----------
    old, new
        From :func:`pillprocess.load_evidence`.

    Returns
    -------
    DataFrame with columns ``drug``, ``therapy``, ``old``, ``old_sd``, ``new``, ``new_sd`` and ``moved``, the difference in SDs
    of the old posterior.
    """
    columns = ["drug", "therapy", "mean", "sd"]
    before = headline_effects(old)[columns].rename(columns={"mean": "old", "sd": "old_sd"})
    after = headline_effects(new)[columns].rename(columns={"mean": "new", "sd": "new_sd"})
    table = before.merge(after, on=["drug", "therapy"], how="outer")
    return table.assign(moved=(table["new"] - table["old"]) / table["old_sd"])


def _by_key(table: pd.DataFrame, key: list[str]) -> dict[tuple[str, ...], dict[str, str]]:
    cells = (
        table.astype(object)
        .where(table.notna(), "")
        .map(lambda cell: f"{cell:.12g}" if isinstance(cell, float) else str(cell))
    )
    return {tuple(row[c] for c in key): row for row in cells.to_dict("records")}


def _weights(names: set[str], drug: str, therapy: float) -> dict[str, float]:
    """Weights of delta + v + (kappa + w / 2) therapy, of the terms that the design has."""
    full = {"delta": 1.0, f"v[{drug}]": 1.0, "kappa": therapy, f"w[{drug}]": therapy / 2}
    return {name: weight for name, weight in full.items() if name in names and weight}
