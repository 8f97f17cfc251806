"""Planning: speed, the closed form against nested Monte Carlo, and the review's designs ranked under three priors.

Run with ``uv run python benchmarks/planning.py [SYNTHESIS.nc]``; the fit of the synthesis is ``posterior/synthesis.nc`` of a results
folder. CPU seconds are of one process.
"""

import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd

import pillprocess as pp
from pillprocess.decomposition.model import decomposition_design
from pillprocess.gaussian.marginals import linear_summary
from pillprocess.planning.knowledge import knowledge_of
from pillprocess.planning.new_rows import arm_noise, estimand_weights, new_rows
from pillprocess.rows.contrasts import model_rows
from tests.conftest import make_arm_row
from tests.planning.cases import planned_rows, small_evidence

SIZES = (10, 15, 20, 25, 30, 40, 50, 60, 75, 100, 125, 150, 200, 250, 300, 400, 500, 650, 800, 1000)


def thirty_designs() -> list[pp.PlannedTrial]:
    """The library for three drugs."""
    return [
        replace(trial, name=f"{drug}: {name}") for drug in ("psilocybin", "ketamine", "MDMA")
        for name, trial in pp.named_designs(drug).items()
    ]  # fmt: skip


def nested(replications: int, *, per_arm: float = 40.0, seed: int = 1) -> pd.DataFrame:
    """Expected posterior SD and assurance by refitting the tables with each simulated trial in them, and in closed form."""
    rows, terms = small_evidence(make_arm_row), pp.HYPOTHESES["mediated"]
    design = decomposition_design(rows, terms=terms)
    given = {"drug": "psilocybin", "n": 40}
    equal = given | {"belief": "equal"}
    arms = {"awake": equal, "asleep": equal | {"experience": 0.0}, "placebo": {"drug": "placebo", "n": 40}}
    trial = pp.trial_design("new", arms)
    asked = ["experience", "drug"]
    known = knowledge_of(design, nodes=1000)
    planned, noise = new_rows(trial, known), None
    noise = arm_noise(trial, planned, known, per_arm=per_arm, outcome_sd=1.0, bias_sd=0.0)
    weights = np.array([estimand_weights(trial, e, known) for e in asked])
    combinations = {
        e: {n: w for n, w in zip(known.parameter, own, strict=True) if w} for e, own in zip(asked, weights, strict=True)
    }
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(replications):
        k = rng.choice(len(known.weight), p=known.weight / known.weight.sum())
        theta = rng.multivariate_normal(known.mean[k], known.covariance[k], method="eigh")
        y = rng.multivariate_normal(planned.loading @ theta, noise[k])
        extra = planned_rows(
            trial, y, make_arm_row, se=[1 / n**0.5 for n in trial.completers(per_arm)], believed=known.believed
        )
        after = linear_summary(
            decomposition_design(pd.concat([rows, extra], ignore_index=True), terms=terms), combinations
        )
        found.append(after[["sd", "p_below"]].to_numpy())
    draws = np.array(found)
    decided = np.maximum(draws[:, :, 1], 1 - draws[:, :, 1]) > 0.975
    closed = pp.expected_information(pp.fit(design, seed=1), [trial], estimands=asked, sizes=(per_arm,), draws=4096)
    return pd.DataFrame(
        {
            "estimand": asked, "closed_sd": closed["sd_after"], "nested_sd": np.sqrt((draws[:, :, 0] ** 2).mean(axis=0)),
            "nested_sd_error": (draws[:, :, 0] ** 2).std(axis=0) / np.sqrt(replications) / 2 / np.sqrt((draws[:, :, 0] ** 2).mean(axis=0)),
            "closed_assurance": closed["assurance"], "nested_assurance": decided.mean(axis=0),
            "nested_assurance_error": np.sqrt(decided.mean(axis=0) * (1 - decided.mean(axis=0)) / replications),
        }
    )  # fmt: skip


def ranking(idata, designs, **changed: float) -> pd.DataFrame:
    """Rank at 200 people and size for 80 %, of what tells whether the experience carries the effect."""
    asked = {
        t.name: [e for e in ("mediated", "accounts") if pp.design_ledger([t], estimands=[e])["compared"].item()]
        for t in designs
    }
    table = pp.expected_information(idata, designs, estimands=asked, sizes=(*SIZES, np.inf), draws=1024, **changed)
    sizes = pp.sizes_needed(table).set_index(["estimand", "design"])[["n_80", "n_80_low", "n_80_high", "n_90", "limit"]]
    ranks = pp.rank_designs(table).set_index(["estimand", "design"])[
        ["rank", "reduction", "assurance", "assurance_low", "assurance_high"]
    ]
    return ranks.join(sizes).round(3)


def main() -> None:
    pd.set_option("display.width", 220, "display.max_columns", 20, "display.max_rows", 200)
    arms, differences = model_rows(pp.load_evidence())
    terms = pp.HYPOTHESES["mediated"]
    idata = pp.fit(pp.decomposition_design(arms, differences, terms=terms), seed=1)
    began = time.process_time()
    table = pp.expected_information(idata, thirty_designs(), sizes=SIZES)
    print(
        f"decomposition, 30 designs x 20 sizes, all they compare ({len(table)} rows): {time.process_time() - began:.1f} s CPU"
    )
    if len(sys.argv) > 1:
        fit = pp.load_fit(sys.argv[1])
        began = time.process_time()
        table = pp.expected_information(fit, thirty_designs(), sizes=SIZES)
        print(f"synthesis, 30 designs x 20 sizes ({len(table)} rows): {time.process_time() - began:.1f} s CPU")
    began = time.process_time()
    print(
        nested(300).round(3).to_string(index=False),
        f"\nnested Monte Carlo, 300 refits: {time.process_time() - began:.0f} s CPU",
    )
    for drug in ("psilocybin", "ketamine"):
        designs = list(pp.named_designs(drug).values())
        for scale in (0.5, 1.0, 2.0):
            print(f"\n{drug}, priors x {scale:g}\n{ranking(idata, designs, prior_scale=scale).to_string()}")
        free = pp.fit(pp.decomposition_design(arms, differences, terms=terms - {"expectancy"}), seed=1)
        print(f"\n{drug}, without belief in the model\n{ranking(free, designs).to_string()}")


if __name__ == "__main__":
    main()
