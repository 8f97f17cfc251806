"""Effects in points of a known scale, for readers who do not think in SDs."""

from collections.abc import Mapping

import pandas as pd

from pillprocess.evidence.tables import Evidence

USUAL_SCALES = {"depression": "MADRS", "ptsd": "CAPS-5"}
"""The scale an effect is shown in, by construct."""


def in_points(
    table: pd.DataFrame, evidence: Evidence, *, instrument: str | Mapping[str, str] = "MADRS"
) -> pd.DataFrame:
    r"""Add an effect in points of a scale to a table of effects in reference SDs.

    .. math:: points = effect \times SD_{ref}

    Parameters
    ----------
    table
        With columns ``mean``, ``ci_low``, ``ci_high`` in reference SDs, as :func:`pillprocess.effect_table` makes it.
    evidence
        The checked tables; ``instruments.csv`` gives the scale's reference SD, pooled over the end points of its arms.
    instrument
        The scale; or a scale for each drug of the table's column ``drug``, such as ``{"MDMA": "CAPS-5", "psilocybin": "MADRS"}``.

    Returns
    -------
    The table with ``unit`` (``"reference SD"``), ``instrument``, ``points``, ``points_low`` and ``points_high``. Of an effect pooled
    over scales the points are a reading, not a measurement: what so many SDs would be on this scale.

    Raises
    ------
    ValueError
        The table lacks a column, a drug of it has no scale, or the evidence has no reference SD of a scale.

    Examples
    --------
    >>> import pillprocess as pp
    >>> import pandas as pd
    >>> table = pd.DataFrame({"mean": [-0.5], "ci_low": [-0.8], "ci_high": [-0.2]})
    >>> pp.in_points(table, pp.load_evidence(), instrument="MADRS")[["unit", "instrument", "points"]].round(0)
               unit instrument  points
    0  reference SD      MADRS    -5.0
    """
    lacking = [name for name in ("mean", "ci_low", "ci_high") if name not in table]
    if lacking:
        raise ValueError(f"the table lacks {', '.join(lacking)}; give what effect_table makes")
    known = evidence.instruments.dropna(subset="reference_sd").set_index("instrument")["reference_sd"]
    if isinstance(instrument, str):
        chosen = pd.Series(instrument, index=table.index)
    elif "drug" not in table:
        raise ValueError("a scale for each drug needs a table with a column drug; name one scale for all")
    else:
        chosen = table["drug"].map(instrument)
        if chosen.isna().any():
            without = ", ".join(sorted(set(table["drug"][chosen.isna()])))
            raise ValueError(f"instrument names no scale for {without}; name one for each drug of the table")
    if unknown := sorted(set(chosen) - set(known.index)):
        raise ValueError(
            f"instrument = {', '.join(map(repr, unknown))}; instruments.csv has a reference SD for "
            f"{', '.join(sorted(known.index)) or 'none'}"
        )
    sd = chosen.map(known).astype(float)
    points = {end: table[f"mean{end}" if not end else f"ci{end}"] * sd for end in ("", "_low", "_high")}
    named = {f"points{end}": value for end, value in points.items()}
    return table.assign(unit="reference SD", instrument=chosen, **named)


def clinical_scales(rows: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    """Choose the scale each drug's effect is shown in: the MADRS or CAPS-5, whichever construct more of its trials measured.

    Where the evidence knows neither, it is the scale with the most people behind its SD among the constructs of the drug's trials.

    Parameters
    ----------
    rows
        Model rows.
    evidence
        The checked tables.

    Returns
    -------
    DataFrame indexed by drug: ``instrument`` (blank where no scale has a reference SD), ``sd`` of one reference SD in points,
    ``sd_arms`` and ``sd_people`` it was pooled over, ``construct`` of the scale, and ``own_share``, the share of the drug's trials that
    measured that construct.
    """
    known = evidence.instruments.dropna(subset="reference_sd").sort_values("reference_sd_n", ascending=False)
    usual = known[known["instrument"].isin(USUAL_SCALES.values())].set_index("construct")
    largest = known.drop_duplicates("construct").set_index("construct")
    out = {}
    for drug, own in rows.groupby("study_drug"):
        trials = own.groupby("construct")["trial"].nunique().sort_values(ascending=False, kind="stable")
        tables = ((usual, trials.index), (usual, USUAL_SCALES), (largest, trials.index))
        chosen = next(((table.loc[c], c) for table, order in tables for c in order if c in table.index), None)
        if chosen is None:
            out[drug] = {"instrument": "", "construct": "", "own_share": 0.0}
            continue
        scale, construct = chosen
        out[drug] = {
            "instrument": scale["instrument"], "sd": float(scale["reference_sd"]), "construct": construct,
            "sd_arms": scale["reference_sd_n_arms"], "sd_people": scale["reference_sd_n"],
            "own_share": trials.get(construct, 0) / own["trial"].nunique(),
        }  # fmt: skip
    columns = ["instrument", "sd", "sd_arms", "sd_people", "construct", "own_share"]
    return pd.DataFrame.from_dict(out, orient="index").reindex(columns=columns).rename_axis("drug")
