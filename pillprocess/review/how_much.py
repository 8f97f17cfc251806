"""How much of the drug does what, as the main job shows it: effect and experience by dose, shapes, and what is not known."""

import numpy as np
import pandas as pd
import xarray as xr

from pillprocess.decomposition.dose_curves import dose_averaged_share
from pillprocess.dose.compare import compare_dose_shapes
from pillprocess.dose.experience import dose_shares, fit_experience_dose
from pillprocess.dose.plots import DOSE_GRID
from pillprocess.dose.response import dose_effects, fit_dose_response
from pillprocess.evidence.tables import Evidence
from pillprocess.output.tables import interval_table
from pillprocess.output.visual_style import in_drawn_order

DOSES = (0.25, 0.5)
SHAPES = {
    "linear": "in proportion to the dose", "log_linear": "ever less per mg, without an end",
    "emax": "ever less per mg, up to a greatest effect", "step": "all of it from some dose on, nothing below",
}  # fmt: skip


def how_much(
    evidence: Evidence, arms: pd.DataFrame, differences: pd.DataFrame, *, seed: int
) -> tuple[dict[str, pd.DataFrame], dict[str, xr.DataTree]]:
    """Fit the dose curves in closed form: tables, and fits; where the rows allow none, ``dose_half_maximal`` holds the reason."""
    rows = pd.concat([arms, differences], ignore_index=True)
    try:
        fit = fit_dose_response(rows, seed=seed)
    except ValueError as error:
        return {"dose_half_maximal": pd.DataFrame({"reason": [str(error)]})}, {}
    fits, shares, lacking = {"dose_response": fit}, pd.DataFrame(columns=["drug", "dose", "effect_trials"]), ""
    try:
        acute = fit_experience_dose(evidence, seed=seed)
        shares = dose_shares(fit, acute, doses=DOSES)
        fits["dose_of_experience"] = acute
    except ValueError as error:
        lacking = str(error)
    shapes, without = compare_dose_shapes(rows)
    averaged, curves = dose_averaged_share(arms, differences)
    tables = {
        "dose_half_maximal": _half_maximal(fit, fits.get("dose_of_experience"), evidence), "dose_shares": shares, "dose_shapes": shapes,
        "dose_shapes_without": without,
        "dose_averaged_share": averaged, "dose_averaged_curves": curves, "dose_curves": interval_table(dose_effects(fit, doses=DOSE_GRID)),
    }  # fmt: skip
    if lacking:
        tables["dose_without_experience"] = pd.DataFrame({"reason": [lacking]})
    return tables, fits


def how_much_words(tables: dict[str, pd.DataFrame]) -> list[str]:
    """Say in sentences what trials that compared doses show, and what no trial shows."""
    if "dose_shares" not in tables:
        return []
    half, shares = tables["dose_half_maximal"], tables["dose_shares"]
    compared = half[half["dose_trials"] > 0]
    counted = ", ".join(f"{r.dose_trials} of {r.drug} ({r.names})" for r in compared.itertuples())
    opening = f"Trials that gave people different doses of one drug at random: {counted}. The rest compares"
    sentences = [
        f"{opening if counted else 'No trial gave different doses of one drug at random: what follows compares'} trials with one another."
    ]
    density = tables["dose_shapes"].set_index("shape")["log_marginal_likelihood"]
    best = str(density.index[0])
    rival = str(density.drop("step").index[0]) if best == "step" else "step"
    named = "the best of the gradual curves" if best == "step" else "a step"
    sentences.append(
        f"How does the effect grow with the dose? The trials are predicted best by: {SHAPES[best]} (log marginal likelihood "
        f"{density[best]:.1f}; {named} {density[rival]:.1f}). {_hangs_on(tables['dose_shapes_without'], best, rival, named)}"
    )
    for r in shares[(shares["dose"] == 0.5) & (shares["effect_trials"] > 0)].itertuples():
        apart = r.effect_low > r.experience_high
        sentences.append(
            f"{r.drug} at half the reference dose, by a gradual curve: {_share(r.effect, r.effect_low, r.effect_high)} of the effect and "
            f"{_share(r.experience, r.experience_low, r.experience_high)} of the experience are there; "
            f"{'more of the effect than of the experience' if apart else 'the two cannot be told apart'}."
        )
    if "dose_without_experience" in tables:
        sentences.append(
            f"The acute experience is not set beside it: {tables['dose_without_experience']['reason'].iloc[0]}."
        )
    averaged, curves = tables["dose_averaged_share"].iloc[0], tables["dose_averaged_curves"]
    linear = curves.loc[np.isinf(curves["half_maximal"]), "share"]
    sentences.append(
        "The share of the improvement that is not the drug's, averaged over gradual curves: "
        f"{_share(averaged['mean'], averaged['ci_low'], averaged['ci_high'])}; in proportion to the dose alone: {linear.iloc[0]:.2f}."
    )
    untried = shares[shares["effect_trials"] == 0]
    if len(untried):
        parts = [f"{d} ({', '.join(f'{x:g}' for x in own)})" for d, own in untried.groupby("drug", sort=False)["dose"]]
        sentences.append(
            f"Not known: what these parts of the reference dose do, for no trial gave them: {', '.join(parts)}. The table shows the "
            "curve's word."
        )
    return sentences


def _hangs_on(without: pd.DataFrame, best: str, rival: str, named: str) -> str:
    """Say whether leaving one trial out turns the comparison of shapes round."""
    ahead = without.set_index("trial")[best] - without.set_index("trial")[rival]
    turned = ahead[ahead < 0]
    if turned.empty:
        return f"No single trial decides this: without any one of them it is ahead by {ahead.min():.1f} or more."
    parts = [f"{trial} ({-x:.1f})" for trial, x in turned.items()]
    return f"This hangs on one trial: {named} is ahead without {' or without '.join(parts)}, so nothing is settled."


def _share(mean: float, low: float, high: float) -> str:
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def _half_maximal(fit: xr.DataTree, acute: xr.DataTree | None, evidence: Evidence) -> pd.DataFrame:
    """Half-maximal dose of each drug's effect and experience beside the prior, and the trials that compared doses."""
    data = fit["constant_data"].dataset.to_dataframe()
    references = evidence.reference_doses.assign(
        text=lambda t: t["dose"].map("{:g} ".format) + t["dose_unit"] + " " + t["route"]
    )
    out = []
    for drug in in_drawn_order(data["drug"]):
        own = data[data["drug"] == drug]
        doses = {
            trial: {*rows["dose_arm"], *rows.loc[rows["dose_reference"] > 0, "dose_reference"]}
            for trial, rows in own.groupby("trial", sort=False)
        }
        several = [trial for trial, given in doses.items() if len(given) > 1]
        row: dict[str, object] = {
            "drug": drug, "reference_dose": ", ".join(references.loc[references["drug"] == drug, "text"]),
            "trials": own["trial"].nunique(), "dose_trials": len(several), "names": ", ".join(several),
        }  # fmt: skip
        for name, tree, group in (
            ("effect", fit, "posterior"),
            ("prior", fit, "prior"),
            ("experience", acute, "posterior"),
        ):
            values = np.full(3, np.nan)
            if tree is not None and drug in tree[group].dataset["drug"].to_numpy():
                values = np.quantile(tree[group].dataset["half_maximal"].sel(drug=drug), [0.5, 0.025, 0.975])
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
        out.append(row)
    return pd.DataFrame(out)
