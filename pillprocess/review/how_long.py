"""How long the effect lasts, as the main job shows it: the effect over time, half-lives beside their prior, and what carries them."""

import pandas as pd
import xarray as xr

from pillprocess.evidence.tables import Evidence
from pillprocess.output.tables import interval_table
from pillprocess.timecourse.estimands import half_life_table, time_effects
from pillprocess.timecourse.fit import compare_shapes, fit_time_course
from pillprocess.timecourse.ledger import VERDICTS, time_ledger
from pillprocess.timecourse.plots import time_curve_table, time_points
from pillprocess.timecourse.relapse import relapse_predictions, relapse_rows, relapse_set_aside
from pillprocess.timecourse.relapse_readings import relapse_readings
from pillprocess.timecourse.rows import time_rows, time_set_aside

UNTRIED_SETTING = "carried over: no trial of this drug in this setting"


def how_long(evidence: Evidence, *, seed: int) -> dict[str, pd.DataFrame]:
    """Fit the time course in closed form and tabulate it; where the rows allow none, ``time_effects`` holds the reason."""
    try:
        rows = time_rows(evidence)
        fit = fit_time_course(rows, seed=seed)
    except ValueError as error:
        return {"time_effects": pd.DataFrame({"reason": [str(error)]})}
    effects = interval_table(time_effects(fit))
    ledger = time_ledger(rows, seed=seed)
    shapes = {} if ledger["trials"].sum() < 3 else {"time_shapes": compare_shapes(rows)}
    return shapes | {
        "time_effects": effects[effects["evidence"] != UNTRIED_SETTING].reset_index(drop=True), "half_lives": half_life_table(fit),
        "time_ledger": ledger, "time_set_aside": time_set_aside(rows), "time_curves": time_curve_table(fit),
        "time_points": time_points(fit),
    } | _relapse(evidence, rows, fit, ledger, seed=seed)  # fmt: skip


def _relapse(
    evidence: Evidence, rows: pd.DataFrame, fit: xr.DataTree, ledger: pd.DataFrame, *, seed: int
) -> dict[str, pd.DataFrame]:
    """Set relapse beside what the scores alone predict of it, and the half-lives with it; nothing where no trial stopped a drug."""
    known = set(fit["posterior"].dataset["drug"].to_numpy())
    every = relapse_rows(evidence)
    every = every[every["drug"].isin(known)].reset_index(drop=True)
    joined = relapse_rows(evidence, besides=rows)
    joined = joined[joined["drug"].isin(known)].reset_index(drop=True)
    if every.empty:
        return {}
    seen = relapse_predictions(fit, every).assign(
        joined=every["label"].isin(joined["label"]).to_numpy(),
        drug=every["drug"].to_numpy(),
        trial=every["trial"].to_numpy(),
    )
    tables = {"relapse": seen, "relapse_set_aside": relapse_set_aside(evidence, besides=rows)}
    if joined.empty:
        return tables
    lives = half_life_table(fit_time_course(rows, relapse=joined, seed=seed))
    rests = ledger.set_index("drug")["rests_on"].to_dict()
    for drug, own in joined.groupby("drug"):
        rests |= time_ledger(rows[rows["drug_given"] == drug], relapse=own, seed=seed).set_index("drug")["rests_on"]
    return tables | {
        "half_lives_with_relapse": lives.assign(rests_on=lives["drug"].map(rests)),
        "relapse_readings": relapse_readings(rows, joined),
    }


def how_long_words(tables: dict[str, pd.DataFrame]) -> list[str]:
    """Say in sentences which drugs' duration was measured, and for which it is an assumption."""
    if "time_ledger" not in tables:
        return []
    ledger = tables["time_ledger"].set_index("drug")
    lives = tables["half_lives"].sort_values("therapy").drop_duplicates("drug", keep="last").set_index("drug")
    measured = [d for d in ledger.index if ledger.loc[d, "rests_on"] == VERDICTS[0]]
    sentences = []
    for drug in measured:
        own, life = ledger.loc[drug], lives.loc[drug]
        topline = f", {own['unpublished']} of them known from the sponsor alone" if own["unpublished"] else ""
        followed = f"drug and control, still as randomised, on several days after the last dose (to day {own['last_day']:.0f}{topline})"
        before = f"prior {life['prior_median']:.0f} [{life['prior_low']:.0f}, {life['prior_high']:.0f}]"
        sentences.append(
            f"{drug}: {own['curve_trials']} trials measured {followed}. Half of the effect is left after {life['median']:.0f} days "
            f"[{life['ci_low']:.0f}, {life['ci_high']:.0f}] ({before}): the lower end is measured, the upper one is not, for no trial "
            "followed the effect to its end."
        )
    assumed = [f"{d} ({ledger.loc[d, 'rests_on'].split(':')[0]})" for d in ledger.index if d not in measured]
    if assumed:
        sentences.append(
            f"For {', '.join(assumed)} how long the effect lasts is an assumption: what stands for it in the table is carried from "
            "elsewhere."
        )
    return sentences + _relapse_words(tables)


def _relapse_words(tables: dict[str, pd.DataFrame]) -> list[str]:
    """Say what relapse after a drug was stopped at random adds, drug by drug."""
    if "half_lives_with_relapse" not in tables:
        return []
    seen = tables["relapse"]
    before = tables["half_lives"].sort_values("therapy").drop_duplicates("drug", keep="last").set_index("drug")
    after = (
        tables["half_lives_with_relapse"].sort_values("therapy").drop_duplicates("drug", keep="last").set_index("drug")
    )
    sentences = []
    for drug in dict.fromkeys(seen.loc[seen["joined"], "drug"]):
        own = seen[seen["joined"] & (seen["drug"] == drug)]
        old, new = before.loc[drug], after.loc[drug]
        gaps = ", ".join(f"{y:.2f} (SE {se:.2f})" for y, se in zip(own["observed"], own["se"], strict=True))
        sentences.append(
            f"{drug}: {', '.join(dict.fromkeys(own['trial']))} stopped the drug at random in people who had improved with it. Relapse put "
            f"those who went on and those who stopped {gaps} SDs apart; the scores alone expect {own['predicted'].mean():.2f} "
            f"[{own['ci_low'].min():.2f}, {own['ci_high'].max():.2f}]. With relapse read through the same curve, half of the effect is "
            f"left after {new['median']:.0f} days [{new['ci_low']:.0f}, {new['ci_high']:.0f}] instead of {old['median']:.0f} "
            f"[{old['ci_low']:.0f}, {old['ci_high']:.0f}]. This takes relapse for symptoms above a threshold, and people who had improved "
            "for people like all others."
        )
        other = tables["relapse_readings"]
        other = other[other["drug"] == drug]
        sentences.append(
            f"Under other readings of the same figures (table below) the middle of that half-life lies between "
            f"{other['median'].min():.0f} and {other['median'].max():.0f} days."
        )
    return sentences
