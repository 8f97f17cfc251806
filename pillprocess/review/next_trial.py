"""Which trial would settle it, as the main job shows it: the review's designs for the drug that most trials gave."""

import pandas as pd

from pillprocess.decomposition.model import decomposition_design
from pillprocess.inference.fit import fit
from pillprocess.planning.comparisons import compares, design_ledger
from pillprocess.planning.information import expected_information
from pillprocess.planning.library import named_designs
from pillprocess.planning.ranking import rank_designs, sizes_needed
from pillprocess.rows.terms import HYPOTHESES

ASKED = ("mediated", "accounts", "drug:therapy")
SIZES = (10, 20, 40, 80, 160, 320, 640, 1000, float("inf"))
PEOPLE = 200.0


def next_trial(
    arms: pd.DataFrame, differences: pd.DataFrame, *, seed: int, draws: int = 1024
) -> dict[str, pd.DataFrame]:
    """Plan with every term of the decomposition, in closed form, for the main drug of the rows.

    Returns
    -------
    ``next_trial`` (the curves), ``next_trial_sizes`` (people per arm for 80 and 90 %, and the ranking at 200 people) and
    ``next_trial_ledger``; or the first alone, with the reason why these rows allow no plan in a column ``reason``.
    """
    rows = pd.concat([arms, differences], ignore_index=True)
    drug, construct = (str(rows[c].value_counts().index[0]) for c in ("study_drug", "construct"))
    designs = list(named_designs(drug, construct=construct).values())
    asked = {trial.name: [e for e in ASKED if compares(trial, e)] for trial in designs}
    try:
        idata = fit(decomposition_design(arms, differences, terms=HYPOTHESES["mediated"]), seed=seed, draws=10)
        table = expected_information(idata, designs, estimands=asked, sizes=SIZES, draws=draws, seed=seed)
    except ValueError as error:
        return {"next_trial": pd.DataFrame([{"reason": str(error)}])}
    keys = ["design", "estimand"]
    ranked = rank_designs(table, people=PEOPLE).set_index(keys)[["rank", "reduction"]]
    order = {e: i for i, e in enumerate(ASKED)}
    sizes = (
        sizes_needed(table)
        .join(ranked, on=keys)
        .sort_values(["estimand", "rank"], key=lambda c: c.map(order) if c.name == "estimand" else c)
    )
    ledger = design_ledger(designs, estimands=("experience", "drug:therapy"))
    return {"next_trial": table, "next_trial_sizes": sizes.reset_index(drop=True), "next_trial_ledger": ledger}
