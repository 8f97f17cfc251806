"""The rows of a forest plot from one fit: each trial's effect beside its own contrast, then what the pool and a new trial have."""

import pandas as pd
import xarray as xr

from pillprocess.decomposition.estimands import predictive_effects, relative_effects, trial_effects
from pillprocess.output.tables import interval_table

KINDS = {"pooled": "pooled, ", "predictive": "new trial, "}
SETTINGS = {0.0: "alone", 1.0: "with therapy"}


def forest_table(
    idata: xr.DataTree,
    arms: pd.DataFrame,
    contrasts: pd.DataFrame | None = None,
    *,
    seed: int,
    drug: str | None = None,
) -> pd.DataFrame:
    """Tabulate a drug's trials, its pooled effect and its effect in a new trial, as :func:`pillprocess.plot_forest` draws them.

    Parameters
    ----------
    idata
        A fit of a decomposition whose terms include the drug.
    arms, contrasts
        The rows it was fitted to, from :func:`pillprocess.arm_changes` and :func:`pillprocess.contrasts`.
    seed
        Seed of a new trial's deviations.
    drug
        This drug alone; by default every drug.

    Returns
    -------
    DataFrame: ``label``, ``drug``, ``kind`` (``"trial"``, ``"pooled"``, ``"predictive"``), ``mean``, ``ci_low``, ``ci_high`` at the
    reference dose in the model's unit, ``observed`` and ``observed_se`` (the trial's own contrast of its highest against its lowest dose,
    over the difference in dose), ``n`` (people of the compared rows; missing where one is not reported) and ``text``, the numbers. Trials
    that compare no doses of the drug (no control, or a waiting list or active comparator alone) are not in it;
    :func:`pillprocess.trial_effects` has them. Pooled rows stand for the settings that trials had.

    Raises
    ------
    ValueError
        No trial of the fit compares doses of the drug.

    Examples
    --------
    >>> import pillprocess as pp
    >>> evidence = pp.load_evidence()
    >>> arms = pp.arm_changes(evidence)
    >>> contrasts = pp.contrasts(evidence, besides=arms)
    >>> idata = pp.fit(pp.decomposition_design(arms, contrasts), seed=1)
    >>> table = pp.forest_table(idata, arms, contrasts, seed=1, drug="LSD")
    >>> table.loc[table["kind"] != "trial", "label"].tolist()
    ['pooled, alone', 'pooled, with therapy', 'new trial, alone', 'new trial, with therapy']
    >>> ax = pp.plot_forest(pp.in_points(table, evidence, instrument="MADRS"), unit="MADRS")
    """
    rows = arms if contrasts is None else pd.concat([arms, contrasts], ignore_index=True)
    trials = interval_table(trial_effects(idata))
    trials[["label", "drug"]] = trials.pop("trial_drug").str.rsplit(": ", n=1, expand=True).to_numpy()
    trials = trials.join(observed_contrasts(rows), on=["label", "drug"]).join(people_of(rows), on=["label", "drug"])
    trials = trials[trials["observed"].notna()].assign(kind="trial").sort_values("mean", kind="stable")
    parts = {"pooled": relative_effects(idata), "predictive": predictive_effects(idata, seed=seed)}
    pooled = pd.concat([interval_table(draws).assign(kind=kind) for kind, draws in parts.items()], ignore_index=True)
    pooled = pooled[pooled["trials"] > 0]
    pooled = pooled.assign(label=pooled["kind"].map(KINDS) + pooled["therapy"].map(SETTINGS))
    table = pd.concat([trials, pooled], ignore_index=True)
    if drug is not None:
        known = list(dict.fromkeys(trials["drug"]))
        if drug not in known:
            raise ValueError(
                f"drug = {drug!r}; the trials of this fit compare doses of {', '.join(known) or 'no drug'}"
            )
        table = table[table["drug"] == drug].reset_index(drop=True)
    names = ["label", "drug", "kind", "mean", "ci_low", "ci_high", "observed", "observed_se", "n"]
    return table[names].assign(text=numbers_beside(table))


def people_of(rows: pd.DataFrame) -> pd.DataFrame:
    """People of each trial's rows of a drug and their controls, ``n``, by trial and drug; missing where a row does not say."""
    arms = rows[rows["kind"] == "arm"]
    found = {}
    for trial, drug in rows.loc[rows["dose"] > 0, ["trial", "drug_given"]].drop_duplicates().itertuples(index=False):
        own = arms[(arms["trial"] == trial) & ((arms["drug_given"] == drug) | (arms["dose"] == 0))]
        differences = rows[(rows["trial"] == trial) & (rows["drug_given"] == drug) & (rows["kind"] == "contrast")]
        sides = [own["n"]]
        if len(differences):
            sides += [
                differences.drop_duplicates("arm")["n_arm"],
                differences.drop_duplicates("reference_arm")["n_reference"],
            ]
        found[trial, drug] = pd.concat(sides).sum(skipna=False)
    index = pd.MultiIndex.from_tuples(found, names=["trial", "drug"])
    return pd.DataFrame({"n": list(found.values())}, index=index)


def numbers_beside(table: pd.DataFrame) -> list[str]:
    """People, mean and interval of each row, in columns."""
    return [
        f"{'' if pd.isna(n) else f'{n:.0f}':>3} {m:5.2f} [{lo:5.2f}, {hi:5.2f}]"
        for n, m, lo, hi in zip(table["n"], table["mean"], table["ci_low"], table["ci_high"], strict=True)
    ]


def observed_contrasts(rows: pd.DataFrame) -> pd.DataFrame:
    """Each trial's own contrast of highest against lowest dose of a drug, per unit of reference dose.

    A waiting list or an active comparator is no dose of 0: trials that have no other control are left out.

    Returns
    -------
    DataFrame indexed by trial and drug: ``observed``, ``observed_se``.
    """
    out = {}
    same = (rows[["waitlist", "comparator"]] == 0).all(axis=1)
    for side in ("reference_waitlist", "reference_comparator"):
        same &= rows[side].fillna(0) == 0
    for (trial, drug), group in rows[same].groupby(["trial", "drug_given"], sort=False):
        differences = group[(group["kind"] == "contrast") & (group["dose"] > group["reference_dose"].fillna(0))]
        if len(differences):
            top = differences.loc[differences["dose"].idxmax()]
            gap = top["dose"] - top["reference_dose"]
            out[trial, drug] = {"observed": top["y"] / gap, "observed_se": top["se"] / gap}
            continue
        top, bottom = group.loc[group["dose"].idxmax()], group.loc[group["dose"].idxmin()]
        gap = top["dose"] - bottom["dose"]
        if gap > 0:
            se = (top["se"] ** 2 + bottom["se"] ** 2) ** 0.5
            out[trial, drug] = {"observed": (top["y"] - bottom["y"]) / gap, "observed_se": se / gap}
    return pd.DataFrame.from_dict(out, orient="index").rename_axis(["trial", "drug"])
